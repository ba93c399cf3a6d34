"""Optimizers over a continuous carrier: projected sign gradient, and Square as its query-only sibling."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from hartley.attacks.engine.budget import Linf, Snr
from hartley.attacks.engine.carrier import Additive
from hartley.attacks.engine.expectation import Views
from hartley.attacks.engine.objective import Loss


@dataclass(frozen=True)
class Problem:
    """What an optimizer works on: `rows` (m,) are the indices of the m inputs `clean` that losses align by. solved: (delivered inputs
    (m, ...), rows) to (m,) bool."""

    loss: Loss
    views: Views
    carrier: Additive
    budget: Linf | Snr
    clean: Tensor
    rows: Tensor
    generator: torch.Generator
    solved: Callable[[Tensor, Tensor], Tensor] | None = None


@dataclass(frozen=True)
class Trace:
    """adversarial: like the clean input. losses: mean loss a step. zero_gradient: share of inputs whose first gradient
    was exactly zero. passes: forward passes per input, views included."""

    adversarial: Tensor
    losses: tuple[float, ...]
    zero_gradient: float
    passes: float


@dataclass(frozen=True)
class SignGradient:
    """Projected gradient descent by the sign of the gradient (PGD; Madry et al. 2018), with momentum in the manner of MI-FGSM.

    steps      how many.
    size       step in units of the budget's space; None: the budget's own choice.
    momentum   0 for plain PGD.
    start      random start inside the budget (uniform), otherwise at the clean input.
    drop       leave out inputs as soon as the problem's `solved` says so of the file that they would be delivered in.

    Gradients are taken with respect to the carrier alone; the target's parameters collect none.
    """

    steps: int
    size: float | None = None
    momentum: float = 0.0
    start: bool = False
    drop: bool = False

    def run(self, problem: Problem) -> Trace:
        """Attacks all inputs of the problem at once. Returns what was reached after the last step."""
        clean, carrier, budget = problem.clean, problem.carrier, problem.budget
        step = budget.step(clean, self.steps) if self.size is None else torch.tensor(self.size)
        delta = torch.zeros_like(clean)
        if self.start:
            delta = (torch.rand(clean.shape, generator=problem.generator) * 2 - 1) * step * self.steps
            delta = budget.project(delta, clean)
        current = carrier.apply(clean, delta)
        velocity = torch.zeros_like(clean) if self.momentum else None
        active = torch.arange(len(clean))
        final = current.clone()
        losses: list[float] = []
        zero, passes = 0.0, 0
        for index in range(self.steps):
            loss, gradient, views = _gradient(problem, current, problem.rows[active])
            passes += views * len(active)
            losses.append(float(loss.mean()))
            if index == 0:
                zero = float((gradient.flatten(1).abs().amax(dim=1) == 0).float().mean())
            if self.drop and problem.solved is not None:
                open_rows = ~_holds(problem, current, active)
                final[active] = current
                if not bool(open_rows.any()):
                    break
                if not bool(open_rows.all()):
                    active, current, gradient = active[open_rows], current[open_rows], gradient[open_rows]
                    velocity = velocity[open_rows] if velocity is not None else None
            if velocity is not None:
                scale = gradient.flatten(1).abs().mean(dim=1).clamp_min(1e-20).reshape(-1, *[1] * (clean.ndim - 1))
                velocity = self.momentum * velocity + gradient / scale
                gradient = velocity
            moved = (current - clean[active]).addcmul_(gradient.sign(), step if step.ndim == 0 else step[active], value=-1)
            current = carrier.apply(clean[active], budget.project(moved, clean[active]))
        final[active] = current
        return Trace(final, tuple(losses), zero, passes / max(1, len(clean)))


def _gradient(problem: Problem, current: Tensor, rows: Tensor) -> tuple[Tensor, Tensor, int]:
    """Mean loss over the views (m,), its gradient in the carrier, and the number of views."""
    point = current.detach().requires_grad_(True)
    total: Tensor | None = None
    count = 0
    for view in problem.views(point, problem.generator):
        loss = problem.loss(view, rows)
        total = loss if total is None else total + loss
        count += 1
    if total is None:
        raise ValueError("an expectation gave no view of the input")
    (gradient,) = torch.autograd.grad(total.sum(), point)
    return total.detach() / count, gradient, count


@torch.no_grad()
def _holds(problem: Problem, current: Tensor, active: Tensor) -> Tensor:
    """(m,) which active inputs are solved as a file would hold them."""
    if problem.solved is None:
        return torch.zeros(len(active), dtype=torch.bool)
    return problem.solved(problem.carrier.deliver(current), problem.rows[active])


@dataclass(frozen=True)
class Square:
    """Random search over square patches by score alone (Square Attack; Andriushchenko et al., ECCV 2020), for the L-infinity ball.

    queries   forward passes per input.
    share     the first patches' share of the picture; it falls as the published schedule says.
    """

    queries: int
    share: float = 0.2

    @torch.no_grad()
    def run(self, problem: Problem) -> Trace:
        """Keeps a random patch of +-epsilon wherever it lowers the loss. Never asks for a gradient."""
        budget, clean, carrier, generator = problem.budget, problem.clean, problem.carrier, problem.generator
        if not isinstance(budget, Linf) or clean.ndim != 4:
            raise ValueError("Square works on pictures (n, 3, h, w) in an L-infinity ball")
        count, channels, height, width = clean.shape
        stripes = torch.randint(0, 2, (count, channels, 1, width), generator=generator) * 2.0 - 1
        best = carrier.apply(clean, budget.epsilon * stripes)
        best_loss = problem.loss(best, problem.rows)
        losses = [float(best_loss.mean())]
        for query in range(1, self.queries):
            side = max(1, round(math.sqrt(self._share(query) * height * width)))
            side = min(side, height, width)
            top = torch.randint(height - side + 1, (count, 1), generator=generator)
            left = torch.randint(width - side + 1, (count, 1), generator=generator)
            rows, columns = torch.arange(height)[None], torch.arange(width)[None]
            inside = ((rows >= top) & (rows < top + side))[:, :, None] & ((columns >= left) & (columns < left + side))[:, None, :]
            sign = torch.randint(0, 2, (count, channels, 1, 1), generator=generator) * 2.0 - 1
            trial = torch.where(inside[:, None], carrier.apply(clean, budget.epsilon * sign), best)
            loss = problem.loss(trial, problem.rows)
            better = loss < best_loss
            best = torch.where(better[:, None, None, None], trial, best)
            best_loss = torch.where(better, loss, best_loss)
            losses.append(float(best_loss.mean()))
        return Trace(best, tuple(losses), 0.0, float(self.queries))

    def _share(self, query: int) -> float:
        progress = query / self.queries
        marks = (0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)
        return self.share / 2 ** sum(progress > mark for mark in marks)


@dataclass(frozen=True)
class Apgd:
    """Auto-PGD (Croce and Hein, ICML 2020) for the L-infinity ball: momentum, steps that are halved by what they brought, best point kept.

    steps   how many; the first is twice the ball's radius.
    """

    steps: int

    def run(self, problem: Problem) -> Trace:
        """Attacks all inputs of the problem at once. Returns the point of each input's lowest loss."""
        budget, clean, carrier = problem.budget, problem.clean, problem.carrier
        if not isinstance(budget, Linf):
            raise ValueError("Auto-PGD's rule of steps is for an L-infinity ball")
        marks, shape = checkpoints(self.steps), (-1, *[1] * (clean.ndim - 1))
        start = (torch.rand(clean.shape, generator=problem.generator) * 2 - 1) * budget.epsilon
        current = before = carrier.apply(clean, start)
        loss, gradient, views = _gradient(problem, current, problem.rows)
        zero = float((gradient.flatten(1).abs().amax(dim=1) == 0).float().mean())
        best, best_loss, best_gradient = current.clone(), loss.clone(), gradient.clone()
        step = torch.full((len(clean),), 2.0 * budget.epsilon)
        reduced, fell, at_mark = torch.ones(len(clean), dtype=torch.bool), torch.zeros(len(clean)), best_loss.clone()
        losses = [float(loss.mean())]

        def inside(point: Tensor) -> Tensor:
            return carrier.apply(clean, budget.project(point - clean, clean))

        for index in range(1, self.steps):
            ahead = inside(current - step.view(shape) * gradient.sign())
            share = 1.0 if index == 1 else 0.75
            moved = inside(current + share * (ahead - current) + (1 - share) * (current - before))
            before, current = current, moved
            last = loss
            loss, gradient, seen = _gradient(problem, current, problem.rows)
            views += seen
            fell += (loss < last).float()
            better = loss < best_loss
            best[better], best_loss[better], best_gradient[better] = current[better], loss[better], gradient[better]
            losses.append(float(best_loss.mean()))
            if index in marks:
                since = index - marks[index]
                stuck = (fell < 0.75 * since) | (~reduced & (at_mark <= best_loss))
                reduced, at_mark, fell = stuck, best_loss.clone(), torch.zeros(len(clean))
                step[stuck] /= 2
                current, gradient, loss = current.clone(), gradient.clone(), loss.clone()
                current[stuck], gradient[stuck], loss[stuck] = best[stuck], best_gradient[stuck], best_loss[stuck]
        return Trace(best, tuple(losses), zero, float(views))


def checkpoints(steps: int) -> dict[int, int]:
    """The steps at which Auto-PGD looks back, each with the one before it: at shares of .22, then .19, .16, ... more of the steps, the
    gaps falling by .03 down to .06."""
    shares = [0, 22]  # of a hundred
    while shares[-1] < 100:
        shares.append(shares[-1] + max(shares[-1] - shares[-2] - 3, 6))
    places = sorted({place for share in shares if (place := -(-share * steps // 100)) < steps})
    return dict(zip(places[1:], places, strict=False))


@dataclass(frozen=True)
class Noise:
    """Random signs of the budget's full size: the control that every optimized perturbation is held against. Asks for nothing."""

    def run(self, problem: Problem) -> Trace:
        """The perturbed inputs."""
        signs = torch.randint(0, 2, problem.clean.shape, generator=problem.generator) * 2.0 - 1
        size = problem.budget.step(problem.clean, 1)
        return Trace(problem.carrier.apply(problem.clean, problem.budget.project(signs * size, problem.clean)), (), 0.0, 0.0)
