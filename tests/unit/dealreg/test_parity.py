"""The stream through the pure core under the parity plan: each difference to the truth has a cause."""

import json
from collections import Counter
from pathlib import Path

import pytest

from dealreg import documents
from dealreg.demo import parity, stream
from dealreg.explain import IN_FORCE
from dealreg.in_memory import InMemory, Tried
from dealreg_registration.api.schemas import RegistrationBody
from dealreg_registration.compiling import compile_plan
from dealreg_registration.domain.context import Context
from dealreg_registration.domain.ending import report_result
from dealreg_registration.domain.plan import PlanBook, Standing
from dealreg_registration.domain.settle import settle
from dealreg_registration.domains import registrable_domain

STREAM = Path(__file__).resolve().parents[3] / "examples" / "stream"


@pytest.fixture(scope="module")
def comparison() -> parity.Comparison:
    plan = compile_plan(
        documents.read_plan(STREAM / "plan-parity.yaml"), 1, IN_FORCE, registrable_domain
    )
    memory, book = InMemory(plan), PlanBook([plan])
    tried: dict[str, Tried] = {}
    for event in stream.read(STREAM):
        if isinstance(event, stream.Filing):
            body = RegistrationBody.model_validate_json(json.dumps(event.body))
            tried[event.event_id] = memory.file(body.filing(event.partner_id), event.at)
        else:
            account = tried[event.event_id].account
            settle(account, book, Standing(), event.at)
            registration = account.registrations[tried[event.event_id].registration.id]
            context = Context(plan, Standing(), event.at)
            report_result(account, registration, book, context, event.outcome)
    verdicts = []
    for event_id, each in tried.items():
        [line] = each.decision.lines
        [claim] = each.account.of_registration(each.registration.id)
        verdicts.append(
            parity.Verdict(event_id, line.outcome, claim.id, each.account.id, line.duplicate_of)
        )
    return parity.compare(STREAM, verdicts)


def test_look_alikes_are_never_merged(comparison: parity.Comparison) -> None:
    assert comparison.compared == 2000
    assert comparison.merged == {}


def test_every_difference_has_a_cause(comparison: parity.Comparison) -> None:
    assert [d for d in comparison.differences if not d.causes] == []
    assert len(comparison.differences) == 27


def test_the_causes_are_those_that_are_known(comparison: parity.Comparison) -> None:
    causes = Counter(cause for d in comparison.differences for cause in d.causes)
    assert causes[parity.CONTESTED_AGAIN] >= 1
    known = {
        parity.CONTESTED_AGAIN,
        parity.NO_DOMAIN,
        parity.NO_LOCATION,
        parity.SPELLING,
        parity.PUBLIC_BODIES,
        parity.SPLIT,
    }
    assert all(cause in known or cause.startswith("follows from R") for cause in causes)


def test_nothing_in_the_product_reads_the_truth_but_the_comparison() -> None:
    root = STREAM.parents[1]
    sources = [
        path
        for folder in ("shared", "services", "deploy")
        for path in (root / folder).rglob("*.py")
        if "registrations_truth" in path.read_text("utf-8")
    ]
    assert [path.name for path in sources] == ["parity.py"]
