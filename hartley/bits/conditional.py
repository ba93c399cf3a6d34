"""Information between two symbols when a third is known: I(X; Y | U), from counts."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from hartley.bits.clustered import clusters_of, conditional_point_bits, cube_of, one_cluster
from hartley.bits.counted.decoder import PSEUDO_TRIALS, LeftOut, left_out
from hartley.bits.counted.permutation import clustered_independence
from hartley.bits.counts import bracket_bits, jackknife_bits
from hartley.bits.design import strata_design
from hartley.bits.limits import Z, proportion_limits, upward_reach
from hartley.bits.tables import Counts, Floats, cross_tabulate, entropy_bits, information_of_law
from hartley.bits.trust import EQUIVALENT_SHARE, TRIALS_PER_CELL, TRIALS_PER_INPUT, below_low, equivalent, first, not_detected
from hartley.bits.value import Bits

_ESTIMATOR = "stratified jackknife; leave-one-out decoder to plug-in bracket, 95%"


def conditional_information(
    x: ArrayLike,
    y: ArrayLike,
    given: ArrayLike,
    *,
    cluster: ArrayLike | None = None,
    kind: str = "conditional_bits",
    permutations: int = 999,
    seed: int = 0,
) -> Bits:
    """I(X; Y | U) = sum of p(u) I(X; Y | U = u) in bits, from three arrays of n symbols each.

    What x says about y that `given` does not say already. With x the adversary's symbol and `given` the user's, it is what
    the adversary writes on top of what the user meant, whatever chance tied the two symbols together.

    value      sum over the strata u of their jackknife estimates, weighted by how often u occurred.
    low        a decoder of x from (y, u), fitted to all other trials of the stratum, scored on all trials together; the
               reach of its mean as in `hartley.bits.counted.decoder.decoder_low_bits`.
    high       the strata's upper limits, added up (they hold together, so this is wider than need be), plus 1.96 standard
               errors of the strata's weights.
    cluster    (n,) the independent unit of each trial, as in `hartley.bits.counts.information`, and so is what clusters change.
    The gate shuffles x within each stratum. The point is withheld as in `hartley.bits.counts.information`, with the floors
    counted over (x, u) and (x, y, u), and 0 by the same equivalence test, against a tenth of H(X | U).
    InputError names the column and the row.
    """
    strata = _strata(x, y, given)
    n = int(sum(table.sum() for table in strata))
    if not any((table.sum(1) > 0).sum() > 1 for table in strata):
        return Bits.unmeasured(kind, "x is the same throughout each stratum: there is no information to measure", n)
    unit = clusters_of(cluster, n)
    if unit is not None and unit.max() == 0:
        return one_cluster(kind, n)
    share = np.array([table.sum() / n for table in strata])
    if unit is None:
        design, effect, effective = None, 1.0, [np.asarray(table, dtype=np.float64) for table in strata]
        point = float(share @ [jackknife_bits(table, None) for table in strata])
        p = _p_within([table for table in strata if (table.sum(1) > 0).sum() > 1 and (table.sum(0) > 0).sum() > 1], permutations, seed)
    else:
        codes = [np.unique(np.asarray(column), return_inverse=True)[1].astype(np.int64) for column in (x, y, given)]
        columns = [[code[codes[2] == u] for code in (*codes[:2], unit)] for u in range(len(strata))]
        clusters, (inputs, outcomes) = int(unit.max()) + 1, strata[0].shape
        cubes = [cube_of(*column, clusters=clusters, inputs=inputs, outcomes=outcomes) for column in columns]
        design, point = strata_design(cubes), conditional_point_bits(cubes)
        effect, effective = design.effect, [table / design.spread for table in strata]
        p = clustered_independence(codes[0], codes[1], unit, codes[2], permutations=permutations, seed=seed).p
        p = max(p, design.independence_p)
    high = _high_bits(effective, share)
    low = min(_low_bits(effective, share), high)
    gate = not_detected(p, high)
    low = 0.0 if gate else low
    occupied = int(sum((table > 0).sum() for table in strata))
    fewest = min(rows[rows > 0].min() for rows in (table.sum(1) for table in strata)) / effect
    few = (
        ""
        if fewest >= TRIALS_PER_INPUT
        else f"too few trials for a point: an input has {fewest:.0f} in a stratum, needs {TRIALS_PER_INPUT}"
    )
    need = TRIALS_PER_CELL * occupied
    held = "; the interval holds"
    sparse = (
        "" if n / effect >= need else f"too few trials for a point: {n / effect:.0f} over {occupied} occupied cells, needs {need}{held}"
    )
    entropy = float(share @ [entropy_bits(table.sum(1) / table.sum()) for table in strata])
    none = equivalent(p, high, entropy, fewest)
    why = none or first((gate, few, sparse, below_low(point, low)))
    checks = {"permutation_p": p, "occupied_cells": float(occupied), "strata": float(len(strata))}
    checks |= {"equivalence_bits": EQUIVALENT_SHARE * entropy} if none else {}
    value = 0.0 if none else None if why else min(max(point, 0.0), high)
    bits = Bits(value, low, high, n, _ESTIMATOR, kind, value is not None, why, checks)
    return bits if design is None else design.marked(bits)


def _strata(x: ArrayLike, y: ArrayLike, given: ArrayLike) -> list[Counts]:
    """One table (inputs, outcomes) for each value of `given`."""
    cross_tabulate(x, y)  # the columns are checked there
    pairs = cross_tabulate(x, given, names=("x", "given"))
    codes = [np.unique(np.asarray(column), return_inverse=True)[1] for column in (x, y, given)]
    inputs, outcomes = pairs.shape[0], int(codes[1].max()) + 1
    return [
        cross_tabulate(codes[0][codes[2] == u], codes[1][codes[2] == u], inputs=inputs, outcomes=outcomes) for u in range(pairs.shape[1])
    ]


def _p_within(tables: list[Counts], permutations: int, seed: int) -> float:
    """p of the G test of independence within all strata: x shuffled in each of them, the G statistics added up."""
    from scipy.stats import random_table

    if not tables:
        return 1.0
    total = np.zeros(permutations)
    # in an order that relabeling cannot change; the place enters the seed, or strata with equal margins would get equal draws
    margins = sorted([sorted(side[side > 0].tolist()) for side in (table.sum(1), table.sum(0))] for table in tables)
    for place, (rows, columns) in enumerate(margins):
        generator = np.random.default_rng([seed, place, *rows, *columns])
        drawn = random_table(rows, columns).rvs(permutations, random_state=generator)
        total += _weight(drawn)
    observed = float(sum(_weight(table) for table in tables))
    return float((1 + (total >= observed - 1e-9 * max(1.0, abs(observed))).sum()) / (1 + permutations))


def _weight(cells: Counts | Floats) -> Floats:
    return np.asarray((cells * np.log2(np.maximum(cells, 1.0))).sum((-2, -1)))


def _low_bits(strata: list[Floats], share: Floats) -> float:
    """97.5% lower limit: the strata's left-out trials scored together."""
    parts = []
    for table in strata:
        law = table.sum(1) / table.sum()
        weight = np.divide(law, table.sum(1), out=np.zeros(len(law)), where=law > 0)
        if table.sum() > 1:
            parts.append(left_out(table, law, weight))
        else:
            parts.append(LeftOut(np.ones(1), np.ones(1), np.ones(1), np.ones(1), np.ones(1), 1.0, 0.0))
    n = float(sum(table.sum() for table in strata))
    mass = np.concatenate([s * part.mass for s, part in zip(share, parts, strict=True)])
    fresh = np.concatenate([part.seen <= 0 for part in parts])
    once = float(mass[fresh].sum())
    unseen = proportion_limits(once * n, n)[1] - once
    lows = [0.0]
    for pseudo in PSEUDO_TRIALS:
        score = np.concatenate([part.score_bits(pseudo) for part in parts])
        mean = float(mass @ score)
        # a pair that no trial has shown costs at most what the worst trial did
        price = float(mass[fresh] @ score[fresh]) / once if once > 0 else float(score.min())
        reach = np.hypot(upward_reach(-score, mass, n), unseen * max(0.0, mean - price))
        lows.append(mean - float(reach))
    return max(lows)


def _high_bits(strata: list[Floats], share: Floats) -> float:
    """97.5% upper limit: the strata's upper limits, and the chance in how often each stratum occurred."""
    highs = [bracket_bits(table, None)[1] for table in strata]
    plug_in = np.array([information_of_law(table / table.sum()) for table in strata])
    spread = float(np.sqrt(max(0.0, share @ plug_in**2 - (share @ plug_in) ** 2)))
    n = float(sum(table.sum() for table in strata))
    return float(share @ highs + Z * spread / np.sqrt(n))
