"""Cells: the nearest center by loops, data processing, and clusters found without being told how many."""

import numpy as np
import pytest

from hartley.bits.counts import jackknife_bits
from hartley.bits.known import GaussianPair, binary_symmetric, same_class_pairing
from hartley.bits.portfolio.critic import held_out
from hartley.bits.portfolio.features import Coordinates, Coupled
from hartley.bits.portfolio.quantized import Cells, clustered, low_bits
from hartley.bits.tables import binary_entropy_bits


def clusters(size, columns, per_class, seed, spread=0.15):
    """A pool like an embedding's: `size` classes far apart on the sphere, turned by a map that no column is free of."""
    generator = np.random.default_rng(seed)
    centers = generator.standard_normal((size, columns))
    centers /= np.linalg.norm(centers, axis=1, keepdims=True)
    label = np.repeat(np.arange(size), per_class)
    return centers[label] + spread * generator.standard_normal((len(label), columns)) / np.sqrt(columns), label


def halves(x, y):
    half = len(x) // 2
    coupled = Coupled.of(x[:half], y[:half])
    return coupled, coupled(x[:half], y[:half]), coupled(x[half:], y[half:])


def paired(size, flip, n, seed=0, columns=12):
    first, second = clusters(size, columns, 200, seed), clusters(size, columns + 3, 200, seed + 1)
    task = same_class_pairing(*first, *second, flip)
    return task, *task.sample(n, np.random.default_rng(seed + 2))


def test_cells_and_table_by_loops():
    generator = np.random.default_rng(0)
    cells = Cells(
        np.array([1.0, 0.5]), generator.standard_normal((3, 2)), generator.standard_normal((4, 2)), np.ones((3, 4), dtype=np.int64)
    )
    x, y = generator.standard_normal((50, 2)), generator.standard_normal((50, 2))
    table = np.zeros((3, 4), dtype=int)
    for a, b in zip(x, y, strict=True):
        near_x = min(range(3), key=lambda k: np.sum((a * cells.weight - cells.centers_x[k]) ** 2))
        near_y = min(range(4), key=lambda k: np.sum((b * cells.weight - cells.centers_y[k]) ** 2))
        table[near_x, near_y] += 1
    np.testing.assert_array_equal(cells.table(x, y), table)


def test_the_score_of_a_cell_is_its_joint_law_over_its_margins():
    counts = (binary_symmetric(0.1).matrix * 50_000).astype(np.int64)
    cells = Cells(np.ones(1), np.array([[-1.0], [1.0]]), np.array([[-1.0], [1.0]]), counts)
    score = cells.log_ratio(np.array([[-2.0], [3.0]]), np.array([[-2.0], [3.0]]), True)
    np.testing.assert_allclose(score, np.log([[1.8, 0.2], [0.2, 1.8]]), atol=1e-3)


@pytest.mark.parametrize(("size", "flip"), [(2, 0.0), (2, 0.11), (4, 0.05), (8, 0.2), (8, 0.0)])
def test_clusters_are_found_and_counted(size, flip):
    task, x, y = paired(size, flip, 4000)
    coupled, learned, left = halves(x, y)
    cells = clustered(learned.x, learned.y, coupled.rho)
    counts = cells.table(left.x, left.y)
    assert jackknife_bits(counts, None) == pytest.approx(task.truth_bits, abs=0.08)
    assert low_bits(counts) <= task.truth_bits
    assert task.truth_bits == pytest.approx(np.log2(size) * (1 - binary_entropy_bits(flip)))
    bound = held_out(cells.log_ratio, left.x, left.y)
    assert task.truth_bits - 0.25 < bound.bits < task.truth_bits + 4 * bound.error_bits


def test_cells_of_clusters_leave_nothing_over():
    left_over = 0
    for seed in range(8):
        _, x, y = paired(4, 0.05, 2000, 10 * seed)
        coupled, learned, left = halves(x, y)
        left_over += not clustered(learned.x, learned.y, coupled.rho).exhaust(left)
    assert left_over <= 1


def test_cells_never_carry_more_than_there_is():
    """Data processing: rounding a Gaussian pair loses bits, and four coarse cells know that something is left inside them."""
    centers = np.array([[-1.2], [-0.4], [0.4], [1.2]])
    coarse = Cells(np.ones(1), centers, centers, np.ones((4, 4), dtype=np.int64))
    for seed in range(4):
        x, y = GaussianPair(0.9).sample(4000, np.random.default_rng(seed))
        coupled, learned, left = halves(x[:, None], y[:, None])
        cells = clustered(learned.x, learned.y, coupled.rho)
        assert jackknife_bits(cells.table(left.x, left.y), None) < GaussianPair(0.9).truth_bits
        assert not coarse.exhaust(left)


def test_shuffled_rows_carry_nothing():
    _, x, y = paired(4, 0.05, 2000)
    y = y[np.random.default_rng(5).permutation(len(y))]
    coupled, learned, left = halves(x, y)
    cells = clustered(learned.x, learned.y, coupled.rho)
    assert abs(jackknife_bits(cells.table(left.x, left.y), None)) < 0.02
    assert low_bits(cells.table(left.x, left.y)) == 0


def test_names_of_cells_do_not_matter():
    _, x, y = paired(4, 0.05, 1000)
    coupled, learned, left = halves(x, y)
    cells = clustered(learned.x, learned.y, coupled.rho)
    order = np.random.default_rng(6).permutation(len(cells.centers_x))
    renamed = Cells(cells.weight, cells.centers_x[order], cells.centers_y, cells.counts[order])
    assert jackknife_bits(renamed.table(left.x, left.y), None) == pytest.approx(jackknife_bits(cells.table(left.x, left.y), None), abs=1e-9)
    np.testing.assert_allclose(renamed.log_ratio(left.x, left.y), cells.log_ratio(left.x, left.y))


def test_residuals_are_taken_within_cells():
    generator = np.random.default_rng(7)
    shared = generator.standard_normal((1000, 1))
    side = np.sign(generator.standard_normal((1000, 1))) * 5
    cells = Cells(np.ones(1), np.array([[-5.0], [5.0]]), np.array([[-5.0], [5.0]]), np.eye(2, dtype=np.int64))

    def at(x, y):
        return Coordinates(x, y, x, y)

    apart = side + generator.standard_normal((1000, 1))
    assert cells.exhaust(at(side + shared, apart))
    assert not cells.exhaust(at(side + shared, side + shared + generator.standard_normal((1000, 1))))
