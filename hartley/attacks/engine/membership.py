"""Membership: an i.i.d. split, an attacker's guess, and the weakly supervised classifier."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial

import torch
from torch import Tensor
from torch.nn import functional

from hartley.attacks.engine.perturbed import note
from hartley.attacks.engine.readout import of_pairs, zero_shot
from hartley.attacks.engine.success import accuracy
from hartley.bits.rates import Rate, auc, tpr_at_fpr
from hartley.case import ModelCase, Refused
from hartley.channel import Channel
from hartley.data.pairs import Data, Pairs
from hartley.evidence import Evidence
from hartley.rows import EVERY, Arm, Rows, Sent, Symbols
from hartley.targets.embedding import embed_images, embed_texts
from hartley.targets.finetune import Training, finetune, restore, weights
from hartley.targets.protocols import Encoder, Trainable

MEMBERSHIP, SERVICE = ("non-member", "member"), "service"
FEWEST, FEWEST_MEMBERS = 40, 9
"""Pictures that an audience is made of at least, and the evaluated members that so many give."""


@dataclass(frozen=True)
class Audience:
    """Pairs split by coin, so that members and non-members have one law by construction.

    member     (n,) bool: trained on.
    evaluated  rows the attack is judged on: half of them members.
    public     rows the attacker collects without knowing which are members.
    known      rows the attacker knows to be non-members (made after the model was).
    """

    pairs: Pairs
    member: Tensor
    evaluated: Tensor
    public: Tensor
    known: Tensor

    @staticmethod
    def split(data: Data, members: int, draw: torch.Generator, coin: torch.Generator) -> Audience:
        """`members` evaluated members and as many non-members, with a public set of the same make-up and known
        non-members of half that size; smaller in proportion where the data has fewer pairs.

        Raises Refused when there are fewer than FEWEST pairs.
        """
        pairs = data.draw(round(4.5 * members), draw, part="train")
        if len(pairs) < FEWEST:
            raise Refused(
                f"membership needs at least {FEWEST} pictures to train on, about {2 * FEWEST} in all; the data has {len(pairs)} of them"
            )
        size = int(len(pairs) / 4.5)
        order = torch.randperm(len(pairs), generator=coin)
        evaluated, public, known = order[: 2 * size], order[2 * size : 4 * size], order[4 * size :]
        member = torch.zeros(len(pairs), dtype=torch.bool)
        member[evaluated[:size]] = True
        member[public[:size]] = True
        return Audience(pairs, member, evaluated, public, known)


def guess(scores: Tensor, audience: Audience) -> Tensor:
    """(m,) 1 for the evaluated pairs whose score is above the median of the public ones, half of which are members."""
    return (scores[audience.evaluated] > scores[audience.public].median()).long()


def weakly_supervised(features: Tensor, similarity: Tensor, audience: Audience) -> Tensor:
    """Log-odds (n,) of a logistic classifier: known non-members against pseudo-members, which are the public pairs whose
    similarity lies in the far right tail (above mean + 1 standard deviation) of the known non-members' Gaussian.

    features (n, f). Where the tail holds fewer than five pairs, the five most similar public pairs stand in.
    """
    from sklearn.linear_model import LogisticRegression

    known = similarity[audience.known]
    bar = known.mean() + known.std()
    public = similarity[audience.public]
    tail = audience.public[public > bar]
    if len(tail) < 5:
        tail = audience.public[public.topk(min(5, len(public))).indices]
    rows = torch.cat([audience.known, tail])
    truth = torch.cat([torch.zeros(len(audience.known)), torch.ones(len(tail))])
    center, scale = features[audience.known].mean(dim=0), features[audience.known].std(dim=0).clamp_min(1e-9)
    standard = ((features - center) / scale).double().numpy()
    model = LogisticRegression(C=1.0, class_weight="balanced", max_iter=1000)  # its solver draws nothing
    model.fit(standard[rows.numpy()], truth.numpy())
    return torch.from_numpy(model.decision_function(standard)).to(similarity.dtype)


def trained_on_members(case: ModelCase, target: Trainable, audience: Audience, training: Training) -> Trainable:
    """A copy of the target, fine-tuned on the members, from the run's cache where it is there already."""
    chosen = audience.pairs.take(torch.nonzero(audience.member).squeeze(1))

    def train() -> dict[str, Tensor]:
        student, losses = finetune(
            target, chosen.images, chosen.captions, training, case.generator("finetune"),
            lambda done, total: case.progress("training on the members", done, total),
        )  # fmt: skip
        note(case, "similarity", "attacked", losses, name="training loss (victim)")
        return weights(student)

    return restore(target, case.once("model/victim", train))


Scores = Mapping[str, Callable[[Tensor, Tensor], Tensor]]
"""Name to a function of similarity (n,), the pair's cosine, and drops (n, a), how much it falls under each augmentation, to (n,): how
much a pair looks like a member."""


