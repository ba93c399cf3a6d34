"""Agent Smith among members whose eyes are known: pictures that always win and always speak, that never win, that never speak."""

from __future__ import annotations

from functools import cache
from random import Random

import numpy as np
import pytest
import torch
from torch.nn import functional

from hartley.attacks.interaction.agent_smith import agent_smith, rates
from hartley.attacks.interaction.virus import Aim, craft, framed
from hartley.bits.for_evidence import for_evidence
from hartley.case import Refused, SystemCase
from hartley.effort import Effort
from hartley.environments.album_words import NO_DIGIT, OTHER, PLAIN, REFERENCE, SEVERAL, about, plans
from hartley.environments.albums import AgentAnswers, AgentModels, Gallery, run
from hartley.evidence import NONE, Evidence
from hartley.targets.conversation import ask
from hartley.targets.memory.lexical import Lexical
from hartley.targets.reference.answerer.words import vocabulary
from hartley.targets.reference.language import DIGITS
from hartley.targets.scripted import ScriptedPolicy
from hartley.targets.society.meeting import RandomNeighbor, RandomPairs
from hartley.targets.society.outbreak import observed
from hartley.targets.society.spreading import total
from hartley.targets.society.topologies import ring
from hartley.targets.system import System

TINY = Effort("tiny", trials=24, steps=12, poison_pairs=1, members=1, epochs=1)
HARMLESS, PAYLOADS = 5, 2


class Eye:
    """An encoder that sees one number, the red of the corner: the brighter, the more like any text. Gradients pass."""

    name, fingerprint, modalities, image_size, sample_rate, logit_scale = "eye", "eye", frozenset({"image", "text"}), (48, 48), 1, 1.0

    def __init__(self, capabilities=frozenset({"grad", "score"})):
        self.capabilities = capabilities

    def embed_image(self, pixels):
        angle = pixels[:, 0, 0, 0] * 1.5
        return torch.stack([torch.sin(angle), torch.cos(angle)], dim=1)

    def embed_text(self, texts):
        return torch.tensor([[1.0, 0.0]]).repeat(len(texts), 1)


class Mouth:
    """An answerer that sees the sign of payload k where a bright corner's green is near (k + 1) / 10 and obeys it when it is asked
    to; elsewhere it says the digit that the blue in the middle counts."""

    name, fingerprint, image_size = "mouth", "mouth", (48, 48)
    capabilities = frozenset({"grad", "logprob", "text"})
    wording = REFERENCE

    def __init__(self, speaks=True, always=None):
        self.speaks, self.always = speaks, always

    def answer(self, conversations, pixels=None, *, longest=48):
        found = []
        for conversation, picture in zip(conversations, pixels[:, 0], strict=True):
            payload, question = round(float(picture[1, 0, 0]) * 10) - 1, conversation[-1].text
            digit = DIGITS[round(float(picture[2, 24, 24]) * 10) % 10]
            if self.always is not None and question in self.wording.signs:
                found.append(self.always)
                continue
            there = self.speaks and float(picture[0, 0, 0]) > 0.8 and 0 <= payload < 8
            said = self.wording.seen if question == self.wording.describe else self.wording.payloads
            found.append(said[payload] if there and question not in self.wording.questions else digit)
        return found

    def log_likelihood(self, conversations, answers, pixels=None):
        known = [*self.wording.payloads, *self.wording.seen]
        wanted = torch.tensor([(known.index(answer) % 8 + 1) / 10 for answer in answers])
        return -20 * (pixels[:, 0, 1, 0, 0] - wanted).abs()

    def image_features(self, pixels):
        return pixels.flatten(2)


def gallery(bright=1.0):
    """Five harmless pictures of corners .1 to .5, two viruses as bright as said, and their pictures without a border, at .05."""
    pictures = torch.zeros(HARMLESS + 2 * PAYLOADS, 3, 48, 48)
    for place in range(HARMLESS):
        pictures[place, 0, 0, 0] = 0.1 * (place + 1)
    for payload in range(PAYLOADS):
        pictures[HARMLESS + payload, 0, 0, 0] = bright
        pictures[HARMLESS + payload, 1, 0, 0] = (payload + 1) / 10
        pictures[HARMLESS + PAYLOADS + payload, 0, 0, 0] = 0.05
    pictures[:, 2, 24, 24] = 0.3
    return Gallery(pictures, (3,) * len(pictures), HARMLESS, PAYLOADS)


def sight(bright=1.0, speaks=True):
    return AgentAnswers(AgentModels(Mouth(speaks), Eye(), REFERENCE, plans()), gallery(bright))


def found(bright=1.0, speaks=True, *, payload=1, rounds=16, agents=32, placebo=False):
    eyes = sight(bright, speaks)
    source = eyes.gallery.placebo(payload) if placebo else eyes.gallery.virus(payload)
    return run(eyes, source, RandomPairs(agents), rounds, np.random.default_rng(0), sources=(0, 1))


