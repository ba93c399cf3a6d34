"""Crew: worker processes as their parent sees them: hired, handed a cell, heard, stopped."""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

from hartley.runs.context import Context
from hartley.runs.parts import Parts
from hartley.runs.plan import Cell, Plan
from hartley.runs.worker import ENVIRONMENT, send, work


@dataclass
class Task:
    """A cell that is to be measured, and how often that was tried."""

    cell: Cell
    key: str
    attempts: int = 0


@dataclass
class Worker:
    """One worker process and what it is at. `deadline`: on time.monotonic's clock; None while it has nothing to do."""

    number: int
    process: SpawnProcess
    pipe: Connection
    deadline: float | None
    ready: bool = False
    task: Task | None = None
    begun: float = 0.0
    started: str = ""
    waits_since: float | None = None
    last_step: tuple[str, int, int] = field(default=("", 0, 0))

    def assign(self, task: Task, root: Path, context: Context, limit_seconds: float) -> None:
        """Hands the worker a cell. Raises Gone when it has died."""
        self.task = task
        self.begun = time.monotonic()
        self.started = datetime.now(UTC).isoformat(timespec="seconds")
        self.deadline = self.begun + limit_seconds
        self.waits_since = None
        task.attempts += 1
        send(self.pipe, {"root": str(root), "cell": task.cell.to_json(), "environment": context.environment()})

    def wait_for_others(self, begins: bool) -> None:
        """While a worker waits for another that computes what both need, its own clock stands still."""
        if begins:
            self.waits_since = time.monotonic()
        elif self.waits_since is not None:
            if self.deadline is not None:
                self.deadline += time.monotonic() - self.waits_since
            self.waits_since = None

    @property
    def left(self) -> float:
        """Seconds until the deadline; infinite when there is none."""
        if self.deadline is None or self.waits_since is not None:
            return math.inf
        return self.deadline - time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.begun

    def kill(self, grace_seconds: float) -> str:
        """Ends the process after `grace_seconds` to end by itself, and says how it had ended, for people."""
        with contextlib.suppress(OSError):
            self.pipe.close()
        self.process.join(grace_seconds)
        code = self.process.exitcode
        if code is None:
            self.process.kill()
            self.process.join()
        return "it was stopped" if code is None else f"killed by signal {-code}" if code < 0 else f"exit code {code}"


def hire(number: int, plan: Plan, parts: Parts, load_seconds: float, checked: bool) -> Worker:
    """Starts a worker process, which begins to load the target. checked: the data's files have been looked into already."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(
        target=work,
        args=(theirs, parts, plan, checked),
        name=f"hartley-worker-{number}",
    )
    with _environment(ENVIRONMENT), _sigint_blocked():
        process.start()
    theirs.close()  # else the pipe would not end when the worker does
    return Worker(number, process, ours, time.monotonic() + load_seconds)


def dismiss(hands: list[Worker], patience_seconds: float) -> None:
    """Ends all workers: asks first, and kills those that have not gone after `patience_seconds`."""
    for hand in hands:
        with contextlib.suppress(OSError):
            hand.pipe.close()
        if hand.task is not None or not hand.ready:
            hand.process.terminate()
    until = time.monotonic() + patience_seconds
    for hand in hands:
        hand.process.join(max(0.0, until - time.monotonic()))
        if hand.process.is_alive():
            hand.process.kill()
            hand.process.join()


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Makes SIGTERM raise KeyboardInterrupt, as Ctrl-C does, so that both leave the run in order."""

    def interrupt(_number: int, _frame: Any) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _sigint_blocked() -> Iterator[None]:
    """A worker born in here starts with SIGINT blocked, and so is not torn by Ctrl-C while it still imports.

    For us the signal is only put off until the end of the block.
    """
    resource_tracker.ensure_running()  # starting it would unblock SIGINT in our midst
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
