"""Readers: who answers from a system's memory, without a safeguard and behind one, and how likely its answers were."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from hartley.case import SystemCase, wrapper
from hartley.targets.conversation import Conversation, Message
from hartley.targets.endpoint.outcomes import NotMeasured
from hartley.targets.memory.memory import Passage
from hartley.targets.memory.reading import Reading
from hartley.targets.memory.reference import documents_reading
from hartley.targets.system import System
from hartley.targets.tool_calls import Tools

K = 5
"""Passages for a question, as in the papers; the reference agent has learned to read up to five at a time."""


@runtime_checkable
class Scoring(Protocol):
    """A policy that tells how likely it is to say something (capability "logprob")."""

    def log_likelihood(self, conversations: Sequence[Conversation], messages: Sequence[Message], tools: Tools) -> object:
        """(n,) natural logarithms."""
        ...


def readers_of(case: SystemCase) -> Readers:
    """Who answers from the memory, without the case's safeguard and behind it."""
    return Readers(case.target, None if case.defense is None else wrapper(case.defense, "reading"))


class Readers:
    """A system's reader, without a safeguard and behind it.

    guard: wraps a reader in a safeguard; None: there is no safeguard. Behind a safeguard, which may read passage by passage, nothing is
    read twice; nor is it where nobody attacks, as several channels and arms ask that alike. What is under attack without a safeguard
    is read each time.
    """

    def __init__(self, system: System, guard: Callable[[Reading], Reading] | None) -> None:
        plain = documents_reading(system)
        self._attacked: dict[bool, Reading] = {False: plain, True: plain if guard is None else guard(Remembering(plain))}
        self._alone = {defended: Remembering(reading) for defended, reading in self._attacked.items()}

    def of(self, attacked: bool, defended: bool) -> Reading:
        """Who answers where there is an attack or none, behind the safeguard or not."""
        return (self._attacked if attacked else self._alone)[defended]


class Remembering:
    """A reader that is asked the same thing about the same passages once; satisfies `Reading`."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self._said: dict[tuple[object, ...], str | NotMeasured] = {}

    def __call__(self, questions: Sequence[str], passages: Sequence[Sequence[Passage]]) -> list[str | NotMeasured]:
        keys = [(question, *map(_shown, own)) for question, own in zip(questions, passages, strict=True)]
        new = {key: place for place, key in enumerate(keys) if key not in self._said}
        answers = self.reading([questions[place] for place in new.values()], [passages[place] for place in new.values()])
        self._said.update(zip(new, answers, strict=True))
        return [self._said[key] for key in keys]


def _shown(passage: Passage) -> tuple[object, ...]:
    return passage.rank, passage.entry.text, passage.entry.source, passage.entry.trusted


def tells_odds(system: System) -> bool:
    """Whether the policy says how likely its answers were."""
    return "logprob" in system.capabilities and isinstance(system.policy, Scoring)


def log_odds(system: System, questions: Sequence[str], passages: Sequence[Sequence[Passage]]) -> NDArray[np.float64]:
    """(n,) how much likelier a system's reader says yes than no, as a natural logarithm. Raises TypeError unless it `tells_odds`."""
    policy, context = system.policy, documents_reading(system).context
    if not isinstance(policy, Scoring):
        raise TypeError(f"{policy!r} does not say how likely its answers were")
    conversations = [context(question, own) for question, own in zip(questions, passages, strict=True)]
    yes, no = (
        np.asarray(policy.log_likelihood(conversations, [Message("assistant", word)] * len(questions), ()), np.float64)
        for word in (("yes .", "no .") if system.reference else ("Yes", "No"))
    )
    odds: NDArray[np.float64] = yes - no
    return odds
