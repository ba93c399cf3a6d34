"""Ceilings of private releases against quadrature and brute force; audits that never exceed the true epsilon."""

import json
import math
from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import binom, norm

from hartley.bits.known import BinaryInputGaussian
from hartley.bits.privacy import (
    approximate_ceiling_bits,
    audit_epsilon,
    gaussian_ceiling_bits,
    gaussian_epsilon,
    one_run_p,
    pure_ceiling_bits,
    two_group_epsilon,
)
from hartley.bits.tables import information_of_law
from hartley.errors import InputError


@pytest.mark.parametrize(("epsilon", "bits"), [(0, 0.0), (1, 0.160), (3, 0.725), (8, 0.996), (1000, 1.0), (math.inf, 1.0)])
def test_pure_ceilings_as_published(epsilon, bits):
    assert pure_ceiling_bits(epsilon) == pytest.approx(bits, abs=5e-4)
    share = 1 / (1 + math.exp(-epsilon))
    exact = information_of_law(np.array([[share, 1 - share], [1 - share, share]]) / 2)
    assert pure_ceiling_bits(epsilon) == pytest.approx(exact, abs=1e-12)


@pytest.mark.parametrize("mu", [0.0, 0.01, 0.5, 1.0, 3.0, 8.0, 16.0, 100.0])
def test_the_gaussian_ceiling_equals_adaptive_and_gauss_hermite_quadrature(mu):
    def loss(z):
        return norm.pdf(z) * np.logaddexp(0, -mu * (mu / 2 + z)) / np.log(2)

    points = sorted({max(-mu / 2, -14.0), 0.0})
    slow = 1 - sum(quad(loss, a, b, epsabs=1e-13, limit=500)[0] for a, b in zip([-15, *points], [*points, 15], strict=True))
    assert gaussian_ceiling_bits(mu) == pytest.approx(slow, abs=1e-10)
    assert gaussian_ceiling_bits(mu) == pytest.approx(BinaryInputGaussian(mu / 2).truth_bits, abs=1e-9)


def test_the_textbook_figure_of_the_binary_input_gaussian_channel():
    assert gaussian_ceiling_bits(2.0) == pytest.approx(0.4859, abs=2e-4)


def test_no_private_pair_of_laws_says_more_than_the_ceiling():
    """Brute force: random pairs of laws, their smallest delta at epsilon, and their information at a fair coin."""
    generator, epsilon = np.random.default_rng(0), 0.7
    closest = 1.0
    for _ in range(3000):
        p, q = generator.dirichlet(np.full(4, 0.7), 2)
        delta = max(np.maximum(a - math.exp(epsilon) * b, 0).sum() for a, b in ((p, q), (q, p)))
        slack = approximate_ceiling_bits(epsilon, delta) - information_of_law(np.stack([p, q]) / 2)
        assert slack >= -1e-12
        closest = min(closest, slack)
    odds = math.exp(epsilon) / (1 + math.exp(epsilon))
    p = np.array([0.1, 0.9 * odds, 0.9 * (1 - odds), 0.0])
    assert approximate_ceiling_bits(epsilon, 0.1) == pytest.approx(information_of_law(np.stack([p, p[::-1]]) / 2), abs=1e-12)
    assert closest < 0.1


def test_ceilings_rise_with_what_they_are_given():
    for ceiling in (pure_ceiling_bits, gaussian_ceiling_bits):
        values = [ceiling(x) for x in np.linspace(0, 12, 60)]
        assert all(0 <= a <= b <= 1 for a, b in pairwise(values))
    assert approximate_ceiling_bits(1.0, 0.0) == pure_ceiling_bits(1.0) and approximate_ceiling_bits(0.0, 1.0) == 1.0
    # a mu-GDP release is (epsilon(delta), delta)-private, so its own ceiling is the lower of the two
    for mu in (0.3, 1.0, 2.0):
        for delta in (1e-5, 1e-2, 0.2):
            assert gaussian_ceiling_bits(mu) <= approximate_ceiling_bits(gaussian_epsilon(mu, delta), delta) + 1e-12


