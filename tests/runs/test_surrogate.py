"""Transfer: attacks are made on another model and read on the target."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from hartley.case import Refused
from hartley.effort import Effort
from hartley.errors import InputError
from hartley.runs import resolve
from hartley.runs.context import Context, versions
from hartley.runs.execute import case_for
from hartley.runs.plan import NO_DEFENSE, Cell, Plan
from hartley.runs.resolve import Loaded
from hartley.runs.shipped import PARTS, recipe

TINY = Effort("tiny", trials=40, steps=6, poison_pairs=1, members=8, epochs=1)


@pytest.fixture(scope="module")
def loaded() -> Loaded:
    return resolve.load("reference:encoder", "reference", surrogate="reference:encoder-b")


def tables(loaded: Loaded, threat: str, defense: str = NO_DEFENSE):  # type: ignore[no-untyped-def]
    case = case_for(Cell("reference:encoder", threat, defense, 0, "quick"), recipe(threat), loaded, PARTS, {"effort": TINY, "stream": "s"})
    return case, recipe(threat).run(case)


def test_the_attack_is_made_on_the_surrogate_and_read_on_the_target(loaded: Loaded) -> None:
    """It does on the target what inputs do that the surrogate's own gradients made, and less than those of the target."""
    assert loaded.surrogate is not None and loaded.surrogate.fingerprint != loaded.target.fingerprint  # type: ignore[union-attr]
    _, (moved,) = tables(loaded, "crossfire")
    _, (white,) = tables(replace(loaded, surrogate=None), "crossfire")
    _, (swapped,) = tables(replace(loaded, target=loaded.surrogate, surrogate=None), "crossfire")
    assert moved.of("clean") == white.of("clean"), "the same system, left alone"
    rate = {name: float((part.of("attacked").success == 1).mean()) for name, part in (("moved", moved), ("white", white), ("own", swapped))}
    assert rate["moved"] < rate["white"] and rate["own"] > rate["moved"]
    assert torch.equal(torch.tensor(moved.of("attacked").costs["linf_pixel"]), torch.tensor(swapped.of("attacked").costs["linf_pixel"]))


def test_behind_a_defense_the_adaptive_attack_goes_through_the_surrogate_s(loaded: Loaded) -> None:
    case, (found,) = tables(loaded, "crossfire", "bit-reduction")
    assert found.arms == ("clean", "attacked", "defended", "defended_attacked", "defended_adaptive")
    assert case.surrogate is loaded.surrogate


@pytest.mark.parametrize("threat", ["badclip", "ko-vlm-mia"])
def test_what_attacks_the_target_s_own_training_is_made_on_no_other(loaded: Loaded, threat: str) -> None:
    with pytest.raises(Refused, match="is not made on a surrogate"):
        tables(loaded, threat)


@pytest.mark.parametrize(
    ("surrogate", "said"),
    [
        ("reference:encoder", "is the target itself"),
        ("reference:answerer", "is an answerer, and 'reference:encoder' has none"),
        ("reference", "takes one model"),
        ("reference:agent", "takes one model"),
        ("openai:m@http://127.0.0.1:9/v1", "takes one model"),
        ("nobody", "unknown target"),
    ],
)
def test_a_surrogate_that_is_none_is_one_line(surrogate: str, said: str) -> None:
    with pytest.raises(InputError) as refusal:
        resolve.load("reference:encoder", "reference", surrogate=surrogate)
    assert said in str(refusal.value) and "\n" not in str(refusal.value)


def test_a_surrogate_is_part_of_the_plan_and_of_the_key() -> None:
    plan = Plan(("crossfire",), surrogate="reference:encoder-b")
    assert Plan.from_toml(plan.to_toml()) == plan and "surrogate" not in Plan(("crossfire",)).to_toml()
    context = Context("t", "d", {"trials": 10}, {"": "code"}, versions())
    other = replace(context, members={"surrogate": "x"})
    for threat in ("crossfire", "schlarmann"):
        cell = Cell("reference", threat, NO_DEFENSE, 0, "quick")
        assert cell.key(context) != cell.key(other) and cell.stream(context) != cell.stream(other)
