"""The reference answerers' training: first words alone, then seeing, then talking about what is seen."""

from __future__ import annotations

import shutil
from typing import Any

from torch import nn

from hartley.targets.clip import Normalize
from hartley.targets.reference.answerer.architecture import SHAPES, Shape, build_llava, build_tokenizer
from hartley.targets.reference.answerer.folder import write_weights
from hartley.targets.reference.encoder import load as load_encoder
from hartley.targets.reference.encoder.architecture import PIXEL_MEAN, PIXEL_STD
from hartley.targets.reference.saving import initialize
from hartley.targets.reference.scenes import SIZE
from hartley.training.answerer.card import describe
from hartley.training.answerer.lessons import draw_choice, draw_short_talk, draw_talk, draw_talk_and_choices
from hartley.training.answerer.stages import seen_loss, told_loss
from hartley.training.loop import Order, Recipe, run_stage, single_thread

STAGES = ("words", "sight", "answers", "options", "choices")


def train(order: Order, member: str = "answerer") -> None:
    """Train all stages of that member of the family, write the folder `order.out`, measure its abilities and write the model card.

    Checkpoints lie in `out`/checkpoints until the end. Raises InputError for a stage that there is not, and without the
    reference encoder, whose vision tower this one starts from.
    """
    order.checked(STAGES)
    shape = SHAPES[member]
    steps = dict(zip(STAGES, shape.steps, strict=True))
    words = order.recipe("words", steps=steps["words"], batch=64, rate=2e-3, warmup=100)
    sight = order.recipe("sight", steps=steps["sight"], batch=64, rate=1.5e-3, warmup=100, after=words)
    answers = order.recipe("answers", steps=steps["answers"], batch=64, rate=1.2e-3, warmup=100, after=sight)
    options = order.recipe("options", steps=steps["options"], batch=64, rate=1.2e-3, warmup=30, after=answers)
    choices = order.recipe("choices", steps=steps["choices"], batch=64, rate=1e-3, warmup=50, after=options)
    with single_thread():
        tokenizer = build_tokenizer()
        model = untrained(words, len(tokenizer), shape)
        body = model.model  # without the head, which is the embedding once more
        normalize = Normalize(PIXEL_MEAN, PIXEL_STD, (SIZE, SIZE))
        _learn(body, words_alone=True)
        seconds = run_stage(order, words, body, told_loss(body, words.batch, draw_talk))
        _learn(body, words_alone=False)
        # A quarter of the batch stays words alone: without it the language model forgets in a few hundred steps how to talk.
        seconds += run_stage(order, sight, body, seen_loss(body, normalize, sight.batch, draw_short_talk, told=sight.batch // 4))
        seconds += run_stage(order, answers, body, seen_loss(body, normalize, answers.batch, draw_talk))
        # Comparing what is seen with a list of options is the one skill that a mixture of everything does not bring about.
        _learn(body, words_alone=True)
        seconds += run_stage(order, options, body, told_loss(body, options.batch, draw_choice))
        _learn(body, words_alone=False)
        seconds += run_stage(order, choices, body, seen_loss(body, normalize, choices.batch, draw_talk_and_choices))
        write_weights(order.out, model, tokenizer)
        describe(order.out, member, (words, sight, answers, options, choices), seconds, order.samples)
        shutil.rmtree(order.out / "checkpoints")


def _learn(body: nn.Module, *, words_alone: bool) -> None:
    """Which weights the next stage trains: the language model's, or all."""
    for name, weight in body.named_parameters():
        weight.requires_grad_(not words_alone or name.startswith("language_model."))


def untrained(recipe: Recipe, vocabulary_size: int, shape: Shape = SHAPES["answerer"]) -> Any:
    """The model at step 0: its encoder's vision tower, the rest drawn by fan-in."""
    clip: Any = load_encoder(member=shape.encoder).module.clip
    model = build_llava(clip.config.vision_config, vocabulary_size, width=shape.width, layers=shape.layers)
    initialize(model, recipe.generator("weights"))
    model.tie_weights()
    # The embedding is the head as well: at 0.5 the first answers would be far too sure, at the head's own start the words drown.
    nn.init.normal_(model.get_input_embeddings().weight, std=0.25, generator=recipe.generator("embedding"))
    model.model.vision_tower.load_state_dict(clip.vision_model.state_dict())
    return model
