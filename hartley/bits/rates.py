"""Rates: a threat's success in its paper's own metric, with exact limits."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

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


def success_rate(name: str, arm: str, success: ArrayLike, *, headline: bool, better: Side = "attacker") -> Rate | None:
    """The share of ones among the zeros and ones of success (n,), with exact Clopper-Pearson limits.

    -1 says that the criterion does not apply to that trial: it is left out. None when none is left: not measured.
    """
    flags = np.asarray(success)
    bad = ~np.isin(flags, (-1, 0, 1))
    if flags.ndim != 1 or bad.any():
        where = f", row {int(np.flatnonzero(bad)[0])}" if flags.ndim == 1 else f": shape {flags.shape}"
        raise InputError(f"column success{where}: takes 1, 0 or -1 (does not apply), one a trial")
    n, hits = int((flags >= 0).sum()), int((flags == 1).sum())
    if n == 0:
        return None
    low, high = proportion_limits(hits, n)
    return Rate(name, arm, hits / n, low, high, n, "Clopper-Pearson 95%", headline, better)


def tpr_at_fpr(name: str, arm: str, members: ArrayLike, others: ArrayLike, fpr: float, *, headline: bool) -> Rate:
    """True-positive rate at a false-positive rate of at most `fpr`, for scores that are higher for members.

    The threshold is the smallest score that at most floor(fpr n) of the n non-members exceed; a member counts when it
    exceeds it. Limits: Clopper-Pearson over the members, for that threshold. With fewer than 1 / fpr non-members no
    false positive is allowed at all.
    """
    positive, negative = _scores("members", members), _scores("others", others)
    if not 0 < fpr < 1:
        raise InputError(f"fpr: got {fpr}, takes a share between 0 and 1")
    allowed = math.floor(fpr * len(negative) + 1e-9)
    threshold = float(np.sort(negative)[::-1][allowed])
    hits = int((positive > threshold).sum())
    low, high = proportion_limits(hits, len(positive))
    return Rate(name, arm, hits / len(positive), low, high, len(positive), "Clopper-Pearson 95%", headline, "attacker")


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
