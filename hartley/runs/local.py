"""Local: fills a run folder with worker processes on this machine."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from hartley.errors import InputError
from hartley.runs.context import Context, versions
from hartley.runs.events import Event, Kind, Watcher, unwatched
from hartley.runs.folder import FINAL, NOT_MEASURED, Run, empty_result
from hartley.runs.integrity import media_fault
from hartley.runs.parts import Parts
from hartley.runs.plan import NO_DEFENSE, Cell, Plan
from hartley.runs.shipped import PARTS
from hartley.runs.store import Store, alone, inspect
from hartley.runs.worker import Gone, receive
from hartley.runs.worker_pool import Task, Worker, dismiss, hire, interruptible

DIED = "its worker died"


@dataclass(frozen=True)
class Limits:
    """retries: how often a cell that failed is tried again. load_seconds: how long loading the target may take.

    stop_seconds: how long workers may take to end before they are killed. silent_cells: how many cells in a row may end without an
    answer of the server behind the target before it is asked no more.
    """

    retries: int = 1
    load_seconds: float = 600.0
    stop_seconds: float = 2.0
    silent_cells: int = 2


def run(
    plan: Plan, out: Path, *, workers: int = 1, progress: Watcher = unwatched, limits: Limits | None = None, parts: Parts = PARTS
) -> Run:
    """Measures what the plan asks for and `out` does not hold yet; gives the run for reading.

    Undefended cells come first. A cell whose worker died, hung or raised is tried again, then recorded as failed or
    timed-out, while the others go on; the next call with the same folder tries it once more. Raises InputError for
    whatever the user can mend (wrong names, unusable target or data, a folder of another plan, no space), before the
    folder is touched where that can be; KeyboardInterrupt on Ctrl-C and SIGTERM, leaving a folder that resumes.
    """
    if workers < 1:
        raise InputError(f"workers: takes a whole number from 1, got {workers}")
    plan.validate(parts.catalog())
    parts.check(plan.target, plan.data)
    if not plan.cells():
        raise InputError("the plan has no cell to measure")
    out = Path(out)
    inspect(out, plan)
    scan = Scan(plan, out, parts, limits or Limits(), progress)
    with interruptible():
        try:
            scan.hire(min(workers, len(plan.cells())))
            context = scan.loaded()
            with alone(out):
                scan.fill(Store.prepare(out, plan, context), context)
        except BaseException:
            scan.stop(0.0)
            raise
        scan.stop(scan.limits.stop_seconds)
    return Run.open(out)


def damage(held: Run, cell: Cell) -> str | None:
    """What is wrong with a result that is there; None where nothing is, or there is none."""
    record = held.cell(cell)
    return record["why"] if record["status"] == "damaged" else media_fault(held.root, record)


class Scan:
    """One call of `run`: its workers, its queue, and what it has told so far."""

    def __init__(self, plan: Plan, out: Path, parts: Parts, limits: Limits, progress: Watcher) -> None:
        self.plan = plan
        self.out = out
        self.parts = parts
        self.limits = limits
        self.progress = progress
        self.hands: list[Worker] = []
        self.queue: deque[Task] = deque()
        self.facts: Mapping[str, Any] | None = None
        self.store: Store | None = None
        self.done = 0
        self.load_deaths = 0
        self.spent: dict[str, float] = {}
        self.silent = 0
        self.ended = ""

    def tell(self, kind: Kind, hand: Worker | None = None, **details: Any) -> None:
        """Passes an event on."""
        task = hand.task if hand else None
        number = hand.number if hand else 0
        cell = task.cell if task else None
        self.progress(Event(kind, self.done, len(self.plan.cells()), cell, number, **details))

    def hire(self, workers: int) -> None:
        """Starts the workers; they load the target side by side."""
        self.tell("loading")
        for number in range(workers):
            self.hands.append(hire(number, self.plan, self.parts, self.limits.load_seconds, self.facts is not None))

    def stop(self, patience_seconds: float) -> None:
        """Ends all workers."""
        dismiss(self.hands, patience_seconds)
        self.hands.clear()

    def loaded(self) -> Context:
        """Waits for the first worker that has its target, and gives what that decides."""
        code = self.parts.code(self.plan)  # while the workers load
        while self.facts is None:
            self.turn()
        return Context(
            target=self.facts["target"]["fingerprint"],
            data=self.facts["data"]["fingerprint"],
            effort=self.facts["effort"],
            code=code,
            versions=versions(),
            target_name=self.facts["target"]["name"],
            data_name=self.facts["data"]["name"],
            notes=tuple(self.facts["notes"]),
            system=self.facts["system"]["fingerprint"],
            members=self.facts["members"],
        )

    def fill(self, store: Store, context: Context) -> None:
        """Measures the cells that have no final result yet."""
        self.store = store
        held = Run.open(self.out)
        cells = self.plan.cells()
        damaged = {cell: why for cell in cells if (why := damage(held, cell))}
        missing = [cell for cell in cells if cell in damaged or held.cell(cell)["status"] not in FINAL]
        self.queue.extend(Task(cell, cell.key(context)) for cell in sorted(missing, key=lambda cell: cell.defense != NO_DEFENSE))
        self.done = len(cells) - len(missing)
        self.tell("begun")
        for note in (*context.notes, *(f"{cell.label} is measured again: {why}" for cell, why in damaged.items())):
            self.tell("note", why=note)
        for line in self.parts.forecast(self.plan, missing, self.out):
            store.log(line)
            self.tell("note", why=line)
        while self.queue or any(hand.task for hand in self.hands):
            if self.ended:
                self.leave(self.ended)
            for hand in list(self.hands):
                if hand.ready and hand.task is None and self.queue:
                    self.assign(hand, store, context)
            if any(hand.task for hand in self.hands) or self.queue:
                self.turn()
        store.unlock()

    def assign(self, hand: Worker, store: Store, context: Context) -> None:
        """Hands the next cell to a worker."""
        task = self.next()
        try:
            hand.assign(task, store.root, context, self.plan.cell_limit_seconds)
        except Gone:
            self.lost(hand, "failed", DIED)
        else:
            self.tell("started", hand)

    def next(self) -> Task:
        """The task to hand out now: undefended cells in the plan's order, then defended ones of the slowest threat first,
        by how long its undefended cell took, so that no worker is left alone with a long cell at the end."""
        chosen = self.queue[0]
        if chosen.cell.defense != NO_DEFENSE:
            chosen = max(self.queue, key=lambda task: self.spent.get(task.cell.threat, 0.0))
        self.queue.remove(chosen)
        return chosen

    def turn(self) -> None:
        """Hears what workers have to say until something happens or the next deadline is there, and acts on it."""
        nearest = min((hand.left for hand in self.hands), default=0.0)
        for pipe in wait([hand.pipe for hand in self.hands], timeout=min(max(nearest, 0.0), 1.0)):
            hand = next(hand for hand in self.hands if hand.pipe is pipe)
            try:
                message = receive(hand.pipe)
            except Gone:
                self.died(hand)
            else:
                self.hear(hand, message)
        for hand in [hand for hand in self.hands if hand.left <= 0]:
            if not hand.ready:
                raise InputError(f"target {self.plan.target!r}: loading took longer than {self.limits.load_seconds:g} s; given up")
            self.lost(hand, "timed-out", f"stopped after the limit of {self.plan.cell_limit_seconds:g} s")

    def hear(self, hand: Worker, message: Mapping[str, Any]) -> None:
        """Acts on one message of a worker."""
        match message["type"]:
            case "ready":
                self.greet(hand, message)
            case "input-error":
                raise InputError(message["why"])
            case "load-failed":
                cause = RuntimeError(message["trace"])
                raise InputError(f"target {self.plan.target!r} with data {self.plan.data!r} cannot be loaded: {message['why']}") from cause
            case "step":
                self.tell("step", hand, what=message["what"], step=message["step"], steps=message["steps"])
            case "note":
                self.tell("note", hand, why=message["line"])
            case "waiting":
                hand.wait_for_others(message["begins"])
            case "failed":
                if self.store and hand.task:
                    self.store.log(f"{hand.started} {hand.task.cell.label} [{hand.task.key}]\n{message['trace']}")
                self.lost(hand, "failed", message["why"])
            case "finished":
                self.finish(hand, message["status"], message["why"])
                self.heed(message)

    def heed(self, message: Mapping[str, Any]) -> None:
        """Ends the scan where a cell has shown that the others would come to nothing: the budget is used up, or a server is down."""
        silent = message["status"] == NOT_MEASURED and not message.get("answered")
        self.silent = self.silent + 1 if silent else 0
        if silent and (message["ends"] or self.silent >= self.limits.silent_cells):
            self.ended = message["why"] if message["ends"] else f"not asked after {self.silent} cells without an answer; {message['why']}"

    def leave(self, why: str) -> None:
        """Records every cell that is still to be measured as not measured."""
        assert self.store is not None
        while self.queue:
            task = self.queue.popleft()
            self.store.write_cell(empty_result(task.cell, task.key, NOT_MEASURED, why))
            self.done += 1
            self.progress(Event("finished", self.done, len(self.plan.cells()), task.cell, status=NOT_MEASURED, why=why))

    def greet(self, hand: Worker, facts: Mapping[str, Any]) -> None:
        """A worker has loaded its target. Raises InputError when it is not the one that the others have."""
        if self.facts is not None and any(facts[name] != self.facts[name] for name in ("target", "data", "system", "members", "effort")):
            raise InputError(f"target {self.plan.target!r} or data {self.plan.data!r} changed while the scan ran; scan again")
        self.facts = self.facts or facts
        hand.ready = True
        hand.deadline = None

    def died(self, hand: Worker) -> None:
        """A worker's process is gone."""
        if hand.task is None:
            how = hand.kill(self.limits.stop_seconds)
            self.load_deaths += not hand.ready
            if self.load_deaths > self.limits.retries:
                raise InputError(f"target {self.plan.target!r}: the worker died while loading it ({how}); is there enough memory?")
            self.replace(hand)
            return
        # It may have written its result and died before it could say so.
        record = Run.open(self.out).cell(hand.task.cell)
        if record["status"] in FINAL:
            self.finish(hand, record["status"], record["why"])
            hand.kill(0.0)
            self.replace(hand)
            return
        self.lost(hand, "failed", DIED)

    def lost(self, hand: Worker, status: str, why: str) -> None:
        """A cell came to nothing: its worker is replaced, and the cell is tried again or recorded."""
        task = hand.task
        assert task is not None
        how = hand.kill(self.limits.stop_seconds if why == DIED else 0.0)
        reason = f"{why} ({how})" if why == DIED else why
        if task.attempts <= self.limits.retries:
            self.tell("retried", hand, why=reason)
            self.queue.appendleft(task)
        else:
            times = "1 attempt" if task.attempts == 1 else f"{task.attempts} attempts"
            assert self.store is not None
            self.store.write_cell(empty_result(task.cell, task.key, status, f"{reason}; {times}"))
            self.finish(hand, status, reason)
        hand.task = None
        self.replace(hand)

    def finish(self, hand: Worker, status: str, why: str) -> None:
        """A cell has its result."""
        assert hand.task is not None and self.store is not None
        seconds = round(hand.seconds, 3)
        timing = {"seconds": seconds, "attempts": hand.task.attempts, "worker": hand.number, "started": hand.started}
        self.store.write_timing(hand.task.key, timing)
        if hand.task.cell.defense == NO_DEFENSE:
            self.spent[hand.task.cell.threat] = seconds
        self.done += 1
        self.tell("finished", hand, status=status, why=why, seconds=seconds)
        hand.task = None
        hand.deadline = None

    def replace(self, hand: Worker) -> None:
        """Hires a new worker in the place of one that is gone, as long as there is work for it."""
        self.hands.remove(hand)
        waiting = len(self.queue) if self.facts is not None else 1
        idle = sum(1 for other in self.hands if other.task is None)
        if waiting > idle:
            self.hands.append(hire(hand.number, self.plan, self.parts, self.limits.load_seconds, self.facts is not None))
            self.hands.sort(key=lambda other: other.number)
