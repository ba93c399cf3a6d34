"""Terminal: a scan's events for a person: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import TextIO

from tqdm import tqdm

from hartley.printing import plain, printable
from hartley.runs.events import Event

STEP_LINE_SECONDS = 15.0


@dataclass
class Pace:
    """How fast a part of a cell (an arm's trials, an attack's steps) goes: where and when it began, and its last step."""

    first: int
    began: float
    step: int
    steps: int
    changed: float

    def left(self, now: float) -> float | None:
        """Seconds that the rest of the part takes at the pace so far; None before its first step is done."""
        done = self.step - self.first
        if done <= 0 or self.step >= self.steps:
            return None
        return max(0.0, (self.steps - self.step) * (self.changed - self.began) / done - (now - self.changed))


class Terminal:
    """Callable with events; a context manager that leaves the terminal as found.

    On a terminal a bar counts cells and shows what each worker is at. Elsewhere each finished cell is a line, and a
    long one says where it is every 15 seconds. Both say how long the part that a cell is at will still take.
    """

    def __init__(self, stream: TextIO = sys.stderr, clock: Callable[[], float] = time.monotonic) -> None:
        self.stream = stream
        self.clock = clock
        self.bar: tqdm[None] | None = None
        self.at: dict[int, str] = {}
        self.paces: dict[int, Pace] = {}
        self.last_line = clock()

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.bar is not None:
            self.bar.close()
            self.bar = None

    def __call__(self, event: Event) -> None:
        match event.kind:
            case "loading":
                self.line("loading the target ...")
            case "begun":
                self.begin(event)
            case "note":
                self.line(f"note: {event.why}")
            case "started" | "step":
                self.note(event)
            case "retried":
                self.line(f"{_label(event)}: {event.why}; trying again")
            case "finished":
                self.finish(event)

    def begin(self, event: Event) -> None:
        """Says how much there is to do."""
        held = f", {event.done} of them there already" if event.done else ""
        self.line(f"{event.cells} cells{held}")
        if self.stream.isatty() and event.done < event.cells:
            self.bar = tqdm(total=event.cells, initial=event.done, file=self.stream, unit="cell", dynamic_ncols=True, leave=False)

    def note(self, event: Event) -> None:
        """Where a worker is."""
        where = ""
        if event.kind == "step":
            where = f" {event.what} {event.step}/{event.steps}{self.left(event)}"
        else:
            self.paces.pop(event.worker, None)
        self.at[event.worker] = f"{_label(event)}{where}"
        if self.bar is not None:
            self.bar.set_postfix_str(plain(" | ".join(self.at[worker] for worker in sorted(self.at))))
        elif event.kind == "step" and self.clock() - self.last_line >= STEP_LINE_SECONDS:
            self.line(f"  {self.at[event.worker]}")

    def left(self, event: Event) -> str:
        """How long the part that a worker is at will still take, in words; nothing before it is known."""
        now, pace = self.clock(), self.paces.get(event.worker)
        if pace is None or pace.steps != event.steps or event.step < pace.step:  # another part: its count begins anew
            pace = self.paces[event.worker] = Pace(event.step, now, event.step, event.steps, now)
        elif event.step > pace.step:
            pace.step, pace.changed = event.step, now
        seconds = pace.left(now)
        return "" if seconds is None else f", about {int(seconds) // 60}:{int(seconds) % 60:02} left of this part"

    def finish(self, event: Event) -> None:
        """One line a cell."""
        self.at.pop(event.worker, None)
        self.paces.pop(event.worker, None)
        tail = f": {event.why}" if event.why else ""
        self.line(f"[{event.done}/{event.cells}] {_label(event)}: {event.status} in {event.seconds:.1f} s{tail}")
        if self.bar is not None:
            self.bar.update(event.done - self.bar.n)

    def line(self, text: str) -> None:
        """A line that stays."""
        safe = printable(text)
        self.last_line = self.clock()
        if self.bar is not None:
            self.bar.write(safe, file=self.stream)
        else:
            self.stream.write(safe + "\n")
            self.stream.flush()


def _label(event: Event) -> str:
    return event.cell.label if event.cell is not None else "?"
