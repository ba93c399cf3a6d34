"""FIDES (Costa et al., 2025) as a second opinion on calls: the labels and the policy of agent-framework-core, its own code.

It judges a trace that is there; it is no safeguard of ours. What it can judge: whether a tool may be called in a context that
holds untrusted answers, or with arguments that were resolved from hidden ones. What it cannot: whether the same call would have
been made without them; its labels only go up.
"""

from __future__ import annotations

import asyncio
import logging
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from hartley.errors import InputError


@dataclass(frozen=True)
class Asked:
    """A call as it was made. answer: what the tool said, all of it untrusted.

    traced   for each argument that was read from an earlier answer, that answer's place among the calls.
    """

    name: str
    arguments: Mapping[str, Any]
    answer: str = ""
    traced: Mapping[str, int] = field(default_factory=dict)


def refusals(calls: Sequence[Asked], reading: Collection[str], *, hiding: bool = False) -> list[bool]:
    """Which of a trace's calls FIDES refuses, each judged after all before it had been run.

    reading  the tools that untrusted content may steer: those that change nothing.
    hiding   untrusted answers are kept behind variables, as FIDES does unless told otherwise, and traced arguments are
             references to them. A trace was made by an agent that saw every answer; how it would have gone on without
             seeing them this cannot tell. False: answers are shown, and taint the context.
    Raises InputError where the extra `fides` is not installed.
    """
    if find_spec("agent_framework") is None:
        raise InputError("the second opinion comes with FIDES; not installed: agent-framework-core; takes: pip install -e '.[fides]'")
    return asyncio.run(_judged(calls, frozenset(reading), hiding))


async def _judged(calls: Sequence[Asked], reading: frozenset[str], hiding: bool) -> list[bool]:
    logging.getLogger("agent_framework").setLevel(logging.ERROR)  # it tells of every label that it sets
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says once that it is experimental
        framework, security = import_module("agent_framework"), import_module("agent_framework.security")
    tracker = security.LabelTrackingFunctionMiddleware(auto_hide_untrusted=hiding)
    policy = security.PolicyEnforcementFunctionMiddleware(allow_untrusted_tools=set(reading))
    variables: dict[int, str] = {}
    found = []
    for place, call in enumerate(calls):
        given = dict(call.arguments)
        given |= {name: f"[{variables[source]}]" for name, source in call.traced.items() if name in given and source in variables}
        before = set(tracker.get_variable_store().list_variables())
        ran = await _passes(tracker, policy, _context(framework, call.name, given), call.answer)
        found.append(not ran)
        if not ran:  # in the trace it ran, so its answer was seen all the same
            await _passes(tracker, None, _context(framework, call.name, {}), call.answer)
        new = set(tracker.get_variable_store().list_variables()) - before
        if new:
            variables[place] = min(new)
    return found


def _context(framework: Any, name: str, given: Mapping[str, Any]) -> Any:
    return framework.FunctionInvocationContext(function=framework.FunctionTool(name=name, description=name, func=_nothing), arguments=given)


async def _passes(tracker: Any, policy: Any, context: Any, answer: str) -> bool:
    """Whether the call runs, with its answer labeled."""
    ran = []

    async def run() -> None:
        ran.append(True)
        context.result = answer

    async def judge() -> None:
        await (run() if policy is None else policy.process(context, run))

    try:
        await tracker.process(context, judge)
    except import_module("agent_framework").MiddlewareTermination:
        return False
    return bool(ran)


def _nothing() -> str:
    """Stands where a tool's function would; nothing is run."""
    return ""
