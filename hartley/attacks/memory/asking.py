"""Asking: what the reader of a memory says in an arm, how words are picked by it, and what ordinary users get meanwhile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from hartley.case import SystemCase
from hartley.channel import Channel, Option, Seen, choose
from hartley.environments.progress import in_parts
from hartley.environments.readers import Readers
from hartley.environments.requests import Request
from hartley.evidence import NONE, Evidence
from hartley.exhibit import Exhibit, Found
from hartley.rows import ADAPTIVE, ATTACKED, CLEAN, DEFENDED, Arm, Rows, Sent, Symbols
from hartley.targets.endpoint.outcomes import NotMeasured
from hartley.targets.memory.corpus import Question
from hartley.targets.memory.memory import Passage
from hartley.targets.memory.reading import Reading
from hartley.targets.memory.readouts import answer_symbols, outcome_alphabet
from hartley.targets.memory.reference import ALPHABET, CHOICES

SERVICE = "service"
OUTCOMES, PRIOR = outcome_alphabet(ALPHABET), np.full(CHOICES, 1 / CHOICES)
Asked = tuple[Question, Sequence[Passage]]
"""A question and what was retrieved for it."""
Words = tuple[Option, tuple[float, ...]]
"""What an adversary picked, and its score on the pilot."""
Chosen = Mapping[Arm, Words[Option]]
"""The same, in each arm that an adversary prepares for."""
Ask = Callable[[Arm, Reading, Words[Option] | None], Rows]
Asking = Channel[Reading, Words[Option]]
"""A channel of questions put to a memory's reader, or of texts planted for them, in words that an adversary picked."""


def channel(
    name: str, kind: str, symbols: Symbols, sent: Sent, readers: Readers, ask: Ask[Option], chosen: Chosen[Option] | None, **more: Any
) -> Asking[Option]:
    """A channel whose reader is asked behind the safeguard where an arm has one, in the words chosen for the arm. more: of `Channel`."""
    subject, payload = (lambda arm: readers.of(arm.attacked, arm.defended)), (lambda arm, *_: (chosen or {})[arm])
    return Channel(name, kind, symbols, sent, subject, ask, payload, **more)


def said(case: SystemCase, channel: str, arm: Arm, reading: Reading, asked: Sequence[Asked]) -> Rows:
    """What a reader says, and which of a question's choices that is. A trial that an endpoint did not answer is lost, for the most
    frequent reason. Raises the first NotMeasured where there is no answer at all."""

    def read(part: Sequence[Asked]) -> list[str | NotMeasured]:
        return [*reading([question.text for question, _ in part], [passages for _, passages in part])]

    answers = in_parts(case, f"{channel}, {arm.name}", read, asked)
    missing = [answer for answer in answers if isinstance(answer, NotMeasured)]
    if missing and len(missing) == len(answers):
        raise missing[0]
    words = tuple(None if isinstance(answer, NotMeasured) else answer for answer in answers)
    return Rows(
        outcome=answer_symbols([answer or "" for answer in words], [question.choices for question, _ in asked]),
        lost=np.array([answer is None for answer in words]),
        why="".join(f"{reason} ({count} of them)" for reason, count in Counter(str(one.reason) for one in missing).most_common(1)),
        said=words,
    )


def picked(
    case: SystemCase,
    pilot: Asking[Option],
    options: Sequence[Option],
    score: Callable[[Evidence], Sequence[float]],
    what: str,
    ranked: int = 1,
) -> Chosen[Option]:
    """The words of an attack set that score best on a pilot, in each arm that an adversary prepares for; of level ones the first."""

    def tried(arm: Arm, option: Option) -> Sequence[float]:
        return score(pilot.table(arm, pilot.ask(arm, pilot.subject(arm), (option, (0.0,)))))

    arms = [arm for arm in (ATTACKED, ADAPTIVE) if arm in pilot.arms and (case.defense is not None or not arm.defended)]
    return {arm: choose(case, arm, pilot.name, options, partial(tried, arm), what=what, ranked=ranked) for arm in arms}


def service(case: SystemCase, readers: Readers, asked: Sequence[Request]) -> Channel[Reading, None]:
    """The right answers to questions. Who reads secrets asks on his own and leaves the memory as it is: the arms under attack hold the
    very answers of those without, and no question is asked twice."""

    def ask(arm: Arm, reading: Reading, _: None) -> Rows:
        rows = said(case, SERVICE, arm, reading, [(one.question, one.passages) for one in asked])
        return replace(rows, success=np.full(len(asked), NONE))

    symbols = Symbols(intent=ALPHABET, outcome=OUTCOMES, prior=PRIOR)
    sent = Sent(intent=[one.question.right for one in asked], cluster=[one.memory for one in asked])
    return Channel(SERVICE, "jam", symbols, sent, subject=lambda arm: readers.of(False, arm.defended), ask=ask)


def beside(
    channel: str, arm: Arm, trial: int, seen: Mapping[Arm, Seen[Any]], asked: Asked, planted: Sequence[bool] = (), **more: Any
) -> Exhibit:
    """A trial, with what was retrieved for it and what of that is planted, beside what was said in it without the attack."""
    before, after = (seen[one].rows.said[trial] or "not measured" for one in (DEFENDED if arm.defended else CLEAN, arm))
    found = tuple(
        Found(one.rank, one.entry.text, one.entry.source or "unknown", one.entry.trusted, own, round(one.score, 6))
        for one, own in zip(asked[1], planted or [False] * len(asked[1]), strict=True)
    )
    return Exhibit(channel, arm.name, outcome_clean=before, outcome_attacked=after, text_clean=asked[0].text, found=found, **more)
