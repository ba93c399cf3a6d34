"""Token search: texts that are found word by word, by the gradient of a loss and by trying."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class TokenSearch:
    """Greedy coordinate gradient (Zou et al. 2023). Every step tries `batch` texts that differ from the best one in a single place, by
    one of the `top` tokens that the gradient likes best there, and keeps the best of all.

    Tokens that are not allowed are never tried, whatever their gradient.
    """

    steps: int
    batch: int = 64
    top: int = 32

    def run(
        self,
        start: Tensor,
        allowed: Tensor,
        loss: Callable[[Tensor], Tensor],
        gradient: Callable[[Tensor], Tensor],
        generator: torch.Generator,
    ) -> tuple[Tensor, tuple[float, ...]]:
        """The best tokens (length,) from `start`, and the lowest loss after each step.

        allowed: (tokens,) bool. loss: (n, length) to (n,). gradient: (length,) to (length, tokens).
        Raises ValueError where nothing is allowed.
        """
        if not bool(allowed.any()):
            raise ValueError("no token is allowed")
        best, lowest = start, float(loss(start[None]))
        losses = [lowest]
        count = min(self.top, int(allowed.sum()))
        for _ in range(self.steps):
            liked = gradient(best).masked_fill(~allowed, torch.inf).topk(count, largest=False).indices
            places = torch.randint(len(best), (self.batch,), generator=generator)
            tried = best.repeat(self.batch, 1)
            tried[torch.arange(self.batch), places] = liked[places, torch.randint(count, (self.batch,), generator=generator)]
            found = loss(tried)
            place = int(found.argmin())
            if float(found[place]) < lowest:
                best, lowest = tried[place], float(found[place])
            losses.append(lowest)
        return best, tuple(losses)
