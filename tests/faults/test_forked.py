"""Processes that a proof forks are processes like others: they answer, die by kill -9, stop, restart."""

import asyncio
import signal
from pathlib import Path

from tests.faults.installation import make_installation, until
from tests.faults.spawner import spawner
from tests.faults.watched import Target, Watched


async def test_one_is_killed_where_it_is_told_to_die_and_comes_back_at_its_address(
    tmp_path: Path,
) -> None:
    died: list[str] = []

    async def note() -> None:
        died.append("here")

    with (
        spawner() as forks,
        make_installation(tmp_path, postgres=None, kafka=None, spawner=forks) as made,
    ):
        target = Target("coverage", "relay.leased", 1, "start")
        watched = Watched(made, "coverage", iter([target]), {}, note)
        watched.start()
        watching = asyncio.create_task(watched.watch())
        await asyncio.to_thread(until, lambda: watched.killed == [target], "it was killed")
        await watched.ready()
        first, second = made.processes
        assert first.popen.returncode == -signal.SIGKILL
        assert (second.url, second.running, died) == (watched.url, True, ["here"])
        await watched.stop()
        await watching
        assert second.popen.returncode == 0
        assert watched.faults == []


def test_what_a_spawner_started_ends_with_it(tmp_path: Path) -> None:
    with (
        spawner() as forks,
        make_installation(tmp_path, postgres=None, kafka=None, spawner=forks) as made,
    ):
        process = made.start("coverage").ready()
        pid = process.popen.pid
    until(lambda: not Path(f"/proc/{pid}").exists(), "it has ended")
