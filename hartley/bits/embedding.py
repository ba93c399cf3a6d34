"""Information between an embedding and its label (E1): a Gaussian mixture in whitened space, corrected for finite samples."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from hartley.bits import trust
from hartley.bits.certified import certified_information
from hartley.bits.embeddings.components import Reduced, prepared, total_covariance
from hartley.bits.embeddings.folds import Folds, discriminant_posterior
from hartley.bits.embeddings.gaussianity import gaussianity
from hartley.bits.embeddings.gram import Placed, limits_bits, placed
from hartley.bits.embeddings.labeled import Labeled, labeled
from hartley.bits.embeddings.pillai import leverage_squares, permutation_p
from hartley.bits.embeddings.scores import clipped_scores_bits, score_low_bits
from hartley.bits.limits import Z
from hartley.bits.spectrum import Moments, observed_spectrum
from hartley.bits.value import Bits

FREEDOM = 50
"""n - K - d must exceed this for a point."""
ROWS_A_LABEL = 4
"""Fewest rows of a label for a point: two in each half."""
VARIANCE_KEPT = 0.9
"""Share of the variance that PCA must keep for a point."""
_FOLDS = 4


def label_information(
    embedding: ArrayLike,
    label: ArrayLike,
    *,
    prior: ArrayLike | None = None,
    kind: str = "embedding_bits",
    seed: int = 0,
) -> Bits:
    """I(Z; Y) in bits between an embedding (n, d) and a label (n,) of K values.

    prior (K,)  the law of the labels, in the sorted order of their values, where it is known; None: the shares seen (and, unless
                the labels are balanced to the row, the interval covers that they are an estimate).
    seed        fixes the Monte Carlo draws and the folds.

    Model: rows of each label are Gaussian around its mean with one covariance. The means' Gram matrix in the metric of
    the inverse covariance is corrected for finite samples exactly (inverse Wishart; `hartley.bits.embeddings.gram`), its eigenvalues
    by indirect inference (`hartley.bits.spectrum`), and the information of the mixture is computed by quadrature
    (K = 2 or d = 1) or Monte Carlo. Interval, 95%: a test inverted along the family of scaled means, with the sampling law simulated
    exactly; widened by the half-sample drift and, without a prior, by the luck of the labels.
    Invariant to invertible linear maps of the embedding. n < 3 d, or a singular covariance: principal components, n / 3 at most.

    The point is withheld, and the bracket is [cross-fitted linear discriminant's 97.5% lower limit, H(Y)], when n - K - d
    is 50 or less, a label has under 4 rows, the rows are not Gaussian with one covariance (`hartley.bits.embeddings.gaussianity`), no
    channel is detected (Pillai's trace against its permutation law, p > 0.01; then `high` is the model's), the point
    falls below the lower limit, the halves of the rows disagree, or PCA left out over 10% of the variance, or
    directions in which the labels differ, or the answer depends on how many components are kept.
    Raises InputError for malformed columns, naming column and row. For a lower limit without any model see `certified_information`.
    """
    data = labeled(embedding, label, prior)
    if data.classes < 2:
        return Bits.unmeasured(kind, "one label only: there is no information to measure", data.rows)
    if data.rows - data.classes < 3:
        return Bits.unmeasured(kind, f"{data.rows} rows of {data.classes} labels: too few rows to see any noise", data.rows)
    try:
        return _measured(data, kind, seed)
    except np.linalg.LinAlgError:
        why = "the scatter within the labels is singular: rows of one label hardly differ, so there is no noise to measure by"
        limit = certified_information(embedding, label, prior=prior, kind=kind, seed=seed)
        return replace(limit, why=why)


def information_point(data: Labeled, *, seed: int = 0) -> float:
    """The point alone, in bits, without interval or trust rules; n - K > d + 1 and a covariance that can be inverted."""
    folds = Folds.of(data.embedding, data.label, data.classes, 1, seed)
    return placed(folds.moments([0]), data.law, seed=seed).mixture.bits


def _measured(data: Labeled, kind: str, seed: int) -> Bits:
    reduced, folds = prepared(data, _FOLDS, seed)
    everything = range(_FOLDS)
    whole = folds.moments(everything)
    if np.linalg.cholesky(whole.within).diagonal().min() < 1e-6:
        # columns have deviation 1: what is left within the labels is rounding
        raise np.linalg.LinAlgError
    freedom = whole.freedom - reduced.dimensions
    checks = {"dimensions": float(reduced.dimensions), "freedom": float(freedom), "cap_bits": data.cap_bits}
    certified = _certified_low(data, reduced, folds, seed)
    checks["certified_low_bits"] = certified
    name = "Gaussian mixture, Wishart-corrected"
    if reduced.dimensions < reduced.full:
        name += f" (PCA to {reduced.dimensions} of {reduced.full})"
        checks["variance_kept"] = reduced.share
    why = trust.first((_missing(data), _enough(data, freedom, reduced.dimensions)))
    if why:
        return Bits(None, certified, max(data.cap_bits, certified), data.rows, name, kind, False, why, checks)
    estimate = placed(whole, data.law, seed=seed)
    halves = [placed(folds.moments(part), data.law, seed=seed).mixture.bits for part in ((0, 1), (2, 3))]
    half = float(np.mean(halves))
    low, high = _interval(data, estimate, whole, half, seed)
    point = estimate.mixture.bits
    check = gaussianity(reduced.embedding, data.label, within=whole.within, seed=seed)
    p = gate_p(reduced, folds, whole)
    checks |= {"permutation_p": p, "half_sample_bits": half, "mixture_error_bits": estimate.mixture.error_bits, "point_bits": point}
    checks |= {f"{test}_p": value for test, value in check.p.items()}
    fails = trust.first((_pca(data, reduced, point, seed), check.why))
    settles = trust.drifts(point, half, (high - low) / (2 * Z))
    why = trust.first((fails, trust.not_detected(p, high), trust.below_low(point + Z * estimate.mixture.error_bits, certified), settles))
    if not why:
        return Bits(point, low, high, data.rows, name + "; 95%", kind, True, "", checks)
    # with Gaussian rows and no channel detected the model's upper limit still holds
    top = high if not fails and not settles and p > trust.GATE else data.cap_bits
    return Bits(None, certified, max(top, certified), data.rows, name, kind, False, why, checks)


def _missing(data: Labeled) -> str:
    return "" if data.share >= 1 - 1e-12 else f"labels with {1 - data.share:.1%} of the prior never occurred; the limits hold"


def _enough(data: Labeled, freedom: int, dimensions: int) -> str:
    if freedom <= FREEDOM:
        return f"n - K - d = {freedom}, needs more than {FREEDOM}: the covariance is too uncertain"
    fewest = int(data.counts.min())
    if fewest < ROWS_A_LABEL:
        return f"a label has {fewest} rows, needs {ROWS_A_LABEL}"
    if data.rows // 2 - data.classes - dimensions < 10:
        return "half of the rows are too few for an estimate, so it cannot be checked whether the point has settled"
    return ""


def _pca(data: Labeled, reduced: Reduced, point: float, seed: int) -> str:
    """Whether leaving out directions matters. The components are ordered, so fewer of them are the first ones."""
    if reduced.dimensions == reduced.full:
        return ""
    if reduced.share < VARIANCE_KEPT:
        return (
            f"PCA to {reduced.dimensions} of {reduced.full} dimensions keeps {reduced.share:.0%} of the variance, "
            f"needs {VARIANCE_KEPT:.0%}: more rows are needed"
        )
    if reduced.dropped_p <= trust.GATE:
        return f"the labels also differ in the directions that PCA to {reduced.dimensions} of {reduced.full} left out: more rows are needed"
    if reduced.share > 1 - 1e-6:
        return ""
    fewer = max(1, reduced.dimensions // 2)
    folds = Folds.of(reduced.embedding[:, :fewer], data.label, data.classes, 1, seed)
    other = placed(folds.moments([0]), data.law, seed=seed).mixture.bits
    return trust.forms_disagree({f"{reduced.dimensions} components": point, f"{fewer} components": other})


def _interval(data: Labeled, estimate: Placed, moments: Moments, half: float, seed: int) -> tuple[float, float]:
    """95% limits in bits, widened by Monte Carlo error, half-sample drift on its side, and chance in the shares of the labels."""
    point = estimate.mixture.bits
    low, high = limits_bits(estimate, moments, data.law, seed=seed)
    others = (Z * estimate.mixture.error_bits) ** 2
    short = 0.0
    if not data.certain:
        others += Z**2 * float(data.law @ (estimate.mixture.divergence_bits - point) ** 2) / data.rows
        entropy = float(-data.law @ np.log2(data.law))
        short = max(0.0, data.cap_bits - entropy) * point / entropy
    # an error that shrinks as 1 / n is as large in the point as the halves differ from it, and on the same side
    drift = half - point
    below = float(np.sqrt((point - low) ** 2 + others + max(drift, 0.0) ** 2))
    above = float(np.sqrt((high - point) ** 2 + others + max(-drift, 0.0) ** 2))
    return max(0.0, point - below), max(point, min(point + above + short, data.cap_bits))


def _certified_low(data: Labeled, reduced: Reduced, folds: Folds, seed: int) -> float:
    """97.5% lower limit in bits: what a linear discriminant fitted to the other folds delivers; no model needed for it to hold."""
    score, share = np.empty(data.rows), 1 / data.rows
    for fold in range(_FOLDS):
        others = [f for f in range(_FOLDS) if f != fold]
        left = folds.fold == fold
        rows = reduced.embedding[left] - folds.center(others)
        posterior = discriminant_posterior(folds.moments(others), rows, data.law, seed=seed)
        score[left] = clipped_scores_bits(posterior, data.label[left], data.law, share)
    return data.share * score_low_bits(score, data.weight, float(np.log2(share)))


def gate_p(reduced: Reduced, folds: Folds, whole: Moments) -> float:
    """Permutation p of no channel at all, from the moments of all rows (`whole`)."""
    squares = leverage_squares(reduced.embedding, total_covariance(folds))
    return permutation_p(_pillai(whole), reduced.dimensions, squares, whole.counts)


def _pillai(moments: Moments) -> float:
    """Pillai's trace from the moments: each canonical eigenvalue l of between over within scatter counts l / (1 + l)."""
    law = moments.counts / moments.counts.sum()
    values = observed_spectrum(moments, moments, law) * moments.counts.sum() / moments.freedom
    return float((values / (1 + values)).sum())
