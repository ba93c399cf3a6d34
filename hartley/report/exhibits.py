"""Which trials are shown, with their pictures, sound, spectrograms and curves ready for the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hartley.report.lines import NONE
from hartley.report.media import Media, MediaStore, spectrogram_db, spectrum_png, waveform
from hartley.report.numbers import real
from hartley.report.outbreak import Drawn, Series, drawn, measured
from hartley.report.records import Cell, Exhibit

MOST_PER_ARM, MOST_GUARDED = 4, 2
"""Exhibits shown of one channel and arm: without a defense, and of a system under each safeguard."""
USER = "user"
ALONE = {"attacked": "clean", "defended_attacked": "defended", "defended_adaptive": "defended"}
"""The arm in which the same system meets the same task without the attack."""


@dataclass(frozen=True)
class Sound:
    """A waveform and its spectrogram."""

    label: str
    media: Media
    spectrum: Media


@dataclass(frozen=True)
class Shown:
    """An exhibit with its media; `pictures` are (label, media), `amplified` is the factor of the difference.

    clean: the same task of the same system without the attack, to stand beside it. outbreak: a society's curves and graph.
    """

    exhibit: Exhibit
    pictures: tuple[tuple[str, Media], ...]
    amplified: float | None
    sounds: tuple[Sound, ...]
    clean: Exhibit | None = None
    outbreak: Drawn | None = None

    @property
    def shared(self) -> int:
        """How many turns the conversations begin with that are the same with and without the attack."""
        pairs = zip(self.exhibit.transcript, self.clean.transcript if self.clean is not None else (), strict=False)
        return next((at for at, (one, other) in enumerate(pairs) if one != other), 0)


def chosen(cells: Sequence[Cell], shelf: MediaStore) -> Mapping[int, tuple[Shown, ...]]:
    """By id() of the cell, the exhibits that are shown, a few a channel and arm. First ones come first to the shelf's budget.

    A conversation or a retrieval without the attack is no exhibit of its own where it stands beside the one under attack.
    """
    ranked: list[tuple[int, int, Cell, Exhibit]] = []
    for place, cell in enumerate(cells):
        counts: dict[tuple[str, str], int] = {}
        paired = {id(other) for exhibit in cell.exhibits if (other := beside(exhibit, cell)) is not None}
        for exhibit in cell.exhibits:
            if id(exhibit) in paired:
                continue
            nth = counts.setdefault((exhibit.channel, exhibit.arm), 0)
            counts[(exhibit.channel, exhibit.arm)] += 1
            if nth < (MOST_GUARDED if exhibit.of_system and cell.defense != NONE else MOST_PER_ARM):
                ranked.append((nth if cell.defense == NONE else nth + MOST_PER_ARM, place, cell, exhibit))
    ranked.sort(key=lambda item: item[:2])
    result: dict[int, list[Shown]] = {}
    for _, _, cell, exhibit in ranked:
        if not any(shown.exhibit is exhibit for shown in result.get(id(cell), [])):
            result.setdefault(id(cell), []).append(_shown(exhibit, cell, shelf, _unguarded(exhibit, cell, cells)))
    # Trials under attack first; stable, so that among them the order stays.
    return {
        key: tuple(sorted(items, key=lambda item: item.exhibit.of_system and item.exhibit.arm not in ALONE))
        for key, items in result.items()
    }


def beside(exhibit: Exhibit, cell: Cell) -> Exhibit | None:
    """The cell's exhibit of the same task and channel without the attack; None where there is none, or nothing to set beside it."""
    if not (exhibit.transcript or exhibit.found) or exhibit.arm not in ALONE:
        return None
    wanted = (exhibit.channel, ALONE[exhibit.arm], exhibit.intent)
    alike = [other for other in cell.exhibits if (other.channel, other.arm, other.intent) == wanted and other.of_system]
    return next((other for other in alike if asked(other) == asked(exhibit)), None)


def asked(exhibit: Exhibit) -> tuple[str, str]:
    """The question and the first words of a user, so that two trials of one kind of task are not taken for the same task."""
    spoken = next((turn for turn in exhibit.transcript if turn.role == USER), None)
    words = "".join(piece.text for piece in spoken.pieces if piece.trusted) if spoken is not None else ""
    return str(exhibit.text.get("clean", "")) if exhibit.text is not None else "", words if not exhibit.found else ""


def wrong_before(exhibit: Exhibit, cell: Cell) -> bool:
    """Whether a trial under attack was not right without the attack either, so that it shows nothing of the attack.

    Told apart where intents and outcomes of the channel are spoken of in the same words; a task and what was done about it are not.
    """
    if exhibit.arm not in ALONE or exhibit.outcome_clean == exhibit.intent:
        return False
    alike = [other for other in cell.exhibits if other.channel == exhibit.channel]
    return not exhibit.of_system or any(other.intent == other.outcome_clean for other in alike)


def _unguarded(exhibit: Exhibit, cell: Cell, cells: Sequence[Cell]) -> Series:
    """The infection curve of the same society without a safeguard, where this cell has one: a delay is no stop."""
    if exhibit.spreading is None or cell.defense == NONE:
        return ()
    same = [
        other
        for other in cells
        if other.defense == NONE and (other.threat, other.target, other.seed) == (cell.threat, cell.target, cell.seed)
    ]
    found = [other.spreading for one in same for other in one.exhibits if other.channel == exhibit.channel and other.arm == "attacked"]
    return next((measured(spread) for spread in found if spread is not None and measured(spread)), ())


def _shown(exhibit: Exhibit, cell: Cell, shelf: MediaStore, unguarded: Series) -> Shown:
    pictures: list[tuple[str, Media]] = []
    amplified = None
    if exhibit.image is not None:
        amplified = real(exhibit.image.get("amplified"))
        pictures = [(part, shelf.picture(exhibit.image.get(part))) for part in ("clean", "attacked", "difference")]
    sounds: tuple[Sound, ...] = ()
    if exhibit.audio is not None:
        sounds = _sounds(shelf.sound(exhibit.audio.get("clean")), shelf.sound(exhibit.audio.get("attacked")), shelf)
    outbreak = drawn(exhibit.spreading, unguarded) if exhibit.spreading is not None else None
    return Shown(exhibit, tuple(pictures), amplified, sounds, beside(exhibit, cell), outbreak)


def _sounds(clean: Media, attacked: Media, shelf: MediaStore) -> tuple[Sound, ...]:
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
