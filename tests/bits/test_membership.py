"""Membership: the closed forms, the held-out threshold, and the rates beside it."""

import numpy as np
import pytest
from scipy.stats import beta, norm

from hartley.bits.limits import proportion_limits, upward_reach
from hartley.bits.membership import advantage_bits, membership
from hartley.bits.rates import Rate, auc, success_rate, tpr_at_fpr
from hartley.bits.tables import binary_entropy_bits, information_of_law
from hartley.errors import InputError


def scores(shift, n, seed):
    generator = np.random.default_rng(seed)
    member = np.arange(2 * n) % 2
    return generator.standard_normal(2 * n) + shift * member, member


def test_the_closed_form_is_exact():
    for a in np.linspace(0, 1, 21):
        low, high = advantage_bits(a)
        assert low == pytest.approx(1 - binary_entropy_bits((1 + a) / 2), abs=1e-9) and high == pytest.approx(a, abs=1e-9)
    assert advantage_bits(-0.3) == (0.0, 0.0)


def test_the_bounds_hold_for_every_binary_guess():
    for tpr in np.linspace(0, 1, 21):
        for fpr in np.linspace(0, tpr, 11):
            low, high = advantage_bits(tpr - fpr)
            truth = information_of_law(np.array([[1 - tpr, tpr], [1 - fpr, fpr]]) / 2)
            assert low - 1e-12 <= truth <= high + 1e-12


