"""Written calls: tool calls that stand in a model's words, in the form of its family, where nothing has parsed them.

Read with tools on offer only. Forms that mark a call are read wherever they stand:
    <tool_call>, <tool_calls>, [TOOL_CALLS], <|python_tag|>, <|tool_call|>, functools and others, with JSON objects
    {"name", "arguments" or "parameters"} or lists of them (Hermes, Qwen, Mistral, Llama 3, Granite, Phi, Jamba, Command)
    a name and then its arguments (DeepSeek, Kimi, Mistral since v11, harmony's commentary channel, <function=NAME>{...})
    a name and then pairs in tags (Qwen3-Coder, GLM, MiniMax, <invoke name="NAME">), calls as in Python (Llama 4, LFM2)
Forms without a mark, JSON or Python alone or in a fence, are read where they are all of the text or its end, and name an
offered tool: a model that quotes a call in the middle of its words has not made it.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from hartley.targets.arguments import MalformedCallError, Tools, not_finite, offered, unwrapped
from hartley.targets.conversation import Json

MOST_CALLS = 128
"""In one turn."""
LONGEST = 2**16
"""Characters of a turn in which calls are read: some forms take time with the square of that."""
_LONGEST_PYTHON = 20_000

_MARK = re.compile(
    r"<tool_calls?>|<\|tool_calls?(?:_start|_begin)?\|>|<\|tool_calls_section_begin\|>|\[TOOL_CALLS?\]|<\|python_tag\|>"
    r"|<function=|<function_calls?>|<functioncall>|<TOOLCALL>|<(?:\w+:)?tool_call>|<(?:\w+:)?invoke name=|functools(?=\[)"
    r"|<[|\uff5c]tool[\u2581_]calls?[\u2581_]begin[|\uff5c]>|<\|START_ACTION\|>|<\|action_start\|>|<start_function_call>|```tool_(?:code|calls?)\b"
    r"|<\|channel\|>\s*commentary\s+to=(?:functions\.)?\w|(?<=assistant)commentary to=functions\.|(?<=\n)commentary to=functions\."
)
_ENDS = re.compile(
    r"</?(?:\w+:)?tool_calls?>|</?TOOLCALL>|</?function_calls?>|</?functioncall>|\[/?TOOL_CALLS?\]|\[/?ARGS\]|\[CALL_ID\]\w*"
    r"|<[|\uff5c][^<>|\uff5c]{1,40}[|\uff5c]>|</?start_function_call>|<end_function_call>|```\w*"
)
_TAGGED = re.compile(
    r"<(?:function=|(?:\w+:)?invoke name=)[\"']?([\w.:-]+)[\"']?\s*>(.*?)(?=</function>|</(?:\w+:)?invoke>|<function=|$)", re.S
)
_PAIR = re.compile(r"<parameter(?:=| name=)[\"']?([\w.:-]+)[\"']?\s*>\n?((?:(?!<parameter).)*?)\n?</parameter>", re.S)
_KEY = re.compile(r"<arg_key>((?:(?!<arg_key>).)*?)</arg_key>\s*<arg_value>((?:(?!<arg_key>).)*?)</arg_value>", re.S)
_FENCE = re.compile(r"(?:json|python|xml|tool_code|tool_calls?)?[ \t]*\n")
_OPENING, _OBJECT = re.compile(r"[\[{]"), re.compile(r"[\[{]\s*[\[{\"]")
_LAST_LINES = re.compile(r"\n[ \t]*[\[{]")
_WORD = re.compile(r"[\w.:/-]+")
_NAMES, _ARGUMENTS = ("name", "tool_name", "tool", "function"), ("arguments", "parameters", "args", "input")


@dataclass(frozen=True)
class WrittenCall:
    """A call as it was written: its arguments are not yet held against the tool's schema."""

    name: str
    arguments: Mapping[str, Json]


@dataclass(frozen=True)
class Written:
    """The calls of a text, and what is said before them."""

    spoken: str
    calls: tuple[WrittenCall, ...]


def written_calls(text: str, tools: Tools) -> Written | None:
    """The calls that stand in a text; None where it is plain speech, and where no tool is on offer.

    Raises MalformedCallError, with what is wrong, for a text that begins a call which cannot be read.
    """
    names = frozenset(offered(tools))
    if not names:
        return None
    mark = _MARK.search(text)
    if mark is None:
        return _unmarked(text, names) if len(text) <= LONGEST else None
    if len(text) > LONGEST:
        raise MalformedCallError(f"it stands in {len(text):,} characters; calls are read in up to {LONGEST:,}")
    spoken = text[: mark.start()].strip()
    try:
        calls = _marked(text[mark.start() :], names)
    except MalformedCallError as error:
        raise MalformedCallError(f"{error}; written: {' '.join(text[mark.start() :][:60].split())}") from None
    if len(calls) > MOST_CALLS:
        raise MalformedCallError(f"it is one of {len(calls):,} calls in one turn; at most {MOST_CALLS} are read")
    return Written(spoken, tuple(calls))


