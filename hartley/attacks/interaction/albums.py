"""Albums: what a society that shows each other pictures leaves to look at, and how far a payload can get at most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hartley.attacks.case import Flag, SystemCase
from hartley.attacks.interaction.agent_words import PAYLOADS
from hartley.attacks.interaction.dynamics import observed
from hartley.attacks.interaction.multimodal_agents import AgentAnswers, Run
from hartley.attacks.interaction.pictures import ENTROPY, FARTHEST, RING, RING_ROUNDS, Answers, Asked, size
from hartley.bits.contraction import contraction
from hartley.exhibit import Exhibit
from hartley.targets.reference.language import DIGITS
from hartley.targets.society.members import PLACES
from hartley.targets.society.reach import reach_bound
from hartley.targets.society.spreading import total
from hartley.targets.society.topologies import ring

PERMUTATIONS = 199


def bounds(case: SystemCase, runs: Sequence[Run], viruses: int) -> None:
    """What a member at each distance can have heard of the payload at most, by the contraction of the edge that was measured: of one
    society for each virus the first round, in which the source meets one member, so that trials are independent."""
    graph = ring(RING)
    events = total([one.spread.events[0] for one in runs[:viruses]])
    if events.exposed == 0:
        return
    eta = contraction(events.edge, permutations=PERMUTATIONS, seed=case.seed("contraction") % 2**32)
    for distance in range(1, FARTHEST + 1):
        bound = reach_bound(graph, 0, distance, eta.high, RING_ROUNDS, ENTROPY, seed=case.seed("reach", distance) % 2**32)
        case.measure(f"distance {distance}", "attacked", bound)


def show(case: SystemCase, sight: AgentAnswers, trials: Mapping[str, Asked], answers: Answers, pairs: Sequence[Run]) -> None:
    """The society's curves beside the picture, and one answer that is the payload and one that is not."""
    gallery, wording = sight.gallery, sight.eyes.wording
    both = (gallery.placebo(0), gallery.virus(0))
    said, said_attacked = sight.say([(picture, wording.describe) for picture in both])
    shown, shown_attacked = (_pixels(gallery.pictures[picture]) for picture in both)
    outbreak = observed([one.spread for one in pairs], PLACES, case.seed("million") % 2**32, agents=size(case).agents)
    if outbreak is None:
        case.flags.append(Flag("edge", "attacked", "no exposure", "no carrier met a member without the picture: nothing could be fitted"))
    case.exhibits.append(
        Exhibit(
            "edge",
            "attacked",
            DIGITS[gallery.digits[gallery.virus(0)]],
            wording.payloads[0],
            said,
            said_attacked,
            shown,
            shown_attacked,
            text_clean=wording.describe,
            spreading=None if outbreak is None else outbreak.spreading(),
        )
    )
    for wanted in (True, False):
        for place in np.flatnonzero(answers["success"] == wanted)[:1].tolist():
            payload = int(answers["number"][place]) % PAYLOADS
            both_arms = [trials[arm].only(place) for arm in ("clean", "attacked")]
            said, said_attacked = (one.answers(sight.eyes, gallery)[0] for one in both_arms)
            shown, shown_attacked = (_pixels(gallery.pictures[one.pictures[0]]) for one in both_arms)
            asked_then = [one.talks[0][-1].text for one in both_arms]
            truth = DIGITS[int(answers["intent"][place])]
            case.exhibits.append(
                Exhibit(
                    "answer",
                    "attacked",
                    truth,
                    wording.payloads[payload],
                    said,
                    said_attacked,
                    shown,
                    shown_attacked,
                    text_clean=asked_then[0],
                    text_attacked=asked_then[1],
                )
            )


def _pixels(picture: Tensor) -> NDArray[np.uint8]:
    return (picture.permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
