"""One table over every implemented threat and defense: what a recipe promises, run on the shipped reference family with tiny effort."""

from __future__ import annotations

import importlib
import inspect
import random
from collections import Counter
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import cache
from itertools import product

import numpy as np
import pytest
import torch

from hartley import catalog
from hartley.bits.for_evidence import for_evidence
from hartley.case import Refused
from hartley.effort import EFFORTS, Effort
from hartley.evidence import NONE, Evidence
from hartley.runs import resolve
from hartley.runs.cache import Cache
from hartley.runs.execute import case_for, other_numbers
from hartley.runs.levels import FAMILIES
from hartley.runs.plan import NO_DEFENSE, Cell
from hartley.runs.shipped import PARTS, recipe
from hartley.runs.store import CACHE, Store

THREATS = tuple(row.id for row in catalog.threats() if row.implemented)
DEFENSES = tuple(row.id for row in catalog.defenses() if row.implemented)

TINY = {
    "model": Effort("tiny", trials=40, steps=3, poison_pairs=400, members=20, epochs=1),
    "system": Effort("tiny", trials=16, steps=2, poison_pairs=1, members=8, epochs=1),
}
FEWER = {
    "hartley.attacks.prediction.bagdasaryan_injection": {"STEPS": {"answerer": 1, "listener": 1}},
    "hartley.attacks.prediction.mma_diffusion": {"FEWEST": 5},
    "hartley.attacks.action.injection": {"FEWEST_TRIALS": 8, "FEWEST_PILOTS": 1},
    "hartley.attacks.action.spoken": {"FEWEST_TRIALS": 16, "FEWEST_PILOTS": 2},
    "hartley.attacks.interaction.infection": {"MOST_TRIALS": {"tiny": 8}, "PILOTS": {"tiny": 1}},
    "hartley.environments.planting": {"DISTRACTORS": 20},
    "hartley.attacks.memory.poisonedrag": {"PILOT": 4},
    "hartley.attacks.memory.anderson_rag_mia": {"PILOT": 4},
    "hartley.attacks.memory.spill_the_beans": {"PILOT": 4},
}
"""A recipe's least trials, and those that choose its words: they are there for tables that can be believed, which is not asked here."""


def declared(threat):
    """The channels that a recipe declares, by kind, but for those of longer chains than the least effort has, and the filter's own."""
    longer = tuple(f"distance {hops}" for hops in range(3, 8)) if threat == "prompt-infection" else ()
    return {name: kind for name, kind in recipe(threat).channels.items() if name != "filter" and not name.startswith(longer or "\0")}


CHANNELS = {threat: declared(threat) for threat in THREATS}
ON_ENCODERS = {"bit-reduction", "jpeg", "embedding-noise"}
ON_ANSWERERS = {"bit-reduction", "jpeg"}
ON_AGENTS = {"tool-allow-list", "flow-control", "quarantine", "spotlighting", "special-token-escaping"}
ON_READERS = {"spotlighting", "retrieval-isolation", "special-token-escaping"}
ON_WORDS = {"special-token-escaping"}
NOTHING = frozenset()
MEETS = {
    **dict.fromkeys(("adversarial-illusions", "crossfire", "co-attack", "sga", "ko-vlm-mia"), ON_ENCODERS),
    "badclip": ON_ENCODERS | {"alignment-filter"},
    **dict.fromkeys(("schlarmann", "bagdasaryan-injection"), ON_ANSWERERS),
    "mma-diffusion": NOTHING,
    **dict.fromkeys(("indirect-prompt-injection", "p2sql", "foot-in-the-door", "prompt-infection"), ON_AGENTS),
    # Nobody but the user speaks, and members that show each other pictures read no words.
    **dict.fromkeys(("perez-goal-hijacking", "perez-prompt-leaking"), ON_WORDS),
    "agent-smith": NOTHING,
    **dict.fromkeys(("poisonedrag", "anderson-rag-mia", "spill-the-beans"), ON_READERS),
}
"""The defenses that act on what a threat attacks; every other one is refused."""

CONTROL = {"attacked": "clean", "defended_attacked": "defended", "defended_adaptive": "defended"}
BARE, GUARDED = ("clean", "attacked"), ("clean", "attacked", "defended", "defended_attacked", "defended_adaptive")
NO_ADAPTIVE = {("badclip", "alignment-filter"), ("badclip", "embedding-noise"), ("ko-vlm-mia", "bit-reduction"), ("ko-vlm-mia", "jpeg")}
"""Pairs without an attack through the defense: nothing is optimized there, or not through what the defense acts on."""
ARMS_OF = {
    ("badclip", "filter"): ("defended", "defended_attacked"),
    ("anderson-rag-mia", "log likelihood"): BARE,
    ("perez-prompt-leaking", "system prompt by probabilities"): BARE,
    ("anderson-rag-mia", "lookup"): GUARDED[:-1],
}
"""Channels with arms of their own behind a defense: what it drops, probabilities that it hides, a question that cannot be worded better."""
LEFT_ALONE = {("adversarial-illusions", "jpeg"): {"audio"}, ("bagdasaryan-injection", "jpeg"): {"sound", "sound, next turn"}}
"""Channels that a defense does not act on are left out behind it."""
DRAWN = {("badclip", "image"), ("agent-smith", "edge"), ("prompt-infection", "edge"), ("prompt-infection", "edge, shared thread")}
"""Channels whose adversary's symbols are not dealt out: one target, or what members happen to do."""
SLOW = {("prompt-infection", "tool-allow-list"), ("prompt-infection", "flow-control"), ("prompt-infection", "quarantine")}
"""Pairs that take longest. Their threat meets another safeguard by default, and they other threats."""


