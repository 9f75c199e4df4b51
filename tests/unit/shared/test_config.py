"""Settings: what is wrong stops the start with a sentence; what is secret is never shown."""

import stat
from pathlib import Path

import pytest
from pydantic import Field, SecretStr

from dealreg_shared.config import (
    ConfigurationError,
    DatabaseUrl,
    SharedSettings,
    docs_table,
    load,
    unknown_variables,
)


class ShopSettings(SharedSettings):
    """A service of these tests. It stands where a real one would."""

    registration_database_url: DatabaseUrl | None = Field(
        None, description="Database of registration."
    )
    registration_limit: int = Field(7, ge=1, description="How many.")
    registration_password: SecretStr | None = Field(None, description="Say friend.")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in list(os.environ):
        if name.startswith("DEALREG_"):
            monkeypatch.delenv(name)


def test_without_variables_everything_runs_embedded_under_the_data_folder() -> None:
    settings = load(ShopSettings)

    assert settings.programme == "default"
    assert settings.bus == "embedded"
    assert settings.bus_file == Path("data/bus.db")
    assert settings.database_url("registration") == "sqlite:///data/registration.db"


def test_variables_are_read_and_arguments_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEALREG_PROGRAMME", "acme")
    monkeypatch.setenv("DEALREG_HTTP_PORT", "9000")

    settings = load(ShopSettings, http_port=9001)

    assert (settings.programme, settings.http_port) == ("acme", 9001)


def test_a_database_that_is_named_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEALREG_REGISTRATION_DATABASE_URL", "sqlite:///elsewhere.db")

    assert load(ShopSettings).database_url("registration") == "sqlite:///elsewhere.db"
    assert load(ShopSettings).database_url("coverage") == "sqlite:///data/coverage.db"


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEALREG_HTTP_PORT", "")

    assert load(ShopSettings).http_port == 8000


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"DEALREG_BUS": "kafka"}, "DEALREG_KAFKA_BOOTSTRAP must name the brokers"),
        (
            {"DEALREG_KAFKA_BOOTSTRAP": "localhost:9092"},
            "set DEALREG_BUS=kafka, or unset DEALREG_KAFKA_BOOTSTRAP",
        ),
        (
            {
                "DEALREG_BUS": "kafka",
                "DEALREG_KAFKA_BOOTSTRAP": "localhost:9092",
                "DEALREG_BUS_PATH": "x.db",
            },
            "DEALREG_BUS_PATH is for the embedded bus only",
        ),
        ({"DEALREG_BUS": "rabbit"}, "DEALREG_BUS: input should be 'embedded' or 'kafka'"),
        ({"DEALREG_HTTP_PORT": "70000"}, "DEALREG_HTTP_PORT: input should be less than"),
        ({"DEALREG_KAFKA_BOOTSTRAP": "localhost"}, "DEALREG_KAFKA_BOOTSTRAP: "),
        ({"DEALREG_HTTP_PROT": "1"}, "did you mean DEALREG_HTTP_PORT?"),
        ({"DEALREG_REGISTRATION_LIMITT": "1"}, "did you mean DEALREG_REGISTRATION_LIMIT?"),
        ({"DEALREG_QQQ": "1"}, "DEALREG_QQQ: no setting has this name; unset it"),
        (
            {"DEALREG_REGISTRATION_DATABASE_URL": "postgresql://u:hush@h/d"},
            "write postgresql+asyncpg:// instead",
        ),
        (
            {"DEALREG_REGISTRATION_DATABASE_URL": "mysql://u:hush@h/d"},
            "use sqlite or postgresql+asyncpg",
        ),
        ({"DEALREG_REGISTRATION_DATABASE_URL": "hush"}, "is no database URL; write sqlite:///"),
        ({"DEALREG_REGISTRATION_DATABASE_URL": "sqlite://"}, "must name a file"),
    ],
)
def test_a_wrong_setting_is_a_sentence(
    variables: dict[str, str], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(ConfigurationError) as caught:
        load(ShopSettings)

    assert sentence in str(caught.value)
    assert "hush" not in str(caught.value)


def test_all_faults_come_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEALREG_HTTP_PORT", "x")
    monkeypatch.setenv("DEALREG_LOG_LEVEL", "loud")
    monkeypatch.setenv("DEALREG_NOBODY", "1")

    with pytest.raises(ConfigurationError) as caught:
        load(ShopSettings)

    assert len(str(caught.value).splitlines()) == 3


def test_variables_of_services_that_do_not_run_here_are_left_alone() -> None:
    environment = {
        "DEALREG_COVERAGE_ANYTHING": "1",
        "DEALREG_DEVSTACK_DIR": "x",
        "DEALREG_REGISTRATION_NOTHING": "1",
        "PATH": "x",
    }

    faults = unknown_variables(environment, [ShopSettings])

    assert [fault.split(":")[0] for fault in faults] == ["DEALREG_REGISTRATION_NOTHING"]


def test_secrets_are_masked_wherever_settings_are_shown() -> None:
    settings = ShopSettings(
        registration_database_url="postgresql+asyncpg://dealreg:hush@db/dealreg",
        registration_password=SecretStr("hush"),
    )

    shown = f"{settings!r} {settings} {settings.shown()}"

    assert "hush" not in shown
    assert "postgresql+asyncpg://dealreg:***@db/dealreg" in shown


def test_prepare_makes_the_folders(tmp_path: Path) -> None:
    settings = ShopSettings(data_dir=tmp_path / "a" / "b", bus_path=tmp_path / "c" / "bus.db")

    settings.prepare()

    for folder in (tmp_path / "a" / "b", tmp_path / "c"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_prepare_says_what_stands_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(ConfigurationError, match=r"DEALREG_DATA_DIR: the folder .* cannot be made"):
        ShopSettings(data_dir=tmp_path / "file" / "data").prepare()


def test_every_shared_setting_is_described() -> None:
    assert [
        name for name, field in SharedSettings.model_fields.items() if not field.description
    ] == []


def test_the_table_lists_every_setting_once_with_its_default() -> None:
    table = docs_table([SharedSettings, ShopSettings])

    for name in ShopSettings.model_fields:
        assert table.count(f"| `DEALREG_{name.upper()}` |") == 1
    assert (
        "| `DEALREG_BUS` | `embedded`, `kafka` | `embedded` | Where events travel: `embedded` "
        "(a file, no server) or `kafka`. |" in table
    )
    assert "| `DEALREG_REGISTRATION_LIMIT` | whole number | `7` | How many. |" in table
    assert "| `DEALREG_REGISTRATION_PASSWORD` | secret text | none | Say friend. |" in table
    assert "## Shop\n\nA service of these tests." in table
