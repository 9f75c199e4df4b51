"""A row of the proof that could not be tried says so: it is not kept, and in CI it is a failure."""

import os
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from tests.faults.__main__ import cli
from tests.faults.proof import Lab, Line, NotTried, Outcome, Row, Where, rows, show


def _cannot(_lab: Lab) -> Outcome:
    raise NotTried("the disk is too large")


def _kept(_lab: Lab) -> Outcome:
    return Outcome("twice", "nothing odd", kept=True)


def _broken(_lab: Lab) -> Outcome:
    return Outcome("twice", "one lost", kept=False)


def _row(name: str) -> Row:
    [found] = [row for row in rows() if row.name == name]
    return found


def test_a_promise_that_was_not_tried_skips_its_test_with_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception) as seen:
        Row("0", "disk", "0 lost", _cannot).check(Lab("embedded", tmp_path))
    assert seen.value.msg == "disk not tried, because the disk is too large"


def test_where_nothing_may_be_left_out_it_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="not tried, because the disk is too large"):
        Row("0", "disk", "0 lost", _cannot).check(Lab("embedded", tmp_path))


def test_a_broken_promise_fails_its_test(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="disk: one lost"):
        Row("0", "disk", "0 lost", _broken).check(Lab("embedded", tmp_path))


def test_the_table_tells_what_was_not_tried_from_what_was_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("CI", raising=False)
    lab = Lab("embedded", tmp_path)
    row = Row("0", "disk", "0 lost", _kept)
    kept = Line(row, "embedded", _kept(lab), 1)
    broken = Line(row, "embedded", _broken(lab), 1)
    left_out = Line(row, "embedded", NotTried("the disk is too large"), 0)
    assert [line.words[2] for line in (kept, broken, left_out)] == ["yes", "NO", "not tried"]
    assert [line.bad for line in (kept, broken, left_out)] == [False, True, False]
    console = Console(width=200)
    with console.capture() as printed:
        show([left_out], console)
    assert "not tried, because the disk is too large" in printed.get()
    monkeypatch.setenv("CI", "true")
    assert left_out.bad


@pytest.mark.parametrize("where", ["embedded", "servers"])
def test_a_full_disk_is_not_tried_without_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: Where
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(NotTried, match="only root"):
        _row("11").prove(Lab(where, tmp_path))


@pytest.mark.parametrize(("ci", "code"), [(None, 0), ("true", 1)])
def test_the_proof_prints_it_and_ends_with_1_in_ci_only(
    monkeypatch: pytest.MonkeyPatch, ci: str | None, code: int
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    if ci is None:
        monkeypatch.delenv("CI", raising=False)
    else:
        monkeypatch.setenv("CI", ci)
    done = CliRunner().invoke(cli, ["--row", "11", "--on", "embedded"])
    assert "not tried" in done.output
    assert done.exit_code == code


def test_the_watch_is_tried_on_servers_in_full_only() -> None:
    watch = _row("13")
    assert watch.tried_on("embedded", full=False)
    assert not watch.tried_on("servers", full=False)
    assert watch.tried_on("servers", full=True)


def test_nothing_to_try_in_the_smoke_is_said() -> None:
    done = CliRunner().invoke(cli, ["--row", "13", "--on", "servers"])
    assert done.exit_code != 0
    assert "--full" in done.output


def test_every_row_is_tried_in_the_smoke_on_one_installation_at_least() -> None:
    for row in rows():
        tried: list[Where] = [
            where for where in ("embedded", "servers") if row.tried_on(where, full=False)
        ]
        assert tried, row.promise
        assert all(row.tried_on(where, full=True) for where in tried), row.promise
