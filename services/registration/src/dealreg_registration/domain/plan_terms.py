"""Checks of a plan's terms: segments, tiers, assignments, named accounts, targets, rates, policy."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import pairwise

from dealreg_registration.domain.identity import external_key, name_keys
from dealreg_registration.domain.plan_fault import Fault, join, listed, nearest, warning
from dealreg_registration.domain.plan_partial import unsure
from dealreg_registration.domain.plan_tree import Item, Known, PlanTree, amount, listing, window

RegistrableDomain = Callable[[str], str | None]


def check_programme(tree: PlanTree, known: Known) -> Iterator[Fault]:
    """Time zone and currencies exist; rates are for other currencies."""
    if tree.programme is not None:
        zone, currency = tree.programme.get("time_zone"), tree.programme.get("currency")
        if zone is not None and zone not in known.time_zones:
            near = nearest(zone, known.time_zones)
            hint = f" Did you mean `{near}`?" if near else ""
            yield Fault(
                "/programme/time_zone",
                "unknown_time_zone",
                f"`{zone}` is no time zone.{hint}",
                "an IANA name, such as America/New_York",
            )
        if currency is not None and currency not in known.currencies:
            yield _no_currency("/programme/currency", currency)
    for path, rate in tree.items("exchange_rates", "currency"):
        if rate["currency"] not in known.currencies:
            yield _no_currency(join(path, "currency"), rate["currency"])
        elif tree.programme is not None and rate["currency"] == tree.programme.get("currency"):
            yield Fault(
                join(path, "currency"),
                "rate_of_own_currency",
                f"`{rate['currency']}` is the programme's own currency.",
                "other currencies only",
            )
    if tree.policy.get("minimum_amount") and not tree.sections.get("exchange_rates"):
        yield warning(
            "/policy/minimum_amount",
            "no_rates",
            "Without exchange rates an amount in another currency cannot be held against it.",
        )


def _no_currency(path: str, code: str) -> Fault:
    return Fault(path, "unknown_currency", f"`{code}` is no currency.", "an ISO 4217 code")


def check_segments(tree: PlanTree) -> Iterator[Fault]:
    """Bands stand upright and do not overlap; a gap between them is a warning."""
    for unit in ("employees", "revenue"):
        bands: list[tuple[Decimal, Decimal | None, str, str]] = []
        both = (f"{unit}_from", f"{unit}_to")
        for path, segment in tree.items("segments"):
            if unsure(segment, *both):
                continue
            low, high = amount(segment.get(f"{unit}_from")), amount(segment.get(f"{unit}_to"))
            if low is None and high is None:
                continue
            if low is not None and high is not None and high < low:
                yield _inverted(path, f"{unit}_from", f"{unit}_to")
                continue
            bands.append((low or Decimal(0), high, str(segment.get("id")), path))
        bands.sort(key=lambda band: (band[0], band[2]))
        for (_, high, id_, _), (low, _, other, path) in pairwise(bands):
            if high is None or low <= high:
                yield Fault(
                    path,
                    "segments_overlap",
                    f"Segments `{id_}` and `{other}` share {unit} from {low:f} on.",
                    "bands that do not overlap; both ends are included",
                )
            elif unit == "employees" and low > high + 1 and tree.complete("segments", *both):
                yield warning(
                    path,
                    "segments_gap",
                    f"No segment takes {high + 1:f} to {low - 1:f} employees.",
                )
    for path, segment in tree.items("segments"):
        ends = ("employees_from", "employees_to", "revenue_from", "revenue_to")
        if all(segment.get(name) is None for name in ends) and not unsure(segment, *ends):
            yield Fault(
                path,
                "segment_without_band",
                f"Segment `{segment.get('id')}` has no band.",
                f"one of {listed(ends)}",
            )


def check_tiers(tree: PlanTree) -> Iterator[Fault]:
    """Each rank once."""
    ranks: dict[int, str] = {}
    for path, tier in tree.items("tiers", "id", "rank"):
        other = ranks.setdefault(tier["rank"], tier["id"])
        if other != tier["id"]:
            yield Fault(
                join(path, "rank"),
                "duplicate_rank",
                f"Tier `{other}` has rank {tier['rank']} already.",
                "a rank of its own; 1 is the highest",
            )


def check_assignments(tree: PlanTree) -> Iterator[Fault]:
    """Each has one holder and a window that stands upright; nobody is left without, unmentioned."""
    ranks = {item["id"]: item["rank"] for _, item in tree.items("tiers", "id", "rank")}
    tier_of = {item["id"]: item["tier"] for _, item in tree.items("partners", "id", "tier")}
    territories = tree.by_id("territories")
    roles = {
        item["id"]: listing(item, "roles")
        for _, item in tree.items("people", "id")
        if not unsure(item, "roles")
    }
    assigned: set[str] = set()
    partners: set[str] = set()
    seen: dict[tuple[str, str], list[tuple[str, Item]]] = {}
    for path, item in tree.items("assignments"):
        partner, direct = item.get("partner"), item.get("direct")
        if (id_ := item.get("territory")) is not None:
            assigned.add(id_)
        if partner is not None:
            partners.add(partner)
        if (partner is None) == (direct is None) and not unsure(item, "partner", "direct"):
            both = "both a partner and" if partner is not None else "neither a partner nor"
            yield Fault(
                path,
                "assignment_holder",
                f"Assignment `{item.get('id')}` names {both} a direct owner.",
                "either `partner` or `direct`",
            )
        focus = item.get("focus") or {}
        low, high = focus.get("employees_from"), focus.get("employees_to")
        if low is not None and high is not None and high < low:
            yield _inverted(join(path, "focus"), "employees_from", "employees_to")
        days = window(item)
        if days.start is not None and days.end is not None and days.end <= days.start:
            yield _inverted(path, "valid_from", "valid_to")
            continue
        if direct is not None and "direct_owner" not in roles.get(direct, ("direct_owner",)):
            yield warning(
                join(path, "direct"),
                "not_direct_owner",
                f"`{direct}` does not have the role direct_owner.",
            )
        territory = territories.get(id_ or "")
        if territory is not None and territory.get("overlay") and item.get("exclusive"):
            yield warning(
                join(path, "exclusive"),
                "exclusive_overlay",
                "An overlay adds to others; exclusive has no effect on it.",
            )
        if partner is None:
            continue
        least = ranks.get((territory or {}).get("minimum_tier") or "")
        rank = ranks.get(tier_of.get(partner, ""))
        if least is not None and rank is not None and rank > least:
            yield warning(
                join(path, "partner"),
                "tier_too_low",
                f"`{partner}` is below the territory's minimum tier: the assignment has no effect.",
            )
        if id_ is None or unsure(item, "valid_from", "valid_to"):
            continue
        for other, earlier in seen.setdefault((id_, partner), []):
            if window(earlier).overlaps(days):
                yield warning(
                    path,
                    "assigned_twice",
                    f"`{partner}` is assigned to this territory by {other} at the same time.",
                )
        seen[id_, partner].append((path, item))
    yield from _unassigned(tree, "territories", "territory", assigned)
    yield from _unassigned(tree, "partners", "partner", partners)


def _unassigned(tree: PlanTree, section: str, name: str, named: set[str]) -> Iterator[Fault]:
    """Nobody names them. Not said where an assignment's own field is wrong: it may mean them."""
    if not tree.complete("assignments", name) or not named <= tree.ids.get(section, frozenset()):
        return
    said = "has no assignment" if name == "territory" else "is assigned nowhere"
    for path, item in tree.items(section, "id"):
        if item["id"] not in named:
            sentence = f"{name.capitalize()} `{item['id']}` {said}."
            yield warning(path, f"unassigned_{name}", sentence)


