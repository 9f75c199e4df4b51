"""Decisions from a mail, over HTTP: what is shown, what is refused; looking does nothing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from re import search
from uuid import uuid4

import httpx
import pytest

from dealreg_devstack import Kafka, Postgres
from dealreg_notifier.signing import Keyring
from dealreg_shared.bus.kafka import KafkaBus
from dealreg_shared.bus.port import Bus
from dealreg_shared.links import Link, sign
from tests.factories.decision_world import DAY, FOUR_HOURS, START, DecisionWorld, decision_world
from tests.factories.migrated import postgres_url

REASON = "The earlier filing has the signed letter of intent."


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.devstack)])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[DecisionWorld]:
    if request.param == "sqlite":
        async with decision_world(tmp_path) as made:
            yield made
        return
    server = request.getfixturevalue("postgres_server")
    async with on_postgres(tmp_path, server) as made:
        yield made


@asynccontextmanager
async def on_postgres(
    folder: Path, server: Postgres, bus: Bus | None = None
) -> AsyncIterator[DecisionWorld]:
    async with (
        postgres_url(server, "registration") as registration,
        postgres_url(server, "notifier") as notifier,
        decision_world(
            folder, databases={"registration": registration, "notifier": notifier}, bus=bus
        ) as made,
    ):
        yield made


async def look(world: DecisionWorld, token: str) -> httpx.Response:
    return await world.http.get(f"/decide/{token}")


def version_in(page: httpx.Response) -> str:
    found = search(r'name="version" value="(\d+)"', page.text)
    assert found is not None, page.text
    return found.group(1)


async def press(
    world: DecisionWorld, token: str, reason: str = REASON, **form: str
) -> httpx.Response:
    """Look, then confirm what was shown."""
    version = form.get("version") or version_in(await look(world, token))
    return await world.http.post(
        f"/decide/{token}", data={"version": version, "reason": reason} | form
    )


async def test_the_mail_leads_to_a_page_and_its_form_decides(world: DecisionWorld) -> None:
    links = await world.links("mia")
    assert set(links) == {"take", "uphold_first", "award", "review"}
    page = await look(world, links["award"])
    assert page.status_code == 200
    for words in ("Award this case to Cam Ltd?", "Contoso", "Ada Corp: Core", "West / SMB"):
        assert words in page.text
    done = await press(world, links["award"])
    assert (done.status_code, "The case is decided" in done.text) == (200, True)
    case = await world.case()
    assert case["state"] == "decided"
    assert {claim["partner_id"]: claim["state"] for claim in case["claims"]} == {
        "ada": "revoked",
        "cam": "protected",
    }
    decided = next(entry for entry in case["history"] if entry["action"].endswith("decided"))
    assert decided["actor"] == "person:mia"


async def test_upholding_the_first_leaves_it_protected(world: DecisionWorld) -> None:
    done = await press(world, (await world.links("mia"))["uphold_first"])
    assert done.status_code == 200, done.text
    states = {c["partner_id"]: c["state"] for c in (await world.case())["claims"]}
    assert states == {"ada": "protected", "cam": "closed"}


async def test_taking_needs_no_reason_and_passing_up_moves_the_level(world: DecisionWorld) -> None:
    links = await world.links("mia")
    assert "<textarea" not in (await look(world, links["take"])).text
    assert (await press(world, links["take"], reason="")).status_code == 200
    assert (await press(world, links["review"], reason="")).status_code == 422
    assert (await press(world, links["review"])).status_code == 200
    case = await world.case()
    assert (case["state"], case["level"]) == ("reviewed", 2)


async def test_scanners_follow_every_link_and_nothing_happens(world: DecisionWorld) -> None:
    links = await world.links("mia")
    case, rows = await world.case(), await world.rows()
    for _ in range(20):
        for token in links.values():
            shown = await look(world, token)
            head = await world.http.head(f"/decide/{token}")
            assert (shown.status_code, head.status_code, head.content) == (200, 200, b"")
    assert await world.case() == case
    assert await world.rows() == rows
    for method in ("PUT", "DELETE", "PATCH"):
        answer = await world.http.request(method, f"/decide/{links['award']}")
        assert answer.status_code == 405


async def test_the_page_is_kept_nowhere_framed_nowhere_and_loads_nothing(
    world: DecisionWorld,
) -> None:
    page = await look(world, (await world.links("mia"))["award"])
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "no-referrer"
    policy = page.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert "default-src 'none'" in policy
    assert "form-action 'self'" in policy
    assert "unsafe" not in policy
    assert "<script" not in page.text
    assert "src=" not in page.text


@pytest.mark.parametrize("spoil", ["tampered", "foreign", "rubbish", "empty case", "no action"])
async def test_a_link_that_is_not_ours_opens_nothing_and_they_all_answer_alike(
    spoil: str, world: DecisionWorld
) -> None:
    token = (await world.links("mia"))["award"]
    body, _, signature = token.partition(".")
    link = await world.link(token)
    wrong = {
        "tampered": f"{body[:-4]}AAAA.{signature}",
        "foreign": sign(link, bytes(range(32))),
        "rubbish": "rubbish",
        "empty case": await world.signed(token, conflict_id="cnf_0"),
        "no action": await world.signed(token, action="erase", ruling=None),
    }[spoil]
    page = await look(world, wrong)
    assert (page.status_code, "This link does not work" in page.text) == (404, True)
    assert "Contoso" not in page.text
    answer = await press(world, wrong, version="1")
    assert (answer.status_code, answer.text) == (404, page.text)
    assert (await world.case())["state"] == "open"


async def test_an_expired_link_says_so(world: DecisionWorld) -> None:
    token = (await world.links("mia"))["award"]
    await world.at(FOUR_HOURS - timedelta(seconds=1))
    assert (await look(world, token)).status_code == 200
    version = version_in(await look(world, token))
    await world.at(FOUR_HOURS)
    page = await look(world, token)
    assert (page.status_code, "This link has expired" in page.text) == (410, True)
    assert "1 Mar 2027 13:00 UTC" in page.text
    assert "Contoso" not in page.text
    assert (await press(world, token, version=version)).status_code == 410
    assert (await world.case())["state"] == "open"


async def test_a_key_that_was_retired_still_opens_and_one_taken_back_does_not(
    world: DecisionWorld,
) -> None:
    token = (await world.links("mia"))["award"]
    ring: Keyring = world.notifier.extras["keyring"]
    await world.notifier.database.write(lambda conn: ring.rotate(conn, world.now))
    await world.settle()
    assert (await look(world, token)).status_code == 200
    await world.notifier.database.write(lambda conn: ring.rotate(conn, world.now, revoke=True))
    await world.settle()
    assert (await look(world, token)).status_code == 404


async def test_a_person_who_was_erased_decides_nothing(world: DecisionWorld) -> None:
    token = (await world.links("mia"))["award"]
    version = version_in(await look(world, token))
    await world.call("admin", "DELETE", "/v1/people/mia")
    page = await look(world, token)
    assert (page.status_code, "You cannot do this now" in page.text) == (403, True)
    assert "Contoso" not in page.text
    assert (await press(world, token, version=version)).status_code == 403
    assert (await world.case())["state"] == "open"


async def test_somebody_without_a_level_decides_nothing(world: DecisionWorld) -> None:
    token = (await world.links("mia"))["award"]
    page = await look(world, await world.signed(token, person_id="dora"))
    assert page.status_code == 403
    assert "Contoso" not in page.text


async def test_a_level_that_another_has_taken_may_not_decide_any_more(world: DecisionWorld) -> None:
    token = (await world.links("mia"))["award"]
    case = await world.case()
    version = version_in(await look(world, token))
    await world.call(
        "vic",
        "POST",
        f"/v1/conflicts/{case['id']}/take",
        headers={"if-match": f'"v{case["version"]}"'},
    )
    page = await look(world, token)
    assert (page.status_code, "A higher level has taken this case" in page.text) == (403, True)
    assert (await press(world, token, version=version)).status_code == 403
    assert (await world.case())["state"] == "open"


async def test_a_manager_who_may_only_review_is_told_so(tmp_path: Path) -> None:
    async with decision_world(tmp_path, ladder={"manager_may_decide": False}) as world:
        links = await world.links("mia")
        assert (await look(world, links["award"])).status_code == 403
        assert (await look(world, links["review"])).status_code == 200


async def test_a_case_that_was_decided_says_by_which_role_and_what(world: DecisionWorld) -> None:
    links = await world.links("mia")
    version = version_in(await look(world, links["uphold_first"]))
    assert (await press(world, links["award"])).status_code == 200
    page = await look(world, links["uphold_first"])
    assert page.status_code == 409
    assert "decided by the partner manager" in page.text
    assert "another claim was awarded" in page.text
    assert "mia" not in page.text.lower()
    again = await press(world, links["uphold_first"], version=version)
    assert (again.status_code, again.text) == (409, page.text)
    assert (await press(world, links["award"], version=version)).status_code == 409


async def test_who_was_slower_sees_what_was_done_and_changes_nothing(world: DecisionWorld) -> None:
    links = await world.links("mia")
    version = version_in(await look(world, links["award"]))
    assert (await press(world, links["take"], reason="")).status_code == 200
    late = await press(world, links["award"], version=version)
    assert (late.status_code, "Somebody was faster" in late.text) == (412, True)
    assert "taken" in late.text
    assert (await world.case())["state"] == "open"
    assert (await press(world, links["award"])).status_code == 200


@pytest.mark.parametrize(
    ("reason", "fault"),
    [
        ("", "A reason is needed"),
        ("   \n ", "A reason is needed"),
        ("x" * 2001, "too long"),
        ("a\0b", "cannot be stored"),
        ("Ask mia@people.example", "must name no person"),
    ],
)
async def test_a_reason_that_cannot_be_kept_is_asked_for_again(
    reason: str, fault: str, world: DecisionWorld
) -> None:
    token = (await world.links("mia"))["award"]
    answer = await press(world, token, reason=reason)
    assert (answer.status_code, fault in answer.text) == (422, True)
    assert (await world.case())["state"] == "open"


@pytest.mark.parametrize("version", ["", "0", "-1", "x", "9" * 40, "1.5"])
async def test_a_version_that_nobody_has_seen_changes_nothing(
    version: str, world: DecisionWorld
) -> None:
    token = (await world.links("mia"))["award"]
    answer = await world.http.post(f"/decide/{token}", data={"version": version, "reason": REASON})
    assert answer.status_code == 412
    assert (await world.case())["state"] == "open"


@pytest.mark.parametrize("body", [b"", b"{}", b"\xff\xfe", b"version=1"])
async def test_what_is_no_form_changes_nothing(body: bytes, world: DecisionWorld) -> None:
    token = (await world.links("mia"))["award"]
    for kind in ("application/json", "application/x-www-form-urlencoded", "text/plain"):
        answer = await world.http.post(
            f"/decide/{token}", content=body, headers={"content-type": kind}
        )
        assert answer.status_code in (412, 422)
    assert (await world.case())["state"] == "open"


async def test_html_in_what_was_filed_and_written_is_shown_as_text(world: DecisionWorld) -> None:
    token = (await world.links("mia"))["award"]
    page = await press(world, token, reason="<b>bold</b> " + "x" * 2000)
    assert "<b>bold</b>" not in page.text
    assert "&lt;b&gt;bold" in page.text


async def test_a_delegate_decides_with_a_link_of_its_own_while_the_delegation_lasts(
    tmp_path: Path,
) -> None:
    """Dora has no level herself: what she may do, she may in Mia's stead."""
    async with decision_world(tmp_path, stands_in="dora") as world:
        token = (await world.links("dora"))["award"]
        assert (await world.link(token)).person_id == "dora"
        await world.at(timedelta(hours=2, seconds=-1))
        page = await look(world, token)
        assert page.status_code == 200
        await world.at(timedelta(hours=2))
        over = await look(world, token)
        assert (over.status_code, "You cannot do this now" in over.text) == (403, True)
        assert "Contoso" not in over.text
        assert (await press(world, token, version=version_in(page))).status_code == 403
        assert (await world.case())["state"] == "open"


