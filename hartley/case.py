"""Case: what a recipe is handed: target, defense, data, effort, seeded draws, and a place to leave what it saw."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from random import Random
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

from hartley.bits.value import Bits
from hartley.defenses.model.defense import Defense
from hartley.defenses.system.safeguard import Safeguard, either_of
from hartley.effort import Effort
from hartley.exhibit import Exhibit
from hartley.targets.system import System

NOTES = "notes"
"""The name under which curves and flags are kept beside cached tensors."""


class Refused(Exception):  # noqa: N818 - a verdict that is reported, not a malfunction
    """The case cannot be run, and why: a capability or a modality is missing, a defense does not apply here."""


@dataclass(frozen=True)
class Curve:
    """A quantity over optimizer steps, for example the attack's loss."""

    channel: str
    arm: str
    name: str
    values: tuple[float, ...]


@dataclass(frozen=True)
class Flag:
    """A sign that an attack's number should not be taken at face value (zero gradients, a loss that does not fall)."""

    channel: str
    arm: str
    name: str
    why: str


Target = TypeVar("Target")
Guard = TypeVar("Guard")


@dataclass(kw_only=True)
class Case(Generic[Target, Guard]):
    """What a cell's recipe has: what it attacks, how much work it may do, seeded draws, the run's cache, a place to leave what it saw.

    target    a model, the first of the families that the recipe names which there is; at the system level the `System`.
    defense   what stands around it, or None.
    data      pairs to ask a model about; None at the system level.
    members   by family, all models of the recipe's families that there are.
    surrogate another model of the first family, on which the attack is made; None: on the target itself.
    stream    seeds every draw; it leaves out the defense, so that all defenses of one (target, threat, seed, effort) face the same
              inputs and attacks.
    """

    target: Target
    defense: Guard | None = None
    data: Any = None
    members: Mapping[str, Any] = field(default_factory=dict)
    surrogate: Any = None
    effort: Effort
    stream: str
    cached: Callable[[str, Callable[[], dict[str, Tensor]]], dict[str, Tensor]] = field(default=lambda _, compute: compute())
    progress: Callable[[str, int, int], None] = field(default=lambda *_: None)
    exhibits: list[Exhibit] = field(default_factory=list)
    curves: list[Curve] = field(default_factory=list)
    flags: list[Flag] = field(default_factory=list)
    told: set[str] = field(default_factory=set)
    _inside: dict[str, Any] | None = None
    measures: list[tuple[str, str, Bits]] = field(default_factory=list)

    def measure(self, channel: str, arm: str, bits: Bits) -> None:
        """Leave a measure that the evidence alone does not give (the bandwidth of what is on offer, a bound on a path)."""
        self.measures.append((channel, arm, bits))

    def once(self, name: str, compute: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
        """What `compute` gives, from the run's cache where it is there already; the curves and flags it leaves come along.

        Whichever cell computes it first, on whichever worker, every cell that uses it shows the same curves and flags.
        """

        def keep() -> dict[str, Tensor]:
            curves, flags, outer = len(self.curves), len(self.flags), self._inside
            self._inside = {}
            try:
                tensors = compute()
            finally:
                inner, self._inside = self._inside, outer
            left = {"curves": [asdict(item) for item in self.curves[curves:]], "flags": [asdict(item) for item in self.flags[flags:]]}
            del self.curves[curves:], self.flags[flags:]
            return {**tensors, NOTES: torch.frombuffer(bytearray(json.dumps({**inner, name: left}).encode()), dtype=torch.uint8)}

        tensors = dict(self.cached(name, keep))
        notes = json.loads(bytes(tensors.pop(NOTES).tolist()).decode())
        if self._inside is not None:  # what is computed around this one tells them, now and whenever it comes from the cache
            self._inside |= notes
            return tensors
        for left in [notes[part] for part in notes if part not in self.told]:
            self.curves += [Curve(**{**item, "values": tuple(item["values"])}) for item in left["curves"]]
            self.flags += [Flag(**item) for item in left["flags"]]
        self.told |= {*notes}
        return tensors

    def seed(self, *purpose: Any) -> int:
        """A seed of its own for each purpose, so that one part's draws never shift another's."""
        digest = hashlib.sha256("/".join((self.stream, *map(str, purpose))).encode()).digest()
        return int.from_bytes(digest[:7], "big")

    def generator(self, *purpose: Any) -> torch.Generator:
        """A torch generator of its own for each purpose."""
        return torch.Generator().manual_seed(self.seed(*purpose))

    def random(self, *purpose: Any) -> Random:
        """Python's random numbers, of their own for each purpose."""
        return Random(self.seed(*purpose))  # noqa: S311 - draws of an experiment, not secrets


ModelCase = Case[Any, Defense]
SystemCase = Case[System, Safeguard]
AnyCase = Case[Any, Any]


def wrapper(safeguard: Safeguard, *names: str) -> Callable[[Any], Any]:
    """The first of a safeguard's wrappers of these names that it has. Raises Refused where it has none, so that what stands nowhere is
    never measured as a defense."""
    found: Callable[[Any], Any] | None = next((own for name in names if (own := getattr(safeguard, name)) is not None), None)
    if found is None:
        raise Refused(f"{safeguard.id} guards {safeguard.guarded}; this threat attacks {either_of(names)}")
    return found
