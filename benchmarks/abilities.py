"""What the shipped reference models can do, beside the bars, and what emerged in them that nobody taught.

    python benchmarks/abilities.py [MODEL ...] [--count 1000] [--trials 200] [--abilities-only]

All data are held out: handwriting, voices, requests, tasks. Shares stand with exact 95% intervals (Clopper and Pearson).
Exits with 1 when a bar is missed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from hartley import targets
from hartley.errors import InputError
from hartley.targets.reference.ability import Ability, bar, missed
from hartley.targets.registry import SIBLINGS
from hartley.training.__main__ import MODELS, WEIGHTS

LIMIT_MB = 16.0
LIMIT_LOAD_S = 2.0
LIMIT_SAMPLING_S = 5.0
SEED = 20_261_124
WIDTH = 74

# The import of a model's classes is paid once a process and is measured apart: here a second load counts the model alone.
LOADING = """
import time
started = time.perf_counter()
from hartley import targets
targets.load("reference:{model}")
first = time.perf_counter() - started
started = time.perf_counter()
targets.load("reference:{model}")
print(first, time.perf_counter() - started)
"""


def megabytes(folder: Path) -> float:
    """Of the weights in a folder; checkpoints of a training that is under way are not part of the package."""
    return sum(file.stat().st_size for file in folder.rglob("*.safetensors") if "checkpoints" not in file.parts) / 1e6


def loading(model: str) -> tuple[float, float]:
    """Wall seconds of the first load in a fresh process, imports included, and of a second."""
    done = subprocess.run([sys.executable, "-c", LOADING.format(model=model)], capture_output=True, text=True, check=True, timeout=120)
    first, second = done.stdout.split()[-2:]
    return float(first), float(second)


def print_row(name: str, ability: Ability, required: str, verdict: str) -> None:
    low, high = ability.interval
    print(f"  {name[:WIDTH].ljust(WIDTH)} {ability.value:6.3f}  [{low:.3f}, {high:.3f}]  n={ability.n:<6} {required:<14} {verdict}")


def print_abilities(found: Mapping[str, Ability], measured: ModuleType) -> list[str]:
    """The rows; returns the names of those that miss their bar."""
    failed = missed(found, measured.AT_LEAST, measured.AT_MOST)
    for name, ability in found.items():
        required = bar(name, measured.AT_LEAST, measured.AT_MOST)
        verdict = "" if required == "reported" else "NOT MET" if name in failed else "met"
        print_row(name, ability, required, verdict)
    for name in sorted(set(failed) - set(found)):
        print(f"  {name[:WIDTH].ljust(WIDTH)} not measured: NOT MET")
    return failed


def sampling_seconds(generator: Any) -> float:
    """Wall seconds of eight pictures on the threads that torch uses, the second time: the first warms up."""
    prompts = [f"a red {digit} at the top left" for digit in ("zero", "one", "two", "three", "four", "five", "six", "seven")]
    taken = 0.0
    for _ in range(2):
        started = time.perf_counter()
        generator.generate(prompts, torch.Generator().manual_seed(SEED))
        taken = time.perf_counter() - started
    return taken


def show(model: str, count: int, trials: int) -> list[str]:
    """Print everything about one model; returns what misses its bar."""
    code = f"hartley.targets.reference.{SIBLINGS.get(model, model)}"
    try:
        target: Any = targets.load(f"reference:{model}")
    except InputError as error:
        print(f"\nreference:{model}: not measured ({error})", flush=True)
        return [f"{model}: not measured"]
    first, load = loading(model)
    size = megabytes(WEIGHTS / model)
    verdict = "met" if load <= LIMIT_LOAD_S else "NOT MET"
    times = f"loads in {load:.2f} s (at most {LIMIT_LOAD_S:.0f}: {verdict}), {first:.1f} s with imports"
    print(f"\n{target.name}: {size:.2f} MB of weights; {times}")
    failed = [] if load <= LIMIT_LOAD_S else ["loading time"]
    measured = import_module(f"{code}.abilities")
    started = time.process_time()
    failed += print_abilities(measured.abilities(target, count, SEED), measured)
    if model == "generator":
        seconds = sampling_seconds(target)
        verdict = "met" if seconds <= LIMIT_SAMPLING_S else "NOT MET"
        print(f"  {'sampling 8 pictures, s'.ljust(WIDTH)} {seconds:6.2f}  at most {LIMIT_SAMPLING_S:.0f}: {verdict}")
        failed += [] if seconds <= LIMIT_SAMPLING_S else ["sampling time"]
    if trials and (Path(measured.__file__ or "").parent / "emerged.py").is_file():
        print("  -- what emerged (no bar):")
        for name, ability in import_module(f"{code}.emerged").emerged(target, trials, SEED).items():
            print_row(name, ability, "", "")
    print(f"  measured in {time.process_time() - started:.0f} CPU s", flush=True)
    return [f"{model}: {name}" for name in failed]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="*", help=f"only these of {', '.join(MODELS)}; default: all")
    parser.add_argument("--count", type=int, default=1_000, help="held-out trials of each ability, 400 or more (default %(default)s)")
    parser.add_argument("--trials", type=int, default=200, help="trials of each emergent figure, 200 or more (default %(default)s)")
    parser.add_argument("--abilities-only", action="store_true", help="leave out what emerged")
    given = parser.parse_args()
    if given.count < 400:
        parser.error(f"--count is {given.count}; 400 or more are accepted")
    if given.trials < 200:
        parser.error(f"--trials is {given.trials}; 200 or more are accepted")
    if unknown := [model for model in given.model if model not in MODELS]:
        parser.error(f"unknown model {unknown[0]!r}; accepted: {', '.join(MODELS)}")
    failed = []
    for model in given.model or MODELS:
        failed += show(model, given.count, 0 if given.abilities_only else given.trials)
    total = megabytes(WEIGHTS)
    print(f"\nall weights: {total:.2f} MB (at most {LIMIT_MB:.0f}: {'met' if total <= LIMIT_MB else 'NOT MET'})")
    failed += [] if total <= LIMIT_MB else ["all weights: size"]
    print("Every bar is met." if not failed else f"Bars missed: {'; '.join(failed)}")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
