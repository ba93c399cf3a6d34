"""The user's own graph: a text file with an edge a line."""

from __future__ import annotations

import csv
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain as chained
from pathlib import Path

from hartley import files
from hartley.data.metadata import shown
from hartley.errors import InputError, unknown
from hartley.targets.society.graph import Graph, from_arcs

LARGEST_FILE = 2**30
"""Bytes: some 50 million edges."""
HEADS = (("source", "target"), ("source", "target", "share"), ("from", "to"), ("from", "to", "share"))
"""First lines that are taken for headings, in any case of letters."""


def read_edges(path: str | Path, *, nodes: Sequence[str] | None = None, directed: bool = False) -> Graph:
    """The graph in a UTF-8 file: a line an edge, two names and perhaps a transmissibility from 0 to 1, on all lines or on none.

    Columns are separated by commas (quotes as in CSV), tabs or blanks, whichever the first line has. A heading
    (source,target,share), empty lines and lines that begin with # are skipped; an edge that is there twice counts once.
    nodes     the names of all agents, in their order; None: the names on the lines, in order of appearance.
    directed  True: the first name speaks to the second only.
    InputError, in one line with the file and the line number, for what is no file, cannot be read, is too large, is no text or has no
    edge, for a line with too few or too many columns, an empty name, a self loop, a name that is not among `nodes`, a
    share that is no number from 0 to 1 or is missing, and an edge that is there with two different shares.
    """
    if nodes is not None and len(set(nodes)) < len(nodes):
        twice = next(name for name, count in Counter(nodes).items() if count > 1)
        raise InputError(f"nodes: {shown(twice)} is there twice, takes different names")
    index = {name: i for i, name in enumerate(nodes or ())}
    tails: list[int] = []
    heads: list[int] = []
    shares: list[float] = []
    seen: dict[tuple[int, int], tuple[int, float]] = {}
    width = 0
    for line, cells in _rows(Path(path)):
        where = f"{path}, line {line}"
        if len(cells) not in (2, 3):
            raise InputError(f"{where}: {len(cells)} column{'s' * (len(cells) > 1)}, takes two names and perhaps a share")
        if width and len(cells) != width:
            raise InputError(f"{where}: {len(cells)} columns, but {width} before; takes a share on all lines or on none")
        width = len(cells)
        a, b = (_node(name, index, nodes, where) for name in cells[:2])
        if a == b:
            raise InputError(f"{where}: {shown(cells[0])} is joined to itself; takes two different nodes")
        share = _share(cells[2], where) if width == 3 else 1.0
        pair = (a, b) if directed or a < b else (b, a)
        if pair in seen:
            if seen[pair][1] != share:
                raise InputError(
                    f"{where}: {shown(cells[0])} and {shown(cells[1])} have share {share:g}, but {seen[pair][1]:g} on line {seen[pair][0]}"
                )
            continue
        seen[pair] = (line, share)
        tails.append(a)
        heads.append(b)
        shares.append(share)
    if not tails:
        raise InputError(f"{path}: no edges; takes a line an edge, two names separated by a comma, a tab or a blank")
    return from_arcs(len(index), tails, heads, directed=directed, names=tuple(index), shares=shares if width == 3 else None)


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """(line number, cells) of every line that holds an edge."""
    text = files.text(files.read(path, LARGEST_FILE), path)
    if "\0" in text:
        raise InputError(f"{path}: no text: it holds null bytes")
    lines = ((i, line.strip()) for i, line in enumerate(text.split("\n"), start=1))
    kept = ((i, line) for i, line in lines if line and not line.startswith("#"))
    first = next(kept, None)
    if first is None:
        return
    separator = next((mark for mark in (",", "\t") if mark in first[1]), None)
    for number, (i, line) in enumerate(chained([first], kept)):
        if separator is None:
            cells = line.split()
        else:
            try:
                cells = [cell.strip() for cell in next(csv.reader([line], delimiter=separator, strict=True))]
            except csv.Error as error:
                raise InputError(f"{path}, line {i}: no CSV ({error})") from None
        if number == 0 and tuple(cell.lower() for cell in cells) in HEADS:
            continue
        yield i, cells


def _node(name: str, index: dict[str, int], nodes: Sequence[str] | None, where: str) -> int:
    if not name:
        raise InputError(f"{where}: an empty name")
    if name in index:
        return index[name]
    if nodes is not None:
        raise InputError(f"{where}: {unknown('node', name[:80], nodes)}")
    index[name] = len(index)
    return index[name]


def _share(cell: str, where: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise InputError(f"{where}: share {shown(cell)}, takes a number from 0 to 1")
    return value
