"""Maximal leakage and the three readings: closed forms, a slow twin of the held-out guess, order among truths, coverage."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hartley.bits.capacity import channel_capacity
from hartley.bits.known import BinaryInputGaussian, binary_erasure, binary_symmetric, noisy_typewriter, symmetric, z_channel
from hartley.bits.leakage import channel_maximal_leakage, held_out_success, maximal_leakage, secret_leakage
from hartley.bits.tables import information_of_law
from hartley.errors import InputError

TABLES = hnp.arrays(np.int64, st.tuples(st.integers(2, 5), st.integers(2, 5)), elements=st.integers(0, 20)).filter(
    lambda counts: (counts.sum(1) > 1).all()
)


def test_closed_forms():
    assert channel_maximal_leakage(binary_symmetric(0.11).matrix) == pytest.approx(np.log2(2 * 0.89))
    assert channel_maximal_leakage(binary_erasure(0.3).matrix) == pytest.approx(np.log2(2 - 0.3))
    assert channel_maximal_leakage(z_channel(0.5).matrix) == pytest.approx(np.log2(1.5))
    assert channel_maximal_leakage(symmetric(10, 0.9).matrix) == pytest.approx(0, abs=1e-12)
    assert channel_maximal_leakage(np.eye(8)) == pytest.approx(3)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.integers(2, 6), st.integers(2, 6), st.integers(0, 10_000), st.sampled_from([0.05, 0.5, 3.0]))
def test_information_capacity_maximal_in_this_order(inputs, outcomes, seed, spread):
    generator = np.random.default_rng(seed)
    matrix = generator.dirichlet(np.full(outcomes, spread), inputs)
    capacity, gap, _ = channel_capacity(matrix)
    assert information_of_law(generator.dirichlet(np.ones(inputs))[:, None] * matrix) <= capacity + gap + 1e-12
    assert capacity <= channel_maximal_leakage(matrix) + 1e-9
    processed = matrix @ generator.dirichlet(np.ones(3), outcomes)
    assert channel_maximal_leakage(processed) <= channel_maximal_leakage(matrix) + 1e-12
    doubled = np.kron(matrix, matrix)
    assert channel_maximal_leakage(doubled) == pytest.approx(2 * channel_maximal_leakage(matrix), abs=1e-9)


def test_it_is_the_best_gain_of_any_guesser_of_any_function():
    """Issa, Wagner and Kamath's definition by brute force: all functions of the secret to a bit, many laws of the secret."""
    generator = np.random.default_rng(0)
    matrix = generator.dirichlet(np.ones(3), 3)
    reached = 0.0
    for _ in range(200):
        law = generator.dirichlet(np.ones(3))
        for function in ([0, 1, 1], [0, 1, 0], [0, 0, 1], [0, 1, 2]):
            joint = np.stack([sum(law[x] * matrix[x] for x in range(3) if function[x] == value) + np.zeros(3) for value in set(function)])
            gain = np.log2(joint.max(0).sum() / joint.sum(1).max())
            assert gain <= channel_maximal_leakage(matrix) + 1e-12
            reached = max(reached, gain)
    uniform = np.log2((matrix / 3).max(0).sum() / (1 / 3))
    assert uniform == pytest.approx(channel_maximal_leakage(matrix)) and reached > 0.6 * uniform


def slow_success(counts):
    """Takes out every trial in turn and lets the rest guess, by loops."""
    inputs, outcomes = counts.shape
    sizes = counts.sum(1)
    effective = inputs**2 / sum(1 / size for size in sizes)
    total = 0.0
    for x in range(inputs):
        for y in range(outcomes):
            for _ in range(counts[x, y]):
                left = [(counts[i, y] - (i == x)) / max(sizes[i] - (i == x), 1) * effective / inputs for i in range(inputs)]
                top = max(left)
                odds = [np.exp(4 * (c - top) / np.sqrt(c + top + 1)) for c in left]
                total += odds[x] / sum(odds) / (inputs * sizes[x])
    return total


