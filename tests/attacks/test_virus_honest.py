"""Viruses: the border that an attack ends with, on an answerer whose slopes are known step by step."""

from __future__ import annotations

import pytest
import torch

from hartley.attacks.interaction import virus
from hartley.attacks.interaction.virus import Aim, craft, framed
from hartley.targets.conversation import Message

SIZE = 16


class Sloping:
    """Minus its log likelihood falls with each channel of a picture by the slopes of the step that it is asked in."""

    image_size = None

    def __init__(self, *slopes):
        self.left = iter(slopes)

    def log_likelihood(self, talks, wanted, pictures):
        slopes = torch.tensor(next(self.left)).view(1, 1, 3, 1, 1)
        return -(pictures * slopes).flatten(1).sum(1)


class Blind:
    image_size = None

    def embed_image(self, pixels):
        return torch.zeros(len(pixels), 2)


def crafted(*slopes):
    aim = Aim(2, lambda number: ((Message("user", "what is it ?"),), "x"), torch.zeros(1, 2))
    bases = torch.full((2, 3, SIZE, SIZE), 0.5)
    answerer = Sloping(*slopes)
    return craft(answerer, Blind(), aim, bases, steps=len(slopes), rows=3, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("momentum", "first"), [(None, 0.0), (0.0, 0.625)])
def test_momentum_carries_a_border_over_a_step_back(momentum, first, monkeypatch):
    """Two steps of 1.25 and 0.625 by the sign, in a range of 1. Slopes (1.5, 0.5, 1), then -1 in all: the first step ends at 0, the
    second goes back by 0.625 where nothing is remembered, and in the first channel it does not where two thirds or more are."""
    monkeypatch.setattr(virus, "SWEEPS", 1.25)
    if momentum is not None:
        monkeypatch.setattr(virus, "MOMENTUM", momentum)
    assert crafted((0.0, 0.0, 0.0)).zero == 1.0
    found = crafted((1.5, 0.5, 1.0), (-1.0, -1.0, -1.0))
    corner = found.borders[:, :, 0, 0]
    assert corner.tolist() == [pytest.approx([first, 0.625, 0.625], abs=0.003)] * 2
    assert found.zero == 0.0 and len(found.losses) == 2


def test_the_adversary_s_border_is_all_that_changes_in_a_picture():
    pictures, borders = torch.full((1, 3, SIZE, SIZE), 0.5), torch.ones(1, 3, SIZE, SIZE)
    shown = framed(pictures, borders)
    assert (shown[..., virus.BORDER : -virus.BORDER, virus.BORDER : -virus.BORDER] == 0.5).all()
    assert int((shown[0, 0] == 1).sum()) == SIZE**2 - (SIZE - 2 * virus.BORDER) ** 2
