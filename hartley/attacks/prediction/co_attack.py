"""Co-Attack (Zhang et al., ACM MM 2022): caption first, then the picture, so that the two perturbations pull together."""

from __future__ import annotations

from torch import Tensor

from hartley.attacks.case import ModelCase
from hartley.attacks.engine.arms import check_applies, note
from hartley.attacks.engine.attack import Attack
from hartley.attacks.engine.budget import Linf
from hartley.attacks.engine.carrier import PIXELS
from hartley.attacks.engine.joint import DIRECTIONS, against, joint_channels, substitution
from hartley.attacks.engine.objective import diverge, weighted
from hartley.attacks.engine.optimizer import SignGradient
from hartley.attacks.engine.reference import embed_images, embed_texts
from hartley.attacks.engine.success import accuracy, successes
from hartley.attacks.recipe import Recipe
from hartley.bits.rates import Rate
from hartley.evidence import Evidence
from hartley.targets.protocols import Encoder

BUDGET = Linf(2 / 255, "pixel")
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

    def craft(encoder: Encoder, arm: str) -> tuple[Tensor, list[str], float]:
        away_from_caption = diverge(embed_texts(encoder, pairs.captions))
        texts, asked = swap.craft(pairs.captions, against(encoder, away_from_caption))
        objective = weighted((1.0, diverge(embed_images(encoder, pairs.images))), (ALPHA, diverge(embed_texts(encoder, texts))))
        attack = Attack(PIXELS, BUDGET, SignGradient(STEPS, size=BUDGET.epsilon / STEPS * 1.25, start=True))
        crafted = attack.craft(
            encoder.embed_image, objective, pairs.images, case.generator("craft", arm), lambda done, total: case.progress(arm, done, total)
        )
        note(case, "image to text", arm, crafted.losses, crafted.warnings)
        return crafted.adversarial, texts, crafted.passes + asked

    return joint_channels(case, pairs, craft, BUDGET)


def rates(evidence: Evidence) -> tuple[Rate, ...]:
    """The paper's metric: the share of trials right at rank 1 without the attack that it makes wrong; recall beside it."""
    return (*successes(evidence, "attack success on R@1"), *accuracy(evidence, "symbol right at rank 1"))


RECIPE = Recipe(co_attack, rates, fidelity="reduced", transfers=True, channels=dict.fromkeys(DIRECTIONS, "jam"), quick=())
