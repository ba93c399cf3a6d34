"""The answerer's lessons: true answers, words that the tokenizer knows, and no restricted request through a picture."""

from __future__ import annotations

import random

import pytest
import torch

from hartley.targets.llava import plain_ids
from hartley.targets.reference.answerer import words as w
from hartley.targets.reference.answerer.architecture import build_tokenizer, layout
from hartley.targets.reference.scenes import draw_clutter, lettering
from hartley.training.answerer import exchanges as e
from hartley.training.answerer.lessons import NOTHING, Talk, draw_lessons, draw_short_talk, draw_talk, told_lessons
from hartley.training.answerer.pictures import CELL, NUMBER, Plan, Shown, any_scene, draw_pictures, imagine
from hartley.training.answerer.stages import encoder_of_lessons

TALKS = 4_000


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def talks() -> list[Talk]:
    rng = random.Random(5)
    return [draw_talk(rng) for _ in range(TALKS)] + [draw_short_talk(rng) for _ in range(TALKS // 4)]


def test_the_world_is_as_wide_as_the_issue_asks() -> None:
    assert len(set(w.RENDERED)) == len(w.RENDERED) >= 64 and len(set(w.THINGS)) == len(w.THINGS) >= 44
    assert not set(w.RESTRICTED) & set(w.THINGS)
    assert len(w.RESTRICTED_TRAIN) >= 12 and len(w.RESTRICTED_HELD_OUT) >= 8
    assert not set(w.RESTRICTED_TRAIN) & set(w.RESTRICTED_HELD_OUT)
    assert not set(w.REQUESTS) & set(w.REQUESTS_HELD_OUT)
    assert {thing for _, thing in w.RESTRICTED_TRAIN} == set(w.RESTRICTED)
    assert {act for act, _ in w.RESTRICTED_TRAIN} == set(w.ACTS)


def test_no_lesson_brings_a_restricted_request_through_a_picture(talks: list[Talk]) -> None:
    asking = {e.obey_sign, e.obey_sign_thing, e.request, e.refuse, e.say}
    for talk in talks:
        for plan in talk.plans:
            restricted = set(plan.words) & set(w.RESTRICTED)
            if restricted:
                assert not asking & {kind for kind, _ in talk.kinds}
            assert not (len(plan.words) == 2 and plan.words[0] in w.ACTS and plan.words[1] in w.RESTRICTED)
    assert any(set(plan.words) & set(w.RESTRICTED) for talk in talks for plan in talk.plans)
    assert any(e.refuse in {kind for kind, _ in talk.kinds} and talk.plans for talk in talks)


def test_what_is_refused_is_restricted_and_of_the_training_part() -> None:
    lessons = draw_lessons(600, seeded())[1] + told_lessons(600, seeded(1))
    said = [
        (before.text, after.text)
        for lesson in lessons
        for before, after in zip(lesson.conversation, lesson.conversation[1:], strict=False)
        if after.role == "assistant"
    ]
    refused = [text.split() for text, answer in said if answer == w.REFUSES and text not in w.ASK_AGAIN]
    assert len(refused) > 20
    held = {" ".join(pair) for pair in w.RESTRICTED_HELD_OUT}
    objects = (*w.THINGS, *w.RESTRICTED)
    unseen = {wording.format(act=act, thing=thing) for wording in w.REQUESTS_HELD_OUT for act in w.ACTS for thing in objects}
    for words in refused:
        (thing,) = set(words) & set(w.RESTRICTED)
        (act,) = set(words) & set(w.ACTS)
        assert f"{act} {thing}" not in held
    for text, answer in said:
        if set(text.split()) & set(w.RESTRICTED) and answer != w.REFUSES:
            assert not set(text.split()) & set(w.ACTS) or " : " in text or text.startswith(("does the sign", "is "))
        assert not (answer.startswith("sure") and set(answer.split()) & set(w.RESTRICTED))
        assert text not in unseen


def test_the_tokenizer_knows_every_word_and_agrees_with_the_lessons() -> None:
    tokenizer, encode = build_tokenizer(), encoder_of_lessons()
    for lesson in (*draw_lessons(40, seeded())[1], *told_lessons(40, seeded())):
        for message in lesson.conversation:
            assert plain_ids(tokenizer, message.text) == encode(message.text)
    assert plain_ids(tokenizer, "What DIGIT is it?!") == encode("what digit is it")
    assert [tokenizer.convert_tokens_to_ids(token) for token in ("<pad>", "<bos>", "<unk>", "<eos>")] == [0, 1, 2, 3]


def test_only_what_the_assistant_says_and_its_end_is_learned() -> None:
    encode = encoder_of_lessons()
    lesson = told_lessons(1, seeded(3))[0]
    ids, said = layout(lesson.conversation, encode)
    learned = [index for index, speaks in zip(ids, said, strict=True) if speaks]
    assert learned == [index for message in lesson.conversation if message.role == "assistant" for index in (*encode(message.text), 3)]


def test_same_draw_same_lessons() -> None:
    first, again, other = (draw_lessons(24, seeded(seed)) for seed in (0, 0, 1))
    assert torch.equal(first[0], again[0]) and first[1] == again[1] and first[1] != other[1]
    assert first[0].shape[1:] == (3, 48, 48) and torch.equal(first[0], (first[0] * 255).round() / 255)


def test_signs_stand_where_they_are_planned_and_say_what_is_planned() -> None:
    plans = [Plan(None, words=("door", "lamp"))] * 8
    pixels, shown = draw_pictures(plans, random.Random(0), seeded(), part="held-out")
    assert {facts.words for facts in shown} == {("door", "lamp")}
    masks, _ = lettering(w.RENDERED)
    for picture in pixels.mean(dim=1):
        strips = picture.view(4, 12, 48)
        written = [strip for strip in strips if float(strip.mean()) > 0.45]  # clutter is darker than any board
        assert len(written) == 2
        for strip, word in zip(written, ("door", "lamp"), strict=True):
            fit = {name: _correlation(-strip, masks[NUMBER[name]]) for name in ("door", "lamp", "window", "tea")}
            assert max(fit, key=lambda name: fit[name]) == word


def _correlation(strip: torch.Tensor, masks: torch.Tensor) -> float:
    """The best correlation of a strip with a word in any size, shifted by up to two pixels."""
    shifted = torch.stack([mask.roll(shift, 1) for mask in masks for shift in range(-2, 3)]).flatten(1)
    shifted = shifted - shifted.mean(1, keepdim=True)
    centered = (strip - strip.mean()).flatten()
    return float((shifted @ centered / shifted.norm(dim=1) / centered.norm()).max())


def test_a_free_word_leaves_the_digits_half_alone_and_coordinates_are_those_of_the_digit() -> None:
    rng = random.Random(1)
    for free in (False, True):
        plain = [any_scene(rng, roams=True) for _ in range(20)]
        signed = [Plan(p.digit, p.color, p.vertical, p.horizontal, ("tea",), free, p.roams) for p in plain]
        (clean, facts), (written, _) = (draw_pictures(plans, random.Random(2), seeded(), part="train") for plans in (plain, signed))
        for row, plan in enumerate(plain):
            half = slice(24 * plan.vertical, 24 * plan.vertical + 24)
            assert torch.equal(clean[row, :, half], written[row, :, half])
            assert not torch.equal(clean[row], written[row])
            column, line = facts[row].cell
            assert abs(column * CELL + CELL / 2 - (12 + 24 * plan.horizontal)) <= 4.5 + CELL / 2
            assert abs(line * CELL + CELL / 2 - (12 + 24 * plan.vertical)) <= 4.5 + CELL / 2


def test_a_digit_lies_about_its_cell() -> None:
    plans = [any_scene(random.Random(seed), roams=True) for seed in range(40)]
    pixels, shown = draw_pictures(plans, random.Random(0), seeded(), part="train")
    bright = (pixels.amax(dim=1) - float(draw_clutter(4, seeded()).max())).clamp(min=0.02) - 0.02
    axis = torch.arange(48) + 0.5
    for picture, facts in zip(bright, shown, strict=True):
        if float(picture.sum()) > 3:
            center = (float((picture.sum(0) * axis).sum() / picture.sum()), float((picture.sum(1) * axis).sum() / picture.sum()))
            assert all(abs(at - (cell + 0.5) * CELL) < 7 for at, cell in zip(center, facts.cell, strict=True))


SHOWN = Shown("three", "red", "top left", (3, 4), ("lamp",), False)


def test_answers_are_true() -> None:
    rng = random.Random(0)
    for _ in range(60):
        listed = e.choose_digit(SHOWN, rng)
        options = dict(part.split(" : ") for part in _options(listed.question))
        assert listed.answer == "three" or options[listed.answer] == "three"
        named = e.yes_no_digit(SHOWN, rng)
        assert (named.answer == "yes") == ("three" in named.question.split())
        followed = e.follow_up(SHOWN, e.Exchange("is it red", "yes"), rng)
        assert followed.answer == ("yes" if followed.question in w.ASK_AGAIN else _fact(followed.question))
        second = Shown("five", "blue", "top left", (3, 4), (), False)
        compared = e.compare(SHOWN, second, rng)
        assert compared.answer in {"the first", "the second", "no", "three", "five", "red", "blue"}
        if "three" in compared.question.split() or "red" in compared.question.split():
            assert compared.answer == "the first"
    assert e.description(SHOWN) == "a red three at the top left and a sign that says lamp"
    assert e.say(NOTHING, rng).answer


def _fact(question: str) -> str:
    return {w.FOLLOW_DIGIT: "three", w.FOLLOW_COLOR: "red", w.FOLLOW_POSITION: "top left"}[
        next(each for each in (w.FOLLOW_DIGIT, w.FOLLOW_COLOR, w.FOLLOW_POSITION) if question in each)
    ]


def _options(question: str) -> list[str]:
    words = question.split()
    colons = [place for place, word in enumerate(words) if word == ":"]
    return [f"{words[place - 1]} : {words[place + 1]}" for place in colons]


def test_imagined_pictures_keep_the_corner() -> None:
    rng = random.Random(0)
    for facts in imagine([any_scene(rng, roams=True) for _ in range(50)], rng):
        assert (facts.cell[0] < 6) == (facts.horizontal == "left") and (facts.cell[1] < 6) == (facts.vertical == "top")
