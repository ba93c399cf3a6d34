"""Limits of a mean and of a proportion that hold when events are rare, where the normal approximation does not."""

from __future__ import annotations

import numpy as np

from hartley.bits.counted.permutation import Null
from hartley.bits.tables import Counts, Floats, entropy_bits, information_of_law

Z = 1.959963984540054
"""Two-sided 95%."""


def proportion_limits(successes: float, n: float, confidence: float = 0.95) -> tuple[float, float]:
    """Clopper-Pearson limits (1934) of a proportion from successes out of n > 0; exact for whole numbers of trials."""
    from scipy.special import betaincinv

    tail = (1 - confidence) / 2
    low = 0.0 if successes <= 0 else float(betaincinv(successes, n - successes + 1, tail))
    high = 1.0 if successes >= n else float(betaincinv(successes + 1, n - successes, 1 - tail))
    return low, high


def upward_reach(values: Floats, mass: Floats, n: float) -> float:
    """How far above its sample mean a mean may lie (97.5%, one-sided), for values that occur with probabilities `mass`.

    values, mass (cells,); n trials. The values are split into a tail (more than one standard deviation above the mean)
    and the rest. The tail's probability is limited by Clopper-Pearson, the spread inside each part by the normal law,
    and the two are added as squares. With many tail events this is 1.96 standard errors; with few it is wider, as it
    must be: the empirical standard error of a rare large value is too small exactly when the value was rarer than
    expected.
    """
    mean = float(mass @ values)
    deviation = float(np.sqrt(mass @ (values - mean) ** 2))
    if deviation <= 1e-12:
        return 0.0
    tail = values > mean + deviation
    share = float(mass[tail].sum())
    plain = Z * deviation / np.sqrt(n)
    if share <= 0:
        return float(plain)
    inside, outside = float(mass[tail] @ values[tail]) / share, float(mass[~tail] @ values[~tail]) / (1 - share)
    spread = float(mass[tail] @ (values[tail] - inside) ** 2 + mass[~tail] @ (values[~tail] - outside) ** 2)
    shift = (proportion_limits(share * n, n)[1] - share) * (inside - outside)
    return float(max(plain, np.hypot(shift, Z * np.sqrt(spread / n))))


def near_zero_high_bits(counts: Counts | Floats, null: Null) -> float:
    """97.5% upper limit of an information in bits that a test could not tell from 0; counts (inputs, outcomes) of (effective) trials.

    Near independence the plug-in is a scaled noncentral chi-square (Wilks 1938), its noncentrality 2 n ln2 times the information.
    Scale and degrees of freedom are read off the shuffled tables (`null`), so that thin tables are served too (Satterthwaite 1946); the
    limit is the noncentrality at which so small a plug-in has a chance of 2.5%. A plug-in below its mean under the null counts as
    that mean: a lucky draw proves nothing. Added as a square: outcomes that no trial has shown, or fewer trials than there are inputs.
    No test could see what they tell, and they could tell the whole input.
    """
    from scipy.special import chndtrinc

    n = float(counts.sum())
    law = counts.sum(1) / n
    columns = counts.sum(0)
    rare = proportion_limits(float(columns[columns <= (law > 0).sum()].sum()), n)[1]
    hidden = rare * entropy_bits(law)
    if null.mean_bits <= 0 or null.deviation_bits <= 0:
        return hidden
    freedom = max(1.0, 2 * (null.mean_bits / null.deviation_bits) ** 2)
    scale = max(null.mean_bits / freedom, 1 / (2 * n * float(np.log(2))))
    reached = max(information_of_law(counts / n) / scale, freedom)
    return float(np.hypot(scale * chndtrinc(reached, freedom, 0.025), hidden))
