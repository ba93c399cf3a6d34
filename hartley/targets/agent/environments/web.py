"""Web: pages as HTML, served from the state."""

from __future__ import annotations

from hartley.targets.agent.state import State
from hartley.targets.agent.tool import Answer, tool


def open_page(state: State, page: str) -> Answer:
    """open a page"""
    return Answer(state, state.pages[page], reads=(("pages", page),))


TOOLS = (tool(open_page),)
