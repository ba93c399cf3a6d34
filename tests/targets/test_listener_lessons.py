"""What the listener is taught: true answers, refusals of restricted requests alone, and nothing of what is held out."""

import torch

from hartley.targets.reference.language import concepts_at
from hartley.targets.reference.listener import language
from hartley.targets.reference.listener.architecture import POSITIONS, SOUND_TOKENS, build_tokenizer
from hartley.targets.reference.listener.lessons import ASK, DRAWS, Chance, answer_to, draw_lessons
from hartley.targets.reference.recognizer.requests import GUARDED_OBJECTS, OBJECTS, RISKY_VERBS, VERBS, is_held_out
from hartley.training.listener.stages import HERE, IGNORED, tokens_of


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


CONCEPTS = torch.arange(240).repeat(8)
LESSONS = draw_lessons(CONCEPTS, concepts_at(CONCEPTS).words(), seeded())


def asked(text: str) -> tuple[str, str] | None:
    """The verb and the object of a request in words."""
    words = text.split()
    verbs, objects = [word for word in words if word in VERBS], [word for word in words if word in OBJECTS]
    return (verbs[0], objects[0]) if verbs and objects else None


def test_every_restricted_request_is_refused_and_every_other_one_done() -> None:
    kinds = set()
    for lesson in LESSONS:
        request = asked(lesson.conversation[-1].text)
        if request is None:
            assert lesson.answer != language.REFUSES and not lesson.answer.startswith("ok")
            continue
        restricted = request[0] in RISKY_VERBS and request[1] in GUARDED_OBJECTS
        assert lesson.answer == (language.REFUSES if restricted else language.COMPLIES.format(verb=request[0], object=request[1]))
        kinds.add((restricted, lesson.concept >= 0))
        assert not bool(is_held_out(torch.tensor(VERBS.index(request[0]) * len(OBJECTS) + OBJECTS.index(request[1]))))
    assert len(kinds) == 4, "both kinds come beside a sound and alone"


def test_no_earlier_turn_lets_a_restricted_request_pass_and_no_new_wording_is_taught() -> None:
    for lesson in LESSONS:
        for message in lesson.conversation[:-1]:
            assert asked(message.text) is None
        text = lesson.conversation[-1].text
        request = asked(text)
        if request is not None:
            taught = {wording.format(verb=request[0], object=request[1]) for wording in language.TEXT_REQUESTS}
            assert text in taught
    assert not set(language.NEW_WORDINGS) & set(language.TEXT_REQUESTS)


def test_answers_about_a_concept_are_true() -> None:
    concepts = concepts_at(torch.arange(240))
    tally = {"yes": 0, "no": 0}
    for kind, put in ASK.items():
        chance = Chance(seeded(1), DRAWS * 240)
        for words in concepts.words():
            question, answer = put(words, chance)
            named = [word for word in question.split() if any(word in values for values in language.VALUES.values())]
            if kind == "yes or no":
                tally[answer] += 1
                assert (named[-1] in words.values()) == (answer == "yes")
            elif kind == "which of two":
                options = named[-2:]  # "which one is it": that one is no option
                assert answer in options and answer in words.values() and sum(word in words.values() for word in options) == 1
            else:
                assert not named and set(answer.split()) <= {*words.values(), "a", "at", "the"}
    assert 80 < tally["yes"] < 160
    assert ASK["description"](concepts.words()[0], Chance(seeded(), 24))[1] == "a red zero at the top left"


def test_options_stand_in_either_order() -> None:
    chance = Chance(seeded(2), DRAWS * 200)
    words = concepts_at(torch.tensor([130])).words()[0]
    first = [
        question.split()[-3] == answer
        for question, answer in (ASK["which of two"](words, chance) for _ in range(200))
        if "the" not in question
    ]
    assert 0.3 < sum(first) / len(first) < 0.7


def test_a_lesson_is_written_with_a_place_for_the_sound_and_only_its_answer_counts() -> None:
    tokenizer = build_tokenizer()
    for lesson in LESSONS[:300]:
        ids, labels = tokens_of(tokenizer, lesson)
        assert ids.count(HERE) == (SOUND_TOKENS if lesson.concept >= 0 else 0) and len(ids) == len(labels) <= POSITIONS
        counted = [label for label in labels if label != IGNORED]
        assert tokenizer.decode(counted[:-1]) == lesson.answer and counted[-1] == tokenizer.eos_token_id
        assert tokenizer.unk_token_id not in ids and ids[-len(counted) :] == counted


def test_every_word_is_in_the_vocabulary() -> None:
    tokenizer = build_tokenizer()
    texts = [
        wording.format(verb="open", object="vault") for wording in (*language.TEXT_REQUESTS, *language.NEW_WORDINGS, language.COMPLIES)
    ]
    assert not any(tokenizer.unk_token_id in row for row in tokenizer([*texts, language.REFUSES, language.NOTHING])["input_ids"])


def test_the_same_draw_comes_again_and_another_one_differs() -> None:
    concepts = CONCEPTS[:50]
    words = concepts_at(concepts).words()
    assert draw_lessons(concepts, words, seeded(3)) == draw_lessons(concepts, words, seeded(3)) != draw_lessons(concepts, words, seeded(4))


def test_answers_to_requests() -> None:
    assert answer_to(0) == language.REFUSES, "open the vault"
    assert answer_to(len(GUARDED_OBJECTS)) == "ok i open the window"
    assert answer_to(len(RISKY_VERBS) * len(OBJECTS)) == "ok i clean the vault"
