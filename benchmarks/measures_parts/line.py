"""What a part of the benchmark yields, and how CPU time is taken."""

from __future__ import annotations

import importlib
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType


@dataclass(frozen=True)
class Line:
    """A row of the table: which goal, what was measured (with unit), the figure, the bar, whether it is met, the peer's figure.

    met: None where there is no bar. peer: "-" where no package does this.
    """

    goal: str
    what: str
    reached: str
    bar: str
    met: bool | None
    peer: str = "-"


def cpu_seconds(call: Callable[[], object], repeats: int = 5) -> float:
    """Median CPU seconds of this process over `repeats` calls, after one call to warm up."""
    call()
    times = []
    for _ in range(repeats):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return statistics.median(times)


def peer(name: str) -> tuple[ModuleType | None, str]:
    """(module, "") or (None, why it is not compared): not installed, or does not import here."""
    try:
        return importlib.import_module(name), ""
    except ImportError as error:
        return None, f"{name}: not installed or does not import here ({type(error).__name__})"
    except Exception as error:  # a peer may fail in any way of its own; the table then says so
        return None, f"{name}: import fails ({type(error).__name__})"
