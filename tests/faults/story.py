"""What happens in a programme, told in pieces: each can be told again, beside the others.

Together they reach every step that writes, sends or acknowledges. A piece uses accounts of its own;
those in ``ALONE`` change what the others stand on (the plan, or time) and are told while nobody else
speaks.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from tests.faults.caller import Caller

HOUR, DAY = 3600.0, 86_400.0
STAFF = {"manager": "partner_manager", "vp": "vp", "ceo": "ceo", "judge": "reviewer"}
PARTNERS = tuple(f"p{number}" for number in range(6))
COVERING = PARTNERS[:4]
"""Assigned to the United States, the first as primary; p4 covers Germany, p5 nothing."""

REASON = {"reason": "As agreed with both sides."}


def plan(guest: int = 0, **policy: Any) -> dict[str, Any]:
    """The programme's plan; each has a guest of its own, who can be erased."""
    people = [
        {"id": id_, "roles": [role], "name": id_.title(), "email": f"{id_}@people.example"}
        for id_, role in STAFF.items()
    ]
    contacts = [
        {
            "id": f"{id_}-contact",
            "roles": ["partner_contact"],
            "partner": id_,
            "name": f"{id_} contact",
            "email": f"{id_}@contacts.example",
        }
        for id_ in PARTNERS
    ]
    passing: dict[str, Any] = {"id": f"guest-{guest}", "roles": ["direct_owner"], "name": "A guest"}
    passing["email"] = f"guest-{guest}@people.example"
    return {
        "schema": "dealreg.plan/1",
        "programme": {"name": "Proof", "time_zone": "UTC", "currency": "USD"},
        "regions": [
            {"id": "na", "name": "North America", "countries": ["US"]},
            {"id": "emea", "name": "EMEA", "countries": ["DE"]},
        ],
        "segments": [{"id": "all", "name": "All", "employees_from": 1}],
        "product_lines": [
            {"id": "platform", "name": "Platform"},
            {"id": "backup", "name": "Backup"},
            {"id": "edge", "name": "Edge"},
        ],
        "tiers": [{"id": "gold", "name": "Gold", "rank": 1}],
        "partners": [
            {"id": id_, "name": id_, "tier": "gold", "certified": ["platform"]} for id_ in PARTNERS
        ],
        "territories": [
            {"id": "us", "name": "US", "match": {"countries": ["US"]}},
            {"id": "de", "name": "Germany", "match": {"countries": ["DE"]}},
        ],
        "assignments": [
            {
                "id": f"us-{id_}",
                "territory": "us",
                "partner": id_,
                "role": "primary" if id_ == "p0" else "secondary",
            }
            for id_ in COVERING
        ]
        + [{"id": "de-p4", "territory": "de", "partner": "p4"}],
        "people": [*people, *contacts, passing],
        "policy": policy,
    }


