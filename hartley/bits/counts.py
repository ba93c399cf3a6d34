"""Information from counts (E5): bias-corrected point, bracket interval, permutation gate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from hartley.bits.clustered import Trials, information_point_bits, one_cluster, too_few_clusters, trials_of
from hartley.bits.counted.decoder import decoder_low_bits
from hartley.bits.counted.halves import unsettled
from hartley.bits.counted.permutation import Null
from hartley.bits.counted.undersampled import chao_wang_jost_bits
from hartley.bits.design import Design, table_design
from hartley.bits.limits import Z, near_zero_high_bits, proportion_limits, upward_reach
from hartley.bits.tables import (
    Counts,
    Floats,
    checked_law,
    entropy_bits,
    information_of_law,
    joint_law,
)
from hartley.bits.trust import EQUIVALENT_SHARE, GATE, below_low, equivalent, first, not_detected, too_few_trials
from hartley.bits.value import Bits
from hartley.errors import InputError

_ESTIMATOR = "leave-one-out decoder to plug-in bracket, 95%"


def information(
    x: ArrayLike,
    y: ArrayLike | None = None,
    *,
    prior: ArrayLike | None = None,
    cluster: ArrayLike | None = None,
    inputs: int | None = None,
    outcomes: int | None = None,
    kind: str = "information_bits",
    permutations: int = 1999,
    seed: int = 0,
) -> Bits:
    """I(X; Y) in bits from a table of counts (inputs, outcomes), or from two arrays of n symbols each.

    prior (inputs,)  the law the inputs were drawn from, where it is known; the counts are then reweighted to it, and
                     its entropy caps the interval. None: the law is estimated with the rest.
    cluster (n,)     the independent unit of each trial; with arrays only. None, or no unit with two trials: trials are independent.
    inputs, outcomes as in `hartley.bits.tables.cross_tabulate`.
    seed             fixes the draws of the permutation test, the only random part.

    The point is the jackknife (Miller 1974; per input when the prior is known): among plug-in, Miller-Madow, jackknife,
    Grassberger, Chao-Shen and Chao-Wang-Jost it had the smallest worst error where a point is given at all. The
    interval is a bracket: from what a decoder delivers on trials it never saw, less its reach, to the plug-in value,
    which convexity biases upward, plus its reach. It covers the truth in at least 95% of tables; often more.
    The point is withheld, and the bracket kept, when the permutation test finds no channel (p > 0.01; then low is 0),
    under 10 trials for an input or under 5 trials for an occupied cell, when the point falls below `low`, or when it
    moves by more than max(2 standard errors, 0.1 bit) between half of the trials and all. Too few trials: checks then
    hold `chao_wang_jost_bits`, mostly a better guess than the jackknife there, but by up to 1.1 bits wrong: no point either.
    No channel, and `high`, then as in `hartley.bits.limits.near_zero_high_bits`, at most a tenth of the input's entropy: the point
    is 0 by an equivalence test, `why` says so and checks hold `equivalence_bits`, the tenth.
    With clusters the jackknife deletes whole clusters, the bracket and the floors are of effective trials (`hartley.bits.design`),
    and the permutation test shuffles no more than was drawn at random; from one cluster nothing is measured.
    Raises InputError for a malformed table, naming the row and the column.
    """
    trials = trials_of(x, y, inputs=inputs, outcomes=outcomes, cluster=cluster)
    counts = trials.counts
    law = None if prior is None else checked_law("prior", prior, counts.shape[0])
    n = int(counts.sum())
    if law is not None and counts[law <= 0].any():
        row = int(np.flatnonzero((law <= 0) & (counts.sum(1) > 0))[0])
        raise InputError(f"prior, row {row}: probability 0, but that input occurred {int(counts[row].sum())} times")
    if n == 0:
        return Bits.unmeasured(kind, "no trials")
    if (counts.sum(1) > 0).sum() < 2:
        return Bits.unmeasured(kind, "one input symbol only: there is no information to measure", n)
    if trials.alone:
        return one_cluster(kind, n)
    null = trials.null(permutations, seed)
    joint = joint_law(counts, law)
    found = point_of(trials, law)
    p = max(null.p, found.independence_p)
    checks = {"permutation_p": p, "occupied_cells": float((counts > 0).sum()), "plug_in_bits": information_of_law(joint)}
    low, high = bracket_bits(found.effective(counts), law)
    none = ""
    if p > GATE:
        near = _undetected_high_bits(found.effective(counts), joint, null if found.design is None else found.design.calm(null, counts))
        low, high = 0.0, high if near is None else near
        none = equivalent(p, high, entropy_bits(joint.sum(1)), found.fewest)
        checks |= {"equivalence_bits": EQUIVALENT_SHARE * entropy_bits(joint.sum(1))} if none else {}
    high = max(high, low)
    if found.thin:
        checks["chao_wang_jost_bits"] = chao_wang_jost_bits(counts)
    why = none or first((not_detected(p, high, null.finest), found.thin, below_low(found.point, low), found.moves(found.point)))
    value = 0.0 if none else None if why else min(max(found.point, 0.0), high)
    estimator = f"{found.correction}; {_ESTIMATOR}{found.over}"
    bits = Bits(value, low, high, n, estimator, kind, value is not None, why, checks)
    return bits if found.design is None else found.design.marked(bits)


@dataclass(frozen=True)
class Point:
    """A jackknife point in bits of a table, and what stands against it; of clusters where there is a `design`.

    thin: too few trials, or "". fewest: trials of the rarest input, effective ones (n / design effect) as all here.
    """

    point: float
    thin: str
    fewest: float
    counts: Counts
    law: Floats | None
    design: Design | None = None

    @property
    def correction(self) -> str:
        return "jackknife" if self.design is None else "delete-a-cluster jackknife"

    @property
    def over(self) -> str:
        return "" if self.design is None else " over clusters"

    @property
    def independence_p(self) -> float:
        """Of the test that stands beside the permutation test."""
        return 0.0 if self.design is None else self.design.independence_p

    def effective(self, counts: Counts) -> Counts | Floats:
        """The counts of the trials that the limits go by."""
        return counts if self.design is None else np.asarray(counts / self.design.spread)

    def moves(self, point: float) -> str:
        """The rule on half-sample drift."""
        if self.design is None:
            return unsettled(self.counts, self.law, point)
        return "" if self.thin else unsettled(np.rint(self.counts / self.design.effect).astype(np.int64), self.law, point)


def point_of(trials: Trials, law: Floats | None) -> Point:
    """The point of I(X; Y) in bits at the inputs' law (None: their shares)."""
    counts = trials.counts
    used = counts.sum(1) > 0 if law is None else law > 0
    fewest, cells = int(counts.sum(1)[used].min()), int((counts > 0).sum())
    if trials.unit is None:
        return Point(jackknife_bits(counts, law), too_few_trials(fewest, int(counts.sum()), cells), fewest, counts, law)
    cube = trials.cube()
    design = table_design(cube, law)
    point, thin = information_point_bits(cube, law), too_few_clusters(cube, used, design)
    return Point(point, thin, fewest / design.effect, counts, law, design)


