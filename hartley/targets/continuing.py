"""Continuing: the likeliest next tokens of several conversations at once, without reading again what was read before."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

KEPT_BYTES = 2**28
"""Keys and values that a `Kept` holds at most; the oldest go first."""
SPARE_STEPS = 4
"""Finished conversations leave the batch when half of it has finished, looked at every so many tokens."""


@dataclass(frozen=True)
class Read:
    """What a model made of a row of tokens: keys and values of every layer, each (heads, tokens, d)."""

    ids: tuple[int, ...]
    layers: tuple[tuple[Tensor, Tensor], ...]

    @property
    def size(self) -> int:
        """In bytes."""
        return sum(part.numel() * part.element_size() for layer in self.layers for part in layer)


class Kept:
    """What was read, for conversations that go on. Start a new one with every run: what it holds bends last digits."""

    def __init__(self) -> None:
        self._rows: OrderedDict[tuple[int, ...], Read] = OrderedDict()
        self._size = 0

    def add(self, read: Read) -> None:
        """Keep a row; the oldest go where there is no room."""
        if read.ids in self._rows:
            return
        self._rows[read.ids] = read
        self._size += read.size
        while self._size > KEPT_BYTES:
            _, oldest = self._rows.popitem(last=False)
            self._size -= oldest.size

    def take(self, ids: Sequence[int]) -> Read | None:
        """The longest row that `ids` go on from, and forget it; None where there is none."""
        row = tuple(ids)
        found = max((kept for kept in self._rows if len(kept) < len(row) and row[: len(kept)] == kept), key=len, default=None)
        if found is None:
            return None
        read = self._rows.pop(found)
        self._size -= read.size
        return read


class Batch:
    """Rows of tokens being continued together; `kept` lends what is known of them and gets back what was read."""

    def __init__(self, module: Any, rows: Sequence[Sequence[int]], pad: int, kept: Kept | None) -> None:
        from hartley.targets.key_value_cache import roomy

        self.module, self.rows, self.kept = module, rows, kept
        known = [None if kept is None else kept.take(row) for row in rows]
        lengths = [0 if read is None else len(read.ids) for read in known]
        news = [list(row[length:]) for row, length in zip(rows, lengths, strict=True)]
        width = max(map(len, news))
        self.places = list(range(len(rows)))
        device = next(module.parameters()).device
        self.ids = torch.tensor([[pad] * (width - len(new)) + new for new in news], device=device)
        fresh = torch.tensor([[0] * (width - len(new)) + [1] * len(new) for new in news], device=device)
        held = [[0] * (max(lengths) - length) + [1] * length for length in lengths]
        past = torch.tensor(held, dtype=torch.long, device=device).view(len(rows), -1)
        self.mask = torch.cat([past, fresh], dim=1)
        self.positions = (self.mask.cumsum(1) - 1).clamp(min=0)[:, past.shape[1] :]
        self.cache: Any = roomy()
        if max(lengths):
            first = next(read for read in known if read is not None)
            for layer in range(len(first.layers)):
                keys, values = (self._padded(known, layer, side, max(lengths)) for side in (0, 1))
                self.cache.update(keys, values, layer)

    @staticmethod
    def _padded(known: Sequence[Read | None], layer: int, side: int, width: int) -> Tensor:
        like = next(read for read in known if read is not None).layers[layer][side]
        heads, _, size = like.shape
        whole = like.new_zeros(len(known), heads, width, size)
        for place, read in enumerate(known):
            if read is not None:
                whole[place, :, width - len(read.ids) :] = read.layers[layer][side]
        return whole

    @torch.no_grad()
    def run(self, ends: frozenset[int], longest: int) -> list[list[int]]:
        """The likeliest next tokens of each row, without the end token."""
        written: list[list[int]] = [[] for _ in self.rows]
        going = set(self.places)
        for step in range(longest):
            out = self.module(
                input_ids=self.ids,
                attention_mask=self.mask,
                position_ids=self.positions,
                past_key_values=self.cache,
                use_cache=True,
                logits_to_keep=1,
            )
            self.ids = out.logits[:, -1].argmax(-1, keepdim=True)
            for place, token in zip(self.places, self.ids[:, 0].tolist(), strict=True):
                if token in ends:
                    going.discard(place)
                elif place in going:
                    written[place].append(token)
            if not going:
                break
            if step % SPARE_STEPS == SPARE_STEPS - 1 and len(going) * 2 <= len(self.places):
                self._leave(going, written)
            self.mask = torch.cat([self.mask, self.mask.new_ones(len(self.places), 1)], dim=1)
            self.positions = self.positions[:, -1:] + 1
        self._leave(set(), written)
        return written

    def _leave(self, staying: set[int], written: Sequence[Sequence[int]]) -> None:
        """Take the rows that are done out of the batch, and keep what was read of them."""
        if self.kept is not None:
            for row, place in enumerate(self.places):
                if place not in staying:
                    self._keep(self.kept, row, (*self.rows[place], *written[place]))
        stay = [row for row, place in enumerate(self.places) if place in staying]
        if stay:
            index = torch.tensor(stay, device=self.ids.device)
            self.cache.batch_select_indices(index)
            self.ids, self.mask, self.positions = self.ids[index], self.mask[index], self.positions[index]
            self.places = [self.places[row] for row in stay]

    def _keep(self, kept: Kept, row: int, ids: tuple[int, ...]) -> None:
        # The mask covers exactly the tokens that the model has read, the row's own first; what came after its end is left out.
        slots = self.mask[row, : self.cache.get_seq_length()].nonzero().flatten()[: len(ids)]
        layers = tuple((layer.keys[row][:, slots].clone(), layer.values[row][:, slots].clone()) for layer in self.cache.layers)
        kept.add(Read(ids[: len(slots)], layers))
