"""The Gaussianity check: level on Gaussian rows, power against what it is for, and its statistics against slow twins."""

import numpy as np
import pytest
from scipy import stats

from hartley.bits.embeddings import gaussianity as module
from hartley.bits.embeddings.gaussianity import gaussianity


def residuals_of(z, label):
    order = np.argsort(label, kind="stable")
    return module._recursive(z[order], label[order])


def slow_recursive(z, label):
    """Each row less the mean of the earlier rows of its label, scaled to the deviation of a row."""
    rows, owners = [], []
    for k in range(label.max() + 1):
        own = z[label == k]
        for j in range(1, len(own)):
            rows.append((own[j] - own[:j].mean(0)) * np.sqrt(j / (j + 1)))
            owners.append(k)
    return np.array(rows), np.array(owners)


def test_recursive_residuals_equal_their_slow_twin_and_keep_the_scatter():
    generator = np.random.default_rng(0)
    label = generator.permutation(np.repeat([0, 1, 2], [5, 1, 9]))
    z = generator.standard_normal((15, 4)) + 5 * label[:, None]
    rows, owners, means = residuals_of(z, label)
    expected, expected_owners = slow_recursive(z, label)
    assert np.allclose(rows, expected) and (owners == expected_owners).all()
    within = sum((z[label == k] - z[label == k].mean(0)).T @ (z[label == k] - z[label == k].mean(0)) for k in range(3))
    assert np.allclose(rows.T @ rows, within)
    assert np.allclose(means, [z[label == k].mean(0) for k in range(3)])


def test_the_shape_statistic_equals_a_loop_over_pairs():
    generator = np.random.default_rng(1)
    n, d = 40, 3
    raw = generator.standard_normal((n, d))
    white = np.linalg.solve(np.linalg.cholesky(raw.T @ raw / n), raw.T).T
    owner, radii = np.arange(n) % 2, (white**2).sum(1)
    products = (white @ white.T) ** 2
    rows = products.sum(1) - np.diag(products)
    whole = rows.sum() / ((n - 1) * (n - 2))
    everything, same, pairs = 0.0, 0.0, 0
    for i in range(n):
        for j in range(i):
            value = products[i, j] - (rows[i] + rows[j]) / (n - 2) + whole
            everything += value
            if owner[i] == owner[j]:
                same, pairs = same + value, pairs + 1
    assert everything == pytest.approx(0, abs=1e-9)
    variance = pairs * (1 - 2 * pairs / (n * (n - 1))) * 2 * d * (d + 1) * (1 - d / n) ** 2
    score = module._score(same / np.sqrt(variance), np.sqrt(8 / (d * (d + 1) / 2)))
    assert module._shape_p(white, radii, owner) == pytest.approx(stats.norm.sf(score), rel=1e-9)


def test_the_scale_test_is_that_of_scipy():
    generator = np.random.default_rng(2)
    radii, owner = generator.exponential(size=50), np.arange(50) % 3
    assert module._scale_p(radii, owner) == pytest.approx(stats.kruskal(*[radii[owner == k] for k in range(3)]).pvalue, rel=1e-9)


def test_the_anderson_darling_statistic_has_its_published_level():
    generator = np.random.default_rng(3)
    p = np.array([module._distribution_p(generator.standard_normal((200, 1))) for _ in range(3000)])
    assert np.mean(p < 0.01) == pytest.approx(0.01, abs=0.005)


@pytest.mark.parametrize(("n", "dimensions"), [(60, 1), (300, 5), (300, 100)])
def test_the_kurtosis_score_is_standard_normal(n, dimensions):
    generator = np.random.default_rng(4)
    scores = []
    for _ in range(600):
        raw = generator.standard_normal((n, dimensions))
        white = np.linalg.solve(np.linalg.cholesky(raw.T @ raw / n), raw.T)
        scores.append(float(module._kurtosis_score(float(((white**2).sum(0) ** 2).mean()), n, dimensions)))
    assert abs(np.mean(scores)) < 0.2 and abs(np.std(scores) - 1) < 0.12


