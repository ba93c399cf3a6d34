"""Trials in clusters: plain loops as twins, duplicates that add nothing, coverage, and no alarm from what clusters have in common."""

import numpy as np
import pytest

from hartley.bits.capacity import capacity
from hartley.bits.clustered import clusters_of, conditional_point_bits, information_point_bits, one_row_of_each, trials_of
from hartley.bits.conditional import conditional_information
from hartley.bits.counted.permutation import clustered_independence
from hartley.bits.counts import information
from hartley.bits.deployed import deployed_information, misinformation
from hartley.bits.design import strata_design, table_design
from hartley.bits.known import symmetric
from hartley.bits.rates import success_rate
from hartley.bits.tables import cross_tabulate, information_of_law, joint_law
from hartley.errors import InputError


def drawn(generator, clusters, size, hit, icc, within, symbols=2):
    """x, y, cluster: each cluster draws what its outcomes follow given x, Dirichlet around the symmetric channel, at this correlation.

    x is balanced within each cluster, or the same throughout it.
    """
    law = hit * np.eye(symbols) + (1 - hit) / symbols
    spread = (1 - icc) / icc if icc else None
    own = [law if spread is None else [generator.dirichlet(np.maximum(row * spread, 1e-3)) for row in law] for _ in range(clusters)]
    given = generator.permutation(np.arange(clusters) % symbols)
    x = np.stack([generator.permutation(np.arange(size) % symbols) if within else np.full(size, given[g]) for g in range(clusters)])
    y = np.array([[generator.choice(symbols, p=own[g][symbol]) for symbol in x[g]] for g in range(clusters)])
    return x.ravel(), y.ravel(), np.repeat(np.arange(clusters), size)


def columns(seed, clusters=6, symbols=3, n=90):
    """Columns of unequal clusters, where every symbol is in several of them."""
    generator = np.random.default_rng(seed)
    x = generator.integers(0, symbols, n)
    y = np.where(generator.random(n) < 0.6, x, generator.integers(0, symbols, n))
    return x, y, np.sort(generator.integers(0, clusters, n))


