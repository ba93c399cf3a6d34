"""The measures beside their goals and beside other packages, in one run.

    python benchmarks/measures.py [PART ...] [--list]

Prints one table a part: the goal, the figure reached, the bar, whether it is met, and the peer's figure. Times are CPU
seconds of this process on one thread. Peers are the bench extras; one that is not installed or does not import is named.
"""

from __future__ import annotations

import argparse
import importlib
import os
import pkgutil
import time
import warnings

for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(threads, "1")

import measures_parts  # noqa: E402 (threads are set before numpy loads)
from measures_parts.line import Line  # noqa: E402

WIDTHS = (6, 66, 24, 22, 8)


def parts() -> list[str]:
    return sorted(part.name for part in pkgutil.iter_modules(measures_parts.__path__) if part.name != "line")


def show(line: Line) -> str:
    verdict = {True: "met", False: "NOT MET", None: "-"}[line.met]
    cells = (line.goal, line.what, line.reached, line.bar, verdict)
    return " ".join(cell.ljust(width) for cell, width in zip(cells, WIDTHS, strict=True)) + " " + line.peer


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="*", help="only these parts; default: all")
    parser.add_argument("--list", action="store_true", help="name the parts and stop")
    options = parser.parse_args()
    if options.list:
        print("\n".join(parts()))
        return 0
    unknown = sorted(set(options.part) - set(parts()))
    if unknown:
        parser.error(f"no part {', '.join(unknown)}; takes {', '.join(parts())}")
    warnings.filterwarnings("ignore")
    missed: list[str] = []
    begun = time.process_time()
    for name in options.part or parts():
        part = importlib.import_module(f"measures_parts.{name}")
        start = time.process_time()
        print(
            f"\n{part.TITLE}\n"
            + " ".join(head.ljust(w) for head, w in zip(("goal", "what", "reached", "bar", ""), WIDTHS, strict=True))
            + " peers"
        )
        for line in part.lines():
            print(show(line) if isinstance(line, Line) else line, flush=True)
            if isinstance(line, Line) and line.met is False:
                missed.append(f"goal {line.goal}: {line.what}: {line.reached}, bar {line.bar}")
        print(f"({name}: {time.process_time() - start:.0f} CPU s)", flush=True)
    print(f"\n{time.process_time() - begun:.0f} CPU s in all. " + (f"Not met, {len(missed)}:" if missed else "Every bar is met."))
    for line in missed:
        print(f"  {line}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
