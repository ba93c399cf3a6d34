from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from hartley.data.folder import FolderData, _balanced

SIZE = (16, 16)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_labeled_folder_gives_pairs_whose_parts_agree(make_folder):
    data = FolderData(make_folder(60), SIZE)
    pairs = data.draw(30, seeded())
    assert data.name == "folder:pets"
    assert pairs.images.shape == (30, 3, 16, 16) and pairs.images.dtype == torch.float32
    assert float(pairs.images.min()) >= 0.0
    assert float(pairs.images.max()) <= 1.0
    assert pairs.label_names == ("bird", "cat", "dog")
    assert pairs.prompts == ("a photo of bird", "a photo of cat", "a photo of dog")
    assert torch.equal(torch.bincount(pairs.labels), torch.tensor([10, 10, 10]))
    assert torch.allclose(pairs.label_prior, torch.full((3,), 1 / 3, dtype=torch.float64))
    for i, caption in enumerate(pairs.captions):
        assert pairs.label_names[int(pairs.labels[i])] in caption
        assert pairs.gallery[int(pairs.concepts[i])] == caption
        assert int(pairs.gallery_labels[pairs.concepts[i]]) == int(pairs.labels[i])
        assert pairs.caption_sets[i] == (caption,)
    assert pairs.audio is None and data.notes == ()


def test_the_pixels_belong_to_their_caption(make_folder):
    folder = make_folder(60)
    pairs = FolderData(folder, (20, 24)).draw(30, seeded())  # the pictures' own size: nothing is resized
    for image, caption in zip(pairs.images, pairs.captions, strict=True):
        stored = np.asarray(Image.open(folder / f"{int(caption.split()[-1]):03}.png"))
        assert np.array_equal((image * 255).round().byte().permute(1, 2, 0).numpy(), stored)


def test_draws_repeat_by_seed_and_differ_otherwise(make_folder):
    folder = make_folder(60)
    one, two = FolderData(folder, SIZE), FolderData(folder, SIZE, validate=False)
    assert one.fingerprint == two.fingerprint
    first, again, other = one.draw(20, seeded(1)), two.draw(20, seeded(1)), one.draw(20, seeded(2))
    assert torch.equal(first.images, again.images) and first.captions == again.captions and torch.equal(first.labels, again.labels)
    assert first.captions != other.captions


def test_parts_are_disjoint_halves_of_every_label_and_never_repeat(make_folder):
    data = FolderData(make_folder(62), SIZE)
    held, train = (data.draw(1000, seeded(), part=part) for part in ("held-out", "train"))
    assert len(held) + len(train) == 62
    assert len(set(held.captions) | set(train.captions)) == 62
    assert all(abs(a - b) <= 1 for a, b in zip(torch.bincount(held.labels), torch.bincount(train.labels), strict=True))


def test_a_rare_label_gives_what_it_has_and_the_prior_says_so(make_folder, tmp_path):
    folder = make_folder(60)
    rows = [line.split(",") for line in (folder / "metadata.csv").read_text().splitlines()[1:]]
    lines = ["file_name,caption,label"] + [f"{name},{caption},{'rare' if i < 8 else 'common'}" for i, (name, caption, _) in enumerate(rows)]
    (folder / "metadata.csv").write_text("\n".join(lines))
    pairs = FolderData(folder, SIZE).draw(20, seeded())
    assert Counter(pairs.labels.tolist()) == {0: 16, 1: 4}
    assert torch.allclose(pairs.label_prior, torch.tensor([0.8, 0.2], dtype=torch.float64))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 30), min_size=2, max_size=6).filter(lambda sizes: sum(sizes) > 0), st.integers(1, 100), st.integers(0, 99))
