"""Where the label means lie, in units of the noise: the Gram matrix corrected for finite samples, and its sampling law."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hartley.bits.embeddings.mixture import Mixture, mixture_information
from hartley.bits.spectrum import Moments, corrected_spectrum, inflation
from hartley.bits.tables import Floats

_BUDGET = 3_000_000
"""Cells drawn for the sampling law."""


def corrected_gram(moments: Moments, law: Floats) -> Floats:
    """(K, K), unbiased for the Gram matrix of the label means in the metric of the true within-label covariance.

    Centered at the mean under law (K,). The inverse of a sample covariance is too large by n - K over n - K - d - 1 (inverse
    Wishart), and each mean has noise of its own, d / n_k on the diagonal. Exact for Gaussian rows; not clipped, so it may have
    negative eigenvalues. Raises LinAlgError when the covariance cannot be inverted.
    """
    from scipy.linalg import cho_factor, cho_solve

    dimensions = moments.within.shape[0]
    solved = cho_solve(cho_factor(moments.within, lower=True), moments.means.T)
    gram = moments.means @ solved / inflation(moments) - np.diag(dimensions / moments.counts)
    gram = gram - law @ gram
    gram = gram - (gram @ law)[:, None]
    return np.asarray((gram + gram.T) / 2)


def shaped(gram: Floats, law: Floats, spectrum: Floats) -> Floats:
    """Points (K, r) with the eigenvectors of gram (K, K), weighted by law (K,), and the eigenvalues spectrum (r,)."""
    root = np.sqrt(law)
    vectors = np.linalg.eigh(gram * root[:, None] * root)[1][:, ::-1][:, : len(spectrum)]
    return np.asarray(vectors * np.sqrt(spectrum) / root[:, None])


@dataclass(frozen=True)
class Placed:
    """The estimate: centers (K, r) in units of the noise, the information of that mixture, and gram (K, K), unbiased."""

    centers: Floats
    mixture: Mixture
    gram: Floats

    def functionals(self, laplacian: Floats) -> tuple[float, float]:
        """tr(laplacian Gram) of the unbiased matrix and of the points, the smaller first."""
        pair = float((laplacian * self.gram).sum()), float((laplacian * (self.centers @ self.centers.T)).sum())
        return min(pair), max(pair)


def placed(moments: Moments, law: Floats, *, seed: int = 0) -> Placed:
    """The corrected Gram matrix as points, and the information of unit Gaussian noise around them.

    Setting its negative eigenvalues to 0 would keep the noise in the positive ones: 1.3 bits too much at K = 100, d = 512
    and 20 rows a label. So the eigenvalues are those of `corrected_spectrum`, which no longer fan out, scaled so that
    their sum is that of the matrix, which is unbiased.
    """
    gram = corrected_gram(moments, law)
    spectrum = corrected_spectrum(moments, moments, law, seed=seed)
    power = max(float(law @ np.diag(gram)), 0.0)
    total = float(spectrum.sum())
    centers = shaped(gram, law, spectrum * (power / total if total > 0 else 0.0))
    return Placed(centers, mixture_information(centers, law, seed=seed), gram)


def limits_bits(estimate: Placed, moments: Moments, law: Floats, *, seed: int = 0) -> tuple[float, float]:
    """95% limits in bits for Gaussian rows: a test inverted along the family `scale x centers`.

    The statistic is tr(laplacian Gram), to first order 2 ln2 times the information. For each scale its law is known
    exactly: noncentral Wishart means in the metric of an independent inverse Wishart. It is simulated once, as a square
    polynomial of the scale, so the limits cost no more than two quantile searches. For two labels this is the exact
    interval of Hotelling's T^2, at any n, near 0 and near H(Y) alike. The upper limit is never below what a typical sample
    without signal gives.
    """
    centers, laplacian = estimate.centers, estimate.mixture.laplacian
    if not (centers**2).sum() > 0:
        # nothing to scale: even points stand in; near 0 only their total power matters
        centers = shaped(np.diag(1 / law) - 1.0, law, np.ones(centers.shape[1]))
    constant, linear, square = _functional_draws(centers, laplacian, moments, seed)
    smaller, larger = estimate.functionals(laplacian)
    larger = max(larger, float(np.median(constant)))

    def at(scale: float, level: float) -> float:
        return float(np.quantile(constant + scale * linear + scale**2 * square, level))

    # the smallest scale that could reach so high, and the largest that could fall so low
    scales = _root(lambda s: at(s, 0.975) - smaller), _root(lambda s: at(s, 0.025) - larger)
    low, high = (mixture_information(s * centers, law, seed=seed).bits for s in scales)
    return min(low, estimate.mixture.bits), max(high, estimate.mixture.bits)


def _root(distance: Callable[[float], float]) -> float:
    """Where an increasing function of a scale crosses 0; 0 when it is above 0 from the start."""
    if distance(0.0) >= 0:
        return 0.0
    high = 1.0
    while distance(high) < 0 and high < 1e6:
        high *= 2
    low = 0.0 if high == 1.0 else high / 2
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if distance(middle) < 0 else (low, middle)
    return (low + high) / 2


def _functional_draws(centers: Floats, laplacian: Floats, moments: Moments, seed: int) -> tuple[Floats, Floats, Floats]:
    """Draws (R,) of the functional at scale s: constant + s linear + s^2 square.

    With B = laplacian^1/2 (s centers + noise), the functional is tr(B V B^T) / c - tr(laplacian diag(d / n_k)), where V is
    (n - K) times an inverse Wishart matrix in d dimensions. Only V within the row space of B matters, and there it is
    an inverse Wishart again, of m = min(K - 1, d) dimensions and n - K - d + m degrees of freedom.
    """
    labels, rank = centers.shape
    dimensions = moments.within.shape[0]
    values, vectors = np.linalg.eigh(laplacian)
    half = (vectors * np.sqrt(np.maximum(values, 0.0)))[:, 1:].T if dimensions >= labels else (vectors * np.sqrt(np.maximum(values, 0.0))).T
    small = dimensions < labels
    m = dimensions if small else labels - 1
    draws = int(np.clip(_BUDGET // (labels * max(rank, m)), 200, 2000))
    generator = np.random.default_rng([seed, 1])
    deviation = 1 / np.sqrt(moments.counts)
    noise = generator.standard_normal((draws, labels, rank)) * deviation[:, None]
    shape = inverse_wishart(generator, draws, m, moments.freedom - dimensions + m) * moments.freedom
    signal = half @ centers
    noise = half @ noise
    if small:
        flat = noise.transpose(0, 2, 1)
        parts = (signal.T @ signal, signal.T @ noise, flat @ noise)
    else:
        rest = wishart(generator, draws, labels, dimensions - rank)
        rest = (half * deviation) @ rest @ (half * deviation).T
        parts = (signal @ signal.T, signal @ noise.transpose(0, 2, 1), noise @ noise.transpose(0, 2, 1) + rest)
    square, cross, own = ((shape * part).sum((-2, -1)) for part in parts)
    scale = inflation(moments)
    return own / scale - float(np.trace(laplacian * (dimensions / moments.counts))), 2 * cross / scale, square / scale


def wishart(generator: np.random.Generator, draws: int, size: int, freedom: int) -> Floats:
    """(draws, size, size) Wishart matrices of identity scale; freedom may be below size (Bartlett 1933 where it is not)."""
    if freedom < size:
        rows = generator.standard_normal((draws, size, max(freedom, 0)))
        return np.asarray(rows @ rows.transpose(0, 2, 1))
    lower = _bartlett(generator, draws, size, freedom)
    return np.asarray(lower @ lower.transpose(0, 2, 1))


def inverse_wishart(generator: np.random.Generator, draws: int, size: int, freedom: int) -> Floats:
    """(draws, size, size) inverses of Wishart matrices of identity scale."""
    inverse = np.linalg.inv(_bartlett(generator, draws, size, freedom))
    return np.asarray(inverse.transpose(0, 2, 1) @ inverse)


def _bartlett(generator: np.random.Generator, draws: int, size: int, freedom: int) -> Floats:
    lower = np.tril(generator.standard_normal((draws, size, size)), -1)
    diagonal = np.arange(size)
    lower[:, diagonal, diagonal] = np.sqrt(generator.chisquare(np.maximum(freedom - diagonal, 1), (draws, size)))
    return np.asarray(lower)
