"""The shipped recognizer: its bars on a small sample, its card, and the weakness that its card reports."""

import json

import pytest
import torch

from hartley.targets.protocols import Recognizer
from hartley.targets.reference import recognizer
from hartley.targets.reference.ability import Ability, missed
from hartley.targets.reference.perturbation import noise, signal_to_noise
from hartley.targets.reference.recognizer.abilities import AT_LEAST, AT_MOST, abilities
from hartley.targets.reference.recognizer.requests import numbers
from hartley.targets.reference.recognizer.sayings import draw_requests
from hartley.targets.whisper import WhisperRecognizer
from hartley.training.recognizer.emerged import chosen_sentences, towards


@pytest.fixture(scope="module")
def shipped() -> WhisperRecognizer:
    return recognizer.load()


def test_it_hears_unseen_voices(shipped: WhisperRecognizer) -> None:
    assert isinstance(shipped, Recognizer) and shipped.name == "reference:recognizer"
    assert missed(abilities(shipped, 60, 7), AT_LEAST, AT_MOST) == []


def test_the_card_says_what_was_measured_and_meets_every_bar() -> None:
    record = json.loads((recognizer.FOLDER / "abilities.json").read_text(encoding="utf-8"))
    found = {name: Ability(entry["hits"], entry["n"]) for name, entry in record["abilities"].items()}
    assert missed(found, AT_LEAST, AT_MOST) == [] and min(ability.n for ability in found.values()) >= 400
    assert min(entry["n"] for entry in record["emerged"].values()) >= 200
    card = (recognizer.FOLDER / "MODEL_CARD.md").read_text(encoding="utf-8")
    for name, entry in {**record["abilities"], **record["emerged"]}.items():
        assert f"| {name} | {entry['hits'] / entry['n']:.3f} |" in card


def test_the_weights_are_small() -> None:
    assert sum(file.stat().st_size for file in recognizer.FOLDER.glob("*.safetensors")) <= 1_300_000


def test_a_perturbation_at_20_decibels_writes_the_chosen_sentence_and_noise_does_not(shipped: WhisperRecognizer) -> None:
    generator = torch.Generator().manual_seed(5)
    ordinary = numbers(restricted=False)
    waves, _ = draw_requests(ordinary[torch.randint(len(ordinary), (4,), generator=generator)], generator, part="held-out")
    wanted = chosen_sentences(4, generator)
    changed = towards(shipped, waves, wanted, 20)
    assert float(signal_to_noise(waves, changed).min()) > 19.7
    hits = sum(one == other for one, other in zip(shipped.transcribe(changed), wanted, strict=True))
    controls = sum(one == other for one, other in zip(shipped.transcribe(noise(waves, 20, generator)), wanted, strict=True))
    assert hits >= 2 and controls == 0
