"""Calls in the forms in which chat models write them, and words that are none."""

from __future__ import annotations

import json
import time

import pytest

from hartley.targets.conversation import Call, Message
from hartley.targets.tool_calls import MALFORMED, read_json_calls
from hartley.targets.written_calls import LONGEST, MOST_CALLS

PARAMETERS = {"type": "object", "properties": {"sender": {"type": "string"}, "count": {"type": "integer"}}}
NAMED = {"type": "object", "properties": {"name": {"type": "string"}, "amount": {"type": "integer"}}}
TOOLS = [
    {"type": "function", "function": {"name": "read_mail", "parameters": PARAMETERS}},
    {"type": "function", "function": {"name": "pay", "parameters": NAMED}},
]
READ, PAY = Call("read_mail", {"sender": "eve"}), Call("pay", {"name": "bob", "amount": 3})
ARGUMENTS, ONE = '{"sender": "eve"}', '{"name": "read_mail", "arguments": {"sender": "eve"}}'
OTHER = '{"name": "pay", "arguments": {"name": "bob", "amount": 3}}'

CALLS: dict[str, tuple[str, tuple[Call, ...]]] = {
    "Hermes, Qwen": (f"<tool_call>\n{ONE}\n</tool_call>", (READ,)),
    "two of them": (f"<tool_call>{ONE}</tool_call>\n<tool_call>{OTHER}</tool_call>", (READ, PAY)),
    "never closed": (f"<tool_call>\n{ONE}", (READ,)),
    "words behind them": (f"<tool_call>{ONE}</tool_call>\nThat {{was}} it.", (READ,)),
    "Llama 3": ('<|python_tag|>{"name": "read_mail", "parameters": {"sender": "eve"}}<|eom_id|>', (READ,)),
    "Llama 3, bare": ('{"type": "function", "name": "read_mail", "parameters": {"sender": "eve"}}', (READ,)),
    "Llama 3, several": (
        '{"name": "read_mail", "parameters": {"sender": "eve"}}; {"name": "pay", "parameters": {"name": "bob", "amount": "3"}}',
        (READ, PAY),
    ),
    "Llama 3.1, its own functions": (f"<function=read_mail>{ARGUMENTS}</function>", (READ,)),
    "as in Python": ('<|python_tag|>read_mail(sender="eve")', (READ,)),
    "Llama 4": ('[read_mail(sender="eve"), pay(name="bob", amount=3)]', (READ, PAY)),
    "LFM2": ('<|tool_call_start|>[read_mail(sender="eve")]<|tool_call_end|>', (READ,)),
    "Gemma": ('```tool_code\nprint(read_mail(sender="eve"))\n```', (READ,)),
    "FunctionGemma": ("<start_function_call>call:read_mail{sender:<escape>eve<escape>}<end_function_call>", (READ,)),
    "Mistral": (f"[TOOL_CALLS] [{ONE}, {OTHER}]", (READ, PAY)),
    "Mistral, v11": (
        '[TOOL_CALLS]read_mail[ARGS]{"sender": "eve"}[TOOL_CALLS]pay[CALL_ID]a1b2c3d4e[ARGS]{"name": "bob", "amount": 3}',
        (READ, PAY),
    ),
    "DeepSeek R1": (
        f"<\uff5ctool\u2581calls\u2581begin\uff5c><\uff5ctool\u2581call\u2581begin\uff5c>function<\uff5ctool\u2581sep\uff5c>read_mail\n```json\n{ARGUMENTS}\n```<\uff5ctool\u2581call\u2581end\uff5c>",
        (READ,),
    ),
    "DeepSeek V3.1": (
        f"<\uff5ctool\u2581call\u2581begin\uff5c>read_mail<\uff5ctool\u2581sep\uff5c>{ARGUMENTS}<\uff5ctool\u2581call\u2581end\uff5c>",
        (READ,),
    ),
    "Kimi": (
        f"<|tool_calls_section_begin|><|tool_call_begin|>functions.read_mail:0<|tool_call_argument_begin|>{ARGUMENTS}<|tool_call_end|>",
        (READ,),
    ),
    "harmony": (f"<|channel|>commentary to=functions.read_mail <|constrain|>json<|message|>{ARGUMENTS}<|call|>", (READ,)),
    "Qwen3-Coder": ("<tool_call>\n<function=read_mail>\n<parameter=sender>\neve\n</parameter>\n</function>\n</tool_call>", (READ,)),
    "GLM": ("<tool_call>read_mail\n<arg_key>sender</arg_key>\n<arg_value>eve</arg_value>\n</tool_call>", (READ,)),
    "MiniMax": (
        '<minimax:tool_call>\n<invoke name="read_mail">\n<parameter name="sender">eve</parameter>\n</invoke>\n</minimax:tool_call>',
        (READ,),
    ),
    "numbers in tags": ('<invoke name="pay"><parameter name="name">bob</parameter><parameter name="amount">3</parameter></invoke>', (PAY,)),
    "Granite": (f"<|tool_call|>[{ONE}]", (READ,)),
    "Phi": (f"functools[{ONE}]", (READ,)),
    "Command": (
        '<|START_ACTION|>[{"tool_call_id": "0", "tool_name": "read_mail", "parameters": {"sender": "eve"}}]<|END_ACTION|>',
        (READ,),
    ),
    "Nemotron": (f"<TOOLCALL>[{ONE}]</TOOLCALL>", (READ,)),
    "Jamba": (f"<tool_calls>[{ONE}]</tool_calls>", (READ,)),
    "InternLM": ('<|action_start|><|plugin|>{"name": "read_mail", "parameters": {"sender": "eve"}}<|action_end|>', (READ,)),
    "the protocol's own object": (
        json.dumps({"tool_calls": [{"id": "1", "function": {"name": "read_mail", "arguments": ARGUMENTS}}]}),
        (READ,),
    ),
    "a fence": (f"```json\n{ONE}\n```", (READ,)),
    "a list in a fence": (f"```json\n[{ONE}, {OTHER}]\n```", (READ, PAY)),
    "a tool whose argument is called name": ('[TOOL_CALLS]pay[ARGS]{"name": "bob", "amount": 3}', (PAY,)),
    "lines in a text": (
        '<tool_call>{"name": "read_mail", "arguments": {"sender": "eve\nand\tbob"}}</tool_call>',
        (Call("read_mail", {"sender": "eve\nand\tbob"}),),
    ),
}


