"""The statement: the right measure for each pair of columns, and sentences that say what the number says."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from hartley.bits.capacity import capacity
from hartley.bits.counts import information
from hartley.bits.files.samples import Samples, Side, Symbols, Vectors
from hartley.bits.files.statement import MOST_ROWS, Said, figure, planned, spread, statement
from hartley.bits.tables import cross_tabulate
from hartley.bits.value import Bits
from hartley.errors import InputError

RNG = np.random.default_rng(0)
N = 600
CODES = RNG.integers(0, 4, N).astype(np.int32)
NOISY = np.where(RNG.random(N) < 0.3, RNG.integers(0, 4, N), CODES).astype(np.int32)
SENT = Symbols("sent", CODES, ("a", "b", "c", "d"))
GOT = Symbols("got", NOISY, ("a", "b", "c", "d"))
POINTS = Vectors("z", 2.0 * np.eye(4)[CODES][:, :3] + RNG.standard_normal((N, 3)))


def samples(x: Side, y: Side, rows: int = N) -> Samples:
    return Samples("t.npz", x, y, rows)


def _entropy(law: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    return float(-(law * np.log2(law)).sum())


def bits(value: float | None, low: float | None, high: float | None, why: str = "") -> Bits:
    return Bits(value, low, high, 1234, "by hand", "information_bits", value is not None, why)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (bits(0.53, 0.5, 0.55), "0.530 bits [0.500, 0.550]"),
        (bits(0.53, 0.5, None), "0.530 bits [0.500, no upper limit]"),
        (bits(None, 0.1, 0.2, "few"), "0.100 to 0.200 bits"),
        (bits(None, 0.0, 0.2, "few"), "at most 0.200 bits"),
        (bits(None, 0.1, None, "few"), "at least 0.100 bits"),
        (bits(None, 0.0, None, "few"), "0 or more bits"),
        (bits(None, None, 0.2, "few"), "at most 0.200 bits"),
        (bits(None, -0.1, 0.2, "few"), "-0.100 to 0.200 bits"),
    ],
)
def test_figures_say_what_is_certain(number: Bits, words: str) -> None:
    assert figure(number) == words


def test_sentences() -> None:
    assert str(Said(bits(0.53, 0.5, 0.55), "x carries {} about y")) == "x carries 0.530 bits [0.500, 0.550] about y; n = 1,234; by hand"
    withheld = str(Said(bits(None, 0.0, 0.2, "too few trials"), "x carries {}"))
    assert withheld == "x carries at most 0.200 bits; no point is given: too few trials; n = 1,234; by hand"
    limit = str(Said(bits(None, 0.1, None, "a lower limit has no point"), "x carries {}", is_limit=True))
    assert limit == "x carries at least 0.100 bits; n = 1,234; by hand"
    unmeasured = str(Said(Bits.unmeasured("information_bits", "no trials"), "x carries {}"))
    assert unmeasured == "x carries an unknown number of bits: not measured, no trials"


def test_symbols_beside_symbols_are_counted() -> None:
    said = list(statement(samples(SENT, GOT)))
    counts = cross_tabulate(CODES, NOISY)
    assert said[0].bits == information(counts)
    assert said[1].bits == capacity(counts)
    assert [one.bits.kind for one in said] == ["information_bits", "capacity_bits", "maximal_leakage_bits"]
    assert str(said[0]).startswith("sent carries ")
    shares = np.bincount(NOISY) / N
    assert f"of {min(_entropy(np.bincount(CODES) / N), _entropy(shares)):.3f} bits" in str(said[0])


def test_a_prior_reweights_the_counts() -> None:
    prior = {"a": 0.7, "b": 0.1, "c": 0.1, "d": 0.1}
    said = next(iter(statement(samples(SENT, GOT), prior=prior)))
    assert said.bits == information(cross_tabulate(CODES, NOISY), prior=[0.7, 0.1, 0.1, 0.1])
    assert "of 1.357 bits there are" in str(said)
    with pytest.raises(InputError, match="both x and y are numbers"):
        list(statement(samples(POINTS, POINTS), prior=prior))


@pytest.mark.parametrize("turned", [False, True])
def test_vectors_beside_symbols_are_read_as_an_embedding(turned: bool) -> None:
    x, y = (SENT, POINTS) if turned else (POINTS, SENT)
    said = list(statement(samples(x, y)))
    assert [one.bits.kind for one in said] == ["embedding_bits", "certified_bits", "c_g_bits"]
    assert str(said[0]).startswith("sent carries " if turned else "z carries ")
    low, value = said[1].bits.low, said[0].bits.value
    assert low is not None and value is not None
    assert 0.3 < low <= value <= 2.0
    assert "at least" in str(said[1])
    everything = list(statement(samples(x, y), everything=True))
    assert [one.bits.kind for one in everything[3:]] == ["concept_direction_bits", "fisher_direction_bits", "alignment_loss_bits"]


def test_numbers_beside_numbers_go_to_the_portfolio() -> None:
    x = RNG.standard_normal((N, 1))
    y = 0.8 * x + 0.6 * RNG.standard_normal((N, 1))
    (said,) = statement(samples(Vectors("x", x), Vectors("y", y)))
    assert said.bits.low is not None and said.bits.low > 0.3
    assert said.bits.kind == "information_bits"


def test_large_samples_of_numbers_are_drawn_and_said(tmp_path: Path) -> None:
    n = 3 * MOST_ROWS
    z, label = RNG.standard_normal((n, 2)), RNG.integers(0, 3, n).astype(np.int32)
    whole = Samples("t.npz", Vectors("z", z), Symbols("label", label, ("a", "b", "c")), n)
    plan, again = planned(whole, seed=7), planned(whole, seed=7)
    assert plan.facts[-1] == "measured on 20,000 rows drawn at random (seed 7)"
    assert isinstance(plan.samples.x, Vectors) and isinstance(again.samples.x, Vectors) and isinstance(plan.samples.y, Symbols)
    np.testing.assert_array_equal(plan.samples.x.values, again.samples.x.values)
    where = {tuple(row): code for row, code in zip(z.tolist(), label.tolist(), strict=True)}
    assert [where[tuple(row)] for row in plan.samples.x.values.tolist()] == plan.samples.y.codes.tolist()
    other = planned(whole, seed=8).samples.x
    assert isinstance(other, Vectors) and not np.array_equal(other.values, plan.samples.x.values)
    counted = planned(Samples("t", whole.y, whole.y, n))
    assert counted.samples.rows == n


def test_what_a_draw_leaves_constant_is_left_out() -> None:
    n = 1_000
    values = np.concatenate([RNG.standard_normal((n, 1)), np.zeros((n, 1))], 1)
    values[0, 1] = 1.0
    codes = np.zeros(n, dtype=np.int32)
    codes[1], codes[n // 2 :] = 2, 1
    plan = planned(Samples("t", Vectors("z", values), Symbols("l", codes, ("a", "b", "rare")), n), rows=100, seed=2)
    assert isinstance(plan.samples.x, Vectors) and isinstance(plan.samples.y, Symbols)
    assert plan.samples.x.values.shape == (100, 1)
    assert plan.samples.y.names == ("a", "b")
    assert set(plan.samples.y.codes.tolist()) == {0, 1}


def test_too_many_cells_are_told() -> None:
    many = Symbols("ids", np.arange(2_000, dtype=np.int32) % 1_000, tuple(map(str, range(1_000))))
    with pytest.raises(InputError, match="1,000,000 cells"):
        list(statement(Samples("t", many, many, 2_000)))


def test_names_from_a_file_do_not_act_as_templates() -> None:
    odd = Symbols("{0.__class__}", CODES, SENT.names)
    said = next(iter(statement(samples(odd, GOT))))
    assert str(said).startswith("{0.__class__} carries ")


def test_progress_is_told_before_each_measure() -> None:
    told: list[str] = []
    assert len(list(statement(samples(SENT, GOT), told=told.append))) == len(told) == 3


def test_more_noise_never_carries_more_within_the_limits() -> None:
    """Data processing: what a noisier column says is at most what a less noisy one says."""
    worse = np.where(RNG.random(N) < 0.4, RNG.integers(0, 4, N), NOISY).astype(np.int32)
    chain = [next(iter(statement(samples(SENT, Symbols("y", codes, SENT.names))))).bits for codes in (CODES, NOISY, worse)]
    for nearer, farther in pairwise(chain):
        assert farther.low is not None and nearer.high is not None
        assert farther.low <= nearer.high


def test_rounded_numbers_are_spread_and_can_be_read_back() -> None:
    """The value nearest to each spread one is the value it came from, so no information is lost or made."""
    exact = RNG.standard_normal(5_000)
    odd = np.array([-3.0, 0.0, 0.1, 7.0])[RNG.integers(0, 4, 5_000)]
    values = np.stack([np.round(exact, 1), odd, exact], 1)
    out = spread(values, np.random.default_rng(0))
    np.testing.assert_array_equal(out[:, 2], exact)
    for column in (0, 1):
        known = np.unique(values[:, column])
        nearest = known[np.abs(out[:, column, None] - known).argmin(1)]
        np.testing.assert_array_equal(nearest, values[:, column])
        assert len(np.unique(out[:, column])) == 5_000


def test_rounding_hardly_changes_the_statement() -> None:
    x = RNG.standard_normal((2_000, 1))
    y = 0.8 * x + 0.6 * RNG.standard_normal((2_000, 1))
    rounded = samples(Vectors("x", np.round(x, 1)), Vectors("y", np.round(y, 1)), 2_000)
    (said,) = statement(rounded)
    assert said.bits.value is not None
    assert said.bits.value == pytest.approx(-0.5 * np.log2(1 - 0.64), abs=0.1)


@pytest.mark.parametrize("share", [0.5, 0.45, 0.2, 0.03])
def test_audit_8_no_statement_contradicts_its_ceiling(share: float) -> None:
    """A noiseless channel: "1.000 bits, of 0.997 bits there are to carry"."""
    for seed in range(10):
        codes = (np.random.default_rng(seed).random(60) < share).astype(np.int32)
        if len(np.unique(codes)) < 2:
            continue
        side = Symbols("x", codes, ("a", "b"))
        for said in statement(samples(side, replace(side, name="y"), 60)):
            words = re.search(r"of (?:at most )?([\d.]+) bits there are to carry", str(said))
            if words is not None:
                assert said.bits.high is not None and said.bits.high <= float(words[1]) + 1e-3
                assert said.bits.value is None or said.bits.value <= float(words[1]) + 1e-3


def test_audit_8_maximal_leakage_says_whose_inputs_it_speaks_of() -> None:
    leak = list(statement(samples(SENT, GOT)))[2]
    assert "over the 4 symbols of sent that occur (maximal leakage)" in str(leak) and "over the 4 inputs that were used" in str(leak)
