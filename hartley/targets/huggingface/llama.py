"""A local LLaMA chat folder: an agent's policy that writes its tool calls as JSON."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from hartley.errors import InputError
from hartley.targets.checkpoint import existing_folder, read_weights, weight_files
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
    from transformers import LlamaConfig, LlamaForCausalLM

    folder = existing_folder(path, "LLaMA chat")
    _, settings = read_settings(folder, KIND)
    files = words.tokenizer_files(folder, words.LLAMA)
    weights = read_weights(weight_files(folder))
    with quiet_and_offline():
        model = load_model(folder, LlamaForCausalLM, LlamaConfig, settings, weights, "LLaMA")
        tokenizer = words.load_tokenizer(folder, files, model.config.vocab_size)
        if not isinstance(tokenizer.chat_template, str):
            raise InputError(
                f"{folder}: has no chat template, so how a conversation is laid out is unknown; a chat model's folder is accepted"
            )
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
