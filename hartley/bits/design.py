"""Design effects: how many independent trials those of clusters are worth, for a share and for an information."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hartley.bits.counted.permutation import Null
from hartley.bits.limits import Z, proportion_limits
from hartley.bits.tables import Counts, Floats, information_of_law, joint_law
from hartley.bits.value import Bits

_HANDFUL = 5
"""Fewer clusters than this with the rarer result do not show how clusters spread."""


@dataclass(frozen=True)
class Design:
    """clusters: how many independent units. effect: the design effect, >= 1. spread: trials to one effective trial, t included.

    freedom: of the t, where clusters of unequal sizes leave less than clusters - 1.
    independence_p: of Rao and Scott's (1981) test of a table, 0 for a share; cells: the design effect of a table's cells, at most `effect`.
    """

    clusters: int
    effect: float
    independence_p: float = 0.0
    cells: float = 1.0
    freedom: float | None = field(default=None, compare=False)

    @property
    def spread(self) -> float:
        return self.effect * (student(self.clusters if self.freedom is None else self.freedom + 1) / Z) ** 2

    def calm(self, null: Null, counts: Counts) -> Null:
        """The null of a table (inputs, outcomes) at most as strong as the spread within inputs makes it.

        Few whole clusters that swap what is really a strong channel make strong tables: their mean is no measure of noise.
        """
        freedom = ((counts.sum(1) > 0).sum() - 1) * ((counts.sum(0) > 0).sum() - 1)
        unit = self.cells / (2 * float(counts.sum()) * float(np.log(2)))
        if null.mean_bits <= freedom * unit:
            return null
        return replace(null, mean_bits=float(freedom * unit), deviation_bits=float(np.sqrt(2 * freedom) * unit))

    @property
    def stated(self) -> tuple[int, float]:
        """(clusters, design effect) as a number states them."""
        return self.clusters, round(self.effect, 6)

    def marked(self, bits: Bits) -> Bits:
        """The same number with what its trials come from."""
        return replace(bits, clusters=self.clusters, design_effect=self.stated[1])


def student(clusters: float) -> float:
    """Two-sided 95% quantile of Student's t with clusters - 1 degrees of freedom."""
    from scipy.special import stdtrit

    return float(stdtrit(clusters - 1, 0.975))


def design_effect(totals: NDArray[Any], squares: float) -> float:
    """How many times the variance of a mean exceeds that of independent trials; never below 1.

    totals (clusters, k): sums over each cluster of k centered influences. squares: the sum over trials and influences of their squares.
    """
    clusters = len(totals)
    if squares <= 1e-12 or clusters < 2:
        return 1.0
    return max(1.0, float((totals**2).sum()) * clusters / (clusters - 1) / squares)


def unequal(sizes: Counts | Floats) -> tuple[Floats, float]:
    """(weights (G,), freedom) for clusters of sizes (G,): what their totals count where the larger ones pull an estimate toward their own
    (the jackknife's leverage), and the degrees of freedom of t (Bell and McCaffrey 2002). Of equal clusters 1 and G - 1.
    """
    without = np.maximum(1 - np.asarray(sizes, dtype=np.float64) / float(sizes.sum()), 1e-9)
    pull = np.sort((1 - without) / without)
    squares, rest = float((pull**2).sum()), pull[:-1] ** 2
    cross = float(2 * pull[-1] ** 2 * rest.sum() + rest.sum() ** 2 - (rest**2).sum())
    return (1 - 1 / len(without)) / without, float(pull.sum()) ** 2 / (squares + cross)


