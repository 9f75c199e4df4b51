"""Names the places where a crash would hurt most, so that a proof can crash there.

``crashpoint("relay.published")`` does nothing, unless a proof has armed a hook in its own process: no
setting and no variable of a service can. Names are ``<part>.<what has just happened>``; a name is met
once or many times in a run, and the n-th meeting is the place to die.
"""

from collections.abc import Callable

_hook: Callable[[str], None] | None = None


def crashpoint(name: str) -> None:
    """Tell the armed hook that this place was reached; it may end the process and never return."""
    if _hook is not None:
        _hook(name)


def arm(hook: Callable[[str], None] | None) -> None:
    """Call ``hook`` at every crash point of this process from now on; None disarms."""
    global _hook
    _hook = hook
