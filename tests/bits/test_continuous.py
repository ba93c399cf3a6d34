"""The portfolio and its guard: what is given is right, what is not right is withheld, and bad input is named."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hartley.bits.continuous import chosen, continuous_information
from hartley.bits.known import FIRST_LIST, TASKS, GaussianPair, dense_gaussian, same_class_pairing, sparse_gaussian
from hartley.bits.known.foreign import FOREIGN, KEPT
from hartley.bits.portfolio.critic import Held
from hartley.bits.portfolio.gathered import Portfolio, examined
from hartley.bits.portfolio.rows import checked_sides
from hartley.errors import InputError


def measured(name, n, seed=0):
    task = TASKS[name]
    return task, continuous_information(*task.sample(n, np.random.default_rng(seed)), seed=seed)


def holds(bits, truth):
    return bits.low <= truth + 1e-9 and (bits.high is None or truth <= bits.high)


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("1v1-normal-0.75", 0.06),
        ("half_cube-1v1-normal-0.75", 0.06),
        ("student-identity-2-2-1", 0.06),
        ("asinh-student-identity-5-5-2", 0.08),
        ("multinormal-dense-25-25-0.5", 0.1),
        ("half_cube-multinormal-sparse-5-5-2-2.0", 0.1),
        ("swissroll_x-normal_cdf-1v1-normal-0.75", 0.1),
        ("1v1-X-0.9", 0.1),
    ],
)
def test_points_near_the_truth(name, most):
    task, bits = measured(name, 4000)
    assert bits.trusted and bits.value == pytest.approx(task.truth_bits, abs=most)
    assert holds(bits, task.truth_bits)
    assert bits.high - bits.low < 0.5


@pytest.mark.parametrize(
    "name", ["2v1-waves-12-5.0-3.0", "spiral-multinormal-sparse-3-3-2-2.0", "1v1-additive-0.1", "25v1-concentric_gaussians-5"]
)
def test_wrong_points_are_withheld_and_the_limit_holds(name):
    task, bits = measured(name, 1500)
    assert bits.low <= task.truth_bits
    if abs(bits.checks["point_bits"] - task.truth_bits) > 0.15:
        assert bits.value is None or holds(bits, task.truth_bits)
    if bits.value is None:
        assert bits.why and bits.high is None and not bits.trusted


@pytest.mark.slow
@pytest.mark.parametrize("name", FIRST_LIST)
def test_the_first_list_is_honest(name):
    task, bits = measured(name, 10_000, seed=7)
    error = abs(bits.checks["point_bits"] - task.truth_bits)
    assert error <= 0.15 or bits.value is None or holds(bits, task.truth_bits)
    assert error <= 0.3 and bits.low <= task.truth_bits


@pytest.mark.parametrize(("rho", "n", "seeds"), [(0.0, 100, 60), (0.3, 100, 60), (0.9, 100, 40), (0.3, 1000, 8), (0.9, 1000, 8)])
def test_intervals_cover_a_gaussian_pair(rho, n, seeds):
    pair = GaussianPair(rho)
    found = [continuous_information(*pair.sample(n, np.random.default_rng([n, seed])), seed=seed) for seed in range(seeds)]
    assert np.mean([holds(bits, pair.truth_bits) for bits in found]) >= 0.93


@pytest.mark.slow
@pytest.mark.parametrize("rho", [0.0, 0.3, 0.9])
@pytest.mark.parametrize("n", [100, 1000, 10_000])
def test_intervals_cover_a_gaussian_pair_at_every_size(rho, n):
    pair = GaussianPair(rho)
    found = [continuous_information(*pair.sample(n, np.random.default_rng([n, seed])), seed=seed) for seed in range(200)]
    assert np.mean([holds(bits, pair.truth_bits) for bits in found]) >= 0.93


def test_nothing_there():
    generator = np.random.default_rng(1)
    bits = continuous_information(generator.standard_normal((800, 3)), generator.standard_cauchy(800))
    assert bits.value is None and bits.low == 0 and bits.high is None
    assert bits.why.startswith("no channel detected") and "no test limits from above" in bits.why


def test_zero_after_shuffling():
    x, y = sparse_gaussian(3, 3).sample(1500, np.random.default_rng(2))
    assert continuous_information(x, y).low > 1
    assert continuous_information(x, y[np.random.default_rng(3).permutation(1500)]).low == 0


@settings(derandomize=True, max_examples=3, deadline=None)
@given(st.integers(0, 1000))
def test_processing_never_adds(seed):
    """Rounding x to its first column, and adding noise, leaves a lower limit under the whole's truth."""
    law = sparse_gaussian(3, 3)
    x, y = law.sample(1000, np.random.default_rng(seed))
    part = continuous_information(x[:, :1] + np.random.default_rng(seed).standard_normal((1000, 1)), y)
    truth = -0.5 * np.log2(1 - 0.64 / 2)
    assert part.low <= truth and continuous_information(x, y).low <= law.truth_bits
    assert part.value is None or part.value <= continuous_information(x, y).checks["point_bits"]


