"""Settings of registration: the key that signs, and the file of the log's roots."""

from pathlib import Path

import pytest

from dealreg_registration.settings import RegistrationSettings
from dealreg_shared.config import ConfigurationError, load
from dealreg_shared.links import text_of

KEY = bytes(range(32))


def test_a_key_is_given_in_base64url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEALREG_REGISTRATION_SIGNING_KEY", text_of(KEY))

    settings = load(RegistrationSettings)
    assert settings.signing_key() == KEY
    assert text_of(KEY) not in repr(settings)


@pytest.mark.parametrize("wrong", ["short", text_of(KEY) + "=", text_of(KEY[:31])])
def test_anything_else_stops_the_start(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    monkeypatch.setenv("DEALREG_REGISTRATION_SIGNING_KEY", wrong)

    with pytest.raises(ConfigurationError, match="must be 32 bytes in base64url") as refused:
        load(RegistrationSettings)
    assert wrong not in str(refused.value)


def test_the_folder_of_the_roots_is_made(tmp_path: Path) -> None:
    file = tmp_path / "roots" / "log.jsonl"
    settings = RegistrationSettings(data_dir=tmp_path / "data", registration_roots_file=file)
    settings.prepare()

    assert file.parent.is_dir()
    assert settings.roots_file() == file
    own = RegistrationSettings(data_dir=tmp_path / "data")
    assert own.roots_file() == tmp_path / "data" / "log-roots.jsonl"


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    file = tmp_path / "file" / "roots" / "log.jsonl"
    settings = RegistrationSettings(data_dir=tmp_path / "data", registration_roots_file=file)

    with pytest.raises(ConfigurationError, match="DEALREG_REGISTRATION_ROOTS_FILE"):
        settings.prepare()