def rejected(n, dimensions, labels, repeats, seed=5):
    generator = np.random.default_rng(seed)
    count = 0
    for i in range(repeats):
        label = generator.permutation(np.arange(n) % labels)
        z = (generator.standard_normal((n, dimensions)) + 2 * generator.standard_normal((labels, dimensions))[label]) * 3
        count += bool(gaussianity(z, label, seed=i).why)
    return count


@pytest.mark.parametrize(("n", "dimensions", "labels"), [(500, 2, 10), (200, 1, 2), (500, 64, 4)])
def test_gaussian_rows_pass(n, dimensions, labels):
    assert rejected(n, dimensions, labels, 300) <= 9


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n", "dimensions", "labels", "repeats"),
    [
        (500, 2, 2, 3000),
        (500, 2, 10, 3000),
        (1000, 20, 4, 1500),
        (500, 128, 10, 600),
        (10000, 2, 10, 600),
        (10000, 64, 10, 100),
        (2000, 512, 10, 100),
    ],
)
def test_the_level_is_one_percent(n, dimensions, labels, repeats):
    assert rejected(n, dimensions, labels, repeats) <= stats.binom.ppf(0.999, repeats, 0.0125)


def test_the_answer_does_not_depend_on_means_or_linear_maps():
    generator = np.random.default_rng(6)
    label = np.arange(300) % 3
    z = generator.standard_normal((300, 6))
    before = gaussianity(z, label)
    mixing = generator.standard_normal((6, 6))
    after = gaussianity(z @ mixing + 10 * generator.standard_normal((3, 6))[label], label)
    for name in ("radius", "scale", "shape"):
        assert after.p[name] == pytest.approx(before.p[name], abs=1e-6)


def noise(kind, n, d, label, generator):
    e = generator.standard_normal((n, d))
    labels = label.max() + 1
    if kind == "student":
        return e / np.sqrt(generator.chisquare(4, (n, 1)) / 4)
    if kind == "norm":
        return e / np.linalg.norm(e, axis=1, keepdims=True) * np.sqrt(d)
    if kind == "scale":
        return e * (1 + 0.3 * (label[:, None] % 2))
    if kind == "shape":
        return e * np.where((np.arange(d) + label[:, None]) % labels == 0, 2.0, 1.0)
    if kind == "clusters":
        return 0.4 * e + generator.standard_normal((labels * 4, d))[label * 4 + generator.integers(0, 4, n)]
    if kind == "one column":
        e[:, -1] = 0.3 * e[:, -1] + generator.choice([-1, 1], n)
        return e
    if kind == "discrete":
        return np.round(e)
    return np.exp(e / 2)


@pytest.mark.parametrize(
    ("kind", "dimensions"),
    [
        ("student", 1),
        ("student", 128),
        ("norm", 3),
        ("norm", 128),
        ("scale", 1),
        ("scale", 128),
        ("shape", 8),
        ("shape", 64),
        ("clusters", 2),
        ("clusters", 64),
        ("one column", 64),
        ("discrete", 1),
        ("discrete", 4),
        ("skewed", 1),
        ("skewed", 64),
    ],
)
def test_what_is_not_gaussian_is_caught(kind, dimensions):
    generator = np.random.default_rng(7)
    label = np.arange(2000) % 8
    caught = sum(bool(gaussianity(noise(kind, 2000, dimensions, label, generator) + label[:, None], label, seed=s).why) for s in range(4))
    assert caught == 4


def test_the_reason_is_in_plain_words():
    generator = np.random.default_rng(8)
    label = np.arange(1000) % 4
    check = gaussianity(noise("student", 1000, 16, label, generator), label)
    assert "heavy tails" in check.why and check.p["radius"] < 1e-6
    assert not gaussianity(generator.standard_normal((1000, 16)), label).why


def test_a_singular_covariance_is_an_error():
    z = np.random.default_rng(9).standard_normal((100, 3))
    with pytest.raises(np.linalg.LinAlgError):
        gaussianity(np.hstack([z, np.zeros((100, 1))]), np.arange(100) % 2)
