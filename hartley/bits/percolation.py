"""What a graph lets spread: the percolation bound on bits that reach an agent, and the reproduction number."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from hartley.bits.limits import proportion_limits
from hartley.bits.tables import Counts, Floats
from hartley.bits.value import Bits
from hartley.errors import InputError

_EXACT_EDGES = 18


def percolation_bound(
    edges: Sequence[tuple[Hashable, Hashable]],
    transmissibility: ArrayLike,
    source: Hashable,
    agent: Hashable,
    entropy_bits: float,
    *,
    directed: bool = False,
    samples: int = 4_000,
    seed: int = 0,
) -> Bits:
    """I(agent; source) <= P[an open path from source to agent] x H(source), each edge open by itself with its own share.

    edges (m,)       pairs of nodes; transmissibility: one share, or (m,): the edge channel's contraction coefficient
                     (its upper limit, where measured) or the erasure channel it degrades. Evans and Schulman 1999.
    high             the bound in bits: exact up to 18 edges that matter, else from `samples` drawn graphs with the
                     97.5% Clopper-Pearson upper limit. There is no point: it is a statement from above only.
    checks           open_path (the probability, its estimate or exact), open_path_high, edges, exact (1 or 0).
    InputError names the row of a malformed edge or share, or the node that is not there.
    """
    index, ends = _indexed(edges)
    share = _shares(transmissibility, len(ends))
    if not math.isfinite(entropy_bits) or entropy_bits < 0:
        raise InputError(f"entropy_bits: got {entropy_bits}, takes a finite number from 0")
    for name, node in (("source", source), ("agent", agent)):
        if node not in index:
            raise InputError(f"{name}: {node!r} is on no edge")
    start, end = index[source], index[agent]
    if not directed:
        ends, share = np.concatenate([ends, ends[:, ::-1]]), np.concatenate([share, share])
    pair = np.arange(len(ends)) if directed else np.tile(np.arange(len(ends) // 2), 2)
    matter = (share > 0) & (ends[:, 0] != ends[:, 1]) & _between(ends, share > 0, len(index), start, end)
    used = np.unique(pair[matter])
    exact = len(used) <= _EXACT_EDGES
    if start == end:
        chance, upper, n = 1.0, 1.0, 0
    elif exact:
        chance = _exact(ends[matter], share[matter], np.searchsorted(used, pair[matter]), len(used), len(index), start, end)
        upper, n = chance, 0
    else:
        hits = _drawn(ends[matter], share[matter], np.searchsorted(used, pair[matter]), len(index), start, end, samples, seed)
        chance, n = hits / samples, samples
        upper = proportion_limits(hits, samples)[1]
    checks = {"open_path": chance, "open_path_high": upper, "edges": float(len(used)), "exact": float(exact)}
    how = "percolation, exact" if exact else "percolation, drawn graphs, Clopper-Pearson 97.5%"
    why = "a bound from above: what the agent holds may be less"
    return Bits(None, 0.0, min(1.0, upper) * entropy_bits, n, how, "percolation_bound_bits", False, why, checks)


@dataclass(frozen=True)
class Reproduction:
    """R0 = T lambda_1 / gamma, no number of bits: above 1 an infection grows; 95% limits; None: no such statement, see why.

    radius: lambda_1, the spectral radius of the adjacency matrix.
    """

    value: float | None
    low: float | None
    high: float | None
    radius: float
    why: str = ""

    def __str__(self) -> str:
        head = "unbounded" if self.value is None else f"{self.value:.3f}"
        span = ", ".join(f"{word} {x:.3f}" for word, x in (("low", self.low), ("high", self.high)) if x is not None)
        return f"R0: {head}{f' [{span}]' if span else ''} (spectral radius {self.radius:.3f}){'; ' + self.why if self.why else ''}"


def reproduction_number(
    adjacency: Any, transmissibility: float | tuple[float, float], clearing: float | tuple[float, float]
) -> Reproduction:
    """R0 = T lambda_1(adjacency) / gamma on a graph (Wang, Chakrabarti, Wang and Faloutsos 2003).

    adjacency (n, n): scipy sparse or dense, non-negative, row to column; transmissibility T per contact and clearing
    rate gamma per round, each a share or (successes, trials), which gives the limits (Clopper-Pearson, split so that the
    pair holds at 95%). gamma of 0 has no R0: without recovery whatever spreads at all ends up everywhere.
    """
    radius = spectral_radius(adjacency)
    t, t_low, t_high = _share("transmissibility", transmissibility)
    g, g_low, g_high = _share("clearing", clearing)
    low = t_low * radius / g_high if g_high > 0 else None
    high = t_high * radius / g_low if g_low > 0 else (0.0 if t_high * radius == 0 else None)
    if t * radius == 0:
        return Reproduction(0.0, 0.0, high, radius, "" if high is not None else "no clearing was seen: no upper limit")
    if g == 0:
        return Reproduction(None, low, None, radius, "nothing clears: without recovery every rate above 0 saturates, at any R0")
    return Reproduction(t * radius / g, low, high, radius, "" if high is not None else "clearing may be 0: no upper limit")


def spectral_radius(adjacency: Any) -> float:
    """lambda_1 of a non-negative matrix (n, n), sparse (10^6 nodes are fine) or dense. InputError for what is none.

    Taken over the strongly connected parts: a graph without a cycle has 0, where iterations would wander.
    """
    from scipy import sparse
    from scipy.sparse.csgraph import connected_components
    from scipy.sparse.linalg import eigs, eigsh

    try:
        matrix = sparse.csr_array(adjacency, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"adjacency: not a matrix of numbers ({error})") from None
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.shape[0] == 0:
        raise InputError(f"adjacency: shape {matrix.shape}, takes (nodes, nodes)")
    if matrix.nnz and (not np.isfinite(matrix.data).all() or matrix.data.min() < 0):
        raise InputError("adjacency: takes finite numbers from 0")
    _, part = connected_components(matrix, directed=True, connection="strong")
    cyclic = (np.bincount(part)[part] > 1) | (matrix.diagonal() > 0)
    kept = np.flatnonzero(cyclic)
    if len(kept) == 0:
        return 0.0
    core = matrix[kept][:, kept]
    inside = core.tocoo()
    same = part[kept][inside.coords[0]] == part[kept][inside.coords[1]]
    core = sparse.csr_array((inside.data[same], (inside.coords[0][same], inside.coords[1][same])), shape=core.shape)
    if len(kept) <= 200:
        return float(np.abs(np.linalg.eigvals(core.toarray())).max())
    start = np.ones(len(kept))
    if abs(core - core.T).max() == 0:
        return float(eigsh(core, k=1, which="LA", v0=start, return_eigenvectors=False)[0])
    # the largest by real part: on a cycle all are as large, and only the one of Perron and Frobenius is real
    return float(eigs(core, k=1, which="LR", v0=start, return_eigenvectors=False)[0].real)


def _indexed(edges: Sequence[tuple[Hashable, Hashable]]) -> tuple[dict[Hashable, int], Counts]:
    index: dict[Hashable, int] = {}
    ends = np.zeros((len(edges), 2), dtype=np.int64)
    for i, edge in enumerate(edges):
        try:
            a, b = edge
        except (TypeError, ValueError):
            raise InputError(f"edges, row {i}: takes a pair of nodes") from None
        ends[i] = index.setdefault(a, len(index)), index.setdefault(b, len(index))
    return index, ends


def _shares(values: ArrayLike, edges: int) -> Floats:
    share = np.asarray(values, dtype=np.float64)
    if share.shape not in ((), (edges,)):
        raise InputError(f"transmissibility: shape {share.shape}, takes one share or ({edges},), one an edge")
    share = np.broadcast_to(share, edges).copy()
    bad = ~((share >= 0) & (share <= 1))
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise InputError(f"transmissibility, row {row}: got {share[row]}, takes a share from 0 to 1")
    return share


def _share(name: str, value: float | tuple[float, float]) -> tuple[float, float, float]:
    """(share, low, high); the limits are 98.75% each, so that two shares hold together at 97.5% a side."""
    if not isinstance(value, tuple):
        if not 0 <= value <= 1:
            raise InputError(f"{name}: got {value}, takes a share from 0 to 1 or (successes, trials)")
        return float(value), float(value), float(value)
    if len(value) != 2 or not 0 <= value[0] <= value[1] or value[1] < 1:
        raise InputError(f"{name}: got {value}, takes (successes, trials) with at least one trial")
    low, high = proportion_limits(value[0], value[1], 0.975)
    return value[0] / value[1], low, high


def _between(
    ends: Counts, able: np.ndarray[Any, np.dtype[np.bool_]], nodes: int, start: int, end: int
) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which edges lie on a way from start to end at all."""
    forward = _reached(ends[able], nodes, start)
    backward = _reached(ends[able][:, ::-1], nodes, end)
    return np.asarray(forward[ends[:, 0]] & backward[ends[:, 1]] & (ends[:, 1] != start) & (ends[:, 0] != end))


