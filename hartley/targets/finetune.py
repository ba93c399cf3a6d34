"""Fine-tuning a copy of a target on pairs: how a learning-flow threat gets its poison in, and a membership threat its members."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from hartley.targets.protocols import Trainable

SMALL = 10_000_000
"""Parameters below which an encoder takes, and needs, the larger learning rate."""


@dataclass(frozen=True)
class Training:
    """epochs over the pairs; batch pairs a step; rate: AdamW's learning rate, None: 1e-3 for a small encoder, 1e-5 else."""

    epochs: int
    batch: int = 64
    rate: float | None = None
    decay: float = 0.01


def contrastive_bits(image: Tensor, text: Tensor, same: Tensor, scale: Tensor) -> Tensor:
    """The two-sided contrastive loss of CLIP in bits, with every caption that is equal counted as a match.

    image, text (n, d) unit norm; same (n, n) 1 where captions are equal; scale: inverse temperature.
    """
    logits = scale * image @ text.T
    law = same / same.sum(dim=1, keepdim=True)
    rows = -(law * logits.log_softmax(dim=1)).sum(dim=1).mean()
    columns = -(law * logits.T.log_softmax(dim=1)).sum(dim=1).mean()
    return (rows + columns) / 2 / torch.log(torch.tensor(2.0))


def finetune(
    target: Trainable,
    images: Tensor,
    captions: Sequence[str],
    training: Training,
    generator: torch.Generator,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[Trainable, tuple[float, ...]]:
    """A fine-tuned copy of `target` and its loss in bits, a step each. images (n, 3, h, w), n captions.

    The target itself is left as it is. The copy comes back in evaluation mode with its parameters frozen.
    """
    student = target.clone()
    module = student.module
    module.eval()  # towers of this family have no dropout to switch on, and batch statistics must not move
    parameters = [parameter for name, parameter in module.named_parameters() if not name.startswith("audio")]
    size = sum(parameter.numel() for parameter in parameters)
    for parameter in parameters:
        parameter.requires_grad_(True)
    rate = training.rate if training.rate is not None else (1e-3 if size < SMALL else 1e-5)
    optimizer = torch.optim.AdamW(parameters, lr=rate, weight_decay=training.decay)
    total = training.epochs * ((len(images) + training.batch - 1) // training.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=rate, total_steps=max(2, total), pct_start=0.1)
    scale = torch.tensor(target.logit_scale)
    identity = {caption: index for index, caption in enumerate(dict.fromkeys(captions))}
    code = torch.tensor([identity[caption] for caption in captions])
    losses: list[float] = []
    for _ in range(training.epochs):
        for rows in torch.randperm(len(images), generator=generator).split(training.batch):
            image = student.embed_image(images[rows])
            text = student.embed_text([captions[row] for row in rows.tolist()])
            same = (code[rows][:, None] == code[rows][None, :]).to(image.dtype)
            loss = contrastive_bits(functional.normalize(image, dim=1), text, same, scale)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            schedule.step()
            losses.append(float(loss.detach()))
            progress(len(losses), total)
    for parameter in parameters:
        parameter.requires_grad_(False)
        parameter.grad = None
    return student, tuple(losses)


def weights(student: Trainable) -> dict[str, Tensor]:
    """The parameters and buffers as plain contiguous tensors, for the run's cache."""
    return {name: value.detach().clone().contiguous() for name, value in student.module.state_dict().items()}


def restore(target: Trainable, tensors: dict[str, Tensor]) -> Trainable:
    """A copy of `target` with these weights."""
    student = target.clone()
    student.module.load_state_dict(tensors)
    return student
