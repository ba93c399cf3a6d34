"""Every benchmark task: its shape, that its map can be undone, and its truth by the mean likelihood ratio of its densities."""

import numpy as np
import pytest
from scipy import integrate, stats
from scipy.special import ndtr

from hartley.bits.known import FIRST_LIST, SECOND_LIST, TASKS, tasks
from hartley.bits.known.mixture import concentric_bits, inlier_bits

SPARSE = [f"multinormal-sparse-{d}-{d}-2-2.0" for d in (3, 5, 25)]
STUDENT = ["student-identity-1-1-1", *(f"student-identity-{d}-{d}-{f}" for d, f in ((2, 1), (2, 2), (3, 2), (3, 3), (5, 2), (5, 3)))]
DENSE = [f"multinormal-dense-{d}-{d}-0.5" for d in (2, 3, 5, 25, 50)]
PLAIN = ["1v1-normal-0.75", "multinormal-sparse-2-2-2-2.0", *SPARSE, *DENSE, *STUDENT, "1v1-additive-0.1", "1v1-additive-0.75"]


def drawn(name, n, seed=0):
    return TASKS[name].sample(n, np.random.default_rng(seed))


def mean_and_error(bits):
    return bits.mean(), bits.std() / np.sqrt(len(bits))


def test_the_lists_are_the_published_ones():
    mapped = [f"{m}-{name}" for m in ("normal_cdf", "half_cube", "spiral", "spiral-normal_cdf") for name in SPARSE]
    tamed = [f"asinh-{STUDENT[i]}" for i in (0, 1, 3, 5)]
    seen = "normal_cdf-1v1-normal-0.75", "wiggly-1v1-normal-0.75", "half_cube-1v1-normal-0.75", "1v1-bimodal-0.75"
    assert set(FIRST_LIST) == {*PLAIN, *mapped, *tamed, *seen, "swissroll_x-normal_cdf-1v1-normal-0.75"}
    assert (len(FIRST_LIST), len(SECOND_LIST)) == (40, 8)
    assert list(TASKS) == [*FIRST_LIST, *SECOND_LIST] and len(TASKS) == 48


@pytest.mark.parametrize("name", TASKS)
def test_shape_and_seed(name):
    task = TASKS[name]
    x, y = drawn(name, 300)
    again, other = drawn(name, 300), drawn(name, 300, seed=1)
    assert task.name == name
    assert x.shape == (300, task.dim_x) and y.shape == (300, task.dim_y)
    assert x.dtype == y.dtype == np.float64 and np.isfinite(x).all() and np.isfinite(y).all()
    assert (x == again[0]).all() and (y == again[1]).all() and (x != other[0]).any()
    assert len(np.unique(x, axis=0)) == len(np.unique(y, axis=0)) == 300
    assert 0.2 < task.truth_bits < 2.5


def turned_back(z, speed, plane):
    """The rotation matrix of each row's angle, transposed."""
    turned = z.copy()
    for i, row in enumerate(z):
        angle = speed * (row @ row)
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        turned[i, list(plane)] = turn @ row[list(plane)]
    return turned


def uncubed(z):
    return np.sign(z) * np.abs(z) ** (2 / 3)


