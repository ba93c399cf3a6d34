"""Foreign tasks: their shapes, and every truth by a second computation that knows nothing of how the first was made."""

import numpy as np
import pytest
from scipy import stats
from scipy.special import ndtri

from hartley.bits.known import TASKS, foreign, shapes
from hartley.bits.known.families import beside, mixed, output_bits, rotated, rounded_bits, silenced, with_noise
from hartley.bits.known.foreign import FOREIGN, KEPT
from hartley.bits.known.mixture import inlier_bits
from hartley.bits.known.shapes import normal, student, uniform
from hartley.bits.tables import binary_entropy_bits, information_of_law

EVERY = {**FOREIGN, **KEPT}


def drawn(task, n, seed=0):
    return task.sample(n, np.random.default_rng(seed))


def agrees(log_ratio, truth, most=0.06):
    """The mean log-ratio of densities in nats, and its error, against the truth in bits."""
    bits = log_ratio / np.log(2)
    error = bits.std() / np.sqrt(len(bits))
    assert abs(bits.mean() - truth) < 4 * error < most


def test_the_lists_are_apart_and_large_enough():
    assert len(FOREIGN) >= 25 and len(KEPT) >= 8
    assert not {*FOREIGN} & {*KEPT} and not {*FOREIGN, *KEPT} & {*TASKS}
    assert len(TASKS) + len(FOREIGN) + len(KEPT) >= 60


@pytest.mark.parametrize("name", EVERY)
def test_shape_and_seed(name):
    task = EVERY[name]
    x, y = drawn(task, 400)
    again, other = drawn(task, 400), drawn(task, 400, seed=1)
    assert task.name == name and x.shape == (400, task.dim_x) and y.shape == (400, task.dim_y)
    assert x.dtype == y.dtype == np.float64 and np.isfinite(x).all() and np.isfinite(y).all()
    assert (x == again[0]).all() and (y == again[1]).all() and (x != other[0]).any()
    assert 0.2 < task.truth_bits < 4


def test_side_by_side_adds_and_rotation_changes_nothing():
    both = beside("", normal(0.6), uniform(0.5))
    assert both.truth_bits == pytest.approx(normal(0.6).truth_bits + uniform(0.5).truth_bits)
    x, y = drawn(both, 4000)
    assert np.corrcoef(x[:, 0], y[:, 0])[0, 1] == pytest.approx(0.6, abs=0.05)
    assert np.abs(y[:, 1] - x[:, 1]).max() <= 0.5 and np.abs(np.corrcoef(np.hstack([x, y]).T)[[0, 2], [1, 3]]).max() < 0.05
    turned_x, turned_y = drawn(rotated("", both, 3), 4000)
    np.testing.assert_allclose(np.linalg.norm(turned_x, axis=1), np.linalg.norm(x, axis=1))
    np.testing.assert_allclose(np.linalg.norm(turned_y, axis=1), np.linalg.norm(y, axis=1))
    noisy = with_noise("", both, 3)
    assert noisy.truth_bits == both.truth_bits and drawn(noisy, 10)[0].shape == (10, 5)


@pytest.mark.parametrize("seen", [True, False])
def test_a_mixture_shows_which_task_a_row_is_from(seen):
    parts = [normal(0.9), normal(-0.5)]
    task = mixed("", parts, [0.7, 0.3], seen_in_y=seen)
    x, y = drawn(task, 20_000)
    which = np.floor(x[:, 0]).astype(int)
    assert which.mean() == pytest.approx(0.3, abs=0.02)
    for place, rho in enumerate((0.9, -0.5)):
        rows = which == place
        back = ndtri(x[rows, 0] - place), ndtri(y[rows, 0] - place) if seen else y[rows, 0]
        assert np.corrcoef(*back)[0, 1] == pytest.approx(rho, abs=0.03)
    within = 0.7 * parts[0].truth_bits + 0.3 * parts[1].truth_bits
    assert task.truth_bits == pytest.approx(within + (binary_entropy_bits(0.3) if seen else 0))
    if seen:
        np.testing.assert_array_equal(which, np.floor(y[:, 0]))


