"""Moments of embeddings by fold, so that any part of the rows, or all but a part, costs a sum and not a pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hartley.bits.spectrum import Moments, corrected_spectrum, inflation, moments_of
from hartley.bits.tables import Counts, Floats


def folds_of(label: Counts, folds: int, seed: int) -> Counts:
    """Fold (n,) of each row: at random, each label's rows spread evenly over the folds."""
    shuffled = np.random.default_rng([seed, 3]).permutation(len(label))
    order = shuffled[np.argsort(label[shuffled], kind="stable")]
    fold = np.empty(len(label), dtype=np.int64)
    fold[order] = np.arange(len(label)) % folds
    return fold


@dataclass(frozen=True)
class Folds:
    """Per fold: sums (F, K, d) of rows by label, raw (F, d, d) = sum of z z^T, counts (F, K). fold (n,): whose row it is."""

    fold: Counts
    sums: Floats
    raw: Floats
    counts: Counts

    @staticmethod
    def of(embedding: Floats, label: Counts, classes: int, folds: int, seed: int) -> Folds:
        fold = folds_of(label, folds, seed)
        dimensions = embedding.shape[1]
        sums, raw = np.zeros((folds, classes, dimensions)), np.empty((folds, dimensions, dimensions))
        counts = np.zeros((folds, classes), dtype=np.int64)
        for f in range(folds):
            order = np.flatnonzero(fold == f)
            order = order[np.argsort(label[order], kind="stable")]
            rows, owner = embedding[order], label[order]
            raw[f] = rows.T @ rows
            starts = np.flatnonzero(np.diff(owner, prepend=-1))
            if len(starts):
                sums[f, owner[starts]] = np.add.reduceat(rows, starts, axis=0)
            counts[f] = np.bincount(owner, minlength=classes)
        return Folds(fold, sums, raw, counts)

    def moments(self, folds: Sequence[int]) -> Moments:
        """Of the rows in `folds`."""
        part = list(folds)
        return moments_of(self.sums[part].sum(0), self.raw[part].sum(0), self.counts[part].sum(0))

    def center(self, folds: Sequence[int]) -> Floats:
        """Mean row (d,) of `folds`: what `moments` takes off the label means."""
        part = list(folds)
        return np.asarray(self.sums[part].sum((0, 1)) / max(int(self.counts[part].sum()), 1))


def discriminant_posterior(train: Moments, rows: Floats, law: Floats, *, seed: int = 0) -> Floats:
    """Posterior (m, K) of rows (m, d), centered like train: linear discriminant analysis in corrected canonical directions.

    Plain discriminants are far too sure of themselves when d is not small beside n. Here the label means along each
    canonical direction are shrunk to what a fresh row will show, l' / sqrt(l) times their loading (l the observed, l' the
    corrected eigenvalue), and the noise along it is that of a fresh row (Fujikoshi, Ulyanov and Shimizu 2010, ch. 16), so
    the posterior is calibrated for Gaussian rows without a temperature. Uniform weight on the law where nothing is left.
    """
    from scipy.linalg import cho_factor, cho_solve

    freedom, dimensions = train.freedom, train.within.shape[0]
    if freedom - dimensions < 5:
        return np.tile(law, (len(rows), 1))
    solved = cho_solve(cho_factor(train.within, lower=True, check_finite=False), train.means.T, check_finite=False)
    root = np.sqrt(law)
    centered = train.means - law @ train.means
    solved = solved - (solved @ law)[:, None]
    gram = centered @ solved
    values, vectors = np.linalg.eigh((gram + gram.T) / 2 * root[:, None] * root)
    spectrum = corrected_spectrum(train, train, law, seed=seed)
    values, vectors = values[::-1][: len(spectrum)], vectors[:, ::-1][:, : len(spectrum)]
    kept = (spectrum > 1e-9) & (values > 1e-12)
    if not kept.any():
        return np.tile(law, (len(rows), 1))
    values, vectors, spectrum = values[kept], vectors[:, kept], spectrum[kept]
    axes = solved @ (root[:, None] * vectors) / np.sqrt(values)
    means = inflation(train) * vectors * spectrum / np.sqrt(values) / root[:, None]
    noise = freedom * (freedom - 1) / ((freedom - dimensions) * (freedom - dimensions - 3))
    placed = (rows - law @ train.means) @ axes
    score = (placed @ means.T - (means**2).sum(1) / 2) / noise + np.log(law)
    score -= score.max(1, keepdims=True)
    posterior = np.exp(score)
    return np.asarray(posterior / posterior.sum(1, keepdims=True))
