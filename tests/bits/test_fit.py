"""What a copula cannot explain: moments against loops, each detector on what it is for, and nothing against copulas that are right."""

from collections import Counter
from itertools import combinations_with_replacement

import numpy as np
import pytest
from numpy.polynomial.hermite_e import hermeval
from scipy.special import factorial

from hartley.bits.known import TASKS, dense_gaussian, sparse_gaussian, student_identity
from hartley.bits.known.families import beside, rotated
from hartley.bits.known.foreign import FOREIGN, KEPT
from hartley.bits.known.shapes import cross, normal, uniform
from hartley.bits.portfolio.elliptical import elliptical_bits, tail_weight
from hartley.bits.portfolio.fit import Residues, _moments, misfit
from hartley.bits.portfolio.ranks import ranks
from hartley.bits.portfolio.reduced import Neighbors, resolved
from hartley.bits.portfolio.support import neighbors_doubt, reduced_doubt
from hartley.bits.portfolio.unmixed import negentropy_bits, unmixing


def against(task, n, seed=0):
    x, y = task.sample(n, np.random.default_rng(seed))
    nu = tail_weight(ranks(x), ranks(y))
    return misfit(x, y, nu, elliptical_bits(x, y, nu))


def slow_moments(w):
    """Every product of Hermite polynomials of order three and four, one multi-index at a time."""
    w = w - w.mean(0)
    values, vectors = np.linalg.eigh(w.T @ w / len(w))
    w = w @ vectors / np.sqrt(values)
    found = []
    for degree in (3, 4):
        for index in combinations_with_replacement(range(w.shape[1]), degree):
            product = np.ones(len(w))
            for column, power in Counter(index).items():
                product *= hermeval(w[:, column], [0] * power + [1]) / np.sqrt(factorial(power))
            found.append(product.mean())
    return np.array(found)


@pytest.mark.parametrize("columns", [1, 2, 3, 5])
def test_moments_equal_loops(columns):
    w = np.random.default_rng(columns).standard_exponential((200, columns)) @ np.random.default_rng(1).standard_normal((columns, columns))
    np.testing.assert_allclose(np.sort(_moments(w)), np.sort(slow_moments(w)), atol=1e-9)


@pytest.mark.parametrize("nu", [np.inf, 2.0])
def test_residues_of_a_right_copula_are_standard_normal(nu):
    law = sparse_gaussian(3, 2) if np.isinf(nu) else student_identity(3, 2, nu)
    found = Residues.of(*law.sample(4000, np.random.default_rng(2)), nu, 0)
    np.testing.assert_allclose(np.cov(found.whole.T), np.eye(5), atol=0.08)
    assert abs((found.whole**2).sum(1).mean() - 5) < 0.2 and abs((found.whole**4).mean() - 3) < 0.3


@pytest.mark.parametrize("n", [500, 2000])
@pytest.mark.parametrize("law", [dense_gaussian(2, 2), dense_gaussian(5, 5), sparse_gaussian(3, 3), student_identity(3, 3, 2.0)])
def test_nothing_speaks_against_a_copula_that_is_right(law, n):
    x, y = law.sample(n, np.random.default_rng([4, n]))
    nu = tail_weight(ranks(x), ranks(y))
    assert misfit(x, np.exp(y / np.abs(y).max()), nu, elliptical_bits(x, y, nu)) == ""


def test_false_alarms_are_rare():
    law = sparse_gaussian(3, 3)
    alarms = 0
    for seed in range(30):
        x, y = law.sample(400, np.random.default_rng([4, seed]))
        alarms += misfit(x, y, np.inf, elliptical_bits(x, y, np.inf), seed=seed) != ""
    assert alarms <= 3


@pytest.mark.parametrize(
    ("task", "n", "why"),
    [
        (beside("", cross(), normal(0.8)), 500, "moments"),
        (FOREIGN["inliers-3-0.5"], 2000, "moments"),
        (FOREIGN["silenced-apart-0.2-sparse-2"], 500, "one value in 2"),
        (FOREIGN["spiral-4-normal-2"], 1000, "turn with the radius"),
        (FOREIGN["spiral-6-student-2-3"], 1000, "turn with the radius"),
        (TASKS["spiral-multinormal-sparse-25-25-2-2.0"], 500, "turn with the radius"),
        (beside("", *[uniform(1.0)] * 4), 500, "noise of another shape"),
        (rotated("", beside("", *[uniform(1.0)] * 4)), 500, "noise of another shape"),
    ],
)
def test_each_kind_of_misfit_is_told(task, n, why):
    said = [against(task, n, seed) for seed in range(3)]
    assert all(said) and any(why in reason for reason in said), said