@pytest.mark.parametrize(("share", "rho"), [(0.3, 0.75), (0.5, 0.9)])
def test_silence_by_the_density_of_what_is_left(share, rho):
    """Log-ratio row by row: atoms against atoms, a density where both speak."""
    level = normal(rho)
    x, y = drawn(silenced("", level, share, together=True), 40_000)
    quiet = x[:, 0] == 0
    np.testing.assert_array_equal(quiet, y[:, 0] == 0)
    a, b = x[:, 0], y[:, 0]
    inner = -0.5 * np.log(1 - rho**2) - (rho**2 * (a**2 + b**2) - 2 * rho * a * b) / (2 * (1 - rho**2))
    agrees(np.where(quiet, -np.log(share), inner - np.log(1 - share)), silenced("", level, share, together=True).truth_bits)
    x, y = drawn(silenced("", level, share, together=False), 40_000)
    a, b = x[:, 0], y[:, 0]
    inner = -0.5 * np.log(1 - rho**2) - (rho**2 * (a**2 + b**2) - 2 * rho * a * b) / (2 * (1 - rho**2))
    agrees(np.where((a == 0) | (b == 0), 0.0, inner), silenced("", level, share, together=False).truth_bits)


def test_rounding_by_the_bivariate_normal_table():
    step, rho = 0.5, 0.75
    edges = (np.arange(-17, 18) - 0.5) * step
    law = stats.multivariate_normal(cov=[[1, rho], [rho, 1]])
    grid = law.cdf(np.stack(np.meshgrid(edges, edges, indexing="ij"), -1))
    table = np.maximum(np.diff(np.diff(grid, axis=0), axis=1), 0)
    given = lambda x, edge: stats.norm.cdf((edge - rho * x) / np.sqrt(1 - rho**2))  # noqa: E731
    assert rounded_bits(step, stats.norm.pdf, given, (-8, 8)) == pytest.approx(information_of_law(table / table.sum()), abs=1e-4)


@pytest.mark.parametrize(
    ("rho", "written"),
    [
        (0.75, foreign.ROUNDED_NORMAL_BITS),
        (0.99, foreign.ROUNDED_STRONG_BITS),
        (0.8, foreign.ROUNDED_SPARSE_BITS),
        (0.9, foreign.ROUNDED_KEPT_BITS),
    ],
)
def test_written_truths_of_rounded_pairs(rho, written):
    given = lambda x, edge: stats.norm.cdf((edge - rho * x) / np.sqrt(1 - rho**2))  # noqa: E731
    assert rounded_bits(0.05, stats.norm.pdf, given, (-8, 8)) == pytest.approx(written, abs=1e-9)


def test_written_truth_of_the_rounded_uniform():
    """Rows on the grid, x and noise each a sum of equally likely atoms so fine that the cells do not see them."""
    fine = 64
    x = (np.arange(128 * fine) + 0.5) / (128 * fine)
    noise = np.arange(-0.1 + 1 / 5120, 0.1, 1 / 2560)
    table = np.zeros((130, 200))
    for shift in noise:
        np.add.at(table, (np.round(x * 128).astype(int), np.round((x + shift) * 128).astype(int) + 30), 1.0)
    assert information_of_law(table / table.sum()) == pytest.approx(foreign.ROUNDED_UNIFORM_BITS, abs=2e-3)


def smoothed(levels, weights, density):
    """log of the mixture of densities density(row, level) with these weights: (n,)."""
    return lambda rows: np.log(sum(w * density(rows, level) for w, level in zip(weights, levels, strict=True)))


def test_bend_loudness_and_factor_by_their_densities():
    nodes, weights = np.polynomial.hermite_e.hermegauss(120)
    weights = weights / weights.sum()
    x, y = (side[:, 0] for side in drawn(FOREIGN["loudness-1"], 20_000))
    margin = smoothed(np.exp(nodes), weights, lambda rows, scale: stats.norm.pdf(rows, scale=scale))
    agrees(stats.norm.logpdf(y, scale=np.exp(x)) - margin(y), FOREIGN["loudness-1"].truth_bits)
    x, y = (side[:, 0] for side in drawn(FOREIGN["bend-0.3"], 10_000))
    fine = np.linspace(0, 8, 801)
    share = 2 * stats.norm.pdf(fine) * (fine[1] - fine[0]) * np.where(fine == 0, 0.5, 1)
    margin = smoothed(fine, share, lambda rows, level: stats.norm.pdf(rows - level, scale=0.3))
    agrees(stats.norm.logpdf(y - np.abs(x), scale=0.3) - margin(y), FOREIGN["bend-0.3"].truth_bits)
    for task, spread in ((FOREIGN["factor-0.5"], 0.5), (FOREIGN["factor-1"], 1.0)):
        x, y = (side[:, 0] for side in drawn(task, 10_000))
        assert (np.sign(x) == np.sign(y)).all()
        fine = (np.arange(1500) + 0.5) / 250
        levels, share = np.log(fine), 2 * stats.norm.pdf(fine) / 250
        margin = smoothed(levels, share, lambda rows, level, spread=spread: stats.norm.pdf(rows - level, scale=spread))
        a, b = np.log(np.abs(x)), np.log(np.abs(y))
        agrees(np.log(2) + stats.norm.logpdf(b - a, scale=spread) - margin(b), task.truth_bits)