def _reached(ends: Counts, nodes: int, start: int) -> np.ndarray[Any, np.dtype[np.bool_]]:
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import breadth_first_order

    graph = csr_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(nodes, nodes))
    found = np.zeros(nodes, dtype=bool)
    found[breadth_first_order(graph, start, directed=True, return_predecessors=False)] = True
    return found


def _exact(ends: Counts, share: Floats, pair: Counts, pairs: int, nodes: int, start: int, end: int) -> float:
    """The probability over all 2^pairs graphs, at once: node by node, a bit for every graph."""
    graphs = np.arange(2**pairs)
    weight = np.ones(2**pairs)
    own = np.zeros(pairs)
    own[pair] = share
    for k in range(pairs):
        weight *= np.where(graphs >> k & 1, own[k], 1 - own[k])
    held = {start: np.ones(2**pairs, dtype=bool)}
    changed = True
    while changed:
        changed = False
        for (a, b), k in zip(ends.tolist(), pair.tolist(), strict=True):
            if a in held:
                new = held[a] & (graphs >> k & 1).astype(bool)
                old = held.get(b)
                if old is None or (new & ~old).any():
                    held[b] = new if old is None else old | new
                    changed = True
    return float(weight[held[end]].sum()) if end in held else 0.0


def _drawn(ends: Counts, share: Floats, pair: Counts, nodes: int, start: int, end: int, samples: int, seed: int) -> int:
    """In how many of `samples` drawn graphs the end is reached."""
    if samples < 1:
        raise InputError(f"samples: got {samples}, takes a whole number from 1")
    generator = np.random.default_rng(seed)
    first = np.zeros(int(pair.max()) + 1)
    first[pair] = share
    is_open = (generator.random((samples, len(first))) < first)[:, pair]
    # all graphs side by side, and one more node from which every start is reached
    graph, edge = np.nonzero(is_open)
    starts = np.stack([np.full(samples, samples * nodes), np.arange(samples) * nodes + start], axis=1)
    together = np.concatenate([graph[:, None] * nodes + ends[edge], starts])
    return int(_reached(together, samples * nodes + 1, samples * nodes)[end : samples * nodes : nodes].sum())
