"""The one exception for wrong input: the command line prints it as a single line and exits with code 2."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(Exception):
    """What the user gave cannot be used. The message names what was wrong, what it was, and what is accepted."""


def unknown(what: str, got: str, known: Iterable[str]) -> InputError:
    """An InputError for a name that does not exist, with the nearest names that do."""
    names = sorted(known)
    near = difflib.get_close_matches(got, names, n=3, cutoff=0.4)
    hint = f"nearest: {', '.join(near)}" if near else f"known: {', '.join(names[:12])}{', ...' if len(names) > 12 else ''}"
    return InputError(f"unknown {what} {got!r}; {hint}")
