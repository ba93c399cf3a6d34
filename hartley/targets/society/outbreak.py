"""Outbreak: what full runs of a society showed, its fit, and what the same rates do to a society of a million."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hartley.exhibit import Spreading
from hartley.targets.society.fit import Fit, fit, measured_registers
from hartley.targets.society.meeting import RandomPairs
from hartley.targets.society.spreading import Events, Spread, by_round, spread, total

VERY_MANY = 1_000_000
FEW = 1 / 1024
"""The extrapolation's agents and the share of them that carries at the start (Gu et al. 2024 report this society)."""
ROUNDS = 32
HORIZONS = (8, 32, 128)
"""Rounds at which shares are told: what only delays is as far at the last as it would have been at the first."""
HORIZON_AGENTS = 65_536

Curves = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Outbreak:
    """Full runs of one society in random pairs, fitted and extrapolated.

    runs, fitted   the runs, and the fit to all their counts.
    shares         (runs, rounds + 1) that carried the payload.
    agents, large  (33,) of very many agents from 1/1024, with retrieval taken round by round from the runs; large_ever: ever.
    horizons       round to the share that carries then, and the share that ever did.
    """

    runs: tuple[Spread, ...]
    fitted: Fit
    shares: Curves
    agents: int
    large: Curves
    large_ever: Curves
    horizons: dict[int, tuple[float, float]]

    @property
    def overtaken(self) -> int | None:
        """The round after which 99% of the very many have carried it at some time; None: not within 32."""
        found = np.flatnonzero(self.large_ever >= 0.99)
        return int(found[0]) if len(found) else None

    def spreading(self) -> Spreading:
        """The exhibit: curves, their band, and what was fitted."""
        low, high = np.quantile(self.shares, [0.025, 0.975], axis=0) if len(self.runs) > 1 else (np.zeros(0), np.zeros(0))
        shares = {
            "measured": self.shares.mean(0),
            "fitted": self.fitted.predicted,
            f"{self.agents:,} agents from 1/{round(1 / FEW)}": self.large,
        }
        return Spreading(
            {name: tuple(map(float, curve)) for name, curve in shares.items()},
            tuple(map(float, low)),
            tuple(map(float, high)),
            self.runs[0].agents,
            (),
            tuple(int(one) for one in self.runs[0].infected_at),
            self.facts(),
        )

    def facts(self) -> tuple[tuple[str, str], ...]:
        """What was counted and fitted, with 95% limits over runs."""
        found = self.fitted.rates
        contained = {True: "dies out", False: "keeps spreading", None: "undecided at 95%"}[self.fitted.contained]
        far = "not within 32 rounds" if self.overtaken is None else f"after round {self.overtaken}"
        later = "; ".join(f"{n}: {now:.3f} now, {ever:.3f} ever" for n, (now, ever) in self.horizons.items())
        return (
            ("runs", f"{len(self.runs)} of {self.runs[0].agents} agents over {self.runs[0].rounds} rounds"),
            ("retrieval (beta)", str(found.retrieval)),
            ("speaker shows it (alpha Q)", str(found.asks)),
            ("listener shows it (alpha A)", str(found.answers)),
            ("arrival", str(found.arrival)),
            ("transmission", str(found.transmission)),
            ("recovery (gamma)", str(found.recovery)),
            ("reproduction", f"{self.fitted.reproduction}"),
            ("by its rates", contained),
            ("largest gap of the fit", f"{self.fitted.gap:.3f}"),
            (f"99% of {self.agents:,} from 1/{round(1 / FEW)}", far),
            ("share carrying after rounds", later),
        )


def observed(runs: Sequence[Spread], places: int, seed: int, *, agents: int = VERY_MANY) -> Outbreak | None:
    """Fits runs in perfect random pairings and runs a society of very many agents with their rates, albums of `places` entries.

    None when no carrier ever met an agent that could be infected: nothing can be fitted.
    """
    counts = total([events for run in runs for events in run.events])
    if counts.exposed == 0 or counts.talking == 0:
        return None
    rounds = by_round(runs)
    pooled = _pooled(runs)
    large = _large(rounds, places, agents, ROUNDS, seed)
    later = _large(rounds, places, min(agents, HORIZON_AGENTS), max(HORIZONS), seed)
    horizons = {n: (float(later.carriers[n] / later.agents), float(later.carriers_ever[n] / later.agents)) for n in HORIZONS}
    return Outbreak(
        tuple(runs),
        fit(pooled, RandomPairs(runs[0].agents).radius(), [total(run.events) for run in runs]),
        np.array([run.carriers / run.agents for run in runs]),
        agents,
        large.carriers / large.agents,
        large.carriers_ever / large.agents,
        horizons,
    )


def _large(rounds: Sequence[Events], places: int, agents: int, length: int, seed: int) -> Spread:
    rng = np.random.default_rng([seed, agents])
    sources = rng.choice(agents, round(agents * FEW), replace=False)
    society = measured_registers(rounds, agents, sources, places=places)
    return spread(society, RandomPairs(agents), length, rng)


def _pooled(runs: Sequence[Spread]) -> Spread:
    """One run that holds the counts of all, and their mean curve as if of that many agents."""
    first = runs[0]
    return replace(
        first,
        agents=sum(run.agents for run in runs),
        carriers=np.sum([run.carriers for run in runs], axis=0),
        carriers_ever=np.sum([run.carriers_ever for run in runs], axis=0),
        events=tuple(by_round(runs)),
    )
