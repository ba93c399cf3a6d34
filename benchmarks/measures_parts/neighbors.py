"""Goal 7: the KSG engine beside scikit-learn, NPEET's fork, ennemi and infomeasure: equal values, CPU time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from hartley.bits.known import TASKS
from hartley.bits.neighbors.ksg import ksg_bits
from measures_parts.line import Line, cpu_seconds, peer

TITLE = "Nearest-neighbor engine (KSG, first variant, 3 neighbors; raw values, no scaling)"

Rows = np.ndarray
Estimate = Callable[[Rows, Rows], float]

K = 3
# name of the task, rows, the bar on time against scikit-learn and NPEET, repeats for peers
CASES = (
    ("1v1-normal-0.75", 10_000, 2.0, 5),
    ("2v1-galaxy-0.5-3.0", 10_000, None, 3),
    ("multinormal-sparse-3-3-2-2.0", 10_000, None, 3),
    ("multinormal-sparse-5-5-2-2.0", 10_000, None, 1),
    ("multinormal-sparse-25-25-2-2.0", 2_000, 6.0, 3),
    ("multinormal-sparse-25-25-2-2.0", 10_000, 6.0, 1),
)
SLOW = ("ennemi", "infomeasure")  # these two count by a scipy tree: 40 CPU s and more at 25 x 25 and 10,000 rows


def peers() -> tuple[dict[str, Estimate], list[str]]:
    """Each peer as a function to bits, and why the others are not compared."""
    found: dict[str, Estimate] = {}
    missing = []
    module, why = peer("sklearn.feature_selection._mutual_info")
    if module is not None:
        inner = module._compute_mi_cc
        # one column each only; what mutual_info_regression calls after scaling x and y and adding noise
        found["scikit-learn"] = lambda x, y: float(inner(x[:, 0], y[:, 0], K) / np.log(2))
    missing += [why] * (module is None)
    module, why = peer("npeet_plus")
    if module is not None:
        found["npeet-plus"] = partial(module.mi, k=K)
    missing += [why] * (module is None)
    module, why = peer("ennemi._entropy_estimators")
    if module is not None:
        single = module._estimate_single_mi
        found["ennemi"] = lambda x, y: float(single(x, y, K) / np.log(2))
    missing += [why] * (module is None)
    module, why = peer("infomeasure")
    if module is not None:
        found["infomeasure"] = partial(module.mutual_information, approach="ksg", k=K, noise_level=0, base=2)
    missing += [why] * (module is None)
    return found, missing


def seconds(call: Callable[[], object], repeats: int) -> float:
    if repeats > 1:
        return cpu_seconds(call, repeats)
    start = time.process_time()
    call()
    return time.process_time() - start


def lines() -> Iterator[Line | str]:
    found, missing = peers()
    yield from missing
    worst: dict[str, float] = {}
    for name, n, bar, repeats in CASES:
        task = TASKS[name]
        x, y = task.sample(n, np.random.default_rng(0))
        value = ksg_bits(x, y, neighbors=K)
        ours = cpu_seconds(lambda x=x, y=y: ksg_bits(x, y, neighbors=K), max(3, repeats))
        yield f"  {name}, {n:,} rows: truth {task.truth_bits:.3f}, ours {value:.9f} bits in {1000 * ours:.1f} ms"
        for who, estimate in found.items():
            if (who == "scikit-learn" and task.dim_x + task.dim_y > 2) or (who in SLOW and repeats == 1):
                continue
            theirs = estimate(x, y)
            worst[who] = max(worst.get(who, 0.0), abs(theirs - value))
            spent = seconds(partial(estimate, x, y), repeats)
            needed = bar if who not in SLOW else None
            yield Line(
                "7",
                f"{who}: CPU time over ours, {task.dim_x} x {task.dim_y}, {n:,} rows",
                f"{spent / ours:.1f}x",
                "-" if needed is None else f">= {needed:g}x",
                None if needed is None else spent / ours >= needed,
                f"{theirs:.9f} bits in {1000 * spent:.1f} ms",
            )
    for who, gap in worst.items():
        yield Line("7", f"{who}: largest difference of values", f"{gap:.1e} bits", "<= 1e-6", gap <= 1e-6, _noted(who))


def _noted(who: str) -> str:
    return {
        "scikit-learn": "clipped at 0; its public function scales and adds noise first",
        "npeet-plus": "adds noise of 1e-10",
        "ennemi": "counts within the distance less 1e-12",
        "infomeasure": "noise switched off",
    }[who]