@pytest.mark.parametrize("shift", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("sign", [1, -1])
def test_the_bracket_holds_the_truth(shift, sign):
    """Gaussian scores: the best threshold has advantage 2 Phi(shift / 2) - 1."""
    best = 2 * norm.cdf(shift / 2) - 1
    truth = information_of_law(np.array([[(1 + best) / 2, (1 - best) / 2], [(1 - best) / 2, (1 + best) / 2]]) / 2)
    outside, points = 0, []
    for seed in range(100):
        score, member = scores(shift, 200, seed)
        found = membership(sign * score, member)
        outside += not (found.low <= truth <= found.high)
        points.append(np.nan if found.value is None else found.value)
    assert outside <= 3
    if shift >= 1:
        assert np.nanmean(points) == pytest.approx(truth, abs=0.03)


def test_no_leak_raises_no_alarm():
    found = [membership(*scores(0.0, 150, seed)) for seed in range(200)]
    assert sum(one.value is not None for one in found) <= 7
    assert sum(one.low > 0 for one in found) <= 7
    quiet = next(one for one in found if one.value is None)
    assert "no leak detected" in quiet.why


def test_a_perfect_score_gives_a_whole_bit():
    found = membership(np.repeat([0.0, 1.0], 300), np.repeat([0, 1], 300))
    assert found.value == pytest.approx(1.0) and found.high == 1.0 and 0.8 < found.low < 1


def test_few_members_are_not_trusted():
    found = membership(*scores(2.0, 60, 0))
    assert found.value is None and "60 members" in found.why and found.low > 0
    assert membership([0.1, 0.2, 0.3], [0, 1, 0]).low is None


def test_any_increasing_map_of_the_score_changes_nothing():
    score, member = scores(1.0, 200, 1)
    one, other = membership(score, member), membership(np.sinh(score) * 3 + 7, member)
    assert (one.value, one.low, one.high) == (other.value, other.low, other.high)


@pytest.mark.parametrize(
    ("score", "member", "words"),
    [
        ([0.1, np.nan], [0, 1], "column score, row 1"),
        ([0.1, 0.2], [0, 2], "column member, row 1: got 2"),
        ([0.1, 0.2], [0], "shapes (2,) and (1,)"),
    ],
)
def test_wrong_columns_are_refused(score, member, words):
    with pytest.raises(InputError) as caught:
        membership(score, member)
    assert words in str(caught.value)


@pytest.mark.parametrize(("hits", "n"), [(0, 10), (10, 10), (3, 10), (970, 1000), (0, 1)])
def test_clopper_pearson_equals_the_beta_quantiles(hits, n):
    low, high = proportion_limits(hits, n)
    assert low == pytest.approx(0 if hits == 0 else beta.ppf(0.025, hits, n - hits + 1), abs=1e-12)
    assert high == pytest.approx(1 if hits == n else beta.ppf(0.975, hits + 1, n - hits), abs=1e-12)


def test_the_reach_of_many_events_is_the_normal_one_and_of_few_is_wider():
    values = np.array([0.0, 1.0])
    plenty = upward_reach(values, np.array([0.5, 0.5]), 10_000)
    assert plenty == pytest.approx(1.96 * 0.5 / 100, rel=0.02)
    rare = upward_reach(values, np.array([0.98, 0.02]), 100)
    assert rare > 1.5 * 1.96 * np.sqrt(0.98 * 0.02 / 100)
    assert upward_reach(np.array([2.0]), np.array([1.0]), 50) == 0.0


def test_success_rate_leaves_out_what_does_not_apply():
    rate = success_rate("targeted top-1", "attacked", np.array([1, 1, 0, -1, -1]), headline=True)
    assert (rate.value, rate.n) == (pytest.approx(2 / 3), 3)
    assert (rate.low, rate.high) == pytest.approx(proportion_limits(2, 3))
    assert success_rate("x", "clean", np.array([-1, -1]), headline=True) is None
    assert rate.to_json() == {
        "name": "targeted top-1", "arm": "attacked", "value": rate.value, "low": rate.low, "high": rate.high, "n": 3,
        "estimator": "Clopper-Pearson 95%", "headline": True, "better": "attacker",
    }  # fmt: skip
    with pytest.raises(InputError, match="row 1"):
        success_rate("x", "clean", np.array([0, 2]), headline=True)


def test_tpr_at_fpr_equals_its_slow_twin():
    generator = np.random.default_rng(3)
    members, others = generator.normal(1, 1, 150).round(1), generator.normal(0, 1, 200).round(1)
    for fpr in (0.001, 0.01, 0.1, 0.5):
        best = max((np.mean(members > t) for t in np.concatenate([members, others]) if np.sum(others > t) <= fpr * 200), default=0.0)
        assert tpr_at_fpr("t", "attacked", members, others, fpr, headline=True).value == pytest.approx(best)


def test_auc_equals_its_slow_twin_and_covers():
    generator = np.random.default_rng(3)
    members, others = generator.normal(0.5, 1, 40).round(1), generator.normal(0, 1, 30).round(1)
    wins = sum((m > o) + 0.5 * (m == o) for m in members for o in others) / 1200
    assert auc("AUC", "attacked", members, others, headline=False).value == pytest.approx(wins)
    truth, outside = norm.cdf(1 / np.sqrt(2)), 0
    for _ in range(300):
        rate = auc("AUC", "attacked", generator.normal(1, 1, 60), generator.normal(0, 1, 80), headline=False)
        outside += not rate.low <= truth <= rate.high
    assert outside / 300 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 300)
    perfect = auc("AUC", "attacked", [2.0] * 50, [1.0] * 50, headline=False)
    assert perfect.value == perfect.high == 1.0 and perfect.low == pytest.approx(0.025 ** (1 / 50))


@pytest.mark.parametrize("values", [(0.5, 0.6, 0.7), (1.2, 1.0, 1.3), (np.nan, 0.0, 1.0)])
def test_a_rate_that_contradicts_itself_cannot_be_made(values):
    with pytest.raises(ValueError, match="low <= value <= high"):
        Rate("x", "clean", *values, 10, "none", True, "user")


def test_audit_3_passages_of_one_document_are_no_trials_of_their_own():
    """60 documents of 40 passages, no leak at all: passages taken for trials read one too often."""
    alarms = {False: 0, True: 0}
    for seed in range(60):
        generator = np.random.default_rng(seed)
        unit = np.repeat(np.arange(60), 40)
        score = generator.standard_normal(60)[unit] + 0.5 * generator.standard_normal(2400)
        member = (unit % 2).astype(int)
        for known in alarms:
            found = membership(score, member, cluster=unit if known else None)
            alarms[known] += found.low > 0
    assert alarms[False] >= 15 and alarms[True] <= 3
    assert found.clusters == 60 and found.n == 60 and "one row of each cluster" in found.estimator


def test_a_cluster_column_of_another_length_is_refused():
    with pytest.raises(InputError, match="column cluster"):
        membership([0.1, 0.2, 0.3], [0, 1, 0], cluster=[1, 2])