@dataclass(frozen=True)
class Victim:
    """A model that was trained on an audience's members, beside the one that was not; a stochastic defense is asked `repeats` times over by
    those who know of it."""

    case: ModelCase
    model: Trainable
    audience: Audience
    repeats: int

    def channels(self, scores: Scores) -> list[Channel[Encoder, None]]:
        """For each score A is member or not, Y the attacker's guess; "service": the same system's zero-shot answers to pictures that it was
        never trained on. Clean is the model before the training."""
        audience, defense = self.audience, self.case.defense
        held = self.case.data.draw(self.case.effort.trials, self.case.generator("service"))

        def serve(_: Arm, encoder: Encoder, __: None) -> Rows:
            return zero_shot(encoder, held, embed_images(encoder, held.images), None, {})

        symbols, sent = Symbols((), MEMBERSHIP, MEMBERSHIP), Sent(adversary=audience.member[audience.evaluated])
        arms, subject = EVERY if defense is None or defense.stochastic else EVERY[:-1], cache(self.subject)
        return [
            *(
                Channel(name, "read", symbols, sent, subject, self.views, read=partial(self.scored, score), asked_as="views", arms=arms)
                for name, score in scores.items()
            ),
            Channel(SERVICE, "jam", of_pairs(held, ()), Sent(held.labels), subject, serve, arms=arms),
        ]

    def subject(self, arm: Arm) -> Encoder:
        """The model of an arm."""
        model: Encoder = self.model if arm.attacked else self.case.target
        if not arm.defended or self.case.defense is None:
            return model
        wrapped: Encoder = self.case.defense.wrap(model, seed=self.case.generator("defense").initial_seed())
        return wrapped

    def views(self, arm: Arm, encoder: Encoder, _: None) -> Rows:
        """Similarity and drops of all pairs of the audience, averaged over repeats."""
        pairs, generator = self.audience.pairs, self.case.generator("augmentations")
        similarity, drops, repeats = [], [], self.repeats if arm.adaptive else 1
        for _again in range(repeats):
            text = embed_texts(encoder, pairs.captions)
            plain = (embed_images(encoder, pairs.images) * text).sum(dim=1)
            augmented = [(embed_images(encoder, view) * text).sum(dim=1) for view in _augmentations(pairs.images, generator)]
            similarity.append(plain)
            drops.append(torch.stack([plain - view for view in augmented], dim=1))
        passes = torch.full((len(self.audience.evaluated),), float(repeats * (2 + len(augmented))))
        means = {"similarity": torch.stack(similarity).mean(dim=0), "drops": torch.stack(drops).mean(dim=0)}
        return Rows(more=means, costs={"queries": passes, "forward_passes": passes})

    def supervised(self, similarity: Tensor, drops: Tensor) -> Tensor:
        """The score of `weakly_supervised`, over similarity and drops as features."""
        return weakly_supervised(torch.cat([similarity[:, None], drops], dim=1), similarity, self.audience)

    def scored(self, score: Callable[[Tensor, Tensor], Tensor], _: Arm, rows: Rows) -> Rows:
        """The guesses by one score, over the evaluated pairs."""
        scores = score(*(torch.as_tensor(rows.more[name]) for name in ("similarity", "drops")))
        return Rows(outcome=guess(scores, self.audience), score=scores[self.audience.evaluated].double(), costs=rows.costs)


def _augmentations(images: Tensor, generator: torch.Generator) -> tuple[Tensor, ...]:
    """The views under which members' similarity falls more: shifted, zoomed, dimmed, blurred, noisy."""
    height, width = images.shape[-2:]
    step = max(1, height // 24)
    edge = max(1, height // 16)
    zoomed = functional.interpolate(images[..., edge : height - edge, edge : width - edge], size=(height, width), mode="bilinear")
    noise = torch.randn(images.shape, generator=generator) * 0.03
    return (
        torch.roll(images, shifts=(step, -step), dims=(2, 3)),
        zoomed,
        images * 0.8,
        functional.avg_pool2d(functional.pad(images, (1, 1, 1, 1), mode="replicate"), 3, stride=1),
        (images + noise).clamp(0, 1),
    )


def rates_beside_service(evidence: Evidence) -> tuple[Rate, ...]:
    """`membership_rates`; for the service channel the user's accuracy."""
    return accuracy(evidence, "zero-shot accuracy") if evidence.channel == SERVICE else membership_rates(evidence)


def membership_rates(evidence: Evidence) -> tuple[Rate, ...]:
    """TPR at 1% FPR (the headline) and AUC, for every arm."""
    found = []
    for arm in evidence.arms:
        rows = evidence.of(arm)
        if rows.score is None:
            raise ValueError("membership needs the column score")
        members, others = rows.score[rows.adversary == 1], rows.score[rows.adversary == 0]
        found += [
            tpr_at_fpr("TPR at 1% FPR", arm, members, others, 0.01, headline=True),
            auc("AUC", arm, members, others, headline=False),
        ]
    return tuple(found)
