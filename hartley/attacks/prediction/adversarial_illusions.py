"""Adversarial Illusions (Zhang et al., USENIX Security 2024): an input that means something else in the shared space."""

from __future__ import annotations

from torch import Tensor

from hartley.attacks.case import Flag, ModelCase, Refused
from hartley.attacks.engine.arms import applies, check_applies
from hartley.attacks.engine.attack import Attack
from hartley.attacks.engine.budget import Linf, Snr
from hartley.attacks.engine.carrier import PIXELS, WAVEFORM
from hartley.attacks.engine.objective import Objective, toward
from hartley.attacks.engine.optimizer import SignGradient, Square
from hartley.attacks.engine.reference import embed_texts
from hartley.attacks.engine.success import accuracy, successes
from hartley.attacks.engine.targeted import Channel, targeted_channel
from hartley.attacks.recipe import Recipe
from hartley.bits.rates import Rate, success_rate
from hartley.data.pairs import Pairs
from hartley.evidence import Evidence
from hartley.targets.protocols import Encoder

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
    found = []
    if "image" in carriers and applies(case, frozenset({"image"})):
        white = targeted_channel(case, pairs, Channel("image", Attack(PIXELS, Linf(16 / 255, "pixel"), gradient), _toward_text))
        queries = Attack(PIXELS, Linf(16 / 255, "pixel"), Square(QUERIES_A_STEP * case.effort.steps))
        black = targeted_channel(case, _share(case, pairs, QUERY_SHARE), Channel("image by queries", queries, _toward_text))
        _black_beats_white(case, white, black)
        found += [white, black]
    if "audio" in carriers and pairs.audio is not None and applies(case, frozenset({"audio"})):
        speech = Channel("audio", Attack(WAVEFORM, Snr(30, "waveform"), gradient), _toward_text)
        found.append(targeted_channel(case, _share(case, pairs, AUDIO_SHARE), speech))
    if not found:
        raise Refused("neither the target nor the data has speech, and the defense leaves pictures alone")
    return tuple(found)


def _share(case: ModelCase, pairs: Pairs, share: int) -> Pairs:
    """One in so many pairs; all of them where the user has asked for so many trials."""
    return pairs if case.effort.exact else pairs.take(range(len(pairs) // share))


def rates(evidence: Evidence) -> tuple[Rate, ...]:
    """The paper's metric: the target is the zero-shot top-1; the user's accuracy beside both."""
    return (*successes(evidence, "targeted top-1"), *accuracy(evidence, "zero-shot accuracy"))


def _toward_text(encoder: Encoder, pairs: Pairs, targets: Tensor) -> Objective:
    return toward(embed_texts(encoder, pairs.prompts)[targets])


def _black_beats_white(case: ModelCase, white: Evidence, black: Evidence) -> None:
    """A query attack that does better than the gradient says the gradient is masked."""
    for arm in ("attacked", "defended_adaptive"):
        if arm in white.arms and arm in black.arms:
            gradient, queries = (success_rate("success", arm, part.of(arm).success, headline=True) for part in (white, black))
            if gradient is not None and queries is not None and queries.low > gradient.high:
                why = f"queries alone succeed on {queries.low:.0%} or more, the gradient on {gradient.high:.0%} at most: it is masked"
                case.flags.append(Flag("image", arm, "black box beats white box", why))


RECIPE = Recipe(
    adversarial_illusions,
    rates,
    fidelity="reduced",
    transfers=True,
    channels={"image": "write", "image by queries": "write", "audio": "write"},
    quick=("bit-reduction",),
)
