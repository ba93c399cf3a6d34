"""Trials that come in clusters: how many independent trials they are worth, and what deleting whole clusters does to an estimate.

Rows of one cluster may depend on each other in any way; clusters do not. Every limit of a clustered table is the row-level one of
*effective* trials: the counts divided by `Design.spread`, the design effect times (t / 1.96)^2, as Korn and Graubard (1998) do for
shares. The design effect is estimated from the spread of whole clusters, and t pays for estimating it from few of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from hartley.bits.limits import Z, proportion_limits
from hartley.bits.tables import Counts, Floats, information_of_law, joint_law
from hartley.bits.trust import TRIALS_PER_CELL, TRIALS_PER_INPUT
from hartley.bits.value import Bits
from hartley.errors import InputError

ONE = "one cluster: how much others would differ cannot be told"
"""Why there are no limits where all rows come from one cluster."""
_HANDFUL = 5
"""Fewer clusters than this with the rarer result do not show how clusters spread."""
_GROUPS = 1_000
"""More clusters than this are put together into so many groups, each still independent of the others."""


@dataclass(frozen=True)
class Design:
    """clusters: how many independent units. effect: the design effect, >= 1. spread: trials to one effective trial, t included."""

    clusters: int
    effect: float

    @property
    def spread(self) -> float:
        return self.effect * (student(self.clusters) / Z) ** 2

    @property
    def stated(self) -> tuple[int, float]:
        """(clusters, design effect) as a number states them."""
        return self.clusters, round(self.effect, 6)

    def marked(self, bits: Bits) -> Bits:
        """The same number with what its trials come from."""
        return replace(bits, clusters=self.clusters, design_effect=self.stated[1])


def student(clusters: int) -> float:
    """Two-sided 95% quantile of Student's t with clusters - 1 degrees of freedom."""
    from scipy.special import stdtrit

    return float(stdtrit(clusters - 1, 0.975))


def clusters_of(cluster: ArrayLike | None, rows: int) -> Counts | None:
    """Cluster of each row as an index from 0, or None where there is no column or no cluster holds two rows.

    cluster (rows,): whole numbers or names. InputError for another shape.
    """
    if cluster is None:
        return None
    values = np.asarray(cluster)
    if values.shape != (rows,):
        raise InputError(f"column cluster: shape {values.shape}, takes ({rows},), one cluster a row")
    found, index = np.unique(values, return_inverse=True)
    return None if len(found) == rows else index.astype(np.int64)


def one_cluster(kind: str, n: int) -> Bits:
    """Not measured, as all n trials come from one cluster."""
    return replace(Bits.unmeasured(kind, ONE, n), clusters=1)


def cube_of(x: Counts, y: Counts, cluster: Counts, inputs: int, outcomes: int) -> Counts:
    """Counts (clusters or groups of them, inputs, outcomes) from indices (n,)."""
    groups = min(int(cluster.max()) + 1, _GROUPS)
    flat = ((cluster % groups) * inputs + x) * outcomes + y
    return np.bincount(flat, minlength=groups * inputs * outcomes).reshape(groups, inputs, outcomes).astype(np.int64)


def design_effect(totals: Floats, squares: float) -> float:
    """How many times the variance of a mean exceeds that of independent trials; never below 1.

    totals (clusters, k): sums over each cluster of k centered influences. squares: the sum over trials and influences of their squares.
    """
    clusters = len(totals)
    if squares <= 1e-12 or clusters < 2:
        return 1.0
    return max(1.0, float((totals**2).sum()) * clusters / (clusters - 1) / squares)


