"""CrossFire (Dou et al., 2024): make the target speak the carrier's modality first, then close the angle to it."""

from __future__ import annotations

import torch
from torch import Tensor

from hartley.attacks.engine.attack import pixels
from hartley.attacks.engine.objective import Objective, angle
from hartley.attacks.engine.optimizer import SignGradient
from hartley.attacks.engine.perturbed import check_applies
from hartley.attacks.engine.success import counted
from hartley.attacks.engine.targeted import targeted
from hartley.case import ModelCase
from hartley.channel import measure
from hartley.data.pairs import Pairs
from hartley.evidence import Evidence
from hartley.recipe import Recipe
from hartley.targets.embedding import embed_images
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
    attack = pixels(8, SignGradient(case.effort.steps))

    def likeness(encoder: Encoder, targets: Tensor) -> Objective:
        return angle(embed_images(encoder, pool.images[examples(pool, targets, case.generator("rendering"))]))

    pool = pairs.take(range(half, len(pairs)))
    return measure(case, targeted(case, "image", attack, pairs.take(range(half)), likeness))


def examples(pool: Pairs, targets: Tensor, generator: torch.Generator) -> Tensor:
    """(n,) for each row's target symbol the place of a picture of it. Raises ValueError where the pool has none."""
    chosen = torch.empty_like(targets)
    for symbol in targets.unique().tolist():
        rows = torch.nonzero(pool.labels == symbol).squeeze(1)
        if len(rows) == 0:
            raise ValueError(f"no example of {pool.label_names[symbol]!r} to render the target from")
        wanted = targets == symbol
        chosen[wanted] = rows[torch.randint(len(rows), (int(wanted.sum()),), generator=generator)]
    return chosen


COUNTED = counted("downstream hits target", "zero-shot accuracy")
RECIPE = Recipe(crossfire, COUNTED, fidelity="reduced", transfers=True, channels={"image": "write"}, quick=())
