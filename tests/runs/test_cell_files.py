import io

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from hartley.exhibit import Exhibit
from hartley.runs import media
from hartley.runs.cache import Cache
from hartley.runs.context import Context, versions
from hartley.runs.plan import Plan
from hartley.runs.store import Store

BLACK = np.zeros((4, 5, 3), dtype=np.uint8)


def exhibit(**parts):
    return Exhibit("image", "attacked", "a", None, "a", "b", **parts)


def test_png_holds_the_very_pixels():
    picture = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(media.png(picture)))), picture)


@pytest.mark.parametrize("picture", [BLACK.astype(float), BLACK[..., 0], np.zeros((4, 5, 4), dtype=np.uint8)])
def test_other_pictures_are_refused(picture):
    with pytest.raises(ValueError, match="takes uint8"):
        media.png(picture)


def test_wav_holds_the_wave_to_sixteen_bits():
    wave = np.array([-1.0, -0.5, 0.0, 0.5, 1.0, 2.0], dtype=np.float32)
    samples, rate = soundfile.read(io.BytesIO(media.wav(wave, 16000)))
    assert rate == 16000
    np.testing.assert_allclose(samples, np.clip(wave, -1, 1), atol=1.0 / 32767)
    with pytest.raises(ValueError, match="finite"):
        media.wav(np.array([np.nan], dtype=np.float32), 16000)


@pytest.mark.parametrize(("step", "factor"), [(0, 1.0), (1, 64.0), (2, 32.0), (8, 8.0), (64, 1.0), (255, 1.0)])
def test_difference_is_amplified_as_far_as_it_fits(step, factor):
    attacked = BLACK.copy()
    attacked[0, 0] = step
    shown, used = media.difference(BLACK, attacked)
    assert used == factor
    assert shown[1, 1, 0] == 128
    assert shown[0, 0, 0] == min(255, 128 + step * factor)
    assert media.difference(attacked, BLACK)[0][0, 0, 0] == max(0, 128 - step * factor)


def test_exhibits_with_half_of_a_pair_are_refused():
    def keep(content, ending):
        return f"media/{len(content)}.{ending}"

    assert media.record(exhibit(), keep)["image"] is None
    for parts in ({"image_clean": BLACK}, {"text_attacked": "x"}, {"audio_clean": np.zeros(3, dtype=np.float32)}):
        with pytest.raises(ValueError, match="together"):
            media.record(exhibit(**parts), keep)
    wave = np.zeros(3, dtype=np.float32)
    with pytest.raises(ValueError, match="sample_rate"):
        media.record(exhibit(audio_clean=wave, audio_attacked=wave), keep)
    with pytest.raises(ValueError, match="must agree"):
        media.record(exhibit(image_clean=BLACK, image_attacked=BLACK[:2]), keep)


@pytest.fixture
def store(tmp_path):
    return Store.prepare(tmp_path, Plan(("sga",)), Context("t", "d", {}, {"": "c"}, versions()))


def test_cache_gives_the_same_bits_and_random_state_whoever_comes_first(store):
    computed = []

    def compute():
        computed.append(True)
        return {"turned": torch.randn(3, 4).T, "whole": torch.arange(3)}

    outcomes = []
    for _ in range(2):
        torch.manual_seed(5)
        tensors = Cache(store, "shelf", bool)("name", compute)
        outcomes.append((tensors, torch.randn(2)))
    assert len(computed) == 1
    (first, after_first), (second, after_second) = outcomes
    assert first.keys() == second.keys() == {"turned", "whole"}
    for name in first:
        assert torch.equal(first[name], second[name]) and first[name].stride() == second[name].stride()
    assert torch.equal(after_first, after_second)


def test_cache_sets_names_and_shelves_apart(store):
    for number, (shelf, name) in enumerate([("a", "x"), ("a", "y"), ("b", "x")]):
        assert Cache(store, shelf, bool)(name, lambda number=number: {"n": torch.tensor(number)})["n"] == number


def test_a_damaged_cache_entry_is_computed_again(store):
    cache = Cache(store, "shelf", bool)
    cache("name", lambda: {"x": torch.ones(100)})
    (path,) = (store.root / "cache").glob("*.safetensors")
    whole = path.read_bytes()
    for damage in (b"", whole[:20], whole[:-4], b"\xff" * 40):
        path.write_bytes(damage)
        assert cache("name", lambda: {"x": torch.ones(100)})["x"].sum() == 100
        assert path.read_bytes() == whole


def test_a_computation_that_fails_leaves_no_entry_and_no_lock(store):
    cache = Cache(store, "shelf", bool)
    with pytest.raises(ZeroDivisionError):
        cache("name", lambda: 1 / 0)
    assert cache("name", lambda: {"x": torch.ones(1)})["x"] == 1
