"""Safeguard: what wraps an agent, a society's member or a memory's reader, and is itself that kind of thing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hartley.targets.memory.reading import Reading
from hartley.targets.protocols import Policy

if TYPE_CHECKING:
    from hartley.targets.agent.agent import Agent

WRAPPED = {
    "agent": "an agent's tools",
    "member": "what members of a society hear from each other",
    "reading": "what a memory's reader is given",
    "words": "what an application's user says",
}
"""What a wrapper of that name stands around."""


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

    @property
    def guarded(self) -> str:
        """What it stands around, in words."""
        return either_of(tuple(name for name in WRAPPED if getattr(self, name)))


def either_of(wrappers: tuple[str, ...]) -> str:
    """ "an agent's tools or what a memory's reader is given"."""
    return " or ".join(WRAPPED[name] for name in wrappers) or "nothing that a safeguard stands around"
