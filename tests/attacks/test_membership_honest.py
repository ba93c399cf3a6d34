"""Membership: the attacker's threshold and classifier come from what an attacker has, never from the pairs it is judged on."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from hartley.attacks.engine.membership import FEWEST, Audience, Victim, guess, membership_rates, weakly_supervised
from hartley.bits.membership import membership
from hartley.case import Case, Refused
from hartley.channel import measure
from hartley.effort import Effort
from hartley.evidence import ARMS, NONE, Evidence
from hartley.rows import ATTACKED


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


@dataclass
class Remembering:
    """An encoder that embeds pictures as they are, and whose captions name them; trained, it knows the members' pictures a little better.
    Each picture that it is shown is counted."""

    members: torch.Tensor | None = None
    noise: torch.Generator | None = None
    shown: list[int] = field(default_factory=list)
    logit_scale: float = 10.0

    def embed_image(self, pixels):
        self.shown.append(len(pixels))
        found = pixels.flatten(1)[:, :2].clone()
        if self.members is not None and len(pixels) == len(self.members):
            found[self.members, 0] += 0.5
        if self.noise is not None:
            found[:, 0] += torch.randn(len(found), generator=self.noise)
        return found

    def embed_text(self, texts):
        return torch.tensor([[1.0, 0.0]] * len(texts))


@dataclass
class Noisy:
    """A defense by noise on what is given out."""

    id: str = "noisy"
    stage: str = "output"
    modalities: frozenset[str] = frozenset({"embedding"})
    stochastic: bool = True
    seeds: list[int] = field(default_factory=list)

    def wrap(self, target, *, straight_through=False, seed=0):
        self.seeds.append(seed)
        return Remembering(target.members, torch.Generator().manual_seed(seed))


class Drawn:
    """Pairs to serve: four pictures, two of each of two symbols."""

    def draw(self, count, generator, *, part="held-out", speech=False):
        assert part == "held-out", "the service is asked about pictures that nobody trained on"
        return pairs_of(torch.rand(4, 3, 16, 16, generator=generator))


def pairs_of(images):
    names = ("dark", "light")
    return SimpleNamespace(
        images=images, captions=("a",) * len(images), labels=torch.arange(len(images)) % 2, label_names=names, prompts=names,
        label_prior=torch.full((2,), 0.5), __len__=lambda: len(images),
    )  # fmt: skip


def victim_of(defense=None, repeats=3):
    found = audience_of()
    pictures = torch.full((90, 3, 16, 16), 0.5)
    audience = replace(found, pairs=pairs_of(pictures))
    effort = Effort("tiny", trials=4, steps=1, poison_pairs=1, members=20, epochs=1)
    case = Case(target=Remembering(), data=Drawn(), defense=defense, effort=effort, stream="honest")
    return Victim(case, Remembering(found.member), audience, repeats)


SCORES = {"similarity": lambda similarity, _: similarity, "drops": lambda _, drops: drops.sum(dim=1)}


def test_clean_is_the_model_that_was_never_trained_and_attacked_the_one_that_was():
    victim = victim_of()
    similar, drops, service = measure(victim.case, *victim.channels(SCORES))
    member = victim.audience.member[victim.audience.evaluated].int().tolist()
    for table in (similar, drops):
        assert table.arms == ("clean", "attacked") and table.of("attacked").adversary.tolist() == member
    assert similar.of("clean").score.tolist() == [0.5] * 40 and similar.of("clean").outcome.tolist() == [0] * 40
    assert similar.of("attacked").score.tolist() == [1.0 if one else 0.5 for one in member]
    assert similar.of("attacked").success.mean() == 1.0, "above the public pairs' median is said to be a member"
    assert set(similar.costs["queries"]) == {7.0}, "the pair's picture and text, and five views of the picture"
    assert service.kind == "jam" and len(service.of("clean")) == 4 and service.intent.tolist() == [0, 1] * 4


def test_the_drop_under_an_augmentation_is_what_the_similarity_loses_there():
    """A dimmed picture of .5 is one of .4; the other views of an even picture are as even, and noise is small."""
    victim = victim_of()
    rows = victim.views(ATTACKED, Remembering(), None)
    drops = rows.more["drops"]
    assert drops.shape == (90, 5) and drops[:, 2].tolist() == pytest.approx([0.1] * 90)
    assert drops[:, [0, 1, 3]].abs().max() < 1e-6 and 0 < drops[:, 4].abs().max() < 0.2
    assert rows.more["similarity"].tolist() == [0.5] * 90


def test_only_who_knows_of_a_stochastic_defense_asks_it_repeatedly_and_averages():
    defense = Noisy()
    victim = victim_of(defense, repeats=16)
    similar, *_ = measure(victim.case, *victim.channels(SCORES))
    spread = {arm: float(np.std(similar.of(arm).score - 0.5 * (similar.of(arm).adversary if "attacked" in arm or "adaptive" in arm else 0)))
              for arm in similar.arms}  # fmt: skip
    assert spread["clean"] == 0 == spread["attacked"]
    assert 0.6 < spread["defended_attacked"] < 1.5 and spread["defended_adaptive"] < 0.4, "sixteen draws have a fourth of the spread"
    assert {arm: set(similar.of(arm).costs["queries"]) for arm in similar.arms} == {
        **{arm: {7.0} for arm in ARMS[:-1]}, "defended_adaptive": {112.0},
    }  # fmt: skip
    assert set(defense.seeds) == {victim.case.generator("defense").initial_seed()} and len(defense.seeds) == 3


def test_behind_a_defense_that_draws_nothing_there_is_nothing_to_ask_twice():
    victim = victim_of(Noisy(stochastic=False))
    assert all(table.arms == ARMS[:-1] for table in measure(victim.case, *victim.channels(SCORES)))


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
