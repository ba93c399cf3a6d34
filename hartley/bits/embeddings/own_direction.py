"""Signal and noise along each concept's own direction, in the geometry of the embedding as it is."""

from __future__ import annotations

import numpy as np

from hartley.bits.tables import Counts, Floats


def reference_directions(means: Floats, law: Floats) -> Floats:
    """Unit directions (K, d) of reference means (K, d) once their mean under law (K,), the modality's own, is taken off."""
    offset = means - law @ means
    return np.asarray(offset / np.maximum(np.linalg.norm(offset, axis=1, keepdims=True), 1e-300))


def direction_snr(rows: Floats, label: Counts, law: Floats, directions: Floats | None) -> Floats:
    """S_k / N_k (K,) of each concept along its own direction, from rows (n, d) with label (n,) 0..K-1 and law (K,).

    S_k is the squared projection of the concept's mean offset, N_k the pooled within-concept variance along it. What the
    noise of n_k rows adds to S_k is taken off; below 0 counts as 0.
    directions (K, d), unit: known ones. None: each concept's own mean offset m, where S = |m|^2 and N = m^T W m / |m|^2; then
    chance adds tr W / n_k to |m|^2 and tr W^2 / n_k to m^T W m, and both are taken off.
    """
    labels = len(law)
    counts = np.bincount(label, minlength=labels)
    sums = np.zeros((labels, rows.shape[1]))
    np.add.at(sums, label, rows)
    means = sums / np.maximum(counts, 1)[:, None]
    freedom = len(rows) - labels
    offset = means - law @ means
    residual = rows - means[label]
    # variance of a centered mean in units of the noise
    spread = (1 - 2 * law) / counts + float((law**2 / counts).sum())
    if directions is not None:
        noise = np.einsum("ij,ij->j", *(2 * [residual @ directions.T])) / freedom
        signal = (offset * directions).sum(1) ** 2 - noise * spread
        return np.asarray(np.maximum(signal, 0.0) / np.maximum(noise, 1e-300))
    trace = float((residual**2).sum()) / freedom
    product = residual @ residual.T if len(rows) < rows.shape[1] else residual.T @ residual
    # E tr(sample W^2) = (1 + 1/f) tr W^2 + (tr W)^2 / f
    squares = freedom**2 / ((freedom - 1) * (freedom + 2)) * (float((product**2).sum()) / freedom**2 - trace**2 / freedom)
    signal = (offset**2).sum(1) - trace * spread
    along = ((residual @ offset.T) ** 2).sum(0) / freedom - squares * spread
    certain = (signal > 0) & (along > 0)
    return np.asarray(np.where(certain, signal**2 / np.where(certain, along, 1.0), 0.0))


def axis_bits(snr: Floats, law: Floats) -> float:
    """Mean over concepts, by law (K,), of 1/2 log2(1 + S_k / N_k), in bits per use of one axis for each concept."""
    return float(law @ np.log2(1 + snr) / 2)
