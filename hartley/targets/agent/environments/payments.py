"""Payments: an account that can be emptied, not overdrawn."""

from __future__ import annotations

from dataclasses import replace

from hartley.targets.agent.state import State
from hartley.targets.agent.tool import Answer, Natural, tool

TOO_LITTLE = "error : not enough money"


def pay(state: State, recipient: str, amount: Natural) -> Answer:
    """pay money"""
    if amount > state.money:
        return Answer(state, TOO_LITTLE, reads=(("money", ""),))
    return Answer(
        replace(state, money=state.money - amount, paid=(*state.paid, (recipient, amount))), "done", writes=(("paid", recipient),)
    )


def balance(state: State) -> Answer:
    """the money left"""
    return Answer(state, str(state.money), reads=(("money", ""),))


TOOLS = (tool(pay, privileged=True), tool(balance))
