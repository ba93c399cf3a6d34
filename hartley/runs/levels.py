"""Levels: which threats attack a model and which the system around one, and which defenses have anything to act on there."""

from __future__ import annotations

from functools import cache

MODEL, SYSTEM = "model", "system"
LEVELS = (MODEL, SYSTEM)
MODALITIES = ("text", "image", "audio")
FAMILIES = ("encoder", "answerer", "generator", "recognizer", "listener")
"""Kinds of models that threats of the model level attack, by the protocol (`hartley.targets.protocols`) that they satisfy."""
GUARDED = {MODEL: "a model", SYSTEM: "a system around one"}


@cache
def _threats() -> dict[str, str]:
    from hartley import catalog

    return {row.id: row.level for row in catalog.threats()}


def of_threat(name: str) -> str:
    """One of LEVELS; "" for a threat that the catalog does not know."""
    return _threats().get(name, "")


@cache
def families_of(threat: str) -> tuple[str, ...]:
    """The families of models that a threat attacks, as its recipe says; those of an encoder's where it is not known."""
    from hartley import catalog

    found = next((row.recipe for row in catalog.threats() if row.id == threat), None)
    return ("encoder",) if found is None else found.families


@cache
def _defenses() -> dict[str, str]:
    from hartley import catalog

    return {row.id: row.level for row in catalog.defenses()}


def of_defense(name: str) -> str:
    """One of LEVELS; "" for a defense that the catalog does not know."""
    return _defenses().get(name, "")


@cache
def ruled_out(threat: str, defense: str) -> str:
    """Why the defense has nothing to act on, from what the catalog declares of both (level, stage, modalities, flow), or "".

    Such a pair is measured by nobody: it would be refused, and stand among what was not measured. What the catalog does not know
    goes with everything, and what only the recipe can know is left to the recipe.
    """
    from hartley import catalog

    attack = next((row for row in catalog.threats() if row.id == threat), None)
    guard = next((row for row in catalog.defenses() if row.id == defense), None)
    if attack is None or guard is None:
        return ""
    if attack.level != guard.level:
        return f"it guards {GUARDED[guard.level]}, and {threat} attacks {GUARDED[attack.level]}"
    if guard.stage == "training" and attack.flow != "learning" and "train" not in attack.needs:
        return f"it filters training {' and '.join(guard.modalities)}, and {threat} trains nothing"
    if guard.level == MODEL and attack.recipe is not None and not set(guard.wraps) & set(attack.recipe.families):
        return f"it wraps {either(guard.wraps)}, and {threat} attacks {either(attack.recipe.families)}"
    carried = set(guard.modalities) & set(MODALITIES)
    if carried and attack.modalities and not carried & set(attack.modalities):
        return f"it acts on {' and '.join(guard.modalities)}, and {threat} changes {' and '.join(attack.modalities)} alone"
    if guard.stage == "retrieval" and attack.flow != "memory":
        return f"it acts on what a memory gives, and {threat} attacks no memory"
    if guard.stage == "action" and attack.flow == "memory":
        return "it acts on an agent's calls, and what answers from a memory makes none"
    return ""


def either(families: tuple[str, ...]) -> str:
    """ "an answerer or a listener"."""
    return " or ".join(f"{'an' if name[0] in 'aeiou' else 'a'} {name}" for name in families)


def go_together(threat: str, defense: str) -> bool:
    """Whether nothing that the catalog declares rules the pair out."""
    return not ruled_out(threat, defense)
