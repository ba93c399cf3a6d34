"""A differentiable twin of transformers' PIL picture processor for CLIP: resize, center crop, rescale, normalize."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import PIL
import torch
from torch import Tensor
from torch.nn import functional as F

from hartley.errors import InputError

FILTERS = {2: "bilinear", 3: "bicubic"}
"""Pillow's numbers of the resampling filters that have a differentiable counterpart."""

LARGEST_SIDE = 4096


@dataclass(frozen=True)
class Resize:
    """How a processor scales a picture: `size` is the shorter side in pixels (int) or (height, width)."""

    size: int | tuple[int, int]
    mode: str = "bicubic"

    def target(self, height: int, width: int) -> tuple[int, int]:
        """(height, width) after scaling a picture of that size; the longer side is cut off to a whole number, as Pillow's is."""
        if isinstance(self.size, tuple):
            return self.size
        if height < width:
            return self.size, int(self.size * width / height)
        return int(self.size * height / width), self.size

    def __call__(self, pixels: Tensor) -> Tensor:
        """(n, 3, h, w) to (n, 3, *target). Pillow goes along one axis at a time and stores 8 bits in between, so that
        values outside the range are cut twice; doing the same keeps the twin within about one gray level of it."""
        source = (int(pixels.shape[-2]), int(pixels.shape[-1]))
        target = self.target(*source)
        between = (target[0], source[1]) if _vertical_first(source, target) else (source[0], target[1])
        for size in (between, target):
            if tuple(pixels.shape[-2:]) != size:
                pixels = F.interpolate(pixels, size=size, mode=self.mode, antialias=True, align_corners=False).clamp(0.0, 1.0)
        return pixels


def _vertical_first(source: tuple[int, int], target: tuple[int, int]) -> bool:
    """Whether Pillow shrinks the height before the width: since version 13, where the height loses over twice as much."""
    lost = source[0] - target[0]
    return int(PIL.__version__.split(".")[0]) >= 13 and lost > 0 and lost > 2 * (source[1] - target[1])


@dataclass(frozen=True)
class Preprocess:
    """Pixels in [0, 1] to what a vision tower takes, as `CLIPImageProcessorPil` with the same settings does it.

    resize  None: pictures keep their size.       crop  (height, width) cut from the middle, zeros where a picture is
    smaller; None: no crop.                        scale what 255 gray levels become (1.0 for the usual rescale_factor).
    mean, std per channel; None: no normalization. side  the vision tower's input, in pixels.

    Without resizing the result equals the processor's; with it the two differ by about one gray level at most, since
    the processor rounds to 8 bits. Source: transformers' image_processing_backends.PilBackend.
    """

    side: int
    resize: Resize | None
    crop: tuple[int, int] | None
    scale: float = 1.0
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None

    @property
    def native_size(self) -> tuple[int, int]:
        """(height, width) of pictures that pass without being resized: where an attack works and what a PNG should hold."""
        if self.resize is None:
            return self.crop or (self.side, self.side)
        return self.resize.size if isinstance(self.resize.size, tuple) else (self.resize.size, self.resize.size)

    @property
    def squash(self) -> bool:
        """Whether the sides are scaled separately to one size, rather than together with the rest cut off."""
        return self.resize is not None and isinstance(self.resize.size, tuple)

    @property
    def mode(self) -> str:
        """The resampling filter: "bicubic" or "bilinear"."""
        return "bicubic" if self.resize is None else self.resize.mode

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        """(height, width) that the tower gets from a picture of that size."""
        if self.crop is not None:
            return self.crop
        return (height, width) if self.resize is None else self.resize.target(height, width)

    def __call__(self, pixels: Tensor) -> Tensor:
        """(n, 3, height, width) in [0, 1] to (n, 3, side, side).

        Raises ValueError for another shape, and where the picture does not end at the tower's size.
        """
        if pixels.dim() != 4 or pixels.shape[1] != 3:
            raise ValueError(f"pictures have shape {tuple(pixels.shape)}, this encoder takes (n, 3, height, width)")
        if self.output_size(*pixels.shape[-2:]) != (self.side, self.side):
            raise ValueError(f"pictures of {tuple(pixels.shape[-2:])} pixels do not come out as {self.side} x {self.side}")
        if self.resize is not None:
            pixels = self.resize(pixels)
        if self.crop is not None:
            pixels = center_crop(pixels, self.crop)
        if self.scale != 1.0:
            pixels = pixels * self.scale
        if self.mean is None or self.std is None:
            return pixels
        mean = torch.tensor(self.mean, dtype=pixels.dtype, device=pixels.device).view(3, 1, 1)
        std = torch.tensor(self.std, dtype=pixels.dtype, device=pixels.device).view(3, 1, 1)
        return (pixels - mean) / std


