"""Limits of a mean and of a proportion that hold when events are rare, where the normal approximation does not."""

from __future__ import annotations

import numpy as np

from hartley.bits.tables import Floats

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
