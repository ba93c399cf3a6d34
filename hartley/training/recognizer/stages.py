"""The recognizer's training: spectrograms of what is said, bent, against its words."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.nn import functional as F

from hartley.targets.audio_tower import LogMel
from hartley.targets.reference.recognizer.sayings import draw_sayings
from hartley.training.encoder.distortion import distort
from hartley.training.loop import Loss, Recipe

STEPS_A_DRAW = 3
"""Steps that hear the same waveforms, each distorted anew: drawing them costs as much as half a step."""


def hearing_loss(model: Any, tokenizer: Any, front: LogMel, recipe: Recipe) -> Loss:
    """The loss of one batch: the mean over the words of what training voices say."""
    kept: dict[int, tuple[Tensor, Tensor]] = {}

    def drawn(number: int) -> tuple[Tensor, Tensor]:
        if number not in kept:
            kept.clear()
            waves, texts = draw_sayings(recipe.batch, recipe.generator("draw", number), part="train")
            kept[number] = front(waves), tokenizer(texts, padding=True, return_tensors="pt")["input_ids"]
        return kept[number]

    def loss(step: int, generator: Any) -> Tensor:
        mel, ids = drawn(step // STEPS_A_DRAW)
        logits = model(distort(mel, generator), decoder_input_ids=ids[:, :-1], use_cache=False).logits
        return F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten(), ignore_index=tokenizer.pad_token_id)

    return loss
