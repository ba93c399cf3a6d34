"""Tool allow-list and call budget: only the tools that a task calls for, planned before anything untrusted is read."""

from __future__ import annotations

from collections.abc import Sequence

from hartley.defenses.system.safeguard import Safeguard
from hartley.defenses.system.twin import twins
from hartley.targets.agent.agent import ALLOWED, Agent, Guard, Verdict
from hartley.targets.agent.trace import Trace
from hartley.targets.conversation import Call
from hartley.targets.protocols import Policy

ID = "tool-allow-list"
SPARE = 1
"""Calls beyond the plan's: a plan made without reading may be short of one."""


class AllowList(Guard):
    """Offers each task the tools that the policy's own plan for it calls, where the plan is made without untrusted words, and as
    many calls as the plan has and one more. A tool that is not offered is refused when it is called anyway."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy

    def offer(self, traces: Sequence[Trace]) -> list[tuple[str, ...]]:
        plans = twins(self.policy, [trace.assignment for trace in traces])
        for trace, plan in zip(traces, plans, strict=True):
            trace.notes[ID] = len(plan.steps) + SPARE
        return [
            tuple(name for name in trace.tools if name in {step.call.name for step in plan.steps})
            for trace, plan in zip(traces, plans, strict=True)
        ]

    def judge(self, asked: Sequence[tuple[Trace, Call]]) -> list[Verdict]:
        return [_verdict(trace, call) for trace, call in asked]


def _verdict(trace: Trace, call: Call) -> Verdict:
    if call.name not in trace.tools:
        return Verdict(False, f"{call.name} is not on this task's list ({', '.join(trace.tools) or 'no tools'})")
    if len(trace.steps) >= trace.notes[ID]:
        return Verdict(False, f"the task's budget of {trace.notes[ID]} calls is spent")
    return ALLOWED


def guarded(agent: Agent) -> Agent:
    """The agent with an allow-list and a budget for every task."""
    return agent.guarded(AllowList(agent.policy))


DEFENSE = Safeguard(ID, agent=guarded)
