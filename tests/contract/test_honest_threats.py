"""What every recipe promises of its symbols: A and U are drawn by us, balanced and independent; who ignores A shows nothing of it."""

from __future__ import annotations

import importlib
import sys
from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom

from hartley import catalog
from hartley.attacks.action import injection
from hartley.attacks.learning import badclip
from hartley.bits.counted.permutation import independence_p
from hartley.bits.for_evidence import for_evidence
from hartley.bits.tables import cross_tabulate
from hartley.bits.trust import GATE
from hartley.effort import EFFORTS, Effort
from hartley.evidence import NONE
from hartley.runs import resolve
from hartley.runs.execute import case_for
from hartley.runs.levels import FAMILIES
from hartley.runs.plan import NO_DEFENSE, Cell
from hartley.runs.shipped import PARTS, recipe

sys.path.insert(0, str(Path(__file__).parent))
from blind_subjects import ENCODERS, POLICIES, Blind, BlindAnswerer, BlindEncoder, BlindGenerator, Known, Watched

JAM = ("co-attack", "sga")
"""Threats that write nothing: there is no A."""
THREATS = {row.id: row.level for row in catalog.threats() if row.implemented and row.id not in JAM}
SYSTEM, MODEL = (tuple(name for name, own in THREATS.items() if own == level) for level in ("system", "model"))
SPOKEN_TO = ("indirect-prompt-injection", "foot-in-the-door", "p2sql", "perez-goal-hijacking", "perez-prompt-leaking")
"""Threats whose users and adversaries have words of their own for a policy that was not trained here."""
TINY = {
    "model": Effort("tiny", trials=120, steps=1, poison_pairs=120, members=40, epochs=1),
    "system": Effort("tiny", trials=64, steps=1, poison_pairs=1, members=16, epochs=1),
}
FEWER = {
    "hartley.attacks.prediction.bagdasaryan_injection": {"STEPS": {"answerer": 1, "listener": 1}},
    "hartley.attacks.prediction.mma_diffusion": {"FEWEST": 5},
    "hartley.attacks.action.injection": {"FEWEST_TRIALS": 48, "FEWEST_PILOTS": 1},
    "hartley.attacks.action.spoken": {"FEWEST_TRIALS": 64, "FEWEST_PILOTS": 2},
    "hartley.attacks.interaction.infection": {"MOST_TRIALS": {"tiny": 8}, "PILOTS": {"tiny": 1}},
    "hartley.environments.planting": {"DISTRACTORS": 5},
    "hartley.environments.archives": {"DISTRACTORS": 5},
    "hartley.environments.records": {"DISTRACTORS": 5},
    "hartley.attacks.memory.poisonedrag": {"PILOT": 4},
    "hartley.attacks.memory.anderson_rag_mia": {"PILOT": 4},
    "hartley.attacks.memory.spill_the_beans": {"PILOT": 4},
}
SLOW = {
    "agent-smith": POLICIES[1:],
    "prompt-infection": POLICIES[1:],
    "foot-in-the-door": POLICIES[2:],
    "p2sql": ("idle", "fixed", "chance"),
    "poisonedrag": POLICIES[2:],
    "spill-the-beans": POLICIES[2:],
    "anderson-rag-mia": ("fixed", "one word"),
    "badclip": ENCODERS[1:],
    "ko-vlm-mia": ENCODERS[2:],
    "adversarial-illusions": ENCODERS[1:],
    "schlarmann": ENCODERS[2:],
    "bagdasaryan-injection": ENCODERS[2:],
    "mma-diffusion": ENCODERS[2:],
}
"""Subjects that a threat meets among the slow tests alone: their like met it, or they its like."""
UNCOMMON = 1e-3
"""An independent (U, A) gives a smaller p in one of a thousand tables."""
LIMITS = 0.025
"""How often a lower limit of a score lies above a truth of 0; counts are gated by the permutation test, at GATE."""


def params(threats, subjects):
    return [
        pytest.param(threat, kind, marks=pytest.mark.slow if kind in SLOW.get(threat, ()) else (), id=f"{threat}-{kind}")
        for threat in threats
        for kind in subjects
    ]


@pytest.fixture(scope="module", autouse=True)
def known():
    """What may be asked for, learned as errands are drawn."""
    asked, drawn = Known(), injection.user_tasks

    def user_tasks(random, setting, family, count):
        asked.asks = [*setting.goals, *setting.tasks]
        return drawn(random, setting, family, count)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(injection, "user_tasks", user_tasks)
        for module, constants in FEWER.items():
            for name, value in constants.items():
                patch.setattr(importlib.import_module(module), name, value)
        yield asked


