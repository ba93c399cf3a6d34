"""Transcripts: a trace as an exhibit, with what is trusted, what the adversary wrote, and what became of every call."""

from __future__ import annotations

from collections.abc import Sequence

from hartley.attacks.exhibit import BLOCKED, EXECUTED, INJECTED, Exhibit, Line, Span
from hartley.targets.agent.state import Place
from hartley.targets.agent.trace import Trace
from hartley.targets.conversation import Call


def exhibit(
    channel: str, arm: str, trace: Trace, *, intent: str, goal: str, goal_calls: Sequence[Call], planted: Sequence[Place]
) -> Exhibit:
    """One trial's transcript. planted: the places that hold the adversary's words in this arm; empty where there are none."""
    done = [written(call) for call in trace.calls if _acts(trace, call)]
    said = ", ".join(done) or "no call that changes anything"
    lines = tuple(_line(trace, place, goal_calls, set(planted)) for place in range(len(trace.entries)))
    return Exhibit(channel, arm, intent, goal if planted else None, said, said, transcript=lines)


def written(call: Call) -> str:
    """ "pay(recipient=anna, amount=30)" """
    return f"{call.name}({', '.join(f'{name}={value}' for name, value in call.arguments.items())})"


def _acts(trace: Trace, call: Call) -> bool:
    return any(step.acted and step.call.name == call.name and step.call.arguments == call.arguments for step in trace.steps)


def _line(trace: Trace, place: int, goal_calls: Sequence[Call], planted: set[Place]) -> Line:
    entry = trace.entries[place]
    message = entry.message
    if message.role == "tool":
        step = trace.steps[entry.step]
        theirs = not planted.isdisjoint(step.reads)
        return Line("tool", (Span(message.text, entry.label.trusted, theirs),))
    if not message.calls:
        return Line(message.role, (Span(message.text, entry.label.trusted),))
    # The step of an assistant's first call is the one that the next tool message answers.
    answers = next((later.step for later in trace.entries[place + 1 :] if later.message.role == "tool"), -1)
    call = message.calls[0]
    if answers < 0:
        return Line("assistant", (), written(call), BLOCKED, "the agent had used up its calls")
    step = trace.steps[answers]
    if not step.executed:
        return Line("assistant", (), written(call), BLOCKED, step.why)
    theirs = any(call.name == goal.name and dict(call.arguments) == dict(goal.arguments) for goal in goal_calls)
    return Line("assistant", (), written(call), INJECTED if theirs and planted else EXECUTED)