@dataclass(slots=True)
class Story:
    """The caller, and how time is moved (by seconds, for all services at once)."""

    caller: Caller
    move: Callable[[float], Awaitable[None]]
    settle: Callable[[], Awaitable[None]]
    hook: str
    """Where webhooks are received; ``/gone`` below it answers 410."""
    numbers: Any = field(default_factory=lambda: count(1))
    references: dict[str, str] = field(default_factory=dict)
    """Acknowledged filings: reference -> registration id."""
    rulings: list[str] = field(default_factory=list)
    """Cases that were ruled on, acknowledged."""

    async def say(self, who: str, path: str, body: Any = None, **more: Any) -> dict[str, Any]:
        """POST; the answer's body."""
        answer = await self.caller.call(who, "POST", path, body, **more)
        view: dict[str, Any] = answer.json() if answer.content and answer.is_success else {}
        return view

    async def look(self, who: str, path: str, service: str = "registration") -> dict[str, Any]:
        """GET."""
        answer = await self.caller.call(who, "GET", path, service=service)
        view: dict[str, Any] = answer.json()
        return view

    async def file(self, who: str, number: int, *lines: str, **more: Any) -> dict[str, Any]:
        """File on customer ``number``."""
        reference = f"{who}-{number}-{next(self.numbers)}"
        view = await self.say(
            who,
            "/v1/registrations",
            {
                "account": {
                    "name": f"Customer {number}",
                    "domain": f"customer-{number}.com",
                    "country": "US",
                },
                "product_lines": list(lines) or ["platform"],
                "amount": {"amount": "25000", "currency": "USD"},
                "close_date": "2099-12-31",
                "external_reference": reference,
                "evidence": ["minutes"],
                "contacts": [{"name": "A buyer", "email": f"buyer@customer-{number}.com"}],
                **more,
            },
        )
        self.references[reference] = view["id"]
        return view

    async def act(
        self, who: str, filed: Mapping[str, Any], what: str, **body: Any
    ) -> dict[str, Any]:
        """On a registration."""
        return await self.say(who, f"/v1/registrations/{filed['id']}/{what}", body or None)

    async def case_of(self, filed: Mapping[str, Any]) -> str:
        """The case of a contested registration's first claim."""
        view = await self.look("vp", f"/v1/registrations/{filed['id']}")
        found: str = view["claims"][0]["conflict"]
        assert found, f"no case: {view}"
        return found

    async def on_case(self, who: str, case: str, what: str, **body: Any) -> dict[str, Any]:
        """On a case, at its present version."""
        seen = await self.look("judge", f"/v1/conflicts/{case}")
        view = await self.say(
            who, f"/v1/conflicts/{case}/{what}", body or None, version=f'"v{seen["version"]}"'
        )
        if what == "decide":
            self.rulings.append(case)
        return view

    async def case_on(self, kind: str, filed: Mapping[str, Any]) -> str:
        """The newest case of a kind on a registration's account."""
        account = (await self.look("vp", f"/v1/registrations/{filed['id']}"))["account_id"]
        page = await self.look("judge", f"/v1/conflicts?kind={kind}&limit=200")
        found: str = next(it["id"] for it in page["items"] if it["account"]["id"] == account)
        return found


async def overlap(story: Story) -> None:
    """Two meet; the case is worked on, ruled, appealed and ruled again."""
    number = next(story.numbers)
    await story.file("p0", number, "platform", "backup")
    second = await story.file("p1", number)
    case = await story.case_of(second)
    await story.on_case("manager", case, "take")
    await story.on_case("manager", case, "comment", text="Looks clear.")
    question = {"registration_id": second["id"], "question": "When did you meet them?"}
    await story.on_case("manager", case, "request-info", **question)
    await story.say("p1", f"/v1/conflicts/{case}/answer", {"text": "In May."})
    review = {"recommendation": "uphold_first", "text": "The first was first."}
    await story.on_case("manager", case, "review", **review)
    await story.on_case("vp", case, "decide", ruling="uphold_first", **REASON)
    appealed = {"text": "We have minutes.", "evidence": ["minutes of April"]}
    opened = await story.say("p1", f"/v1/registrations/{second['id']}/appeal", appealed)
    award = {"ruling": "award", "claim": second["claims"][0]["id"], **REASON}
    await story.on_case("ceo", opened["id"], "decide", **award)


async def life(story: Story) -> None:
    """A protection is added to, asked about, extended; others are withdrawn and revoked."""
    first = await story.file("p0", next(story.numbers))
    path = f"/v1/registrations/{first['id']}"
    for body in ({"product_lines": ["backup"]}, {"amount": {"amount": "9", "currency": "USD"}}):
        version = (await story.look("p0", path))["version"]
        await story.caller.call("p0", "PATCH", path, body, version=f'"v{version}"')
    await story.act("manager", first, "request-info", question="Is the budget there?")
    await story.act("p0", first, "information", text="It is.", evidence=["letter"])
    await story.act("p0", first, "activity", note="Met them again.")
    await story.act("p0", first, "extension", evidence=["letter"], product_lines=["platform"])
    await story.act("manager", first, "extension/grant")
    await story.act("manager", first, "revoke", **REASON)
    second = await story.file("p1", next(story.numbers), "platform", "edge")
    await story.act("p1", second, "withdraw")