def _unmarked(text: str, names: frozenset[str]) -> Written | None:
    """Calls without a mark: the whole text, a fence at its end, or the last lines that begin with a brace."""
    stripped = text.strip()
    if stripped.startswith(("{", "[{", "[ {", "[\n")) and any(f'"{key}"' in stripped for key in (*_NAMES, "tool_calls")):
        return _whole(stripped, names)
    ends = [(0, stripped)]
    if stripped.endswith("```") and (fence := stripped.rfind("```", 0, -3)) >= 0 and (opening := _FENCE.match(stripped, fence + 3)):
        ends.append((fence, stripped[opening.end() : -3]))
    if (line := _LAST_LINES.search(stripped)) is not None:
        ends.append((line.start(), stripped[line.end() - 1 :]))
    for start, inner in ends:
        if calls := _silent(inner.strip(), names):
            return Written(stripped[:start].strip(), tuple(calls))
    return None


def _whole(text: str, names: frozenset[str]) -> Written | None:
    """Text that is JSON from its first letter: calls, plain speech, or what a call that broke off leaves."""
    try:
        values, rest = _values(text)
    except MalformedCallError:
        if (
            any(re.search(rf'"(?:name|function|tool)"\s*:\s*"(?:functions\.)?{re.escape(name)}"', text) for name in names)
            or '"name"' in text
        ):
            raise
        return None
    if '"name"' in rest:
        _broken("it is not valid JSON")
    if not any(isinstance(value, dict) and _is_call(value, names) for value in values):
        return None
    calls = tuple(call for value in values for call in _of_value(value, names))
    return Written("", calls) if not rest or all(call.name in names for call in calls) else None


def _silent(text: str, names: frozenset[str]) -> list[WrittenCall]:
    """The calls that a text is, all of them of offered tools; none where it is anything else."""
    try:
        if text.startswith(("{", "[")) and not re.match(r"\[\s*[A-Za-z_]", text):
            values, rest = _values(text)
            calls = [] if rest else [call for value in values for call in _of_value(value, names)]
        elif re.match(r"\[?\s*(?:print\()?[\w.]+\(", text):
            calls = _python(text)
        else:
            calls = []
    except MalformedCallError:
        return []
    return calls if all(call.name in names for call in calls) else []


def _marked(text: str, names: frozenset[str]) -> list[WrittenCall]:
    """The calls of a text that begins with a mark."""
    tagged = _TAGGED.findall(text)
    if tagged:
        return [_tagged(plain_name(name, names), body, names) for name, body in tagged]
    if "<arg_key>" in text or re.match(r"<tool_call>\s*[\w.-]+\s*</tool_call>", text):
        return [_keyed(part, names) for part in text.split("<tool_call>")[1:]]
    bare = _ENDS.sub(" ", text).strip().removeprefix("functools").strip()
    if re.match(r"\[?\s*(?:print\()?[A-Za-z_][\w.]*\(", bare):
        return _python(bare)
    if bare.startswith("call:"):  # FunctionGemma: call:NAME{key:<escape>words<escape>}
        return [_braced(part, names) for part in bare.split("call:")[1:]]
    return _named(bare, names)


def _tagged(name: str, body: str, names: frozenset[str]) -> WrittenCall:
    pairs = _PAIR.findall(body)
    if pairs or not body.strip():
        return WrittenCall(name, dict(pairs))
    values, _ = _values(body)
    if len(values) != 1 or not isinstance(values[0], dict):
        _broken("its arguments are not an object")
    return WrittenCall(name, values[0])


def _keyed(part: str, names: frozenset[str]) -> WrittenCall:
    head = part.partition("<arg_key>")[0].partition("</tool_call>")[0].strip()
    return WrittenCall(plain_name(head, names), {key.strip(): value.strip() for key, value in _KEY.findall(part)})


def _braced(part: str, names: frozenset[str]) -> WrittenCall:
    name, _, body = part.partition("{")
    pairs = re.findall(r"([\w.-]+):(?:<escape>(.*?)<escape>|([^,{}]*))", body, re.S)
    return WrittenCall(plain_name(name.strip(), names), {key: escaped or plain.strip() for key, escaped, plain in pairs})