def share_limits(hits: Counts | Floats, sizes: Counts | Floats) -> tuple[float, float, Design]:
    """95% limits of a share (Korn and Graubard 1998), and its design, from the hits (G,) and the trials (G,) of G > 1 clusters.

    Clopper-Pearson limits for the effective number of trials. A large cluster pulls the share toward its own: its departure counts by
    the share without it (jackknife), and t has the freedom that Bell and McCaffrey (2002) leave to clusters of such sizes. Where the
    rarer of the two results came from a handful of clusters, their spread says little of the others': a cluster then counts as one
    trial at most, as it must where all trials are alike.
    """
    clusters, n = len(sizes), float(sizes.sum())
    share = float(hits.sum()) / n
    rarer = hits if share <= 0.5 else sizes - hits
    weights, freedom = unequal(sizes)
    totals = weights * (hits - share * sizes)
    design = Design(clusters, design_effect(totals[:, None], n * share * (1 - share)), freedom=freedom)
    effective = n / design.spread
    if (rarer > 0).sum() < min(_HANDFUL, (clusters + 1) // 2):
        effective = min(effective, float(clusters))
        design = replace(design, effect=max(design.effect, n / clusters))
    return *proportion_limits(share * effective, effective), design


def table_design(cube: Counts, prior: Floats | None) -> Design:
    """Of the information in the table of `cube` (G, inputs, outcomes): the larger of two design effects.

    One is that of the information's own influence, its density; it decides where there is information. The other is Rao and Scott's
    (1981) mean over all directions of dependence, which decides near independence, where the density is flat.
    """
    table = cube.sum(0)
    density = _density(joint_law(table, prior))
    if prior is None:
        influence = np.where(table > 0, density - float((table * density).sum() / table.sum()), 0.0)
    else:
        per_input = np.where(table.sum(1) > 0, table.sum(1), 1)
        centers = (table * density).sum(1) / per_input
        influence = np.where(table > 0, (prior / per_input)[:, None] * (density - centers[:, None]), 0.0)
    totals = unequal(cube.sum((1, 2)))[0][:, None] * np.einsum("gxy,xy->g", cube, influence)[:, None]
    return _design(design_effect(totals, float((table * influence**2).sum())), [cube])


def strata_design(cubes: Sequence[Counts]) -> Design:
    """The same of I(X; Y | U), from a cube (G, inputs, outcomes) for each value of U."""
    tables = [cube.sum(0) for cube in cubes]
    densities = [_density(table / table.sum()) for table in tables]
    n = sum(int(table.sum()) for table in tables)
    mean = sum(float((table * density).sum()) for table, density in zip(tables, densities, strict=True)) / n
    totals = np.stack([np.einsum("gxy,xy->g", cube, density - mean) for cube, density in zip(cubes, densities, strict=True)], axis=1)
    squares = sum(float((table * (density - mean) ** 2).sum()) for table, density in zip(tables, densities, strict=True))
    weights = unequal(np.sum([cube.sum((1, 2)) for cube in cubes], axis=0))[0]
    return _design(design_effect(weights[:, None] * totals.sum(1, keepdims=True), squares), cubes)


def _design(density: float, cubes: Sequence[Counts]) -> Design:
    """From the design effect of the density, with that of the cells and its test: the G statistic over it, by F(df, df (G - 1)).

    Where clusters are unequal, fewer than G - 1 (`unequal`). The test doubts what shuffling within clusters finds where clusters
    differ in how y depends on x.
    """
    from scipy.special import fdtrc

    parts, (weights, left) = [_residuals(cube) for cube in cubes], unequal(np.sum([cube.sum((1, 2)) for cube in cubes], axis=0))
    cells = design_effect(weights[:, None] * np.concatenate([part[0] for part in parts], axis=1), sum(part[1] for part in parts))
    tables, clusters = [cube.sum(0) for cube in cubes], len(cubes[0])
    freedom = sum((int((table.sum(1) > 0).sum()) - 1) * (int((table.sum(0) > 0).sum()) - 1) for table in tables)
    nats = sum(float(table.sum()) * information_of_law(table / table.sum()) for table in tables) * float(np.log(2))
    p = float(fdtrc(freedom, freedom * left, 2 * nats / cells / freedom)) if freedom else 1.0
    return Design(clusters, max(density, cells), p, cells, left)


def _density(joint: Floats) -> Floats:
    """log2 p(x, y) / p(x) p(y) where the law (inputs, outcomes) has mass, 0 elsewhere."""
    outer = joint.sum(1)[:, None] * joint.sum(0)
    return np.asarray(np.log2(np.where(joint > 0, joint, 1.0) / np.where(joint > 0, outer, 1.0)))


def _residuals(cube: Counts) -> tuple[Floats, float]:
    """(totals (G, cells), squares) of every cell's departure from the channel, as `design_effect` takes them.

    A trial's (x, y) departs from the channel W by (1_x - p(x)) (1_y - W(y|x)), scaled by sqrt(p(x) q(y)) to count alike: what it adds to
    any dependence of y on x, and nothing that clusters add to y whatever x is.
    """
    table = cube.sum(0)
    kept = np.ix_(np.arange(len(cube)), table.sum(1) > 0, table.sum(0) > 0)
    tables, table = cube[kept].astype(np.float64), table[kept[1][0], kept[2][0]]
    n = float(table.sum())
    px, py = table.sum(1) / n, table.sum(0) / n
    channel = table / table.sum(1, keepdims=True)
    own = tables - tables.sum(2, keepdims=True) * channel
    totals = (own - px[:, None] * own.sum(1, keepdims=True)) / np.sqrt(px[:, None] * py)
    lengths = (1 - 2 * channel) / py + (channel**2 / py).sum(1, keepdims=True)
    return totals.reshape(len(cube), -1), float((table * (1 / px - 1)[:, None] * lengths).sum())
