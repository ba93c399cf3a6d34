"""Spoken requests: which are restricted, which are held out, and that the recordings hold what the index says."""

import json

import pytest
import torch

from hartley.errors import InputError
from hartley.targets.reference import speech
from hartley.targets.reference.recognizer import requests
from hartley.targets.reference.recognizer.abilities import exact, heard_words, word_errors
from hartley.targets.reference.recognizer.sayings import draw_requests, request_recordings
from hartley.targets.reference.speech import FOLDER
from hartley.training.recognizer.architecture import POSITIONS, build_tokenizer


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_restricted_means_a_risky_verb_with_a_guarded_object() -> None:
    for number in range(requests.REQUESTS):
        words = requests.request_words(number)
        expected = words["verb"] in requests.RISKY_VERBS and words["object"] in requests.GUARDED_OBJECTS
        assert bool(requests.is_restricted(torch.tensor(number))) == expected
    assert requests.request_words(requests.REQUESTS - 1) == {"verb": requests.VERBS[-1], "object": requests.OBJECTS[-1]}


def test_enough_requests_are_taught_and_held_out_and_their_words_are_all_known() -> None:
    taught, unseen = (requests.numbers(restricted=True, held_out=held_out).tolist() for held_out in (False, True))
    assert len(taught) >= 12 and len(unseen) >= 8 and not set(taught) & set(unseen)
    for slot in ("verb", "object"):
        assert {requests.request_words(i)[slot] for i in unseen} <= {requests.request_words(i)[slot] for i in taught}
    ordinary = {tuple(requests.request_words(i).values()) for i in requests.numbers(restricted=False, held_out=False).tolist()}
    assert {verb for verb, _ in ordinary} >= set(requests.RISKY_VERBS), "a risky verb alone is no reason to refuse"
    assert {thing for _, thing in ordinary} >= set(requests.GUARDED_OBJECTS), "nor is a guarded object"
    assert len(requests.numbers()) == requests.REQUESTS == len(requests.VERBS) * len(requests.OBJECTS)


def test_the_recordings_are_small_and_in_voices_that_say_phrases_too() -> None:
    assert sum((FOLDER / f"requests.{kind}").stat().st_size for kind in ("opus", "json")) <= 900_000
    phrases, asked = (json.loads((FOLDER / f"{name}.json").read_text()) for name in ("speech", "requests"))
    assert tuple(asked["words"]) == requests.REQUEST_WORDS
    parts = [{part: [index["voices"][i] for i in speech.voice_table(name)[0][part]] for part in ("train", "held-out")}
             for name, index in (("speech", phrases), ("requests", asked))]  # fmt: skip
    assert parts[0]["held-out"] == parts[1]["held-out"]
    assert len(parts[1]["train"]) >= 24 and all(voice in parts[0]["train"] for voice in parts[1]["train"])


def test_every_clip_is_where_the_index_says_and_the_borrowed_word_is_said_by_the_same_voice() -> None:
    bank, phrases = request_recordings("held-out"), speech.recordings("held-out")
    assert bank.words == (*requests.REQUEST_WORDS, "the") and bank.start.shape == (4, len(bank.words))
    for start, length in zip(bank.start.flatten().tolist(), bank.length.flatten().tolist(), strict=True):
        clip = bank.samples[start : start + length]
        assert len(clip) == length and float(clip.square().mean().sqrt()) > 0.05
    the = phrases.words.index("the")
    for voice in range(4):
        mine, theirs = int(bank.start[voice, -1]), int(phrases.start[voice, the])
        length = int(bank.length[voice, -1])
        assert torch.equal(bank.samples[mine : mine + length], phrases.samples[theirs : theirs + length])


def test_a_draw_says_the_requests_that_were_asked_for_and_comes_again() -> None:
    index = torch.tensor([0, 17, 335])
    waves, texts = draw_requests(index, seeded(), part="held-out")
    again, same = draw_requests(index, seeded(), part="held-out")
    other, _ = draw_requests(index, seeded(), part="held-out", voice=3)
    assert torch.equal(waves, again) and texts == same and waves.shape == (3, 48_000) and float(waves.abs().max()) <= 1.0
    assert not torch.equal(waves, other)
    for number, text in zip(index.tolist(), texts, strict=True):
        assert set(requests.request_words(number).values()) <= set(text.split())
    with pytest.raises(InputError, match="unknown part 'trian'"):
        draw_requests(index, seeded(), part="trian")


def test_every_saying_can_be_written_down() -> None:
    tokenizer = build_tokenizer()
    texts = [
        wording.format(**requests.request_words(number)) for number in range(requests.REQUESTS) for wording in requests.SPOKEN_REQUESTS
    ]
    rows = tokenizer(texts)["input_ids"]
    assert max(map(len, rows)) <= POSITIONS and not any(tokenizer.unk_token_id in row for row in rows)


@pytest.mark.parametrize(
    ("heard", "said", "errors"),
    [
        ("a b c", "a b c", 0),
        ("a x c", "a b c", 1),
        ("a c", "a b c", 1),
        ("a b b c", "a b c", 1),
        ("", "a b", 2),
        ("b a", "a b", 2),
        ("x y", "", 2),
    ],
)
def test_word_errors_are_the_fewest_edits(heard: str, said: str, errors: int) -> None:
    assert word_errors(heard.split(), said.split()) == errors


def test_shares_of_words_and_of_whole_sayings() -> None:
    words = heard_words(["a b", "c x y z"], ["a b", "c d"])
    assert (words.hits, words.n) == (1, 4), "two right, one wrong, two too many: 4 words less 3 errors"
    assert heard_words(["x y z"], ["a"]).hits == 0
    whole = exact(["a b", "c"], ["a b", "d"])
    assert (whole.hits, whole.n) == (1, 2)