@pytest.mark.parametrize("prior", [None, np.array([0.5, 0.3, 0.2])])
@pytest.mark.parametrize("seed", range(4))
def test_the_cluster_jackknife_equals_its_slow_twin(seed, prior):
    x, y, g = columns(seed)
    whole = information_of_law(joint_law(cross_tabulate(x, y), prior))
    slow = len(set(g)) * whole
    for one in sorted(set(g)):
        kept = g != one
        left = information_of_law(joint_law(cross_tabulate(x[kept], y[kept], inputs=3, outcomes=3), prior))
        slow -= kept.mean() * left
    assert information_point_bits(trials_of(x, y, cluster=g).cube(), prior) == pytest.approx(slow, abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_the_conditional_jackknife_equals_its_slow_twin(seed):
    x, y, g = columns(seed, n=200)
    u = np.random.default_rng(seed).integers(0, 2, len(x))

    def plug_in(kept):
        parts = [kept & (u == k) for k in (0, 1)]
        return sum(part.sum() / kept.sum() * information_of_law(cross_tabulate(x[part], y[part]) / part.sum()) for part in parts)

    everything = np.ones(len(x), dtype=bool)
    slow = len(set(g)) * plug_in(everything) - sum((g != one).mean() * plug_in(g != one) for one in set(g))
    cubes = [trials_of(x[u == k], y[u == k], inputs=3, outcomes=3, cluster=g[u == k]).cube() for k in (0, 1)]
    assert conditional_point_bits(cubes) == pytest.approx(slow, abs=1e-12)


def slow_effect(influence, g):
    """Variance of a mean of rows (n, k) over clusters, to that over rows: by its definition."""
    influence = influence - influence.mean(0)
    totals = np.array([influence[g == one].sum(0) for one in sorted(set(g))])
    return (totals**2).sum() * len(totals) / (len(totals) - 1) / (influence**2).sum()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("within", [True, False])
def test_the_design_effect_equals_its_slow_twin(seed, within):
    x, y, g = drawn(np.random.default_rng(seed), 6, 9, 0.4, 0.5, within, 3)
    joint = cross_tabulate(x, y, inputs=3, outcomes=3) / len(x)
    px, py = joint.sum(1), joint.sum(0)
    density = np.log2(joint[x, y] / (px[x] * py[y]))[:, None]
    said = joint / px[:, None]
    cells = [((x == a) - px[a]) * ((y == b) - said[x, b]) / np.sqrt(px[a] * py[b]) for a in range(3) for b in range(3) if py[b] > 0]
    slow = max(1.0, slow_effect(density, g), slow_effect(np.array(cells).T, g))
    cube = trials_of(x, y, cluster=g).cube()
    assert table_design(cube, None).effect == pytest.approx(slow, rel=1e-9)
    assert strata_design([cube]).effect == pytest.approx(slow, rel=1e-9)


def test_a_known_answer_from_many_clusters():
    channel = symmetric(4, 0.3)
    generator = np.random.default_rng(0)
    x = np.repeat(np.arange(400) % 4, 10)
    y = np.array([generator.choice(4, p=channel.matrix[symbol]) for symbol in x])
    g = np.repeat(np.arange(400), 10)
    for found in (information(x, y, cluster=g), capacity(x, y, cluster=g)):
        assert found.value == pytest.approx(channel.capacity_bits, abs=0.03) and found.low < channel.capacity_bits < found.high
        assert found.clusters == 400 and 1 <= found.design_effect < 1.3 and found.n == 4000
    u = np.random.default_rng(1).integers(0, 2, 4000)
    found = conditional_information(x, y, u, cluster=g)
    assert found.value == pytest.approx(channel.capacity_bits, abs=0.03) and found.clusters == 400


@pytest.mark.parametrize("within", [True, False])
def test_row_level_intervals_miss_where_those_over_clusters_hold(within):
    truth, held, rows = symmetric(2, 0.15).capacity_bits, 0, 0
    for seed in range(40):
        x, y, g = drawn(np.random.default_rng(seed), 20, 30, 0.7, 0.2, within)
        over, each = (information(x, y, cluster=cluster, permutations=99) for cluster in (g, None))
        held += over.low <= truth <= over.high
        rows += each.low <= truth <= each.high
    assert held >= 37
    assert rows <= 32


@pytest.mark.parametrize("within", [True, False])
def test_what_clusters_have_in_common_is_no_channel(within):
    """Each cluster answers in its own way, whatever x is; or, with x varied in it, turns x around or not."""
    alarms = rows = 0
    for seed in range(60):
        generator = np.random.default_rng(seed)
        x, _, g = drawn(generator, 10, 20, 0.0, 0.0, within)
        y = x ^ generator.integers(0, 2, 10)[g] if within else (generator.random(200) < generator.beta(0.5, 0.5, 10)[g]).astype(int)
        found = information(x, y, cluster=g, permutations=199)
        alarms += found.low > 0 or (found.value or 0) > 0
        rows += information(x, y, permutations=99).low > 0
    assert alarms <= 2
    assert rows >= 10


def test_the_null_is_uniform_for_whole_clusters_and_within_them():
    for within in (True, False):
        ps = []
        for seed in range(150):
            generator = np.random.default_rng(seed)
            x, _, g = drawn(generator, 12, 10, 0.0, 0.0, within)
            y = (generator.random(120) < generator.beta(1, 1, 12)[g]).astype(np.int64)
            ps.append(clustered_independence(x, y, g, permutations=99).p)
        for level in (0.1, 0.5):
            assert np.mean(np.array(ps) <= level) <= level + 4 * np.sqrt(level * (1 - level) / 150)


def test_the_gate_agrees_with_shuffling_by_hand():
    generator = np.random.default_rng(3)
    for within in (True, False):
        x, y, g = drawn(generator, 12, 8, 0.25, 0.3, within)
        observed, reached = information_of_law(cross_tabulate(x, y) / len(x)), 0
        for _ in range(800):
            blocks = x.reshape(12, 8)[generator.permutation(12)]
            shuffled = np.stack([generator.permutation(block) for block in blocks]).ravel()
            reached += information_of_law(cross_tabulate(shuffled, y) / len(x)) >= observed - 1e-12
        assert clustered_independence(x, y, g).p == pytest.approx(reached / 800, abs=0.06)


def test_given_a_third_symbol_x_is_shuffled_within_it():
    """x follows u, y follows u: nothing is left given u, in clusters too."""
    generator = np.random.default_rng(0)
    g = np.repeat(np.arange(20), 20)
    u = generator.integers(0, 2, 400)
    x, y = ((u + (generator.random(400) < 0.2)) % 2 for _ in range(2))
    assert clustered_independence(x, y, g).p <= 0.01 < clustered_independence(x, y, g, u).p
    found = conditional_information(x, y, u, cluster=g)
    assert found.low == 0 and "no channel detected" in found.why


@pytest.mark.parametrize(
    "measure", [information, capacity, lambda *c, **k: conditional_information(*c, np.arange(len(c[0])) // 2 % 2, **k)]
)
def test_copies_of_every_trial_add_nothing(measure):
    generator = np.random.default_rng(0)
    x = np.repeat(np.arange(4), 60)
    y = np.where(generator.random(240) < 0.7, x, generator.integers(0, 4, 240))
    once = measure(x, y)
    twice = measure(np.repeat(x, 4), np.repeat(y, 4), cluster=np.repeat(np.arange(240), 4)) if measure in (information, capacity) else None
    if twice is None:
        u = np.arange(240) // 2 % 2
        twice = conditional_information(np.repeat(x, 4), np.repeat(y, 4), np.repeat(u, 4), cluster=np.repeat(np.arange(240), 4))
    assert twice.value == pytest.approx(once.value, abs=0.005)
    assert twice.low <= once.low and twice.high >= once.high - 1e-9
    assert twice.high - twice.low < 1.1 * (once.high - once.low)
    assert twice.design_effect == pytest.approx(4, rel=0.02) and twice.clusters == 240


def test_a_cluster_each_is_no_cluster_and_one_cluster_has_no_limits():
    x, y, _ = columns(0, n=200)
    u = np.arange(200) % 2
    each = np.random.default_rng(0).permutation(200)
    for measure in (information, capacity, lambda *c, **k: conditional_information(*c, u, **k)):
        assert measure(x, y, cluster=each) == measure(x, y)
        alone = measure(x, y, cluster=np.zeros(200))
        assert (alone.value, alone.low, alone.high, alone.clusters, alone.n) == (None, None, None, 1, 200)
        assert not alone.trusted and "one cluster: how much others would differ cannot be told" in alone.why
    for measure in (deployed_information, misinformation):
        q = -np.random.default_rng(1).random(200)
        assert measure(q, -1.0, cluster=each) == measure(q, -1.0)
        assert measure(q, -1.0, cluster=np.zeros(200)).low is None


def test_few_clusters_are_allowed_and_wide():
    x, y, g = drawn(np.random.default_rng(0), 20, 50, 0.9, 0.0, True)
    widths = []
    for clusters in (2, 3, 5, 20):
        found = information(x, y, cluster=g % clusters)
        assert found.low is not None and found.low <= 0.71 <= found.high
        widths.append(found.high - found.low)
    assert widths == sorted(widths, reverse=True)


def test_clusters_of_one_symbol_that_are_too_few_for_the_test_say_so():
    x, y, g = drawn(np.random.default_rng(0), 6, 30, 0.9, 0.0, False)
    found = information(x, y, cluster=g)
    assert found.value is None and found.low == 0 and found.high > 0.7 and "too few here for any p below" in found.why


def test_an_input_of_one_cluster_has_no_point():
    x, y, g = drawn(np.random.default_rng(0), 12, 30, 0.9, 0.0, True)
    x = np.where(g == 0, 2, x)
    found = information(x, y, cluster=g)
    assert found.value is None and "an input has only one, needs 2" in found.why


def test_the_order_of_rows_and_the_names_of_clusters_change_nothing():
    x, y, g = columns(1, n=300)
    order = np.random.default_rng(0).permutation(300)
    assert information(x[order], y[order], cluster=g[order]) == information(x, y, cluster=g)
    assert information(x, y, cluster=np.array(list("abcdef"))[g]) == information(x, y, cluster=g)


def test_thousands_of_clusters_are_put_together():
    generator = np.random.default_rng(0)
    x = np.repeat(np.arange(5000) % 2, 2)
    y = x ^ (generator.random(10_000) < 0.1)
    trials = trials_of(x, y, cluster=np.repeat(np.arange(5000), 2))
    assert trials.cube().shape == (1000, 2, 2) and trials.cube().sum() == 10_000
    found = information(x, y, cluster=np.repeat(np.arange(5000), 2), permutations=199)
    assert found.value == pytest.approx(symmetric(2, 0.1).capacity_bits, abs=0.03) and found.clusters == 1000


def test_what_names_no_clusters_is_refused():
    with pytest.raises(InputError, match="cluster: takes symbols"):
        information(np.eye(3), cluster=np.arange(3))
    with pytest.raises(InputError, match=r"column cluster: shape \(2,\)"):
        information([0, 1, 1], [0, 1, 1], cluster=[0, 1])
    assert clusters_of(["a", "b"], 2) is None


def test_one_row_of_each_cluster_spreads_the_labels():
    unit, label = np.repeat(np.arange(30), 3), np.tile(np.arange(3), 30)
    rows = one_row_of_each(unit, label)
    assert sorted(unit[rows]) == list(range(30)) and np.bincount(label[rows]).tolist() == [10, 10, 10]


def test_means_over_clusters_hold_and_copies_add_nothing():
    held = rows = 0
    for seed in range(80):
        generator = np.random.default_rng(seed)
        g = np.repeat(np.arange(20), 20)
        q = -2 + 0.5 * generator.normal(size=20)[g] + 0.5 * generator.normal(size=400)
        over, each = deployed_information(np.minimum(q, 0), -3.0, cluster=g), deployed_information(np.minimum(q, 0), -3.0)
        held += over.low <= 1 <= over.high
        rows += each.low <= 1 <= each.high
    assert held >= 73 and rows <= 50
    once = deployed_information(q, -3.0)
    copies = deployed_information(np.repeat(q, 3), -3.0, cluster=np.repeat(np.arange(400), 3))
    assert (copies.low, copies.value, copies.high) == pytest.approx((once.low, once.value, once.high)) and copies.n == 1200


@pytest.mark.parametrize(("share", "clusters"), [(0.02, 20), (0.1, 8), (0.5, 20), (0.9, 100)])
def test_a_share_over_clusters_holds(share, clusters):
    held = rows = 0
    g = np.repeat(np.arange(clusters), 20)
    for seed in range(200):
        generator = np.random.default_rng(seed)
        hits = (generator.random(20 * clusters) < generator.beta(4 * share, 4 * (1 - share), clusters)[g]).astype(int)
        over, each = (success_rate("s", "clean", hits, headline=True, cluster=cluster) for cluster in (g, None))
        held += over.low <= share <= over.high
        rows += each.low <= share <= each.high
    assert held >= 184
    assert rows <= 160


def test_copies_do_not_sharpen_a_share_and_one_cluster_has_no_limits():
    for hits in (0, 3, 20, 40):
        flags = (np.arange(40) < hits).astype(int)
        once = success_rate("s", "clean", flags, headline=True)
        copies = success_rate("s", "clean", np.repeat(flags, 5), headline=True, cluster=np.repeat(np.arange(40), 5))
        assert copies.value == once.value and copies.low <= once.low and copies.high >= once.high
        assert copies.high - copies.low < 1.1 * (once.high - once.low) or hits == 3
        assert copies.clusters == 40 and copies.design_effect == pytest.approx(5, rel=0.03) and copies.n == 200
        assert success_rate("s", "clean", flags, headline=True, cluster=np.arange(40)) == once
        alone = success_rate("s", "clean", flags, headline=True, cluster=np.zeros(40))
        assert (alone.low, alone.high, alone.clusters) == (0.0, 1.0, 1) and "cannot be told" in alone.estimator
    mixed = success_rate("s", "clean", [1, -1, 0, -1, 1], headline=True, cluster=[0, 0, 1, 1, 2])
    assert mixed == success_rate("s", "clean", [1, 0, 1], headline=True)
