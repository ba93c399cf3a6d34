"""Answering: what becomes of a cell when the server behind its target gives no answer, or may be asked no more."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from hartley.case import Flag, Refused
from hartley.errors import InputError
from hartley.evidence import Evidence
from hartley.runs.allowance import Allowance
from hartley.runs.resolve import Loaded
from hartley.runs.store import LEDGER, Store
from hartley.targets.endpoint.budget import Budget, OutOfBudget
from hartley.targets.endpoint.outcomes import ABOUT_ONE_REQUEST, NotMeasured

if TYPE_CHECKING:
    from hartley.targets.endpoint.endpoint import Endpoint

ANSWERS = "answers"
PROBED_TOOLS = ("read_mail", "send_mail", "pay")
"""Offered when a server is tried out: one that takes no tools says so at once, and not once a trial."""


class Silent(Exception):  # noqa: N818 - an outcome, not an error
    """The cell is not measured, and why. ends: nothing can be measured any more, since the budget is used up. answered: there were
    answers all the same, which showed that there is nothing to measure."""

    def __init__(self, why: str, ends: bool = False, answered: bool = False) -> None:
        super().__init__(why)
        self.ends = ends
        self.answered = answered


def settle(loaded: Loaded, store: Store, allowance: Allowance) -> None:
    """Gives what asks the server its place in the run folder: answers that were paid for, and what was spent.

    Raises InputError when the folder cannot be written, or the ledger is damaged.
    """
    if loaded.endpoint is not None:
        from hartley.targets.endpoint.cache import Cache

        folder = store.endpoint_folder()
        loaded.endpoint.cache = Cache(folder / ANSWERS)
        loaded.endpoint.budget = budget(folder, allowance)
        loaded.endpoint.dialect.keep_in(folder)


def budget(folder: Path, allowance: Allowance) -> Budget:
    """What may be spent, counted on from the ledger in the folder of a run's server.

    Raises InputError where answers are kept there that were paid for, and the ledger that says what they cost is gone or empty: to count
    from nothing then would spend a limit twice.
    """
    ledger = folder / LEDGER
    lost = not ledger.is_file() or not ledger.stat().st_size
    if lost and (folder / ANSWERS).is_dir() and any((folder / ANSWERS).iterdir()):
        raise InputError(f"{ledger}: gone or empty, though answers that were paid for are kept beside it; delete {folder} to begin anew")
    return Budget(allowance.limits(), ledger)


def answered(loaded: Loaded, run: Callable[[], tuple[Evidence, ...]], flags: list[Flag] | None = None) -> tuple[Evidence, ...]:
    """What `run` gives. Raises Silent where it gives nothing because the server behind the target does not answer.

    Single requests that are not answered are the recipe's business: it leaves those trials out, and says so. Where calls came and
    none of them could be read, nothing was measured either.
    flags: what a reader must know of how the server was asked and how it answered is added to them.
    """
    endpoint = loaded.endpoint
    if endpoint is None:
        return run()
    try:
        _probe(loaded, endpoint)
        before, lost, mark = endpoint.answered + endpoint.found, endpoint.lost, endpoint.notices.mark()
        tables = _watched(endpoint, run, lambda: endpoint.answered + endpoint.found > before, lost)
        if (unread := endpoint.notices.no_call_read(mark)) is not None:
            raise unread
        if flags is not None:
            flags += [Flag("", "", "server", line) for line in (*endpoint.dialect.adapted, *endpoint.notices.lines(mark))]
        return tables
    except OutOfBudget as end:
        raise Silent(str(end), ends=True) from None
    except NotMeasured as failure:
        raise Silent(words(failure)) from None


def _watched(
    endpoint: Endpoint, run: Callable[[], tuple[Evidence, ...]], any_answer: Callable[[], bool], lost: int
) -> tuple[Evidence, ...]:
    try:
        tables = tuple(run())
    except (Refused, InputError, NotMeasured, OutOfBudget):
        raise
    except Exception:
        # A recipe may stumble over having no trial at all; with answers it is a fault of its own.
        if endpoint.lost > lost and not any_answer() and endpoint.last_failure is not None:
            raise endpoint.last_failure from None
        raise
    if endpoint.lost > lost and endpoint.last_failure is not None and (not any_answer() or _empty(tables)):
        raise endpoint.last_failure
    return tables


def _probe(loaded: Loaded, endpoint: Endpoint) -> None:
    """Asks one question where the server has not answered yet, or not the last time."""
    failure = endpoint.last_failure
    if endpoint.answered and (failure is None or failure.reason in ABOUT_ONE_REQUEST):
        return
    from hartley.targets.agent.environments import TOOLBOX
    from hartley.targets.endpoint.client import EndpointPolicy
    from hartley.targets.text_protocol import TextProtocol

    assert loaded.system is not None and isinstance(loaded.system.policy, EndpointPolicy | TextProtocol)
    loaded.system.policy.probe([TOOLBOX[name].schema() for name in PROBED_TOOLS])


def words(failure: NotMeasured) -> str:
    """What a failure says, without the words that the status says already."""
    return str(failure).removeprefix("not measured: ")


def _empty(tables: Iterable[Evidence]) -> bool:
    return not any(len(table) for table in tables)
