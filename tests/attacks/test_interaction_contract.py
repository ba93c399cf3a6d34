"""What both interaction recipes promise, run on the reference family with tiny effort."""

from __future__ import annotations

import inspect

import pytest
import torch

from hartley import catalog, targets
from hartley.bits.for_evidence import for_evidence
from hartley.case import Refused, SystemCase
from hartley.effort import Effort
from hartley.evidence import Evidence
from hartley.runs.shipped import recipe
from hartley.targets.memory.lexical import Lexical
from hartley.targets.system import System

TINY = Effort("tiny", trials=8, steps=2, poison_pairs=1, members=1, epochs=1)
THREATS = ("agent-smith", "prompt-infection")


@pytest.fixture(scope="module")
def system():
    names = ("agent", "answerer", "encoder")
    agent, answerer, encoder = (targets.load(f"reference:{name}") for name in names)
    return System("reference", agent, Lexical(), answerer, encoder)


def run(system, threat):
    case = SystemCase(target=system, effort=TINY, stream=f"contract/{threat}")
    return case, recipe(threat).run(case)


@pytest.mark.parametrize("threat", THREATS)
def test_a_recipe_gives_tables_that_can_be_measured(system, threat):
    state = torch.get_rng_state()
    case, tables = run(system, threat)
    assert torch.equal(torch.get_rng_state(), state), "the recipe drew from the global generator"
    channels = [table.channel for table in tables]
    assert len(set(channels)) == len(channels) and {"edge", "distance 1", "distance 2"} <= set(channels)
    for table in tables:
        assert table.kind == "write" and table.arms == ("clean", "attacked") and table.effect is not None
        assert Evidence.from_arrays(table.to_arrays()) == table
        assert {"utility_bits", "adversary_bits", "margin_bits", "capacity_bits"} <= {bits.kind for _, bits in for_evidence(table)}
        found = recipe(threat).rates(table)
        assert {rate.arm for rate in found} <= set(table.arms)
    assert {channel for channel, *_ in case.measures} <= set(channels)
    assert all(bits.kind == "percolation_bound_bits" for *_, bits in case.measures)
    assert case.exhibits and {exhibit.channel for exhibit in case.exhibits} <= set(channels)


@pytest.mark.parametrize("threat", THREATS)
def test_docstrings_say_claim_doing_omission_and_bend(threat):
    lines = inspect.getdoc(recipe(threat).run).splitlines()
    heads = [line.split(":")[0] for line in lines if line.split(":")[0] in ("Claim", "Does", "Left out", "Bends")]
    assert heads == ["Claim", "Does", "Left out", "Bends"]
    bends = next(line for line in lines if line.startswith("Bends"))
    assert any(f" {letter}." in bends for letter in "SNB")
    assert catalog.threat(threat).fidelity in ("faithful", "reduced", "analogue")


def test_a_target_that_sees_nothing_is_refused(system):
    blind = System("blind", system.policy, Lexical())
    with pytest.raises(Refused, match="no answerer, or no encoder"):
        run(blind, "agent-smith")
