"""Contraction: how much of any difference between two messages an edge lets through at most, and what is left down a chain."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from hartley.bits import trust
from hartley.bits.counted.permutation import independence_p
from hartley.bits.limits import Z, proportion_limits
from hartley.bits.tables import Counts, Floats, checked_channel, checked_table
from hartley.errors import InputError


@dataclass(frozen=True)
class Contraction:
    """Dobrushin's coefficient of an edge, from 0 to 1 and no number of bits, with 95% limits; value None: withheld, see why."""

    value: float | None
    low: float
    high: float
    n: int
    why: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.high <= 1 or (self.value is not None and not self.low <= self.value <= self.high):
            raise ValueError(f"contraction: needs 0 <= low <= value <= high <= 1, got {self.low}, {self.value}, {self.high}")

    def __str__(self) -> str:
        head = "withheld" if self.value is None else f"{self.value:.3f}"
        return f"contraction: {head} [low {self.low:.3f}, high {self.high:.3f}] (n={self.n}){'; ' + self.why if self.why else ''}"


def dobrushin(channel: ArrayLike) -> float:
    """Dobrushin's coefficient (1956) of a channel W(y|x) (inputs, outcomes) that is known exactly: the largest total
    variation distance between two of its rows. InputError for rows that are no laws."""
    return float(_distances(checked_channel(channel)).max(initial=0.0))


def contraction(counts: ArrayLike, *, permutations: int = 1999, seed: int = 0) -> Contraction:
    """The contraction coefficient of the edge channel that left `counts` (inputs, outcomes), with limits.

    The frequencies' own coefficient is biased up: a maximum over pairs of rows and sets of outcomes that luck chose.
    low    a pair and a set are chosen on one half of the trials and judged on the other (both ways, each at 98.75%):
           any set tells two rows apart by at most their distance. Squared Clopper-Pearson distances, after Newcombe 1998.
    high   for the pair and set that attain the true coefficient the frequencies' distance is no less than those two
           shares' difference; its normal limit, 97.5%, with the largest variance that difference allows. An input never
           tried makes it 1: nothing is known about it.
    value  half way between the frequencies' coefficient and the held-out one, whose biases oppose each other; withheld
           under the floors of `hartley.bits.trust`, or when a permutation test finds no channel (then low is 0).
    By strong data processing I(message; far end) <= eta I(message; near end) with eta_KL <= this coefficient (Cohen,
    Iwasa, Rautu, Ruskai, Seneta and Zbaganu 1993).
    """
    table = checked_table(counts)
    n, per_input = int(table.sum()), table.sum(1)
    if (per_input > 0).sum() < 2:
        return Contraction(None, 0.0, 1.0, n, "fewer than two inputs were tried: nothing is known of their distance")
    tried = table[per_input > 0]
    sizes = tried.sum(1)
    distances = _distances(tried / sizes[:, None])
    plug_in = float(distances.max())
    p = independence_p(table, permutations=permutations, seed=seed)
    held_out, low = _held_out(tried, np.random.default_rng([seed, n]))
    low = low if p <= trust.GATE else 0.0
    high = 1.0 if (per_input == 0).any() else _high(distances, sizes)
    high = max(high, low)
    gate = "" if p <= trust.GATE else f"no channel detected (permutation p = {p:.3f}); if there is one it passes on less than {high:.3f}"
    why = gate or trust.too_few_trials(int(sizes.min()), n, int((table > 0).sum()))
    return Contraction(None if why else min(max((plug_in + held_out) / 2, low), high), low, high, n, why)


def chain_bound(coefficients: Iterable[float | Contraction], entropy_bits: float) -> float:
    """Bits about a source of entropy_bits that are left after a chain of edges: at most H times the product of their
    coefficients (strong data processing, edge by edge). Measured coefficients count with their upper limits."""
    if not math.isfinite(entropy_bits) or entropy_bits < 0:
        raise InputError(f"entropy_bits: got {entropy_bits}, takes a finite number from 0")
    left = float(entropy_bits)
    for i, one in enumerate(coefficients):
        eta = one.high if isinstance(one, Contraction) else float(one)
        if not 0 <= eta <= 1:
            raise InputError(f"coefficients, row {i}: got {eta}, takes a share from 0 to 1")
        left *= eta
    return left


def _distances(rows: Floats) -> Floats:
    """Total variation (k, k) between every two rows (k, o), without a (k, k, o) array."""
    return np.stack([np.abs(rows - row).sum(1) / 2 for row in rows])


def _high(distances: Floats, sizes: Counts) -> float:
    """The largest over pairs of the d that solves d - Z sqrt((1 - d^2) (1/n + 1/m) / 4) = distance."""
    spread = Z**2 * (1 / sizes[:, None] + 1 / sizes[None, :]) / 4
    high = (distances + np.sqrt(spread * (1 + spread - distances**2))) / (1 + spread)
    return float(np.minimum(high, 1.0)[~np.eye(len(sizes), dtype=bool)].max())


def _held_out(table: Counts, generator: np.random.Generator) -> tuple[float, float]:
    """(mean over both ways, larger 98.75% lower limit) of the difference that a pair and a set chosen elsewhere show."""
    half = np.stack([generator.multivariate_hypergeometric(row, int(row.sum()) // 2) if row.sum() < 10**9 else row // 2 for row in table])
    means, lows = [], [0.0]
    for chosen, judged in ((half, table - half), (table - half, half)):
        able = (chosen.sum(1) > 0) & (judged.sum(1) > 0)
        if able.sum() < 2:
            continue
        rates = chosen[able] / chosen[able].sum(1, keepdims=True)
        x, other = np.unravel_index(int(_distances(rates).argmax()), (len(rates), len(rates)))
        inside = rates[x] > rates[other]
        hits = [int(judged[able][row][inside].sum()) for row in (x, other)]
        trials = [int(judged[able][row].sum()) for row in (x, other)]
        one, two = hits[0] / trials[0], hits[1] / trials[1]
        low, high = proportion_limits(hits[0], trials[0], 0.975)[0], proportion_limits(hits[1], trials[1], 0.975)[1]
        means.append(one - two)
        lows.append(one - two - math.hypot(one - low, high - two))
    return max(0.0, float(np.mean(means))) if means else 0.0, max(lows)
