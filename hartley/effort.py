"""Effort: how much work a cell may do; what `--budget` names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Effort:
    """How much work a case may do; what `--budget` names.

    trials          inputs per arm.
    steps           optimizer steps of a gradient attack.
    poison_pairs    size of the training set that a learning-flow threat poisons, of each of its victims.
    members         members and, as many, non-members of a membership threat.
    epochs          passes over the training set in a fine-tuning.
    exact           1 where the user has asked for so many trials: then no threat takes more or fewer because of what one costs.
    """

    name: str
    trials: int
    steps: int
    poison_pairs: int
    members: int
    epochs: int
    exact: int = 0

    def trials_for(self, share: float = 1.0, *, fewest: int = 1, most: int | None = None) -> int:
        """Trials in each arm of a threat of which `share` as many can be afforded, at least `fewest`, at most `most`; what the user has
        asked for where there is such a number."""
        if self.exact:
            return self.trials
        wanted = max(fewest, round(share * self.trials))
        return wanted if most is None else min(wanted, most)


EFFORTS: Mapping[str, Effort] = {
    "quick": Effort("quick", trials=200, steps=12, poison_pairs=2_400, members=120, epochs=2),
    "standard": Effort("standard", trials=1_000, steps=40, poison_pairs=6_000, members=400, epochs=2),
    "full": Effort("full", trials=2_000, steps=100, poison_pairs=8_000, members=1_000, epochs=3),
}
