"""Limits of a mean log score: what a decoder delivered on rows it never saw."""

from __future__ import annotations

import numpy as np

from hartley.bits.limits import proportion_limits, upward_reach
from hartley.bits.tables import Counts, Floats


def clipped_scores_bits(posterior: Floats, label: Counts, law: Floats, share: float) -> Floats:
    """log2 q(y|z) / p(y) (n,) in bits of the true labels, from posterior (n, K) and law (K,).

    q is mixed with `share` of the law, so no score is below log2(share): one confident mistake has a price that is known.
    """
    own = posterior[np.arange(len(label)), label]
    return np.asarray(np.log2((1 - share) * own / law[label] + share))


def score_low_bits(score: Floats, weight: Floats, floor_bits: float) -> float:
    """97.5% one-sided lower limit of the mean of scores (n,), with weight (n,) summing to 1; never below 0.

    From the mean its reach is taken: rare bad scores by Clopper-Pearson instead of the normal law, and the share of rows
    that may be bad though none was seen (3.7 / n), priced at floor_bits, the lowest score there can be. So it holds when
    every score is the same and the empirical variance is 0.
    """
    n = 1.0 / float(weight @ weight)
    mean = float(weight @ score)
    unseen = proportion_limits(0.0, n)[1] * max(0.0, mean - floor_bits)
    return max(0.0, mean - float(np.hypot(upward_reach(-score, weight, n), unseen)))
