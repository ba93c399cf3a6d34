"""Requests: what ordinary users ask of a memory beside which somebody reads secrets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from hartley.data.dealing import evenly
from hartley.targets.memory.corpus import Question
from hartley.targets.memory.memory import Memory, Passage


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
