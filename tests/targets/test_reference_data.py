"""The reference family's data: same draw, same tensors; parts that never meet; captions that are true."""

import pytest
import torch

from hartley.data.pairs import Pairs
from hartley.errors import InputError
from hartley.targets.reference import language, scenes, speech
from hartley.targets.reference.data import ReferenceData
from hartley.training.encoder import lessons


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def drawn(count: int = 60, seed: int = 0, part: str = "held-out") -> Pairs:
    return ReferenceData().draw(count, seeded(seed), part=part, speech=True)


def test_same_draw_same_tensors_other_seed_other_tensors() -> None:
    first, again, other = drawn(), drawn(), drawn(seed=1)
    assert torch.equal(first.images, again.images)
    assert first.audio is not None and again.audio is not None and torch.equal(first.audio, again.audio)
    assert first.captions == again.captions and first.caption_sets == again.caption_sets
    assert torch.equal(first.labels, again.labels) and torch.equal(first.concepts, again.concepts)
    assert not torch.equal(first.images, other.images)


def test_a_draw_has_the_shapes_and_ranges_of_pairs() -> None:
    pairs = drawn(37)
    assert pairs.images.shape == (37, 3, 48, 48) and pairs.images.dtype == torch.float32
    assert float(pairs.images.min()) >= 0.0 and float(pairs.images.max()) <= 1.0
    assert pairs.audio is not None and pairs.audio.shape == (37, 48_000) and float(pairs.audio.abs().max()) <= 1.0
    assert len(pairs.captions) == len(pairs.caption_sets) == 37
    assert pairs.label_names == language.DIGITS and len(pairs.prompts) == 10
    assert len(set(pairs.gallery)) == 240 and pairs.gallery_labels.shape == (240,)
    assert torch.equal(pairs.gallery_labels[pairs.concepts], pairs.labels)
    assert float(pairs.label_prior.sum()) == pytest.approx(1.0)


@pytest.mark.parametrize("count", [1, 9, 100, 403])
def test_labels_are_balanced_to_within_one(count: int) -> None:
    tally = torch.bincount(drawn(count).labels, minlength=10)
    assert int(tally.sum()) == count and int(tally.max() - tally.min()) <= 1


def test_an_empty_draw_is_empty() -> None:
    assert len(drawn(0)) == 0


def test_speech_comes_along_only_when_asked_for_and_changes_nothing_else() -> None:
    silent, spoken = (ReferenceData().draw(20, seeded(), speech=speech) for speech in (False, True))
    assert silent.audio is None and spoken.audio is not None
    assert torch.equal(silent.images, spoken.images) and silent.captions == spoken.captions


def test_training_and_held_out_images_are_disjoint_and_complete() -> None:
    train, held_out = scenes.handwriting("train"), scenes.handwriting("held-out")
    assert len(train.source) == 1_397 and len(held_out.source) == 400
    assert not set(train.source.tolist()) & set(held_out.source.tolist())
    assert set(train.source.tolist()) | set(held_out.source.tolist()) == set(range(1_797))


def test_the_chosen_image_shows_the_digit_that_was_asked_for() -> None:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    digits = torch.arange(10).repeat(20)
    chosen = scenes.handwriting("held-out").choose(digits, seeded())
    known = torch.from_numpy(bunch.images).float().flatten(1) / 16.0
    rows = (chosen.flatten(1).unsqueeze(1) - known).abs().sum(2).argmin(1)
    assert torch.equal(torch.from_numpy(bunch.target).long()[rows], digits)


def test_held_out_voices_never_speak_in_training() -> None:
    parts, names, _, _ = speech.voice_table()
    assert len(parts["train"]) >= 12 and len(parts["held-out"]) >= 3 and not set(parts["train"]) & set(parts["held-out"])
    variants = {part: {names[i].split("+")[1] for i in numbers} for part, numbers in parts.items()}
    assert not variants["train"] & variants["held-out"], "held out as voices, not as other pitches of a voice"


@pytest.mark.parametrize("part", ["train", "held-out"])
def test_the_recordings_are_small_whole_and_where_the_index_says(part: str) -> None:
    assert (speech.FOLDER / "speech.opus").stat().st_size <= 2_000_000
    bank = speech.recordings(part)
    for start, length in zip(bank.start.flatten().tolist(), bank.length.flatten().tolist(), strict=True):
        clip, after = bank.samples[start : start + length], bank.samples[start + length + 200 : start + length + 600]
        assert float(clip.square().mean().sqrt()) > 0.05
        assert len(after) == 0 or float(after.square().mean().sqrt()) < 0.03


def test_a_phrase_says_its_concept_within_three_seconds() -> None:
    concepts = language.draw_concepts(50, seeded())
    waves, texts = speech.draw_phrases(concepts, seeded(1), part="train")
    for text, words in zip(texts, concepts.words(), strict=True):
        assert set(words.values()) <= set(text.split())
    assert float(waves[:, :40_000].square().mean(1).min()) > 1e-4


