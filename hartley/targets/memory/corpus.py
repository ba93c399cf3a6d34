"""What a memory is filled with and asked about; and a user's own texts and questions, read strictly and as data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hartley import files
from hartley.data.metadata import inside, shown
from hartley.errors import InputError
from hartley.targets.memory.entry import Entry

TEXTS = (".txt", ".md")
MOST_ENTRIES = 5_000_000
LARGEST_FILE = 64 * 2**20
WORDS_A_PASSAGE = 120


@dataclass(frozen=True)
class Question:
    """A question whose right answer is choices[right].

    supports  the ids of the entries that say so.
    states    the answer as a sentence, with {value} where the choice stands; "": nobody has written one.

    Raises InputError for fewer than two choices, equal ones, or a right one that there is not.
    """

    text: str
    choices: tuple[str, ...]
    right: int
    supports: tuple[int, ...] = ()
    states: str = ""

    def __post_init__(self) -> None:
        if len(set(self.choices)) != len(self.choices) or len(self.choices) < 2:
            raise InputError(
                f"the question {shown(self.text)} has the choices {shown(', '.join(self.choices))}; two or more, all different"
            )
        if not 0 <= self.right < len(self.choices):
            raise InputError(
                f"the question {shown(self.text)} has the right choice {self.right}; 0 to {len(self.choices) - 1} are accepted"
            )

    def statement(self, choice: int) -> str:
        """A sentence that answers it with one of its choices, the right one or another."""
        return (self.states or "the answer is {value}").replace("{value}", self.choices[choice])


@dataclass(frozen=True)
class Secret:
    """A record that only its readers may get: the entry that holds it, and the words whose appearance in an answer discloses it."""

    entry: int
    words: str


@dataclass(frozen=True)
class Corpus:
    """Entries with their ids, questions about them, secrets among them, and, for membership, what is in and what is not.

    members    ids of entries drawn from one law of records; `strangers` are drawn from the same law and are not in the corpus.
    """

    entries: tuple[Entry, ...]
    questions: tuple[Question, ...] = ()
    secrets: tuple[Secret, ...] = ()
    members: tuple[int, ...] = ()
    strangers: tuple[Entry, ...] = ()


def read_folder(folder: Path | str, *, trusted: bool = False, words: int = WORDS_A_PASSAGE) -> tuple[Entry, ...]:
    """The passages of all .txt and .md files in a folder and below, hidden ones left out, in the order of names; ids from 1.

    A passage is a paragraph; a longer one than `words` words is cut into equal parts. The source is the file's name in the folder.

    Raises InputError, naming the file, for one that is not UTF-8, too large, or a link out of the folder, and when there is no text.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: is no folder; a folder of {' and '.join(TEXTS)} files, or a .jsonl file, is accepted")
    made: list[Entry] = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.suffix.lower() not in TEXTS or any(part.startswith(".") for part in name.split("/")):
            continue
        text = _text_of(inside(folder, name, str(folder)))
        made += [Entry(passage, source=name, trusted=trusted) for passage in _passages(text, words)]
        if len(made) > MOST_ENTRIES:
            raise InputError(f"{folder}: holds more than {MOST_ENTRIES:,} passages; up to that many are accepted")
    if not made:
        raise InputError(f"{folder}: holds no text; {' and '.join(TEXTS)} files with words in them are accepted")
    return tuple(replace(entry, id=number) for number, entry in enumerate(made, start=1))


