"""CrossFire (Dou et al., 2024): make the target speak the carrier's modality first, then close the angle to it."""

from __future__ import annotations

from torch import Tensor

from hartley.attacks.case import Case, Refused
from hartley.attacks.engine.arms import applies, check_applies
from hartley.attacks.engine.attack import Attack
from hartley.attacks.engine.budget import Linf, Snr
from hartley.attacks.engine.carrier import PIXELS, WAVEFORM
from hartley.attacks.engine.objective import Objective, angle
from hartley.attacks.engine.optimizer import SignGradient
from hartley.attacks.engine.reference import rendering
from hartley.attacks.engine.success import accuracy, successes
from hartley.attacks.engine.targeted import Channel, targeted_channel
from hartley.bits.rates import Rate
from hartley.data.pairs import Pairs
from hartley.evidence import Evidence
from hartley.targets.protocols import Encoder

POOL = 600
"""Pictures from which likenesses of the targets are taken."""


def crossfire(case: Case) -> tuple[Evidence, ...]:
    """Claim: turning the target into the carrier's own modality and minimizing the angle to it beats aiming at its text.
    Does: takes a picture (or a spoken phrase) of the target from data the model was not trained on, minimizes the arc
    cosine to its embedding by sign gradient: pictures within 8/255 of the pixel range, speech at 30 dB SNR.
    Left out: text-to-image and text-to-speech models that would render the target (an example is retrieved instead); transfer.
    Bends: N. Power is added along another concept's direction, inside the carrier's own modality cone.
    """
    carriers = frozenset({"image"}) | ({"audio"} if "audio" in case.target.modalities else frozenset())
    check_applies(case, carriers)
    pairs = case.data.draw(case.effort.trials + POOL, case.generator("pairs"))
    half = min(case.effort.trials, len(pairs) // 2)
    shown, pool = pairs.take(range(half)), pairs.take(range(half, len(pairs)))

    def channel(name: str, attack: Attack) -> Channel:
        def objective(encoder: Encoder, attacked: Pairs, targets: Tensor) -> Objective:
            del attacked
            return angle(rendering(encoder, pool, targets, attack.carrier.modality, case.generator("rendering", name)))

        return Channel(name, attack, objective)

    gradient = SignGradient(case.effort.steps)
    found = []
    if applies(case, frozenset({"image"})):
        found.append(targeted_channel(case, shown, channel("image", Attack(PIXELS, Linf(8 / 255, "pixel"), gradient))))
    if "audio" in carriers and shown.audio is not None and applies(case, frozenset({"audio"})):
        found.append(targeted_channel(case, shown, channel("audio", Attack(WAVEFORM, Snr(30, "waveform"), gradient))))
    if not found:
        raise Refused("neither the target nor the data has speech, and the defense leaves pictures alone")
    return tuple(found)


def rates(evidence: Evidence) -> tuple[Rate, ...]:
    """The paper's metric: the downstream task answers with the target; the user's accuracy beside it."""
    return (*successes(evidence, "downstream hits target"), *accuracy(evidence, "zero-shot accuracy"))
