"""Likelihood: how probable a server finds a given answer.

OpenAI's API does not tell. vLLM does, through its own field prompt_logprobs: a list with one entry a token of the prompt, the
first None, each of the others {token id: {"logprob": ...}}, the prompt's own token first. Asked for the conversation alone and
for the conversation with the answer in it, what the second list has more than the first is the answer and its end.
Source: vllm/entrypoints/openai/chat_completion/protocol.py, version 0.15. Our own server knows the same fields.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from hartley.targets.conversation import Json
from hartley.targets.endpoint.outcomes import NotMeasured, Reason

FIELD = "prompt_logprobs"

Request = tuple[list[dict[str, Json]], dict[str, Json]]


def requests_for(messages: list[dict[str, Json]], answer: str) -> tuple[Request, Request]:
    """The two requests: (messages, further fields), without and with the answer."""
    said: list[dict[str, Json]] = [*messages, {"role": "assistant", "content": answer}]
    return (messages, {"extra_body": {FIELD: 0}}), (said, {"extra_body": {FIELD: 0, "add_generation_prompt": False}})


def answer_logarithm(without: Mapping[str, Json], whole: Mapping[str, Json]) -> float:
    """The natural logarithm of the answer's probability. Raises NotMeasured where the server does not tell, or not clearly."""
    before, after = _tokens(without), _tokens(whole)
    if [token for token, _ in after[: len(before)]] != [token for token, _ in before] or len(after) <= len(before):
        raise NotMeasured(Reason.SCHEMA, "the conversation with the answer does not begin as the one without it")
    total = sum(logarithm for _, logarithm in after[len(before) :])
    if not math.isfinite(total):
        raise NotMeasured(Reason.NOT_FINITE, "the answer's logarithm is too large for a float")
    return total


def _tokens(body: Mapping[str, Json]) -> list[tuple[str, float]]:
    """The prompt's tokens with the logarithm of each one's probability; of the first, 0."""
    entries = body.get(FIELD)
    if not isinstance(entries, list) or not entries:
        raise NotMeasured(Reason.SCHEMA, "the server does not score given answers")
    return [_token(entry) for entry in entries]


def _token(entry: Any) -> tuple[str, float]:
    if entry is None:
        return "", 0.0
    token = next(iter(entry), None) if isinstance(entry, dict) else None
    scored = entry[token] if token is not None else None
    logarithm = scored.get("logprob") if isinstance(scored, dict) else None
    if isinstance(logarithm, bool) or not isinstance(logarithm, int | float):
        raise NotMeasured(Reason.SCHEMA, "the server's scores have another form")
    try:
        return token or "", float(logarithm)
    except OverflowError:
        raise NotMeasured(Reason.NOT_FINITE, "a score is too large for a float") from None
