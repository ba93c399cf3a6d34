"""Rates: a threat's success in its paper's own metric, with exact limits."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hartley.bits.clustered import ONE, clusters_of
from hartley.bits.design import share_limits
from hartley.bits.limits import Z, proportion_limits
from hartley.bits.tables import Floats
from hartley.errors import InputError

Side = Literal["attacker", "user"]


@dataclass(frozen=True)
class Rate:
    """A share from 0 to 1 (not bits) with 95% limits.

    name       the metric ("targeted top-1", "TPR at 1% FPR").
    arm        one of hartley.evidence.ARMS.
    value, low, high   the share and its limits.
    n          trials it rests on.
    clusters, design_effect   as in `hartley.bits.value.Bits`: the independent units behind n, None where each trial is its own.
    headline   True for the paper's own metric, False for a companion.
    better     who gains when it rises: "attacker" or "user".

    Raises ValueError when low <= value <= high within [0, 1] does not hold.
    """

    name: str
    arm: str
    value: float
    low: float
    high: float
    n: int
    estimator: str
    headline: bool
    better: Side
    clusters: int | None = None
    design_effect: float | None = None

    def __post_init__(self) -> None:
        if not all(math.isfinite(v) for v in (self.value, self.low, self.high)) or not 0 <= self.low <= self.value <= self.high <= 1:
            raise ValueError(f"rate {self.name!r}: needs 0 <= low <= value <= high <= 1, got {self.low}, {self.value}, {self.high}")
        if self.better not in ("attacker", "user"):
            raise ValueError(f"rate {self.name!r}: better is {self.better!r}, takes attacker or user")

    def to_json(self) -> dict[str, Any]:
        """The entry of a cell's `rates`."""
        record = asdict(self)
        if self.clusters is None:
            del record["clusters"], record["design_effect"]
        return record


def success_rate(
    name: str, arm: str, success: ArrayLike, *, headline: bool, better: Side = "attacker", cluster: ArrayLike | None = None
) -> Rate | None:
    """The share of ones among the zeros and ones of success (n,), with exact Clopper-Pearson limits.

    -1 says that the criterion does not apply to that trial: it is left out. None when none is left: not measured.
    cluster (n,)  the independent unit of each trial. Where a unit has several, the limits are Clopper-Pearson's for the effective
                  number of trials (`hartley.bits.design.share_limits`); with one unit they are 0 and 1, and the estimator says why.
    """
    flags = np.asarray(success)
    bad = ~np.isin(flags, (-1, 0, 1))
    if flags.ndim != 1 or bad.any():
        where = f", row {int(np.flatnonzero(bad)[0])}" if flags.ndim == 1 else f": shape {flags.shape}"
        raise InputError(f"column success{where}: takes 1, 0 or -1 (does not apply), one a trial")
    clusters_of(cluster, len(flags))
    used = flags >= 0
    n, hits = int(used.sum()), int((flags == 1).sum())
    if n == 0:
        return None
    unit = clusters_of(None if cluster is None else np.asarray(cluster)[used], n)
    if unit is None:
        low, high = proportion_limits(hits, n)
        return Rate(name, arm, hits / n, low, high, n, "Clopper-Pearson 95%", headline, better)
    if unit.max() == 0:
        return Rate(name, arm, hits / n, 0.0, 1.0, n, f"no limits, {ONE}", headline, better, 1)
    low, high, design = share_limits(np.bincount(unit, flags[used] == 1).astype(np.float64), np.bincount(unit))
    estimator = "Korn-Graubard 95% over clusters"
    return Rate(name, arm, hits / n, min(low, hits / n), max(high, hits / n), n, estimator, headline, better, *design.stated)


def tpr_at_fpr(name: str, arm: str, members: ArrayLike, others: ArrayLike, fpr: float, *, headline: bool) -> Rate:
    """True-positive rate at a false-positive rate of at most `fpr`, for scores that are higher for members.

    The threshold is the smallest score that at most floor(fpr n) of the n non-members exceed; a member counts when it
    exceeds it. With fewer than 1 / fpr non-members no false positive is allowed at all.

    The limits are of the rate at the threshold that truly has this fpr, the (1 - fpr) quantile of the non-members' law,
    of which the threshold is an estimate: 95% whatever the two laws, ties and sizes. Each threshold that the non-members' order
    statistics allow is tried, with the limit (Clopper-Pearson) that the members then give; the two are independent tests, and where
    both fall on the same side their normal scores count as the root of the sum of their squares. With few non-members no
    threshold is high enough to be sure of (under 466 at 1%, 4,675 at 0.1%), and the lower limit is 0.
    """
    positive, negative = np.sort(_scores("members", members)), np.sort(_scores("others", others))
    if not 0 < fpr < 1:
        raise InputError(f"fpr: got {fpr}, takes a share between 0 and 1")
    allowed = math.floor(fpr * len(negative) + 1e-9)
    m = len(positive)
    value = float((positive > negative[len(negative) - 1 - allowed]).sum()) / m
    low, high = _threshold_limits(positive, negative, fpr)
    name_of_limits = "empirical threshold; order statistics with Clopper-Pearson, 95%"
    return Rate(name, arm, value, min(low, value), max(high, value), m, name_of_limits, headline, "attacker")


