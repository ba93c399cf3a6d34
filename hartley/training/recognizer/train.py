"""The reference recognizer's training: one stage, from spectrograms to words."""

from __future__ import annotations

import shutil

from hartley.targets.audio_tower import LogMel
from hartley.targets.reference import encoder
from hartley.targets.reference.saving import initialize
from hartley.training.loop import Order, run_stage, single_thread
from hartley.training.recognizer.architecture import build_tokenizer, build_whisper
from hartley.training.recognizer.folder import describe, write_weights
from hartley.training.recognizer.stages import hearing_loss

STAGES = ("hearing",)


def train(order: Order) -> None:
    """Train, write the folder `order.out`, measure its abilities and write the model card.

    Checkpoints lie in `out`/checkpoints until the end. Raises InputError for a stage that there is not.
    """
    order.checked(STAGES)
    hearing = order.recipe("hearing", steps=2_000, batch=64, rate=1.5e-3)
    ear = encoder.load().module.audio
    assert ear is not None
    with single_thread():
        tokenizer = build_tokenizer()
        model = build_whisper(ear, len(tokenizer))
        initialize(model, hearing.generator("weights"))
        # An ear that knows phrases already learns requests in a fifth of the time that a new one needs.
        model.model.encoder.load_state_dict(ear.encoder.state_dict())
        seconds = run_stage(order, hearing, model, hearing_loss(model, tokenizer, LogMel(), hearing))
        write_weights(order.out, model, tokenizer)
        describe(order.out, hearing, seconds, order.samples)
        shutil.rmtree(order.out / "checkpoints")
