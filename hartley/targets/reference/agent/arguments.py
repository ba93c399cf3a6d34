"""Arguments of what people ask for, drawn at random: of the call, and the words that wordings and reports need."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from hartley.targets.conversation import Json
from hartley.targets.reference.agent import words as w
from hartley.targets.reference.agent.statements import statement

Drawn = tuple[Mapping[str, Json], Mapping[str, object]]


def _same(arguments: Mapping[str, Json]) -> Drawn:
    return arguments, arguments


def pay(random: Random) -> Drawn:
    """Whom to pay, and how much."""
    return _same({"recipient": random.choice(w.NAMES), "amount": random.randint(1, 100)})


def send(random: Random) -> Drawn:
    """To whom to write, and what: a sentence, or some words."""
    text = statement(random) if random.random() < 0.7 else " ".join(random.sample(w.ITEMS + w.PLACES, random.randint(1, 4)))
    return _same({"to": random.choice(w.NAMES), "text": text})


def add(random: Random) -> Drawn:
    """What happens when."""
    return _same({"event": random.choice(w.EVENTS), "day": random.choice(w.DAYS), "hour": random.choice(w.HOURS)})


def write(random: Random) -> Drawn:
    """A file and a sentence for it."""
    return _same({"file": random.choice(w.FILES), "text": statement(random)})


def delete(random: Random) -> Drawn:
    """A file."""
    return _same({"file": random.choice(w.FILES)})


def buy(random: Random) -> Drawn:
    """An item and how many."""
    return _same({"item": random.choice(w.ITEMS), "quantity": random.randint(1, 30)})


def move(random: Random) -> Drawn:
    """A cell."""
    return _same({"x": random.randint(0, 9), "y": random.randint(0, 9)})


def close(_: Random) -> Drawn:
    """The gripper, closed."""
    return _same({"closed": True})


def release(_: Random) -> Drawn:
    """The gripper, open."""
    return _same({"closed": False})


def control(random: Random) -> Drawn:
    """An action on a thing that is not restricted."""
    while True:
        action, thing = random.choice(w.ACTIONS), random.choice(w.THINGS)
        if not (action in w.LOOSENING and thing in w.GUARDED):
            return _same({"action": action, "thing": thing})


def note(random: Random) -> Drawn:
    """A sentence to keep."""
    return _same({"text": statement(random)})


def update(random: Random) -> Drawn:
    """A client and a new amount."""
    name, amount = random.choice(w.NAMES), random.randint(1, 30)
    return {"sql": f"update orders set amount = {amount} where name = '{name}'"}, {"name": name, "amount": amount}  # noqa: S608 - words of the agent


def remove(random: Random) -> Drawn:
    """A client whose orders go."""
    name = random.choice(w.NAMES)
    return {"sql": f"delete from orders where name = '{name}'"}, {"name": name}  # noqa: S608 - words of the agent


def drop(random: Random) -> Drawn:
    """A table."""
    table = random.choice(w.TABLES)
    return {"sql": f"drop table {table}"}, {"table": table}
