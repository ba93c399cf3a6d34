"""Posteriors of a label given an embedding, for the certified limit: fitted on some rows, asked about others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from hartley.bits.embeddings.folds import Folds, discriminant_posterior
from hartley.bits.tables import Counts, Floats

Logits = Callable[[Floats], Floats]
"""Rows (m, d) to log posteriors (m, K), each row up to a constant."""
Fit = Callable[[Floats, Counts, Floats], Logits]
"""Rows (n, d), label (n,) and law (K,) to a fitted posterior."""


def discriminant(shrinkage: float) -> Fit:
    """Linear discriminants, the covariance shrunk toward its mean variance by `shrinkage` in (0, 1] (Friedman 1989)."""

    def fit(rows: Floats, label: Counts, law: Floats) -> Logits:
        n, d = rows.shape
        counts = np.maximum(np.bincount(label, minlength=len(law)), 1)
        means = label_means(rows, label, counts)
        residuals = rows - means[label]
        if d <= n:
            within = residuals.T @ residuals / n
            scale = float(np.trace(within)) / d
            ridged = (1 - shrinkage) * within + (shrinkage * scale + 1e-12) * np.eye(d)
            axes = np.linalg.solve(ridged, means.T)
        else:
            # (a R^T R / n + b I)^-1 by the smaller matrix (Woodbury)
            ridge = shrinkage * float((residuals**2).sum()) / (n * d) + 1e-12
            inner = residuals @ residuals.T * (1 - shrinkage) / n + ridge * np.eye(n)
            axes = (means.T - residuals.T @ np.linalg.solve(inner, residuals @ means.T) * (1 - shrinkage) / n) / ridge
        offset = np.log(law) - (means * axes.T).sum(1) / 2
        return lambda other: np.asarray(other @ axes + offset)

    return fit


def canonical(rows: Floats, label: Counts, law: Floats) -> Logits:
    """Discriminants along the corrected canonical directions (`embeddings.folds`); for columns that are far from independent."""
    if len(rows) - len(law) - rows.shape[1] < 5:
        return lambda other: np.tile(np.log(law), (len(other), 1))
    folds = Folds.of(rows, label, len(law), 1, 0)
    train, center = folds.moments([0]), folds.center([0])
    # columns that hardly vary within the labels would make it singular
    train = replace(train, within=train.within + 1e-6 * np.eye(rows.shape[1]))
    return lambda other: np.log(discriminant_posterior(train, other - center, law) + 1e-12)


def logistic(penalty: float) -> Fit:
    """Multinomial logistic regression, weights penalized by penalty / 2 times their square per row (L-BFGS, Liu and Nocedal 1989)."""

    def fit(rows: Floats, label: Counts, law: Floats) -> Logits:
        from scipy.optimize import minimize

        n, d = rows.shape
        classes = len(law)
        index = np.arange(n)

        def loss(flat: Floats) -> tuple[float, Floats]:
            weights = flat.reshape(d + 1, classes)
            logit = rows @ weights[:-1] + weights[-1]
            posterior, log_total = softmax(logit)
            value = float((log_total - logit[index, label]).mean() + penalty / 2 * (weights[:-1] ** 2).sum())
            posterior[index, label] -= 1
            slope = np.concatenate([rows.T @ posterior / n + penalty * weights[:-1], posterior.mean(0)[None]])
            return value, slope.ravel()

        start = np.zeros((d + 1, classes))
        start[-1] = np.log(law)
        weights = minimize(loss, start.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 60}).x.reshape(d + 1, classes)
        return lambda other: np.asarray(other @ weights[:-1] + weights[-1])

    return fit


def neighbors(projected: bool) -> Fit:
    """Shares of the labels among the nearest rows, plus one pseudo-row of the law (Fix and Hodges 1951).

    sqrt(n) neighbors, by Euclidean distance on the columns, or, where `projected`, along the shrunk discriminants.
    """

    def fit(rows: Floats, label: Counts, law: Floats) -> Logits:
        place: Logits = discriminant(0.1)(rows, label, law) if projected else _same
        known = place(rows)
        count = max(1, int(np.sqrt(len(known))))

        def ask(other: Floats) -> Floats:
            here, tables = place(other), []
            block = max(1, 8_000_000 // len(known))
            half = (known**2).sum(1) / 2
            for start in range(0, len(here), block):
                near = np.argpartition(half - here[start : start + block] @ known.T, count - 1, axis=1)[:, :count]
                hits = label[near] + np.arange(len(near))[:, None] * len(law)
                tables.append(np.bincount(hits.ravel(), minlength=len(near) * len(law)).reshape(len(near), len(law)))
            return np.asarray(np.log(np.concatenate(tables) + law))

        return ask

    return fit


def _same(rows: Floats) -> Floats:
    return rows


def label_means(rows: Floats, label: Counts, counts: Counts) -> Floats:
    """Mean row (K, d) of each label; 0 for one without rows. counts (K,) >= 1."""
    sums = np.zeros((len(counts), rows.shape[1]))
    order = np.argsort(label, kind="stable")
    starts = np.flatnonzero(np.diff(label[order], prepend=-1))
    sums[label[order][starts]] = np.add.reduceat(rows[order], starts, axis=0)
    return np.asarray(sums / counts[:, None])


def softmax(logit: Floats) -> tuple[Floats, Floats]:
    """(posterior (m, K), log of its normalizer (m,))."""
    top = logit.max(1, keepdims=True)
    mass = np.exp(logit - top)
    total = mass.sum(1, keepdims=True)
    return mass / total, (top + np.log(total))[:, 0]


def tempered(logit: Floats, label: Counts, law: Floats, weight: Floats) -> tuple[float, float, float]:
    """(temperature, share, loss in bits) that give logits (m, K) the least log loss on their labels (Guo et al. 2017).

    The tilt is of the likelihood: law x exp((logit - log law) / temperature), so an infinite temperature gives the law.
    """
    tilt = logit - np.log(law)
    index = np.arange(len(label))
    best = (np.inf, 1.0, 0.5)
    for temperature in (0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 6.0, 10.0, 20.0):
        own = softmax(np.log(law) + tilt / temperature)[0][index, label]
        for share in (0.5, 0.2, 0.05, 0.01, 0.002, 0.0005):
            if share < 0.5 / len(label):
                continue
            loss = float(weight @ -np.log2((1 - share) * own + share * law[label]))
            if loss < best[0]:
                best = (loss, temperature, share)
    return best[1], best[2], best[0]
