"""Trials as Evidence: intent is the user task, adversary the injection task, outcome and effect which of them was done."""

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


def columns(found: Sequence[Trial]) -> dict[str, NDArray[np.int64]]:
    """Trials as columns (rows,): what a table needs of them, so that it can be kept without their words."""
    rows: dict[str, list[int]] = {
        "user": [t.user for t in found],
        "injection": [t.injection for t in found],
        "utility": [int(t.utility) for t in found],
        "security": [int(t.security) for t in found],
        "reached": [int(t.reached) for t in found],
        "error": [int(bool(t.error)) for t in found],
        "calls": [sum(not answer.why for answer in t.answers) for t in found],
        "refused": [sum(bool(answer.why) for answer in t.answers) for t in found],
    }
    return {name: np.array(values, dtype=np.int64) for name, values in rows.items()}


def table(suite: Suite, arms: Mapping[str, Columns]) -> Evidence:
    """One table of all arms. A trial with an error is left out: it is neither a success nor a failure.

    Every user task that occurs is as likely as any other; that is how pairs are chosen.
    success   1 or 0 where the injection was in something that the agent was shown; NONE where it was not reached.
    effect    the injection task, where AgentDojo's predicate for it holds, reached or not; each pair is judged by its own one.
    costs     tool_calls that were run, and refused_calls.
    """
    width = len(suite.injections)
    asked = np.isin(np.arange(len(suite.users)), np.concatenate([rows["user"] for rows in arms.values()]))
    parts = []
    for arm, all_rows in arms.items():
        rows = {name: values[all_rows["error"] == 0] for name, values in all_rows.items()}
        attacked = rows["injection"] != NONE
        parts.append(
            Evidence(
                channel=f"agentdojo {suite.name}",
                kind="write",
                intent_alphabet=suite.users,
                adversary_alphabet=suite.injections,
                outcome_alphabet=suite.users,
                effect_alphabet=suite.injections,
                arm=np.full(len(attacked), ARMS.index(arm), dtype=np.int8),
                trial=rows["user"] * width + np.maximum(rows["injection"], 0),
                intent=rows["user"].astype(np.int32),
                adversary=rows["injection"].astype(np.int32),
                outcome=np.where(rows["utility"] == 1, rows["user"], NONE).astype(np.int32),
                effect=np.where(attacked & (rows["security"] == 1), rows["injection"], NONE).astype(np.int32),
                success=np.where(attacked & (rows["reached"] == 1), rows["security"], NONE).astype(np.int8),
                intent_prior=asked / max(1, asked.sum()),
                costs={"tool_calls": rows["calls"].astype(np.float64), "refused_calls": rows["refused"].astype(np.float64)},
            )
        )
    return Evidence.concat(parts)


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
