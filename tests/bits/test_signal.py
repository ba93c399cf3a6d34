"""Signal loss and noise gain: against Gaussian concepts whose truth is known."""

import numpy as np
import pytest

from hartley.bits.known import GaussianConcepts
from hartley.bits.signal import Condition, signal_and_noise
from hartley.bits.spectrum import corrected_spectrum, gaussian_bits, moments_of, observed_spectrum
from hartley.errors import InputError


def concepts(seed, count=10, dimensions=16, size=0.6):
    generator = np.random.default_rng(seed)
    mixing = np.eye(dimensions) + generator.normal(size=(dimensions, dimensions)) / np.sqrt(dimensions) / 2
    return GaussianConcepts(generator.normal(size=(count, dimensions)) * size, mixing)


def changed(before, signal, noise):
    """`signal` scales the means, `noise` the spread of half of the directions."""
    spread = np.ones(before.means.shape[1])
    spread[::2] = noise
    return GaussianConcepts(before.means * signal, before.mixing * spread)


def measured(before, after, n, seed, **options):
    generator = np.random.default_rng(seed)
    conditions = [Condition(*one.sample(n, generator), np.arange(n)) for one in (before, after)]
    return signal_and_noise(*conditions, **options)


CASES = [(1.0, 1.0), (0.3, 1.0), (0.0, 1.0), (1.0, 3.0), (0.5, 2.0)]


@pytest.mark.parametrize(("signal", "noise"), CASES)
@pytest.mark.parametrize(("dimensions", "n"), [(16, 400), (64, 400)])
def test_the_split_finds_the_truth(signal, noise, dimensions, n):
    before = concepts(1, dimensions=dimensions)
    after = changed(before, signal, noise)
    truth = before.split_bits(after)
    inside, values = 0, []
    for seed in range(12):
        parts = measured(before, after, n, seed)
        inside += sum(part.low <= true <= part.high for part, true in zip(parts, truth, strict=True))
        values.append([part.value for part in parts])
    assert inside >= 20
    assert np.mean(values, axis=0) == pytest.approx(truth, abs=0.15)


def test_the_two_parts_add_up_exactly():
    before = concepts(2)
    loss, gain = measured(before, changed(before, 0.4, 2.0), 400, 0)
    total = loss.checks["before_c_g_bits"] - loss.checks["after_c_g_bits"]
    assert loss.value + gain.value == pytest.approx(total, abs=1e-12)


def test_the_truth_adds_up_and_is_what_it_says():
    before = concepts(3)
    shrunk, noisy = changed(before, 0.4, 1.0), changed(before, 1.0, 2.0)
    assert before.split_bits(shrunk) == pytest.approx((before.c_g_bits() - shrunk.c_g_bits(), 0.0))
    assert before.split_bits(noisy) == pytest.approx((0.0, before.c_g_bits() - noisy.c_g_bits()))


def test_any_invertible_linear_map_changes_nothing():
    before = concepts(4)
    after = changed(before, 0.5, 1.5)
    generator = np.random.default_rng(0)
    (x, a), (y, b) = before.sample(400, generator), after.sample(400, generator)
    turn = generator.normal(size=(16, 16)) + 2 * np.eye(16)
    trial = np.arange(400)
    one = signal_and_noise(Condition(x, a, trial), Condition(y, b, trial))
    other = signal_and_noise(Condition(x @ turn + 3.0, a, trial), Condition(y @ turn - 1.0, b, trial))
    for first, second in zip(one, other, strict=True):
        assert first.value == pytest.approx(second.value, abs=1e-6)
        assert first.low == pytest.approx(second.low, abs=1e-6)


def test_the_order_of_trials_changes_nothing():
    before = concepts(5)
    x, label = before.sample(200, np.random.default_rng(0))
    order = np.random.default_rng(1).permutation(200)
    one = signal_and_noise(Condition(x, label, np.arange(200)), Condition(x * 0.5, label, np.arange(200)))
    other = signal_and_noise(Condition(x[order], label[order], order), Condition(x * 0.5, label, np.arange(200)))
    assert one[0].value == pytest.approx(other[0].value, abs=1e-9)
    assert one[1].high == pytest.approx(other[1].high, abs=1e-9)