def check_named_accounts(tree: PlanTree, registrable: RegistrableDomain) -> Iterator[Fault]:
    """Not more than the policy allows, each found by a key of its own."""
    limit = tree.policy["named_account_limit"]
    count = sum(1 for _, item in tree.items("named_accounts") if not item.get("excluded"))
    if count > limit and "named_account_limit" not in tree.doubtful_policy:
        yield Fault(
            "/named_accounts",
            "too_many_named_accounts",
            f"The plan names {count} accounts; its policy allows {limit}.",
            f"at most {limit}, or a higher /policy/named_account_limit",
        )
    holder: dict[str, str] = {}
    for path, item in tree.items("named_accounts"):
        external = [x for x in listing(item, "external_ids") if not unsure(x)]
        keys = [external_key(x["issuer"], x["value"]) for x in external]
        id_ = str(item.get("id"))
        if item.get("domain"):
            domain = registrable(item["domain"])
            if domain is None:
                yield Fault(
                    join(path, "domain"),
                    "no_registrable_domain",
                    "This is no domain that one company registered.",
                    "such as example.com; no free-mail domain, public suffix or address",
                )
            else:
                keys.append(f"domain:{domain}")
        keys += name_keys(
            item.get("name", ""),
            item.get("country"),
            item.get("subdivision"),
            item.get("postal_code"),
        )
        doubtful = unsure(item) or len(external) < len(listing(item, "external_ids"))
        if not keys and not item.get("domain") and not doubtful:
            yield Fault(
                path,
                "account_without_key",
                f"Named account `{id_}` cannot be recognised.",
                "a domain, an external id, or a country with subdivision or postal code",
            )
        for key in keys:
            other = holder.setdefault(key, id_)
            if other != id_:
                yield Fault(
                    path,
                    "same_account_twice",
                    f"Named account `{other}` is found by the same key as `{id_}`.",
                    "each account once",
                )
                break
        if not item.get("excluded") and item.get("direct_owner") is None and not doubtful:
            yield warning(
                path,
                "no_direct_owner",
                f"Nobody is told of claims on `{id_}`: no direct_owner.",
            )


