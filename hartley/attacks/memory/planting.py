"""Planting: questions to be answered from memories, wrong answers to be planted for them, and what is retrieved once they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
import torch
from numpy.typing import NDArray

from hartley.attacks.case import SystemCase
from hartley.attacks.exhibit import Found
from hartley.attacks.memory.readers import K
from hartley.targets.memory.corpus import Corpus, Question
from hartley.targets.memory.entry import Entry
from hartley.targets.memory.memory import Memory, Passage, Retriever
from hartley.targets.memory.reference import CHOICES, reference_corpus, reference_memory

SOURCE = "web"
"""Where planted texts come from: a place that strangers can write to."""
SUPPORTS = 3
"""Entries that say what is right, so that a vote of passages has something to count."""


@dataclass(frozen=True)
class Retrieved:
    """The passages of a question, nearest first, and which of them the attacker has planted."""

    passages: tuple[Passage, ...]
    planted: tuple[bool, ...]

    @property
    def first_rank(self) -> float:
        """The place of the nearest planted text, 1 for the nearest; NaN where none was retrieved."""
        return next((float(passage.rank) for passage, own in zip(self.passages, self.planted, strict=True) if own), float("nan"))

    def found(self) -> tuple[Found, ...]:
        """What was retrieved, to look at."""
        return tuple(
            Found(one.rank, one.entry.text, one.entry.source or "unknown", one.entry.trusted, own, round(one.score, 6))
            for one, own in zip(self.passages, self.planted, strict=True)
        )


@dataclass(frozen=True, eq=False)
class Target:
    """A question in a memory that can answer it, its vector (d,), the choice to be planted, and the index's recall for that memory."""

    memory: Memory
    question: Question
    vector: NDArray[np.float32]
    planted: int
    recall: float

    def retrieve(self, texts: Sequence[str]) -> Retrieved:
        """The K nearest passages while the texts, and no other planted ones, are in the memory; it is left as it was."""
        ids = self.memory.write([Entry(text, source=SOURCE) for text in texts]) if texts else np.empty(0, np.int64)
        try:
            (passages,) = self.memory.nearest(self.vector[None], k=K)
        finally:
            if len(ids):
                self.memory.forget(ids)
        own = set(ids.tolist())
        return Retrieved(passages, tuple(passage.entry.id in own for passage in passages))


def targets_of(case: SystemCase, purpose: str, count: int) -> list[Target]:
    """`count` questions from as many reference corpora as that takes, each about another draw of the world.

    Right answers are balanced to within a corpus. The planted choices are drawn independently of them: within the questions of one
    right answer every choice is planted equally often, to within one, the right one too.
    """
    random, found = case.random(purpose), list[tuple[Memory, Question, NDArray[np.float32], float]]()
    while len(found) < count:
        corpus = reference_corpus(random, records=0, supports=SUPPORTS)
        found += list(_asked(case, corpus, random))
    found = found[:count]
    planted = independent(random, [question.right for _, question, _, _ in found], CHOICES)
    return [
        Target(memory, question, vector, choice, recall) for (memory, question, vector, recall), choice in zip(found, planted, strict=True)
    ]


def independent(random: Random, rights: Sequence[int], choices: int) -> list[int]:
    """A choice for each trial, equally often (to within one) beside each right answer."""
    drawn = [0] * len(rights)
    for right in range(choices):
        rows = [row for row, own in enumerate(rights) if own == right]
        pool = [choice for _ in range(-(-len(rows) // choices)) for choice in random.sample(range(choices), choices)]
        for row, choice in zip(random.sample(rows, len(rows)), pool, strict=False):
            drawn[row] = choice
    return drawn


def _asked(case: SystemCase, corpus: Corpus, random: Random) -> Iterator[tuple[Memory, Question, NDArray[np.float32], float]]:
    memory = reference_memory(corpus, case.system.embedder, retriever=Retriever(k=K))
    questions = random.sample(corpus.questions, len(corpus.questions))
    texts = [question.text for question in questions]
    recall = memory.recall(texts, K)
    with torch.no_grad():
        vectors = memory.query_embedder.embed_text(texts).cpu().numpy().astype(np.float32)
    for question, vector in zip(questions, vectors, strict=True):
        yield memory, question, vector, recall
