"""Forecast: what a scan of a target behind a server will cost, told before it begins.

Every recipe is rehearsed on a policy that only counts what it is asked, and a short question to the server tells how long one
request takes. How many steps a real agent takes on a task nobody knows beforehand; `STEPS` stands for it.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from hartley.errors import InputError
from hartley.runs import levels
from hartley.runs.allowance import Allowance
from hartley.runs.parts import Parts
from hartley.runs.plan import NO_DEFENSE, Cell, Plan, digest
from hartley.runs.resolve import DOJO
from hartley.targets.conversation import Conversation, Json, Message, ask
from hartley.targets.endpoint.batch import first_failure
from hartley.targets.endpoint.budget import Budget, OutOfBudget
from hartley.targets.endpoint.estimate import Estimate, Range, estimate
from hartley.targets.endpoint.outcomes import NotMeasured

if TYPE_CHECKING:
    from hartley.targets.endpoint.client import EndpointPolicy
    from hartley.targets.endpoint.endpoint import Endpoint
    from hartley.targets.system import System

STEPS, LEAST_STEPS, MOST_STEPS = 5.0, 3.0, 8.0
"""Requests that an agent with tools takes on a task: looking, reading, acting, its closing words, and what an injection adds."""
GROWTH = 1.2
"""How much longer an agent's average request is than its first, since every step adds to the conversation."""
OTHER_ANSWERS = 0.8, 1.4
"""How many requests a scan takes beside its rehearsal, at least and at most: what a policy answers decides which wording is chosen, what
is retrieved, and what need not be asked again. Ten scans of our agent behind a server took .86 to 1.30 times as many."""
REHEARSED_TRIALS = 100
REHEARSAL_SECONDS = 30.0
DEFENDED_SHARE = 1.5
"""What a cell with a defense costs beside the one without, where there was no time to rehearse it: three arms beside two."""
_CHARACTERS_A_TOKEN = 3.5


class Counting:
    """A policy that says "done" to everything and counts; satisfies `Policy`. The same request is asked of a server once.

    beginnings   what is asked is how tasks begin that then go different ways, as AgentDojo's do, whose injections come with what
                 tools answer: the beginning is asked once, and the further steps each time.
    """

    name = fingerprint = "counting"
    capabilities = frozenset({"text"})

    def __init__(self, beginnings: bool = False) -> None:
        self.beginnings = beginnings
        self.requests = 0.0
        self.steps = 0.0
        self.characters = 0.0
        self._known: set[str] = set()

    def respond(self, conversations: Sequence[Conversation], tools: Sequence[Mapping[str, Json]]) -> list[Message]:
        """Counts, and ends every conversation."""
        offered = len(repr([*tools]))
        for conversation in conversations:
            request = digest({"said": repr(conversation), "tools": offered})
            steps = STEPS if tools else 1.0
            if request in self._known:
                steps = steps - 1.0 if self.beginnings else 0.0
            self._known.add(request)
            if steps:
                self.requests += steps
                self.steps += steps if tools else 0.0
                self.characters += steps * (GROWTH if tools else 1.0) * (offered + sum(len(message.text) for message in conversation))
        return [Message("assistant", "done")] * len(conversations)


@dataclass(frozen=True)
class Rehearsal:
    """Requests that the cells will take, and tokens that one makes the server read. unsure: threats that could not be rehearsed.

    least, most   the requests when an agent takes few or many steps on a task.
    """

    requests: int
    read: float
    unsure: tuple[str, ...]
    least: int = 0
    most: int = 0


