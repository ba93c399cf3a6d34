"""The engine's parts, one by one, against answers known by hand."""

from __future__ import annotations

import math
from random import Random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hartley.attacks.engine import objective as goals
from hartley.attacks.engine.attack import Attack
from hartley.attacks.engine.budget import Linf, Snr, Words
from hartley.attacks.engine.carrier import PIXELS, WAVEFORM, Patch
from hartley.attacks.engine.expectation import Scales, once
from hartley.attacks.engine.optimizer import SignGradient, Square
from hartley.attacks.engine.readout import retrieval, zero_shot
from hartley.attacks.engine.words import Cloze, Substitution
from hartley.attacks.prediction.crossfire import examples
from hartley.data.dealing import dealt, dealt_pairs
from hartley.targets.embedding import embed_images, embed_texts


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


# carriers


def test_delivered_pixels_are_what_a_png_holds():
    values = PIXELS.deliver(torch.rand(2, 3, 4, 4, generator=seeded()) * 1.4 - 0.2)
    assert torch.equal((values * 255).round() / 255, values)
    assert values.min() >= 0 and values.max() <= 1


def test_patch_stamps_exactly_its_square():
    images = torch.rand(2, 3, 8, 8, generator=seeded())
    patch = torch.full((3, 3, 3), 2.0)
    stamped = Patch(5, 5, 3).stamp(images, patch)
    assert torch.equal(stamped[..., 5:, 5:], patch.expand(2, 3, 3, 3))
    assert torch.equal(stamped[..., :5, :], images[..., :5, :])
    with pytest.raises(ValueError, match="does not fit"):
        Patch(6, 6, 3).stamp(images, patch)


# budgets