async def results(story: Story) -> None:
    """A deal is lost, offered to standby, won by it; a contradiction is ruled on."""
    number = next(story.numbers)
    first = await story.file("p0", number)
    second = await story.file("p1", number)
    third = await story.file("p2", number)
    await story.act("p0", first, "lose", reason="Too dear.")
    await story.act("p1", second, "offer/decline")
    await story.act("p2", third, "offer/accept")
    await story.act("p2", third, "win")
    await story.act("p2", third, "lose", reason="It was not.")
    case = await story.case_on("contradiction", third)
    await story.on_case("manager", case, "decide", ruling="correct_record", **REASON)


async def referral(story: Story) -> None:
    """Out of territory: referred, consented and accepted; declined once."""
    for answer in ("accept", "decline"):
        number = next(story.numbers)
        sent = await story.file("p5", number)
        if answer == "accept":
            await story.act("p5", sent, "consent")
        listed = await story.look("p0", "/v1/referrals?state=offered&limit=200")
        name = f"Customer {number}"
        offered = next(it for it in listed["items"] if it["account"]["name"] == name)
        await story.say("p0", f"/v1/referrals/{offered['id']}/{answer}")


async def transfer(story: Story) -> None:
    """A protection passes by both consents; another does not."""
    for answers in ({"p0": "accept", "p1": "accept"}, {"p1": "decline"}):
        held = await story.file("p0", next(story.numbers))
        asked = await story.act("vp", held, "transfer", to_partner="p1", **REASON)
        for who, answer in answers.items():
            await story.say(who, f"/v1/transfers/{asked['id']}/{answer}")


async def accounts(story: Story) -> None:
    """Accounts are corrected and merged; direct sales turn out to be there already."""
    one, other = next(story.numbers), next(story.numbers)
    first, second = await story.file("p0", one), await story.file("p1", other)
    ids = [
        (await story.look("vp", f"/v1/registrations/{it['id']}"))["account_id"]
        for it in (first, second)
    ]
    for account in ids:
        path = f"/v1/accounts/{account}"
        version = (await story.look("vp", path))["version"]
        body = {"facts": {"country": "US", "employees": 40}}
        tag = f'"v{version}"'
        await story.caller.call("vp", "PATCH", path, body, version=tag, done=(412,))
    path = f"/v1/accounts/{ids[0]}"
    tag = f'"v{(await story.look("vp", path))["version"]}"'
    merged = {"other_account_id": ids[1], **REASON}
    await story.say("vp", f"{path}/merge", merged, version=tag)
    third = await story.file("p2", next(story.numbers))
    there = {"kind": "direct_engagement", "registration_id": third["id"], "reason": "In the CRM."}
    case = (await story.say("vp", "/v1/conflicts", there))["id"]
    await story.on_case("vp", case, "comment", text="They say so.")
    seen = await story.look("vp", f"/v1/conflicts/{case}")
    entry = next(it for it in seen["history"] if it["action"] == "conflict.commented")
    path = f"/v1/conflicts/{case}/entries/{entry['detail']['entry']}"
    await story.caller.call("admin", "DELETE", path)
    await story.on_case("vp", case, "decide", ruling="release_all", **REASON)


async def crowd(story: Story) -> None:
    """Many at once: batches for the writer, and more notices than a person can read."""
    numbers = [next(story.numbers) for _ in range(14)]
    await asyncio.gather(*(story.file("p3", number) for number in numbers))


async def desk(story: Story) -> None:
    """What people set: how they are told, where webhooks go, factors by hand, notices read."""
    caller, notifier = story.caller, "notifier"
    wished = {"language": "en", "channels": {"programme": []}}
    await caller.call("admin", "PUT", "/v1/preferences?person=p2-contact", wished, service=notifier)
    place = {"kind": "webhook", "url": f"{story.hook}/desk", "owner": "role:vp"}
    made = await story.say("admin", "/v1/webhooks", place, service=notifier)
    path = f"/v1/webhooks/{made['id']}"
    await caller.call("admin", "PATCH", path, {"description": "A desk"}, service=notifier)
    await story.say("admin", f"{path}/rotate", {"overlap_hours": 1}, service=notifier)
    await caller.call("admin", "DELETE", path, service=notifier, done=(404,))
    page = await story.look("p0", "/v1/notifications?limit=1", notifier)
    for item in page["items"]:
        await story.say("p0", f"/v1/notifications/{item['id']}/read", service=notifier)
    factor = "/v1/coverage/factors/p0/na/all/capability"
    seen = await caller.call("vp", "GET", factor, service="coverage")
    until = (seen.json()["as_of"])[:10]
    later = f"{int(until[:4]) + 1}-{until[5:7]}-15"
    given = {"value": "7", "reason": "Seen at work.", "until": later}
    tag = seen.headers["etag"]
    await caller.call("vp", "PUT", factor, given, version=tag, service="coverage", done=(412,))
    tag = (await caller.call("vp", "GET", factor, service="coverage")).headers["etag"]
    await caller.call("vp", "DELETE", factor, version=tag, service="coverage", done=(404, 409, 412))


