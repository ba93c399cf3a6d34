"""Readings of an embedding channel: operators, C_G, concept's own and Fisher direction, against channels whose truth is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hartley.bits.embeddings.own_direction import axis_bits, direction_snr, reference_directions
from hartley.bits.reading import channel_reading, operators
from hartley.bits.spectrum import gaussian_bits
from hartley.errors import InputError


class Channel:
    """K concepts with means (K, d) in noise of deviations `mixing`; what is true of it."""

    def __init__(self, labels, dimensions, stretch, power=3.0, seed=0):
        generator = np.random.default_rng(seed)
        self.mixing = np.diag(np.linspace(1, stretch, dimensions))
        means = generator.standard_normal((labels, dimensions))
        self.means = means * np.sqrt(power * labels / (means**2).sum()) @ self.mixing / 2
        self.noise = self.mixing @ self.mixing.T
        self.offset = self.means - self.means.mean(0)

    def sample(self, n, seed):
        label = np.arange(n) % len(self.means)
        noise = np.random.default_rng(seed).standard_normal((n, self.means.shape[1])) @ self.mixing.T
        return self.means[label] + noise + 5.0, label

    def c_g_bits(self):
        values = np.linalg.eigvalsh(self.offset @ np.linalg.solve(self.noise, self.offset.T) / len(self.means))
        return min(gaussian_bits(np.maximum(values, 0)), np.log2(len(self.means)))

    def own_bits(self, directions):
        total = 0.0
        for offset, u in zip(self.offset, directions, strict=True):
            total += 0.5 * np.log2(1 + (offset @ u) ** 2 / (u @ self.noise @ u))
        return total / len(self.means)

    def fisher_bits(self):
        return float(np.mean([0.5 * np.log2(1 + m @ np.linalg.solve(self.noise, m)) for m in self.offset]))


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize(("labels", "dimensions", "stretch", "n"), [(5, 8, 1.0, 400), (5, 8, 4.0, 400), (8, 30, 3.0, 800)])
def test_the_readings_find_the_truth(labels, dimensions, stretch, n, known):
    channel = Channel(labels, dimensions, stretch)
    clean = channel.means + 0.3 * np.random.default_rng(5).standard_normal(channel.means.shape) if known else channel.means
    own, fisher = channel.own_bits(reference_directions(clean, np.full(labels, 1 / labels))), channel.fisher_bits()
    truths = {"c_g": channel.c_g_bits(), "concept_direction": own, "fisher_direction": fisher, "alignment_loss": fisher - own}
    inside, errors = dict.fromkeys(truths, 0), {name: [] for name in truths}
    for seed in range(6):
        reading = channel_reading(*channel.sample(n, seed), reference=clean if known else None, seed=seed)
        for name, truth in truths.items():
            bits = getattr(reading, name)
            inside[name] += bits.low - 1e-9 <= truth <= bits.high
            errors[name].append(bits.checks["uncapped_bits"] - truth)
    assert all(count >= 5 for count in inside.values()), inside
    assert all(abs(np.mean(error)) < 0.06 for error in errors.values()), errors


@pytest.mark.slow
@pytest.mark.parametrize(("labels", "dimensions", "stretch", "n"), [(5, 8, 4.0, 400), (10, 64, 3.0, 2000)])
def test_coverage_of_the_readings(labels, dimensions, stretch, n):
    channel, inside = Channel(labels, dimensions, stretch), np.zeros(4)
    own, fisher = channel.own_bits(reference_directions(channel.means, np.full(labels, 1 / labels))), channel.fisher_bits()
    for seed in range(100):
        reading = channel_reading(*channel.sample(n, seed), seed=seed)
        parts = (reading.c_g, reading.concept_direction, reading.fisher_direction, reading.alignment_loss)
        for i, (bits, truth) in enumerate(zip(parts, (channel.c_g_bits(), own, fisher, fisher - own), strict=True)):
            inside[i] += bits.low - 1e-9 <= truth <= bits.high
    assert (inside >= 90).all()


def test_no_reading_says_more_than_there_is_to_say():
    channel = Channel(4, 6, 2.0, power=400.0)
    reading = channel_reading(*channel.sample(400, 1))
    assert reading.intent_bits == pytest.approx(2.0)
    assert reading.c_g.value == pytest.approx(2.0) and reading.c_g.checks["uncapped_bits"] > 3
    assert reading.mixture.value <= 2.0 and reading.mixture.value == pytest.approx(2.0, abs=0.01)


def test_ratio_of_total_powers_is_not_what_is_read():
    """Noise in directions without signal changes no reading; it would change a ratio of Euclidean powers fifty-fold."""
    channel = Channel(4, 6, 1.0)
    z, label = channel.sample(600, 2)
    loud = np.hstack([z, 50 * np.random.default_rng(3).standard_normal((600, 4))])
    quiet, noisy = channel_reading(z, label), channel_reading(loud, label)
    assert noisy.c_g.value == pytest.approx(quiet.c_g.value, abs=0.1)
    assert noisy.fisher_direction.value == pytest.approx(quiet.fisher_direction.value, abs=0.1)


def test_a_reference_that_points_elsewhere_shows_as_alignment_loss():
    channel = Channel(3, 6, 1.0, power=8.0)
    z, label = channel.sample(600, 4)
    away = channel.offset[[1, 2, 0]] + 0.2 * channel.offset
    good, bad = channel_reading(z, label, reference=channel.means), channel_reading(z, label, reference=away)
    assert bad.fisher_direction.value == good.fisher_direction.value
    assert bad.alignment_loss.low > good.alignment_loss.high
    assert bad.concept_direction.value + bad.alignment_loss.value == pytest.approx(bad.fisher_direction.value)


def test_a_reference_as_rows_is_its_means_and_the_modality_gap_is_removed():
    channel = Channel(3, 6, 2.0)
    z, label = channel.sample(300, 5)
    rows, names = channel.sample(3000, 6)
    means = np.stack([rows[names == k].mean(0) for k in range(3)])
    by_rows, by_means = channel_reading(z, label, reference=(rows, names)), channel_reading(z, label, reference=means - 100.0)
    assert by_rows.concept_direction.checks["uncapped_bits"] == pytest.approx(by_means.concept_direction.checks["uncapped_bits"])


@settings(max_examples=3, deadline=None, derandomize=True)
@given(st.integers(0, 10**6))
def test_linear_maps_change_the_concept_direction_only(seed):
    channel = Channel(4, 5, 2.0)
    z, label = channel.sample(300, seed)
    mixed = z @ (np.random.default_rng(seed).standard_normal((5, 5)) + 3 * np.eye(5))
    before, after = channel_reading(z, label), channel_reading(mixed, label)
    assert np.allclose(after.spectrum, before.spectrum, atol=1e-6)
    assert after.effective_dimension == pytest.approx(before.effective_dimension, abs=1e-5)
    for name in ("c_g", "fisher_direction"):
        assert getattr(after, name).checks["uncapped_bits"] == pytest.approx(getattr(before, name).checks["uncapped_bits"], abs=1e-6)


def test_effective_dimension_counts_the_directions_that_share_the_signal():
    generator = np.random.default_rng(7)
    label = np.arange(4000) % 4
    line = np.zeros((4, 6))
    line[:, 0] = [-3, -1, 1, 3]
    simplex = np.zeros((4, 6))
    simplex[:, :4] = 2 * np.eye(4)
    for means, dimension in ((line, 1), (simplex, 3)):
        reading = channel_reading(means[label] + generator.standard_normal((4000, 6)), label)
        assert reading.effective_dimension == pytest.approx(dimension, abs=0.1)


@pytest.mark.parametrize(("dimensions", "n", "steep"), [(8, 200, 1.0), (8, 200, 0.1), (64, 200, 0.1), (64, 600, 1.0)])
def test_audit_10_effective_dimension_has_limits_that_hold(dimensions, n, steep):
    channel = Channel(10, dimensions, 1.0, power=60.0)
    channel.means *= np.geomspace(1, steep, dimensions)
    channel.offset = channel.means - channel.means.mean(0)
    power = np.linalg.eigvalsh(channel.offset @ channel.offset.T)
    truth, held = power.sum() ** 2 / (power**2).sum(), 0
    for seed in range(10):
        reading = channel_reading(*channel.sample(n, seed), seed=seed)
        checks = reading.c_g.checks
        low, value, high = (checks[f"effective_dimension{end}"] for end in ("_low", "", "_high"))
        held += low <= truth <= high
        assert 1 <= low <= value <= high <= min(9, dimensions) and value == reading.effective_dimension
    assert held >= 9 and high - low < 5


def test_audit_10_at_its_cap_c_g_still_says_what_it_is():
    channel = Channel(4, 6, 2.0, power=400.0)
    c_g = channel_reading(*channel.sample(400, 1)).c_g
    truth = gaussian_bits(np.linalg.eigvalsh(channel.offset @ np.linalg.solve(channel.noise, channel.offset.T) / 4)[1:])
    assert c_g.value == c_g.high == 2.0 < c_g.checks["uncapped_low_bits"] <= truth <= c_g.checks["uncapped_high_bits"]
    assert f"from {c_g.checks['uncapped_bits']:.2f} [" in c_g.estimator


def test_without_a_channel_there_is_no_effective_dimension():
    noise = channel_reading(np.random.default_rng(11).standard_normal((300, 5)), np.arange(300) % 3)
    assert "effective_dimension" not in noise.c_g.checks


def slow_snr(rows, label, directions):
    """Concept by concept from the definition, without a correction for chance."""
    labels = label.max() + 1
    means = np.stack([rows[label == k].mean(0) for k in range(labels)])
    pooled = sum(np.outer(row - means[k], row - means[k]) for row, k in zip(rows, label, strict=True)) / (len(rows) - labels)
    found = []
    for k in range(labels):
        offset = means[k] - means.mean(0)
        u = offset / np.linalg.norm(offset) if directions is None else directions[k]
        found.append((offset @ u) ** 2 / (u @ pooled @ u))
    return np.array(found)


@pytest.mark.parametrize("known", [False, True])
def test_signal_and_noise_along_a_direction_equal_their_slow_twin_at_many_rows(known):
    channel = Channel(3, 4, 2.0, power=20.0)
    z, label = channel.sample(30_000, 8)
    law = np.full(3, 1 / 3)
    directions = reference_directions(channel.means, law) if known else None
    assert np.allclose(direction_snr(z, label, law, directions), slow_snr(z, label, directions), rtol=0.01)


def test_the_correction_takes_chance_out():
    """No signal at all in 40 dimensions: plainly read, each concept's own mean would show a good half of a bit."""
    generator = np.random.default_rng(9)
    label, law = np.arange(120) % 4, np.full(4, 0.25)
    plain, corrected = [], []
    for _ in range(50):
        z = generator.standard_normal((120, 40))
        plain.append(axis_bits(slow_snr(z, label, None), law))
        corrected.append(axis_bits(direction_snr(z, label, law, None), law))
    assert np.mean(plain) > 0.4 and np.mean(corrected) < 0.1


