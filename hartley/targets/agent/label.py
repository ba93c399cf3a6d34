"""Labels: where content comes from, and whether the user or the operator vouches for it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Label:
    """trusted: from the user, the operator, or made from nothing else. sources: everything that it was made from."""

    trusted: bool
    sources: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return f"{'trusted' if self.trusted else 'untrusted'} ({', '.join(sorted(self.sources)) or 'nothing'})"


OPERATOR = Label(True, frozenset({"operator"}))
USER = Label(True, frozenset({"user"}))
WORLD = Label(True, frozenset({"world"}))
"""What a tool says of its own accord: that it is done, or that it failed."""


def joined(labels: Iterable[Label]) -> Label:
    """The label of what was made from all of these: trusted only if all are. Of nothing: trusted, without a source."""
    every = tuple(labels)
    return Label(all(label.trusted for label in every), frozenset().union(*(label.sources for label in every)))
