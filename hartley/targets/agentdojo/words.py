"""Messages both ways: AgentDojo's chat messages are dictionaries, ours are values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hartley.targets.agentdojo.extra import need
from hartley.targets.conversation import Call, Conversation, Message


def to_conversation(messages: Sequence[Mapping[str, Any]]) -> Conversation:
    """Our conversation of AgentDojo's messages. A tool's error stands where its answer would."""
    found: list[Message] = []
    for message in messages:
        role, text = str(message["role"]), _text(message["content"])
        if role == "tool":
            found.append(Message("tool", message["error"] or text, answers=message["tool_call_id"] or ""))
        elif role == "assistant":
            calls = tuple(Call(call.function, dict(call.args), call.id or "") for call in message["tool_calls"] or ())
            found.append(Message("assistant", text, calls=calls))
        else:
            found.append(Message(role, text))
    return tuple(found)


def to_chat(message: Message, turn: int) -> dict[str, Any]:
    """AgentDojo's message of what a policy said. turn: numbers the calls that have no id of their own.

    A call without words has no content, as with AgentDojo's own clients: its suites look at that when the turns are used up.
    """
    function_call = need("functions_runtime").FunctionCall
    calls = [
        function_call(function=call.name, args=dict(call.arguments), id=call.id or f"call_{turn}_{place}")
        for place, call in enumerate(message.calls)
    ]
    said = content(message.text) if message.text or not calls else None
    return {"role": "assistant", "content": said, "tool_calls": calls or None}


def content(text: str) -> list[dict[str, str]]:
    """AgentDojo's content of plain words."""
    return [{"type": "text", "content": text}]


def _text(blocks: Any) -> str:
    if isinstance(blocks, str):
        return blocks
    return "\n".join(block["content"] for block in blocks or () if block["type"] == "text" and block["content"])
