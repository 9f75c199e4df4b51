"""The past of a line, from the steps of its claims: it agrees with what was so, and with corrections."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dealreg_registration.commands import SYSTEM
from dealreg_registration.domain.account import Registration
from dealreg_registration.domain.case import RulingKind
from dealreg_registration.domain.contradicting import contradict
from dealreg_registration.domain.ending import report_result, withdraw
from dealreg_registration.domain.errors import DomainError
from dealreg_registration.domain.extension import ask_extension, grant_extension
from dealreg_registration.domain.history import Step, who_was_protected
from dealreg_registration.domain.offers import accept_offer, decline_offer
from dealreg_registration.domain.plan import Standing, StatusPeriod
from dealreg_registration.domain.ruling import Ruling, rule
from dealreg_registration.journal import audit_rows, steps_of
from tests.factories.registration import START, World, plan, territory

DAY = timedelta(days=1)
MOMENT = timedelta(microseconds=1)
PLAN = plan(territory("west", "a", "b", "c", "d", countries=["US"]))
Answer = tuple[set[str], set[str], list[str]]


class Written:
    """A world whose steps are written down as the account writer does it, at each act and no earlier."""

    def __init__(self, standing: Standing | None = None) -> None:
        self.world = World(PLAN, standing=standing)
        self.filed: list[Registration] = []
        self.steps: list[Step] = []
        self._seen = 0

    def write(self) -> None:
        journal = self.world.account.journal
        rows = audit_rows(journal[self._seen :], SYSTEM, self.world.now)
        self._seen = len(journal)
        self.steps += steps_of(rows)

    def was(self, at: datetime, known_at: datetime) -> Answer:
        found = who_was_protected(self.steps, at, known_at)
        return (
            {held.step.claim_id for held in found.holders},
            {held.step.claim_id for held in found.co_holders},
            [held.step.claim_id for held in found.standby],
        )

    def now(self) -> Answer:
        """The same of the running state."""
        self.world.settle()
        claims = sorted(self.world.account.claims.values(), key=lambda claim: claim.place)
        holders = {claim.id for claim in claims if claim.holds}
        waiting = [claim for claim in claims if claim.state == "contested"]
        return (
            holders,
            {claim.id for claim in waiting if claim.co_holds in holders},
            [claim.id for claim in waiting if claim.co_holds not in holders],
        )

    def rule(self, kind: RulingKind, claim: str | None = None, co: str | None = None) -> None:
        world = self.world
        [case] = [case for case in world.account.cases.values() if case.pending]
        ruling = Ruling(kind, claim, co_holders=(co,) if co else ())
        account, book, context = world.account, world.book, world.context
        rule(account, case, ruling, book, context, world.new_id, level=1, by="m", actor="p:m")

    def claim(self, registration: Registration) -> str:
        [claim] = self.world.account.of_registration(registration.id)
        return claim.id

    def do(self, kind: str, number: int) -> None:
        """One act, as somebody may try it."""
        world = self.world
        world.settle()
        if kind == "file" or not self.filed:
            self.filed.append(world.file("abcd"[number % 4]))
            return
        account, book, context = world.account, world.book, world.context
        registration = world.current(self.filed[number % len(self.filed)])
        claims = account.of_registration(registration.id)
        offered = [c for c in account.claims.values() if c.offered]
        first = claims[0].id
        other = self.claim(self.filed[(number + 1) % len(self.filed)])
        acts: dict[str, Callable[[], object]] = {
            "lose": lambda: report_result(account, registration, book, context, "lost"),
            "win": lambda: report_result(account, registration, book, context, "won"),
            "withdraw": lambda: withdraw(account, registration, book, context),
            "ask": lambda: ask_extension(account, claims, context),
            "grant": lambda: grant_extension(account, claims, context),
            "accept": lambda: accept_offer(account, offered, context),
            "decline": lambda: decline_offer(account, offered, book, context),
            "award": lambda: self.rule("award", first),
            "co_sell": lambda: self.rule("co_sell", first, other),
            "release": lambda: self.rule("release_all"),
        }
        try:
            acts[kind]()
        except (DomainError, ValueError):
            return


ACTS = (
    *("file", "file", "file", "lose", "win", "withdraw", "ask", "grant", "accept", "decline"),
    *("award", "co_sell", "release"),
)
act = st.tuples(st.sampled_from(ACTS), st.integers(0, 5), st.integers(0, 30 * 24))
Story = list[tuple[str, int, int]]


def played(story: Story, standing: Standing | None, until: datetime | None = None) -> Written:
    """The story up to an instant, or all of it."""
    it = Written(standing)
    now = START
    for kind, number, hours in story:
        now += timedelta(hours=hours)
        if until is not None and now > until:
            break
        it.world.at(now)
        it.do(kind, number)
        it.write()
    return it


@settings(max_examples=60, deadline=None)
@given(
    st.lists(act, min_size=1, max_size=9),
    st.dictionaries(st.sampled_from("abcd"), st.integers(1, 100), max_size=1),
)
def test_the_past_is_what_was_so_around_every_step(story: Story, suspended: dict[str, int]) -> None:
    standing = Standing(
        {
            who: [StatusPeriod(START + d * DAY, True, START + (d + 5) * DAY)]
            for who, d in suspended.items()
        }
    )
    whole = played(story, standing)
    end = whole.world.now
    instants = {step.known_from for step in whole.steps}
    for at in sorted(i + by for i in instants for by in (-MOMENT, MOMENT * 0, MOMENT)):
        if at > end:
            continue
        then = played(story, standing, until=at)
        then.world.at(max(at, then.world.now))
        expected = then.now()
        assert whole.was(at, known_at=at) == expected
        assert whole.was(at, known_at=end) == expected, "nothing was corrected"


def test_what_a_sweep_wrote_late_is_told_as_it_was() -> None:
    it = Written()
    first, second = it.world.file("a"), it.world.file("b")
    it.write()
    it.world.at(START + 95 * DAY).settle()
    it.write()
    ended = START + 90 * DAY
    assert it.was(ended - MOMENT, ended - MOMENT)[0] == {it.claim(first)}
    assert it.was(ended, ended)[0] == {it.claim(second)}
    [promoted] = [step for step in it.steps if step.cause == "former_ended"]
    assert (promoted.known_from, promoted.recorded_at) == (ended, ended + 5 * DAY)


def test_a_corrected_loss_counts_back_to_when_it_was_reported() -> None:
    it = Written()
    world = it.world
    first, second = world.file("a"), world.file("b")
    it.rule("award", it.claim(first))
    third = world.file("c")
    it.write()
    world.after(days=1)
    report_result(world.account, world.current(first), world.book, world.context, "lost")
    world.after(days=1)
    [offered] = [c for c in world.account.claims.values() if c.offered]
    accept_offer(world.account, [offered], world.context)
    it.write()
    accepted = world.now
    world.after(days=3)
    contradict(world.account, world.current(first), "won", world.context, world.new_id)
    it.rule("correct_record")
    it.write()
    at = accepted + DAY
    assert it.was(at, at) == ({it.claim(third)}, set(), [])
    assert it.was(at, world.now - MOMENT) == it.was(at, at), "known until the ruling"
    assert it.was(at, world.now) == (set(), set(), []), "the deal was won, and the line with it"
    found = who_was_protected(it.steps, at, world.now)
    assert {(step.claim_id, step.state) for step in found.corrections} == {
        (it.claim(first), "won"),
        (it.claim(third), "revoked"),
    }
    before = START + DAY - MOMENT
    assert it.was(before, world.now)[0] == {it.claim(first)}, "no correction reaches further back"
    assert it.claim(second) not in {step.claim_id for step in found.corrections}


def test_a_corrected_win_puts_the_standby_back_to_where_it_waited() -> None:
    it = Written()
    world = it.world
    first, second = world.file("a"), world.file("b")
    world.after(days=1)
    report_result(world.account, world.current(first), world.book, world.context, "won")
    world.after(days=2)
    contradict(world.account, world.current(first), "lost", world.context, world.new_id)
    it.rule("correct_record")
    it.write()
    at = START + 2 * DAY
    assert it.was(at, at) == (set(), set(), [])
    assert it.was(at, world.now) == (set(), set(), [it.claim(second)])


def test_since_when_and_by_which_step() -> None:
    it = Written()
    world = it.world
    first = world.file("a")
    world.after(days=80)
    claims = world.account.of_registration(first.id)
    ask_extension(world.account, claims, world.context)
    grant_extension(world.account, world.account.of_registration(first.id), world.context)
    it.write()
    [held] = who_was_protected(it.steps, world.now, world.now).holders
    assert (held.since.cause, held.step.state) == ("filed", "extended")
    assert held.since.protected_until == START + 90 * DAY
    assert held.step.protected_until == START + 120 * DAY
    assert "protected for 90 days" in " ".join(held.since.reasons)


def test_nothing_is_said_of_what_was_still_to_come() -> None:
    with pytest.raises(ValueError, match="before"):
        who_was_protected([], START, START - MOMENT)