def test_censoring_by_its_densities():
    rho, left = 0.9, np.sqrt(1 - 0.81)
    x, y = (side[:, 0] for side in drawn(FOREIGN["censored-0.9-0"], 40_000))
    at_cut = stats.norm.logcdf(-rho * y / left) - np.log(0.5)
    seen = stats.norm.logpdf(y, rho * x, left) - stats.norm.logpdf(y)
    agrees(np.where(x == 0, at_cut, seen), FOREIGN["censored-0.9-0"].truth_bits)


def test_output_bits_of_a_gaussian():
    total = output_bits(lambda y: stats.norm.pdf(y, scale=np.sqrt(2)), 0.5 * np.log2(2 * np.pi * np.e), (-20, 20), 20_001)
    assert total == pytest.approx(0.5, abs=1e-9)


def test_mixtures_by_monte_carlo_and_quadrature():
    assert shapes.clusters_mixture().quadrature_bits(61) == pytest.approx(foreign.CLUSTERS_BITS, abs=1e-4)
    assert inlier_bits(0.8, 0.5, 801) == pytest.approx(foreign.INLIERS_HALF_BITS, abs=1e-6)
    for law, truth in ((shapes.clusters_mixture(), foreign.CLUSTERS_BITS), (shapes.opposed_mixture(2), foreign.OPPOSED_BITS)):
        value, error = law.monte_carlo_bits(60_000, np.random.default_rng(7))
        assert abs(value - truth) < 4 * error < 0.04


def test_swapped_pairs_by_their_densities():
    rho = 0.9
    x, y = drawn(FOREIGN["swapped-0.9"], 60_000)
    pair = [[np.array([x[:, i], y[:, j]]).T for j in (0, 1)] for i in (0, 1)]
    joint = stats.multivariate_normal(cov=[[1, rho], [rho, 1]])
    both = np.logaddexp(joint.logpdf(pair[0][0]) + joint.logpdf(pair[1][1]), joint.logpdf(pair[0][1]) + joint.logpdf(pair[1][0])) - np.log(
        2
    )
    agrees(both - stats.norm.logpdf(np.hstack([x, y])).sum(1), foreign.SWAPPED_BITS)


def test_folds_rings_and_parity_by_what_they_leave_open():
    x, y = drawn(FOREIGN["folded-1-1-0.25"], 5000)
    left = (y[:, 0] - x.sum(1)) % 1
    assert stats.kstest(left / 0.25, "uniform").pvalue > 1e-3 and stats.kstest(y[:, 0], "uniform").pvalue > 1e-3
    assert FOREIGN["folded-1-1-0.25"].truth_bits == 2
    x, y = drawn(FOREIGN["ring-0.3"], 5000)
    angle = [np.arctan2(side[:, 1], side[:, 0]) / (2 * np.pi) for side in (x, y)]
    assert stats.kstest(((angle[1] - angle[0]) % 1) / 0.3, "uniform").pvalue > 1e-3
    assert stats.kstest(angle[1] % 1, "uniform").pvalue > 1e-3
    x, y = drawn(FOREIGN["parity-2-0.02"], 20_000)
    assert np.mean(np.sign(x.prod(1)) != np.sign(y[:, 0])) == pytest.approx(0.02, abs=0.005)
    assert np.abs(np.corrcoef(np.hstack([np.sign(x), np.sign(y)]).T) - np.eye(3)).max() < 0.03


@pytest.mark.parametrize(("dim", "freedom", "rho"), [(2, 2, 0.3), (3, 1, 0.5), (4, 1.5, 0.4), (1, 1, 0.8)])
def test_correlated_student_truths(dim, freedom, rho):
    task = student(dim, freedom, rho)
    x, y = drawn(task, 40_000)
    shape = np.full((2 * dim, 2 * dim), rho) + (1 - rho) * np.eye(2 * dim)
    joint = stats.multivariate_t(shape=shape, df=freedom).logpdf(np.hstack([x, y]))
    side = stats.multivariate_t(shape=shape[:dim, :dim], df=freedom)
    agrees(joint - side.logpdf(x).ravel() - side.logpdf(y).ravel(), task.truth_bits)
