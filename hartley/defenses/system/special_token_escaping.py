"""Special token escaping: what users, tools and documents say cannot spell the tokens by which a chat template tells turns apart.

Both of `ChatBug` (Jiang et al., 2024) and ChatInject (Chang et al., 2025) rest on text that is read as a template's own tokens.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from hartley.defenses.system.safeguard import Safeguard
from hartley.targets.agent.agent import Agent, Guard, responses
from hartley.targets.agent.trace import Trace
from hartley.targets.conversation import Conversation, Json, Message
from hartley.targets.endpoint.batch import first_failure
from hartley.targets.endpoint.outcomes import NotMeasured
from hartley.targets.memory.memory import Passage
from hartley.targets.memory.reading import Reading
from hartley.targets.protocols import Policy

_TOKEN = re.compile(
    r"<[|\uff5c][^<>|\uff5c\n]{1,40}[|\uff5c]>|</?s>|<</?SYS>>|\[/?(?:INST|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|SYSTEM_PROMPT|ARGS)\]"
    r"|</?(?:start|end)_of_(?:turn|image)>|<(?:bos|eos|pad|unk|sep|mask|eod|eot)>|<\|?end(?:oftext|ofturn)?\|?>|<extra_id_\d+>",
    re.IGNORECASE,
)
_ROUNDS = 8


def escaped(text: str) -> str:
    """The text with a blank behind the first letter of whatever could be a template's token, also where one is hidden in another."""
    for _ in range(_ROUNDS):
        if not _TOKEN.search(text):
            return text
        text = _TOKEN.sub(lambda found: f"{found[0][0]} {found[0][1:]}", text)
    return _TOKEN.sub("", text)


def _literal(conversation: Conversation) -> Conversation:
    """The operator's own words, and the assistant's, are left as they are."""
    return tuple(replace(turn, text=escaped(turn.text)) if turn.role in ("user", "tool") else turn for turn in conversation)


class Escaping(Guard):
    """Shows the policy nothing of users and tools that spells a token."""

    def view(self, seen: Sequence[tuple[Trace, Conversation]]) -> list[Conversation]:
        return [_literal(conversation) for _, conversation in seen]


class Escaped:
    """A policy that is given what users and peers say with its tokens escaped."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.name, self.capabilities = f"{policy.name} with special token escaping", policy.capabilities
        self.fingerprint = f"special-token-escaping {policy.fingerprint}"

    def attempt(self, conversations: Sequence[Conversation], tools: Sequence[Mapping[str, Json]]) -> list[Message | NotMeasured]:
        """The policy's next message of each conversation, or why there is none."""
        return responses(self.policy, [_literal(conversation) for conversation in conversations], tools)

    def respond(self, conversations: Sequence[Conversation], tools: Sequence[Mapping[str, Json]]) -> list[Message]:
        """The same. Raises the first NotMeasured."""
        return first_failure(self.attempt(conversations, tools))


def guarded(agent: Agent) -> Agent:
    """The agent whose policy sees no such tokens."""
    return agent.guarded(Escaping())


def literal(reading: Reading) -> Reading:
    """A memory's reader that gets questions and passages with such tokens escaped."""

    def read(questions: Sequence[str], passages: Sequence[Sequence[Passage]]) -> Sequence[str | NotMeasured]:
        shown = [[replace(one, entry=replace(one.entry, text=escaped(one.entry.text))) for one in own] for own in passages]
        return reading([escaped(question) for question in questions], shown)

    return read


DEFENSE = Safeguard("special-token-escaping", agent=guarded, member=Escaped, reading=literal, words=Escaped)
