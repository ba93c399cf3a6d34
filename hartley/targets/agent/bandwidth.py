"""Bandwidth of an agent's tools: log2 of how many acting calls its interface lets through, counted exactly."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cache

import numpy as np

from hartley.bits.bandwidth import tools_bandwidth, used_bandwidth
from hartley.bits.cut import cut_bound
from hartley.bits.value import Bits
from hartley.targets.agent.agent import Agent
from hartley.targets.agent.environments import TOOLBOX
from hartley.targets.agent.tool import Tool
from hartley.targets.agent.trace import Trace
from hartley.targets.conversation import Json
from hartley.targets.reference.agent.words import vocabulary

LONGEST = 24
"""Words of a free argument that are counted: a string of any length has no bound at all."""
LARGEST = 999
"""The largest number that is counted where a schema sets no bound."""
COUNTED = f"exact count over schemas; strings of up to {LONGEST} of the world's words, numbers up to {LARGEST}"


@cache
def acting_bits(tools: tuple[str, ...]) -> float:
    """log2 of the number of calls of these tools that may change the world, and of making none."""
    schemas = {name: _bounded(TOOLBOX[name]) for name in tools if TOOLBOX[name].privileged}
    found = tools_bandwidth(schemas, alphabet=len(vocabulary()), longest=LONGEST)
    assert found.bits is not None  # every string and every number is bounded
    return found.bits


def _bounded(tool: Tool) -> dict[str, Json]:
    properties: dict[str, Json] = {
        name: {**schema, "maximum": schema.get("maximum", LARGEST)} if schema["type"] == "integer" else dict(schema)
        for name, schema in tool.arguments.items()
    }
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def bits_of(agent: Agent, trace: Trace) -> float:
    """log2 of the number of acting calls that untrusted words could cause in one step of this trace, behind all guards."""
    bits = acting_bits(trace.tools)
    for guard in agent.guards:
        bits = guard.bandwidth(trace, bits)
    return bits


def deeds(trace: Trace) -> int:
    """The calls of this trace that changed the world, in order, as one symbol: a number that says which they are."""
    done = [(step.call.name, sorted(step.call.arguments.items())) for step in trace.steps if step.acted]
    return int.from_bytes(hashlib.sha256(json.dumps(done).encode()).digest()[:7], "big")


def used(bits: Sequence[float], calls: Sequence[int], done: Sequence[int]) -> list[Bits]:
    """An arm's bandwidth per call, its mean over the trials, with the calls that were made the cut bound per task, and what is used of it:
    H of what was done in a task (`deeds`), in bits per task. Without an attack that is honest use; an attack that adds to what the user
    wants done raises it, one that substitutes does not. done: of the trials in which the policy answered."""
    mean, rate, n = sum(bits) / len(bits), sum(calls) / len(calls), len(bits)
    bound = cut_bound(rate, mean)
    found = [
        Bits(mean, min(bits), max(bits), n, COUNTED, "bandwidth_bits", True),
        Bits(bound, None, None, n, f"{rate:.2f} calls a task times bandwidth", "cut_bound_bits", True),
    ]
    return [*found, used_bandwidth(np.asarray(done))] if done else found
