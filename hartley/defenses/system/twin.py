"""Twin: the same policy on the same assignment, shown nothing that is untrusted. What it does follows from trusted words alone.

Secure multi-execution (Devriese and Piessens, IEEE S&P 2010): what a run decides without ever seeing the untrusted input cannot
depend on it, whatever the policy is.
"""

from __future__ import annotations

from collections.abc import Sequence

from hartley.targets.agent.agent import Agent, Guard
from hartley.targets.agent.label import WORLD, Label
from hartley.targets.agent.trace import Assignment, Step, Trace
from hartley.targets.conversation import Call
from hartley.targets.protocols import Policy

MASK = "nothing"
"""What the twin is shown in place of untrusted words: what tools of this world say when they have nothing to tell."""


class Masking(Guard):
    """Shows `MASK` in place of every untrusted answer."""

    def show(self, answers: Sequence[tuple[Trace, Step]]) -> list[tuple[str, Label]]:
        return [(step.shown, step.label) if step.label.trusted else (MASK, WORLD) for _, step in answers]


def twins(policy: Policy, assignments: Sequence[Assignment]) -> list[Trace]:
    """The traces of the twins; everything in them is trusted."""
    return Agent(policy, (Masking(),)).run(assignments)


def same(call: Call, other: Call) -> bool:
    """Whether two calls are the same but for their ids."""
    return call.name == other.name and dict(call.arguments) == dict(other.arguments)
