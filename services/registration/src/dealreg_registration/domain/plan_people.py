"""Checks of a plan's people: the ladder is complete, all can be reached, nobody erased comes back."""

from collections.abc import Iterator

from dealreg_registration.domain.plan_fault import Fault, join, warning
from dealreg_registration.domain.plan_partial import unsure
from dealreg_registration.domain.plan_tree import Known, PlanTree, listing

STAFF_ROLES = frozenset({"partner_manager", "vp", "ceo", "reviewer", "direct_owner"})


def check_people(tree: PlanTree, known: Known) -> Iterator[Fault]:
    """All of this module's checks."""
    for path, person in tree.items("people", "id"):
        id_, roles = person["id"], set(listing(person, "roles"))
        if id_ in known.erased:
            yield Fault(
                join(path, "id"),
                "person_erased",
                f"The person `{id_}` was erased.",
                "an id that was never given to anyone else",
            )
        if not roles and not unsure(person, "roles"):
            yield Fault(join(path, "roles"), "no_role", f"`{id_}` has no role.", "one role or more")
        for name in ("name", "email"):
            absent = person.get(name) is None and not unsure(person, name)
            if absent and id_ not in known.people and not unsure(person, "roles"):
                if roles & STAFF_ROLES:
                    yield Fault(
                        join(path, name),
                        "required",
                        f"`{name}` is required for `{id_}`, who is on the vendor's staff.",
                        "may be left out once an earlier plan gave it",
                    )
                elif name == "email":
                    yield warning(path, "not_reachable", f"`{id_}` has no address to write to.")
        contact = "partner_contact" in roles and not unsure(person, "partner")
        if contact and person.get("partner") is None:
            yield Fault(
                join(path, "partner"),
                "required",
                f"`partner` is required for `{id_}`, who is a partner's contact.",
                "a partner's id",
            )
        if "partner_contact" in roles and roles & STAFF_ROLES:
            yield Fault(
                join(path, "roles"),
                "both_sides",
                f"`{id_}` cannot be a partner's contact and on the vendor's staff.",
                "roles of one side",
            )
        manages = listing(person, "manages") and not unsure(person, "roles")
        if manages and "partner_manager" not in roles:
            yield warning(
                join(path, "manages"), "manages_nothing", f"`{id_}` is no partner_manager."
            )
    yield from _ladder(tree)


def _ladder(tree: PlanTree) -> Iterator[Fault]:
    holders: dict[str, list[str]] = {"vp": [], "ceo": [], "partner_manager": []}
    for path, person in tree.items("people"):
        for role in listing(person, "roles"):
            of_markets = listing(person, "manages") or unsure(person, "manages")
            if role in holders and not (role == "partner_manager" and of_markets):
                holders[role].append(path)
    complete = tree.complete("people", "roles", "manages")
    for role, what in (
        ("vp", "a VP Partnerships"),
        ("ceo", "a CEO"),
        ("partner_manager", "a partner manager of the programme, who `manages` no single market"),
    ):
        if not holders[role] and complete:
            yield Fault(
                "/people",
                "ladder_incomplete",
                f"The plan names no {what.partition(' ')[2]}; conflicts go up to one.",
                f"one person with the role {role}",
            )
        for path in holders[role][1:]:
            if role == "partner_manager":
                yield warning(
                    path,
                    "second_programme_manager",
                    f"The programme's partner manager is {holders[role][0]}; this one gets nothing.",
                )
            else:
                yield Fault(
                    join(path, "roles"),
                    "second_of_its_kind",
                    f"{holders[role][0]} has the role {role} already.",
                    f"one person with the role {role}",
                )
