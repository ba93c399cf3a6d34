from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from hartley.data.pictures import Fit
from hartley.errors import InputError
from hartley.targets.preprocess import Preprocess, Resize, center_crop, from_processor

GRAY_LEVEL = 1 / 255


def processor(**options):
    from transformers import CLIPImageProcessorPil

    return CLIPImageProcessorPil(**({"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}} | options))


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def both(real, stored: np.ndarray, side: int = 32) -> tuple[torch.Tensor, torch.Tensor]:
    """What the processor and its twin make of one stored picture."""
    twin = from_processor(real, side, "preprocessor_config.json")
    pixels = torch.from_numpy(stored).permute(2, 0, 1)[None].float() / 255
    return real(images=[Image.fromarray(stored)], return_tensors="pt")["pixel_values"].float(), twin(pixels)


OPTIONS = {
    "openai": {},
    "numbers": {"size": 32, "crop_size": 32},
    "bilinear": {"resample": 2},
    "crop smaller": {"size": 40},
    "squash": {"size": {"height": 32, "width": 32}, "do_center_crop": False},
    "squash and crop": {"size": {"height": 48, "width": 37}},
    "squash and pad": {"size": {"height": 20, "width": 25}},
    "no normalization": {"do_normalize": False},
    "no rescaling": {"do_rescale": False, "image_mean": [120.0, 121.0, 122.0], "image_std": [60.0, 61.0, 62.0]},
    "to minus one": {"rescale_factor": 1 / 127.5, "image_mean": [1.0, 1.0, 1.0], "image_std": [1.0, 1.0, 1.0]},
}


@pytest.mark.parametrize("size", [(100, 80), (80, 100), (33, 64), (64, 33), (20, 27), (32, 32)])
@pytest.mark.parametrize("options", OPTIONS)
def test_the_twin_is_within_about_a_gray_level_of_the_processor(options, size):
    real = processor(**OPTIONS[options])
    expected, got = both(real, picture(*size))
    step = (
        max((255 * real.rescale_factor if real.do_rescale else 255.0) / (min(real.image_std) if real.do_normalize else 1.0), 1e-9)
        * GRAY_LEVEL
    )
    difference = (expected - got).abs()
    assert expected.shape == got.shape
    assert float(difference.max()) <= 1.2 * step and float(difference.mean()) <= 0.5 * step


@settings(max_examples=40, deadline=None)
@given(st.integers(8, 90), st.integers(8, 90), st.sampled_from([2, 3]), st.integers(32, 48))
def test_geometry_agrees_for_any_shape(height, width, resample, edge):
    expected, got = both(processor(size=edge, resample=resample), picture(height, width))
    assert float((expected - got).abs().max()) <= 1.2 * GRAY_LEVEL / 0.26


@pytest.mark.parametrize("options", OPTIONS)
def test_at_the_native_size_the_twin_is_exact(options):
    real = processor(**OPTIONS[options])
    native = from_processor(real, 32, "x").native_size
    expected, got = both(real, picture(*native))
    if options in {"no rescaling", "to minus one"}:  # one more rounding in float32
        assert torch.allclose(expected, got, rtol=0, atol=1e-6)
    else:
        assert torch.equal(expected, got)


def test_all_gray_levels_are_exact():
    stored = np.tile(np.arange(256, dtype=np.uint8).repeat(4).reshape(32, 32, 1), (1, 1, 3))
    expected, got = both(processor(), stored)
    assert torch.equal(expected, got)


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("size", [(100, 80), (80, 100), (20, 27)])
def test_a_picture_fitted_first_comes_out_as_the_processor_makes_it(options, size):
    """FolderData's geometry followed by the processor is the processor alone, but for a crop's rounding by one pixel."""
    real = processor(**OPTIONS[options])
    twin = from_processor(real, 32, "x")
    stored = Image.fromarray(picture(*size))
    fitted = Image.fromarray(Fit(twin.native_size, twin.squash, twin.mode)(stored))
    direct, through = (real(images=[one], return_tensors="pt")["pixel_values"] for one in (stored, fitted))
    shifts = (-1, 0, 1) if options == "crop smaller" else (0,)
    inner = slice(2, -2)
    assert any(
        torch.equal(direct[..., inner, inner], through.roll((down, right), (-2, -1))[..., inner, inner])
        for down in shifts
        for right in shifts
    )


def test_the_gradient_is_that_of_finite_differences():
    twin = Preprocess(8, Resize(8), (8, 8), mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4))
    pixels = torch.rand(1, 3, 19, 13, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 0.4 + 0.3
    assert torch.autograd.gradcheck(twin, (pixels.requires_grad_(),))


def test_pixels_cut_away_get_no_gradient_and_all_others_do():
    twin = from_processor(processor(size=40), 32, "x")
    pixels = torch.rand(1, 3, 40, 40, requires_grad=True)
    gradient = torch.autograd.grad(twin(pixels).square().sum(), pixels)[0]
    assert bool((gradient[..., 4:36, 4:36] != 0).all())
    assert float(gradient.abs().sum()) == pytest.approx(float(gradient[..., 4:36, 4:36].abs().sum()))


def test_center_crop_keeps_the_middle():
    pixels = torch.arange(25.0).reshape(1, 1, 5, 5)
    assert center_crop(pixels, (1, 3)).tolist() == [[[[11.0, 12.0, 13.0]]]]


REFUSED = {
    "nearest": ({"resample": 0}, "resample is .*; 2 .bilinear. and 3 .bicubic. are accepted"),
    "lanczos": ({"resample": 1}, "resample is"),
    "longest edge": ({"size": {"shortest_edge": 32, "longest_edge": 64}}, "size is .*longest_edge.*; a number"),
    "padding": ({"do_pad": True}, "do_pad is true"),
    "other side": ({"crop_size": 30}, "come out as 30 x 30 pixels, but the vision tower in config.json takes 32 x 32"),
    "no crop": ({"size": 48, "do_center_crop": False}, "come out as 48 x 48"),
    "crop larger": ({"size": 25}, r"crop_size .32, 32. is larger than the shortest edge 25"),
    "zero deviation": ({"image_std": [0.0, 1.0, 1.0]}, "three positive numbers"),
    "two means": ({"image_mean": [0.0, 1.0]}, "image_mean is .*three numbers"),
    "nan mean": ({"image_mean": [0.0, 1.0, float("nan")]}, "image_mean is .*three numbers"),
    "negative factor": ({"rescale_factor": -1.0}, "rescale_factor is -1.0; a positive number"),
    "huge": ({"size": 100_000}, "whole numbers from 1 to 4096"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_settings_without_a_twin_are_refused_by_name(case):
    options, words = REFUSED[case]
    with pytest.raises(InputError, match=f"^settings.json: .*{words}"):
        from_processor(processor(**options), 32, "settings.json")


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 1, 32, 32), (1, 32, 32, 3)])
def test_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match="takes"):
        from_processor(processor(), 32, "x")(torch.zeros(shape))