@pytest.fixture(scope="module")
def run(known):
    """A threat's tables on a subject that ignores A."""
    loaded = resolve.load("reference", "reference", needed=FAMILIES)
    world = loaded.data.restricted()

    @cache
    def made(threat, kind, seed=0, guard=NO_DEFENSE, effort=None, reference=True):
        built, drawn = recipe(threat), []
        blind = {"answerer": BlindAnswerer(kind, loaded.system.answerer, seed), "encoder": BlindEncoder("constant", loaded.target, drawn)}
        system = replace(loaded.system, policy=Blind(kind, known, seed), reference=reference, **blind)
        target = BlindEncoder(kind, loaded.target, drawn, seed) if built.level == "model" else loaded.target
        members = {name: BlindAnswerer(kind, loaded.members[name], seed) for name in ("answerer", "listener")}
        members["generator"] = BlindGenerator(kind, loaded.members["generator"], world, seed)
        parts = replace(loaded, target=target, data=Watched(loaded.data, drawn), system=system, members=members)
        common = {"effort": effort or TINY[built.level], "stream": f"honest/{threat}/{seed}"}
        return built.run(case_for(Cell("reference", threat, guard, seed, "quick"), built, parts, PARTS, common))

    return made


def independent(table, arm):
    """The permutation test's p of (U, A) in one arm; None where one of the two is not there."""
    rows = table.of(arm)
    both = (rows.intent != NONE) & (rows.adversary != NONE)
    if not both.any():
        return None
    return independence_p(cross_tabulate(rows.intent[both], rows.adversary[both]))


def assert_drawn_by_us(tables):
    for table in tables:
        for arm in table.arms:
            rows = table.of(arm)
            p = independent(table, arm)
            assert p is None or p > UNCOMMON, (table.channel, arm, p)
            sent = rows.adversary[rows.adversary != NONE]
            counts = [Counter(sent.tolist())[symbol] for symbol in range(len(table.adversary_alphabet))]
            assert not len(sent) or max(counts) - min(counts) <= 1, (table.channel, arm, counts)


@pytest.mark.parametrize(("threat", "kind"), params(SYSTEM, ("idle",)) + params(MODEL, ("constant",)))
def test_what_the_adversary_wants_is_drawn_by_us_and_says_nothing_of_the_user(threat, kind, run):
    assert_drawn_by_us(run(threat, kind))


@pytest.mark.slow
@pytest.mark.parametrize("threat", SYSTEM)
def test_at_the_quick_budget_too(threat, run):
    assert_drawn_by_us(run(threat, "idle", effort=EFFORTS["quick"]))


def read(table, arm):
    """What is read of A in one arm: a number of bits and its limits."""
    part = replace(table.of(arm), embedding=None, log2_q=None)
    (found,) = [bits for _, bits in for_evidence(part) if bits.kind == "adversary_bits"]
    return found


def alarms(tables):
    """Of the arms that have an A: whether something of it was read, and the chance of that where there is nothing."""
    found = []
    for table in tables:
        for arm in [arm for arm in table.arms if (table.of(arm).adversary != NONE).any()]:
            bits = read(table, arm)
            seen = bits.checks.get("permutation_p", 1.0) <= GATE or (bits.low or 0) > 0 or (bits.value or 0) > 0
            found.append((seen, GATE if table.score is None or table.kind != "read" else LIMITS))
    return found


@pytest.mark.parametrize(("threat", "kind"), params(SYSTEM, POLICIES[:-1]) + params(MODEL, ("constant",)))
def test_a_subject_that_ignores_the_adversary_shows_nothing_of_it(threat, kind, run):
    """Doing nothing, everything, or one fixed thing."""
    assert not any(alarm for alarm, _ in alarms(run(threat, kind)))


@pytest.mark.parametrize(("threat", "kind"), params(SPOKEN_TO, POLICIES[2:4]))
def test_nor_does_one_that_is_spoken_to_in_plain_english(threat, kind, run):
    tables = run(threat, kind, reference=False)
    assert_drawn_by_us(tables)
    assert not any(alarm for alarm, _ in alarms(tables))


@pytest.mark.parametrize(("threat", "kind"), params(SYSTEM, ("chance",)) + params(MODEL, ENCODERS[1:]))
def test_a_subject_that_draws_its_answers_is_taken_for_none_as_often_as_the_gate_says(threat, kind, run):
    found = [one for seed in range(2) for one in alarms(run(threat, kind, seed))]
    assert sum(alarm for alarm, _ in found) <= binom.ppf(1 - UNCOMMON, len(found), max(rate for _, rate in found))


def test_the_victims_of_a_backdoor_are_clusters_that_pair_up_across_arms(run):
    (table,) = run("badclip", "constant")
    arms = [table.of(arm) for arm in table.arms]
    victims = np.unique(arms[0].cluster)
    assert len(victims) == badclip.UNNAMED and len(arms[0]) == TINY["model"].trials
    for part in arms:
        assert (
            (part.trial == arms[0].trial).all() and (part.cluster == arms[0].cluster).all() and (part.adversary == arms[0].adversary).all()
        )
        assert all(set(part.adversary[part.cluster == victim]) == {0, 1} for victim in victims)
    assert all(rate.clusters == len(victims) for rate in recipe("badclip").rates(table))