def read_entries(table: Path | str, *, trusted: bool = False) -> Iterator[Entry]:
    """The entries of a .jsonl file, one at a time: text, optional title, source, trusted, readers, metadata, and _id or id.

    The form of BEIR's corpus.jsonl is one of these. A whole-number id is kept as the entry's, any other in its metadata.
    A title goes before the text. trusted: for lines that do not say.

    Raises InputError, naming file and line, for a line that cannot be used.
    """
    for where, record in _records(Path(table)):
        text, title = _string(where, record, "text"), _string(where, record, "title")
        named = record.get("_id", record.get("id"))
        metadata = record.get("metadata") or {}
        if not isinstance(metadata, dict):
            raise InputError(f"{where}: metadata is a {type(metadata).__name__}; an object is accepted")
        whole = isinstance(named, int) and not isinstance(named, bool)
        if named is not None and not whole:
            metadata = {**metadata, "id": str(named)}
        said = record.get("trusted", trusted)
        readers = record.get("readers")
        if not isinstance(said, bool):
            raise InputError(f"{where}: trusted is {shown(str(said))}; true or false is accepted")
        if readers is not None and not (isinstance(readers, list) and all(isinstance(name, str) for name in readers)):
            raise InputError(f"{where}: readers is {shown(str(readers))}; a list of names is accepted")
        try:
            yield Entry(
                f"{title} {text}".strip(),
                source=_string(where, record, "source"),
                trusted=said,
                readers=None if readers is None else frozenset(readers),
                metadata=metadata,
                id=named if whole else None,
            )
        except InputError as error:
            raise InputError(f"{where}: {error}") from None


def read_questions(table: Path | str) -> tuple[Question, ...]:
    """The questions of a .jsonl file: question (or text), choices (a list), answer (one of them), optional supports (ids).

    Raises InputError, naming file and line, for a line that cannot be used, and for questions with different numbers of choices.
    """
    made: list[Question] = []
    for where, record in _records(Path(table)):
        text = _string(where, record, "question") or _string(where, record, "text")
        choices, right, supports = record.get("choices"), record.get("answer"), record.get("supports", [])
        if not text:
            raise InputError(f"{where}: has no question; question, choices and answer are needed")
        if not (isinstance(choices, list) and all(isinstance(choice, str) and choice.strip() for choice in choices)):
            raise InputError(f"{where}: choices is {shown(str(choices))}; a list of texts is accepted")
        if right not in choices:
            raise InputError(f"{where}: answer is {shown(str(right))}; one of the choices is accepted")
        if not (isinstance(supports, list) and all(isinstance(number, int) for number in supports)):
            raise InputError(f"{where}: supports is {shown(str(supports))}; a list of whole numbers is accepted")
        try:
            made.append(Question(text, tuple(choices), choices.index(right), tuple(supports)))
        except InputError as error:
            raise InputError(f"{where}: {error}") from None
        if len(made[-1].choices) != len(made[0].choices):
            raise InputError(f"{where}: has {len(choices)} choices, the first question {len(made[0].choices)}; equally many are accepted")
    if not made:
        raise InputError(f"{table}: holds no questions")
    return tuple(made)


def _text_of(path: Path) -> str:
    return files.text(files.read(path, LARGEST_FILE), path)


def _passages(text: str, most: int) -> Iterator[str]:
    lines = [line.strip() for line in text.splitlines()]
    for paragraph in "\n".join(lines).split("\n\n"):
        words = paragraph.split()
        parts = -(-len(words) // most)
        for part in range(parts):
            yield " ".join(words[part * len(words) // parts : (part + 1) * len(words) // parts])


def _records(table: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(file and line, object) of each line that is not empty, one line in memory at a time."""
    try:
        with files.opened(table) as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield f"{table} line {number}", _record(f"{table} line {number}", line)
    except OSError as error:
        raise InputError(f"{table}: cannot be read ({error.strerror}); a .jsonl file is accepted") from None


def _record(where: str, line: bytes) -> Mapping[str, Any]:
    try:
        record = files.parsed_json(line, where)
    except InputError as error:
        raise InputError(f"{error}; one JSON object in UTF-8 a line is accepted") from None
    if not isinstance(record, dict):
        raise InputError(f"{where}: holds a {type(record).__name__}; one JSON object a line is accepted")
    return record


def _string(where: str, record: Mapping[str, Any], name: str) -> str:
    value = record.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InputError(f"{where}: {name} is a {type(value).__name__}; a string is accepted")
    return value
