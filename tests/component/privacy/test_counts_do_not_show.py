"""How many others there are, before or behind, changes no byte of what a partner is told."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.factories.registration_service import RegistrationApi, registration_api

OWN = re.compile(
    r"[a-z]{3}_[0-9a-f]{32}|customer[01]|\"(number|salt|body_hash|path|signature)\":\"[^\"]+\""
)


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[RegistrationApi]:
    async with registration_api(tmp_path) as made:
        yield made


@pytest.mark.parametrize("last", [False, True])
async def test_one_rival_or_several(api: RegistrationApi, last: bool) -> None:
    told = []
    for number, others in enumerate((("acme",), ("acme", "fourth"))):
        account = {"name": f"customer{number}", "domain": f"customer{number}.com"}
        if not last:
            filed = await api.file("techstart", account=account)
        for other in others:
            await api.filed(other, account=account)
        if last:
            filed = await api.file("techstart", account=account)
        registration_id = filed.json()["id"]
        read = await api.get("techstart", f"/v1/registrations/{registration_id}")
        timeline = await api.get("techstart", f"/v1/registrations/{registration_id}/timeline")
        asked = await api.get("techstart", "/v1/questions")
        told.append([OWN.sub("", answer.text) for answer in (filed, read, timeline, asked)])
    assert told[0] == told[1]
