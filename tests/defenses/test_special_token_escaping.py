"""No text spells a token of a chat template behind this defense, however it is put together; ordinary words stay."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hartley.attacks.action.attack_set import REAL
from hartley.defenses.system.special_token_escaping import _TOKEN, DEFENSE, escaped
from hartley.targets.conversation import Message
from hartley.targets.scripted import ScriptedPolicy

TOKENS = (
    "<|im_start|>", "<|im_end|>", "<|eot_id|>", "<|start_header_id|>", "<|begin_of_text|>", "[INST]", "[/INST]", "<<SYS>>",
    "<</SYS>>", "<s>",
    "</s>", "<start_of_turn>", "<end_of_turn>", "<|user|>", "<|assistant|>", "<|end|>", "<|channel|>",
    "<\uff5cUser\uff5c>", "<bos>", "<eos>",
    "<|endoftext|>", "<|END_OF_TURN_TOKEN|>", "[TOOL_CALLS]", "[AVAILABLE_TOOLS]",
)  # fmt: skip


@pytest.mark.parametrize("token", TOKENS)
def test_a_token_is_broken_up_and_its_words_stay(token: str) -> None:
    assert not _TOKEN.search(escaped(f"a {token} b")) and escaped(f"a {token} b").replace(" ", "") == f"a{token}b"


@given(st.lists(st.sampled_from([*TOKENS, "<", "|", ">", "<|im_", "start|>", "a", " "]), max_size=12))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_no_text_spells_a_token_behind_it(parts: list[str]) -> None:
    assert not _TOKEN.search(escaped("".join(parts)))


@pytest.mark.parametrize("text", ["a < b and b > c", "x[0] |= 3", "<p>Hello</p>", "see [1] and [INSTALL]", "1 <2| 3", ""])
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert escaped(text) == text


def test_the_attack_set_has_wordings_that_it_changes_and_others_that_it_does_not() -> None:
    changed = {wording.name for wording in REAL if escaped(wording.template) != wording.template}
    assert changed == {"ChatML tokens", "Llama 3 tokens", "Mistral and Llama 2 tokens", "Gemma tokens"}


def test_the_operator_s_own_words_are_left_alone() -> None:
    heard = []

    class Hears(ScriptedPolicy):
        def respond(self, conversations, tools):  # type: ignore[no-untyped-def]
            heard.extend(conversations)
            return super().respond(conversations, tools)

    assert DEFENSE.words is not None
    DEFENSE.words(Hears({"": [Message("assistant", "ok")]})).respond([(Message("system", "<s>"), Message("user", "<s>"))], ())
    assert [turn.text for turn in heard[0]] == ["<s>", "< s>"]
