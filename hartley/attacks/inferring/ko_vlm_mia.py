"""Practical membership inference against multimodal models (Ko et al., ICCV 2023): similarity, augmentation, weak supervision."""

from __future__ import annotations

from hartley.attacks.engine.membership import (
    FEWEST_MEMBERS,
    SERVICE,
    Audience,
    Scores,
    Victim,
    rates_beside_service,
    trained_on_members,
)  # fmt: skip
from hartley.case import ModelCase, Refused
from hartley.channel import measure
from hartley.evidence import Evidence
from hartley.recipe import Recipe
from hartley.targets.finetune import Training
from hartley.targets.protocols import Trainable

EPOCHS = 30
"""Passes over the members: enough that the model knows them better than others, few enough that it is not a lookup table."""
REPEATS = 4
"""Times an attacker asks a stochastic defense for the same answer and averages."""


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
    defense = case.defense
    if defense is not None and (defense.stage == "training" or not defense.modalities & {"image", "embedding"}):
        raise Refused(f"{defense.id} acts on {defense.stage}; this threat asks a trained model about clean pairs")
    audience = Audience.split(case.data, max(case.effort.members, FEWEST_MEMBERS), case.generator("pairs"), case.generator("split"))
    victim = Victim(case, trained_on_members(case, case.target, audience, Training(EPOCHS)), audience, REPEATS)
    scores: Scores = {
        "similarity": lambda similarity, _: similarity,
        "augmentation": lambda similarity, drops: similarity + drops.sum(dim=1),
        "weakly supervised": victim.supervised,
    }
    return measure(case, *victim.channels(scores))


CHANNELS = {**dict.fromkeys(("similarity", "augmentation", "weakly supervised"), "read"), SERVICE: "jam"}
RECIPE = Recipe(ko_vlm_mia, rates_beside_service, fidelity="reduced", channels=CHANNELS, quick=("embedding-noise",))
