"""Membership: the attacker's threshold and classifier come from what an attacker has, never from the pairs it is judged on."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from hartley.attacks.case import Refused
from hartley.attacks.engine.membership import FEWEST, Audience, guess, membership_rates, weakly_supervised
from hartley.bits.membership import membership
from hartley.evidence import ARMS, NONE, Evidence


class Numbered:
    """Data whose every draw is told, with at most `most` pairs; the pairs themselves are their numbers."""

    def __init__(self, most=10_000):
        self.most, self.told = most, []

    def draw(self, count, generator, *, part="held-out", speech=False):
        self.told.append((count, generator.initial_seed(), part))
        return list(range(min(count, self.most)))


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def audience_of(members=20, coin=2, most=10_000):
    return Audience.split(Numbered(most), members, seeded(1), seeded(coin))


def test_members_and_strangers_are_split_by_coin_into_three_sets_that_share_no_pair():
    data = Numbered()
    found = Audience.split(data, 20, seeded(1), seeded(2))
    assert found.pairs == list(range(90)) and data.told == [(90, 1, "train")], "members and strangers are draws of one law"
    assert [len(rows) for rows in (found.evaluated, found.public, found.known)] == [40, 40, 10]
    assert sorted(torch.cat([found.evaluated, found.public, found.known]).tolist()) == list(range(90))
    assert [int(found.member[rows].sum()) for rows in (found.evaluated, found.public, found.known)] == [20, 20, 0]
    assert found.member.dtype == torch.bool and found.member.sum() == 40
    assert (
        found.evaluated.tolist() != audience_of(coin=3).evaluated.tolist() and found.evaluated.tolist() == audience_of().evaluated.tolist()
    )
    assert sorted(found.evaluated.tolist()) != list(range(40)), "the data's own order says nothing"


def test_a_small_set_of_pairs_is_split_in_proportion_or_refused():
    small = audience_of(members=20, most=FEWEST)
    assert [len(rows) for rows in (small.evaluated, small.public, small.known)] == [16, 16, 8]
    assert int(small.member[small.evaluated].sum()) == int(small.member[small.public].sum()) == 8
    with pytest.raises(Refused, match=f"^membership needs at least {FEWEST} pictures .* the data has {FEWEST - 1} of them$"):
        audience_of(members=20, most=FEWEST - 1)


def test_the_guess_s_threshold_is_the_public_pairs_median():
    """The public pairs score lower than all that are evaluated: the attacker says member of everybody and is right by chance. A
    threshold fitted on the evaluated pairs would be right every time."""
    found = audience_of()
    scores = torch.zeros(90)
    scores[found.public] = torch.linspace(-1, 0, 40)
    scores[found.evaluated] = 1.0 + found.member[found.evaluated].float()
    said = guess(scores, found)
    right = (said == found.member[found.evaluated].long()).float().mean()
    assert said.dtype == torch.long and (said.tolist(), float(right)) == ([1] * 40, 0.5)
    scores[found.public] = 2.0
    assert guess(scores, found).tolist() == [0] * 40, "what stands on the threshold is not above it"
    scores[found.public] = 1.5
    assert (guess(scores, found) == found.member[found.evaluated].long()).all()


def features_of(found, tail=12, seed=0):
    """(similarity (n,), features (n, 3)): the known non-members lie around 0, `tail` public pairs far to their right."""
    generator = seeded(seed)
    similarity = torch.randn(90, generator=generator) * 0.1
    similarity[found.public[:tail]] += 3.0
    features = torch.stack([similarity, similarity + torch.randn(90, generator=generator), torch.randn(90, generator=generator)], dim=1)
    return similarity, features


def by_hand(features, found, rows_of_tail):
    known, tail = found.known.numpy(), rows_of_tail.numpy()
    x, truth = features.double().numpy(), np.r_[np.zeros(len(known)), np.ones(len(tail))]
    standard = (x - features[found.known].mean(0).double().numpy()) / features[found.known].std(0).double().numpy()
    model = LogisticRegression(C=1.0, class_weight="balanced", max_iter=1000).fit(standard[np.r_[known, tail]], truth)
    return model.decision_function(standard)


@pytest.mark.parametrize("tail", [12, 5, 4, 0])
def test_the_classifier_is_taught_by_known_strangers_and_the_far_tail_of_the_public_pairs(tail):
    found = audience_of()
    similarity, features = features_of(found, tail)
    if tail == 0:
        similarity[found.public] -= 3.0
    bar = similarity[found.known].mean() + similarity[found.known].std()
    rows = found.public[similarity[found.public] > bar]
    if len(rows) < 5:
        rows = found.public[similarity[found.public].argsort(descending=True)[:5]]
    odds = weakly_supervised(features, similarity, found)
    assert odds.dtype == similarity.dtype
    assert odds.numpy() == pytest.approx(by_hand(features, found, rows), abs=1e-3)


def test_the_classifier_never_sees_the_pairs_that_it_is_judged_on():
    """Whatever the evaluated pairs score, what is learned about all others stays the same."""
    found = audience_of()
    similarity, features = features_of(found)
    odds = weakly_supervised(features, similarity, found)
    moved, other = features.clone(), similarity.clone()
    moved[found.evaluated] += 5.0
    other[found.evaluated] += 5.0
    again = weakly_supervised(moved, other, found)
    rest = torch.cat([found.public, found.known])
    assert torch.equal(odds[rest], again[rest]) and not torch.equal(odds[found.evaluated], again[found.evaluated])
    constant = features.clone()
    constant[:, 2] = 1.0
    assert torch.isfinite(weakly_supervised(constant, similarity, found)).all(), "a feature that never differs says nothing"


def table_of(scores, member, arm="attacked"):
    count = len(scores)
    none = np.full(count, NONE)
    return Evidence(
        channel="x", kind="read", intent_alphabet=(), adversary_alphabet=("non-member", "member"),
        outcome_alphabet=("non-member", "member"),
        arm=np.full(count, ARMS.index(arm), np.int8), trial=np.arange(count), intent=none, adversary=np.asarray(member), outcome=none,
        success=none, score=None if scores is None else np.asarray(scores, float),
    )  # fmt: skip


def test_rates_of_membership_read_members_against_strangers():
    member = np.arange(400) % 2
    rows = np.arange(400) // 2
    scores = np.where(member == 1, np.where(rows % 4 == 0, 10.0, 0.5), rows / 200)
    both = Evidence.concat([table_of(scores, member), table_of(-scores, member, "clean")])
    found = {(rate.name, rate.arm): rate for rate in membership_rates(both)}
    assert list(found) == [("TPR at 1% FPR", "clean"), ("AUC", "clean"), ("TPR at 1% FPR", "attacked"), ("AUC", "attacked")]
    assert found["TPR at 1% FPR", "attacked"].value == 0.25 and found["TPR at 1% FPR", "clean"].value == 0.0
    auc = found["AUC", "attacked"].value
    assert auc == pytest.approx(0.25 + 0.75 * 0.5, abs=0.01) and found["AUC", "clean"].value == pytest.approx(1 - auc)
    assert [found[name, "attacked"].headline for name in ("TPR at 1% FPR", "AUC")] == [True, False]
    half = table_of(np.zeros(400), member)
    object.__setattr__(half, "score", None)
    with pytest.raises(ValueError, match=r"^membership needs the column score$"):
        membership_rates(half)


def test_bits_of_membership_are_judged_on_the_half_that_chose_no_threshold():
    """Every other pair is told apart perfectly, and the others not at all: a threshold judged where it was chosen reads 1 bit of them,
    the right answer is none."""
    generator = np.random.default_rng(0)
    member = np.repeat([0, 1], 400)
    scores = generator.normal(size=800)
    chosen = np.arange(800) % 2 == 0
    scores[chosen] = np.where(member[chosen] == 1, 10.0, -10.0) + scores[chosen]
    found = membership(scores, member)
    assert found.value is None and found.checks["advantage"] < 0.15 and found.low == 0.0
    scores[~chosen] = np.where(member[~chosen] == 1, 10.0, -10.0)
    whole = membership(scores, member)
    assert whole.checks["advantage"] == 1.0 and whole.value == pytest.approx(1.0, abs=0.05)
    flipped = membership(np.where(chosen, scores, -scores), member)
    assert flipped.checks["advantage"] == -1.0, "a side chosen where it is judged would be right again"
