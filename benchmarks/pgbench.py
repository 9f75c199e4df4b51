"""The database ceiling: PostgreSQL's own pgbench runs the whole registration as one function per call.

The texts that the function stores (facts, inputs, result, event, answer) are taken from a registration
that the product itself has just written, so both write the same amount.
"""

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy import Connection, select, text
from sqlalchemy.engine import make_url

from dealreg_devstack import DevstackUnavailable, Postgres
from dealreg_devstack.postgres_programs import find_programs
from dealreg_registration import tables
from dealreg_shared.db import Database

FUNCTION = Path(__file__).with_name("pgbench.sql")
SCRIPT = """
\\set number random(1, 1000000000)
\\set again random(1, 1000000000)
\\set partner random(0, 9)
SELECT bench_register('p' || :number || 'x' || :again, 'partner' || :partner,
                      :number || '-' || :again || '-' || :client_id);
"""


@dataclass(frozen=True, slots=True)
class Ceiling:
    """A database with the product's tables and the function."""

    server: Postgres
    url: str
    folder: Path

    def run(self, clients: int, seconds: int) -> float:
        """Registrations per second with ``clients`` connections. Raises if a call failed."""
        url = make_url(self.url)
        script = self.folder / "registration.pgbench"
        script.write_text(SCRIPT)
        done = subprocess.run(
            [
                find_pgbench(), "--no-vacuum", f"--client={clients}",
                f"--jobs={min(clients, 2)}", f"--time={seconds}", "--protocol=prepared",
                f"--file={script}", "--host=127.0.0.1", f"--port={url.port}",
                f"--username={url.username}", str(url.database),
            ],
            env={"PGPASSWORD": str(url.password)},
            capture_output=True,
            text=True,
            check=False,
        )  # fmt: skip
        rate = re.search(r"tps = ([\d.]+) \(without initial", done.stdout)
        if done.returncode or rate is None:
            raise RuntimeError(f"pgbench: {done.stdout}{done.stderr}")
        return float(rate[1])


def find_pgbench() -> Path:
    """pgbench of the server in use, else of any installed one. Raises ``DevstackUnavailable``."""
    programs = find_programs()
    if (programs.folder / "pgbench").is_file():
        return programs.folder / "pgbench"
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (folder / "pgbench").is_file():
            return folder / "pgbench"
    raise DevstackUnavailable(
        "pgbench is not part of the PostgreSQL wheel: install PostgreSQL's client programs "
        "(Debian: postgresql-contrib) to compare with it."
    )


async def prepare(server: Postgres, url: str, folder: Path) -> Ceiling:
    """Create the function in ``url``'s database, which the product has migrated and written to."""
    texts = await _texts(url)
    statements = [
        re.sub(
            r":'(\w+)'",
            lambda name: "'" + texts[name[1]].replace("'", "''") + "'",
            FUNCTION.read_text(),
        )
    ]
    url_ = make_url(url)
    role = str(url_.username)
    server.sql(f"SET ROLE {role};" + "\n".join(statements), database=str(url_.database))
    return Ceiling(server, url, folder)


def _text(conn: Connection, query: str, of: Mapping[str, str]) -> str:
    used = {key: value for key, value in of.items() if f":{key}" in query}
    return str(conn.execute(text(query), used).scalar_one())


async def _texts(url: str) -> dict[str, str]:
    """The stored texts of one registration that was protected, as they stand in the rows."""
    database = Database(url)
    try:
        registration = await database.read(
            lambda conn: conn.execute(
                select(tables.claim.c.registration_id, tables.claim.c.account_id)
                .where(tables.claim.c.state == "protected")
                .limit(1)
            ).one()
        )
        of = {"registration": registration.registration_id, "account": registration.account_id}
        queries = {
            "facts": "SELECT facts FROM account WHERE id = :account",
            "sources": "SELECT sources FROM account WHERE id = :account",
            "reasons": "SELECT reasons FROM claim WHERE registration_id = :registration LIMIT 1",
            "inputs": "SELECT inputs FROM decision WHERE registration_id = :registration LIMIT 1",
            "result": "SELECT result FROM decision WHERE registration_id = :registration LIMIT 1",
            "audit_filed": "SELECT detail FROM audit WHERE subject = :registration "
            "AND action = 'registration.filed'",
            "audit_claim": "SELECT detail FROM audit WHERE subject = :registration "
            "AND action LIKE 'claim.%' LIMIT 1",
            "event": "SELECT body FROM outbox WHERE key = :account ORDER BY version LIMIT 1",
            "answer": "SELECT convert_from(body, 'UTF8') FROM idempotency "
            "WHERE position(:registration in convert_from(body, 'UTF8')) > 0 LIMIT 1",
        }
        return {
            name: await database.read(partial(_text, query=query, of=of))
            for name, query in queries.items()
        }
    finally:
        await database.dispose()
