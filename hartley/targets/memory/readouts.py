"""What is read off a memory's answers: whether the planted entry was found and where, which symbol was answered, what was disclosed."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from hartley.targets.memory.memory import Passage

NOT_FOUND = 0
NONE_NAMED, SEVERAL_NAMED = "none", "several"
_WORD = re.compile(r"\w+(?::\w+)*")


def first_ranks(passages: Sequence[Sequence[Passage]], wanted: Sequence[Collection[int]]) -> NDArray[np.int64]:
    """(n,) the place of the nearest wanted entry among each question's passages, 1 for the nearest; NOT_FOUND (0) where none came."""
    return np.array(
        [next((p.rank for p in own if p.entry.id in ids), NOT_FOUND) for own, ids in zip(passages, wanted, strict=True)], np.int64
    )


def found_counts(passages: Sequence[Sequence[Passage]], wanted: Sequence[Collection[int]]) -> NDArray[np.int64]:
    """(n,) how many of the wanted entries are among each question's passages: over their number the recall, over k the precision."""
    return np.array([sum(p.entry.id in ids for p in own) for own, ids in zip(passages, wanted, strict=True)], np.int64)


def untrusted_shares(passages: Sequence[Sequence[Passage]]) -> NDArray[np.float64]:
    """(n,) share of each question's passages that are untrusted; NaN where nothing was retrieved."""
    return np.array([np.mean([not p.entry.trusted for p in own]) if own else np.nan for own in passages])


def answer_symbols(answers: Sequence[str], choices: Sequence[Sequence[str]]) -> NDArray[np.int32]:
    """(n,) which of its choices each answer names, as an index; K for none of the K choices, K + 1 for several.

    A choice is named when its words stand in the answer in order, in any case, as words: "art" is not named by "party". A name
    inside a longer choice that is named too does not count ("york" in "new york"). Raises ValueError unless all questions
    have equally many choices.
    """
    if len({len(own) for own in choices}) > 1:
        raise ValueError("questions with different numbers of choices share no alphabet")
    return np.array([_symbol(answer, own) for answer, own in zip(answers, choices, strict=True)], np.int32)


def outcome_alphabet(names: Sequence[str]) -> tuple[str, ...]:
    """The alphabet of `answer_symbols`: the K names, then one for none of them and one for several."""
    return (*names, NONE_NAMED, SEVERAL_NAMED)


def disclosed(answers: Sequence[str], records: Sequence[str]) -> NDArray[np.bool_]:
    """(answers, records) whether the answer holds the record's words, all of them in order: counts of this are exact.

    The number of records extracted with the first q queries is disclosed(...)[:q].any(axis=0).sum(). A record without a word is never held.
    """
    said, kept = [_words(answer) for answer in answers], [_words(record) for record in records]
    return np.array([[bool(words) and words in answer for words in kept] for answer in said], np.bool_).reshape(len(answers), len(records))


def _symbol(answer: str, choices: Sequence[str]) -> int:
    left, named = _words(answer), set()
    for place in sorted(range(len(choices)), key=lambda i: -len(_words(choices[i]))):
        words = _words(choices[place])
        while words and words in left:  # again: what is said twice running shares a blank, and half of it would stay
            named.add(place)
            left = left.replace(words, " | ")
    return named.pop() if len(named) == 1 else len(choices) + bool(named)


def _words(text: str) -> str:
    """The words in lower case with one blank between and around them, so that containment is containment of whole words."""
    found = _WORD.findall(text.lower())
    return f" {' '.join(found)} " if found else ""
