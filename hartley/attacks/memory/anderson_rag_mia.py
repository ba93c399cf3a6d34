"""Membership in a retrieval database (Anderson et al., 2024): the system is asked whether a record appears in its context."""

from __future__ import annotations

from functools import partial

from hartley.attacks.engine.membership import membership_rates
from hartley.attacks.engine.success import accuracy, successes
from hartley.attacks.memory.asking import SERVICE, service
from hartley.attacks.memory.members import ANSWER, LIKELIHOOD, LOOKUP, looked_up, members, odds, yes_or_no
from hartley.attacks.memory.wordings import about_record, membership_questions
from hartley.bits.rates import Rate
from hartley.case import SystemCase
from hartley.channel import measure
from hartley.environments.planting import clean_tasks
from hartley.environments.readers import readers_of, tells_odds
from hartley.environments.records import records_of
from hartley.evidence import Evidence
from hartley.recipe import Recipe
from hartley.rows import ATTACKED, CLEAN, DEFENDED, UNAWARE

PILOT = 16
"""Members, and as many strangers, of other memories, by which the attacker picks a wording and sets the threshold."""


def anderson_rag_mia(case: SystemCase) -> tuple[Evidence, ...]:
    """Claim: asked whether a text appears in its context, a retrieval-augmented model tells members of its database from others.
    Does: asks so, in the best of four wordings (picked on other memories), about one record that is in a memory and one of the same
    law that is not, of each of many memories; reads the answer (black box) and, where the policy gives it, the log odds of yes against
    no (gray box). Beside it, for readers that cannot judge what is in their context: asks an ordinary question that the record
    answers (lookup).
    Left out: the paper's ensemble over prompts; its documents are e-mails and articles, ours one-line records of purchases.
    Bends: B. The pathway of answers, meant for what was asked, also tells whether the record stands in the context.
    """
    readers, wordings = readers_of(case), membership_questions(case.target)
    draw = partial(records_of, embedder=case.target.embedder, asking=[partial(about_record, wording=wording) for wording in wordings])
    held = draw(case.random("records"), members=case.effort.members, asked=case.effort.trials_for(1 / 2))
    pilot, asked = draw(case.random("pilot"), members=PILOT).records, partial(members, case, readers)
    channels = [asked(ANSWER, yes_or_no, held.records, pilot)]
    if tells_odds(case.target):  # a safeguard gives out words alone: behind one there is no gray box
        channels.append(asked(LIKELIHOOD, odds, held.records, pilot, (CLEAN, ATTACKED)))
    channels.append(asked(LOOKUP, looked_up, held.facts, arms=(CLEAN, ATTACKED, DEFENDED, UNAWARE)))
    return measure(case, *channels, service(case, readers, held.requests))


def rates(evidence: Evidence) -> tuple[Rate, ...]:
    """AUC and TPR at 1% FPR, and the share of right guesses; for the service channel the user's right answers."""
    if evidence.channel == SERVICE:
        return accuracy(evidence, "right answer given")
    return (*membership_rates(evidence), *successes(evidence, "member or not, guessed right"))


CHANNELS = {**dict.fromkeys((ANSWER, LIKELIHOOD, LOOKUP), "read"), SERVICE: "jam"}
RECIPE = Recipe(anderson_rag_mia, rates, fidelity="reduced", channels=CHANNELS, quick=(), clean_tasks=clean_tasks, guards=("reading",))