ASKED = 24
COSTLY = {"badclip", "bagdasaryan-injection", "mma-diffusion", "foot-in-the-door", "p2sql", "prompt-infection"}
IN_GROUPS = {"agent-smith": set(CHANNELS["agent-smith"]), "spill-the-beans": {"records"}}
"""Channels whose trials come in whole groups, so that their number is another one than what is asked for."""


PAIRS = [
    pytest.param(threat, guard, marks=pytest.mark.slow if (threat, guard) in SLOW else (), id=f"{threat}-{guard}")
    for threat, guard in product(THREATS, DEFENSES)
]


@pytest.fixture(scope="module", autouse=True)
def _fewer():
    with pytest.MonkeyPatch.context() as patch:
        for module, constants in FEWER.items():
            for name, value in constants.items():
                patch.setattr(importlib.import_module(module), name, value)
        yield


@pytest.fixture(scope="module")
def loaded():
    """Both levels: the shipped encoder with its data, and the agent, society and memory made of the shipped models."""
    return resolve.load("reference", "reference", needed=FAMILIES)


@pytest.fixture(scope="module")
def leaving_all(loaded):
    """A context that asserts that models and global random states are left as found."""
    modules = {"encoder": loaded.target.module, "agent": loaded.system.policy.module, "answerer": loaded.system.answerer.model}
    weights = {name: {key: value.clone() for key, value in module.state_dict().items()} for name, module in modules.items()}
    fingerprint = loaded.system.fingerprint

    @contextmanager
    def unchanged():
        states = torch.get_rng_state(), np.random.get_state(), random.getstate()
        yield
        assert torch.equal(torch.get_rng_state(), states[0]), "the recipe drew from torch's global generator"
        assert all(np.array_equal(one, two) for one, two in zip(np.random.get_state(), states[1], strict=True)), "it drew from NumPy's"
        assert random.getstate() == states[2], "it drew from Python's"
        assert loaded.system.fingerprint == fingerprint
        for name, module in modules.items():
            assert not any(part.training for part in module.modules()), name
            assert all(parameter.grad is None and not parameter.requires_grad for parameter in module.parameters()), name
            found = module.state_dict()
            assert found.keys() == weights[name].keys() and all(torch.equal(found[key], value) for key, value in weights[name].items()), (
                name
            )

    return unchanged


@pytest.fixture(scope="module")
def run(loaded, leaving_all):
    """A cell as a run makes it, on the model or on the system around it, whichever its threat attacks: the case and its tables."""

    def made(threat, guard, **cached):
        built = recipe(threat)
        common = {"effort": TINY[built.level], "stream": f"contract/{threat}", **cached}
        case = case_for(Cell("reference", threat, guard, 0, "quick"), built, loaded, PARTS, common)
        with leaving_all():
            return case, built.run(case)

    return made


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    """The cache of a run folder, from which all cells of one threat take what they share."""
    root = tmp_path_factory.mktemp("run")
    (root / CACHE).mkdir()
    return lambda threat: {"cached": Cache(Store(root), threat, lambda _: None)}


@pytest.fixture(scope="module")
def bare(run, shelf):
    """A threat's cell without a defense, run once for all tests of this file."""
    return cache(lambda threat: run(threat, NO_DEFENSE, **shelf(threat)))


def assert_same(one, two):
    """Two cells gave the same tables, and left the same measures, curves, flags and exhibits."""
    (case, tables), (other, others) = one, two
    assert all(left == right for left, right in zip(tables, others, strict=True))
    assert (case.curves, case.flags, case.measures) == (other.curves, other.flags, other.measures)
    for left, right in zip(case.exhibits, other.exhibits, strict=True):
        for (name, value), (also, again) in zip(asdict(left).items(), asdict(right).items(), strict=True):
            assert name == also
            assert np.array_equal(value, again) if isinstance(value, np.ndarray) else value == again, name


def test_the_table_names_every_implemented_threat():
    assert set(THREATS) == set(CHANNELS) == set(MEETS)
    assert len(THREATS) == 19 and len(DEFENSES) == 10
    assert sum(not row.implemented for row in catalog.threats()) == 54
    assert set().union(*MEETS.values()) == set(DEFENSES)
    meeting = {(threat, guard) for threat, guards in MEETS.items() for guard in guards}
    assert SLOW.issubset(meeting)
    for place, names in enumerate(zip(*meeting, strict=True)):
        assert {pair[place] for pair in meeting - SLOW} == set(names), "every threat that meets any, and every defense, is tried by default"


