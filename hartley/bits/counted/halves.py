"""Half-sample drift: how far the jackknife of the information moves between half of the trials and all of them, exactly."""

from __future__ import annotations

import numpy as np

from hartley.bits.tables import Counts, Floats, joint_law
from hartley.bits.trust import drifts

_REACH = 12.0
"""Standard deviations of the hypergeometric law that are summed over; what lies beyond is under 1e-30."""


def unsettled(counts: Counts, prior: Floats | None, point: float) -> str:
    """The trust rule on half-sample drift for a point in bits from counts (inputs, outcomes); "" where it passes."""
    return drifts(point, point - drift_bits(counts, prior), _standard_error_bits(counts, prior))


def _standard_error_bits(counts: Counts, prior: Floats | None) -> float:
    """Of the plug-in information: the spread of its density; with the inputs' law given, only the spread within inputs."""
    joint = joint_law(counts, prior)
    xs, ys = np.nonzero(joint)
    mass, inputs = joint[xs, ys], joint.sum(1)
    density = np.log2(mass / (inputs[xs] * joint.sum(0)[ys]))
    if prior is None:
        return float(np.sqrt(mass @ (density - mass @ density) ** 2 / counts.sum()))
    centers = np.bincount(xs, mass * density, len(inputs)) / np.where(inputs > 0, inputs, 1.0)
    return float(np.sqrt((mass * inputs[xs] / np.maximum(counts.sum(1)[xs], 1)) @ (density - centers[xs]) ** 2))


def drift_bits(counts: Counts, prior: Floats | None) -> float:
    """Jackknife information in bits on all trials of counts (inputs, outcomes), less its mean over all halves of them.

    No half is drawn: the jackknife of an entropy is a sum over symbols, so its mean over all halves needs only the
    hypergeometric law of one count at a time. The result depends on no seed, no order of trials and no labels.
    prior None: halves of all trials. prior (inputs,) given: each input is halved by itself, as H(Y) - sum prior H(Y|x);
    H(Y) is halved over the pooled outcomes there.
    """
    if prior is None:
        return _drift(counts.sum(1)) + _drift(counts.sum(0)) - _drift(counts.ravel())
    return _drift(counts.sum(0)) - float(sum(share * _drift(row) for share, row in zip(prior, counts, strict=True) if share > 0))


def _drift(counts: Counts) -> float:
    """The same of one entropy in bits, from counts (symbols,); 0 below 4 trials, which have no halves to speak of."""
    n = int(counts.sum())
    if n < 4:
        return 0.0
    values, times = np.unique(counts[counts > 0], return_counts=True)
    whole = sum(k * c * float(_last_step(np.array([c]))[0]) for c, k in zip(values.tolist(), times.tolist(), strict=True)) / n
    half = sum(k * _mean_in_half(c, n) for c, k in zip(values.tolist(), times.tolist(), strict=True))
    most = _last_step(np.array([n, n // 2]))
    return float(most[0] - whole - (most[1] - half))


def _mean_in_half(count: int, n: int) -> float:
    """Mean of h step(h) / m over the m = n // 2 trials of a half, of which h are among the `count`."""
    from scipy.special import gammaln

    m = n // 2
    mean, deviation = m * count / n, np.sqrt(m * count * (n - count) * (n - m) / n**2 / max(n - 1, 1))
    first = max(0, count - (n - m), int(mean - _REACH * (deviation + 1)))
    last = min(count, m, int(mean + _REACH * (deviation + 1)))
    h = np.arange(first, last + 1)
    log_weight = -(gammaln(h + 1) + gammaln(count - h + 1) + gammaln(m - h + 1) + gammaln(n - count - m + h + 1))
    weight = np.exp(log_weight - log_weight.max())
    return float(weight @ (h * _last_step(h)) / weight.sum() / m)


def _last_step(c: Counts) -> Floats:
    """c log2 c - (c - 1) log2 (c - 1). Jackknife entropy of n trials = step(n) - sum over symbols of c step(c) / n."""
    wide = c.astype(np.float64)
    return np.asarray(wide * np.log2(np.maximum(wide, 1)) - (wide - 1) * np.log2(np.maximum(wide - 1, 1)))
