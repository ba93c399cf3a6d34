"""One modality perturbed toward a target symbol and read out by zero-shot classification: what several recipes share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from hartley.attacks.case import ModelCase
from hartley.attacks.engine.arms import Inputs, all_arms, crafted_once, note
from hartley.attacks.engine.attack import Attack
from hartley.attacks.engine.dealing import dealt
from hartley.attacks.engine.exhibits import Sides, keep
from hartley.attacks.engine.objective import Objective
from hartley.attacks.engine.optimizer import Square
from hartley.attacks.engine.readout import embed_modality, zero_shot
from hartley.data.pairs import Pairs
from hartley.evidence import Evidence
from hartley.targets.protocols import Encoder


@dataclass(frozen=True)
class Channel:
    """name: of the channel. attack: how. objective: (encoder, pairs, targets (n,)) to what the attack makes small."""

    name: str
    attack: Attack
    objective: Callable[[Encoder, Pairs, Tensor], Objective]


def targeted_channel(case: ModelCase, pairs: Pairs, channel: Channel) -> Evidence:
    """All arms of one modality's attack toward symbols drawn independently of the user's."""
    modality = channel.attack.carrier.modality
    # The target may happen to be the truth: otherwise what the user sends would inflate what the adversary seems to write.
    targets = torch.tensor(dealt(case.random("targets", channel.name), pairs.labels.tolist(), len(pairs.label_names)))
    clean = Inputs(images=pairs.images) if modality == "image" else Inputs(audio=pairs.audio)

    def craft(encoder: Encoder, arm: str) -> Inputs:
        return craft_inputs(case, pairs, channel, targets, encoder, arm)

    def read(encoder: Encoder, inputs: Inputs, arm: str) -> Evidence:
        embedding = embed_modality(encoder, modality, inputs.images, inputs.audio, None)
        return zero_shot(encoder, pairs, embedding, arm=arm, channel=channel.name, adversary=targets, costs=inputs.costs)

    evidence = all_arms(case, channel.name, clean, craft, read)
    if case.defense is None:
        attacked = crafted_once(case, channel.name, craft)
        keep(case, evidence, Sides(replace(clean, texts=pairs.captions), replace(attacked, texts=pairs.captions)))
    return evidence


def craft_inputs(case: ModelCase, pairs: Pairs, channel: Channel, targets: Tensor, encoder: Encoder, arm: str) -> Inputs:
    """Adversarial inputs of one modality against `encoder`, with what they cost."""
    attack = channel.attack
    image = attack.carrier.modality == "image"
    values = pairs.images if image else pairs.audio
    if values is None:
        raise ValueError("the data has no speech")
    crafted = attack.craft(
        encoder.embed_image if image else encoder.embed_audio,
        channel.objective(encoder, pairs, targets),
        values,
        case.generator("craft", channel.name, arm),
        progress=lambda done, total: case.progress(f"{channel.name}, {arm}", done, total),
    )
    note(case, channel.name, arm, crafted.losses, crafted.warnings)
    passes = torch.full((len(values),), crafted.passes, dtype=torch.float64)
    costs = {attack.budget.cost: attack.budget.measure(values, crafted.adversarial).double(), "forward_passes": passes}
    if isinstance(attack.optimizer, Square):
        costs["queries"] = passes
    return Inputs(images=crafted.adversarial, costs=costs) if image else Inputs(audio=crafted.adversarial, costs=costs)
