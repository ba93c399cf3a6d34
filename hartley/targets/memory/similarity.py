"""How near a query is to an entry: the cosine, or the dot product with or without a limit on an entry's length."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hartley.errors import InputError


@dataclass(frozen=True)
class Similarity:
    """score = (query . entry) * entry_factor * query_factor, where the factors depend on the lengths alone.

    cosine  both are divided by their lengths; a vector of length 0 has cosine 0 with everything.
    clip    with the dot product, an entry longer than this counts as so long (the defense of Zhong et al., "Poisoning Retrieval
            Corpora by Injecting Adversarial Passages", EMNLP 2023: a passage that wins by its length alone loses); None: no limit.

    Raises InputError for a limit that is not positive, or one beside the cosine, which knows no lengths.
    """

    cosine: bool = True
    clip: float | None = None

    def __post_init__(self) -> None:
        if self.clip is not None and (self.cosine or not 0 < self.clip < math.inf):
            raise InputError(f"the length of entries is limited to {self.clip}; a positive limit, with the dot product, is accepted")

    def entry_factors(self, lengths: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n,) what an entry's product with a query is multiplied by."""
        if self.cosine:
            return _inverse(lengths)
        if self.clip is None:
            return np.ones_like(lengths)
        return np.minimum(1.0, self.clip * _inverse(lengths, otherwise=1 / self.clip))

    def query_factors(self, lengths: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n,) the same for queries; 1 for one of length 0, whose products are 0 already."""
        return _inverse(lengths, otherwise=1.0) if self.cosine else np.ones_like(lengths)


def _inverse(lengths: NDArray[np.float64], otherwise: float = 0.0) -> NDArray[np.float64]:
    return np.divide(1.0, lengths, out=np.full_like(lengths, otherwise), where=lengths > 0)


COSINE = Similarity()
DOT = Similarity(cosine=False)
