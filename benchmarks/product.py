"""The product as it is measured: registration's own composition root, a small plan, ten partners.

Events go to the outbox in the deciding transaction. The relay that carries them to the bus runs only
where a row says so: pgbench and the no-op have nothing like it.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, update

from benchmarks.load import STATES
from dealreg_registration import tables
from dealreg_registration.app import build
from dealreg_registration.settings import RegistrationSettings
from dealreg_shared.auth import keys
from dealreg_shared.auth.access import put_access
from dealreg_shared.bus.embedded import EmbeddedBus
from dealreg_shared.contracts.people import AccessKeyUpdated
from dealreg_shared.db.engine import utc_now
from dealreg_shared.runtime import Service

PARTNERS = tuple(f"partner{number}" for number in range(10))


@dataclass(frozen=True, slots=True)
class Product:
    """A migrated and seeded service, and its partners' API keys."""

    service: Service
    keys: tuple[str, ...]


async def prepare(folder: Path, database_url: str | None) -> Product:
    """Build, migrate and seed. ``database_url`` None is a SQLite file in ``folder``."""
    database: dict[str, Any] = {"registration_database_url": database_url} if database_url else {}
    settings = RegistrationSettings(data_dir=folder, **database)
    service = build(settings, bus=EmbeddedBus(folder / "bus.db"), now=utc_now)
    await service.migrate()
    made = {partner: keys.new_key() for partner in PARTNERS}

    def seed(conn: Connection) -> None:
        start = utc_now() - timedelta(days=1)
        conn.execute(
            insert(tables.plan),
            {
                "number": 1,
                "in_force_from": start,
                "published_at": start,
                "published_by": "benchmark",
                "content_hash": "benchmark",
                "parts": 1,
                "document": json.dumps(plan()),
            },
        )
        conn.execute(update(tables.programme_state).values(version=1, last_plan_number=1))
        for partner, (key_id, _, key_hash) in made.items():
            put_access(
                conn,
                AccessKeyUpdated(
                    key_id=key_id,
                    key_hash=key_hash,
                    role="partner",
                    partner_id=partner,
                    person_id=None,
                    expires_at=datetime(2099, 1, 1, tzinfo=UTC),
                    requests_per_minute=100_000,
                ),
            )

    await service.database.write(seed)
    return Product(service, tuple(secret for _, secret, _ in made.values()))


def plan() -> dict[str, Any]:
    """Four states with two or three of the ten partners each, and one partner for the whole country."""
    return {
        "schema": "dealreg.plan/1",
        "programme": {"name": "Benchmark", "time_zone": "UTC", "currency": "USD"},
        "segments": [
            {"id": "smb", "name": "SMB", "employees_from": 1, "employees_to": 100},
            {"id": "mid", "name": "Mid-market", "employees_from": 101, "employees_to": 1000},
        ],
        "regions": [{"id": "na", "name": "North America", "countries": ["US", "CA"]}],
        "product_lines": [
            {"id": "platform", "name": "Platform"},
            {"id": "backup", "name": "Backup"},
        ],
        "tiers": [{"id": "gold", "name": "Gold", "rank": 1}],
        "partners": [{"id": p, "name": p.title(), "tier": "gold"} for p in PARTNERS],
        "territories": [
            *(
                {"id": state.lower(), "name": state, "match": {"subdivisions": [state]}}
                for state in STATES
            ),
            {"id": "us", "name": "United States", "match": {"countries": ["US"]}},
        ],
        "assignments": [
            {"id": "country", "territory": "us", "partner": PARTNERS[-1]},
            *(
                {
                    "id": f"state{number}",
                    "territory": STATES[number % len(STATES)].lower(),
                    "partner": partner,
                    "role": "primary" if number < len(STATES) else "secondary",
                }
                for number, partner in enumerate(PARTNERS)
            ),
        ],
        "people": [
            {"id": "pm", "roles": ["partner_manager"]},
            {"id": "vp", "roles": ["vp"]},
            {"id": "ceo", "roles": ["ceo"]},
        ],
    }
