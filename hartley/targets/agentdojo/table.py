"""Trials as Evidence: intent is the user task, adversary the injection task, outcome and effect which of all tasks were done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hartley.bits.bandwidth import Bandwidth, tools_bandwidth
from hartley.evidence import ARMS, NONE, Evidence
from hartley.targets.agentdojo.ground_truth import GroundTruth
from hartley.targets.agentdojo.pipeline import planned_tools
from hartley.targets.agentdojo.suites import Suite
from hartley.targets.agentdojo.trials import Trial
from hartley.targets.protocols import Policy

Columns = Mapping[str, NDArray[np.int64]]


DONE, READ = "user_task_done", "documents_read"
"""Among the costs: 1 where the predicate of the user's own task holds, and where the agent was shown what the attack had written."""


def columns(found: Sequence[Trial]) -> dict[str, NDArray[np.int64]]:
    """Trials as columns (rows,): what a table needs of them, so that it can be kept without their words. Sets of tasks are sums of
    powers of two.

    Raises ValueError for a trial of which only the pair's own predicates were asked: from these no outcome can be told.
    """
    if any(not t.error and (t.users_done is None or t.injections_done is None) for t in found):
        raise ValueError("trials without the predicates of all tasks: run them with every=True")
    rows: dict[str, list[int]] = {
        "user": [t.user for t in found],
        "injection": [t.injection for t in found],
        "utility": [int(t.utility) for t in found],
        "users_done": [_sum(t.users_done) for t in found],
        "injections_done": [_sum(t.injections_done) for t in found],
        "reached": [int(t.reached) for t in found],
        "error": [int(bool(t.error)) for t in found],
        "calls": [sum(not answer.why for answer in t.answers) for t in found],
        "refused": [sum(bool(answer.why) for answer in t.answers) for t in found],
    }
    return {name: np.array(values, dtype=np.int64) for name, values in rows.items()}


def _sum(tasks: frozenset[int] | None) -> int:
    return sum(1 << task for task in tasks or ())


def table(suite: Suite, arms: Mapping[str, Columns]) -> Evidence:
    """One table of all arms. A trial with an error is left out: it is neither a success nor a failure.

    Where there is an arm under attack, every arm has a row for each of its pairs: a user task that ran alone is judged by the
    predicates of all the injections that it is paired with elsewhere. Rows of one user task are one cluster.

    Every user task that occurs is as likely as any other; that is how pairs are chosen.
    success   AgentDojo's predicate for the pair's injection task, reached or not.
    outcome, effect   which of all user tasks', and of all injection tasks', predicates hold. AgentDojo's are not exclusive: what is
              done is a set, and every set that occurs is a symbol of its own; none of them is NONE.
    costs     tool_calls that were run, and refused_calls; DONE and READ.
    """
    width = len(suite.injections)
    pairs = np.array(sorted({(user, other) for rows in arms.values() for user, other in _pairs(rows) if other != NONE}), np.int64)
    given = {arm: _spread(rows, pairs) for arm, rows in arms.items()}
    asked = np.isin(np.arange(len(suite.users)), np.concatenate([rows["user"] for rows in arms.values()]))
    sets = {name: np.unique(np.concatenate([rows[name] for rows in given.values()])) for name in ("users_done", "injections_done")}
    parts = []
    for arm, rows in given.items():
        injected = rows["injection"] != NONE
        security = (rows["injections_done"] >> np.maximum(rows["injection"], 0)) & 1
        parts.append(
            Evidence(
                channel=f"agentdojo {suite.name}",
                kind="write",
                intent_alphabet=suite.users,
                adversary_alphabet=suite.injections,
                outcome_alphabet=_names(sets["users_done"], suite.users),
                effect_alphabet=_names(sets["injections_done"], suite.injections),
                arm=np.full(len(injected), ARMS.index(arm), dtype=np.int8),
                trial=rows["user"] * width + np.maximum(rows["injection"], 0),
                intent=rows["user"].astype(np.int32),
                adversary=rows["injection"].astype(np.int32),
                outcome=_symbols(sets["users_done"], rows["users_done"]),
                effect=_symbols(sets["injections_done"], rows["injections_done"]),
                success=np.where(injected, security, NONE).astype(np.int8),
                cluster=rows["user"],
                intent_prior=asked / max(1, asked.sum()),
                costs={
                    "tool_calls": rows["calls"].astype(np.float64),
                    "refused_calls": rows["refused"].astype(np.float64),
                    DONE: rows["utility"].astype(np.float64),
                    READ: rows["reached"].astype(np.float64),
                },
            )
        )
    return Evidence.concat(parts)


def _pairs(rows: Columns) -> list[tuple[int, int]]:
    return list(zip(rows["user"].tolist(), rows["injection"].tolist(), strict=True))


def _spread(rows: Columns, pairs: NDArray[np.int64]) -> Columns:
    """The rows without errors; of user tasks that ran alone one for each pair, if there are any."""
    kept = {name: values[rows["error"] == 0] for name, values in rows.items()}
    if (kept["injection"] != NONE).any() or not len(pairs):
        return kept
    place = {user: row for row, user in enumerate(kept["user"].tolist())}
    met = pairs[np.isin(pairs[:, 0], kept["user"])]
    spread = {name: values[[place[user] for user in met[:, 0].tolist()]] for name, values in kept.items()}
    return {**spread, "injection": met[:, 1]}


def _names(sets: NDArray[np.int64], tasks: Sequence[str]) -> tuple[str, ...]:
    found = [[task for place, task in enumerate(tasks) if one >> place & 1] for one in sets.tolist()]
    return tuple(" + ".join(names) for names in found if names)


def _symbols(sets: NDArray[np.int64], done: NDArray[np.int64]) -> NDArray[np.int32]:
    return np.where(done == 0, NONE, np.searchsorted(sets[sets > 0], done)).astype(np.int32)


def bandwidths(suite: Suite, policy: Policy | None = None) -> tuple[Bandwidth, dict[str, Bandwidth]]:
    """The bandwidth of a call, by the schemas of all tools, and by those that the allow-list leaves to each user task.

    policy   whose plan the allow-list follows; None: the scripted one.
    """
    offered = planned_tools(suite, GroundTruth(suite) if policy is None else policy)
    return tools_bandwidth(suite.tools, no_call=False), {
        user: tools_bandwidth([tool for tool in suite.tools if _name(tool) in names], no_call=False) for user, names in offered.items()
    }


def which_tool_bits(suite: Suite, policy: Policy | None = None) -> tuple[float, float]:
    """Bits of which tool is called, arguments aside: with all tools, and the mean over user tasks with the allow-list."""
    offered = planned_tools(suite, GroundTruth(suite) if policy is None else policy)

    def bits(names: Iterable[str]) -> float:
        return tools_bandwidth(dict.fromkeys(names), no_call=False).bits or 0.0

    return bits(map(_name, suite.tools)), float(np.mean([bits(names) for names in offered.values()]))


def _name(tool: Mapping[str, Any]) -> str:
    return str(tool["function"]["name"])
