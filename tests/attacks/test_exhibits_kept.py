"""Which trials a recipe keeps to be looked at."""

from types import SimpleNamespace

import numpy as np
import torch

from hartley.attacks.engine.arms import Inputs
from hartley.attacks.engine.exhibits import KEPT, Sides, keep
from hartley.evidence import Evidence


def evidence(intent: list[int], clean: list[int], success: list[int]) -> Evidence:
    """Two arms over the same trials; under attack every outcome is the third symbol."""
    n = len(intent)
    return Evidence(
        channel="image",
        kind="write",
        intent_alphabet=("one", "two"),
        adversary_alphabet=("three",),
        outcome_alphabet=("two", "one", "three"),  # another order than the intents': symbols are compared, not their numbers
        arm=np.repeat(np.array([0, 1], np.int8), n),
        trial=np.tile(np.arange(n), 2),
        intent=np.tile(intent, 2).astype(np.int32),
        adversary=np.concatenate([np.full(n, -1), np.zeros(n)]).astype(np.int32),
        outcome=np.concatenate([clean, np.full(n, 2)]).astype(np.int32),
        success=np.concatenate([np.zeros(n), success]).astype(np.int8),
    )


def test_reading_7_successes_that_were_right_before_come_first():
    case = SimpleNamespace(exhibits=[], target=SimpleNamespace(sample_rate=None))
    # "one" is 0 as an intent and 1 as an outcome: trials 0 to 2 were wrong before, 3 to 5 right, 6 and 7 failed.
    table = evidence([0] * 8, clean=[0, 0, 0, 1, 1, 1, 1, 1], success=[1] * 6 + [0, 0])
    sides = Sides(Inputs(images=torch.rand(8, 3, 4, 4)), Inputs(images=torch.rand(8, 3, 4, 4)))
    keep(case, table, sides)
    assert len(case.exhibits) == KEPT
    assert [shown.outcome_clean for shown in case.exhibits[: KEPT - 1]] == ["one"] * 3


def test_a_success_that_was_wrong_before_is_kept_where_there_is_no_other():
    case = SimpleNamespace(exhibits=[], target=SimpleNamespace(sample_rate=None))
    table = evidence([0] * 3, clean=[0, 0, 1], success=[1, 1, 0])
    keep(case, table, Sides(Inputs(images=torch.rand(3, 3, 4, 4)), Inputs(images=torch.rand(3, 3, 4, 4))))
    assert [shown.outcome_clean for shown in case.exhibits] == ["two", "two", "one"]
