"""The one way for a part to say: this process cannot mend itself, start a new one.

Some faults leave a client library stuck for good (a broker connection that never comes back, a
scheduler that has stopped waking). The only cure known to work is a new process, so the part raises
``RestartNeeded``, the service ends with exit code 75 and its supervisor starts it again.
"""

EXIT_CODE = 75
"""EX_TEMPFAIL of sysexits.h: a temporary failure, try again."""


class RestartNeeded(Exception):
    """Base of errors that only a new process can cure. Must not be caught and ignored."""
