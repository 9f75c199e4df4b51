"""Every kind of notice in words: escaped where it is HTML, as it is where it is text."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from dealreg_notifier.domain.offers import Offer
from dealreg_notifier.linking import Button
from dealreg_notifier.wording import Wording

BASE = {"zone": "America/New_York", "programme_name": "Northwind <Programme>"}
AT = "2026-11-21T14:00:00.000000Z"
EVIL = '<script>alert("x")</script> & Söhne'


def rung(level: int, role: str, due_at: str | None = AT) -> dict[str, Any]:
    return {"level": level, "role": role, "known": True, "due_at": due_at}


CASE = {
    "account": EVIL,
    "conflict_id": "cnf_1",
    "case_kind": "overlap",
    "region": "na-west",
    "segment": None,
    "opened_at": AT,
    "lines": ["Platform", "Backup"],
}
OWN = {"registration_id": "reg_1", "account": EVIL}
LADDER = {
    **CASE,
    "suspect": {"account": EVIL, "keys": ["id:duns:1", "domain:example.com"]},
    "opening": True,
    "claims": [{"partner": "Acme", "line": "Platform", "state": "protected"}],
    "turn": rung(2, "vp"),
    "late_seconds": 59.0,
    "since": AT,
    "called": rung(2, "vp"),
    "stands_in_for": None,
    "missed": [],
    "passed": [rung(1, "partner_manager")],
}
STAFF = {**CASE, "claims": [{"partner": "Acme", "line": "Platform", "state": "protected"}]}
TRANSFER = {"side": "holder", "account": EVIL, "lines": ["Platform"], "transfer_id": "trf_1"}
REFERRAL = {"to": "partner", "account": EVIL, "lines": ["Platform"], "referrals": ["ref_1"]}
UNDER_WAY = {
    **OWN,
    "claim_id": "clm_1",
    "line": "Platform",
    "at": AT,
    "until": AT,
    "text": EVIL,
    "partner": EVIL,
}
FACTS: dict[str, dict[str, Any]] = {
    **dict.fromkeys(
        (
            "offer",
            "offer_lapsed",
            "information_wanted",
            "information_given",
            "extension_asked",
            "extension_refused",
            "expiring",
            "idle",
        ),
        UNDER_WAY,
    ),
    "case_asked": {
        "account": EVIL,
        "conflict_id": "cnf_1",
        "registration_id": "reg_1",
        "question": EVIL,
        "due_at": AT,
    },
    "case_commented": {**STAFF, "comment": "answer", "at": AT},
    "case_decided": {
        "account": EVIL,
        "conflict_id": "cnf_1",
        "registrations": ["reg_1"],
        "decided_at": AT,
        "claims": [
            {
                "line": "Platform",
                "sentence": EVIL,
                "registration_id": "reg_1",
                "appeals": False,
                "appeal_until": AT,
            }
        ],
    },
    "case_paused": {**STAFF, "called": rung(1, "partner_manager"), "until": AT},
    "case_reminder": {
        **STAFF,
        "called": rung(2, "vp"),
        "stands_in_for": None,
        "left_seconds": 7200.0,
        "late_seconds": 90.0,
        "since": AT,
    },
    "case_resumed": {**STAFF, "called": rung(1, "partner_manager"), "how": "answered"},
    "case_reviewed": {
        **STAFF,
        "called": rung(2, "vp"),
        "stands_in_for": None,
        "recommendation": "award",
        "recommended": [{"partner": EVIL, "line": "Platform"}],
        "missed": [rung(1, "partner_manager")],
        "late_seconds": 90.0,
        "since": AT,
    },
    "case_taken": {**STAFF, "taken": rung(2, "vp"), "taken_at": AT, "missed": []},
    "case_closed": {
        **CASE,
        "state": "withdrawn",
        "closed_at": AT,
        "registrations": ["reg_1"],
        "holding": True,
    },
    "case_open": {**CASE, "registrations": ["reg_1"], "holding": False, "appeals": False},
    "case_settled": {
        **CASE,
        "state": "decided",
        "closed_at": AT,
        "level": 2,
        "role": "vp",
        "ruling": {"ruling": "co_sell", "level": 2, "breached": False, "departs": 1},
        "overtaken": [rung(2, "vp")],
        "breached": [rung(1, "partner_manager")],
    },
    "claim_changed": {
        **OWN,
        "claim_id": "clm_1",
        "line": "Platform",
        "from_state": "contested",
        "to_state": "protected",
        "at": AT,
        "reasons": [EVIL],
        "protected_from": AT,
        "protected_until": AT,
    },
    "decision": {
        **OWN,
        "occasion": "filed",
        "filed_by": "staff",
        "plan_number": 1,
        "claims": [
            {"line": "Platform", "outcome": "protected", "reasons": [EVIL], "protected_until": AT}
        ],
    },
    "endpoint_off": {
        "endpoint_id": "whk_1",
        "endpoint_kind": "slack",
        "description": EVIL,
        "reason": "HTTP 410: the endpoint is gone",
        "at": AT,
    },
    "ladder": LADDER,
    "named_account": {
        **CASE,
        "partner": EVIL,
        "registration_id": "reg_1",
        "claims": [{"line": "Platform", "outcome": "open"}],
    },
    "partner_status": {"status": "suspended", "at": AT, "release_at": AT, "reason": EVIL},
    "plan_changes": {
        "plan_number": 2,
        "in_force_from": AT,
        "changes": [
            {"kind": kind, "what": EVIL, "former": "a", "new": "b", "details": [EVIL]}
            for kind in (
                "listed",
                "unlisted",
                "tier",
                "protection_days",
                "segment_added",
                "segment_removed",
                "certified_added",
                "certified_removed",
                "territory_added",
                "territory_removed",
                "terms_changed",
                "territory_changed",
            )
        ],
    },
    "referral": {**REFERRAL, "due_at": AT},
    "referral_answer": {
        **REFERRAL,
        "how": "lapsed",
        "registration_id": "reg_1",
        "claims": [
            {"line": "Platform", "outcome": "protected", "reasons": [EVIL], "protected_until": AT}
        ],
    },
    "referral_details": REFERRAL,
    "transfer": {**TRANSFER, "due_at": AT, "protected_until": AT},
    "transfer_closed": {**TRANSFER, "state": "lapsed"},
    "referral_over": {**REFERRAL, "how": "lapsed"},
    "registration_ended": {
        **OWN,
        "result": "revoked",
        "lines": ["Platform"],
        "at": AT,
        "protected": True,
        "reason": EVIL,
        "credited": False,
    },
}


def test_every_kind_has_facts_here() -> None:
    assert sorted(FACTS) == Wording("en").kinds()


@pytest.mark.parametrize("kind", sorted(FACTS))
def test_every_kind_reads_well_as_text_and_is_escaped_as_html(kind: str) -> None:
    wording = Wording("en")
    facts = {**BASE, **FACTS[kind]}
    words = wording.words(kind, facts)
    assert words.title
    assert "\n" not in words.title
    assert EVIL in f"{words.title}{words.text}"
    assert "&lt;" not in words.text
    assert not re.search(r"\n\n\n|[ \t]$|  ", words.text, re.MULTILINE), words.text
    html = wording.mail_html(kind, facts, "<b>Ann</b>", words.title)
    assert "<script>" not in html
    assert "<b>Ann" not in html
    assert "&lt;script&gt;" in html
    assert "http" not in html.replace("http-equiv", "")
    text = wording.mail_text(kind, facts, "Ann")
    assert text.startswith("Hello Ann,\n\n")
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize("kind", sorted(kind for kind in FACTS if "region" in FACTS[kind]))
def test_a_market_is_called_as_people_call_it(kind: str) -> None:
    """A notice from before names were among its facts is sent with what it has."""
    wording = Wording("en")
    facts = {**BASE, **FACTS[kind]}
    named = facts | {"region_name": "North America West", "segment_name": None}
    told = wording.mail_text(kind, named, "Ann") + wording.mail_html(kind, named, "Ann", "")
    assert "na-west" not in told
    assert ("Market" in told) == (told.count("North America West / segment unknown") == 2)
    former = wording.mail_text(kind, facts, "Ann")
    assert ("Market" in told) == ("na-west / segment unknown" in former)


@pytest.mark.parametrize("kind", sorted(FACTS))
def test_every_sentence_of_the_text_stands_in_the_html(kind: str) -> None:
    wording = Wording("en")
    facts = {**BASE, **FACTS[kind]}
    html = re.sub(r"<[^>]+>", " ", wording.mail_html(kind, facts, None, "t"))
    shown = " ".join(html.split())
    for line in wording.words(kind, facts).text.splitlines():
        for part in re.split(r": |^- ", line):
            escaped = part.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
            assert " ".join(escaped.replace('"', "&#34;").split()) in shown


@pytest.mark.parametrize("kind", sorted(FACTS))
def test_a_mail_from_the_text_at_hand_is_the_same_as_one_from_the_facts(kind: str) -> None:
    wording = Wording("en")
    facts = {**BASE, **FACTS[kind]}
    said = wording.words(kind, facts).text
    anew = wording.mail_text(kind, facts, "Ann")
    assert wording.mail_text(kind, facts, "Ann", (), said) == anew


def test_lateness_is_said_from_a_minute_on() -> None:
    wording = Wording("en")
    assert "late" not in wording.words("ladder", {**BASE, **LADDER}).text
    late = wording.words("ladder", {**BASE, **LADDER, "late_seconds": 60.0})
    assert "This notice is 1 min late" in late.text


def test_staff_read_which_account_may_be_the_same_and_what_found_it() -> None:
    wording = Wording("en")
    for kind in ("ladder", "case_reminder", "case_reviewed", "case_taken", "case_resumed"):
        text = wording.words(kind, {**BASE, **FACTS[kind], "suspect": LADDER["suspect"]}).text
        assert f"May be the same as: {EVIL} (found by id:duns:1 and domain:example.com)" in text
        without = wording.words(kind, {**BASE, **FACTS[kind], "suspect": None}).text
        assert "May be the same" not in without


@pytest.mark.parametrize(
    ("changes", "title", "text"),
    [
        (
            {"from_state": "protected", "to_state": "protected", "cause": "merged"},
            "protection was extended until",
            "was extended",
        ),
        (
            {"from_state": "contested", "to_state": "superseded", "cause": "merged"},
            "replaced by another registration of the same deal",
            "Another claim of your deal",
        ),
        (
            {"from_state": "open", "to_state": "superseded", "cause": "filed_again"},
            "replaced by another registration of the same deal",
            "You registered",
        ),
        (
            {"from_state": "contested", "to_state": "protected", "cause": "former_ended"},
            "is now protected",
            "has become the protected one",
        ),
    ],
)
def test_what_became_of_a_claim_is_said_by_its_cause(
    changes: dict[str, Any], title: str, text: str
) -> None:
    words = Wording("en").words("claim_changed", {**BASE, **FACTS["claim_changed"], **changes})
    assert title in words.title
    assert text in words.text


def test_a_fact_that_is_missing_is_an_error() -> None:
    with pytest.raises(Exception, match="'account' is undefined"):
        Wording("en").words("referral", {**BASE, "to": "partner", "lines": []})


def test_who_lost_reads_until_when_it_may_appeal_and_who_did_not_does_not() -> None:
    facts = {**BASE, **FACTS["case_decided"]}
    (claim,) = facts["claims"]
    text = Wording("en").words("case_decided", facts).text
    assert "until 21 Nov 2026 14:00 UTC (09:00 EST) you may appeal, once" in text
    assert "POST /v1/registrations/reg_1/appeal" in text
    final = {**facts, "claims": [{**claim, "appeal_until": None}]}
    assert "may appeal" not in Wording("en").words("case_decided", final).text
    two = {**facts, "claims": [{**claim, "appeal_until": None}, {**claim, "line": "Backup"}]}
    assert "you may appeal for Backup, once" in Wording("en").words("case_decided", two).text


def test_who_appeals_reads_of_its_appeal() -> None:
    wording = Wording("en")
    opened = {**BASE, **FACTS["case_open"], "account": "Contoso", "appeals": True}
    words = wording.words("case_open", opened)
    assert words.title == "Contoso: your appeal is being looked at (Platform and Backup)"
    assert "keeps its place" not in words.text
    decided = {**BASE, **FACTS["case_decided"], "account": "Contoso"}
    decided["claims"] = [{**decided["claims"][0], "appeals": True}]
    assert wording.words("case_decided", decided).title == "Decided: your appeal for Contoso"
    staff = {**BASE, **LADDER, "account": "Contoso", "case_kind": "appeal"}
    words = wording.words("ladder", staff)
    assert "appeal on Contoso" in words.title
    assert words.text.startswith("An appeal on Contoso waits for you")
    assert "conflict on" not in words.text


def test_a_referrer_that_has_consented_is_not_asked_to() -> None:
    facts = {**BASE, **FACTS["referral_answer"], "how": "accepted", "claims": []}
    wording = Wording("en")
    asked = wording.words("referral_answer", {**facts, "consented": False}).text
    assert "pass only if you consent" in asked
    told = wording.words("referral_answer", {**facts, "consented": True}).text
    assert "pass only if you consent" not in told
    assert "You have let your details pass" in told


def test_links_stand_above_the_longer_way() -> None:
    facts = {**BASE, **LADDER}
    url = "https://deals.example.com/decide/x"
    buttons = (Button(Offer("take"), url, datetime(2026, 11, 22, tzinfo=UTC)),)
    wording = Wording("en")
    for mail in (
        wording.mail_text("ladder", facts, "Mia", buttons),
        wording.mail_html("ladder", facts, "Mia", "A title", buttons),
    ):
        assert mail.count("POST /v1/conflicts/cnf_1/decide") == 1
        assert mail.index(url) < mail.index("POST /v1/conflicts/cnf_1/decide")
    assert "POST /v1/conflicts/cnf_1/decide" in wording.words("ladder", facts).text
