"""No partner learns a fact of another: not from any route, notice, mail or webhook.

Routes are taken from the services' own OpenAPI documents: one that is new is tried, or fails here until
somebody says what its parameters are.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
import pytest

from dealreg_shared.ids import new_id
from tests.factories.least_bodies import body_of
from tests.factories.rivals import KEYS, PARTNERS, REASON, STAFF, Heard, Rivals

PREFIXES = {
    "registration_id": "reg",
    "conflict_id": "cnf",
    "account_id": "acc",
    "referral_id": "ref",
    "transfer_id": "tra",
    "entry_id": "cen",
    "delegation_id": "del",
    "notification_id": "ntf",
    "endpoint_id": "whe",
    "delivery_id": "dlv",
    "key_id": "key",
}
FIXED = {
    "person_id": ["alderline-contact", "birchcore-contact", "quill-manager"],
    "partner_id": ["alderline", "birchcore"],
    "partner": ["alderline", "birchcore"],
    "territory_id": ["us", "de"],
    "region": ["na"],
    "segment": ["smb"],
    "factor": ["presence"],
    "number": ["1"],
    "other": ["1"],
    "token": ["a.b"],
}
QUERIES: Mapping[str, list[str]] = {
    "/v1/registrations": ["partner_id=birchcore", "product_line=platform", "state=contested"],
    "/v1/notifications": ["recipient=partner:birchcore", "unread=true"],
    "/v1/webhooks": ["owner=partner:birchcore"],
    "/v1/preferences": ["person=birchcore-contact"],
    "/v1/accounts": ["key=domain:harbor1.com"],
    "/v1/history/who-was-protected": ["account=acc_x&product=platform&at=2026-03-03T00:00:00Z"],
    "/v1/territories": ["partner=birchcore"],
    "/v1/people": ["partner_id=birchcore"],
    "/v1/keys": ["partner_id=birchcore"],
}
STREAMS = {"/v1/notifications/stream"}
"""Never ends. It sends the rows of the inbox, which are read here, as notifier's own tests prove."""


def operations(it: Rivals) -> Iterator[tuple[str, str, str, Any, Any]]:
    """Service, method, path, operation and the document, of every route."""
    for name, service in it.services.items():
        app: Any = service.app
        document = app.openapi()
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                yield name, method.upper(), path, operation, document


def filled(it: Rivals, path: str) -> list[str]:
    """The path with every id that there is, and one that there is not."""
    paths = [path]
    for name in re.findall(r"{(\w+)}", path):
        if name in FIXED:
            values = FIXED[name]
        else:
            kind = name.removesuffix("_id")
            found = {id_ for ids in it.ids.get(kind, {}).values() for id_ in ids}
            values = [*sorted(found), new_id(PREFIXES[name])]
        paths = [p.replace(f"{{{name}}}", value) for p in paths for value in values]
    return paths


def known_by_rule(viewer: str, other: str, name: str) -> bool:
    """The exceptions of rules.md, section 2: who a deal is referred to, the account that a referral
    passes on, and a co-sell partner. Cedarium's fifth deal goes from one to the next."""
    if viewer == "cedarium":
        return name in ("name", "id")
    if other == "cedarium":
        return name == "spelling (5)" or (viewer, name) == ("alderline", "spelling (4)")
    return {viewer, other} == {"elmstack", "pinegate"} and name in ("name", "id")


def leaks(it: Rivals, told: Heard) -> list[str]:
    """What a partner was told that it must not know."""
    if told.who not in PARTNERS:
        return []
    text = told.text.replace("\\u002d", "-")
    found = [f"staff: {secret}" for secret in (*STAFF, REASON) if secret in text]
    for other in PARTNERS:
        if other == told.who:
            continue
        facts = it.secrets[other] | {"id": other, "name": f"{other.title()} Systems"}
        mine = {*it.secrets[told.who].values(), *it.told_at[told.who]}
        for name, secret in facts.items():
            if secret in text and secret not in mine and not known_by_rule(told.who, other, name):
                found.append(f"{other}: {name} {secret}")
    if not told.where.endswith("/v1/plan-schema"):
        counting = {"place", "rank", "sequence", "rivals"}
        found += [f"key {key!r}" for key in keys_of(told.text) & counting]
    return found