@settings(max_examples=30, deadline=None, derandomize=True)
@given(TABLES)
def test_the_held_out_guess_equals_its_slow_twin(counts):
    assert held_out_success(counts) == pytest.approx(slow_success(counts), abs=1e-9)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(TABLES, st.randoms(use_true_random=False))
def test_relabeling_changes_nothing(counts, random):
    rows, columns = list(range(counts.shape[0])), list(range(counts.shape[1]))
    random.shuffle(rows)
    random.shuffle(columns)
    before, after = (maximal_leakage(one, permutations=99) for one in (counts, counts[np.ix_(rows, columns)]))
    assert (before.low, before.high) == pytest.approx((after.low, after.high), abs=1e-9)
    assert 0 <= before.low <= before.high <= np.log2(min(counts.shape)) + 1e-12


COVERED = [binary_symmetric(0.1), binary_symmetric(0.5), z_channel(0.3), binary_erasure(0.5), symmetric(10, 0.3)]
COVERED += [symmetric(10, 0.8), symmetric(10, 0.9), noisy_typewriter(10), BinaryInputGaussian(1.0).quantized(6)]


def missed(channel, per_input, repeats):
    generator, truth = np.random.default_rng(9), channel_maximal_leakage(channel.matrix)
    found = [maximal_leakage(channel.balanced(per_input * channel.inputs, generator), permutations=199) for _ in range(repeats)]
    return sum(not one.low - 1e-9 <= truth <= one.high + 1e-9 for one in found) / repeats


@pytest.mark.parametrize("channel", COVERED, ids=lambda channel: channel.name)
def test_the_interval_covers(channel):
    # 5% allowed; of 60 tables that leaves at most 8 by chance (1 in 1,000)
    assert missed(channel, 30, 60) <= 8 / 60


@pytest.mark.slow
@pytest.mark.parametrize("channel", COVERED, ids=lambda channel: channel.name)
@pytest.mark.parametrize("per_input", [10, 30, 100, 300])
def test_the_interval_covers_at_length(channel, per_input):
    assert missed(channel, per_input, 250) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 250)


def test_unequal_numbers_of_trials_are_covered_too():
    channel, generator = symmetric(4, 0.3), np.random.default_rng(1)
    truth, sizes = channel_maximal_leakage(channel.matrix), np.array([12, 40, 100, 300])
    found = [maximal_leakage(generator.multinomial(sizes, channel.matrix), permutations=99) for _ in range(100)]
    assert sum(not one.low <= truth <= one.high for one in found) <= 12


def test_a_measured_secret():
    channel = symmetric(4, 0.2)
    found = secret_leakage(channel.balanced(800, np.random.default_rng(0)), prior=channel.uniform)
    for bits, truth in (
        (found.information, channel.capacity_bits),
        (found.capacity, channel.capacity_bits),
        (found.maximal, channel_maximal_leakage(channel.matrix)),
    ):
        assert bits.trusted and bits.low <= truth <= bits.high
        assert bits.value == pytest.approx(truth, abs=0.15)
    kinds = (found.information.kind, found.capacity.kind, found.maximal.kind)
    assert kinds == ("information_bits", "capacity_bits", "maximal_leakage_bits")


def test_what_is_withheld_says_why():
    nothing = maximal_leakage(np.full((4, 4), 25))
    assert nothing.value is None and nothing.low == 0 and "no channel detected" in nothing.why and nothing.high < 1
    few = maximal_leakage(np.diag([8, 8, 8]))
    assert few.value is None and "an input has 8" in few.why and few.high == pytest.approx(np.log2(3))
    apart = maximal_leakage(noisy_typewriter(10).balanced(200, np.random.default_rng(0)))
    assert apart.value is None and "held out" in apart.why and apart.low < np.log2(5) < apart.high
    assert maximal_leakage([[5, 5], [0, 0]]).low is None


def drawn(matrix, n, generator):
    """Counts of n inputs drawn evenly by chance; an input that never came keeps its row."""
    return generator.multinomial(np.bincount(generator.integers(0, len(matrix), n), minlength=len(matrix)), matrix)


MAPS = [(2, 2), (4, 4), (10, 10), (4, 2), (9, 3), (10, 2), (6, 5)]