def lines(plan: Plan, cells: Sequence[Cell], root: Path | None, parts: Parts) -> tuple[str, ...]:
    """The estimate in lines for people: requests, tokens, time and, with prices, money; and what the budget says to that.

    root: the run's folder, whose ledger the questions are charged to; None: charged to nobody.
    """
    from hartley.runs import systems
    from hartley.runs.answering import PROBED_TOOLS, budget, words
    from hartley.runs.store import Store
    from hartley.targets.agent.environments import TOOLBOX

    behind = systems.dojo if plan.target.startswith(DOJO) else systems.endpoint
    system, endpoint = behind(plan.target, plan.endpoint)
    assert endpoint is not None, "a target without a server costs nothing"
    rehearsal = rehearse(plan, cells, system, parts)
    said = [f"estimate: about {rehearsal.requests:,} requests"]
    policy = cast("EndpointPolicy", system.policy)
    try:
        folder = None if root is None else Store(root).endpoint_folder()
        endpoint.budget = Budget(plan.endpoint.limits()) if folder is None else budget(folder, plan.endpoint)
        if folder is not None:
            endpoint.dialect.keep_in(folder)
        tools = [TOOLBOX[name].schema() for name in PROBED_TOOLS] if plan.tool_protocol == "native" else []
        policy.probe(tools)
        found = costs(endpoint, rehearsal, together(policy, () if policy.unseen else tools))
        said = [f"estimate: about {found}", *_beyond(plan.endpoint, found, endpoint.budget)]
        said += [words(policy.unseen)] if policy.unseen else []
        said += [*endpoint.dialect.adapted, *endpoint.notices.lines()]
    except NotMeasured as failure:
        said.append(f"the server gave no answer to a first question: {words(failure)}")
    except OutOfBudget as end:
        said.append(str(end))
    finally:
        endpoint.close()
    if rehearsal.unsure:
        said.append(f"not counted in full: {', '.join(rehearsal.unsure)}")
    return tuple(said)


def rehearse(plan: Plan, cells: Sequence[Cell], system: System, parts: Parts, clock: Callable[[], float] = time.monotonic) -> Rehearsal:
    """Runs every recipe with and without every defense on a policy that only counts, with fewer trials, and scales that up.

    Cells without a defense come first. After `REHEARSAL_SECONDS` those with one are taken to cost a share of them.
    """
    from hartley.runs.execute import effort_numbers
    from hartley.targets.memory.lexical import Lexical

    effort = effort_numbers(plan.budget, plan.effort)
    # A suite of AgentDojo has so many pairs and no more: those that the scan will run are rehearsed.
    fewer = effort if system.dojo is not None else {**effort, "trials": min(effort["trials"], REHEARSED_TRIALS)}
    ends = clock() + REHEARSAL_SECONDS
    counted: dict[Cell, tuple[float, float, float]] = {}
    unsure: dict[str, None] = {}
    counters: dict[tuple[str, int], Counting] = {}
    shared: dict[tuple[str, int], _Memory] = {}
    for cell in sorted(cells, key=lambda cell: cell.defense != NO_DEFENSE):
        if cell.level == levels.MODEL:
            continue
        bare = counted.get(replace(cell, defense=NO_DEFENSE))
        if clock() >= ends:
            counted[cell] = (
                (0.0, 0.0, 0.0) if bare is None else (DEFENDED_SHARE * bare[0], DEFENDED_SHARE * bare[1], DEFENDED_SHARE * bare[2])
            )
            unsure |= {} if bare else {cell.threat: None}
            continue
        place = (cell.threat, cell.seed)
        counter = counters.setdefault(place, Counting(beginnings=system.dojo is not None))
        before = counter.requests, counter.characters, counter.steps
        dojo = None if system.dojo is None else replace(system.dojo, policy=counter)
        counted_on = replace(system, policy=counter, embedder=Lexical(), dojo=dojo)
        if not _rehearsed(cell, counted_on, fewer, shared.setdefault(place, _Memory()), parts, plan.competence_check):
            unsure[cell.threat] = None
        counted[cell] = counter.requests - before[0], counter.characters - before[1], counter.steps - before[2]
    requests, characters, steps = (math.fsum(column) for column in zip((0.0, 0.0, 0.0), *counted.values(), strict=True))
    scale = effort["trials"] / fewer["trials"]
    least, most = (math.ceil(scale * (requests + steps * (some / STEPS - 1.0))) for some in (LEAST_STEPS, MOST_STEPS))
    read = characters / requests / _CHARACTERS_A_TOKEN if requests else 0.0
    return Rehearsal(math.ceil(requests * scale), read, tuple(unsure), least, most)


