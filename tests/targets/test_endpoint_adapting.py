"""What is learned of a server from its refusals: tried once, kept where it helps, taken back where it does not; and the first probe."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from dialect_server import (
    DONE,
    HERMES,
    START,
    TOOLS,
    Loopback,
    Row,
    forbidden,
    jinja,
    loopback,
    message,
    native,
    not_alternating,
    openai_error,
    refuses,
    vllm_error,
)

from hartley.targets.conversation import Call, Message, ask
from hartley.targets.endpoint.dialect import FILE, Dialect, read
from hartley.targets.endpoint.outcomes import NotMeasured, Reason
from hartley.targets.endpoint.probing import first_probe

__all__ = ["loopback"]

NO_SEED = refuses(lambda a: "seed" in a, 422, forbidden("seed"))


def test_what_many_ask_at_once_is_learned_once(loopback: Loopback) -> None:
    asked = loopback.policy(Row(takes=(NO_SEED,), gives=message("hello")), concurrency=4)
    questions = [ask(f"question {number}", pictures=0) for number in range(12)]
    assert asked.respond(questions, []) == [Message("assistant", "hello")] * 12
    assert asked.endpoint.dialect.adapted == ("adapted: seed left out",)
    assert 13 <= len(loopback.asked) <= 16, "each of those under way is sent once more, and no other one"
    assert asked.endpoint.lost == 0


def test_what_does_not_help_is_taken_back_and_tried_once(loopback: Loopback) -> None:
    stubborn = refuses(lambda a: True, 422, forbidden("seed"))
    asked = loopback.policy(Row(takes=(stubborn,)))
    for count in (2, 3):
        (failure,) = asked.attempt([START], [])
        assert isinstance(failure, NotMeasured) and failure.reason is Reason.REJECTED and "seed: Extra inputs" in str(failure)
        assert len(loopback.asked) == count
    assert [("seed" in body) for body in loopback.asked] == [True, False, True]
    assert asked.endpoint.dialect.adapted == ()


def test_a_shape_that_does_not_help_is_taken_back_as_well(loopback: Loopback) -> None:
    asked = loopback.policy(Row(takes=(refuses(lambda _: True, 400, vllm_error("System role not supported")),)))
    for count in (2, 3):
        assert isinstance(asked.attempt([START], [])[0], NotMeasured)
        assert len(loopback.asked) == count
    assert ["system" in json.dumps(body) for body in loopback.asked] == [True, False, True]
    assert asked.endpoint.dialect.adapted == ()


def test_what_met_one_objection_is_kept_though_there_is_another_one(loopback: Loopback) -> None:
    long = refuses(lambda a: "long" in json.dumps(a), 400, openai_error("This model's maximum context length is 8 tokens"))
    asked = loopback.policy(Row(takes=(NO_SEED, long), gives=message("hello")))
    (failure,) = asked.attempt([ask("long", pictures=0)], [])
    assert isinstance(failure, NotMeasured) and "maximum context length" in str(failure) and failure.attempts == 2
    assert asked.respond([ask("short", pictures=0)], []) == [Message("assistant", "hello")]
    assert [("seed" in body) for body in loopback.asked] == [True, False, False]


@pytest.mark.parametrize(
    "words",
    [
        "This model's maximum context length is 400 tokens. However, you requested 900 tokens (512 in max_tokens).",
        "The server is busy",
        "Budget has been exceeded",
        "does not support tools",
        "Invalid base64 image_url",
    ],
)
def test_what_names_nothing_that_can_be_left_out_changes_nothing(loopback: Loopback, words: str) -> None:
    asked = loopback.policy(Row(takes=(refuses(lambda _: True, 400, openai_error(words)),)))
    assert isinstance(asked.attempt([START], TOOLS)[0], NotMeasured)
    assert len(loopback.asked) == 1


def test_an_error_that_is_no_refusal_changes_nothing(loopback: Loopback) -> None:
    asked = loopback.policy(Row(takes=(refuses(lambda _: True, 429, openai_error("seed")),)), retries=1)
    assert isinstance(asked.attempt([START], TOOLS)[0], NotMeasured)
    assert all("seed" in body for body in loopback.asked) and len(loopback.asked) == 2


SPLIT = refuses(
    lambda a: any(len(turn.get("tool_calls") or ()) > 1 for turn in a["messages"]),
    500,
    jinja("This model only supports single tool-calls at once!"),
)
PAY, LOOK = Call("pay", {"to": "anna", "amount": 5}, "a"), Call("look", {}, "b")
TWO = (*START, Message("assistant", calls=(PAY, LOOK)), Message("tool", "paid", answers="a"), Message("tool", "seen", answers="b"))


def test_two_calls_of_a_turn_are_put_one_after_the_other(loopback: Loopback) -> None:
    asked = loopback.policy(Row(takes=(SPLIT,)), retries=0)
    assert asked.respond([TWO], TOOLS)[0].text == DONE
    roles = [
        (turn["role"], turn.get("tool_call_id") or [call["id"] for call in turn.get("tool_calls") or ()])
        for turn in loopback.asked[-1]["messages"]
    ]
    assert roles[2:] == [("assistant", ["a"]), ("tool", "a"), ("assistant", ["b"]), ("tool", "b")]
    assert asked.endpoint.dialect.adapted == ("adapted: several calls of a turn are sent one after the other",)


def test_neighbors_and_systems_are_put_together(loopback: Loopback) -> None:
    alternate = refuses(not_alternating, 400, vllm_error("Conversation roles must alternate user/assistant/user/assistant/..."))
    asked = loopback.policy(Row(takes=(alternate,), gives=message("hello")))
    asked.respond(
        [
            (
                Message("system", "One."),
                Message("user", "Two."),
                Message("user", "Three."),
                Message("assistant", "Four."),
                Message("user", "Five."),
            )
        ],
        [],
    )
    assert [(turn["role"], turn["content"]) for turn in loopback.asked[-1]["messages"]] == [
        ("user", "One.\n\nTwo.\n\nThree."),
        ("assistant", "Four."),
        ("user", "Five."),
    ]
    assert len(asked.endpoint.dialect.adapted) == 2


def test_a_user_s_turn_behind_a_tool_s(loopback: Loopback) -> None:
    def wrong(asked: dict[str, Any]) -> bool:
        roles = [turn["role"] for turn in asked["messages"]]
        return ("tool", "user") in pairwise(roles)

    asked = loopback.policy(
        Row(takes=(refuses(wrong, 400, vllm_error("Unexpected role 'user' after role 'tool'")),), ends=message("hello"))
    )
    asked.respond([(*START, Message("assistant", calls=(PAY,)), Message("tool", "paid", answers="a"), Message("user", "And now?"))], TOOLS)
    assert [turn["role"] for turn in loopback.asked[-1]["messages"]] == ["system", "user", "assistant", "tool", "assistant", "user"]


def test_what_was_learned_is_kept_in_the_run_for_other_processes(loopback: Loopback, tmp_path: Path) -> None:
    one = loopback.policy(Row(takes=(NO_SEED,), gives=message("hello")))
    one.endpoint.dialect.keep_in(tmp_path)
    one.respond([START], [])
    other = loopback.policy(loopback.row)
    other.endpoint.dialect.keep_in(tmp_path)
    assert other.endpoint.dialect.adapted == ("adapted: seed left out",)
    other.respond([START], [])
    assert len(loopback.asked) == 1


@pytest.mark.parametrize("content", [b"[" * 9000, b"\xff", b'{"no such rule": "x", "without seed": 3}', b"[]", b'{"exec": "x"}'])
def test_a_damaged_record_of_what_was_learned_says_nothing(content: bytes, tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(content)
    assert read(tmp_path) == {}
    (tmp_path / FILE).unlink()
    (tmp_path / FILE).symlink_to("/dev/zero")
    assert read(tmp_path) == {}


def test_a_request_is_never_left_without_what_makes_it_one() -> None:
    body = {"model": "m", "messages": [], "tools": TOOLS, "max_tokens": 9, "extra_body": {"prompt_logprobs": 0}}
    failure = NotMeasured(Reason.REJECTED, "", said=f"Extra inputs are not permitted: {', '.join(body)}")
    dialect = Dialect()
    while dialect.learn(failure, body) is not None:
        pass
    put = dialect.put(body)
    assert {"model", "messages", "extra_body"} <= set(put) and put.get("tools", put.get("functions"))
    assert {"max_tokens", "max_completion_tokens"} & set(put)


def counted(body: dict[str, Any], tokens: int) -> dict[str, Any]:
    return {**body, "usage": {"prompt_tokens": tokens, "completion_tokens": 3}}


def words(asked: dict[str, Any], shown: bool) -> int:
    return len(json.dumps(asked["messages"])) + (len(json.dumps(asked.get("tools", ""))) if shown else 0)


def calls_when_asked(asked: dict[str, Any]) -> dict[str, Any]:
    return native() if asked.get("tools") and "Pay" in asked["messages"][-1]["content"] else message("ok")


def test_a_server_that_drops_tools_unless_told_is_told(loopback: Loopback) -> None:
    asked = loopback.policy(Row(gives=lambda a: counted(calls_when_asked(a), words(a, "tool_choice" in a))))
    verdict = first_probe(asked.endpoint, TOOLS, START)
    assert (verdict.seen, verdict.calls, verdict.usable) == (True, "native", True)
    assert asked.endpoint.dialect.adapted == ('adapted: tool_choice "auto" is sent, since the server drops tools without it',)
    assert asked.respond([START], TOOLS)[0].calls and loopback.asked[-1]["tool_choice"] == "auto"
    asked.respond([START], [])
    assert "tool_choice" not in loopback.asked[-1]


def test_a_template_that_renders_no_tools_is_noticed_before_anything_is_paid_for(loopback: Loopback) -> None:
    asked = loopback.policy(Row(gives=lambda a: counted(message("ok"), words(a, False))))
    verdict = first_probe(asked.endpoint, TOOLS, START)
    assert (verdict.seen, verdict.usable) == (False, False) and "the same with and without tools" in verdict.line
    assert asked.endpoint.dialect.adapted == ()
    asked.probe(TOOLS)
    before = len(loopback.asked)
    failures = asked.attempt([START] * 3, TOOLS)
    assert [failure.reason for failure in failures if isinstance(failure, NotMeasured)] == [Reason.UNSEEN] * 3
    assert len(loopback.asked) == before and asked.endpoint.lost == 3
    assert asked.respond([START], []) == [Message("assistant", "ok")], "without tools it is measured as ever"


def test_a_server_without_a_parser_whose_template_renders_no_tools(loopback: Loopback) -> None:
    """It refuses "auto" with one reason, and "none" changes nothing: that is told as what it is, not as a refusal."""
    no_parser = refuses(
        lambda a: a.get("tools") and a.get("tool_choice", "auto") == "auto",
        400,
        vllm_error('"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'),
    )
    asked = loopback.policy(Row(takes=(no_parser,), gives=lambda a: counted(message("ok"), words(a, False))))
    verdict = first_probe(asked.endpoint, TOOLS, START)
    assert (verdict.failure, verdict.seen, verdict.usable) == (None, False, False)
    assert len(asked.endpoint.dialect.adapted) == 1 and "no parser of calls" in asked.endpoint.dialect.adapted[0]


@pytest.mark.parametrize("usage", [None, {"prompt_tokens": 10, "completion_tokens": 3}, {"prompt_tokens": 0, "completion_tokens": 0}])
def test_counts_that_say_nothing_accuse_nobody(loopback: Loopback, usage: Any) -> None:
    asked = loopback.policy(Row(gives=lambda a: {**calls_when_asked(a), **({"usage": usage} if usage else {})}))
    verdict = first_probe(asked.endpoint, TOOLS, START)
    assert (verdict.seen, verdict.calls, verdict.usable) == (None, "native", True)
    asked.probe(TOOLS)
    assert asked.unseen is None and asked.endpoint.dialect.adapted == ()


@pytest.mark.parametrize(
    ("gives", "calls"),
    [
        (message(HERMES), "written"),
        (message("<tool_call>{"), "unreadable"),
        (message("I can not."), "none"),
    ],
)
def test_a_first_probe_tells_how_calls_come(loopback: Loopback, gives: Any, calls: str) -> None:
    asked = loopback.policy(Row(gives=lambda a: counted(gives if "Pay" in a["messages"][-1]["content"] else message("ok"), words(a, True))))
    verdict = first_probe(asked.endpoint, TOOLS, START)
    assert (verdict.seen, verdict.calls, verdict.usable) == (True, calls, calls == "written")
    assert verdict.line.endswith("it is shown the tools") and "\n" not in verdict.line


def test_what_a_model_says_to_nothing_in_particular_decides_nothing(loopback: Loopback) -> None:
    """Without tools it falls silent, or thinks for ever: the trials will tell what that means."""
    for ends in (message(""), message("", "length")):
        asked = loopback.policy(Row(gives=lambda a, ends=ends: counted(message("ok") if a.get("tools") else ends, words(a, True))))
        asked.probe(TOOLS)
        assert asked.unseen is None and asked.endpoint.lost == 0 and len(loopback.asked) == 2


def test_a_first_probe_of_a_server_without_an_answer_says_why(loopback: Loopback) -> None:
    asked = loopback.policy(Row(gives=message("", "length")))
    verdict = first_probe(asked.endpoint, TOOLS, START)
    assert verdict.failure is not None and not verdict.usable and verdict.line.startswith("the server gives no answer: cut off by length")


def test_a_failure_of_another_kind_takes_nothing_back(loopback: Loopback) -> None:
    """The first request ends in a connection that is no answer; what it has learned before holds for the next one."""
    bodies = iter([["no object"], message("hello")])
    asked = loopback.policy(Row(takes=(NO_SEED,), gives=lambda _: next(bodies)), retries=0)
    (failure,) = asked.attempt([START], [])
    assert isinstance(failure, NotMeasured) and failure.reason is Reason.SCHEMA
    assert asked.respond([START], []) == [Message("assistant", "hello")]
    assert ["seed" in body for body in loopback.asked] == [True, False, False]
    assert asked.endpoint.dialect.adapted == ("adapted: seed left out",)