@pytest.mark.parametrize(("mu", "delta"), [(0.5, 1e-5), (1.0, 1e-5), (3.0, 1e-9), (1.0, 0.1)])
def test_gaussian_epsilon_solves_its_equation(mu, delta):
    epsilon = gaussian_epsilon(mu, delta)
    back = norm.cdf(mu / 2 - epsilon / mu) - math.exp(epsilon) * norm.cdf(-mu / 2 - epsilon / mu)
    assert back == pytest.approx(delta, rel=1e-6)


def test_gaussian_epsilon_at_the_ends():
    assert gaussian_epsilon(0.0, 1e-5) == 0.0 and gaussian_epsilon(0.1, 0.5) == 0.0
    assert gaussian_epsilon(1.0, 1e-5) == pytest.approx(4.3772, abs=1e-3)


def slow_p(n, guesses, correct, epsilon, delta):
    share = math.exp(epsilon) / (1 + math.exp(epsilon))
    law = [math.comb(guesses, k) * share**k * (1 - share) ** (guesses - k) for k in range(guesses + 1)]
    worst = max((sum(law[correct - i : correct]) / i for i in range(1, correct + 1)), default=0.0)
    return min(1.0, sum(law[correct:]) + 2 * n * delta * worst)


@pytest.mark.parametrize(("guesses", "correct"), [(10, 0), (10, 7), (40, 40), (25, 20)])
@pytest.mark.parametrize("delta", [0.0, 1e-4])
def test_the_p_value_equals_its_slow_twin(guesses, correct, delta):
    for epsilon in (0.0, 0.5, 2.0):
        assert one_run_p(100, guesses, correct, epsilon, delta) == pytest.approx(slow_p(100, guesses, correct, epsilon, delta), abs=1e-12)


def test_the_limit_is_where_the_p_value_crosses():
    score = np.arange(100.0)
    member = np.concatenate([np.zeros(50, int), np.ones(50, int)])
    member[[45, 55]] = [1, 0]
    found = audit_epsilon(score, member, top=10, bottom=20)
    assert (found.guesses, found.correct) == (30, 30)
    assert found.low == pytest.approx(math.log(0.05 ** (1 / 30) / (1 - 0.05 ** (1 / 30))), abs=1e-9)
    whole = audit_epsilon(score, member, top=50, bottom=50)
    assert (whole.guesses, whole.correct) == (100, 98)
    assert one_run_p(100, 100, 98, whole.low, 0.0) == pytest.approx(0.05, abs=1e-6)
    assert audit_epsilon(score, member, top=10, bottom=20, delta=1e-3).low < found.low
    assert audit_epsilon(score, member, top=10, bottom=20, confidence=0.99).low < found.low


def test_randomized_response_is_audited_tightly_and_not_beyond():
    """Here the theorem is tight: the limit must exceed the true epsilon in at most 5% of runs, and come close to it."""
    generator, lows = np.random.default_rng(4), []
    for _ in range(300):
        member = generator.integers(0, 2, 1000)
        said = np.where(generator.random(1000) < math.e / (1 + math.e), member, 1 - member)
        lows.append(audit_epsilon(said, member, top=500, bottom=500).low)
    assert np.mean(np.array(lows) > 1.0) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 300)
    assert np.mean(lows) == pytest.approx(0.88, abs=0.03)


@pytest.mark.parametrize("mu", [0.0, 0.5, 2.0])
def test_gaussian_mechanisms_are_never_called_worse_than_they_are(mu):
    truth, generator, lows = gaussian_epsilon(mu, 1e-5), np.random.default_rng(7), []
    for _ in range(60):
        member = generator.integers(0, 2, 400)
        lows.append(audit_epsilon(mu * member + generator.standard_normal(400), member, delta=1e-5).low)
    assert np.mean(np.array(lows) > truth) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 60)
    assert mu < 2 or np.mean(lows) > 0.2 * truth