def test_operators_are_the_covariances():
    channel = Channel(3, 4, 2.0)
    z, label = channel.sample(60_000, 10)
    found = operators(np.hstack([z, np.ones((60_000, 1))]), label)
    assert np.allclose(found.noise[:4, :4], channel.noise, atol=0.06) and not found.noise[4].any()
    assert np.allclose(found.signal[:4, :4], channel.offset.T @ channel.offset / 3, atol=0.06)


def test_points_are_withheld():
    generator = np.random.default_rng(11)
    nothing = channel_reading(generator.standard_normal((300, 5)), np.arange(300) % 3)
    assert nothing.c_g.value is None and "no channel detected" in nothing.c_g.why and nothing.c_g.low == 0.0
    few = channel_reading(generator.standard_normal((45, 3)), np.arange(45) % 3)
    assert few.c_g.value is None and "n - K - d" in few.c_g.why
    fewer = channel_reading(generator.standard_normal((20, 3)), np.arange(20) % 3)
    assert fewer.c_g.low is None and "20 rows of 3 concepts" in fewer.c_g.why and len(fewer.spectrum) == 0
    wide = channel_reading(generator.standard_normal((200, 300)) + 3 * (np.arange(200) % 2)[:, None], np.arange(200) % 2)
    assert wide.c_g.value is None and "variance" in wide.c_g.why and "PCA to 66 of 300" in wide.c_g.estimator
    same = channel_reading(np.eye(2)[np.arange(100) % 2], np.arange(100) % 2)
    assert "singular" in same.c_g.why


def test_bad_references_are_named():
    channel = Channel(3, 4, 1.0)
    z, label = channel.sample(90, 12)
    with pytest.raises(InputError, match=r"\(2, 4\), takes \(3, 4\)"):
        channel_reading(z, label, reference=channel.means[:2])
    with pytest.raises(InputError, match="no direction"):
        channel_reading(z, label, reference=np.ones((3, 4)))
    with pytest.raises(InputError, match="no row of label 2"):
        channel_reading(z, label, reference=(z[label < 2], label[label < 2]))
    with pytest.raises(InputError, match="reference, row 0, column 0"):
        channel_reading(z, label, reference=np.full((3, 4), np.nan))


@pytest.mark.parametrize("scale", [1e-160, 1e-90, 1e90, 1e150])
def test_the_unit_of_the_embedding_does_not_matter(scale):
    generator = np.random.default_rng(0)
    label = np.arange(400) % 4
    z = generator.normal(size=(4, 8))[label] + generator.normal(size=(400, 8))
    one, other = channel_reading(z, label), channel_reading(z * scale, label)
    for name in ("c_g", "concept_direction", "fisher_direction", "alignment_loss"):
        assert getattr(other, name).value == pytest.approx(getattr(one, name).value, abs=1e-6)
