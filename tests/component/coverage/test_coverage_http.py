"""What coverage answers, to whom, and what it refuses."""

import asyncio
from datetime import timedelta

import pytest

from dealreg_coverage.api.errors import STATUS
from dealreg_coverage.domain.errors import CoverageError
from tests.component.coverage.conftest import NOW, House

STAFF_ONLY = ("matrix", "markets", "gaps", "overlaps", "targets", "summary")
FACTOR = "factors/ada/west/smb/presence"
UNTIL = (NOW + timedelta(days=30)).date().isoformat()


async def test_the_matrix_shows_scores_where_partners_are_assigned(planned: House) -> None:
    matrix = await planned.get("matrix", await planned.key("auditor"))
    assert matrix["plan_number"] == 1
    assert matrix["markets"] == ["west/smb", "west/ent", "east/smb", "east/ent"]
    rows = {row["partner_id"]: row["cells"] for row in matrix["rows"]}
    assert {partner: sorted(cells) for partner, cells in rows.items()} == {
        "ada": ["west/ent", "west/smb"],
        "ben": ["west/smb"],
        "cy": ["west/smb"],
    }
    # presence 9, capability 10, track record 5.5, commitment 3
    assert rows["ada"]["west/smb"] == {"score": 74.0, "kind": "covering"}
    assert matrix["target"] == 80.0
    assert set(matrix["programme"]) == {"weighted", "mean", "mean_rounded"}


async def test_a_score_explains_itself_down_to_the_events(planned: House) -> None:
    staff = await planned.key("partner_manager")
    won = planned.log.ended("won", "ada", at=planned.now)
    filed = planned.log.filed("ada", at=planned.now)
    await planned.settle()
    found = await planned.get("scores/ada", staff)
    smb = next(score for score in found["scores"] if score["market"] == "west/smb")
    factors = {factor["name"]: factor for factor in smb["factors"]}
    assert list(factors) == ["presence", "capability", "track_record", "commitment"]
    assert factors["track_record"]["value"] == 6.4
    assert factors["track_record"]["facts"][0]["event_ids"] == [str(won.id)]
    assert str(filed.id) in factors["commitment"]["facts"][1]["event_ids"]
    assert all(factor["formula"] for factor in factors.values())
    total = sum(factor["weight"] * factor["value"] for factor in factors.values())
    assert smb["score"] == pytest.approx(total / 10)


async def test_markets_regions_and_the_programme(planned: House) -> None:
    staff = await planned.key("vp")
    planned.log.filed("ada", ("west", None), at=planned.now)
    planned.log.ended("won", "ada", ("west", "smb"), at=planned.now, amount="100.50")
    planned.log.filed("ada", (None, None), at=planned.now)
    await planned.settle()
    markets = await planned.get("markets", staff)
    west, east = markets["regions"]
    assert west["unknown_segment"]["filed"] == 1
    assert west["markets"][0]["activity"]["won_value"] == {"amount": "100.50", "currency": "USD"}
    assert west["markets"][0]["partners"] == 3
    assert west["markets"][0]["potential"] == {"amount": "100000.00", "currency": "USD"}
    assert east["score"] == {"weighted": 0.0, "mean": None, "mean_rounded": None}
    assert [m["gap_class"] for m in east["markets"]] == ["High", "High"]
    assert markets["outside"]["filed"] == 1


