"""Strings from a run are hostile: here they become text that cannot act, cannot hide and cannot reorder what stands around it."""

from __future__ import annotations

import unicodedata

from markupsafe import Markup, escape

CLIP = 320
"""Longer strings are folded: the start is shown, the whole opens on demand."""

_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Letters and marks by category that nevertheless show nothing: Hangul fillers, the Braille blank, the combining grapheme joiner.
_BLANKS = frozenset({0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0})
_VARIATION_SELECTORS = (range(0x180B, 0x1810), range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))
_LINE_END = Markup('<span class="hid lf">LF</span>\n')
_MARKS_IN_A_ROW = 3
_SHORT = {0x09: "TAB", 0x0A: "LF", 0x0D: "CR", 0x00: "NUL", 0x1B: "ESC", 0x7F: "DEL"}


def hidden(character: str) -> bool:
    """Whether the character shows nothing by itself, or changes how its neighbors are shown."""
    code = ord(character)
    if code in _BLANKS or any(code in span for span in _VARIATION_SELECTORS):
        return True
    return unicodedata.category(character) in _HIDDEN_CATEGORIES


def token(character: str) -> str:
    """The label that stands for a hidden character, for example U+202E."""
    code = ord(character)
    return _SHORT.get(code, f"U+{code:04X}")


def runs(text: str) -> list[tuple[str, bool]]:
    """The text cut into (piece, is_token) in order; a pile of more than three combining marks becomes tokens too."""
    pieces: list[tuple[str, bool]] = []
    plain: list[str] = []
    marks = 0
    for character in text:
        marks = marks + 1 if unicodedata.category(character) in {"Mn", "Me"} else 0
        if hidden(character) or marks > _MARKS_IN_A_ROW:
            if plain:
                pieces.append(("".join(plain), False))
                plain = []
            pieces.append((token(character), True))
        else:
            plain.append(character)
    if plain:
        pieces.append(("".join(plain), False))
    return pieces


def plain(text: object, limit: int | None = None) -> str:
    """For attributes and SVG text: hidden characters as [U+202E], clipped at `limit` characters."""
    whole = str(text)
    cut = whole if limit is None or len(whole) <= limit else whole[:limit]
    shown = "".join(f"[{piece}]" if is_token else piece for piece, is_token in runs(cut))
    return shown if len(cut) == len(whole) else f"{shown}…"


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
