"""Choices: the one place where what a server sends becomes an assistant's turn, or the reason why there is none.

Between "the model answered" and the text in `content` stand: an error inside a success, a filter, an end by length, thinking,
a refusal, words in audio, calls in five fields and in the words themselves, several choices, and nothing at all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from hartley.targets.arguments import MalformedCallError, Tools, offered, typed_call, unwrapped
from hartley.targets.conversation import Call, Json, Message
from hartley.targets.endpoint.outcomes import NotMeasured, Reason, excerpt
from hartley.targets.endpoint.refusals import error_in, filtered
from hartley.targets.endpoint.thinking import part
from hartley.targets.tool_calls import malformed
from hartley.targets.written_calls import MOST_CALLS, plain_name, written_calls

FILTERED = frozenset(
    {
        *("content_filter", "contentfilter", "content_filtered", "content_policy_violation", "safety", "image_safety", "recitation"),
        *("blocklist", "blocked", "prohibited_content", "spii", "sensitive", "refusal", "guardrail_intervened", "moderation"),
    }
)
CUT = frozenset({"length", "max_tokens", "max_length", "model_length", "max_output_tokens", "token_limit", "incomplete"})
FAILED = frozenset({"error", "abort", "aborted", "cancelled", "canceled", "network_error", "insufficient_system_resource", "failed"})
UNREADABLE = frozenset({"malformed_function_call", "unexpected_tool_call", "tool_use_failed"})
"""Values of finish_reason, in small letters with underscores. Any other is an end like others."""
_CALL_PARTS = ("tool_use", "tool_call", "function_call")
_LEAKED = re.compile(
    r"(?:\s*(?:<\|(?:im_end|eot_id|eom_id|endoftext|end|return|end_of_text|END_OF_TURN_TOKEN)\|>|</s>|<end_of_turn>))+\s*$"
)
"""Marks at which a model ends, that a server has left in its words; looked for in the last `_TAIL` letters."""
_TAIL = 200
_THOUGHTS = ("reasoning_content", "reasoning", "thinking")


@dataclass(frozen=True)
class Said:
    """A turn as a server sent it.

    thought      what the model thought, kept apart from the message, or within it where thinking counts as answer.
    written      the calls stood in the words: the server did not parse them.
    unreadable   a call could not be read; the message's text says why.
    cut          the words were cut off by length.
    choices      how many choices came; the first counts.
    """

    message: Message
    thought: str = ""
    written: bool = False
    unreadable: bool = False
    cut: bool = False
    choices: int = 1


def to_message(body: Mapping[str, Json], tools: Tools = ()) -> Message:
    """The assistant's turn in an answer. Raises NotMeasured as `read_choice` does."""
    return read_choice(body, tools).message


def read_choice(body: Mapping[str, Json], tools: Tools = (), *, thinking_counts: bool = False, may_be_silent: bool = False) -> Said:
    """The assistant's turn in an answer.

    A call that names no offered tool, or whose arguments do not fit, is what the model said, not an error of the server: the
    message then has no calls, and its text says what is wrong, as with every other policy.
    thinking_counts   thinking is a part of the answer; else it is kept apart.
    may_be_silent     an answer without words and calls, ended by the model itself, is its closing turn; else there is no answer.
    Raises NotMeasured: for an error in place of an answer with the status that it names, FILTERED, LENGTH and EMPTY for what is
    no answer of the model's, and for any other form.
    """
    failure = error_in(body)
    if failure is not None:
        raise failure
    choice, count = _first(body)
    said = _message_of(choice)
    ends = _ends(choice)
    _refuse_filtered(choice, said, ends)
    whole, thought, open_thought = _parted(said, thinking_counts)
    found = replace(_turn(whole, said, tools, ends), thought=thought, choices=count)
    if ends & FAILED:
        raise NotMeasured(Reason.SERVER_ERROR, f"the server ended the answer itself (finish_reason {_named(choice)})")
    if ends & CUT and found.unreadable:
        raise NotMeasured(Reason.LENGTH, f"in the middle of a call{_tokens(body)}")
    if found.message.text.strip() or found.message.calls:
        return replace(found, cut=bool(ends & CUT))
    if ends & CUT or open_thought:
        raise NotMeasured(Reason.LENGTH, f"{_nothing(thought)}{_tokens(body)}; the plan's endpoint.longest_answer allows longer ones")
    if may_be_silent:
        return replace(found, message=Message("assistant"))
    raise NotMeasured(Reason.EMPTY, f"{_nothing(thought)}, neither words nor a call (finish_reason {_named(choice)}){_other(said)}")


