"""Rules: what servers say when they refuse the shape of a request, and how it is then put.

The words are those of vLLM, SGLang, TGI, llama.cpp, Ollama, LM Studio, LiteLLM, OpenRouter, Groq, Mistral, Gemini, Azure, OpenAI,
DeepSeek, Moonshot and DashScope, as their issue trackers quote them. The surest rules stand first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hartley.targets.endpoint import shapes

_UNKNOWN = (
    r"unsupported|not supported|instead|unrecognized|unknown|extra (?:inputs?|fields?)|extra_forbidden|not permitted|unexpected"
    r"|cannot find|not allowed|additional propert|deprecated|invalid param"
)


@dataclass(frozen=True)
class Rule:
    """name: under which it is kept. sentence: what is done, for people. words: of the server that ask for it; but: that do not."""

    name: str
    sentence: str
    words: re.Pattern[str]
    put: Callable[[shapes.Body], shapes.Body]
    but: re.Pattern[str] | None = None


def _words(text: str) -> re.Pattern[str]:
    return re.compile(text, re.I | re.S)


def _same(body: shapes.Body) -> shapes.Body:
    return body


RULES = (
    Rule(
        "unparsed",
        'tool_choice "none" is sent, since the server has no parser of calls (vLLM: --enable-auto-tool-choice --tool-call-parser); '
        "calls are read from the words",
        _words(r"--enable-auto-tool-choice|--tool-call-parser"),
        shapes.with_fields(tool_choice="none"),
    ),
    Rule(
        "tool-choice",
        'tool_choice "auto" is sent',
        _words(r"tool_choice.{0,60}(?:required|must|missing|needed)"),
        shapes.with_fields(tool_choice="auto"),
    ),
    Rule(
        "limit-name",
        "the longest answer is sent under its other name (max_tokens, max_completion_tokens)",
        _words(rf"(?=.*max_(?:completion_)?tokens)(?=.*(?:{_UNKNOWN}|required|missing))"),
        shapes.renamed_limit,
        _words(r"too (?:large|high|big)|at most|maximum|exceed|less than"),
    ),
    Rule(
        "short-ids",
        "calls have ids of nine letters and digits",
        _words(r"\bid\b.{0,120}(?:length of 9|9 char|nine|alphanumeric|a-z, ?A-Z, ?0-9|too long|maximum length)"),
        shapes.short_ids,
    ),
    Rule(
        "thoughts",
        "the model's thoughts are given back with its calls, since the server asks for them",
        _words(r"reasoning_content.{0,80}(?:missing|must be|required|passed back)|(?:missing|require\w*).{0,10}reasoning_content"),
        _same,
    ),
    Rule(
        "no-thinking",
        "enable_thinking false is sent",
        _words(r"enable_thinking.{0,80}false"),
        lambda body: {**body, "extra_body": {**body.get("extra_body", {}), "enable_thinking": False}},
    ),
    Rule(
        "system-first",
        "the system's turns stand together at the beginning",
        _words(
            r"system.{0,40}(?:must|should|has to|can only).{0,40}(?:first|beginning|start)|(?:only|more than) one system|multiple system"
        ),
        shapes.system_first,
    ),
    Rule(
        "developer",
        "the system's turn is sent as the developer's",
        _words(r"use .{0,20}developer|developer.{0,20}instead"),
        shapes.system_as("developer"),
    ),
    Rule("alternating", "neighboring turns of one role are sent as one", _words(r"alternat|consecutive|same role"), shapes.alternating),
    Rule(
        "system-in-user",
        "the system's words are sent at the beginning of the user's, since the server takes no system's turn",
        _words(
            r"(?:system|developer) ?(?:role|messages?|prompts?|instructions?)?\W{0,3} ?(?:is |are |was |has )?(?:not|un\w+ed)\b"
            r"|(?:not|n't|un)\W?\w{0,3}support\w*.{0,40}(?:system|developer)|only (?:the )?(?:roles? )?.?user.{0,8}(?:assistant|model)"
            r"|(?:unsupported|invalid|unknown|unexpected).{0,40}(?:system|developer)|alternat"
        ),
        shapes.system_in_user,
        _words(r"use .{0,20}developer|developer.{0,20}instead"),
    ),
    Rule(
        "tools-answered",
        "a short turn of the assistant stands between a tool's answer and the user's next turn",
        _words(r"\buser\b.{0,6} after .{0,8}\btool\b"),
        shapes.answered_tools,
    ),
    Rule(
        "single-calls",
        "several calls of a turn are sent one after the other",
        _words(
            r"single (?:tool|function)|(?:only|than) (?:one|1) (?:tool|function)|one (?:tool|function).?call at"
            r"|parallel.{0,30}calls?.{0,20}not"
        ),
        shapes.single_calls,
    ),
    Rule(
        "filled",
        'empty content is sent as "(empty)"',
        _words(r"(?:content|text).{0,80}(?:non-?empty|empty|blank|at least 1 char|min_?length)"),
        shapes.contents(shapes.never_empty),
    ),
    Rule(
        "text",
        "content is sent as text, never as null or as a list",
        _words(r"content.{0,120}(?:string|null|none|missing|required|\bstr\b)|(?:string|null|none|missing|required).{0,60}content"),
        shapes.contents(shapes.as_text),
    ),
    Rule(
        "parts",
        "content is sent as a list of parts",
        _words(r"content.{0,120}(?:array|list|sequence|parts)"),
        shapes.contents(shapes.as_parts),
    ),
    Rule(
        "without message name",
        "name left out of the turns",
        _words(rf"(?=.*\bname\b)(?=.*(?:message|tool))(?=.*(?:{_UNKNOWN}))"),
        lambda body: shapes.without(body, "message name"),
        _words(r"parameters|function_declarations|schema"),
    ),
    Rule(
        "no-empty-parameters",
        "tools that take nothing are sent without parameters",
        _words(r"propert(?:y|ies).{0,80}(?:non-?empty|be empty|at least one)"),
        shapes.without_empty_parameters,
    ),
    Rule(
        "closed",
        "the tools' schemas say additionalProperties false",
        _words(r"additionalProperties.{0,60}(?:required|supplied|must be)"),
        shapes.closed,
    ),
    Rule(
        "functions",
        "tools are sent as the older functions",
        _words(rf"(?=.*\btools?\b)(?=.*(?:{_UNKNOWN}|supported values))"),
        shapes.as_functions,
        _words(r"does not support|choice|parser|function_declarations|schema|parameters|messages?\.[0-9]+\.tool|\bname\b"),
    ),
    Rule(
        "described",
        "tools without a description have their name as one",
        _words(r"description.{0,60}(?:empty|required|missing|at least)"),
        shapes.described,
    ),
    Rule(
        "typed",
        "the tools' parameters say that they are an object",
        _words(r"schema.{0,80}(?:must|object|type)|type.{0,12}object"),
        shapes.typed,
    ),
    Rule(
        "warm",
        "temperature 0.01 in place of 0",
        _words(r"temperature.{0,80}(?:positive|greater than 0|> ?0|non-?zero|above 0|\(0)"),
        lambda body: {**body, "temperature": 0.01} if body.get("temperature") == 0 else body,
    ),
)


def fields_named(said: str, sent: Mapping[str, Any]) -> list[str]:
    """The fields of a request, of those that it can do without, that a refusal names; where it names none but says that there is
    something it does not know, those that fewest servers know."""
    optional = [field for field in sent if field not in shapes.NEEDED]
    named = [field for field in optional if re.search(rf"(?<![A-Za-z0-9_]){re.escape(field)}(?![A-Za-z0-9_])", said)]
    if named or not re.search(_UNKNOWN, said, re.I) or re.search(r"messages?\b|content|role|tool|max_", said):
        return named
    return [field for field in ("seed", "temperature") if field in optional]


def lower_limit(said: str, sent: Mapping[str, Any]) -> int | None:
    """The most tokens of an answer that a refusal allows, where that is less than was asked for."""
    asked = sent.get("max_tokens", sent.get("max_completion_tokens"))
    if not re.search(r"max_(?:completion_|output_|new_)?tokens|(?:completion|output) tokens", said) or re.search(r"context|input", said):
        return None
    found = re.search(r"(?:at most|maximum|up to|less than or equal to|<=|limit|range)\D{0,40}(?:1\D{1,4})?([0-9]{2,6})", said)
    return int(found[1]) if found and isinstance(asked, int) and 16 <= int(found[1]) < asked else None


def schema_words_named(said: str, sent: Mapping[str, Any]) -> list[str]:
    """The words of JSON Schema in the tools that a refusal names, of those without which a schema still says what is needed."""
    if not re.search(r"schema|parameters|function|tool|propert", said, re.I):
        return []
    used = dict.fromkeys(
        word for word in shapes.schema_words(sent) if word not in ("type", "properties", "required", "items", "description")
    )
    return [word for word in used if re.search(rf"(?<![A-Za-z0-9_]){re.escape(word)}(?![A-Za-z0-9_])", said)]
