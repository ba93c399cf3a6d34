"""Membership (E6): bits about a binary secret that a thresholded score gives away."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from hartley.bits.clustered import clusters_of, one_row_of_each
from hartley.bits.counted.permutation import independence_p
from hartley.bits.limits import proportion_limits
from hartley.bits.tables import Counts, Floats, binary_entropy_bits, information_of_law
from hartley.bits.trust import GATE
from hartley.bits.value import Bits
from hartley.errors import InputError

ENOUGH = 100
"""Members and, as many, non-members below which nothing is trusted."""


def advantage_bits(advantage: float) -> tuple[float, float]:
    """The closed form: with TPR - FPR = advantage and a fair coin, the bits lie in [1 - h((1 + A) / 2), A]."""
    a = min(max(advantage, 0.0), 1.0)
    return max(0.0, 1.0 - binary_entropy_bits((1 + a) / 2)), a


def membership(
    score: ArrayLike, member: ArrayLike, *, cluster: ArrayLike | None = None, kind: str = "adversary_bits", seed: int = 0
) -> Bits:
    """Bits per query about membership (a fair coin), from score (n,) and member (n,) of 0 and 1.

    cluster (n,)  the independent unit of each row (a document whose passages are scored one by one). One row of each unit is
                  measured: exact whatever ties a unit's rows to each other, and all that can be said without a model of
                  it. n are then the rows measured. None: each row is its own.

    The threshold, and which side of it says member, are chosen on one half (every other member and every other
    non-member, in the order given) and judged on the other, so that choosing costs no honesty.
    value      I(member; guess) on the second half at equal priors, less the first-order bias of its plug-in; it
               speaks of this guess, not of the best use of the score.
    low, high  1 - h((1 + A.low) / 2) and A.high, with 95% limits A.low, A.high of the advantage A = TPR - FPR (squared
               Clopper-Pearson distances, after Newcombe 1998): they hold for any binary guess with that advantage.
    The point is withheld under 100 members or 100 non-members, and when a permutation test of the guess finds nothing.
    InputError names the column and the row.
    """
    scores, secret = checked_scores(score, member)
    units: int | None = None
    name = "held-out threshold; advantage bracket, 95%"
    unit = clusters_of(cluster, len(scores))
    if unit is not None:
        kept = np.sort(one_row_of_each(unit, secret.astype(np.int32)))
        scores, secret, name, units = scores[kept], secret[kept], "one row of each cluster; " + name, len(kept)
    groups = [scores[secret == symbol] for symbol in (0, 1)]
    fewest, n = min(len(group) for group in groups), len(scores)
    if fewest < 4:
        return Bits.unmeasured(kind, f"{len(groups[1])} members and {len(groups[0])} non-members: needs 4 of each at least", n)
    threshold, sign = _best_threshold(groups[1][::2], groups[0][::2])
    said = [sign * group[1::2] > threshold for group in groups]
    table = np.array([[(~guess).sum(), guess.sum()] for guess in said], dtype=np.int64)
    advantage, low_a, high_a = advantage_limits(table)
    p = independence_p(table, seed=seed)
    low, high = advantage_bits(low_a)[0] if p <= GATE else 0.0, advantage_bits(high_a)[1]
    rates = table / table.sum(1, keepdims=True)
    plug_in = information_of_law(rates / 2)
    value: float | None = min(max(plug_in - _bias_bits(rates, table.sum(1)), low), high)
    why = ""
    if fewest < ENOUGH:
        value, why = None, f"{len(groups[1])} members and {len(groups[0])} non-members: needs {ENOUGH} of each for a point"
    elif p > GATE:
        value, why = None, f"no leak detected (permutation p = {p:.3f}); if there is one it is less than {high:.3f} bits"
    checks = {
        "advantage": advantage,
        "advantage_low": low_a,
        "advantage_high": high_a,
        "permutation_p": p,
        "members": float(len(groups[1])),
        "non_members": float(len(groups[0])),
        "threshold": sign * threshold,
    }
    return Bits(value, low, high, n, name, kind, value is not None, why, checks, units)


def advantage_limits(table: Counts) -> tuple[float, float, float]:
    """TPR - FPR with 95% limits from a table [[quiet, said member] of non-members, the same of members]."""
    (_, false_hits), (_, hits) = table.tolist()
    others, members = (int(k) for k in table.sum(1))
    tpr, fpr = hits / members, false_hits / others
    (t_low, t_high), (f_low, f_high) = proportion_limits(hits, members), proportion_limits(false_hits, others)
    low = tpr - fpr - float(np.hypot(tpr - t_low, f_high - fpr))
    high = tpr - fpr + float(np.hypot(t_high - tpr, fpr - f_low))
    return tpr - fpr, max(low, -1.0), min(high, 1.0)


def _bias_bits(rates: Floats, sizes: Counts) -> float:
    """First-order bias in bits of the plug-in at equal priors (Miller 1955): the rows' entropies less the mixture's."""
    spread = rates[:, 1] * rates[:, 0] / sizes
    rows = float(((spread > 0) / sizes).sum()) / 2
    mixture = rates.mean(0)
    whole = float((spread.sum() / 4 / mixture).sum()) if (mixture > 0).all() else 0.0
    return float((rows - whole) / (2 * np.log(2)))


def _best_threshold(members: Floats, others: Floats) -> tuple[float, int]:
    """(threshold, sign): saying member when sign * score > threshold has the largest TPR - FPR; the first such one."""
    best = (-1.0, 0.0, 1)
    for sign in (1, -1):
        positive, negative = np.sort(sign * members), np.sort(sign * others)
        values = np.unique(np.concatenate([positive, negative]))
        cuts = np.concatenate([[values[0] - 1.0], (values[1:] + values[:-1]) / 2])
        tpr = 1 - np.searchsorted(positive, cuts, side="right") / len(positive)
        fpr = 1 - np.searchsorted(negative, cuts, side="right") / len(negative)
        index = int(np.argmax(tpr - fpr))
        if tpr[index] - fpr[index] > best[0] + 1e-12:
            best = (float(tpr[index] - fpr[index]), float(cuts[index]), sign)
    return best[1], best[2]


def checked_scores(score: ArrayLike, member: ArrayLike) -> tuple[Floats, Counts]:
    """(score (n,) of finite numbers, member (n,) of 0 and 1). InputError names the column and the row."""
    try:
        scores, secret = np.asarray(score, dtype=np.float64), np.asarray(member)
    except (TypeError, ValueError) as error:
        raise InputError(f"column score: not numbers ({error})") from None
    if scores.ndim != 1 or secret.shape != scores.shape:
        raise InputError(f"columns score and member: shapes {scores.shape} and {secret.shape}, takes one of each a trial")
    for name, column, bad in (("score", scores, ~np.isfinite(scores)), ("member", secret, ~np.isin(secret, (0, 1)))):
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            takes = "finite numbers" if name == "score" else "0 or 1"
            raise InputError(f"column {name}, row {row}: got {column[row]}, takes {takes}")
    return scores, secret.astype(np.int64)
