"""Shop: items with a price, and orders."""

from __future__ import annotations

from dataclasses import replace

from hartley.targets.agent.state import State
from hartley.targets.agent.tool import Answer, Natural, tool


def search_shop(state: State, item: str) -> Answer:
    """look for an item"""
    return Answer(state, f"{item} : price {state.prices[item]}", reads=(("prices", item),))


def buy(state: State, item: str, quantity: Natural) -> Answer:
    """order an item"""
    return Answer(replace(state, bought=(*state.bought, (item, quantity))), "done", writes=(("bought", item),))


TOOLS = (tool(search_shop), tool(buy, privileged=True))