def _named(text: str, names: frozenset[str]) -> list[WrittenCall]:
    """Calls as JSON objects that name their tool, or after a tool's name."""
    decoder, calls, place = _decoder(), list[WrittenCall](), 0
    while (found := _OPENING.search(text, place)) is not None:
        start = found.start()
        gap = text[place:start]
        try:
            value, place = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            if calls and not _OBJECT.match(text, start):
                place = start + 1  # words with a brace in them, after the calls
                continue
            _broken("it is not valid JSON")
        before = [plain_name(word, names) for word in _WORD.findall(gap)]
        known = next((word for word in reversed(before) if word in names), None)
        if isinstance(value, dict) and not _is_call(value, names, strictly=known is not None) and (known or before):
            calls.append(WrittenCall(known or before[-1], value))
        else:
            calls += _of_value(value, names)
    if not calls:
        _broken("it holds no JSON object")
    return calls


def _values(text: str) -> tuple[list[Any], str]:
    """The JSON values that a text begins with, lists laid open; and what follows them."""
    decoder, found, place = _decoder(), list[Any](), 0
    while place < len(text) and text[place] in "[{":
        try:
            value, place = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            _broken("it is not valid JSON")
        found += value if isinstance(value, list) else [value]
        while place < len(text) and text[place] in " \t\r\n,;":
            place += 1
    if not found:
        _broken("it holds no JSON object")
    return found, text[place:].strip()


def _is_call(value: Mapping[str, Any], names: frozenset[str], *, strictly: bool = False) -> bool:
    """Whether an object is a call by its keys. strictly: one whose keys might be arguments too is none."""
    if isinstance(value.get("tool_calls"), list) or isinstance(value.get("function"), dict):
        return True
    name = next((value[key] for key in _NAMES if isinstance(value.get(key), str)), None)
    has_arguments = any(key in value for key in _ARGUMENTS)
    return name is not None and (has_arguments or (not strictly and plain_name(name, names) in names))


def _of_value(value: Any, names: frozenset[str]) -> list[WrittenCall]:
    if isinstance(value, list):
        return [call for item in value for call in _of_value(item, names)]
    if isinstance(value, dict) and isinstance(value.get("tool_calls"), list):
        return _of_value(value["tool_calls"], names)
    if isinstance(value, dict) and isinstance(value.get("function"), dict):
        value = value["function"]
    name = next((value[key] for key in _NAMES if isinstance(value.get(key), str)), None) if isinstance(value, dict) else None
    if name is None:
        _broken('it has no "name"')
    given: Any = next((value[key] for key in _ARGUMENTS if key in value), {})
    return [WrittenCall(plain_name(name, names), unwrapped(given))]


def _python(text: str) -> list[WrittenCall]:
    """Calls as in Python, each argument by its name and a literal."""
    try:
        tree = ast.parse(text.strip()[: _LONGEST_PYTHON + 1], mode="exec") if len(text) <= _LONGEST_PYTHON else None
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        tree = None
    if tree is None:
        _broken("it is no call as in Python")
    calls: list[WrittenCall] = []
    for statement in tree.body:
        value = statement.value if isinstance(statement, ast.Expr | ast.Assign) else None
        for item in value.elts if isinstance(value, ast.List) else [value]:
            node = item
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print" and len(node.args) == 1:
                node = node.args[0]
            if not isinstance(node, ast.Call) or node.args or any(keyword.arg is None for keyword in node.keywords):
                _broken("it is no call with arguments by name")
            try:
                calls.append(
                    WrittenCall(
                        ast.unparse(node.func).split(".")[-1], {str(word.arg): ast.literal_eval(word.value) for word in node.keywords}
                    )
                )
            except (ValueError, TypeError, RecursionError, MemoryError):
                _broken("an argument is no literal")
    return calls


def plain_name(name: str, names: frozenset[str]) -> str:
    """A tool's name without what servers and templates put around it, where that makes it the name of an offered one."""
    bare = name.strip()
    if bare in names:
        return bare
    inner = re.sub(r"^(?:to=)?(?:functions?|tools?|default_api)[.:]|<\|.*$|:\d+$", "", re.sub(r":\d+$", "", bare.removeprefix("to=")))
    return inner if inner in names else bare


def _decoder() -> json.JSONDecoder:
    return json.JSONDecoder(strict=False, parse_constant=not_finite)


def _broken(why: str) -> NoReturn:
    raise MalformedCallError(why)
