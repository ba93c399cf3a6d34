"""Environments: the tools of an agent, grouped by what they act on."""

from __future__ import annotations

from collections.abc import Mapping

from hartley.targets.agent.environments import calendar, database, files, home, mail, notes, payments, robot, shop, web
from hartley.targets.agent.tool import Tool

ENVIRONMENTS: Mapping[str, tuple[Tool, ...]] = {
    "mail": mail.TOOLS,
    "calendar": calendar.TOOLS,
    "files": files.TOOLS,
    "payments": payments.TOOLS,
    "web": web.TOOLS,
    "shop": shop.TOOLS,
    "robot": robot.TOOLS,
    "home": home.TOOLS,
    "database": database.TOOLS,
    "notes": notes.TOOLS,
}
TOOLBOX: Mapping[str, Tool] = {tool.name: tool for tools in ENVIRONMENTS.values() for tool in tools}
"""Every tool by its name, in the order in which they are offered."""