@pytest.mark.parametrize("threat", THREATS)
def test_docstrings_say_claim_doing_omission_and_bend(threat):
    lines = inspect.getdoc(recipe(threat).run).splitlines()
    heads = [line.split(":")[0] for line in lines if line.split(":")[0] in ("Claim", "Does", "Left out", "Bends")]
    assert heads == ["Claim", "Does", "Left out", "Bends"]
    bends = next(line for line in lines if line.startswith("Bends"))
    assert any(f" {letter}." in bends for letter in "SNB")
    assert catalog.threat(threat).fidelity in ("faithful", "reduced", "analogue")


@pytest.mark.parametrize("threat", THREATS)
def test_a_recipe_leaves_the_target_as_it_found_it_and_repeats_itself(threat, run, bare, shelf):
    _, tables = bare(threat)
    assert {table.channel: table.kind for table in tables} == CHANNELS[threat] and len(tables) == len(CHANNELS[threat])
    assert all(table.arms == BARE for table in tables)
    assert_same(bare(threat), run(threat, NO_DEFENSE))
    # A cell that finds its crafted inputs and models in the cache, as after a kill, shows what one that made them shows.
    assert_same(bare(threat), run(threat, NO_DEFENSE, **shelf(threat)))


@pytest.mark.parametrize(("threat", "guard"), PAIRS)
def test_every_defense_meets_every_threat_or_says_why_not(threat, guard, run, bare, shelf):
    if guard not in MEETS[threat]:
        with pytest.raises(Refused, match=guard):
            run(threat, guard, **shelf(threat))
        return
    by_name = {table.channel: table for table in bare(threat)[1]}
    _, tables = run(threat, guard, **shelf(threat))
    assert {table.channel for table in tables} - {"filter"} == set(CHANNELS[threat]) - LEFT_ALONE.get((threat, guard), set())
    for table in tables:
        general = GUARDED[:-1] if (threat, guard) in NO_ADAPTIVE else GUARDED
        assert table.arms == ARMS_OF.get((threat, table.channel), general)
        for arm in {"clean", "attacked"} & set(table.arms):
            assert table.of(arm) == by_name[table.channel].of(arm), "all defenses must face the same trials and attacks"
        assert_counted(threat, table)
        if recipe(threat).level == "system":  # embeddings of a model take their time, and are measured once, without a defense
            assert_measured(table)


@pytest.mark.parametrize("threat", [pytest.param(one, marks=pytest.mark.slow if one in COSTLY else ()) for one in THREATS])
def test_the_trials_that_are_asked_for_are_run_in_every_arm_or_a_line_says_why_not(threat, run):
    case, tables = run(threat, NO_DEFENSE, effort=replace(TINY[recipe(threat).level], trials=ASKED, members=ASKED // 2, exact=1))
    said = {flag.channel for flag in other_numbers(case, tables)}
    for table in tables:
        counts = {len(table.of(arm)) for arm in table.arms}
        assert (counts != {ASKED}) == (table.channel in said) == (table.channel in IN_GROUPS.get(threat, ())), (table.channel, counts)


def assert_counted(threat, table):
    """The table survives being written, and has a headline rate if an adversary has a stake in it."""
    assert Evidence.from_arrays(table.to_arrays()) == table
    rates = recipe(threat).rates(table)
    named = {(rate.name, rate.arm) for rate in rates}
    for rate in rates:
        if rate.headline and rate.better == "attacker" and rate.arm in CONTROL:
            assert (rate.name, CONTROL[rate.arm]) in named, "the rate without an attack stands beside every rate with one"
    assert {rate.arm for rate in rates} <= set(table.arms)
    assert any(rate.headline for rate in rates) or table.channel in ("service", "filter")


def assert_measured(table):
    """In every arm the user's bits, the adversary's and their margin can be told."""
    found = {arm: {bits.kind for where, bits in for_evidence(table) if where == arm} for arm in table.arms}
    assert all({"utility_bits", "adversary_bits", "margin_bits"} <= kinds for kinds in found.values()), found


@pytest.mark.parametrize("threat", THREATS)
def test_every_table_can_be_measured_and_counted(threat, bare):
    for table in bare(threat)[1]:
        assert_counted(threat, table)
        assert_measured(table)
        if table.kind == "write" and (threat, table.channel) not in DRAWN:
            attacked = table.of("attacked")
            # The planted answer is independent of the right one: what is balanced is what is planted beside each right answer.
            beside = attacked.intent if threat == "poisonedrag" else np.full(len(attacked), NONE)
            for intent in np.unique(beside):
                counts = Counter(attacked.adversary[beside == intent].tolist())
                dealt = [counts[symbol] for symbol in range(len(table.adversary_alphabet))]
                assert counts.total() == sum(dealt) and max(dealt) - min(dealt) <= 1, "targets are balanced"


def test_efforts_grow():
    quick, standard, full = (EFFORTS[name] for name in ("quick", "standard", "full"))
    for name in ("trials", "steps", "poison_pairs", "members", "epochs"):
        assert getattr(quick, name) <= getattr(standard, name) <= getattr(full, name)
