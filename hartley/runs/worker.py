"""Worker: the process that loads a target once and runs the cells it is handed. Speaks JSON over a pipe."""

from __future__ import annotations

import contextlib
import faulthandler
import json
import multiprocessing
import os
import resource
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Mapping
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from hartley.errors import InputError
from hartley.runs.context import Context
from hartley.runs.folder import NOT_MEASURED, empty_result
from hartley.runs.parts import Parts
from hartley.runs.plan import Cell, Plan
from hartley.runs.resolve import Loaded
from hartley.runs.store import Store

ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "PYTHONHASHSEED": "0",
    "HF_HUB_OFFLINE": "1",
}
"""Set before a worker starts: one thread each, so that sums do not hang on how many workers there are; sets in a fixed
order; and no network."""

STEP_SECONDS = 0.2


MEMORY_SHARE = "HARTLEY_MEMORY_SHARE"
"""The variable that says what share of this machine's memory a worker's data may take; 0.8 where it is not set."""


class Gone(BaseException):
    """The other end of the pipe is gone. No `Exception`, so that no recipe's own handler swallows it."""


def send(pipe: Connection, message: Mapping[str, Any]) -> None:
    """Sends a message, a plain JSON object. Raises Gone when nobody is there to hear it."""
    try:
        pipe.send_bytes(json.dumps(message).encode())
    except OSError as error:
        raise Gone(str(error)) from None


def receive(pipe: Connection) -> dict[str, Any]:
    """The next message. Raises Gone when the other side ended, also in the middle of a message."""
    try:
        message: dict[str, Any] = json.loads(pipe.recv_bytes())
    except (EOFError, OSError) as error:
        raise Gone(str(error)) from None
    return message


def work(pipe: Connection, parts: Parts, plan: Plan, checked: bool) -> None:
    """A worker's life: load, say what was loaded, then run cells until the pipe closes or the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _limit_memory()
    output = _divert_output()
    try:
        loaded = _load(pipe, parts, plan, checked)
        if loaded is not None:
            _serve(pipe, parts, plan, loaded, output)
    except Gone:
        return


def _limit_memory() -> None:
    """A worker that a file or a model makes grow ends with its cell, not with the machine: its data may take so much of what is there."""
    share = float(os.environ.get(MEMORY_SHARE, "") or 0.8)
    most = int(share * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    with contextlib.suppress(ValueError, OSError):
        hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
        resource.setrlimit(resource.RLIMIT_DATA, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def _load(pipe: Connection, parts: Parts, plan: Plan, checked: bool) -> Loaded | None:
    try:
        _one_thread()
        loaded = parts.load(plan, checked)
        send(pipe, {"type": "ready", **_facts(loaded, plan.budget, plan.effort)})
    except InputError as error:
        send(pipe, {"type": "input-error", "why": str(error)})
    except Exception as error:  # whatever a loader raises must reach the parent as one line
        send(pipe, {"type": "load-failed", "why": last_line(error), "trace": _trace()})
    else:
        return loaded
    return None


def _serve(pipe: Connection, parts: Parts, plan: Plan, loaded: Loaded, output: int) -> None:
    settled = False
    while True:
        order = receive(pipe)
        output = _keep_output(output, Store(Path(order["root"])))
        if not settled:
            from hartley.runs.answering import settle

            try:
                settle(loaded, Store(Path(order["root"])), plan.endpoint)
            except InputError as error:
                send(pipe, {"type": "input-error", "why": str(error)})
                return
            settled = True
        send(pipe, _answer(pipe, order, loaded, parts, plan.competence_check))


def _answer(pipe: Connection, order: Mapping[str, Any], loaded: Loaded, parts: Parts, check: bool = True) -> dict[str, Any]:
    from hartley.runs.answering import Silent
    from hartley.runs.execute import execute, one_line

    last = 0.0
    at = ("", 0, 1)
    turn = threading.Lock()

    def progress(what: str, step: int, steps: int) -> None:
        nonlocal last, at
        at = (what, step, steps)
        now = time.monotonic()
        if now - last >= STEP_SECONDS or step == steps:
            with turn:
                last = now
                send(pipe, {"type": "step", "what": what, "step": int(step), "steps": int(steps)})

    def heard() -> None:
        """A server has answered; asked from many threads."""
        nonlocal last
        with turn:
            now = time.monotonic()
            if now - last >= STEP_SECONDS:
                last = now
                what = f"{at[0] or 'trying the server out'}, {loaded.endpoint.answered if loaded.endpoint else 0:,} answers,"
                send(pipe, {"type": "step", "what": what, "step": int(at[1]), "steps": int(at[2])})

    def waiting(begins: bool) -> None:
        send(pipe, {"type": "waiting", "begins": begins})

    def say(line: str) -> None:
        send(pipe, {"type": "note", "line": line})

    if loaded.endpoint is not None:
        loaded.endpoint.watch = heard
    cell = Cell(**order["cell"])
    context = Context.from_environment(order["environment"])
    try:
        store = Store(Path(order["root"]))
        result = execute(cell, loaded, store, progress, context=context, parts=parts, waiting=waiting, say=say, checks_competence=check)
    except InputError as error:
        return {"type": "input-error", "why": str(error)}
    except Silent as silence:
        Store(Path(order["root"])).write_cell(empty_result(cell, cell.key(context), NOT_MEASURED, one_line(silence)))
        return {"type": "finished", "status": NOT_MEASURED, "why": one_line(silence), "ends": silence.ends, "answered": silence.answered}
    except Exception as error:  # a recipe may raise anything; the cell fails and the others go on
        return {"type": "failed", "why": last_line(error), "trace": _trace()}
    return {"type": "finished", "status": result["status"], "why": result["why"], "ends": False}


def last_line(error: BaseException) -> str:
    """The traceback's last line, at most 300 characters."""
    from hartley.runs.execute import one_line

    name = type(error).__name__
    text = one_line(error)
    return name if text == name else f"{name}: {text}"


