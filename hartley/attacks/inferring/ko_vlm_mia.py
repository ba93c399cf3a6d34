"""Practical membership inference against multimodal models (Ko et al., ICCV 2023): similarity, augmentation, weak supervision."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from hartley.attacks.case import ModelCase, Refused
from hartley.attacks.engine.arms import note
from hartley.attacks.engine.finetune import Training, finetune, restore, weights
from hartley.attacks.engine.membership import FEWEST_MEMBERS, Audience, guess, membership_rates, weakly_supervised
from hartley.attacks.engine.readout import zero_shot
from hartley.attacks.engine.reference import embed_images, embed_texts
from hartley.attacks.engine.success import accuracy
from hartley.attacks.recipe import Recipe
from hartley.bits.rates import Rate
from hartley.data.pairs import Pairs
from hartley.evidence import ARMS, NONE, Evidence
from hartley.targets.protocols import Encoder, Trainable

EPOCHS = 30
"""Passes over the members: enough that the model knows them better than others, few enough that it is not a lookup table."""
REPEATS = 4
"""Times an attacker asks a stochastic defense for the same answer and averages."""
SCORES = ("similarity", "augmentation", "weakly supervised")


def ko_vlm_mia(case: ModelCase) -> tuple[Evidence, ...]:
    """Claim: cosine similarity of a pair tells members from non-members; drops under augmentation and pseudo-members sharpen it.
    Does: draws pairs, splits them by coin into members and non-members, fine-tunes a copy on the members, and scores both by
    the pair's cosine (CSA), by cosine plus its drops over augmentations (AEA), and by a classifier trained on known
    non-members against the far right tail of public pairs (WSA).
    Left out: the web-scale model's own training set, whose members nobody can draw i.i.d.; the victim is fine-tuned in the cell. It is
    one victim: given it the pairs are independent, as each had a coin of its own, and the limits speak of it alone; another differs.
    Bends: N. What the model keeps of single pairs beyond their concept is read out as a score.
    """
    if not isinstance(case.target, Trainable):
        raise Refused("this target cannot be fine-tuned (capability train), so there are no known members")
    if case.defense is not None and (case.defense.stage == "training" or not case.defense.modalities & {"image", "embedding"}):
        raise Refused(f"{case.defense.id} acts on {case.defense.stage}; this threat asks a trained model about clean pairs")
    audience = Audience.split(case.data, max(case.effort.members, FEWEST_MEMBERS), case.generator("pairs"), case.generator("split"))
    victim = _victim(case, case.target, audience)
    systems: list[tuple[str, Encoder, Callable[[Encoder], Encoder], int]] = [
        ("clean", case.target, _plain, 1),
        ("attacked", victim, _plain, 1),
    ]
    if case.defense is not None:
        defense, seed = case.defense, case.generator("defense").initial_seed()

        def wrap(encoder: Encoder) -> Encoder:
            return defense.wrap(encoder, seed=seed)

        systems += [("defended", case.target, wrap, 1), ("defended_attacked", victim, wrap, 1)]
        if defense.stochastic:
            systems.append(("defended_adaptive", victim, wrap, REPEATS))
    tables: dict[str, list[Evidence]] = {name: [] for name in SCORES}
    service: list[Evidence] = []
    # The user's service: the same system's zero-shot answers to pictures it was never trained on.
    held = case.data.draw(case.effort.trials, case.generator("service"))
    for index, (arm, encoder, wrapped, repeats) in enumerate(systems):
        case.progress(arm, index, len(systems))
        answer = wrapped(encoder)
        views = _views(answer, audience.pairs, case.generator("augmentations"), repeats)
        for name, scores in _scores(views, audience).items():
            tables[name].append(_table(name, arm, scores, audience, views.passes))
        service.append(zero_shot(answer, held, embed_images(answer, held.images), arm=arm, channel="service", adversary=None, costs={}))
    case.progress("done", len(systems), len(systems))
    return (*(Evidence.concat(tables[name]) for name in SCORES), Evidence.concat(service))


def rates(evidence: Evidence) -> tuple[Rate, ...]:
    """The paper's metric, TPR at 1% FPR, with the AUC beside it; for the service channel the user's accuracy."""
    if evidence.channel == "service":
        return accuracy(evidence, "zero-shot accuracy")
    return membership_rates(evidence)


def _plain(encoder: Encoder) -> Encoder:
    return encoder


@dataclass(frozen=True)
class _Views:
    """similarity (n,): cosine of the pair. drops (n, a): how much it falls under each augmentation. passes per pair."""

    similarity: Tensor
    drops: Tensor
    passes: int


def _views(encoder: Encoder, pairs: Pairs, generator: torch.Generator, repeats: int) -> _Views:
    similarity, drops = [], []
    for _ in range(repeats):
        text = embed_texts(encoder, pairs.captions)
        plain = (embed_images(encoder, pairs.images) * text).sum(dim=1)
        augmented = [(embed_images(encoder, view) * text).sum(dim=1) for view in _augmentations(pairs.images, generator)]
        similarity.append(plain)
        drops.append(torch.stack([plain - view for view in augmented], dim=1))
    views = len(drops[0][0])
    return _Views(torch.stack(similarity).mean(dim=0), torch.stack(drops).mean(dim=0), repeats * (2 + views))


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


def _scores(views: _Views, audience: Audience) -> Mapping[str, Tensor]:
    """Each attack's score for every pair of the audience; higher says member."""
    features = torch.cat([views.similarity[:, None], views.drops], dim=1)
    return {
        "similarity": views.similarity,
        "augmentation": views.similarity + views.drops.sum(dim=1),
        "weakly supervised": weakly_supervised(features, views.similarity, audience),
    }


def _table(name: str, arm: str, scores: Tensor, audience: Audience, passes: int) -> Evidence:
    """One arm of one score over the evaluated pairs: A is member or not, Y the attacker's guess."""
    rows = audience.evaluated
    count = len(rows)
    return Evidence(
        channel=name,
        kind="read",
        intent_alphabet=(),
        adversary_alphabet=("non-member", "member"),
        outcome_alphabet=("non-member", "member"),
        arm=np.full(count, ARMS.index(arm), dtype=np.int8),
        trial=np.arange(count, dtype=np.int64),
        intent=np.full(count, NONE, dtype=np.int32),
        adversary=audience.member[rows].numpy().astype(np.int32),
        outcome=guess(scores, audience).numpy().astype(np.int32),
        success=(guess(scores, audience) == audience.member[rows].long()).numpy().astype(np.int8),
        score=scores[rows].double().numpy(),
        costs={"queries": np.full(count, float(passes)), "forward_passes": np.full(count, float(passes))},
    )


def _victim(case: ModelCase, target: Trainable, audience: Audience) -> Trainable:
    members = torch.nonzero(audience.member).squeeze(1)
    chosen = audience.pairs.take(members)

    def compute() -> dict[str, Tensor]:
        student, losses = finetune(
            target, chosen.images, chosen.captions, Training(EPOCHS), case.generator("finetune"),
            lambda done, total: case.progress("training on the members", done, total),
        )  # fmt: skip
        note(case, "similarity", "attacked", losses, (), "training loss (victim)")
        return weights(student)

    return restore(target, case.once("model/victim", compute))


RECIPE = Recipe(
    ko_vlm_mia, rates, fidelity="reduced", channels={**dict.fromkeys(SCORES, "read"), "service": "jam"}, quick=("embedding-noise",)
)