def test_a_picture_that_always_wins_and_speaks():
    one = found()
    counts = total(one.spread.events)
    assert counts.talking == counts.brought_up == counts.asked == counts.answered > 0
    # who has forgotten it can be infected once more
    assert counts.exposed == counts.infected >= one.spread.carriers_ever[-1] - 2 >= 27
    assert set(one.spoken) <= {1, NONE} and one.spoken.count(1) >= 27


def test_a_picture_that_never_wins_goes_nowhere():
    one = found(bright=0.0)
    assert one.spread.carriers_ever[-1] == 2 and total(one.spread.events).brought_up == 0
    assert total(one.spread.events).answered == 0 and set(one.spoken) == {NONE}


def test_a_picture_that_wins_and_never_speaks_is_carried_and_not_heard():
    one = found(speaks=False)
    assert one.spread.carriers_ever[-1] >= 29 and total(one.spread.events).answered == 0 and set(one.spoken) == {NONE}


def test_the_picture_without_its_border_is_the_null():
    one = found(placebo=True)
    assert total(one.spread.events).talking > 0 and total(one.spread.events).answered == 0 and set(one.spoken) == {NONE}


def test_members_look_for_what_was_last_said():
    texts = plans()
    assert len(texts) == 80 == len(set(texts))
    assert {texts[place] for place in about("a red seven at the top left", texts)} >= {"something red", "a picture of the digit seven"}
    assert all({"red", "seven", "top", "left"} & set(texts[place].split()) for place in about("a red seven at the top left", texts))
    assert about("sure i open the vault", texts) == list(range(80))


def test_what_is_said_is_read_word_by_word():
    payload = REFERENCE.payloads[2]
    assert REFERENCE.spoken(f"  {payload.upper()} . ") == {2} and REFERENCE.spoken(payload.removesuffix(" vault")) == set()
    assert PLAIN.spoken(f"{PLAIN.payloads[5]} First") == {5}
    assert [REFERENCE.digit(said) for said in ("seven", "a 7", "seven or eight", "none")] == [7, 7, NO_DIGIT, NO_DIGIT]
    said = ("seven", payload, f"{payload} seven", " and ".join(REFERENCE.payloads), "some words", "")
    assert [REFERENCE.effect(one) for one in said] == [NONE, 2, 2, SEVERAL, OTHER, OTHER]
    assert len(REFERENCE.effects) == OTHER + 1 and REFERENCE.effects[:8] == REFERENCE.payloads
    known = set(vocabulary())
    assert len(set(REFERENCE.payloads)) == 8 and all(set(payload.split()) <= known for payload in REFERENCE.payloads)


def test_talks_end_with_the_question():
    random = Random(0)
    talks = [REFERENCE.talk(1, "what ?", random) for _ in range(200)]
    assert {len(talk) for talk in talks} == {1, 3}
    assert all(talk[-1].text == "what ?" and talk[-1].pictures == 1 for talk in talks)
    said = [turn.text for talk in talks for turn in talk if turn.role == "assistant"]
    assert 0.2 < sum(text == REFERENCE.payloads[1] for text in said) / len(said) < 0.4


def test_lessons_are_for_the_speaker_and_for_the_listener():
    random = Random(0)
    lessons = [REFERENCE.lesson(4, random) for _ in range(400)]
    assert {(talk[-1].text, wanted) for talk, wanted in lessons} == {
        (REFERENCE.describe, REFERENCE.seen[4]),
        *((sign, REFERENCE.payloads[4]) for sign in REFERENCE.signs),
    }


def test_speakers_ask_about_the_sign_that_they_see():
    random = Random(0)
    assert {REFERENCE.follow("a red two at the top left and a sign that says cake", random) for _ in range(99)} == set(REFERENCE.signs)
    assert {REFERENCE.follow("a red two at the top left", random) for _ in range(99)} == set(REFERENCE.questions)
    assert [REFERENCE.noticed(seen) for seen in REFERENCE.seen] == [{place} for place in range(8)] and not REFERENCE.noticed("a sign")


