"""Settings from the environment: documented, checked together; a wrong one stops the start.

A settings class is read by ``load`` only, and by nothing at import. What is wrong is said in sentences
that name the variable and what to set instead; the value of a secret is never repeated. Must not know
any service: a service derives its own class from ``SharedSettings``.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar, Union, get_args, get_origin

from pydantic import AfterValidator, Field, SecretStr, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from dealreg_shared.contracts.catalogue import TOPICS
from dealreg_shared.private_files import make_folder

PREFIX = "DEALREG_"

OWNERS = tuple(sorted({topic.owner for topic in TOPICS.values()}))
"""The services. A variable named for another service than ours is that service's affair."""

OUTSIDE = ("auditor", "client", "devstack", "supervisor", "test")
"""Families of variables that belong to what runs beside the services."""


class ConfigurationError(Exception):
    """The settings cannot work. The message is one sentence per fault, ready to be shown."""


def _database_url(value: str) -> str:
    try:
        url = make_url(value)
    except ArgumentError:
        raise ValueError(
            "is no database URL; write sqlite:///path/to/file.db or "
            "postgresql+asyncpg://user:password@host:5432/database"
        ) from None
    if url.get_backend_name() == "postgresql" and url.drivername != "postgresql+asyncpg":
        raise ValueError(
            f"begins with {url.drivername}; write postgresql+asyncpg:// instead, "
            "the only PostgreSQL driver in use here"
        )
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise ValueError(
            f"names a database of kind {url.get_backend_name()}; use sqlite or postgresql+asyncpg"
        )
    if url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:"):
        raise ValueError("must name a file, such as sqlite:///data/registration.db")
    return value


DatabaseUrl = Annotated[str, AfterValidator(_database_url)]
"""A database URL. Its password is masked wherever settings are shown."""


class SharedSettings(BaseSettings):
    """What every service needs to know. Variables are ``DEALREG_`` + the name in capitals."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        extra="ignore",
        frozen=True,
        env_ignore_empty=True,
        hide_input_in_errors=True,
    )

    programme: str = Field(
        "default",
        min_length=1,
        max_length=64,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        description="Id of the partner programme that this installation serves; every event carries it.",
    )
    data_dir: Path = Field(
        Path("data"),
        description="Folder of the SQLite files and of the embedded bus; made when missing, "
        "for its owner alone.",
    )
    bus: Literal["embedded", "kafka"] = Field(
        "embedded",
        description="Where events travel: `embedded` (a file, no server) or `kafka`.",
    )
    bus_path: Path | None = Field(
        None,
        description="File of the embedded bus; without it `bus.db` in the data folder. "
        "Processes on one machine may share it.",
    )
    kafka_bootstrap: str | None = Field(
        None,
        pattern=r"^[^\s,:]+:\d+(,[^\s,:]+:\d+)*$",
        description="Kafka brokers as `host:port,host:port`; required with `bus=kafka`.",
    )
    kafka_replication: int = Field(
        1,
        ge=1,
        le=5,
        description="Copies of each topic, when topics are made here; 3 on a real cluster.",
    )
    database_pool: int = Field(
        5, ge=1, le=50, description="Connections to PostgreSQL per service process."
    )
    http_host: str = Field("127.0.0.1", description="Address to listen on; `0.0.0.0` for all.")
    http_port: int = Field(
        8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one."
    )
    http_max_body: int = Field(
        262_144, ge=1024, le=104_857_600, description="Largest request body accepted, in bytes."
    )
    http_access_log: bool = Field(
        False,
        description="Write one log line per request (costs a few per cent of the throughput).",
    )
    shutdown_seconds: float = Field(
        15.0,
        ge=1,
        le=120,
        description="Longest time between the request to stop and the end of the process.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least grave log lines that are written."
    )
    log_format: Literal["json", "console"] = Field(
        "json", description="`json` for machines, `console` for people at a terminal."
    )
    key_cache_seconds: float = Field(
        3.0,
        ge=0,
        le=300,
        description="How long a service trusts what it read about an API key, in seconds; "
        "a revocation takes at most this long once its event has arrived.",
    )

    @model_validator(mode="after")
    def _together(self) -> Self:
        if self.bus == "kafka" and self.kafka_bootstrap is None:
            raise ValueError(
                "DEALREG_BUS is kafka, so DEALREG_KAFKA_BOOTSTRAP must name the brokers, "
                "such as localhost:9092"
            )
        if self.bus == "embedded" and self.kafka_bootstrap is not None:
            raise ValueError(
                "DEALREG_KAFKA_BOOTSTRAP is set but DEALREG_BUS is embedded; "
                "set DEALREG_BUS=kafka, or unset DEALREG_KAFKA_BOOTSTRAP"
            )
        if self.bus == "kafka" and self.bus_path is not None:
            raise ValueError(
                "DEALREG_BUS_PATH is for the embedded bus only; unset it or set DEALREG_BUS=embedded"
            )
        return self

    @property
    def bus_file(self) -> Path:
        """The embedded bus's file."""
        return self.bus_path or self.data_dir / "bus.db"

    def database_url(self, service: str) -> str:
        """The database of ``service``: its own setting, else an SQLite file in the data folder."""
        given: str | None = getattr(self, f"{service}_database_url", None)
        return given or f"sqlite:///{self.data_dir / service}.db"

    def folders(self) -> Sequence[tuple[str, Path]]:
        """The folders in which files are made, each with the setting that names it."""
        return (("DATA_DIR", self.data_dir), ("BUS_PATH", self.bus_file.parent))

    def prepare(self) -> None:
        """Make the folders that the settings name. Raises ``ConfigurationError`` if it may not."""
        for name, folder in self.folders():
            try:
                make_folder(folder)
            except OSError as error:
                raise ConfigurationError(
                    f"{PREFIX}{name}: the folder {folder} cannot be made ({error.strerror}); "
                    "name one that this user may write to."
                ) from error
            if not os.access(folder, os.W_OK | os.X_OK):
                raise ConfigurationError(
                    f"{PREFIX}{name}: this user may not write to {folder}; "
                    "name another folder or change its owner."
                )

    def shown(self) -> dict[str, str]:
        """Every setting as text, secrets masked: for logs and ``dealreg doctor``."""
        return {name: shown_value(value) for name, value in self}

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        return [(name, _Plain(text)) for name, text in self.shown().items()]


