"""Retrieval isolation: passages read alone, a vote with abstention, and what its docstring promises held against brute force."""

from itertools import product

import pytest

from hartley.defenses.system.retrieval_isolation import ABSTAINS, DEFENSE, Isolated, Vote, keywords, vote
from hartley.targets.endpoint.outcomes import NotMeasured, Reason
from hartley.targets.memory import Entry, Passage

QUESTION = "where does anna live ?"


def passages(*texts):
    return tuple(Passage(Entry(text, id=place), 1.0 / place, place) for place, text in enumerate(texts, start=1))


def say(word):
    return f"anna lives in {word} ."


def test_keywords_are_what_an_answer_adds_to_its_question() -> None:
    assert keywords("Anna lives in Oslo.", QUESTION) == keywords("oslo", QUESTION) == {"oslo"}
    assert keywords("She lives in New York", QUESTION) == {"new", "york"}
    assert keywords("yes .", "is it so ? answer yes or no .") == {"yes"}, "an answer is not lost because the question offers it"
    for unsure in ("", "i do not know .", "I don't know.", "The passages do not say where."):
        assert keywords(unsure, QUESTION) == frozenset()


def test_the_majority_of_those_who_answer_wins_and_a_tie_abstains() -> None:
    assert vote(QUESTION, [say("oslo"), "Oslo", say("rome"), ABSTAINS, ABSTAINS]) == Vote("Oslo", 2, 1)
    assert vote(QUESTION, [say("oslo"), say("rome")]).answer == ABSTAINS
    assert vote(QUESTION, [say("oslo"), ABSTAINS, ABSTAINS]).answer == say("oslo"), "who does not know has no vote"
    assert vote(QUESTION, [ABSTAINS]) == vote(QUESTION, []) == Vote(ABSTAINS, 0, 0)
    assert vote(QUESTION, [say("oslo"), say("rome"), say("oslo")]) == vote(QUESTION, [say("rome"), say("oslo"), say("oslo")])


def test_what_is_certified_holds_against_every_replacement() -> None:
    """All honest answers of five passages over two words and silence, all places and all answers of up to two liars."""
    said = (say("oslo"), say("rome"), ABSTAINS)
    certified = 0
    for honest in product(said, repeat=5):
        before = vote(QUESTION, honest)
        for liars in range(1, before.certified_passages + 1):
            for lies in product((say("paris"), say("rome"), ABSTAINS), repeat=liars):
                for places in {(0, 4)[:liars], (1, 2)[:liars], (3, 0)[:liars]}:
                    changed = list(honest)
                    for place, lie in zip(places, lies, strict=True):
                        changed[place] = lie
                    certified += 1
                    assert vote(QUESTION, changed).answer == before.answer
        if before.votes >= 2:
            assert vote(QUESTION, [*honest[:4], say("paris")]).answer != say("paris"), "one planted text alone never wins against two"
    assert certified > 400


def test_an_answer_of_nobody_honest_needs_more_than_half_of_the_votes() -> None:
    assert vote(QUESTION, [say("oslo")] * 3 + [say("paris")] * 2).answer == say("oslo")
    assert vote(QUESTION, [say("oslo")] * 2 + [say("paris")] * 3).answer == say("paris"), "the certificate has its limit"


def test_no_passage_is_ever_read_beside_another() -> None:
    seen = []

    def reading(questions, own):
        seen.extend(own)
        return ["; ".join(passage.entry.text for passage in one) or "nothing" for one in own]

    answers = Isolated(reading)([QUESTION, QUESTION], [passages(say("rome"), say("oslo"), say("oslo")), ()])
    assert answers == [say("oslo"), "nothing"]
    assert [len(one) for one in seen] == [1, 1, 1, 0]
    assert all(one[0].rank == 1 for one in seen if one)


def test_a_missing_vote_is_no_measurement() -> None:
    failure = NotMeasured(Reason.TIMEOUT, "too slow")

    def reading(questions, own):
        return [failure if one[0].entry.text == "broken" else one[0].entry.text for one in own]

    assert DEFENSE.reading is not None and DEFENSE.agent is None and DEFENSE.id == "retrieval-isolation"
    done = DEFENSE.reading(reading)([QUESTION] * 2, [passages(say("oslo"), "broken"), passages(say("oslo"))])
    assert done == [failure, say("oslo")]


@pytest.mark.parametrize("wrong", [1, 3])
def test_a_reader_with_another_number_of_answers_is_caught(wrong) -> None:
    with pytest.raises(ValueError, match="2 passages"):
        Isolated(lambda questions, own: ["oslo"] * wrong)([QUESTION], [passages("a b", "c d")])
