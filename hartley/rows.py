"""Rows: what the trials of an arm came to, before they are a table of Evidence."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hartley.evidence import ARMS

Column = Any
"""A value a trial: an array, a tensor, or a sequence."""


@dataclass(frozen=True)
class Arm:
    """A condition: whether the adversary acts, whether the defense stands, and whether the adversary acted in the knowledge of it."""

    name: str
    attacked: bool = False
    defended: bool = False
    adaptive: bool = False


CLEAN, ATTACKED, DEFENDED, UNAWARE, ADAPTIVE = EVERY = (
    Arm(ARMS[0]),
    Arm(ARMS[1], attacked=True),
    Arm(ARMS[2], defended=True),
    Arm(ARMS[3], attacked=True, defended=True),
    Arm(ARMS[4], attacked=True, defended=True, adaptive=True),
)


@dataclass(frozen=True)
class Symbols:
    """The alphabets of a channel, as `Evidence` has them. prior: the law of the intents; None: unknown."""

    intent: tuple[str, ...] = ()
    adversary: tuple[str, ...] = ()
    outcome: tuple[str, ...] = ()
    effect: tuple[str, ...] = ()
    prior: Column | None = None


@dataclass(frozen=True)
class Sent:
    """What is drawn before anything is asked, a trial each (n,): the user's symbol, the adversary's, and the independent unit that the
    trial belongs to (a victim, a society, a shared perturbation, a document). None: there is none; of `cluster`: each trial is its own.
    trial: its number, where it is not its place."""

    intent: Column | None = None
    adversary: Column | None = None
    cluster: Column | None = None
    trial: Column | None = None


@dataclass(frozen=True)
class Rows:
    """What the trials of one arm came to, a value a trial (n,), as `Evidence` has them.

    success   None: what is received is what the adversary sent.
    intent, cluster, trial   in place of what was sent, where this arm has other users, units or trials.
    lost      bool: trials that brought no answer, and why; None: all brought one.
    said      the answers in words, one or several a trial.
    more      whatever else `read` and `show` need of the trials.
    """

    outcome: Column | None = None
    effect: Column | None = None
    success: Column | None = None
    intent: Column | None = None
    cluster: Column | None = None
    trial: Column | None = None
    score: Column | None = None
    log2_q: Column | None = None
    embedding: Column | None = None
    lost: Column | None = None
    why: str = "the policy gave no answer"
    said: tuple[Any, ...] = ()
    costs: Mapping[str, Column] = field(default_factory=dict)
    more: Mapping[str, Column] = field(default_factory=dict)

    def to_tensors(self) -> dict[str, Tensor]:
        """As tensors, so that a run can keep them. `from_tensors` reads them back."""
        found = {f"{group}.{name}": array(value) for group in ("costs", "more") for name, value in getattr(self, group).items()}
        found |= {name: array(value) for name in _COLUMNS if (value := getattr(self, name)) is not None}
        texts = np.frombuffer(json.dumps([self.why, self.said]).encode(), dtype=np.uint8)
        return {name: torch.from_numpy(np.array(value)) for name, value in {**found, "texts": texts}.items()}

    @staticmethod
    def from_tensors(tensors: Mapping[str, Tensor]) -> Rows:
        """Reads back what `to_tensors` made."""
        arrays = {name: value.numpy() for name, value in tensors.items()}
        why, said = json.loads(bytes(arrays.pop("texts").tolist()).decode())
        found: dict[str, Any] = {name: arrays.pop(name) for name in _COLUMNS if name in arrays}
        for name, value in arrays.items():
            group, _, own = name.partition(".")
            found.setdefault(group, {})[own] = value
        return Rows(**found, why=why, said=tuple(said))


_COLUMNS = tuple(item.name for item in fields(Rows) if item.name not in ("why", "said", "costs", "more"))


def array(values: Column) -> NDArray[Any]:
    """A column as an array."""
    return values.numpy() if isinstance(values, Tensor) else np.asarray(values)
