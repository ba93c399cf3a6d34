"""Leakage of a secret (E5): information, capacity and maximal leakage of one table of counts, each bounding something else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from hartley.bits.capacity import capacity
from hartley.bits.counted.permutation import independence_p
from hartley.bits.counts import information
from hartley.bits.limits import proportion_limits
from hartley.bits.tables import Counts, Floats, checked_channel, checked_table
from hartley.bits.trust import FORMS_BITS, GATE, below_low, first, forms_disagree, not_detected, too_few_trials
from hartley.bits.value import Bits
from hartley.errors import InputError

_SHARPNESS = 4.0
_ESTIMATOR = "mean of plug-in and held-out guess; Clopper-Pearson bracket, 95%"


@dataclass(frozen=True)
class Leakage:
    """What a secret leaks through one channel, in three readings; of the true values, information <= capacity <= maximal.

    information  the mean number of bits an observation tells about the secret, at the law it was drawn from. It bounds
                 the error of any guess of the secret (Fano), and transcripts of n uses leak at most n times as much.
    capacity     the same at the law of the secret that leaks most: holds whatever the law is, and is what the holder of
                 the secret could send on purpose (a covert channel).
    maximal      log2 of the largest factor by which an observation multiplies anyone's chance of guessing the secret, or
                 any function of it, whatever its law (Issa, Wagner and Kamath 2020). The worst case over guessers, not
                 a mean.
    """

    information: Bits
    capacity: Bits
    maximal: Bits


def secret_leakage(
    counts: ArrayLike, *, prior: ArrayLike | None = None, inputs: int | None = None, permutations: int = 1999, seed: int = 0
) -> Leakage:
    """Leakage in bits of the secret (rows) to an observer (columns), from counts (secrets, observations).

    prior (secrets,): the law of the secret, where it is known; it enters `information` alone. inputs: as in
    `maximal_leakage`. The three intervals are
    computed each by itself, 95% each, so they may overlap in any way. InputError names the row and the column.
    """
    table = checked_table(counts)
    return Leakage(
        information(table, prior=prior, permutations=permutations, seed=seed),
        capacity(table, permutations=permutations, seed=seed),
        maximal_leakage(table, inputs=inputs, permutations=permutations, seed=seed),
    )


def channel_maximal_leakage(channel: ArrayLike) -> float:
    """log2 sum_y max_x W(y|x) in bits of a channel that is known exactly, (inputs, outcomes) with rows that sum to 1."""
    return float(np.log2(checked_channel(channel).max(0).sum())) + 0.0


def maximal_leakage(
    counts: ArrayLike, *, inputs: int | None = None, kind: str = "maximal_leakage_bits", permutations: int = 1999, seed: int = 0
) -> Bits:
    """Maximal leakage log2 sum_y max_x W(y|x) in bits of the channel that left the table `counts` (inputs, outcomes).

    The same as log2 (inputs x best guess): the factor by which an observer who knows the channel beats blind guessing of
    equally likely inputs (Braun, Chatzikokolakis and Palamidessi 2009), and no less than the capacity.

    inputs  how many inputs the channel has; None: the rows of the table. Of one that was never tried nothing is known: it may add
            up to 1 to the sum. So the limits hold for the channel with all its inputs, `high` by that much wider, and the
            point, which speaks of the inputs that were used, is withheld. A table of the symbols that happened to occur, with
            no word on how many there are, gives a number of the channel restricted to these; the estimator says how many.
    low    97.5% limit (Clopper-Pearson) of what a guess of the input achieves on trials it never saw; 0 where the
           permutation test finds no channel. The guesser is randomized near ties, since the best guess of one trial hangs
           on the others there, and its successes then vary more than a binomial.
    high   97.5% limit (Clopper-Pearson) from the successes of the best guess on the very trials it was chosen on. The true
           best guess does no better on them, so this holds without regard to outcomes not seen; the columns are
           taken to be all outcomes there are.
    value  half way between the plug-in (biased upward: a maximum is convex) and that held-out guess (biased downward).
           Withheld when the two differ by more than 0.1 bit, when near ties for the best guess could have raised the plug-in by
           that much (whether a table happens to look clear says nothing of it), with under 10 trials for an input or 5 for an
           occupied cell, below low, or with no channel detected. On twelve channels with known answer, wherever more than half of the
           tables give a point, its mean error stays under 0.06 bit.
    InputError names the row and the column, and `inputs` below the number of rows.
    """
    table = checked_table(counts)
    total = len(table) if inputs is None else inputs
    if total < len(table):
        raise InputError(f"inputs: got {inputs}, the table has {len(table)} rows; takes at least as many")
    table = table[table.sum(1) > 0]
    untried = total - len(table)
    n = int(table.sum())
    if len(table) < 2:
        return Bits.unmeasured(kind, "fewer than two input symbols occurred: there is no secret to leak", n)
    k, per_input = len(table), table.sum(1)
    effective = k**2 / float((1 / per_input).sum())
    plug_in = float((table / per_input[:, None]).max(0).sum()) / k
    p = independence_p(table, permutations=permutations, seed=seed)
    held_out = held_out_success(table)
    high = _gain_bits(k, proportion_limits(plug_in * effective, effective)[1])
    high = min(high, float(np.log2(min(table.shape))))
    checks = {"plug_in_bits": _gain_bits(k, plug_in), "occupied_cells": float((table > 0).sum()), "inputs_used": float(k)}
    if untried:
        checks |= {"inputs_never_tried": float(untried), "high_of_used_bits": high}
        high = float(np.log2(min(2.0**high + untried, table.shape[1])))
    low = min(_gain_bits(k, proportion_limits(held_out * effective, effective)[0]), high) if p <= GATE else 0.0
    forms = {"chosen and judged on the same trials": _gain_bits(k, plug_in), "held out": _gain_bits(k, held_out)}
    point = sum(forms.values()) / 2
    occupied = int((table > 0).sum())
    thin = too_few_trials(int(per_input.min()), n, occupied)
    unknown = f"{untried} of the {total} inputs were never tried; the limits hold for all" if untried else ""
    why = first((unknown, not_detected(p, high), thin, below_low(point, low), forms_disagree(forms), _near_ties(table)))
    value = None if why else min(point, high)
    name = f"{_ESTIMATOR}; over {f'{total} inputs' if untried else f'the {k} inputs that were used'}"
    return Bits(value, low, high, n, name, kind, value is not None, why, {"permutation_p": p, **checks})


def _near_ties(counts: Counts) -> str:
    """The trust rule on ties for the best guess of counts (inputs, outcomes), every input with a trial; "" where it passes.

    Of m inputs as likely as each other under an outcome the one that was seen oftenest stands too high, by its standard error
    times the expected largest of m normal draws (Blom 1958). Inputs within 3 standard errors of the first may be such.
    """
    from scipy.special import ndtri

    totals = counts.sum(1, keepdims=True)
    rows = counts / totals
    spread = rows * (1 - rows) / totals
    best, every = rows.argmax(0), np.arange(counts.shape[1])
    top, error = rows[best, every], np.sqrt(spread[best, every])
    level = ((top - rows) < 3 * np.sqrt(spread + error**2)).sum(0)
    raised = float((error * ndtri(np.maximum(level - 0.375, 0.5) / (np.maximum(level, 1) + 0.25)).clip(0))[level > 1].sum())
    bits = float(np.log2((top.sum() + raised) / top.sum()))
    return (
        ""
        if bits <= FORMS_BITS
        else f"several inputs may be the best guess: ties could raise the point by {bits:.3f} bits; the limits hold"
    )


def _gain_bits(inputs: int, success: float) -> float:
    """log2 (inputs x success), and 0 for a guesser below chance."""
    return float(np.log2(max(1.0, inputs * success)))


def held_out_success(counts: Counts) -> float:
    """How often a guess of the input from the outcome is right on a trial left out, inputs equally likely.

    counts (inputs, outcomes), every input with a trial. Guesses x with probability proportional to exp(4 (c_x - c_max)
    / sqrt(c_x + c_max + 1)), c the other trials with that outcome, weighted so that all inputs count alike: where several
    inputs are as good, the best one on all other trials would be another than that of the trial left out. It is
    missing from its input's trials as well: of inputs that always give one and the same outcome none is then behind for it.
    """
    totals: Floats = counts.sum(1).astype(np.float64)
    weight: Floats = 1.0 / (len(counts) * totals)
    xs, ys = np.nonzero(counts)
    at = np.arange(len(xs)), xs
    mass = counts[xs, ys] * weight[xs]
    others = counts[:, ys].T.astype(np.float64)
    others[at] -= 1
    others *= weight / float(mass @ weight[xs])
    others[at] *= totals[xs] / np.maximum(totals[xs] - 1, 1)
    top = others.max(1, keepdims=True)
    guess = np.exp(_SHARPNESS * (others - top) / np.sqrt(others + top + 1))
    return float(mass @ (guess[at] / guess.sum(1)))