def test_a_copula_of_turned_columns_is_told_by_their_components():
    """Uniform columns with a Gaussian copula, turned: 500 rows are too few for moments, but not for unmixing."""
    said = [against(KEPT["rotated-uniform-sparse-3"], 500, seed) for seed in (1, 2)]
    assert all("bits in independent components" in reason for reason in said), said


def test_components_are_found_from_one_side_alone():
    generator = np.random.default_rng(5)
    sources = generator.uniform(-1, 1, (2000, 3))
    mixed = sources @ generator.standard_normal((3, 3))
    found = (mixed - mixed.mean(0)) @ unmixing(mixed)
    match = np.abs(np.corrcoef(found.T, sources.T)[:3, 3:])
    assert match.max(0).min() > 0.98 and match.max(1).min() > 0.98
    np.testing.assert_allclose(np.cov(found.T, bias=True), np.eye(3), atol=1e-6)


def test_negentropy_of_known_laws():
    generator = np.random.default_rng(6)
    # a uniform column: 1/2 log2(2 pi e / 12)
    cube = generator.uniform(-1, 1, (4000, 3)) @ np.linalg.qr(generator.standard_normal((3, 3)))[0]
    assert negentropy_bits(cube) == pytest.approx(3 * 0.5 * np.log2(2 * np.pi * np.e / 12), abs=0.08)
    # the tails that spacings leave out are the same for any two samples of one law: only differences are used
    normal_rows = [negentropy_bits(generator.standard_normal((4000, 3))) for _ in range(4)]
    assert max(normal_rows) < 0.35 and np.ptp(normal_rows) < 0.1


def test_what_only_the_closest_neighbors_see():
    fine, coarse = (resolved(*FOREIGN["folded-5-0.3"].sample(n, np.random.default_rng(7))).unresolved for n in (500, 10_000))
    assert fine > 0.5 and coarse < 0.1
    x, y = dense_gaussian(1, 1, 0.75).sample(2000, np.random.default_rng(8))
    assert abs(resolved(x, y).unresolved) < 0.08


def test_neighbors_need_rows_and_resolution():
    assert neighbors_doubt(300, 2, Neighbors(1.0, 0.0)).startswith("neighbors need 400 rows")
    assert neighbors_doubt(1500, 4, Neighbors(1.0, 0.0)).startswith("neighbors need 2,000 rows")
    assert neighbors_doubt(500, 2, Neighbors(1.0, 0.2)) == "" and neighbors_doubt(2000, 2, Neighbors(1.0, 0.2))
    assert neighbors_doubt(2000, 4, Neighbors(1.0, 0.04)) == "" and neighbors_doubt(2000, 4, Neighbors(1.0, 0.08))
    assert neighbors_doubt(2000, 4, Neighbors(1.0, 0.08), certified=0.8) == ""
    assert neighbors_doubt(2000, 4, Neighbors(1.0, 0.11), certified=0.8)


def test_straight_pairs_are_all_only_where_the_rest_is_noise():
    inliers = TASKS["mult-sparse-w-inliers-5-5-2-2.0-0.2"].sample(2000, np.random.default_rng(10))
    assert reduced_doubt(*inliers, np.inf) == ""
    outside = beside("", normal(0.9), cross(), cross()).sample(2000, np.random.default_rng(10))
    assert "outside" in reduced_doubt(*outside, np.inf)
    turned = TASKS["spiral-multinormal-sparse-25-25-2-2.0"].sample(4000, np.random.default_rng(11))
    assert reduced_doubt(*turned, np.inf)
    many = sparse_gaussian(4, 4, pairs=4).sample(2000, np.random.default_rng(12))
    assert reduced_doubt(*many, np.inf) == "4 straight pairs, takes 1 or 2"