async def test_gaps_overlaps_targets_and_summary(planned: House) -> None:
    staff = await planned.key("admin")
    planned.log.met(at=planned.now)
    planned.log.met(at=planned.now)
    await planned.settle()
    gaps = await planned.get("gaps", staff)
    assert [(g["market"], g["priority"]) for g in gaps["items"]] == [
        ("east/ent", "P1"),
        ("east/smb", "P1"),
        ("west/ent", "P2"),
        ("west/smb", "P2"),
    ]
    overlaps = await planned.get("overlaps", staff)
    assert [(o["market"], o["risk"], o["cases"]) for o in overlaps["items"]] == [
        ("west/smb", "High", 2)
    ]
    assert overlaps["items"][0]["proposed_rule"]
    west, east = (await planned.get("targets", staff))["items"]
    assert (west["have"], west["target"], west["gap"]) == (3, 6, 3)
    assert (east["have"], east["target"], east["gap"]) == (0, 2, 2)
    assert west["segments"][0]["planned_deal_size"] == {"amount": "25000.00", "currency": "USD"}
    summary = await planned.get("summary", staff)
    assert summary["gaps"] == {"P1": 2, "P2": 2, "P3": 0}
    assert summary["overlaps"] == {"High": 1, "Medium": 0, "Low": 0}
    assert summary["top_gap"]["market"] == "east/ent"
    assert (summary["partners_assigned"], summary["partners_active"]) == (3, 3)
    assert [a["kind"] for a in summary["actions"]] == ["recruit", "raise", "settle"]


async def test_a_partner_sees_its_own_scores_and_nothing_of_others(planned: House) -> None:
    ada = await planned.key("partner", "ada")
    own = await planned.get("scores/ada", ada)
    assert [score["market"] for score in own["scores"]] == ["west/smb", "west/ent"]
    text = str(own).casefold()
    assert "ben" not in text
    assert "'cy'" not in text
    for path in STAFF_ONLY:
        answer = await planned.http.get(f"/v1/coverage/{path}", headers=ada)
        assert answer.status_code == 403, path
    foreign, absent = [
        await planned.http.get(f"/v1/coverage/scores/{who}", headers=ada) for who in ("ben", "zoe")
    ]
    assert foreign.status_code == absent.status_code == 404
    bodies = [answer.json() | {"correlation_id": ""} for answer in (foreign, absent)]
    assert bodies[0] == bodies[1]
    assert (await planned.http.get("/v1/coverage/scores/ada")).status_code == 401
    for method in ("GET", "PUT", "DELETE"):
        answer = await planned.http.request(method, f"/v1/coverage/{FACTOR}", headers=ada)
        assert answer.status_code in (403, 422), method


async def test_an_unassigned_or_suspended_partner_has_no_score(planned: House) -> None:
    staff = await planned.key("auditor")
    planned.log.status("ada", "suspended", planned.now)
    await planned.settle()
    assert (await planned.get("scores/ada", staff))["scores"] == []
    rows = {row["partner_id"]: row for row in (await planned.get("matrix", staff))["rows"]}
    assert rows["ada"]["active"] is False
    assert (await planned.http.get("/v1/coverage/scores/zoe", headers=staff)).status_code == 404


async def test_before_the_first_plan_there_is_nothing(house: House) -> None:
    staff = await house.key("ceo")
    for path in (*STAFF_ONLY, "scores/ada", FACTOR):
        answer = await house.http.get(f"/v1/coverage/{path}", headers=staff)
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/no-plan-in-force")


