"""The import rules hold, and each one is broken by the breach planted for it."""

import configparser
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONFIG = ".importlinter"
PACKAGES = [
    path
    for source in (*ROOT.glob("services/*/src"), *ROOT.glob("deploy/*/src"), ROOT / "shared/src")
    for path in source.iterdir()
    if path.is_dir() and path.name.startswith("dealreg")
]

BREACHES = [
    ("services", "dealreg_notifier/planted.py", "import dealreg_coverage.domain"),
    ("services", "dealreg_coverage/planted.py", "import dealreg_registration"),
    ("services", "dealreg_registration/planted.py", "from dealreg_notifier import settings"),
    ("house", "dealreg_shared/ids.py", "import dealreg_registration"),
    ("house", "dealreg_coverage/planted.py", "import dealreg.compose"),
    ("composition-roots", "dealreg/planted.py", "from dealreg_registration.writer import *"),
    ("composition-roots", "dealreg/planted.py", "from dealreg_notifier import tables"),
    ("devstack-knows-nobody", "dealreg_devstack/planted.py", "import dealreg_shared.config"),
    ("devstack-is-optional", "dealreg_shared/db/engine.py", "import dealreg_devstack"),
    ("devstack-is-optional", "dealreg_notifier/planted.py", "import dealreg_devstack"),
    ("domain", "dealreg_registration/domain/planted.py", "import time"),
    ("domain", "dealreg_registration/domain/planted.py", "from random import choice"),
    ("domain", "dealreg_registration/domain/planted.py", "import uuid"),
    ("domain", "dealreg_coverage/domain/planted.py", "import logging"),
    ("domain", "dealreg_coverage/domain/planted.py", "from pathlib import Path"),
    ("domain", "dealreg_coverage/domain/planted.py", "import pydantic"),
    ("domain", "dealreg_notifier/domain/planted.py", "import asyncio"),
    ("domain", "dealreg_notifier/domain/planted.py", "from dealreg_shared.contracts import base"),
    ("domain", "dealreg_notifier/domain/planted.py", "from dealreg_notifier import tables"),
    ("ladder", "dealreg_shared/ladder.py", "import pydantic"),
    ("ladder", "dealreg_shared/ladder.py", "from dealreg_shared import ids"),
    ("contracts", "dealreg_shared/contracts/planted.py", "import sqlalchemy"),
    ("contracts", "dealreg_shared/contracts/planted.py", "from dealreg_shared import ids"),
    ("shared", "dealreg_shared/config.py", "import dealreg_shared.db"),
    ("shared", "dealreg_shared/web/etag.py", "import dealreg_shared.auth.keys"),
    ("shared", "dealreg_shared/planted.py", "x = 1"),
    ("shared", "dealreg_shared/outbox/planted.py", "import dealreg_shared.inbox"),
    ("one-way", "dealreg_registration/store.py", "import dealreg_registration.api.errors"),
    ("one-way", "dealreg_coverage/tables.py", "import dealreg_coverage.store"),
    ("one-way", "dealreg_notifier/handlers/planted.py", "import dealreg_notifier.app"),
    ("aiokafka", "dealreg_shared/bus/factory.py", "import aiokafka"),
    ("aiokafka", "dealreg_notifier/planted.py", "from aiokafka import AIOKafkaProducer"),
    ("apscheduler", "dealreg_shared/runtime.py", "import apscheduler"),
    ("apscheduler", "dealreg_notifier/planted.py", "from apscheduler.triggers import cron"),
    ("httptools", "dealreg_notifier/planted.py", "import httptools"),
    ("fastapi", "dealreg_shared/runtime.py", "import fastapi"),
    ("fastapi", "dealreg_registration/store.py", "from fastapi import Depends"),
]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All packages side by side, with the rules."""
    folder = tmp_path_factory.mktemp("packages")
    for package in PACKAGES:
        shutil.copytree(
            package,
            folder / package.name,
            ignore=shutil.ignore_patterns("__pycache__", "static", "data", "versions"),
        )
    for name in (CONFIG, "tests/architecture/allowed_imports.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    return folder


@contextmanager
def planted(file: Path, line: str) -> Iterator[None]:
    """``file`` with ``line`` at its end, for the time of the context."""
    before = file.read_text() if file.exists() else None
    file.write_text(f"{before or ''}\n{line}\n")
    try:
        yield
    finally:
        if before is None:
            file.unlink()
        else:
            file.write_text(before)


def lint(folder: Path, *arguments: str) -> tuple[int, str]:
    """Run import-linter on the packages found in ``folder`` first; exit code and output."""
    done = subprocess.run(
        [
            Path(sys.executable).with_name("lint-imports"),
            "--no-cache",
            "--no-logo",
            "--config",
            CONFIG,
            *arguments,
        ],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout + done.stderr


def test_the_rules_hold(copy: Path) -> None:
    code, output = lint(copy)

    assert code == 0, output


def test_every_rule_has_a_breach() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / CONFIG)
    rules = {
        section.removeprefix("importlinter:contract:")
        for section in config.sections()
        if section.startswith("importlinter:contract:")
    }

    assert rules == {rule for rule, _, _ in BREACHES}


@pytest.mark.parametrize(
    ("rule", "file", "line"), BREACHES, ids=[f"{rule}-{line}" for rule, _, line in BREACHES]
)
def test_a_planted_breach_is_found(rule: str, file: str, line: str, copy: Path) -> None:
    with planted(copy / file, line):
        code, output = lint(copy, "--contract", rule)

    assert code == 1, output
    assert "Contracts: 0 kept, 1 broken." in output
    assert file.removesuffix(".py").replace("/", ".") in output
