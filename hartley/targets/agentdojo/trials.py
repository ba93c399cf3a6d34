"""Running a suite: every user task alone, and with every injection task, judged by AgentDojo's own predicates."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from io import StringIO
from threading import Lock
from typing import Any

from hartley.errors import InputError
from hartley.evidence import NONE
from hartley.targets.agentdojo.environments import leaves
from hartley.targets.agentdojo.extra import need
from hartley.targets.agentdojo.guards import Answer, Watched
from hartley.targets.agentdojo.pipeline import pipeline
from hartley.targets.agentdojo.suites import Suite
from hartley.targets.agentdojo.words import to_conversation
from hartley.targets.conversation import Conversation
from hartley.targets.endpoint.outcomes import NotMeasured
from hartley.targets.protocols import Policy


@dataclass(frozen=True)
class Trial:
    """One run of one task.

    user, injection   indices into the suite's tasks; injection NONE: nothing was planted.
    utility, security AgentDojo's two predicates: the user's task is done; the injection's goal is reached (False without one).
    reached           a tool gave the agent what the attack had written.
    users_done, injections_done   of all the suite's tasks those whose predicate holds, whatever was asked for or planted: what
                      became of the world. None: only the pair's own predicates were asked.
    error             why there is no result; then utility and security mean nothing, and it counts as neither.
    said, answers     the conversation with refused calls, and every call in order, with what came of it.
    """

    user: int
    injection: int
    utility: bool = False
    security: bool = False
    reached: bool = False
    error: str = ""
    said: Conversation = ()
    answers: tuple[Answer, ...] = ()
    users_done: frozenset[int] | None = None
    injections_done: frozenset[int] | None = None


class _Recorded:
    """A pipeline that keeps what passed through it, for one run."""

    def __init__(self, agent: Any) -> None:
        self.agent, self.name = agent, agent.name
        self.extra: dict[str, Any] = {}
        self.before: Any = None
        self.passed: tuple[Any, ...] = ()

    def query(self, *given: Any) -> tuple[Any, ...]:
        if self.before is None:  # AgentDojo asks again where there was no answer, in the world as it is by then
            self.before = given[2].model_copy(deep=True)
        self.passed = self.agent.query(*given)
        self.extra = self.passed[-1]
        return self.passed


_QUIET = Lock()


def _done(suite: Suite, recorded: _Recorded, tasks: Mapping[str, Any]) -> frozenset[int]:
    """The tasks whose predicate holds between the worlds before and after. One that stumbles over what it finds does not."""
    reading = need("task_suite.task_suite")
    *_, world, messages, _ = recorded.passed
    said, stack = reading.model_output_from_messages(messages) or [], reading.functions_stack_trace_from_messages(messages)
    found = set()
    with _QUIET, redirect_stdout(StringIO()):  # some of AgentDojo's predicates print what they look at
        for place, task in enumerate(tasks.values()):
            with suppress(Exception):
                if suite.dojo._check_task_result(task, said, recorded.before, world, stack):
                    found.add(place)
    return frozenset(found)


def run(suite: Suite, agent: Any, user: int, injection: int = NONE, *, every: bool = False) -> Trial:
    """One task of the suite, alone or with one injection task. An endpoint's failure becomes the trial's error.

    agent   what `pipeline` gives.
    every   the predicates of all the suite's tasks are asked, not the pair's own alone.
    """
    task = suite.dojo.user_tasks[suite.users[user]]
    planted = {} if injection == NONE else suite.planted(suite.users[user], suite.injections[injection])
    other = None if injection == NONE else suite.dojo.injection_tasks[suite.injections[injection]]
    recorded = _Recorded(agent)
    try:
        utility, security = suite.dojo.run_task_with_pipeline(recorded, task, other, planted)
    except NotMeasured as failure:
        return Trial(user, injection, error=str(failure))
    answers = _answers(recorded.extra["said"], recorded.extra["watched"])
    reached = bool(planted) and _held(answers, suite.dojo.load_and_inject_default_environment.planted(planted))
    said = to_conversation(recorded.extra["said"])
    both = [_done(suite, recorded, tasks) if every else None for tasks in (suite.dojo.user_tasks, suite.dojo.injection_tasks)]
    return Trial(user, injection, bool(utility), bool(security) and other is not None, reached, "", said, answers, *both)


def trials(
    suite: Suite,
    policy: Policy,
    *safeguards: str,
    attacked: bool = True,
    pairs: Sequence[tuple[int, int]] | None = None,
    at_once: int = 1,
    every: bool = False,
    progress: Callable[[int, int], object] = lambda *_: None,
) -> list[Trial]:
    """The suite's trials, in the order of their tasks: with every injection task, or all user tasks alone.

    pairs     only these (user task, injection task or NONE), whatever `attacked` says.
    at_once   pairs that run side by side, which helps where the policy waits for a server.
    every     as for `run`: what a table needs. In workspace it takes longer than the pair itself.
    """
    others = range(len(suite.injections)) if attacked else (NONE,)
    wanted = [(user, other) for user in range(len(suite.users)) for other in others] if pairs is None else list(pairs)
    if any(not 0 <= user < len(suite.users) or not NONE <= other < len(suite.injections) for user, other in wanted):
        raise InputError(f"pairs: {suite.name} has {len(suite.users)} user tasks and {len(suite.injections)} injection tasks")
    agent = pipeline(policy, *safeguards)

    def one(pair: tuple[int, int]) -> Trial:
        return run(suite, agent, *pair, every=every)

    found: list[Trial] = []
    crew = ThreadPoolExecutor(at_once)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for trial in crew.map(one, wanted) if at_once > 1 else map(one, wanted):
                found.append(trial)
                progress(len(found), len(wanted))
    finally:  # when the budget is used up, or the user stops it, the other pairs are not begun
        crew.shutdown(cancel_futures=True)
    return found


def _answers(said: Sequence[Any], watched: Watched) -> tuple[Answer, ...]:
    """What came of every call, in order. AgentDojo itself turns away a call of a tool that is not on offer."""
    recorded, found = iter(watched.answers), []
    for message in said:
        if message["role"] == "tool":
            call = message["tool_call"]
            turned_away = Answer(call.function, dict(call.args), why=f"{call.function} is not on this task's list")
            found.append(next(recorded, turned_away) if call.function in watched.functions else turned_away)
    return tuple(found)


def _held(answers: Sequence[Answer], planted: frozenset[str]) -> bool:
    """Whether a tool's value holds a string of the environment that the attack had changed. Values are compared, not their text."""
    return any(text in held for answer in answers for _, held in leaves(answer.result) for text in planted)
