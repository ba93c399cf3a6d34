"""Inside a target that is at hand (capability "hidden"): states and attention of its layers by name, and gradients by token."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from hartley.errors import InputError
from hartley.targets.device import modules

ATTENTION = "/attention"
NO_TOKENS = ("position", "token_type")
"""In the names of tables that hold no tokens."""


def layers(target: Any) -> dict[str, nn.Module]:
    """Every part of a target's models by its name, as transformers and diffusers call it; where it holds several models, behind the place
    of its own ("1.encoder.layers.0")."""
    held = modules(target)
    return {
        name if len(held) == 1 else f"{place}.{name}": part
        for place, module in enumerate(held)
        for name, part in module.named_modules()
        if name
    }


@contextmanager
def hidden(target: Any, *names: str) -> Iterator[dict[str, list[Tensor]]]:
    """While it is open, what the layers of these names give, a tensor a pass, with gradients. Of a layer of attention that also gives its
    weights (transformers computes them with `attn_implementation="eager"` alone) these stand under NAME/attention.

    Raises InputError for a name that there is not.
    """
    known, found = layers(target), dict[str, list[Tensor]]()
    if missing := [name for name in names if name not in known]:
        near = [name for name in known if name.rpartition(".")[2] == missing[0].rpartition(".")[2]] or [*known]
        raise InputError(f"layer {missing[0]!r}: there is none; {len(known)} there are, for example {', '.join(near[:3])}")

    def watch(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def keep(_module: nn.Module, _given: Any, given_out: Any) -> None:
            states, *more = given_out if isinstance(given_out, tuple) else (given_out,)
            found.setdefault(name, []).append(states)
            if more and isinstance(more[0], Tensor) and more[0].dim() == 4:
                found.setdefault(name + ATTENTION, []).append(more[0])

        return keep

    with ExitStack() as open_hooks:
        for name in names:
            open_hooks.callback(known[name].register_forward_hook(watch(name)).remove)
        yield found


def token_gradient(target: Any, ids: Tensor, loss: Callable[[], Tensor]) -> Tensor:
    """(length, tokens): how a loss would change, to first order, with each token in place of each of `ids` (length,), wherever these stand
    in a row in what the target reads while `loss()` is computed.

    What a token search (greedy coordinate gradient) goes by, for policies, embedders and text towers alike: `loss` asks the target in its
    usual way. Raises ValueError where it never reads them, or gives no gradient.
    """
    parts = layers(target).items()
    tables = [part for name, part in parts if isinstance(part, nn.Embedding) and not any(other in name for other in NO_TOKENS)]
    read: list[tuple[Tensor, Tensor, Tensor]] = []

    def watch(module: nn.Module, given: Any, found: Tensor) -> Tensor:
        point = found.detach().requires_grad_(True)
        weight = module.weight
        assert isinstance(weight, Tensor)
        read.append((given[0], point, weight))
        return point

    with ExitStack() as open_hooks, torch.enable_grad():
        for table in tables:
            open_hooks.callback(table.register_forward_hook(watch).remove)
        value = loss().sum()
    if not value.requires_grad:
        raise ValueError("the loss has no gradient in what the target reads")
    slopes = torch.autograd.grad(value, [point for _, point, _ in read], allow_unused=True)
    wanted, gradient = ids.cpu(), None
    for (rows, _, weights), slope in zip(read, slopes, strict=True):
        if slope is None or rows.dim() != 2 or rows.shape[1] < len(wanted) or int(wanted.max()) >= len(weights):
            continue
        places = (rows.cpu().unfold(1, len(wanted), 1) == wanted).all(dim=2).nonzero()
        for row, start in places.tolist():
            part = slope[row, start : start + len(wanted)] @ weights.T
            gradient = part if gradient is None else gradient + part
    if gradient is None:
        raise ValueError("the target never read these tokens in a row")
    return gradient.cpu().float()
