"""Safeguard: what wraps an agent, a society's member or a memory's reader, and is itself that kind of thing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hartley.targets.memory.reading import Reading
from hartley.targets.protocols import Policy

if TYPE_CHECKING:
    from hartley.targets.agent.agent import Agent


@dataclass(frozen=True)
class Safeguard:
    """A catalog row made runnable. None: it does not apply to that kind of target, and the cell is refused.

    agent     an agent to the guarded agent.
    member    a policy that reads what its peers wrote to the guarded policy (societies).
    reading   a memory's reader to the guarded reader.
    words     a policy that is spoken to by its user alone to the guarded policy.
    """

    id: str
    agent: Callable[[Agent], Agent] | None = None
    member: Callable[[Policy], Policy] | None = None
    reading: Callable[[Reading], Reading] | None = None
    words: Callable[[Policy], Policy] | None = None
