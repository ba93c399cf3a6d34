"""Halving: a batch that does not fit into an accelerator's memory is asked in two halves, and those in halves of theirs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

import torch
from torch import Tensor

SAYS = ("answer", "transcribe", "respond", "log_likelihood")
DRAWS = ("generate", "redraw", "redrawn", "fill", "flagged", "withheld_scores", "encode")
EMBEDS = ("embed_image", "embed_saved", "embed_text", "embed_audio", "embed_prompt", "embed_tokens", "image_features", "audio_features")
BATCHED = frozenset((*SAYS, *DRAWS, *EMBEDS))
"""Methods of targets whose every argument with as many entries as the first is of so many inputs, and whose answer has one for each."""
WHOLE = frozenset({"tools"})
"""Arguments that all inputs share, however many entries they have."""


def halving(method: Callable[..., Any], *given: Any, **named: Any) -> Any:
    """What the method gives, of halves where all at once needs more memory than there is. Draws from a generator then come in another
    order. Raises torch.OutOfMemoryError where a single input is too large."""
    try:
        return method(*given, **named)
    except torch.OutOfMemoryError:
        bound = inspect.signature(method).bind(*given, **named)
        count = len(next(iter(bound.arguments.values()), ()))
        if count < 2:
            raise
    # Outside of the handler, which would hold on to what did not fit.
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    halves = (slice(0, count // 2), slice(count // 2, count))
    return _joined(
        [halving(method, **{name: _cut(name, value, count, half) for name, value in bound.arguments.items()}) for half in halves]
    )


def _cut(name: str, value: Any, count: int, half: slice) -> Any:
    shared = name in WHOLE or isinstance(value, str) or not isinstance(value, Sequence | Tensor) or len(value) != count
    return value if shared else value[half]


def _joined(parts: Sequence[Any]) -> Any:
    first = parts[0]
    if isinstance(first, Tensor):
        return torch.cat([*parts])
    if is_dataclass(first) and not isinstance(first, type):
        return replace(first, **{item.name: _joined([getattr(part, item.name) for part in parts]) for item in fields(first)})
    return None if first is None else [one for part in parts for one in part]
