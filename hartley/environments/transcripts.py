"""Transcripts: a trace as an exhibit, with what is trusted, what the adversary wrote, and what became of every call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hartley.exhibit import BLOCKED, EXECUTED, INJECTED, Exhibit, Line, Span
from hartley.targets.agent.state import Place
from hartley.targets.agent.trace import Trace
from hartley.targets.conversation import Call


def exhibit(
    channel: str, arm: str, trace: Trace, *, intent: str, goal: str, goal_calls: Sequence[Call], planted: Mapping[Place, str]
) -> Exhibit:
    """One trial's transcript. planted: the adversary's words by the place that holds them in this arm, "" for all of it; none
    where there is no attack."""
    done = [written(call) for call in trace.calls if _acts(trace, call)]
    said = ", ".join(done) or "no call that changes anything"
    lines = tuple(_line(trace, place, goal_calls, planted) for place in range(len(trace.entries)))
    return Exhibit(channel, arm, intent, goal if planted else None, said, said, transcript=lines)


def written(call: Call) -> str:
    """ "pay(recipient=anna, amount=30)" """
    return f"{call.name}({', '.join(f'{name}={value}' for name, value in call.arguments.items())})"


def spans(text: str, theirs: Sequence[str], trusted: bool) -> tuple[Span, ...]:
    """What was read, with the adversary's words in it marked. All of it, where a safeguard has changed how those words look and where
    they are empty: then everything is the adversary's."""
    found = next((words for words in theirs if words in text), None)
    if found:
        before, _, behind = text.partition(found)
        pieces = ((before, False), (found, True), (behind, False))
        return tuple(Span(piece, trusted, planted) for piece, planted in pieces if piece)
    return (Span(text, trusted, any(all(word in text for word in words.split()) for words in theirs)),)


def _acts(trace: Trace, call: Call) -> bool:
    return any(step.acted and step.call.name == call.name and step.call.arguments == call.arguments for step in trace.steps)


def _line(trace: Trace, place: int, goal_calls: Sequence[Call], planted: Mapping[Place, str]) -> Line:
    entry = trace.entries[place]
    message = entry.message
    if message.role == "tool":
        step = trace.steps[entry.step]
        return Line("tool", spans(message.text, [planted[read] for read in step.reads if read in planted], entry.label.trusted))
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
