"""Co-Attack (Zhang et al., ACM MM 2022): caption first, then the picture, so that the two perturbations pull together."""

from __future__ import annotations

from collections.abc import Sequence

from hartley.attacks.engine.attack import pixels
from hartley.attacks.engine.joint import DIRECTIONS, joint_channels, substitution
from hartley.attacks.engine.objective import diverge, through, weighted
from hartley.attacks.engine.optimizer import SignGradient
from hartley.attacks.engine.perturbed import Inputs, check_applies, perturbed
from hartley.attacks.engine.success import counted
from hartley.case import ModelCase
from hartley.evidence import Evidence
from hartley.recipe import Recipe
from hartley.rows import Arm
from hartley.targets.embedding import embed_images, embed_texts
from hartley.targets.protocols import Encoder

STEPS = 10
ALPHA = 3.0


def co_attack(case: ModelCase) -> tuple[Evidence, ...]:
    """Claim: perturbing picture and caption together, each aware of the other, beats either alone and both side by side.
    Does: replaces one word of ten candidates so that the caption's embedding diverges most (KL); then perturbs the picture
    within 2/255 (10 steps of 1.25/10 of it) away from its clean embedding and, weighted 3, from the perturbed caption.
    Left out: BERT as the source of candidates (a cloze model counted on captions instead), words that carry the concept
    are kept; visual entailment and grounding.
    Limits speak of this gallery: every query is ranked among the same trials.
    Bends: N. Both embeddings leave their concept's direction, in opposite senses, so that retrieval misses.
    """
    check_applies(case, frozenset({"image", "text"}))
    pairs = case.data.draw(case.effort.trials, case.generator("pairs"))
    swap = substitution(case, pairs)

    attack = pixels(2, SignGradient(STEPS, size=2 / 255 / STEPS * 1.25, start=True))

    def craft(encoder: Encoder, arm: Arm) -> tuple[Inputs, Sequence[str], float]:
        away_from_caption = diverge(embed_texts(encoder, pairs.captions))
        texts, scored = swap.craft(pairs.captions, lambda texts, rows: away_from_caption(embed_texts(encoder, texts), rows))
        objective = weighted((1.0, diverge(embed_images(encoder, pairs.images))), (ALPHA, diverge(embed_texts(encoder, texts))))
        name, seeded = DIRECTIONS[0], (arm.name,)
        return perturbed(case, arm, name, attack, through(encoder.embed_image, objective), pairs.images, seeded), texts, scored

    return joint_channels(case, pairs, craft)


COUNTED = counted("attack success on R@1", "symbol right at rank 1")
RECIPE = Recipe(co_attack, COUNTED, fidelity="reduced", transfers=True, channels=dict.fromkeys(DIRECTIONS, "jam"), quick=())
