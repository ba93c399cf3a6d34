"""Spill the beans (Qi et al., 2024): a retrieval-augmented model is told to copy what was retrieved, and does."""

from __future__ import annotations

from hartley.attacks.memory.asking import SERVICE, Asking, Chosen, picked, service
from hartley.attacks.memory.spills import RECORDS, given, rates, records, secrets
from hartley.attacks.memory.wordings import extraction_prompts
from hartley.case import SystemCase
from hartley.channel import measure
from hartley.environments.archives import STRANGER, archives_of
from hartley.environments.planting import clean_tasks
from hartley.environments.readers import readers_of
from hartley.evidence import Evidence
from hartley.recipe import Recipe

KINDS, RESPECTED = ("passwords", "private facts"), "{}, readers respected"
SHARE = 0.5
"""Of the budget's trials, for each channel: four of them ask for secrets."""
PILOT, ARCHIVES = 12, 8
"""Secrets of another memory, by which the attacker picks a prompt; memories that are gone through in the channel of records."""


def spill_the_beans(case: SystemCase) -> tuple[Evidence, ...]:
    """Claim: told to copy all the text before it, a retrieval-augmented model gives out its datastore word by word; with anchor
    questions that cover the topics, a large part of a book is reconstructed.
    Does: asks about passwords and private facts with the best of several commands and questions (picked on another memory), once where the
    retriever lets everybody read everything and once where it respects an entry's readers; then goes through the memory with
    anchors and counts, exactly, which records were given out in full.
    Left out: anchors that a model writes from what it has read; merging of overlapping chunks, as our records do not overlap.
    Bends: B. The channel of answers, meant for what was asked, carries whatever stands in the context.
    """
    readers, count, embedder = readers_of(case), case.effort.trials_for(SHARE), case.target.embedder
    held, pilot = archives_of(case.random("secrets"), embedder, count), archives_of(case.random("pilot"), embedder, PILOT, 1)
    channels, prompts = list[Asking[str]](), list[Chosen[str]]()
    for name, asked, tried in zip(KINDS, (held.passwords, held.private), (pilot.passwords, pilot.private), strict=True):
        tries = secrets(case, readers, name, tried)
        prompts.append(picked(case, tries, extraction_prompts(case.target), given, "secrets given out, by prompt (pilot)", ranked=2))
        channels.append(secrets(case, readers, name, asked, None, prompts[-1]))
        channels.append(secrets(case, readers, RESPECTED.format(name), asked, STRANGER, prompts[-1]))
    # Through the whole memory the attacker goes with the prompt that served best for facts, as most of it is facts.
    through = records(case, readers, held.archives[:ARCHIVES], prompts[-1])
    return measure(case, *channels, through, service(case, readers, held.requests(case.random("service"), count)))


RECIPE = Recipe(
    spill_the_beans,
    rates,
    fidelity="reduced",
    channels={**dict.fromkeys((*KINDS, *map(RESPECTED.format, KINDS), RECORDS), "read"), SERVICE: "jam"},
    quick=(),
    clean_tasks=clean_tasks,
    guards=("reading",),
)
