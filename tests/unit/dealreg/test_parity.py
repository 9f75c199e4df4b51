"""The stream through the pure core under the parity plan: each difference to the truth has a cause."""

from collections import Counter

import pytest

from dealreg.demo import parity
from tests.factories.stream import STREAM, decide_in_memory


@pytest.fixture(scope="module")
def comparison() -> parity.Comparison:
    verdicts = []
    for event_id, tried in decide_in_memory(STREAM, "plan-parity.yaml").items():
        [line] = tried.decision.lines
        [claim] = tried.account.of_registration(tried.registration.id)
        verdicts.append(
            parity.Verdict(event_id, line.outcome, claim.id, tried.account.id, line.duplicate_of)
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


def test_a_merged_pair_would_be_seen() -> None:
    rows = {"R00001": "A1", "R00002": "A1"}
    verdicts = [
        parity.Verdict(event_id, "protected", f"clm_{event_id}", account, None)
        for event_id, account in rows.items()
    ]
    assert parity.compare(STREAM, verdicts).merged == {"A1": ("A0160", "A0206")}


def test_nothing_in_the_product_reads_the_truth_but_the_comparison() -> None:
    root = STREAM.parents[1]
    sources = [
        path
        for folder in ("shared", "services", "deploy")
        for path in (root / folder).rglob("*.py")
        if "registrations_truth" in path.read_text("utf-8")
    ]
    assert [path.name for path in sources] == ["parity.py"]
