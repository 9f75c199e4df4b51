"""Turns a notice's kind and facts into words: a title, a text, and an HTML page for mail.

One template per kind and language (``templates/<language>/<kind>.j2``) with the blocks ``subject``,
``body`` and, where there is more to say below a mail's links, ``after``; they speak through a few macros
(``out.p``, ``out.facts`` ...) that exist once for text and once for HTML, so no sentence is written
twice. Must not touch the database.
"""

import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from functools import cache
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from dealreg_notifier.domain.moments import NOTICEABLE, moment, span
from dealreg_notifier.linking import Button
from dealreg_shared.contracts.base import format_instant

Facts = Mapping[str, Any]

MAIL_WIDTH = 76


FALLBACK = "en"
"""The language that has every template; another language may have some of them."""


@dataclass(frozen=True, slots=True)
class Words:
    """A notice as the inbox shows it."""

    title: str
    text: str


class Wording:
    """The templates of one language."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._text = _environment(language, escape=False)
        self._html = _environment(language, escape=True)

    def words(self, kind: str, facts: Facts) -> Words:
        """Title and text. ``facts`` must hold everything that the kind's template names."""
        return Words(
            title=" ".join(_block(self._text, kind, "subject", facts).split()),
            text=_tidy(_body(self._text, kind, facts) + _after(self._text, kind, facts)),
        )

    def mail_text(
        self, kind: str, facts: Facts, name: str | None, buttons: Sequence[Button] = ()
    ) -> str:
        """The text part of a mail. ``name`` is for the greeting; ``buttons`` are links with
        which the reader decides."""
        body = _wrap(_tidy(_body(self._text, kind, facts)))
        after = _wrap(_tidy(_after(self._text, kind, facts)))
        page = self._page(self._text, "mail.txt.j2", facts, name, "", body, after, buttons)
        return _tidy(page) + "\n"

    def mail_html(
        self,
        kind: str,
        facts: Facts,
        name: str | None,
        title: str,
        buttons: Sequence[Button] = (),
    ) -> str:
        """The HTML part of a mail: no scripts, no outside images, readable without styles."""
        body = Markup(_body(self._html, kind, facts))  # noqa: S704  (escaped by the template)
        after = Markup(_after(self._html, kind, facts))  # noqa: S704  (likewise)
        return self._page(self._html, "mail.html.j2", facts, name, title, body, after, buttons)

    def label(self, button: Button) -> str:
        """What a button says."""
        words: Any = self._text.globals["words"]
        return str(words.offer(button.offer)).strip()

    def kinds(self) -> list[str]:
        """Every kind of notice that has a template."""
        return sorted(
            name.removesuffix(".j2")
            for name in self._text.list_templates()
            if "/" not in name and not name.startswith(("_", "mail."))
        )

    def _page(
        self,
        env: Environment,
        layout: str,
        facts: Facts,
        name: str | None,
        title: str,
        body: str,
        after: str,
        buttons: Sequence[Button],
    ) -> str:
        template = env.get_template(layout)
        return template.render(
            **_globals(facts),
            language=self.language,
            name=name,
            title=title,
            body=body,
            after=after,
            buttons=[{"offer": button.offer, "url": button.url} for button in buttons],
            links_until=format_instant(buttons[0].expires_at) if buttons else None,
        )


def in_language(wanted: str | None, otherwise: str) -> Wording:
    """The wording for a reader: of ``wanted`` (such as ``de-AT``, else ``de``) where there are
    templates, else of ``otherwise``, the installation's language."""
    tags = (wanted or "", (wanted or "").partition("-")[0])
    return _wording(next((tag for tag in tags if tag in languages()), otherwise))


@cache
def _wording(language: str) -> Wording:
    return Wording(language)


@cache
def languages() -> frozenset[str]:
    """The languages that have a folder of templates."""
    folder = files("dealreg_notifier") / "templates"
    return frozenset(item.name for item in folder.iterdir() if item.is_dir())


def _environment(language: str, *, escape: bool) -> Environment:
    folders = dict.fromkeys((language, FALLBACK))
    env = Environment(
        loader=ChoiceLoader(
            [PackageLoader("dealreg_notifier", f"templates/{folder}") for folder in folders]
        ),
        autoescape=escape,  # noqa: S701  (off for plain text, which has nothing to escape)
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
        auto_reload=False,
    )
    env.filters["at"] = _at
    env.filters["span"] = lambda seconds: span(timedelta(seconds=float(seconds)))
    env.tests["noticeable"] = lambda seconds: float(seconds) >= NOTICEABLE.total_seconds()
    env.globals["out"] = env.get_template("_html.j2" if escape else "_text.j2").module
    env.globals["words"] = env.get_template("_words.j2").module
    return env


def _body(env: Environment, kind: str, facts: Facts) -> str:
    """The kind's own body, and why a person reads it who stands in for its recipient."""
    body = _block(env, kind, "body", facts)
    return body + _block(env, "_delegate", "body", facts) if facts.get("delegated_until") else body


def _after(env: Environment, kind: str, facts: Facts) -> str:
    """What stands below the links with which the reader decides: the longer way."""
    return (
        _block(env, kind, "after", facts)
        if "after" in env.get_template(f"{kind}.j2").blocks
        else ""
    )


def _block(env: Environment, kind: str, block: str, facts: Facts) -> str:
    template = env.get_template(f"{kind}.j2")
    context = template.new_context({**_globals(facts), **facts})
    return "".join(template.blocks[block](context))


def _globals(facts: Facts) -> dict[str, Any]:
    return {
        "time_zone": ZoneInfo(facts["zone"]),
        "programme_name": facts["programme_name"],
    }


@pass_context
def _at(context: Context, value: str) -> str:
    zone: tzinfo = context["time_zone"]
    return moment(datetime.fromisoformat(value), zone)


def _tidy(text: str) -> str:
    """Paragraphs parted by one blank line, no blanks at line ends."""
    lines = "\n".join(line.rstrip() for line in text.splitlines())
    return re.sub(r"\n{3,}", "\n\n", lines).strip()


def _wrap(text: str) -> str:
    """Lines of a mail's usual width; what is too long for one line stays whole."""
    return "\n".join(
        textwrap.fill(
            line,
            MAIL_WIDTH,
            subsequent_indent="  " if line.startswith("- ") else "",
            break_long_words=False,
            break_on_hyphens=False,
        )
        for line in text.splitlines()
    )
