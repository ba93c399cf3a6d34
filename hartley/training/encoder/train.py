"""The reference encoders' training: pictures with captions, then speech against the frozen space."""

from __future__ import annotations

import shutil
from typing import Any

from hartley.targets.clip import ClipEncoder, Normalize
from hartley.targets.reference.encoder import NAME
from hartley.targets.reference.encoder.architecture import PIXEL_MEAN, PIXEL_STD, SHAPES, build_audio, build_clip, build_tokenizer
from hartley.targets.reference.saving import initialize
from hartley.targets.reference.scenes import SIZE
from hartley.training.encoder.folder import describe, write_weights
from hartley.training.encoder.stages import frozen_views, picture_loss, speech_loss
from hartley.training.loop import Order, run_stage, single_thread

STAGES = ("pictures", "speech")


def train(order: Order, member: str = "encoder") -> None:
    """Train both stages of that member of the family, write the folder `order.out`, measure its abilities and write the model card.

    Checkpoints lie in `out`/checkpoints until the end. Raises InputError for a stage that there is not.
    """
    order.checked(STAGES)
    shape = SHAPES[member]
    pictures = order.recipe("pictures", steps=shape.steps[0], batch=64, rate=1.2e-3)
    speech = order.recipe("speech", steps=shape.steps[1], batch=64, rate=1.2e-3, after=pictures)
    with single_thread():
        tokenizer = build_tokenizer()
        clip = build_clip(len(tokenizer), shape)
        initialize(clip, pictures.generator("weights"))
        normalize = Normalize(PIXEL_MEAN, PIXEL_STD, (SIZE, SIZE))
        seconds = run_stage(order, pictures, clip, picture_loss(clip, tokenizer, normalize, pictures.batch))
        encoder = _assemble(clip, tokenizer, normalize)
        tower = build_audio(shape)
        initialize(tower, speech.generator("weights"))
        texts, views = frozen_views(encoder, speech.generator("views"))
        seconds += run_stage(order, speech, tower, speech_loss(tower, texts, views, encoder.logit_scale, speech.batch))
        write_weights(order.out, clip, tokenizer, tower)
        describe(order.out, member, (pictures, speech), seconds, order.samples)
        shutil.rmtree(order.out / "checkpoints")


def _assemble(clip: Any, tokenizer: Any, normalize: Normalize) -> ClipEncoder:
    """The pictures and captions so far; speech is taught to meet them."""
    return ClipEncoder(
        name=NAME, clip=clip, tokenizer=tokenizer, preprocess=normalize, image_size=(SIZE, SIZE), fingerprint="in training", audio=None
    )