def keys_of(text: str) -> set[str]:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return set()
    names: set[str] = set()
    pending = [value]
    while pending:
        one = pending.pop()
        if isinstance(one, dict):
            names |= one.keys()
            pending += one.values()
        elif isinstance(one, list):
            pending += one
    return names


def check(it: Rivals, heard: list[Heard]) -> None:
    found = [f"{told.who} from {told.where}: {leak}" for told in heard for leak in leaks(it, told)]
    assert not found, "\n".join(found)


async def test_every_route_tells_each_partner_of_itself_alone(met: Rivals) -> None:
    start = len(met.heard)
    paths = 0
    for service, method, path, _operation, _ in operations(met):
        if method != "GET" or path in STREAMS:
            continue
        for address in filled(met, path):
            for query in ["", *(f"?{query}" for query in QUERIES.get(path, ()))]:
                paths += 1
                for who in PARTNERS:
                    answer = await met.call(who, "GET", address + query, service=service)
                    assert answer.status_code < 500, answer.text
    assert paths > 100
    check(met, met.heard[start:])


async def test_every_act_on_what_is_anothers_tells_nothing(met: Rivals) -> None:
    """And on what does not exist: alike in every byte but the request's own id."""
    start = len(met.heard)
    for service, method, path, operation, document in operations(met):
        names = re.findall(r"{(\w+)}", path)
        if path in STREAMS or not names or names[0] in FIXED:
            continue
        kind = names[0].removesuffix("_id")
        further = {
            "headers": {"if-match": '"v1"', "idempotency-key": "x"},
            **body_of(operation, document),
        }
        for who in ("alderline", "birchcore", "cedarium"):
            mine = met.ids.get(kind, {}).get(who, set())
            theirs = {id_ for ids in met.ids.get(kind, {}).values() for id_ in ids} - mine
            absent = new_id(PREFIXES[names[0]])
            for id_ in sorted(theirs)[:6]:
                answers = []
                for one in (id_, absent):
                    rest = {name: new_id(PREFIXES[name]) for name in names[1:]}
                    address = path.format(**{names[0]: one}, **rest)
                    answer = await met.call(who, method, address, service=service, **further)
                    assert 400 <= answer.status_code < 500, (method, address, answer.text)
                    answers.append(answered(answer.status_code, answer.headers, answer.content))
                assert answers[0] == answers[1], (who, method, path)
    check(met, met.heard[start:])


def answered(status: int, headers: Mapping[str, str], content: bytes) -> Any:
    """An answer without what belongs to the request."""
    body = orjson.loads(content) if content else None
    if isinstance(body, dict):
        body.pop("correlation_id", None)
    kept = {k: v for k, v in headers.items() if k not in ("x-correlation-id", "date")}
    return status, sorted(kept.items()), body


async def test_what_was_answered_while_it_happened_told_nothing(met: Rivals) -> None:
    check(met, [told for told in met.heard if told.who in PARTNERS])


async def test_notices_mails_and_webhooks_tell_nothing(met: Rivals) -> None:
    mails, posts = met.mails(), met.posted()
    kinds = {told.where for told in mails}
    assert kinds == {"mail text/plain", "mail text/html"}
    for who in PARTNERS:
        assert [told for told in mails if told.who == who], f"{who} got no mail"
        assert [told for told in posts if told.who == who], f"{who} got no post"
    check(met, mails + posts)


async def test_who_looks_for_leaks_finds_them(met: Rivals) -> None:
    """The search itself: each fact of another is found in an answer that has it, and in no other."""
    for other in PARTNERS:
        for name, secret in met.secrets[other].items():
            for viewer in PARTNERS:
                known = known_by_rule(viewer, other, name) or secret in met.told_at[viewer]
                found = leaks(met, Heard(viewer, "x", f'{{"note": "{secret}"}}'))
                assert bool(found) != (known or viewer == other), (viewer, other, name)
    assert leaks(met, Heard("alderline", "x", '{"claims": [{"place": 2}]}'))
    assert leaks(met, Heard("alderline", "x", f"By quill-vp: {REASON}"))
    assert leaks(met, Heard("quill-vp", "x", "birchcore")) == []


@pytest.mark.parametrize("who", KEYS)
async def test_no_key_gets_a_fault(met: Rivals, who: str) -> None:
    for service, method, path, _operation, _ in operations(met):
        if method == "GET" and path not in STREAMS:
            answer = await met.call(who, "GET", filled(met, path)[-1], service=service)
            assert answer.status_code < 500, (path, answer.text)
