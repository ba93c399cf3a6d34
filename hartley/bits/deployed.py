"""Deployed information (E3): what the model's own head, as it is deployed, delivers about the intent."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from hartley.bits.clustered import clusters_of, one_cluster
from hartley.bits.design import Design, design_effect, student, unequal
from hartley.bits.limits import Z
from hartley.bits.tables import Counts, Floats
from hartley.bits.value import Bits
from hartley.errors import InputError


def deployed_information(
    log2_q: ArrayLike, log2_prior: ArrayLike, *, cluster: ArrayLike | None = None, kind: str = "deployed_bits"
) -> Bits:
    """H(U) - CE in bits: the mean over n trials of log2 q(u|z) / p(u).

    log2_q (n,)      log2 of the probability the head gave to the true symbol of the trial, <= 0.
    log2_prior (n,) or one number: log2 of the prior probability of that symbol.
    cluster (n,)     the independent unit of each trial; the limits are then over clusters.
    Never more than I(U; Y) in expectation, and below 0 when the head misleads. Always computable, so always trusted;
    see `mean_bits` for its limits. InputError names the column and the row.
    """
    return mean_bits(_gains(log2_q, log2_prior), kind, "mean of log2 q(u|z)/p(u)", cluster=cluster)


def misinformation(log2_q: ArrayLike, log2_prior: ArrayLike, *, cluster: ArrayLike | None = None) -> Bits:
    """The misinformation mass in bits: the mean of max(0, -log2 q(u|z)/p(u)), what trials that point away from the truth cost.

    Arguments and limits as in `deployed_information`; 0 when no trial misleads.
    """
    lost = np.maximum(-_gains(log2_q, log2_prior), 0.0)
    return mean_bits(lost, "misinformation_bits", "mean of max(0, -log2 q(u|z)/p(u))", floor=0.0, cluster=cluster)


def mean_bits(values: Floats, kind: str, estimator: str, *, floor: float | None = None, cluster: ArrayLike | None = None) -> Bits:
    """Mean of n values in bits with 95% limits.

    Student's t, where n >= 25 skewness^2 (Cochran's rule: the normal law serves). Otherwise the side of the long tail is
    widened to the empirical Bernstein bound (Maurer and Pontil 2009) over the observed range. Log loss has no bound, so
    no finite-sample limit can be exact: a head that is never seen to fail badly may still do so.
    cluster (n,): where clusters hold several values, the same limits of one value a cluster, its part in the mean (linearized).
    """
    from scipy.special import stdtrit

    unit = clusters_of(cluster, len(values))
    if unit is not None:
        return _clustered_mean_bits(values, unit, kind, estimator, floor)

    n = len(values)
    if n == 0:
        return Bits.unmeasured(kind, "no trials")
    mean = float(values.mean())
    if n < 2:
        return Bits(mean, None, None, n, estimator, kind, False, "one trial: no interval")
    deviation = float(values.std(ddof=1))
    t = float(stdtrit(n - 1, 0.975)) * deviation / np.sqrt(n)
    centered = values - mean
    third = float((centered**3).mean())
    skew = third / deviation**3 if deviation > 1e-12 else 0.0
    below = above = t
    if n < 25 * skew**2:
        span = float(np.ptp(values))
        bernstein = float(np.sqrt(2 * deviation**2 * np.log(4 / 0.05) / n) + 7 * span * np.log(4 / 0.05) / (3 * (n - 1)))
        below, above = (max(t, bernstein), t) if skew < 0 else (t, max(t, bernstein))
    low, high = mean - below, mean + above
    if floor is not None:
        low = max(low, floor)
    return Bits(mean, low, high, n, f"{estimator}; t or Bernstein, 95%", kind, True, "", {"standard_error_bits": t / Z, "skewness": skew})


def _clustered_mean_bits(values: Floats, unit: Counts, kind: str, estimator: str, floor: float | None) -> Bits:
    sizes = np.bincount(unit).astype(np.float64)
    if len(sizes) < 2:
        return one_cluster(kind, len(values))
    mean = float(values.mean())
    weights, freedom = unequal(sizes)
    totals = weights * np.bincount(unit, values - mean)
    bits = mean_bits(mean + (totals - totals.mean()) * len(sizes) / len(values), kind, estimator)
    design = Design(len(sizes), design_effect(totals[:, None], float(((values - mean) ** 2).sum())), freedom=freedom)
    assert bits.low is not None and bits.high is not None  # two clusters at least
    wider = student(freedom + 1) / student(len(sizes))
    low, high = (mean + (limit - mean) * wider for limit in (bits.low, bits.high))
    bits = replace(bits, low=low if floor is None else max(low, floor), high=high)
    return design.marked(replace(bits, value=mean, n=len(values), estimator=f"{bits.estimator} over clusters"))


def _gains(log2_q: ArrayLike, log2_prior: ArrayLike) -> Floats:
    q, prior = _numbers("log2_q", log2_q), _numbers("log2_prior", log2_prior)
    if q.ndim != 1:
        raise InputError(f"column log2_q: shape {q.shape}, takes one number a trial")
    if prior.shape not in ((), q.shape):
        raise InputError(f"column log2_prior: shape {prior.shape}, takes {q.shape} as log2_q has it, or one number")
    prior = np.broadcast_to(prior, q.shape)
    for name, column, top in (("log2_q", q, 1e-9), ("log2_prior", prior, 0.0)):
        bad = ~np.isfinite(column) | (column > top)
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            raise InputError(f"column {name}, row {row}: got {column[row]}, takes finite log2 probabilities up to 0")
    return np.asarray(q - prior, dtype=np.float64)


def _numbers(name: str, values: ArrayLike) -> Floats:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"column {name}: not numbers ({error})") from None
