"""A cache of keys and values with room to grow: a new token is written behind the others, without copying them."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer

ROOM = 32
"""Tokens that new memory has room for, beyond those that it is made for."""


class RoomyLayer(DynamicLayer):
    """transformers' growing layer, whose keys and values (rows, heads, tokens, d) are views of memory with spare tokens."""

    _memory: tuple[Tensor, Tensor] | None = None

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        before = self.get_seq_length()
        after = before + key_states.shape[-2]
        if self._memory is None or after > self._memory[0].shape[-2]:
            held: Any = (self.keys, self.values)
            self._memory = self._made(key_states, after), self._made(value_states, after)
            if before:
                for memory, old in zip(self._memory, held, strict=True):
                    memory[..., :before, :] = old
        for memory, new in zip(self._memory, (key_states, value_states), strict=True):
            memory[..., before:after, :] = new
        self.keys, self.values = (memory[..., :after, :] for memory in self._memory)
        return self.keys, self.values

    def batch_select_indices(self, indices: Tensor) -> None:
        """Only these rows stay. They are copies, so the memory is given up."""
        super().batch_select_indices(indices)
        self._memory = None

    @staticmethod
    def _made(like: Tensor, tokens: int) -> Tensor:
        return like.new_empty(*like.shape[:2], tokens + ROOM, like.shape[-1])


def roomy() -> Cache:
    """An empty cache; layers come as they are written to."""
    return Cache(layer_class_to_replicate=RoomyLayer)