def test_a_balanced_choice_never_repeats_and_is_as_even_as_can_be(sizes, count, seed):
    pools, start = [], 0
    for size in sizes:
        pools.append(list(range(start, start + size)))
        start += size
    chosen, prior = _balanced(pools, count, seeded(seed))
    given_ = [len(set(pool) & set(chosen)) for pool in pools]
    assert len(chosen) == len(set(chosen)) == min(count, sum(sizes))
    assert float(prior.sum()) == pytest.approx(1.0)
    for got, size, share in zip(given_, sizes, prior.tolist(), strict=True):
        assert abs(got - share * len(chosen)) < 1.0 + 1e-9
        assert got == size or got >= max(given_) - 1


def test_several_rows_of_one_picture_are_its_caption_set(make_folder):
    folder = make_folder(60)
    with (folder / "metadata.csv").open("a") as file:
        file.writelines(f"{i:03}.png,another view of {i},{('cat', 'dog', 'bird')[i % 3]}\n" for i in range(60))
    pairs = FolderData(folder, SIZE).draw(30, seeded())
    assert len(pairs) == 30 and all(len(own) == 2 for own in pairs.caption_sets)
    assert all(caption in own for caption, own in zip(pairs.captions, pairs.caption_sets, strict=True))
    assert 0 < sum(caption.startswith("another") for caption in pairs.captions) < 30


def test_copies_of_a_picture_count_once_and_stay_on_one_side(make_folder):
    folder = make_folder(60)
    (folder / "copy.png").write_bytes((folder / "000.png").read_bytes())
    with (folder / "metadata.csv").open("a") as file:
        file.write("copy.png,the same again,cat\n")
    data = FolderData(folder, SIZE)
    both = [caption for part in ("held-out", "train") for own in data.draw(99, seeded(), part=part).caption_sets for caption in [own]]
    assert len(both) == 60 and ("my cat number 0", "the same again") in both
    assert "1 pictures are byte-for-byte copies" in data.notes[0]


def test_few_distinct_captions_are_symbols_without_labels(make_folder):
    captions = [f"a {('red', 'blue')[i % 2]} ball" for i in range(40)]
    data = FolderData(make_folder(40, label=False, captions=captions), SIZE)
    pairs = data.draw(20, seeded())
    assert pairs.label_names == pairs.prompts == pairs.gallery == ("a blue ball", "a red ball")
    assert all(pairs.prompts[int(label)] == caption for label, caption in zip(pairs.labels, pairs.captions, strict=True))
    assert "each of the 2 distinct captions" in data.notes[0]


def test_many_captions_are_grouped_by_wording_the_same_way_each_time(make_folder):
    themes = ("a boat sailing on the blue sea", "a bowl of tomato soup", "skiers on a snowy mountain")
    captions = [f"{themes[i % 3]} {i}" for i in range(60)]
    folder = make_folder(60, label=False, captions=captions)
    data, again = FolderData(folder, SIZE), FolderData(folder, SIZE)
    pairs = data.draw(30, seeded())
    assert len(pairs.label_names) == 3 and pairs.label_names == again.draw(30, seeded()).label_names
    for label, caption in zip(pairs.labels.tolist(), pairs.captions, strict=True):
        assert pairs.prompts[label].split()[1] == caption.split()[1]
    assert "grouped into 3 symbols by their wording" in data.notes[0]


def test_jsonl_text_column_prompts_and_unknown_columns(make_folder):
    folder = make_folder(60)
    (folder / "metadata.csv").unlink()
    record = [{"file_name": f"{i:03}.png", "text": f"ünï {i}", "label": i % 2, "prompt": f"digit {i % 2}", "width": 3} for i in range(60)]
    (folder / "metadata.jsonl").write_text("\n".join(json.dumps(row) for row in record) + "\n\n", encoding="utf-8")
    pairs = FolderData(folder, SIZE).draw(10, seeded())
    assert pairs.label_names == ("0", "1") and pairs.prompts == ("digit 0", "digit 1")
    assert all(caption.startswith("ünï ") for caption in pairs.captions)


