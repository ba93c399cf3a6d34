"""Trials of systems as typed records: transcripts, what a memory gave, how a payload spread. Wrong types count as absent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hartley.report.numbers import count, real, text

MOST_TURNS, MOST_PIECES, MOST_ENTRIES = 80, 120, 24
MOST_CURVES, MOST_ROUNDS, MOST_NODES, MOST_EDGES, MOST_FACTS = 8, 4_000, 400, 6_000, 40
"""What a page shows of one trial; the rest stays in the run's folder, and the page says so."""


@dataclass(frozen=True)
class Piece:
    """A stretch of a message. Only what the run marks as trusted is trusted."""

    text: str
    trusted: bool
    planted: bool


@dataclass(frozen=True)
class Turn:
    """One message. `fate` is the file's own word, known or not."""

    role: str
    pieces: tuple[Piece, ...]
    call: str
    fate: str
    why: str

    @property
    def trust(self) -> str:
        """ "trusted", "untrusted", "mixed", or "" where nothing was said. What is planted counts by itself."""
        kinds = {piece.trusted for piece in self.pieces}
        return "" if not kinds else "mixed" if len(kinds) == 2 else "trusted" if True in kinds else "untrusted"

    @property
    def planted(self) -> bool:
        return any(piece.planted for piece in self.pieces)


@dataclass(frozen=True)
class Entry:
    """What a memory gave, with its rank and similarity where they are known."""

    rank: int | None
    text: str
    source: str
    trusted: bool
    planted: bool
    similarity: float | None


@dataclass(frozen=True)
class Spread:
    """A payload's way through a society. `infected` is empty or has a round, or None, for each node."""

    curves: tuple[tuple[str, tuple[float | None, ...]], ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]
    nodes: int
    edges: tuple[tuple[int, int], ...]
    infected: tuple[int | None, ...]
    facts: tuple[tuple[str, str], ...]
    undrawn: str


def transcript(value: Any) -> tuple[tuple[Turn, ...], int]:
    """The turns that are shown, and how many more the file holds."""
    rows = _mappings(value)
    return tuple(_turn(row) for row in rows[:MOST_TURNS]), max(0, len(rows) - MOST_TURNS)


def found(value: Any) -> tuple[Entry, ...]:
    """The entries in the file's order."""
    return tuple(
        Entry(
            rank=count(row.get("rank")) or None,
            text=text(row.get("text")),
            source=text(row.get("source")),
            trusted=row.get("trusted") is True,
            planted=row.get("planted") is True,
            similarity=real(row.get("similarity")),
        )
        for row in _mappings(value)[:MOST_ENTRIES]
    )


def spreading(value: Any) -> Spread | None:
    """None where the file holds neither a curve nor an agent of it."""
    if not isinstance(value, Mapping):
        return None
    shares = value.get("shares")
    curves = tuple((text(name), _series(curve)) for name, curve in shares.items()) if isinstance(shares, Mapping) else ()
    curves = tuple((name, curve) for name, curve in curves if any(share is not None for share in curve))[:MOST_CURVES]
    nodes, undrawn = count(value.get("nodes")), ""
    infected = value.get("infected")
    rounds = tuple(_round(item) for item in infected) if isinstance(infected, list) and len(infected) == nodes else ()
    edges = _edges(value.get("edges"), nodes)
    if nodes > MOST_NODES or len(edges) > MOST_EDGES:
        undrawn = f"{nodes:,} agents and {len(edges):,} edges are too many to draw; the run's folder holds them"
        nodes, edges, rounds = 0, (), ()
    pairs = value.get("facts")
    facts = [(text(row[0]), text(row[1])) for row in pairs if isinstance(row, list) and len(row) == 2] if isinstance(pairs, list) else []
    if not curves and not rounds and not facts:
        return None
    return Spread(
        curves, _series(value.get("low")), _series(value.get("high")), nodes, edges, rounds, tuple(facts[:MOST_FACTS]), undrawn
    )  # fmt: skip


def _turn(row: Mapping[str, Any]) -> Turn:
    merged: list[Piece] = []
    for span in _mappings(row.get("spans"))[:MOST_PIECES]:
        piece = Piece(text(span.get("text")), span.get("trusted") is True, span.get("planted") is True)
        if merged and (merged[-1].trusted, merged[-1].planted) == (piece.trusted, piece.planted):
            piece = Piece(merged.pop().text + piece.text, piece.trusted, piece.planted)
        merged.append(piece)
    pieces = tuple(piece for piece in merged if piece.text)
    return Turn(text(row.get("role")), pieces, text(row.get("call")), text(row.get("fate")), text(row.get("why")))


def _series(value: Any) -> tuple[float | None, ...]:
    return tuple(real(item) for item in value[:MOST_ROUNDS]) if isinstance(value, list) else ()


def _round(value: Any) -> int | None:
    number = real(value)
    return None if number is None or number < 0 else int(number)


def _edges(value: Any, nodes: int) -> tuple[tuple[int, int], ...]:
    """Edges between nodes that are there; others are left out."""
    if not isinstance(value, list):
        return ()
    pairs = [(real(item[0]), real(item[1])) for item in value if isinstance(item, list) and len(item) == 2]
    return tuple((int(a), int(b)) for a, b in pairs if a is not None and b is not None and 0 <= a < nodes and 0 <= b < nodes)


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []
