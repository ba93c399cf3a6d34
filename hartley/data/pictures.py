"""Reading one picture file safely, and bringing it to the size a target works at."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from hartley import files
from hartley.errors import InputError

FORMATS = ("PNG", "JPEG", "WEBP", "BMP")
ACCEPTED = "PNG, JPEG, WebP and BMP"
SMALLEST_SIDE = 8
MEGAPIXELS = 50
LARGEST_FILE = 256 * 2**20
"""Bytes: more than so many pixels take in any of these formats."""
LONGEST_TO_SHORTEST = 20


@dataclass(frozen=True)
class Fit:
    """How a picture comes to `size` (height, width) pixels.

    squash  scale each side by itself; otherwise scale until it covers `size` and cut the middle out, as CLIP's
            processor does with a shortest edge.
    mode    "bicubic" or "bilinear".
    """

    size: tuple[int, int]
    squash: bool = False
    mode: str = "bicubic"

    def __call__(self, picture: Image.Image) -> NDArray[np.uint8]:
        """An RGB picture to uint8 (height, width, 3), by Pillow, with the rounding of CLIP's PIL processor."""
        height, width = self.size
        if self.squash:
            scaled = (height, width)
        elif picture.height * width < picture.width * height:
            scaled = (height, max(width, int(height * picture.width / picture.height)))
        else:
            scaled = (max(height, int(width * picture.height / picture.width)), width)
        if (picture.height, picture.width) != scaled:
            kernel = Image.Resampling.BILINEAR if self.mode == "bilinear" else Image.Resampling.BICUBIC
            picture = picture.resize((scaled[1], scaled[0]), resample=kernel)
        top, left = (scaled[0] - height) // 2, (scaled[1] - width) // 2
        return np.asarray(picture, dtype=np.uint8)[top : top + height, left : left + width].copy()


def check_header(path: Path, where: str) -> tuple[int, int]:
    """(height, width) from the header alone, nothing decoded.

    Raises InputError for another type of file, and for a picture too small, too large or too long to be used.
    """
    with _opened(path, where) as picture:
        width, height = picture.size
    if min(width, height) < SMALLEST_SIDE:
        raise InputError(f"{where}: {path.name} has {width} x {height} pixels; at least {SMALLEST_SIDE} x {SMALLEST_SIDE} are accepted")
    if width * height >= MEGAPIXELS * 1_000_000:
        size = f"{width} x {height} pixels ({width * height / 1e6:.0f} megapixels)"
        raise InputError(f"{where}: {path.name} has {size}; fewer than {MEGAPIXELS} megapixels are accepted")
    if max(width, height) > LONGEST_TO_SHORTEST * min(width, height):
        raise InputError(f"{where}: {path.name} has {width} x {height} pixels; sides of at most 1 to {LONGEST_TO_SHORTEST} are accepted")
    return height, width


def read_picture(path: Path, fit: Fit, where: str) -> NDArray[np.uint8]:
    """The picture, upright and in RGB on white, brought to the fit's size: uint8 (height, width, 3).

    Raises InputError as `check_header` does, and for a file that is cut off or damaged.
    """
    check_header(path, where)
    with _opened(path, where) as picture:
        try:
            picture.load()
            upright = _upright(picture)
            return fit(_rgb(upright))
        except (OSError, SyntaxError, ValueError, EOFError, IndexError, MemoryError) as error:
            reason = str(error).splitlines()[0][:100] if str(error) else type(error).__name__
            raise InputError(f"{where}: {path.name} is cut off or damaged ({reason}); whole {ACCEPTED} files are accepted") from None


def _opened(path: Path, where: str) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of large pictures; check_header refuses them
            return Image.open(io.BytesIO(files.read_named(path, LARGEST_FILE, where)), formats=FORMATS)
    except UnidentifiedImageError:
        raise InputError(f"{where}: {path.name} is not a picture of a known type; {ACCEPTED} are accepted") from None
    except Image.DecompressionBombError:
        raise InputError(f"{where}: {path.name} is far too large; fewer than {MEGAPIXELS} megapixels are accepted") from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise InputError(f"{where}: {path.name} cannot be read ({type(error).__name__}); {ACCEPTED} are accepted") from None


def _upright(picture: Image.Image) -> Image.Image:
    """The picture turned as its EXIF orientation says; a damaged EXIF block says nothing."""
    try:
        return ImageOps.exif_transpose(picture)
    except Exception:  # EXIF parsing fails in many ways, and the pixels are sound without it
        return picture


def _rgb(picture: Image.Image) -> Image.Image:
    """RGB; transparent parts on white, as CLIP's processor does; 16-bit gray scaled to 8 bits, which `convert` would clip."""
    if picture.mode == "I" or picture.mode.startswith("I;16"):
        gray = np.clip(np.asarray(picture).astype(np.int64), 0, 65_535)
        return Image.fromarray((gray // 257).astype(np.uint8)).convert("RGB")
    if "A" in picture.getbands() or "transparency" in picture.info:
        solid = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", solid.size, (255, 255, 255, 255)), solid).convert("RGB")
    return picture.convert("RGB")
