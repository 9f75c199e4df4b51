"""Reads the files that people write: plans and deals, in YAML or JSON. Says where a fault lies."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from dealreg_registration.domain.plan_fault import Fault
from dealreg_registration.plan_validation import PlanReport, validate_plan
from dealreg_registration.plan_yaml import Unreadable as UnreadableText
from dealreg_registration.plan_yaml import read_text
from dealreg_shared.contracts.plan_document import PlanDocument


class Unreadable(Exception):
    """The file cannot be used. The message has a line for each fault, with its path in the document."""


def read(path: Path) -> Any:
    """The file's content as plain values. Raises ``Unreadable``."""
    try:
        content, faults = read_text(_bytes(path))
    except UnreadableText as unreadable:
        raise Unreadable("\n".join(lines(path, unreadable.faults))) from None
    if faults:
        raise Unreadable("\n".join(lines(path, faults)))
    return content


def check_plan(
    path: Path, *, people: Collection[str] = (), erased: Collection[str] = ()
) -> PlanReport:
    """Everything that is wrong with the plan in ``path``. ``people`` are on record with name and
    address, ``erased`` were. Raises ``Unreadable`` if there is no file."""
    return validate_plan(_bytes(path), people=people, erased=erased)


def read_plan(
    path: Path, *, people: Collection[str] = (), erased: Collection[str] = ()
) -> PlanDocument:
    """The plan in ``path``, checked as for publication. Raises ``Unreadable`` naming every fault."""
    report = check_plan(path, people=people, erased=erased)
    if report.document is None:
        raise Unreadable("\n".join(lines(path, report.faults)))
    return report.document


def lines(path: Path, faults: Any) -> list[str]:
    """A line for each fault: file, path in the document, what is wrong, what is allowed."""
    return [line(path, fault) for fault in faults]


def line(path: Path, fault: Fault) -> str:
    allowed = f" Allowed: {fault.allowed}." if fault.allowed else ""
    return f"{path}: {fault.path or '/'}: {fault.sentence}{allowed}"


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Unreadable(f"{path}: {error.strerror}") from error