def _first(body: Mapping[str, Json]) -> tuple[Mapping[str, Any], int]:
    """The first choice, by its index where they have one, and how many there are."""
    choices = body.get("choices")
    if choices == []:
        raise NotMeasured(Reason.NO_CHOICES, "the list of choices is empty")
    listed = [item for item in choices if isinstance(item, dict)] if isinstance(choices, list) else []
    if not listed or len(listed) != len(cast(list[Json], choices)):
        raise NotMeasured(Reason.SCHEMA, "the answer has no choices with a message")
    return next((item for item in listed if item.get("index") == 0), listed[0]), len(listed)


def _message_of(choice: Mapping[str, Any]) -> Mapping[str, Any]:
    """The message of a choice, also of one that has the older API's text, or a stream's delta."""
    said = choice.get("message", choice.get("delta"))
    if said is None and isinstance(choice.get("text"), str):
        said = {"content": choice["text"]}
    if said is None and _ends(choice) & (FILTERED | CUT | FAILED | UNREADABLE):
        said = {}
    if not isinstance(said, dict):
        raise NotMeasured(Reason.SCHEMA, "the answer has no choices with a message")
    return said


def _ends(choice: Mapping[str, Any]) -> frozenset[str]:
    details = choice.get("finish_details")
    given = [choice.get("finish_reason"), choice.get("native_finish_reason"), details.get("type") if isinstance(details, dict) else None]
    return frozenset(str(one).lower().rpartition(".")[2].replace("-", "_") for one in given if isinstance(one, str))


def _named(choice: Mapping[str, Any]) -> str:
    given = choice.get("finish_reason")
    return excerpt(given, str)[:40] if isinstance(given, str) and given else "none"


def _refuse_filtered(choice: Mapping[str, Any], said: Mapping[str, Any], ends: frozenset[str]) -> None:
    """Raises NotMeasured where the server's filter took the answer, or a part of it, away."""
    kinds = filtered(choice.get("content_filter_results") or choice.get("content_filter_result"))
    if ends & FILTERED or (kinds and not said.get("content") and not said.get("tool_calls")):
        own = said.get("refusal") or (said.get("content") if not kinds else "")
        words = f"; it says: {excerpt(own, str)}" if isinstance(own, str) and own.strip() else ""
        raise NotMeasured(Reason.FILTERED, f"finish_reason {_named(choice)}{f', for {kinds}' if kinds else ''}{words}")


def _parted(said: Mapping[str, Any], thinking_counts: bool) -> tuple[str, str, bool]:
    """What is said, what was thought, and whether the thought was cut off before anything was said."""
    words, beside = _contents(said.get("content"))
    words = words[:-_TAIL] + _LEAKED.sub("", words[-_TAIL:])
    thoughts = beside + [said[name] for name in _THOUGHTS if isinstance(said.get(name), str)]
    thought = "\n".join(dict.fromkeys(text.strip() for text in thoughts if text.strip()))
    if thinking_counts:
        return "\n".join(filter(None, [thought, words])), thought or part(words).thought, False
    parted = part(words)
    return parted.said, "\n".join(filter(None, [thought, parted.thought])), parted.unfinished


def _contents(content: Any) -> tuple[str, list[str]]:
    """The text of a message's content (a string, nothing, or a list of parts), and the parts that are thinking."""
    if content is None:
        return "", []
    parts = content if isinstance(content, list) else [content if isinstance(content, dict) else {"type": "text", "text": content}]
    words: list[str] = []
    thoughts: list[str] = []
    for item in parts:
        piece = {"text": item} if isinstance(item, str) else item
        if not isinstance(piece, dict):
            raise NotMeasured(Reason.SCHEMA, "the message's content is no text")
        kind = str(piece.get("type", "text"))
        if "think" in kind or "reason" in kind:
            inner = piece.get("thinking", piece.get("text", piece.get("reasoning", "")))
            thoughts.append(inner if isinstance(inner, str) else _contents(inner)[0])
            continue
        text = piece.get("text", piece.get("refusal", ""))
        if not isinstance(text, str):
            raise NotMeasured(Reason.SCHEMA, "the message's content is no text")
        words.append(text)
    return "".join(words), thoughts


