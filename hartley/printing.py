"""Printing: the one place that makes text printable, and prints it. What a folder, a server or a run says cannot act on a terminal,
cannot hide, cannot reorder what stands around it, and cannot begin a line that a CI system takes for a command.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Sequence

import click

_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Letters and marks by category that nevertheless show nothing: Hangul fillers, the Braille blank, the combining grapheme joiner.
_BLANKS = frozenset({0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0})
_VARIATION_SELECTORS = (range(0x180B, 0x1810), range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))
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


_COMMAND = re.compile(r"^\s*(?:::|\[command\])")
_COMMAND_ANYWHERE = re.compile(r"##(?=(?:vso|teamcity)?\[)", re.IGNORECASE)
"""Some runners look for these in the whole line, not at its start alone."""
_KEPT = "\n"


def printable(text: object) -> str:
    """One line of text for a terminal or a log: hidden characters as [U+202E], and no command of a CI system in it."""
    shown = _COMMAND_ANYWHERE.sub(r"#\#", plain(text))
    return f"\\{shown}" if _COMMAND.match(shown) else shown


def echo(text: object = "", *, err: bool = False) -> None:
    """Prints lines, each made printable."""
    click.echo("\n".join(printable(line) for line in str(text).split(_KEPT)), err=err)


def tell(lines: Sequence[str]) -> None:
    """Prints the lines, the first one bold and the word "implemented" green where the output is a terminal."""
    first, *rest = (printable(line) for one in lines for line in one.split(_KEPT))
    green = click.style("implemented", fg="green")
    text = "\n".join([click.style(first, bold=True), *(line.replace(" implemented", f" {green}") for line in rest)])
    click.echo(text, color=False if os.environ.get("NO_COLOR") else None)
