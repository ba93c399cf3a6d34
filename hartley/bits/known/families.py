"""Ways to make a task of known tasks whose answer stays known: side by side, turned, mixed, rounded, silenced."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from hartley.bits.known import maps
from hartley.bits.known.task import Task
from hartley.bits.tables import Floats, binary_entropy_bits, entropy_bits, information_of_law


def beside(name: str, *tasks: Task) -> Task:
    """Independent tasks side by side: columns of x next to each other, those of y too, in the same order. Information adds up."""

    def sample(n: int, generator: np.random.Generator) -> tuple[Floats, Floats]:
        drawn = [task.sample(n, generator) for task in tasks]
        return np.concatenate([x for x, _ in drawn], axis=1), np.concatenate([y for _, y in drawn], axis=1)

    return Task(name, sum(t.dim_x for t in tasks), sum(t.dim_y for t in tasks), sum(t.truth_bits for t in tasks), sample)


def with_noise(name: str, task: Task, columns: int) -> Task:
    """The task with `columns` standard normal columns on either side that know of nothing."""

    def sample(n: int, generator: np.random.Generator) -> tuple[Floats, Floats]:
        x, y = (np.concatenate([side, generator.standard_normal((n, columns))], axis=1) for side in task.sample(n, generator))
        return x, y

    return replace(task, name=name, dim_x=task.dim_x + columns, dim_y=task.dim_y + columns, sample=sample)


def rotated(name: str, task: Task, seed: int = 0) -> Task:
    """Each side turned by a random rotation of its own, fixed by `seed`."""
    generator = np.random.default_rng(seed)
    turns = [np.linalg.qr(generator.standard_normal((d, d)))[0] for d in (task.dim_x, task.dim_y)]
    return task.mapped(name, lambda x: x @ turns[0], lambda y: y @ turns[1])


def mixed(name: str, tasks: Sequence[Task], weights: Sequence[float], *, seen_in_y: bool) -> Task:
    """Each row from one of several tasks of equal size; x shows which, by far shifts, and y too where seen_in_y.

    I = I(which; y) + sum of weights x information. I(which; y) is the entropy of `weights` where y shows it; else the law of
    y must be the same in every task, and it is 0.
    """
    law = np.asarray(weights, dtype=np.float64)

    def sample(n: int, generator: np.random.Generator) -> tuple[Floats, Floats]:
        which = generator.choice(len(tasks), n, p=law)
        x, y = np.empty((n, tasks[0].dim_x)), np.empty((n, tasks[0].dim_y))
        for place, task in enumerate(tasks):
            rows = np.flatnonzero(which == place)
            x[rows], y[rows] = task.sample(len(rows), generator)
            # the normal distribution function brings any numbers into (0, 1), so that shifts by whole numbers never meet
            x[rows] = maps.normal_cdf(x[rows]) + place
            if seen_in_y:
                y[rows] = maps.normal_cdf(y[rows]) + place
        return x, y

    within = float(sum(w * t.truth_bits for w, t in zip(law, tasks, strict=True)))
    return Task(name, tasks[0].dim_x, tasks[0].dim_y, within + (entropy_bits(law) if seen_in_y else 0.0), sample)


def silenced(name: str, task: Task, share: float, *, together: bool) -> Task:
    """Zero inflation: a `share` of rows has x = 0, and a share has y = 0; the same rows where together, else drawn apart.

    Zeros are seen as such, so I = h(share) + (1 - share) I together, and (1 - share)^2 I apart.
    """

    def sample(n: int, generator: np.random.Generator) -> tuple[Floats, Floats]:
        x, y = task.sample(n, generator)
        x_speaks = generator.random((n, 1)) >= share
        y_speaks = x_speaks if together else generator.random((n, 1)) >= share
        return np.where(x_speaks, x, 0.0), np.where(y_speaks, y, 0.0)

    truth = binary_entropy_bits(share) + (1 - share) * task.truth_bits if together else (1 - share) ** 2 * task.truth_bits
    return replace(task, name=name, truth_bits=float(truth), sample=sample)


def rounded(name: str, task: Task, step: float, truth_bits: float) -> Task:
    """Both sides rounded to multiples of `step`. The truth is that of the rounded values, to be given (`rounded_bits`)."""
    down = partial(_to_multiples, step=step)
    return replace(task.mapped(name, down, down), truth_bits=truth_bits)


def _to_multiples(z: Floats, *, step: float) -> Floats:
    return np.asarray(np.round(z / step) * step)


def rounded_bits(
    step: float, margin: Callable[[Floats], Floats], given: Callable[[Floats, Floats], Floats], span: tuple[float, float]
) -> float:
    """I of x and y, each one number, rounded to multiples of `step`: exact table of cells within `span`.

    margin: density of x; given (x, edge): distribution function of y at an edge given x. Gauss-Legendre in each cell of x.
    """
    cells = np.arange(np.floor(span[0] / step), np.ceil(span[1] / step) + 1)
    edges = (np.append(cells, cells[-1] + 1) - 0.5) * step
    edges[0], edges[-1] = -np.inf, np.inf
    nodes, weights = np.polynomial.legendre.leggauss(12)
    table = np.zeros((len(cells), len(cells)))
    for node, weight in zip(nodes, weights, strict=True):
        x = (cells + node / 2) * step
        table += (weight / 2 * step * margin(x))[:, None] * np.diff(given(x[:, None], edges[None, :]), axis=1)
    return information_of_law(table / table.sum())


def output_bits(density: Callable[[Floats], Floats], noise_bits: float, span: tuple[float, float], points: int = 400_001) -> float:
    """h(y) - h(y | x) by the trapezoid rule on the density of y over `span`, for a known mean entropy of y given x, in bits."""
    y = np.linspace(*span, points)
    p = density(y)
    logs = np.log2(np.where(p > 0, p, 1))
    return float(-(p * logs).sum() * (y[1] - y[0])) - noise_bits
