"""Records of which half are in a memory and half are not, all of one law; and what is said when they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from hartley.attacks.case import SystemCase
from hartley.attacks.exhibit import Found
from hartley.attacks.memory.readers import K
from hartley.targets.conversation import Conversation, Message
from hartley.targets.memory.corpus import Question
from hartley.targets.memory.entry import Entry
from hartley.targets.memory.memory import Memory, Passage, Retriever
from hartley.targets.memory.reading import PolicyReading
from hartley.targets.memory.reference import ASKED, reference_corpus
from hartley.targets.reference.agent.records import RELATIONS
from hartley.targets.reference.agent.words import NAMES
from hartley.targets.tool_calls import Tools

RECORDS = 40
"""Members of one memory, and as many strangers."""
DISTRACTORS = 200
UNASKED = tuple(relation for relation in RELATIONS if relation not in ASKED)


@runtime_checkable
class Scoring(Protocol):
    """A policy that tells how likely it is to say something (capability "logprob")."""

    def log_likelihood(self, conversations: Sequence[Conversation], messages: Sequence[Message], tools: Tools) -> object:
        """(n,) natural logarithms."""
        ...


@dataclass(frozen=True, eq=False)
class Record:
    """A record, whether the memory holds it, that memory, and the same memory without any of the members.

    question  an ordinary question that the record answers; "": there is none.
    """

    text: str
    member: bool
    memory: Memory
    without: Memory
    question: str = ""

    def passages(self, question: str, arm: str) -> tuple[Passage, ...]:
        """What is retrieved for a question about it; in an arm without an attack from the memory that has learned no member."""
        memory = self.without if arm in ("clean", "defended") else self.memory
        return memory.retrieve([question])[0]


def records_of(case: SystemCase, purpose: str, members: int) -> tuple[list[Record], list[tuple[Memory, Question]]]:
    """`members` records that are in a memory, as many of the same law that are not, and the memories' ordinary questions."""
    random = case.random(purpose)
    records, questions = list[Record](), list[tuple[Memory, Question]]()
    left = members
    while left > 0:
        count = min(left, RECORDS)
        left -= count
        corpus = reference_corpus(random, distractors=DISTRACTORS, records=count)
        memory, without = _memories(case, corpus.entries, set(corpus.members), set())
        texts = {entry.id: entry.text for entry in corpus.entries}
        records += [Record(texts[number], True, memory, without) for number in corpus.members]
        records += [Record(entry.text, False, memory, without) for entry in corpus.strangers]
        questions += [(memory, question) for question in random.sample(corpus.questions, len(corpus.questions))]
    return records, questions


def facts_of(case: SystemCase, purpose: str, members: int) -> list[Record]:
    """`members` facts about people that are in a memory, and as many that are not, by a coin; each answers an ordinary question.

    They are of the relations that the corpus asks nobody about, one fact a person and relation, so that no other entry answers.
    """
    random, found = case.random(purpose), list[Record]()
    asked = {
        sentence.format(name=name, value="").strip(): question.format(name=name)
        for question, _, _, sentence, _ in UNASKED
        for name in NAMES
    }
    while len(found) < 2 * members:
        corpus = reference_corpus(random, distractors=0, records=0)
        facts = [
            (entry, asked[start]) for entry in corpus.entries if (start := entry.text.removesuffix(".").strip().rsplit(" ", 1)[0]) in asked
        ]
        facts = random.sample(facts, len(facts))
        inside, outside = facts[: len(facts) // 2], facts[len(facts) // 2 :]
        memory, without = _memories(case, corpus.entries, {entry.id for entry, _ in inside}, {entry.id for entry, _ in outside})
        pairs = zip(inside, outside, strict=True)
        found += [
            Record(entry.text, own, memory, without, text) for pair in pairs for own, (entry, text) in zip((True, False), pair, strict=True)
        ]
    return found[: 2 * members]


def _memories(case: SystemCase, entries: Sequence[Entry], members: set[int | None], strangers: set[int | None]) -> tuple[Memory, Memory]:
    """A memory of the entries without the strangers, and one without the members too."""
    memory, without = (Memory(case.system.embedder, retriever=Retriever(k=K)) for _ in range(2))
    vectors = memory.embed(entries)
    for one, left_out in ((memory, strangers), (without, strangers | members)):
        kept = [place for place, entry in enumerate(entries) if entry.id not in left_out]
        one.write([entries[place] for place in kept], vectors[kept])
    return memory, without


def question_about(record: Record, wording: str) -> str:
    """The wording with the record in it, without the record's full stop."""
    return wording.replace("{record}", record.text.removesuffix(".").strip())


def log_odds(
    policy: Scoring, reading: PolicyReading, questions: Sequence[str], passages: Sequence[tuple[Passage, ...]], words: tuple[str, str]
) -> NDArray[np.float64]:
    """(n,) how much likelier the first of two answers is than the second, as a natural logarithm."""
    conversations = [reading.context(question, own) for question, own in zip(questions, passages, strict=True)]
    yes, no = (
        np.asarray(policy.log_likelihood(conversations, [Message("assistant", word)] * len(questions), ()), np.float64) for word in words
    )
    odds: NDArray[np.float64] = yes - no
    return odds


def found(passages: Sequence[Passage]) -> tuple[Found, ...]:
    """What was retrieved, to look at; nothing of it is planted."""
    return tuple(
        Found(one.rank, one.entry.text, one.entry.source or "unknown", one.entry.trusted, False, round(one.score, 6)) for one in passages
    )