def _trace() -> str:
    return traceback.format_exc()[-20_000:]


def _members(loaded: Loaded) -> dict[str, Any]:
    return {**loaded.members, **({} if loaded.surrogate is None else {"surrogate": loaded.surrogate})}


def _facts(loaded: Loaded, budget: str, effort: Mapping[str, int]) -> dict[str, Any]:
    from hartley.runs.execute import effort_numbers

    targets = [part for part in (loaded.target, loaded.system, *loaded.members.values()) if part is not None]
    names = dict.fromkeys(part.name for part in (targets if loaded.system is None else (loaded.target, loaded.system)) if part is not None)
    data = [] if loaded.data is None else [loaded.data]
    return {
        "target": {"name": " and ".join(names), "fingerprint": _fingerprint(loaded.target)},
        "data": {"name": " ".join(part.name for part in data), "fingerprint": _fingerprint(loaded.data)},
        "system": {"fingerprint": _fingerprint(loaded.system)},
        "members": {family: _fingerprint(member) for family, member in _members(loaded).items()},
        "effort": effort_numbers(budget, effort),
        "notes": list(loaded.notes),
    }


def _fingerprint(part: Any) -> str:
    return "" if part is None else str(part.fingerprint)


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)
    torch.set_num_interop_threads(1)
    torch.use_deterministic_algorithms(True, warn_only=True)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _divert_output() -> int:
    """Sends all output, the libraries' too, to a file without a name, and gives its descriptor.

    A bar or a warning printed by a worker would tear the terminal's own lines apart.
    """
    spool = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
    descriptor = os.dup(spool.fileno())
    spool.close()
    _point_at(descriptor)
    faulthandler.enable(file=2)
    return descriptor


def _keep_output(spool: int, store: Store) -> int:
    """From the first cell on output goes to the run's log; what was said before is copied there."""
    if spool < 0:
        return spool
    sys.stdout.flush()
    os.lseek(spool, 0, os.SEEK_SET)
    early = os.read(spool, 1 << 20).decode(errors="replace")
    if early.strip():
        store.log(early)
    log = store.open_log()
    _point_at(log)
    os.close(log)
    os.close(spool)
    return -1


def _point_at(descriptor: int) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
