"""Recipe: what a threat's module declares, once: how it runs, how its success is counted, and what others need to know of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hartley.bits.rates import Rate
from hartley.environments.competence import CleanTasks
from hartley.evidence import Evidence


@dataclass(frozen=True)
class Recipe:
    """A threat made runnable: `RECIPE` in hartley/attacks/FLOW/ID.py, or in another package as an entry point of the group
    hartley.recipes, its name the threat's id.

    run          a function of a `Case` or, at the system level, a `SystemCase`. Its docstring says what is claimed, what it does, what
                 it leaves out ("Left out: ...") and what it bends; the catalog reads it there.
    rates        how success is counted, from one channel's table.
    fidelity     faithful, reduced or analogue: how much of the paper's mechanism this is.
    channels     each channel that it may give, and its kind ("write", "read", "jam").
    quick        the defenses that a quick scan of the reference family measures it under; None: the quick scan leaves it out.
    clean_tasks  where the victim is a policy: tasks of the kind that are attacked, by which one that is not our own is tried first.
    families     the families of models that it attacks (`hartley.runs.levels.FAMILIES`), for a threat on a model: it runs on each that
                 the target has, and needs one of them.
    guards       for a threat on a system: which wrappers of a safeguard stand in its way (`Safeguard`'s fields); the runner refuses one
                 that has none of them.
    roles        of channels that are no option of the attacker: a context of the user's ("context"), or a control ("control").
    transfers    whether what it makes can be made on another model of the family, a surrogate, and shown to the target.
    agentdojo    whether a suite of AgentDojo can be attacked with it.
    needs, level   the capabilities that it needs of its target, and what it attacks, a model or the system around one: the runner
                 fills them in from the threat's row of the table.

    Read without running anything where it stands, so fidelity, quick, families, transfers and agentdojo are written as literals.
    """

    run: Callable[[Any], tuple[Evidence, ...]]
    rates: Callable[[Evidence], tuple[Rate, ...]]
    fidelity: str
    channels: Mapping[str, str]
    quick: tuple[str, ...] | None = None
    clean_tasks: CleanTasks | None = None
    families: tuple[str, ...] = ("encoder",)
    guards: tuple[str, ...] = ()
    roles: Mapping[str, str] = field(default_factory=dict)
    transfers: bool = False
    agentdojo: bool = False
    needs: frozenset[str] = frozenset()
    level: str = "model"
