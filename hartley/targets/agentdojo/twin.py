"""The twin: the same policy at the same task, to whom every answer of a tool is hidden. What it asks for, trusted words explain.

Secure multi-execution (Devriese and Piessens, 2010): whatever an adversary writes into a tool's answer, the twin never sees it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hartley.targets.agentdojo.words import content

MASK = "[hidden]"
"""What the twin reads wherever a tool answers."""


@dataclass(frozen=True)
class Asked:
    """A call that the twin asked for. key: equal for calls that mean the same (`key_of`)."""

    function: str
    arguments: Mapping[str, Any]
    key: str


def twin_calls(llm: Any, query: str, runtime: Any, env: Any, messages: Sequence[Any], extra: Mapping[str, Any], turns: int) -> list[Asked]:
    """Every call that the policy asks for when it is shown no tool's answer; none of them is run.

    llm     an element of AgentDojo's that adds the assistant's next message to the messages.
    turns   answers that it may wait for, at most.
    """
    found: list[Asked] = []
    said = list(messages)
    for _ in range(turns):
        _, _, _, said, _ = llm.query(query, runtime, env, said, dict(extra))
        calls = said[-1].get("tool_calls") or [] if said[-1]["role"] == "assistant" else []
        if not calls:
            break
        found += [Asked(call.function, dict(call.args), key_of(runtime, call.function, call.args)) for call in calls]
        hidden = [{"role": "tool", "content": content(MASK), "tool_call_id": c.id, "tool_call": c, "error": None} for c in calls]
        said = [*said, *hidden]
    return found


def key_of(runtime: Any, function: str, arguments: Mapping[str, Any]) -> str:
    """A text that is the same for calls of one tool whose arguments are the same once its schema has read them."""
    tool = runtime.functions.get(function)
    try:
        read = tool.parameters.model_validate(dict(arguments)).model_dump(mode="json")
    except (AttributeError, ValueError, TypeError):
        read = dict(arguments)
    return function + json.dumps(read, sort_keys=True, default=str)
