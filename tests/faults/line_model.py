"""What one account's claims must do, as a sequential model of the rules, written anew and small.

Registrations of covered, active partners on an account; every contested claim opens or joins a case.
Places count up; one claim holds a line; standby is promoted, or after a loss offered the line; time is
moved by 91 days at once, longer than a protection and than all offers of a line together. Pure; shares
no code with registration.
"""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from tests.faults.linear import Op

LIVE = ("protected", "contested")


class Claim(NamedTuple):
    """``offered``, ``passed``: the vacancy that it is offered, and that it let pass last; 0: none."""

    place: int
    filing: str
    partner: str
    line: str
    state: str
    case: int = 0
    offered: int = 0
    passed: int = 0


class Case(NamedTuple):
    members: tuple[int, ...]
    """Places of its claims."""
    open: bool = True


class State(NamedTuple):
    """``lost``: registrations whose loss is on record."""

    claims: tuple[Claim, ...] = ()
    cases: tuple[Case, ...] = ()
    vacancies: int = 0
    lost: frozenset[str] = frozenset()


EMPTY = State()
View = tuple[tuple[int, str, str], ...]
"""Of a registration: place, line and state of each claim, in order."""


def step(state: State, op: Op) -> State | None:
    """The state after ``op``; None if its result cannot be."""
    book = _Book(state)
    said = getattr(book, op.kind)(*op.args)
    if op.result is None or op.result == said:
        return book.state()
    if op.kind == "add" and op.result == (412, None):
        return state  # another's change was seen in between: refused without effect
    return None


