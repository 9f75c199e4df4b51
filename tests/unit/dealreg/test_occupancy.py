"""A data folder and the run that holds it: told by a lock, which outlives no process."""

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dealreg.cli import app
from dealreg.occupancy import FILE, occupant, occupied
from dealreg_shared.config import ConfigurationError


def never() -> None:
    raise AssertionError("nobody is to be waited for")


def test_a_folder_is_held_while_the_run_lasts(tmp_path: Path) -> None:
    assert occupant(tmp_path) is None
    with occupied(tmp_path, "here", never):
        assert occupant(tmp_path) == "here"
        with pytest.raises(ConfigurationError, match="another `dealreg up --distributed` runs"):
            occupied(tmp_path, "here", never).__enter__()
    assert occupant(tmp_path) is None
    with occupied(tmp_path, "named", never):
        assert occupant(tmp_path) == "named"
    assert (tmp_path / FILE).stat().st_mode & 0o077 == 0


def test_what_a_killed_run_left_is_waited_for(tmp_path: Path) -> None:
    with occupied(tmp_path, "here", never) as held:
        left = os.dup(held)  # as a guard holds it
    gone = (tmp_path / FILE).read_text().replace(str(os.getpid()), "99999999")
    (tmp_path / FILE).write_text(gone)
    waits: list[int] = []

    def guard_ends() -> None:
        waits.append(left)
        if len(waits) == 1:
            os.close(left)

    with occupied(tmp_path, "named", guard_ends):
        assert occupant(tmp_path) == "named"
    assert len(waits) == 1


def test_the_doctor_says_what_to_set_where_it_cannot_know(tmp_path: Path) -> None:
    unset = {name: None for name in os.environ if name.startswith("DEALREG_")}
    with occupied(tmp_path, "named", never):
        result = CliRunner().invoke(app, ["doctor", "--data", str(tmp_path)], env=unset)

    assert result.exit_code == 78
    assert "set DEALREG_BUS=kafka, DEALREG_KAFKA_BOOTSTRAP" in result.stderr
