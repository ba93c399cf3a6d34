"""Goals 1 and 3: many columns, few rows; beside the KSG packages and the covariance plug-in that a benchmark package ships."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from hartley.bits.known import TASKS, Task
from hartley.bits.portfolio.copula import copula_bits
from hartley.bits.portfolio.reduced import reduced_bits
from measures_parts.line import Line, cpu_seconds, peer

TITLE = "Continuous variables: bias in many dimensions"
SEEDS = 20
PEER_SEEDS = 3

Estimate = Callable[[np.ndarray, np.ndarray], float]


def plug_in_bits(x: np.ndarray, y: np.ndarray) -> float:
    """Sum of -1/2 log2(1 - rho^2) over the canonical correlations as they come: the estimate without correction."""
    white = [np.linalg.qr(side - side.mean(0))[0] for side in (x, y)]
    rho = np.linalg.svd(white[0].T @ white[1], compute_uv=False)
    return float(-0.5 * np.log2(1 - np.minimum(rho, 1 - 1e-12) ** 2).sum())


def bias(estimate: Estimate, task: Task, n: int, seeds: int) -> tuple[float, float]:
    """(mean error, its standard deviation) in bits over `seeds` samples of n rows."""
    errors = [estimate(*task.sample(n, np.random.default_rng(seed))) - task.truth_bits for seed in range(seeds)]
    return float(np.mean(errors)), float(np.std(errors))


def packages() -> tuple[dict[str, Estimate], list[str]]:
    """KSG of the packages at three neighbors, for any dimension; and why one is missing."""
    found: dict[str, Estimate] = {}
    missing = []
    module, why = peer("npeet_plus")
    if module is not None:
        found["npeet-plus"] = lambda x, y: float(module.mi(x, y, k=3))
    missing += [why] * (module is None)
    other, why = peer("infomeasure")
    if other is not None:
        found["infomeasure"] = lambda x, y: float(other.mutual_information(x, y, approach="ksg", k=3, noise_level=0, base=2))
    missing += [why] * (other is None)
    third, why = peer("ennemi._entropy_estimators")
    if third is not None:
        found["ennemi"] = lambda x, y: float(third._estimate_single_mi(x, y, 3) / np.log(2))
    missing += [why] * (third is None)
    return found, [*missing, "scikit-learn: one column a side only"]


def lines() -> Iterator[Line | str]:
    for columns, n, most in ((25, 2_000, 0.03), (50, 2_000, 0.03), (25, 200, 0.05)):
        task = TASKS[f"multinormal-dense-{columns}-{columns}-0.5"]
        seeds = SEEDS if n > 1_000 else 20 * SEEDS
        mean, spread = bias(copula_bits, task, n, seeds)
        said = f"uncorrected covariance plug-in: {bias(plug_in_bits, task, n, SEEDS)[0]:+.3f}"
        what = f"copula, dense {columns}x{columns} Gaussian, N={n:,}: bias (sd), {seeds} seeds"
        yield Line("1", what, f"{mean:+.3f} ({spread:.3f}) bits", f"<= {most:.2f}", abs(mean) <= most, said)
    found, missing = packages()
    yield "; ".join(missing)
    names = ("half_cube-multinormal-sparse", "normal_cdf-multinormal-sparse", "multinormal-sparse", "mult-sparse-w-inliers")
    for name in names:
        full = f"{name}-25-25-2-2.0" + ("-0.2" if "inliers" in name else "")
        task = TASKS[full]
        mean, spread = bias(lambda x, y: reduced_bits(x, y).bits, task, 2_000, SEEDS)
        x, y = task.sample(2_000, np.random.default_rng(0))
        seconds = cpu_seconds(lambda x=x, y=y: reduced_bits(x, y))
        said = ", ".join(f"{key} {bias(estimate, task, 2_000, PEER_SEEDS)[0]:+.2f}" for key, estimate in found.items())
        yield Line("3", f"reduced, {full}, N=2,000: bias", f"{mean:+.3f} ({spread:.3f}) bits", "<= 0.05", abs(mean) <= 0.05, said or "-")
        yield Line("3", f"reduced, {full}: CPU s", f"{seconds:.3f} s", "<= 0.1", seconds <= 0.1)