@pytest.mark.parametrize(("inputs", "images"), MAPS)
def test_audit_8_noiseless_and_many_to_one_channels_have_their_point(inputs, images):
    """The input of the trial left out was always behind the others of its outcome: .500 where the truth is 1."""
    matrix = np.eye(images)[np.arange(inputs) % images]
    truth = channel_maximal_leakage(matrix)
    assert truth == pytest.approx(np.log2(images))
    for n in (20, 50, 200, 2000):
        found = [maximal_leakage(drawn(matrix, n, np.random.default_rng([n, seed])), permutations=99) for seed in range(20)]
        assert all(one.low - 1e-9 <= truth <= one.high + 1e-9 for one in found)
        assert all(one.value is None or one.value == pytest.approx(truth, abs=2e-3) for one in found)
        if n >= 40 * inputs:
            assert all(one.value is not None for one in found)


@pytest.mark.parametrize("noise", [0.1, 0.3])
def test_audit_8_nearly_many_to_one_channels_have_their_point_too(noise):
    matrix = (1 - noise) * np.eye(3)[np.arange(9) % 3] + noise / 3
    truth = channel_maximal_leakage(matrix)
    found = [maximal_leakage(drawn(matrix, 2000, np.random.default_rng(seed)), permutations=99) for seed in range(20)]
    points = [one.value for one in found if one.value is not None]
    assert len(points) >= 18 and np.mean(points) == pytest.approx(truth, abs=0.03) and max(points) <= np.log2(3)
    assert sum(one.low <= truth <= one.high for one in found) >= 19


def test_audit_8_an_input_that_was_never_tried_is_in_the_upper_limit():
    """Few trials of ten inputs: of those that came, `high` fell below what the whole channel leaks."""
    matrix = 0.9 * np.eye(10) + 0.01
    truth, missed_before = channel_maximal_leakage(matrix), 0
    for seed in range(30):
        counts = drawn(matrix, 20, np.random.default_rng(seed))
        found = maximal_leakage(counts, permutations=99)
        assert found.low <= truth <= found.high
        tried = counts[counts.sum(1) > 0]
        if len(tried) < 10:
            assert found.value is None and f"{10 - len(tried)} of the 10 inputs were never tried" in found.why
            assert "over 10 inputs" in found.estimator and found.checks["high_of_used_bits"] <= found.high
            restricted = maximal_leakage(tried, permutations=99)
            assert f"over the {len(tried)} inputs that were used" in restricted.estimator
            assert restricted.high == pytest.approx(found.checks["high_of_used_bits"])
            named = maximal_leakage(tried, inputs=10, permutations=99)
            assert named == found and secret_leakage(tried, inputs=10, permutations=99).maximal == found
            missed_before += restricted.high < truth
    assert missed_before >= 3
    with pytest.raises(InputError, match="inputs: got 3"):
        maximal_leakage(np.eye(4) * 9, inputs=3)


@pytest.mark.parametrize("counts", [[[1, -1]], [[np.nan, 2]], [["a"]], [1, 2], np.zeros((0, 2))])
def test_malformed_tables_are_refused(counts):
    for measure in (maximal_leakage, secret_leakage):
        with pytest.raises(InputError, match="counts"):
            measure(counts)
    with pytest.raises(InputError, match="channel"):
        channel_maximal_leakage([[0.5, 0.6]])


def test_a_lucky_table_of_near_ties_gives_no_point():
    """Two inputs are as likely under every outcome: what looks clear in a table of 120 or 250 trials is luck, and stands too high."""
    for channel, n in ((noisy_typewriter(7), 120), (noisy_typewriter(7), 250), (noisy_typewriter(4), 60)):
        tables = [channel.balanced(n, np.random.default_rng(seed)) for seed in range(60)]
        assert not [table for table in tables if maximal_leakage(table, permutations=99).value is not None]
    truth = channel_maximal_leakage(noisy_typewriter(7).matrix)
    found = maximal_leakage(noisy_typewriter(7).balanced(4_000, np.random.default_rng(0)), permutations=99)
    assert found.value == pytest.approx(truth, abs=0.05)
