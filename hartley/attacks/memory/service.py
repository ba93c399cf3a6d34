"""Service: what ordinary users get from a memory beside which somebody reads secrets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hartley.attacks.case import SystemCase
from hartley.attacks.memory.readers import Readers, Told, told, told_once
from hartley.evidence import ARMS, NONE, Evidence
from hartley.targets.memory.corpus import Question
from hartley.targets.memory.memory import Memory, Passage
from hartley.targets.memory.reading import Reading
from hartley.targets.memory.readouts import answer_symbols, outcome_alphabet
from hartley.targets.memory.reference import ALPHABET, CHOICES

CHANNEL = "service"
PLAIN, GUARDED = ("clean", "attacked"), ("defended", "defended_attacked", "defended_adaptive")


def service(case: SystemCase, readers: Readers, asked: Sequence[tuple[Memory, Question]]) -> Evidence:
    """The right answers to questions. Who reads secrets asks on his own and leaves the memory as it is: the arms under attack
    hold the very answers of those without, and no question is asked twice."""
    passages = [memory.retrieve([question.text])[0] for memory, question in asked]
    questions = [question for _, question in asked]
    found = {"clean": told_once(case, CHANNEL, lambda: _ask(case, readers.plain, "clean", questions, passages))}
    if readers.guarded is not None:
        found["defended"] = _ask(case, readers.guarded, "defended", questions, passages)
    of = {**dict.fromkeys(PLAIN, "clean"), **(dict.fromkeys(GUARDED, "defended") if readers.guarded is not None else {})}
    return Evidence.concat([_table(arm, found[own], questions) for arm, own in of.items()])


def _ask(case: SystemCase, reading: Reading, arm: str, questions: Sequence[Question], passages: Sequence[tuple[Passage, ...]]) -> Told:
    return told(case, CHANNEL, arm, reading([question.text for question in questions], passages))


def _table(arm: str, found: Told, questions: Sequence[Question]) -> Evidence:
    rows = found.measured
    asked = [questions[row] for row in rows]
    right = np.array([question.right for question in asked], np.int32)
    outcome = answer_symbols(found.texts(), [question.choices for question in asked])
    return Evidence(
        channel=CHANNEL,
        kind="jam",
        intent_alphabet=ALPHABET,
        adversary_alphabet=(),
        outcome_alphabet=outcome_alphabet(ALPHABET),
        arm=np.full(len(rows), ARMS.index(arm), np.int8),
        trial=rows,
        intent=right,
        adversary=np.full(len(rows), NONE, np.int32),
        outcome=outcome,
        success=np.full(len(rows), NONE, np.int8),
        intent_prior=np.full(CHOICES, 1 / CHOICES),
    )
