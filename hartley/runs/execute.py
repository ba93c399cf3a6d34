"""Execute: one cell, from its circumstances to its written result."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch

from hartley.bits.value import Bits
from hartley.case import AnyCase, Case, Flag, Refused, wrapper
from hartley.defenses.system.safeguard import Safeguard
from hartley.effort import EFFORTS, Effort
from hartley.environments.competence import once
from hartley.evidence import ARMS, Evidence
from hartley.recipe import Recipe
from hartley.runs import media
from hartley.runs.answering import Silent, answered
from hartley.runs.cache import Cache
from hartley.runs.context import Context
from hartley.runs.folder import SCHEMA, empty_result
from hartley.runs.levels import SYSTEM, either, ruled_out
from hartley.runs.parts import Parts
from hartley.runs.plan import EFFORT_FIELDS, NO_DEFENSE, Cell
from hartley.runs.resolve import Loaded
from hartley.runs.store import Store, slug
from hartley.targets.system import System

OTHER_NUMBERS = (
    "its trials come in whole groups (members and non-members, entries of a memory, receivers of a message, pictures of a virus), the data "
    "hold no more, or the server left some unanswered"
)
Progress = Callable[[str, int, int], None]
Say = Callable[[str], None]


def no_progress(_what: str, _step: int, _steps: int) -> None:
    """Says nothing."""


def say_nothing(_line: str) -> None:
    """Nobody listens."""


def not_watched(_begins: bool) -> None:
    """Nobody keeps this cell's time."""


def execute(
    cell: Cell,
    loaded: Loaded,
    store: Store,
    progress: Progress = no_progress,
    *,
    context: Context,
    parts: Parts,
    waiting: Callable[[bool], None] = not_watched,
    say: Say = say_nothing,
    checks_competence: bool = True,
) -> dict[str, Any]:
    """Runs the cell's recipe, measures what it saw, and writes the result; also gives it back.

    A threat that the target cannot support, or a recipe that raises `Refused`, gives a result with status "refused".
    Raises Silent when the server behind the target gave no answer. Whatever else a recipe raises goes through.
    Same cell, context and machine: the same bytes.
    """
    key = cell.key(context)
    settle_randomness(cell.stream(context))
    recipe = parts.recipe(cell.threat)
    try:
        common = {
            "effort": Effort(name=cell.budget, **context.effort),
            "stream": cell.stream(context),
            "cached": Cache(store, cell.cache_namespace(context), waiting, lambda: loaded.endpoint.lost if loaded.endpoint else 0),
            "progress": progress,
        }
        case = case_for(cell, recipe, loaded, parts, common)
        checked = checks_competence and needs_a_check(loaded.system, recipe)
        tables = answered(loaded, partial(_after_a_check, recipe, case, say) if checked else partial(recipe.run, case), case.flags)
    except Refused as refusal:
        result = empty_result(cell, key, "refused", one_line(refusal))
    else:
        result = measured(cell, key, case, tables, recipe, store, parts)
    store.write_cell(result)
    return result


def _after_a_check(recipe: Recipe, case: AnyCase, say: Say) -> tuple[Evidence, ...]:
    """The recipe's tables. A policy that is not our own is first given clean tasks of the kind that the threat attacks: where it does
    none, no attack is paid for. Raises Silent then, and says what it found."""
    assert recipe.clean_tasks is not None
    found = once(case, recipe.clean_tasks)
    say(f"competence, {found.line}")
    if found.hopeless:
        raise Silent(found.verdict, answered=True)
    case.flags.append(Flag("", "", "competence", found.verdict or found.line))
    return recipe.run(case)


def needs_a_check(system: System | None, recipe: Recipe) -> bool:
    """Whether nobody has measured what the system's policy can do: our own has a card, and AgentDojo's scripts know the solutions."""
    if system is None or system.reference or recipe.clean_tasks is None:
        return False
    return system.dojo is None or not system.dojo.scripted


def case_for(cell: Cell, recipe: Recipe, loaded: Loaded, parts: Parts, common: Mapping[str, Any]) -> AnyCase:
    """The case of the threat's own level. Raises Refused where the target has no such level or lacks what the threat needs."""
    defense = None if cell.defense == NO_DEFENSE else parts.defense(cell.defense)
    if recipe.level == SYSTEM:
        if loaded.system is None:
            raise Refused(f"{cell.threat} attacks an agent, a society or a memory; {cell.target} is a model alone")
        refuse_incapable(cell, recipe, loaded.system.name, loaded.system.capabilities)
        if loaded.system.dojo is not None and not recipe.agentdojo:
            raise Refused(f"{cell.threat} needs an environment of ours, and {cell.target} is a suite of AgentDojo")
        if defense is not None and not isinstance(defense, Safeguard):
            raise Refused(f"{cell.defense} wraps a model, and {cell.threat} attacks the system around one")
        if defense is not None:
            wrapper(defense, *recipe.guards)
        return Case(target=loaded.system, defense=defense, **common)
    held = {**({} if loaded.target is None else {"encoder": loaded.target}), **loaded.members}
    members = {family: held[family] for family in recipe.families if family in held}
    if not members or loaded.data is None:
        raise Refused(f"{cell.threat} attacks {either(recipe.families)}; {cell.target} has none")
    target = next(iter(members.values()))
    refuse_incapable(cell, recipe, target.name, target.capabilities)
    if isinstance(defense, Safeguard):
        raise Refused(f"{cell.defense} wraps a system, and {cell.threat} attacks a model alone")
    if defense is not None and (why := ruled_out(cell.threat, cell.defense)):
        raise Refused(f"{cell.defense}: {why}")
    surrogate = loaded.surrogate
    if surrogate is not None and not recipe.transfers:
        raise Refused(f"{cell.threat} is not made on a surrogate: it attacks the target's own training, or asks it alone")
    return Case(target=target, members=members, data=loaded.data, defense=defense, surrogate=surrogate, **common)


