"""Records of which half are in a memory and half are not, all of one law; and what is said when they are asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from hartley.attacks.case import SystemCase
from hartley.attacks.memory.readers import K
from hartley.attacks.memory.service import Request, requests
from hartley.attacks.memory.wordings import membership_questions
from hartley.exhibit import Found
from hartley.targets.conversation import Conversation, Message
from hartley.targets.memory.corpus import Corpus
from hartley.targets.memory.entry import Entry
from hartley.targets.memory.memory import Memory, Passage, Retriever
from hartley.targets.memory.reading import PolicyReading
from hartley.targets.memory.reference import ASKED, reference_corpus
from hartley.targets.reference.agent.records import RELATIONS
from hartley.targets.reference.agent.words import NAMES
from hartley.targets.tool_calls import Tools

RECORDS, DISTRACTORS = 20, 100
"""Records that a memory holds, one of them asked about, and ordinary sentences beside them."""
UNASKED = tuple(relation for relation in RELATIONS if relation not in ASKED)


@runtime_checkable
class Scoring(Protocol):
    """A policy that tells how likely it is to say something (capability "logprob")."""

    def log_likelihood(self, conversations: Sequence[Conversation], messages: Sequence[Message], tools: Tools) -> object:
        """(n,) natural logarithms."""
        ...


@dataclass(frozen=True, eq=False)
class Record:
    """A record, whether its memory holds it, and the memory's number.

    question  an ordinary question that the record answers; "": there is none.
    inside, without   what is retrieved for each question about it, from the memory and from the same without any of the members.
    """

    text: str
    member: bool
    memory: int
    question: str
    inside: Mapping[str, tuple[Passage, ...]]
    without: Mapping[str, tuple[Passage, ...]]

    def passages(self, question: str, arm: str) -> tuple[Passage, ...]:
        """What is retrieved for a question about it; in an arm without an attack from the memory that has learned no member."""
        return (self.without if arm in ("clean", "defended") else self.inside)[question]


@dataclass(frozen=True, eq=False)
class Held:
    """records: half of them in a memory. facts: the same of facts about people that answer ordinary questions. requests: what
    ordinary users ask of the memories."""

    records: tuple[Record, ...]
    facts: tuple[Record, ...]
    requests: tuple[Request, ...]


def records_of(case: SystemCase, purpose: str, members: int, asked: int = 0) -> Held:
    """`members` memories, of each one record that is in it and one of the same law that is not, one such pair of facts, and together
    `asked` ordinary questions. Memories are independent, records of one memory may not be: nothing more is asked of each.

    Facts are of relations that the corpus asks nobody about, one a person and relation, so that no other entry answers.
    """
    random, used = case.random(purpose), Counter[int]()
    records, facts, made = list[Record](), list[Record](), list[Request]()
    for place in range(members):
        corpus = reference_corpus(random, distractors=DISTRACTORS, records=RECORDS)
        known = _facts(corpus)
        known = random.sample(known, len(known))
        inside, outside = known[: len(known) // 2], known[len(known) // 2 :]
        kept = {*corpus.members, *(entry.id for entry, _ in inside)}
        memory, without = _memories(case, corpus.entries, kept, {entry.id for entry, _ in outside})
        texts = {entry.id: entry.text for entry in corpus.entries}
        pair = [(True, texts[corpus.members[0]], ""), (False, corpus.strangers[0].text, "")]
        pair += [(own, entry.text, question) for own, (entry, question) in ((True, inside[0]), (False, outside[0]))]
        one = _looked_up(case, pair, place, memory, without)
        records, facts = records + one[:2], facts + one[2:]
        made += requests(random, memory, place, corpus.questions, -(-asked // members), used)
    return Held(tuple(records), tuple(facts), tuple(made[:asked]))


def _facts(corpus: Corpus) -> list[tuple[Entry, str]]:
    asked = {
        sentence.format(name=name, value="").strip(): question.format(name=name)
        for question, _, _, sentence, _ in UNASKED
        for name in NAMES
    }
    starts = [(entry, entry.text.removesuffix(".").strip().rsplit(" ", 1)[0]) for entry in corpus.entries]
    return [(entry, asked[start]) for entry, start in starts if start in asked]


def _looked_up(case: SystemCase, told: Sequence[tuple[bool, str, str]], place: int, memory: Memory, without: Memory) -> list[Record]:
    """The records with all that is ever retrieved for them, so that no memory has to be kept."""
    questions = [[asked] if asked else [worded(text, wording) for wording in membership_questions(case.target)] for _, text, asked in told]
    flat = [question for own in questions for question in own]
    found = [dict(zip(flat, one.retrieve(flat), strict=True)) for one in (memory, without)]
    return [Record(text, member, place, asked, *found) for member, text, asked in told]


def _memories(case: SystemCase, entries: Sequence[Entry], members: set[int | None], strangers: set[int | None]) -> tuple[Memory, Memory]:
    """A memory of the entries without the strangers, and one without the members too."""
    memory, without = (Memory(case.target.embedder, retriever=Retriever(k=K)) for _ in range(2))
    vectors = memory.embed(entries)
    for one, left_out in ((memory, strangers), (without, strangers | members)):
        kept = [place for place, entry in enumerate(entries) if entry.id not in left_out]
        one.write([entries[place] for place in kept], vectors[kept])
    return memory, without


def worded(text: str, wording: str) -> str:
    """The wording with a record in it, without the record's full stop."""
    return wording.replace("{record}", text.removesuffix(".").strip())


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
