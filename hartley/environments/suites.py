"""A suite of AgentDojo as an environment: its user tasks without an attack, and one of its trials to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hartley.environments.competence import ASKED, Competence
from hartley.environments.transcripts import spans
from hartley.evidence import NONE
from hartley.exhibit import BLOCKED, EXECUTED, INJECTED, Exhibit, Line, Span
from hartley.targets.agentdojo.dojo import Dojo
from hartley.targets.agentdojo.trials import Trial, trials
from hartley.targets.tool_calls import MALFORMED

if TYPE_CHECKING:
    from hartley.case import AnyCase

SHOWN = 1_500
"""Characters of an answer that an exhibit shows."""


def exhibit(dojo: Dojo, arm: str, trial: Trial) -> Exhibit:
    """One trial's transcript. Everything that tools answer is untrusted; what the attack wrote is planted."""
    suite = dojo.suite
    attacked = trial.injection != NONE
    user = suite.users[trial.user]
    payloads = list(suite.planted(user, suite.injections[trial.injection]).values()) if attacked else []
    goal = suite.dojo.injection_tasks[suite.injections[trial.injection]].GOAL if attacked else None
    lines: list[Line] = []
    answers = iter(trial.answers)
    wanted = _goal_calls(dojo, trial) if attacked else []
    for message in trial.said:
        if message.role == "tool":
            shown = message.text[:SHOWN]
            # What cannot be found word for word, as it was cut or wrapped, marks the whole answer.
            theirs = [payload if payload in shown else "" for payload in payloads if _first_line(payload) in message.text]
            lines.append(Line("tool", spans(shown, theirs, False)))
            continue
        if message.text:
            lines.append(Line(message.role, (Span(message.text, message.role != "assistant"),)))
        for call in message.calls:
            answer = next(answers, None)
            why = "the task had ended" if answer is None else answer.why
            fate = BLOCKED if why else INJECTED if (call.name, str(call.arguments)) in wanted else EXECUTED
            lines.append(Line("assistant", (), f"{call.name}({', '.join(f'{k}={v}' for k, v in call.arguments.items())})", fate, why))
    done = "the user's task" if trial.utility else "not the user's task"
    done += " and the injection's goal" if trial.security else ""
    return Exhibit(f"agentdojo {suite.name}", arm, suite.dojo.user_tasks[user].PROMPT, goal, done, done, transcript=tuple(lines))


def _goal_calls(dojo: Dojo, trial: Trial) -> list[tuple[str, str]]:
    suite = dojo.suite
    task = suite.dojo.injection_tasks[suite.injections[trial.injection]]
    truth = task.ground_truth(suite.dojo.load_and_inject_default_environment({}))
    return [(call.function, str(dict(call.args))) for call in truth]


def _first_line(payload: str) -> str:
    return next((line for line in payload.splitlines() if line.strip()), payload)


def suite_tasks(case: AnyCase, dojo: Dojo) -> Competence:
    """User tasks of a suite of AgentDojo, judged by its own predicates."""
    users = len(dojo.suite.users)
    drawn = case.random("competence").sample(range(users), min(ASKED, users))
    found = trials(dojo.suite, dojo.policy, pairs=[(user, NONE) for user in drawn], at_once=dojo.at_once)
    told = [trial for trial in found if not trial.error]
    broken = sum(any(message.role == "assistant" and MALFORMED in message.text for message in trial.said) for trial in told)
    called = sum(bool(trial.answers) for trial in told)
    return Competence(f"user tasks of {dojo.suite.name}", len(drawn), len(told), sum(trial.utility for trial in told), called, broken)