def test_no_signal_reads_as_none():
    """The plain plug-in would read bits out of noise: 10 means of 40 rows each in 64 dimensions."""
    nothing = GaussianConcepts(np.zeros((10, 64)), np.eye(64))
    plain, corrected = [], []
    for seed in range(10):
        z, label = nothing.sample(400, np.random.default_rng(seed))
        one = np.eye(10)[label]
        part = moments_of(one.T @ z, z.T @ z, one.sum(0).astype(np.int64))
        law = np.full(10, 0.1)
        plain.append(gaussian_bits(observed_spectrum(part, part, law)))
        corrected.append(gaussian_bits(corrected_spectrum(part, part, law)))
    assert np.mean(plain) > 0.8
    assert np.mean(corrected) < 0.12


def test_the_observed_spectrum_equals_its_slow_twin():
    z, label = concepts(6, count=4, dimensions=3).sample(60, np.random.default_rng(0))
    means = np.array([np.mean([z[i] for i in range(60) if label[i] == k], axis=0) for k in range(4)])
    within = sum(np.outer(z[i] - means[label[i]], z[i] - means[label[i]]) for i in range(60)) / (60 - 4)
    between = sum(np.outer(m - means.mean(0), m - means.mean(0)) for m in means) / 4
    slow = np.sort(np.linalg.eigvals(np.linalg.inv(within) @ between).real)[::-1]
    one = np.eye(4)[label]
    part = moments_of(one.T @ z, z.T @ z, one.sum(0).astype(np.int64))
    assert observed_spectrum(part, part, np.full(4, 0.25)) == pytest.approx(slow, abs=1e-9)


def test_unit_norm_embeddings_of_a_collapsed_attack():
    """Rows on the sphere, d = 64, n = 400; after the attack nothing of the concept is left."""
    generator = np.random.default_rng(0)
    means = generator.normal(size=(10, 64))
    label = np.arange(400) % 10

    def embed(symbol):
        z = means[symbol] + 0.9 * generator.normal(size=(400, 64)) + 2.0
        return z / np.linalg.norm(z, axis=1, keepdims=True)

    before = Condition(embed(label), label, np.arange(400))
    after = Condition(embed(generator.integers(0, 10, 400)), label, np.arange(400))
    loss, gain = signal_and_noise(before, after)
    assert loss.trusted and loss.value + gain.value == pytest.approx(loss.checks["before_c_g_bits"], abs=0.2)
    assert loss.checks["after_c_g_bits"] < 0.2 < 3.3 < loss.checks["before_c_g_bits"]
    assert abs(loss.checks["alignment"]) < 0.5


@pytest.mark.parametrize(("signal", "noise"), [(1.0, 2.5), (0.5, 1.0), (0.5, 2.5)])
def test_audit_5_no_cap_decides_between_signal_and_noise(signal, noise):
    """Far more than log2 10 before, after and half way: capped, all that is lost would be split in equal parts, or hidden."""
    before = concepts(7, dimensions=32, size=1.2)
    after = changed(before, signal, noise)
    truth = before.split_bits(after)
    assert after.c_g_bits() > np.log2(10)
    found = np.array([[[b.low, b.value, b.high] for b in measured(before, after, 300, seed)] for seed in range(12)])
    held = (found[:, :, 0] <= truth) & (truth <= found[:, :, 2])
    assert held.sum() >= 21 and found[:, :, 1].mean(0) == pytest.approx(truth, abs=0.25)


@pytest.mark.parametrize(("signal", "noise"), [(1.0, 1.0), (0.2, 1.0), (0.3, 4.0)])
def test_audit_5_few_rows_for_so_many_directions_have_limits_that_hold(signal, noise):
    """64 directions and 100 rows: the 33 main ones show a part of the loss, and their limits would hold that part alone."""
    before = concepts(3, dimensions=64, size=0.6)
    after = changed(before, signal, noise)
    truth = np.array(before.split_bits(after))
    parts = [measured(before, after, 100, seed) for seed in range(10)]
    assert sum(bits.low <= true <= bits.high for pair in parts for bits, true in zip(pair, truth, strict=True)) >= 18
    assert all(bits.value is None and "n - K - d = 26" in bits.why for pair in parts for bits in pair)


