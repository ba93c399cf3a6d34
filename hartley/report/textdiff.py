"""Two texts, word by word: what stayed, what went, what came."""

from __future__ import annotations

import re
from difflib import SequenceMatcher

KEPT, GONE, NEW = "kept", "gone", "new"
MOST_WORDS, MOST_LETTERS, MOST_PAIRS = 1500, 100_000, 10_000_000
"""Longer texts are not compared: the comparison takes time with the square of the length."""


class Changes:
    """Compares texts, as long as there is budget for it. budget: pairs of words, for all comparisons of one report together."""

    def __init__(self, budget: int = MOST_PAIRS) -> None:
        self.budget = budget

    def __call__(self, before: str, after: str) -> list[tuple[str, str]] | None:
        """`changes`; None also when the budget is used up."""
        if max(len(before), len(after)) > MOST_LETTERS:
            return None
        pairs = len(_words(before)) * len(_words(after))
        if pairs > self.budget:
            return None
        self.budget -= pairs
        return changes(before, after)


def changes(before: str, after: str) -> list[tuple[str, str]] | None:
    """Pieces (KEPT | GONE | NEW, text) in reading order; None when the texts are too long to compare."""
    left, right = _words(before), _words(after)
    if max(len(left), len(right)) > MOST_WORDS:
        return None
    pieces: list[tuple[str, str]] = []
    for _, i, j, k, m in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        gone, new = "".join(left[i:j]), "".join(right[k:m])
        if gone == new:
            pieces.append((KEPT, gone))
            continue
        pieces += [(kind, text) for kind, text in ((GONE, gone), (NEW, new)) if text]
    return pieces


def _words(text: str) -> list[str]:
    """Words, runs of spaces and single marks; joined they give the text again."""
    return re.findall(r"\s+|\w+|[^\w\s]", text)
