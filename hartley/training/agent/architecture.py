"""The reference agent's shape: a small LLaMA, a tokenizer of whole words, and the chat template of its conversations."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import torch

from hartley.targets.conversation import Conversation, Json
from hartley.targets.reference.agent.words import vocabulary
from hartley.targets.tool_calls import ARGUMENT, CALL

POSITIONS = 768
FAST_PAIRS, LOOKING, MATCHING = 4, 5.0, 3.0
PAD, BOS, UNKNOWN, EOS = "<|pad|>", "<|bos|>", "<|unk|>", "<|eos|>"
SYSTEM, USER, ASSISTANT, RESULT, TOOL = "<|system|>", "<|user|>", "<|assistant|>", "<|result|>", "<|tool|>"
SPECIAL_TOKENS = (PAD, BOS, UNKNOWN, EOS, SYSTEM, USER, ASSISTANT, RESULT, TOOL, CALL, ARGUMENT)
# "|" always stands alone, so no written word can become one of the special tokens, all of which hold it.
MARKS = r"</?[a-z0-9]+>|<!--|-->|(?<![0-9])[:.,]|[:.,](?![0-9])|[;?!()'\"=^*|]"

TEMPLATE = (
    "{{ bos_token }}"
    "{%- for message in messages if message['role'] == 'system' %} <|system|> {{ message['content'] }}{% endfor %}"
    "{%- for tool in tools or [] %}{% set function = tool['function'] %} <|tool|> {{ function['name'] }}"
    "{%- for name in (function['parameters'] or {}).get('properties', {}) %} {{ name }}{% endfor %}"
    "{%- if function['description'] %} : {{ function['description'] }}{% endif %}{% endfor %}"
    "{%- for message in messages %}"
    "{%- if message['role'] == 'user' %} <|user|> {{ message['content'] }}"
    "{%- elif message['role'] == 'tool' %} <|result|> {{ message['content'] }}"
    "{%- elif message['role'] == 'assistant' %} <|assistant|> {{ message['content'] }}"
    "{%- for call in message['tool_calls'] or [] %} <|call|> {{ call['function']['name'] }}"
    "{%- for name, value in call['function']['arguments'].items() %} <|arg|> {{ name }} {{ value }}{% endfor %}{% endfor %}"
    " {{ eos_token }}{% endif %}{% endfor %}"
    "{%- if add_generation_prompt %} <|assistant|>{% endif %}"
)


def build_tokenizer() -> Any:
    """A tokenizer of whole words over `words.vocabulary()`: lower case, unknown words to <|unk|>, with the chat template."""
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    inner = Tokenizer(models.WordLevel(dict(_table()), unk_token=UNKNOWN))
    inner.normalizer = normalizers.Lowercase()
    inner.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Split(Regex(MARKS), "isolated")])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner,
        pad_token=PAD,
        bos_token=BOS,
        unk_token=UNKNOWN,
        eos_token=EOS,
        additional_special_tokens=list(SPECIAL_TOKENS[4:]),
        model_max_length=POSITIONS,
        padding_side="left",
    )
    tokenizer.chat_template = TEMPLATE
    return tokenizer


@cache
def _table() -> Mapping[str, int]:
    return {token: index for index, token in enumerate((*SPECIAL_TOKENS, *vocabulary()))}


def build_llama() -> Any:
    """An untrained LlamaForCausalLM: width 112, 4 layers, 4 heads of 56, word embeddings shared with the output."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=len(_table()),
        hidden_size=112,
        intermediate_size=304,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=4,
        head_dim=56,
        max_position_embeddings=POSITIONS,
        tie_word_embeddings=True,
        attention_bias=True,
        rope_parameters={"rope_type": "default", "rope_theta": 500_000.0},
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=3,
    )
    return LlamaForCausalLM(config)


