"""The demo's files lie in memory where there is a place with room, else where temporary files lie."""

from pathlib import Path

import pytest

from dealreg.demo import throwaway


def test_a_place_with_room_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throwaway, "MEMORY", tmp_path)
    monkeypatch.setattr(throwaway, "ROOM", 1)
    assert throwaway.in_memory() == tmp_path


def test_none_is_taken_where_there_is_none_or_too_little_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throwaway, "MEMORY", tmp_path)
    monkeypatch.setattr(throwaway, "ROOM", 1 << 62)
    assert throwaway.in_memory() is None
    monkeypatch.setattr(throwaway, "MEMORY", tmp_path / "nowhere")
    monkeypatch.setattr(throwaway, "ROOM", 1)
    assert throwaway.in_memory() is None
