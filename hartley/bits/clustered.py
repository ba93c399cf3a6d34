"""Trials that come in clusters: how many independent trials they are worth, and what deleting whole clusters does to an estimate.

Rows of one cluster may depend on each other in any way; clusters do not. Every limit of a clustered table is the row-level one of
*effective* trials: the counts divided by `Design.spread`, the design effect times (t / 1.96)^2, as Korn and Graubard (1998) do for
shares. The design effect is estimated from the spread of whole clusters, and t pays for estimating it from few of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hartley.bits.counted.permutation import Null, clustered_independence, independence
from hartley.bits.design import Design
from hartley.bits.tables import Counts, Floats, checked_table, cross_tabulate, information_of_law, joint_law, symbols
from hartley.bits.trust import too_few_trials
from hartley.bits.value import Bits
from hartley.errors import InputError

ONE = "one cluster: how much others would differ cannot be told"
"""Why there are no limits where all rows come from one cluster."""
_GROUPS = 1_000
"""More clusters than this are put together into so many groups, each still independent of the others."""


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


def one_row_of_each(unit: Counts, label: NDArray[np.int32]) -> Counts:
    """One row of each cluster, of rows with unit (n,) and label (n,): the first with the label that was taken least often so far."""
    taken: dict[int, int] = {}
    rows: list[int] = []
    order = np.argsort(unit, kind="stable")
    for members in np.split(order, np.cumsum(np.bincount(unit))[:-1]):
        row = min(members.tolist(), key=lambda one: taken.get(int(label[one]), 0))
        taken[int(label[row])] = taken.get(int(label[row]), 0) + 1
        rows.append(row)
    return np.array(rows, dtype=np.int64)


@dataclass(frozen=True)
class Trials:
    """counts (inputs, outcomes) and, where clusters hold several of the trials, their columns x, y and unit, indices (n,).

    cube (G, inputs, outcomes): the counts of each cluster or, of more than 1,000 clusters, of so many groups of them.
    """

    counts: Counts
    x: Counts
    y: Counts
    unit: Counts | None = None

    @property
    def alone(self) -> bool:
        """Whether all trials come from one cluster."""
        return self.unit is not None and int(self.unit.max()) == 0

    def cube(self) -> Counts:
        assert self.unit is not None
        inputs, outcomes = self.counts.shape
        return cube_of(self.x, self.y, self.unit, clusters=int(self.unit.max()) + 1, inputs=inputs, outcomes=outcomes)

    def of_used_inputs(self) -> Trials:
        """Without the rows of inputs that no trial had."""
        used = self.counts.sum(1) > 0
        return replace(self, counts=self.counts[used], x=self.x if self.unit is None else np.cumsum(used)[self.x] - 1)

    def null(self, permutations: int, seed: int) -> Null:
        """The permutation test of these trials, of whole clusters where there are any."""
        if self.unit is None:
            return independence(self.counts, permutations=permutations, seed=seed)
        return clustered_independence(self.x, self.y, self.unit, permutations=permutations, seed=seed)


def cube_of(x: Counts, y: Counts, unit: Counts, *, clusters: int, inputs: int, outcomes: int) -> Counts:
    """Counts (clusters, inputs, outcomes) from indices (n,); more than 1,000 clusters are put together into so many groups."""
    groups = min(clusters, _GROUPS)
    flat = ((unit % groups) * inputs + x) * outcomes + y
    return np.bincount(flat, minlength=groups * inputs * outcomes).reshape(groups, inputs, outcomes).astype(np.int64)


def trials_of(
    x: ArrayLike, y: ArrayLike | None, *, inputs: int | None = None, outcomes: int | None = None, cluster: ArrayLike | None = None
) -> Trials:
    """From a table of counts (y None), or from two arrays (n,) as in `cross_tabulate` and the cluster (n,) of each trial."""
    nothing = np.zeros(0, dtype=np.int64)
    if y is None:
        if cluster is not None:
            raise InputError("cluster: takes symbols x and y of each trial; a table of counts does not say which trials are of one cluster")
        return Trials(checked_table(x), nothing, nothing)
    counts = cross_tabulate(x, y, inputs=inputs, outcomes=outcomes)
    unit = clusters_of(cluster, int(counts.sum()))
    return (
        Trials(counts, nothing, nothing) if unit is None else Trials(counts, symbols("x", x, inputs)[0], symbols("y", y, outcomes)[0], unit)
    )


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


def conditional_point_bits(cubes: Sequence[Counts]) -> float:
    """I(X; Y | U) in bits from a cube for each value of U, its bias taken out as in `information_point_bits`."""
    sizes = np.stack([cube.sum((1, 2)) for cube in cubes])
    left = sizes.sum(1, keepdims=True) - sizes
    deleted = np.stack([deleted_bits(cube, None) for cube in cubes])
    whole = [information_of_law(cube.sum(0) / cube.sum()) for cube in cubes]
    return jackknifed_bits(float(sizes.sum(1) @ whole / sizes.sum()), (left * deleted).sum(0) / left.sum(0), sizes.sum(0))


def too_few_clusters(cube: Counts, counted: NDArray[np.bool_], design: Design) -> str:
    """The floors on trials, counted in effective ones (n / design effect), and two clusters for every input.

    cube (G, inputs, outcomes); counted (inputs,): which inputs count. "" where they are met.
    """
    table = cube.sum(0)
    if (cube.sum(2) > 0).sum(0)[counted].min() < 2:
        return "too few clusters for a point: an input has only one, needs 2; the interval holds"
    fewest, n = float(table.sum(1)[counted].min()) / design.effect, float(table.sum()) / design.effect
    why = too_few_trials(int(fewest), int(n), int((table > 0).sum()))
    return f"{why} (trials divided by the design effect, {design.effect:.1f})" if why else ""
