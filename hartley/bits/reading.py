"""Readings of an embedding channel under one condition: what a Gaussian input could carry beside what the concepts carry."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from hartley.bits import trust
from hartley.bits.embedding import FREEDOM, VARIANCE_KEPT, gate_p, label_information
from hartley.bits.embeddings.components import Reduced, prepared
from hartley.bits.embeddings.gram import corrected_gram
from hartley.bits.embeddings.labeled import Labeled, checked_embedding, labeled
from hartley.bits.embeddings.own_direction import axis_bits, direction_snr, reference_directions
from hartley.bits.spectrum import Moments, corrected_spectrum, gaussian_bits, inflation, observed_spectrum
from hartley.bits.tables import Floats, entropy_bits
from hartley.bits.value import Bits
from hartley.errors import InputError

GROUPS = 20
KINDS = ("c_g_bits", "concept_direction_bits", "fisher_direction_bits", "alignment_loss_bits")
Reference = ArrayLike | tuple[ArrayLike, ArrayLike]


@dataclass(frozen=True)
class Reading:
    """One condition of an embedding channel.

    intent_bits          H(Y) of the concepts: what there is to carry.
    c_g                  sum of 1/2 log2(1 + lambda), what a Gaussian input of this power could carry, capped by H(Y).
    mixture              I_mix, what these discrete concepts do carry (`label_information`).
    concept_direction    along each concept's own direction; fisher_direction: along its best one; both as means over concepts.
    alignment_loss       fisher_direction less concept_direction: bits lost by reading the concept where its reference points.
    spectrum (r,)        signal-to-noise ratios lambda, descending, corrected for finite samples.
    effective_dimension  (sum lambda)^2 / sum lambda^2: how many directions share the signal. The "B" of Shannon-Hartley is half of it.
                         With its limits it also stands in the checks of c_g (`effective_dimension`, `_low`, `_high`), wherever
                         rows and gate allow a point, and so do the limits of C_G without its cap (`uncapped_low_bits`, `_high_bits`).
    """

    intent_bits: float
    c_g: Bits
    mixture: Bits
    concept_direction: Bits
    fisher_direction: Bits
    alignment_loss: Bits
    spectrum: Floats
    effective_dimension: float


@dataclass(frozen=True)
class Operators:
    """signal (d, d): covariance of the concept means under their law. noise (d, d): pooled within-concept covariance."""

    signal: Floats
    noise: Floats


def operators(embedding: ArrayLike, label: ArrayLike, *, prior: ArrayLike | None = None) -> Operators:
    """The signal and the noise operator of embedding (n, d) with label (n,), as measured, in the embedding's own units.

    Not corrected for finite samples: `channel_reading` gives the corrected spectrum. Arguments as in `label_information`.
    """
    data = labeled(embedding, label, prior)
    if data.rows <= data.classes:
        raise InputError(f"column label: {data.rows} rows of {data.classes} labels, takes more rows than labels")
    rows = data.embedding * data.deviation[data.deviation > 0]
    kept = np.flatnonzero(data.deviation > 0)
    means = np.stack([rows[data.label == k].mean(0) for k in range(data.classes)])
    offset, residual = means - data.law @ means, rows - means[data.label]
    size = len(data.deviation)
    signal, noise = np.zeros((size, size)), np.zeros((size, size))
    signal[np.ix_(kept, kept)] = offset.T @ (data.law[:, None] * offset)
    noise[np.ix_(kept, kept)] = residual.T @ residual / (data.rows - data.classes)
    return Operators(signal, noise)


def channel_reading(
    embedding: ArrayLike,
    label: ArrayLike,
    *,
    prior: ArrayLike | None = None,
    reference: Reference | None = None,
    seed: int = 0,
) -> Reading:
    """C_G, I_mix and H(Y) of an embedding (n, d) with concept label (n,), and the concept's own direction beside Fisher's.

    reference  clean means in the concepts' native modality: (K, d) in the order of the sorted labels, or a pair
               (embedding (m, d), label (m,)) to take them from. Their mean, the modality's own, is removed, and what
               is left is each concept's direction u_k. None: the concept's own measured mean offset.
    prior, seed  as in `label_information`.

    Along u_k: S_k = (u_k . m_k)^2 with m_k the concept's mean less the mean of all, N_k = u_k^T W u_k with W the pooled within-
    concept covariance, and the reading is the mean over concepts, by their law, of 1/2 log2(1 + S_k / N_k): bits per use of
    one axis for each concept, in the embedding's own geometry. Along the Fisher direction, W^-1 m_k, S / N is the largest any
    axis has, m_k^T W^-1 m_k, so the alignment loss is 0 or more. Neither is capped: an axis is not a channel to all concepts.
    C_G, the spectrum and the Fisher reading do not change under invertible linear maps; the concept direction does.

    All are corrected for finite samples. Intervals: delete-a-group jackknife, 20 groups, t(19), 95%. n < 3 d: principal
    components for all but the concept direction. A point is withheld when n - K - d is 50 or less, PCA kept under 90% of
    the variance or left out directions in which the concepts differ, no channel is detected (permutation p > 0.01), or
    the halves of the rows disagree.
    Raises InputError for malformed columns, and for a reference without a direction.
    """
    data = labeled(embedding, label, prior)
    intent = entropy_bits(data.law) if data.share >= 1 - 1e-12 else data.cap_bits
    directions = None if reference is None else _directions(data, reference)
    mixture = label_information(embedding, label, prior=prior, seed=seed)
    unread = _unread(data)
    if not unread:
        try:
            return _read(data, directions, mixture, intent, seed)
        except np.linalg.LinAlgError:
            unread = "the scatter within the concepts is singular: rows of one concept hardly differ, so there is no noise to measure by"
    return _nothing(data, mixture, intent, unread)


def _nothing(data: Labeled, mixture: Bits, intent: float, why: str) -> Reading:
    missing = [Bits.unmeasured(kind, why, data.rows) for kind in KINDS]
    return Reading(intent, missing[0], mixture, missing[1], missing[2], missing[3], np.zeros(0), 0.0)


def _unread(data: Labeled) -> str:
    fewest = int(data.counts.min())
    if data.classes < 2 or fewest < 2 or data.rows < data.classes + 2 * GROUPS:
        return (
            f"{data.rows} rows of {data.classes} concepts, the rarest {fewest} times: needs 2 concepts, 2 rows of each and "
            f"{2 * GROUPS} rows more than concepts"
        )
    return ""


def _read(data: Labeled, directions: Floats | None, mixture: Bits, intent: float, seed: int) -> Reading:
    reduced, folds = prepared(data, GROUPS, seed)
    whole = folds.moments(range(GROUPS))
    freedom = whole.freedom - reduced.dimensions
    if data.rows // 2 - data.classes - reduced.dimensions < 3:
        why = f"{data.rows} rows, of which half must outnumber {data.classes} concepts and {reduced.dimensions} dimensions: too few rows"
        return _nothing(data, mixture, intent, why)
    if np.linalg.cholesky(whole.within).diagonal().min() < 1e-6:
        raise np.linalg.LinAlgError
    spectrum = corrected_spectrum(whole, whole, data.law, seed=seed)
    left = [folds.moments([g for g in range(GROUPS) if g != group]) for group in range(GROUPS)]
    halves = [folds.moments(range(start, GROUPS, 2)) for start in (0, 1)]
    base = observed_spectrum(whole, whole, data.law)

    def moved(part: Moments) -> Floats:
        shift = observed_spectrum(part, part, data.law) / inflation(part) - base / inflation(whole)
        return np.asarray(np.maximum(spectrum + shift, 0.0))

    def fisher(part: Moments) -> float:
        return axis_bits(np.maximum(np.diag(corrected_gram(part, data.law)), 0.0), data.law)

    # the embedding's own geometry up to one common factor, so that no square overflows
    rows = data.embedding * (data.deviation[data.deviation > 0] / data.deviation.max())

    def own(keep: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> float:
        return axis_bits(direction_snr(rows[keep], data.label[keep], data.law, directions), data.law)

    without = [moved(part) for part in left]
    half = [corrected_spectrum(part, part, data.law, seed=seed) for part in halves]
    gaussian = _Jackknife(
        gaussian_bits(spectrum), [gaussian_bits(one) for one in without], float(np.mean([gaussian_bits(one) for one in half]))
    )
    shared = _Jackknife(
        _participation(spectrum), [_participation(one) for one in without], float(np.mean([_participation(one) for one in half]))
    )
    best = _Jackknife(fisher(whole), [fisher(part) for part in left], float(np.mean([fisher(part) for part in halves])))
    parity = folds.fold % 2 == 0
    axis = _Jackknife(own(np.ones(data.rows, dtype=bool)), [own(folds.fold != g) for g in range(GROUPS)], (own(parity) + own(~parity)) / 2)
    loss = _Jackknife(best.value - axis.value, [b - a for a, b in zip(axis.left, best.left, strict=True)], best.half - axis.half)
    state = _State(data, reduced, freedom, gate_p(reduced, folds, whole))
    c_g = state.bits(KINDS[0], gaussian, "corrected SNR spectrum", data.cap_bits)
    return Reading(
        intent,
        replace(c_g, checks={**c_g.checks, **state.dimension(shared, len(spectrum))}),
        mixture,
        state.bits(KINDS[1], axis, "projection on the concept's direction", None),
        state.bits(KINDS[2], best, "projection on the Fisher direction", None),
        state.bits(KINDS[3], loss, "Fisher direction less concept's direction", None),
        spectrum,
        shared.value,
    )


def _participation(spectrum: Floats) -> float:
    """(sum lambda)^2 / sum lambda^2, and 0 for no signal at all."""
    power = float((spectrum**2).sum())
    return float(spectrum.sum() ** 2 / power) if power > 0 else 0.0


@dataclass(frozen=True)
class _Jackknife:
    """value of all rows, left: without each group, half: mean of the two halves; in bits, or a number of dimensions."""

    value: float
    left: list[float]
    half: float

    @property
    def error(self) -> float:
        spread = np.asarray(self.left) - np.mean(self.left)
        return float(np.sqrt((GROUPS - 1) / GROUPS * (spread**2).sum()))

    @property
    def reach(self) -> float:
        from scipy.special import stdtrit

        return float(stdtrit(GROUPS - 1, 0.975)) * self.error


@dataclass(frozen=True)
class _State:
    """What decides whether the points of a reading are given."""

    data: Labeled
    reduced: Reduced
    freedom: int
    p: float

    def bits(self, kind: str, estimate: _Jackknife, name: str, cap: float | None) -> Bits:
        reach = estimate.reach
        top = np.inf if cap is None else cap
        low, value, high = (min(max(x, 0.0), top) for x in (estimate.value - reach, estimate.value, estimate.value + reach))
        why = trust.first((self._rows(), trust.not_detected(self.p, high), trust.drifts(estimate.value, estimate.half, estimate.error)))
        checks = {"uncapped_bits": estimate.value, "half_sample_bits": estimate.half, "standard_error_bits": estimate.error}
        if cap is not None:
            checks |= {"uncapped_low_bits": max(estimate.value - reach, 0.0), "uncapped_high_bits": max(estimate.value + reach, 0.0)}
        checks |= {"freedom": float(self.freedom), "dimensions": float(self.reduced.dimensions), "permutation_p": self.p}
        if estimate.value >= top:
            name += (
                f", capped by H(Y) from {estimate.value:.2f} [{max(estimate.value - reach, 0.0):.2f}, {estimate.value + reach:.2f}] bits"
            )
        if self.reduced.dimensions < self.reduced.full:
            name += f" (PCA to {self.reduced.dimensions} of {self.reduced.full})"
            checks["variance_kept"] = self.reduced.share
        return Bits(None if why else value, low, high, self.data.rows, name + "; jackknife 95%", kind, not why, why, checks)

    def dimension(self, shared: _Jackknife, most: int) -> dict[str, float]:
        """The effective dimension, from 1 to `most`, with 95% limits; nothing where no point could be given, nor half the rows agree."""
        if self._rows() or self.p > trust.GATE or shared.value <= 0:
            return {}
        reach = float(np.hypot(shared.reach, shared.half - shared.value))
        low, value, high = (min(max(x, 1.0), float(most)) for x in (shared.value - reach, shared.value, shared.value + reach))
        return {"effective_dimension": value, "effective_dimension_low": low, "effective_dimension_high": high}

    def _rows(self) -> str:
        if self.freedom <= FREEDOM:
            return f"n - K - d = {self.freedom}, needs more than {FREEDOM}: the covariance is too uncertain"
        if self.reduced.share < VARIANCE_KEPT:
            return (
                f"PCA to {self.reduced.dimensions} of {self.reduced.full} dimensions keeps {self.reduced.share:.0%} of the "
                f"variance, needs {VARIANCE_KEPT:.0%}: more rows are needed"
            )
        if self.reduced.dropped_p <= trust.GATE:
            return f"the concepts also differ in the directions that PCA to {self.reduced.dimensions} left out: more rows are needed"
        return ""


def _directions(data: Labeled, reference: Reference) -> Floats:
    """Unit directions (K, d) among the columns that are kept."""
    if isinstance(reference, tuple):
        rows, names = checked_embedding(reference[0], "reference embedding"), np.asarray(reference[1])
        if names.shape != rows.shape[:1]:
            raise InputError(f"reference: embedding {rows.shape} and label {names.shape}, takes (m, d) and (m,)")
        absent = [value for value in data.values if not (names == value).any()]
        if absent:
            raise InputError(f"reference: no row of label {absent[0]}, takes at least one of each label that occurs")
        means = np.stack([rows[names == value].mean(0) for value in data.values])
    else:
        means = checked_embedding(reference, "reference")
    if means.shape != (data.classes, len(data.deviation)):
        raise InputError(f"reference: means {means.shape}, takes ({data.classes}, {len(data.deviation)}): labels that occur, dimensions")
    means = means[:, data.deviation > 0]
    size = np.linalg.norm(means - data.law @ means, axis=1)
    if (size <= 1e-12 * max(float(np.abs(means).max()), 1e-300)).any():
        raise InputError(f"reference, label {data.values[int(size.argmin())]}: its mean is that of all, so it has no direction")
    return reference_directions(means, data.law)
