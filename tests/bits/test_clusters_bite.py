"""Clusters and their design effects by hand: small tables whose jackknife, effects, limits and refusals can be written down."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from hartley.bits.clustered import (
    ONE,
    Trials,
    clusters_of,
    conditional_point_bits,
    cube_of,
    deleted_bits,
    information_point_bits,
    jackknifed_bits,
    one_cluster,
    one_row_of_each,
    too_few_clusters,
    trials_of,
)
from hartley.bits.counted.permutation import Null, clustered_independence, independence
from hartley.bits.counts import information
from hartley.bits.design import Design, design_effect, share_limits, strata_design, student, table_design
from hartley.bits.limits import Z, proportion_limits
from hartley.bits.tables import cross_tabulate, information_of_law, joint_law
from hartley.bits.value import Bits
from hartley.errors import InputError


def test_clusters_are_numbered_and_where_each_row_is_its_own_there_are_none():
    assert clusters_of(None, 3) is None and clusters_of(["a", "b", "c"], 3) is None
    found = clusters_of(["z", "a", "z", "m"], 4)
    assert found.tolist() == [2, 0, 2, 1] and found.dtype == np.int64
    for shape in ([0, 1], [[0, 0, 1]]):
        with pytest.raises(InputError) as caught:
            clusters_of(shape, 3)
        assert str(caught.value) == f"column cluster: shape {np.shape(shape)}, takes (3,), one cluster a row"


def test_one_cluster_is_not_measured():
    assert one_cluster("utility_bits", 7) == Bits(None, None, None, 7, "none", "utility_bits", False, ONE, {}, 1)


def test_of_each_cluster_the_first_row_with_the_label_that_was_taken_least():
    assert one_row_of_each(np.array([0, 0, 1, 1, 2]), np.array([0, 1, 0, 1, 0])).tolist() == [0, 3, 4]
    rows = one_row_of_each(np.array([2, 0, 2, 1]), np.array([0, 1, 1, 0]))
    assert rows.tolist() == [1, 3, 0] and rows.dtype == np.int64, "clusters in their order, rows in theirs"
    assert one_row_of_each(np.array([0, 0, 1, 1, 2, 2]), np.array([5, 6, 5, 6, 5, 6])).tolist() == [0, 3, 4]
    assert one_row_of_each(np.array([0, 1, 2, 3, 3]), np.array([0, 0, 1, 0, 1])).tolist() == [0, 1, 2, 4]


X, Y, G = np.array([0, 1, 1, 0, 2, 2, 0, 1]), np.array([0, 1, 0, 0, 1, 1, 1, 1]), np.array([0, 0, 1, 1, 1, 2, 2, 2])


def test_trials_are_a_table_and_where_there_are_clusters_their_columns():
    bare = trials_of(np.eye(3, dtype=int), None)
    assert bare.counts.tolist() == np.eye(3).tolist() and bare.unit is None and not bare.alone and len(bare.x) == len(bare.y) == 0
    with pytest.raises(InputError) as caught:
        trials_of(np.eye(3, dtype=int), None, cluster=G)
    words = "cluster: takes symbols x and y of each trial; a table of counts does not say which trials are of one cluster"
    assert str(caught.value) == words
    plain = trials_of(X, Y, inputs=4, outcomes=3, cluster=np.arange(8))
    assert plain.unit is None and plain.counts.shape == (4, 3) and len(plain.x) == len(plain.y) == 0
    assert trials_of([0, 0, 2], [0, 1, 1], inputs=4, outcomes=2).of_used_inputs().counts.tolist() == [[1, 1], [0, 1]]
    found = trials_of(X, Y, inputs=4, outcomes=3, cluster=G)
    assert found.counts.tolist() == [[2, 1, 0], [1, 2, 0], [0, 2, 0], [0, 0, 0]]
    assert (found.x.tolist(), found.y.tolist(), found.unit.tolist()) == (X.tolist(), Y.tolist(), G.tolist())
    assert found.cube().tolist()[0] == [[1, 0, 0], [0, 1, 0], [0, 0, 0], [0, 0, 0]] and found.cube().shape == (3, 4, 3)
    assert trials_of(X, Y, cluster=np.zeros(8)).alone and not found.alone
    used = trials_of(X + (X > 0), Y, inputs=5, outcomes=3, cluster=G).of_used_inputs()
    assert used.counts.tolist() == found.counts.tolist()[:3] and used.x.tolist() == X.tolist()
    assert trials_of(X + (X > 0), Y).of_used_inputs().counts.shape == (3, 2)


def test_the_null_of_trials_is_that_of_rows_or_of_whole_clusters():
    found = trials_of(X, Y, cluster=G)
    assert found.null(49, 3) == clustered_independence(X, Y, G, permutations=49, seed=3) != found.null(49, 4)
    assert Trials(found.counts, X, Y).null(49, 3) == independence(found.counts, permutations=49, seed=3)
    assert found.null(999, 3).p != found.null(499, 3).p


def test_a_cube_holds_each_cluster_s_table_and_groups_of_very_many():
    cube = cube_of(X, Y, G, clusters=4, inputs=3, outcomes=2)
    assert cube.shape == (4, 3, 2) and cube.dtype == np.int64
    for one in range(4):
        own = np.flatnonzero(np.equal(G, one))
        assert cube[one].tolist() == (cross_tabulate(X[own], Y[own], inputs=3, outcomes=2).tolist() if one < 3 else [[0, 0]] * 3)
    many = cube_of(np.zeros(2500, int), np.ones(2500, int), np.arange(2500), clusters=2500, inputs=1, outcomes=2)
    assert many.shape == (1000, 1, 2) and many[:, 0, 1].tolist() == [3] * 500 + [2] * 500


def test_the_jackknife_by_hand():
    assert jackknifed_bits(1.0, np.array([0.5, 0.25]), np.array([1.0, 3.0])) == 2 - (0.75 * 0.5 + 0.25 * 0.25)
    assert jackknifed_bits(0.7, np.full(4, 0.7), np.array([1.0, 2, 3, 4])) == pytest.approx(4 * 0.7 - 3 * 0.7)


def plug_in(table, prior=None):
    return information_of_law(joint_law(table, prior))


@pytest.mark.parametrize("prior", [None, np.array([0.5, 0.3, 0.2])])
def test_what_is_left_without_each_cluster(prior):
    cube = cube_of(X, Y, G, clusters=3, inputs=3, outcomes=2)
    cube[0, 2, 0] += 1
    slow = []
    for one in range(3):
        left = cube.sum(0) - cube[one]
        kept = np.where(left.sum(1, keepdims=True) > 0, left, cube.sum(0))
        slow.append(plug_in(left if prior is None else kept, prior))
    assert deleted_bits(cube, prior) == pytest.approx(slow, abs=1e-12)
    sizes = cube.sum((1, 2))
    assert information_point_bits(cube, prior) == pytest.approx(
        jackknifed_bits(plug_in(cube.sum(0), prior), np.array(slow), sizes), abs=1e-12
    )


def test_an_input_of_one_cluster_keeps_its_row_and_one_that_never_came_has_none():
    only = np.array([[[3, 1], [0, 0]], [[0, 0], [1, 4]]])
    prior = np.array([0.5, 0.5])
    assert deleted_bits(only, prior) == pytest.approx([plug_in(only.sum(0), prior)] * 2, abs=1e-12)
    assert deleted_bits(only, None).tolist() == [0.0, 0.0], "one input alone says nothing"
    never = np.array([[[3, 1], [0, 0], [1, 0]], [[1, 2], [0, 0], [1, 4]]])
    assert deleted_bits(never, np.array([0.4, 0.3, 0.3])) == pytest.approx(deleted_bits(never, None), abs=1e-12)
    impossible = np.array([0.4, 0.0, 0.6])
    left = [plug_in(never.sum(0) - never[one], impossible) for one in range(2)]
    assert deleted_bits(never, impossible) == pytest.approx(left, abs=1e-12)
    assert deleted_bits(only[:1], None).tolist() == [0.0]


def test_given_a_third_symbol_each_value_has_its_own_table():
    other = np.array([[[3, 0, 1], [0, 2, 0]], [[1, 0, 0], [0, 0, 1]], [[0, 5, 0], [1, 0, 4]]])
    cubes = [cube_of(X, Y, G, clusters=3, inputs=3, outcomes=2), other]
    sizes = np.stack([cube.sum((1, 2)) for cube in cubes])
    whole = sum(cube.sum() * plug_in(cube.sum(0)) for cube in cubes) / sizes.sum()
    left = []
    for one in range(3):
        tables = [cube.sum(0) - cube[one] for cube in cubes]
        left.append(sum(table.sum() * plug_in(table) for table in tables) / sum(table.sum() for table in tables))
    assert conditional_point_bits(cubes) == pytest.approx(jackknifed_bits(whole, np.array(left), sizes.sum(0)), abs=1e-12)


def test_floors_are_counted_in_effective_trials():
    cube = np.tile(np.array([[[5, 5], [5, 5], [1, 0]]]), (4, 1, 1))
    cube[1:, 2] = 0
    counted = np.array([True, True, False])
    assert too_few_clusters(cube[:, :2], counted[:2], Design(4, 1.0)) == ""
    assert too_few_clusters(cube, counted, Design(4, 1.0)) == "", "an input that does not count may be rare"
    assert too_few_clusters(cube[:, :2], counted[:2], Design(4, 4.0)) == "", "10 effective trials of each input are enough"
    rare = "too few trials for a point: an input has 9, needs 10; the interval holds (trials divided by the design effect, 4.1)"
    assert too_few_clusters(cube[:, :2], counted[:2], Design(4, 4.1)) == rare
    alone = "too few clusters for a point: an input has only one, needs 2; the interval holds"
    assert too_few_clusters(cube, np.array([True, True, True]), Design(4, 1.0)) == alone
    assert too_few_clusters(cube[:2, :2], counted[:2], Design(2, 1.0)) == "", "two clusters with an input are enough"
    thin = np.tile(np.array([[[1, 0, 0], [1, 0, 0]]]), (10, 1, 1))
    assert too_few_clusters(thin, np.array([True, True]), Design(10, 1.0)) == "", "a trial in each cluster counts, an empty cell does not"
    each = np.zeros((12, 2, 12), int)
    each[np.arange(12), :, np.arange(12)] = 1
    assert too_few_clusters(each, np.array([True, True]), Design(12, 1.0)).startswith(
        "too few trials for a point: 24 over 24 occupied cells"
    )
    wide = np.full((4, 2, 12), 1)
    words = (
        "too few trials for a point: 95 over 24 occupied cells, needs 120; the interval holds (trials divided by the design effect, 1.0)"
    )
    assert too_few_clusters(wide, np.array([True, True]), Design(4, 1.01)) == words


# design effects


def test_a_design_says_its_spread_and_marks_a_number():
    assert student(2) == pytest.approx(12.7062, abs=1e-4) and student(11) == pytest.approx(2.22814, abs=1e-5)
    design = Design(11, 3.0000004)
    assert design.spread == pytest.approx(3.0000004 * (2.228138852 / Z) ** 2) and design.stated == (11, 3.0)
    assert design.marked(Bits(1.0, 0.5, 1.5, 9, "x", "utility_bits", True)) == Bits(
        1.0, 0.5, 1.5, 9, "x", "utility_bits", True, "", {}, 11, 3.0
    )
    assert (design.independence_p, design.cells) == (0.0, 1.0)


def test_a_null_is_at_most_as_strong_as_the_spread_within_inputs_makes_it():
    counts = np.array([[5, 5, 0], [4, 6, 0], [0, 0, 0]])
    design = Design(4, 3.0, 0.5, 2.0)
    unit = 2.0 / (2 * 20 * np.log(2))
    weak, strong = Null(0.5, unit, 0.1, 0.2), Null(0.5, 1.0001 * unit, 0.1, 0.2)
    assert design.calm(weak, counts) == weak
    assert design.calm(strong, counts) == Null(0.5, pytest.approx(unit), pytest.approx(np.sqrt(2) * unit), 0.2)
    wide = np.array([[5, 5, 1, 0], [4, 6, 0, 0], [3, 3, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]])
    found = design.calm(Null(0.5, 9.0, 9.0), wide)
    assert found.mean_bits == pytest.approx(6 * 2.0 / (2 * 28 * np.log(2))) and found.deviation_bits == pytest.approx(
        found.mean_bits / np.sqrt(3)
    )


@pytest.mark.parametrize(
    ("totals", "squares", "effect"),
    [([[2.0], [-2.0]], 2.0, 8.0), ([[1.0, 2.0], [-1.0, -2.0], [0.0, 0.0]], 5.0, 3.0), ([[0.1], [-0.1]], 2.0, 1.0), ([[5.0]], 2.0, 1.0),
     ([[2.0], [-2.0]], 0.0, 1.0), ([[2.0], [-2.0]], 1e-12, 1.0)],
)  # fmt: skip
def test_a_design_effect_by_hand(totals, squares, effect):
    assert design_effect(np.array(totals), squares) == pytest.approx(effect)


def by_rows(influence, g):
    """Variance of a mean over clusters to that over rows, by its definition: each cluster against what the others say."""
    size = len(set(g))
    totals = np.array([influence[g == one].sum(0) * (1 - 1 / size) / np.mean(g != one) for one in sorted(set(g))])
    return max(1.0, float((totals**2).sum() * len(totals) / (len(totals) - 1) / (influence**2).sum()))


def freedom_of(sizes):
    """Bell and McCaffrey's (2002) by its definition: what each cluster's departure from what all say does to independent trials."""
    weights = sizes / sizes.sum()
    shape = (np.eye(len(sizes)) - np.outer(weights, np.ones(len(sizes)))) * np.sqrt(sizes) / (1 - weights)[:, None]
    return np.trace(shape @ shape.T) ** 2 / ((shape @ shape.T) ** 2).sum()


def test_a_share_s_limits_are_those_of_its_effective_trials():
    hits, sizes = np.array([9.0, 1, 8, 2, 9, 0, 10, 1]), np.full(8, 10.0)
    rows = np.concatenate([np.r_[np.ones(int(hit)), np.zeros(10 - int(hit))] for hit in hits])
    g = np.repeat(np.arange(8), 10)
    effect = by_rows((rows - rows.mean())[:, None], g)
    low, high, design = share_limits(hits, sizes)
    effective = 80 / (effect * (student(8) / Z) ** 2)
    assert design == Design(8, pytest.approx(effect)) and effect > 3
    assert (low, high) == pytest.approx(proportion_limits(0.5 * effective, effective))


@pytest.mark.parametrize(
    ("hits", "handful"),
    [
        ([5, 0, 0, 0, 0, 0, 0, 0], True),
        ([5, 1, 1, 1, 0, 0, 0, 0], False),
        ([5, 1, 1, 0, 0, 0, 0, 0], True),
        ([0, 10, 10, 10, 10, 10, 10, 10], True),
        ([0] * 8, True),
        ([9, 10, 10, 10, 10, 10, 10, 10], True),
        ([9, 9, 9, 9, 10, 10, 10, 10], False),
    ],
)
def test_where_a_handful_of_clusters_has_the_rarer_result_a_cluster_counts_as_one_trial_at_most(hits, handful):
    """Of eight clusters four must have it."""
    hits, sizes = np.array(hits, float), np.full(8, 10.0)
    share = hits.sum() / 80
    plain = design_effect((hits - share * sizes)[:, None], 80 * share * (1 - share))
    effective = 80 / Design(8, plain).spread
    low, high, design = share_limits(hits, sizes)
    wanted = min(effective, 8.0) if handful else effective
    assert (low, high) == pytest.approx(proportion_limits(share * wanted, wanted))
    assert design.effect == pytest.approx(max(plain, 10.0) if handful else plain) and design.clusters == 8


def test_a_large_cluster_is_judged_by_the_share_without_it():
    sizes = np.array([60.0, 10, 20, 5, 30, 8])
    hits = np.array([30.0, 8, 3, 2, 24, 1])
    n, share = sizes.sum(), hits.sum() / sizes.sum()
    without = (hits.sum() - hits) / (n - sizes)
    variance = 5 / 6 * ((without - share) ** 2).sum()
    freedom = freedom_of(sizes)
    low, high, design = share_limits(hits, sizes)
    effective = n / (variance / (share * (1 - share) / n) * (student(freedom + 1) / Z) ** 2)
    assert design.freedom == pytest.approx(freedom) and 1 < freedom < 4
    assert (low, high) == pytest.approx(proportion_limits(share * effective, effective))
    assert share_limits(np.array([3.0, 5, 8, 2, 9, 7]), np.full(6, 10.0))[2].freedom == pytest.approx(5), "equal clusters: as ever"


@pytest.mark.parametrize("sizes", [np.r_[600, np.full(19, 5)], 2 ** np.arange(1, 9), np.r_[1000, np.full(99, 10)], np.arange(1, 21) * 3])
@pytest.mark.parametrize("correlation", [0.02, 0.2])
def test_limits_of_a_share_cover_whatever_the_sizes_of_clusters(sizes, correlation):
    """By row-pooled totals 14% with one cluster of 600 beside nineteen of 5, and 82% with sizes that double."""
    generator, held = np.random.default_rng(len(sizes)), 0
    for _ in range(200):
        shares = generator.beta(0.3 * (1 / correlation - 1), 0.7 * (1 / correlation - 1), len(sizes))
        low, high, _ = share_limits(generator.binomial(sizes, shares).astype(float), sizes.astype(float))
        held += low <= 0.3 <= high
    assert held >= 0.92 * 200


def test_limits_of_bits_cover_with_one_large_cluster():
    """Twenty clusters with channels of their own, one of 600 trials beside nineteen of 5: by row-pooled totals 25% covered."""
    sizes, law, held = np.r_[600, np.full(19, 5)], np.full(4, 0.25), 0
    truth, g = information_of_law(law[:, None] * (0.5 * np.eye(4) + 0.125)), np.repeat(np.arange(20), sizes)
    for seed in range(40):
        generator = np.random.default_rng(seed)
        x, reliable = generator.integers(0, 4, len(g)), generator.beta(0.5, 0.5, 20)[g]
        y = np.where(generator.random(len(g)) < reliable, x, generator.integers(0, 4, len(g)))
        bits = information(x, y, cluster=g, inputs=4, outcomes=4, prior=law, permutations=99, seed=seed)
        held += bits.low <= truth <= bits.high
    assert held >= 37


def columns(seed, clusters=6, n=150):
    generator = np.random.default_rng(seed)
    x = generator.integers(0, 3, n)
    y = np.where(generator.random(n) < 0.4, x, generator.integers(0, 3, n))
    return x, y, np.sort(generator.integers(0, clusters, n))


def slow_cells(x, y, g, joint):
    px, py = joint.sum(1), joint.sum(0)
    said = joint / px[:, None]
    return np.array([((x == a) - px[a]) * ((y == b) - said[x, b]) / np.sqrt(px[a] * py[b]) for a in range(3) for b in range(3)]).T


@pytest.mark.parametrize("seed", range(3))
def test_the_effect_of_a_table_is_the_larger_of_density_and_cells_and_has_a_test(seed):
    x, y, g = columns(seed)
    y = np.where(g < 3, y, (y + (g == 4)) % 3)
    joint = cross_tabulate(x, y, inputs=3, outcomes=3) / len(x)
    density = np.log2(joint / (joint.sum(1)[:, None] * joint.sum(0)))[x, y][:, None]
    cells = by_rows(slow_cells(x, y, g, joint), g)
    cube = trials_of(x, y, cluster=g).cube()
    found = table_design(cube, None)
    assert found.effect == pytest.approx(max(by_rows(density - density.mean(), g), cells)) and found.cells == pytest.approx(cells)
    statistic = 2 * len(x) * information_of_law(joint) * np.log(2) / cells
    assert found.independence_p == pytest.approx(stats.f.sf(statistic / 4, 4, 4 * freedom_of(np.bincount(g)))) and found.clusters == 6
    assert strata_design([cube]) == found or strata_design([cube]).effect == pytest.approx(found.effect)
    padded = np.pad(cube, ((0, 0), (0, 1), (1, 0)))
    assert table_design(padded, None).effect == pytest.approx(found.effect), "symbols that never came change nothing"
    assert table_design(padded, None).independence_p == pytest.approx(found.independence_p)


def test_with_the_inputs_law_each_input_is_centered_by_itself():
    x, y, g = columns(5)
    counts = cross_tabulate(x, y, inputs=3, outcomes=3)
    prior = np.array([0.6, 0.3, 0.1])
    joint = prior[:, None] * counts / counts.sum(1, keepdims=True)
    density = np.log2(joint / (joint.sum(1)[:, None] * joint.sum(0)))[x, y]
    centers = np.array([density[x == a].mean() for a in range(3)])
    influence = ((prior / counts.sum(1))[x] * (density - centers[x]))[:, None]
    cells = by_rows(slow_cells(x, y, g, counts / len(x)), g)
    assert table_design(trials_of(x, y, cluster=g).cube(), prior).effect == pytest.approx(max(by_rows(influence, g), cells))


def test_strata_have_one_design_over_all_of_them():
    x, y, g = columns(7, n=300)
    y = np.where(g < 3, y, (y + (g == 4)) % 3)
    u = np.random.default_rng(0).integers(0, 3, 300) // 2
    cubes = [cube_of(x[u == k], y[u == k], g[u == k], clusters=6, inputs=3, outcomes=3) for k in (0, 1)]
    joints = [cube.sum(0) / cube.sum() for cube in cubes]
    density = np.array([np.log2(joints[k][a, b] / (joints[k].sum(1)[a] * joints[k].sum(0)[b])) for a, b, k in zip(x, y, u, strict=True)])
    found = strata_design(cubes)
    parts = np.zeros((300, 18))
    for k in (0, 1):
        parts[u == k, 9 * k : 9 * k + 9] = slow_cells(x[u == k], y[u == k], g[u == k], joints[k])
    cells = by_rows(parts, g)
    assert (
        cells > 1.2
        and found.cells == pytest.approx(cells)
        and found.effect == pytest.approx(max(by_rows((density - density.mean())[:, None], g), cells))
    )
    nats = sum((u == k).sum() * information_of_law(joints[k]) for k in (0, 1)) * np.log(2)
    assert found.independence_p == pytest.approx(stats.f.sf(2 * nats / cells / 8, 8, 8 * freedom_of(np.bincount(g))))


def test_an_input_and_an_outcome_of_one_trial_count():
    x, y, g = columns(3)
    x, y = np.append(x, 3), np.append(y, 4)
    y[0] = 3
    g = np.append(g, 5)
    found = table_design(cube_of(x, y, g, clusters=6, inputs=4, outcomes=5), None)
    joint = cross_tabulate(x, y, inputs=4, outcomes=5) / len(x)
    px, py, said = joint.sum(1), joint.sum(0), joint / joint.sum(1)[:, None]
    cells = [((x == a) - px[a]) * ((y == b) - said[x, b]) / np.sqrt(px[a] * py[b]) for a in range(4) for b in range(5)]
    assert found.cells == pytest.approx(by_rows(np.array(cells).T, g))
    statistic = 2 * len(x) * information_of_law(joint) * np.log(2) / found.cells
    assert found.independence_p == pytest.approx(stats.f.sf(statistic / 12, 12, 12 * freedom_of(np.bincount(g))))


def test_a_table_of_one_input_has_nothing_to_test():
    cube = np.array([[[3, 1]], [[2, 2]]])
    assert table_design(cube, None).independence_p == 1.0 and table_design(cube, None).effect == 1.0


def test_a_table_pays_for_one_large_cluster_by_its_freedom():
    """One cluster of 200 beside eleven of 10 leaves t fewer degrees than eleven, and every limit of the table is that much wider."""
    generator = np.random.default_rng(3)
    sizes = np.array([200] + [10] * 11)
    unit = np.repeat(np.arange(12), sizes)
    x, y = generator.integers(0, 2, (2, len(unit)))
    found = table_design(cube_of(x, y, unit, clusters=12, inputs=2, outcomes=2), None)
    assert found.freedom is not None and 0 < found.freedom < 11
    assert found.spread == pytest.approx(found.effect * (stats.t.ppf(0.975, found.freedom) / Z) ** 2, rel=1e-6)
