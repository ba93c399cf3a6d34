"""Tasks that the portfolio was not made for: how many points are printed, how many of them are wrong, how many intervals miss.

Three lists: the 48 tasks of the BMI benchmark; FOREIGN, by which the guard was made; KEPT, on which it was tried afterwards.
"Before" are the figures of the portfolio that took agreement of its members for proof, on the same samples.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest

from hartley.bits.continuous import continuous_information
from hartley.bits.known import TASKS, Task
from hartley.bits.known.foreign import FOREIGN, KEPT
from hartley.bits.value import Bits
from measures_parts.line import Line

TITLE = "Foreign tasks: points that are wrong, intervals that miss"
SIZES = (500, 2_000, 10_000)
SEEDS = (1, 2, 3)
WRONG_BITS = 0.15
MOST_WRONG, MOST_MISSED = 0.01, 0.05


@dataclass(frozen=True)
class Tally:
    """Runs, points printed, points off by more than 0.15 bit, and printed intervals without the truth inside."""

    runs: int
    points: int
    wrong: int
    missed: int

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.runs + other.runs, self.points + other.points, self.wrong + other.wrong, self.missed + other.missed)


BEFORE: Mapping[str, Mapping[int, Tally]] = {
    "the 48": {500: Tally(144, 98, 8, 5), 2_000: Tally(144, 115, 7, 7), 10_000: Tally(144, 119, 0, 2)},
    "foreign": {500: Tally(195, 66, 38, 38), 2_000: Tally(195, 78, 32, 30), 10_000: Tally(195, 83, 27, 29)},
}
LISTS: Mapping[str, Mapping[str, Task]] = {"the 48": TASKS, "foreign": FOREIGN, "kept aside": KEPT}


def lines() -> Iterator[Line | str]:
    total: dict[str, Tally] = {}
    for name, tasks in LISTS.items():
        for n in SIZES:
            off: list[str] = []
            found = tally(tasks, n, off)
            total[name] = total.get(name, Tally(0, 0, 0, 0)) + found
            yield from rows(f"{name}, N={n:,}", found, BEFORE.get(name, {}).get(n), known=tasks is TASKS)
            yield from off
    for name, found in total.items():
        yield from rows(f"{name}, all", found, None, known=False)
    every = sum(total.values(), Tally(0, 0, 0, 0))
    yield Line("audit 6", "tasks", f"{sum(map(len, LISTS.values()))}", ">= 60", sum(map(len, LISTS.values())) >= 60)
    yield Line(
        "audit 6",
        "points off by more than 0.15 bit, all",
        share(every.wrong, every.points),
        "<= 1%",
        met(every.wrong, every.points, MOST_WRONG),
    )
    yield Line(
        "audit 6", "intervals that miss, all", share(every.missed, every.points), "<= 5%", met(every.missed, every.points, MOST_MISSED)
    )
    for name in ("foreign", "kept aside"):
        yield f"{name}: {', '.join(LISTS[name])}"


def tally(tasks: Mapping[str, Task], n: int, off: list[str]) -> Tally:
    """Every task and seed at n rows; a line for each wrong point goes to `off`."""
    found = Tally(0, 0, 0, 0)
    for name, task in tasks.items():
        for seed in SEEDS:
            bits = continuous_information(*task.sample(n, np.random.default_rng(seed)), seed=seed)
            wrong = bits.value is not None and abs(bits.value - task.truth_bits) > WRONG_BITS
            found += Tally(1, bits.value is not None, wrong, missed(bits, task.truth_bits))
            if wrong:
                off.append(f"    {name}, seed {seed}: {bits.value:.3f} [{bits.low:.3f}, {bits.high:.3f}], truth {task.truth_bits:.3f}")
    return found


def missed(bits: Bits, truth: float) -> bool:
    """Whether the truth is below `low`, or above `high` where there is one."""
    below = bits.low is not None and truth < bits.low - 1e-9
    return below or (bits.high is not None and bits.high < truth - 1e-9)


def rows(what: str, found: Tally, before: Tally | None, *, known: bool) -> Iterator[Line]:
    """Three lines. known: the estimator may print no fewer points than before."""
    then = "" if before is None else f"before: {before.points}, {before.wrong} wrong, {before.missed} missed"
    enough = found.points >= before.points if known and before is not None else None
    bar = f">= {before.points}" if known and before is not None else "-"
    yield Line("audit 6", f"{what}: points", f"{found.points} of {found.runs}", bar, enough, then or "-")
    yield Line(
        "audit 6",
        f"{what}: off by more than 0.15 bit",
        share(found.wrong, found.points),
        "<= 1%",
        met(found.wrong, found.points, MOST_WRONG),
    )
    yield Line(
        "audit 6", f"{what}: intervals that miss", share(found.missed, found.points), "<= 5%", met(found.missed, found.points, MOST_MISSED)
    )


def share(count: int, of: int) -> str:
    """Share with exact 95% limits (Clopper, Pearson 1934)."""
    if not of:
        return "no points"
    limits = binomtest(count, of).proportion_ci(method="exact")
    return f"{count}/{of} = {count / of:.1%} [{limits.low:.1%}, {limits.high:.1%}]"


def met(count: int, of: int, most: float) -> bool:
    return count <= most * of
