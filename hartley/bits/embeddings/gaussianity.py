"""Are the rows of each label Gaussian around its mean, with one covariance for all labels? Six tests of it at 1% in all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hartley.bits.tables import Counts, Floats

LEVEL = 0.0075
"""Shared evenly by the six tests. Under 1%, as their approximate p values are up to twice too small this far out: 1% is what is reached."""
_ROWS = 20_000
_BLOCK = 300
_PAIR_WORK = 2.5e8
_DIRECTIONS = 6
_WORDS = {
    "radius": "their distance from the center spreads otherwise than a Gaussian's (heavy tails, a fixed norm, or clusters)",
    "scale": "some labels are wider than others",
    "shape": "labels differ in the directions in which they are wide",
    "columns": "a column's skewness or kurtosis is not a Gaussian's",
    "moments": "skewness or kurtosis along the directions that matter is not a Gaussian's",
    "distribution": "the distribution along the directions that matter is not a Gaussian's",
}


@dataclass(frozen=True)
class Gaussianity:
    """p: the p value of each test, by name. why: "" when none is below its share of the level, else plain words."""

    p: Mapping[str, float]
    why: str


def gaussianity(embedding: Floats, label: Counts, *, within: Floats | None = None, seed: int = 0) -> Gaussianity:
    """Tests rows embedding (n, d) with label (n,) 0..K-1, n - K > d + 1, of one Gaussian law around the mean of each label.

    within (d, d): their pooled within-label covariance with n - K degrees of freedom, where it is at hand.
    The rows are turned into recursive residuals, each row against the mean of the earlier rows of its label (Brown,
    Durbin and Evans 1975), of which there are n - K, independent and of one law if the claim is true; these are
    whitened by their own covariance. Then every statistic is free of means and covariance. The tests:
    radius        mean fourth power of the Mahalanobis radius (Mardia 1970), two-sided
    scale         radii by label (Kruskal and Wallis 1952)
    shape         squared products of pairs of one label (a U-statistic as in Schott 2007)
    columns       largest skewness or kurtosis of a column as it was given
    moments       skewness and kurtosis along up to 10 directions: of the label means, and those of largest variance
    distribution  Anderson-Darling along the same directions
    At most 20,000 rows are used. Raises LinAlgError when the covariance cannot be inverted.
    """
    generator = np.random.default_rng([seed, 2])
    order = generator.permutation(len(label))[:_ROWS]
    order = order[np.argsort(label[order], kind="stable")]
    rows, owner = embedding[order], label[order]
    residuals, owner, means = _recursive(rows, owner)
    n, dimensions = residuals.shape
    if within is None or len(order) < len(label):
        within = residuals.T @ residuals / n
    factor = np.linalg.cholesky(within)
    white = _whiten(factor, residuals)
    radii = np.einsum("ij,ij->i", white, white)
    along = white @ _directions(within, factor, means, generator)
    p = {
        "radius": _radius_p(radii, dimensions),
        "scale": _scale_p(radii, owner),
        "shape": _shape_p(white, radii, owner),
        "columns": _columns_p(residuals),
        "moments": _moments_p(along),
        "distribution": _distribution_p(along),
    }
    failed = [_WORDS[name] for name, value in p.items() if value < LEVEL / len(p)]
    return Gaussianity(p, "the rows of a label are not Gaussian with one covariance: " + "; ".join(failed) if failed else "")


def _recursive(rows: Floats, owner: Counts) -> tuple[Floats, Counts, Floats]:
    """Recursive residuals (n - K, d) of rows sorted by owner, their owners, and the label means (K, d)."""
    starts = np.flatnonzero(np.diff(owner, prepend=owner[0] - 1))
    sizes = np.diff(np.append(starts, len(owner)))
    totals = np.cumsum(rows, axis=0)
    before = np.concatenate([np.zeros((1, rows.shape[1])), totals])[starts]
    place = np.arange(len(owner)) - np.repeat(starts, sizes)
    later = np.flatnonzero(place > 0)
    earlier = place[later].astype(np.float64)[:, None]
    mean = (totals[later - 1] - np.repeat(before, sizes - 1, axis=0)) / earlier
    means = (totals[starts + sizes - 1] - before) / sizes[:, None]
    return (rows[later] - mean) * np.sqrt(earlier / (earlier + 1)), owner[later], means


def _whiten(factor: Floats, rows: Floats) -> Floats:
    from scipy.linalg import solve_triangular

    return np.asarray(solve_triangular(factor, rows.T, lower=True, check_finite=False).T)


def _directions(within: Floats, factor: Floats, means: Floats, generator: np.random.Generator) -> Floats:
    """Orthonormal directions (d, D) in whitened space. They depend on means and covariance only, of which the frame is free."""
    dimensions = len(within)
    if dimensions <= 8:
        return np.eye(dimensions)
    centered = _whiten(factor, means - means.mean(0))
    values, vectors = np.linalg.eigh(centered @ centered.T)
    kept = [i for i in range(len(values)) if values[i] > 1e-9 * max(values[-1], 1e-300)][-_DIRECTIONS:]
    wide = generator.standard_normal((dimensions, 4))
    for _ in range(8):
        wide = np.linalg.qr(within @ wide)[0]
    return np.asarray(np.linalg.qr(np.concatenate([centered.T @ vectors[:, kept], factor.T @ wide], axis=1))[0])


def _score(value: Floats | float, skew: float) -> Floats:
    """Standard normal score of a standardized statistic of that skewness: a gamma law by Wilson and Hilferty (1931)."""
    if skew < 1e-6:
        return np.asarray(value, dtype=np.float64)
    shape = 4 / skew**2
    ratio = np.maximum(1 + np.asarray(value) / np.sqrt(shape), 1e-12)
    return np.asarray(3 * np.sqrt(shape) * (np.cbrt(ratio) - 1 + 1 / (9 * shape)))


def _kurtosis_score(fourth: Floats | float, n: int, dimensions: int) -> Floats:
    """Score of the mean squared squared radius of n rows whitened by their own covariance, the mean being known."""
    d = dimensions
    mean = d * (d + 2) * n / (n + 2)
    variance = 8 * d * (d + 2) * (n - 2) * (n - d) * (n - d + 2) / ((n + 2) ** 2 * (n + 4) * (n + 6))
    # third moment of (q - d - 2)^2 - 2 (d + 2) under chi-square: d (d + 2) (64 d + 512)
    skew = d * (d + 2) * (64 * d + 512) / (8 * d * (d + 2)) ** 1.5 / np.sqrt(n) * max(1 - d / n, 0.0)
    # the upper tail is heavier than a gamma law's: that of an inverse chi-square (Anscombe and Glynn 1983)
    skew = max(float(skew) / ((1 + 7 / n) * (1 + 9 / n)), 1e-4)
    freedom = 6 + 8 / skew * (2 / skew + np.sqrt(1 + 4 / skew**2))
    spread = 1 + (np.asarray(fourth) - mean) / np.sqrt(variance) * np.sqrt(2 / (freedom - 4))
    root = np.cbrt((1 - 2 / freedom) / np.maximum(spread, 1e-12))
    return np.asarray((1 - 2 / (9 * freedom) - root) / np.sqrt(2 / (9 * freedom)))


def _radius_p(radii: Floats, dimensions: int) -> float:
    from scipy.special import ndtr

    return float(2 * ndtr(-abs(_kurtosis_score(float((radii**2).mean()), len(radii), dimensions))))


def _scale_p(radii: Floats, owner: Counts) -> float:
    """Kruskal-Wallis: exact whatever the law of the radii, as long as it is one law."""
    from scipy.special import chdtrc

    n = len(radii)
    ranks = np.empty(n)
    ranks[np.argsort(radii, kind="stable")] = np.arange(1, n + 1)
    sizes, sums = np.bincount(owner), np.bincount(owner, ranks)
    sizes, sums = sizes[sizes > 0], sums[sizes > 0]
    if len(sizes) < 2:
        return 1.0
    statistic = 12 / (n * (n + 1)) * float((sums**2 / sizes).sum()) - 3 * (n + 1)
    return float(chdtrc(len(sizes) - 1, max(statistic, 0.0)))


def _shape_p(white: Floats, radii: Floats, owner: Counts) -> float:
    """Sum of squared products of pairs of one label less what their rows' averages predict; large when a label has a shape of its own.

    The rows are whitened by their own covariance, so the sum of squared products of one row with all others is n q - q^2, q its
    squared radius. Taking these averages out leaves pairs that sum to 0 row by row: their mean under any relabeling is
    exactly 0 whatever the law, and for Gaussian rows their variance is 2 d (d + 1) (1 - d / n)^2.
    """
    from scipy.special import ndtr

    n, d = white.shape
    blocks = [np.flatnonzero(owner == k) for k in np.unique(owner)]
    size = int(min(_BLOCK, max(2.0, np.sqrt(_PAIR_WORK / (len(blocks) * d)))))
    blocks = [block[:size] for block in blocks if len(block) >= 2]
    if len(blocks) < 2:
        return 1.0
    rows = n * radii - radii**2
    whole = float(rows.sum()) / ((n - 1) * (n - 2))
    total, pairs = 0.0, 0
    for block in blocks:
        part, own = white[block], len(block) * (len(block) - 1) // 2
        product = part @ part.T if len(block) < d else part.T @ part
        squares = (float((product**2).sum()) - float((radii[block] ** 2).sum())) / 2
        total += squares - (len(block) - 1) * float(rows[block].sum()) / (n - 2) + own * whole
        pairs += own
    variance = pairs * (1 - 2 * pairs / (n * (n - 1))) * 2 * d * (d + 1) * (1 - d / n) ** 2
    skew = np.sqrt(8 / ((len(blocks) - 1) * d * (d + 1) / 2))
    return float(ndtr(-_score(total / np.sqrt(variance), float(skew))))


def _shape_scores(along: Floats) -> tuple[Floats, Floats]:
    """Normal scores (D,) of skewness and of kurtosis of the columns of along (n, D), mean 0 known, variance not."""
    n = len(along)
    unit = along / np.sqrt(np.einsum("ij,ij->j", along, along) / n)
    square = unit * unit
    third = np.einsum("ij,ij->j", square, unit) - 3 * unit.sum(0)
    variance = n * (15 * n**2 / ((n + 2) * (n + 4)) - 18 * n / (n + 2) + 9)
    # its kurtosis is about 3 + 36 / n: the asinh of a Johnson law makes it normal (D'Agostino 1970)
    width = np.sqrt(2 * (2 + 36 / n)) - 1
    skewness = np.arcsinh(third / np.sqrt(variance) * np.sqrt((width - 1) / 2)) / np.sqrt(np.log(width) / 2)
    return skewness, _kurtosis_score(np.einsum("ij,ij->j", square, square) / n, n, 1)


def _moments_p(along: Floats) -> float:
    """Chi-square of the skewness and kurtosis scores along orthogonal directions."""
    from scipy.special import chdtrc

    third, fourth = _shape_scores(along)
    return float(chdtrc(2 * along.shape[1], float((third**2 + fourth**2).sum())))


def _columns_p(residuals: Floats) -> float:
    """Bonferroni over the columns, which may be dependent: clusters along one column of many hide in every other test."""
    from scipy.special import ndtr

    third, fourth = _shape_scores(residuals)
    largest = max(float(np.abs(third).max()), float(np.abs(fourth).max()))
    return float(min(1.0, 4 * residuals.shape[1] * ndtr(-largest)))


def _distribution_p(along: Floats) -> float:
    """Largest Anderson-Darling statistic of the columns; mean known, variance not: 3.70 at 1%, tail e^(-1.11 x) (Stephens 1974)."""
    from scipy.special import log_ndtr

    n, directions = along.shape
    unit = np.sort(along / np.sqrt((along**2).mean(0)), axis=0)
    odd = (2 * np.arange(1, n + 1) - 1)[:, None]
    statistic = -n - (odd * (log_ndtr(unit) + log_ndtr(-unit[::-1]))).mean(0)
    return float(min(1.0, directions * 0.01 * np.exp(-1.11 * (float(statistic.max()) - 3.70))))
