"""The SNR spectrum of an embedding channel, corrected for finite samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hartley.bits.tables import Counts, Floats

_SIMULATIONS = 24
_STEPS = 12


@dataclass(frozen=True)
class Moments:
    """What is kept of embeddings under one condition. means (K, d); within (d, d), the pooled within-concept covariance; counts (K,)."""

    means: Floats
    within: Floats
    counts: Counts

    @property
    def freedom(self) -> int:
        """Degrees of freedom of `within`: n - K."""
        return int(self.counts.sum()) - len(self.counts)


def moments_of(sums: Floats, raw: Floats, counts: Counts) -> Moments:
    """From sums (K, d) of rows, raw (d, d) = sum of z z^T, and counts (K,). Means are centered: the modality mean goes."""
    means = sums / np.maximum(counts, 1)[:, None]
    within = (raw - sums.T @ means) / max(int(counts.sum()) - len(counts), 1)
    center = counts @ means / max(int(counts.sum()), 1)
    return Moments(means - center, (within + within.T) / 2, counts)


def observed_spectrum(signal: Moments, noise: Moments, law: Floats) -> Floats:
    """Uncorrected eigenvalues, descending, of W^-1/2 B W^-1/2: B from `signal`'s means under law (K,), W from `noise`.

    min(K - 1, d) of them. Invariant to any invertible linear map of the embedding, since only the Gram matrix of the
    means in the metric of W enters.
    """
    centered = signal.means - law @ signal.means
    gram = centered @ np.linalg.solve(noise.within, centered.T)
    root = np.sqrt(law)
    values = np.linalg.eigvalsh((gram + gram.T) / 2 * root[:, None] * root)[::-1]
    return np.asarray(np.maximum(values[: _rank(signal)], 0.0))


def _rank(part: Moments) -> int:
    return int(min(part.means.shape[0] - 1, part.means.shape[1]))


def inflation(noise: Moments) -> float:
    """E[W^-1] = inflation x true inverse, for Gaussian rows (inverse Wishart): (n - K) / (n - K - d - 1)."""
    dimensions = int(noise.within.shape[0])
    return noise.freedom / max(noise.freedom - dimensions - 1, 1)


def corrected_spectrum(signal: Moments, noise: Moments, law: Floats, *, seed: int = 0) -> Floats:
    """The spectrum (min(K - 1, d),), descending, whose expected sample spectrum is the observed one.

    A sample spectrum is too large (means are noisy, d / n_k each; W^-1 is inflated) and too spread out. Subtracting the
    expectation and clipping at 0 leaves over a bit of it at K = 10, d = 64, n = 400 and no signal at all. Here the law of the
    sample spectrum is simulated, means with their noise and W by its exact inverse-Wishart law, and inverted by fixed
    point (indirect inference: Gourieroux, Monfort and Renault 1993). `seed` fixes the simulation. Exact for Gaussian rows.
    """
    from scipy.optimize import isotonic_regression

    observed = observed_spectrum(signal, noise, law)
    rank, dimensions = len(observed), noise.within.shape[0]
    repeats = max(2, int(_SIMULATIONS * min(1.0, (20 / max(rank, 1)) ** 2)))
    generator = np.random.default_rng(seed)
    spread = float((law / np.maximum(signal.counts, 1)).mean()) * len(law) / max(len(law) - 1, 1)
    spread *= 1 - float((law**2).sum())
    powers = np.ones(dimensions)
    if signal is not noise:
        powers = np.sort(np.linalg.eigvals(np.linalg.solve(noise.within, signal.within)).real)
        powers = np.maximum(powers, 0.0) / inflation(noise)
    shaken = np.stack([generator.permutation(powers) for _ in range(repeats)])
    jitter = generator.standard_normal((repeats, rank, dimensions)) * np.sqrt(spread * shaken)[:, None, :]
    inverse = _inverse_wishart_roots(generator, repeats, rank, noise.freedom - dimensions + rank) * np.sqrt(noise.freedom)
    factor = inflation(noise)
    spectrum: Floats = np.maximum(observed / factor - spread * powers.sum(), 0.0)
    diagonal = np.arange(rank)
    for _ in range(_STEPS):
        rows = jitter.copy()
        rows[:, diagonal, diagonal] += np.sqrt(spectrum)
        rows = inverse @ rows
        drawn = np.linalg.eigvalsh(rows @ rows.transpose(0, 2, 1))[:, ::-1].mean(0)
        # eigenvalues repel: of two close ones the larger would be pushed below the smaller, so they are kept in order
        moved = isotonic_regression(spectrum + (observed - drawn) / factor, increasing=False).x
        spectrum = np.maximum(moved, 0.0)
    return spectrum


def _inverse_wishart_roots(generator: np.random.Generator, repeats: int, rank: int, freedom: int) -> NDArray[np.float64]:
    """(repeats, rank, rank) matrices T with T^T T distributed as the inverse of a Wishart(freedom) (Bartlett 1933)."""
    lower = np.tril(generator.standard_normal((repeats, rank, rank)), -1)
    diagonal = np.arange(rank)
    lower[:, diagonal, diagonal] = np.sqrt(generator.chisquare(np.maximum(freedom - diagonal, 1), (repeats, rank)))
    return np.asarray(np.linalg.inv(lower))


def gaussian_bits(spectrum: Floats) -> float:
    """C_G = sum of 1/2 log2(1 + lambda), in bits per use: the Shannon-Hartley reading of a spectrum."""
    return float(0.5 * np.log2(1.0 + spectrum).sum())
