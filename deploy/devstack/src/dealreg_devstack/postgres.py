"""A PostgreSQL server of one's own: made, started, stopped and broken on purpose.

It must not know any service: it hands out databases, whoever asks.
"""

import re
import secrets
import shutil
import signal
from pathlib import Path
from typing import ClassVar

from dealreg_devstack.errors import DevstackFailed
from dealreg_devstack.postgres_programs import PostgresPrograms, find_programs
from dealreg_devstack.privileges import new_folder, server_folder
from dealreg_devstack.processes import (
    OwnProcess,
    eventually,
    free_port,
    is_zombie,
    last_words,
    run,
)
from dealreg_devstack.server import OwnServer
from dealreg_devstack.statefile import read_state, write_state

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_FAST_AND_FORGETFUL = ("fsync = off", "synchronous_commit = off", "full_page_writes = off")


class Postgres(OwnServer):
    """One PostgreSQL server on 127.0.0.1, with a role and a password for each database.

    With no `folder` the server is temporary: `stop` removes its data. With `fsync` off a crash
    of the machine may lose data; keep it on wherever durability is claimed.
    """

    prefix: ClassVar[str] = "dealreg-postgres-"

    def __init__(self, folder: Path | None = None, *, fsync: bool = True) -> None:
        super().__init__(folder)
        self.fsync = fsync
        self.port = 0
        self._superuser_password = ""
        self._made = False
        self._sockets = Path()
        self._programs: PostgresPrograms | None = None
        self._process: OwnProcess | None = None

    @property
    def running(self) -> bool:
        """Whether the server that was started from this folder is alive."""
        return self._process is not None and self._process.alive()

    @property
    def admin_url(self) -> str:
        """The superuser's URL, for asyncpg through SQLAlchemy; database `postgres`."""
        return self._url("postgres", "postgres", self._superuser_password)

    @property
    def log(self) -> Path:
        """The server's log."""
        return self._place("server") / "log"

    @property
    def version(self) -> int:
        """The server's major version."""
        return self._found_programs().major

    def stop(self) -> None:
        """Stop the server by its own process id; remove its data if it is temporary."""
        if self._process is None:
            self._recall()
        if self._process is not None:
            self._process.signal(signal.SIGCONT)
            self._process.signal(signal.SIGINT)  # PostgreSQL's fast shutdown
            process = self._process
            if not eventually(lambda: not process.alive(), within=20):
                process.kill()
            self._process = None
        self._remove_sockets()
        if self._temporary and self.folder is not None:
            shutil.rmtree(self.folder)
            self.folder = None

    def kill(self) -> None:
        """Kill the server and all its processes at once, as a power cut would."""
        self._owned().kill()

    def stop_immediately(self, *, patience: float = 20) -> None:
        """As `pg_ctl stop -m immediate`: every process gives up at once, nothing is written back."""
        process = self._owned()
        process.signal(signal.SIGQUIT)
        if not eventually(lambda: not process.alive(), within=patience):
            process.kill()

    def restart(self) -> None:
        """Start again on the same port after `kill`, or stop and start."""
        if self.running:
            process = self._owned()
            process.signal(signal.SIGINT)
            if not eventually(lambda: not process.alive(), within=20):
                process.kill()
        self._start_server(port=self.port)

    def sql(self, statements: str, *, database: str = "postgres") -> str:
        """Run SQL as the superuser; the rows' fields are separated by `|`."""
        command: list[str | Path] = [
            self._found_programs()["psql"], "--no-psqlrc", "--quiet", "--no-align",
            "--tuples-only", "--set=ON_ERROR_STOP=1", f"--host={self._sockets}",
            f"--port={self.port}", "--username=postgres", f"--dbname={database}",
        ]  # fmt: skip
        return run(command, stdin=statements).strip()

    def create_database(self, name: str, role: str, *, keep: bool = False) -> str:
        """A database and the role that owns it; no other role may connect to it.

        The role is given a new password. With `keep` an existing database is left as it is.
        Returns the URL, `postgresql+asyncpg://role:password@127.0.0.1:port/name`.
        """
        _require_name(name)
        _require_name(role)
        password = secrets.token_urlsafe(18)
        if self.sql(f"SELECT 1 FROM pg_roles WHERE rolname = '{role}'"):
            self.sql(f"ALTER ROLE {role} LOGIN PASSWORD '{password}'")
        else:
            self.sql(f"CREATE ROLE {role} LOGIN PASSWORD '{password}'")
        if not keep or not self.sql(f"SELECT 1 FROM pg_database WHERE datname = '{name}'"):
            self.sql(
                f"CREATE DATABASE {name} OWNER {role} TEMPLATE template0;"
                f"REVOKE ALL ON DATABASE {name} FROM PUBLIC"
            )
        return self._url(name, role, password)

    def drop_database(self, name: str, role: str | None = None) -> None:
        """Drop a database, ending its connections, and the role if one is named."""
        _require_name(name)
        self.sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        if role is not None:
            _require_name(role)
            self.sql(f"DROP ROLE IF EXISTS {role}")

    def _bring_up(self) -> None:
        self._make_cluster()
        self._start_server()

    def _make_cluster(self) -> None:
        programs = self._found_programs()
        server_folder(self._place("server"))
        data = self._place("data")
        if self._made:
            made_by = int((data / "PG_VERSION").read_text())
            if made_by != programs.major:
                raise DevstackFailed(
                    f"{data} was made by PostgreSQL {made_by}, and {programs.folder} is "
                    f"{programs.major}: remove {self.folder} or name the old one."
                )
            return
        if data.exists() and not self._superuser_password:
            raise DevstackFailed(f"{self.folder} has data and no server.json: remove the folder.")
        shutil.rmtree(data, ignore_errors=True)  # what an interrupted initdb left
        self._superuser_password = secrets.token_urlsafe(18)
        self._remember()
        server_folder(data)
        run(
            [
                programs["initdb"], "-D", data, "-U", "postgres", "-E", "UTF8", "--locale=C",
                "--no-sync", "--auth-local=trust", "--auth-host=scram-sha-256",
            ]
        )  # fmt: skip
        with (data / "postgresql.conf").open("a") as file:
            file.write("\ninclude 'devstack.conf'\n")
        self._made = True
        self._remember()

    def _start_server(self, port: int = 0) -> None:
        for attempt in (1, 2, 3):
            self.port = port or free_port()
            self._remove_sockets()
            # A folder of its own, new each time: the path of a socket may not be longer than 103
            # bytes, and a killed server leaves a lock beside its socket.
            self._sockets = server_folder(new_folder("dlrg-"))
            self._write_settings()
            self.log.unlink(missing_ok=True)
            try:
                self._launch()
            except DevstackFailed:
                taken = "Address already in use" in last_words(self.log, lines=20)
                if port or attempt == 3 or not taken:
                    raise
            else:
                return

    def _remove_sockets(self) -> None:
        if self._sockets != Path():
            shutil.rmtree(self._sockets, ignore_errors=True)
            self._sockets = Path()

    def _launch(self) -> None:
        data = self._place("data")
        # PostgreSQL takes a killed server that nobody has reaped yet for a running one.
        lock = data / "postmaster.pid"
        if lock.exists() and is_zombie(int(lock.read_text().splitlines()[0])):
            lock.unlink()
        programs = self._found_programs()
        try:
            run([programs["pg_ctl"], "-D", data, "-w", "-t", "60", "-l", self.log, "start"])
        except DevstackFailed as error:
            raise DevstackFailed(
                f"PostgreSQL did not start: {last_words(self.log)} (log: {self.log})"
            ) from error
        pid = int((data / "postmaster.pid").read_text().splitlines()[0])
        self._process = OwnProcess.of(pid, str(data))
        self.sql(f"ALTER ROLE postgres PASSWORD '{self._superuser_password}'")
        self._remember()

    def _write_settings(self) -> None:
        lines = [
            f"port = {self.port}",
            "listen_addresses = '127.0.0.1'",
            f"unix_socket_directories = '{self._sockets}'",
            "max_connections = 300",
            "timezone = 'UTC'",
            *(() if self.fsync else _FAST_AND_FORGETFUL),
        ]
        file = self._place("data") / "devstack.conf"
        file.write_text("\n".join(lines) + "\n")
        file.chmod(0o644)  # within a folder that only the server may enter

    def _remember(self) -> None:
        write_state(
            self._place("server.json"),
            {
                "made": self._made,
                "port": self.port,
                "fsync": self.fsync,
                "sockets": str(self._sockets),
                "programs": str(self._found_programs().folder),
                "major": self._found_programs().major,
                "superuser_password": self._superuser_password,
                "process": self._process.to_state() if self._process else None,
            },
        )

    def _recall(self) -> None:
        state = read_state(self._place("server.json")) if self.folder else None
        if state is None:
            return
        self._made, self._superuser_password = state["made"], state["superuser_password"]
        self._sockets = Path(state["sockets"])
        process = OwnProcess.from_state(state["process"]) if state["process"] else None
        if process is None or not process.alive():
            return
        self._process = process
        self.port, self.fsync = state["port"], state["fsync"]
        self._programs = PostgresPrograms(Path(state["programs"]), state["major"])

    def _found_programs(self) -> PostgresPrograms:
        if self._programs is None:
            self._programs = find_programs()
        return self._programs

    def _owned(self) -> OwnProcess:
        if self._process is None:
            raise DevstackFailed("PostgreSQL is not started.")
        return self._process

    def _place(self, name: str) -> Path:
        if self.folder is None:
            raise DevstackFailed("PostgreSQL is not started.")
        return self.folder / name

    def _url(self, database: str, role: str, password: str) -> str:
        return f"postgresql+asyncpg://{role}:{password}@127.0.0.1:{self.port}/{database}"


def _require_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"Database or role name {name!r}: small letters, digits and _ only, at most 63."
        )
