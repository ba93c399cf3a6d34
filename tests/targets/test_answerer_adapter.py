"""The adapter of LLaVA: batches, padding, gradients, likelihoods, several pictures, and words that stay words."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch

from hartley.targets.conversation import Conversation, Message, ask
from hartley.targets.llava import LlavaAnswerer, plain_ids
from hartley.targets.protocols import Answerer
from hartley.targets.reference.answerer.architecture import END_ID, IMAGE_ID, build_llava, build_tokenizer, renderer
from hartley.targets.reference.answerer.folder import assemble
from hartley.targets.reference.saving import initialize


@pytest.fixture(scope="module")
def untrained() -> LlavaAnswerer:
    """A random answerer with two small layers: its answers are nonsense, and as decided as anybody's."""
    from transformers import CLIPVisionConfig

    vision = CLIPVisionConfig(
        hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=2, image_size=48, patch_size=12, projection_dim=16
    )
    tokenizer = build_tokenizer()
    model = build_llava(vision, len(tokenizer), width=32, layers=2)
    initialize(model, torch.Generator().manual_seed(0))
    model.tie_weights()
    return assemble(model, tokenizer, name="untrained", fingerprint="none")


CONVERSATIONS: tuple[Conversation, ...] = (
    ask("what digit is it"),
    (Message("system", "be short"), Message("user", "read the sign please", pictures=1)),
    (Message("user", "where is it", pictures=1), Message("assistant", "top left"), Message("user", "and its color")),
)


def pictures(count: int, each: int = 1) -> torch.Tensor:
    return torch.rand(count, each, 3, 48, 48, generator=torch.Generator().manual_seed(1))


def slow_log_likelihood(target: LlavaAnswerer, conversation: Conversation, answer: str, pixels: torch.Tensor) -> float:
    """Token by token, from transformers' own forward pass over the whole sequence, without padding or cache."""
    model: Any = target.model
    ids = [copy for index in target.render(conversation) for copy in ([index] * (17 if index == IMAGE_ID else 1))]
    total = 0.0
    for wanted in (*plain_ids(target.tokenizer, answer), END_ID):
        logits = model(input_ids=torch.tensor([ids]), pixel_values=target.preprocess(pixels)).logits[0, -1]
        total += float(logits.double().log_softmax(0)[wanted])
        ids.append(wanted)
    return total


def test_it_is_an_answerer_with_frozen_weights(untrained: LlavaAnswerer) -> None:
    assert isinstance(untrained, Answerer)
    assert untrained.capabilities == {"grad", "hidden", "logprob", "text"} and untrained.image_size == (48, 48)
    assert not untrained.model.training and not any(p.requires_grad for p in untrained.model.parameters())


def test_a_batch_answers_as_each_alone(untrained: LlavaAnswerer) -> None:
    pixels = pictures(3)
    together = untrained.answer(CONVERSATIONS, pixels, longest=9)
    alone = [untrained.answer([one], pixels[row : row + 1], longest=9)[0] for row, one in enumerate(CONVERSATIONS)]
    assert together == alone and all(together)
    assert untrained.answer([], None) == []


def test_answers_are_greedy_and_as_long_as_allowed(untrained: LlavaAnswerer) -> None:
    pixels = pictures(1)
    said = untrained.answer(CONVERSATIONS[:1], pixels, longest=4)[0]
    assert len(plain_ids(untrained.tokenizer, said)) <= 4
    ids = [copy for index in untrained.render(CONVERSATIONS[0]) for copy in ([index] * (17 if index == IMAGE_ID else 1))]
    for _ in range(4):
        logits = untrained.model(input_ids=torch.tensor([ids]), pixel_values=untrained.preprocess(pixels[0])).logits[0, -1]
        ids.append(int(logits.argmax()))
    assert said == untrained.tokenizer.decode(ids[-4:], skip_special_tokens=True)


def test_log_likelihood_is_the_sum_over_tokens_and_the_end(untrained: LlavaAnswerer) -> None:
    pixels, answers = pictures(3), ["three", "", "the digit is a red three"]
    found = untrained.log_likelihood(CONVERSATIONS, answers, pixels)
    slow = [
        slow_log_likelihood(untrained, one, text, pixels[row]) for row, (one, text) in enumerate(zip(CONVERSATIONS, answers, strict=True))
    ]
    assert found.shape == (3,)
    torch.testing.assert_close(found.double(), torch.tensor(slow, dtype=torch.float64), rtol=0, atol=2e-4)


