"""A policy of ours as an element of AgentDojo's pipelines, and the whole pipeline around any element."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hartley.targets.agentdojo.environments import as_text
from hartley.targets.agentdojo.extra import enroll, need
from hartley.targets.agentdojo.guards import TURNS, Executed, Safeguards
from hartley.targets.agentdojo.suites import Suite, schemas
from hartley.targets.agentdojo.twin import Asked, twin_calls
from hartley.targets.agentdojo.words import content, to_chat, to_conversation
from hartley.targets.endpoint.outcomes import NotMeasured
from hartley.targets.protocols import Policy


class PolicyElement:
    """A policy of ours where AgentDojo has a language model.

    Raises NotMeasured where an endpoint gives no answer. AgentDojo counts a failed server of the brands it knows as a
    successful attack; this stops its benchmark instead, and our own runs leave the pair out.
    """

    def __init__(self, policy: Policy) -> None:
        enroll(type(self))
        self.policy = policy
        self.name = f"local {policy.name}"

    def query(self, query: str, runtime: Any, env: Any, messages: Sequence[Any] = (), extra_args: Any = None) -> tuple[Any, ...]:
        attempt = getattr(self.policy, "attempt", self.policy.respond)  # an endpoint's, which tells why there is no answer
        (said,) = attempt([to_conversation(messages)], schemas(runtime.functions))
        if isinstance(said, NotMeasured):
            raise said
        return query, runtime, env, [*messages, to_chat(said, len(messages))], {} if extra_args is None else extra_args


def pipeline(decides: Policy | Any, *safeguards: str) -> Any:
    """A pipeline of AgentDojo's, with its own system message, tools and loop, around a policy of ours or an element of its own.

    safeguards  ids of hartley.targets.agentdojo.guards.GUARDS, from the first to the last that is asked.
    Tools answer as often as in AgentDojo's own loop, or as the policy's `turns` says.
    The name begins with "local", by which AgentDojo's attacks address a model that they do not know.
    """
    parts, turns = need("agent_pipeline"), getattr(decides, "turns", TURNS)
    llm = decides if hasattr(decides, "query") else PolicyElement(decides)
    tools = parts.ToolsExecutor(as_text)
    system = parts.SystemMessage(need("agent_pipeline.agent_pipeline").load_system_message(None))
    guards = Safeguards(llm, *safeguards, turns=turns)
    loop = parts.ToolsExecutionLoop([tools, llm], max_iters=turns)
    built = parts.AgentPipeline([system, parts.InitQuery(), guards, llm, loop, Executed()])
    built.name = llm.name if str(llm.name).startswith("local") else f"local {llm.name}"
    return built


def planned_calls(suite: Suite, policy: Policy, user: str) -> tuple[Any, list[Asked]]:
    """AgentDojo's runtime with the suite's tools, and the calls that a policy's twin makes at a user task."""
    system, task = need("agent_pipeline.agent_pipeline").load_system_message(None), suite.dojo.user_tasks[user]
    runtime = need("functions_runtime").FunctionsRuntime(suite.dojo.tools)
    said = [{"role": "system", "content": content(system)}, {"role": "user", "content": content(task.PROMPT)}]
    return runtime, twin_calls(PolicyElement(policy), task.PROMPT, runtime, None, said, {}, getattr(policy, "turns", TURNS))


def planned_tools(suite: Suite, policy: Policy) -> dict[str, frozenset[str]]:
    """For each user task, the tools that trusted words call for: what the allow-list leaves on offer."""
    return {user: frozenset(asked.function for asked in planned_calls(suite, policy, user)[1]) for user in suite.users}
