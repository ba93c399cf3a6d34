"""Rows that are no trials of their own: repeated rows, and columns that follow themselves (audit 3)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.signal import lfilter

from hartley.bits.files.order import row_order
from hartley.bits.files.samples import Samples, Side, Symbols, Vectors
from hartley.bits.files.statement import planned, statement

Draw = Callable[[np.random.Generator, int], tuple[Side, Side]]


def symbols(name: str, values: np.ndarray) -> Symbols:
    found, codes = np.unique(values, return_inverse=True)
    return Symbols(name, codes.astype(np.int32), tuple(map(str, found)))


def numbers(name: str, values: np.ndarray) -> Vectors:
    return Vectors(name, np.asarray(values, dtype=np.float64).reshape(len(values), -1))


def sticky(g: np.random.Generator, n: int, count: int) -> np.ndarray:
    """A Markov chain that stays where it is nine times of ten."""
    fresh = g.integers(0, count, n)
    return fresh[np.maximum.accumulate(np.where(g.random(n) < 0.1, np.arange(n), 0))]


def drifting(g: np.random.Generator, n: int) -> np.ndarray:
    return np.asarray(lfilter([1], [1, -0.9], g.standard_normal(n + 200))[200:])


def again(g: np.random.Generator, n: int, how: Callable[[np.ndarray], np.ndarray], kind: Callable[..., Side]) -> tuple[Side, Side]:
    x, y = g.integers(0, 4, (2, n // 3)) if kind is symbols else g.standard_normal((2, n // 3))
    return kind("x", how(x)), kind("y", how(y))


def thrice(values: np.ndarray) -> np.ndarray:
    return np.repeat(values, 3)


def in_turn(values: np.ndarray) -> np.ndarray:
    return np.tile(values, 3)


def shuffled(values: np.ndarray) -> np.ndarray:
    return np.repeat(values, 3)[np.random.default_rng(0).permutation(3 * len(values))]


DEPENDENT: dict[str, Draw] = {
    "sticky symbols": lambda g, n: (symbols("x", sticky(g, n, 4)), symbols("y", sticky(g, n, 3))),
    "drifting numbers": lambda g, n: (numbers("x", drifting(g, n)), numbers("y", drifting(g, n))),
    "drifting numbers, sticky labels": lambda g, n: (numbers("x", drifting(g, n)), symbols("y", sticky(g, n, 3))),
    "drifting vectors": lambda g, n: (numbers("x", np.stack([drifting(g, n) for _ in range(8)], 1)), symbols("y", sticky(g, n, 3))),
    "sorted labels, drifting numbers": lambda g, n: (symbols("x", np.sort(g.integers(0, 2, n))), numbers("y", drifting(g, n))),
    "each row of symbols thrice": lambda g, n: again(g, n, thrice, symbols),
    "the file of symbols thrice": lambda g, n: again(g, n, in_turn, symbols),
    "each row of numbers thrice": lambda g, n: again(g, n, thrice, numbers),
    "rows of numbers thrice, shuffled": lambda g, n: again(g, n, shuffled, numbers),
}


def noisy(g: np.random.Generator, x: np.ndarray) -> np.ndarray:
    return np.where(g.random(len(x)) < 0.3, g.integers(0, 4, len(x)), x)


def labeled(g: np.random.Generator, label: np.ndarray) -> tuple[Side, Side]:
    return numbers("z", g.standard_normal((4, 8))[label] + g.standard_normal((len(label), 8))), symbols("label", label)


def counted(g: np.random.Generator, x: np.ndarray) -> tuple[Side, Side]:
    return symbols("x", x), symbols("y", noisy(g, x))


DESIGNS: dict[str, Draw] = {
    "sorted by symbol": lambda g, n: counted(g, np.sort(g.integers(0, 4, n))),
    "in turn": lambda g, n: counted(g, np.arange(n) % 4),
    "blocks of an embedding": lambda g, n: labeled(g, np.sort(g.integers(0, 4, n))),
    "sorted by number": lambda g, n: (numbers("x", x := np.sort(g.standard_normal(n))), numbers("y", 0.8 * x + 0.6 * g.standard_normal(n))),
    "sticky symbols in an independent channel": lambda g, n: counted(g, sticky(g, n, 4)),
    "a sorted function": lambda g, n: (numbers("x", x := np.sort(g.standard_normal(n))), numbers("y", x**3)),
}

INDEPENDENT: dict[str, Draw] = {
    "symbols": lambda g, n: counted(g, g.integers(0, 4, n)),
    "numbers": lambda g, n: (numbers("x", x := g.standard_normal(n)), numbers("y", 0.8 * x + 0.6 * g.standard_normal(n))),
    "rounded numbers": lambda g, n: (numbers("x", x := g.standard_normal(n).round(2)), numbers("y", x**3)),
    "two rounded clusters": lambda g, n: (
        numbers("x", x := (4 * g.integers(0, 2, n) + 0.1 * g.standard_normal(n)).round(2)),
        numbers("y", np.sin(x)),
    ),
    "zero-inflated numbers": lambda g, n: (
        numbers("x", x := g.standard_normal(n) * (g.random(n) < 0.5)),
        numbers("y", x * (g.random(n) < 0.5)),
    ),
    "an embedding": lambda g, n: labeled(g, g.integers(0, 4, n)),
}


def drawn(draw: Draw, n: int, seed: int) -> Samples:
    x, y = draw(np.random.default_rng([n, seed]), n)
    return Samples("t", x, y, len(x.codes if isinstance(x, Symbols) else x.values))


@pytest.mark.parametrize("name", DEPENDENT)
def test_audit_3_rows_that_are_no_trials_of_their_own_are_told(name: str) -> None:
    """In 76 to 89% of such files the lower limit lay above 0 where the truth is 0."""
    for seed in range(5):
        assert row_order(drawn(DEPENDENT[name], 300, seed)).why, seed


@pytest.mark.parametrize("name", DESIGNS)
def test_audit_3_an_order_of_one_column_alone_is_no_alarm(name: str) -> None:
    found = [row_order(drawn(DESIGNS[name], 300, seed)) for seed in range(10)]
    assert sum(bool(one.why) for one in found) <= 1
    if name != "a sorted function":
        assert sum(len(one.facts) == 1 and "shows no such order, so the limits hold" in one.facts[0] for one in found) >= 9


@pytest.mark.parametrize("name", INDEPENDENT)
def test_audit_3_independent_rows_are_hardly_ever_told_of(name: str) -> None:
    """At most 1%: of 100 files none, and of the order of one column (no alarm) 1 in 100."""
    found = [row_order(drawn(INDEPENDENT[name], (60, 200, 300)[seed % 3], seed), seed=seed) for seed in range(100)]
    assert sum(bool(one.why) for one in found) <= 1 and sum(bool(one.facts) for one in found) <= 4


def test_audit_3_no_number_is_given_where_rows_are_no_trials() -> None:
    for name in ("sticky symbols", "drifting numbers", "each row of symbols thrice"):
        plan = planned(drawn(DEPENDENT[name], 300, 1))
        assert plan.facts[-1].startswith("warning: the rows are not trials of their own: ") and "--cluster" in plan.facts[-1]
        for said in statement(plan.samples, dependent=plan.dependent):
            assert (said.bits.value, said.bits.low, said.bits.high) == (None, None, None)
            assert "not measured, the rows are not trials of their own" in str(said)


def test_the_same_file_gets_the_same_answer() -> None:
    samples = drawn(DESIGNS["in turn"], 300, 0)
    assert row_order(samples) == row_order(samples)
