"""The reference corpus: balanced, unambiguous, in the agent's words; and a user's own texts and questions, with every refusal."""

import json
from collections import Counter
from pathlib import Path
from random import Random

import numpy as np
import pytest

from hartley.errors import InputError
from hartley.targets.conversation import Call, Message
from hartley.targets.memory import Retriever, answer
from hartley.targets.memory.corpus import Question, read_entries, read_folder, read_questions
from hartley.targets.memory.readouts import answer_symbols, disclosed, first_ranks
from hartley.targets.memory.reference import ALPHABET, reference_corpus, reference_memory, reference_reading
from hartley.targets.reference.agent.words import vocabulary


@pytest.fixture(scope="module")
def corpus():
    return reference_corpus(Random(0))


def test_the_reference_corpus_is_large_enough_balanced_and_in_the_agents_words(corpus) -> None:
    assert len(corpus.questions) >= 64 and len(ALPHABET) >= 8
    assert len(corpus.members) == len(corpus.strangers) == 120 and len(corpus.secrets) == 24
    assert set(Counter(question.right for question in corpus.questions).values()) == {len(corpus.questions) // 8}
    assert len({question.text for question in corpus.questions}) == len(corpus.questions)
    known = set(vocabulary())
    words = {word for entry in (*corpus.entries, *corpus.strangers) for word in entry.text.split()}
    words |= {word for question in corpus.questions for word in (*question.text.split(), *question.choices)}
    assert words <= known
    assert [entry.id for entry in corpus.entries] == list(range(1, len(corpus.entries) + 1))


def test_every_question_has_one_answer_in_the_corpus(corpus) -> None:
    by_id = {entry.id: entry for entry in corpus.entries}
    for question in corpus.questions:
        (support,) = question.supports
        fact = by_id[support]
        subject, verb = fact.text.split()[:2]
        assert subject in question.text and verb.removesuffix("s") in question.text
        assert answer_symbols([fact.text], [question.choices]).tolist() == [question.right]
        assert fact.trusted and fact.source == "notes"
        others = [entry for entry in corpus.entries if entry.id != support and entry.text.split()[:2] == [subject, verb]]
        assert not others
    assert {entry.source for entry in corpus.entries if not entry.trusted} == {"mail", "web"}


def test_secrets_and_records_are_what_they_say(corpus) -> None:
    by_id = {entry.id: entry for entry in corpus.entries}
    held = disclosed([entry.text for entry in corpus.entries], [secret.words for secret in corpus.secrets])
    assert (held.sum(axis=0) == 1).all(), "a secret stands in its own entry alone"
    for secret in corpus.secrets:
        entry = by_id[secret.entry]
        assert secret.words in entry.text and entry.readers == {entry.text.split()[3]}
    texts = {entry.text for entry in corpus.entries}
    assert all(by_id[member].text in texts for member in corpus.members)
    assert not any(stranger.text in texts for stranger in corpus.strangers)
    assert all(text.split()[1] == "bought" for text in (*(by_id[m].text for m in corpus.members), *(s.text for s in corpus.strangers)))


def test_the_seed_decides_the_corpus() -> None:
    assert reference_corpus(Random(4)) == reference_corpus(Random(4)) != reference_corpus(Random(5))
    small = reference_corpus(Random(4), distractors=0, records=0)
    assert len(small.entries) == 72 + 24 + 72 and not small.members
    for wrong in ({"distractors": -1}, {"records": 100_000}):
        with pytest.raises(InputError, match="are accepted"):
            reference_corpus(Random(0), **wrong)


def test_the_right_entry_is_retrieved(corpus) -> None:
    memory = reference_memory(corpus)
    assert memory.retriever.k == 3
    ranks = first_ranks(
        memory.retrieve([question.text for question in corpus.questions]), [question.supports for question in corpus.questions]
    )
    assert np.mean(ranks > 0) >= 0.95 and np.mean(ranks == 1) >= 0.9


class Notes:
    """An agent that searches its notes and says the first of them; satisfies `Policy`."""

    name, fingerprint, capabilities = "notes", "0" * 64, frozenset({"text"})

    def respond(self, conversations, tools):
        assert [tool["function"]["name"] for tool in tools] == ["search_notes"]
        return [
            Message("assistant", conversation[-1].text.split(" : ")[1])
            if conversation[-1].role == "tool"
            else Message("assistant", calls=(Call("search_notes", {"query": "x"}),))
            for conversation in conversations
        ]


def test_a_reader_that_trusts_the_nearest_note_transmits_the_corpus(corpus) -> None:
    done = answer(reference_memory(corpus), [question.text for question in corpus.questions], reference_reading(Notes()))
    symbols = answer_symbols([one.answer for one in done], [question.choices for question in corpus.questions])
    assert np.mean(symbols == [question.right for question in corpus.questions]) >= 0.9


def test_a_planted_passage_wins_its_question(corpus) -> None:
    """The plainest poison: the question itself before the wrong answer, as an untrusted entry."""
    from hartley.targets.memory import Entry

    memory = reference_memory(corpus, retriever=Retriever(k=1))
    question = corpus.questions[0]
    wrong = question.choices[(question.right + 1) % 8]
    planted = memory.write([Entry(f"{question.text} anna lives in {wrong} .", source="web")])
    (done,) = answer(memory, [question.text], reference_reading(Notes()))
    assert first_ranks([done.passages], [planted]).tolist() == [1]
    assert answer_symbols([done.answer], [question.choices]).tolist() == [(question.right + 1) % 8]


# A user's own


def test_a_folder_of_texts_becomes_passages(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_text("\ufefffirst  paragraph\nstill first\n\n \t \nsecond\n", encoding="utf-8")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.MD").write_text(" ".join(f"w{i}" for i in range(250)))
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "c.txt").write_text("hidden")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG")
    (tmp_path / "empty.txt").touch()
    entries = read_folder(tmp_path, trusted=True, words=120)
    assert [(entry.id, entry.source) for entry in entries] == [
        (1, "b.txt"),
        (2, "b.txt"),
        (3, "sub/a.MD"),
        (4, "sub/a.MD"),
        (5, "sub/a.MD"),
    ]
    assert [entry.text for entry in entries[:2]] == ["first paragraph still first", "second"] and all(entry.trusted for entry in entries)
    assert " ".join(entry.text for entry in entries[2:]) == " ".join(f"w{i}" for i in range(250))
    assert [len(entry.text.split()) for entry in entries[2:]] == [83, 83, 84]


def test_a_folder_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    def refused(how: str) -> None:
        with pytest.raises(InputError, match=how) as refusal:
            read_folder(tmp_path / "f")
        assert "\n" not in str(refusal.value)

    refused("is no folder")
    (tmp_path / "f").mkdir()
    refused("holds no text")
    (tmp_path / "outside.txt").write_text("secret")
    (tmp_path / "f" / "a.txt").symlink_to(tmp_path / "outside.txt")
    refused("leads out of the folder")
    (tmp_path / "f" / "a.txt").unlink()
    (tmp_path / "f" / "a.txt").write_bytes("ä".encode("latin-1"))
    refused(r"a\.txt: is not UTF-8 text \(byte 0\)")
    (tmp_path / "f" / "a.txt").unlink()
    with (tmp_path / "f" / "a.txt").open("wb") as file:
        file.truncate(64 * 2**20 + 1)
    refused("67,108,865 bytes; up to")


def table(path: Path, *records: object) -> Path:
    path.write_text("\n".join(record if isinstance(record, str) else json.dumps(record) for record in records), encoding="utf-8")
    return path


def test_a_table_of_entries_is_read_in_either_form(tmp_path: Path) -> None:
    path = table(
        tmp_path / "e.jsonl",
        {"_id": "doc7", "title": "A title", "text": "and a text", "metadata": {"url": "x"}},
        "",
        {"id": 12, "text": "plain", "source": "mail", "trusted": True, "readers": ["anna"]},
    )
    one, other = read_entries(path)
    assert (one.text, one.id, one.metadata, one.trusted) == ("A title and a text", None, {"url": "x", "id": "doc7"}, False)
    assert (other.text, other.id, other.source, other.trusted, other.readers) == ("plain", 12, "mail", True, {"anna"})
    assert next(iter(read_entries(path, trusted=True))).trusted


@pytest.mark.parametrize(
    ("record", "how"),
    [
        ("{", "line 2: is not valid JSON"),
        ("[1]", "line 2: holds a list"),
        ("[" * 100_000, "line 2: is not valid JSON"),
        ({"text": 3}, "line 2: text is a int"),
        ({"title": "", "text": ""}, "line 2: an entry holds neither"),
        ({"text": "a", "trusted": "yes"}, "line 2: trusted is 'yes'"),
        ({"text": "a", "readers": "anna"}, "line 2: readers is 'anna'"),
        ({"text": "a", "metadata": [1]}, "line 2: metadata is a list"),
        ({"text": "a", "id": -4}, "line 2: an entry's id is -4"),
        ('{"text": "\\ud800"}', "line 2: an entry's text holds half of a surrogate pair"),
        ('{"text": "a", "metadata": {"a": NaN}}', "line 2: is not valid JSON"),
    ],
)
def test_a_line_that_cannot_be_used_is_told(tmp_path: Path, record: object, how: str) -> None:
    with pytest.raises(InputError, match=how) as refusal:
        list(read_entries(table(tmp_path / "e.jsonl", {"text": "good"}, record)))
    assert "\n" not in str(refusal.value) and "e.jsonl" in str(refusal.value)


def test_a_table_that_is_not_there_or_not_utf8_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        list(read_entries(tmp_path / "none.jsonl"))
    with pytest.raises(InputError, match="is no regular file"):
        list(read_entries(tmp_path))
    (tmp_path / "l.jsonl").write_bytes('{"text": "ä"}'.encode("latin-1"))
    with pytest.raises(InputError, match="line 1: is not UTF-8 text"):
        list(read_entries(tmp_path / "l.jsonl"))


def test_a_table_of_questions_is_read(tmp_path: Path) -> None:
    path = table(
        tmp_path / "q.jsonl",
        {"question": "where ?", "choices": ["rome", "oslo"], "answer": "oslo", "supports": [4]},
        {"text": "who ?", "choices": ["anna", "zoe"], "answer": "anna"},
    )
    assert read_questions(path) == (Question("where ?", ("rome", "oslo"), 1, (4,)), Question("who ?", ("anna", "zoe"), 0))


@pytest.mark.parametrize(
    ("record", "how"),
    [
        ({"choices": ["a", "b"], "answer": "a"}, "has no question"),
        ({"question": "q", "choices": "ab", "answer": "a"}, "choices is 'ab'"),
        ({"question": "q", "choices": ["a", ""], "answer": "a"}, "choices is"),
        ({"question": "q", "choices": ["a", "b"], "answer": "c"}, "answer is 'c'"),
        ({"question": "q", "choices": ["a", "b"]}, "answer is 'None'"),
        ({"question": "q", "choices": ["a"], "answer": "a"}, "two or more, all different"),
        ({"question": "q", "choices": ["a", "a"], "answer": "a"}, "two or more, all different"),
        ({"question": "q", "choices": ["a", "b", "c"], "answer": "a"}, "has 3 choices, the first question 2"),
        ({"question": "q", "choices": ["a", "b"], "answer": "a", "supports": ["x"]}, "supports is"),
    ],
)
def test_a_question_that_cannot_be_used_is_told(tmp_path: Path, record: object, how: str) -> None:
    good = {"question": "q", "choices": ["a", "b"], "answer": "a"}
    with pytest.raises(InputError, match=f"line 2: .*{how}") as refusal:
        read_questions(table(tmp_path / "q.jsonl", good, record))
    assert "\n" not in str(refusal.value)
    with pytest.raises(InputError, match="holds no questions"):
        read_questions(table(tmp_path / "none.jsonl"))
    with pytest.raises(InputError, match="right choice 2"):
        Question("q", ("a", "b"), 2)
