"""The extra `agentdojo`: everything of AgentDojo is reached through here, so that nothing of it is imported before it is needed."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from hartley.errors import InputError


def need(module: str) -> Any:
    """A module of AgentDojo. Raises InputError, in one line, where the extra is not installed."""
    if find_spec("agentdojo") is None:
        raise InputError("AgentDojo's suites come with AgentDojo itself; not installed: agentdojo; takes: pip install -e '.[agentdojo]'")
    return import_module(f"agentdojo.{module}")


def enroll(kind: type) -> None:
    """Make a class with a `query` a BasePipelineElement of AgentDojo, so that its type checks accept it."""
    need("agent_pipeline.base_pipeline_element").BasePipelineElement.register(kind)
