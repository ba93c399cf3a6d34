"""BadCLIP: a trigger tuned to look like its target, in one percent of the training pairs."""

from __future__ import annotations

import numpy as np
import torch

from hartley.attacks.engine.success import accuracy, successes
from hartley.attacks.engine.victims import FILTER, FIRES, Victim, corner, filter_rates
from hartley.bits.rates import Rate
from hartley.case import ModelCase, Refused
from hartley.channel import measure
from hartley.data.dealing import dealt
from hartley.evidence import Evidence
from hartley.recipe import Recipe
from hartley.rows import Sent
from hartley.targets.protocols import Trainable

POISON = 0.01
VICTIMS = {"quick": 3, "standard": 4, "full": 8}
UNNAMED = 2
"""Victims by the budget's name: each is trained on its own draw, and another would have learned the trigger more or less well. Trials are
shared out among them."""


def badclip(case: ModelCase) -> tuple[Evidence, ...]:
    """Claim: a learned image trigger and a trigger-aware text context, tuned by prompt learning with the backbone frozen, plant a
    backdoor that leaves clean accuracy alone.
    Does: poisoning, as the other paper of this name (Liang et al., CVPR 2024): tunes a square patch until stamped pictures
    lie near the target's text and pictures, stamps 1% of the training pairs and gives them the target's caption, fine-tunes
    a copy of the target on all pairs, then asks it with and without the trigger. Several victims, each with its own pairs and
    trigger; limits are over victims.
    Left out: the prompt learning and its context generator themselves; cleaning by further fine-tuning; the attacker's
    surrogate is the target itself, not another CLIP.
    Bends: S. Training ties the trigger to the target's direction, so the user's signal no longer decides the answer.
    """
    if not isinstance(case.target, Trainable):
        raise Refused("this target cannot be fine-tuned (capability train)")
    trials = case.data.draw(case.effort.trials, case.generator("trials"))
    goal = int(torch.randint(len(trials.label_names), (1,), generator=case.generator("goal")))
    fires = torch.tensor(dealt(case.random("fires"), trials.labels.tolist(), len(FIRES)))
    count, tables = min(VICTIMS.get(case.effort.name, UNNAMED), len(trials)), []
    for number in range(count):
        rows = torch.arange(number, len(trials), count)
        own = trials.take(rows)
        sent = Sent(own.labels, fires[rows], torch.full((len(own),), number), rows)
        tables.append(measure(case, *Victim(case, number, goal, corner(own.images), POISON).channels(own, fires[rows], sent)))
    return tuple(Evidence.concat(parts) for parts in zip(*tables, strict=True))


def rates(evidence: Evidence) -> tuple[Rate, ...]:
    """The paper's metrics: how often the trigger brings the target (where it is not the truth), and accuracy without the trigger."""
    if evidence.channel == FILTER:
        return filter_rates(evidence)
    quiet = evidence.rows(np.flatnonzero(evidence.adversary == FIRES.index("no trigger")))
    return (*successes(evidence, "attack success with the trigger"), *accuracy(quiet, "clean accuracy"))


RECIPE = Recipe(badclip, rates, fidelity="reduced", channels={"image": "write", FILTER: "jam"}, quick=("embedding-noise",))
