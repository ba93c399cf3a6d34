"""The gate: is there any channel at all? A permutation test of independence."""

from __future__ import annotations

import numpy as np

from hartley.bits.tables import Counts


def independence_p(counts: Counts, *, permutations: int = 1999, seed: int = 0) -> float:
    """p of the G test of independence: how often shuffled labels look at least as dependent as counts (inputs, outcomes).

    Draws `permutations` tables with the margins of `counts` (Patefield 1981, AS 159), which is what shuffling the labels
    does, and compares the G statistic, 2 N ln2 times the plug-in information. p = (1 + #{G* >= G}) / (1 + permutations)
    is an exact test at any n. The margins are sorted first, so that relabeling symbols cannot change p; `seed` fixes
    the draws. 1 when the table has one occupied row or column.
    """
    from scipy.stats import random_table  # here, since scipy.stats takes a second to import

    rows, columns = np.sort(counts.sum(1)), np.sort(counts.sum(0))
    rows, columns = rows[rows > 0], columns[columns > 0]
    if len(rows) < 2 or len(columns) < 2:
        return 1.0
    # the margins enter the seed: one set of draws for all tables would put one and the same error into every verdict
    generator = np.random.default_rng([seed, *rows.tolist(), *columns.tolist()])
    total = int(rows.sum())
    # boyett shuffles all trials, patefield walks the cells: the cheaper one, decided by the margins alone
    method = "boyett" if total < 6 * len(rows) * len(columns) else "patefield"
    values = np.arange(total + 1, dtype=np.float64) if total < 1_000_000 else None
    table = None if values is None else values * np.log2(np.maximum(values, 1.0))

    def weight(cells: Counts) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        if table is not None:
            return np.asarray(table[cells].sum((-2, -1)))
        return np.asarray((cells * np.log2(np.maximum(cells, 1.0))).sum((-2, -1)))

    law = random_table(rows, columns)
    observed = float(weight(counts))
    reached, left = 0, permutations
    while left > 0:
        block = min(left, max(1, 4_000_000 // (len(rows) * len(columns))))
        drawn = law.rvs(block, method=method, random_state=generator).astype(np.int64)
        reached += int((weight(drawn) >= observed - 1e-9 * max(1.0, abs(observed))).sum())
        left -= block
    return (1 + reached) / (1 + permutations)
