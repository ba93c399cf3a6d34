"""Adversarial Illusions (Zhang et al., USENIX Security 2024): an input that means something else in the shared space."""

from __future__ import annotations

from hartley.attacks.engine.attack import Attack, pixels, waveform
from hartley.attacks.engine.objective import toward
from hartley.attacks.engine.optimizer import SignGradient, Square
from hartley.attacks.engine.perturbed import applies, check_applies
from hartley.attacks.engine.success import counted, flag_masked
from hartley.attacks.engine.targeted import targeted
from hartley.case import ModelCase, Refused
from hartley.channel import measure
from hartley.evidence import Evidence
from hartley.recipe import Recipe
from hartley.targets.embedding import embed_texts

QUERY_SHARE = 3
QUERIES_A_STEP = 10
AUDIO_SHARE = 2
"""The query variant and the speech channel run on a third and on half of the trials: each input costs them more."""


def adversarial_illusions(case: ModelCase) -> tuple[Evidence, ...]:
    """Claim: pictures and sounds aligned with an arbitrary text in the embedding deceive every downstream task at once.
    Does: sign-gradient ascent with momentum on the cosine to the target's text, pictures in an L-infinity ball of 16/255
    of the pixel range, speech at 30 dB SNR on the waveform; the query variant is the Square attack on the cosine alone.
    Left out: generation downstream of the embedding; zero-shot classification only. With a surrogate: one, and no ensemble.
    Bends: N. The perturbation adds power outside the true concept's direction until the target's concept prevails.
    """
    carriers = case.target.modalities & {"image", "audio"}
    check_applies(case, carriers)
    pairs = case.data.draw(case.effort.trials, case.generator("pairs"), speech="audio" in case.target.modalities)
    gradient = SignGradient(case.effort.steps, momentum=0.9)

    def toward_text(name: str, attack: Attack, share: int) -> Evidence:
        own = pairs if case.effort.exact else pairs.take(range(len(pairs) // share))
        (found,) = measure(case, targeted(case, name, attack, own, lambda encoder, to: toward(embed_texts(encoder, own.prompts)[to])))
        return found

    found = []
    if "image" in carriers and applies(case, frozenset({"image"})):
        found.append(toward_text("image", pixels(16, gradient), 1))
        found.append(toward_text("image by queries", pixels(16, Square(QUERIES_A_STEP * case.effort.steps)), QUERY_SHARE))
        flag_masked(case, "image", *found)
    if "audio" in carriers and pairs.audio is not None and applies(case, frozenset({"audio"})):
        found.append(toward_text("audio", waveform(30, gradient), AUDIO_SHARE))
    if not found:
        raise Refused("neither the target nor the data has speech, and the defense leaves pictures alone")
    return tuple(found)


RECIPE = Recipe(
    adversarial_illusions,
    counted("targeted top-1", "zero-shot accuracy"),
    fidelity="reduced",
    transfers=True,
    channels={"image": "write", "image by queries": "write", "audio": "write"},
    quick=("bit-reduction",),
)