def test_audit_5_what_lies_in_directions_left_out_gives_no_limits():
    """A signal in the 40 quietest of 60 directions and 60 rows: the main ones hold 99% of the variance and nothing of it."""
    generator = np.random.default_rng(4)
    label, trial = np.arange(60) % 3, np.arange(60)
    size = np.where(np.arange(60) < 19, 10.0, 0.05)

    def embed(means):
        return means[label] + size * generator.standard_normal((60, 60))

    quiet = np.where(np.arange(60) < 19, 0.0, 1.0) * generator.standard_normal((3, 60)) * 0.2
    for bits in signal_and_noise(Condition(embed(quiet), label, trial), Condition(embed(quiet * 0), label, trial)):
        assert (bits.value, bits.low, bits.high) == (None, None, None) and "left out" in bits.why


def test_audit_3_rows_of_a_cluster_stay_together():
    """10 units of 40 rows that share their noise. Rows alone: limits an eighth of what they must be; 3 units: none."""
    generator = np.random.default_rng(0)
    label, unit = np.arange(400) % 4, np.arange(400) // 40
    shared = generator.standard_normal((10, 4, 3))[unit, label]
    z = 2 * np.eye(4, 3)[label] + shared + 0.2 * generator.standard_normal((400, 3))
    after = 0.8 * np.eye(4, 3)[label] + shared + 0.2 * generator.standard_normal((400, 3))

    def width(trial):
        bits = signal_and_noise(Condition(z, label, trial), Condition(after, label, trial))[0]
        return bits.high - bits.low

    assert width(unit) > 2 * width(np.arange(400))
    few = signal_and_noise(Condition(z, label, unit % 3), Condition(after, label, unit % 3))[0]
    assert few.low is None and "3 independent units" in few.why


def test_embeddings_without_scatter_are_not_measured():
    """Every row of a concept is the same vector under the second condition: W cannot be inverted."""
    (x, label), trial = concepts(7, dimensions=8).sample(400, np.random.default_rng(0)), np.arange(400)
    for bits in signal_and_noise(Condition(x, label, trial), Condition(np.eye(8)[label % 8] * 1.0, label, trial)):
        assert bits.value is None or np.isfinite(bits.value)
    flat = np.zeros((400, 8))
    flat[:, 0] = label
    for bits in signal_and_noise(Condition(flat, label, trial), Condition(flat, label, trial)):
        assert bits.value is None and bits.why


def test_more_dimensions_than_rows_go_through_pca():
    generator = np.random.default_rng(0)
    basis = generator.normal(size=(8, 300))
    small = concepts(7, dimensions=8)
    (x, label), (y, _) = small.sample(400, generator), changed(small, 0.2, 1.0).sample(400, generator)
    trial = np.arange(400)
    low_rank = signal_and_noise(Condition(x @ basis, label, trial), Condition(y @ basis, label, trial))
    direct = signal_and_noise(Condition(x, label, trial), Condition(y, label, trial))
    assert low_rank[0].checks["dimensions"] == 8 and low_rank[0].value == pytest.approx(direct[0].value, abs=1e-6)
    spread = generator.normal(size=(400, 600))
    lost = signal_and_noise(Condition(spread, label, trial), Condition(spread[::-1].copy(), label, trial))
    assert lost[0].value is None and lost[0].low is None and "PCA to 133 of 600" in lost[0].why and "of the variance" in lost[0].why


def test_too_few_rows_are_said():
    before = concepts(8)
    loss, gain = measured(before, before, 60, 0)
    assert loss.value is None and "n - K - d" in loss.why and loss.low is not None and gain.value is None
    loss, _ = measured(before, before, 30, 0)
    assert loss.low is None and "needs" in loss.why
    one = Condition(np.random.default_rng(0).normal(size=(100, 4)), np.zeros(100, dtype=int), np.arange(100))
    assert "1 concepts" in signal_and_noise(one, one)[0].why


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (Condition(np.full((80, 4), np.nan), np.arange(80) % 4, np.arange(80)), "after, column embedding, row 0"),
        (Condition(np.zeros((80, 5)), np.arange(80) % 4, np.arange(80)), "4 and 5 dimensions"),
        (Condition(np.zeros((80, 4)), np.arange(79), np.arange(80)), "label (79,)"),
        (Condition(np.zeros(80), np.arange(80), np.arange(80)), "embedding (80,)"),
    ],
)
def test_wrong_conditions_are_refused(after, words):
    before = Condition(np.random.default_rng(0).normal(size=(80, 4)), np.arange(80) % 4, np.arange(80))
    assert signal_and_noise(before, before)[0].low is not None
    with pytest.raises(InputError) as caught:
        signal_and_noise(before, after)
    assert words in str(caught.value)
