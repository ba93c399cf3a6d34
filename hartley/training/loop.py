"""Training of the reference family: what decides a stage's result, and the loop that resumes after a kill.

Every batch is drawn from a generator that stage, seed and step decide, on one thread, with steps fixed beforehand: the same
order gives the same weights on one machine, interrupted or not.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from hartley.errors import InputError, unknown
from hartley.training.checkpoint import Progress, load_checkpoint, save_checkpoint

Loss = Callable[[int, torch.Generator], Tensor]
CHECKPOINT_EVERY = 250


@dataclass(frozen=True)
class Recipe:
    """What decides a stage's result. Steps are fixed beforehand: annealing on the clock would not be reproducible.

    after: what this stage builds on, when another length of the stage before makes this one another training.
    """

    stage: str
    seed: int
    steps: int
    batch: int
    rate: float
    decay: float
    warmup: int
    after: str = ""

    def rate_at(self, step: int) -> float:
        """Linear warm-up, then a cosine to 1% of `rate`."""
        if step < self.warmup:
            return self.rate * (step + 1) / self.warmup
        progress = (step - self.warmup) / max(1, self.steps - self.warmup)
        return self.rate * (0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * progress)))

    def generator(self, *purpose: object) -> torch.Generator:
        """A generator for one purpose, for example one step's batch."""
        stage = f"{self.stage} after {self.after}" if self.after else self.stage
        text = "/".join(map(str, (stage, self.seed, *purpose)))
        return torch.Generator().manual_seed(int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big"))


@dataclass(frozen=True)
class Order:
    """What is to be trained, and where it goes.

    steps    other lengths of stages, by name; they make another model.
    batch    another batch size for all stages; None: each recipe's own.
    every    steps between checkpoints.
    samples  held-out samples behind each measured ability.
    """

    out: Path
    seed: int = 0
    steps: Mapping[str, int] = field(default_factory=dict)
    batch: int | None = None
    every: int = CHECKPOINT_EVERY
    samples: int = 2_000

    def recipe(
        self, stage: str, *, steps: int, batch: int, rate: float, decay: float = 0.05, warmup: int = 200, after: Recipe | None = None
    ) -> Recipe:
        """The recipe of one stage, with this order's own steps and batch where it names them."""
        chosen = self.steps.get(stage, steps)
        before = "" if after is None else str(after.steps)
        return Recipe(stage, self.seed, chosen, self.batch or batch, rate, decay, warmup, before)

    def checked(self, stages: tuple[str, ...]) -> Order:
        """This order. Raises InputError when it names a stage that the model does not have."""
        for name in self.steps:
            if name not in stages:
                raise unknown("stage", name, stages)
        return self


def run_stage(order: Order, recipe: Recipe, module: nn.Module, loss: Loss) -> float:
    """Train `module` in place from its checkpoint, or from the start, to the recipe's last step, with a progress bar.

    Parameters that require a gradient are trained (AdamW, decay on matrices alone, gradients clipped to norm 1); the whole
    state of the module is kept in the checkpoint. loss(step, generator) gives the loss of one batch.
    Returns the processor seconds of all the stage's steps.
    """
    checkpoint = order.out / "checkpoints" / f"{recipe.stage}.safetensors"
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    with tqdm(total=recipe.steps, desc=recipe.stage, unit="step", dynamic_ncols=True) as bar:
        return train_stage(recipe, module, loss, checkpoint, every=order.every, progress=_shower(bar))


def train_stage(
    recipe: Recipe, module: nn.Module, loss: Loss, checkpoint: Path, *, every: int, progress: Callable[[int, float], None]
) -> float:
    """`run_stage` without the bar: progress(step, loss) is called after each step, a checkpoint written after `every`."""
    decayed = [p for p in module.parameters() if p.requires_grad and p.dim() >= 2]
    free = [p for p in module.parameters() if p.requires_grad and p.dim() < 2]
    groups = [{"params": decayed, "weight_decay": recipe.decay}, {"params": free, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=recipe.rate, betas=(0.9, 0.98), fused=True)
    before = load_checkpoint(checkpoint, module, optimizer, asdict(recipe))
    started = time.process_time()
    module.train()
    for step in range(before.step, recipe.steps):
        for group in optimizer.param_groups:
            group["lr"] = recipe.rate_at(step)
        optimizer.zero_grad(set_to_none=True)
        value = loss(step, recipe.generator("step", step))
        value.backward()
        nn.utils.clip_grad_norm_(decayed + free, 1.0)
        optimizer.step()
        progress(step + 1, value.item())
        if (step + 1) % every == 0 or step + 1 == recipe.steps:
            taken = before.seconds + time.process_time() - started
            save_checkpoint(checkpoint, module, optimizer, asdict(recipe), Progress(step + 1, taken))
    module.eval()
    return before.seconds + time.process_time() - started


def _shower(bar: Any) -> Callable[[int, float], None]:
    def show(step: int, loss: float) -> None:
        bar.update(step - bar.n)
        if step % 20 == 0:
            bar.set_postfix(loss=f"{loss:.3f}")

    return show


@contextmanager
def single_thread() -> Iterator[None]:
    """One thread inside, because sums over several threads need not come out equal."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def whole_numbers(pairs: tuple[str, ...]) -> dict[str, int]:
    """Steps given as STAGE=N, by stage. Raises InputError for anything else."""
    found = {}
    for pair in pairs:
        stage, _, number = pair.partition("=")
        if not stage or not number.isdecimal() or int(number) < 1:
            raise InputError(f"steps {pair!r}; STAGE=N with a whole number from 1 up is accepted")
        found[stage] = int(number)
    return found