@pytest.mark.parametrize("base", [*SPARSE, "1v1-normal-0.75"])
def test_half_cube_and_normal_cdf_are_undone(base):
    x, y = drawn(base, 200)
    for prefix, undo in (("half_cube", uncubed), ("normal_cdf", stats.norm.ppf)):
        seen = drawn(f"{prefix}-{base}", 200)
        np.testing.assert_allclose(undo(seen[0]), x, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(undo(seen[1]), y, rtol=1e-6, atol=1e-9)
        assert TASKS[f"{prefix}-{base}"].truth_bits == TASKS[base].truth_bits


@pytest.mark.parametrize("base", [*SPARSE, *(f"normal_cdf-{name}" for name in SPARSE)])
def test_spirals_turn_back(base):
    x, y = drawn(base, 200)
    d = x.shape[1]
    seen = drawn(f"spiral-{base}", 200)
    assert np.abs(seen[0] - x).max() > 0.1
    np.testing.assert_allclose(turned_back(seen[0], 1 / d, (0, 1)), x, atol=1e-9)
    np.testing.assert_allclose(turned_back(seen[1], 1 / d, (1, 2)), y, atol=1e-9)
    assert TASKS[f"spiral-{base}"].truth_bits == TASKS[base].truth_bits


@pytest.mark.parametrize("base", [STUDENT[i] for i in (0, 1, 3, 5)])
def test_asinh_is_undone(base):
    x, y = drawn(base, 200)
    seen = drawn(f"asinh-{base}", 200)
    np.testing.assert_allclose(np.sinh(seen[0]), x, rtol=1e-9)
    np.testing.assert_allclose(np.sinh(seen[1]), y, rtol=1e-9)
    assert TASKS[f"asinh-{base}"].truth_bits == TASKS[base].truth_bits


def test_one_dimensional_maps_keep_the_order_and_the_law():
    x, y = drawn("1v1-normal-0.75", 500)
    for name in ("wiggly-1v1-normal-0.75", "1v1-bimodal-0.75"):
        seen = drawn(name, 500)
        assert (np.argsort(seen[0][:, 0]) == np.argsort(x[:, 0])).all()
        assert (np.argsort(seen[1][:, 0]) == np.argsort(y[:, 0])).all()
        assert TASKS[name].truth_bits == TASKS["1v1-normal-0.75"].truth_bits
    seen = drawn("1v1-bimodal-0.75", 500)
    np.testing.assert_allclose(0.3 * ndtr(seen[0]) + 0.7 * ndtr(seen[0] - 5), ndtr(x), rtol=1e-9)
    np.testing.assert_allclose(0.5 * ndtr(seen[1] + 1) + 0.5 * ndtr(seen[1] - 3), ndtr(y), rtol=1e-9)


def test_the_roll_unrolls():
    u, _ = drawn("normal_cdf-1v1-normal-0.75", 500)
    roll, _ = drawn("swissroll_x-normal_cdf-1v1-normal-0.75", 500)
    turn = 21 * np.linalg.norm(roll, axis=1)
    np.testing.assert_allclose((turn / (1.5 * np.pi) - 1) / 2, u[:, 0], atol=1e-12)
    np.testing.assert_allclose(np.cos(turn) * turn / 21, roll[:, 0], atol=1e-12)


def ratio_bits(x, y, joint, of_x, of_y):
    return (joint.logpdf(np.concatenate([x, y], axis=1)) - of_x.logpdf(x) - of_y.logpdf(y)) / np.log(2)


def gaussian(name):
    """The covariance from the task's description, written out cell by cell."""
    task = TASKS[name]
    d, total = task.dim_x, task.dim_x + task.dim_y
    covariance = np.eye(total)
    for i in range(total):
        for j in range(total):
            if i != j and ("dense" in name or "1v1" in name):
                covariance[i, j] = 0.75 if "1v1" in name else 0.5
            elif "sparse" in name and abs(i - j) == d and min(i, j) < 2:
                covariance[i, j] = 2.0**2 / (1 + 2.0**2)
    return covariance, d


@pytest.mark.parametrize("name", [n for n in PLAIN if "normal" in n])
def test_gaussian_truths(name):
    covariance, d = gaussian(name)
    x, y = drawn(name, 20_000)
    np.testing.assert_allclose(np.cov(np.concatenate([x, y], axis=1).T), covariance, atol=0.06)
    laws = (stats.multivariate_normal(cov=c) for c in (covariance, covariance[:d, :d], covariance[d:, d:]))
    value, error = mean_and_error(ratio_bits(x, y, *laws))
    assert abs(value - TASKS[name].truth_bits) < 4 * error < 0.08
    eigenvalues = [np.log2(np.linalg.eigvalsh(c)).sum() / 2 for c in (covariance[:d, :d], covariance[d:, d:], covariance)]
    assert TASKS[name].truth_bits == pytest.approx(eigenvalues[0] + eigenvalues[1] - eigenvalues[2], abs=1e-9)


@pytest.mark.parametrize("name", STUDENT)
def test_student_truths(name):
    d, freedom = (int(part) for part in name.split("-")[-2:])
    x, y = drawn(name, 60_000)
    laws = (stats.multivariate_t(shape=np.eye(k), df=freedom) for k in (2 * d, d, d))
    value, error = mean_and_error(ratio_bits(x, y, *laws))
    assert abs(value - TASKS[name].truth_bits) < 4 * error < 0.05


def test_student_marginal_law():
    x, _ = drawn("student-identity-3-3-2", 20_000)
    assert stats.kstest(x[:, 1], stats.t(2).cdf).pvalue > 0.001
    assert stats.kstest((x**2).sum(1) / 3, stats.f(3, 2).cdf).pvalue > 0.001


@pytest.mark.parametrize("epsilon", [0.1, 0.5, 0.75])
def test_additive_truths(epsilon):
    def density(y):
        return max(0.0, min(1, y + epsilon) - max(0, y - epsilon)) / (2 * epsilon)

    def surprise(y):
        return -density(y) * np.log2(density(y)) if density(y) > 0 else 0.0

    corners = [-epsilon, epsilon, 1 - epsilon, 1 + epsilon]
    entropy = integrate.quad(surprise, -epsilon, 1 + epsilon, points=corners, epsabs=1e-10, limit=200)[0]
    assert tasks.AdditiveUniform(epsilon).truth_bits == pytest.approx(entropy - np.log2(2 * epsilon), abs=1e-7)
    x, y = tasks.AdditiveUniform(epsilon).sample(5000, np.random.default_rng(0))
    assert stats.kstest(x[:, 0], stats.uniform.cdf).pvalue > 0.001
    assert stats.kstest((y - x)[:, 0], stats.uniform(-epsilon, 2 * epsilon).cdf).pvalue > 0.001


def before_maps(name, n):
    """A sample of a mixture task with its map undone."""
    x, y = drawn(name, n)
    if "waves" in name:
        second = x[:, 1] / 0.5
        return np.stack([(x[:, 0] + 0.8) / 0.1 - 5 * np.sin(3 * second), second], axis=1), y
    return (turned_back(x, 0.5, (0, 1)) if "galaxy" in name else x), y


def strokes(name):
    """(weight, mean, covariance, dim_x) of each component, from the published description."""
    if "-X-" in name:
        return [(0.5, [0, 0], [[1, r], [r, 1]], 1) for r in (0.9, -0.9)]
    if "AI" in name:
        tilt = 0.95 * np.sqrt(0.04 * 0.2)
        bars = [([1, 0], 0.01, 0, 0.2), ([1, 1], 0.05, 0, 0.001), ([1, -1], 0.05, 0, 0.001), ([-0.8, -0.2], 0.03, 0, 0.001)]
        bars += [([-1.2, 0], 0.04, tilt, 0.2), ([-0.4, 0], 0.04, -tilt, 0.2)]
        return [(1 / 6, mean, [[a, b], [b, c]], 1) for mean, a, b, c in bars]
    if "waves" in name:
        return [(1 / 12, [1.5 * i, 0, 1.5 * (i % 4)], np.diag([0.1, 1, 0.1]), 2) for i in range(12)]
    if "galaxy" in name:
        return [(0.5, [s * 1.5] * 3, np.eye(3), 2) for s in (-1, 1)]
    if "concentric" in name:
        d = int(name.split("v")[0])
        return [(0.2, [0] * d + [i], np.diag([i**2] * d + [0.0001]), d) for i in range(1, 6)]
    d = int(name.split("-")[4])
    covariance, _ = gaussian(f"multinormal-sparse-{d}-{d}-2-2.0")
    return [(0.8, np.zeros(2 * d), covariance, d), (0.2, np.zeros(2 * d), np.eye(2 * d), d)]


@pytest.mark.parametrize("name", SECOND_LIST)
def test_mixture_truths(name):
    x, y = before_maps(name, 20_000)
    parts = strokes(name)
    d = parts[0][3]
    logs = []
    for rows, cut in ((np.concatenate([x, y], axis=1), slice(None)), (x, slice(None, d)), (y, slice(d, None))):
        density = [
            np.log(w) + stats.multivariate_normal(np.asarray(mean)[cut], np.asarray(cov)[cut, cut]).logpdf(rows)
            for w, mean, cov, _ in parts
        ]
        logs.append(np.logaddexp.reduce(density, axis=0))
    value, error = mean_and_error((logs[0] - logs[1] - logs[2]) / np.log(2))
    assert abs(value - TASKS[name].truth_bits) < 4 * error < 0.06
    np.testing.assert_allclose(x.mean(0), sum(w * np.asarray(mean)[:d] for w, mean, *_ in parts), atol=0.15)


def test_written_truths_are_what_the_quadrature_gives():
    assert tasks.cross_mixture().quadrature_bits(401) == pytest.approx(tasks.X_BITS, abs=1e-10)
    assert tasks.galaxy_section().quadrature_bits(201) == pytest.approx(tasks.GALAXY_BITS, abs=1e-10)
    assert tasks.waves_section().quadrature_bits(61) == pytest.approx(tasks.WAVES_BITS, abs=1e-6)
    assert concentric_bits(3, 5) == pytest.approx(tasks.CONCENTRIC_3_BITS, abs=1e-10)
    assert concentric_bits(25, 5) == pytest.approx(tasks.CONCENTRIC_25_BITS, abs=1e-10)
    assert inlier_bits(0.8, 0.2) == pytest.approx(tasks.INLIER_BITS, abs=1e-10)
    assert inlier_bits(0.8, 1e-12, 801) == pytest.approx(TASKS[SPARSE[0]].truth_bits, abs=1e-6)


@pytest.mark.slow
def test_written_truths_of_fine_mixtures():
    assert tasks.letters_mixture().quadrature_bits(1201) == pytest.approx(tasks.AI_BITS, abs=1e-9)
    assert tasks.waves_section().quadrature_bits(201) == pytest.approx(tasks.WAVES_BITS, abs=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("name", SECOND_LIST)
def test_mixture_truths_by_their_own_monte_carlo(name):
    laws = [tasks.cross_mixture(), tasks.letters_mixture(), tasks.waves_mixture(), tasks.galaxy_mixture()]
    laws += [tasks.concentric_mixture(3), tasks.concentric_mixture(25), tasks.inlier_mixture(5), tasks.inlier_mixture(25)]
    value, error = dict(zip(SECOND_LIST, laws, strict=True))[name].monte_carlo_bits(200_000, np.random.default_rng(1))
    assert abs(value - TASKS[name].truth_bits) < 4 * error < 0.02