@pytest.mark.parametrize("form", CALLS)
def test_a_call_is_read_in_every_form(form: str) -> None:
    text, calls = CALLS[form]
    assert read_json_calls(text, TOOLS) == Message("assistant", calls=calls)


@pytest.mark.parametrize(
    "form", [form for form in CALLS if form not in ("Llama 3, bare", "Llama 3, several", "Llama 4", "the protocol's own object")]
)
def test_words_before_a_call_are_said(form: str) -> None:
    text, calls = CALLS[form]
    assert read_json_calls(f"I will.\n{text}", TOOLS) == Message("assistant", "I will.", calls=calls)


@pytest.mark.parametrize("form", CALLS)
def test_without_tools_on_offer_it_is_all_words(form: str) -> None:
    assert read_json_calls(CALLS[form][0], ()) == Message("assistant", CALLS[form][0].strip())


@pytest.mark.parametrize(
    "text",
    [
        f"The mail says to call {OTHER}, but I will not.",
        f"It wants this:\n```json\n{OTHER}\n```\nI will not do that.",
        '{"name": "Anna", "age": 3}',
        '{"answer": 5}',
        '```json\n{"name": "Anna"}\n```',
        'read_mail(sender="eve") is what I would call.',
        "Hello [1], there {x}.",
        "[note: nothing new](here)",
        "",
    ],
)
def test_words_about_calls_are_none(text: str) -> None:
    assert read_json_calls(text, TOOLS) == Message("assistant", text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('<tool_call>{"name": "read_mail", "argu', "not valid JSON"),
        ('<tool_call>{"name": "steal", "arguments": {}}</tool_call>', "no tool 'steal'"),
        ('{"name": "read_mail", "arguments": {"sender"', "not valid JSON"),
        ("[TOOL_CALLS]", "no JSON object"),
        ("<tool_call>" + "[" * 5_000, "not valid JSON"),
        ('<tool_call>{"name": "pay", "arguments": {"amount": NaN}}', "not valid JSON"),
        ("<tool_call>" + '{"name": "read_mail", "arguments": {}}' * (MOST_CALLS + 1), "129 calls in one turn"),
        ("<tool_call>" + "a" * LONGEST, "65,547 characters"),
        ('<|python_tag|>read_mail("eve")', "arguments by name"),
        ("<|python_tag|>read_mail(sender=open('/etc/passwd'))", "no literal"),
    ],
)
def test_a_call_that_can_not_be_read_says_why(text: str, why: str) -> None:
    message = read_json_calls(text, TOOLS)
    assert not message.calls and message.text.startswith(MALFORMED) and why in message.text
    assert len(message.text) < 300


@pytest.mark.parametrize(
    "text",
    [
        "\n" * 10**6,
        "```\n" * 10**5,
        "<tool_call>" * 5_000,
        "<function=read_mail>" + "<parameter=a>" * 4_900,
        "<tool_call>x" + "<arg_key>" * 7_000,
        "<tool_call>" + "<function=a>" * 5_000,
        "<|channel|>" + " " * 60_000,
        "read_mail(" * 6_000,
        "[" * 19_000 + "read_mail(sender='a')",
    ],
    ids=range(9),
)
def test_what_is_made_to_take_long_does_not(text: str) -> None:
    begun = time.process_time()
    read_json_calls(text, TOOLS)
    assert time.process_time() - begun < 2
