"""Checks of a plan's geography: codes exist, regions are disjoint, a territory can match something."""

from collections.abc import Iterator

from dealreg_registration.domain.plan_fault import Fault, join, nearest, warning
from dealreg_registration.domain.plan_partial import unsure
from dealreg_registration.domain.plan_tree import Item, Known, PlanTree, listing


def check_places(tree: PlanTree, known: Known) -> Iterator[Fault]:
    """All of this module's checks."""
    for path, region in tree.items("regions"):
        yield from _codes(path, region, known)
        given = listing(region, "countries") or listing(region, "subdivisions")
        if not given and not unsure(region, "countries", "subdivisions"):
            yield warning(path, "empty_region", f"Region `{region.get('id')}` has no countries.")
    yield from _disjoint(tree)
    for path, territory in tree.items("territories"):
        matched = territory.get("match")
        if matched:
            yield from _codes(join(path, "match"), matched, known)
            yield from _prefixed(join(path, "match"), matched, known)
            yield from _possible(path, str(territory.get("id")), matched, tree)
    for path, partner in tree.items("partners"):
        for index, site in enumerate(listing(partner, "sites")):
            yield from _place(join(path, "sites", index), site, known)
    for path, account in tree.items("named_accounts"):
        yield from _place(path, account, known)


def _codes(path: str, item: Item, known: Known) -> Iterator[Fault]:
    for index, code in enumerate(listing(item, "countries")):
        if code not in known.countries:
            yield _no_country(join(path, "countries", index), code)
    for index, code in enumerate(listing(item, "subdivisions")):
        if code not in known.subdivisions:
            yield _no_subdivision(join(path, "subdivisions", index), code, known)


def _prefixed(path: str, item: Item, known: Known) -> Iterator[Fault]:
    for name in ("postal_prefixes", "cities"):
        for index, text in enumerate(listing(item, name)):
            country, colon, rest = text.partition(":")
            if not colon or not rest.strip():
                yield Fault(
                    join(path, name, index),
                    "bad_format",
                    f"`{text}` names no country before a colon.",
                    "country, colon, city: DE:Berlin",
                )
            elif country not in known.countries:
                yield _no_country(join(path, name, index), country)


def _place(path: str, item: Item, known: Known) -> Iterator[Fault]:
    country, subdivision = item.get("country"), item.get("subdivision")
    if country is not None and country not in known.countries:
        yield _no_country(join(path, "country"), country)
    if subdivision is None:
        return
    if subdivision not in known.subdivisions:
        yield _no_subdivision(join(path, "subdivision"), subdivision, known)
    elif country is not None and not subdivision.startswith(f"{country}-"):
        yield Fault(
            join(path, "subdivision"),
            "subdivision_elsewhere",
            f"`{subdivision}` does not lie in `{country}`.",
            f"a subdivision of {country}",
        )


def _no_country(path: str, code: str) -> Fault:
    return Fault(
        path,
        "unknown_country",
        f"`{code}` is no country.",
        "an ISO 3166-1 alpha-2 code that exists, such as US",
    )


def _no_subdivision(path: str, code: str, known: Known) -> Fault:
    near = nearest(code, [other for other in known.subdivisions if other[:2] == code[:2]])
    return Fault(
        path,
        "unknown_subdivision",
        f"`{code}` is no subdivision." + (f" Did you mean `{near}`?" if near else ""),
        "an ISO 3166-2 code that exists, such as US-CA",
    )


def _disjoint(tree: PlanTree) -> Iterator[Fault]:
    """No place in two regions; a country is whole in one region, or divided among several."""
    countries: dict[str, str] = {}
    subdivisions: dict[str, str] = {}
    for section, name in ((countries, "countries"), (subdivisions, "subdivisions")):
        for path, region in tree.items("regions", "id"):
            for index, code in enumerate(listing(region, name)):
                other = section.setdefault(code, region["id"])
                if other != region["id"]:
                    yield Fault(
                        join(path, name, index),
                        "regions_overlap",
                        f"`{code}` belongs to region `{other}` already.",
                        "each place in one region",
                    )
    for path, region in tree.items("regions", "id"):
        for index, code in enumerate(listing(region, "subdivisions")):
            whole = countries.get(code[:2])
            place = join(path, "subdivisions", index)
            if whole == region["id"]:
                yield warning(
                    place, "repeated_value", f"`{code[:2]}` is in this region as a whole already."
                )
            elif whole is not None:
                yield Fault(
                    place,
                    "regions_overlap",
                    f"`{code}` is a part of `{code[:2]}`, which is in region `{whole}` as a whole.",
                    f"list the subdivisions of {code[:2]} in both regions",
                )


def _possible(path: str, id_: str, matched: Item, tree: PlanTree) -> Iterator[Fault]:
    """The dimensions of place are joined by "and": they must be able to hold together."""
    countries = set(listing(matched, "countries"))
    for name in ("subdivisions", "postal_prefixes", "cities"):
        codes = listing(matched, name)
        if codes and countries and not any(code[:2] in countries for code in codes):
            yield _nothing(path, id_, f"none of its `{name}` lies in its `countries`")
            return
    regions = set(listing(matched, "regions"))
    if not regions or not regions <= tree.ids.get("regions", frozenset()):
        return
    if not tree.complete("regions", "id", "countries", "subdivisions"):
        return
    for name in ("subdivisions", "countries"):
        codes = listing(matched, name)
        if codes:
            if not any(tree.regions_at(code) & regions for code in codes):
                yield _nothing(path, id_, f"none of its `{name}` lies in its `regions`")
            return


def _nothing(path: str, id_: str, why: str) -> Fault:
    return Fault(
        join(path, "match"),
        "matches_nothing",
        f"Territory `{id_}` can never match: {why}.",
        "dimensions that can hold together; every dimension given must match",
    )
