from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from hartley.data.pictures import Fit, read_picture
from hartley.errors import InputError

FIT = Fit((16, 16))


def save(path, array, **kwargs):
    Image.fromarray(array).save(path, **kwargs)
    return path


def test_sixteen_bit_gray_keeps_its_levels(tmp_path):
    ramp = np.linspace(0, 65_535, 256).astype(np.uint16).reshape(16, 16)
    picture = read_picture(save(tmp_path / "deep.png", ramp), FIT, "row")
    assert np.array_equal(picture[..., 0], (ramp // 257).astype(np.uint8)) and picture.max() == 255


def test_transparency_lies_on_white(tmp_path):
    rgba = np.zeros((16, 16, 4), np.uint8)
    rgba[:8] = (10, 20, 30, 255)
    picture = read_picture(save(tmp_path / "clear.png", rgba), FIT, "row")
    assert (picture[:8] == (10, 20, 30)).all() and (picture[8:] == 255).all()


def test_a_palette_with_a_transparent_color_lies_on_white(tmp_path):
    indexes = Image.fromarray(np.repeat(np.array([[0], [1]], np.uint8), 8, axis=0).repeat(16, axis=1), mode="P")
    indexes.putpalette([200, 0, 0, 0, 0, 200])
    indexes.save(tmp_path / "p.png", transparency=1)
    picture = read_picture(tmp_path / "p.png", FIT, "row")
    assert (picture[:8] == (200, 0, 0)).all() and (picture[8:] == 255).all()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "CMYK"])
def test_other_modes_become_three_channels(tmp_path, mode):
    name = tmp_path / ("x.jpg" if mode == "CMYK" else "x.png")
    Image.new("RGB", (16, 16), "white").convert(mode).save(name)
    assert (read_picture(name, FIT, "row") >= 253).all()


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "bmp"])
def test_all_accepted_types_are_read(tmp_path, suffix):
    Image.new("RGB", (40, 30), (250, 10, 120)).save(tmp_path / f"x.{suffix}")
    picture = read_picture(tmp_path / f"x.{suffix}", FIT, "row")
    assert picture.shape == (16, 16, 3) and np.abs(picture.astype(int) - (250, 10, 120)).max() <= 6


def test_a_turned_photo_stands_upright(tmp_path):
    sideways = np.zeros((16, 16, 3), np.uint8)
    sideways[:, :8] = 255  # left half bright; orientation 6 turns it a quarter clockwise: top half bright
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = read_picture(save(tmp_path / "turned.png", sideways, exif=exif), FIT, "row")
    assert (picture[:8] == 255).all() and (picture[8:] == 0).all()


@pytest.mark.parametrize("shape", [(30, 50), (50, 30), (16, 90), (33, 33), (8, 9)])
def test_cropping_and_squashing_give_the_size(shape):
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8))
    for size in ((16, 16), (12, 20), (20, 12)):
        for squash in (False, True):
            assert Fit(size, squash)(picture).shape == (*size, 3)


def test_at_the_target_size_nothing_changes():
    stored = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    assert np.array_equal(FIT(Image.fromarray(stored)), stored)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "bmp"])
@pytest.mark.parametrize("keep", [0.0, 0.02, 0.5, 0.9])
def test_a_file_cut_off_anywhere_is_refused_in_one_line(tmp_path, suffix, keep):
    path = tmp_path / f"cut.{suffix}"
    save(path, np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * keep)])
    with pytest.raises(InputError, match="row: cut") as error:
        read_picture(path, FIT, "row")
    assert "\n" not in str(error.value)


def test_random_damage_never_ends_in_another_error(tmp_path):
    rng = np.random.default_rng(0)
    for suffix in ("png", "jpg", "webp", "bmp"):
        path = tmp_path / f"x.{suffix}"
        save(path, rng.integers(0, 256, (32, 32, 3), dtype=np.uint8))
        whole = bytearray(path.read_bytes())
        for _ in range(60):
            damaged = whole.copy()
            for place in rng.integers(0, len(whole), 5):
                damaged[place] = rng.integers(0, 256)
            path.write_bytes(damaged)
            outcome = _outcome(path)
            assert outcome == (16, 16, 3) or (isinstance(outcome, str) and "\n" not in outcome)


def _outcome(path):
    """The shape that was read, or the message of the refusal."""
    try:
        return read_picture(path, FIT, "row").shape
    except InputError as error:
        return str(error)
