"""Information of a Gaussian mixture whose parameters are known: labels at points, unit Gaussian noise around each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from hartley.bits.tables import Floats

_PAIRS = 10_000
_CELLS = 2_000_000
_NODES = 160


@dataclass(frozen=True)
class Mixture:
    """bits: I(Y; centers[Y] + noise). error_bits: its standard error (0 by quadrature). divergence_bits (K,): D(p_k || mixture).

    overlap (K, K): p_k E[posterior of j | k], symmetric: how far labels k and j are mistaken for each other. It is also
    the gradient: dI = 1/2 tr(laplacian d(centers centers^T)) nats, the I-MMSE relation (Guo, Shamai and Verdu 2005).
    """

    bits: float
    error_bits: float
    divergence_bits: Floats
    overlap: Floats

    @property
    def laplacian(self) -> Floats:
        """(K, K), positive semidefinite."""
        return np.asarray(np.diag(self.overlap.sum(1)) - self.overlap)


def mixture_information(centers: Floats, law: Floats, *, seed: int = 0) -> Mixture:
    """I(Y; Z) for labels of law (K,) at centers (K, r) in unit Gaussian noise.

    r = 1: Gauss-Hermite quadrature. Else Monte Carlo with antithetic noise, the same number of draws for each label,
    at most 20,000 in all (2 for each label at least); `seed` fixes them, so that two calls differ by the centers only.
    """
    labels, r = centers.shape
    if r == 1:
        noise, weight = _quadrature()
    else:
        pairs = max(1, min(_PAIRS, _CELLS // (2 * labels)) // labels)
        # each label has its own draws: one set for all would leave its luck in the mean
        noise = np.random.default_rng(seed).standard_normal((labels * pairs, r))
        weight = np.full(2 * pairs, 1.0 / (2 * pairs))
    squares = (centers**2).sum(1)
    log_law = np.log(law)
    divergence, overlap, spread = np.empty(labels), np.empty((labels, labels)), 0.0
    for k in range(labels):
        own = noise
        if r > 1:
            part = noise[k * (len(noise) // labels) : (k + 1) * (len(noise) // labels)]
            own = np.concatenate([part, -part])
        # log p_j p(z|j) / p(z|k): the squared noise cancels, so distances never lose precision to it
        gap = own @ (centers - centers[k]).T + (log_law - (squares - 2 * centers @ centers[k] + squares[k]) / 2)
        top = gap.max(1, keepdims=True)
        mass = np.exp(gap - top)
        total = mass.sum(1, keepdims=True)
        density = -(top + np.log(total))[:, 0]
        divergence[k] = weight @ density
        overlap[k] = law[k] * (weight @ (mass / total))
        if r > 1:
            both = density.reshape(2, -1).mean(0)
            spread += float(law[k] ** 2 * both.var() / len(both))
    bits = float(law @ divergence / np.log(2))
    return Mixture(max(bits, 0.0), float(np.sqrt(spread) / np.log(2)), divergence / np.log(2), (overlap + overlap.T) / 2)


@lru_cache(maxsize=1)
def _quadrature() -> tuple[Floats, Floats]:
    """Nodes (m, 1) and weights (m,) for the standard normal law."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
    return nodes[:, None], weights / weights.sum()
