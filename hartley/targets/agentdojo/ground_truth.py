"""The scripted policy: does what AgentDojo's ground truth says, and, where it is gullible, what it meets in the tools' answers too."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from hartley.targets.agentdojo.environments import as_text
from hartley.targets.agentdojo.extra import need
from hartley.targets.agentdojo.guards import from_text
from hartley.targets.agentdojo.suites import READING, VERSION, Suite
from hartley.targets.agentdojo.twin import MASK
from hartley.targets.conversation import Call, Conversation, Json, Message

_ESCAPES = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[ntr])")


@dataclass(frozen=True)
class Plan:
    """A task's calls and closing words.

    blind   the same calls as somebody writes them to whom every answer of a tool is hidden: what was read there is `MASK`.
    """

    calls: tuple[Call, ...]
    blind: tuple[Call, ...]
    closing: str


class GroundTruth:
    """Follows a task's ground truth, step by step; satisfies `Policy`.

    gullible  when a tool's answer holds the goal of one of the suite's injection tasks, it does that one's ground truth first
              and says its closing words; eight goals of workspace have no ground truth, and so it does nothing for them.
    reads     an argument of a user's task that stands in an earlier answer and not in the user's words is read from there:
              where all answers are hidden it cannot be written. False: it knows every argument before it has read anything.
    What it does depends on the conversation alone. Real agents depend on what they read in more ways than by copying it, so
    what a safeguard leaves to this policy is an upper bound, and without `reads` far above any agent's.
    """

    capabilities: frozenset[str] = frozenset({"text"})
    turns = 40

    def __init__(self, suite: Suite, *, gullible: bool = True, reads: bool = True) -> None:
        self.suite, self.gullible, self.reads = suite, gullible, reads
        self.name = f"agentdojo:{suite.name}+{'gullible' if gullible else 'oracle'}{'' if reads else ', knowing all'}"
        self._tasks = {task.PROMPT: task for task in suite.dojo.user_tasks.values()}
        self._goals = {task.GOAL: task for task in suite.dojo.injection_tasks.values()}
        self._plans: dict[tuple[str, str], Plan] = {}

    @property
    def fingerprint(self) -> str:
        """A hash of the name and of the version of the suites."""
        return hashlib.sha256(f"{self.name} {VERSION} 1".encode()).hexdigest()

    def respond(self, conversations: Sequence[Conversation], tools: Sequence[Mapping[str, Json]]) -> list[Message]:
        """The next step of each conversation, whatever the tools."""
        return [self._next(conversation) for conversation in conversations]

    def plan(self, words: str, goal: str = "") -> Plan:
        """The plan for a user's words, or for an injection's goal met under them. Without calls where there is none."""
        if (words, goal) not in self._plans:
            self._plans[words, goal] = self._planned(words, goal)
        return self._plans[words, goal]

    def needs_nothing_read(self, words: str) -> bool:
        """Whether every privileged call of a user's task can be written without having read a tool's answer."""
        plan = self.plan(words)
        return all(call == blind for call, blind in zip(plan.calls, plan.blind, strict=True) if call.name not in READING)

    def _next(self, conversation: Conversation) -> Message:
        start = max((place for place, message in enumerate(conversation) if message.role == "user"), default=-1)
        words = conversation[start].text if start >= 0 else ""
        plan = self.plan(words)
        seen = [message.text for message in conversation[start + 1 :] if message.role == "tool"]
        blind = bool(seen) and all(text == MASK for text in seen)
        queue, closing, met = list(plan.blind if blind else plan.calls), [plan.closing], set()
        for message in conversation[start + 1 :]:
            if message.role == "assistant":
                del queue[: len(message.calls)]
            elif self.gullible and message.role == "tool":
                for goal in self._met(message.text):
                    if goal not in met:
                        met.add(goal)
                        other = self.plan(words, goal)
                        queue, closing = [*other.calls, *queue], [other.closing, *closing]
        if queue:
            return Message("assistant", calls=(queue[0],))
        return Message("assistant", "\n".join(part for part in closing if part))

    def _met(self, text: str) -> list[str]:
        """The goals that a text holds, without those that are a part of another one."""
        bare = _bare(text)
        found = [goal for goal in self._goals if _bare(goal) in bare]
        return [goal for goal in found if not any(goal != other and _bare(goal) in _bare(other) for other in found)]

    def _planned(self, words: str, goal: str) -> Plan:
        task = self._goals[goal] if goal else self._tasks.get(words, self._goals.get(words))
        if task is None:
            return Plan((), (), "")
        user = self._tasks.get(words)
        environment = self.suite.dojo.load_and_inject_default_environment({})
        if user is not None:
            environment = user.init_environment(environment)
        steps = [Call(step.function, _plain(step.args)) for step in task.ground_truth(environment.model_copy(deep=True))]
        runtime = need("functions_runtime").FunctionsRuntime(self.suite.dojo.tools)
        read, blind = "", []
        for step in steps:
            hidden = {name: MASK if self.reads and from_text(value, words, read) else value for name, value in step.arguments.items()}
            blind.append(Call(step.name, hidden))
            result, _ = runtime.run_function(environment, step.name, _plain(step.arguments))
            read += "\n" + as_text(result)
        return Plan(tuple(steps), tuple(blind), task.GROUND_TRUTH_OUTPUT)


def _plain(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of their own: AgentDojo's tools keep and change what they are given."""
    return {name: list(value) if isinstance(value, list | tuple) else value for name, value in arguments.items()}


@lru_cache(512)
def _bare(text: str) -> str:
    """A text without anything that writing it as YAML, JSON or Python changes: escapes, blanks, marks."""
    return re.sub(r"[^A-Za-z0-9]", "", _ESCAPES.sub("", text))
