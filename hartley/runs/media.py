"""Exhibits as files and JSON: pictures as PNG, the amplified difference, waveforms as WAV; transcripts, retrievals, spreading."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hartley.exhibit import FATES

if TYPE_CHECKING:
    from hartley.exhibit import Exhibit, Line, Spreading

MIDDLE = 128
MOST_AMPLIFIED = 64.0


def png(picture: NDArray[np.uint8]) -> bytes:
    """(height, width, 3) uint8 to PNG. Raises ValueError for another shape or type."""
    from PIL import Image

    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
        raise ValueError(f"exhibit picture: got {picture.dtype} {picture.shape}, takes uint8 (height, width, 3)")
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture), "RGB").save(buffer, "PNG")
    return buffer.getvalue()


def wav(waveform: NDArray[np.float32], sample_rate: int) -> bytes:
    """(samples,) in [-1, 1] to 16-bit WAV; what lies outside is clipped. Raises ValueError for another shape or NaN."""
    import soundfile

    samples = np.asarray(waveform, dtype=np.float64)
    if samples.ndim != 1 or not np.isfinite(samples).all():
        raise ValueError(f"exhibit waveform: got shape {samples.shape}, takes finite samples of shape (samples,)")
    buffer = io.BytesIO()
    # Rounded here, so that the 16-bit values do not hang on the library's own rounding.
    whole = np.round(np.clip(samples, -1.0, 1.0) * 32767.0).astype(np.int16)
    soundfile.write(buffer, whole, sample_rate, format="WAV", subtype="PCM_16")
    return buffer.getvalue()


def difference(clean: NDArray[np.uint8], attacked: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], float]:
    """attacked - clean around middle gray, times the largest power of two that stays in range (at most 64), and that factor."""
    if clean.shape != attacked.shape:
        raise ValueError(f"exhibit pictures: clean is {clean.shape} and attacked {attacked.shape}; they must agree")
    change = attacked.astype(np.int64) - clean.astype(np.int64)
    largest = int(np.abs(change).max(initial=0))
    factor = 1.0
    while largest and factor < MOST_AMPLIFIED and largest * factor * 2 < MIDDLE:
        factor *= 2.0
    shown = np.clip(np.round(change * factor) + MIDDLE, 0, 255).astype(np.uint8)
    return shown, factor


def record(exhibit: Exhibit, keep: Callable[[bytes, str], str]) -> dict[str, Any]:
    """The exhibit as the cell's JSON holds it; `keep(content, ending)` stores a file and gives its name.

    What a trial of a system left (transcript, found, spreading) is a key only where there is any, so that the records of
    models stay as they were. Figures that are not finite become null. Words without attacked ones are the same under attack.
    Raises ValueError when any other part lacks its counterpart, for a call of unknown fate, and for a graph that does not
    fit its nodes.
    """
    return {
        "channel": exhibit.channel,
        "arm": exhibit.arm,
        "intent": exhibit.intent,
        "adversary": exhibit.adversary,
        "outcome_clean": exhibit.outcome_clean,
        "outcome_attacked": exhibit.outcome_attacked,
        "image": _image(exhibit, keep),
        "audio": _audio(exhibit, keep),
        "text": _text(exhibit),
        **_system(exhibit),
    }


def _system(exhibit: Exhibit) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    if exhibit.transcript:
        parts["transcript"] = [_line(line) for line in exhibit.transcript]
    if exhibit.found:
        parts["found"] = [
            {
                "rank": int(entry.rank),
                "text": entry.text,
                "source": entry.source,
                "trusted": bool(entry.trusted),
                "planted": bool(entry.planted),
                "similarity": _finite(entry.similarity),
            }
            for entry in exhibit.found
        ]
    if exhibit.spreading is not None:
        parts["spreading"] = _spreading(exhibit.spreading)
    return parts


def _line(line: Line) -> dict[str, Any]:
    spans = [{"text": span.text, "trusted": bool(span.trusted), "planted": bool(span.planted)} for span in line.spans]
    record: dict[str, Any] = {"role": line.role, "spans": spans}
    if line.call or line.fate:
        if not line.call or line.fate not in FATES:
            raise ValueError(f"exhibit transcript: the call {line.call!r} has the fate {line.fate!r}, takes one of {', '.join(FATES)}")
        record |= {"call": line.call, "fate": line.fate, "why": line.why}
    return record


def _spreading(spreading: Spreading) -> dict[str, Any]:
    nodes, edges = int(spreading.nodes), [(int(a), int(b)) for a, b in spreading.edges]
    if len(spreading.infected) not in (0, nodes):
        raise ValueError(f"exhibit spreading: {len(spreading.infected)} rounds of infection for {nodes} nodes, takes one each")
    if any(not 0 <= end < nodes for edge in edges for end in edge):
        raise ValueError(f"exhibit spreading: an edge leads beyond the {nodes} nodes")
    if len(spreading.low) != len(spreading.high):
        raise ValueError(f"exhibit spreading: {len(spreading.low)} lower and {len(spreading.high)} upper limits")
    return {
        "shares": {name: [_finite(share) for share in curve] for name, curve in spreading.shares.items()},
        "low": [_finite(share) for share in spreading.low],
        "high": [_finite(share) for share in spreading.high],
        "nodes": nodes,
        "edges": [list(edge) for edge in edges],
        "infected": [int(first) for first in spreading.infected],
        "facts": [[name, said] for name, said in spreading.facts],
    }


def _finite(value: float) -> float | None:
    number = float(value)
    return number if math.isfinite(number) else None


def _image(exhibit: Exhibit, keep: Callable[[bytes, str], str]) -> dict[str, Any] | None:
    if not _both("image", exhibit.image_clean, exhibit.image_attacked):
        return None
    assert exhibit.image_clean is not None and exhibit.image_attacked is not None
    shown, factor = difference(exhibit.image_clean, exhibit.image_attacked)
    return {
        "clean": keep(png(exhibit.image_clean), "png"),
        "attacked": keep(png(exhibit.image_attacked), "png"),
        "difference": keep(png(shown), "png"),
        "amplified": factor,
    }


def _audio(exhibit: Exhibit, keep: Callable[[bytes, str], str]) -> dict[str, Any] | None:
    if not _both("audio", exhibit.audio_clean, exhibit.audio_attacked):
        return None
    assert exhibit.audio_clean is not None and exhibit.audio_attacked is not None
    if exhibit.sample_rate is None:
        raise ValueError("exhibit: a waveform needs its sample_rate")
    return {
        "clean": keep(wav(exhibit.audio_clean, exhibit.sample_rate), "wav"),
        "attacked": keep(wav(exhibit.audio_attacked, exhibit.sample_rate), "wav"),
        "sample_rate": exhibit.sample_rate,
    }


def _text(exhibit: Exhibit) -> dict[str, Any] | None:
    if exhibit.text_attacked is None and exhibit.text_clean is not None:
        return {"clean": exhibit.text_clean, "attacked": exhibit.text_clean}
    if not _both("text", exhibit.text_clean, exhibit.text_attacked):
        return None
    return {"clean": exhibit.text_clean, "attacked": exhibit.text_attacked}


def _both(what: str, clean: object, attacked: object) -> bool:
    if (clean is None) != (attacked is None):
        raise ValueError(f"exhibit: {what}_clean and {what}_attacked must be given together")
    return clean is not None
