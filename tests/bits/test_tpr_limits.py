"""TPR at a fixed FPR: the limits know that the threshold is an estimate (audit 4)."""

import numpy as np
import pytest
from scipy.stats import binom, norm, t

from hartley.bits.rates import tpr_at_fpr


def limits(members, others, fpr):
    rate = tpr_at_fpr("TPR", "attacked", members, others, fpr, headline=True)
    assert 0 <= rate.low <= rate.value <= rate.high <= 1
    return rate.low, rate.high


def share_held(truth, fpr, draw, seeds):
    ends = [limits(*draw(np.random.default_rng([7, seed])), fpr) for seed in range(seeds)]
    return np.mean([low - 1e-12 <= truth <= high + 1e-12 for low, high in ends])


@pytest.mark.parametrize("fpr", [0.01, 0.001])
@pytest.mark.parametrize("shift", [0, 1, 2])
@pytest.mark.parametrize(("n", "seeds"), [(120, 120), (1_000, 100), (10_000, 30)])
def test_audit_4_the_limits_hold_for_gaussian_scores(n, seeds, shift, fpr):
    """Clopper-Pearson at the threshold found held 64% at shift 1 and n 120, 47% at shift 2 and n 10,000."""
    truth = norm.sf(norm.isf(fpr) - shift)
    assert share_held(truth, fpr, lambda g: (g.standard_normal(n) + shift, g.standard_normal(n)), seeds) >= 0.93


@pytest.mark.parametrize(("members", "others"), [(1_000, 200), (200, 2_000)])
def test_audit_4_heavy_tails_and_unequal_groups(members, others):
    truth = t.sf(t.isf(0.01, 2) - 5, 2)
    assert share_held(truth, 0.01, lambda g: (g.standard_t(2, members) + 5, g.standard_t(2, others)), 100) >= 0.93


@pytest.mark.parametrize("mass", [0.0099, 0.0101, 0.02])
def test_audit_4_scores_of_three_values(mass):
    """Just above or below the rate that is allowed, the highest value counts as a false positive half of the time."""
    high = np.array([0.95, 0.05 - mass, mass])
    truth = 0.3 if mass <= 0.01 else 0.0
    seen = share_held(truth, 0.01, lambda g: (g.choice(3, 300, p=[0.2, 0.5, 0.3]), g.choice(3, 1_000, p=high)), 100)
    assert seen >= 0.93


def test_audit_4_with_few_non_members_no_threshold_is_sure():
    members = np.full(1_000, 9.0)
    for fpr, fewest in ((0.01, 466), (0.001, 4_675)):
        assert limits(members, np.arange(fewest - 1) / fewest, fpr)[0] == 0.0
        assert limits(members, np.arange(fewest) / fewest, fpr)[0] > 0.99


def test_audit_4_at_ten_thousand_the_limits_are_near():
    """Root of the sum of squares of both errors, times 1.96 and at most a third more."""
    generator = np.random.default_rng(1)
    low, high = limits(generator.standard_normal(10_000) + 2, generator.standard_normal(10_000), 0.01)
    cut = norm.isf(0.01)
    slope, share = norm.pdf(cut - 2) / norm.pdf(cut), norm.sf(cut - 2)
    error = np.hypot(np.sqrt(share * (1 - share)), slope * np.sqrt(0.01 * 0.99)) / 100
    assert 1.0 <= (high - low) / (2 * 1.96 * error) <= 1.35


def test_tpr_limits_equal_their_slow_twin():
    """Every threshold and, by bisection, every rate that two independent tests do not rule out together."""
    generator = np.random.default_rng(5)
    members, others = generator.normal(1.5, 1, 40).round(1), generator.normal(0, 1, 60).round(1)
    fpr = 0.2

    def ruled_out(first, second):
        return sum(max(norm.isf(p), 0.0) ** 2 for p in (first, second)) > 5.536867359908718

    def lowest(first, hits):
        if not ruled_out(first, binom.sf(hits - 1, 40, 0.0)):
            return 0.0
        a, b = 0.0, 1.0
        for _ in range(50):
            a, b = (a, (a + b) / 2) if not ruled_out(first, binom.sf(hits - 1, 40, (a + b) / 2)) else ((a + b) / 2, b)
        return b

    def highest(first, hits):
        if not ruled_out(first, binom.cdf(hits, 40, 1.0)):
            return 1.0
        a, b = 0.0, 1.0
        for _ in range(50):
            a, b = ((a + b) / 2, b) if not ruled_out(first, binom.cdf(hits, 40, (a + b) / 2)) else (a, (a + b) / 2)
        return a

    lows, highs = [], []
    cuts = np.sort(others)
    for k in range(61):
        under = binom.sf(k - 1, 60, 1 - fpr)
        if not ruled_out(under, 1.0):
            lows.append(lowest(under, 0 if k == 60 else int((members > cuts[k]).sum())))
        over = binom.cdf(k, 60, 1 - fpr)
        if not ruled_out(over, 1.0):
            highs.append(highest(over, 40 if k == 0 else int((members > cuts[k - 1]).sum())))
    assert limits(members, others, fpr) == pytest.approx((min(lows), max(highs)), abs=1e-9)
