"""Information from counts: closed forms, slow twins, invariances, and whether the intervals hold."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hartley.bits.counted.decoder import PSEUDO_TRIALS, left_out
from hartley.bits.counted.permutation import independence_p
from hartley.bits.counts import bracket_bits, information, jackknife_bits
from hartley.bits.known import BinaryInputGaussian, Channel, binary_erasure, binary_symmetric, noisy_typewriter, symmetric, z_channel
from hartley.bits.tables import checked_table, cross_tabulate, entropy_bits, information_of_law, joint_law
from hartley.bits.trust import GATE
from hartley.errors import InputError

TABLES = hnp.arrays(np.int64, st.tuples(st.integers(2, 5), st.integers(2, 5)), elements=st.integers(0, 30)).filter(
    lambda c: (c.sum(1) > 1).all() and (c.sum(0) > 0).sum() > 1
)


def slow_information(joint):
    """Double loop over the definition."""
    total = 0.0
    for x in range(joint.shape[0]):
        for y in range(joint.shape[1]):
            if joint[x, y] > 0:
                total += joint[x, y] * np.log2(joint[x, y] / (joint[x].sum() * joint[:, y].sum()))
    return total


def slow_jackknife(counts, prior):
    """Deletes every single trial in turn."""
    n, whole, correction = counts.sum(), slow_information(joint_law(counts, prior)), 0.0
    for x in range(counts.shape[0]):
        for y in range(counts.shape[1]):
            for _ in range(counts[x, y]):
                left = counts.copy()
                left[x, y] -= 1
                change = slow_information(joint_law(left, prior)) - whole
                others = n if prior is None else counts[x].sum()
                correction += change * (others - 1) / others
    return whole - correction


@settings(max_examples=40, deadline=None)
@given(TABLES, st.booleans())
def test_jackknife_equals_its_slow_twin(counts, known):
    prior = np.full(len(counts), 1 / len(counts)) if known else None
    assert jackknife_bits(counts, prior) == pytest.approx(slow_jackknife(counts, prior), abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(TABLES)
def test_plug_in_equals_its_slow_twin(counts):
    law = counts / counts.sum()
    assert information_of_law(law) == pytest.approx(slow_information(law), abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(TABLES, st.randoms(use_true_random=False), st.booleans())
def test_relabeling_changes_nothing(counts, random, known):
    rows, columns = list(range(counts.shape[0])), list(range(counts.shape[1]))
    random.shuffle(rows)
    random.shuffle(columns)
    prior = np.arange(1, len(counts) + 1) / np.arange(1, len(counts) + 1).sum() if known else None
    before = information(counts, prior=prior, permutations=199)
    after = information(counts[np.ix_(rows, columns)], prior=None if prior is None else prior[rows], permutations=199)
    assert before.low == pytest.approx(after.low, abs=1e-9) and before.high == pytest.approx(after.high, abs=1e-9)
    assert before.checks["permutation_p"] == after.checks["permutation_p"]
    assert (before.value is None) == (after.value is None)
    assert before.value is None or before.value == pytest.approx(after.value, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(TABLES, st.booleans())
def test_the_interval_is_ordered_and_capped(counts, known):
    prior = np.full(len(counts), 1 / len(counts)) if known else None
    low, high = bracket_bits(counts, prior)
    assert 0 <= low <= high <= np.log2(min(counts.shape)) + 1e-12


def test_the_channels_obey_their_closed_forms():
    for channel in (
        binary_symmetric(0.11),
        binary_erasure(0.3),
        z_channel(0.5),
        symmetric(10, 0.2),
        noisy_typewriter(6),
        symmetric(4, 0.75),
    ):
        assert channel.information_bits(channel.best) == pytest.approx(channel.capacity_bits, abs=1e-12)
    assert binary_symmetric(0.11).capacity_bits == pytest.approx(0.5, abs=1e-3)
    assert z_channel(0.5).capacity_bits == pytest.approx(np.log2(5 / 4))
    # 2-PSK at 0 dB: 0.486 bits per use, the textbook figure
    assert BinaryInputGaussian(1.0).truth_bits == pytest.approx(0.4859, abs=2e-4)
    assert BinaryInputGaussian(1.0).quantized(400).capacity_bits == pytest.approx(BinaryInputGaussian(1.0).truth_bits, abs=1e-3)


@pytest.mark.parametrize(
    ("channel", "tolerance"),
    [
        (binary_symmetric(0.1), 0.02),
        (binary_erasure(0.3), 0.02),
        (z_channel(0.3), 0.02),
        (symmetric(10, 0.1), 0.02),
        (noisy_typewriter(8), 0.02),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
@pytest.mark.parametrize("known", [True, False])
def test_the_point_is_unbiased_where_it_is_given(channel, tolerance, known):
    generator = np.random.default_rng(7)
    prior = channel.uniform if known else None
    errors = [jackknife_bits(channel.drawn(1000, generator), prior) - channel.information_bits(channel.uniform) for _ in range(60)]
    assert abs(np.mean(errors)) <= tolerance


def missed(channel: Channel, n: int, known: bool, repeats: int, seed: int) -> tuple[float, int]:
    """(share of tables whose interval leaves out the truth, false alarms)."""
    generator = np.random.default_rng(seed)
    truth = channel.information_bits(channel.uniform)
    outside = alarms = 0
    for _ in range(repeats):
        counts = channel.balanced(n, generator) if known else channel.drawn(n, generator)
        found = information(counts, prior=channel.uniform if known else None, permutations=499)
        outside += not found.low - 1e-9 <= truth <= found.high + 1e-9
        alarms += found.checks["permutation_p"] <= GATE
    return outside / repeats, alarms


RARE = Channel("rare", np.hstack([np.full((10, 1), 0.99), 0.01 * np.eye(10)]), 0.01 * np.log2(10), np.full(10, 0.1))
"""Almost always says nothing, and once in a hundred everything: the trial that matters is the one not yet seen."""

CHANNELS = [
    *(binary_symmetric(e) for e in (0.0, 0.005, 0.02, 0.11, 0.3, 0.5)),
    *(symmetric(10, e) for e in (0.02, 0.1, 0.3, 0.8, 0.9)),
    binary_erasure(0.2),
    binary_erasure(0.98),
    z_channel(0.3),
    RARE,
    BinaryInputGaussian(1.0).quantized(6),
]


@pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: channel.name)
@pytest.mark.parametrize("n", [100, 400])
def test_the_interval_covers(channel, n):
    share, _ = missed(channel, n, known=n == 400, repeats=60, seed=11)
    # 5% allowed; of 60 tables that leaves at most 8 by chance (1 in 1,000)
    assert share <= 8 / 60


@pytest.mark.slow
@pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: channel.name)
@pytest.mark.parametrize("n", [100, 400, 1000, 2000])
@pytest.mark.parametrize("known", [True, False])
def test_the_interval_covers_at_length(channel, n, known):
    share, _ = missed(channel, n, known, repeats=250, seed=13)
    # three standard errors above 5%
    assert share <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 250)


@pytest.mark.parametrize("inputs", [2, 10])
def test_no_channel_raises_no_alarm(inputs):
    _, alarms = missed(symmetric(inputs, 1 - 1 / inputs), 200, known=False, repeats=300, seed=5)
    # 1% of 300 is 3; more than 9 would happen once in 1,000 times
    assert alarms <= 9


def test_no_channel_is_said_in_words():
    found = information(symmetric(4, 0.75).balanced(80, np.random.default_rng(0)))
    assert found.value is None and found.low == 0.0 and found.high > 0
    assert "no channel detected" in found.why and f"{found.high:.3f}" in found.why


def test_a_real_channel_is_detected_and_given():
    found = information(symmetric(4, 0.1).balanced(1000, np.random.default_rng(0)), prior=np.full(4, 0.25))
    assert found.trusted and found.low < found.value < found.high <= 2.0
    assert found.value == pytest.approx(symmetric(4, 0.1).capacity_bits, abs=0.1)


def test_shuffling_leaves_nothing():
    generator = np.random.default_rng(3)
    x = np.repeat(np.arange(5), 100)
    assert information(x, x).value == pytest.approx(np.log2(5), abs=1e-6)
    shuffled = information(x, generator.permutation(x))
    assert shuffled.value == shuffled.low == 0 and shuffled.high < shuffled.checks["equivalence_bits"]


@pytest.mark.parametrize("seed", range(5))
def test_processing_adds_nothing(seed):
    """Merging outcomes: the plug-in may not rise, and the interval after must reach down to the one before."""
    counts = symmetric(6, 0.3).balanced(600, np.random.default_rng(seed))
    merged = np.stack([counts[:, :2].sum(1), counts[:, 2:].sum(1)], axis=1)
    before, after = information(counts), information(merged)
    assert after.checks["plug_in_bits"] <= before.checks["plug_in_bits"] + 1e-12
    assert after.low <= before.high


def test_independent_copies_add_up():
    generator = np.random.default_rng(2)
    first, second = binary_symmetric(0.1), binary_symmetric(0.2)
    both = Channel("both", np.kron(first.matrix, second.matrix), 0.0, np.full(4, 0.25))
    found = information(both.balanced(4000, generator), prior=both.uniform)
    assert found.low <= first.capacity_bits + second.capacity_bits <= found.high
    assert found.value == pytest.approx(first.capacity_bits + second.capacity_bits, abs=0.05)


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        (np.diag([9, 9, 9]), "an input has 9"),
        (symmetric(10, 0.5).balanced(200, np.random.default_rng(1)), "occupied cells"),
        (symmetric(3, 2 / 3).balanced(45, np.random.default_rng(0)), "no channel detected"),
    ],
)
def test_the_point_is_withheld_with_the_reason(counts, words):
    found = information(counts)
    assert found.value is None and not found.trusted and words in found.why
    assert found.low is not None and found.high is not None


def test_what_cannot_be_measured_is_not_zero():
    for counts in (np.zeros((3, 3)), np.array([[5, 5], [0, 0]])):
        found = information(counts)
        assert found.value is None and found.low is None and found.high is None and found.why


def test_an_input_that_never_came_keeps_its_part_of_the_entropy():
    found = information(np.diag([20, 20, 20, 0]), prior=np.full(4, 0.25))
    assert found.high == pytest.approx(2.0) and found.value is None and "an input has 0" in found.why


def slow_scores(counts, law, weight, pseudo):
    """Takes out every single trial, fits the decoder to the rest by loops, and scores it."""
    inputs, outcomes = counts.shape
    n = 1 / sum(counts[x, y] * weight[x] ** 2 for x in range(inputs) for y in range(outcomes))

    def without(x, y):
        left = counts.astype(float).copy()
        left[x, y] -= 1
        column = [left[i, y] * weight[i] * n for i in range(inputs)]
        winners = [i for i in range(inputs) if law[i] > 0 and column[i] >= max(column) * (1 - 1e-12)]
        return column, winners

    wrongs = {}
    for x, y in zip(*np.nonzero(counts), strict=True):
        _, winners = without(x, y)
        wrongs[x, y] = 1 - (1 / len(winners) if x in winners else 0.0)
    missed = n * sum(counts[cell] * weight[cell[0]] * wrong for cell, wrong in wrongs.items())
    scores = {}
    for (x, y), wrong in wrongs.items():
        column, winners = without(x, y)
        losers = sum(law[i] for i in range(inputs) if i not in winners)
        right = min(max(1 - (missed - wrong + 0.5) / n, 1 - losers), 1)
        if len(winners) == sum(law > 0):
            guess = 1 / len(winners)
        else:
            guess = right / len(winners) if x in winners else (1 - right) * law[x] / losers
        posterior = guess if np.isinf(pseudo) else (column[x] + pseudo * guess) / (sum(column) + pseudo)
        scores[x, y] = np.log2(posterior / law[x])
    return scores


@settings(max_examples=30, deadline=None)
@given(TABLES, st.sampled_from(PSEUDO_TRIALS), st.booleans())
def test_the_decoder_equals_its_slow_twin(counts, pseudo, known):
    law = np.arange(1, len(counts) + 1) / np.arange(1, len(counts) + 1).sum() if known else counts.sum(1) / counts.sum()
    weight = law / counts.sum(1)
    fast = left_out(counts, law, weight).score_bits(pseudo)
    slow = slow_scores(counts, law, weight, pseudo)
    for score, cell in zip(fast, zip(*np.nonzero(counts), strict=True), strict=True):
        assert score == pytest.approx(slow[cell], abs=1e-9)


def test_the_decoder_delivers_less_than_there_is():
    """Its mean score, before any reach is taken away, stays below the truth on average: it never saw the trial."""
    channel = symmetric(5, 0.3)
    generator = np.random.default_rng(0)
    scores = []
    for _ in range(100):
        trials = left_out(channel.balanced(200, generator), channel.uniform, np.full(5, 1 / 200))
        scores.append(max(trials.mass @ trials.score_bits(pseudo) for pseudo in PSEUDO_TRIALS))
    assert np.mean(scores) < channel.capacity_bits
    assert np.mean(scores) > channel.capacity_bits - 0.1


def test_permutation_p_is_uniform_without_a_channel():
    generator = np.random.default_rng(17)
    ps = np.array([independence_p(symmetric(3, 2 / 3).drawn(120, generator), permutations=199) for _ in range(200)])
    for level in (0.05, 0.25, 0.5):
        assert (ps <= level).mean() <= level + 4 * np.sqrt(level * (1 - level) / 200)


def test_permutation_p_agrees_with_shuffling_by_hand():
    x, y = np.repeat([0, 1, 2], 20), np.tile([0, 0, 1, 2], 15)
    y[:12] = 0
    generator = np.random.default_rng(0)
    observed = information_of_law(cross_tabulate(x, y) / 60)
    shuffled = np.array([information_of_law(cross_tabulate(x, generator.permutation(y)) / 60) for _ in range(1500)])
    by_hand = (shuffled >= observed - 1e-12).mean()
    assert independence_p(cross_tabulate(x, y)) == pytest.approx(by_hand, abs=0.05)


def test_fixed_seed_fixes_everything():
    counts = symmetric(5, 0.6).balanced(300, np.random.default_rng(1))
    assert information(counts) == information(counts) == information(counts, seed=0)


def test_large_tables_take_no_detour():
    """10^7 trials must not be shuffled one by one."""
    counts = np.full((4, 4), 600_000) + np.diag([3000] * 4)
    assert information(counts, permutations=199).checks["permutation_p"] <= GATE


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ([[1, -1], [2, 3]], "row 0, column 1: got -1"),
        ([[1, 2], [0.5, 3]], "row 1, column 0: got 0.5"),
        ([[1, np.nan]], "row 0, column 1: got nan"),
        ([1, 2, 3], "shape (3,)"),
        (np.zeros((0, 3)), "shape (0, 3)"),
        ([["a", "b"]], "not a table of numbers"),
    ],
)
def test_malformed_tables_are_refused(counts, words):
    assert checked_table([[1, 2], [3, 4]]).sum() == 10
    with pytest.raises(InputError) as caught:
        information(counts)
    assert words in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("x", "y", "inputs", "words"),
    [
        ([0, 1, 2], [0, 1], None, "3 and 2 rows"),
        ([0, 1, 5], [0, 1, 0], 3, "column x, row 2: got 5"),
        ([0.0, np.nan], [0, 1], None, "column x, row 1"),
        ([], [], None, "no rows"),
        ([[0, 1]], [0, 1], None, "column x: shape (1, 2)"),
        (["a", "b"], [0, 1], 2, "column x"),
    ],
)
def test_malformed_columns_are_refused(x, y, inputs, words):
    assert cross_tabulate(["a", "b", "a"], [3, 3, 9]).tolist() == [[1, 1], [1, 0]]
    with pytest.raises(InputError, match=r".") as caught:
        cross_tabulate(x, y, inputs=inputs)
    assert words in str(caught.value)


@pytest.mark.parametrize("prior", [[0.5, 0.6], [0.5], [1.0, 0.0], [np.nan, 1.0]])
def test_a_prior_that_does_not_fit_is_refused(prior):
    assert information([[10, 10], [5, 30]], prior=[0.5, 0.5]).high <= 1.0
    with pytest.raises(InputError, match="prior"):
        information([[10, 10], [5, 30]], prior=prior)


def test_entropy_of_known_laws():
    assert entropy_bits(np.full(8, 1 / 8)) == pytest.approx(3.0)
    assert entropy_bits(np.array([1.0, 0.0])) == 0.0
