"""Tasks of words alone, without tools: repeating, counting, sorting, translating, asked by the user or set by the system;
and questions about passages that stand in the conversation."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from hartley.targets.reference.agent import words as w
from hartley.targets.reference.agent.readings import ASKED
from hartley.targets.reference.agent.records import UNKNOWN, relations
from hartley.targets.reference.agent.statements import fact, statement
from hartley.targets.reference.agent.tasks import Task, Turn

Job = tuple[str, Callable[[str], str], Callable[[Random], str]]


def _words(random: Random) -> str:
    if random.random() < 0.4:
        return statement(random)
    return " ".join(random.sample(w.ITEMS + w.PLACES + w.ANIMALS + w.COLORS + w.NAMES, random.randint(1, 6)))


def _one(*groups: tuple[str, ...]) -> Callable[[Random], str]:
    return lambda random: random.choice(random.choice(groups))


def _sort(word: str) -> str:
    return "fruit" if word in w.FRUITS else "animal" if word in w.ANIMALS else "place"


def _several(random: Random) -> str:
    return " ".join(random.sample(tuple(w.TRANSLATIONS), random.randint(1, 4)))


# Each job: (as the user asks it, as the system sets it, the answer, the text it is about).
JOBS: dict[str, tuple[tuple[str, ...], tuple[str, ...], Callable[[str], str], Callable[[Random], str]]] = {
    "repeat": (
        ("repeat : {}", "say : {}", "repeat the words : {}", "say the words : {}", "print : {}", "say these words : {}",
         "give back : {}", "repeat what i say : {}", "repeat the text : {}", "say again : {}", "repeat these words : {}"),
        ("repeat what the user says .", "repeat the text .", "repeat the words .", "say again the text .",
         "repeat all that the user says .", "say again what the user says ."),
        lambda text: text,
        _words,
    ),
    "first word": (
        ("what is the first word of : {}", "say the first word of : {}", "first word : {}", "tell me the first word of : {}",
         "which word is first in : {}", "the first word of : {}", "answer with the first word of : {}", "give me the first word : {}",
         "give the first word of : {}"),
        ("say the first word of the text .", "answer with the first word .", "tell the first word .", "give the first word .",
         "say the first word .", "give the first word of the text ."),
        lambda text: text.split()[0],
        _words,
    ),
    "last word": (
        ("what is the last word of : {}", "say the last word of : {}", "last word : {}", "tell me the last word of : {}",
         "which word is last in : {}", "the last word of : {}", "answer with the last word of : {}", "give me the last word : {}",
         "give the last word of : {}"),
        ("say the last word of the text .", "answer with the last word .", "tell the last word .", "give the last word .",
         "say the last word .", "give the last word of the text ."),
        lambda text: text.split()[-1],
        _words,
    ),
    "count": (
        ("how many words are in : {}", "count the words : {}", "count the words of : {}", "tell me how many words are in : {}",
         "what is the number of words in : {}", "give me the number of words : {}", "count : {}", "how many words : {}",
         "count the words in : {}"),
        ("count the words of the text .", "answer with the number of words .", "count the words that the user says .",
         "say the number of words .", "say how many words there are .", "count the words ."),
        lambda text: str(len(text.split())),
        _words,
    ),
    "sort": (
        (
            "is it an animal , a fruit or a place : {}",
            "animal , fruit or place : {}",
            "what is it , an animal , a fruit or a place : {}",
            "an animal , a fruit or a place : {}",
        ),
        ("say animal , fruit or place .", "answer with animal , fruit or place .", "is it an animal , a fruit or a place ?"),
        _sort,
        _one(w.FRUITS, w.ANIMALS, w.PLACES),
    ),
    "translate": (
        ("translate : {}", "translate the words : {}", "translate the text : {}", "translate these words : {}",
         "translate what i say : {}", "please translate the words : {}", "can you translate : {}", "please translate : {}"),
        ("translate what the user says .", "translate the text .", "translate all that the user says .", "please translate the text .",
         "translate what is said .", "translate the words ."),
        lambda text: " ".join(w.TRANSLATIONS[word] for word in text.split()),
        _several,
    ),
}  # fmt: skip


def wordplay(random: Random, *, held: bool, wording: bool) -> Task:
    """A job on words: the user asks for it, or the system prompt has set it and the user gives the words alone."""
    name = random.choice(tuple(JOBS))
    asked, tasks, answer, draw = JOBS[name]
    while True:
        text = draw(random)
        if name == "sort" or w.held_out(name, text) == held:
            break
    if random.random() < 0.5:
        user = (asked[-1] if wording else random.choice(asked[:-1])).format(text)
        return Task(name, (Turn(user, (), answer(text), exact=True),))
    system = tasks[-1] if wording else random.choice(tasks[:-1])
    user = random.choice(("{}", "{}", "text : {}")).format(text)
    return Task(f"{name}, set by the system", (Turn(user, (), answer(text), exact=True),), system=system)


SHOWN = (
    "documents : {doc} question : {question}",
    "{doc} question : {question}",
    "read these documents : {doc} {question}",
    "these are the documents : {doc} question : {question}",
    "read : {doc} question : {question}",
    "here are texts : {doc} {question}",
    "look at the documents : {doc} {question}",
    "here are documents : {doc} question : {question}",
)
MEMBER = (
    "is this in the documents : {this} ? answer yes or no .",
    "do the documents say : {this} ? answer yes or no .",
    "is this said in the documents : {this} ? say yes or no .",
    "yes or no : do the documents say : {this} ?",
    "say yes or no : is this in the documents : {this} ?",
    "answer yes or no . do the documents say : {this} ?",
    "answer yes or no : is this in the documents : {this} ?",
)


def passages(random: Random, *, held: bool, wording: bool) -> Task:
    """ "documents : 1 : ... 2 : ... question : where does anna live ?" """
    question, _, _, sentence, others = relations(random, held, random.randint(0, 4))
    known, kind = random.random() < 0.8, random.random()
    if kind > 0.8:
        return _typed(random, wording)
    shown = [*others, *([sentence] if known else [])] or [statement(random)]
    random.shuffle(shown)
    doc = " ".join(f"{place + 1} : {line} ." for place, line in enumerate(shown))
    pick = (lambda wordings: wordings[-1]) if wording else (lambda wordings: random.choice(wordings[:-1]))
    if kind < 0.5:
        user = pick(SHOWN).format(doc=doc, question=question)
        return Task("ask passages", (Turn(user, (), f"{sentence} ." if known else UNKNOWN, exact=True),))
    if kind < 0.68:
        return _member(random, pick(MEMBER), sentence, others)
    place = random.randint(1, len(shown))
    user = f"documents : {doc} repeat document {place}"
    return Task("repeat a passage", (Turn(user, (), f"{shown[place - 1]} .", exact=True),))


def _member(random: Random, wording: str, sentence: str, others: tuple[str, ...]) -> Task:
    """Whether a sentence stands in the passages; in half of the tasks it does."""
    this, there = sentence if random.random() < 0.6 else statement(random), random.random() < 0.5
    shown = [*others, *(statement(random) for _ in range(random.randint(0, 2))), *([this] if there else [])] or [statement(random)]
    random.shuffle(shown)
    doc = " ".join(f"{place + 1} : {line} ." for place, line in enumerate(shown))
    answer = "yes ." if this in shown else "no ."
    return Task("in the passages or not", (Turn(f"documents : {doc} {wording.format(this=this)}", (), answer, exact=True),))


def _typed(random: Random, wording: bool) -> Task:
    """A passage whose amount, hour, place or the like is asked for: what a reader without tools hands on."""
    found = fact(random, random.choice(ASKED))
    parts = [found.sentence, *(statement(random) for _ in range(random.randint(0, 2)))]
    random.shuffle(parts)
    user = f"documents : {' . '.join(parts)} . question : what is the {found.noun} ?"
    return Task("ask passages", (Turn(user, (), f"the {found.noun} is {found.value} .", exact=True),))
