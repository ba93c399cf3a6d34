"""Trace: one assignment as it went, every message and call with its label; it can be replayed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hartley.targets.agent.label import Label, joined
from hartley.targets.agent.state import Place
from hartley.targets.agent.world import World
from hartley.targets.conversation import Call, Conversation, Message


@dataclass(frozen=True)
class Assignment:
    """What an agent is set to do.

    users      what the user says, turn by turn; the next one is said when the agent has spoken its closing words.
    world      what its tools act on. tools: the names on offer.
    system     the operator's words.
    english    whether the policy is spoken to in plain English: with described tools, calls read by their meaning, and answers in words.
    """

    users: tuple[str, ...]
    world: World
    tools: tuple[str, ...]
    system: str = ""
    english: bool = False


@dataclass(frozen=True)
class Step:
    """A call that the policy asked for.

    executed  whether it ran; refused by a guard where not, and `why` says so.
    reads     the places that its answer came from. acted: whether it changed the world.
    origin    the label of the call itself: everything that the policy had read when it asked for it.
    label     the label of what the tool said.
    said      what the tool said; shown: what of it the policy was shown.
    """

    call: Call
    executed: bool
    why: str
    reads: tuple[Place, ...]
    acted: bool
    origin: Label
    label: Label
    said: str
    shown: str


@dataclass(frozen=True)
class Entry:
    """A message with the label of its content. step: the number of the step that a tool's message answers, or -1."""

    message: Message
    label: Label
    step: int = -1


@dataclass
class Trace:
    """An assignment as it went.

    after  the world that it left. error: why there is no more of it, where the policy failed.
    notes  what a guard keeps about this trace, under the guard's id.
    """

    assignment: Assignment
    after: World
    tools: tuple[str, ...]
    entries: list[Entry] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    turn: int = 0
    done: bool = False
    error: str = ""
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def going(self) -> bool:
        """Whether the policy is to speak next."""
        return not self.done and not self.error

    @property
    def conversation(self) -> Conversation:
        """What the policy sees."""
        return tuple(entry.message for entry in self.entries)

    @property
    def context(self) -> Label:
        """The label of everything that the policy has been shown."""
        return joined(entry.label for entry in self.entries)

    @property
    def calls(self) -> tuple[Call, ...]:
        """The calls that ran, without their ids."""
        return tuple(Call(step.call.name, step.call.arguments) for step in self.steps if step.executed)

    @property
    def last(self) -> str:
        """The closing words, empty where there are none."""
        return self.entries[-1].message.text if self.done and self.entries else ""


def replay(trace: Trace) -> World:
    """The world after the calls that ran, from the assignment's own: equal to what the trace says it left."""
    world = trace.assignment.world
    for step in trace.steps:
        if step.executed:
            world, _, _ = world.execute(step.call, step.origin)
    return world
