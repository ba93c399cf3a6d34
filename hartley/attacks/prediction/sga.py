"""Set-level Guidance Attack (Lu et al., ICCV 2023): many captions and many scales guide one perturbation."""

from __future__ import annotations

from collections.abc import Sequence

from hartley.attacks.engine.attack import pixels
from hartley.attacks.engine.expectation import Scales
from hartley.attacks.engine.joint import DIRECTIONS, caption_sets, joint_channels, reworded, substitution
from hartley.attacks.engine.objective import away_from_set, through
from hartley.attacks.engine.optimizer import SignGradient
from hartley.attacks.engine.perturbed import Inputs, check_applies, perturbed
from hartley.attacks.engine.success import counted
from hartley.case import ModelCase
from hartley.evidence import Evidence
from hartley.recipe import Recipe
from hartley.rows import Arm
from hartley.targets.protocols import Encoder

STEPS = 10
SHARE = 2
"""The attack runs on half of the trials: five views a step and words twice cost five times a plain attack."""
VIEWS = Scales((1.0, 0.5, 0.75, 1.25, 1.5), sigma=0.05)


def sga(case: ModelCase) -> tuple[Evidence, ...]:
    """Claim: guidance by sets of captions and scales lifts white-box and transferred attack success on retrieval above Co-Attack's.
    Does: text, picture, text. One word of each caption in the set is replaced to lower its cosine to the picture; the
    picture is moved within 2/255 (10 steps of 0.5/255) from the whole set over five scales with noise 0.05; words again.
    Left out: BERT as the source of candidates (a cloze model counted on captions instead), words that carry the concept
    are kept.
    Limits speak of this gallery: every query is ranked among the same trials.
    Bends: N. One perturbation that holds over captions and scales leaves the concept's direction more surely.
    """
    check_applies(case, frozenset({"image", "text"}))
    pairs = case.data.draw(case.effort.trials_for(1 / SHARE), case.generator("pairs"))
    swap = substitution(case, pairs)

    attack = pixels(2, SignGradient(STEPS, size=0.5 / 255), VIEWS)

    def craft(encoder: Encoder, arm: Arm) -> tuple[Inputs, Sequence[str], float]:
        sets, first = reworded(swap, encoder, pairs, pairs.images)
        objective = away_from_set(*caption_sets(encoder, sets))
        inputs = perturbed(case, arm, DIRECTIONS[0], attack, through(encoder.embed_image, objective), pairs.images, (arm.name,))
        sets, again = reworded(swap, encoder, pairs, inputs.values)
        return inputs, [captions[place] for captions, place in zip(sets, places, strict=True)], first + again

    # A set always starts with captions that fit, so that the first does where the trial's own is not among them.
    own = zip(pairs.captions, pairs.caption_sets, strict=True)
    places = [captions.index(caption) if caption in captions else 0 for caption, captions in own]
    return joint_channels(case, pairs, craft)


COUNTED = counted("attack success on R@1", "symbol right at rank 1")
RECIPE = Recipe(sga, COUNTED, fidelity="reduced", transfers=True, channels=dict.fromkeys(DIRECTIONS, "jam"), quick=())
