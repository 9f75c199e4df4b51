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
        page = _Page(self._text, kind, facts)
        return Words(
            title=" ".join(page.block("subject").split()), text=_tidy(page.body() + page.after())
        )

    def mail_text(
        self,
        kind: str,
        facts: Facts,
        name: str | None,
        buttons: Sequence[Button] = (),
        said: str | None = None,
    ) -> str:
        """The text part of a mail. ``name`` is for the greeting; ``buttons`` are links with
        which the reader decides. ``said``: the text of ``words``, where it is at hand."""
        page = _Page(self._text, kind, facts)
        after = _tidy(page.after())
        if said is not None and said.endswith(after):
            body = said.removesuffix(after).rstrip()
        else:
            body = _tidy(page.body())
        mail = self._mail(
            self._text, "mail.txt.j2", facts, name, "", _wrap(body), _wrap(after), buttons
        )
        return _tidy(mail) + "\n"

    def mail_html(
        self,
        kind: str,
        facts: Facts,
        name: str | None,
        title: str,
        buttons: Sequence[Button] = (),
    ) -> str:
        """The HTML part of a mail: no scripts, no outside images, readable without styles."""
        page = _Page(self._html, kind, facts)
        body = Markup(page.body())  # noqa: S704  (escaped by the template)
        after = Markup(page.after())  # noqa: S704  (likewise)
        return self._mail(self._html, "mail.html.j2", facts, name, title, body, after, buttons)

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

    def _mail(
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


class _Page:
    """The blocks of a kind's template, spoken of these facts."""

    def __init__(self, env: Environment, kind: str, facts: Facts) -> None:
        self._env, self._facts = env, facts
        self._template = env.get_template(f"{kind}.j2")
        self._context = self._template.new_context({**_globals(facts), **facts})

    def body(self) -> str:
        """The kind's own body, and why a person reads it who stands in for its recipient."""
        body = self.block("body")
        if not self._facts.get("delegated_until"):
            return body
        return body + _Page(self._env, "_delegate", self._facts).block("body")

    def after(self) -> str:
        """What stands below the links with which the reader decides: the longer way."""
        return self.block("after") if "after" in self._template.blocks else ""

    def block(self, name: str) -> str:
        return "".join(self._template.blocks[name](self._context))


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
        line
        if len(line) <= MAIL_WIDTH and "\t" not in line
        else textwrap.fill(
            line,
            MAIL_WIDTH,
            subsequent_indent="  " if line.startswith("- ") else "",
            break_long_words=False,
            break_on_hyphens=False,
        )
        for line in text.splitlines()
    )
