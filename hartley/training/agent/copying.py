"""The agent's first lesson: words in any order, and then pieces of them said again. It teaches to copy, and nothing else."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional as F

from hartley.training.agent.architecture import SPECIAL_TOKENS, USER
from hartley.training.loop import Loss

SHORTEST, LONGEST = 8, 48
PIECES, PIECE = 3, 10


def copying_loss(llama: Any, batch: int) -> Loss:
    """The mean loss of what follows the second word of each piece: from there on the words before decide it.

    A text of 8 to 48 words, some of them more than once, is followed by three pieces of it, of 2 to 10 words each.
    """
    first, count = len(SPECIAL_TOKENS), llama.config.vocab_size
    mark = SPECIAL_TOKENS.index(USER)

    def loss(_: int, generator: torch.Generator) -> torch.Tensor:
        length = _between(SHORTEST, LONGEST, generator)
        different = _between(max(4, length // 3), length, generator)
        pool = torch.stack([first + torch.randperm(count - first, generator=generator)[:different] for _ in range(batch)])
        text = pool.gather(1, torch.randint(different, (batch, length), generator=generator))
        parts, taught = [text], [torch.zeros(batch, length, dtype=torch.bool)]
        for _ in range(PIECES):
            size = min(_between(2, PIECE, generator), length)
            start = torch.randint(length - size + 1, (batch, 1), generator=generator)
            parts += [torch.full((batch, 1), mark), text.gather(1, start + torch.arange(size))]
            taught.append((torch.arange(size + 1) >= 2).expand(batch, -1))
        ids, learned = torch.cat(parts, dim=1), torch.cat(taught, dim=1)[:, 1:]
        hidden = llama.model(input_ids=ids, use_cache=False).last_hidden_state[:, :-1][learned]
        return F.cross_entropy(llama.lm_head(hidden), ids[:, 1:][learned])

    return loss


def _between(low: int, high: int, generator: torch.Generator) -> int:
    """A whole number from low to high, both included."""
    return int(torch.randint(low, high + 1, (1,), generator=generator))
