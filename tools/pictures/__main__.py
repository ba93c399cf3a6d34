"""Draws the pictures of docs/explanation/bits.md from computations of hartley.bits.

    python tools/pictures [FOLDER] [NAME ...]

Writes NAME.svg for every drawing, or those named, into FOLDER (docs/images/bits by default). The same code draws the same bytes.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tools"))
PARTS = ("counted", "embedded", "bounded")


def drawings() -> dict[str, Callable[[], object]]:
    """Every drawing by its name."""
    found: dict[str, Callable[[], object]] = {}
    for part in PARTS:
        found |= importlib.import_module(f"pictures.{part}").DRAWINGS
    return found


def main() -> None:
    """Draws."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "docs" / "images" / "bits")
    parser.add_argument("name", nargs="*")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    for name, draw in drawings().items():
        if not options.name or name in options.name:
            (options.folder / f"{name}.svg").write_text(draw().svg(), encoding="utf-8")


if __name__ == "__main__":
    main()