def share_limits(hits: Floats, sizes: Floats) -> tuple[float, float, Design]:
    """95% limits of a share (Korn and Graubard 1998), and its design, from the hits (G,) and the trials (G,) of G > 1 clusters.

    Clopper-Pearson limits for the effective number of trials. Where the rarer of the two results came from a handful of clusters,
    their spread says little of the others': a cluster then counts as one trial at most, as it must where all trials are alike.
    """
    clusters, n = len(sizes), float(sizes.sum())
    share = float(hits.sum()) / n
    rarer = hits if share <= 0.5 else sizes - hits
    design = Design(clusters, design_effect((hits - share * sizes)[:, None], n * share * (1 - share)))
    effective = n / design.spread
    if (rarer > 0).sum() < min(_HANDFUL, (clusters + 1) // 2):
        effective = min(effective, float(clusters))
        design = Design(clusters, max(design.effect, n / clusters))
    return *proportion_limits(share * effective, effective), design


def table_design(cube: Counts, prior: Floats | None) -> Design:
    """Of the information in the table of `cube` (G, inputs, outcomes): the larger of two design effects.

    One is that of the information's own influence, its density; it decides where there is information. The other is Rao and Scott's
    (1981) mean over all directions of dependence, which decides near independence, where the density is flat.
    """
    table = cube.sum(0)
    effect = max(_of_density(cube, table, prior), _of_cells(cube, table))
    return Design(len(cube), effect)


def _of_density(cube: Counts, table: Counts, prior: Floats | None) -> float:
    joint = joint_law(table, prior)
    px, py = joint.sum(1), joint.sum(0)
    outer = px[:, None] * py
    density = np.log2(np.where(joint > 0, joint, 1.0) / np.where(outer > 0, outer, 1.0)) * (joint > 0)
    if prior is None:
        influence = np.where(table > 0, density - float((joint * density).sum()), 0.0)
    else:
        per_input = table.sum(1)
        centers = np.divide((joint * density).sum(1), px, out=np.zeros(len(px)), where=px > 0)
        weight = np.divide(px, per_input, out=np.zeros(len(px)), where=per_input > 0) * table.sum()
        influence = np.where(table > 0, weight[:, None] * (density - centers[:, None]), 0.0)
    totals = np.einsum("gxy,xy->g", cube, influence)
    return design_effect(totals[:, None], float((table * influence**2).sum()))


def _of_cells(cube: Counts, table: Counts) -> float:
    n = float(table.sum())
    px, py = table.sum(1) / n, table.sum(0) / n
    used = np.ix_(np.arange(len(cube)), px > 0, py > 0)
    px, py = px[px > 0], py[py > 0]
    tables = cube[used].astype(np.float64)
    per_x, per_y = tables.sum(2), tables.sum(1)
    size = per_x.sum(1)[:, None, None]
    residual = tables - px[:, None] * per_y[:, None, :] - per_x[:, :, None] * py + size * (px[:, None] * py)
    mean = residual.sum(0) / n
    scale = np.sqrt(px[:, None] * py)
    totals = ((residual - size * mean) / scale).reshape(len(cube), -1)
    squares = float((tables.sum(0) * (1 / px - 1)[:, None] * (1 / py - 1)).sum()) - n * float(((mean / scale) ** 2).sum())
    return design_effect(totals, squares)


def jackknifed_bits(whole: float, left: Floats, sizes: Floats) -> float:
    """Delete-a-cluster jackknife of an estimate, clusters of unequal sizes (Busing, Meijer and van der Leeden 1999).

    whole: on all rows. left (G,): without each cluster. sizes (G,): rows of each.
    """
    share = sizes / sizes.sum()
    return float(len(left) * whole - ((1 - share) * left).sum())


def deleted_bits(cube: Counts, prior: Floats | None) -> Floats:
    """Plug-in information in bits (G,) of the table of `cube` (G, inputs, outcomes) without each cluster in turn.

    With the inputs' law given, an input that only one cluster has keeps its row when that cluster is deleted.
    """
    table = cube.sum(0)
    left = (table - cube).astype(np.float64)
    if prior is not None and not (table.sum(1)[prior > 0] == 0).any():
        per_input = left.sum(2, keepdims=True)
        rows = np.divide(left, per_input, out=np.broadcast_to(_rows(table), left.shape).copy(), where=per_input > 0)
        left = prior[:, None] * rows
    total = left.sum((1, 2))

    def weight(cells: Floats) -> Floats:
        return np.asarray((cells * np.log2(np.where(cells > 0, cells, 1.0))).reshape(len(cells), -1).sum(1))

    safe = np.where(total > 0, total, 1.0)
    return np.asarray((weight(left) - weight(left.sum(2)) - weight(left.sum(1))) / safe + np.log2(safe))


def _rows(table: Counts) -> Floats:
    per_input = table.sum(1, keepdims=True)
    return np.asarray(table / np.where(per_input > 0, per_input, 1))


def information_point_bits(cube: Counts, prior: Floats | None) -> float:
    """I(X; Y) in bits of the table of `cube`, its bias taken out by deleting whole clusters; may fall below 0."""
    return jackknifed_bits(information_of_law(joint_law(cube.sum(0), prior)), deleted_bits(cube, prior), cube.sum((1, 2)))


def too_few_clusters(cube: Counts, needed: Floats, design: Design) -> str:
    """The floors on trials, counted in effective ones (n / design effect), and two clusters for every input.

    cube (G, inputs, outcomes); needed (inputs,): whether the input counts. "" where they are met.
    """
    table = cube.sum(0)
    mask = needed > 0
    fewest, cells = float(table.sum(1)[mask].min()) / design.effect, int((table > 0).sum())
    units = int((cube.sum(2) > 0).sum(0)[mask].min())
    if units < 2:
        return "too few clusters for a point: an input has only one, needs 2; the interval holds"
    if fewest < TRIALS_PER_INPUT:
        return f"too few trials for a point: an input is worth {fewest:.1f} independent ones, needs {TRIALS_PER_INPUT}; the interval holds"
    n = float(table.sum()) / design.effect
    if n < TRIALS_PER_CELL * cells:
        need = TRIALS_PER_CELL * cells
        return f"too few trials for a point: worth {n:.0f} independent ones over {cells} occupied cells, needs {need}; the interval holds"
    return ""
