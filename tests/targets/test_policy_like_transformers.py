# ruff: noqa: E501 - templates are easier to read on one line
"""A folder's policy lays out, tokenizes and writes what transformers itself would, token by token, whatever the template."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from hartley.errors import InputError
from hartley.targets.conversation import Call, Conversation, Message
from hartley.targets.huggingface import llama

SPECIAL = ("<pad>", "<s>", "<unk>", "</s>")
MORE = (
    "<|im_start|>",
    "<|im_end|>",
    "<|eot_id|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "[INST]",
    "[/INST]",
    "<start_of_turn>",
    "<end_of_turn>",
)
PLAIN = (
    "system",
    "user",
    "assistant",
    "tool",
    "model",
    "a",
    "b",
    "c",
    "d",
    "e",
    "f",
    "pay",
    "done",
    ".",
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "hello",
    "what",
    "is",
    "new",
    "york",
    "anna",
)
TOOL: dict[str, Any] = {
    "type": "function",
    "function": {"name": "pay", "description": "a", "parameters": {"type": "object", "properties": {"a": {"type": "string"}}}},
}
LOOP = "{% for m in messages %}"
GEN = "{% if add_generation_prompt %}"
CALLS = "{% for c in m.tool_calls or [] %} {{ c.function.name }} {{ c.function.arguments | tojson }} {% endfor %}"
TEMPLATES: dict[str, Any] = {
    "ChatML": LOOP + "<|im_start|> {{ m.role }} {{ m.content }} <|im_end|> {% endfor %}" + GEN + "<|im_start|> assistant {% endif %}",
    "ChatML with a beginning": "{{ bos_token }} " + LOOP + "<|im_start|> {{ m.role }} {{ m.content }} <|im_end|> {% endfor %}" + GEN + "<|im_start|>{% endif %}",
    "Llama 2": LOOP + "{% if m.role == 'user' %}{{ bos_token }} [INST] {{ m.content }} [/INST]{% else %} {{ m.content }} {{ eos_token }}{% endif %}{% endfor %}",
    "Llama 3": "{{ bos_token }}" + LOOP + " <|start_header_id|> {{ m.role }} <|end_header_id|> {{ m.content | trim }} <|eot_id|>{% endfor %}" + GEN + " <|start_header_id|> assistant <|end_header_id|>{% endif %}",
    "tools in the system turn": "{% if tools %} system {{ tools | tojson }} {% endif %}" + LOOP + "<|im_start|> {{ m.role }} {{ m.content }} " + CALLS + " <|im_end|>{% endfor %}" + GEN + "<|im_start|>{% endif %}",
    "tools one by one": "{% for t in tools or [] %} {{ t.function.name }} {% endfor %}" + LOOP + " {{ m.role }} {{ m.content }} {% endfor %}" + GEN + " assistant {% endif %}",
    "Gemma": "{{ bos_token }}" + LOOP + " <start_of_turn> {{ 'model' if m.role == 'assistant' else m.role }} {{ m.content }} <end_of_turn>{% endfor %}" + GEN + " <start_of_turn> model {% endif %}",
    "refuses a system turn": LOOP + "{% if m.role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %} {{ m.role }} {{ m.content }} {% endfor %}" + GEN + " assistant {% endif %}",
    "one call a turn": LOOP + "{% if m.tool_calls and m.tool_calls | length != 1 %}{{ raise_exception('only single tool-calls') }}{% endif %} {{ m.role }} {{ m.content }} " + CALLS + "{% endfor %}" + GEN + " assistant {% endif %}",
    "trims and counts": LOOP + " {{ loop.index }} {{ m.role }} {{ m.content.strip() }} {% endfor %}" + GEN + " assistant {% endif %}",
    "namespaces and macros": "{% macro say(m) %} {{ m.role }} {{ m.content }} {% endmacro %}{% set ns = namespace(n=0) %}" + LOOP + "{{ say(m) }}{% set ns.n = ns.n + 1 %}{% endfor %} {{ ns.n }}" + GEN + " assistant {% endif %}",
    "ids of calls": LOOP + " {{ m.role }} {{ m.content }} {% for c in m.tool_calls or [] %} {{ c.id }} {% endfor %} {{ m.tool_call_id or '' }} {% endfor %}" + GEN + " assistant {% endif %}",
    "named templates": {"default": LOOP + " {{ m.role }} {{ m.content }} {% endfor %}", "tool_use": "{{ tools | length }} " + LOOP + " b {{ m.content }} {% endfor %}"},
}  # fmt: skip
TURNS: tuple[Conversation, ...] = (
    (Message("user", "hello"),),
    (Message("system", "a b"), Message("user", "what is new")),
    (Message("user", "hello"), Message("assistant", "a"), Message("user", "<|im_end|> b </s> [INST] c")),
    (
        Message("user", "pay anna"),
        Message("assistant", "", calls=(Call("pay", {"a": "b"}, "call00000"),)),
        Message("tool", "done", answers="call00000"),
    ),
)
TWO_CALLS: Conversation = (
    Message("user", "pay anna"),
    Message("assistant", "", calls=(Call("pay", {"a": "b"}, "call00000"), Call("pay", {"a": "c"}, "call00001"))),
    Message("tool", "done", answers="call00000"),
    Message("tool", "new", answers="call00001"),
)


def folder_of(folder: Path, template: Any, eos: Any = 3, **generation: Any) -> Path:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    known = [*SPECIAL, *MORE, *PLAIN]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(known)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing("<s> $A", special_tokens=[("<s>", 1)])
    special = dict(zip(("pad_token", "bos_token", "unk_token", "eos_token"), SPECIAL, strict=True))
    made = PreTrainedTokenizerFast(tokenizer_object=tokenizer, additional_special_tokens=list(MORE), **special)
    made.chat_template = template
    made.save_pretrained(folder)
    torch.manual_seed(0)
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 2}
    ids = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 3}
    model = LlamaForCausalLM(LlamaConfig(**shape, **ids, max_position_embeddings=2048, vocab_size=len(known)))
    for parameter in model.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.5)
    model.generation_config.eos_token_id = eos
    for name, value in generation.items():
        setattr(model.generation_config, name, value)
    model.save_pretrained(folder)
    return folder


def laid_out(conversation: Conversation) -> list[dict[str, Any]]:
    """A conversation as somebody writes it who uses transformers alone."""
    made: list[dict[str, Any]] = []
    for message in conversation:
        turn: dict[str, Any] = {"role": message.role, "content": message.text}
        if message.calls:
            calls = [
                {"type": "function", "id": one.id, "function": {"name": one.name, "arguments": dict(one.arguments)}}
                for one in message.calls
            ]
            turn["tool_calls"] = calls
        if message.answers:
            turn["tool_call_id"] = message.answers
        made.append(turn)
    return made


@pytest.mark.parametrize("name", TEMPLATES)
def test_the_same_tokens_go_in_and_come_out(tmp_path: Path, name: str) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = folder_of(tmp_path, TEMPLATES[name], eos=[3, 5] if "ChatML" in name else 3)
    policy = llama.load(folder)
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    for conversation in TURNS:
        if name == "refuses a system turn" and conversation[0].role == "system":
            continue
        for tools in ([], [TOOL]):
            theirs = tokenizer.apply_chat_template(laid_out(conversation), tools=tools or None, add_generation_prompt=True, tokenize=True)
            ids = list(theirs["input_ids"] if hasattr(theirs, "keys") else theirs)
            assert policy.tokens(conversation, tools) == ids
            with torch.no_grad():
                out = model.generate(torch.tensor([ids]), attention_mask=torch.ones(1, len(ids)), do_sample=False, max_new_tokens=12)
            written = out[0, len(ids) :].tolist()
            ours = policy._continue([ids], 12, None)[0]
            ends = policy._ends
            assert ours == [token for token in written if token not in ends][: len(ours)]
            assert len(ours) == next((place for place, token in enumerate(written) if token in ends), len(written))


def test_a_template_that_refuses_a_system_turn_gets_its_words_with_the_user_s(tmp_path: Path) -> None:
    policy = llama.load(folder_of(tmp_path, TEMPLATES["refuses a system turn"]))
    merged = (Message("user", "a b\n\nwhat is new"),)
    assert policy.tokens(TURNS[1], ()) == policy.tokens(merged, ())
    assert any("system turn" in line for line in policy.adapted)


def test_a_template_that_takes_one_call_a_turn_gets_them_one_by_one(tmp_path: Path) -> None:
    policy = llama.load(folder_of(tmp_path, TEMPLATES["one call a turn"]))
    first, second = TWO_CALLS[1].calls
    split = (
        TWO_CALLS[0],
        Message("assistant", "", calls=(first,)),
        TWO_CALLS[2],
        Message("assistant", "", calls=(second,)),
        TWO_CALLS[3],
    )
    assert policy.tokens(TWO_CALLS, [TOOL]) == policy.tokens(split, [TOOL]) and any("one call" in line for line in policy.adapted)


def test_a_template_s_own_words_are_told_in_one_printable_line(tmp_path: Path) -> None:
    template = "{% if messages | length > 1 %}{{ raise_exception('only \x1b[31mone\nturn') }}{% endif %} {{ messages[0].content }}"
    policy = llama.load(folder_of(tmp_path, "{{ messages[0].content }}"))
    policy.tokenizer.chat_template = template
    with pytest.raises(InputError, match="chat template refuses a conversation") as refusal:
        policy.tokens(TURNS[2], ())
    assert "\x1b" not in str(refusal.value) and "\n" not in str(refusal.value)


@pytest.mark.parametrize("setting", [{"repetition_penalty": 1.2}, {"no_repeat_ngram_size": 3}, {"suppress_tokens": [5]}])
def test_settings_that_bend_greedy_decoding_are_refused(tmp_path: Path, setting: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=f"generation_config.json sets {next(iter(setting))}"):
        llama.load(folder_of(tmp_path, TEMPLATES["ChatML"], **setting))


def test_a_template_shows_whether_it_shows_tools(tmp_path: Path) -> None:
    assert llama.load(folder_of(tmp_path / "a", TEMPLATES["tools one by one"])).sees_tools([TOOL])
    assert not llama.load(folder_of(tmp_path / "b", TEMPLATES["ChatML"])).sees_tools([TOOL])


HOSTILE = (
    "{{ 'a' * 10 ** 10 }}",
    "{% set a = 'x' * 2 ** 31 %}{{ a }}",
    "{% for i in range(99999) %}{% for j in range(99999) %}x{% endfor %}{% endfor %}",
    "{% set ns = namespace(t='x') %}{% for i in range(60) %}{% set ns.t = ns.t ~ ns.t %}{% endfor %}{{ ns.t }}",
    "{{ 'a' | center(10 ** 10) }}",
    "{{ '%0*d' | format(2 ** 31 - 1, 1) }}",
    "{% macro f(n) %}{{ f(n) }}{{ f(n) }}{% endmacro %}{{ f(1) }}",
    "{{ ['a'] * 10 ** 9 }}",
    "{{ (['a' * 1000] * 10 ** 7) | join }}",
    "{{ 'a'.ljust(10 ** 10) }}",
)


@pytest.mark.parametrize("template", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_4_a_template_that_never_ends_or_grows_is_refused_in_seconds(
    tmp_path: Path, template: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hartley.targets.huggingface import limited

    monkeypatch.setattr(limited, "SECONDS", 2.0)
    with pytest.raises(InputError, match="chat template"):
        llama.load(folder_of(tmp_path, template + " {{ messages[0].content }}"))


def test_hostile_4_a_token_that_begins_with_a_space_does_not_loop(tmp_path: Path) -> None:
    policy = llama.load(folder_of(tmp_path, TEMPLATES["ChatML"]))
    policy.literal = True
    import re

    policy._spelled = re.compile(re.escape(" x"))
    assert " x" not in policy.words("a x b  x  xx")
