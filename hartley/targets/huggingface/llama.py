"""A local LLaMA chat folder: an agent's policy that writes its tool calls as JSON."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from hartley.errors import InputError
from hartley.targets.checkpoint import existing_folder, read_json, read_weights, weight_files
from hartley.targets.conversation import Conversation, Json, Message, ask
from hartley.targets.huggingface import checks, words
from hartley.targets.huggingface.limited import ends_well
from hartley.targets.huggingface.model import Kind, load_model, read_settings
from hartley.targets.huggingface.offline import brief, quiet_and_offline
from hartley.targets.policy import LlamaPolicy
from hartley.targets.tool_calls import read_json_calls

KIND = Kind("llama", ("LlamaForCausalLM",))
LONGEST = 192
"""Tokens of a turn: a call in JSON with a sentence before it. A model that has not finished by then has said what it was going to say."""
TRIED: tuple[Conversation, ...] = (
    ask("a", pictures=0),
    tuple(Message("user" if place % 2 == 0 else "assistant", "some words to be laid out " * 20) for place in range(39)),
)
TOOL: dict[str, Json] = {
    "type": "function",
    "function": {"name": "a", "description": "a", "parameters": {"type": "object", "properties": {"a": {"type": "string"}}}},
}


def load(path: Path) -> LlamaPolicy:
    """The LLaMA in a local folder, in float32. Raises InputError, in one line, for a folder that cannot be used.

    Its chat template is data: transformers fills it in inside a sandbox of Jinja that cannot change or reach anything.
    """
    from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

    folder = existing_folder(path, "LLaMA chat")
    _, settings = read_settings(folder, KIND)
    files = words.tokenizer_files(folder, words.LLAMA)
    weights = read_weights(weight_files(folder))
    with quiet_and_offline():
        model = load_model(folder, LlamaForCausalLM, LlamaConfig, settings, weights, "LLaMA")
        tokenizer = words.load_tokenizer(folder, files, model.config.vocab_size)
        if not isinstance(tokenizer.chat_template, str | dict) or not tokenizer.chat_template:
            raise InputError(
                f"{folder}: has no chat template, so how a conversation is laid out is unknown; a chat model's folder is accepted"
            )
        if (folder / "generation_config.json").is_file():
            model.generation_config = GenerationConfig(**read_json(folder / "generation_config.json"))
        _refuse_bent_decoding(folder, model.generation_config)
        name, fingerprint = checks.name_of(folder), checks.fingerprint(folder)
        policy = LlamaPolicy(
            name=name, module=model, tokenizer=tokenizer, read=read_json_calls, fingerprint=fingerprint, longest=LONGEST, literal=False
        )
        for messages in TRIED:  # a template is a program: it is tried where it may not take long or grow
            if why := ends_well(partial(policy.tokens, messages, [TOOL])):
                raise InputError(f"{folder}: its chat template {why}; one that lays out a conversation is accepted")
        try:
            policy.respond([ask("a", pictures=0)], [TOOL], longest=1)
        except Exception as error:
            raise InputError(f"{folder}: loads, but does not answer ({brief(error)})") from None
    return policy


BENDING = {"repetition_penalty": 1.0, "no_repeat_ngram_size": 0, "encoder_repetition_penalty": 1.0, "min_length": 0}
LISTS = ("suppress_tokens", "begin_suppress_tokens", "bad_words_ids", "sequence_bias", "forced_bos_token_id", "forced_eos_token_id")


def _refuse_bent_decoding(folder: Path, settings: Any) -> None:
    """Raises InputError for generation settings under which the likeliest token is not what `generate` takes. Settings of sampling do not
    matter: nothing is sampled here."""
    bent = [name for name, usual in BENDING.items() if getattr(settings, name, None) not in (None, usual)]
    bent += [name for name in LISTS if getattr(settings, name, None)]
    if bent:
        raise InputError(
            f"{folder}: generation_config.json sets {bent[0]}, which changes what is written; it is accepted without that setting"
        )
