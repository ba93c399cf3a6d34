"""Entropy from counts: a point corrected for its bias, and a bracket that says when too much is still unseen."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from hartley.bits import trust
from hartley.bits.limits import proportion_limits, upward_reach
from hartley.bits.tables import Counts, Floats, entropy_bits
from hartley.bits.value import Bits
from hartley.errors import InputError

_NOVEL = 0.05
_FEWEST = 10


def entropy_of_counts(counts: ArrayLike, *, kind: str = "entropy_bits") -> Bits:
    """H in bits of the law behind counts (k,) of n trials; symbols that never occurred need no entry.

    value      jackknife (Zahl 1977), withheld under 10 trials, when over 5% of the trials are of symbols seen once
               (what was never seen then weighs as much; Good 1953), or when it has not settled from half to all.
    low        plug-in less its reach, 97.5%: the entropy of frequencies is biased down.
    high       the larger of jackknife and Chao-Shen (2003), plus its reach and what symbols not seen yet may add: their
               share is limited by Clopper-Pearson on the trials seen once, each at most as likely as one trial in n.
               None when the symbols seen once are half of all trials or more: then nothing bounds it from above.
    """
    table = _checked(counts)
    n = int(table.sum())
    if n < 2:
        return Bits.unmeasured(kind, f"{n} trials, needs 2 at least", n)
    mass = table / n
    plug_in, point = entropy_bits(mass), _jackknife(table)
    density = -np.log2(mass)
    once = int((table == 1).sum())
    low = max(0.0, plug_in - upward_reach(-density, mass, n))
    high: float | None = None
    if once < n / 2:
        unseen = proportion_limits(once, n)[1]
        # what hides may be spread over as many symbols as trials fit into it twice over
        hidden = (unseen - once / n) * float(np.log2(2 * n)) + unseen / np.log(2) * (len(table) > 1 or once > 0)
        high = max(plug_in, point, _chao_shen(table)) + float(np.hypot(upward_reach(density, mass, n), hidden)) + 2 / n
    half = _on_half(table)
    why = trust.first(
        [
            f"too few trials for a point: {n}, needs {_FEWEST}" if n < _FEWEST else "",
            f"{once} of {n} trials are of symbols seen once: much is unseen; the limits hold" if once > _NOVEL * n else "",
            trust.drifts(point, half, (point - low) / 2),
        ]
    )
    value = None if why else min(max(point, low), point if high is None else high)
    checks = {"plug_in_bits": plug_in, "symbols": float(len(table)), "seen_once": float(once)}
    return Bits(value, low, high, n, "jackknife; plug-in to unseen bracket, 95%", kind, value is not None, why, checks)


def _checked(counts: ArrayLike) -> Counts:
    table = np.asarray(counts)
    if (
        table.ndim != 1
        or table.dtype.kind not in "iuf"
        or not np.isfinite(table).all()
        or (table < 0).any()
        or (table != np.floor(table)).any()
    ):
        raise InputError(f"counts: shape {table.shape} of {table.dtype}, takes whole numbers from 0, one a symbol")
    return table[table > 0].astype(np.int64)


def _jackknife(table: Counts) -> float:
    """n H - (n - 1) mean of H with one trial left out."""
    n = int(table.sum())
    c = table.astype(np.float64)

    def weighed(values: Floats) -> Floats:
        return np.asarray(values * np.log2(np.maximum(values, 1.0)))

    whole = float(weighed(c).sum())
    left = np.log2(n - 1) - (whole - weighed(c) + weighed(c - 1)) / (n - 1)
    return float(n * (np.log2(n) - whole / n) - (n - 1) * (c @ left) / n)


def _chao_shen(table: Counts) -> float:
    """Chao and Shen (2003): frequencies shrunk by the coverage, each weighed by the chance of having been seen."""
    n = int(table.sum())
    once = int((table == 1).sum())
    mass = (1 - min(once, n - 1) / n) * table / n
    return float(-(mass * np.log2(mass) / -np.expm1(n * np.log1p(-np.minimum(mass, 1 - 1e-12)))).sum())


def _on_half(table: Counts) -> float:
    """The jackknife on a half of the trials, its expected counts drawn once in a fixed way."""
    half = np.random.default_rng([0, int(table.sum())]).multivariate_hypergeometric(table, int(table.sum()) // 2, method="marginals")
    kept = half[half > 0]
    return _jackknife(kept) if kept.sum() > 1 else 0.0
