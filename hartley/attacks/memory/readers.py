"""Readers: the reader of a system's memory without and with the safeguard, and what it said, kept so that other cells can use it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hartley.attacks.case import Flag, Refused, SystemCase
from hartley.attacks.engine.progress import in_parts
from hartley.targets.endpoint.outcomes import NotMeasured
from hartley.targets.memory.memory import Passage
from hartley.targets.memory.reading import Reading
from hartley.targets.memory.reference import documents_reading

K = 5
"""Passages for a question, as in the papers; the reference agent has learned to read up to five at a time."""
_ANSWERS = "answers"


@dataclass(frozen=True)
class Readers:
    """plain: the system's reader. guarded: the same behind the case's safeguard; None: there is no safeguard."""

    plain: Reading
    guarded: Reading | None


def readers_of(case: SystemCase) -> Readers:
    """Raises Refused for a safeguard that does not stand between a memory and its reader."""
    plain = documents_reading(case.target)
    if case.defense is None:
        return Readers(plain, None)
    if case.defense.reading is None:
        raise Refused(f"{case.defense.id} guards an agent's tools; this threat acts on what a memory's reader is given")
    return Readers(plain, case.defense.reading(Remembering(plain)))


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


@dataclass(frozen=True)
class Responses:
    """answers: what was said, n; None: not measured. numbers: name to (n,) float64, whatever else is known of each answer."""

    answers: tuple[str | None, ...]
    numbers: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)

    @property
    def measured(self) -> NDArray[np.int64]:
        """The places of the answers that there are."""
        return np.array([place for place, answer in enumerate(self.answers) if answer is not None], np.int64)

    def texts(self) -> list[str]:
        """The answers that there are."""
        return [answer for answer in self.answers if answer is not None]


def told(
    case: SystemCase,
    channel: str,
    arm: str,
    reading: Reading,
    questions: Sequence[str],
    passages: Sequence[Sequence[Passage]],
    numbers: Mapping[str, NDArray[np.float64]] | None = None,
) -> Responses:
    """What a reader says to each question with its passages, saying how far it is. What an endpoint did not answer is flagged with its
    reason: such a trial is no success and no failure.

    Raises the first NotMeasured where there is no answer at all.
    """

    def read(part: Sequence[tuple[str, Sequence[Passage]]]) -> list[str | NotMeasured]:
        return [*reading([question for question, _ in part], [own for _, own in part])]

    answers = in_parts(case, f"{channel}, {arm}", read, list(zip(questions, passages, strict=True)))
    missing = [answer for answer in answers if isinstance(answer, NotMeasured)]
    if missing and len(missing) == len(answers):
        raise missing[0]
    if missing:
        reason, count = Counter(answer.reason for answer in missing).most_common(1)[0]
        why = f"{len(missing)} of {len(answers)} trials brought no answer and are left out, {count} of them because: {reason}"
        case.flags.append(Flag(channel, arm, "trials not measured", why))
    return Responses(tuple(None if isinstance(answer, NotMeasured) else answer for answer in answers), numbers or {})


def told_once(case: SystemCase, name: str, ask: Callable[[], Responses]) -> Responses:
    """What `ask` was told, from the run's cache where it is there already."""

    def keep() -> dict[str, Tensor]:
        found = ask()
        text = torch.frombuffer(bytearray(json.dumps(found.answers).encode()), dtype=torch.uint8)
        return {_ANSWERS: text, **{key: torch.from_numpy(np.array(values, np.float64)) for key, values in found.numbers.items()}}

    tensors = case.once(name, keep)
    answers = json.loads(bytes(tensors[_ANSWERS].tolist()).decode())
    return Responses(tuple(answers), {key: values.numpy() for key, values in tensors.items() if key != _ANSWERS})