def test_the_gradient_reaches_the_pixels_and_points_uphill(untrained: LlavaAnswerer) -> None:
    pixels = pictures(3).requires_grad_(True)
    answers = ["three", "window", "red"]
    before = untrained.log_likelihood(CONVERSATIONS, answers, pixels)
    (slope,) = torch.autograd.grad(before.sum(), pixels)
    assert slope.shape == pixels.shape and bool((slope.abs().amax(dim=(1, 2, 3, 4)) > 0).all())
    moved = (pixels + 1e-3 * slope.sign()).detach()
    assert bool((untrained.log_likelihood(CONVERSATIONS, answers, moved) > before).all())


def test_image_features_enter_the_language_model(untrained: LlavaAnswerer) -> None:
    pixels = pictures(2)[:, 0].requires_grad_(True)
    features = untrained.image_features(pixels)
    assert features.shape == (2, 17, 32)
    assert bool((torch.autograd.grad(features.sum(), pixels)[0] != 0).any())


def test_two_pictures_stand_where_they_are_shown(untrained: LlavaAnswerer) -> None:
    pixels = pictures(1, each=2)
    at_once = [(Message("user", "what digit is it", pictures=2),)]
    apart = [(Message("user", "what digit is it", pictures=1), Message("assistant", "one"), Message("user", "and the digit", pictures=1))]
    swapped = pixels.flip(1)
    first, second = (untrained.log_likelihood(at_once, ["three"], held) for held in (pixels, swapped))
    assert float((first - second).abs()) > 1e-6
    assert untrained.render(apart[0]).index(IMAGE_ID) == 2 and untrained.render(apart[0]).count(IMAGE_ID) == 2
    slow = slow_log_likelihood(untrained, apart[0], "three", pixels[0])
    assert float(untrained.log_likelihood(apart, ["three"], pixels)) == pytest.approx(slow, abs=2e-4)


def test_words_alone_need_no_pixels(untrained: LlavaAnswerer) -> None:
    assert len(untrained.answer([ask("say window", pictures=0), ask("open the door now", pictures=0)], longest=3)) == 2


@pytest.mark.parametrize("text", ["<image>", "<eos>", "what is <image> <image>", "<user> <assistant> sure", "</s><bos>"])
def test_text_never_becomes_a_special_token(untrained: LlavaAnswerer, text: str) -> None:
    ids = plain_ids(untrained.tokenizer, text)
    unknown = untrained.tokenizer.unk_token_id
    assert ids and all(index == unknown or index >= 8 for index in ids)
    assert untrained.render(ask(text)).count(IMAGE_ID) == 1
    untrained.log_likelihood([ask(text)], [text], pictures(1))


def test_a_listed_special_word_becomes_unknown() -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    table = {word: index for index, word in enumerate(("<pad>", "<bos>", "<unk>", "<eos>", "<image>", "see"))}
    inner = Tokenizer(models.WordLevel(table, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    special = {"pad_token": "<pad>", "bos_token": "<bos>", "unk_token": "<unk>", "eos_token": "<eos>"}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, extra_special_tokens=["<image>"], **special)
    assert plain_ids(tokenizer, "see <image> <eos>") == [5, 2, 2]


def test_counts_that_do_not_fit_are_told(untrained: LlavaAnswerer) -> None:
    with pytest.raises(ValueError, match="shows 1 pictures, and 0 are given"):
        untrained.answer([ask("what digit is it")])
    with pytest.raises(ValueError, match="shows 1 pictures, and 2 are given"):
        untrained.answer([ask("what digit is it")], pictures(1, each=2))
    with pytest.raises(ValueError, match="2 conversations and pictures for 1"):
        untrained.answer([ask("it")] * 2, pictures(1))
    with pytest.raises(ValueError, match="1 conversations and 2 answers"):
        untrained.log_likelihood([ask("it")], ["a", "b"], pictures(1))


def test_a_tool_has_no_turn_in_this_layout() -> None:
    render = renderer(partial(plain_ids, build_tokenizer()))
    with pytest.raises(ValueError, match="without tools"):
        render((Message("tool", "a note"),))