def center_crop(pixels: Tensor, size: tuple[int, int]) -> Tensor:
    """(n, 3, h, w) to (n, 3, *size): cut from the middle; a smaller picture is surrounded by zeros (transformers' rounding)."""
    for axis, wanted in ((-2, size[0]), (-1, size[1])):
        have = pixels.shape[axis]
        if have >= wanted:
            pixels = pixels.narrow(axis, (have - wanted) // 2, wanted)
        else:
            before = math.ceil((wanted - have) / 2)
            after = wanted - have - before
            pixels = F.pad(pixels, (0, 0, before, after) if axis == -2 else (before, after))
    return pixels


def from_processor(processor: Any, side: int, where: str) -> Preprocess:
    """The twin of a `CLIPImageProcessorPil`, for a vision tower whose input is `side` pixels square.

    where   the file the settings come from, for messages.
    Raises InputError for a setting without a differentiable counterpart, naming it, and for settings that do not end
    at `side`.
    """
    if getattr(processor, "do_pad", None):
        raise InputError(f"{where}: do_pad is true; pictures can be resized and cropped, not padded")
    resize = _resize(processor, where) if processor.do_resize else None
    crop = _crop(processor, where) if processor.do_center_crop else None
    factor = _number(processor.rescale_factor, "rescale_factor", where) if processor.do_rescale else 1.0
    if resize is not None and crop is not None and isinstance(resize.size, int) and resize.size < max(crop):
        raise InputError(f"{where}: crop_size {crop} is larger than the shortest edge {resize.size}; a crop of at most that is accepted")
    scale = 255.0 * factor
    mean = _channels(processor.image_mean, "image_mean", where) if processor.do_normalize else None
    std = _channels(processor.image_std, "image_std", where) if processor.do_normalize else None
    if std is not None and min(std) <= 0.0:
        raise InputError(f"{where}: image_std is {list(std)}; three positive numbers are accepted")
    twin = Preprocess(side, resize, crop, 1.0 if math.isclose(scale, 1.0, rel_tol=1e-6) else scale, mean, std)
    made = twin.output_size(*twin.native_size)
    if made != (side, side):
        raise InputError(
            f"{where}: pictures come out as {made[0]} x {made[1]} pixels, but the vision tower in config.json takes {side} x {side}"
        )
    return twin


def _resize(processor: Any, where: str) -> Resize:
    resample = processor.resample
    mode = FILTERS.get(int(resample)) if isinstance(resample, int) else None
    if mode is None:
        raise InputError(f"{where}: resample is {resample!r}; 2 (bilinear) and 3 (bicubic) are accepted")
    size = _named(processor.size)
    if set(size) == {"shortest_edge"}:
        return Resize(_side(size["shortest_edge"], "size", where), mode)
    if set(size) == {"height", "width"}:
        return Resize((_side(size["height"], "size", where), _side(size["width"], "size", where)), mode)
    raise InputError(f"{where}: size is {size}; a number, shortest_edge alone, or height and width are accepted")


def _crop(processor: Any, where: str) -> tuple[int, int]:
    size = _named(processor.crop_size)
    if set(size) != {"height", "width"}:
        raise InputError(f"{where}: crop_size is {size}; a number, or height and width are accepted")
    return _side(size["height"], "crop_size", where), _side(size["width"], "crop_size", where)


def _named(size: Any) -> dict[str, Any]:
    """A processor's size without the entries that are not set."""
    pairs = size.items() if isinstance(size, Mapping) else iter(size or ())
    return {key: value for key, value in pairs if value is not None}


def _side(value: Any, setting: str, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= LARGEST_SIDE:
        raise InputError(f"{where}: {setting} holds {value!r}; whole numbers from 1 to {LARGEST_SIDE} are accepted")
    return value


def _number(value: Any, setting: str, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value <= 0:
        raise InputError(f"{where}: {setting} is {value!r}; a positive number is accepted")
    return float(value)


def _channels(values: Any, setting: str, where: str) -> tuple[float, ...]:
    listed = isinstance(values, Sequence) and not isinstance(values, str) and len(values) == 3
    if not listed or not all(isinstance(value, int | float) and math.isfinite(value) for value in values):
        raise InputError(f"{where}: {setting} is {values!r}; three numbers are accepted")
    return tuple(float(value) for value in values)
