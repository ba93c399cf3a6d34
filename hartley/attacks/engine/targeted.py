"""One modality perturbed toward a target symbol and read out by zero-shot classification: what several recipes share."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from hartley.attacks.engine.attack import Attack
from hartley.attacks.engine.objective import Objective, through
from hartley.attacks.engine.perturbed import KEPT, Inputs, Models, before_and_after, crafted, perturbed
from hartley.attacks.engine.readout import embed_inputs, of_pairs, zero_shot
from hartley.case import ModelCase
from hartley.channel import Channel
from hartley.data.dealing import dealt
from hartley.data.pairs import Pairs
from hartley.rows import Arm, Rows, Sent
from hartley.targets.protocols import Encoder


def targeted(
    case: ModelCase, name: str, attack: Attack, pairs: Pairs, objective: Callable[[Encoder, Tensor], Objective]
) -> Channel[Encoder, Inputs]:
    """A channel toward symbols drawn independently of the user's. objective: (encoder, targets (n,)) to what the attack makes small."""
    modality, models = attack.carrier.modality, Models(case, case.target, name)
    # The target may happen to be the truth: otherwise what the user sends would inflate what the adversary seems to write.
    targets = torch.tensor(dealt(case.random("targets", name), pairs.labels.tolist(), len(pairs.label_names)))
    clean = Inputs.of(modality, pairs.images if modality == "image" else pairs.audio)

    def craft(arm: Arm, encoder: Encoder, _: Inputs | None) -> Inputs:
        embed = encoder.embed_image if modality == "image" else encoder.embed_audio
        return crafted(
            case, arm, name, lambda: perturbed(case, arm, name, attack, through(embed, objective(encoder, targets)), clean.values)
        )

    def ask(_: Arm, encoder: Encoder, given: Inputs | None) -> Rows:
        inputs = given or clean
        return zero_shot(encoder, pairs, embed_inputs(encoder, modality, inputs), targets, inputs.costs)

    show = before_and_after(clean, pairs.captions, case.target.sample_rate if modality == "audio" else None)
    sent = Sent(pairs.labels, targets)
    return Channel(name, "write", of_pairs(pairs), sent, models.asked, ask, craft, models.made_on, show=show, shown=KEPT)
