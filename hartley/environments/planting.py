"""Planting: questions to be answered from memories, wrong answers to be planted for them, and what is retrieved once they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
import torch
from numpy.typing import NDArray

from hartley.case import SystemCase
from hartley.data.dealing import dealt, evenly
from hartley.environments.competence import ASKED, Competence
from hartley.environments.readers import K
from hartley.targets.endpoint.outcomes import NotMeasured
from hartley.targets.memory.corpus import Corpus, Question
from hartley.targets.memory.entry import Entry
from hartley.targets.memory.memory import Memory, Passage, Retriever
from hartley.targets.memory.readouts import answer_symbols
from hartley.targets.memory.reference import CHOICES, documents_reading, reference_corpus, reference_memory
from hartley.targets.protocols import TextEmbedder

SOURCE = "web"
"""Where planted texts come from: a place that strangers can write to."""
CORPORA, DISTRACTORS = 120, 100
"""Memories that are held at a time, at most, and ordinary sentences in each."""
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


@dataclass(frozen=True, eq=False)
class Target:
    """A question in a memory that can answer it, its vector (d,), the choice to be planted, the index's recall for it, and the
    memory's number: what is asked of one memory shares its draw of the world."""

    memory: Memory
    question: Question
    vector: NDArray[np.float32]
    planted: int
    recall: float
    corpus: int

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


def targets_of(random: Random, embedder: TextEmbedder, count: int, corpora: int = CORPORA) -> list[Target]:
    """`count` questions from so many reference corpora, each about another draw of the world; a question a corpus where they suffice.

    Right answers are balanced to within one. The planted choices are dealt beside them: every choice is planted equally often to
    within one beside each right answer, the right one too.
    """
    used, found = Counter[int](), list[tuple[Memory, Question, NDArray[np.float32], float, int]]()
    corpora = min(corpora, count)
    for number in range(corpora):
        corpus, asked = reference_corpus(random, distractors=DISTRACTORS, records=0, supports=SUPPORTS), (count - number - 1) // corpora + 1
        found += [(*one, number) for one in _asked(embedder, corpus, asked, random, used)]
    planted = dealt(random, [question.right for _, question, *_ in found], CHOICES)
    return [
        Target(memory, question, vector, choice, recall, number)
        for (memory, question, vector, recall, number), choice in zip(found, planted, strict=True)
    ]


def _asked(
    embedder: TextEmbedder, corpus: Corpus, count: int, random: Random, used: Counter[int]
) -> Iterator[tuple[Memory, Question, NDArray[np.float32], float]]:
    memory = reference_memory(corpus, embedder, retriever=Retriever(k=K))
    questions = evenly(random, corpus.questions, lambda question: question.right, count, used)
    texts = [question.text for question in questions]
    with torch.no_grad():
        vectors = memory.query_embedder.embed_text(texts).cpu().numpy().astype(np.float32)
    for question, vector in zip(questions, vectors, strict=True):
        yield memory, question, vector, memory.recall([question.text], K)


def clean_tasks(case: SystemCase) -> Competence:
    """A question whose answer stands in what is retrieved."""
    targets = targets_of(case.random("competence"), case.target.embedder, ASKED, ASKED)
    answers = documents_reading(case.target)([one.question.text for one in targets], [one.retrieve(()).passages for one in targets])
    told = [(one.question, text) for one, text in zip(targets, answers, strict=True) if not isinstance(text, NotMeasured)]
    named = answer_symbols([text for _, text in told], [question.choices for question, _ in told])
    right = [int(one) == question.right for one, (question, _) in zip(named, told, strict=True)]
    return Competence("questions about passages", ASKED, len(told), sum(right))
