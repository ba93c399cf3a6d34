"""Shipped: the parts that the package itself brings, of which every run is made unless it is told of others."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from hartley.bits.value import Bits
from hartley.errors import InputError
from hartley.evidence import Evidence
from hartley.runs import levels, resolve
from hartley.runs.parts import Parts
from hartley.runs.plan import Cell, Plan
from hartley.runs.resolve import Loaded, check_names
from hartley.runs.rows import Catalog

if TYPE_CHECKING:
    from hartley.defenses.model.defense import Defense
    from hartley.defenses.system.safeguard import Safeguard
    from hartley.recipe import Recipe


def load(plan: Plan, checked: bool) -> Loaded:
    """The plan's target and data. Raises InputError for whatever the user can mend."""
    needed = {family for threat in plan.threats for family in levels.families_of(threat)}
    return resolve.load(plan.target, plan.data, checked, plan.endpoint, plan.tool_protocol, needed, plan.device, plan.dtype, plan.surrogate)


def forecast(plan: Plan, cells: Sequence[Cell], root: Path | None) -> tuple[str, ...]:
    """What the cells will cost where the target is behind a server."""
    if not resolve.server(plan.target) or not cells:
        return ()
    from hartley.runs.forecast import lines

    return lines(plan, cells, root, PARTS)


def catalog() -> Catalog:
    """`hartley.catalog`."""
    from hartley import catalog as package

    return package


def recipe(threat_id: str) -> Recipe:
    """The threat's recipe. Raises InputError for an id that the catalog does not know, and for a threat without one."""
    from hartley.catalog import threat

    row = threat(threat_id)
    if row.recipe is None:
        raise InputError(f"threat {threat_id!r} has no recipe yet; `hartley list --status implemented` names those that have")
    found: Recipe = importlib.import_module(row.recipe.module).RECIPE
    return replace(found, needs=row.needs, level=row.level)


def defense(defense_id: str) -> Defense | Safeguard:
    """The defense in hartley/defenses/LEVEL/ID.py. Raises InputError for an id that the catalog does not know."""
    from hartley import catalog as package

    row = package.defense(defense_id)
    module = importlib.import_module(_defense_module(row.level, row.id))
    found: Defense | Safeguard = module.DEFENSE
    return found


def measures(evidence: Evidence) -> tuple[tuple[str, Bits], ...]:
    """All measures of a table, by arm."""
    from hartley.bits.for_evidence import for_evidence

    found: tuple[tuple[str, Bits], ...] = for_evidence(evidence)
    return found


def _defense_module(level: str, defense_id: str) -> str:
    return f"hartley.defenses.{level}.{defense_id.replace('-', '_')}"


def code(plan: Plan) -> dict[str, str]:
    """By threat and defense, the hash of the sources that decide its results."""
    from hartley import catalog as package
    from hartley.runs.sources import MEASURING, code_of

    recipes = {name: package.threat(name).recipe for name in plan.threats}
    threats = {name: code_of(*MEASURING, *((found.module,) if found else ())) for name, found in recipes.items()}
    return threats | {name: code_of(_defense_module(package.defense(name).level, name)) for name in plan.defenses}


PARTS = Parts(check_names, load, recipe, defense, measures, catalog, forecast, code)