def start_copying(llama: Any, generator: torch.Generator) -> None:
    """Redraw the attention, in place, so that the model starts as one that goes on copying what it once began to copy.

    An agent copies names and numbers from what it has read; from independent draws that skill comes very late (a loss on
    repeated words of 4.6 after 250 steps, from here 0.4). Values and outputs start as rotations and their inverses (after
    Trockman and Kolter, "Mimetic initialization", ICML 2023): what is attended to is handed on. In the first layer two
    heads look at the word before and at the one before that, and write them into directions of their own; in the next two,
    heads look where the last two words were the word before and the word at hand: the induction heads of Olsson et al. (2022),
    over two words, so that a word that stands in several places does not lead astray. All of it is trained further.
    """
    size, width = llama.config.head_dim, llama.config.hidden_size
    layers = [layer.self_attn for layer in llama.model.layers]
    with torch.no_grad():
        for layer in layers:
            rotations = torch.cat([_rotation(width, generator) for _ in range(layer.v_proj.weight.shape[0] // width)])
            layer.v_proj.weight.copy_(rotations)
            layer.o_proj.weight.copy_(rotations.T / 2)
        turns = llama.model.rotary_emb.inv_freq
        directions = _rotation(width, generator)
        one_back, two_back = directions[:, :size], directions[:, size : 2 * size]
        at_hand = layers[0].v_proj.weight[:size].clone()
        for head, (back, written) in enumerate(((1, one_back), (2, two_back))):
            _look_back(layers[0], head, size, back * turns)
            layers[0].v_proj.weight[head * size : (head + 1) * size] = at_hand
            layers[0].o_proj.weight[:, head * size : (head + 1) * size] = written
        slow = (torch.arange(size) % (size // 2) >= size // 6).float().unsqueeze(1)
        for layer, head in ((1, 0), (1, 1), (2, 0)):
            first, second = _rotation(size, generator), _rotation(size, generator)
            rows = slice(head * size, (head + 1) * size)
            layers[layer].q_proj.weight[rows] = MATCHING * slow * (first @ at_hand + second @ one_back.T)
            layers[layer].k_proj.weight[rows] = MATCHING * slow * (first @ one_back.T + second @ two_back.T)


def _rotation(size: int, generator: torch.Generator) -> torch.Tensor:
    return torch.linalg.qr(torch.randn(size, size, generator=generator))[0]


def _look_back(layer: Any, head: int, size: int, turns: torch.Tensor) -> None:
    """Let a head of a layer look some words back: by its biases alone, turned by that many positions in the fastest pairs."""
    half, start = size // 2, head * size
    fast = (torch.arange(half) < FAST_PAIRS) * LOOKING
    layer.k_proj.bias[start : start + half] = fast
    layer.q_proj.bias[start : start + half] = fast * torch.cos(turns)
    layer.q_proj.bias[start + half : start + size] = -fast * torch.sin(turns)
    for projection in (layer.q_proj, layer.k_proj):
        projection.weight[start : start + size] *= 0.3


def word_ids(text: str) -> list[int]:
    """The ids of a text's words: what the tokenizer gives, without its cost (training draws a hundred thousand of these)."""
    table = _table()
    return [table.get(word, 2) for word in _separate(text)]


@cache
def _marks() -> re.Pattern[str]:
    return re.compile(f"({MARKS})")


def _separate(text: str) -> list[str]:
    return [piece for word in text.lower().split() for piece in (_marks().split(word) if not word.isalnum() else (word,)) if piece]


def lesson(conversation: Conversation, tools: Sequence[Mapping[str, Json]]) -> tuple[list[int], list[bool]]:
    """(ids, taught) of a whole conversation: what the chat template gives, and which tokens the assistant is to write."""
    table = _table()
    ids, taught = [table[BOS]], [False]

    def add(new: list[int], teach: bool = False) -> None:
        ids.extend(new)
        taught.extend([teach] * len(new))

    for message in conversation:
        if message.role == "system":
            add([table[SYSTEM], *word_ids(message.text)])
    for tool in tools:
        function: Any = tool["function"]
        about = f" : {function['description']}" if function["description"] else ""
        add([table[TOOL], *word_ids(" ".join((function["name"], *function["parameters"]["properties"])) + about)])
    for message in conversation:
        if message.role == "assistant":
            add([table[ASSISTANT]])
            add(word_ids(message.text), True)
            for call in message.calls:
                add([table[CALL], *word_ids(call.name)], True)
                for name, value in call.arguments.items():
                    add([table[ARGUMENT], *word_ids(f"{name} {value}")], True)
            add([table[EOS]], True)
        elif message.role != "system":
            add([table[USER if message.role == "user" else RESULT], *word_ids(message.text)])
    return ids, taught
