"""Limited: trying out what a folder's files make the process do, in a child that may not take long or grow."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import time
from collections.abc import Callable

SECONDS, BYTES = 10.0, 2**30
_FINE, _RAISED = 0, 3


def ends_well(call: Callable[[], object], *, seconds: float | None = None, more_bytes: int = BYTES) -> str:
    """Why `call` must not be made here: it runs too long, or wants too much memory; "" where it ends, whether or not it raises.

    It is made in a forked child, whose memory may grow by `more_bytes`, and which is killed after `seconds`.
    """
    seconds = SECONDS if seconds is None else seconds
    child = os.fork()
    if child == 0:
        _try(call, more_bytes)
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            code = os.waitstatus_to_exitcode(status)
            return "" if code in (_FINE, _RAISED) else f"needs more than {more_bytes // 2**20:,} MiB of memory"
        time.sleep(0.005)
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return f"runs for more than {seconds:g} s"


def _try(call: Callable[[], object], more_bytes: int) -> None:
    code = 1
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            held = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (held + more_bytes, resource.RLIM_INFINITY))
    except (OSError, ValueError, IndexError):  # not on this system: the time alone is limited
        pass
    try:
        call()
        code = _FINE
    except MemoryError:
        code = 1
    except BaseException:
        code = _RAISED
    finally:
        os._exit(code)
