"""What the catalog and a recipe's docstring say about a threat or a defense. Nothing here comes from the run."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import hartley
from hartley import catalog

MODEL, SYSTEM = "model", "system"
RECIPE_LABELS = ("Claim", "Does", "Left out", "Bends")


@dataclass(frozen=True)
class Facts:
    """A catalog row for reading. An id that the catalog does not know has only its id."""

    id: str
    name: str
    flow: str = ""
    goal: str = ""
    capability: str = ""
    reference: str = ""
    claimed: str = ""
    fidelity: str = ""
    left_out: str = ""
    implemented: bool = False
    known: bool = False
    about: str = ""
    note: str = ""
    level: str = ""
    bends: tuple[str, ...] = ()
    knowledge: tuple[str, ...] = ()
    links: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Identifiers of other vocabularies, by vocabulary; an inferred link carries an asterisk."""


def threats() -> tuple[Facts, ...]:
    """All threats of the taxonomy, in its order."""
    return tuple(_threat(row) for row in catalog.threats())


def defenses() -> Mapping[str, Facts]:
    """All defenses of the catalog by id."""
    return {
        row.id: Facts(
            row.id, row.name, reference=row.reference, implemented=row.implemented, known=True, about=row.mechanism, level=row.level
        )
        for row in catalog.defenses()
    }


def levels() -> Mapping[str, str]:
    """MODEL or SYSTEM for every threat and defense of the catalog, by id."""
    return {row.id: row.level for row in catalog.threats()} | {row.id: row.level for row in catalog.defenses()}


def unknown(identifier: str, flow: str = "") -> Facts:
    """For an id that only the run knows."""
    return Facts(identifier, identifier, flow)


def _threat(row: catalog.Threat) -> Facts:
    links: dict[str, list[str]] = {}
    for entry in row.crosswalk:
        for link in entry.links:
            shown = link.id + ("*" if link.inferred else "")
            known = links.setdefault(link.vocabulary, [])
            if shown not in known:
                known.append(shown)
    return Facts(
        id=row.id,
        name=row.name,
        flow=row.flow,
        goal=row.goal,
        capability=row.capability,
        reference=row.reference,
        claimed=row.claimed or "",
        fidelity=row.fidelity or "",
        left_out=row.left_out or "",
        implemented=row.implemented,
        known=True,
        note=row.note or "",
        level=row.level,
        bends=row.bends,
        knowledge=row.knowledge,
        links=tuple((vocabulary, tuple(ids)) for vocabulary, ids in links.items()),
    )


def recipe(threat: Facts) -> Mapping[str, str]:
    """The lines of the recipe's docstring by their label (Claim, Does, Left out, Bends), read without importing it."""
    if not threat.known or not threat.implemented:
        return {}
    function = threat.id.replace("-", "_")
    file = Path(hartley.__file__).parent / "attacks" / threat.flow / f"{function}.py"
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):
        return {}
    found = next((node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == function), None)
    return _labelled((ast.get_docstring(found) if found is not None else None) or "")


def _labelled(text: str) -> Mapping[str, str]:
    lines: dict[str, str] = {}
    label = ""
    for raw in text.splitlines():
        head, colon, rest = raw.partition(":")
        if colon and head in RECIPE_LABELS:
            label = head
            lines[label] = rest.strip()
        elif label and raw.strip():
            lines[label] += " " + raw.strip()
    return {label: line[:1].upper() + line[1:] for label, line in lines.items()}
