"""Row disaster: Kafka's data is gone; the archive fills an empty Kafka, and all come out the same."""

import asyncio
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module

from sqlalchemy import select
from typer.testing import CliRunner, Result

from dealreg_coverage.state import canonical_state
from dealreg_devstack import Kafka, Postgres
from tests.faults.installation import SERVICES, Installation, until
from tests.faults.log import AT, file_for, notifier_state
from tests.faults.programme import enrol
from tests.faults.proof import Lab, Outcome, Row


def prove(lab: Lab) -> Outcome:
    """Lose Kafka: in full first with the databases kept, then coverage and notifier lose theirs too."""
    customers = lab.count(12, 2000)
    found: dict[str, str] = {}
    events = 0
    kafka = _started()
    with lab.installation(kafka=kafka) as made:
        try:
            made.start_all()
            secrets = enrol(made, 4)
            _go_on(made, secrets, 0, customers)
            lab.say("  the history is there")
            refused = all(_send_again(made, it).exit_code == 1 for it in SERVICES)
            if lab.full:
                before = _state(made)
                _lose(made, kafka)
                events += sum(_sent_again(made, service) for service in SERVICES)
                kafka = _empty_kafka(made)
                found["with their databases"] = _compared(before, _state(made))
                _go_on(made, secrets, customers, customers + 4)
                lab.say("  an empty Kafka is filled, with the databases as they were")
            before, applied = _state(made), _applied(made)
            _lose(made, kafka)
            with _new_databases(made, lab.postgres):
                events += _sent_again(made, "registration")
                kafka = _empty_kafka(made)
                until(lambda: applied <= _applied(made), "what was applied is applied again", 600)
                found["from empty ones"] = _compared(before, _state(made))
                lab.say("  an empty Kafka and empty databases are filled")
                _go_on(made, secrets, customers + 4, customers + 8)
        finally:
            kafka.stop()
    return Outcome(
        f"{customers} customers; Kafka's data lost {'twice' if lab.full else 'once'}, {events} events "
        "sent again",
        f"{'refused' if refused else 'NOT REFUSED'} while services run; "
        + "; ".join(f"{what} {state}" for what, state in found.items())
        + "; new events applied",
        kept=refused and not any("DIFFERENT" in state for state in found.values()),
    )


ROW = Row(
    "disaster",
    "Kafka's data is gone: the archive fills an empty Kafka",
    "coverage and notifier come out the same, with their databases and without",
    prove,
    ("servers",),
)


def _go_on(made: Installation, secrets: Sequence[str], first: int, last: int) -> None:
    asyncio.run(file_for(made, secrets, range(first, last)))
    made.settle(600)


def _compared(one: Mapping[str, str], other: Mapping[str, str]) -> str:
    return ", ".join(
        f"{name} {'the same' if other[name] == one[name] else 'DIFFERENT'}" for name in one
    )


def _state(made: Installation) -> dict[str, str]:
    """The hashes of coverage's and notifier's state."""
    parts = {
        "coverage": made.read("coverage", lambda conn: canonical_state(conn, AT)),
        "notifier": made.read("notifier", lambda conn: notifier_state(conn, words=False)),
    }
    return {name: hashlib.sha256(state).hexdigest() for name, state in parts.items()}


def _applied(made: Installation) -> set[tuple[str, str, str, int]]:
    """Consumer, topic, key and version that coverage and notifier have applied."""
    return {
        (row.consumer, row.topic, row.key, row.version)
        for service in ("coverage", "notifier")
        for row in made.rows(service, select(made.inbox(service)))
    }


def _lose(made: Installation, kafka: Kafka) -> None:
    """Kill Kafka under running services, stop these, and remove Kafka's data."""
    kafka.kill()
    for process in made.processes:
        if process.running:
            process.stop(60)
    kafka.stop()  # it is temporary: its folder is removed


def _started() -> Kafka:
    kafka = Kafka()
    kafka.start()
    return kafka


def _empty_kafka(made: Installation) -> Kafka:
    """A new Kafka; the services start on it, and carry and apply all there is."""
    made.kafka = kafka = _started()
    made.environment["DEALREG_KAFKA_BOOTSTRAP"] = kafka.bootstrap
    made.processes.clear()
    made.start_all()
    made.settle(600)
    return kafka


def _send_again(made: Installation, service: str) -> Result:
    cli = import_module(f"dealreg_{service}.__main__").cli
    return CliRunner().invoke(cli, ["outbox", "send-again", "--all"], env=made.environment)


def _sent_again(made: Installation, service: str) -> int:
    """Mark all of it, as soon as the leases of whoever was killed are over. How many events."""
    said: list[Result] = []

    def marked() -> bool:
        said.append(_send_again(made, service))
        return said[-1].exit_code == 0

    until(marked, f"{service} may send again", 120)
    return sum(
        int(line.split()[1]) for line in said[-1].output.splitlines() if "will be sent" in line
    )


@contextmanager
def _new_databases(made: Installation, postgres: Postgres | None) -> Iterator[None]:
    """Coverage and notifier on databases that are empty."""
    assert postgres is not None
    names = {service: f"{made.prefix.rstrip('.')}_{service}_new" for service in SERVICES[1:]}
    databases = dict(made.databases)
    for service, name in names.items():
        databases[service] = postgres.create_database(name, name)
        made.environment[f"DEALREG_{service.upper()}_DATABASE_URL"] = databases[service]
    made.databases = databases
    try:
        yield
    finally:
        for process in made.processes:
            if process.running:
                process.stop(60)
        for name in names.values():
            postgres.drop_database(name, name)
