"""Reading one sound file: mono, at the target's rate and length."""

from __future__ import annotations

import io
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hartley import files
from hartley.errors import InputError

FORMATS = ("WAV", "WAVEX", "FLAC", "OGG")
ACCEPTED = "WAV, FLAC and OGG"
RATES = (4_000, 192_000)
MOST_CHANNELS = 16
LARGEST_FILE = 256 * 2**20
LOUDEST = 4.0
"""Float files may pass 1.0 a little and are cut there; far beyond it the samples are in another unit."""


def read_sound(path: Path, sample_rate: int, samples: int, where: str) -> NDArray[np.float32]:
    """The first `samples` at `sample_rate` Hz, channels averaged, in [-1, 1], zeros after the end: float32 (samples,).

    Raises InputError for another type of file, an empty or damaged one, one with NaN, and samples far outside [-1, 1].
    """
    import soundfile
    from scipy.signal import resample_poly

    try:
        with soundfile.SoundFile(io.BytesIO(files.read_named(path, LARGEST_FILE, where))) as file:
            if file.format not in FORMATS:
                raise InputError(f"{where}: {path.name} is {file.format}; {ACCEPTED} are accepted")
            rate = int(file.samplerate)
            if not RATES[0] <= rate <= RATES[1] or file.channels > MOST_CHANNELS:
                got = f"{rate} Hz and {file.channels} channels"
                raise InputError(f"{where}: {path.name} has {got}; {RATES[0]} to {RATES[1]} Hz and up to {MOST_CHANNELS} are accepted")
            needed = math.ceil(samples * rate / sample_rate) + rate // 10  # a tenth more, so that the filter's edge is cut away
            heard = np.asarray(file.read(needed, dtype="float32", always_2d=True), dtype=np.float64)
    except (soundfile.SoundFileError, OSError, ValueError, TypeError) as error:
        reason = str(error).splitlines()[0].replace(str(path), path.name)[:100] if str(error) else type(error).__name__
        raise InputError(f"{where}: {path.name} is not a readable sound ({reason}); {ACCEPTED} are accepted") from None
    if heard.size == 0:
        raise InputError(f"{where}: {path.name} holds no samples; {ACCEPTED} with sound are accepted")
    if not np.isfinite(heard).all():
        raise InputError(f"{where}: {path.name} holds NaN or infinite samples; finite samples in [-1, 1] are accepted")
    if np.abs(heard).max() > LOUDEST:
        raise InputError(f"{where}: {path.name} has samples up to {np.abs(heard).max():g}; samples in [-1, 1] are accepted")
    mono = heard.mean(axis=1)
    if rate != sample_rate:
        step = math.gcd(rate, sample_rate)
        mono = np.asarray(resample_poly(mono, sample_rate // step, rate // step), dtype=np.float64)
    clip = np.zeros(samples, dtype=np.float32)
    kept = np.clip(mono[:samples], -1.0, 1.0)
    clip[: len(kept)] = kept
    return clip