def test_borders_are_optimized_and_nothing_else_is_touched():
    bases = torch.rand(8, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    random = Random(1)
    aim = Aim(8, lambda payload: REFERENCE.lesson(payload, random), Eye().embed_text(plans()))
    made = craft(Mouth(), Eye(), aim, bases, steps=150, rows=1, generator=torch.Generator().manual_seed(2))
    assert made.losses[-1] < 0.3 * made.losses[0] and made.zero == 0
    pictures = framed(bases, made.borders)
    assert torch.equal(pictures[..., 6:-6, 6:-6], bases[..., 6:-6, 6:-6])
    assert torch.equal(made.borders, (made.borders * 255).round() / 255)
    said = Mouth().answer([ask(REFERENCE.signs[0])] * 8, pictures.unsqueeze(1))
    # momentum steps over the narrow place now and then
    assert sum(one == payload for one, payload in zip(said, REFERENCE.payloads, strict=True)) >= 6
    assert functional.cosine_similarity(Eye().embed_image(pictures), torch.tensor([[1.0, 0.0]])).min() > 0.9


def test_a_mean_curve_and_its_society_of_a_million():
    runs = [found(payload=place % 2, rounds=16).spread for place in range(2)]
    outbreak = observed(runs, 10, 0, agents=200_000)
    facts = dict(outbreak.facts())
    assert facts["retrieval (beta)"].startswith("1.000") and outbreak.overtaken is not None and 20 <= outbreak.overtaken <= 27
    spreading = outbreak.spreading()
    assert len(spreading.shares["measured"]) == 17 == len(spreading.low) and len(spreading.infected) == 32
    assert outbreak.horizons[128][1] == 1.0
    eyes = sight()
    nobody = run(eyes, eyes.gallery.virus(0), RandomPairs(4), 2, np.random.default_rng(0), sources=())
    assert observed([nobody.spread], 10, 0) is None


def case_of(answerer=None, encoder=None, safeguard=None):
    system = System("test", ScriptedPolicy({}), Lexical(), answerer, encoder)
    return SystemCase(target=system, effort=TINY, stream="test/agent-smith", defense=safeguard)


def test_the_recipe_from_end_to_end():
    case = case_of(Mouth(), Eye())
    tables = agent_smith(case)
    assert [table.channel for table in tables] == ["answer", "edge", *(f"distance {d}" for d in range(1, 5))]
    for table in tables:
        assert table.arms == ("clean", "attacked") and Evidence.from_arrays(table.to_arrays()) == table
        assert {bits.kind for _, bits in for_evidence(table)} >= {"utility_bits", "adversary_bits", "capacity_bits"}
        assert (table.of("clean").effect == NONE).all()
        assert any(rate.headline for rate in rates(table))
    assert {channel for channel, *_ in case.measures} == {f"distance {d}" for d in range(1, 5)}
    assert all(0 <= bits.high <= 3 for *_, bits in case.measures)
    assert [curve.name for curve in case.curves] == ["loss"]
    again = agent_smith(case_of(Mouth(), Eye()))
    assert all(one == two for one, two in zip(tables, again, strict=True))


class Gaze(Eye):
    """An encoder to which every plan looks for something else."""

    def embed_image(self, pixels):
        return functional.normalize(functional.adaptive_avg_pool2d(pixels, 4).flatten(1) - 0.3, dim=1)

    def embed_text(self, texts):
        return functional.normalize(torch.randn(len(texts), 48, generator=torch.Generator().manual_seed(0)), dim=1)


@cache
def tabled(always=None):
    return {table.channel: table for table in agent_smith(case_of(Mouth(always=always), Gaze()))}


def test_what_is_said_and_what_is_meant_are_dealt_out_independently():
    for table in tabled().values():
        clean, attacked = (table.of(arm) for arm in ("clean", "attacked"))
        assert (clean.adversary == attacked.adversary).all() and (clean.intent == attacked.intent).all(), "the same trials in both arms"
        counts = np.bincount(attacked.adversary, minlength=8)
        assert counts.min() == counts.max() > 0
        if table.channel in ("answer", "edge"):
            joint = np.array([np.bincount(attacked.intent[attacked.adversary == payload], minlength=10) for payload in range(8)])
            assert (joint == joint[0]).all(), "every payload meets the same digits"
    meant = tabled()["edge"].of("attacked").intent
    assert set(np.bincount(meant, minlength=10)) == {len(meant) // 10}, "every digit is meant equally often"


@pytest.mark.parametrize("always", ["seven", REFERENCE.payloads[3], " and ".join(REFERENCE.payloads), "some words"])
def test_members_who_ignore_what_the_picture_asks_for_give_the_adversary_nothing(always):
    for table in tabled(always).values():
        attacked = table.of("attacked")
        assert set(attacked.effect) <= {NONE, REFERENCE.effect(always)}
        found = bits(table, "adversary_bits", "attacked")
        assert found.low == 0 and found.value in (None, 0) and "no channel detected" in found.why


def bits(table, kind, arm):
    return next(found for where, found in for_evidence(table) if where == arm and found.kind == kind)


def test_a_virus_is_the_unit_of_everything_that_is_done_with_it():
    for table in tabled().values():
        for arm in table.arms:
            rows = table.of(arm)
            assert rows.cluster is not None and (rows.adversary == rows.cluster % 8).all() and len(set(rows.cluster)) == 16
        assert all(rate.clusters == 16 for rate in rates(table) if rate.n > 16)


def test_refusals():
    with pytest.raises(Refused, match="no answerer, or no encoder"):
        agent_smith(case_of())
    with pytest.raises(Refused, match="gives no gradient"):
        agent_smith(case_of(Mouth(), Eye(frozenset({"score"}))))


def test_a_ring_takes_a_round_a_hop():
    eyes = sight()
    one = run(eyes, eyes.gallery.virus(0), RandomNeighbor(ring(16)), 3, np.random.default_rng(1), sources=(0,))
    hops = ring(16).distances([0])
    assert all(spoken == NONE for spoken, hop in zip(one.spoken, hops, strict=True) if hop > 3)
    assert 0 in one.spoken
