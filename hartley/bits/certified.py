"""A certified lower limit on the information between an embedding and its label (E2): what a decoder delivers on rows it never saw."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from hartley.bits.embeddings.folds import folds_of
from hartley.bits.embeddings.labeled import Labeled, labeled
from hartley.bits.embeddings.posteriors import Fit, canonical, discriminant, logistic, neighbors, softmax, tempered
from hartley.bits.embeddings.scores import clipped_scores_bits, score_low_bits
from hartley.bits.tables import Counts, Floats
from hartley.bits.value import Bits

_FOLDS = 4
_ROWS = 20_000
FITS: tuple[tuple[str, Fit], ...] = (
    ("discriminant", discriminant(0.02)),
    ("shrunk discriminant", discriminant(0.2)),
    ("strongly shrunk discriminant", discriminant(0.7)),
    ("canonical discriminant", canonical),
    ("logistic", logistic(0.01)),
    ("neighbors", neighbors(False)),
    ("neighbors along discriminants", neighbors(True)),
)
"""The decoders that are tried, by name."""


def certified_information(
    embedding: ArrayLike,
    label: ArrayLike,
    *,
    prior: ArrayLike | None = None,
    kind: str = "certified_bits",
    seed: int = 0,
) -> Bits:
    """A lower limit in bits on I(Z; Y) between an embedding (n, d) and a label (n,) of K values, without a model.

    For any decoder q, E log2 q(y|z)/p(y) = H(Y) - CE <= I(Z; Y). The rows are cut in 4 folds. For each, on the other three only,
    discriminants of three shrinkages and along corrected canonical directions, logistic regression and two
    nearest-neighbor posteriors are fitted to three quarters of the rows and given a temperature and a share of the prior
    (the clip of the log loss) on the last quarter; the best there is fitted to all three folds.
    `low` is the 97.5% one-sided limit of the mean score of the fold left out: rare bad scores by Clopper-Pearson, and
    the 3.7 / n of rows that may be bad though none was seen, at the worst score the clip allows, so it holds when no row
    scored badly and the empirical variance is 0. `high` is H(Y), or its 97.5% upper limit without a prior.

    prior (K,)  as in `label_information`. seed fixes the folds.
    The value is None: a lower limit has no point. The mean score itself is in checks ("delivered_bits").
    Of more than 20,000 rows so many are used, each label's share kept: neighbors cost the square, and the reach is small by then.
    Few rows make a low limit, not a wrong one; under 2 labels, or 8 rows, nothing is measured. InputError names column and row.
    """
    data = labeled(embedding, label, prior)
    if data.classes < 2 or data.rows < 8:
        return Bits.unmeasured(kind, f"{data.rows} rows of {data.classes} labels, needs 8 rows and 2 labels", data.rows)
    given = data.rows
    if given > _ROWS:
        keep = folds_of(data.label, -(-given // _ROWS), seed) == 0
        data = labeled(np.asarray(embedding)[keep], np.asarray(label)[keep], prior)
    score, shares, chosen = crossfitted_scores_bits(data, seed)
    low = data.share * score_low_bits(score, data.weight, float(np.log2(shares.min())))
    delivered = data.share * float(data.weight @ score)
    checks = {"delivered_bits": delivered, "cap_bits": data.cap_bits, "clip_share": float(shares.min()), "rows_given": float(given)}
    named = ", ".join(sorted(set(chosen)))
    why = "a lower limit has no point: the embedding may carry more than this decoder reads"
    estimator = f"cross-fitted {named}; 97.5% one-sided"
    return Bits(None, low, max(data.cap_bits, low), data.rows, estimator, kind, False, why, checks)


def crossfitted_scores_bits(data: Labeled, seed: int) -> tuple[Floats, Floats, list[str]]:
    """Scores log2 q(y|z)/p(y) (n,) of decoders that never saw the row, the clip share of each fold, and the decoders' names."""
    fold = folds_of(data.label, _FOLDS, seed)
    score, shares, chosen = np.empty(data.rows), np.empty(_FOLDS), []
    for f in range(_FOLDS):
        train, left = np.flatnonzero(fold != f), np.flatnonzero(fold == f)
        name, fit, temperature, shares[f] = _choice(data, train, seed)
        chosen.append(name)
        logit = fit(data.embedding[train], data.label[train], _seen_law(data, train))(data.embedding[left])
        log_law = np.log(data.law)
        posterior = softmax(log_law + (logit - np.log(_seen_law(data, train))) / temperature)[0]
        score[left] = clipped_scores_bits(posterior, data.label[left], data.law, float(shares[f]))
    return score, shares, chosen


def _seen_law(data: Labeled, rows: Counts) -> Floats:
    """Shares of the labels among rows, one pseudo-row of the law added: what a decoder fitted to them takes for the prior."""
    counts = np.bincount(data.label[rows], minlength=data.classes) + data.law
    return np.asarray(counts / counts.sum())


def _choice(data: Labeled, train: Counts, seed: int) -> tuple[str, Fit, float, float]:
    """(name, fit, temperature, share) with the least log loss on a quarter of `train`, fitted to the rest of it."""
    inner = folds_of(data.label[train], _FOLDS, seed + 1)
    fitted, held = train[inner != 0], train[inner == 0]
    weight = data.weight[held] / data.weight[held].sum()
    law = _seen_law(data, fitted)
    best: tuple[float, str, Fit, float, float] | None = None
    for name, fit in FITS:
        logit = fit(data.embedding[fitted], data.label[fitted], law)(data.embedding[held])
        logit = logit - np.log(law) + np.log(data.law)
        temperature, share, loss = tempered(logit, data.label[held], data.law, weight)
        if best is None or loss < best[0]:
            best = (loss, name, fit, temperature, share)
    assert best is not None
    return best[1:]
