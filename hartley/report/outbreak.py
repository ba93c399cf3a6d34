"""Geometry of a payload's way through a society: curves of shares by round with their band, and who was reached when."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hartley.report.trials import Spread

MOST_POINTS = 240
MOST_PANELS = 6
TOPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 1.0)
MEASURED, UNGUARDED = "measured", "measured, no defense"
Places = NDArray[np.float64]
Series = Sequence[float | None]


@dataclass(frozen=True)
class Curve:
    """One curve as path data in a box of 100 x 100; `style` counts from 0, the measured one."""

    name: str
    path: str
    style: int
    last: float
    half: int | None
    nearly_all: int | None


@dataclass(frozen=True)
class Panel:
    """The agents after one round: dots of those reached before, and of those reached in that round."""

    round: int
    reached: int
    before: str
    now: str


@dataclass(frozen=True)
class Drawn:
    """Everything that the page draws of one spreading.

    band       the measured band as path data, or "". top: the share at the upper edge of the box. ticks: rounds along the lower edge.
    rows       for reading: (round, share of each curve, low, high), thinned to at most 33 rounds.
    dots, web  all agents and all edges as path data in a box of 100 x 100; size: a dot's width in it.
    """

    curves: tuple[Curve, ...]
    band: str
    top: float
    rounds: int
    ticks: tuple[int, ...]
    rows: tuple[tuple[int, tuple[float | None, ...], float | None, float | None], ...]
    dots: str
    web: str
    size: float
    panels: tuple[Panel, ...]
    agents: int
    facts: tuple[tuple[str, str], ...]
    undrawn: str


def measured(spread: Spread) -> Series:
    """The measured shares; empty where there are none."""
    return next((values for name, values in spread.curves if name == MEASURED), ())


def drawn(spread: Spread, unguarded: Series = ()) -> Drawn:
    """The drawing of one spreading; parts that the run does not hold stay empty.

    unguarded: the measured shares of the same society without the safeguard, to stand beside those with it.
    """
    series: list[tuple[str, Series]] = sorted(spread.curves, key=lambda item: item[0] != MEASURED)
    series += [(UNGUARDED, unguarded)] if unguarded else []
    rounds = max((len(values) for _, values in series), default=1) - 1
    sizes = [share for _, values in series for share in values if share is not None]
    sizes += [share for share in spread.high if share is not None]
    top = next((edge for edge in TOPS if edge >= max(sizes, default=1.0)), 1.0)
    places = _places(spread.nodes, spread.edges) if spread.infected else np.zeros((0, 2))
    return Drawn(
        curves=tuple(_curve(name, values, style, rounds, top) for style, (name, values) in enumerate(series)),
        band=_band(spread.low, spread.high, rounds, top),
        top=top,
        rounds=rounds,
        ticks=_ticks(rounds),
        rows=_rows([values for _, values in series], spread, rounds),
        dots=_dots(places, range(len(places))),
        web="".join(f"M{_at(places[a])}L{_at(places[b])}" for a, b in spread.edges if a != b) if len(places) else "",
        size=round(min(7.0, 52.0 / math.sqrt(max(1, len(places)))), 2),
        panels=_panels(spread.infected, places),
        agents=len(places),
        facts=spread.facts,
        undrawn=spread.undrawn,
    )


def _curve(name: str, values: Series, style: int, rounds: int, top: float) -> Curve:
    stride = max(1, -(-len(values) // MOST_POINTS))
    commands, pen_down = [], False
    for at in [*range(0, len(values) - 1, stride), len(values) - 1]:
        share = values[at]
        if share is not None:
            commands.append(f"{'L' if pen_down else 'M'}{_point(at, share, rounds, top)}")
        pen_down = share is not None
    known = [share for share in values if share is not None]
    return Curve(name, "".join(commands), style, known[-1], _first(values, 0.5), _first(values, 0.99))


def _band(low: Series, high: Series, rounds: int, top: float) -> str:
    both = [(at, *pair) for at, pair in enumerate(zip(low, high, strict=False)) if pair[0] is not None and pair[1] is not None]
    if len(both) < 2 or len(low) != len(high):
        return ""
    stride = max(1, -(-len(both) // MOST_POINTS))
    kept = [*both[:-1:stride], both[-1]]
    over = [_point(at, upper or 0.0, rounds, top) for at, _, upper in kept]
    under = [_point(at, lower or 0.0, rounds, top) for at, lower, _ in reversed(kept)]
    return "M" + "L".join([*over, *under]) + "Z"


def _point(at: int, share: float, rounds: int, top: float) -> str:
    return f"{100 * at / max(1, rounds):.2f} {100 - 100 * min(max(share / top, 0.0), 1.0):.2f}"


def _first(values: Series, share: float) -> int | None:
    return next((at for at, value in enumerate(values) if value is not None and value >= share), None)


def _ticks(rounds: int) -> tuple[int, ...]:
    """Evenly spaced whole rounds, four steps or as near to that as divides them."""
    steps = next((count for count in (4, 5, 3, 6, 2) if rounds % count == 0), 1) if rounds else 1
    return tuple(rounds * step // steps for step in range(steps + 1)) if rounds else (0,)


def _rows(
    series: Sequence[Series], spread: Spread, rounds: int
) -> tuple[tuple[int, tuple[float | None, ...], float | None, float | None], ...]:
    stride = max(1, -(-rounds // 32))

    def at(values: Series, place: int) -> float | None:
        return values[place] if place < len(values) else None

    kept = [*range(0, rounds, stride), rounds] if series else []
    return tuple((place, tuple(at(values, place) for values in series), at(spread.low, place), at(spread.high, place)) for place in kept)


def _panels(infected: Sequence[int | None], places: Places) -> tuple[Panel, ...]:
    """A few rounds from the first to the last in which anyone was reached."""
    known = sorted({first for first in infected if first is not None})
    if not known:
        return ()
    count = min(MOST_PANELS, known[-1] + 1)
    shown = [round(known[-1] * step / (count - 1)) for step in range(count)] if count > 1 else [known[-1]]
    panels = []
    for place, now in enumerate(shown):
        last = shown[place - 1] if place else -1
        old = [node for node, first in enumerate(infected) if first is not None and first <= last]
        new = [node for node, first in enumerate(infected) if first is not None and last < first <= now]
        panels.append(Panel(now, len(old) + len(new), _dots(places, old), _dots(places, new)))
    return tuple(panels)


def _dots(places: Places, nodes: Sequence[int]) -> str:
    """Points as strokes of no length: with round ends they are drawn as dots."""
    return "".join(f"M{_at(places[node])}h0" for node in nodes)


def _at(place: NDArray[np.float64]) -> str:
    return f"{place[0]:.1f} {place[1]:.1f}"


def _places(nodes: int, edges: Sequence[tuple[int, int]]) -> Places:
    """(nodes, 2) between 4 and 96. Without edges rows of a square; with edges where hops on the graph and distances agree best."""
    if nodes <= 1 or not edges:
        side = max(1, math.ceil(math.sqrt(nodes)))
        index = np.arange(nodes)
        return 4 + 92 * (np.stack([index % side, index // side], axis=1) + 0.5) / side
    hops = _hops(nodes, edges)
    found = _spread_out(hops, _first_guess(hops))
    found -= found.min(axis=0)
    wide = found.max(axis=0)
    found += (wide.max() - wide) / 2
    return np.asarray(4 + 92 * found / (wide.max() or 1.0))


def _hops(nodes: int, edges: Sequence[tuple[int, int]]) -> Places:
    """(nodes, nodes) hops along the edges in either direction; between parts that are not joined a little beyond the farthest."""
    near: list[set[int]] = [set() for _ in range(nodes)]
    for a, b in edges:
        near[a].add(b)
        near[b].add(a)
    hops = np.full((nodes, nodes), np.inf)
    for start in range(nodes):
        hops[start, start] = 0
        waiting = deque([start])
        while waiting:
            node = waiting.popleft()
            for other in near[node]:
                if hops[start, other] == np.inf:
                    hops[start, other] = hops[start, node] + 1
                    waiting.append(other)
    farthest = hops[np.isfinite(hops)].max()
    hops[~np.isfinite(hops)] = farthest + 1
    return hops


def _first_guess(hops: Places) -> Places:
    """Classical scaling (Torgerson 1952): the two main axes of the squared distances."""
    squared = hops**2
    centered = -0.5 * (squared - squared.mean(0) - squared.mean(1)[:, None] + squared.mean())
    values, vectors = np.linalg.eigh(centered)
    # A nudge that depends on the node alone keeps nodes with the same neighbors from falling onto one point.
    angle = 2.4 * np.arange(len(hops))
    nudge = 0.05 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return np.asarray(vectors[:, [-1, -2]] * np.sqrt(np.maximum(values[[-1, -2]], 0.0)) + nudge)


def _spread_out(hops: Places, places: Places, steps: int = 80) -> Places:
    """Majorization of the stress with weights 1 / hops^2 (Gansner, Koren and North 2004)."""
    nodes = len(hops)
    weights = 1.0 / np.where(hops > 0, hops, 1.0) ** 2
    np.fill_diagonal(weights, 0.0)
    laplacian = np.diag(weights.sum(1)) - weights
    inverse = np.linalg.inv(laplacian + 1.0 / nodes)
    for _ in range(steps):
        apart = np.linalg.norm(places[:, None] - places[None], axis=2)
        pull = -weights * hops / np.maximum(apart, 1e-9)
        np.fill_diagonal(pull, 0.0)
        np.fill_diagonal(pull, -pull.sum(1))
        places = inverse @ (pull @ places)
    return places