def test_symmetric_and_blind_to_scale():
    x, y = dense_gaussian(2, 3).sample(2000, np.random.default_rng(4))
    straight, turned = continuous_information(x, y), continuous_information(y, x)
    assert straight.value == pytest.approx(turned.value, abs=0.02)
    assert continuous_information(np.exp(x) * 7, y - 3).value == pytest.approx(straight.value, abs=1e-9)


def test_two_independent_copies_carry_twice():
    pair = GaussianPair(0.7)
    one, two = (pair.sample(4000, np.random.default_rng(seed)) for seed in (5, 6))
    single = continuous_information(*one).value
    both = continuous_information(np.stack([one[0], two[0]], 1), np.stack([one[1], two[1]], 1)).value
    assert both == pytest.approx(2 * single, abs=0.1)


def clustered_pairs(n):
    """Four clusters a side in ten dimensions, paired through two bit flips."""
    generator = np.random.default_rng(7)
    pools = []
    for _ in range(2):
        centers, label = generator.standard_normal((4, 10)), np.repeat(np.arange(4), 500)
        pools += [centers[label] + 0.1 * generator.standard_normal((2000, 10)), label]
    task = same_class_pairing(*pools, 0.05)
    return task, *task.sample(n, generator)


def test_clusters_count_as_clusters():
    task, x, y = clustered_pairs(3000)
    bits = continuous_information(x, y)
    assert bits.trusted and bits.value == pytest.approx(task.truth_bits, abs=0.08)
    assert holds(bits, task.truth_bits)


def test_a_copula_that_does_not_deliver_is_refuted():
    task, x, y = clustered_pairs(3000)
    found = examined(x, y)
    assert "copula" not in found.points and found.refuted["copula"] > task.truth_bits + 0.3
    assert chosen(found)[1] == pytest.approx(task.truth_bits, abs=0.08)


def test_saturation_is_said():
    x, y = GaussianPair(1 - 1e-9).sample(400, np.random.default_rng(8))
    bits = continuous_information(x, y)
    assert bits.value is None and bits.why.startswith("saturated, at least")
    assert 5 < bits.low < GaussianPair(1 - 1e-9).truth_bits
    same = continuous_information(x, x)
    assert same.value is None and same.why.startswith("saturated")


def test_few_rows_say_nothing_and_one_side_may_be_one_dimensional():
    x, y = GaussianPair(0.9).sample(39, np.random.default_rng(9))
    assert continuous_information(x, y).why == "39 rows, needs 40"
    x, y = GaussianPair(0.9).sample(300, np.random.default_rng(9))
    assert str(continuous_information(x, y)) == str(continuous_information(x[:, None], y[:, None]))
    assert continuous_information(x.astype(np.float32), y, kind="channel_bits").kind == "channel_bits"


def test_what_only_learned_coordinates_see_is_withheld():
    """The sign of y is that of a product of two of 25 columns: found, but nothing confirms that it was found in full."""
    generator = np.random.default_rng(17)
    x = generator.standard_normal((4000, 25))
    bits = continuous_information(x, np.sign(x[:, 0] * x[:, 1]) * np.abs(generator.standard_normal(4000)))
    assert bits.value is None and 0.2 < bits.low <= 1.0
    assert bits.why.startswith("unmodeled dependence, at least")


@pytest.mark.parametrize("name", ["25v1-concentric_gaussians-5", "spiral-multinormal-sparse-5-5-2-2.0"])
def test_a_few_hundred_rows_do_not_print_what_straight_lines_see(name):
    """At 500 rows a point of the straight part alone stood here: 0.1 of 1.7 bits, 0.7 of 1.5."""
    task = TASKS[name]
    bits = continuous_information(*task.sample(500, np.random.default_rng([0, 77])))
    assert bits.low <= task.truth_bits
    assert bits.value is None or abs(bits.value - task.truth_bits) < 0.3


def test_columns_may_repeat_each_other():
    generator = np.random.default_rng(16)
    x = generator.standard_normal((1500, 2))
    y = x + generator.standard_normal((1500, 2))
    twice = continuous_information(np.hstack([x, x]), y)
    assert twice.low <= 1.0 and (twice.value is None or twice.value == pytest.approx(1.0, abs=0.1))


def test_the_same_seed_the_same_answer():
    x, y = TASKS["spiral-multinormal-sparse-3-3-2-2.0"].sample(600, np.random.default_rng(10))
    assert continuous_information(x, y, seed=3) == continuous_information(x, y, seed=3)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.arange(50.0), np.arange(49.0), "50 and 49 rows"),
        (np.r_[np.arange(50.0), np.nan], np.arange(51.0), "x, row 50, column 0: got nan"),
        (np.arange(60.0), np.r_[np.inf, np.arange(59.0)], "y, row 0, column 0: got inf"),
        (np.arange(60.0), np.ones(60), "y, column 0: constant"),
        (np.c_[np.arange(60.0), np.arange(60) % 3], np.arange(60.0), r"x, column 1: 3 distinct values in 60 rows.*use information\(\)"),
        (np.array(["a"] * 60), np.arange(60.0), "x: <U1, takes real numbers"),
        (np.zeros((4, 4, 4)), np.arange(4.0), r"x: shape \(4, 4, 4\)"),
        ([[1.0], [1.0, 2.0]], np.arange(2.0), "x: rows of unequal lengths"),
        (np.zeros((5, 0)), np.arange(5.0), r"x: shape \(5, 0\)"),
    ],
)
def test_bad_input_is_named(x, y, message):
    with pytest.raises(InputError, match=message):
        continuous_information(x, y)


def test_many_rows_are_thinned_and_wide_sides_narrowed():
    x, y = GaussianPair(0.5).sample(60_000, np.random.default_rng(11))
    sides = checked_sides(x, y)
    assert sides.x.shape == (20_000, 1) and sides.rows == 60_000
    assert {*np.unique(sides.x)} <= {*x}
    order = np.argsort(x)
    np.testing.assert_array_equal(sides.y[:, 0], y[order][np.searchsorted(x[order], sides.x[:, 0])])
    wide = np.random.default_rng(12).standard_normal((320, 50))
    narrow = checked_sides(wide, wide[:, :3])
    assert narrow.x.shape == (320, 20) and narrow.y.shape == (320, 3) and "x has 50 columns" in narrow.narrowed
    assert continuous_information(x, y).estimator.endswith("on 20,000 of 60,000 rows")
    bits = continuous_information(wide, wide[:, :3] + np.random.default_rng(13).standard_normal((320, 3)))
    assert bits.value is None