def _undetected_high_bits(counts: Counts | Floats, joint: Floats, null: Null) -> float | None:
    """97.5% upper limit in bits where the test finds nothing; None where it is not near 0, for there alone it holds.

    joint (inputs, outcomes): the law the information is asked at, inputs as in counts.
    """
    seen, asked = counts.sum(1) / counts.sum(), joint.sum(1)
    if (asked[seen <= 0] > 0).any() or not (counts.sum(1) > 0).any():
        return None
    # information is at most max(asked / seen) times that at the inputs' shares, for which the test speaks
    ratio = float((asked[seen > 0] / seen[seen > 0]).max())
    high = max(1.0, ratio) * near_zero_high_bits(counts, null)
    return high if high <= EQUIVALENT_SHARE * entropy_bits(asked) else None


def jackknife_bits(counts: Counts, prior: Floats | None) -> float:
    """Jackknife of the plug-in information in bits; may fall below 0. Stratified by input where the prior is known."""
    per_input, total = counts.sum(1), int(counts.sum())
    joint = joint_law(counts, prior)
    plug_in = information_of_law(joint)
    if total < 2:
        return plug_in
    if prior is None or (per_input[prior > 0] == 0).any():
        return _jackknife_plain(counts, plug_in)
    correction = 0.0
    columns = joint.sum(0)
    for x in np.flatnonzero(per_input > 1):
        cells = np.flatnonzero(counts[x])
        left = int(per_input[x]) - 1
        rows = (counts[x] - (cells[:, None] == np.arange(counts.shape[1]))) / left
        others = columns + prior[x] * (rows - counts[x] / per_input[x])
        gain = _entropies(others) - entropy_bits(columns)
        loss = _entropies(rows) - entropy_bits(counts[x] / per_input[x])
        change = gain - prior[x] * loss
        correction += left * float(counts[x, cells] @ change) / int(per_input[x])
    return plug_in - correction


