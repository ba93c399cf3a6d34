"""A lower limit on information: what a decoder that never saw the trial delivers on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hartley.bits.limits import proportion_limits, upward_reach
from hartley.bits.tables import Counts, Floats

PSEUDO_TRIALS = (0.25, 1.0, 4.0, 16.0, 64.0, np.inf)


def decoder_low_bits(counts: Counts | Floats, law: Floats, weight: Floats) -> float:
    """97.5% lower limit in bits of I(X; Y), from counts (inputs, outcomes); never below 0.

    For any decoder q, E log2 q(x|y)/p(x) <= I(X; Y). Here q is fitted to all other trials (leave-one-out: the finest
    cross-fit, and the only one that does not depend on how trials are put into folds), so its mean score on the trials
    left out lies below I in expectation. The decoder is the empirical posterior shrunk by `a` pseudo-trials toward a
    two-level law (the best guess for y with the overall accuracy, the rest shared by prior); the best of six `a` counts.

    From the score its reach is taken away: rare bad scores by Clopper-Pearson instead of the normal law, and the mass
    of (x, y) that no trial has shown yet, whose limit is that of the trials seen once (Good-Turing), priced at what the
    decoder would lose on them. This replaces the empirical Bernstein bound: at 100 trials without an error that would
    take 0.8 bits from a binary channel, this takes about 0.3, and it covers as well.

    law (inputs,): p(x). weight (inputs,): the weight of one trial of that input; sums to 1 over the trials.
    """
    trials = left_out(counts, law, weight)
    mass, n = trials.mass, trials.n
    fresh = trials.seen <= 0
    once = float(mass[fresh].sum())
    unseen = proportion_limits(once * n, n)[1] - once
    lows = [0.0]
    for pseudo in PSEUDO_TRIALS:
        score = trials.score_bits(pseudo)
        mean = float(mass @ score)
        if once > 0:
            price = float(mass[fresh] @ score[fresh]) / once
        else:
            price = _price_of_unseen(counts, weight, law, pseudo, (trials.missed + 0.5) / (n + 1))
        rest = float(mass[~fresh] @ score[~fresh]) / (1 - once) if once < 1 else mean
        reach = np.hypot(upward_reach(-score, mass, n), unseen * max(0.0, rest - price))
        lows.append(mean - float(reach))
    return max(lows)


@dataclass(frozen=True)
class LeftOut:
    """Per occupied cell (x, y): what the other trials say about one trial of it.

    mass (cells,) share of the trials; seen (cells,) other trials with the same x and y; column (cells,) with the same y,
    both in effective trials; guess (cells,) the two-level law's probability of x; prior (cells,) p(x). n: effective trials;
    missed: how many of them the best guess from the others gets wrong.
    """

    mass: Floats
    seen: Floats
    column: Floats
    guess: Floats
    prior: Floats
    n: float
    missed: float

    def score_bits(self, pseudo: float) -> Floats:
        """log2 q(x|y) / p(x) (cells,) with `pseudo` pseudo-trials of the two-level law; infinitely many: that law alone."""
        posterior = self.guess if np.isinf(pseudo) else (self.seen + pseudo * self.guess) / (self.column + pseudo)
        return np.asarray(np.log2(np.maximum(posterior, 1e-300) / self.prior), dtype=np.float64)


def left_out(counts: Counts | Floats, law: Floats, weight: Floats) -> LeftOut:
    """Leaves out one trial of every occupied cell of counts (inputs, outcomes); law and weight as in `decoder_low_bits`."""
    xs, ys = np.nonzero(counts)
    at = np.arange(len(xs)), xs
    mass = counts[xs, ys] * weight[xs]
    n = 1.0 / float(mass @ weight[xs])
    remaining = counts[:, ys].T.copy()
    # counts of effective trials may be below 1
    remaining[at] = np.maximum(remaining[at] - 1, 0)
    others = remaining * (weight * n)
    best = (others >= others.max(1, keepdims=True) * (1 - 1e-12)) & (law > 0)
    wrong = 1 - best[at] / best.sum(1)
    missed = float(mass @ wrong) * n
    guess = _two_level(best, (missed - wrong + 0.5) / n, law)[at]
    return LeftOut(mass, others[at], others.sum(1), guess, law[xs], n, missed)


def _two_level(best: np.ndarray[tuple[int, ...], np.dtype[np.bool_]], error: Floats | float, law: Floats) -> Floats:
    """q(x|y) (rows, inputs): 1 - error shared by the best guesses, error shared by the others in proportion to law."""
    rest = np.where(best, 0.0, law)
    total = rest.sum(1, keepdims=True)
    inside = best / best.sum(1, keepdims=True)
    # never below chance: in a balanced design the trial left out is the input one short, and a decoder that bets
    # against its own best guess would read it off the design
    right = np.clip(np.maximum(1 - np.reshape(error, (-1, 1)), 1 - total), 0.0, 1.0)
    mixed = right * inside + (1 - right) * rest / np.where(total > 0, total, 1.0)
    return np.asarray(np.where(total > 0, mixed, inside), dtype=np.float64)


def _price_of_unseen(counts: Counts | Floats, weight: Floats, law: Floats, pseudo: float, error: float) -> float:
    """Mean score in bits of an (x, y) that no trial has shown; inf when every pair has been seen."""
    columns = counts.sum(0) > 0
    table = (counts * (weight / (counts.sum(1) @ weight**2))[:, None])[:, columns].T
    best = (table >= table.max(1, keepdims=True) * (1 - 1e-12)) & (law > 0)
    guess = _two_level(best, error, law)
    total = table.sum(1, keepdims=True)
    posterior = guess if np.isinf(pseudo) else (table + pseudo * guess) / (total + pseudo)
    share = np.where(counts[:, columns].T == 0, total * law, 0.0)
    if share.sum() <= 0:
        return float("inf")
    score = np.log2(np.maximum(posterior, 1e-300) / np.where(law > 0, law, 1.0))
    return float((share * score).sum() / share.sum())
