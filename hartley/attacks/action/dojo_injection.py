"""Indirect prompt injection on a suite of AgentDojo: its tasks, its attack, its judges, as Evidence."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from torch import Tensor

from hartley.bits.value import Bits
from hartley.case import Flag, Refused, SystemCase
from hartley.data.dealing import dealt_pairs
from hartley.environments.suites import exhibit
from hartley.evidence import NONE, Evidence
from hartley.targets.agentdojo.dojo import Dojo
from hartley.targets.agentdojo.ground_truth import GroundTruth
from hartley.targets.agentdojo.guards import GUARDS
from hartley.targets.agentdojo.table import Columns, columns, table, which_tool_bits
from hartley.targets.agentdojo.trials import trials

FEW = 100
"""Pairs that a quick run takes at most: a pair of workspace costs a tenth of a second."""


def dojo_injection(case: SystemCase, dojo: Dojo) -> tuple[Evidence, ...]:
    """Claim: instructions in what tools answer make an agent do the adversary's task (Debenedetti et al., NeurIPS 2024).
    Does: runs AgentDojo's own "important instructions" attack on every pair of a user task and an injection task, up to the
    effort's trials, and the user tasks alone; its predicates judge, all of them in every trial. A pair whose policy gave no
    answer is left out.
    Left out: attacks that know the safeguard; AgentDojo's other wordings.
    Bends: B. What the application reads gets the pathway of its user: every call that the agent may make.
    """
    safeguard = None if case.defense is None else case.defense.id
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


def _arm(case: SystemCase, dojo: Dojo, arm: str, pairs: list[tuple[int, int]], guards: tuple[str, ...]) -> Columns:
    def compute() -> dict[str, Tensor]:
        told = partial(case.progress, arm)
        found = trials(dojo.suite, dojo.policy, *guards, pairs=pairs, at_once=dojo.at_once, every=True, progress=told)
        for wanted in (True, False):
            case.exhibits += [exhibit(dojo, arm, trial) for trial in found if not trial.error and trial.security is wanted][:1]
        return {name: torch.from_numpy(column) for name, column in columns(found).items()}

    kept = compute() if guards else case.once(f"{dojo.suite.name}/{arm}", compute)
    return {name: np.asarray(column.numpy()) for name, column in kept.items()}
