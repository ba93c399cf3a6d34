"""Are the rows of a file trials of their own? What their order and their repetitions say against it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hartley.bits.files.samples import Samples, Side, Symbols
from hartley.bits.tables import Counts, Floats

SHUFFLES = 399
"""Each of two statistics, in each of two directions, must lie above those of all shuffles: 1 in 400 of files of independent rows each."""
MOST_ROWS = 2**13
"""The first rows of a file, whose order is looked at."""
_LAGS = 10
_STRATUM = 10
_SCORES = 8
_FEWEST = 30
_NOTHING = 1e-3
"""Share of the variance below which nothing is left to explain."""


@dataclass(frozen=True)
class Order:
    """facts: sentences about the rows' order. why: why the rows are no trials of their own; "" where nothing speaks against it."""

    facts: tuple[str, ...]
    why: str


def row_order(samples: Samples, *, seed: int = 0) -> Order:
    """What the order of the rows says about whether they are independent.

    Limits of any measure here hold where, one column given, the other one's rows are independent of each other: a file sorted
    by label or a design in blocks is such a one. They do not where each column follows itself beyond what the other explains, for
    then what looks like a tie between the two may be chance that went on for a while. So two exact tests, of y given x and of
    x given y: what is left of y without its mean within rows of equal x (numbers: of ten neighboring x) is shuffled among these,
    and its autocorrelations are set against those of the shuffled: the first 10 lags together, and the largest of all. Both must
    reject. Rows that stand there again are told by themselves: the same numbers to the last digit more often than their rounding
    explains, or runs of equal rows whose lengths have a common factor.
    At most 8,192 rows are looked at.
    """
    repeats = _repeats(samples)
    if repeats:
        return Order((), repeats)
    rows = min(samples.rows, MOST_ROWS)
    if rows < _FEWEST:
        return Order((), "")
    generator = np.random.default_rng([seed, 5])
    given_y = _follows(samples.x, samples.y, rows, generator)
    given_x = _follows(samples.y, samples.x, rows, generator)
    if given_x and given_y:
        x, y = samples.x.name, samples.y.name
        return Order((), f"{x} {given_y} beyond what {y} explains, and {y} {given_x} beyond what {x} explains")
    for one, other, told in ((samples.x, samples.y, given_y), (samples.y, samples.x, given_x)):
        if told:
            rest = f"{other.name} given {one.name} shows no such order, so the limits hold"
            return Order((f"{one.name} {told}; {rest}",), "")
    return Order((), "")


def _follows(side: Side, given: Side, rows: int, generator: np.random.Generator) -> str:
    """How the rows of `side` follow each other where `given` is known; "" where they do not."""
    scores, (stratum, place) = _scores(side, rows, generator), _strata(given, rows, generator)
    left = scores - _within(scores, stratum)
    bent = left
    if place is not None:
        # a sorted file of a smooth function: what ten neighbors differ by is a line, and not what followed what
        place = place - _within(place[:, None], stratum)[:, 0]
        slope = _within(place[:, None] * left, stratum) / np.maximum(_within(place[:, None] ** 2, stratum), 1e-300)
        bent = left - slope * place[:, None]
    if float((bent**2).sum()) <= _NOTHING * float(((scores - scores.mean(0)) ** 2).sum()):
        return ""
    order = np.argsort(stratum, kind="stable")
    near, far, lag, value = _statistics(left)
    above_near = above_far = True
    for _ in range(SHUFFLES):
        shuffled = np.empty_like(left)
        shuffled[order] = left[np.lexsort((generator.random(rows), stratum))]
        other = _statistics(shuffled)
        above_near, above_far = above_near and near > other[0], above_far and far > other[1]
        if not above_near and not above_far:
            return ""
    return f"follows itself from row to row (correlation {value:.2f} at a distance of {lag})"


def _within(columns: Floats, stratum: Counts) -> Floats:
    """Mean of columns (n, q) over the rows of the same stratum, for every row."""
    sums = np.stack([np.bincount(stratum, column) for column in columns.T], 1)
    return np.asarray((sums / np.maximum(np.bincount(stratum), 1)[:, None])[stratum])


