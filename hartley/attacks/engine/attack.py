"""Attack: a carrier, a budget, an expectation and an optimizer put together, run in chunks and watched for its own failures."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from hartley.attacks.engine.budget import Linf, Snr
from hartley.attacks.engine.carrier import PIXELS, WAVEFORM, Additive
from hartley.attacks.engine.expectation import Views, once
from hartley.attacks.engine.objective import Loss
from hartley.attacks.engine.optimizer import Apgd, Noise, Problem, SignGradient, Square, Trace

CHUNK = 100


@dataclass(frozen=True)
class Crafted:
    """adversarial: like the clean input, as delivered (rounded to what a file holds). losses: mean over inputs, a step each.
    warnings: (name, why) of every sanity rule that did not hold. passes: forward passes per input."""

    adversarial: Tensor
    losses: tuple[float, ...]
    warnings: tuple[tuple[str, str], ...]
    passes: float


@dataclass(frozen=True)
class Attack:
    """Continuous attack on one carrier. `optimizer` is SignGradient or Apgd (white box), Square (score only), or Noise (a control)."""

    carrier: Additive
    budget: Linf | Snr
    optimizer: SignGradient | Apgd | Square | Noise
    views: Views = once

    def craft(
        self,
        loss: Loss,
        clean: Tensor,
        generator: torch.Generator,
        progress: Callable[[int, int], None] = lambda done, total: None,
        solved: Callable[[Tensor, Tensor], Tensor] | None = None,
    ) -> Crafted:
        """Adversarial inputs for `clean` (n, ...). The target is asked through `loss` (and `solved`) alone.

        Raises ValueError when the clean inputs are not finite: an attack on NaN would report noise as success.
        """
        if not bool(torch.isfinite(clean).all()):
            raise ValueError("the clean inputs are not finite")
        traces: list[Trace] = []
        waiting = list(reversed(torch.arange(len(clean)).split(CHUNK)))
        while waiting:
            rows = waiting.pop()
            progress(int(rows[0]), len(clean))
            problem = Problem(loss, self.views, self.carrier, self.budget, clean[rows], rows, generator, solved)
            try:
                traces.append(self.optimizer.run(problem))
            except torch.OutOfMemoryError:
                if len(rows) < 2:
                    raise
                waiting += reversed(rows.chunk(2))
        progress(len(clean), len(clean))
        adversarial = self.carrier.deliver(torch.cat([trace.adversarial for trace in traces]))
        weights = torch.tensor([len(trace.adversarial) for trace in traces], dtype=torch.float64)
        weights /= weights.sum()
        length = min(len(trace.losses) for trace in traces)
        curve = torch.tensor([trace.losses[:length] for trace in traces], dtype=torch.float64)
        losses = tuple((weights[:, None] * curve).sum(dim=0).tolist())
        zero = float((weights * torch.tensor([trace.zero_gradient for trace in traces], dtype=torch.float64)).sum())
        passes = float((weights * torch.tensor([trace.passes for trace in traces], dtype=torch.float64)).sum())
        return Crafted(adversarial, losses, self._warnings(clean, adversarial, losses, zero), passes)

    def _warnings(self, clean: Tensor, adversarial: Tensor, losses: tuple[float, ...], zero: float) -> tuple[tuple[str, str], ...]:
        found = []
        if isinstance(self.optimizer, SignGradient | Apgd):
            if zero > 0.01:
                found.append(("zero gradients", f"{zero:.0%} of the inputs gave a gradient of exactly zero: the attack was blind on them"))
            if not (isinstance(self.optimizer, SignGradient) and self.optimizer.drop) and len(losses) > 1 and not losses[-1] < losses[0]:
                found.append(("loss does not fall", f"the mean loss went from {losses[0]:.4g} to {losses[-1]:.4g}"))
        if any(math.isnan(value) for value in losses):
            found.append(("loss is not a number", "the target answered with NaN: the attack could not steer"))
        over = int(self.budget.exceeded(clean, adversarial).sum())
        if over:
            found.append(("budget exceeded", f"{over} of {len(clean)} inputs left the budget after rounding to a file"))
        return tuple(found)


def pixels(size: float, optimizer: SignGradient | Apgd | Square | Noise, views: Views = once) -> Attack:
    """On pictures, each value of which may change by `size` of its 255 steps."""
    return Attack(PIXELS, Linf(size / 255, "pixel"), optimizer, views)


def waveform(decibels: float, optimizer: SignGradient) -> Attack:
    """On sounds, by a perturbation that is so many decibels below them."""
    return Attack(WAVEFORM, Snr(decibels, "waveform"), optimizer)
