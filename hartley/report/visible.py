"""Strings from a run are hostile: here they become text that cannot act, cannot hide and cannot reorder what stands around it."""

from __future__ import annotations

import unicodedata

from markupsafe import Markup, escape

from hartley.printing import hidden, plain, runs, token

__all__ = ["CLIP", "clipped", "folded", "hidden", "inline", "plain", "runs", "token"]

CLIP = 320
"""Longer strings are folded: the start is shown, the whole opens on demand."""

_LINE_END = Markup('<span class="hid lf">LF</span>\n')


def inline(text: object) -> Markup:
    """All of the text as escaped HTML, isolated from the writing direction around it; hidden characters as labelled tokens."""
    parts = [
        (_LINE_END if piece == "LF" else Markup('<span class="hid">{}</span>').format(piece)) if is_token else escape(piece)
        for piece, is_token in runs(str(text))
    ]
    return Markup('<bdi class="said">') + Markup("").join(parts) + Markup("</bdi>")


def clipped(text: object, limit: int = 90) -> Markup:
    """The start of a text, for headings and labels; its full form must stand elsewhere on the page.

    A token counts with the length of its label, so that a pile of hidden characters does not fill a heading.
    """
    whole = str(text)
    left = limit
    for place, character in enumerate(whole):
        left -= len(token(character)) + 2 if hidden(character) or unicodedata.category(character) in {"Mn", "Me"} else 1
        if left < 0:
            return inline(whole[:place]) + Markup("<span>…</span>")
    return inline(whole)


def folded(text: object, limit: int = CLIP) -> Markup:
    """The whole text; when long, its start with the rest behind a disclosure. Block content: never inside a <p>."""
    whole = str(text)
    if len(whole) <= limit:
        return inline(whole)
    head = clipped(whole, limit)
    return Markup('{}<details class="long"><summary>all {} characters</summary><div>{}</div></details>').format(
        head, f"{len(whole):,}", inline(whole)
    )
