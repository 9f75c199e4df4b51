"""Ends a process when the one that started it is gone, also by ``kill -9``: the child's end.

The parent keeps the writing end of a pipe open and hands the reading end down, with its number in
``DEALREG_SUPERVISOR_PIPE``. Nobody ever writes: reading ends when the last writer is gone. Works
wherever pipes do. A process that was started without the variable has nobody to end with.
"""

import os
import signal
import threading

from dealreg_shared.config import ConfigurationError

VARIABLE = "DEALREG_SUPERVISOR_PIPE"


def end_with_parent() -> None:
    """Ask this process to stop, as SIGTERM does, once its parent is gone.

    Raises ``ConfigurationError`` if the variable names no open pipe.
    """
    given = os.environ.pop(VARIABLE, None)
    if given is None:
        return
    try:
        pipe = int(given)
        os.set_inheritable(pipe, False)
    except (ValueError, OSError):
        raise ConfigurationError(
            f"{VARIABLE}: `dealreg up --distributed` sets it for its own processes; unset it."
        ) from None
    threading.Thread(target=_watch, args=(pipe,), name="lifeline", daemon=True).start()


def _watch(pipe: int) -> None:
    while os.read(pipe, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
