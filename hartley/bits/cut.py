"""The cut bound: whatever flows through an interface is at most how often it is used times what one use lets through."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from fractions import Fraction

from hartley.errors import InputError


def cut_bound(rate: float, bandwidth_bits: float | None) -> float | None:
    """Bits per task through one interface: rate (uses per task) x bandwidth_bits (bits per use); None: no bound.

    bandwidth_bits is log2 of the number of actions, a pure count per use, and rate a pure count of uses: an entropy is
    never multiplied by another. None stands for an interface that nothing bounds; at rate 0 even that lets nothing
    through. InputError for a negative or infinite figure.
    """
    uses = _figure("rate", rate)
    if bandwidth_bits is None:
        return None if uses else 0.0
    return uses * _figure("bandwidth_bits", bandwidth_bits)


@dataclass(frozen=True)
class Cut:
    """The tightest cut between two nodes: bits per task through it (None: no bound), and the interfaces it is made of."""

    bits: float | None
    interfaces: tuple[tuple[Hashable, Hashable], ...]

    def __str__(self) -> str:
        if self.bits is None:
            return "cut: unbounded (a path of interfaces without a bound)"
        return f"cut: at most {self.bits:.3f} bits per task through " + (", ".join(f"{a} -> {b}" for a, b in self.interfaces) or "nothing")


def network_cut(edges: Iterable[tuple[Hashable, Hashable, float, float | None]], source: Hashable, sink: Hashable) -> Cut:
    """The min cut of a directed graph of interfaces, each (from, to, rate in uses per task, bandwidth_bits or None).

    The sum of rate x bandwidth over the interfaces that leave some set of nodes with the source and without the sink
    bounds every flow between them (Ford and Fulkerson 1956; for information El Gamal and Kim 2011, theorem 18.4, where
    the interfaces are noiseless links). Floating-point capacities are turned into exact fractions over one denominator
    and augmented as whole numbers along shortest paths (Edmonds and Karp 1972), so the flow ends and equals the cut to
    the last bit. Parallel interfaces add up. InputError for a malformed edge or a source that is the sink.
    """
    if source == sink:
        raise InputError(f"source and sink are both {source!r}: nothing lies between them")
    exact: dict[tuple[Hashable, Hashable], Fraction | None] = {}
    for i, edge in enumerate(edges):
        if not isinstance(edge, tuple) or len(edge) != 4:
            raise InputError(f"edges, row {i}: takes (from, to, rate, bandwidth_bits)")
        a, b, rate, bandwidth_bits = edge
        try:
            bits = cut_bound(rate, bandwidth_bits)
        except InputError as error:
            raise InputError(f"edges, row {i}: {error}") from None
        before = exact.get((a, b), Fraction(0))
        if a != b:
            exact[a, b] = None if bits is None or before is None else before + Fraction(bits)
    finite = [bits for bits in exact.values() if bits is not None]
    scale = math.lcm(*(bits.denominator for bits in finite)) if finite else 1
    endless = sum(int(bits * scale) for bits in finite) + 1
    capacity = {pair: endless if bits is None else int(bits * scale) for pair, bits in exact.items()}
    flow, reached = _max_flow(capacity, source, sink)
    if flow >= endless:
        return Cut(None, ())
    crossing = tuple(pair for pair, bits in capacity.items() if pair[0] in reached and pair[1] not in reached and bits > 0)
    return Cut(float(Fraction(flow, scale)), crossing)


def _max_flow(capacity: dict[tuple[Hashable, Hashable], int], source: Hashable, sink: Hashable) -> tuple[int, set[Hashable]]:
    """(maximum flow, nodes the source still reaches in what is left)."""
    left: dict[Hashable, dict[Hashable, int]] = {source: {}, sink: {}}
    for (a, b), room in capacity.items():
        left.setdefault(a, {})[b] = left.get(a, {}).get(b, 0) + room
        left.setdefault(b, {}).setdefault(a, 0)
    total = 0
    while True:
        parent: dict[Hashable, Hashable] = {source: source}
        waiting = deque([source])
        while waiting and sink not in parent:
            node = waiting.popleft()
            for other, room in left[node].items():
                if room > 0 and other not in parent:
                    parent[other] = node
                    waiting.append(other)
        if sink not in parent:
            return total, set(parent)
        path, node = [], sink
        while node != source:
            path.append((parent[node], node))
            node = parent[node]
        room = min(left[a][b] for a, b in path)
        for a, b in path:
            left[a][b] -= room
            left[b][a] += room
        total += room


def _figure(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value < 0:
        raise InputError(f"{name}: got {value!r}, takes a finite number from 0")
    return float(value)
