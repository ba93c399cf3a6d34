"""Records of which half are in a memory and half are not, all of one law, with what is retrieved when they are asked about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from hartley.environments.readers import K
from hartley.environments.requests import Request, requests
from hartley.targets.memory.corpus import Corpus
from hartley.targets.memory.entry import Entry
from hartley.targets.memory.memory import Memory, Passage, Retriever
from hartley.targets.memory.reference import ASKED, reference_corpus
from hartley.targets.protocols import TextEmbedder
from hartley.targets.reference.agent.records import RELATIONS
from hartley.targets.reference.agent.words import NAMES

RECORDS, DISTRACTORS = 20, 100
"""Records that a memory holds, one of them asked about, and ordinary sentences beside them."""
UNASKED = tuple(relation for relation in RELATIONS if relation not in ASKED)


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

    def passages(self, question: str, attacked: bool) -> tuple[Passage, ...]:
        """What is retrieved for a question about it; without an attack from the memory that has learned no member."""
        return (self.inside if attacked else self.without)[question]


@dataclass(frozen=True, eq=False)
class Held:
    """records: half of them in a memory. facts: the same of facts about people that answer ordinary questions. requests: what
    ordinary users ask of the memories."""

    records: tuple[Record, ...]
    facts: tuple[Record, ...]
    requests: tuple[Request, ...]


def records_of(random: Random, embedder: TextEmbedder, asking: Sequence[Callable[[str], str]], members: int, asked: int = 0) -> Held:
    """`members` memories, of each one record that is in it and one of the same law that is not, one such pair of facts, and together
    `asked` ordinary questions. Memories are independent, records of one memory may not be: nothing more is asked of each.

    Facts are of relations that the corpus asks nobody about, one a person and relation, so that no other entry answers.
    asking: each a record to a question that is ever asked about whether a memory holds it.
    """
    used, records, facts, made = Counter[int](), list[Record](), list[Record](), list[Request]()
    for place in range(members):
        corpus = reference_corpus(random, distractors=DISTRACTORS, records=RECORDS)
        known = _facts(corpus)
        known = random.sample(known, len(known))
        inside, outside = known[: len(known) // 2], known[len(known) // 2 :]
        kept = {*corpus.members, *(entry.id for entry, _ in inside)}
        memory, without = _memories(embedder, corpus.entries, kept, {entry.id for entry, _ in outside})
        texts = {entry.id: entry.text for entry in corpus.entries}
        pair = [
            (own, text, "", [one(text) for one in asking])
            for own, text in ((True, texts[corpus.members[0]]), (False, corpus.strangers[0].text))
        ]
        pair += [(own, entry.text, question, [question]) for own, (entry, question) in ((True, inside[0]), (False, outside[0]))]
        one = _looked_up(pair, place, memory, without)
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


def _looked_up(told: Sequence[tuple[bool, str, str, Sequence[str]]], place: int, memory: Memory, without: Memory) -> list[Record]:
    """The records with all that is ever retrieved for them, so that no memory has to be kept."""
    flat = [question for *_, questions in told for question in questions]
    found = [dict(zip(flat, one.retrieve(flat), strict=True)) for one in (memory, without)]
    return [Record(text, member, place, question, *found) for member, text, question, _ in told]


def _memories(
    embedder: TextEmbedder, entries: Sequence[Entry], members: set[int | None], strangers: set[int | None]
) -> tuple[Memory, Memory]:
    """A memory of the entries without the strangers, and one without the members too."""
    memory, without = (Memory(embedder, retriever=Retriever(k=K)) for _ in range(2))
    vectors = memory.embed(entries)
    for one, left_out in ((memory, strangers), (without, strangers | members)):
        kept = [place for place, entry in enumerate(entries) if entry.id not in left_out]
        one.write([entries[place] for place in kept], vectors[kept])
    return memory, without
