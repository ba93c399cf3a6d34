"""Set-level Guidance Attack (Lu et al., ICCV 2023): many captions and many scales guide one perturbation."""

from __future__ import annotations

from torch import Tensor

from hartley.attacks.case import ModelCase
from hartley.attacks.engine.arms import check_applies, note
from hartley.attacks.engine.attack import Attack
from hartley.attacks.engine.budget import Linf
from hartley.attacks.engine.carrier import PIXELS
from hartley.attacks.engine.expectation import Scales
from hartley.attacks.engine.joint import DIRECTIONS, against, caption_sets, joint_channels, substitution
from hartley.attacks.engine.objective import away, away_from_set
from hartley.attacks.engine.optimizer import SignGradient
from hartley.attacks.engine.reference import embed_images
from hartley.attacks.engine.schedule import sequential
from hartley.attacks.engine.success import accuracy, successes
from hartley.attacks.recipe import Recipe
from hartley.bits.rates import Rate
from hartley.evidence import Evidence
from hartley.targets.protocols import Encoder

BUDGET = Linf(2 / 255, "pixel")
STEPS = 10
SHARE = 2
"""The attack runs on half of the trials: five views a step and words twice cost five times a plain attack."""
VIEWS = Scales((1.0, 0.5, 0.75, 1.25, 1.5), sigma=0.05)

State = tuple[Tensor, list[tuple[str, ...]], float]


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

    def craft(encoder: Encoder, arm: str) -> tuple[Tensor, list[str], float]:
        def text_stage(state: State) -> State:
            images, sets, passes = state
            loss = away(embed_images(encoder, images))
            flat = [caption for captions in pairs.caption_sets for caption in captions]
            owner = [row for row, captions in enumerate(pairs.caption_sets) for _ in captions]
            texts, asked = swap.craft(flat, against(encoder, lambda embedding, rows: loss(embedding, _owners(owner, rows))))
            return images, _regroup(texts, sets), passes + asked * len(flat) / len(pairs)

        def image_stage(state: State) -> State:
            _, sets, passes = state
            attack = Attack(PIXELS, BUDGET, SignGradient(STEPS, size=0.5 / 255), VIEWS)
            crafted = attack.craft(
                encoder.embed_image,
                away_from_set(*caption_sets(encoder, sets)),
                pairs.images,
                case.generator("craft", arm),
                lambda done, total: case.progress(arm, done, total),
            )
            note(case, "image to text", arm, crafted.losses, crafted.warnings)
            return crafted.adversarial, sets, passes + crafted.passes

        stages = (("words", text_stage), ("picture", image_stage), ("words again", text_stage))
        images, sets, passes = sequential((pairs.images, list(pairs.caption_sets), 0.0), stages, case.progress)
        texts = [captions[_place(pairs.captions[row], pairs.caption_sets[row])] for row, captions in enumerate(sets)]
        return images, texts, passes

    return joint_channels(case, pairs, craft, BUDGET)


def rates(evidence: Evidence) -> tuple[Rate, ...]:
    """The paper's metric: the share of trials right at rank 1 without the attack that it makes wrong; recall beside it."""
    return (*successes(evidence, "attack success on R@1"), *accuracy(evidence, "symbol right at rank 1"))


def _owners(owner: list[int], rows: Tensor) -> Tensor:
    return rows.new_tensor(owner)[rows]


def _regroup(texts: list[str], sets: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    rest = iter(texts)
    return [tuple(next(rest) for _ in captions) for captions in sets]


def _place(caption: str, captions: tuple[str, ...]) -> int:
    """Where the trial's own caption stands in its set; a set always starts with captions that fit, so 0 fits when it is not there."""
    return captions.index(caption) if caption in captions else 0


RECIPE = Recipe(sga, rates, fidelity="reduced", transfers=True, channels=dict.fromkeys(DIRECTIONS, "jam"), quick=())
