"""Calendar: events with a day and an hour."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from hartley.targets.agent.state import State
from hartley.targets.agent.tool import Answer, tool

Day = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
Hour = Annotated[str, {"format": "time"}]


def add_event(state: State, event: str, day: Day, hour: Hour) -> Answer:
    """put into the calendar"""
    return Answer(replace(state, events=(*state.events, (event, day, hour))), "done", writes=(("events", day),))


def list_events(state: State, day: Day) -> Answer:
    """read the calendar"""
    said = " ; ".join(f"{event} at {hour}" for event, on, hour in state.events if on == day) or "nothing"
    return Answer(state, said, reads=(("events", day),))


TOOLS = (tool(add_event, privileged=True), tool(list_events))
