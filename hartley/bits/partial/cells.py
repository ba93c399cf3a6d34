"""Cuts two embeddings into a few cells each, by maps learned on other rows, so that what they say can be counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from hartley.bits.tables import Counts, Floats, information_of_law
from hartley.errors import InputError

_MOST = 16
_PER_LABEL = 8
_DIRECTIONS = 10
_GROUPS = 10


@dataclass(frozen=True)
class Cells:
    """counts (cells_1, cells_2, labels) of the rows that taught nothing, and the figures about the cut."""

    counts: Counts
    checks: Mapping[str, float]


def cut(first: ArrayLike, second: ArrayLike, label: ArrayLike, *, seed: int) -> Cells:
    """Cells of first (n, d1) and second (n, d2), by maps learned on every other row of each label (n,).

    More than 10 labels are first put into 10 groups, by k-means of their means in both modalities at once, and the
    group is the target: one grouping for both, or two modalities that say the same would seem to say different things.
    Two maps are tried on each modality: the group that a shrunk linear discriminant names, and k-means among the
    directions of largest variance, which sees what only the pair of modalities tells (a sign that means something
    only beside the other's sign has no discriminant of its own). The pair of maps kept is the one with the most
    information about the target on a part of the teaching half.
    """
    x, y, symbols = _checked("first", first), _checked("second", second), np.asarray(label)
    if symbols.ndim != 1 or not len(x) == len(y) == len(symbols):
        raise InputError(f"columns first, second and label: {len(x)}, {len(y)} and {symbols.shape} rows, takes equal lengths")
    if symbols.dtype.kind == "f" and not np.isfinite(symbols).all():
        raise InputError(f"column label, row {int(np.flatnonzero(~np.isfinite(symbols))[0])}: not finite")
    names, s = np.unique(symbols, return_inverse=True)
    fewest = int(np.bincount(s).min())
    if len(names) < 2 or fewest < _PER_LABEL:
        raise InputError(f"column label: {len(names)} symbols, the rarest {fewest} times; takes two or more, {_PER_LABEL} times each")
    teach, judge, count = _split(s, np.random.default_rng(seed))
    groups = _groups((x, y), s, teach, seed)
    target = groups[s]
    cells = [[_named(part, s, teach)[1], _varied(part, teach, _sizes(len(count), int(groups.max()) + 1), seed)] for part in (x, y)]
    cells = [[groups[named], varied] for named, varied in cells]
    best = max([(i, j) for i in (0, 1) for j in (0, 1)], key=lambda pair: _worth(cells[0][pair[0]], cells[1][pair[1]], target, judge))
    one, two = cells[0][best[0]], cells[1][best[1]]
    checks = {"labels": float(len(names)), "groups": float(groups.max() + 1)}
    learned = np.concatenate([teach, judge])
    for name, part, own in (("1", x, one), ("2", y, two)):
        checks[f"cells_{name}"] = float(len(np.unique(own)))
        kept = _cell_bits(own, target, learned, count)
        checks[f"cut_{name}_bits"] = max(0.0, _delivered(part, s, groups, learned, count) - kept)
    return Cells(_counted(one[count], two[count], target[count]), checks)


def _groups(parts: tuple[Floats, Floats], label: Counts, teach: Counts, seed: int) -> Counts:
    """The group (labels,) of each label: itself up to 10 labels, else one of 10 by k-means of standardized label means."""
    from sklearn.cluster import KMeans

    labels = int(label.max()) + 1
    if labels <= _GROUPS:
        return np.arange(labels)
    means = []
    for part in parts:
        rows, own = part[teach], label[teach]
        center = np.stack([rows[own == s].mean(0) for s in range(labels)])
        means.append(center / np.sqrt(((rows - center[own]) ** 2).sum() / len(rows)))
    return np.asarray(KMeans(_GROUPS, n_init=5, random_state=seed).fit_predict(np.concatenate(means, 1)), dtype=np.int64)


def _worth(one: Counts, two: Counts, target: Counts, rows: Counts) -> float:
    """Bits about the target (Miller-Madow) of a pair of cuts on `rows`, plus those of each alone: where the other source
    says it all, a cut that loses its own half would be as good for the pair."""
    table = _counted(one[rows], two[rows], target[rows])
    return sum(_corrected(part) for part in (table.reshape(-1, table.shape[2]), table.sum(0), table.sum(1)))


def _corrected(table: Counts) -> float:
    free = int((table > 0).sum() - (table.sum(1) > 0).sum() - (table.sum(0) > 0).sum()) + 1
    return information_of_law(table / table.sum()) - free / (2 * float(table.sum()) * float(np.log(2)))


def _checked(name: str, values: ArrayLike) -> Floats:
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"column {name}: not numbers ({error})") from None
    if array.ndim != 2 or 0 in array.shape:
        raise InputError(f"column {name}: shape {array.shape}, takes (rows, dimensions)")
    if not np.isfinite(array).all():
        row = int(np.flatnonzero(~np.isfinite(array).all(1))[0])
        raise InputError(f"column {name}, row {row}: not finite")
    return array


def _split(label: Counts, generator: np.random.Generator) -> tuple[Counts, Counts, Counts]:
    """Rows that teach (about 3/8), that choose among maps (1/8) and that are counted (1/2), each alike in labels."""
    order = generator.permutation(len(label))
    order = order[np.argsort(label[order], kind="stable")]
    rank = np.arange(len(label)) - np.searchsorted(label[order], label[order])
    return np.sort(order[(rank % 8 % 2 == 0) & (rank % 8 < 6)]), np.sort(order[rank % 8 == 6]), np.sort(order[rank % 2 == 1])


def _sizes(counted: int, labels: int) -> int:
    """Cells per modality that leave 5 trials to every (cell, cell, label), but 2 at least."""
    return int(np.clip(int(np.sqrt(counted / (5 * labels))), 2, _MOST))


def _named(part: Floats, label: Counts, learned: Counts) -> tuple[Floats, Counts]:
    """Posteriors (n, labels) and the likeliest label (n,) by a linear discriminant of shrunk covariance."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(part[learned], label[learned])
    posterior = np.asarray(model.predict_proba(part), dtype=np.float64)
    return posterior, posterior.argmax(1)


def _varied(part: Floats, teach: Counts, cells: int, seed: int) -> Counts:
    """The nearest of `cells` means (k-means among the directions of largest variance of the teaching rows) for every row."""
    from sklearn.cluster import KMeans

    center = part[teach].mean(0)
    axes = np.linalg.svd(part[teach] - center, full_matrices=False)[2][:_DIRECTIONS]
    rows = (part - center) @ axes.T
    return np.asarray(KMeans(cells, n_init=3, random_state=seed).fit(rows[teach]).predict(rows), dtype=np.int64)


def _counted(one: Counts, two: Counts, target: Counts) -> Counts:
    """Counts (cells_1, cells_2, targets) of rows."""
    shape = tuple(int(column.max()) + 1 for column in (one, two, target))
    return np.bincount(np.ravel_multi_index((one, two, target), shape), minlength=int(np.prod(shape))).reshape(shape).astype(np.int64)


def _delivered(part: Floats, label: Counts, groups: Counts, learned: Counts, count: Counts) -> float:
    """Bits about the group that the discriminant of the whole embedding delivers on rows it never saw."""
    each = _named(part, label, learned)[0][count]
    posterior = np.stack([each[:, groups == group].sum(1) for group in range(int(groups.max()) + 1)], 1)
    target = groups[label[count]]
    prior = np.bincount(target) / len(count)
    said = np.maximum(posterior[np.arange(len(count)), target], 1e-6)
    return float(np.log2(said / prior[target]).mean())


def _cell_bits(cells: Counts, label: Counts, learned: Counts, count: Counts) -> float:
    """Bits that the cell delivers on the same rows, by the frequencies among the learned rows and one trial of the prior."""
    prior = np.bincount(label[count], minlength=int(label.max()) + 1) / len(count)
    table = np.zeros((int(cells.max()) + 1, len(prior)))
    np.add.at(table, (cells[learned], label[learned]), 1.0)
    posterior = (table + prior) / (table.sum(1, keepdims=True) + 1)
    return float(np.log2(posterior[cells[count], label[count]] / prior[label[count]]).mean())
