"""Events: what a scan tells whoever watches it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from hartley.runs.plan import Cell

Kind = Literal["loading", "begun", "note", "started", "step", "retried", "finished"]


@dataclass(frozen=True)
class Event:
    """One thing that happened.

    kind     loading: workers load the target. begun: `done` of `cells` were there already. note: `why` is a
             sentence about the target or the data. started, step (`step` of
             `steps` of `what`), retried (`why`), finished (`status`, `why`, `seconds`): of `cell`.
    done     cells with a result by now, of `cells` in the plan.
    worker   the number of the worker, from 0.
    """

    kind: Kind
    done: int
    cells: int
    cell: Cell | None = None
    worker: int = 0
    what: str = ""
    step: int = 0
    steps: int = 0
    status: str = ""
    why: str = ""
    seconds: float = 0.0


Watcher = Callable[[Event], None]


def unwatched(_event: Event) -> None:
    """Nobody watches."""
