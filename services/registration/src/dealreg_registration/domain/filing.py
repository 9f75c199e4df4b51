"""Filing a registration, adding lines to it, and deciding claims again after a fact was added."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any, Literal

from dealreg_registration.domain.account import PENDING, Account, Acted, Claim, Registration
from dealreg_registration.domain.cases import Meetings
from dealreg_registration.domain.context import Context
from dealreg_registration.domain.decide import Decision, LineDecision, decide
from dealreg_registration.domain.entries import Decided
from dealreg_registration.domain.errors import LineAlreadyFiled, RegistrationEnded
from dealreg_registration.domain.facts import Disagreement
from dealreg_registration.domain.flags import NO_FLAGS, Flags
from dealreg_registration.domain.inputs import describe, describe_result
from dealreg_registration.domain.owner import owner_for
from dealreg_registration.domain.referring import asked, offer

NewId = Callable[[str], str]


def resolve_lines(context: Context, named: Iterable[str]) -> list[str]:
    """Product lines from what the filer wrote: SKUs become their lines, each line once.

    What the plan does not know stays as written, for rule 1 to reject.
    """
    return list(dict.fromkeys(context.plan.line_of.get(name, name) for name in named))


def file(
    account: Account,
    filing: Registration,
    product_lines: Sequence[str],
    context: Context,
    new_id: NewId,
    *,
    disagreements: Iterable[Disagreement] = (),
    new_evidence: bool = False,
) -> Decision:
    """Store and decide a new registration, which knows its market already. Every line takes a place,
    rejected and duplicate too."""
    account.registrations[filing.id] = filing
    decision, inputs = decide_described(
        filing,
        product_lines,
        account,
        context,
        new_evidence=new_evidence,
        disagreements=tuple(disagreements),
    )
    account.journal.append(Acted(filing.id, "filed", context.now, decision.owner))
    _carry_out(account, filing, decision, context, new_id, "filed")
    account.journal.append(
        Decided(
            filing.id,
            context.now,
            "filing",
            decision.plan_number,
            inputs,
            describe_result(decision),
        )
    )
    return decision


def add_lines(
    account: Account,
    registration: Registration,
    product_lines: Sequence[str],
    context: Context,
    new_id: NewId,
) -> tuple[Registration, Decision]:
    """Add lines to a registration: new claims with new places."""
    if registration.result is not None:
        raise RegistrationEnded("This registration has ended; file a new one.")
    claims = account.of_registration(registration.id)
    if not any(claim.live or claim.state in PENDING for claim in claims):
        raise RegistrationEnded("This registration has ended; file a new one.")
    filed = {claim.product_line for claim in claims if claim.live or claim.state in PENDING}
    for line in product_lines:
        if line in filed:
            raise LineAlreadyFiled(f"Product line {line!r} is already part of this registration.")
    decision, inputs = decide_described(registration, product_lines, account, context)
    registration = touch(account, registration, context)
    account.journal.append(Acted(registration.id, "line_added", context.now, decision.owner))
    _carry_out(account, registration, decision, context, new_id, "line_added")
    account.journal.append(
        Decided(
            registration.id,
            context.now,
            "lines",
            decision.plan_number,
            inputs,
            describe_result(decision),
        )
    )
    return registration, decision


def decide_again(
    account: Account,
    context: Context,
    new_id: NewId,
    amended: str | None,
    *,
    but: Collection[str] = (),
) -> None:
    """After a fact became known: open and referred claims are decided again with their old place.

    A running protection is never taken away by an added fact; if the line is held by now, a claim
    queues by its old place. ``amended`` is the registration whose filer added the fact (None: staff
    did); others on the account whose claims or market change learn of it as an amendment of their own,
    those with a running protection too. ``but`` are claims that a
    refiling is about to supersede.
    """
    told = {amended}
    meetings = Meetings(account, context.plan, new_id, context.now)
    for claim in account.active():
        before = account.registrations[claim.registration_id]
        registration = _in_its_market(account, before, context)
        if registration != before and registration.id not in told:
            told.add(registration.id)
            owner = owner_for(account, registration, context.plan, context.standing, context.now)
            account.journal.append(
                Acted(registration.id, "amended", context.now, owner, changed=("account_facts",))
            )
        if claim.state not in PENDING or claim.id in but:
            continue
        decision, inputs = decide_described(
            registration,
            [claim.product_line],
            account,
            context,
            again=True,
            asked=asked(account, claim),
        )
        [line] = decision.lines
        if line.outcome == "rejected" or _unchanged(claim, line):
            continue
        if registration.id not in told:
            told.add(registration.id)
            account.journal.append(
                Acted(
                    registration.id,
                    "amended",
                    context.now,
                    decision.owner,
                    changed=("account_facts",),
                )
            )
        carry_out_again(account, claim, decision, inputs, context, meetings, "fact_added")
    meetings.close()


def carry_out_again(
    account: Account,
    claim: Claim,
    decision: Decision,
    inputs: dict[str, Any],
    context: Context,
    meetings: Meetings,
    cause: Literal["fact_added", "referral_returned"],
    *,
    lead: tuple[str, ...] = (),
) -> None:
    """Move a pending claim that was decided again, in its old place, and keep the decision.

    Whoever it meets is noted in ``meetings``, which the caller closes. ``lead`` are sentences before
    those of the rules. A claim that is referred is offered anew.
    """
    [line] = decision.lines
    after = account.move(
        claim,
        cause,
        context.now,
        (*lead, *_told(line)),
        state=line.outcome,
        decided_at=context.now,
        plan_number=decision.plan_number,
        protected_from=line.protected_from,
        protected_until=line.protected_until,
        territory_id=line.territory_id,
        assignment_id=line.assignment_id,
        referred_kind=line.referred_kind,
        referred_id=line.referred_id,
        flags=replace(
            claim.flags,
            referral_exhausted=context.now if line.exhausted else None,
            object_until=line.object_until,
        ),
        duplicate_of=line.duplicate_of,
        codes=line.codes,
        case_id=_case_id(account, line, meetings) or claim.case_id,
    )
    _meet_holder(account, after, line, meetings)
    offer(account, [after], context)
    account.journal.append(
        Decided(
            claim.registration_id,
            context.now,
            "facts" if cause == "fact_added" else "referral",
            decision.plan_number,
            inputs,
            describe_result(decision),
        )
    )


def _told(line: LineDecision) -> tuple[str, ...]:
    """The sentences of the rules that decided, and that nobody took the referral."""
    if not line.exhausted or line.outcome == "open":
        return line.reasons
    return (*(step.sentence for step in line.trace if step.rule == 5), *line.reasons)


def decide_described(
    filing: Registration,
    product_lines: Sequence[str],
    account: Account,
    context: Context,
    **further: Any,
) -> tuple[Decision, dict[str, Any]]:
    """The decision and the record of its inputs."""
    standing = context.standing.witnessed()
    witnessed = Context(context.plan, standing, context.now)
    decision = decide(filing, product_lines, account, witnessed, **further)
    inputs = describe(
        filing,
        product_lines,
        account,
        context.now,
        standing.suspended,
        cooling_off=bool(context.plan.policy.cooling_off_days),
        **further,
    )
    return decision, inputs


def touch(account: Account, registration: Registration, context: Context) -> Registration:
    """Note activity on a registration, and count its version. A warning of idleness is void then."""
    after = replace(registration, last_activity_at=context.now, version=registration.version + 1)
    account.registrations[after.id] = after
    for claim in account.of_registration(after.id):
        if claim.flags.idle_warned_at is not None:
            flags = replace(claim.flags, idle_warned_at=None, idle_release_at=None)
            account.move(claim, "active_again", context.now, flags=flags)
    return after


def _in_its_market(account: Account, registration: Registration, context: Context) -> Registration:
    plan = context.plan
    market = plan.market(registration.place_of_use, account.facts)
    if market != (registration.market_region, registration.market_segment):
        registration = replace(registration, market_region=market[0], market_segment=market[1])
        account.registrations[registration.id] = registration
    return registration


def _unchanged(claim: Claim, line: LineDecision) -> bool:
    return (claim.state, claim.referred_kind, claim.referred_id) == (
        line.outcome,
        line.referred_kind,
        line.referred_id,
    )


def _carry_out(
    account: Account,
    registration: Registration,
    decision: Decision,
    context: Context,
    new_id: NewId,
    cause: Literal["filed", "line_added"],
) -> None:
    referred: list[Claim] = []
    meetings = Meetings(account, context.plan, new_id, context.now)
    for line in decision.lines:
        if line.supersedes is not None:
            former = account.claims[line.supersedes]
            account.move(
                former,
                "filed_again",
                context.now,
                ("You filed this claim again; the newer filing counts.",),
                state="superseded",
            )
        claim = Claim(
            id=new_id("clm"),
            registration_id=registration.id,
            partner_id=registration.partner_id,
            product_line=line.product_line,
            place=account.next_place(),
            state=line.outcome,
            decided_at=context.now,
            plan_number=decision.plan_number,
            protected_from=line.protected_from,
            protected_until=line.protected_until,
            territory_id=line.territory_id,
            assignment_id=line.assignment_id,
            referred_kind=line.referred_kind,
            referred_id=line.referred_id,
            duplicate_of=line.duplicate_of,
            case_id=_case_id(account, line, meetings),
            flags=NO_FLAGS if line.object_until is None else Flags(object_until=line.object_until),
            codes=line.codes,
            ended_at=context.now if line.outcome in ("rejected", "duplicate") else None,
        )
        account.add(claim, cause, context.now, line.reasons)
        _meet_holder(account, claim, line, meetings)
        if claim.state == "referred":
            referred.append(claim)
    meetings.close()
    if referred:
        offer(account, referred, context)


def _case_id(account: Account, line: LineDecision, meetings: Meetings) -> str | None:
    """The case that a contested claim joins or opens."""
    if line.holder is None or line.object_until is not None:
        return None
    return meetings.case_with(account.claims[line.holder])


def _meet_holder(account: Account, claim: Claim, line: LineDecision, meetings: Meetings) -> None:
    if line.holder is not None and line.object_until is None:
        meetings.meet(account.claims[line.holder], claim)
