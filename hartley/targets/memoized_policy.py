"""Recalling: a policy that does not think twice about the same conversation."""

from __future__ import annotations

from collections.abc import Sequence

from hartley.targets.agent.agent import Remembering, responses_each
from hartley.targets.conversation import Conversation, Message
from hartley.targets.protocols import Policy
from hartley.targets.tool_calls import Tools


class Recalling:
    """A policy that says again what it said where conversation and tools are the same, word by word.

    For policies that always answer the same way. A policy computes many conversations at once, and whom one is computed with
    bends the last digits of its probabilities: make a new one for every part of an experiment that is to repeat by itself.
    """

    def __init__(self, policy: Policy, said: dict[str, Message] | None = None) -> None:
        self.policy = policy
        self.name, self.fingerprint, self.capabilities = policy.name, policy.fingerprint, policy.capabilities
        self._said: dict[str, Message] = {} if said is None else said

    def respond(self, conversations: Sequence[Conversation], tools: Tools) -> list[Message]:
        """The policy's next message of each conversation."""
        return self.respond_each(conversations, [tools] * len(conversations))

    def respond_each(self, conversations: Sequence[Conversation], offers: Sequence[Tools]) -> list[Message]:
        """The same, where every conversation has tools of its own on offer."""
        said = {id(tools): repr(tools) for tools in offers}
        keys = [f"{conversation!r} {said[id(tools)]}" for conversation, tools in zip(conversations, offers, strict=True)]
        new = {key: place for place, key in enumerate(keys) if key not in self._said}
        answers = responses_each(self.policy, [conversations[place] for place in new.values()], [offers[place] for place in new.values()])
        self._said |= {key: answer for key, answer in zip(new, answers, strict=True) if isinstance(answer, Message)}
        return [self._said[key] for key in keys]

    def session(self) -> Policy:
        """The same, with a policy that does not read again what it has read."""
        return Recalling(self.policy.session() if isinstance(self.policy, Remembering) else self.policy, self._said)


def memoized(policy: Policy) -> Policy:
    """The policy with a recollection of its own; one that is asked over a wire has a cache already, and stays as it is."""
    return Recalling(policy) if isinstance(policy, Remembering) else policy
