"""Attacks on models that answer in words, and search over tokens: optimizers against slow twins, channels whose right answer is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from hartley.attacks.engine.asked import Asking, Subject, questions
from hartley.attacks.engine.attack import Attack
from hartley.attacks.engine.budget import Linf
from hartley.attacks.engine.carrier import PIXELS
from hartley.attacks.engine.optimizer import Apgd, Noise, SignGradient, checkpoints
from hartley.attacks.engine.tokens import TokenSearch
from hartley.case import Case
from hartley.channel import measure
from hartley.data.pairs import Pairs
from hartley.defenses.model.jpeg import Jpeg
from hartley.effort import Effort
from hartley.targets.conversation import Conversation
from hartley.targets.reference.questions import ReferenceQuestions

TINY = Effort("tiny", trials=12, steps=4, poison_pairs=1, members=1, epochs=1)
NAMES = ("cat", "dog")


def test_the_steps_at_which_auto_pgd_looks_back_are_the_published_ones() -> None:
    assert [*checkpoints(100)] == [22, 41, 57, 70, 80, 87, 93, 99]
    assert checkpoints(100)[41] == 22
    assert all(mark < 5 for mark in checkpoints(5))


def rugged(values: Tensor, rows: Tensor) -> Tensor:
    """A loss with slopes of every size, of which no two rows are alike."""
    flat = values.flatten(1)
    places = torch.arange(flat.shape[1], dtype=flat.dtype)
    return (torch.sin(7 * flat + places) + (flat - 0.3 - 0.1 * rows[:, None]).abs()).sum(1)


def slow_apgd(clean: Tensor, row: int, epsilon: float, steps: int, start: Tensor) -> Tensor:
    """Algorithm 1 of Croce and Hein (2020) for one input, line by line."""

    def at(point: Tensor) -> tuple[float, Tensor]:
        held = point.clone().requires_grad_(True)
        loss = rugged(held[None], torch.tensor([row]))[0]
        (gradient,) = torch.autograd.grad(loss, held)
        return float(loss.detach()), gradient

    def inside(point: Tensor) -> Tensor:
        return (clean + (point - clean).clamp(-epsilon, epsilon)).clamp(0, 1)

    marks, eta = checkpoints(steps), 2 * epsilon
    now = before = inside(clean + start)
    loss, gradient = at(now)
    best, lowest, slope = now, loss, gradient
    fell, eta_fell, at_mark = 0, True, lowest
    for step in range(1, steps):
        ahead = inside(now - eta * gradient.sign())
        share = 1.0 if step == 1 else 0.75
        now, before = inside(now + share * (ahead - now) + (1 - share) * (now - before)), now
        last = loss
        loss, gradient = at(now)
        fell += loss < last
        if loss < lowest:
            best, lowest, slope = now, loss, gradient
        if step in marks:
            stuck = fell < 0.75 * (step - marks[step]) or (not eta_fell and at_mark <= lowest)
            eta_fell, at_mark, fell = stuck, lowest, 0
            if stuck:
                eta, now, gradient, loss = eta / 2, best, slope, lowest
    return best


def test_auto_pgd_is_its_slow_twin() -> None:
    clean = torch.rand(6, 3, 4, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64).float()
    start = (torch.rand(clean.shape, generator=torch.Generator().manual_seed(2)) * 2 - 1) * 0.1
    attack = Attack(PIXELS, Linf(0.1, "pixel"), Apgd(30))
    found = attack.craft(rugged, clean, torch.Generator().manual_seed(2))
    twin = torch.stack([slow_apgd(one, row, 0.1, 30, start[row]) for row, one in enumerate(clean)])
    assert torch.allclose(found.adversarial, PIXELS.deliver(twin), atol=1e-6)
    assert [*found.losses] == sorted(found.losses, reverse=True)
    assert found.passes == 30.0


def test_random_signs_have_the_whole_size_and_ask_for_nothing() -> None:
    def never(values: Tensor, rows: Tensor) -> Tensor:
        raise AssertionError("nobody may be asked")

    clean = torch.full((5, 3, 8, 8), 0.5)
    found = Attack(PIXELS, Linf(4 / 255, "pixel"), Noise()).craft(never, clean, torch.Generator().manual_seed(0))
    moved = ((found.adversarial - PIXELS.deliver(clean)).abs() * 255).round()
    assert set(moved.unique().tolist()) <= {3.0, 4.0, 5.0}
    assert 0.4 < float((found.adversarial > clean).float().mean()) < 0.6


def test_token_search_finds_what_is_wanted_word_by_word_and_never_tries_what_is_banned() -> None:
    generator = torch.Generator().manual_seed(0)
    worth = torch.rand(6, 40, generator=generator)
    allowed = torch.ones(40, dtype=torch.bool)
    allowed[worth.argmin(dim=1)] = False
    tried = []

    def loss(ids: Tensor) -> Tensor:
        tried.append(ids)
        return worth[torch.arange(6), ids].sum(1)

    search = TokenSearch(steps=60, batch=32, top=4)
    best, losses = search.run(torch.zeros(6, dtype=torch.long) + int(allowed.nonzero()[0]), allowed, loss, lambda ids: worth, generator)
    assert best.tolist() == worth.masked_fill(~allowed, 9).argmin(dim=1).tolist()
    assert all(bool(allowed[ids].all()) for ids in tried)
    assert [*losses] == sorted(losses, reverse=True)
    with pytest.raises(ValueError, match="no token is allowed"):
        search.run(best, torch.zeros(40, dtype=torch.bool), loss, lambda ids: worth, generator)


class Bright:
    """An answerer that says "dog" of bright pictures and "cat" of dark ones."""

    name, fingerprint, capabilities, image_size = "bright", "0", frozenset({"grad", "logprob", "text"}), (8, 8)

    def answer(self, conversations: Sequence[Conversation], pixels: Tensor | None = None, *, longest: int = 48) -> list[str]:
        assert pixels is not None
        said = ["It is a dog." if one > 0.5 else "It is a cat." for one in pixels[:, 0].flatten(1).mean(1).tolist()]
        return [
            " ".join([text] * len([turn for turn in talk if turn.role == "user"])) for text, talk in zip(said, conversations, strict=True)
        ]

    def log_likelihood(self, conversations: Sequence[Conversation], answers: Sequence[str], pixels: Tensor | None = None) -> Tensor:
        assert pixels is not None
        logit = 40 * (pixels[:, 0].flatten(1).mean(1) - 0.5)
        sign = torch.tensor([1.0 if "dog" in answer else -1.0 for answer in answers])
        return torch.nn.functional.logsigmoid(sign * logit)

    def image_features(self, pixels: Tensor) -> Tensor:
        return pixels.flatten(2)


@pytest.fixture
def pairs() -> Pairs:
    """Twelve gray pictures, half a little darker than the middle."""
    drawn = ReferenceQuestions().draw(12, torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 1] * 6)
    images = torch.where(labels[:, None, None, None] == 1, 0.51, 0.49).expand(12, 3, 8, 8).clone()
    half = torch.full((2,), 0.5, dtype=torch.float64)
    return replace(drawn, images=images, labels=labels, label_names=NAMES, label_prior=half, questions=("what is it",) * 12)


def made(pairs: Pairs, defense: Any = None) -> tuple[Case[Any, Any], Asking]:
    target: Any = Bright()
    case = Case(effort=TINY, stream="0" * 64, target=target, data=ReferenceQuestions(), defense=defense, members={"answerer": target})
    return case, Asking(case, Subject(target, "answerer"), pairs, questions(pairs), pairs.images)


def within(size: float, optimizer: Any = None) -> Attack:
    return Attack(PIXELS, Linf(size, "pixel"), optimizer or SignGradient(6))


def test_an_untargeted_attack_turns_every_answer_and_a_smaller_one_none(pairs: Pairs) -> None:
    case, asking = made(pairs)
    right = [NAMES[label] for label in pairs.labels.tolist()]
    for size, share in ((0.05, 1.0), (0.004, 0.0)):
        (table,) = measure(case, asking.channel(f"{size}", within(size), asking.against(right)))
        assert table.kind == "jam" and table.arms == ("clean", "attacked")
        assert table.of("clean").success.mean() == 0.0 and table.of("attacked").success.mean() == share
        assert np.array_equal(table.of("clean").outcome, pairs.labels.numpy())
    assert case.exhibits[0].outcome_clean == "It is a cat." and case.exhibits[0].outcome_attacked == "It is a dog."
    assert case.exhibits[0].text_clean == "what is it" and case.exhibits[0].image_attacked is not None


def test_a_target_that_is_there_anyway_counts_for_nothing(pairs: Pairs) -> None:
    case, asking = made(pairs)
    targets = torch.tensor([0, 0, 1, 1] * 3)
    other = [NAMES[target] for target in targets.tolist()]
    (table,) = measure(case, asking.channel("write", within(0.05), asking.toward(other), NAMES, targets))
    same = targets.numpy() == pairs.labels.numpy()
    assert (table.of("attacked").success[same] == -1).all() and (table.of("attacked").success[~same] == 1).all()
    assert (table.of("clean").success[~same] == 0).all()


def test_of_two_turns_the_first_is_the_outcome_and_each_its_own_effect(pairs: Pairs) -> None:
    """The model says "dog" of bright pictures once a turn, so that the next answer holds two words where the first holds one."""
    case, asking = made(pairs)
    asked: list[Conversation] = []

    class Listening(Bright):
        def answer(self, conversations: Sequence[Conversation], pixels: Tensor | None = None, *, longest: int = 48) -> list[str]:
            asked.extend(conversations)
            said = super().answer(conversations, pixels)
            return [one if len(talk) == 1 else "say red lamp" for one, talk in zip(said, conversations, strict=True)]

    asking = replace(asking, subject=Subject(Listening(), "answerer"))
    phrases, targets = ("It is a dog.", "red lamp"), torch.tensor([0, 1] * 6)
    first, later = measure(case, *asking.two_turns("picture", within(0.05), phrases, targets, ("and then", "and now"), both=True))
    assert first.effect_alphabet == ("It is a dog.", "red lamp", "several", "other") == later.effect_alphabet
    assert np.array_equal(first.outcome, later.outcome) and first.effect is not None and later.effect is not None
    assert later.effect.tolist() == [1] * 24 and later.of("attacked").success.tolist() == [0, 1] * 6
    assert first.of("attacked").effect.tolist()[::2] == [0] * 6
    last = [talk for talk in asked if len(talk) == 3]
    assert {talk[-1].text for talk in last} == {"and now"}, "the wording that the attack was not made with"
    assert {talk[1].text for talk in last} <= {"It is a cat.", "It is a dog."}, "behind the model's own first answer"
    assert len(asked) == 4 * 12, "two turns in two arms: the channels share their answers"


def test_behind_a_defense_every_arm_is_asked_through_it(pairs: Pairs) -> None:
    case, asking = made(pairs, Jpeg())
    right = [NAMES[label] for label in pairs.labels.tolist()]
    (table,) = measure(case, asking.channel("x", within(0.05), asking.against(right)))
    assert table.arms == ("clean", "attacked", "defended", "defended_attacked", "defended_adaptive")
    assert table.of("defended_adaptive").success.mean() == 1.0


def test_pictures_beside_stand_behind_the_perturbed_one(pairs: Pairs) -> None:
    shown: list[Tensor] = []

    class Two(Bright):
        def answer(self, conversations: Sequence[Conversation], pixels: Tensor | None = None, *, longest: int = 48) -> list[str]:
            assert pixels is not None
            shown.append(pixels)
            return super().answer(conversations, pixels)

    beside = torch.rand(12, 3, 8, 8, generator=torch.Generator().manual_seed(3))
    Subject(Two(), "answerer", beside).answer(questions(pairs), pairs.images)
    assert torch.equal(shown[0][:, 0], pairs.images) and torch.equal(shown[0][:, 1], beside)
