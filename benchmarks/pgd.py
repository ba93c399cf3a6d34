"""PGD on the reference image tower: Hartley beside the bare forward-backward floor, foolbox and torchattacks, in one run.

    python benchmarks/pgd.py [--trials 400] [--repeats 5] [--steps 40]

L-infinity 8/255, untargeted, step 2.5 eps / steps, random start, zero-shot digit classification. Times are CPU seconds of
this process on one thread, the methods taking turns within every repeat; each ratio is paired with the floor of its own
repeat, and the median over repeats is printed with its range. Robust accuracy counts right answers under the attack.
"""

from __future__ import annotations

import argparse
import importlib
import os
import statistics
import time
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from torch import Tensor, nn

from hartley.attacks.engine.attack import Attack
from hartley.attacks.engine.budget import Linf
from hartley.attacks.engine.carrier import PIXELS
from hartley.attacks.engine.objective import misclassify, through
from hartley.attacks.engine.optimizer import SignGradient
from hartley.targets.embedding import embed_texts
from hartley.targets.reference.data import ReferenceData
from hartley.targets.reference.encoder import load

EPSILON = 8 / 255
BATCH = 100


class Head(nn.Module):
    """Pixels in [0, 1] to zero-shot logits: the shape in which the peers take a model."""

    def __init__(self, embed: Callable[[Tensor], Tensor], prompts: Tensor, scale: float) -> None:
        super().__init__()
        self.embed, self.prompts, self.scale = embed, prompts, scale

    def forward(self, pixels: Tensor) -> Tensor:
        return self.scale * self.embed(pixels) @ self.prompts.T


def batches(images: Tensor, labels: Tensor) -> list[tuple[Tensor, Tensor]]:
    return list(zip(images.split(BATCH), labels.split(BATCH), strict=True))


def accuracy(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    with torch.no_grad():
        return float(torch.cat([(model(x).argmax(1) == y).float() for x, y in batches(images, labels)]).mean())


def floor(model: nn.Module, images: Tensor, labels: Tensor, steps: int) -> Tensor:
    """Nothing but the forward and backward passes that any PGD of so many steps must make."""
    for x, y in batches(images, labels):
        point = x.clone().requires_grad_(True)
        for _ in range(steps):
            torch.autograd.grad(nn.functional.cross_entropy(model(point), y, reduction="sum"), point)
    return images


def hartley(model: Head, images: Tensor, labels: Tensor, steps: int, drop: bool) -> Tensor:
    attack = Attack(PIXELS, Linf(EPSILON, "pixel"), SignGradient(steps, start=True, drop=drop))
    loss = through(model.embed, misclassify(model.prompts, labels, model.scale))

    def solved(delivered: Tensor, rows: Tensor) -> Tensor:
        return (model.embed(delivered) @ model.prompts.T).argmax(1) != labels[rows]

    return attack.craft(loss, images, torch.Generator().manual_seed(0), solved=solved if drop else None).adversarial


def foolbox(model: nn.Module, images: Tensor, labels: Tensor, steps: int) -> Tensor:
    peer = importlib.import_module("foolbox")
    attack = peer.attacks.LinfPGD(abs_stepsize=2.5 * EPSILON / steps, steps=steps)
    wrapped = peer.PyTorchModel(model, bounds=(0, 1), device="cpu")
    return torch.cat([attack.run(wrapped, x, peer.criteria.Misclassification(y), epsilon=EPSILON) for x, y in batches(images, labels)])


def torchattacks(model: nn.Module, images: Tensor, labels: Tensor, steps: int) -> Tensor:
    peer = importlib.import_module("torchattacks")
    attack = peer.PGD(model, eps=EPSILON, alpha=2.5 * EPSILON / steps, steps=steps, random_start=True)
    return torch.cat([attack(x, y) for x, y in batches(images, labels)])


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--trials", type=int, default=400)
    arguments.add_argument("--repeats", type=int, default=5)
    arguments.add_argument("--steps", type=int, default=40)
    options = arguments.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    encoder = load()
    pairs = ReferenceData().draw(options.trials, torch.Generator().manual_seed(0))
    model = Head(encoder.embed_image, embed_texts(encoder, pairs.prompts), encoder.logit_scale).eval()
    steps = options.steps
    methods: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
        "floor (forward + backward)": lambda x, y: floor(model, x, y, steps),
        "hartley": lambda x, y: hartley(model, x, y, steps, drop=False),
        "hartley, solved rows dropped": lambda x, y: hartley(model, x, y, steps, drop=True),
        "foolbox": lambda x, y: foolbox(model, x, y, steps),
        "torchattacks": lambda x, y: torchattacks(model, x, y, steps),
    }
    for name in ("foolbox", "torchattacks"):
        try:
            importlib.import_module(name)
        except ImportError as error:
            print(f"{name}: not measured, it does not import here ({error})")
            methods.pop(name)
    seconds: dict[str, list[float]] = {name: [] for name in methods}
    robust: dict[str, float] = {}
    for _ in range(options.repeats):
        for name, method in methods.items():
            start = time.process_time()
            adversarial = method(pairs.images, pairs.labels)
            seconds[name].append(time.process_time() - start)
            worst = float((adversarial - pairs.images).abs().max())
            if worst > EPSILON * (1 + 1e-5) + 1e-7:
                raise SystemExit(f"{name} left its budget: {worst * 255:.3f}/255")
            robust[name] = accuracy(model, adversarial, pairs.labels)
    base = seconds["floor (forward + backward)"]
    print(f"{options.trials} pictures, eps 8/255, {steps} steps, {options.repeats} repeats, one thread, torch {torch.__version__}")
    print(f"{'method':32} {'CPU s':>8} {'x floor (median, range)':>28} {'accuracy':>10}")
    for name, values in seconds.items():
        ratios = [value / reference for value, reference in zip(values, base, strict=True)]
        spread = f"{statistics.median(ratios):.2f}  ({min(ratios):.2f} to {max(ratios):.2f})"
        print(f"{name:32} {statistics.median(values):8.2f} {spread:>28} {robust[name]:10.3f}")


if __name__ == "__main__":
    main()
