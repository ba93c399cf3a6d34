"""What the sentences of the answer are made of: our own words, numbers that explain themselves, and strings of the run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from hartley.report.lines import Line
from hartley.report.numbers import Number


@dataclass(frozen=True)
class Said:
    """A string that came with the run, or holds one: shown, never trusted. prose: a sentence, and no name."""

    text: str
    prose: bool = False


Part = str | Number | Said
Sentence = tuple[Part, ...]
NAMED = 3
"""Of several channels as many are named in a sentence; the ranking holds all."""


def name_of(identifier: str, names: Mapping[str, str]) -> Part:
    """A name of the catalog as our own word, anything else as said by the run."""
    return names[identifier] if identifier in names else Said(identifier)


def plain(sentence: Iterable[Part]) -> str:
    """The sentence as one string, for the terminal, for tests and for titles."""
    return "".join(part.told if isinstance(part, Number) else part.text if isinstance(part, Said) else part for part in sentence)


def listed(lines: Sequence[Line], names: Mapping[str, str]) -> Sentence:
    """Threats with their channels, in words: "sga (image), p2sql (row) and 4 more"."""
    lines = list({line.label: line for line in lines}.values())  # one of several seeds stands for all
    parts: list[Part] = []
    rest = len(lines) - NAMED
    for at, line in enumerate(lines[:NAMED]):
        last = at == len(lines) - 1
        parts += ["" if at == 0 else " and " if last else ", ", name_of(line.threat, names)]
        parts += [" (", Said(line.name), ")"] if line.name else []
    return (*parts, *((f" and {rest} more",) if rest > 0 else ()))


def fraction(part: float | None, whole: float | None) -> float:
    """The share that a part is of a whole; 1 where either is not known."""
    return 1.0 if part is None or whole is None or whole <= 0 else part / whole
