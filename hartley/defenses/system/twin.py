"""Twin: the same policy on the same assignment, shown nothing that is untrusted. What it does follows from trusted words alone.

Secure multi-execution (Devriese and Piessens, IEEE S&P 2010): what a run decides without ever seeing the untrusted input cannot
depend on it, whatever the policy is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hartley.targets.agent.agent import Agent, Guard
from hartley.targets.agent.label import WORLD, Label
from hartley.targets.agent.trace import Assignment, Step, Trace
from hartley.targets.conversation import Call, Conversation, Message
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


def as_twin(trace: Trace) -> Conversation:
    """A conversation as the twin would know it: `MASK` in place of untrusted words, without the calls that they brought about."""
    seen: list[Message] = []
    for place, entry in enumerate(trace.entries):
        message = entry.message
        if message.role == "tool":
            continue  # stands behind its call already
        words = message.text if entry.label.trusted else MASK
        if not message.calls:
            seen.append(replace(message, text=words))
            continue
        answers = [answer for answer in trace.entries[place + 1 : place + 1 + len(message.calls)] if answer.step >= 0]
        own = [(call, answer) for call, answer in zip(message.calls, answers, strict=False) if trace.steps[answer.step].origin.trusted]
        if own:
            seen.append(replace(message, text=message.text if entry.label.trusted else "", calls=tuple(call for call, _ in own)))
            seen += [answer.message if answer.label.trusted else replace(answer.message, text=MASK) for _, answer in own]
    return tuple(seen)


def same(call: Call, other: Call) -> bool:
    """Whether two calls are the same but for their ids."""
    return call.name == other.name and dict(call.arguments) == dict(other.arguments)
