"""Service: what ordinary users get from a memory beside which somebody reads secrets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import numpy as np

from hartley.attacks.case import SystemCase
from hartley.attacks.memory.readers import Readers, Responses, told, told_once
from hartley.data.dealing import evenly
from hartley.evidence import ARMS, NONE, Evidence
from hartley.targets.memory.corpus import Question
from hartley.targets.memory.memory import Memory, Passage
from hartley.targets.memory.reading import Reading
from hartley.targets.memory.readouts import answer_symbols, outcome_alphabet
from hartley.targets.memory.reference import ALPHABET, CHOICES

CHANNEL = "service"
PLAIN, GUARDED = ("clean", "attacked"), ("defended", "defended_attacked", "defended_adaptive")


@dataclass(frozen=True)
class Request:
    """An ordinary question, what a memory gave for it, and the memory's number."""

    question: Question
    passages: tuple[Passage, ...]
    memory: int


def requests(random: Random, memory: Memory, number: int, questions: Sequence[Question], count: int, used: Counter[int]) -> list[Request]:
    """`count` of a memory's questions, right answers equally often over all memories."""
    asked = evenly(random, questions, lambda question: question.right, count, used)
    return [
        Request(question, passages, number)
        for question, passages in zip(asked, memory.retrieve([question.text for question in asked]), strict=True)
    ]


def service(case: SystemCase, readers: Readers, asked: Sequence[Request]) -> Evidence:
    """The right answers to questions. Who reads secrets asks on his own and leaves the memory as it is: the arms under attack
    hold the very answers of those without, and no question is asked twice."""
    found = {"clean": told_once(case, CHANNEL, lambda: _ask(case, readers.plain, "clean", asked))}
    if readers.guarded is not None:
        found["defended"] = _ask(case, readers.guarded, "defended", asked)
    of = {**dict.fromkeys(PLAIN, "clean"), **(dict.fromkeys(GUARDED, "defended") if readers.guarded is not None else {})}
    return Evidence.concat([_table(arm, found[own], asked) for arm, own in of.items()])


def _ask(case: SystemCase, reading: Reading, arm: str, asked: Sequence[Request]) -> Responses:
    return told(case, CHANNEL, arm, reading, [one.question.text for one in asked], [one.passages for one in asked])


def _table(arm: str, found: Responses, requested: Sequence[Request]) -> Evidence:
    rows = found.measured
    asked = [requested[row] for row in rows]
    right = np.array([one.question.right for one in asked], np.int32)
    outcome = answer_symbols(found.texts(), [one.question.choices for one in asked])
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
        cluster=np.array([one.memory for one in asked], np.int64),
        intent_prior=np.full(CHOICES, 1 / CHOICES),
    )
