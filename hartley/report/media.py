"""Pictures and sound of a run as data URIs: only checked PNG and WAV files, from inside the run's media folder, by their hashed names."""

from __future__ import annotations

import base64
import hashlib
import io
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hartley import files
from hartley.errors import InputError

PICTURE_BYTES, SOUND_BYTES = 2 * 2**20, 4 * 2**20
PICTURE_PIXELS = 2048 * 2048
_NAME = re.compile(r"media/([0-9a-f]{24})\.(png|wav)")
_MAGMA = np.array(
    [
        (0, 0, 4),
        (28, 16, 68),
        (79, 18, 123),
        (129, 37, 129),
        (181, 54, 122),
        (229, 80, 100),
        (251, 135, 97),
        (254, 194, 135),
        (252, 253, 191),
    ],
    dtype=np.float64,
)
SPECTRUM_RANGE_DB = 70.0


@dataclass(frozen=True)
class Media:
    """One file, ready to be shown, or the reason why it is not."""

    uri: str = ""
    note: str = ""
    width: int = 0
    height: int = 0
    content: bytes = b""


@dataclass
class MediaStore:
    """The media of a run, with a budget of bytes for the whole report: what does not fit is named instead of shown."""

    run: Path
    budget_bytes: int = 6 * 2**20
    left_out: int = 0
    _known: dict[str, Media] = field(default_factory=dict)

    def picture(self, name: Any) -> Media:
        """A PNG as a data URI with its size in pixels."""
        return self._get(name, "png", PICTURE_BYTES)

    def sound(self, name: Any) -> Media:
        """A WAV as a data URI, its bytes kept for a spectrogram."""
        return self._get(name, "wav", SOUND_BYTES)

    def made(self, content: bytes, width: int, height: int) -> Media:
        """A picture made here, under the same budget."""
        return self._spend(Media("data:image/png;base64," + base64.b64encode(content).decode(), "", width, height))

    def _get(self, name: Any, ending: str, limit: int) -> Media:
        if not isinstance(name, str):
            return Media(note="the run names no file")
        if name not in self._known:
            self._known[name] = self._read(name, ending, limit)
        media = self._known[name]
        return self._spend(media) if media.uri else media

    def _spend(self, media: Media) -> Media:
        if len(media.uri) > self.budget_bytes:
            self.left_out += 1
            return Media(note="left out to keep this file small; it is in the run's media folder")
        self.budget_bytes -= len(media.uri)
        return media

    def _read(self, name: str, ending: str, limit: int) -> Media:
        match = _NAME.fullmatch(name)
        if match is None or match.group(2) != ending:
            return Media(note=f"not shown: not the name of a {ending.upper()} file in the run's media folder")
        path = self.run / name
        try:
            content = files.read(path, limit, root=self.run)
        except files.MissingError:
            return Media(note="not shown: the file is missing")
        except InputError as error:
            large = "bytes; up to" in str(error)
            return Media(note=f"not shown: larger than {limit // 2**20} MiB" if large else "not shown: the file is missing")
        if hashlib.sha256(content).hexdigest()[:24] != match.group(1):
            return Media(note="not shown: the file is not the one that its name promises")
        return _png(content) if ending == "png" else _wav(content)


def _png(content: bytes) -> Media:
    from PIL import Image

    if not content.startswith(b"\x89PNG\r\n\x1a\n"):
        return Media(note="not shown: not a PNG")
    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
            width, height = picture.size
            if width * height > PICTURE_PIXELS:
                return Media(note="not shown: too many pixels")
            picture.load()
    except Exception:  # a damaged PNG fails in many ways
        return Media(note="not shown: the PNG is damaged")
    return Media("data:image/png;base64," + base64.b64encode(content).decode(), "", width, height)


def _wav(content: bytes) -> Media:
    if content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        return Media(note="not played: not a WAV")
    try:
        waveform(content)
    except Exception:  # likewise
        return Media(note="not played: the WAV is damaged")
    return Media("data:audio/wav;base64," + base64.b64encode(content).decode(), "", content=content)


def waveform(content: bytes) -> tuple[int, NDArray[np.float64]]:
    """Sample rate in Hz and (samples,) in [-1, 1]; several channels are averaged. Raises ValueError for what is no PCM sound."""
    from scipy.io import wavfile

    rate, raw = wavfile.read(io.BytesIO(content))
    samples = np.asarray(raw)
    if samples.ndim == 2:
        samples = samples.mean(axis=1) if np.issubdtype(samples.dtype, np.floating) else samples.mean(axis=1).astype(samples.dtype)
    if np.issubdtype(samples.dtype, np.integer):
        samples = samples / float(np.iinfo(samples.dtype).max)
    samples = samples.astype(np.float64)
    if not 1_000 <= rate <= 384_000 or samples.size < 64 or not np.isfinite(samples).all():
        raise ValueError("not a sound that can be drawn")
    return int(rate), samples


def spectrogram_db(samples: NDArray[np.float64], rate: int) -> NDArray[np.float64]:
    """Power in dB, (frequencies up to 8 kHz, low first; times). 25 ms windows, 10 ms steps or longer."""
    from scipy.signal import spectrogram

    window = min(max(64, int(0.025 * rate)), samples.size)
    step = max(int(0.010 * rate), samples.size // 600, 1)
    frequencies, _, power = spectrogram(samples, rate, nperseg=window, noverlap=max(0, window - step))
    shown = power[frequencies <= 8_000]
    return np.asarray(10.0 * np.log10(shown + 1e-14), dtype=np.float64)


def spectrum_png(decibels: NDArray[np.float64], top_db: float) -> tuple[bytes, int, int]:
    """A picture of a spectrogram, low frequencies at the bottom; `top_db` is the brightest, 70 dB below it the darkest."""
    from PIL import Image

    level = np.clip((decibels - (top_db - SPECTRUM_RANGE_DB)) / SPECTRUM_RANGE_DB, 0.0, 1.0)[::-1] * (len(_MAGMA) - 1)
    below = np.minimum(level.astype(np.int64), len(_MAGMA) - 2)
    part = (level - below)[..., None]
    colors = (_MAGMA[below] * (1 - part) + _MAGMA[below + 1] * part).round().astype(np.uint8)
    buffer = io.BytesIO()
    picture = Image.fromarray(colors, "RGB").quantize(64)
    picture.save(buffer, "PNG", optimize=True)
    return buffer.getvalue(), picture.width, picture.height
