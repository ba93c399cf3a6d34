"""PoisonedRAG (Zou et al., USENIX Security 2025): a few planted texts that are retrieved for a question and answer it wrongly."""

from __future__ import annotations

from hartley.attacks.memory.asking import picked
from hartley.attacks.memory.plants import plants, rates
from hartley.attacks.memory.wordings import styles
from hartley.case import SystemCase
from hartley.channel import measure
from hartley.environments.planting import clean_tasks, targets_of
from hartley.environments.readers import readers_of
from hartley.evidence import Evidence
from hartley.recipe import Recipe

COUNTS = (1, 3, 5)
"""Texts planted for a question; a channel each."""
PILOT, PILOT_CORPORA, PILOT_TEXTS = 24, 3, 3
"""Questions, none of them measured on, the corpora that they are about, and texts a question, by which the attacker picks the best
wording of the attack set."""
SHARE = 0.6
"""Of the budget's trials: a trial is read three times over, and five times over behind a safeguard that reads alone."""


def poisonedrag(case: SystemCase) -> tuple[Evidence, ...]:
    """Claim: five texts among millions, each made of a part that is retrieved and a part that misleads, give the planted answer
    for 90% of the questions; the black-box part that is retrieved is the question itself.
    Does: plants 1, 3 or 5 texts a question in a memory that states the right answer three times, the question before a planted
    answer in the best of four wordings (picked on other questions), and measures retrieval and answer apart.
    Left out: the white-box variant (HotFlip on the embedder's tokens): no embedder here gives gradients; texts written by a model.
    Bends: B. The pathway from the store to the reader holds a few passages; planted ones crowd out what speaks for the right answer.
    """
    readers, embedder = readers_of(case), case.target.embedder
    targets = targets_of(case.random("targets"), embedder, case.effort.trials_for(SHARE))
    pilot = plants(case, readers, targets_of(case.random("pilot"), embedder, PILOT, PILOT_CORPORA), PILOT_TEXTS)

    def share(table: Evidence) -> tuple[float]:
        return (float((table.success == 1).sum() / max(1, (table.success >= 0).sum())),)

    chosen = picked(case, pilot, styles(case.target), share, "planted answer given, by wording (pilot)")
    return measure(case, *(plants(case, readers, targets, count, chosen) for count in COUNTS))


RECIPE = Recipe(
    poisonedrag,
    rates,
    fidelity="reduced",
    channels={"1 text": "write", "3 texts": "write", "5 texts": "write"},
    quick=("spotlighting", "retrieval-isolation"),
    clean_tasks=clean_tasks,
    guards=("reading",),
)
