"""A user's folder of captioned pictures as a source of pairs (metadata.csv or metadata.jsonl, the ImageFolder convention)."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hartley import files
from hartley.data.metadata import Row, inside, pictures_below, read_rows, shown, table_of
from hartley.data.pairs import Pairs
from hartley.data.pictures import Fit, check_header, read_picture
from hartley.data.sounds import read_sound
from hartley.data.symbols import Symbols, from_captions, from_labels
from hartley.errors import InputError

FEWEST_HELD_OUT = 20
CACHE_BYTES = 128 * 2**20
DRAW_BYTES = 640 * 2**20

PHRASES = (
    "The train to the harbor leaves at noon.",
    "Seven green umbrellas are in the hallway.",
    "Please water the ferns on Thursday.",
    "The library closes early in winter.",
)
FOLLOW_UPS = ("Tell me more about it.", "What else is there?", "And what is it about?")

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Item:
    """One picture of the folder: `where` names its row; `digest` is the sha256 of the file's content."""

    where: str
    path: Path
    digest: str
    captions: tuple[str, ...]
    label: str | None
    audio: Path | None
    question: str | None = None
    answer: str | None = None
    options: tuple[str, ...] = ()


class FolderData:
    """Captioned pictures from a folder; satisfies `Data`.

    path        the folder, with metadata.csv or metadata.jsonl: file_name, caption (or text), optional label, prompt, audio; and for
                models that answer in words question, answer and options. Where there are answers, they are what a picture shows.
    image_size  (height, width) that the target works at; squash, mode: how a picture gets there (see `Fit`).
    sample_rate, seconds  how sounds are cut or padded.
    validate    decode every picture and sound once now; otherwise only the headers are read, and a damaged file raises
                InputError from `draw`. Switch it off where another process has checked the folder already.
    progress    called with (what, done, total) while files are read.

    Half of each label's pictures, by the order of their content's hash, are "held-out"; the others are "train". Byte-for-
    byte copies count as one picture, so no copy lies on both sides. `notes` are plain sentences about what was assumed.

    Raises InputError, in one line that names file and line, for anything in the folder that cannot be used.
    """

    def __init__(
        self,
        path: str | Path,
        image_size: tuple[int, int],
        *,
        squash: bool = False,
        mode: str = "bicubic",
        sample_rate: int = 16_000,
        seconds: float = 3.0,
        validate: bool = True,
        progress: Progress = lambda *_: None,
    ) -> None:
        self._folder, self._fit = Path(path), Fit(image_size, squash, mode)
        self._sample_rate, self._samples = sample_rate, round(sample_rate * seconds)
        self.name = f"folder:{self._folder.resolve().name}"
        table = table_of(self._folder)
        rows = read_rows(table)
        self._items, merged = _items(self._folder, rows, progress)
        where = str(self._folder / table.name)
        self._symbols = _symbols(where, rows, self._items)
        self._parts = _halves(self._items, self._symbols)
        if len(self._items) < 2 * FEWEST_HELD_OUT or len(self._parts["held-out"]) < FEWEST_HELD_OUT:
            got = f"{len(self._items)} pictures"
            raise InputError(f"{where}: names {got}; at least {2 * FEWEST_HELD_OUT} are accepted, since half are held out for measuring")
        self._cache: dict[int, NDArray[np.uint8]] = {}
        if validate:
            self._check(progress)
        self.notes = self._notes(merged)
        self.fingerprint = self._fingerprint(_digest(table))

    def draw(self, count: int, generator: torch.Generator, *, part: str = "held-out", speech: bool = False) -> Pairs:
        """Up to `count` pictures of "held-out" or "train", as even over the labels as there are pictures, in random order.

        A picture with several captions gets one of them by chance; the gallery is the distinct captions of this draw.
        With `speech` the recordings come along. A draw takes at most 640 MB of pixels and samples. Raises ValueError for
        another part or a count below 1.
        """
        if part not in self._parts or count < 1:
            raise ValueError(f"part {part!r}, count {count}; 'held-out' or 'train' and a count of at least 1 are accepted")
        pools = [[i for i in self._parts[part] if self._symbols.of[i] == k] for k in range(len(self._symbols.names))]
        chosen, prior = _balanced(pools, min(count, self.largest_draw), generator)
        items = [self._items[i] for i in chosen]
        captions = tuple(item.captions[_below(len(item.captions), generator)] for item in items)
        gallery = tuple(dict.fromkeys(sorted(captions)))
        place = {caption: m for m, caption in enumerate(gallery)}
        labels = torch.tensor([self._symbols.of[i] for i in chosen], dtype=torch.int64)
        concepts = torch.tensor([place[caption] for caption in captions], dtype=torch.int64)
        votes = torch.zeros(len(gallery), len(self._symbols.names), dtype=torch.int64)
        votes.index_put_((concepts, labels), torch.ones_like(labels), accumulate=True)
        return Pairs(
            images=self._images(chosen),
            captions=captions,
            caption_sets=tuple(item.captions for item in items),
            labels=labels,
            label_names=self._symbols.names,
            label_prior=prior,
            prompts=self._symbols.prompts,
            gallery=gallery,
            gallery_labels=votes.argmax(dim=1),
            concepts=concepts,
            audio=self._audio(items) if speech else None,
            questions=tuple(_asked(item) for item in items if item.question),
            second_questions=tuple(f"About the second picture: {_asked(item)}" for item in items if item.question),
        )

    def phrases(self, family: str) -> tuple[str, ...]:
        """Harmless sentences that nobody's picture or sound is about."""
        del family
        return PHRASES

    def follow_ups(self, family: str) -> tuple[str, ...]:
        """Questions that may follow any answer."""
        del family
        return FOLLOW_UPS

    def restricted(self) -> None:
        """Nothing: what somebody else's generator draws has no judge here."""

    @property
    def largest_draw(self) -> int:
        """How many pictures one draw can hold at this size."""
        height, width = self._fit.size
        samples = self._samples if self._items[0].audio is not None else 0
        return max(1, DRAW_BYTES // (4 * (3 * height * width + samples)))

    def _images(self, chosen: Sequence[int]) -> Tensor:
        images = torch.empty(len(chosen), 3, *self._fit.size)
        for place, i in enumerate(chosen):
            images[place] = torch.from_numpy(self._picture(i)).permute(2, 0, 1)
        return images.div_(255.0)

    def _picture(self, i: int) -> NDArray[np.uint8]:
        """Decoded once while the cache has room; a folder that does not fit is decoded again at each draw."""
        if i in self._cache:
            return self._cache[i]
        picture = read_picture(self._items[i].path, self._fit, self._items[i].where)
        if (len(self._cache) + 1) * picture.nbytes <= CACHE_BYTES:
            self._cache[i] = picture
        return picture

    def _audio(self, items: Sequence[Item]) -> Tensor | None:
        sounds = [read_sound(item.audio, self._sample_rate, self._samples, item.where) for item in items if item.audio is not None]
        return torch.from_numpy(np.stack(sounds)) if sounds else None

    def _check(self, progress: Progress) -> None:
        for i, item in enumerate(self._items):
            self._picture(i)
            if item.audio is not None:
                read_sound(item.audio, self._sample_rate, self._samples, item.where)
            progress("checking pictures", i + 1, len(self._items))

    def _notes(self, merged: int) -> tuple[str, ...]:
        notes = [self._symbols.note] if self._symbols.note else []
        if merged:
            notes.append(f"{merged} pictures are byte-for-byte copies of others; each counts once, with the first one's label.")
        if max(map(len, self._parts.values())) > self.largest_draw:
            height, width = self._fit.size
            notes.append(f"At {width} x {height} pixels one draw holds at most {self.largest_draw} pictures, to keep within memory.")
        return tuple(notes)

    def _fingerprint(self, table: str) -> str:
        sounds = sorted({item.audio for item in self._items if item.audio is not None})
        deciding = [
            "folder 1",
            table,
            [item.digest for item in self._items],
            [_digest(path) for path in sounds],
            [self._fit.size, self._fit.squash, self._fit.mode, self._sample_rate, self._samples],
            [self._symbols.of, self._symbols.names, self._symbols.prompts],
        ]
        if any(item.question for item in self._items):
            deciding.append([_asked(item) for item in self._items])
        return hashlib.sha256(json.dumps(deciding).encode()).hexdigest()


def _items(folder: Path, rows: Sequence[Row], progress: Progress) -> tuple[tuple[Item, ...], int]:
    """The pictures that the rows name, in the order of their first row, and how many copies were merged into others."""
    by_path: dict[Path, list[Row]] = {}
    known: dict[str, Path] = {}
    for row in rows:
        if row.file_name not in known:
            known[row.file_name] = inside(folder, row.file_name, row.where)
        by_path.setdefault(known[row.file_name], []).append(row)
    if loose := [name for name in pictures_below(folder) if Path(os.path.realpath(folder / name)) not in by_path]:
        raise InputError(f"{folder}: {len(loose)} pictures have no caption, first {shown(loose[0])}; add rows for them or take them out")
    by_digest: dict[str, Item] = {}
    for done, (path, own) in enumerate(by_path.items()):
        check_header(path, own[0].where)
        item = _item(folder, path, own)
        first = by_digest.get(item.digest, item)
        by_digest[item.digest] = Item(
            first.where,
            first.path,
            first.digest,
            tuple(dict.fromkeys(first.captions + item.captions)),
            first.label,
            first.audio or item.audio,
            first.question,
            first.answer,
            first.options,
        )
        progress("reading pictures", done + 1, len(by_path))
    items = tuple(by_digest.values())
    for column in ("label", "audio", "question"):
        filled = [getattr(item, column) is not None for item in items]
        if any(filled) and not all(filled):
            bare = items[filled.index(False)]
            raise InputError(f"{bare.where}: has no {column}, other rows have one; either every picture has one or none has")
    return items, len(by_path) - len(items)


def _item(folder: Path, path: Path, rows: Sequence[Row]) -> Item:
    labels = {row.label: row for row in rows if row.label is not None}
    if len(labels) > 1:
        first, second = list(labels)[:2]
        raise InputError(
            f"{labels[second].where}: {path.name} has the labels {shown(first)} and {shown(second)}; one a picture is accepted"
        )
    asked = {(row.question, row.answer, row.options): row for row in rows if row.question is not None}
    if len(asked) > 1:
        raise InputError(f"{list(asked.values())[1].where}: {path.name} has a second question; one a picture is accepted")
    audio = next(((row.audio, row.where) for row in rows if row.audio is not None), None)
    captions = tuple(dict.fromkeys(row.caption for row in rows))
    heard = inside(folder, *audio) if audio else None
    question, answer, options = next(iter(asked), (None, None, ()))
    return Item(rows[0].where, path, _digest(path), captions, next(iter(labels), None), heard, question, answer, options)


def _asked(item: Item) -> str:
    """The question, with its options where there are some."""
    return f"{item.question} Answer with one of: {', '.join(item.options)}." if item.options else str(item.question)


def _digest(path: Path) -> str:
    with files.opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _symbols(where: str, rows: Sequence[Row], items: Sequence[Item]) -> Symbols:
    answers = [item.answer for item in items if item.answer is not None]
    if answers:
        return from_labels(where, answers, {})
    labels = [item.label for item in items if item.label is not None]
    if not labels:
        return from_captions(where, [item.captions for item in items])
    prompts: dict[str, str] = {}
    for row in rows:
        if row.label is not None and row.prompt is not None and prompts.setdefault(row.label, row.prompt) != row.prompt:
            raise InputError(f"{row.where}: the label {shown(row.label)} has a second prompt, {shown(row.prompt)}; one a label is accepted")
    return from_labels(where, labels, prompts)


def _halves(items: Sequence[Item], symbols: Symbols) -> dict[str, list[int]]:
    """Indexes by part: every other picture of each symbol, in the order of the content's hash."""
    parts: dict[str, list[int]] = {"held-out": [], "train": []}
    for k in range(len(symbols.names)):
        own = sorted((i for i in range(len(items)) if symbols.of[i] == k), key=lambda i: items[i].digest)
        parts["held-out"] += own[0::2]
        parts["train"] += own[1::2]
    return parts


def _below(count: int, generator: torch.Generator) -> int:
    return int(torch.randint(count, (1,), generator=generator)) if count > 1 else 0


def _balanced(pools: Sequence[Sequence[int]], count: int, generator: torch.Generator) -> tuple[list[int], Tensor]:
    """Up to `count` members, no pool giving more than its share while others can, and the law of pools they follow.

    The share is a water level: a pool gives min(size, level). What a whole number of members leaves over goes to pools
    chosen by chance among those above the level, so that the law holds exactly on average.
    """
    sizes = torch.tensor([len(pool) for pool in pools], dtype=torch.float64)
    count = min(count, int(sizes.sum()))
    level, left = 0.0, float(count)
    for place, size in enumerate(sorted(sizes.tolist())):
        level = left / (len(pools) - place)
        if size >= level:
            break
        left -= size
    prior = torch.minimum(sizes, torch.tensor(level, dtype=torch.float64)) / count
    given = torch.minimum(sizes, torch.tensor(float(int(level)), dtype=torch.float64)).long()
    for k in torch.randperm(len(pools), generator=generator).tolist():
        if int(given.sum()) < count and sizes[k] > given[k]:
            given[k] += 1
    chosen = [pool[j] for pool, quota in zip(pools, given.tolist(), strict=True) for j in _some(len(pool), quota, generator)]
    return [chosen[j] for j in torch.randperm(len(chosen), generator=generator).tolist()], prior


def _some(size: int, quota: int, generator: torch.Generator) -> list[int]:
    drawn: list[int] = torch.randperm(size, generator=generator)[:quota].tolist()
    return drawn
