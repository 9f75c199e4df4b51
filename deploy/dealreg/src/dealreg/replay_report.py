"""What ``dealreg replay`` prints: differences as sentences, flips as tables, or lines of JSON.

Keeps totals and the first flips to show, never the whole history.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any

import typer
from rich.table import Table

from dealreg.terminal import out
from dealreg_registration.domain.comparing import Compared, Flip
from dealreg_registration.replaying import Deal, Stored
from dealreg_shared.contracts.base import format_instant

SHOWN = 200
"""Flips and differences shown to a person; JSON has all of them."""


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _say(kind: str, **values: Any) -> None:
    typer.echo(json.dumps({"kind": kind} | values, ensure_ascii=False))


class DayReport:
    """Under the plan of the day: what differs."""

    def __init__(self, as_json: bool) -> None:
        self._json = as_json
        self._decided = 0
        self._different = 0
        self._plans: set[int] = set()

    def decided(self, stored: Stored, differences: Sequence[str]) -> None:
        """Count a decision; name it if it came out otherwise."""
        self._decided += 1
        self._plans.add(stored.plan_number)
        if not differences:
            return
        self._different += 1
        if self._json:
            _say(
                "difference",
                decision=stored.id,
                registration_id=stored.registration_id,
                decided_at=format_instant(stored.decided_at),
                of=stored.kind,
                plan_number=stored.plan_number,
                differences=list(differences),
            )
        elif self._different <= SHOWN:
            out().print(
                f"Decision {stored.id} ({stored.kind} of {stored.registration_id}, "
                f"{format_instant(stored.decided_at)}, plan {stored.plan_number}) differs:\n  "
                + "\n  ".join(differences),
                markup=False,
            )

    def finish(self, rule_book: str) -> bool:
        """Say the sum; whether all came out the same."""
        if self._json:
            _say(
                "summary",
                decisions=self._decided,
                plans=len(self._plans),
                different=self._different,
                rule_book=rule_book,
            )
        else:
            came = (
                "each came out byte for byte the same"
                if not self._different
                else f"{self._different:,} came out otherwise"
            )
            out().print(
                f"{_count(self._decided, 'decision')} made again with the plan of their day "
                f"({_count(len(self._plans), 'plan')}, rule book {rule_book}): {came}."
            )
        return not self._different


@dataclass(frozen=True, slots=True)
class Flipped:
    """A flip and the decision in which it happened. ``after_flip``: an earlier verdict on the same
    account and product line flipped too, so the inputs would have been others."""

    stored: Stored
    flip: Flip
    currency: str
    after_flip: bool


@dataclass
class _Sum:
    verdicts: int = 0
    registrations: set[str] = field(default_factory=set)
    amount: Decimal = Decimal(0)

    def add(self, registration_id: str, amount: Decimal) -> None:
        """A registration's amount counts once, however many of its lines flip."""
        self.verdicts += 1
        if registration_id not in self.registrations:
            self.registrations.add(registration_id)
            self.amount += amount


