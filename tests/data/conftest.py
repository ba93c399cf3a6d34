"""Small captioned folders, made afresh for each test."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

FolderMaker = Callable[..., Path]
ANIMALS = ("cat", "dog", "bird")


def noise(seed: int, size: tuple[int, int] = (24, 20)) -> Image.Image:
    """A random RGB picture, `size` as (width, height)."""
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))


def write_table(folder: Path, rows: Sequence[Mapping[str, object]]) -> None:
    with (folder / "metadata.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture
def make_folder(tmp_path: Path) -> FolderMaker:
    """make_folder(count, label=True) writes `count` pictures of three animals in turn and metadata.csv."""

    def make(count: int = 60, *, label: bool = True, name: str = "pets", captions: Sequence[str] | None = None) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        rows: list[dict[str, object]] = []
        for i in range(count):
            noise(i).save(folder / f"{i:03}.png")
            animal = ANIMALS[i % 3]
            row: dict[str, object] = {"file_name": f"{i:03}.png", "caption": captions[i] if captions else f"my {animal} number {i}"}
            rows.append(row | ({"label": animal} if label else {}))
        write_table(folder, rows)
        return folder

    return make
