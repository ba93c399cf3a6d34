"""The reference listener's training: one stage, beside an encoder that stays as it ships."""

from __future__ import annotations

import shutil

from hartley.targets.reference import encoder
from hartley.targets.reference.listener.architecture import Mouth, build_tokenizer
from hartley.targets.reference.listener.folder import write_weights
from hartley.targets.reference.saving import initialize
from hartley.training.listener.card import describe
from hartley.training.listener.stages import answering_loss, embed_pool
from hartley.training.loop import Order, run_stage, single_thread

STAGES = ("answering",)
SOUNDS_A_STEP, PICTURES_A_STEP = 8, 4
"""Sounds and pictures that are embedded beforehand, for each step that is to come."""
MOST = (16_000, 8_000)


def train(order: Order) -> None:
    """Train, write the folder `order.out`, measure its abilities and write the model card.

    Checkpoints lie in `out`/checkpoints until the end; the embeddings are made anew when a killed training goes on, which
    takes less than a minute. Raises InputError for a stage that there is not.
    """
    order.checked(STAGES)
    answering = order.recipe("answering", steps=4_000, batch=64, rate=1.5e-3)
    with single_thread():
        tokenizer = build_tokenizer()
        mouth = Mouth(len(tokenizer))
        initialize(mouth, answering.generator("weights"))
        sounds, pictures = (min(most, each * answering.steps) for most, each in zip(MOST, (SOUNDS_A_STEP, PICTURES_A_STEP), strict=True))
        pool = embed_pool(encoder.load(), sounds, pictures, answering.generator("pool"))
        seconds = run_stage(order, answering, mouth, answering_loss(mouth, tokenizer, pool, answering.batch))
        write_weights(order.out, mouth, tokenizer)
        describe(order.out, answering, seconds, order.samples)
        shutil.rmtree(order.out / "checkpoints")
