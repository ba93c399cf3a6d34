"""Schedules: in which order the parts of a joint attack act. Most recipes need one stage; cross-modal ones need several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

State = TypeVar("State")


def sequential(state: State, stages: Sequence[tuple[str, Callable[[State], State]]], progress: Callable[[str, int, int], None]) -> State:
    """Runs the named stages one after the other, each on what the one before it left."""
    for index, (name, stage) in enumerate(stages):
        progress(name, index, len(stages))
        state = stage(state)
    progress("done", len(stages), len(stages))
    return state
