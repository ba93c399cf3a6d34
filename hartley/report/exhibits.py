"""Which trials are shown, with their pictures, sound and spectrograms ready for the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hartley.report.media import Media, Shelf, spectrogram_db, spectrum_png, waveform
from hartley.report.numbers import real
from hartley.report.records import Cell, Exhibit

MOST_PER_ARM = 4


@dataclass(frozen=True)
class Sound:
    """A waveform and its spectrogram."""

    label: str
    media: Media
    spectrum: Media


@dataclass(frozen=True)
class Shown:
    """An exhibit with its media; `pictures` are (label, media), `amplified` is the factor of the difference."""

    exhibit: Exhibit
    pictures: tuple[tuple[str, Media], ...]
    amplified: float | None
    sounds: tuple[Sound, ...]


def chosen(cells: Sequence[Cell], shelf: Shelf) -> Mapping[int, tuple[Shown, ...]]:
    """By id() of the cell, up to four exhibits a channel and arm. First ones come first to the shelf's budget."""
    ranked: list[tuple[int, int, Cell, Exhibit]] = []
    for place, cell in enumerate(cells):
        counts: dict[tuple[str, str], int] = {}
        for exhibit in cell.exhibits:
            nth = counts.setdefault((exhibit.channel, exhibit.arm), 0)
            counts[(exhibit.channel, exhibit.arm)] += 1
            if nth < MOST_PER_ARM:
                ranked.append((nth if cell.defense == "none" else nth + MOST_PER_ARM, place, cell, exhibit))
    ranked.sort(key=lambda item: item[:2])
    result: dict[int, list[Shown]] = {}
    for _, _, cell, exhibit in ranked:
        if not any(shown.exhibit is exhibit for shown in result.get(id(cell), [])):
            result.setdefault(id(cell), []).append(_shown(exhibit, shelf))
    return {key: tuple(items) for key, items in result.items()}


def _shown(exhibit: Exhibit, shelf: Shelf) -> Shown:
    pictures: list[tuple[str, Media]] = []
    amplified = None
    if exhibit.image is not None:
        amplified = real(exhibit.image.get("amplified"))
        pictures = [(part, shelf.picture(exhibit.image.get(part))) for part in ("clean", "attacked", "difference")]
    sounds: tuple[Sound, ...] = ()
    if exhibit.audio is not None:
        sounds = _sounds(shelf.sound(exhibit.audio.get("clean")), shelf.sound(exhibit.audio.get("attacked")), shelf)
    return Shown(exhibit, tuple(pictures), amplified, sounds)


def _sounds(clean: Media, attacked: Media, shelf: Shelf) -> tuple[Sound, ...]:
    """Both spectrograms on one scale, and that of their difference when they have the same length and rate."""
    drawn = {}
    heard = {}
    for label, media in (("clean", clean), ("attacked", attacked)):
        if media.content:
            rate, samples = waveform(media.content)
            heard[label] = rate, samples
            drawn[label] = spectrogram_db(samples, rate)
    if len(heard) == 2:
        (rate, before), (other, after) = heard["clean"], heard["attacked"]
        if rate == other and before.shape == after.shape:
            drawn["difference"] = spectrogram_db(after - before, rate)
    top_db = max((float(np.max(item)) for item in drawn.values()), default=0.0)
    spectra = {label: shelf.made(*spectrum_png(item, top_db)) for label, item in drawn.items()}
    nothing = Media(note="no spectrogram")
    sounds = [Sound(label, media, spectra.get(label, nothing)) for label, media in (("clean", clean), ("attacked", attacked))]
    if "difference" in spectra:
        sounds.append(Sound("difference", Media(), spectra["difference"]))
    return tuple(sounds)
