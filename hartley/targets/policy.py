"""A LlamaForCausalLM with a chat template as a Policy: the reference agent and real LLaMA folders alike."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hartley.errors import InputError
from hartley.printing import plain
from hartley.targets.clip import folder_fingerprint
from hartley.targets.continuing import Batch, Kept
from hartley.targets.conversation import Conversation, Json, Message
from hartley.targets.protocols import Policy
from hartley.targets.tool_calls import Reader, Tools

CHUNK = 32
_BREAKS = 4
DECIDING_FILES = ("*.json", "*.safetensors", "*.jinja", "tokenizer.model")


class LlamaPolicy:
    """A language model that answers or calls tools; satisfies `Policy`.

    name        what the report calls it.
    module      a transformers LlamaForCausalLM; put into evaluation mode, gradients to its parameters switched off.
    tokenizer   its tokenizer, with a chat template that knows tools.
    read        how a turn that it wrote is read: `tool_calls.read_json_calls` or `tool_calls.read_word_calls`.
    fingerprint a hash of the weights and settings.
    longest     tokens of a turn, at most.

    literal     what users and tools say is words: wherever it spells one of the tokenizer's added tokens, that is broken up by a space.
                False: it is tokenized as transformers does it, which takes such text for tokens.
    """

    def __init__(
        self, *, name: str, module: nn.Module, tokenizer: Any, read: Reader, fingerprint: str, longest: int = 64, literal: bool = True
    ) -> None:
        self.name = name
        self.module: Any = module.eval().requires_grad_(False)
        self.tokenizer = tokenizer
        self.read = read
        self.fingerprint = fingerprint
        self.longest = longest
        self.literal = literal
        self.adapted: set[str] = set()
        self._ends = _end_tokens(self.module, tokenizer)
        marks = sorted({str(token) for token in tokenizer.get_added_vocab()} | set(tokenizer.all_special_tokens), key=len, reverse=True)
        spelled = [re.escape(mark) for mark in marks if len(mark) > 1 and not mark.isspace()]
        self._spelled = re.compile("|".join(spelled), re.IGNORECASE) if spelled else None

    @property
    def capabilities(self) -> frozenset[str]:
        """Words, their probabilities, and gradients by token."""
        return frozenset({"hidden", "logprob", "text"})

    @property
    def longest_context(self) -> int:
        """How many tokens it reads and writes at most, together."""
        return int(self.module.config.max_position_embeddings)

    def words(self, text: str) -> str:
        """`text` as the model is given it: no part of it spells an added token."""
        if self._spelled is None or not self.literal:
            return text
        for _ in range(_BREAKS):
            if not self._spelled.search(text):
                return text
            text = self._spelled.sub(lambda match: f"{match.group()[0]} {match.group()[1:]}", text)
        while self._spelled.search(text):  # a token that begins with a space, or is spelled by what breaks another: it is left out
            text = self._spelled.sub("", text)
        return text

    def tokens(self, conversation: Conversation, tools: Tools, *, generate: bool = True) -> list[int]:
        """The token ids of a conversation with its tools; generate: with the opening of the assistant's next turn."""
        return self._tokens(conversation, self._offered(tools), generate)

    def sees_tools(self, tools: Tools) -> bool:
        """Whether the chat template shows the tools at all."""
        conversation = (Message("user", "a"),)
        return self.tokens(conversation, tools) != self.tokens(conversation, ())

    def _offered(self, tools: Tools) -> list[Any]:
        return [_map_strings(dict(tool), self.words) for tool in tools]

    def _tokens(self, conversation: Conversation, offered: list[Any], generate: bool) -> list[int]:
        return self._rows([conversation], offered, generate)[0]

    def _rows(self, conversations: Sequence[Conversation], offered: list[Any], generate: bool) -> list[list[int]]:
        """The token ids of each conversation. All go through the template together: it looks at the tools once."""
        messages = [[self._as_message(message) for message in conversation] for conversation in conversations]
        texts = [self._laid_out(own, offered, generate) for own in messages]
        return [list(row) for row in self.tokenizer(texts, add_special_tokens=False)["input_ids"]]

    def _laid_out(self, messages: list[dict[str, Any]], offered: list[Any], generate: bool) -> str:
        """What the template makes of a conversation. One that refuses a system turn, or several calls in a turn, gets the operator's
        words at the beginning of the user's, and a turn a call; `adapted` then says so. Raises InputError with the template's words."""
        from jinja2 import TemplateError

        refused = ""
        for words, change in _OTHERWISE.items():
            try:
                text: str = self.tokenizer.apply_chat_template(
                    change(messages), tools=offered or None, tokenize=False, add_generation_prompt=generate
                )
            except (TemplateError, TypeError, ValueError, LookupError, AttributeError, RecursionError, OverflowError) as error:
                refused = refused or plain(" ".join(str(error).split()), 200)
                continue
            self.adapted |= {words} - {""}
            return text
        raise InputError(f"{self.name}: its chat template refuses a conversation ({refused or 'without a word'})")

    def _as_message(self, message: Message) -> dict[str, Any]:
        if message.pictures:
            raise InputError(f"{self.name} reads no pictures; a message with {message.pictures} of them was given")
        result: dict[str, Any] = {"role": message.role, "content": self.words(message.text)}
        if message.calls:
            calls = [{"name": self.words(c.name), "arguments": _map_strings(dict(c.arguments), self.words)} for c in message.calls]
            ids = [{"id": call.id} if call.id else {} for call in message.calls]
            result["tool_calls"] = [{"type": "function", "function": call, **own} for call, own in zip(calls, ids, strict=True)]
        if message.answers:
            result["tool_call_id"] = message.answers
        return result

    def respond(
        self,
        conversations: Sequence[Conversation],
        tools: Sequence[Mapping[str, Json]],
        *,
        longest: int | None = None,
        kept: Kept | None = None,
    ) -> list[Message]:
        """The assistant's next message of each conversation, the likeliest token at each place, `longest` at most (None: the policy's own).

        tools: JSON Schemas in the function format of OpenAI's API, on offer to all conversations. A call that names no
        offered tool, or whose arguments do not fit, comes back as a message without calls whose text says what is wrong.
        Raises InputError for a conversation that does not fit into the model's context.
        """
        return self.respond_each(conversations, [tools] * len(conversations), longest=longest, kept=kept)

    def respond_each(
        self, conversations: Sequence[Conversation], offers: Sequence[Tools], *, longest: int | None = None, kept: Kept | None = None
    ) -> list[Message]:
        """`respond` where every conversation has tools of its own on offer."""
        longest = self.longest if longest is None else longest
        rows: list[list[int]] = [[] for _ in conversations]
        for tools in {id(tools): tools for tools in offers}.values():
            places = [place for place, offer in enumerate(offers) if offer is tools]
            read = self._rows([conversations[place] for place in places], self._offered(tools), True)
            for place, row in zip(places, read, strict=True):
                rows[place] = row
        for place, row in enumerate(rows):
            if len(row) + longest > self.longest_context:
                most = f"{self.longest_context - longest:,}"
                raise InputError(f"conversation {place} has {len(row):,} tokens with its tools; {self.name} reads up to {most}")
        order = sorted(range(len(rows)), key=lambda place: len(rows[place]))
        found: dict[int, Message] = {}
        for start in range(0, len(order), CHUNK):
            places = order[start : start + CHUNK]
            for place, written in zip(places, self._continue([rows[place] for place in places], longest, kept), strict=True):
                text = self.tokenizer.decode(written, skip_special_tokens=False, clean_up_tokenization_spaces=False)
                found[place] = self._named(self.read(text, offers[place]), len(conversations[place]))
        return [found[place] for place in range(len(rows))]

    def _named(self, message: Message, turn: int) -> Message:
        """The message, its calls with an id each: what the tool's answers refer to."""
        calls = tuple(call if call.id else replace(call, id=f"call{turn:04d}{place}") for place, call in enumerate(message.calls))
        return replace(message, calls=calls)

    def session(self) -> Policy:
        """The same policy for conversations that go on: what it has read of them it does not read again.

        Answers agree with `respond` but for the last digits of their probabilities. Start a new one with every run.
        """
        return _Session(self)

    def _continue(self, rows: list[list[int]], longest: int, kept: Kept | None) -> list[list[int]]:
        """The likeliest next tokens of each row, without the end token."""
        return Batch(self.module, rows, self.tokenizer.pad_token_id or 0, kept).run(self._ends, longest)

    def log_likelihood(self, conversations: Sequence[Conversation], messages: Sequence[Message], tools: Tools) -> Tensor:
        """(n,) natural logarithm of the probability of each assistant message and its end. Raises ValueError for other roles."""
        if len(conversations) != len(messages) or any(message.role != "assistant" for message in messages):
            raise ValueError("one assistant message for each conversation is needed")
        pairs = []
        for conversation, message in zip(conversations, messages, strict=True):
            before, whole = self.tokens(conversation, tools), self.tokens((*conversation, message), tools, generate=False)
            if whole[: len(before)] != before:
                raise InputError(f"{self.name}: the chat template does not continue a conversation where its generation prompt ends")
            end = next((place + 1 for place in range(len(before), len(whole)) if whole[place] in self._ends), len(whole))
            pairs.append((whole[:end], len(before)))
        chunks = [self._score(pairs[start : start + CHUNK]) for start in range(0, len(pairs), CHUNK)]
        return torch.cat(chunks) if chunks else torch.zeros(0)

    def _score(self, pairs: list[tuple[list[int], int]]) -> Tensor:
        """The log-probability of each row's tokens from its start on; padding stands behind, where nothing attends to it."""
        width, device = max(len(row) for row, _ in pairs), next(self.module.parameters()).device
        ids = torch.tensor([row + [0] * (width - len(row)) for row, _ in pairs], device=device)
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row, _ in pairs], device=device)
        logits = self.module(input_ids=ids, attention_mask=mask, use_cache=False).logits[:, :-1].float()
        each = -F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten(), reduction="none").view(len(pairs), -1)
        place = torch.arange(1, width, device=device)
        first = torch.tensor([start for _, start in pairs], device=device).unsqueeze(1)
        last = torch.tensor([len(row) for row, _ in pairs], device=device).unsqueeze(1)
        return (each * ((place >= first) & (place < last))).sum(1)