def _statistics(left: Floats) -> tuple[float, float, int, float]:
    """(squares of the first autocorrelations over their lag, the largest one's size, its lag, its value) of centered columns (n, q)."""
    spectrum = (np.abs(np.fft.rfft(left, axis=0)) ** 2).sum(1)
    along = np.fft.irfft(spectrum, len(left))
    along = along[1 : len(left) // 2 + 1] / max(float(along[0]), 1e-300)
    lag = int(np.argmax(np.abs(along)))
    near = along[:_LAGS]
    return float(near**2 @ (1 / np.arange(1, len(near) + 1))), float(abs(along[lag])), lag + 1, float(along[lag])


def _scores(side: Side, rows: int, generator: np.random.Generator) -> Floats:
    """Columns (rows, q) that stand for one side: a column a symbol, or ranks and their distance from the middle; few of them."""
    if isinstance(side, Symbols):
        codes, size = side.codes[:rows], len(side.names)
        code = np.eye(size) if size <= _SCORES else generator.standard_normal((size, _SCORES))
        return np.asarray(code[codes])
    values = side.values[:rows]
    if values.shape[1] > _SCORES // 2:
        spread = np.maximum(values.std(0), 1e-300)
        values = (values - values.mean(0)) / spread @ generator.standard_normal((values.shape[1], _SCORES // 2))
    ranks = np.stack([_ranks(column) for column in values.T], 1)
    return np.concatenate([ranks, np.abs(ranks)], 1)


def _ranks(column: Floats) -> Floats:
    """Mid-ranks from -1 to 1."""
    from scipy.stats import rankdata

    return np.asarray(2 * rankdata(column) / (len(column) + 1) - 1)


def _strata(side: Side, rows: int, generator: np.random.Generator) -> tuple[Counts, Floats | None]:
    """Stratum (rows,) of each row by this side alone: its symbol, neighboring numbers (with their ranks), or the nearest of some rows."""
    if isinstance(side, Symbols):
        return side.codes[:rows].astype(np.int64), None
    values = side.values[:rows]
    if values.shape[1] == 1:
        rank = np.unique(values[:, 0], return_inverse=True)[1]
        first = np.argsort(np.argsort(rank, kind="stable"), kind="stable")
        # equal numbers stay together
        start = np.full(int(rank.max()) + 1, rows)
        np.minimum.at(start, rank, first)
        return (start[rank] // _STRATUM).astype(np.int64), start[rank].astype(np.float64)
    spread = np.maximum(values.std(0), 1e-300)
    places = (values - values.mean(0)) / spread
    anchors = places[generator.choice(rows, max(2, min(200, rows // _STRATUM)), replace=False)]
    return np.argmin((anchors**2).sum(1) / 2 - places @ anchors.T, axis=1).astype(np.int64), None


def _repeats(samples: Samples) -> str:
    """Why rows that stand there again are copies; "" where chance or rounding explains them."""
    columns = [_columns(side) for side in (samples.x, samples.y)]
    row = np.zeros(samples.rows, dtype=np.int64)
    for column in np.concatenate(columns, 1).T:
        row = np.unique(row * (int(column.max()) + 1) + column, return_inverse=True)[1]
    counts = np.bincount(row)
    runs = np.diff(np.append(np.flatnonzero(np.diff(row, prepend=-1)), samples.rows))
    factor = int(np.gcd.reduce(runs))
    if factor > 1 and len(runs) >= 20 and len(runs) > 2 * len(counts):
        return f"every row stands there {factor} times, one under the other"
    again = int((counts > 1).sum())
    if again >= 3:
        expected = [_coincidences(values) for side in (samples.x, samples.y) for values in _telling(side, len(counts))]
        if expected and again > 2 * max(expected) + 3:
            return f"{int((counts - 1).sum()):,} rows repeat another one to the last digit"
    return ""


def _columns(side: Side) -> NDArray[np.int64]:
    """Every column of one side as codes (n, d)."""
    if isinstance(side, Symbols):
        return side.codes[:, None].astype(np.int64)
    return np.stack([np.unique(column, return_inverse=True)[1] for column in side.values.T], 1).astype(np.int64)


def _telling(side: Side, distinct: int) -> list[Floats]:
    """The columns of numbers that tell the distinct rows apart by themselves."""
    if isinstance(side, Symbols):
        return []
    return [column for column in side.values.T if len(np.unique(column)) >= 0.99 * distinct]


def _coincidences(column: Floats) -> float:
    """How many pairs of equal numbers their finest step explains: n^2 / 2 times the step times the mean density."""
    values, n = np.sort(column), len(column)
    step, apart = float(np.diff(np.unique(values)).min()), int(np.ceil(np.sqrt(n)))
    gap = np.maximum(values[apart:] - values[:-apart], step)
    return float(n * apart * step / 2 * (1 / gap).mean())