_JOINT = 5.536867359908718
"""c with P(z1+^2 + z2+^2 > c) = 0.025 for two independent standard normal z, z+ the larger of z and 0."""


def _threshold_limits(positive: Floats, negative: Floats, fpr: float) -> tuple[float, float]:
    """97.5% limits, each, of P(member > q), q the (1 - fpr) quantile of the non-members; both samples sorted.

    At the true q the number of non-members below it and that of members above it are independent binomials, so that every
    pair of tail probabilities (of the first, at 1 - fpr; of the second, at the rate) that is together not too small is kept.
    """
    from scipy.special import betaincinv, ndtr, ndtri
    from scipy.stats import binom

    m, n = len(positive), len(negative)
    below = np.arange(n + 1)

    def level(tail: Floats) -> Floats:
        """The tail probability that is left to the members; 0 where the threshold is ruled out by itself."""
        left = _JOINT - np.maximum(-ndtri(tail), 0.0) ** 2
        return np.asarray(np.where(left > 0, ndtr(-np.sqrt(np.maximum(left, 0.0))), 0.5))

    def kept(tail: Floats) -> NDArray[np.bool_]:
        return np.asarray(tail > ndtr(-math.sqrt(_JOINT)))

    # q above `below` of the non-members and not above the next: at least as many members exceed it as exceed that next one
    above = np.append(m - np.searchsorted(positive, negative, side="right"), 0).astype(np.float64)
    tail = binom.sf(below - 1, n, 1 - fpr)
    possible = kept(tail)
    hits, share = above[possible], level(tail[possible])
    low = float(np.where(hits > 0, betaincinv(np.maximum(hits, 1), m - hits + 1, share), 0.0).min())
    # q not below `below` of the non-members
    above = np.append(m, above[:-1])
    tail = binom.cdf(below, n, 1 - fpr)
    possible = kept(tail)
    hits, share = above[possible], level(tail[possible])
    high = float(np.where(hits < m, betaincinv(hits + 1, np.maximum(m - hits, 1), 1 - share), 1.0).max())
    return low, high


def auc(name: str, arm: str, members: ArrayLike, others: ArrayLike, *, headline: bool) -> Rate:
    """Area under the ROC: the chance that a member scores above a non-member, ties one half.

    Limits: DeLong's variance (1988) on the logit scale. At 0 or 1 that variance is 0; there the limit is that of a
    proportion without a miss among min(members, others) trials.
    """
    from scipy.stats import rankdata

    positive, negative = _scores("members", members), _scores("others", others)
    m, k = len(positive), len(negative)
    ranks = rankdata(np.concatenate([positive, negative]))
    above = (ranks[:m] - rankdata(positive)) / k
    below = 1 - (ranks[m:] - rankdata(negative)) / m
    value = float(above.mean())
    variance = (float(above.var(ddof=1)) / m if m > 1 else 0.25) + (float(below.var(ddof=1)) / k if k > 1 else 0.25)
    if variance <= 1e-15 or not 0 < value < 1:
        fewest = min(m, k)
        low, high = proportion_limits(round(value * fewest), fewest)
    else:
        logit, reach = math.log(value / (1 - value)), Z * math.sqrt(variance) / (value * (1 - value))
        low, high = (1 / (1 + math.exp(-max(-700.0, logit + side * reach))) for side in (-1, 1))
    return Rate(name, arm, value, min(low, value), max(high, value), m + k, "DeLong 95%, logit scale", headline, "attacker")


def _scores(name: str, values: ArrayLike) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or len(array) == 0:
        raise InputError(f"column {name}: shape {array.shape}, takes at least one score")
    if not np.isfinite(array).all():
        raise InputError(f"column {name}, row {int(np.flatnonzero(~np.isfinite(array))[0])}: not finite")
    return array
