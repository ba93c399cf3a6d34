"""What one row of the catalog is, once checked: a threat, a model, a defense, and a link to other vocabularies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hartley.catalog.recipes import Declared

Cell = Literal["yes", "partly", "no", "n/a"]
"""A cell of the taxonomy's table. yes: manipulated or exploited (full circle). partly: half circle. n/a: a dash."""


@dataclass(frozen=True, slots=True)
class Link:
    """One identifier under which others file such a finding. `inferred`: the link is our own judgement."""

    vocabulary: str
    """Name and edition, for example "ATLAS 2026.09"."""
    id: str
    inferred: bool


@dataclass(frozen=True, slots=True)
class CrosswalkRow:
    """A class of findings, the threats it applies to ("goal=...", "capability=..." or "id=..."), and its identifiers."""

    subject: str
    applies_to: tuple[str, ...]
    links: tuple[Link, ...]


@dataclass(frozen=True, slots=True)
class Threat:
    """One row of the taxonomy's table with what Hartley knows beside it.

    The columns of the table keep their names and their words. `needs` is the least that the mechanism asks of the model
    it works on, the target itself or the surrogate that a plan names. `claimed` is the paper's result on the paper's
    model, where it was checked; None: not checked. `recipe` is what the recipe declares; None without one.
    """

    id: str
    name: str
    sok_ref: int
    level: str
    threat_class: str
    flow: str
    modality_text: Cell
    modality_image: Cell
    modality_audio: Cell
    flow_input: Cell
    flow_model: Cell
    flow_output: Cell
    flow_action: Cell
    flow_interaction: Cell
    flow_memory: Cell
    affects_signal: Cell
    affects_noise: Cell
    affects_bandwidth: Cell
    goal: str
    white_box: Cell
    grey_box: Cell
    black_box: Cell
    capability: str
    target_encoder: Cell
    target_i_t2i: Cell
    target_i_t2t: Cell
    target_a2t: Cell
    reference: str
    needs: frozenset[str]
    claimed: str | None
    recipe: Declared | None
    note: str | None
    crosswalk: tuple[CrosswalkRow, ...]

    @property
    def implemented(self) -> bool:
        """Whether there is a recipe."""
        return self.recipe is not None

    @property
    def fidelity(self) -> str | None:
        """How much of the paper's mechanism the recipe is; None without one."""
        return None if self.recipe is None else self.recipe.fidelity

    @property
    def left_out(self) -> str | None:
        """What the recipe leaves out; None without one."""
        return None if self.recipe is None else self.recipe.left_out

    @property
    def status(self) -> str:
        """ "implemented" or "not yet"."""
        return "implemented" if self.implemented else "not yet"

    @property
    def modalities(self) -> tuple[str, ...]:
        """The modalities that the attacker manipulates, wholly or partly."""
        cells = {"text": self.modality_text, "image": self.modality_image, "audio": self.modality_audio}
        return tuple(name for name, cell in cells.items() if cell in ("yes", "partly"))

    @property
    def knowledge(self) -> tuple[str, ...]:
        """What the attacker may know of the model, as the table marks it: "white", "grey", "black"."""
        cells = {"white": self.white_box, "grey": self.grey_box, "black": self.black_box}
        return tuple(name for name, cell in cells.items() if cell == "yes")

    @property
    def bends(self) -> tuple[str, ...]:
        """Which quantity of the channel it changes: "signal", "noise", "bandwidth"."""
        cells = {"signal": self.affects_signal, "noise": self.affects_noise, "bandwidth": self.affects_bandwidth}
        return tuple(name for name, cell in cells.items() if cell == "yes")


@dataclass(frozen=True, slots=True)
class Model:
    """One of the taxonomy's example models. A row is no claim that an adapter exists."""

    id: str
    name: str
    typical_task: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    family: str
    nearest_loadable: str


@dataclass(frozen=True, slots=True)
class DefenseRow:
    """A defense: where it acts (`stage`), on which carriers, what it stands around, and which of signal, noise and bandwidth it
    changes (`axis`: S, N or B)."""

    id: str
    name: str
    level: str
    stage: str
    modalities: tuple[str, ...]
    wraps: tuple[str, ...]
    axis: str
    differentiable: bool
    stochastic: bool
    mechanism: str
    reference: str
    implemented: bool

    @property
    def status(self) -> str:
        """ "implemented" or "not yet"."""
        return "implemented" if self.implemented else "not yet"


@dataclass(frozen=True, slots=True)
class Catalog:
    """All rows, in the order of their files."""

    threats: tuple[Threat, ...]
    models: tuple[Model, ...]
    defenses: tuple[DefenseRow, ...]