def check_targets(tree: PlanTree) -> Iterator[Fault]:
    """Minimum below maximum, shares that make a whole, market data for every market."""
    for path, item in tree.items("region_targets", "minimum_partners", "maximum_partners"):
        if item["minimum_partners"] > item["maximum_partners"]:
            yield _inverted(path, "minimum_partners", "maximum_partners")
    shares = [item["partner_share"] for _, item in tree.items("segment_targets", "partner_share")]
    if shares and sum(shares) != 100 and tree.complete("segment_targets", "partner_share"):
        yield Fault(
            "/segment_targets",
            "shares_not_whole",
            f"The partner shares add up to {sum(shares)} per cent.",
            "100 in all",
        )
    valued = {
        (item["region"], item["segment"])
        for _, item in tree.items("market_data", "region", "segment")
    }
    known = all(
        region in tree.ids.get("regions", ()) and segment in tree.ids.get("segments", ())
        for region, segment in valued
    )
    if valued and known and tree.complete("market_data", "region", "segment"):
        for path, region in tree.items("regions", "id"):
            without = [
                item["id"]
                for _, item in tree.items("segments", "id")
                if (region["id"], item["id"]) not in valued
            ]
            if without:
                yield warning(
                    path,
                    "no_market_data",
                    f"Region `{region['id']}` has no market data for {listed(without)}: "
                    "these markets weigh nothing.",
                )


def check_policy(tree: PlanTree) -> Iterator[Fault]:
    """Weights that make a whole."""
    weights = tree.policy["score_weights"]
    if "score_weights" not in tree.doubtful_policy and sum(weights.values()) != 100:
        yield Fault(
            "/policy/score_weights",
            "weights_not_whole",
            f"The weights add up to {sum(weights.values())} per cent.",
            "100 in all",
        )


def _inverted(path: str, low: str, high: str) -> Fault:
    between = "after" if low == "valid_from" else "not below"
    return Fault(
        join(path, high), "inverted", f"`{high}` must be {between} `{low}`.", f"{between} `{low}`"
    )