class _Book:
    """A state while an operation is carried out. Every operation returns its status and view."""

    def __init__(self, state: State) -> None:
        self.claims = {claim.place: claim for claim in state.claims}
        self.cases = list(state.cases)
        self.vacancies = state.vacancies
        self.lost = set(state.lost)

    def state(self) -> State:
        claims = tuple(self.claims[place] for place in sorted(self.claims))
        return State(claims, tuple(self.cases), self.vacancies, frozenset(self.lost))

    def register(self, filing: str, partner: str, lines: tuple[str, ...]) -> tuple[int, View]:
        self._file(filing, partner, lines)
        return 201, self._view(filing)

    def add(self, filing: str, line: str) -> tuple[int, View | None]:
        mine = [claim for claim in self._of(filing) if claim.state in LIVE]
        if not mine or filing in self.lost or line in {claim.line for claim in mine}:
            return 409, None
        self._file(filing, mine[0].partner, (line,))
        return 201, self._view(filing)

    def withdraw(self, filing: str) -> tuple[int, View | None]:
        mine = [claim for claim in self._of(filing) if claim.state in LIVE]
        if not mine:
            return 409, None
        for claim in mine:
            self._put(claim, "withdrawn")
            if claim.state == "protected":
                self._promote(claim.line)
            elif claim.offered:
                self._offer(claim.line, claim.offered)
        self._close_settled()
        return 200, self._view(filing)

    def lose(self, filing: str) -> tuple[int, View]:
        if filing not in self.lost:
            self.lost.add(filing)
            self.vacancies += 1
            vacancy = self.vacancies
            for claim in [claim for claim in self._of(filing) if claim.state in LIVE]:
                self._put(claim, "lost")
                if claim.state == "protected":
                    self._offer(claim.line, vacancy)
                elif claim.offered:
                    self._offer(claim.line, claim.offered)
            self._close_settled()
        return 200, self._view(filing)

    def accept(self, filing: str) -> tuple[int, View | None]:
        mine = [claim for claim in self._of(filing) if claim.state in LIVE and claim.offered]
        for claim in mine:
            self._put(claim, "protected")
        self._close_settled()
        return (200, self._view(filing)) if mine else (409, None)

    def decline(self, filing: str) -> tuple[int, View | None]:
        mine = [claim for claim in self._of(filing) if claim.state in LIVE and claim.offered]
        for claim in mine:
            self._pass(claim)
            self._offer(claim.line, claim.offered)
        return (200, self._view(filing)) if mine else (409, None)

    def uphold(self, place: int) -> tuple[int, None]:
        return self._rule(self.claims[place].case, None) if place in self.claims else (409, None)

    def award(self, place: int) -> tuple[int, None]:
        return self._rule(self.claims[place].case, place) if place in self.claims else (409, None)

    def read(self, filing: str) -> tuple[int, View]:
        return 200, self._view(filing)

    def travel(self) -> tuple[int, None]:
        """91 days: offers lapse one after the other, protections end once."""
        holding = [claim for claim in self.claims.values() if claim.state == "protected"]
        for claim in self._all("contested"):
            while (offered := next(self._offered(claim.line), None)) is not None:
                self._pass(offered)
                self._offer(offered.line, offered.offered)
        for claim in holding:
            self._put(claim, "expired")
            self._promote(claim.line)
        self._close_settled()
        return 200, None

    def _file(self, filing: str, partner: str, lines: tuple[str, ...]) -> None:
        opening: dict[str, int] = {}
        members: dict[int, list[int]] = {}
        for line in lines:
            place = len(self.claims) + 1
            live = [claim for claim in self._all(*LIVE) if claim.line == line]
            taker = next((claim for claim in live if claim.state == "protected"), None)
            taker = taker or next((claim for claim in live if claim.offered), None)
            case = 0
            if any(claim.partner == partner for claim in live):
                outcome = "duplicate"
            elif taker is None:
                outcome = "protected"
            else:
                outcome = "contested"
                case = self._case_of(taker.filing) or opening.setdefault(
                    taker.filing, len(self.cases) + len(opening) + 1
                )
                members.setdefault(case, []).extend((taker.place, place))
            self.claims[place] = Claim(place, filing, partner, line, outcome, case)
        for case, places in members.items():
            if case <= len(self.cases):
                known = self.cases[case - 1].members
                joined = tuple(dict.fromkeys((*known, *places)))
                self.cases[case - 1] = Case(joined)
            else:
                self.cases.append(Case(tuple(dict.fromkeys(places))))

    def _case_of(self, filing: str) -> int:
        mine = {claim.place for claim in self._of(filing)}
        return next(
            (
                number
                for number, case in enumerate(self.cases, 1)
                if case.open and not mine.isdisjoint(case.members)
            ),
            0,
        )

    def _rule(self, number: int, awarded: int | None) -> tuple[int, None]:
        case = self.cases[number - 1]
        members = sorted(case.members)
        live = [self.claims[place] for place in members if self.claims[place].state in LIVE]
        if not case.open or not live:
            return 409, None
        winners: dict[str, Claim] = {}
        for claim in live:
            if claim.line not in winners or claim.state == "protected":
                winners[claim.line] = claim
        if awarded is not None:
            chosen = self.claims[awarded]
            if chosen not in live:
                return 409, None
            winners |= {claim.line: claim for claim in live if claim.filing == chosen.filing}
        for claim in winners.values():
            holder = self._holder(claim.line)
            if holder is not None and holder.place not in members:
                return 409, None
        for line in winners:
            for offered in list(self._offered(line)):
                self._pass(offered)
        kept = {claim.place for claim in winners.values()}
        for claim in live:
            if claim.place not in kept:
                self._put(claim, "revoked" if claim.state == "protected" else "closed")
        for claim in winners.values():
            self._put(self.claims[claim.place], "protected")
        self.cases[number - 1] = case._replace(open=False)
        self._close_settled()
        return 200, None

    def _promote(self, line: str) -> None:
        following = next((it for it in self._all("contested") if it.line == line), None)
        if following is not None:
            self._put(following, "protected")

    def _offer(self, line: str, vacancy: int) -> None:
        for claim in self._all("contested"):
            if claim.line == line and claim.passed != vacancy:
                self.claims[claim.place] = claim._replace(offered=vacancy)
                return

    def _pass(self, claim: Claim) -> None:
        self.claims[claim.place] = claim._replace(offered=0, passed=claim.offered)

    def _put(self, claim: Claim, state: str) -> None:
        self.claims[claim.place] = claim._replace(state=state, offered=0, passed=0)

    def _holder(self, line: str) -> Claim | None:
        return next((it for it in self._all("protected") if it.line == line), None)

    def _offered(self, line: str) -> Iterator[Claim]:
        return (it for it in self._all("contested") if it.line == line and it.offered)

    def _all(self, *states: str) -> list[Claim]:
        """In order of their places: claims are only ever added behind."""
        return [claim for claim in self.claims.values() if claim.state in states]

    def _of(self, filing: str) -> list[Claim]:
        return [claim for claim in self.claims.values() if claim.filing == filing]

    def _view(self, filing: str) -> View:
        return tuple((claim.place, claim.line, claim.state) for claim in self._of(filing))

    def _close_settled(self) -> None:
        for index, case in enumerate(self.cases):
            if not case.open:
                continue
            claims = [self.claims[place] for place in case.members]
            lines = [claim.line for claim in claims if claim.state in LIVE]
            if len(set(lines)) == len(lines):
                self.cases[index] = case._replace(open=False)


def outcome(status: int, claims: Iterable[dict[str, Any]] | None) -> tuple[int, View | None]:
    """An answer of registration, as an operation's result."""
    if claims is None:
        return status, None
    return status, tuple(sorted((it["place"], it["product_line"], it["state"]) for it in claims))