def test_two_groups():
    found = two_group_epsilon(90, 100, 10, 100)
    t, f = binom_low(90, 100), 1 - binom_low(90, 100)
    assert found.low == pytest.approx(math.log(t / f), abs=1e-6)
    assert two_group_epsilon(50, 100, 50, 100).low == 0.0
    assert two_group_epsilon(0, 100, 0, 100).low == 0.0
    assert two_group_epsilon(100, 100, 0, 100, delta=0.01).low < two_group_epsilon(100, 100, 0, 100).low
    # almost no false hits: the one ratio; almost all hits: the other
    assert two_group_epsilon(30, 100, 0, 10_000).low > 6 and two_group_epsilon(10_000, 10_000, 70, 100).low > 6


def binom_low(hits, n):
    """Clopper-Pearson by bisection of the binomial tail."""
    low, high = 0.0, 1.0
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if binom.sf(hits - 1, n, middle) < 0.025 else (low, middle)
    return low


def test_two_groups_hold_over_simulated_mechanisms():
    generator, above = np.random.default_rng(1), 0
    truth = gaussian_epsilon(1.0, 1e-3)
    for _ in range(300):
        hits, false_hits = (generator.normal(shift, 1, 200) > 1.5 for shift in (1.0, 0.0))
        above += two_group_epsilon(int(hits.sum()), 200, int(false_hits.sum()), 200, delta=1e-3).low > truth
    assert above <= 15


def test_order_of_rows_and_increasing_maps_change_nothing():
    generator = np.random.default_rng(2)
    member = generator.integers(0, 2, 200)
    score = (member + generator.standard_normal(200)).round(1)
    order = generator.permutation(200)
    assert audit_epsilon(score, member) == audit_epsilon(score[order], member[order]) == audit_epsilon(np.exp(score), member)


def test_a_constant_score_shows_nothing_and_neither_does_none():
    member = np.random.default_rng(0).integers(0, 2, 100)
    assert audit_epsilon(np.zeros(100), member).low == 0.0
    assert audit_epsilon([], []).low == 0.0 and audit_epsilon([0.3], [1]).low == 0.0


def test_the_limit_in_bits_in_words_and_in_json():
    member = np.arange(200) % 2
    found = audit_epsilon(member.astype(float), member, delta=1e-5)
    bits = found.ceiling()
    assert bits.kind == "privacy_ceiling_bits" and bits.value is None and bits.high == 1.0 and "below only" in bits.why
    assert bits.low == pytest.approx(approximate_ceiling_bits(found.low, 1e-5))
    assert str(found).startswith("epsilon: at least ") and "\n" not in str(found) and "95%" in str(found)
    assert type(found)(**json.loads(json.dumps(found.to_json()))) == found


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: pure_ceiling_bits(-1), "epsilon: got -1"),
        (lambda: pure_ceiling_bits(float("nan")), "epsilon"),
        (lambda: pure_ceiling_bits("1"), "epsilon: got '1'"),
        (lambda: approximate_ceiling_bits(1, 1.5), "delta"),
        (lambda: gaussian_ceiling_bits(-0.1), "mu"),
        (lambda: gaussian_epsilon(1.0, 0.0), "delta"),
        (lambda: audit_epsilon([0.1, np.nan], [0, 1]), "column score, row 1"),
        (lambda: audit_epsilon([0.1, 0.2], [0, 2]), "column member, row 1"),
        (lambda: audit_epsilon(["a", "b"], [0, 1]), "column score"),
        (lambda: audit_epsilon(np.arange(500.0), np.zeros(500, int)), "fair coins"),
        (lambda: audit_epsilon([0.1, 0.2], [0, 1], top=1), "takes both or neither"),
        (lambda: audit_epsilon([0.1, 0.2], [0, 1], top=2, bottom=1), "at most 2"),
        (lambda: audit_epsilon([0.1, 0.2], [0, 1], confidence=1.0), "confidence"),
        (lambda: two_group_epsilon(5, 4, 0, 10), "hits: got 5 of 4"),
    ],
)
def test_wrong_input_is_refused(call, words):
    with pytest.raises(InputError) as caught:
        call()
    assert words in str(caught.value) and "\n" not in str(caught.value)
