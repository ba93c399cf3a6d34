"""Retrains the reference models: python -m hartley.training MODEL [--out DIR] [--seed N].

A killed training goes on from its last checkpoint and ends with the same weights as an uninterrupted one.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from hartley.errors import InputError
from hartley.targets.family import WEIGHTS
from hartley.targets.registry import MEMBERS, SIBLINGS
from hartley.training.loop import Order, whole_numbers

MODELS = tuple(dict.fromkeys((*MEMBERS, *SIBLINGS)))
SEED_OF_SIBLINGS = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns its exit code."""
    usual = Order(WEIGHTS)
    parser = argparse.ArgumentParser(prog="python -m hartley.training", description=__doc__)
    parser.add_argument("model", choices=MODELS)
    parser.add_argument("--out", type=Path, help="folder that the weights go to (default: the package's own)")
    parser.add_argument("--seed", type=int, help=f"default: {usual.seed}; of {' and '.join(SIBLINGS)}: {SEED_OF_SIBLINGS}")
    parser.add_argument("--steps", action="append", default=[], metavar="STAGE=N", help="another length of a stage; may be repeated")
    parser.add_argument("--batch", type=int, help="another batch size for all stages")
    parser.add_argument("--every", type=int, default=usual.every, help="steps between checkpoints (default %(default)s)")
    parser.add_argument("--samples", type=int, default=usual.samples, help="held-out samples behind each ability (default %(default)s)")
    given = parser.parse_args(arguments)
    for name in ("batch", "every", "samples"):
        if (number := getattr(given, name)) is not None and number < 1:
            parser.error(f"--{name} is {number}; it takes a whole number from 1 up")
    try:
        steps = whole_numbers(tuple(given.steps))
        own = SEED_OF_SIBLINGS if given.model in SIBLINGS else usual.seed
        seed = own if given.seed is None else given.seed
        order = Order(given.out or WEIGHTS / given.model, seed, steps, given.batch, given.every, given.samples)
        module = import_module(f"hartley.training.{SIBLINGS.get(given.model, given.model)}.train")
        module.train(order, *([given.model] if given.model in SIBLINGS else []))
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
