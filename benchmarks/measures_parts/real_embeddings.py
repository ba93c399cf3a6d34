"""Real embeddings with a known answer: same-class pairing of the reference encoder's held-out embeddings through bit flips."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from hartley.bits.continuous import continuous_information
from hartley.bits.known import same_class_pairing
from hartley.bits.tables import binary_entropy_bits
from measures_parts.line import Line

TITLE = "Real embeddings: same-class pairing, N = 10,000, held-out images and audio of the reference encoder"
ROWS = 10_000
IMAGES, PHRASES = 10_000, 12_000
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""The information as a share of log2 K."""


def lines() -> Iterator[Line | str]:
    start = time.process_time()
    pools = {"images": embedded("images", IMAGES), "audio": embedded("audio", PHRASES)}
    yield f"embedded in {time.process_time() - start:.0f} CPU s; classes are chosen from what the scenes and phrases hold, as named"
    yield f"{'pool':8} {'K':>3} {'truth':>7} {'point':>7} {'error':>7}  {'low':>6} {'high':>6}  verdict"
    errors: dict[str, list[float]] = {"images": [], "audio": []}
    inside: list[bool] = []
    for pool, size in (*(("images", k) for k in (2, 4, 8, 32)), *(("audio", k) for k in (2, 4, 8))):
        rows, label = classes(pool, size, *pools[pool])
        half = len(rows) // 2
        for share in SHARES:
            task = same_class_pairing(rows[:half], label[:half], rows[half:], label[half:], flip_for(share))
            bits = continuous_information(*task.sample(ROWS, np.random.default_rng(size)))
            point = bits.checks.get("point_bits", 0.0) if bits.value is None else bits.value
            errors[pool].append(abs(point - task.truth_bits))
            inside.append((bits.low or 0.0) <= task.truth_bits + 1e-9 and (bits.high is None or bits.high >= task.truth_bits))
            high = "-" if bits.high is None else f"{bits.high:.3f}"
            yield (
                f"{pool:8} {size:3} {task.truth_bits:7.3f} {point:7.3f} {point - task.truth_bits:+7.3f}  {bits.low or 0.0:6.3f} {high:>6}  "
                + ("given" if bits.trusted else f"withheld: {bits.why[:60]}")
            )
    for pool, found in errors.items():
        mean = float(np.mean(found))
        yield Line("show 4", f"{pool}: mean absolute error, 0 to log2 K bits", f"{mean:.3f} bits", "<= 0.03", mean <= 0.03)
    yield Line("show 4", "truth inside [low, high]", f"{np.mean(inside):.0%} of {len(inside)}", ">= 93%", bool(np.mean(inside) >= 0.93))


def embedded(modality: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    """(embeddings (count, d), concept (count,) 0 to 239) of held-out scenes or phrases."""
    import torch

    from hartley.targets.embedding import embed_audio, embed_images
    from hartley.targets.reference.data import ReferenceData
    from hartley.targets.reference.encoder import load

    encoder, data, generator = load(), ReferenceData(), torch.Generator().manual_seed(11)
    rows, concepts = [], []
    for _ in range(count // 250):
        pairs = data.draw(250, generator, speech=modality == "audio")
        if pairs.audio is None:
            rows.append(embed_images(encoder, pairs.images).numpy())
        else:
            rows.append(embed_audio(encoder, pairs.audio).numpy())
        concepts.append(pairs.concepts.numpy())
    return np.concatenate(rows).astype(np.float64), np.concatenate(concepts)


def classes(pool: str, size: int, rows: np.ndarray, concept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of `size` classes and their label: where a digit stands, its color and which of two it is (images), or which digit
    is said (audio). These are what each tower tells apart almost without error; where it errs the truth is a little lower."""
    digit, color, place = concept // 24, concept // 4 % 6, concept % 4
    if pool == "audio":
        kept, label = digit < size, digit
    elif size <= 4:
        kept, label = digit >= 0, place if size == 4 else place // 2
    elif size == 8:
        kept, label = color < 2, place * 2 + color
    else:
        kept, label = (color < 4) & (digit < 2), (place * 4 + color) * 2 + digit
    return rows[kept], label[kept]


def flip_for(share: float) -> float:
    """The flip probability at which a binary symmetric channel carries `share` bits; by bisection."""
    low, high = 0.0, 0.5
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if 1 - binary_entropy_bits(middle) > share else (low, middle)
    return (low + high) / 2 if share < 1 else 0.0
