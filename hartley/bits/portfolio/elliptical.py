"""Elliptical copulas: Gaussian, or Student-t where the tails go together; fitted, told apart on rows left out, and scored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hartley.bits.portfolio.canonical import Canonical, canonical, significant
from hartley.bits.portfolio.ranks import Margins, ranks
from hartley.bits.tables import Counts, Floats

ROWS_FOR_TAILS = 2_000
ROWS_FOR_FINAL = 10_000
COLUMNS_FOR_TAILS = 12
ROUNDS = 8
NU_RANGE = (0.4, 60.0)


@dataclass(frozen=True)
class Elliptical:
    """A copula with elliptical contours: t-scores of nu degrees of freedom (inf: normal scores) with one scatter matrix.

    turn_x (dx, dx), turn_y (dy, dy): canonical directions of the scatter; rho (k,): the correlations that are significant.
    """

    margins_x: Margins
    margins_y: Margins
    nu: float
    turn_x: Floats
    turn_y: Floats
    rho: Floats

    def log_ratio(self, x: Floats, y: Floats, every_pair: bool = False) -> Floats:
        """Natural logarithm of density over product of marginal densities, (m,) at rows (x[i], y[i]);
        with every_pair (m, m') at (x[i], y[j])."""
        from scipy.special import gammaln

        a = scores(self.margins_x.uniform(x), self.nu) @ self.turn_x
        b = scores(self.margins_y.uniform(y), self.nu) @ self.turn_y
        dx, dy, k = a.shape[1], b.shape[1], len(self.rho)
        far_x, far_y = (a**2).sum(1), (b**2).sum(1)
        weight = self.rho / (1 - self.rho**2)
        add_x, add_y = (a[:, :k] ** 2) @ (weight * self.rho), (b[:, :k] ** 2) @ (weight * self.rho)
        if every_pair:
            far_x, far_y, add_x, add_y = far_x[:, None], far_y[None, :], add_x[:, None], add_y[None, :]
            cross = (a[:, :k] * weight) @ b[:, :k].T
        else:
            cross = (a[:, :k] * weight * b[:, :k]).sum(1)
        change = add_x + add_y - 2 * cross
        level = -0.5 * float(np.log1p(-(self.rho**2)).sum())
        if np.isinf(self.nu):
            return np.asarray(level - change / 2)
        nu = self.nu
        level += float(gammaln((nu + dx + dy) / 2) + gammaln(nu / 2) - gammaln((nu + dx) / 2) - gammaln((nu + dy) / 2))
        together = (nu + dx + dy) / 2 * np.log1p((far_x + far_y + change) / nu)
        return np.asarray(level - together + (nu + dx) / 2 * np.log1p(far_x / nu) + (nu + dy) / 2 * np.log1p(far_y / nu))


def scores(uniform: Floats, nu: float) -> Floats:
    """Quantiles of Student's t with nu degrees of freedom (inf: normal) at probabilities inside (0, 1), any shape."""
    from scipy.special import ndtri, stdtrit

    return np.asarray(ndtri(uniform) if np.isinf(nu) else stdtrit(nu, uniform), dtype=np.float64)


def fitted(x: Floats, y: Floats, *, nu: float | None = None, seed: int = 0) -> Elliptical:
    """The elliptical copula of x (n, dx) and y (n, dy); cross-correlations that are not significant are set to 0.

    nu: degrees of freedom where they are known; None: found by `tail_weight`.
    """
    if nu is None:
        nu = tail_weight(ranks(x, seed), ranks(y, seed + 1), seed=seed)
    found = scattered(x, y, nu, seed=seed)[2]
    free = effective_rows(len(x), x.shape[1] + y.shape[1], nu)
    kept = significant(found.rho, int(free), found.turn_x.shape[1], found.turn_y.shape[1])
    return Elliptical(Margins.of(x), Margins.of(y), nu, found.turn_x, found.turn_y, found.rho[:kept])


def scattered(x: Floats, y: Floats, nu: float, *, seed: int = 0) -> tuple[Floats, Floats, Canonical]:
    """t-scores (n, dx), (n, dy) of the ranks of x and y, and the canonical directions of their t-estimate of scatter."""
    rows, dx = np.concatenate([ranks(x, seed), ranks(y, seed + 1)], axis=1), x.shape[1]
    z = _levels(len(rows), nu)[rows]
    weight = np.sqrt(_weights(z, nu))[:, None]
    return z[:, :dx], z[:, dx:], canonical(z[:, :dx] * weight, z[:, dx:] * weight, centered=False)


def elliptical_bits(x: Floats, y: Floats, nu: float, *, seed: int = 0) -> float:
    """I(X; Y) in bits if the copula of x (n, dx) and y (n, dy) is Student's t with nu degrees of freedom (inf: Gaussian).

    The scatter's part, with the Wishart correction at the rows the t-estimate is worth, plus what the shared scale alone
    carries, in closed form (entropies of the multivariate t: Kotz, Nadarajah 2004). ValueError for too few rows.
    """
    from hartley.bits.portfolio.copula import covariance_bits

    rows = np.concatenate([ranks(x, seed), ranks(y, seed + 1)], axis=1)
    z = _levels(len(rows), nu)[rows]
    weight = np.sqrt(_weights(z, nu))[:, None]
    dx = x.shape[1]
    free = effective_rows(len(rows), rows.shape[1], nu)
    return covariance_bits(z[:, :dx] * weight, z[:, dx:] * weight, rows=free) + scale_bits(dx, y.shape[1], nu)


def effective_rows(n: int, d: int, nu: float) -> float:
    """Rows of Gaussian data that pin the scatter down as well as n rows of Student's t in d dimensions do."""
    return float(n) if np.isinf(nu) else n * (nu + d) / (nu + d + 2)


def scale_bits(dx: int, dy: int, nu: float) -> float:
    """I(X; Y) in bits of a multivariate t with nu degrees of freedom and identity scatter, dx and dy of its coordinates."""
    from scipy.special import digamma, gammaln

    if np.isinf(nu):
        return 0.0

    def entropy(d: int) -> float:
        half = (nu + d) / 2
        return float(gammaln(nu / 2) - gammaln(half) + half * (digamma(half) - digamma(nu / 2)))

    return (entropy(dx) + entropy(dy) - entropy(dx + dy)) / float(np.log(2))


def tail_weight(x: Counts, y: Counts, *, seed: int = 0) -> float:
    """Degrees of freedom of the t-copula of ranks x (n, dx) and y (n, dy), or inf where a Gaussian copula does as well.

    nu is fitted by profile likelihood on one half of the rows and kept when the mean log-likelihood on the other half is
    above that of the Gaussian copula by more than twice its standard error; then it is fitted to all. Any part of a t has
    the same nu, so of wide data twelve columns a side are enough.
    """
    n = len(x)
    generator = np.random.default_rng([seed, n, x.shape[1], y.shape[1]])
    columns = [side[:, np.sort(generator.permutation(side.shape[1])[:COLUMNS_FOR_TAILS])] for side in (x, y)]
    rows = np.concatenate(columns, axis=1)[generator.permutation(n)]
    half = min(n // 2, ROWS_FOR_TAILS)
    if half < 2 * rows.shape[1] + 20:
        return float("inf")
    nu = _likeliest(rows[:half], n)
    first, second = (rows[:half], rows[half : 2 * half])
    gain = _log_density(first, second, nu, n) - _log_density(first, second, float("inf"), n)
    if gain.mean() <= 2 * gain.std() / np.sqrt(half):
        return float("inf")
    return _likeliest(rows[:ROWS_FOR_FINAL], n)


def _likeliest(rows: Counts, n: int) -> float:
    """nu of the highest profile likelihood at ranks rows (m, d), out of n."""
    from scipy.optimize import minimize_scalar

    best = minimize_scalar(
        lambda log_nu: -float(_log_density(rows, rows, float(np.exp(log_nu)), n).mean()),
        bounds=tuple(np.log(NU_RANGE)),
        method="bounded",
        options={"xatol": 0.01, "maxiter": 16},
    )
    return float(np.exp(best.x))


def _log_density(fit: Counts, at: Counts, nu: float, n: int) -> Floats:
    """Log-density (m,) of the copula whose scatter is that of ranks `fit` (k, d), at ranks `at` (m, d), all out of n."""
    from scipy.special import gammaln

    levels = _levels(n, nu)
    z, new = levels[fit], levels[at]
    weight = _weights(z, nu)
    scatter = (z * weight[:, None]).T @ z / len(z)
    d = new.shape[1]
    far = (new @ _inverse(scatter) * new).sum(1)
    level = 0.5 * np.linalg.slogdet(_inverse(scatter))[1]
    if np.isinf(nu):
        return np.asarray(level - far / 2 + (new**2).sum(1) / 2)
    level += float(gammaln((nu + d) / 2) + (d - 1) * gammaln(nu / 2) - d * gammaln((nu + 1) / 2))
    return np.asarray(level - (nu + d) / 2 * np.log1p(far / nu) + (nu + 1) / 2 * np.log1p(new**2 / nu).sum(1))


def _weights(z: Floats, nu: float) -> Floats:
    """Weights (n,) of the t-estimate of scatter at scores z (n, d) (Kent, Tyler 1991): far rows count less."""
    n, d = z.shape
    weight = np.ones(n)
    if np.isinf(nu):
        return weight
    scatter = np.corrcoef(np.sign(z) * np.minimum(np.abs(z), 2.0), rowvar=False)
    for _ in range(ROUNDS):
        weight = (nu + d) / (nu + (z @ _inverse(scatter) * z).sum(1))
        scatter = (z * weight[:, None]).T @ z / n
    return np.asarray(weight)


def _inverse(scatter: Floats) -> Floats:
    """Of a scatter matrix (d, d), with a billionth of its mean variance added: columns may repeat each other."""
    d = len(scatter)
    return np.asarray(np.linalg.inv(scatter + 1e-9 * np.trace(scatter) / d * np.eye(d)))


def _levels(n: int, nu: float) -> Floats:
    return scores((np.arange(n) + 0.5) / n, nu)
