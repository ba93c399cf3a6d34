"""Parts: what a worker builds a cell from. A run takes them as an argument, so that another set can stand in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hartley.bits.value import Bits
from hartley.evidence import Evidence
from hartley.runs.plan import Cell, Plan
from hartley.runs.resolve import Loaded
from hartley.runs.rows import Catalog

if TYPE_CHECKING:
    from hartley.defenses.model.defense import Defense
    from hartley.defenses.system.safeguard import Safeguard
    from hartley.recipe import Recipe


def undated(_plan: Plan) -> dict[str, str]:
    """Parts whose code never changes."""
    return {}


def free(_plan: Plan, _cells: Sequence[Cell], _root: Path | None) -> tuple[str, ...]:
    """Nothing costs anything."""
    return ()


@dataclass(frozen=True)
class Parts:
    """Module-level functions throughout, so that a new process finds them again by name.

    check      (target, data) names: raises InputError early for what can be seen without loading.
    load       a plan, and whether another process has checked its data already, to what is loaded.
    recipe     threat id to Recipe. defense: defense id to what the module calls DEFENSE.
    measures   a table to (arm, Bits) pairs.
    catalog    gives the catalog that plans are held against.
    code       by each threat and defense of a plan, a hash of the sources that decide its results.
    forecast   what the plan's cells that are still to be measured will cost, in lines for people; none where nothing costs anything.
    """

    check: Callable[[str, str], None]
    load: Callable[[Plan, bool], Loaded]
    recipe: Callable[[str], Recipe]
    defense: Callable[[str], Defense | Safeguard]
    measures: Callable[[Evidence], tuple[tuple[str, Bits], ...]]
    catalog: Callable[[], Catalog]
    forecast: Callable[[Plan, Sequence[Cell], Path | None], tuple[str, ...]] = free
    code: Callable[[Plan], Mapping[str, str]] = undated
