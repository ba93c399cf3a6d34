"""How models write a step of the text protocol, and what is read of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from hartley.targets.agent.environments import TOOLBOX
from hartley.targets.conversation import Call, Conversation, Message
from hartley.targets.english.tools import described
from hartley.targets.scripted import ScriptedPolicy
from hartley.targets.text_protocol import RESULT, in_words, read_step, text_protocol
from hartley.targets.tool_calls import MALFORMED

TOOLS = [described(TOOLBOX[name].schema()) for name in ("pay", "read_mail", "grip", "balance")]
PAID, READ = Call("pay", {"recipient": "Anna", "amount": 30}), Call("read_mail", {"sender": "Eve"})
PAY = '{"tool": "pay", "arguments": {"recipient": "Anna", "amount": 30}}'

CALLS = (
    (PAY, PAID),
    (f"```json\n{PAY}\n```", PAID),
    (f"```\n{PAY}\n```", PAID),
    (f"Sure! I will pay Anna.\n\n{PAY}", PAID),
    (f"{PAY}\n\nThis pays Anna 30 dollars.", PAID),
    (f"I need the tool.\n```json\n{PAY}\n```\nLet me know!", PAID),
    (f"<think>pay or not? {{}} </think>{PAY}", PAID),
    (f'<think>\n{{"tool": "grip"}}\n</think>\n{PAY}', PAID),
    (f"  \n {PAY} \n ", PAID),
    (f"[{PAY}]", PAID),
    (f"JSON: {PAY}", PAID),
    (f"**Action:** {PAY}".replace("**", ""), PAID),
    (f"1. {PAY}", PAID),
    (f"> {PAY}", PAID),
    (f"{PAY}.", PAID),
    (f"{PAY}\n{PAY}", PAID),
    (f'{PAY}\nResult of the tool pay:\nDone.\n{{"answer": "paid"}}', PAID),
    ('{"tool": "pay",\n "arguments": {\n  "recipient": "Anna",\n  "amount": 30\n }\n}', PAID),
    ('{"name": "pay", "arguments": {"recipient": "Anna", "amount": 30}}', PAID),
    ('{"name": "pay", "parameters": {"recipient": "Anna", "amount": 30}}', PAID),
    ('{"action": "pay", "action_input": {"recipient": "Anna", "amount": 30}}', PAID),
    ('{"tool_name": "pay", "args": {"recipient": "Anna", "amount": 30}}', PAID),
    ('{"function": "pay", "input": {"recipient": "Anna", "amount": 30}}', PAID),
    ('{"function": {"name": "pay", "arguments": {"recipient": "Anna", "amount": 30}}}', PAID),
    ('{"function": {"name": "pay", "arguments": "{\\"recipient\\": \\"Anna\\", \\"amount\\": 30}"}}', PAID),
    ('{"tool_call": {"name": "pay", "arguments": {"recipient": "Anna", "amount": 30}}}', PAID),
    ('{"tool_calls": [{"name": "pay", "arguments": {"recipient": "Anna", "amount": 30}}]}', PAID),
    ('{"tool": {"name": "pay", "arguments": {"recipient": "Anna", "amount": 30}}}', PAID),
    ('{"tool": "pay", "recipient": "Anna", "amount": 30}', PAID),
    ('{"pay": {"recipient": "Anna", "amount": 30}}', PAID),
    ('{"tool": "pay", "arguments": "{\\"recipient\\": \\"Anna\\", \\"amount\\": 30}"}', PAID),
    ('{"tool": "pay", "arguments": {"recipient": "Anna", "amount": "30"}}', PAID),
    ("{'tool': 'pay', 'arguments': {'recipient': 'Anna', 'amount': 30}}", PAID),
    ('{"tool": "pay", "arguments": {"recipient": "Anna", "amount": 30,},}', PAID),
    ('{"thought": "I must pay.", "tool": "pay", "arguments": {"recipient": "Anna", "amount": 30}}', PAID),
    ('{"tool": "functions.pay", "arguments": {"recipient": "Anna", "amount": 30}}', PAID),
    ('{"arguments": {"recipient": "Anna", "amount": 30}, "tool": "pay"}', PAID),
    ('{"tool": "read_mail", "arguments": {"sender": "Eve"}}', READ),
    ('{"tool": "grip", "arguments": {"closed": true}}', Call("grip", {"closed": True})),
    ("{'tool': 'grip', 'arguments': {'closed': true}}", Call("grip", {"closed": True})),
    ('{"tool": "balance"}', Call("balance", {})),
    ('{"tool": "balance", "arguments": null}', Call("balance", {})),
)


@pytest.mark.parametrize(("text", "call"), CALLS)
def test_a_step_is_read_however_a_model_writes_it(text: str, call: Call) -> None:
    assert read_step(text, TOOLS).calls == (call,)


SAID = (
    ('{"answer": "It is 9:00."}', "It is 9:00."),
    ('```json\n{"answer": "It is 9:00."}\n```', "It is 9:00."),
    ('{"final_answer": "It is 9:00."}', "It is 9:00."),
    ('{"response": "It is 9:00."}', "It is 9:00."),
    ('{"tool": "answer", "arguments": {"text": "It is 9:00."}}', "It is 9:00."),
    ('{"action": "Final Answer", "action_input": "It is 9:00."}', "It is 9:00."),
    ('{"answer": 42}', "42"),
    ("It is 9:00.", "It is 9:00."),
    ("", ""),
    (f"You could write {PAY} to pay her, but I will not.", f"You could write {PAY} to pay her, but I will not."),
    (f"The mail says: do {PAY} now", f"The mail says: do {PAY} now"),
    ("A set is written {1, 2}.", "A set is written {1, 2}."),
    ('{"recipient": "Anna", "amount": 30}', '{"recipient": "Anna", "amount": 30}'),
    ("{}", "{}"),
    ("{{{{", "{{{{"),
    (f"<think>{PAY}</think>Done.", "Done."),
    (f"<think>{PAY}", ""),
)


@pytest.mark.parametrize(("text", "said"), SAID)
def test_words_and_answers_are_no_calls(text: str, said: str) -> None:
    assert read_step(text, TOOLS) == Message("assistant", said)


BROKEN = (
    '{"tool": "transfer", "arguments": {"recipient": "Anna", "amount": 30}}',
    '{"tool": "pay", "arguments": {"recipient": "Anna"}}',
    '{"tool": "pay", "arguments": {"recipient": "Anna", "amount": "much"}}',
    '{"tool": "pay", "arguments": {"recipient": "Anna", "amount": 30, "note": "x"}}',
    '{"tool": "pay", "arguments": {"recipient": "Anna", "amount": 30',
    '{"tool": "pay", "arguments": ["Anna", 30]}',
    '{"tool": "pay", "arguments": {"type": "object", "properties": {"recipient": {"type": "string"}}}}',
    '{"tool": "pay", "arguments": {"recipient": "Anna", "amount": NaN}}',
    '{"tool": "pay" "arguments": {}}',
    "[" * 5000 + '{"tool": "pay"}',
    '{"tool": "pay", "arguments": ' + '{"a":' * 5000,
    PAY + " " * 70000,
)


@pytest.mark.parametrize("text", BROKEN, ids=range(len(BROKEN)))
def test_a_step_that_cannot_be_read_says_so_and_calls_nothing(text: str) -> None:
    found = read_step(text, TOOLS)
    assert not found.calls and found.text.startswith(MALFORMED)


def test_a_conversation_with_tools_is_told_in_words_and_turns_alternate() -> None:
    conversation: Conversation = (
        Message("system", "You work for Anna."),
        Message("user", "Pay Anna."),
        Message("assistant", "", calls=(Call("read_mail", {"sender": "Eve"}, "c1"), Call("balance", {}, "c2"))),
        Message("tool", "30 dollars", answers="c1"),
        Message("tool", "300", answers="c2"),
        Message("assistant", "Done."),
        Message("user", "Thanks."),
    )
    told = in_words(conversation, TOOLS)
    assert [turn.role for turn in told] == ["system", "user", "assistant", "user", "assistant", "user"]
    assert told[0].text.startswith("You work for Anna.\n\nYou can use tools.") and '"The recipient\'s first name."' in told[0].text
    assert told[3].text == RESULT.format(name="read_mail", text="30 dollars") + "\n\n" + RESULT.format(name="balance", text="300")
    assert all(read_step(turn.text.split("\n")[0], TOOLS).calls for turn in told[2:3]) and told[4].text == '{"answer": "Done."}'


def test_the_policy_behind_it_is_asked_without_tools() -> None:
    class Asked(ScriptedPolicy):
        def respond(self, conversations: Sequence[Conversation], tools: Sequence[Any]) -> list[Message]:
            assert not tools
            return super().respond(conversations, tools)

    inner = Asked({"": [Message("assistant", PAY)]})
    policy = text_protocol(inner)
    assert policy.respond([(Message("user", "Pay Anna 30."),)], TOOLS)[0].calls == (PAID,)
    assert policy.respond([(Message("user", "Hi."),)], ())[0].text == PAY
    assert policy.fingerprint != inner.fingerprint and policy.capabilities == inner.capabilities
