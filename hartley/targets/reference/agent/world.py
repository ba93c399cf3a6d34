"""The small world that the agent is trained in: the tools and the state of `hartley.targets.agent`, without labels."""

from __future__ import annotations

from hartley.targets.agent.environments.notes import PASSAGES
from hartley.targets.agent.state import PLENTY, State
from hartley.targets.agent.world import NOT_FOUND, answered
from hartley.targets.conversation import Call

__all__ = ["NOT_FOUND", "PASSAGES", "PLENTY", "State", "execute"]


def execute(state: State, call: Call) -> tuple[State, str]:
    """The state after a call, and what the tool answers. An unknown tool and unusable arguments answer with an error."""
    answer = answered(state, call)
    return answer.state, answer.text
