"""Concepts as Gaussian clusters: an embedding channel whose C_G, signal loss and noise gain are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hartley.bits.spectrum import gaussian_bits
from hartley.bits.tables import Counts, Floats


@dataclass(frozen=True)
class GaussianConcepts:
    """K concepts as Gaussian clusters: means (K, d) and one within-concept covariance, mixing @ mixing.T, mixing (d, d)."""

    means: Floats
    mixing: Floats

    @property
    def concepts(self) -> int:
        return int(self.means.shape[0])

    def c_g_bits(self, noise: GaussianConcepts | None = None) -> float:
        """C_G at equally likely concepts: these means in the covariance of `noise` (its own where None)."""
        mixing = self.mixing if noise is None else noise.mixing
        white = np.linalg.solve(mixing, (self.means - self.means.mean(0)).T) / np.sqrt(self.concepts)
        return gaussian_bits(np.linalg.svd(white, compute_uv=False) ** 2)

    def split_bits(self, after: GaussianConcepts) -> tuple[float, float]:
        """True (signal loss, noise gain) from this condition to `after`: the average over both orders of replacement."""
        kept, means = self.c_g_bits(), after.c_g_bits(self)
        noise, both = self.c_g_bits(after), after.c_g_bits()
        return (kept - means + noise - both) / 2, (kept - noise + means - both) / 2

    def sample(self, n: int, generator: np.random.Generator) -> tuple[Floats, Counts]:
        """(embedding (n, d), label (n,)), concepts in turn."""
        label = np.arange(n) % self.concepts
        return self.means[label] + generator.standard_normal((n, self.means.shape[1])) @ self.mixing.T, label
