"""Reading tool calls out of what a policy wrote: in the reference agent's words, or in the forms that chat models write.

A reader takes the written text (special tokens included) and the tools on offer, and gives a Message. What cannot be read
as a call of an offered tool with fitting arguments becomes a Message whose text says so, never an exception.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from hartley.targets.arguments import MalformedCallError, Tools, typed_call
from hartley.targets.conversation import Call, Json, Message
from hartley.targets.written_calls import written_calls

__all__ = ["MALFORMED", "MalformedCallError", "Reader", "Tools", "malformed", "read_json_calls", "read_word_calls", "typed_call"]

Reader = Callable[[str, Tools], Message]

MALFORMED = "malformed call: "
CALL, ARGUMENT = "<|call|>", "<|arg|>"
_SPECIAL = re.compile(r"<\|\w+\|>")
_QUOTED = re.compile(r"' ([^']*?) '")


def read_word_calls(text: str, tools: Tools) -> Message:
    """The turn of a policy that writes `words <|call|> name <|arg|> argument value ... <|call|> ...`."""
    spoken, *parts = text.split(CALL)
    words = " ".join(_SPECIAL.sub(" ", spoken).split())
    try:
        return Message("assistant", words, calls=tuple(_word_call(part, tools) for part in parts))
    except MalformedCallError as error:
        return malformed(words, error)


def _word_call(part: str, tools: Tools) -> Call:
    head, *pairs = part.split(ARGUMENT)
    if _SPECIAL.search(part.replace(ARGUMENT, "")):
        raise MalformedCallError("a turn's mark stands inside the call")
    found: dict[str, Json] = {}
    for pair in pairs:
        name, _, value = " ".join(pair.split()).partition(" ")
        if name in found:
            raise MalformedCallError(f"the argument {name!r} is given twice")
        found[name] = _QUOTED.sub(r"'\1'", value)
    return typed_call(" ".join(head.split()), found, tools)


def read_json_calls(text: str, tools: Tools) -> Message:
    """The turn of a policy that writes its calls into its words, as Llama, Qwen, Hermes, Mistral, DeepSeek and others do.

    `hartley.targets.written_calls` says which forms. Any other text is plain speech.
    """
    try:
        found = written_calls(text, tools)
    except MalformedCallError as error:
        return malformed("", error)
    if found is None:
        return Message("assistant", text.strip())
    try:
        calls = tuple(typed_call(one.name, one.arguments, tools) for one in found.calls)
    except MalformedCallError as error:
        return malformed(found.spoken, error)
    return Message("assistant", found.spoken, calls=calls)


def malformed(spoken: str, error: MalformedCallError) -> Message:
    """The turn in which a call could not be read: what was said, and why."""
    return Message("assistant", f"{spoken} {MALFORMED}{error}".strip())
