"""The taxonomy as data: 73 threats, 10 example models, and the defenses. Reading it imports no heavy package."""

from __future__ import annotations

from functools import cache
from typing import TypeVar

from hartley.catalog.load import FLOWS, GOALS, KNOWLEDGE, MODALITIES, load
from hartley.catalog.records import Catalog, CrosswalkRow, DefenseRow, Link, Model, Threat
from hartley.errors import unknown

__all__ = [
    "CrosswalkRow",
    "DefenseRow",
    "Link",
    "Model",
    "Threat",
    "defense",
    "defenses",
    "model",
    "models",
    "record",
    "select",
    "threat",
    "threats",
]


Named = TypeVar("Named", Threat, Model, DefenseRow)


@cache
def _catalog() -> Catalog:
    return load()


def threats() -> tuple[Threat, ...]:
    """All 73 threats, in the table's order."""
    return _catalog().threats


def models() -> tuple[Model, ...]:
    """The taxonomy's ten example models."""
    return _catalog().models


def defenses() -> tuple[DefenseRow, ...]:
    """All defenses of the catalog."""
    return _catalog().defenses


def threat(name: str) -> Threat:
    """The threat with this id. Raises InputError with the nearest ids."""
    return _named("threat", name, threats())


def model(name: str) -> Model:
    """The model with this id. Raises InputError with the nearest ids."""
    return _named("model", name, models())


def defense(name: str) -> DefenseRow:
    """The defense with this id. Raises InputError with the nearest ids."""
    return _named("defense", name, defenses())


def record(name: str) -> Threat | DefenseRow | Model:
    """The threat, defense or model with this id. Raises InputError with the nearest ids."""
    rows: tuple[Threat | DefenseRow | Model, ...] = (*threats(), *defenses(), *models())
    every = {row.id: row for row in rows}
    if name not in every:
        raise unknown("threat, defense or model", name, every)
    return every[name]


def select(
    flow: str | None = None,
    goal: str | None = None,
    modality: str | None = None,
    knowledge: str | None = None,
    status: str | None = None,
) -> tuple[Threat, ...]:
    """The threats that meet every condition given, in the table's order; capitals, spaces and hyphens in a value do not matter.

    Raises InputError for a value that the catalog does not know.
    """
    flow, goal = _known("flow", flow, FLOWS), _known("goal", goal, GOALS)
    modality, knowledge = _known("modality", modality, MODALITIES), _known("knowledge", knowledge, KNOWLEDGE)
    status = _known("status", status, ("implemented", "not yet"))
    return tuple(
        row
        for row in threats()
        if flow in (None, row.flow)
        and goal in (None, row.goal)
        and (modality is None or modality in row.modalities)
        and (knowledge is None or knowledge in row.knowledge)
        and status in (None, row.status)
    )


def _known(what: str, value: str | None, accepted: tuple[str, ...]) -> str | None:
    if value is None:
        return None
    spelled = {name.lower().replace(" ", "-"): name for name in accepted}
    key = value.strip().lower().replace(" ", "-").replace("_", "-")
    if key not in spelled:
        raise unknown(what, value, spelled)
    return spelled[key]


def _named(what: str, name: str, rows: tuple[Named, ...]) -> Named:
    for row in rows:
        if row.id == name:
            return row
    raise unknown(what, name, (row.id for row in rows))
