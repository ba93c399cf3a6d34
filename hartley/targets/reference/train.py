"""Retrains the reference models: python -m hartley.targets.reference.train encoder [--out DIR] [--seed 0].

A killed training goes on from its last checkpoint and ends with the same weights as an uninterrupted one.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from tqdm import tqdm

from hartley.errors import InputError
from hartley.targets.audio_tower import AudioTower
from hartley.targets.clip import ClipEncoder, Normalize
from hartley.targets.reference.architecture import PIXEL_MEAN, PIXEL_STD, build_audio, build_clip, build_tokenizer, initialize
from hartley.targets.reference.encoder import FOLDER, NAME
from hartley.targets.reference.folder import describe, write_weights
from hartley.targets.reference.scenes import SIZE
from hartley.targets.reference.stages import Loss, Recipe, frozen_views, picture_loss, speech_loss, train_stage

PICTURE_STEPS = 6_000
SPEECH_STEPS = 3_000
CHECKPOINT_EVERY = 250


@dataclass(frozen=True)
class Order:
    """What is to be trained, and where it goes. Steps other than the defaults make another model."""

    out: Path
    seed: int = 0
    picture_steps: int = PICTURE_STEPS
    speech_steps: int = SPEECH_STEPS
    batch: int = 64
    every: int = CHECKPOINT_EVERY
    samples: int = 4_000

    @property
    def pictures(self) -> Recipe:
        """The recipe of the first stage."""
        return Recipe("pictures", self.seed, self.picture_steps, self.batch, rate=1.2e-3, decay=0.05, warmup=200)

    @property
    def speech(self) -> Recipe:
        """The recipe of the second stage."""
        return Recipe(f"speech after {self.picture_steps}", self.seed, self.speech_steps, self.batch, rate=1.2e-3, decay=0.05, warmup=200)


def train_encoder(order: Order) -> None:
    """Train both stages, write the folder `order.out`, measure its abilities and write the model card.

    On one thread, because sums over several threads need not come out equal. Checkpoints lie in `out`/checkpoints until
    the end.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        checkpoints = order.out / "checkpoints"
        checkpoints.mkdir(parents=True, exist_ok=True)
        tokenizer = build_tokenizer()
        clip = build_clip(len(tokenizer))
        initialize(clip, order.pictures.generator("weights"))
        normalize = Normalize(PIXEL_MEAN, PIXEL_STD, (SIZE, SIZE))
        seconds = _run(order, order.pictures, clip, picture_loss(clip, tokenizer, normalize, order.batch))
        encoder = _assemble(clip, tokenizer, normalize, None)
        tower = build_audio()
        initialize(tower, order.speech.generator("weights"))
        texts, pictures = frozen_views(encoder, order.speech.generator("views"))
        seconds += _run(order, order.speech, tower, speech_loss(tower, texts, pictures, encoder.logit_scale, order.batch))
        write_weights(order.out, clip, tokenizer, tower)
        describe(order.out, (order.pictures, order.speech), seconds, order.samples)
        shutil.rmtree(checkpoints)
    finally:
        torch.set_num_threads(threads)


def _assemble(clip: Any, tokenizer: Any, normalize: Normalize, tower: AudioTower | None) -> ClipEncoder:
    return ClipEncoder(
        name=NAME, clip=clip, tokenizer=tokenizer, preprocess=normalize, image_size=(SIZE, SIZE), fingerprint="in training", audio=tower
    )


def _run(order: Order, recipe: Recipe, module: nn.Module, loss: Loss) -> float:
    """One stage with a progress bar; returns the processor seconds that it took."""
    checkpoint = order.out / "checkpoints" / f"{recipe.stage.split()[0]}.safetensors"
    with tqdm(total=recipe.steps, desc=recipe.stage, unit="step", dynamic_ncols=True) as bar:
        return train_stage(recipe, module, loss, checkpoint, every=order.every, progress=_shower(bar))


def _shower(bar: Any) -> Callable[[int, float], None]:
    def show(step: int, loss: float) -> None:
        bar.update(step - bar.n)
        if step % 20 == 0:
            bar.set_postfix(loss=f"{loss:.3f}")

    return show


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns its exit code."""
    usual = Order(FOLDER)
    parser = argparse.ArgumentParser(prog="python -m hartley.targets.reference.train", description=__doc__)
    parser.add_argument("model", choices=["encoder"])
    parser.add_argument("--out", type=Path, default=usual.out, help="folder that the weights go to (default: the package's own)")
    parser.add_argument("--seed", type=int, default=usual.seed)
    parser.add_argument("--steps", type=int, default=usual.picture_steps, help="steps of the picture stage (default %(default)s)")
    parser.add_argument("--speech-steps", type=int, default=usual.speech_steps, help="steps of the speech stage (default %(default)s)")
    parser.add_argument("--batch", type=int, default=usual.batch)
    parser.add_argument("--every", type=int, default=usual.every, help="steps between checkpoints (default %(default)s)")
    parser.add_argument("--samples", type=int, default=usual.samples, help="held-out samples behind each ability (default %(default)s)")
    given = parser.parse_args(arguments)
    for name in ("steps", "speech_steps", "batch", "every", "samples"):
        if getattr(given, name) < 1:
            parser.error(f"--{name.replace('_', '-')} is {getattr(given, name)}; it takes a whole number from 1 up")
    try:
        train_encoder(Order(given.out, given.seed, given.steps, given.speech_steps, given.batch, given.every, given.samples))
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
