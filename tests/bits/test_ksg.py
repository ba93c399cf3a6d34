"""KSG: equal to plain loops on every path (sorted list, tree, bitmaps), with ties, in blocks; invariances; errors."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import digamma

from hartley.bits.known import TASKS
from hartley.bits.neighbors import bitmaps, grid, ksg, nearest
from hartley.errors import InputError


def far(a, b):
    return max(abs(float(p) - float(q)) for p, q in zip(a, b, strict=True))


def twin(x, y, k):
    """Kraskov et al. 2004, equation 8, by plain loops: (bits, k-th distances, counts in x, counts in y)."""
    n, total, radii, n_x, n_y = len(x), 0.0, [], [], []
    for i in range(n):
        in_x = [far(x[i], x[j]) for j in range(n) if j != i]
        in_y = [far(y[i], y[j]) for j in range(n) if j != i]
        radii.append(sorted(max(a, b) for a, b in zip(in_x, in_y, strict=True))[k - 1])
        n_x.append(sum(a < radii[-1] for a in in_x))
        n_y.append(sum(b < radii[-1] for b in in_y))
        total += digamma(n_x[-1] + 1) + digamma(n_y[-1] + 1)
    return (digamma(k) + digamma(n) - total / n) / np.log(2), radii, n_x, n_y


def drawn(n, dx, dy, seed=0):
    generator = np.random.default_rng(seed)
    x = generator.standard_normal((n, dx))
    y = generator.standard_normal((n, dy))
    y[:, 0] += x[:, 0]
    return x, y


SHAPES = [(1, 1), (1, 2), (2, 2), (3, 3), (5, 3), (5, 4), (1, 9), (12, 1), (9, 9)]


@pytest.mark.parametrize(("dx", "dy"), SHAPES)
@pytest.mark.parametrize("k", [1, 3, 7])
def test_equals_plain_loops(dx, dy, k):
    x, y = drawn(70, dx, dy)
    assert ksg.ksg_bits(x, y, neighbors=k) == pytest.approx(twin(x, y, k)[0], abs=1e-9)


@pytest.mark.parametrize(("dx", "dy"), SHAPES)
@pytest.mark.parametrize(
    "change",
    [
        lambda z: np.round(z, 1),
        np.round,
        lambda z: z + 1e8,
        lambda z: z**9,
        lambda z: np.round(z, 2) / 3 + 0.1,
        lambda z: np.concatenate([z[:35], z[:35]]),
    ],
    ids=["rounded", "integers", "far from 0", "heavy tails", "thirds", "every row twice"],
)
def test_equals_plain_loops_where_rounding_and_ties_bite(dx, dy, change, monkeypatch):
    x, y = (change(z) for z in drawn(70, dx, dy))
    expected = pytest.approx(twin(x, y, 3)[0], abs=1e-9)
    assert ksg.ksg_bits(x, y) == expected
    monkeypatch.setattr(ksg, "_TREE_DIMENSIONS", 0)
    assert ksg.ksg_bits(x, y) == expected
    monkeypatch.setattr(ksg, "GRID_ROWS", 0)
    assert ksg.ksg_bits(x, y) == expected


@pytest.mark.parametrize("d", [1, 2, 6])
@pytest.mark.parametrize("digits", [0, 1, 15])
def test_every_engine_gives_the_same_distances_and_counts(d, digits):
    x, y = (np.round(z, digits) for z in drawn(90, d, d, seed=1))
    _, radii, n_x, n_y = twin(x, y, 3)
    both = np.concatenate([x, y], axis=1)
    radius = np.array(radii)
    maps = bitmaps.Bitmaps(both)
    assert (nearest.tree_distances(both, 3) == radius).all()
    assert (maps.kth_distances(3) == radius).all()
    assert (maps.counts_within(radius, slice(0, d)) == n_x).all()
    assert (maps.counts_within(radius, slice(d, None)) == n_y).all()
    assert (nearest.tree_counts(x, radius) == n_x).all()
    on_grid = grid.grid_counts(x, y, 3)
    assert on_grid is not None and (on_grid[0] == n_x).all() and (on_grid[1] == n_y).all()
    if d == 1:
        assert (nearest.counts_on_line(x[:, 0], radius) == n_x).all()


def test_small_blocks_pairs_and_no_kept_columns_change_nothing(monkeypatch):
    x, y = (np.round(z, 1) for z in drawn(400, 6, 5, seed=2))
    monkeypatch.setattr(ksg, "GRID_ROWS", 0)
    whole = ksg.ksg_bits(x, y)
    monkeypatch.setattr(bitmaps, "_BLOCK_BYTES", 1)
    monkeypatch.setattr(bitmaps, "_KEPT_BYTES", 0)
    monkeypatch.setattr(bitmaps, "_PAIRS", 50)
    assert bitmaps.Bitmaps(x).columns is None and len(list(bitmaps.Bitmaps(x)._blocks())) == 4
    assert ksg.ksg_bits(x, y) == pytest.approx(whole, abs=1e-12)


def test_the_grid_gives_up_where_outliers_hide_the_spread(monkeypatch):
    x, y = drawn(300, 6, 6, seed=7)
    x[0, 0] = 1e12
    assert grid.grid_counts(x, y, 3) is None
    value = ksg.ksg_bits(x, y)
    monkeypatch.setattr(ksg, "GRID_ROWS", 0)
    assert value == ksg.ksg_bits(x, y)
    assert grid.grid_counts(np.ones((50, 6)), np.ones((50, 6)), 3) is None


def test_the_grid_measures_few_pairs(monkeypatch):
    measured = []
    monkeypatch.setattr(grid, "pair_distances", lambda c, row, other: measured.append(len(row)) or nearest.pair_distances(c, row, other))
    x, y = drawn(600, 10, 10, seed=8)
    _, n_y = grid.grid_counts(x, y, 3)
    assert sum(measured) < 5 * 600
    both = np.concatenate([x, y], axis=1)
    assert (n_y == nearest.tree_counts(y, nearest.tree_distances(both, 3))).all()


def test_the_paths_meet_where_one_takes_over_from_the_other(monkeypatch):
    x, y = drawn(700, 4, 4, seed=3)
    by_tree = ksg.ksg_bits(x, y)
    monkeypatch.setattr(ksg, "_TREE_DIMENSIONS", 0)
    on_grid = ksg.ksg_bits(x, y)
    monkeypatch.setattr(ksg, "GRID_ROWS", 0)
    by_bitmaps = ksg.ksg_bits(x, y)
    monkeypatch.setattr(ksg, "_TREE_DIMENSIONS", 99)
    monkeypatch.setattr(ksg, "_BITMAP_ROWS", 0)
    assert on_grid == pytest.approx(by_bitmaps, abs=1e-12)
    assert by_tree == pytest.approx(by_bitmaps, abs=1e-12) == pytest.approx(ksg.ksg_bits(x, y), abs=1e-12)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(1, 3), st.integers(1, 10), st.integers(6, 14), st.integers(0, 10**6))
def test_equals_plain_loops_on_small_grids(dx, dy, n, seed):
    generator = np.random.default_rng(seed)
    x, y = generator.integers(0, 5, (n, dx)) * 0.1, generator.integers(0, 5, (n, dy)) * 0.1
    assert ksg.ksg_bits(x, y, neighbors=2) == pytest.approx(twin(x, y, 2)[0], abs=1e-9)


@pytest.mark.parametrize(("dx", "dy"), [(1, 1), (2, 3), (8, 6)])
def test_invariances(dx, dy):
    x, y = drawn(300, dx, dy, seed=4)
    value = ksg.ksg_bits(x, y)
    order = np.random.default_rng(0).permutation(300)
    same = [
        ksg.ksg_bits(y, x),
        ksg.ksg_bits(x[order], y[order]),
        ksg.ksg_bits(-4 * x, 4 * y),
        ksg.ksg_bits(x[:, ::-1], y[:, ::-1]),
        ksg.ksg_bits(np.concatenate([x, x], axis=1), y),
    ]
    assert same == pytest.approx([value] * 5, abs=1e-12)
    assert abs(ksg.ksg_bits(x, y[order])) < 0.3 < value + 0.3


def test_known_answers():
    generator = np.random.default_rng(5)
    for name in ("1v1-normal-0.75", "multinormal-dense-2-2-0.5", "1v1-X-0.9"):
        x, y = TASKS[name].sample(4000, generator)
        assert ksg.ksg_bits(x, y) == pytest.approx(TASKS[name].truth_bits, abs=0.06)
    assert ksg.ksg_bits(*generator.standard_normal((2, 4000))) == pytest.approx(0, abs=0.05)


def test_a_line_of_values_is_a_column():
    x, y = drawn(50, 1, 1)
    assert ksg.ksg_bits(x[:, 0], y[:, 0].tolist()) == ksg.ksg_bits(x, y)


def test_identical_rows_are_no_error():
    assert ksg.ksg_bits(np.zeros((20, 5)), np.zeros((20, 6))) == pytest.approx(twin(np.zeros((20, 5)), np.zeros((20, 6)), 3)[0])


@pytest.mark.parametrize(
    ("x", "y", "k", "message"),
    [
        ([1.0, 2, 3, 4], [1.0, 2, 3], 1, "4 and 3 rows"),
        ([1.0, 2, np.nan, 4], [1.0, 2, 3, 4], 1, "x, row 2, column 0"),
        ([1.0, 2, 3, 4], [[1, 2], [3, 4], [5, np.inf], [7, 8]], 1, "y, row 2, column 1"),
        ([1.0, 2, 3], [1.0, 2, 3], 3, "takes 1 to 2"),
        ([1.0, 2, 3], [1.0, 2, 3], 0, "takes 1 to 2"),
        (np.zeros((2, 2, 2)), [1.0, 2], 1, "shape"),
        (np.zeros((3, 0)), [1.0, 2, 3], 1, "shape"),
        (["a", "b", "c"], [1.0, 2, 3], 1, "not an array of numbers"),
    ],
)
def test_errors_name_what_is_wrong(x, y, k, message):
    with pytest.raises(InputError, match=message):
        ksg.ksg_bits(x, y, neighbors=k)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["student-identity-5-5-2", "multinormal-dense-25-25-0.5", "25v1-concentric_gaussians-5"])
def test_large_samples_agree_with_a_tree(name):
    x, y = TASKS[name].sample(5000, np.random.default_rng(6))
    both = np.concatenate([x, y], axis=1)
    radius = nearest.tree_distances(both, 3)
    n_x, n_y = nearest.tree_counts(x, radius), nearest.tree_counts(y, radius)
    expected = (digamma(3) + digamma(5000) - (digamma(n_x + 1) + digamma(n_y + 1)).mean()) / np.log(2)
    assert ksg.ksg_bits(x, y) == pytest.approx(expected, abs=1e-9)
