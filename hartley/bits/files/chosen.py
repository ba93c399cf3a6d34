"""Which columns of a file are x, which are y, and which names the unit of each row: by name, number or range."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence

from hartley.bits.files.columns import Choice, shown
from hartley.errors import InputError, unknown


def chosen(names: Sequence[str], x: str | None, y: str | None, where: str) -> Choice:
    """The places of x and of y among `names`. InputError for an unknown name, and for a column on both sides."""
    if len(names) < 2:
        raise InputError(f"{where}: holds {shown(names[0])!r} alone; takes two columns or arrays, x and y")
    repeated = next((name for name in names if list(names).count(name) > 1), None) if len(names) < 10_000 else None
    if x is None and y is None:
        if "x" in names and "y" in names:
            x, y = "x", "y"
        else:
            return (0,), tuple(range(1, len(names)))
    left = None if x is None else _places(names, x, "--x", where, repeated)
    right = None if y is None else _places(names, y, "--y", where, repeated)
    both = sorted({*(left or ())} & {*(right or ())})
    if both:
        raise InputError(f"--x and --y both name column {shown(names[both[0]])!r}; a column tells everything about itself")
    everything = range(len(names))
    left = tuple(place for place in everything if place not in set(right or ())) if left is None else left
    right = tuple(place for place in everything if place not in set(left)) if right is None else right
    if not left or not right:
        raise InputError(f"{where}: no column is left for {'x' if not left else 'y'}; takes one at least")
    return left, right


def chosen_with_cluster(
    names: Sequence[str], x: str | None, y: str | None, cluster: str, where: str
) -> tuple[tuple[int, ...], tuple[int, ...], int]:
    """The places of x, of y and of the cluster's column, which neither side takes. InputError as in `chosen`, and where both want it."""
    repeated = next((name for name in names if list(names).count(name) > 1), None) if len(names) < 10_000 else None
    places = _places(names, cluster, "--cluster", where, repeated)
    if len(places) > 1:
        raise InputError(f"--cluster: names {len(places)} columns; takes one")
    others = [place for place in range(len(names)) if place != places[0]]
    if len(others) < 2:
        raise InputError(f"{where}: beside --cluster it holds {shown(names[others[0]])!r} alone; takes two more columns, x and y")
    for option, wanted in (("--x", x), ("--y", y)):
        if wanted is not None and places[0] in _places(names, wanted, option, where, repeated):
            raise InputError(f"{option} and --cluster both name column {shown(names[places[0]])!r}; a unit is on neither side")
    if x is None and y is None:
        kept = [names[place] for place in others]
        left, right = chosen(kept, None, None, where)
        return tuple(others[place] for place in left), tuple(others[place] for place in right), places[0]
    left, right = chosen(names, x, y, where)
    left, right = (tuple(place for place in side if place != places[0]) for side in (left, right))
    if not left or not right:
        raise InputError(f"{where}: no column is left for {'x' if not left else 'y'}; takes one at least")
    return left, right, places[0]


def _places(names: Sequence[str], wanted: str, option: str, where: str, repeated: str | None) -> tuple[int, ...]:
    """What an option names: an exact name, a number from 1, or a range of them; with commas between."""
    if wanted in names and wanted != repeated:
        return (list(names).index(wanted),)
    found: list[int] = []
    for part in next(csv.reader([wanted], skipinitialspace=True), []):
        span = re.fullmatch(r"(\d{1,9})(?:-(\d{1,9}))?", part.strip(), re.ASCII)
        if part in names:
            if part == repeated:
                raise InputError(f"{option}: two columns are called {shown(part)!r} in {where}; say which by its number, from 1")
            found.append(list(names).index(part))
        elif span is not None:
            first, last = int(span[1]), int(span[2] or span[1])
            if not 1 <= first <= last <= len(names):
                raise InputError(f"{option}: got {shown(part)}, takes columns from 1 to {len(names)} of {where}, or names")
            found += range(first - 1, last)
        else:
            hint = unknown("column", shown(part), [shown(name) for name in names])
            raise InputError(f"{option}: {where}: {hint}")
    if not found:
        raise InputError(f"{option}: names no column; takes names or numbers from 1, with commas between")
    if len(set(found)) < len(found):
        raise InputError(f"{option}: names column {shown(names[next(p for p in found if found.count(p) > 1)])!r} twice")
    return tuple(found)