def test_cheap_estimates_that_agree_are_enough():
    found = examined(*sparse_gaussian(5, 5).sample(3000, np.random.default_rng(14)))
    assert set(found.points) == {"copula", "reduced"} and set(found.bounds) == {"copula", "curved"}
    assert max(found.points.values()) - min(found.points.values()) < 0.1


def test_the_choice_between_estimates():
    bounds = {"copula": Held(0.9, 0.01), "curved": Held(0.9, 0.01)}

    def of(points, exhausted=False, **doubts):
        return chosen(Portfolio(points, {}, bounds, float("inf"), exhausted, (), doubts))[0]

    assert of({"copula": 1.0, "knn": 1.08}) == "copula"
    assert of({"copula": 1.0, "knn": 1.2}) == "knn"
    assert of({"copula": 1.0, "knn": 0.97}, copula="moments") == "knn"
    assert of({"copula": 1.0, "knn": 0.97}, copula="moments", knn="few rows") == "copula"
    assert of({"copula": 1.0, "reduced": 0.97, "curved": 1.05}, copula="moments") == "reduced"
    assert of({"copula": 1.0, "cells": 0.97, "curved": 1.01}, exhausted=True) == "cells"
    assert of({"copula": 1.0, "cells": 0.97}, exhausted=False) == "copula"
    assert of({"copula": 1.0, "cells": 0.8}, exhausted=True) == "copula"


@pytest.mark.parametrize("n", [500, 2000])
@pytest.mark.parametrize("name", ["beside-4-uniform-1", "rotated-4-uniform-1"])
def test_estimators_that_agree_because_they_share_coordinates_are_no_proof(name, n):
    """Audit 6: four independent additive-uniform pairs, 1.443 bits; .667 [.587, .725] was printed, as they are and turned."""
    task = FOREIGN[name]
    for seed in (1, 2):
        bits = continuous_information(*task.sample(n, np.random.default_rng(seed)), seed=seed)
        assert bits.value is None and bits.high is None and 0.3 < bits.low <= task.truth_bits
        assert bits.why.startswith("unmodeled dependence, at least") and bits.checks["copula_bits"] < 0.8


@pytest.mark.parametrize(
    "name",
    [
        "beside-3-student-1",
        "rotated-2-uniform-0.5",
        "opposed-2",
        "spiral-4-normal-2",
        "silenced-together-0.4-3-uniform-1",
        "noisy-2-uniform-0.5",
        "noisy-cross",
        "rounded-sparse-3",
        "student-2-2-0.3",
        "folded-5-0.3",
        "mixed-both-4-uniform",
    ],
)
@pytest.mark.parametrize("seed", [1, 2])
def test_foreign_points_are_right_or_withheld(name, seed):
    task = FOREIGN[name]
    bits = continuous_information(*task.sample(500, np.random.default_rng(seed)), seed=seed)
    assert bits.low <= task.truth_bits
    assert bits.value is None or (abs(bits.value - task.truth_bits) <= 0.15 and holds(bits, task.truth_bits))


@pytest.mark.slow
@pytest.mark.parametrize("n", [500, 2000])
def test_at_most_one_foreign_point_in_thirty_is_wrong(n):
    """The benchmark's part `foreign` in small: fresh samples, which no rule was made on."""
    errors = []
    for name, task in {**FOREIGN, **KEPT}.items():
        bits = continuous_information(*task.sample(n, np.random.default_rng([11, n])), seed=4)
        assert bits.low <= task.truth_bits, name
        if bits.value is not None:
            errors.append(abs(bits.value - task.truth_bits))
    assert len(errors) >= 20 and np.mean(np.array(errors) > 0.15) <= 1 / 30


def test_a_plane_needs_no_second_opinion_where_neighbors_resolve_it():
    """Withheld before, since no copula agrees: the right point was there."""
    for name in ("1v1-additive-0.75", "1v1-AI"):
        task, bits = measured(name, 2000, seed=1)
        assert bits.trusted and abs(bits.value - task.truth_bits) < 0.1 and holds(bits, task.truth_bits)
