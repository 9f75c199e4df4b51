"""Crash points are inert until a proof arms them."""

from dealreg_shared.crashpoint import arm, crashpoint


def test_a_crash_point_does_nothing_until_it_is_armed() -> None:
    met: list[str] = []
    crashpoint("nobody.listens")
    arm(met.append)
    try:
        crashpoint("relay.published")
        crashpoint("relay.published")
    finally:
        arm(None)
    crashpoint("nobody.listens")
    assert met == ["relay.published", "relay.published"]
