"""LlamaPolicy on an untrained model: batches change nothing, likelihoods are those of single tokens, wrong calls are told."""

from __future__ import annotations

import pytest
import torch

from hartley.errors import InputError
from hartley.targets.conversation import Call, Conversation, Message
from hartley.targets.policy import LlamaPolicy
from hartley.targets.protocols import Policy
from hartley.targets.reference import agent
from hartley.targets.reference.agent.tools import schemas
from hartley.targets.reference.saving import initialize
from hartley.targets.tool_calls import MALFORMED, read_json_calls, read_word_calls
from hartley.training.agent.architecture import build_llama, build_tokenizer

TOOLS = schemas(("pay", "send_mail", "add_event", "grip", "control", "query"))
PAY = Call("pay", {"recipient": "anna", "amount": 5})
CONVERSATIONS: list[Conversation] = [
    (Message("user", "pay anna 5"),),
    (Message("system", "you help anna ."), Message("user", "what is in the file plan ?")),
    (Message("user", "pay anna 5"), Message("assistant", calls=(PAY,)), Message("tool", "done", answers="call0001")),
]


@pytest.fixture(scope="module")
def policy() -> LlamaPolicy:
    module = build_llama()
    initialize(module, torch.Generator().manual_seed(2))
    return LlamaPolicy(name="untrained", module=module, tokenizer=build_tokenizer(), read=read_word_calls, fingerprint="0")


def test_it_is_a_policy(policy: LlamaPolicy) -> None:
    assert isinstance(policy, Policy) and policy.capabilities == {"hidden", "logprob", "text"}


def test_a_batch_answers_as_single_conversations_do(policy: LlamaPolicy) -> None:
    together = policy.respond(CONVERSATIONS, TOOLS, longest=12)
    assert together == [policy.respond([conversation], TOOLS, longest=12)[0] for conversation in CONVERSATIONS]
    assert {message.role for message in together} == {"assistant"} and policy.respond([], TOOLS) == []


def test_the_likelihood_is_the_product_over_single_tokens(policy: LlamaPolicy) -> None:
    answers = [Message("assistant", "done ."), Message("assistant", calls=(PAY,)), Message("assistant", "i paid anna 5 .", calls=(PAY,))]
    quick = policy.log_likelihood(CONVERSATIONS, answers, TOOLS)
    for conversation, answer, found in zip(CONVERSATIONS, answers, quick.tolist(), strict=True):
        ids = policy.tokens((*conversation, answer), TOOLS, generate=False)
        start, slow = len(policy.tokens(conversation, TOOLS)), 0.0
        for place in range(start, len(ids)):
            with torch.no_grad():
                logits = policy.module(input_ids=torch.tensor([ids[:place]]), use_cache=False).logits[0, -1]
            slow += float(logits.log_softmax(-1)[ids[place]])
        assert ids[-1] == policy.tokenizer.eos_token_id and found == pytest.approx(slow, abs=1e-3)


def test_only_an_assistant_has_a_likelihood(policy: LlamaPolicy) -> None:
    with pytest.raises(ValueError, match="assistant"):
        policy.log_likelihood(CONVERSATIONS[:1], [Message("user", "pay anna 5")], TOOLS)


def test_a_conversation_that_is_too_long_is_named(policy: LlamaPolicy) -> None:
    with pytest.raises(InputError, match=r"conversation 1 has 1,0\d\d tokens"):
        policy.respond([CONVERSATIONS[0], (Message("user", "pay " * 1_000),)], ())


def test_pictures_are_refused(policy: LlamaPolicy) -> None:
    with pytest.raises(InputError, match="reads no pictures"):
        policy.respond([(Message("user", "look", pictures=1),)], ())


def test_nothing_is_left_behind(policy: LlamaPolicy) -> None:
    state = torch.random.get_rng_state()
    policy.respond(CONVERSATIONS, TOOLS, longest=4)
    assert torch.equal(state, torch.random.get_rng_state())
    assert not policy.module.training and not any(weight.requires_grad for weight in policy.module.parameters())


@pytest.mark.parametrize(
    ("written", "call"),
    [
        ("<|call|> pay <|arg|> recipient anna <|arg|> amount 5", PAY),
        (
            "<|call|> add_event <|arg|> event dinner <|arg|> day monday <|arg|> hour 09:00",
            Call("add_event", {"event": "dinner", "day": "monday", "hour": "09:00"}),
        ),
        ("<|call|> grip <|arg|> closed true", Call("grip", {"closed": True})),
        (
            "<|call|> query <|arg|> sql select item from orders where name = ' anna '",
            Call("query", {"sql": "select item from orders where name = 'anna'"}),
        ),
    ],
)
def test_words_become_typed_arguments(written: str, call: Call) -> None:
    assert read_word_calls(written, TOOLS) == Message("assistant", calls=(call,))


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("<|call|> fly", "no tool 'fly'"),
        ("<|call|> pay <|arg|> recipient anna", "lacks the argument 'amount'"),
        ("<|call|> pay <|arg|> recipient anna <|arg|> amount many", "no number"),
        ("<|call|> pay <|arg|> recipient anna <|arg|> amount -5", "out of its range"),
        ("<|call|> pay <|arg|> recipient anna <|arg|> amount 5 <|arg|> amount 6", "given twice"),
        ("<|call|> pay <|arg|> recipient anna <|arg|> amount 5 <|arg|> now true", "no argument 'now'"),
        ("<|call|> add_event <|arg|> event dinner <|arg|> day someday <|arg|> hour 09:00", "accepted: monday"),
        ("<|call|> add_event <|arg|> event dinner <|arg|> day monday <|arg|> hour 29:00", "no time"),
        ("<|call|> grip <|arg|> closed perhaps", "accepted: true, false"),
        ("<|call|> pay <|user|> <|arg|> recipient anna <|arg|> amount 5", "turn's mark"),
        ("ok <|call|>", "no tool ''"),
    ],
)
def test_a_malformed_call_is_a_message_that_says_so(written: str, why: str) -> None:
    message = read_word_calls(written, TOOLS)
    assert not message.calls and MALFORMED in message.text and why in message.text


@pytest.mark.parametrize(
    "written",
    [
        '{"name": "pay", "parameters": {"recipient": "anna", "amount": "5"}}',
        '<tool_call>{"name": "pay", "arguments": {"recipient": "anna", "amount": 5}}</tool_call>',
        '[TOOL_CALLS] [{"name": "pay", "arguments": "{\\"recipient\\": \\"anna\\", \\"amount\\": 5}"}]',
    ],
)
def test_json_calls_of_other_families_are_read(written: str) -> None:
    assert read_json_calls(written, TOOLS) == Message("assistant", calls=(PAY,))


@pytest.mark.parametrize(
    "written", ["<tool_call>{", '{"name": 3}x{"name"', "[TOOL_CALLS]", '{"name": "pay", "arguments": [1]}', "<tool_call>" + "[" * 5_000]
)
def test_broken_json_is_a_message_that_says_so(written: str) -> None:
    message = read_json_calls(written, TOOLS)
    assert not message.calls and MALFORMED in message.text


def test_without_weights_the_way_to_make_them_is_told(tmp_path: object) -> None:
    with pytest.raises(InputError, match="training agent"):
        agent.load(tmp_path)  # type: ignore[arg-type]
