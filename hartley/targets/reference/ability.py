"""An ability is a share of right answers with its exact interval; tables of them stand in every model card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Ability:
    """A share of right answers: hits of n, with the exact 95% interval (Clopper and Pearson, Biometrika 1934)."""

    hits: int
    n: int

    @property
    def value(self) -> float:
        """hits / n."""
        return self.hits / self.n

    @property
    def interval(self) -> tuple[float, float]:
        """(low, high)."""
        from scipy.stats import beta

        low = 0.0 if self.hits == 0 else float(beta.ppf(0.025, self.hits, self.n - self.hits + 1))
        high = 1.0 if self.hits == self.n else float(beta.ppf(0.975, self.hits + 1, self.n - self.hits))
        return low, high

    def to_json(self) -> dict[str, float | int]:
        """value, low, high, hits and n."""
        low, high = self.interval
        return {"value": round(self.value, 4), "low": round(low, 4), "high": round(high, 4), "hits": self.hits, "n": self.n}


def share(right: Tensor) -> Ability:
    """The share of True among right (n,) bool."""
    return Ability(int(right.sum()), right.numel())


def table(found: Mapping[str, Ability], at_least: Mapping[str, float], at_most: Mapping[str, float]) -> str:
    """A Markdown table, a row an ability: share, interval, n, and the bar that the shipped weights must reach."""
    rows = ["| ability | share | interval | n | required |", "|---|---|---|---|---|"]
    for name, ability in found.items():
        low, high = ability.interval
        rows.append(f"| {name} | {ability.value:.3f} | {low:.3f} to {high:.3f} | {ability.n} | {bar(name, at_least, at_most)} |")
    return "\n".join(rows)


def bar(name: str, at_least: Mapping[str, float], at_most: Mapping[str, float]) -> str:
    """What is required of an ability, in words for a table."""
    if name in at_least:
        return f"{at_least[name]:.2f}"
    return f"at most {at_most[name]:.2f}" if name in at_most else "reported"


def missed(found: Mapping[str, Ability], at_least: Mapping[str, float], at_most: Mapping[str, float]) -> list[str]:
    """The names of the abilities whose share misses its bar, those that were not measured among them."""
    low = [name for name, need in at_least.items() if name not in found or found[name].value < need]
    return low + [name for name, limit in at_most.items() if name not in found or found[name].value > limit]


def short_of(found: Mapping[str, Ability], at_least: Mapping[str, float], at_most: Mapping[str, float]) -> str:
    """A paragraph for a card that names what misses its bar; "" when nothing does."""
    names = missed(found, at_least, at_most)
    return f"\nWhat was asked for and is not reached: {', '.join(names)}.\n" if names else ""
