"""What does not fit into an accelerator's memory is asked in halves, and comes back as if it had been asked at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from hartley.attacks.engine.attack import Attack
from hartley.attacks.engine.budget import Linf
from hartley.attacks.engine.carrier import PIXELS
from hartley.attacks.engine.objective import through
from hartley.attacks.engine.optimizer import SignGradient
from hartley.targets.device import Placed
from hartley.targets.halving import halving
from hartley.targets.protocols import Pictures


class Narrow:
    """A model whose memory holds so many inputs."""

    name, fingerprint = "narrow", "0"

    def __init__(self, room: int) -> None:
        self.room, self.asked = room, list[int]()

    def _fit(self, count: int) -> None:
        self.asked.append(count)
        if count > self.room:
            raise torch.OutOfMemoryError("out of memory")

    def embed_image(self, pixels: Tensor) -> Tensor:
        self._fit(len(pixels))
        return pixels.flatten(1) * 2

    def respond(self, conversations: Sequence[str], tools: Sequence[str]) -> list[str]:
        self._fit(len(conversations))
        return [f"{said} with {len(tools)}" for said in conversations]

    def generate(self, prompts: Sequence[str], generator: torch.Generator) -> Pictures:
        self._fit(len(prompts))
        return Pictures(torch.full((len(prompts), 3, 2, 2), 0.5), torch.zeros(len(prompts), dtype=torch.bool))

    def flagged(self, pixels: Tensor) -> Tensor | None:
        self._fit(len(pixels))
        return None

    def token_gradient(self, ids: Tensor, loss: Any) -> Tensor:
        self._fit(len(ids))
        return ids


def test_halves_of_halves_come_back_in_order_with_their_gradients() -> None:
    model, pixels = Narrow(3), torch.rand(10, 3, 2, 2, requires_grad=True)
    found = halving(model.embed_image, pixels)
    assert torch.equal(found, pixels.flatten(1) * 2) and model.asked == [10, 5, 2, 3, 5, 2, 3]
    (gradient,) = torch.autograd.grad(found.sum(), pixels)
    assert torch.equal(gradient, torch.full_like(pixels, 2.0))


def test_what_all_inputs_share_stays_whole() -> None:
    model = Narrow(1)
    assert halving(model.respond, ["a", "b"], ["pay", "buy"]) == ["a with 2", "b with 2"]
    assert halving(model.respond, conversations=["a", "b"], tools=["pay", "buy"]) == ["a with 2", "b with 2"]
    made = halving(model.generate, ["a", "b", "c"], torch.Generator())
    assert made.pixels.shape == (3, 3, 2, 2) and made.flagged is not None and made.flagged.shape == (3,)
    assert halving(model.flagged, torch.zeros(4, 3, 2, 2)) is None


def test_one_input_that_is_too_large_is_said_to_be() -> None:
    with pytest.raises(torch.OutOfMemoryError):
        halving(Narrow(0).embed_image, torch.rand(4, 3, 2, 2))


def test_a_target_on_a_device_halves_by_itself_but_for_what_is_no_batch() -> None:
    model = Narrow(2)
    target = Placed(model, torch.device("cpu"), "bfloat16")
    assert torch.allclose(target.embed_image(torch.ones(5, 3, 2, 2)), torch.full((5, 12), 2.0))
    assert model.asked == [5, 2, 3, 1, 2]
    with pytest.raises(torch.OutOfMemoryError):
        target.token_gradient(torch.arange(4), None)


def test_an_attack_works_on_fewer_inputs_at_a_time_where_its_gradients_do_not_fit() -> None:
    """The gradient needs no draws, so that chunks of any size give the same inputs."""
    clean = torch.rand(10, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    attack = Attack(PIXELS, Linf(0.1, "pixel"), SignGradient(3))

    def loss(embedding: Tensor, rows: Tensor) -> Tensor:
        return embedding.sum(1) * (rows + 1)

    wide, narrow = (attack.craft(through(Narrow(room).embed_image, loss), clean, torch.Generator()) for room in (10, 3))
    assert torch.equal(wide.adversarial, narrow.adversarial) and narrow.passes == wide.passes == 3.0
    assert narrow.losses == pytest.approx(wide.losses)
