"""The tools of the agent's world, and their JSON Schemas in the function format of OpenAI's API."""

from __future__ import annotations

from collections.abc import Iterable

from hartley.targets.agent.environments import TOOLBOX as NAMED
from hartley.targets.agent.tool import Tool
from hartley.targets.conversation import Json

__all__ = ["NAMED", "TOOLS", "Tool", "schemas"]

TOOLS = tuple(NAMED.values())


def schemas(names: Iterable[str] = tuple(NAMED), *, described: bool = True) -> tuple[dict[str, Json], ...]:
    """The JSON Schemas of the named tools, in that order; all of them by default."""
    return tuple(NAMED[name].schema(described=described) for name in names)