async def test_a_factor_set_by_hand_counts_and_both_values_are_shown(planned: House) -> None:
    staff = await planned.key("partner_manager")
    path = f"/v1/coverage/{FACTOR}"
    body = {"value": 4.25, "reason": "The office closes", "until": UNTIL}
    answer = await planned.http.put(path, json=body, headers=staff)
    assert answer.status_code == 200, answer.text
    assert answer.headers["etag"] == '"v1"'
    [smb, _] = (await planned.get("scores/ada", staff))["scores"]
    presence = smb["factors"][0]
    assert (presence["value"], presence["computed"]) == (4.25, 9.0)
    assert presence["hand_set"]["reason"] == "The office closes"
    assert presence["hand_set"]["set_by"] == "person-partner_manager"
    seen = await planned.get("scores/ada", await planned.key("partner", "ada"))
    hand_set = seen["scores"][0]["factors"][0]["hand_set"]
    assert (hand_set["value"], hand_set["reason"], hand_set["set_by"]) == (4.25, None, None)

    assert (await planned.http.put(path, json=body, headers=staff)).status_code == 428
    stale = {**staff, "if-match": '"v7"'}
    assert (await planned.http.put(path, json=body, headers=stale)).status_code == 412
    right = {**staff, "if-match": '"v1"'}
    changed = await planned.http.put(path, json={**body, "value": "5"}, headers=right)
    assert (changed.status_code, changed.headers["etag"]) == (200, '"v2"')
    read = await planned.http.get(path, headers=staff)
    assert (read.headers["etag"], read.json()["hand_set"]["value"]) == ('"v2"', 5.0)

    assert (await planned.http.delete(path, headers=staff)).status_code == 428
    gone = await planned.http.delete(path, headers={**staff, "if-match": '"v2"'})
    assert gone.status_code == 204
    assert (await planned.http.delete(path, headers=staff)).status_code == 404
    read = await planned.http.get(path, headers=staff)
    assert (read.headers["etag"], read.json()["hand_set"]) == ('"v3"', None)
    again = await planned.http.put(path, json=body, headers=staff)
    assert (again.status_code, again.headers["etag"]) == (200, '"v4"')


async def test_of_two_who_change_a_factor_at_once_one_is_refused(planned: House) -> None:
    staff = await planned.key("vp")
    path = f"/v1/coverage/{FACTOR}"
    body = {"value": 5, "reason": "because", "until": UNTIL}
    assert (await planned.http.put(path, json=body, headers=staff)).status_code == 200
    headers = {**staff, "if-match": '"v1"'}
    answers = await asyncio.gather(
        *(planned.http.put(path, json={**body, "value": n}, headers=headers) for n in (2, 3, 4))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412, 412]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"value": 0.99}, "/value"),
        ({"value": 10.01}, "/value"),
        ({"value": 7.123}, "/value"),
        ({"value": "NaN"}, "/value"),
        ({"value": None}, "/value"),
        ({"reason": "no"}, "/reason"),
        ({"until": NOW.date().isoformat()}, "/until"),
        ({"until": "2999-01-01"}, "/until"),
        ({"until": "soon"}, "/until"),
        ({"unknown": 1}, "/unknown"),
    ],
)
async def test_bad_hand_set_factors_name_the_field(
    planned: House, change: dict[str, object], field: str
) -> None:
    staff = await planned.key("vp")
    body = {"value": 5, "reason": "because", "until": UNTIL, **change}
    answer = await planned.http.put(f"/v1/coverage/{FACTOR}", json=body, headers=staff)
    assert answer.status_code == 422, answer.text
    assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_only_cells_of_the_plan_can_be_set_and_only_by_those_in_charge(
    planned: House,
) -> None:
    body = {"value": 5, "reason": "because", "until": UNTIL}
    staff = await planned.key("ceo")
    for path in (
        "factors/zoe/west/smb/presence",
        "factors/ada/north/smb/presence",
        "factors/ada/west/giant/presence",
        "factors/ada/west/smb/charm",
    ):
        for method in ("PUT", "GET"):
            answer = await planned.http.request(
                method, f"/v1/coverage/{path}", json=body, headers=staff
            )
            assert answer.status_code == 404, path
    auditor = await planned.key("auditor")
    answer = await planned.http.put(f"/v1/coverage/{FACTOR}", json=body, headers=auditor)
    assert answer.status_code == 403


def test_every_domain_error_is_mapped() -> None:
    def codes(error: type[CoverageError]) -> set[str]:
        return {error.code}.union(*(codes(child) for child in error.__subclasses__()))

    assert codes(CoverageError) - {CoverageError.code} == set(STATUS)


async def test_health_metrics_and_description(planned: House) -> None:
    assert (await planned.http.get("/readyz")).json()["checks"] == {
        "database": "ok",
        "bus": "ok",
    }
    paths = (await planned.http.get("/openapi.json")).json()["paths"]
    assert {f"/v1/coverage/{name}" for name in STAFF_ONLY} < set(paths)
