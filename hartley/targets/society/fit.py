"""Fits: how likely an edge passes a payload on and an agent loses it, R0, and the mean-field curve beside the measured one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from hartley.bits.design import share_limits
from hartley.bits.limits import proportion_limits
from hartley.bits.percolation import Reproduction, reproduction_number
from hartley.errors import InputError
from hartley.targets.society.contagion import Contagion
from hartley.targets.society.graph import Floats
from hartley.targets.society.registers import Registers
from hartley.targets.society.spreading import Events, Spread, total


@dataclass(frozen=True)
class Share:
    """A share that was counted, with 95% limits; without a trial value is None.

    spread  trials to one effective trial, from the spread of whole runs; 1: every trial is its own, and limits are exact (Clopper and
            Pearson 1934). None: there is one run, which does not tell how others would differ.
    """

    hits: int
    trials: int
    spread: float | None = 1.0

    @property
    def value(self) -> float | None:
        return self.hits / self.trials if self.trials else None

    @property
    def effective(self) -> tuple[float, float] | None:
        """Effective hits and trials; None where they come to less than one trial."""
        if not self.spread or self.trials < self.spread:
            return None
        return self.hits / self.spread, self.trials / self.spread

    @property
    def limits(self) -> tuple[float, float]:
        return self.within(0.95)

    def within(self, confidence: float) -> tuple[float, float]:
        """The limits at this confidence: 0 and 1 where nothing is known."""
        return proportion_limits(*self.effective, confidence) if self.effective else (0.0, 1.0)

    def __str__(self) -> str:
        head = "not measured" if self.value is None else f"{self.value:.3f}"
        low, high = self.limits
        span = f" [{low:.3f}, {high:.3f}]" if self.effective else ", no limits" if self.trials else ""
        return f"{head}{span} ({self.hits} of {self.trials})"


@dataclass(frozen=True)
class Rates:
    """What the events say of an agent and an edge.

    retrieval      beta of Agent Smith: a carrier that speaks brings the payload up.
    asks, answers  alpha^Q, alpha^A: a side shows the symptom when it was brought up.
    arrival        an agent that can be infected takes in what was brought up.
    transmission   beta of the mean field: a carrier that speaks to an agent that can be infected infects it.
    recovery       gamma: a carrier carries nothing one round later. Where albums forget, this is mostly forgetting, and
                   no constant: nothing is forgotten before it is `places` entries old.
    """

    retrieval: Share
    asks: Share
    answers: Share
    arrival: Share
    transmission: Share
    recovery: Share


def rates(events: Events, runs: Sequence[Events] | None = None) -> Rates:
    """The shares behind the counts. runs: those of each run, where several were added up: what happens in one run hangs together, so
    that limits are over runs."""

    def share(hits: str, trials: str) -> Share:
        if runs is None:
            return Share(getattr(events, hits), getattr(events, trials))
        each = np.array([(getattr(one, hits), getattr(one, trials)) for one in runs], dtype=np.float64)
        each = each[each[:, 1] > 0]
        spread = share_limits(each[:, 0], each[:, 1])[2].spread if len(each) > 1 else None
        return Share(getattr(events, hits), getattr(events, trials), spread)

    return Rates(
        share("brought_up", "talking"),
        share("asked", "brought_up"),
        share("answered", "brought_up"),
        share("infected", "offered"),
        share("infected", "exposed"),
        share("recovered", "carrying"),
    )


def measured_registers(
    rounds: Sequence[Events], agents: int, sources: ArrayLike, *, places: int = 10, payload: int = 0, payloads: int = 1
) -> Registers:
    """The one-payload society with the retrieval, arrival and symptoms that were counted in full runs.

    rounds: the counts of each round, those of several runs added up by `by_round`. Retrieval is taken round by round, since
    it changes as the albums do; a round in which no carrier spoke has that of all rounds. The album itself is simulated, so
    forgetting is not fitted but happens. InputError when no carrier ever spoke.
    """
    found = rates(total(rounds))
    overall = found.retrieval.value
    if overall is None:
        raise InputError("events: no carrier ever spoke, so nothing is known of retrieval; takes a longer full run")
    retrieval = [one.brought_up / one.talking if one.talking else overall for one in rounds]
    # what was never brought up has no arrival and no symptom to measure, and needs none
    asks, answers, arrival = (share.value or 0.0 for share in (found.asks, found.answers, found.arrival))
    chances = {"asks": asks, "answers": answers, "arrival": arrival}
    return Registers(agents, sources, retrieval, **chances, places=places, payload=payload, payloads=payloads)


def measured_contagion(
    events: Events, agents: int, sources: ArrayLike, *, immune: bool = False, payload: int = 0, channel: bool = False
) -> Contagion:
    """The society on a graph with the transmission and the recovery that were counted in full runs.

    channel: True takes the whole measured edge channel, so that a payload can arrive as another one; every payload must
    then have met an agent that could be infected. InputError when that, or any exposure at all, is missing.
    """
    if events.carrying == 0 or events.exposed == 0:
        raise InputError("events: no carrier met an agent that could be infected, so nothing is known of the edge; takes a longer full run")
    payloads, recovery = len(events.passed), events.recovered / events.carrying
    if not channel:
        return Contagion(agents, sources, events.infected / events.exposed, recovery, immune=immune, payload=payload, payloads=payloads)
    sent = events.passed.sum(1)
    if (sent == 0).any():
        raise InputError(f"events: payload {int(np.flatnonzero(sent == 0)[0])} met nobody, so its row of the edge channel is unknown")
    edge = events.passed / sent[:, None]
    return Contagion(agents, sources, edge, recovery, immune=immune, payload=payload, payloads=payloads)


def mean_field(share: float, transmission: float, recovery: float, rounds: int, *, radius: float = 0.5) -> Floats:
    """(rounds + 1,) shares of carriers: c' = c + beta radius c (1 - c) - gamma c, from c = share.

    radius: meetings of a carrier a round, 1/2 in a perfect pairing (Gu et al. 2024); on a graph where all have alike many
    neighbors its lambda_1. It dies out from any start when beta radius <= gamma, beta <= 2 gamma in a perfect pairing;
    otherwise it tends to 1 - gamma / (beta radius).
    """
    curve = np.empty(rounds + 1)
    curve[0] = share
    for t in range(rounds):
        curve[t + 1] = min(1.0, max(0.0, curve[t] + transmission * radius * curve[t] * (1 - curve[t]) - recovery * curve[t]))
    return curve


def forgetting_curve(share: float, retrieval: float, rounds: int, *, places: int = 10) -> Floats:
    """(rounds + 1,) shares of carriers of a very large one-payload society in perfect pairings, where albums forget.

    An agent's newest payload has an age, in entries since. Half of the agents listen a round: with chance beta c the age
    becomes 0, else it rises by one, and at `places` the payload is gone. It spreads from few when places beta > 1.
    """
    ages = np.zeros(places)
    ages[0] = share
    curve = [share]
    for _ in range(rounds):
        again = retrieval * ages.sum()
        older = np.concatenate([[0.0], ages[:-1]]) * (1 - again)
        older[0] = again
        ages = (ages + older) / 2
        curve.append(float(ages.sum()))
    return np.array(curve)


@dataclass(frozen=True, eq=False)
class Fit:
    """The dynamics of a run, fitted to its counts.

    rates         the shares, with exact limits.
    reproduction  R0 = transmission radius / recovery with 95% limits; on a pairing beta / (2 gamma).
    curve         (rounds + 1,) measured share of carriers.
    predicted     (rounds + 1,) the mean-field curve from the run's own start; low, high: with both shares at the ends of
                  limits that hold together at 95%. They leave out the luck of a single run, and a recovery that is no constant.
    """

    rates: Rates
    reproduction: Reproduction
    curve: Floats
    predicted: Floats
    low: Floats
    high: Floats

    @property
    def contained(self) -> bool | None:
        """Whether beta radius <= gamma (beta <= 2 gamma in a pairing), so that it dies out: True or False at 95%, None undecided."""
        if self.reproduction.high is not None and self.reproduction.high <= 1:
            return True
        return False if self.reproduction.low is not None and self.reproduction.low > 1 else None

    @property
    def gap(self) -> float:
        """The largest difference between measured and predicted share of carriers."""
        return float(np.abs(self.curve - self.predicted).max())


def fit(run: Spread, radius: float, runs: Sequence[Events] | None = None) -> Fit:
    """Fits transmission and recovery to a run's counts. radius: that of its meetings, `Meetings.radius()`.

    runs: the counts of each run, where `run` is several added up; limits are then over runs.
    InputError when nobody carried, or no carrier met an agent that could be infected: nothing can be fitted.
    """
    events = total(run.events)
    if events.carrying == 0 or events.exposed == 0:
        raise InputError("run: no carrier met an agent that could be infected; takes at least one such meeting")
    found = rates(events, runs)
    beta, gamma = found.transmission.within(0.975), found.recovery.within(0.975)
    r0 = _reproduction(found, radius)
    curve = run.carriers / run.agents
    start, rounds = float(curve[0]), run.rounds
    center = mean_field(start, events.infected / events.exposed, events.recovered / events.carrying, rounds, radius=radius)
    low = mean_field(start, beta[0], gamma[1], rounds, radius=radius)
    high = mean_field(start, beta[1], gamma[0], rounds, radius=radius)
    return Fit(found, r0, curve, center, low, high)


def _reproduction(found: Rates, radius: float) -> Reproduction:
    passed, cleared = found.transmission, found.recovery
    if passed.effective is None or cleared.effective is None:
        value = passed.hits / passed.trials * radius * cleared.trials / cleared.hits if cleared.hits else None
        return Reproduction(value, None, None, radius, "too few runs to tell how others would differ")
    # R0 depends on who meets whom through the radius alone: a single node with a loop of that weight has it too
    return reproduction_number([[radius]], passed.effective, cleared.effective)