@pytest.mark.parametrize(
    "hostile", ["<script>alert(1)</script>", "=cmd|' /C calc'!A0", "\u202egnp.exe", "{{7*7}}", "a\nb\x00c", "'; DROP TABLE x;--"]
)
def test_a_hostile_caption_is_data_and_stays_as_it_is(make_folder, hostile):
    folder = make_folder(60)
    (folder / "metadata.csv").unlink()
    rows = [{"file_name": f"{i:03}.png", "caption": hostile, "label": f"l{i % 2}"} for i in range(60)]
    (folder / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert set(FolderData(folder, SIZE).draw(20, seeded()).captions) == {hostile}


def test_sounds_are_mono_resampled_and_fitted(make_folder):
    folder = make_folder(60)
    time = np.arange(22_050) / 22_050
    rows = ["file_name,caption,label,audio"]
    for i in range(60):
        suffix = ("wav", "flac", "ogg")[i % 3]
        tone = 0.5 * np.sin(2 * np.pi * 440 * time)
        soundfile.write(folder / f"{i:03}.{suffix}", np.stack([tone, tone], axis=1), 22_050)
        rows.append(f"{i:03}.png,say {i},{i % 2},{i:03}.{suffix}")
    (folder / "metadata.csv").write_text("\n".join(rows))
    audio = FolderData(folder, SIZE, sample_rate=16_000, seconds=1.5).draw(12, seeded(), speech=True).audio
    assert audio is not None and audio.shape == (12, 24_000) and audio.dtype == torch.float32
    assert float(audio.abs().max()) <= 1.0
    for clip in audio.numpy():
        assert np.argmax(np.abs(np.fft.rfft(clip[:16_000]))) == 440
        assert np.abs(clip[16_500:]).max() == 0.0
        assert np.sqrt((clip[1000:15_000] ** 2).mean()) == pytest.approx(0.5 / np.sqrt(2), rel=0.02)


def test_the_fingerprint_follows_captions_pixels_and_size(make_folder):
    folder = make_folder(60)
    seen = {
        FolderData(folder, SIZE).fingerprint,
        FolderData(folder, (20, 20)).fingerprint,
        FolderData(folder, SIZE, squash=True).fingerprint,
    }
    Image.new("RGB", (24, 20), "red").save(folder / "000.png")
    seen.add(FolderData(folder, SIZE).fingerprint)
    table = (folder / "metadata.csv").read_text()
    (folder / "metadata.csv").write_text(table.replace("my cat number 0", "my cat number zero"))
    seen.add(FolderData(folder, SIZE).fingerprint)
    assert len(seen) == 5


def test_progress_reaches_the_end(make_folder):
    told: list[tuple[str, int, int]] = []
    FolderData(make_folder(60), SIZE, progress=lambda *step: told.append(step))
    assert ("reading pictures", 60, 60) in told and told[-1] == ("checking pictures", 60, 60)


def test_a_draw_is_bounded_by_memory_and_says_so(make_folder, monkeypatch):
    monkeypatch.setattr("hartley.data.folder.DRAW_BYTES", 25 * 3 * 16 * 16 * 4)
    data = FolderData(make_folder(60), SIZE)
    assert len(data.draw(1000, seeded())) == 25
    assert "at most 25 pictures" in data.notes[-1]


def test_the_cache_is_bounded_and_changes_nothing(make_folder, monkeypatch):
    folder = make_folder(60)
    whole = FolderData(folder, SIZE).draw(30, seeded())
    monkeypatch.setattr("hartley.data.folder.CACHE_BYTES", 5 * 3 * 16 * 16)
    data = FolderData(folder, SIZE)
    assert torch.equal(data.draw(30, seeded()).images, whole.images)
    assert len(data._cache) == 5


@pytest.mark.parametrize(("part", "count"), [("test", 10), ("held-out", 0)])
def test_a_draw_from_nowhere_is_refused(make_folder, part, count):
    with pytest.raises(ValueError, match="'held-out' or 'train'"):
        FolderData(make_folder(60), SIZE).draw(count, seeded(), part=part)