def _turn(text: str, said: Mapping[str, Any], tools: Tools, ends: frozenset[str]) -> Said:
    """The turn with its calls, from whichever field, or from the words, they stand in."""
    listed = _listed(said)
    try:
        if listed:
            calls = tuple(_call(item, tools) for item in listed)
            ids = [call.id for call in calls]
            if len(set(ids)) < len(ids):  # then the answers could not be told apart; they get ids of our own when they go out again
                calls = tuple(replace(call, id="") for call in calls)
            return Said(Message("assistant", text, calls=calls))
        written = written_calls(text, tools)
    except MalformedCallError as error:
        return Said(malformed(text if listed else "", error), unreadable=True)
    if written is not None:
        try:
            calls = tuple(typed_call(one.name, one.arguments, tools) for one in written.calls)
        except MalformedCallError as error:
            return Said(malformed(written.spoken, error), written=True, unreadable=True)
        return Said(Message("assistant", written.spoken, calls=calls), written=True)
    if ends & UNREADABLE:
        return Said(malformed(text, MalformedCallError("the server could not read it")), unreadable=True)
    return Said(Message("assistant", text or _spoken_elsewhere(said)))


def _listed(said: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The calls of a message, in the list of today or the single field of old."""
    content = said.get("content")
    parts = [one for one in content if isinstance(one, dict) and one.get("type") in _CALL_PARTS] if isinstance(content, list) else []
    listed = said.get("tool_calls") or said.get("function_call") or parts
    calls = [listed] if isinstance(listed, dict) else listed
    if not isinstance(calls, list) or not all(isinstance(item, dict) for item in calls):
        raise NotMeasured(Reason.SCHEMA, "tool_calls is no list of objects")
    if len(calls) > MOST_CALLS:
        raise NotMeasured(Reason.TOO_LARGE, f"{len(calls):,} calls in one answer; at most {MOST_CALLS} are read")
    return calls


def _call(item: Mapping[str, Any], tools: Tools) -> Call:
    function: Any = item.get("function", item)
    name = function.get("name") if isinstance(function, dict) else function
    if not isinstance(name, str) or not name.strip():
        raise MalformedCallError("it has no name")
    holder = function if isinstance(function, dict) else item
    given = next((place[key] for place in (holder, item) for key in ("arguments", "parameters", "input") if key in place), None)
    call = typed_call(plain_name(name, frozenset(offered(tools))), unwrapped(given), tools)
    own = item.get("id")
    return Call(call.name, call.arguments, own if isinstance(own, str) else "")


def _spoken_elsewhere(said: Mapping[str, Any]) -> str:
    """The words of a message without content: a refusal, or what was spoken aloud."""
    audio = said.get("audio")
    for words in (said.get("refusal"), audio.get("transcript") if isinstance(audio, dict) else None):
        if isinstance(words, str) and words:
            return words
    return ""


def _nothing(thought: str) -> str:
    return f"it thought {len(thought):,} characters, and nothing is in content" if thought else "nothing is in content"


def _other(said: Mapping[str, Any]) -> str:
    """Which fields hold something that is no words."""
    known = {"role", "content", "tool_calls", "function_call", "refusal", *_THOUGHTS}
    names = [excerpt(str(name), str)[:30] for name, value in said.items() if name not in known and value]
    return f"; there is something in {', '.join(names[:5])}" if names else ""


def _tokens(body: Mapping[str, Any]) -> str:
    usage = body.get("usage")
    written = usage.get("completion_tokens") if isinstance(usage, dict) else None
    return f", {written:,} tokens written" if isinstance(written, int) and not isinstance(written, bool) and 0 < written < 10**9 else ""
