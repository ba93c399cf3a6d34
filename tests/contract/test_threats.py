"""One table over every implemented threat and defense: what a recipe promises, run on the shipped encoder with tiny effort."""

from __future__ import annotations

import inspect
from dataclasses import asdict

import numpy as np
import pytest
import torch

from hartley import catalog
from hartley.attacks.case import EFFORTS, Case, Effort, Refused
from hartley.bits.for_evidence import for_evidence
from hartley.evidence import Evidence
from hartley.runs.parts import defense, recipe
from hartley.targets.reference.data import ReferenceData
from hartley.targets.reference.encoder import load

TINY = Effort("tiny", trials=40, steps=3, poison_pairs=400, members=20, epochs=1)
THREATS = tuple(row.id for row in catalog.threats() if row.implemented)
DEFENSES = tuple(row.id for row in catalog.defenses() if row.implemented)
CHANNELS = {
    "adversarial-illusions": {"image": "write", "image by queries": "write", "audio": "write"},
    "crossfire": {"image": "write"},
    "co-attack": {"image to text": "jam", "text to image": "jam"},
    "sga": {"image to text": "jam", "text to image": "jam"},
    "badclip": {"image": "write"},
    "ko-vlm-mia": {"similarity": "read", "augmentation": "read", "weakly supervised": "read", "service": "jam"},
}
REFUSED = {(threat, "alignment-filter") for threat in THREATS if threat != "badclip"}
NO_ADAPTIVE = {("badclip", "alignment-filter"), ("badclip", "embedding-noise"), ("ko-vlm-mia", "bit-reduction"), ("ko-vlm-mia", "jpeg")}
"""Pairs without an attack through the defense: nothing is optimized there, or not through what the defense acts on."""


@pytest.fixture(scope="module")
def encoder():
    return load()


@pytest.fixture(scope="module")
def shelves():
    return {}


def run(encoder, threat, guard, shelf):
    torch.set_num_threads(1)

    def cached(name, compute):
        if name not in shelf:
            shelf[name] = compute()
        return shelf[name]

    case = Case(
        target=encoder,
        data=ReferenceData(),
        effort=TINY,
        stream=f"contract/{threat}",
        defense=None if guard == "none" else defense(guard),
        cached=cached,
    )
    return case, recipe(threat).run(case)


def test_the_table_names_every_implemented_threat():
    assert set(THREATS) == set(CHANNELS)
    assert len(THREATS) == 6 and len(DEFENSES) == 4
    assert sum(not row.implemented for row in catalog.threats()) == 67


@pytest.mark.parametrize("threat", THREATS)
def test_docstrings_say_claim_doing_omission_and_bend(threat):
    lines = inspect.getdoc(recipe(threat).run).splitlines()
    heads = [line.split(":")[0] for line in lines if line.split(":")[0] in ("Claim", "Does", "Left out", "Bends")]
    assert heads == ["Claim", "Does", "Left out", "Bends"]
    bends = next(line for line in lines if line.startswith("Bends"))
    assert any(f" {letter}." in bends for letter in "SNB")
    assert catalog.threat(threat).fidelity in ("faithful", "reduced", "analogue")


@pytest.mark.parametrize("threat", THREATS)
def test_a_recipe_leaves_the_target_as_it_found_it_and_repeats_itself(encoder, threat, shelves):
    weights = {name: value.clone() for name, value in encoder.module.state_dict().items()}
    state = torch.get_rng_state()
    case, tables = run(encoder, threat, "none", shelves.setdefault(threat, {}))
    assert torch.equal(torch.get_rng_state(), state), "the recipe drew from the global generator"
    assert not encoder.module.training
    for name, value in encoder.module.state_dict().items():
        assert torch.equal(value, weights[name]), name
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in encoder.module.parameters())
    assert {table.channel: table.kind for table in tables} == CHANNELS[threat]
    assert all(table.arms == ("clean", "attacked") for table in tables)
    again_case, again = run(encoder, threat, "none", {})
    assert all(one == two for one, two in zip(tables, again, strict=True))
    assert (case.curves, case.flags) == (again_case.curves, again_case.flags)
    # A cell that finds its crafted inputs and models in the cache, as after a kill, shows what one that made them shows.
    warm_case, warm = run(encoder, threat, "none", shelves[threat])
    assert all(one == two for one, two in zip(tables, warm, strict=True))
    assert (case.curves, case.flags) == (warm_case.curves, warm_case.flags)
    for exhibits in (again_case.exhibits, warm_case.exhibits):
        assert [asdict(one).keys() for one in case.exhibits] == [asdict(one).keys() for one in exhibits]
        for one, two in zip(case.exhibits, exhibits, strict=True):
            for left, right in zip(asdict(one).values(), asdict(two).values(), strict=True):
                assert np.array_equal(left, right) if isinstance(left, np.ndarray) else left == right


@pytest.mark.parametrize("guard", DEFENSES)
@pytest.mark.parametrize("threat", THREATS)
def test_every_defense_meets_every_threat_or_says_why_not(encoder, threat, guard, shelves):
    shelf = shelves.setdefault(threat, {})
    if (threat, guard) in REFUSED:
        with pytest.raises(Refused, match=guard):
            run(encoder, threat, guard, shelf)
        return
    _, bare = run(encoder, threat, "none", shelf)
    _, tables = run(encoder, threat, guard, shelf)
    by_name = {table.channel: table for table in bare}
    for table in tables:
        if table.channel == "filter":
            assert table.arms == ("defended", "defended_attacked")
            continue
        for arm in ("clean", "attacked"):
            assert table.of(arm) == by_name[table.channel].of(arm), "all defenses must face the same trials and attacks"
        expected = {"clean", "attacked", "defended", "defended_attacked", "defended_adaptive"}
        assert set(table.arms) == expected - ({"defended_adaptive"} if (threat, guard) in NO_ADAPTIVE else set())


@pytest.mark.parametrize("threat", THREATS)
def test_every_table_can_be_measured_and_counted(encoder, threat, shelves):
    _, tables = run(encoder, threat, "none", shelves.setdefault(threat, {}))
    for table in tables:
        assert Evidence.from_arrays(table.to_arrays()) == table
        kinds = {bits.kind for _, bits in for_evidence(table)}
        assert {"utility_bits", "adversary_bits", "margin_bits"} <= kinds
        rates = recipe(threat).rates(table)
        assert {rate.arm for rate in rates} <= set(table.arms)
        assert any(rate.headline for rate in rates) or table.channel == "service"
        if table.kind == "write" and threat != "badclip":
            counts = np.bincount(table.of("attacked").adversary, minlength=len(table.adversary_alphabet))
            assert counts.max() - counts.min() <= 1, "targets are balanced"


def test_efforts_grow():
    quick, standard, full = (EFFORTS[name] for name in ("quick", "standard", "full"))
    for name in ("trials", "steps", "poison_pairs", "members", "epochs"):
        assert getattr(quick, name) <= getattr(standard, name) <= getattr(full, name)