def test_a_phrase_can_be_given_to_one_voice() -> None:
    concepts = language.draw_concepts(6, seeded())
    waves = [speech.draw_phrases(concepts, seeded(1), part="held-out", voice=voice)[0] for voice in (0, 0, 1)]
    assert torch.equal(waves[0], waves[1]) and not torch.equal(waves[0], waves[2])


@pytest.mark.parametrize("draw", [drawn, lambda part: speech.draw_phrases(language.draw_concepts(2, seeded()), seeded(), part=part)])
def test_an_unknown_part_is_refused_with_the_nearest_name(draw: object) -> None:
    with pytest.raises(InputError, match="unknown part 'trian'; nearest: train"):
        draw(part="trian")  # type: ignore[operator]


def test_every_concept_has_one_index() -> None:
    concepts = language.concepts_at(torch.arange(240))
    assert torch.equal(concepts.index, torch.arange(240))
    assert len(set(language.gallery())) == 240


def test_caption_sets_hold_five_different_true_captions() -> None:
    pairs = drawn(80)
    concepts = language.concepts_at(pairs.concepts)
    others = {"digit": language.DIGITS, "color": language.COLORS, "vertical": language.VERTICALS, "horizontal": language.HORIZONTALS}
    for first, captions, words in zip(pairs.captions, pairs.caption_sets, concepts.words(), strict=True):
        assert len(set(captions)) == 5 and first == captions[0]
        for caption in captions:
            said = set(caption.split())
            for slot, right in words.items():
                assert not said & (set(others[slot]) - {right})
    assert len({caption.split()[0] for caption in pairs.captions}) > 2


def test_every_word_of_a_draw_is_in_the_vocabulary() -> None:
    pairs = drawn(200)
    said = {word for captions in pairs.caption_sets for caption in captions for word in caption.split()}
    assert said <= set(language.vocabulary())


def test_forty_readable_words_stand_on_signs() -> None:
    assert len(set(language.SIGN_WORDS)) >= 40
    assert set(language.DIGITS) | set(language.COLORS) <= set(language.SIGN_WORDS)
    masks, widths = scenes.lettering()
    assert int(widths.max()) <= scenes.SIZE
    assert float(masks[..., 0].max()) == 0.0 and float(masks[..., -1].max()) == 0.0
    flat = masks.flatten(2)[:, 0]
    assert int(torch.cdist(flat, flat).fill_diagonal_(9.0).min() * 1_000) > 500


def test_a_sign_covers_its_strip_and_nothing_else() -> None:
    concepts = language.draw_concepts(40, seeded())
    images = scenes.draw_scenes(concepts, seeded(1), part="train")
    rows = scenes.free_rows(concepts, seeded(2))
    marked = scenes.put_signs(images, torch.zeros(40, dtype=torch.int64), rows, seeded(3))
    changed = (images != marked).any(1).view(40, 4, 12, 48).float().mean((2, 3))
    assert torch.equal(changed > 0.9, torch.arange(4) == rows.unsqueeze(1))
    assert torch.equal(changed == 0.0, torch.arange(4) != rows.unsqueeze(1))
    assert bool((rows // 2 != concepts.vertical).all())


def test_what_fits_is_what_is_true() -> None:
    red_seven = language.Concepts(*(torch.tensor([value]) for value in (7, 0, 0, 1)))
    signs = torch.tensor([7, 20])
    bare = lessons.caption_scenes(red_seven, ("{digit}",), seeded())
    colored = lessons.caption_scenes(red_seven, ("a {color} {digit}",), seeded())
    says_seven = lessons.caption_signs(torch.tensor([7]), ("the word {word}",), seeded())
    bare_sign = lessons.caption_signs(torch.tensor([7]), ("{word}",), seeded())
    says_stop = lessons.caption_signs(torch.tensor([20]), ("{word}",), seeded())
    expected = {"seven": (1, 1, 0), "a red seven": (1, 0, 0), "the word seven": (0, 1, 0), "stop": (0, 0, 1)}
    for captions in (bare, colored, says_seven, bare_sign, says_stop):
        assert tuple(captions.fit(red_seven, signs)[:, 0].int().tolist()) == expected[captions.texts[0]]


@pytest.mark.parametrize("full", [True, False])
def test_every_picture_of_a_lesson_has_a_caption_that_fits(full: bool) -> None:
    lesson = lessons.picture_lesson(64, seeded(), full=full)
    assert lesson.images.shape == (64, 3, 48, 48) and lesson.fit.shape == (64, len(lesson.captions))
    assert bool(lesson.fit.any(1).all())


def test_a_draw_of_few_looks_has_few_looks_and_all_digits() -> None:
    concepts = language.draw_concepts(60, seeded(), looks=3)
    assert len(set((concepts.index % language.LOOKS).tolist())) == 3 and len(set(concepts.digit.tolist())) == 10


def test_the_contrast_is_the_log_of_chance_for_equal_embeddings_and_small_for_right_ones() -> None:
    same = torch.ones(4, 1)
    eye = torch.eye(4)
    assert float(lessons.contrast(same, same, eye.bool(), torch.tensor(5.0))) == pytest.approx(torch.tensor(4.0).log().item())
    assert float(lessons.contrast(eye, eye, eye.bool(), torch.tensor(50.0))) < 1e-6
