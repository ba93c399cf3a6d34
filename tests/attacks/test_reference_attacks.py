"""What is expected of attacks on the shipped encoder, each beside random noise of the same size, which must not do the same."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hartley.attacks.engine.attack import Attack
from hartley.attacks.engine.budget import Linf, Snr
from hartley.attacks.engine.carrier import PIXELS, WAVEFORM
from hartley.attacks.engine.objective import misclassify, through, toward
from hartley.attacks.engine.optimizer import SignGradient
from hartley.case import Case
from hartley.effort import EFFORTS
from hartley.runs.shipped import recipe
from hartley.targets.embedding import embed_audio, embed_images, embed_texts
from hartley.targets.reference.data import ReferenceData
from hartley.targets.reference.encoder import load


@pytest.fixture(scope="module")
def encoder():
    return load()


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def test_pgd_at_8_of_255_takes_the_digits_and_noise_of_that_size_does_not(encoder):
    pairs = ReferenceData().draw(100, seeded(0))
    prompts = embed_texts(encoder, pairs.prompts)

    def right(images):
        return float(((embed_images(encoder, images) @ prompts.T).argmax(1) == pairs.labels).float().mean())

    attack = Attack(PIXELS, Linf(8 / 255, "pixel"), SignGradient(20))
    crafted = attack.craft(through(encoder.embed_image, misclassify(prompts, pairs.labels, encoder.logit_scale)), pairs.images, seeded(1))
    noise = torch.sign(torch.randn(pairs.images.shape, generator=seeded(2))) * 8 / 255
    assert crafted.warnings == ()
    assert right(pairs.images) >= 0.93
    assert right(PIXELS.apply(pairs.images, noise)) >= 0.9
    assert right(crafted.adversarial) <= 0.03


def test_speech_at_30_db_says_what_the_attacker_wants_and_noise_of_that_size_does_not(encoder):
    pairs = ReferenceData().draw(30, seeded(3), speech=True)
    prompts = embed_texts(encoder, pairs.prompts)
    targets = (pairs.labels + 3) % 10
    budget = Snr(30, "waveform")

    def hits(sound):
        return float(((embed_audio(encoder, sound) @ prompts.T).argmax(1) == targets).float().mean())

    crafted = Attack(WAVEFORM, budget, SignGradient(15, momentum=0.9)).craft(
        through(encoder.embed_audio, toward(prompts[targets])), pairs.audio, seeded(4)
    )
    noise = budget.project(torch.randn(pairs.audio.shape, generator=seeded(5)), pairs.audio)
    assert crafted.warnings == () and budget.measure(pairs.audio, crafted.adversarial).min() > 29.9
    assert hits(pairs.audio + noise) <= 0.1
    assert hits(crafted.adversarial) >= 0.7


@pytest.mark.slow
def test_one_percent_of_triggered_pairs_plants_a_backdoor_and_keeps_clean_accuracy(encoder):
    case = Case(target=encoder, data=ReferenceData(), effort=EFFORTS["quick"], stream="expected/badclip")
    (evidence,) = recipe("badclip").run(case)
    rates = {(rate.name, rate.arm): rate for rate in recipe("badclip").rates(evidence)}
    success, quiet = rates["attack success with the trigger", "attacked"], rates["clean accuracy", "attacked"]
    assert np.isclose(evidence.costs["poisoned_fraction"][evidence.arm == 1].mean(), 0.01)
    # Three victims tell little of a fourth one: it is the shares that are expected, not their limits.
    assert success.value >= 0.35 and success.clusters == 3
    assert quiet.high >= rates["clean accuracy", "clean"].low
    assert rates["attack success with the trigger", "clean"].value + 0.15 < success.value
