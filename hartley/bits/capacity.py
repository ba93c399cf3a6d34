"""Capacity of a discrete channel by Blahut-Arimoto, with its duality gap, and of a measured one, with limits."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from hartley.bits.counts import bracket_bits
from hartley.bits.permutation import GATE, independence_p
from hartley.bits.tables import Counts, Floats, checked_table
from hartley.bits.value import Bits
from hartley.errors import InputError

_TRIALS_PER_INPUT = 10
_TRIALS_PER_CELL = 5


def channel_capacity(channel: ArrayLike, tol_bits: float = 1e-9, max_steps: int = 20_000) -> tuple[float, float, Floats]:
    """(capacity in bits, duality gap in bits, input law) of a channel W(y|x), shape (inputs, outcomes), rows sum to 1.

    The capacity returned is I(law; W), a lower bound; capacity + gap is an upper bound, since for any q on the outcomes
    C <= max_x D(W_x || q) (Blahut 1972, Arimoto 1972; Csiszar). Steps law *= 2^(s D) with s grown while the value rises
    (over-relaxation; Matz and Duhamel 2004), and Newton steps on the occupied inputs once the gap is small; stops at
    gap <= tol_bits. Raises InputError for rows that are no laws, ArithmeticError when max_steps do not reach tol_bits.
    """
    w = _checked_channel(channel)
    rows = len(w)
    negative = np.einsum("xy,xy->x", w, np.log2(np.where(w > 0, w, 1.0)))
    law = np.full(rows, 1.0 / rows)
    divergence = _divergences(w, negative, law)
    value, stretch, newton_at = float(law @ divergence), 1.0, 1e-2
    for step in range(max_steps):
        gap = float(divergence.max()) - value
        if gap <= tol_bits:
            return max(0.0, value), max(0.0, gap), law
        if gap <= newton_at and step % 4 == 3:
            better = _newton(w, negative, law, divergence, value)
            if better is not None:
                law, divergence, value = better
                continue
        trial = law * np.exp2(stretch * (divergence - divergence.max()))
        trial /= trial.sum()
        reached = _divergences(w, negative, trial)
        gained = float(trial @ reached)
        if gained >= value - 1e-15:
            law, divergence, value = trial, reached, gained
            stretch = min(stretch * 1.5, 1e4)
        else:
            stretch = 1.0 if stretch > 1.0 else stretch / 2
    raise ArithmeticError(f"capacity: gap {float(divergence.max()) - value:.2e} bits after {max_steps} steps, wanted {tol_bits:.2e}")


def _divergences(w: Floats, negative: Floats, law: Floats) -> Floats:
    """D(W_x || law W) in bits for every input x."""
    return np.asarray(negative - w @ np.log2(np.maximum(law @ w, 1e-300)), dtype=np.float64)


def _newton(w: Floats, negative: Floats, law: Floats, divergence: Floats, value: float) -> tuple[Floats, Floats, float] | None:
    """Newton steps on the KKT system of the inputs that carry mass, dropping those driven to 0; None when it does not help.

    All inputs keep a trace of mass, so that one dropped wrongly can come back.
    """
    support = (law > 1e-7) | (divergence > value)
    for _ in range(12):
        ws = w[support]
        k = len(ws)
        if k < 2:
            return None
        outcome = np.maximum(law @ w, 1e-300)
        hessian = (ws / outcome) @ ws.T / np.log(2)
        system = np.zeros((k + 1, k + 1))
        system[:k, :k] = hessian + 1e-13 * np.trace(hessian) / k * np.eye(k)
        system[:k, k] = system[k, :k] = 1.0
        wanted = np.append(divergence[support] - 1 / np.log(2) + hessian @ law[support], 1.0)
        try:
            target = np.linalg.solve(system, wanted)[:k]
        except np.linalg.LinAlgError:
            return None
        if (target > 0).all():
            break
        kept = np.flatnonzero(support)[target > 0]
        support = np.zeros(len(law), dtype=bool)
        support[kept] = True
    else:
        return None
    trial = np.full(len(law), 1e-14)
    trial[support] = np.maximum(target, 1e-14)
    trial /= trial.sum()
    reached = _divergences(w, negative, trial)
    gained = float(trial @ reached)
    if gained <= value and float(reached.max()) - gained >= float(divergence.max()) - value:
        return None
    return trial, reached, gained


def _checked_channel(channel: ArrayLike) -> Floats:
    w = np.asarray(channel, dtype=np.float64)
    if w.ndim != 2 or 0 in w.shape:
        raise InputError(f"channel: shape {w.shape}, takes (inputs, outcomes)")
    bad = ~np.isfinite(w).all(axis=1, keepdims=False) | (w < 0).any(axis=1) | ~(np.abs(w.sum(axis=1) - 1) <= 1e-6)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise InputError(f"channel, row {row}: sums to {w[row].sum():g}, takes probabilities from 0 that sum to 1")
    return np.asarray(w / w.sum(1, keepdims=True), dtype=np.float64)


def capacity(counts: ArrayLike, *, kind: str = "capacity_bits", permutations: int = 1999, seed: int = 0) -> Bits:
    """Capacity in bits per use of the channel that left the table `counts` (inputs, outcomes).

    value      capacity of the frequencies, less the jackknife's bias (per input; Miller 1974), within the bracket.
    low        97.5% limit of what a decoder delivers on unseen trials at the capacity-achieving input law, or at equal
               inputs, whichever is larger: information at any input law is at most the capacity.
    high       capacity of the frequencies, which convexity biases upward, plus its reach.
    checks     duality_gap_bits certifies the optimization to 1e-9 bits; permutation_p gates low and value as in
               `hartley.bits.counts.information`, whose floors on the number of trials hold here too.
    Inputs without a trial are left out: nothing is known about them, and the capacity speaks of the inputs used.
    """
    table = checked_table(counts)
    table = table[table.sum(1) > 0]
    n = int(table.sum())
    if len(table) < 2:
        return Bits.unmeasured(kind, "fewer than two input symbols occurred: there is no channel to measure", n)
    per_input = table.sum(1)
    plug_in, gap, law = channel_capacity(table / per_input[:, None])
    p = independence_p(table, permutations=permutations, seed=seed)
    laws = [np.full(len(table), 1 / len(table)), (law + 1e-9) / (law + 1e-9).sum()]
    brackets = [bracket_bits(table, one) for one in laws]
    low = max(bracket[0] for bracket in brackets) if p <= GATE else 0.0
    high = min(max(plug_in, *(bracket[1] for bracket in brackets)), float(np.log2(min(table.shape))))
    high = max(high, low)
    occupied = int((table > 0).sum())
    checks = {"permutation_p": p, "duality_gap_bits": gap, "plug_in_bits": plug_in, "occupied_cells": float(occupied)}
    why = ""
    if p > GATE:
        why = f"no channel detected (permutation p = {p:.3f}); if there is one its capacity is less than {high:.3f} bits"
    elif per_input.min() < _TRIALS_PER_INPUT:
        why = f"too few trials for a point: an input has {per_input.min()}, needs {_TRIALS_PER_INPUT}; the interval holds"
    elif n < _TRIALS_PER_CELL * occupied:
        need = _TRIALS_PER_CELL * occupied
        why = f"too few trials for a point: {n} over {occupied} occupied cells, needs {need}; the interval holds"
    value = None if why else float(min(max(_corrected(table, law, plug_in), low), high))
    estimator = "Blahut-Arimoto, jackknife; decoder to plug-in bracket, 95%"
    return Bits(value, low, high, n, estimator, kind, value is not None, why, checks)


def _corrected(table: Counts, law: Floats, plug_in: float) -> float:
    """Jackknife of I(law; W) at the achieving law, plus what re-optimizing over the law gains there (to first order 0)."""
    from hartley.bits.counts import jackknife_bits

    smoothed = (law + 1e-12) / (law + 1e-12).sum()
    return min(plug_in, jackknife_bits(table, smoothed))
