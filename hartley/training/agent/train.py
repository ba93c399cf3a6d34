"""Trains the reference agent: to copy words, then to say and call what a good agent does, on benign transcripts alone."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from random import Random
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from hartley.targets.reference.agent import delegation, readings
from hartley.targets.reference.agent.tasks import Task, transcript
from hartley.targets.reference.agent.tools import schemas
from hartley.targets.reference.saving import initialize, save_half
from hartley.training.agent import direct
from hartley.training.agent.architecture import build_llama, build_tokenizer, lesson, start_copying
from hartley.training.agent.copying import copying_loss
from hartley.training.agent.lessons import MIXTURE, Draw, draw_task
from hartley.training.loop import Loss, Order, Recipe, run_stage, single_thread

STAGES: Mapping[str, Mapping[str, Any]] = {
    "copying": {"steps": 400, "batch": 40, "rate": 3e-3, "decay": 0.05, "warmup": 60},
    "transcripts": {"steps": 7_000, "batch": 32, "rate": 3e-3, "decay": 0.05, "warmup": 150},
}
PARTS = 5
EMPHASIS: Mapping[Draw, float] = {
    **{direct.two: 2.0, direct.changed: 1.5, direct.no_tool: 1.6, readings.with_own_act: 2.0, delegation.delegated: 1.2},
    **{readings.say_document: 0.6, readings.forward: 0.7},
}
"""Which kinds of tasks training draws more or less often than `MIXTURE`: telling two requests apart is learned last, and long
copies are most of what is written."""


def recipes_of(order: Order) -> tuple[Recipe, Recipe]:
    """The recipes of both stages: copying alone, then transcripts."""
    copying = order.recipe("copying", **STAGES["copying"])
    return copying, order.recipe("transcripts", **STAGES["transcripts"], after=copying)


def randomness(generator: torch.Generator) -> Random:
    """Python's random numbers, decided by a torch generator."""
    return Random(int(torch.randint(2**62, (1,), generator=generator)))  # noqa: S311 - lessons, not secrets


def draw_lesson(random: Random) -> Task:
    """A task to learn from."""
    kinds = [(draw, share * EMPHASIS.get(draw, 1.0)) for draw, share in MIXTURE]
    return draw_task(random, draw=random.choices([draw for draw, _ in kinds], [share for _, share in kinds])[0])


def drawn(task: Task) -> tuple[list[int], list[bool]]:
    """A task's transcript as ids, and which of them are taught."""
    return lesson(transcript(task), schemas(task.tools, described=task.described))


def transcript_loss(llama: Any, batch: int) -> Loss:
    """The mean loss of a batch's taught tokens. Transcripts of like length are padded together, in `PARTS` parts."""

    def loss(_: int, generator: torch.Generator) -> Tensor:
        random = randomness(generator)
        lessons = sorted((drawn(draw_lesson(random)) for _ in range(batch)), key=lambda pair: len(pair[0]))
        size = -(-batch // PARTS)
        sums = [_summed(llama, lessons[start : start + size]) for start in range(0, batch, size)]
        total = torch.stack([value for value, _ in sums]).sum()
        return total / sum(count for _, count in sums)

    return loss


def _summed(llama: Any, lessons: list[tuple[list[int], list[bool]]]) -> tuple[Tensor, int]:
    """(summed loss, count) over the taught tokens; padding stands behind, where nothing attends to it."""
    width = max(len(ids) for ids, _ in lessons)
    ids = torch.tensor([row + [0] * (width - len(row)) for row, _ in lessons])
    taught = torch.tensor([flags + [False] * (width - len(flags)) for _, flags in lessons])[:, 1:]
    hidden = llama.model(input_ids=ids, use_cache=False).last_hidden_state[:, :-1][taught]
    return F.cross_entropy(llama.lm_head(hidden), ids[:, 1:][taught], reduction="sum"), int(taught.sum())


def train(order: Order) -> None:
    """Train the agent, write the folder `order.out`, measure it and write its card."""
    from hartley.training.agent.card import describe

    copying, transcripts = recipes_of(order.checked(tuple(STAGES)))
    with single_thread():
        llama = build_llama()
        initialize(llama, copying.generator("weights"))
        start_copying(llama, copying.generator("copying"))
        # The shared embedding stands once in the inner model, so a checkpoint holds it once.
        seconds = run_stage(order, copying, llama.model, copying_loss(llama, copying.batch))
        seconds += run_stage(order, transcripts, llama.model, transcript_loss(llama, transcripts.batch))
        write_folder(order, llama)
        describe(order.out, (copying, transcripts), seconds, order.samples)
    shutil.rmtree(order.out / "checkpoints")


def write_folder(order: Order, llama: Any) -> None:
    """The folder as transformers lays it out: config, fp16 safetensors (the shared embedding once), tokenizer and template."""
    order.out.mkdir(parents=True, exist_ok=True)
    save_half(llama, order.out / "model.safetensors", skip=("lm_head.weight",))
    llama.config.architectures = ["LlamaForCausalLM"]
    llama.config.save_pretrained(order.out)
    llama.generation_config.save_pretrained(order.out)
    build_tokenizer().save_pretrained(order.out)
