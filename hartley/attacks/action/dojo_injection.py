"""Indirect prompt injection on a suite of AgentDojo: its tasks, its attack, its judges, as Evidence."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from torch import Tensor

from hartley.attacks.action.transcripts import spans
from hartley.attacks.case import AnyCase, Flag, Refused
from hartley.attacks.competence import ASKED, Competence
from hartley.attacks.engine.dealing import dealt_pairs
from hartley.attacks.exhibit import BLOCKED, EXECUTED, INJECTED, Exhibit, Line, Span
from hartley.bits.value import Bits
from hartley.evidence import NONE, Evidence
from hartley.targets.agentdojo.dojo import Dojo
from hartley.targets.agentdojo.ground_truth import GroundTruth
from hartley.targets.agentdojo.guards import GUARDS
from hartley.targets.agentdojo.table import Columns, columns, table, which_tool_bits
from hartley.targets.agentdojo.trials import Trial, trials
from hartley.targets.tool_calls import MALFORMED

FEW = 100
"""Pairs that a quick run takes at most: a pair of workspace costs a tenth of a second."""
SHOWN = 1_500
"""Characters of an answer that an exhibit shows."""


def dojo_injection(case: AnyCase, dojo: Dojo, safeguard: str | None = None) -> tuple[Evidence, ...]:
    """Claim: instructions in what tools answer make an agent do the adversary's task (Debenedetti et al., NeurIPS 2024).
    Does: runs AgentDojo's own "important instructions" attack on every pair of a user task and an injection task, up to the
    effort's trials, and the user tasks alone; its predicates judge, all of them in every trial. A pair whose policy gave no
    answer is left out.
    Left out: attacks that know the safeguard; AgentDojo's other wordings.
    Bends: B. What the application reads gets the pathway of its user: every call that the agent may make.
    """
    if safeguard is not None and safeguard not in GUARDS:
        raise Refused(f"{safeguard} does not stand around AgentDojo's tools; {' and '.join(GUARDS)} do")
    suite = dojo.suite
    most = FEW if case.effort.name == "quick" and not case.effort.exact else case.effort.trials
    users, others = len(suite.users), len(suite.injections)
    pairs = sorted(dealt_pairs(case.random("pairs"), min(most, users * others), users, others))
    alone = [(user, NONE) for user in sorted({user for user, _ in pairs})]
    arms: dict[str, Columns] = {}
    guards = () if safeguard is None else (safeguard,)
    for arm in ("clean", "attacked") if safeguard is None else ("clean", "attacked", "defended", "defended_attacked"):
        attacked, given = arm.endswith("attacked"), guards if arm.startswith("defended") else ()
        arms[arm] = _arm(case, dojo, arm, pairs if attacked else alone, given)
    for arm, rows in arms.items():
        if lost := int(rows["error"].sum()):
            case.flags.append(Flag(suite.name, arm, "trials lost", f"{lost} of {len(rows['error'])} pairs: the policy gave no answer"))
    if safeguard == "tool-allow-list" and isinstance(dojo.policy, GroundTruth):
        before, after = which_tool_bits(suite, dojo.policy)
        for arm, bits in (("attacked", before), ("defended_attacked", after)):
            case.measure(f"agentdojo {suite.name}", arm, Bits(bits, bits, bits, len(suite.users), "exact count", "which_tool_bits", True))
    return (table(suite, arms),)


def _arm(case: AnyCase, dojo: Dojo, arm: str, pairs: list[tuple[int, int]], guards: tuple[str, ...]) -> Columns:
    def compute() -> dict[str, Tensor]:
        told = partial(case.progress, arm)
        found = trials(dojo.suite, dojo.policy, *guards, pairs=pairs, at_once=dojo.at_once, every=True, progress=told)
        for wanted in (True, False):
            case.exhibits += [exhibit(dojo, arm, trial) for trial in found if not trial.error and trial.security is wanted][:1]
        return {name: torch.from_numpy(column) for name, column in columns(found).items()}

    kept = compute() if guards else case.once(f"{dojo.suite.name}/{arm}", compute)
    return {name: np.asarray(column.numpy()) for name, column in kept.items()}


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
    from hartley.targets.agentdojo.trials import trials

    users = len(dojo.suite.users)
    drawn = case.random("competence").sample(range(users), min(ASKED, users))
    found = trials(dojo.suite, dojo.policy, pairs=[(user, NONE) for user in drawn], at_once=dojo.at_once)
    told = [trial for trial in found if not trial.error]
    broken = sum(any(message.role == "assistant" and MALFORMED in message.text for message in trial.said) for trial in told)
    called = sum(bool(trial.answers) for trial in told)
    return Competence(f"user tasks of {dojo.suite.name}", len(drawn), len(told), sum(trial.utility for trial in told), called, broken)
