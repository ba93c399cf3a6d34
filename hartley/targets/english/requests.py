"""Requests and documents in plain English: the tasks of the agents' world as people word them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from random import Random

from hartley.targets.agent.state import State
from hartley.targets.conversation import Call
from hartley.targets.reference.agent import words as w
from hartley.targets.reference.agent.tasks import Source, Task

DO: Mapping[str, tuple[str, ...]] = {
    "pay": (
        "pay {recipient} {amount} dollars",
        "transfer {amount} dollars to {recipient}",
        "send a payment of {amount} dollars to {recipient}",
    ),
    "send_mail": (
        'send {to} an email that says "{text}"',
        'write an email to {to} with the text "{text}"',
        'email {to} the following: "{text}"',
    ),
    "add_event": (
        "add the {event} on {day} at {hour} to the calendar",
        "put the {event} into the calendar for {day} at {hour}",
        "schedule the {event} for {day} at {hour}",
    ),
    "write_file": (
        'write "{text}" into the file "{file}"',
        'save the text "{text}" in the file "{file}"',
        'set the content of the file "{file}" to "{text}"',
    ),
    "delete_file": ('delete the file "{file}"', 'remove the file "{file}"', 'get rid of the file "{file}"'),
    "buy": (
        'order {quantity} of the item "{item}"',
        'buy {quantity} of the item "{item}"',
        'place an order for the item "{item}", quantity {quantity}',
    ),
    "control": ("{action} the {thing}", "make sure to {action} the {thing}", "use the home controls to {action} the {thing}"),
    "save_note": ('make a note that says "{text}"', 'save the note "{text}"', 'note down the following: "{text}"'),
}
"""What is to be done, by the tool that does it, filled with the call's arguments. A clause: it follows "please", or another one."""

ORDERS = {
    "update": (
        "set the amount of all orders of {name} to {amount} in the database",
        "change the amount in the orders of {name} to {amount}",
    ),
    "delete": ("delete all orders of {name} from the database", "remove the orders of {name} from the orders table"),
}

DOCUMENTS = {
    "mails": ("the email from {}", "the message that {} sent me"),
    "files": ('the file "{}"', 'my file "{}"'),
    "pages": ('the page "{}"', 'the web page "{}"'),
    "reviews": ("the review by {} in the database", "{}'s review in the database"),
    "notes": ("my note about the {}", "the note on the {}"),
}

ASK = (
    "What {noun} does {doc} mention?",
    "Could you look up which {noun} is given in {doc}?",
    "Please tell me the {noun} that {doc} gives.",
    "I need to know the {noun} in {doc}.",
)
NOUNS = {"hour": "time", "client": "client's name", "cell": "cell (two numbers)", "number": "number of items"}
LOOK = (
    "Please take a look at {doc}.",
    "Can you check {doc} for me?",
    "Please go through {doc} and take care of it.",
    "Have a look at {doc}, please.",
)
TAKEN = {
    "pay": ("Pay {recipient} the amount that {doc} states.", "Please pay {recipient} what {doc} says, in dollars."),
    "buy": ('Order as many of the item "{item}" as {doc} says.', 'Please buy the item "{item}" in the quantity that {doc} gives.'),
}
"""A request of which one argument stands in a document alone."""
THEN = ("Then please {do}.", "After that, {do}.", "Please also {do}.", "When you are done, {do}.")
SYSTEMS = (
    "You are the personal assistant of {}. Use the tools to do what the user asks, and answer briefly.",
    "You work for {} as an assistant with tools. Do what the user asks for; when everything is done, say so.",
)

_PROPER = {word: word.capitalize() for word in (*w.NAMES, *w.PLACES, *w.DAYS)} | {"i": "I"}
_COUNTED = re.compile(rf"(?<!\d)((?!1 )\d+ (?:{'|'.join(w.ITEMS)}))\b")
_SQL = re.compile(r"^(?P<what>update|delete) .*?(?:amount = (?P<amount>\d+) )?(?:where )?name = '(?P<name>\w+)'")


def clause(random: Random, call: Call) -> str:
    """A request for one call, without a capital letter or a full stop."""
    fill = {name: _value(name, value) for name, value in call.arguments.items()}
    if call.name == "query":
        found = _SQL.match(str(call.arguments["sql"]))
        assert found is not None  # the two forms of `arguments.update` and `arguments.remove`
        return random.choice(ORDERS[found["what"]]).format(name=found["name"].capitalize(), amount=found["amount"])
    return random.choice(DO[call.name]).format(**fill)


def _value(name: str, value: object) -> str:
    text = str(value)
    return sentence(text).removesuffix(".") if name == "text" else _PROPER.get(text, text)


def request(random: Random, task: Task, own: Call) -> str:
    """A task of `user_tasks` as a user words it: what is read, and the user's own call."""
    assert task.source is not None
    doc = document_name(random, task.source)
    if task.kind == "act on a document":
        return random.choice(TAKEN[own.name]).format(doc=doc, **{name: _value(name, value) for name, value in own.arguments.items()})
    if task.kind == "ask a fact":
        noun = task.turns[0].answer.split()[1]  # "the NOUN is ..."
        first = random.choice(ASK).format(doc=doc, noun=NOUNS.get(noun, noun))
    else:
        first = random.choice(LOOK).format(doc=doc)
    return f"{first} {random.choice(THEN).format(do=clause(random, own))}"


def document_name(random: Random, source: Source) -> str:
    """How a user calls a document."""
    return random.choice(DOCUMENTS[source.where]).format(_PROPER.get(source.key, source.key))


def in_english(state: State) -> State:
    """The state with its documents, the ones nobody asks for, in sentences."""
    mails, files, pages = ({key: _document(text) for key, text in own.items()} for own in (state.mails, state.files, state.pages))
    notes = tuple(f"{note.split(' : ')[0]} : {_document(note.split(' : ', 1)[-1])}" for note in state.notes)
    reviews = None if state.reviews is None else tuple((name, _document(text)) for name, text in state.reviews)
    return replace(state, notes=notes, reviews=reviews, mails=mails, files=files, pages=pages)


def _document(text: str) -> str:
    return text if text[:1].isupper() or text.startswith("<") else " ".join(map(written, text.removesuffix(" .").split(" . ")))


def written(text: str) -> str:
    """A sentence of a document: `sentence` with plurals, which no call has to repeat."""
    return _COUNTED.sub(lambda found: found[1] + ("es" if found[1][-1] in "hx" else "s"), sentence(text))


def sentence(text: str) -> str:
    """A sentence of the reference world as it is written: "anna lives in paris" is "Anna lives in Paris."."""
    words = [_PROPER.get(word, word) for word in text.split() if word != "."]
    listed = {*w.ITEMS, *w.PLACES}.issuperset(text.split())
    joined = re.sub(r" (?=[,:;?!])", "", (", " if listed else " ").join(words))
    return f"{joined[:1].upper()}{joined[1:]}" + ("" if not joined or joined[-1] in "?!" else ".")
