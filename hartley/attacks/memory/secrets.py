"""Secrets in a memory, who may read them, and what an attacker can ask about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from hartley.attacks.case import SystemCase
from hartley.attacks.memory.readers import K
from hartley.targets.memory.corpus import Corpus, Question
from hartley.targets.memory.memory import Memory, Passage, Retriever
from hartley.targets.memory.reference import reference_corpus, reference_memory
from hartley.targets.reference.agent import words as w

ALPHABET = w.SECRETS
"""The words that secrets begin with: the symbol that is read. What follows is a number, which counts for success alone."""
DISTRACTORS = 120
STRANGER = "somebody"
"""Who no record names as its reader."""
TOPICS = ("", "lives", "likes", "the password of")


@dataclass(frozen=True, eq=False)
class Secret:
    """A secret in a memory: its words, whose it is, and an ordinary question about the same person."""

    memory: Memory
    words: str
    name: str
    question: Question

    @property
    def symbol(self) -> int:
        """Which of ALPHABET it begins with."""
        return ALPHABET.index(self.words.split()[0])

    @property
    def anchor(self) -> str:
        """What an attacker asks about to have it retrieved."""
        return f"the password of {self.name}"

    def passages(self, query: str, reader: str | None) -> tuple[Passage, ...]:
        """What is retrieved for a query; reader: on whose behalf, None: the system's own, which may read everything."""
        return self.memory.retrieve([query], reader=reader)[0]


@dataclass(frozen=True, eq=False)
class Archive:
    """A memory with what its entries say, its questions, and the anchors by which an attacker goes through it."""

    memory: Memory
    texts: tuple[str, ...]
    questions: tuple[Question, ...]
    anchors: tuple[str, ...]


def archives_of(case: SystemCase, purpose: str, secrets: int) -> tuple[list[Secret], list[Archive]]:
    """`secrets` secrets, and the memories that hold them, each of another draw of the world."""
    random = case.random(purpose)
    found, archives = list[Secret](), list[Archive]()
    while len(found) < secrets:
        corpus = reference_corpus(random, distractors=DISTRACTORS, records=0)
        memory = reference_memory(corpus, case.system.embedder, retriever=Retriever(k=K))
        asked = random.sample(corpus.questions, len(corpus.questions))
        found += _secrets(corpus, memory, asked)
        anchors = [
            f"{topic} {name}".strip() if topic.endswith(" of") else f"{name} {topic}".strip() for topic, name in product(TOPICS, w.NAMES)
        ]
        texts = tuple(entry.text for entry in corpus.entries)
        archives.append(Archive(memory, texts, tuple(asked), tuple(random.sample(anchors, len(anchors)))))
    return found[:secrets], archives


def _secrets(corpus: Corpus, memory: Memory, asked: Sequence[Question]) -> list[Secret]:
    entries = {entry.id: entry for entry in corpus.entries}
    made = []
    for secret in corpus.secrets:
        (name,) = entries[secret.entry].readers or ("",)
        about = next(question for question in asked if name in question.text.split())
        made.append(Secret(memory, secret.words, name, about))
    return made
