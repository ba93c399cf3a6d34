"""An agent let loose on tasks in the small world: it calls, the world answers, until it speaks its closing words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from hartley.targets.conversation import Call, Conversation, Message
from hartley.targets.protocols import Policy
from hartley.targets.reference.agent.tasks import Task, extra_calls, mark, success
from hartley.targets.reference.agent.tools import schemas
from hartley.targets.reference.agent.world import State, execute

MOST_CALLS = 8


@dataclass
class Episode:
    """A task as it went: the whole conversation, the calls that were executed, and the state that they left."""

    task: Task
    state: State
    conversation: Conversation
    calls: list[Call] = field(default_factory=list)
    turn: int = 0
    done: bool = False

    @property
    def last(self) -> str:
        """The agent's closing words, empty where it had none."""
        return self.conversation[-1].text if self.done else ""

    @property
    def success(self) -> bool:
        """Whether the task was done, and no more than the task."""
        return self.done and success(self.task, self.calls, self.last)

    @property
    def extra(self) -> int:
        """Calls beyond the task's plan."""
        return extra_calls(self.task, self.calls)

    def hear(self, message: Message) -> None:
        """Take the agent's turn: execute its calls, or go on to the user's next turn, or end."""
        self.conversation = (*self.conversation, message)
        for call in message.calls:
            self.state, result = execute(self.state, call)
            self.calls.append(Call(call.name, call.arguments))  # without its id, to be compared with a plan's
            self.conversation = (*self.conversation, Message("tool", mark(result) if self.task.marked else result, answers=call.id))
        if not message.calls:
            self.turn += 1
            self.done = self.turn == len(self.task.turns)
            if not self.done:
                self.conversation = (*self.conversation, Message("user", self.task.turns[self.turn].user))


def play(policy: Policy, tasks: Sequence[Task]) -> list[Episode]:
    """Every task with the tools that it offers, `MOST_CALLS` calls at most; those with the same tools go together."""
    episodes = []
    for task in tasks:
        system = (Message("system", task.system),) if task.system else ()
        episodes.append(Episode(task, task.state, (*system, Message("user", task.turns[0].user))))
    offers: dict[tuple[tuple[str, ...], bool], list[Episode]] = {}
    for episode in episodes:
        offers.setdefault((episode.task.tools, episode.task.described), []).append(episode)
    for (names, described), together in offers.items():
        tools = schemas(names, described=described)
        for _ in range(MOST_CALLS + 2):
            going = [episode for episode in together if not episode.done]
            for episode, message in zip(going, policy.respond([episode.conversation for episode in going], tools), strict=True):
                episode.hear(message)
    return episodes