@given(st.floats(0.001, 0.5), st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_linf_projection_is_inside_and_idempotent(epsilon, seed):
    budget = Linf(epsilon, "pixel")
    clean = torch.rand(3, 3, 4, 4, generator=seeded(seed))
    delta = budget.project(torch.randn(clean.shape, generator=seeded(seed + 1)), clean)
    assert not budget.exceeded(clean, clean + delta).any()
    assert torch.equal(budget.project(delta, clean), delta)


@given(st.floats(5, 60), st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_snr_projection_reaches_the_ratio_it_names(decibels, seed):
    budget = Snr(decibels, "waveform")
    clean = torch.randn(3, 500, generator=seeded(seed))
    delta = budget.project(torch.randn(clean.shape, generator=seeded(seed + 1)) * 10, clean)
    slow = [10 * math.log10(float((c**2).sum() / (d**2).sum())) for c, d in zip(clean, delta, strict=True)]
    assert slow == pytest.approx([decibels] * 3, abs=1e-3)
    assert budget.measure(clean, clean + delta).tolist() == pytest.approx(slow, abs=0.1)
    assert not budget.exceeded(clean, clean + delta).any()
    assert budget.exceeded(clean, clean + 2 * delta).all()
    assert torch.isnan(budget.measure(clean, clean)).all()


def test_words_counts_changed_places():
    assert Words(1).measure(["a red two", "a b"], ["a red one", "a b"]).tolist() == [1, 0]


def test_an_epsilon_names_its_space():
    assert Linf(0.1, "pixel").cost == "linf_pixel"
    assert Snr(30, "waveform").cost == "snr_db_waveform"


# objectives


def test_objectives_agree_with_slow_twins():
    x = torch.nn.functional.normalize(torch.randn(4, 6, generator=seeded()), dim=1)
    r = torch.nn.functional.normalize(torch.randn(5, 6, generator=seeded(1)), dim=1)
    rows = torch.tensor([4, 0, 2, 2])
    cosines = [float(sum(a * b for a, b in zip(x[i], r[j], strict=True))) for i, j in enumerate(rows.tolist())]
    assert goals.toward(r)(x, rows).tolist() == pytest.approx([1 - c for c in cosines], abs=1e-6)
    assert goals.away(r)(x, rows).tolist() == pytest.approx(cosines, abs=1e-6)
    assert goals.angle(r)(x, rows).tolist() == pytest.approx([math.acos(c) for c in cosines], abs=1e-5)
    p, q = torch.softmax(r[rows].double(), 1), torch.softmax(x.double(), 1)
    divergence = [-sum(float(a * (a / b).log2()) for a, b in zip(p[i], q[i], strict=True)) for i in range(4)]
    assert goals.diverge(r)(x, rows).tolist() == pytest.approx(divergence, abs=1e-5)
    sets = torch.randn(5, 3, 6, generator=seeded(2))
    members = torch.tensor([[1.0, 1, 1], [1, 0, 0], [1, 1, 0], [1, 1, 1], [1, 1, 0]])
    slow = [sum(float(members[j, k] * (x[i] @ sets[j, k])) for k in range(3)) for i, j in enumerate(rows.tolist())]
    assert goals.away_from_set(sets, members)(x, rows).tolist() == pytest.approx(slow, abs=1e-5)
    prompts, labels = r[:3], torch.tensor([0, 1, 2, 0, 1])
    law = torch.softmax(7 * x @ prompts.T, 1)
    slow = [float(law[i, labels[j]].log2()) for i, j in enumerate(rows.tolist())]
    assert goals.misclassify(prompts, labels, 7.0)(x, rows).tolist() == pytest.approx(slow, abs=1e-5)
    both = goals.weighted((2.0, goals.away(r)), (1.0, goals.toward(r)))(x, rows)
    assert both.tolist() == pytest.approx([2 * c + 1 - c for c in cosines], abs=1e-5)


# expectations


def test_scales_keep_size_and_range():
    views = list(Scales((1.0, 0.5, 1.5), 0.05)(torch.rand(2, 3, 12, 12, generator=seeded()), seeded(1)))
    assert [tuple(view.shape) for view in views] == [(2, 3, 12, 12)] * 3
    assert all(view.min() >= 0 and view.max() <= 1 for view in views)
    assert len(list(once(torch.rand(1), seeded()))) == 1


# optimizers


@pytest.mark.parametrize(
    "optimizer",
    [SignGradient(20), SignGradient(20, momentum=0.9), SignGradient(20, start=True), Square(200)],
    ids=["pgd", "momentum", "start", "square"],
)
def test_attack_lowers_its_loss_inside_its_budget(encoder, pairs, optimizer):
    target = embed_texts(encoder, pairs.prompts)[(pairs.labels + 1) % 4]
    attack = Attack(PIXELS, Linf(16 / 255, "pixel"), optimizer)
    crafted = attack.craft(goals.through(encoder.embed_image, goals.toward(target)), pairs.images, seeded())
    before = goals.toward(target)(embed_images(encoder, pairs.images), torch.arange(len(pairs)))
    after = goals.toward(target)(embed_images(encoder, crafted.adversarial), torch.arange(len(pairs)))
    assert (after < before).float().mean() > 0.95
    assert crafted.warnings == ()
    assert (crafted.adversarial - pairs.images).abs().max() <= 16 / 255 + 1e-6
    again = attack.craft(goals.through(encoder.embed_image, goals.toward(target)), pairs.images, seeded())
    assert torch.equal(crafted.adversarial, again.adversarial)


def test_attack_on_waveforms_keeps_its_ratio(encoder, pairs):
    target = embed_texts(encoder, pairs.prompts)[(pairs.labels + 1) % 4]
    attack = Attack(WAVEFORM, Snr(20, "waveform"), SignGradient(20))
    crafted = attack.craft(goals.through(encoder.embed_audio, goals.toward(target)), pairs.audio, seeded())
    assert crafted.warnings == ()
    assert attack.budget.measure(pairs.audio, crafted.adversarial).min() >= 19.95
    assert crafted.losses[-1] < crafted.losses[0]


def test_pgd_equals_a_slow_loop_over_single_inputs(encoder, pairs):
    labels, prompts = pairs.labels, embed_texts(encoder, pairs.prompts)
    objective = goals.misclassify(prompts, labels, 20.0)
    crafted = Attack(PIXELS, Linf(8 / 255, "pixel"), SignGradient(5)).craft(
        goals.through(encoder.embed_image, objective), pairs.images, seeded()
    )
    for row in (0, 7, 39):
        x = pairs.images[row : row + 1].clone()
        for _ in range(5):
            point = x.clone().requires_grad_(True)
            loss = torch.log_softmax(20.0 * encoder.embed_image(point) @ prompts.T, 1)[0, labels[row]]
            (gradient,) = torch.autograd.grad(loss, point)
            x = x - 2.5 * 8 / 255 / 5 * gradient.sign()
            x = torch.minimum(torch.maximum(x, pairs.images[row] - 8 / 255), pairs.images[row] + 8 / 255).clamp(0, 1)
        assert torch.allclose(crafted.adversarial[row], (x[0] * 255).round() / 255, atol=1e-6)


def test_dropping_solved_rows_costs_fewer_passes_for_the_same_accuracy(encoder, pairs):
    prompts = embed_texts(encoder, pairs.prompts)
    labels = (embed_images(encoder, pairs.images) @ prompts.T).argmax(1)
    objective = goals.misclassify(prompts, labels, 20.0)

    def solved(delivered, rows):
        return (encoder.embed_image(delivered) @ prompts.T).argmax(1) != labels[rows]

    def run(drop):
        attack = Attack(PIXELS, Linf(16 / 255, "pixel"), SignGradient(20, drop=drop))
        return attack.craft(goals.through(encoder.embed_image, objective), pairs.images, seeded(), solved=solved if drop else None)

    def robust(crafted):
        return float(((embed_images(encoder, crafted.adversarial) @ prompts.T).argmax(1) == labels).float().mean())

    whole, short = run(False), run(True)
    assert robust(short) <= robust(whole) + 0.05
    assert short.passes < whole.passes


def test_gradients_touch_nothing_but_the_carrier(pairs):
    layer = torch.nn.Linear(192, 12)
    attack = Attack(PIXELS, Linf(8 / 255, "pixel"), SignGradient(3))
    attack.craft(
        goals.through(lambda x: torch.nn.functional.normalize(layer(x.flatten(1)), dim=1), goals.away(torch.ones(40, 12))),
        pairs.images,
        seeded(),
    )
    assert all(parameter.grad is None for parameter in layer.parameters())


# sanity flags


def test_a_blind_attack_is_flagged(pairs):
    def flat(x):
        return torch.nn.functional.normalize(torch.ones(len(x), 4) + 0 * x.sum(), dim=1)

    crafted = Attack(PIXELS, Linf(8 / 255, "pixel"), SignGradient(4)).craft(
        goals.through(flat, goals.away(torch.ones(40, 4))), pairs.images, seeded()
    )
    assert {name for name, _ in crafted.warnings} == {"zero gradients", "loss does not fall"}


def test_a_broken_budget_is_flagged(encoder, pairs):
    class Leaky(Linf):
        def project(self, delta, clean):
            return delta.clamp(-3 * self.epsilon, 3 * self.epsilon)

    target = embed_texts(encoder, pairs.prompts)[(pairs.labels + 1) % 4]
    attack = Attack(PIXELS, Leaky(8 / 255, "pixel"), SignGradient(8, size=8 / 255))
    crafted = attack.craft(goals.through(encoder.embed_image, goals.toward(target)), pairs.images, seeded())
    assert "budget exceeded" in {name for name, _ in crafted.warnings}


def test_nan_inputs_are_refused(encoder, pairs):
    images = pairs.images.clone()
    images[3, 0, 0, 0] = math.nan
    with pytest.raises(ValueError, match="not finite"):
        Attack(PIXELS, Linf(8 / 255, "pixel"), SignGradient(2)).craft(
            goals.through(encoder.embed_image, goals.away(torch.ones(40, 12))), images, seeded()
        )


# words


def test_cloze_proposes_what_the_corpus_puts_there():
    cloze = Cloze(["a red two here", "a green two here", "a green six here"])
    assert cloze.candidates(["a", "red", "two", "here"], 1, 2, frozenset())[0] == "green"
    assert "two" not in cloze.candidates(["a", "green", "six", "here"], 2, 10, frozenset({"two"}))


def test_substitution_changes_one_word_and_keeps_the_meaning(encoder):
    texts = ["a small two here", "a small one there"]
    cloze = Cloze(["a tiny two here", "one small two there", "this big one here"])
    clean = embed_texts(encoder, texts)
    keep = frozenset({"two", "one"})
    changed, queries = Substitution(cloze, keep).craft(texts, lambda new, rows: (embed_texts(encoder, new) * clean[rows]).sum(1))
    assert queries > 0
    for old, new in zip(texts, changed, strict=True):
        pairs = list(zip(old.split(), new.split(), strict=True))
        assert sum(a != b for a, b in pairs) <= 1
        assert all(a == b for a, b in pairs if a in keep or b in keep)
    assert ((embed_texts(encoder, changed) * clean).sum(1) <= 1 + 1e-6).all()
    assert changed != texts


def test_substitution_leaves_a_text_without_a_free_word(encoder):
    changed, _ = Substitution(Cloze(["two"]), frozenset({"two"})).craft(["two"], lambda new, rows: torch.zeros(len(new)))
    assert changed == ["two"]


# examples, dealing, readouts


def test_an_example_of_each_target_is_taken(pairs):
    targets = torch.tensor([0, 1, 2, 3, 3])
    assert pairs.labels[examples(pairs, targets, seeded())].tolist() == targets.tolist()
    assert len({examples(pairs, targets, seeded(seed))[0].item() for seed in range(9)}) > 1, "drawn, not the first"
    with pytest.raises(ValueError, match="no example of 'three'"):
        examples(pairs.take([0, 1, 2]), targets, seeded())


@pytest.mark.parametrize("count", [100, 96, 64, 7])
def test_what_is_dealt_is_balanced_in_all_and_beside_each_intent(count):
    drawn = dealt_pairs(Random(count), count, 8, 8)
    for rows in (drawn, *([pair for pair in drawn if pair[0] == intent] for intent in range(8))):
        counts = [sum(symbol == own for _, own in rows) for symbol in range(8)]
        assert max(counts) - min(counts) <= 1
    assert len(set(drawn)) == min(count, 64), "no pair twice before every pair came once"


def test_what_is_dealt_says_nothing_of_the_intent_by_law():
    """Over many draws every symbol stands beside every intent equally often, whatever is left over of a deck."""
    beside = [0] * 3 + [1] * 4 + [2] * 5
    seen = np.zeros((3, 8))
    for seed in range(2000):
        for intent, symbol in zip(beside, dealt(Random(seed), beside, 8), strict=True):
            seen[intent, symbol] += 1
    expected = np.bincount(beside)[:, None] * 2000 / 8
    assert np.abs(seen / expected - 1).max() < 0.15


def test_zero_shot_rows_say_what_was_answered(encoder, pairs):
    embedding = embed_images(encoder, pairs.images)
    rows = zero_shot(encoder, pairs, embedding, (pairs.labels + 1) % 4, {})
    logits = (20 * embedding @ embed_texts(encoder, pairs.prompts).T).double()
    assert rows.outcome.tolist() == logits.argmax(1).tolist()
    law = torch.softmax(logits, 1)
    assert rows.log2_q.tolist() == pytest.approx([math.log2(law[i, y]) for i, y in enumerate(pairs.labels.tolist())], abs=1e-4)
    assert rows.score.tolist() == pytest.approx((logits.max(1).values / 20).tolist(), abs=1e-5)
    jam = zero_shot(encoder, pairs, embedding, None, {})
    assert jam.success.tolist() == (jam.outcome != pairs.labels).int().tolist()


def test_retrieval_counts_success_only_where_the_baseline_was_right(encoder, pairs):
    gallery = torch.nn.functional.one_hot(pairs.labels, 12).float()
    query = gallery.clone()
    query[0] = gallery[1]
    baseline = retrieval(encoder, pairs, query, gallery, {})
    assert baseline.success.tolist() == [1] + [0] * 39
    worse = query.clone()
    worse[5] = gallery[2]
    attacked = retrieval(encoder, pairs, worse, gallery, {}, (baseline.success == 0).numpy())
    assert attacked.success[0] == -1 and attacked.success[5] == 1 and attacked.success[6] == 0
    assert (attacked.log2_q <= 0).all()
