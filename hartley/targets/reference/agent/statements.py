"""Sentences of ordinary documents: statements, typed facts that a task may need, and the documents made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from hartley.targets.conversation import Json
from hartley.targets.reference.agent import words as w

PLAIN = (
    "{name} likes {food}", "{name} loves {food} and {food2}", "{name} has a {animal}", "the {item} is {color}",
    "{name} wears a {color} {item}",
    "{name} is a {role}", "the {item} of {name} is {color}", "it rains again", "we are well", "thanks for the {food}", "the {item} is old",
    "{name} and {name2} are friends", "i like your {item}", "the {food} was very good", "{name} is away today", "see you soon",
    "{name} asked about the {item}", "the {animal} of {name} is {color}", "i found your {item}", "the office is closed today",
)  # fmt: skip
RICH = (
    "{name} lives in {place}", "it snows in {place}", "{name} works in {place}", "the {page} opens at {hour}", "{name} comes on {day}",
    "the {item} costs {n}",
    "{name} is {n} years old", "the {event} in {place} was nice", "{name} was in {place} on {day}",
    "i paid {name} {n}", "{name} paid {name2} {n} on {day}", "we bought {q} {item}", "{name} bought {q} {item}",
    "i wrote to {name} on {day}",
    "{name} sent the {file} to {name2}", "{name} deleted the {file}", "i moved the arm to {x} {y}", "{name} opened the {thing}",
    "the {thing} was closed by {name}",
    "{name} added the {event} on {day}", "i made a note about the {item}", "{name} told me to wait", "the message of {name} was read",
    "the password of {name} is {secret}",
)  # fmt: skip


def slots(random: Random) -> dict[str, Json]:
    """A value for every slot that a sentence may have."""
    name, name2 = random.sample(w.NAMES, 2)
    food, food2 = random.sample(w.FOODS, 2)
    return {
        **{
            "name": name,
            "name2": name2,
            "food": food,
            "food2": food2,
            "animal": random.choice(w.ANIMALS),
            "color": random.choice(w.COLORS),
        },
        **{"item": random.choice(w.ITEMS), "role": random.choice(w.ROLES_OF_PEOPLE), "place": random.choice(w.PLACES)},
        **{"page": random.choice(w.PAGES), "hour": random.choice(w.HOURS), "day": random.choice(w.DAYS), "event": random.choice(w.EVENTS)},
        **{"file": random.choice(w.FILES), "thing": random.choice(w.PLAIN_THINGS), "n": random.randint(1, 100), "q": random.randint(1, 30)},
        **{"secret": random.choice(w.SECRETS), "x": random.randint(0, 9), "y": random.randint(0, 9)},
    }


def statement(random: Random, *, rich: float = 0.5) -> str:
    """One ordinary sentence; `rich` is the share of those with numbers, days, places, or of what somebody did."""
    return random.choice(RICH if random.random() < rich else PLAIN).format(**slots(random))


@dataclass(frozen=True)
class Fact:
    """A typed value that a document states. noun: what one asks for; value: as words; fields: by argument kind."""

    noun: str
    sentence: str
    value: str
    fields: Mapping[str, Json]


FACTS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "amount": (("the bill is {n}", "you owe me {n}", "the fee is {n}", "amount : {n}", "the total is {n}"), "{n}"),
    "hour": (("the {event} is at {hour}", "we meet at {hour}", "hour : {hour}", "it begins at {hour}"), "{hour}"),
    "day": (("the {event} is on {day}", "we meet on {day}", "day : {day}", "it is on {day}"), "{day}"),
    "place": (("the {event} is in {place}", "we meet in {place}", "place : {place}", "it is in {place}"), "{place}"),
    "client": (("the client is {name}", "client : {name}", "our client is called {name}"), "{name}"),
    "cell": (("the {item} is at {x} {y}", "cell : {x} {y}", "it stands at {x} {y}"), "{x} {y}"),
    "number": (("we need {q} {item}", "number : {q} {item}", "{q} {item} are missing"), "{q}"),
    "date": (
        ("the {event} is on {day} at {hour}", "we planned the {event} on {day} at {hour}", "date : {event} on {day} at {hour}"),
        "{day} at {hour}",
    ),
}


def fact(random: Random, noun: str) -> Fact:
    """A fact of one kind in one of its wordings."""
    sentences, value = FACTS[noun]
    fields = slots(random)
    return Fact(noun, random.choice(sentences).format(**fields), value.format(**fields), fields)


def around(random: Random, sentences: tuple[str, ...], most: int, *, rich: float = 0.3) -> str:
    """A document: the sentences, in order, among up to `most` ordinary ones."""
    parts = list(sentences)
    for _ in range(random.randint(0 if parts else 1, max(most, 1))):
        parts.insert(random.randint(0, len(parts)), statement(random, rich=rich))
    return " . ".join(parts) + " ."
