"""What changed between two plans: item by item, field by field, in sentences.

Works on plans in their stored form (``plan_content``): plain values, defaults written out, no people's
names. Must not know storage.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from dealreg_registration.domain.plan_references import KEYS

Item = Mapping[str, Any]

SINGLE = ("programme", "policy")

WORDS: Mapping[str, str] = {
    "programme": "The programme",
    "policy": "The policy",
    "regions": "Region",
    "segments": "Segment",
    "product_lines": "Product line",
    "tiers": "Tier",
    "partners": "Partner",
    "territories": "Territory",
    "assignments": "Assignment",
    "named_accounts": "Named account",
    "region_targets": "Target of region",
    "segment_targets": "Target of segment",
    "market_data": "Market data of",
    "exchange_rates": "Exchange rate of",
    "people": "Person",
}


@dataclass(frozen=True, slots=True)
class FieldChange:
    """``field`` is a dotted path. ``added`` and ``removed`` tell what moved in a plain list."""

    field: str
    before: Any
    after: Any
    added: tuple[Any, ...] = ()
    removed: tuple[Any, ...] = ()

    @property
    def words(self) -> str:
        if self.added or self.removed:
            gained = f"gained {_shown(self.added)}" if self.added else ""
            lost = f"lost {_shown(self.removed)}" if self.removed else ""
            return f"{self.field} {' and '.join(part for part in (gained, lost) if part)}"
        if self.before is None:
            return f"{self.field} is now {_shown(self.after)}"
        if self.after is None:
            return f"{self.field} is no longer given (it was {_shown(self.before)})"
        return f"{self.field} went from {_shown(self.before)} to {_shown(self.after)}"


@dataclass(frozen=True, slots=True)
class ItemChange:
    """One item that was added, removed or changed."""

    section: str
    id: str
    change: Literal["added", "removed", "changed"]
    name: str | None
    fields: tuple[FieldChange, ...] = ()

    @property
    def sentence(self) -> str:
        what = WORDS[self.section]
        if self.section not in SINGLE:
            what += f" {self.id}"
        if self.name is not None and self.name != self.id:
            what += f" ({self.name})"
        if self.change != "changed":
            return f"{what} was {self.change}."
        return f"{what}: {'; '.join(field.words for field in self.fields)}."


def diff_plans(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[ItemChange]:
    """Every change, in the order of the sections, then of ids."""
    for section in WORDS:
        if section in SINGLE:
            fields = tuple(_fields("", before.get(section, {}), after.get(section, {})))
            if fields:
                yield ItemChange(section, section, "changed", None, fields)
            continue
        former = _by_key(section, before)
        latter = _by_key(section, after)
        for key in sorted(former.keys() | latter.keys()):
            old, new = former.get(key), latter.get(key)
            if old == new:
                continue
            name = (new or old or {}).get("name")
            if old is None:
                yield ItemChange(section, key, "added", name)
            elif new is None:
                yield ItemChange(section, key, "removed", name)
            else:
                fields = tuple(_fields("", old, new))
                if fields:
                    yield ItemChange(section, key, "changed", name, fields)


def _by_key(section: str, plan: Mapping[str, Any]) -> dict[str, Item]:
    fields = KEYS.get(section, ("id",))
    return {"/".join(item[name] for name in fields): item for item in plan.get(section, ())}


def _fields(prefix: str, old: Item, new: Item) -> Iterator[FieldChange]:
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name), new.get(name)
        if before == after:
            continue
        path = f"{prefix}{name}"
        if isinstance(before or after, Mapping):
            yield from _fields(f"{path}.", before or {}, after or {})
        elif _plain_list(before) and _plain_list(after):
            # Order means nothing in a plan's lists of plain values.
            former, latter = set(before or ()), set(after or ())
            added = tuple(value for value in after or () if value not in former)
            removed = tuple(value for value in before or () if value not in latter)
            if added or removed:
                yield FieldChange(path, before, after, added, removed)
        else:
            yield FieldChange(path, before, after)


def _plain_list(value: Any) -> bool:
    return value is None or (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and not any(isinstance(item, Mapping) for item in value)
    )


def _shown(value: Any) -> str:
    if value is True or value is False:
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_shown(inner)}" for name, inner in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        shown = ", ".join(
            f"({_shown(item)})" if isinstance(item, Mapping) else _shown(item)
            for item in value[:12]
        )
        return shown if len(value) <= 12 else f"{shown} and {len(value) - 12} more"
    return str(value)