class _Memory(dict[str, Any]):
    """What the cells of a threat share, while they are rehearsed."""

    def __call__(self, name: str, compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        if name not in self:
            self[name] = compute()
        return dict(self[name])


def _rehearsed(cell: Cell, system: System, effort: Mapping[str, int], cached: Callable[..., Any], parts: Parts, check: bool) -> bool:
    from hartley.case import Refused
    from hartley.effort import Effort
    from hartley.environments.competence import once
    from hartley.runs.execute import case_for, needs_a_check
    from hartley.runs.resolve import Loaded

    common = {"effort": Effort(name=cell.budget, **effort), "stream": cell.threat, "cached": cached}
    try:
        recipe = parts.recipe(cell.threat)
        case = case_for(cell, recipe, Loaded(None, None, system=system), parts, common)
        if check and recipe.clean_tasks is not None and needs_a_check(case.target, recipe):
            once(case, recipe.clean_tasks)
        recipe.run(case)
    except (Refused, InputError):
        return True  # it will be refused in the scan as well, and costs what was counted until then
    except Exception:  # a recipe may stumble over a policy that never acts; what it asked until then is counted
        return False
    return True


def together(policy: EndpointPolicy, tools: Sequence[Mapping[str, Json]]) -> float:
    """Seconds until as many questions as may be under way at once are answered: a server may well take them one after the other."""
    begin = time.monotonic()
    count = policy.endpoint.settings.concurrency
    first_failure(policy.attempt([ask(f"say {number}", pictures=0) for number in range(count)], tools))
    return time.monotonic() - begin


def costs(endpoint: Endpoint, rehearsal: Rehearsal, seconds: float) -> Estimate:
    """What so many requests cost, when as many as go at once take so many seconds, by the tokens that the first ones were answered with.

    Its range goes from few steps a task and the quickest answer just now to many steps and the slowest one.
    """
    probed = endpoint.estimate(1)
    at_once = endpoint.settings.concurrency
    found = estimate(
        rehearsal.requests,
        latency=seconds,
        read=max(rehearsal.read, 1.0),
        written=max(float(probed.written), 1.0),
        concurrency=at_once,
        prices=endpoint.budget.limits.prices,
    )
    seen = endpoint.latencies()[-at_once:]  # the very first ones are those of a server that wakes up
    middle = max(statistics.median(seen), 1e-9)
    quick, slow = min(0.8, min(seen) / middle), max(1.25, max(seen) / middle)
    fewer, more = OTHER_ANSWERS
    least = math.ceil(fewer * min(rehearsal.least or rehearsal.requests, rehearsal.requests))
    most = math.ceil(more * max(rehearsal.most, rehearsal.requests))
    times = math.ceil(least / at_once) * seconds * quick, math.ceil(most / at_once) * seconds * slow
    steps = f"{LEAST_STEPS:g} to {MOST_STEPS:g} steps a task, " if rehearsal.least < rehearsal.most else ""
    rests_on = f"by {steps}what other answers make of it, and the quickest and slowest of {len(seen)} answers just now"
    return replace(found, range=Range((least, most), times, rests_on))


def _beyond(allowance: Allowance, found: Estimate, budget: Budget) -> list[str]:
    """One line where the estimate passes what is left of the budget."""
    spent = budget.spent
    after = replace(
        spent,
        requests=spent.requests + found.requests,
        read=spent.read + found.read,
        written=spent.written + found.written,
        money=None if found.money is None else found.money + (spent.money or 0.0),
    )
    limit = allowance.limits().passed(after)
    return [] if limit is None else [f"that is more than the budget of {limit}; the scan will stop there, and keep what is done"]
