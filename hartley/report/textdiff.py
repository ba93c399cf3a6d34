"""Two texts, word by word: what stayed, what went, what came."""

from __future__ import annotations

import re
from difflib import SequenceMatcher

KEPT, GONE, NEW = "kept", "gone", "new"
MOST_WORDS = 1500
"""Longer texts are not compared: the comparison takes time with the square of the length."""


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