class OtherReport:
    """Under another plan: which verdicts flip, for whom, and what is at stake."""

    def __init__(self, as_json: bool) -> None:
        self._json = as_json
        self._decided = 0
        self._verdicts = 0
        self._other_terms = 0
        self._after_flip = 0
        self._rule_books: dict[str, int] = defaultdict(int)
        self._ground: set[tuple[str, str]] = set()
        self._all: dict[str, _Sum] = defaultdict(_Sum)
        self._by: dict[tuple[str, str, str], _Sum] = defaultdict(_Sum)
        self._shown: list[str] = []

    def decided(
        self, stored: Stored, lines: Sequence[str], compared: Compared, currency: str
    ) -> list[Flipped]:
        """Count a decision on ``lines``; its flips."""
        self._decided += 1
        self._verdicts += compared.lines
        self._other_terms += compared.other_terms
        self._rule_books[json.loads(stored.result)["rule_book"]] += 1
        shaken = {line for line in lines if (stored.account_id, line) in self._ground}
        self._after_flip += len(shaken)
        self._ground |= {(stored.account_id, flip.product_line) for flip in compared.flips}
        return [
            Flipped(stored, flip, currency, flip.product_line in shaken) for flip in compared.flips
        ]

    def flipped(self, flips: Sequence[Flipped], deals: Mapping[str, Deal]) -> None:
        """List flips. ``deals`` by registration; one whose row is gone has no amount."""
        for it in flips:
            flip = it.flip
            deal = deals.get(flip.registration_id, Deal(it.stored.account_id, "?", "0"))
            amount = Decimal(deal.amount_base)
            self._all[it.currency].add(flip.registration_id, amount)
            self._by[flip.partner_id, flip.kind, it.currency].add(flip.registration_id, amount)
            if self._json:
                _say(
                    "flip",
                    **asdict(flip),
                    decision=it.stored.id,
                    decided_at=format_instant(it.stored.decided_at),
                    plan_number=it.stored.plan_number,
                    account_id=deal.account_id,
                    account_name=deal.account_name,
                    amount_base={"amount": deal.amount_base, "currency": it.currency},
                    after_flip=it.after_flip,
                )
            elif len(self._shown) < SHOWN:
                self._shown.append(_shown(it, deal))

    def finish(self, plan_number: int | None, rule_book: str) -> None:
        """The totals per partner and kind of flip, and what cannot be known."""
        others = {name: count for name, count in self._rule_books.items() if name != rule_book}
        if self._json:
            _say(
                "summary",
                plan_number=plan_number,
                rule_book=rule_book,
                other_rule_books=others,
                decisions=self._decided,
                verdicts=self._verdicts,
                flips=sum(it.verdicts for it in self._all.values()),
                other_terms=self._other_terms,
                after_flip=self._after_flip,
                at_stake=[
                    {"amount": str(it.amount), "currency": currency}
                    for currency, it in sorted(self._all.items())
                ],
                totals=[
                    {"partner_id": partner, "flip": kind, "verdicts": it.verdicts}
                    | {"registrations": len(it.registrations)}
                    | {"amount": {"amount": str(it.amount), "currency": currency}}
                    for (partner, kind, currency), it in sorted(self._by.items())
                ],
            )
            return
        console = out()
        flips = sum(it.verdicts for it in self._all.values())
        if flips:
            for shown in self._shown:
                console.print(shown, markup=False)
            if flips > len(self._shown):
                console.print(f"... and {flips - len(self._shown):,} more; --json lists all.")
            rows = [
                (
                    *(partner, kind, f"{it.verdicts:,}", f"{len(it.registrations):,}"),
                    f"{it.amount:,} {currency}",
                )
                for (partner, kind, currency), it in sorted(self._by.items())
            ]
            console.print(
                _table(("partner", "flip", "verdicts", "registrations", "at stake"), rows)
            )
        name = "the plan in the file" if plan_number is None else f"plan {plan_number}"
        stake = " and ".join(f"{it.amount:,} {cur}" for cur, it in sorted(self._all.items()))
        console.print(
            f"{_count(self._decided, 'decision')} made again with {name}: of "
            f"{_count(self._verdicts, 'verdict')} {flips:,} would flip"
            f"{f', {stake} at stake' if flips else ''}; {self._other_terms:,} would stay with other "
            "terms."
        )
        if self._after_flip:
            console.print(
                f"Each was decided alone, on its inputs as they were. {self._after_flip:,} verdicts "
                "stand on a line where an earlier one flipped (*): with this plan their inputs would "
                "have been others, so they may have come out otherwise still."
            )
        for book, count in sorted(others.items()):
            console.print(
                f"{count:,} decisions were made by rule book {book}, this version has {rule_book}: "
                "flips of theirs may come from the rules and not from the plan."
            )


def _shown(it: Flipped, deal: Deal) -> str:
    flip = it.flip
    became = f"{_to(flip.was, flip.was_to)} -> {_to(flip.now, flip.now_to)}"
    return (
        f"{it.stored.decided_at:%Y-%m-%d %H:%M}  {flip.partner_id} on {flip.product_line}: {became}, "
        f"{Decimal(deal.amount_base):,} {it.currency}{' *' if it.after_flip else ''}\n"
        f"                  {deal.account_name}, {flip.registration_id}"
    )


def _to(verdict: str, target: str | None) -> str:
    return verdict if target is None else f"{verdict} to {target}"


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(box=None, padding=(0, 1))
    for title in titles:
        table.add_column(title, justify="left" if title in ("partner", "flip") else "right")
    for row in rows:
        table.add_row(*row)
    return table
