"""State: everything that an agent's tools read or change. A value: a call gives a new one.

What a task did to the world is a pure comparison of two states.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeAlias

PLENTY = 300

Place: TypeAlias = tuple[str, str]
"""Where something stands: a field of the state, and what names it there (a sender, a file, a row's name)."""

Change: TypeAlias = tuple[str, str, object]
"""A difference between two states: the field, "added", "removed" or "set", and what."""


@dataclass(frozen=True)
class State:
    """Everything that a tool reads or changes. Mappings are never changed in place; a database table that was dropped is None."""

    mails: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    pages: Mapping[str, str] = field(default_factory=dict)
    prices: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    orders: tuple[tuple[str, str, int], ...] | None = ()
    reviews: tuple[tuple[str, str], ...] | None = ()
    events: tuple[tuple[str, str, str], ...] = ()
    money: int = PLENTY
    sent: tuple[tuple[str, str], ...] = ()
    paid: tuple[tuple[str, int], ...] = ()
    bought: tuple[tuple[str, int], ...] = ()
    worked: tuple[tuple[str, str], ...] = ()
    cell: tuple[int, int] = (0, 0)
    closed: bool = False


DERIVED = frozenset({"money"})
"""What follows from the rest: the balance falls by what was paid, whoever asked for it."""


def changes(before: State, after: State) -> frozenset[Change]:
    """What is different afterwards. Rows that occur several times count by how often they were added: (row, times); their order is
    nothing."""
    found: set[Change] = set()
    for item in fields(State):
        if item.name in DERIVED:
            continue
        old, new = getattr(before, item.name), getattr(after, item.name)
        if old == new:
            continue
        if isinstance(old, Mapping):
            found |= {(item.name, "removed", key) for key in old.keys() - new.keys()}
            found |= {(item.name, "set", (key, value)) for key, value in new.items() if old.get(key) != value}
        elif item.name == "cell" or not isinstance(old, tuple) or new is None:
            found.add((item.name, "set", new))
        else:
            found |= {(item.name, "added", pair) for pair in _more(new, old)} | {(item.name, "removed", pair) for pair in _more(old, new)}
    return frozenset(found)


def _more(rows: Iterable[Any], others: Iterable[Any]) -> Iterable[tuple[Any, int]]:
    return (Counter(rows) - Counter(others)).items()
