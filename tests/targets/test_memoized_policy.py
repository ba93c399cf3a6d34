"""Recalling: the same conversation with the same tools is not thought about twice; a cache with room holds what a plain one holds."""

from __future__ import annotations

import torch
from transformers import DynamicCache

from hartley.targets.conversation import Message, ask
from hartley.targets.key_value_cache import ROOM, roomy
from hartley.targets.memoized_policy import memoized

ONE, TWO = [{"function": {"name": "one"}}], [{"function": {"name": "two"}}]


class Counting:
    """Answers with the number of conversations that it was asked about so far."""

    name, fingerprint, capabilities = "counting", "counting", frozenset({"text"})

    def __init__(self) -> None:
        self.asked = 0

    def respond(self, conversations, tools):
        return [self.answer() for _ in conversations]

    def answer(self):
        self.asked += 1
        return Message("assistant", str(self.asked))


class Lasting(Counting):
    def session(self):
        return self


def said(policy, texts, tools=ONE):
    return [message.text for message in policy.respond([ask(text) for text in texts], tools)]


def test_the_same_conversation_is_asked_about_once() -> None:
    inner = Lasting()
    policy = memoized(inner)
    assert said(policy, ["a", "b", "a"]) == ["1", "2", "1"] and inner.asked == 2
    assert said(policy, ["c", "b"]) == ["3", "2"]
    assert said(policy, ["a"], TWO) == ["4"], "other tools, another answer"
    assert said(policy.session(), ["a"]) == ["1"], "a session recalls what was said before it"
    assert said(memoized(inner), ["a"]) == ["5"], "another recollection knows nothing of this one"
    assert [m.text for m in policy.respond_each([ask("a"), ask("a"), ask("d")], [TWO, ONE, ONE])] == ["4", "1", "6"]
    assert (policy.name, policy.fingerprint, policy.capabilities) == (inner.name, inner.fingerprint, inner.capabilities)


def test_a_policy_without_sessions_stays_as_it_is() -> None:
    policy = Counting()
    assert memoized(policy) is policy


def test_a_cache_with_room_holds_what_a_plain_one_holds() -> None:
    generator = torch.Generator().manual_seed(0)
    plain, spare = DynamicCache(), roomy()
    rows = 5
    for step, tokens in enumerate((7, 1, 1, ROOM, 1, 3, 1)):
        for layer in range(2):
            new = [torch.randn(rows, 2, tokens, 4, generator=generator) for _ in range(2)]
            for held, wanted in zip(spare.update(*new, layer), plain.update(*new, layer), strict=True):
                assert torch.equal(held, wanted)
        assert spare.get_seq_length() == plain.get_seq_length()
        if step in (2, 4):
            rows -= 2
            stay = torch.randperm(rows + 2, generator=generator)[:rows]
            spare.batch_select_indices(stay)
            plain.batch_select_indices(stay)