class _Session:
    """A LlamaPolicy with a memory of what it has read."""

    def __init__(self, policy: LlamaPolicy) -> None:
        self.policy, self.kept = policy, Kept()
        self.name, self.fingerprint, self.capabilities = policy.name, policy.fingerprint, policy.capabilities

    def respond(self, conversations: Sequence[Conversation], tools: Sequence[Mapping[str, Json]]) -> list[Message]:
        return self.policy.respond(conversations, tools, kept=self.kept)

    def respond_each(self, conversations: Sequence[Conversation], offers: Sequence[Tools]) -> list[Message]:
        return self.policy.respond_each(conversations, offers, kept=self.kept)


def _end_tokens(module: Any, tokenizer: Any) -> frozenset[int]:
    """The ids that end a turn: those of the generation configuration, at which `generate` stops; where it names none, the configuration's
    and the tokenizer's."""
    for held in (getattr(module.generation_config, "eos_token_id", None), module.config.eos_token_id, tokenizer.eos_token_id):
        if held is not None and held != []:
            return frozenset(held) if isinstance(held, list | tuple) else frozenset({held})
    return frozenset()


def _system_first(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The operator's words at the beginning of the user's first turn."""
    said = "\n\n".join(turn["content"] for turn in messages if turn["role"] == "system")
    rest = [turn for turn in messages if turn["role"] != "system"]
    if not said or not rest or rest[0]["role"] != "user":
        return messages
    return [{**rest[0], "content": f"{said}\n\n{rest[0]['content']}"}, *rest[1:]]


def _call_by_call(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A turn a call, each before its own answer."""
    made: list[dict[str, Any]] = []
    answers = {turn.get("tool_call_id"): turn for turn in messages if turn["role"] == "tool"}
    for turn in messages:
        calls = turn.get("tool_calls") or []
        if len(calls) < 2:
            made += [turn] if turn not in made else []
            continue
        for place, call in enumerate(calls):
            made.append({**turn, "content": turn["content"] if place == 0 else "", "tool_calls": [call]})
            made += [answers[call["id"]]] if call.get("id") in answers else []
    return made


_OTHERWISE: dict[str, Callable[[list[dict[str, Any]]], list[dict[str, Any]]]] = {
    "": lambda messages: messages,
    "its template refuses a system turn: the operator's words stand at the beginning of the user's": _system_first,
    "its template takes one call a turn: several are told one by one": _call_by_call,
    "its template refuses a system turn, and takes one call a turn": lambda messages: _call_by_call(_system_first(messages)),
}


def _map_strings(value: Any, change: Any) -> Any:
    """A JSON value with `change` applied to every string in it, keys too."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {change(str(key)): _map_strings(item, change) for key, item in value.items()}
    return [_map_strings(item, change) for item in value] if isinstance(value, list | tuple) else value


def load_llama_folder(folder: Path, *, name: str, read: Reader) -> LlamaPolicy:
    """The LlamaForCausalLM, tokenizer and chat template of a folder that is trusted to be whole, in float32 on the CPU.

    What a user names goes through hf:'s checks first. Only safetensors and JSON are read, and only local files.
    """
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

    module = LlamaForCausalLM.from_pretrained(folder, local_files_only=True, dtype=torch.float32, use_safetensors=True)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)
    return LlamaPolicy(name=name, module=module, tokenizer=tokenizer, read=read, fingerprint=folder_fingerprint(folder, DECIDING_FILES))
