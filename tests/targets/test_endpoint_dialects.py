"""Dialects of OpenAI's protocol: what servers send and what they take, each as one row; and an agent that pays on all of them."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from dialect_server import (
    ARGUMENTS,
    DONE,
    HERMES,
    START,
    TOOLS,
    WRITTEN,
    Loopback,
    Row,
    calls,
    forbidden,
    gemini_error,
    jinja,
    loopback,
    message,
    native,
    not_alternating,
    openai_error,
    refuses,
    turns,
    vllm_error,
)

from hartley.targets.conversation import Message
from hartley.targets.endpoint.outcomes import NotMeasured, Reason

__all__ = ["loopback"]

WORDS = "did not parse its model's calls: 1 turns"
THOUGHT = "1 answers came with thinking, which is kept apart"

ROWS: dict[str, Row] = {
    # what they send
    "OpenAI": Row(),
    "OpenAI, words beside the call": Row(
        gives=lambda _: native() | message("I pay.", "tool_calls", tool_calls=native()["choices"][0]["message"]["tool_calls"]),
        spoken="I pay.",
    ),
    "the older function_call": Row(gives=message(None, "function_call", function_call={"name": "pay", "arguments": WRITTEN})),
    "Ollama: arguments as an object": Row(gives=native(ARGUMENTS, "call_8sl1x0pb")),
    "encoded twice": Row(gives=native(json.dumps(WRITTEN))),
    "llama.cpp: empty ids": Row(gives=native(given="")),
    "no ids, finish stop": Row(gives=message("", "stop", tool_calls=[{"function": {"name": "pay", "arguments": WRITTEN}}])),
    "flat calls": Row(gives=message("", "stop", tool_calls=[{"name": "pay", "parameters": ARGUMENTS}])),
    "arguments as Python writes them": Row(gives=native(str(ARGUMENTS))),
    "a gateway's parts": Row(
        gives=message(
            [{"type": "text", "text": "I pay."}, {"type": "tool_use", "id": "toolu_1", "name": "pay", "input": ARGUMENTS}], "tool_use"
        ),
        spoken="I pay.",
    ),
    "gpt-oss: a channel's mark behind the name": Row(gives=native(name="pay<|channel|>commentary")),
    "Gemini: a namespace before the name": Row(gives=native(name="default_api.pay")),
    "vLLM without a parser, Hermes and Qwen": Row(gives=message(HERMES), noticed=(WORDS,)),
    "Llama 3": Row(gives=message(f'<|python_tag|>{{"name": "pay", "parameters": {WRITTEN}}}'), noticed=(WORDS,)),
    "Llama 3, bare": Row(gives=message(f'{{"name": "pay", "parameters": {WRITTEN}}}'), noticed=(WORDS,)),
    "Mistral without a parser": Row(gives=message(f'[TOOL_CALLS][{{"name": "pay", "arguments": {WRITTEN}}}]'), noticed=(WORDS,)),
    "Mistral since v11": Row(gives=message(f"[TOOL_CALLS]pay[ARGS]{WRITTEN}"), noticed=(WORDS,)),
    "a fence": Row(gives=message(f'I pay.\n```json\n{{"name": "pay", "arguments": {WRITTEN}}}\n```'), noticed=(WORDS,), spoken="I pay."),
    "DeepSeek": Row(
        gives=message(f"<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>pay\n```json\n{WRITTEN}\n```<｜tool▁call▁end｜>"),  # noqa: RUF001
        noticed=(WORDS,),
    ),
    "Kimi": Row(
        gives=message(
            f"<|tool_calls_section_begin|><|tool_call_begin|>functions.pay:0<|tool_call_argument_begin|>{WRITTEN}<|tool_call_end|>"
        ),
        noticed=(WORDS,),
    ),
    "Qwen3-Coder": Row(
        gives=message(
            "<tool_call>\n<function=pay>\n<parameter=to>\nanna\n</parameter>\n<parameter=amount>\n5\n</parameter>\n</function>\n</tool_call>"
        ),
        noticed=(WORDS,),
    ),
    "GLM": Row(
        gives=message(
            "<tool_call>pay\n<arg_key>to</arg_key>\n<arg_value>anna</arg_value>\n<arg_key>amount</arg_key>\n<arg_value>5</arg_value>\n</tool_call>"
        ),
        noticed=(WORDS,),
    ),
    "Llama 4, as in Python": Row(gives=message('[pay(to="anna", amount=5)]'), noticed=(WORDS,)),
    "harmony without a parser": Row(
        gives=message(
            "<|channel|>analysis<|message|>I pay.<|end|><|start|>assistant<|channel|>commentary to=functions.pay "
            f"<|constrain|>json<|message|>{WRITTEN}<|call|>"
        ),
        ends=message(f"<|channel|>analysis<|message|>Paid.<|end|><|start|>assistant<|channel|>final<|message|>{DONE}<|return|>"),
        noticed=(WORDS, "2 answers came with thinking"),
    ),
    "Groq, which fails over the call": Row(
        takes=(
            refuses(
                lambda asked: not turns(asked, "tool"),
                400,
                {
                    "error": {
                        "message": "Failed to call a function.",
                        "code": "tool_use_failed",
                        "failed_generation": f"<function=pay>{WRITTEN}</function>",
                    }
                },
            ),
        ),
        noticed=(WORDS,),
    ),
    "vLLM with a reasoning parser": Row(gives=native(reasoning_content="Shall I? I shall."), noticed=(THOUGHT,)),
    "OpenRouter's reasoning": Row(
        ends=message(DONE, reasoning="Done.", reasoning_details=[{"type": "reasoning.text"}]), noticed=(THOUGHT,)
    ),
    "a model that thinks in its content": Row(ends=message(f"<think>\nIt is paid.\n</think>\n\n{DONE}"), noticed=(THOUGHT,)),
    "a template that has begun the thought": Row(ends=message(f"It is paid.\n</think>\n\n{DONE}"), noticed=(THOUGHT,)),
    "Magistral's parts": Row(
        ends=message([{"type": "thinking", "thinking": [{"type": "text", "text": "Paid."}]}, {"type": "text", "text": DONE}]),
        noticed=(THOUGHT,),
    ),
    "parts of text": Row(ends=message([{"type": "text", "text": "Anna has "}, {"type": "text", "text": "her 5."}])),
    "a refusal": Row(ends=message(None, refusal=DONE)),
    "words aloud": Row(ends=message(None, audio={"id": "a", "transcript": DONE, "data": ""})),
    "annotations": Row(ends=message(DONE, annotations=[{"type": "url_citation"}], images=[])),
    "one part": Row(ends=message({"type": "text", "text": DONE})),
    "marks that were left in the words": Row(ends=message(f"{DONE}<|im_end|>\n<|endoftext|>")),
    "silence once the work is done": Row(ends=message(""), closing=""),
    "TGI's end": Row(ends=message(DONE, "eos_token")),
    "several choices": Row(
        ends={"choices": [{"index": 1, "message": {"content": "No."}}, {"index": 0, "message": {"content": DONE}}]},
        noticed=("several choices",),
    ),
    "the older completions": Row(ends={"choices": [{"index": 0, "text": DONE, "finish_reason": "stop"}]}),
    "a gateway's error null": Row(ends={**message(DONE), "error": None, "detail": None}),
    "words that were cut off": Row(ends=message(DONE, "length"), noticed=("1 answers were cut off by length",)),
    # what they take
    "the older functions": Row(
        takes=(
            refuses(lambda a: "tools" in a, 400, openai_error("Unrecognized request argument supplied: tools")),
            refuses(
                lambda a: "functions" not in a or any("tool" in turn["role"] or "tool_calls" in turn for turn in a["messages"]), 400, {}
            ),
        ),
        gives=message(None, "function_call", function_call={"name": "pay", "arguments": WRITTEN}),
        adapted=("the older functions",),
    ),
    "FastAPI without seed": Row(takes=(refuses(lambda a: "seed" in a, 422, forbidden("seed")),), adapted=("seed left out",)),
    "Groq without seed": Row(
        takes=(refuses(lambda a: "seed" in a, 400, openai_error("property 'seed' is unsupported")),), adapted=("seed left out",)
    ),
    "Gemini without seed": Row(
        takes=(
            refuses(lambda a: "seed" in a, 400, gemini_error('Invalid JSON payload received. Unknown name "seed": Cannot find field.')),
        ),
        adapted=("seed left out",),
    ),
    "a server that only says that something is unknown": Row(
        takes=(refuses(lambda a: "seed" in a, 400, openai_error("Unrecognized request argument supplied")),), adapted=("seed left out",)
    ),
    "OpenAI's models that reason": Row(
        takes=(
            refuses(
                lambda a: "max_tokens" in a,
                400,
                openai_error(
                    "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
                    "max_tokens",
                ),
            ),
            refuses(
                lambda a: "temperature" in a,
                400,
                openai_error(
                    "Unsupported value: 'temperature' does not support 0 with this model. Only the default (1) value is supported.",
                    "temperature",
                    "unsupported_value",
                ),
            ),
        ),
        adapted=("its other name", "temperature left out"),
    ),
    "TGI: temperature above 0": Row(
        takes=(
            refuses(lambda a: a["temperature"] == 0, 422, {"error": "`temperature` must be strictly positive", "error_type": "validation"}),
        ),
        adapted=("temperature 0.01",),
    ),
    "a server of short answers": Row(
        takes=(
            refuses(
                lambda a: a["max_tokens"] > 256,
                400,
                openai_error("max_tokens is too large: 512. This model supports at most 256 completion tokens"),
            ),
        ),
        adapted=("answers of at most 256 tokens",),
    ),
    "vLLM 400 without a parser": Row(
        takes=(
            refuses(
                lambda a: a.get("tools") and a.get("tool_choice", "auto") == "auto",
                400,
                vllm_error('"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'),
            ),
        ),
        gives=message(HERMES),
        adapted=("no parser of calls",),
        noticed=(WORDS,),
    ),
    "an older vLLM": Row(
        takes=(
            refuses(
                lambda a: a.get("tools") and "tool_choice" not in a,
                400,
                vllm_error("tool_choice must either be a named tool, 'auto', or 'none'"),
            ),
        ),
        adapted=('tool_choice "auto"',),
    ),
    "Mistral's ids": Row(
        takes=(
            refuses(
                lambda a: any(not re.fullmatch("[a-zA-Z0-9]{9}", call["id"]) for call in calls(a)),
                400,
                vllm_error("Tool call id was call_a1B2c3 but must be a-z, A-Z, 0-9, with a length of 9."),
            ),
            refuses(lambda a: any({call["id"] for call in calls(a)} != {turn["tool_call_id"]} for turn in turns(a, "tool")), 400, {}),
        ),
        adapted=("nine letters and digits",),
    ),
    "Mistral's ids behind an empty one": Row(
        gives=native(given=""),
        takes=(refuses(lambda a: any(not re.fullmatch("[a-zA-Z0-9]{9}", call["id"]) for call in calls(a)), 400, {}),),
    ),
    "a name in the tool's turn": Row(
        takes=(
            refuses(
                lambda a: any(turn.get("name") != "pay" for turn in turns(a, "tool")),
                400,
                gemini_error("function_response.name: Name cannot be empty."),
            ),
        )
    ),
    "no name in the tool's turn": Row(
        takes=(refuses(lambda a: any("name" in turn for turn in turns(a, "tool")), 422, forbidden("messages.3.tool.name")),),
        adapted=("name left out of the turns",),
    ),
    "content is never null": Row(
        takes=(
            refuses(
                lambda a: any(turn["content"] is None for turn in a["messages"]),
                422,
                {"detail": [{"type": "string_type", "loc": ["body", "messages", 2, "content"], "msg": "Input should be a valid string"}]},
            ),
        ),
        adapted=("sent as text",),
    ),
    "content is never empty": Row(
        takes=(
            refuses(
                lambda a: any(not turn["content"] for turn in a["messages"]),
                400,
                openai_error("messages: text content blocks must be non-empty"),
            ),
        ),
        adapted=('"(empty)"',),
    ),
    "content is a list": Row(
        takes=(
            refuses(
                lambda a: any(isinstance(turn["content"], str) for turn in a["messages"]),
                400,
                openai_error("messages.0.content: value is not a valid list"),
            ),
        ),
        adapted=("list of parts",),
    ),
    "Gemma takes no system": Row(
        takes=(refuses(lambda a: turns(a, "system"), 400, vllm_error("System role not supported")),), adapted=("takes no system's turn",)
    ),
    "llama.cpp's Gemma": Row(
        takes=(refuses(not_alternating, 500, jinja("Conversation roles must alternate user/assistant/user/assistant/...")),),
        adapted=("takes no system's turn",),
    ),
    "developer": Row(
        takes=(
            refuses(lambda a: turns(a, "system"), 400, openai_error("Role 'system' is not supported: use 'developer' instead", "messages")),
        ),
        adapted=("sent as the developer's",),
    ),
    "DeepSeek wants its thoughts back": Row(
        gives=native(reasoning_content="Shall I? I shall."),
        takes=(
            refuses(
                lambda a: any(turn.get("reasoning_content") != "Shall I? I shall." for turn in turns(a, "assistant")),
                400,
                openai_error("Missing `reasoning_content` field in the assistant message at message index 2."),
            ),
        ),
        adapted=("thoughts are given back",),
        noticed=(THOUGHT,),
    ),
    "Gemini wants its signature back": Row(
        gives=message(
            None,
            "tool_calls",
            tool_calls=[
                {"id": "f1", "function": {"name": "pay", "arguments": WRITTEN}, "extra_content": {"google": {"thought_signature": "s1"}}}
            ],
        ),
        takes=(
            refuses(
                lambda a: any(call.get("extra_content") != {"google": {"thought_signature": "s1"}} for call in calls(a)),
                400,
                gemini_error("Function call is missing a thought_signature in functionCall parts."),
            ),
        ),
    ),
    "Gemini's schemas": Row(
        takes=(
            refuses(
                lambda a: "exclusiveMinimum" in json.dumps(a["tools"]),
                400,
                gemini_error("Unknown name \"exclusiveMinimum\" at 'tools[0].function_declarations[0].parameters': Cannot find field."),
            ),
            refuses(
                lambda a: any(tool["function"].get("parameters", {"properties": 1})["properties"] == {} for tool in a["tools"]),
                400,
                gemini_error(
                    "GenerateContentRequest.tools[0].function_declarations[1].parameters.properties: should be non-empty for OBJECT type"
                ),
            ),
        ),
        adapted=("exclusiveMinimum left out", "tools that take nothing"),
    ),
    "DashScope": Row(
        takes=(
            refuses(
                lambda a: a.get("enable_thinking") is not False,
                400,
                openai_error("parameter.enable_thinking must be set to false for non-streaming calls"),
            ),
        ),
        adapted=("enable_thinking false",),
    ),
}


def test_there_are_dialects_enough() -> None:
    assert len(ROWS) >= 30


@pytest.mark.parametrize("name", ROWS)
def test_an_agent_pays_in_every_dialect(loopback: Loopback, name: str) -> None:
    row = ROWS[name]
    asked = loopback.policy(row)
    (first,) = asked.respond([START], TOOLS)
    assert [(call.name, call.arguments) for call in first.calls] == [("pay", ARGUMENTS)], first
    assert first.text == row.spoken
    (last,) = asked.respond([(*START, first, Message("tool", "", answers=first.calls[0].id))], TOOLS)
    assert last == Message("assistant", row.closing)
    said = asked.endpoint.dialect.adapted
    assert len(said) == len(row.adapted) and all(any(words in line for line in said) for words in row.adapted), said
    noticed = asked.endpoint.notices.lines()
    assert len(noticed) == len(row.noticed) and all(any(words in line for line in noticed) for words in row.noticed), noticed
    before = len(loopback.asked)
    asked.respond([START], TOOLS)
    assert len(loopback.asked) == before + 1, "what was learned is not learned again"


LENGTH, FILTERED, EMPTY = Reason.LENGTH, Reason.FILTERED, Reason.EMPTY
AZURE = "The response was filtered due to the prompt triggering Azure OpenAI's content management policy."
NO_ANSWERS: dict[str, tuple[int, Any, Reason, str]] = {
    "a model that reasons used up its tokens": (
        200,
        {**message("", "length"), "usage": {"prompt_tokens": 9, "completion_tokens": 512}},
        LENGTH,
        "512 tokens",
    ),
    "it still thinks, in its own field": (
        200,
        message(None, "length", reasoning_content="hm" * 700),
        LENGTH,
        "it thought 1,400 characters",
    ),
    "it still thinks, in content": (200, message("<think>\nThe system prompt says", "stop"), LENGTH, "it thought 22 characters"),
    "it still thinks, in a channel": (200, message("<|channel|>analysis<|message|>The system"), LENGTH, "it thought 10 characters"),
    "Gemini's end by length": (200, message(None, "MAX_TOKENS"), LENGTH, "nothing is in content"),
    "a call that was cut off": (
        200,
        native('{"to": "an') | message(None, "length", tool_calls=[{"function": {"name": "pay", "arguments": '{"to": "an'}}]),
        LENGTH,
        "in the middle of a call",
    ),
    "a written call that was cut off": (200, message('<tool_call>{"name": "pay", "argu', "length"), LENGTH, "in the middle of a call"),
    "a filter": (200, message(None, "content_filter"), FILTERED, "finish_reason content_filter"),
    "a filter and no message": (
        200,
        {"choices": [{"index": 0, "message": None, "finish_reason": "content_filter"}]},
        FILTERED,
        "finish_reason",
    ),
    "a filter behind a part of the answer": (200, message("Well,", "content_filter"), FILTERED, "it says: Well,"),
    "a filter with its kinds": (
        200,
        {
            "choices": [
                {
                    **message(None, "content_filter")["choices"][0],
                    "content_filter_results": {"hate": {"filtered": True}, "violence": {"filtered": False}},
                }
            ]
        },
        FILTERED,
        "for hate",
    ),
    "Gemini's safety": (200, message(None, "SAFETY"), FILTERED, "finish_reason SAFETY"),
    "Gemini's blocked prompt": (
        200,
        {"choices": [], "promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}},
        FILTERED,
        "PROHIBITED_CONTENT",
    ),
    "Azure's 400": (400, openai_error(AZURE, "prompt", "content_filter"), FILTERED, AZURE),
    "DeepSeek's 400": (400, openai_error("Content Exists Risk"), FILTERED, "Content Exists Risk"),
    "OpenRouter's 403": (
        403,
        {"error": {"code": 403, "message": "Your input was flagged", "metadata": {"reasons": ["violence"]}}},
        FILTERED,
        "flagged",
    ),
    "a gateway's filter inside an answer": (200, {"error": {"code": "content_policy_violation", "message": "no"}}, FILTERED, "it says: no"),
    "an overloaded provider inside an answer": (
        200,
        {"id": "g", "error": {"message": "Provider is overloaded", "code": 502}},
        Reason.SERVER_ERROR,
        "status 502 inside an answer; it says: Provider is overloaded (3 attempts)",
    ),
    "an error inside a choice": (
        200,
        {"choices": [{"error": {"code": 429, "message": "slow down"}, "message": {"content": "Wel"}, "finish_reason": "error"}]},
        Reason.RATE_LIMITED,
        "slow down (3 attempts)",
    ),
    "an error by its words alone": (
        200,
        {"error": {"message": "Rate limit reached", "type": "rate_limit_error"}},
        Reason.RATE_LIMITED,
        "Rate limit reached",
    ),
    "FastChat's error": (200, {"object": "error", "message": "the model broke", "code": 50002}, Reason.SCHEMA, "the model broke"),
    "an end by error": (200, message("Wel", "error"), Reason.SERVER_ERROR, "finish_reason error"),
    "vLLM's abort": (200, message("", "abort"), Reason.SERVER_ERROR, "finish_reason abort"),
    "nothing at all": (200, message(""), EMPTY, "neither words nor a call (finish_reason stop)"),
    "blanks": (200, message(" \n\t"), EMPTY, "neither words nor a call"),
    "blanks cut off": (200, message("\n", "length"), LENGTH, "nothing is in content"),
    "marks alone": (200, message("<|im_end|>"), EMPTY, "neither words nor a call"),
    "an empty thought": (200, message("<think>\n\n</think>\n\n"), EMPTY, "neither words nor a call"),
    "calls that got lost": (200, message(None, "tool_calls", tool_calls=[]), EMPTY, "finish_reason tool_calls"),
    "DashScope's error": (
        200,
        {"code": "Throttling.RateQuota", "message": "Requests rate limit exceeded", "request_id": "1"},
        Reason.RATE_LIMITED,
        "rate limit exceeded",
    ),
    "MiniMax's error": (
        200,
        {"base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}},
        Reason.SCHEMA,
        "insufficient balance",
    ),
    "Zhipu's error": (200, {"code": 500, "msg": "404 NOT_FOUND", "success": False}, Reason.SERVER_ERROR, "404 NOT_FOUND"),
    "all of it is thought": (200, message(None, reasoning="The answer."), EMPTY, "it thought 11 characters"),
    "sound without words": (200, message(None, audio={"id": "a", "data": "UklGRg=="}), EMPTY, "there is something in audio"),
    "a picture without words": (200, message("", images=[{"image_url": {"url": "data:"}}]), EMPTY, "there is something in images"),
    "50,000 calls": (
        200,
        message(None, tool_calls=[{"function": {"name": "look", "arguments": ""}}] * 50_000),
        Reason.TOO_LARGE,
        "50,000 calls in one answer",
    ),
    "no tools here": (
        400,
        {"error": {"message": "registry.ollama.ai/library/tiny:latest does not support tools", "type": "api_error"}},
        Reason.REJECTED,
        "does not support tools",
    ),
    "a plain line": (
        422,
        "Failed to deserialize the JSON body: messages[1].role: unknown variant `tool`",
        Reason.REJECTED,
        "unknown variant `tool`",
    ),
}


@pytest.mark.parametrize("name", NO_ANSWERS)
def test_what_is_no_answer_is_not_measured_and_says_why(loopback: Loopback, name: str) -> None:
    status, body, reason, words = NO_ANSWERS[name]
    row = Row(gives=body) if status == 200 else Row(takes=(refuses(lambda _: True, status, body),))
    asked = loopback.policy(row, retries=2)
    (failure,) = asked.attempt([START], TOOLS)
    assert isinstance(failure, NotMeasured), failure
    assert failure.reason is reason and words in str(failure), failure
    assert str(failure).isprintable()
    spent = asked.endpoint.budget.spent
    if reason in (Reason.SERVER_ERROR, Reason.RATE_LIMITED, FILTERED) and "error" in json.dumps(body)[:80]:
        assert (spent.read, spent.written) == (0, 0), "nobody is charged for an error"
    if reason in (LENGTH, FILTERED, EMPTY):
        assert any(reason in line for line in asked.endpoint.notices.lines())
        assert len(loopback.asked) == 1, "the same question would have the same end"


def test_an_error_inside_an_answer_that_passes_is_asked_again_and_costs_nothing(loopback: Loopback) -> None:
    bodies = iter(
        [
            {"error": {"message": "Provider is overloaded", "code": 502}},
            {**message("hello"), "usage": {"prompt_tokens": 7, "completion_tokens": 2}},
        ]
    )
    asked = loopback.policy(Row(gives=lambda _: next(bodies)))
    assert asked.respond([START], []) == [Message("assistant", "hello")]
    spent = asked.endpoint.budget.spent
    assert (spent.requests, spent.read, spent.written) == (2, 7, 2)


def test_thinking_counts_where_the_user_says_so(loopback: Loopback) -> None:
    row = Row(gives=message("<think>\nsecret\n</think>\n\nNo.", reasoning_content="more"))
    apart, within = (loopback.policy(row, thinking_counts=counts).respond([START], [])[0].text for counts in (False, True))
    assert (apart, within) == ("No.", "more\n<think>\nsecret\n</think>\n\nNo.")
    assert loopback.policy(row).fingerprint != loopback.policy(row, thinking_counts=True).fingerprint
