"""A policy that says what a script says: for tests, for documentation, and for what an ideal agent would do."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hartley import files
from hartley.errors import InputError
from hartley.targets.conversation import Call, Conversation, Json, Message

OTHERWISE = ""
"""The script's entry for users' words that have none of their own."""

LARGEST = 2**24


class ScriptedPolicy:
    """Answers the last words of the user with the turns that the script has for them, one after the other; satisfies `Policy`.

    script  from the user's words to the assistant's turns; `OTHERWISE` for all others. Where the turns are used up, or there
            are none, it says nothing. Nothing is remembered: which turn it is can be seen in the conversation.
    Raises ValueError for a turn that is not the assistant's.
    """

    capabilities: frozenset[str] = frozenset({"text"})

    def __init__(self, script: Mapping[str, Sequence[Message]], name: str = "scripted") -> None:
        self.name = name
        self._script = {words: tuple(turns) for words, turns in script.items()}
        if any(turn.role != "assistant" for turns in self._script.values() for turn in turns):
            raise ValueError("a script holds the assistant's turns alone")

    @classmethod
    def read(cls, file: Path) -> ScriptedPolicy:
        """The policy of a JSON file: {"the user's words": [{"text": ..., "calls": [{"name": ..., "arguments": {...}}]}, ...]}.

        Raises InputError when it is not there or has another form.
        """
        try:
            content: Any = json.loads(files.text(files.read(file, LARGEST), file))
            script = {words: [_turn(turn) for turn in turns] for words, turns in content.items()}
        except InputError as error:
            raise InputError(f"script {error}") from None
        except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
            form = '{"words": [{"text": "...", "calls": [{"name": "...", "arguments": {}}]}]}'
            raise InputError(f"script {file}: it takes JSON of the form {form}") from None
        return cls(script, name=f"scripted:{file.name}")

    @property
    def fingerprint(self) -> str:
        """A hash of the script."""
        script = {
            words: [[turn.text, [[call.name, dict(call.arguments), call.id] for call in turn.calls]] for turn in turns]
            for words, turns in self._script.items()
        }
        return hashlib.sha256(json.dumps(script, sort_keys=True).encode()).hexdigest()

    def respond(self, conversations: Sequence[Conversation], tools: Sequence[Mapping[str, Json]]) -> list[Message]:
        """The script's next turn in each conversation, whatever the tools."""
        return [self._next(conversation) for conversation in conversations]

    def _next(self, conversation: Conversation) -> Message:
        last = max((place for place, message in enumerate(conversation) if message.role == "user"), default=-1)
        words = conversation[last].text if last >= 0 else OTHERWISE
        turns = self._script.get(words, self._script.get(OTHERWISE, ()))
        said = sum(message.role == "assistant" for message in conversation[last + 1 :])
        return turns[said] if said < len(turns) else Message("assistant")


def _turn(turn: Mapping[str, Any]) -> Message:
    calls = tuple(Call(call["name"], dict(call.get("arguments", {})), call.get("id", "")) for call in turn.get("calls", ()))
    text = turn.get("text", "")
    if not isinstance(text, str) or not all(isinstance(part, str) for call in calls for part in (call.name, call.id)):
        raise ValueError
    return Message("assistant", text, calls=calls)