class _Plain(str):
    """Text that shows itself without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def shown_value(value: object) -> str:
    """A setting's value without its secret: passwords inside URLs and ``SecretStr`` become ``***``."""
    if isinstance(value, SecretStr):
        return "***"
    if isinstance(value, str) and "://" in value:
        try:
            return make_url(value).render_as_string(hide_password=True)
        except ArgumentError:
            return value.split("://")[0] + "://***"
    if isinstance(value, bool):
        return str(value).lower()  # as it is written in a variable
    return "" if value is None else str(value)


SettingsT = TypeVar("SettingsT", bound=SharedSettings)


def load(
    settings_class: type[SettingsT],
    *,
    known: Sequence[type[SharedSettings]] = (),
    **values: Any,
) -> SettingsT:
    """Read ``settings_class`` from the environment; ``values`` win over it.

    ``known`` names further classes whose variables may stand in the same environment. Raises
    ``ConfigurationError`` with a sentence for every fault: values out of range, values that contradict
    each other, and ``DEALREG_`` variables that nobody reads (with the nearest that somebody does).
    """
    faults = unknown_variables(os.environ, [settings_class, *known])
    try:
        settings = settings_class(**values)
    except ValidationError as error:
        faults = [_sentence(settings_class, dict(fault)) for fault in error.errors()] + faults
        raise ConfigurationError("\n".join(faults)) from None
    if faults:
        raise ConfigurationError("\n".join(faults))
    return settings


def unknown_variables(
    environment: Mapping[str, str], classes: Sequence[type[SharedSettings]]
) -> list[str]:
    """A sentence for each ``DEALREG_`` variable that none of ``classes`` reads.

    A variable of a service none of whose settings are among ``classes`` is left alone: processes of
    several services may share an environment.
    """
    names = {name for settings_class in classes for name in settings_class.model_fields}
    others = tuple(
        f"{owner}_"
        for owner in (*OWNERS, *OUTSIDE)
        if not any(name.startswith(f"{owner}_") for name in names)
    )
    faults = []
    for variable in sorted(environment):
        if not variable.upper().startswith(PREFIX):
            continue
        name = variable[len(PREFIX) :].lower()
        if name in names or name.startswith(others):
            continue
        near = get_close_matches(name, sorted(names), n=1, cutoff=0.6)
        hint = f"did you mean {PREFIX}{near[0].upper()}?" if near else "unset it."
        faults.append(f"{variable}: no setting has this name; {hint}")
    return faults


def _sentence(settings_class: type[SharedSettings], fault: dict[str, Any]) -> str:
    message = str(fault["msg"]).removeprefix("Value error, ")
    if not fault["loc"]:
        return f"{message}."
    name = str(fault["loc"][0])
    field = settings_class.model_fields.get(name)
    about = f" ({field.description.rstrip('.')})" if field and field.description else ""
    return f"{PREFIX}{name.upper()}: {message[:1].lower()}{message[1:]}.{about}"


def docs_table(classes: Sequence[type[SharedSettings]]) -> str:
    """Markdown with every setting of ``classes``: variable, what it takes, default, meaning."""
    lines = [
        "# Settings",
        "",
        "Every setting is an environment variable. "
        "A wrong one stops the start with a sentence that says what to set.",
        "",
    ]
    seen: set[str] = set()
    for settings_class in classes:
        rows = [
            _row(name, field)
            for name, field in settings_class.model_fields.items()
            if name not in seen
        ]
        seen.update(settings_class.model_fields)
        if not rows:
            continue
        summary = (settings_class.__doc__ or "").strip().splitlines()[0]
        title = settings_class.__name__.removesuffix("Settings")
        lines += [f"## {title}", "", summary, ""]
        lines += ["| variable | takes | default | meaning |", "|---|---|---|---|", *rows, ""]
    return "\n".join(lines)


def _row(name: str, field: FieldInfo) -> str:
    default = "required" if field.is_required() else shown_value(field.get_default())
    cells = (
        f"`{PREFIX}{name.upper()}`",
        _takes(field.annotation),
        f"`{default}`" if default else "none",
        field.description or "",
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _takes(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(annotation))
    arguments = [part for part in get_args(annotation) if part is not type(None)]
    if get_origin(annotation) is Annotated:
        return _takes(arguments[0])
    if arguments and (get_origin(annotation) is Union or type(annotation).__name__ == "UnionType"):
        return " or ".join(_takes(part) for part in arguments)
    names = {
        str: "text",
        int: "whole number",
        float: "number",
        bool: "`true` or `false`",
        Path: "path",
        SecretStr: "secret text",
    }
    return names.get(annotation, getattr(annotation, "__name__", str(annotation)))
