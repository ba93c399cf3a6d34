"""Levels: which threats attack a model and which the system around one, and which defenses go with them."""

from __future__ import annotations

from functools import cache

MODEL, SYSTEM = "model", "system"
LEVELS = (MODEL, SYSTEM)


@cache
def _threats() -> dict[str, str]:
    from hartley import catalog

    return {row.id: row.level for row in catalog.threats()}


@cache
def _defenses() -> dict[str, str]:
    from hartley import catalog

    return {row.id: row.level for row in catalog.defenses()}


def of_threat(name: str) -> str:
    """One of LEVELS; "" for a threat that the catalog does not know."""
    return _threats().get(name, "")


def of_defense(name: str) -> str:
    """One of LEVELS; "" for a defense that the catalog does not know."""
    return _defenses().get(name, "")


def go_together(threat: str, defense: str) -> bool:
    """Whether the defense guards what the threat attacks: what wraps a model is no safeguard of an agent, nor the other way round.

    What the catalog does not know goes with everything.
    """
    attacked, guarded = of_threat(threat), of_defense(defense)
    return not attacked or not guarded or attacked == guarded