async def test_a_delegate_rules_in_its_own_name(tmp_path: Path) -> None:
    async with decision_world(tmp_path, stands_in="dora") as world:
        assert (await press(world, (await world.links("dora"))["award"])).status_code == 200
        history = (await world.case())["history"]
        assert "person:dora" in [entry["actor"] for entry in history]


async def test_a_case_that_nobody_decided_reaches_the_ceo_with_links_of_her_own(
    world: DecisionWorld,
) -> None:
    await world.at(DAY)
    links = await world.links("cleo")
    link: Link = await world.link(links["award"])
    assert link.expires_at == START + 2 * DAY
    assert (await press(world, links["award"])).status_code == 200
    page = await look(world, links["uphold_first"])
    assert "decided by the CEO" in page.text


async def test_the_reviewer_decides_an_appeal_against_the_ceo_by_a_click(
    world: DecisionWorld,
) -> None:
    """Who lost is told until when it may appeal; the reviewer's mail leads to the page, and its button
    grants the appeal."""
    await world.at(DAY)
    assert (await press(world, (await world.links("cleo"))["award"])).status_code == 200
    await world.settle()
    (told,) = [mail for mail in world.mails("ann") if "Decided" in mail["Subject"]]
    text = next(iter(told.iter_parts())).get_content()
    assert "until 12 Mar 2027 09:00 UTC" in " ".join(text.split())
    assert "you may appeal, once" in " ".join(text.split())
    ada = next(c for c in (await world.case())["claims"] if c["partner_id"] == "ada")
    await world.call(
        "ada",
        "POST",
        f"/v1/registrations/{ada['registration_id']}/appeal",
        json={"text": "We were first.", "evidence": ["signed minutes"]},
    )
    await world.settle()
    assert "your appeal is being looked at" in world.mails("ann")[-1]["Subject"]
    links = await world.links("rae")
    assert set(links) == {"take", "uphold_first", "award"}
    page = await look(world, links["uphold_first"])
    assert "Leave it as it was decided?" in page.text
    page = await look(world, links["award"])
    assert "Grant the appeal of Ada Corp?" in page.text
    assert (await press(world, links["award"])).status_code == 200
    appeal = await world.case("appeal")
    assert appeal["state"] == "decided"
    assert {c["partner_id"]: c["state"] for c in appeal["claims"]} == {
        "ada": "protected",
        "cam": "revoked",
    }
    await world.settle()
    last = world.mails("ann")[-1]
    assert last["Subject"] == "Decided: your appeal for Contoso"
    assert "granted your appeal" in next(iter(last.iter_parts())).get_content()
    after = await look(world, links["uphold_first"])
    assert (after.status_code, "decided by the reviewer" in after.text) == (409, True)


@pytest.mark.devstack
async def test_a_link_is_verified_with_the_key_that_travelled_over_kafka(
    tmp_path: Path, kafka_cluster: Kafka, postgres_server: Postgres
) -> None:
    bus = KafkaBus(kafka_cluster.bootstrap, prefix=f"lnk-{uuid4().hex[:8]}.", session_seconds=6.0)
    async with on_postgres(tmp_path, postgres_server, bus) as world:
        token = (await world.links("mia"))["award"]
        assert (await look(world, token)).status_code == 200
        link = await world.link(token)
        ring: Keyring = world.notifier.extras["keyring"]
        await world.notifier.database.write(lambda conn: ring.rotate(conn, world.now, revoke=True))
        await world.settle()
        assert (await look(world, token)).status_code == 404
        private = await world.notifier.database.read(ring.current)
        assert private is not None
        assert (await press(world, sign(link, private))).status_code == 200
        assert (await world.case())["state"] == "decided"