async def gone(story: Story) -> None:
    """An endpoint says that it is gone: it is switched off, mended, and sent what it missed."""
    notifier = "notifier"
    place = {"kind": "webhook", "url": f"{story.hook}/gone", "owner": "partner:p2"}
    path = (
        f"/v1/webhooks/{(await story.say('admin', '/v1/webhooks', place, service=notifier))['id']}"
    )
    await story.file("p2", next(story.numbers))
    await story.settle()
    change = {"url": f"{story.hook}/mended", "enabled": True}
    await story.caller.call("admin", "PATCH", path, change, service=notifier)
    await story.say("admin", f"{path}/replay", {}, service=notifier)
    await story.settle()
    await story.caller.call("admin", "DELETE", path, service=notifier, done=(404,))


async def programme(story: Story) -> None:
    """A new plan in force, keys, a delegation, a suspension, a person erased; an objection."""
    caller, guest = story.caller, next(story.numbers)
    await caller.call("admin", "POST", "/v1/plans", plan(guest, overlap_cases="disputed"))
    number = next(story.numbers)
    await story.file("p0", number)
    await story.act("p1", await story.file("p1", number), "object", reason="We met them first.")
    await caller.call("admin", "POST", "/v1/plans", plan(guest))
    await story.file("p1", next(story.numbers))
    made = await story.say("admin", "/v1/keys", {"role": "auditor"})
    await caller.call("admin", "DELETE", f"/v1/keys/{made['id']}")
    period = {"delegate_id": "ceo", "until": "2999-01-01T00:00:00Z"}
    given = await story.say("admin", "/v1/people/vp/delegations", period)
    await caller.call("admin", "DELETE", f"/v1/people/vp/delegations/{given['id']}")
    await caller.call("admin", "DELETE", f"/v1/people/guest-{guest}")
    for act, body in (("suspend", REASON), ("reactivate", None)):
        path = "/v1/partners/p3"
        seen = await caller.call("admin", "GET", path)
        tag = seen.headers["etag"]
        await story.say("admin", f"{path}/{act}", body, version=tag, done=(409, 412))


async def ladder(story: Story) -> None:
    """A case climbs: reminders, the second level, the third; its CEO decides."""
    number = next(story.numbers)
    await story.file("p0", number)
    second = await story.file("p1", number)
    case = await story.case_of(second)
    await story.settle()
    for hours in (2.1, 1.3, 0.7, 8.5, 13, 24.5):
        await story.move(hours * HOUR)
        await story.settle()
    await story.on_case("ceo", case, "decide", ruling="uphold_first", **REASON)


async def expiry(story: Story) -> None:
    """Offers lapse, protections end and standby takes over, all by time alone."""
    number = next(story.numbers)
    lost = await story.file("p0", number)
    await story.file("p1", number)
    await story.act("p0", lost, "lose", reason="Too dear.")
    await story.file("p5", next(story.numbers))
    kept = next(story.numbers)
    await story.file("p0", kept)
    await story.file("p2", kept)
    for days in (9, 55, 30):
        await story.move(days * DAY)
        await story.settle()


Piece = Callable[[Story], Awaitable[None]]

PIECES: Mapping[str, Piece] = {
    piece.__name__: piece
    for piece in (overlap, life, results, referral, transfer, accounts, crowd, desk, gone)
}
ALONE: Mapping[str, Piece] = {piece.__name__: piece for piece in (programme, ladder, expiry)}
