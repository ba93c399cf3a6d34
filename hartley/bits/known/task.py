"""A task: a pair of variables that can be sampled, with the information between them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from hartley.bits.tables import Floats

Sample = Callable[[int, np.random.Generator], tuple[Floats, Floats]]
Map = Callable[[Floats], Floats]


@dataclass(frozen=True)
class Task:
    """x of dim_x and y of dim_y coordinates, I(x; y) = truth_bits; sample(n, generator) -> (x (n, dim_x), y (n, dim_y))."""

    name: str
    dim_x: int
    dim_y: int
    truth_bits: float
    sample: Sample

    def mapped(self, name: str, map_x: Map, map_y: Map, *, dim_x: int | None = None) -> Task:
        """The same task seen through two invertible maps: the truth stays. dim_x: of the image, where it differs."""

        def sample(n: int, generator: np.random.Generator) -> tuple[Floats, Floats]:
            x, y = self.sample(n, generator)
            return map_x(x), map_y(y)

        return replace(self, name=name, sample=sample, dim_x=self.dim_x if dim_x is None else dim_x)