def _jackknife_plain(counts: Counts, plug_in: float) -> float:
    """Delete-one jackknife where all trials are alike: each deletion changes one cell and its two margins."""
    total = float(counts.sum())
    xs, ys = np.nonzero(counts)
    cells = counts[xs, ys].astype(np.float64)
    rows, columns = counts.sum(1).astype(np.float64), counts.sum(0).astype(np.float64)

    def step(c: Floats) -> Floats:
        return np.asarray(_n_log_n(c - 1) - _n_log_n(c))

    whole = float(_n_log_n(cells).sum() - _n_log_n(rows).sum() - _n_log_n(columns).sum())
    deleted = (whole + step(cells) - step(rows[xs]) - step(columns[ys])) / (total - 1) + np.log2(total - 1)
    return float(total * plug_in - (total - 1) * (cells @ deleted) / total)


def _n_log_n(c: Floats) -> Floats:
    return np.asarray(c * np.log2(np.maximum(c, 1.0)))


def _entropies(laws: Floats) -> Floats:
    """Entropy in bits of each row of laws (rows, symbols)."""
    positive = np.where(laws > 0, laws, 1.0)
    return np.asarray(-(positive * np.log2(positive)).sum(1))


def bracket_bits(counts: Counts | Floats, prior: Floats | None) -> tuple[float, float]:
    """(low, high) in bits around I(X; Y): each a 97.5% limit of its own, so 95% together. low <= high."""
    per_input, total = counts.sum(1), float(counts.sum())
    complete = prior is not None and bool((per_input[prior > 0] > 0).all())
    law = prior if prior is not None and complete else per_input / total
    weight = np.divide(law, per_input, out=np.zeros(len(law)), where=per_input > 0)
    low = decoder_low_bits(counts, law, weight)
    high = _plug_in_high_bits(counts, law, weight, complete)
    caps = [float(np.log2(counts.shape[0])), float(np.log2(counts.shape[1]))]
    if prior is not None:
        caps.append(entropy_bits(prior))
        if not complete:
            # inputs that never occurred: their part of H(X) is known, what they do to Y is not
            high += max(0.0, entropy_bits(prior) - entropy_bits(law))
    high = min(high, *caps)
    return min(low, high), high


def _plug_in_high_bits(counts: Counts | Floats, law: Floats, weight: Floats, known: bool) -> float:
    """97.5% upper limit: the plug-in value plus the reach of its information density, rare events by Clopper-Pearson."""
    from scipy.special import gammaincinv

    xs, ys = np.nonzero(counts)
    joint = weight[:, None] * counts
    mass = joint[xs, ys]
    n = 1.0 / float(mass @ weight[xs])
    columns = joint.sum(0)
    density = np.log2(mass / (law[xs] * columns[ys]))
    plug_in = float(mass @ density)
    reach = upward_reach(density, mass, n)
    if known:
        # with the inputs' law given only the spread within each input is chance
        centers = np.divide(np.bincount(xs, mass * density, len(law)), law, out=np.zeros(len(law)), where=law > 0)
        within = float(weight[xs] * mass @ (density - centers[xs]) ** 2)
        total = float(mass @ (density - plug_in) ** 2) / n
        reach = max(reach * np.sqrt(within / total), Z * np.sqrt(within)) if total > 0 else 0.0
    tried, seen = counts.sum(1) > 0, columns > 0
    trials = float(counts.sum())
    hidden = 0.0
    if (counts[tried] == 0).any():
        # pairs that no trial has shown yet could say all that is left to say about the input
        once = float(mass[counts[xs, ys] <= 1].sum())
        unseen = proportion_limits(once * n, n)[1] - once
        hidden = unseen * max(0.0, entropy_bits(law) - plug_in)
    # a channel without noise: the plug-in is an entropy, and plug-in entropies are biased down
    free = 0 if known else int(tried.sum() + seen.sum()) - 1 - len(xs)
    down = float(gammaincinv(free / 2, 0.975)) / (trials * np.log(2)) if free > 0 else 0.0
    # near independence the spread shrinks with the value itself; there sqrt(2 N ln2 I) is normal with spread 1
    return float(plug_in + np.hypot(reach, hidden) + down + Z**2 / (2 * trials * np.log(2)))
