"""Robot: an arm over a grid of ten by ten cells, with a gripper."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from hartley.targets.agent.state import State
from hartley.targets.agent.tool import Answer, Natural, tool

Cell = Annotated[Natural, {"maximum": 9}]


def move(state: State, x: Cell, y: Cell) -> Answer:
    """move the arm"""
    return Answer(replace(state, cell=(x, y)), "done", writes=(("cell", ""),))


def grip(state: State, closed: bool) -> Answer:
    """close or open the gripper"""
    return Answer(replace(state, closed=closed), "done", writes=(("closed", ""),))


TOOLS = (tool(move, privileged=True), tool(grip, privileged=True))
