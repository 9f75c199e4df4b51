"""Ids name their kind, never repeat, and sort by the time they were made."""

import re
from uuid import UUID

from dealreg_shared.ids import new_event_id, new_id


def test_an_id_says_what_it_names() -> None:
    assert re.fullmatch(r"reg_[0-9a-f]{32}", new_id("reg"))


def test_an_id_is_a_uuid_of_version_7() -> None:
    for made in (UUID(new_id("clm").removeprefix("clm_")), new_event_id()):
        assert isinstance(made, UUID)
        assert (made.version, made.variant) == (7, "specified in RFC 4122")


def test_ids_sort_as_they_were_made() -> None:
    made = [new_id("reg") for _ in range(5000)]

    assert made == sorted(made)
    assert len(set(made)) == len(made)
