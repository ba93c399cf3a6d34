"""CrossFire (Dou et al., 2024): make the target speak the carrier's modality first, then close the angle to it."""

from __future__ import annotations

from torch import Tensor

from hartley.attacks.case import ModelCase
from hartley.attacks.engine.arms import check_applies
from hartley.attacks.engine.attack import Attack
from hartley.attacks.engine.budget import Linf
from hartley.attacks.engine.carrier import PIXELS
from hartley.attacks.engine.objective import Objective, angle
from hartley.attacks.engine.optimizer import SignGradient
from hartley.attacks.engine.reference import rendering
from hartley.attacks.engine.success import accuracy, successes
from hartley.attacks.engine.targeted import Channel, targeted_channel
from hartley.attacks.recipe import Recipe
from hartley.bits.rates import Rate
from hartley.data.pairs import Pairs
from hartley.evidence import Evidence
from hartley.targets.protocols import Encoder

POOL = 600
"""Pictures from which likenesses of the targets are taken."""


def crossfire(case: ModelCase) -> tuple[Evidence, ...]:
    """Claim: turning the target into the carrier's own modality and minimizing the angle to it beats aiming at its text.
    Does: takes a picture of the target symbol from data the attacked trials do not share, and minimizes the arc cosine
    between the two pictures' embeddings by sign gradient within 8/255 of the pixel range.
    Left out: the text-to-image and text-to-speech models that would render the target (an example is retrieved instead).
    Bends: N. Power is added along another concept's direction, inside the carrier's own modality cone.
    """
    check_applies(case, frozenset({"image"}))
    pairs = case.data.draw(case.effort.trials + POOL, case.generator("pairs"))
    half = min(case.effort.trials, len(pairs) // 2)
    pool = pairs.take(range(half, len(pairs)))

    def likeness(encoder: Encoder, attacked: Pairs, targets: Tensor) -> Objective:
        del attacked
        return angle(rendering(encoder, pool, targets, "image", case.generator("rendering")))

    attack = Attack(PIXELS, Linf(8 / 255, "pixel"), SignGradient(case.effort.steps))
    return (targeted_channel(case, pairs.take(range(half)), Channel("image", attack, likeness)),)


def rates(evidence: Evidence) -> tuple[Rate, ...]:
    """The paper's metric: the downstream task answers with the target; the user's accuracy beside it."""
    return (*successes(evidence, "downstream hits target"), *accuracy(evidence, "zero-shot accuracy"))


RECIPE = Recipe(crossfire, rates, fidelity="reduced", transfers=True, channels={"image": "write"}, quick=())