def refuse_incapable(cell: Cell, recipe: Recipe, name: str, capabilities: frozenset[str]) -> None:
    """Raises Refused, naming what is missing, when the threat needs capabilities that the target does not declare."""
    missing = sorted(recipe.needs - capabilities)
    if missing:
        raise Refused(f"{cell.threat} needs {', '.join(missing)} of its target; {name} offers {', '.join(sorted(capabilities)) or 'none'}")


def settle_randomness(stream: str) -> None:
    """Puts the process's own random states, which libraries draw from unasked, where they do not depend on what ran before."""
    seed = int(stream[:15], 16)
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)
    random.seed(seed)


def measured(cell: Cell, key: str, case: AnyCase, tables: Iterable[Evidence], recipe: Recipe, store: Store, parts: Parts) -> dict[str, Any]:
    """The result of a cell that ran. Raises ValueError when the recipe gave no table or two of one channel."""
    tables = tuple(tables)
    case.flags += other_numbers(case, tables)
    names = [evidence.channel for evidence in tables]
    if not names or len({slug(name) for name in names}) != len(names):
        raise ValueError(f"{cell.threat} gave the channels {names}; it must give at least one, and each once")
    return {
        "schema": SCHEMA,
        "key": key,
        "cell": cell.to_json(),
        "status": "measured",
        "why": "",
        "channels": [channel(key, evidence, recipe, store, parts, left(case, evidence)) for evidence in tables],
        "flags": [{"channel": flag.channel, "arm": flag.arm, "name": flag.name, "why": flag.why} for flag in case.flags],
        "curves": [
            {"channel": curve.channel, "arm": curve.arm, "name": curve.name, "values": [_finite(value) for value in curve.values]}
            for curve in case.curves
        ],
        "exhibits": [media.record(exhibit, store.write_media) for exhibit in case.exhibits],
    }


def other_numbers(case: AnyCase, tables: Iterable[Evidence]) -> list[Flag]:
    """Where a channel has another number of trials than the user has asked for, in any arm, a line that says so."""
    if not case.effort.exact:
        return []
    found = []
    for table in tables:
        counts = {int((table.arm == ARMS.index(arm)).sum()) for arm in table.arms}
        if counts - {case.effort.trials}:
            held = " or ".join(f"{count:,}" for count in sorted(counts))
            why = f"--trials asks for {case.effort.trials:,}; this channel has {held} in an arm: {OTHER_NUMBERS}"
            found.append(Flag(table.channel, "", "trials", why))
    return found


def left(case: AnyCase, evidence: Evidence) -> tuple[tuple[str, Bits], ...]:
    """(arm, Bits) of the measures that the recipe itself left for one channel."""
    return tuple((arm, bits) for channel, arm, bits in case.measures if channel == evidence.channel)


def channel(key: str, evidence: Evidence, recipe: Recipe, store: Store, parts: Parts, more: tuple[tuple[str, Bits], ...]) -> dict[str, Any]:
    """One channel's part of the result: its table's file, its rates, its measures, its costs."""
    name, digest = store.write_evidence(key, evidence)
    return {
        "name": evidence.channel,
        "kind": evidence.kind,
        "evidence": name,
        "digest": digest,
        "rates": [rate.to_json() for rate in recipe.rates(evidence)],
        "measures": [{"arm": arm, "bits": bits.to_json()} for arm, bits in (*parts.measures(evidence), *more)],
        "costs": costs(evidence),
    }


def costs(evidence: Evidence) -> list[dict[str, Any]]:
    """Mean and largest of each cost in each arm, over the n trials to which it applies; left out where it applies to none."""
    summary = []
    for arm in evidence.arms:
        rows = evidence.of(arm)
        for name, column in sorted(rows.costs.items()):
            values = column[~np.isnan(column)]
            if len(values):
                mean = math.fsum(values.tolist()) / len(values)
                summary.append({"name": name, "arm": arm, "mean": mean, "max": float(values.max()), "n": len(values)})
    return summary


def effort_numbers(budget: str, replaced: Mapping[str, int]) -> dict[str, int]:
    """The budget's numbers, with a plan's own in their place. Where trials are asked for, members and non-members are so many together."""
    numbers = {name: replaced.get(name, getattr(EFFORTS[budget], name)) for name in EFFORT_FIELDS}
    if "trials" not in replaced:
        return numbers
    return {**numbers, "members": replaced.get("members", max(1, replaced["trials"] // 2)), "exact": 1}


def one_line(error: BaseException) -> str:
    """What an exception says, on one line of at most 300 characters."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else text[:299] + "…"


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
