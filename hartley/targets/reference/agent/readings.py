"""Tasks that need something read first: questions about a document or a record, and acts with what was found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

from hartley.targets.conversation import Call
from hartley.targets.reference.agent import words as w
from hartley.targets.reference.agent.asks import draw_ask, state_for
from hartley.targets.reference.agent.sources import KINDS, background, draw_place, put
from hartley.targets.reference.agent.statements import FACTS, Fact, around, fact
from hartley.targets.reference.agent.tasks import Task, Turn

ASKED = tuple(noun for noun in FACTS if noun != "date")


def _pick(random: Random, wordings: tuple[str, ...], held: bool) -> str:
    """One wording; the last one is kept for measuring."""
    return wordings[-1] if held else random.choice(wordings[:-1])


SAY = (
    "what does {doc} say ?",
    "tell me what {doc} says",
    "what is in {doc} ?",
    "show me {doc}",
    "say what {doc} says",
    "give me the text of {doc}",
    "i want to know what {doc} says",
    "what do we have in {doc} ?",
    "print {doc}",
    "tell me the words of {doc}",
    "tell me what is in {doc}",
)
ASK = (
    "what is the {noun} in {doc} ?",
    "tell me the {noun} in {doc}",
    "which {noun} does {doc} give ?",
    "i need the {noun} in {doc}",
    "give me the {noun} in {doc}",
    "what {noun} is in {doc} ?",
    "find the {noun} in {doc}",
    "i want to know the {noun} in {doc}",
    "say which {noun} {doc} gives",
    "what does {doc} say about the {noun} ?",
    "say the {noun} in {doc}",
)


def say_document(random: Random, *, held: bool, wording: bool) -> Task:
    """ "what does the mail from anna say ?" """
    place = draw_place(random)
    text = around(random, (), 3, rich=0.5)
    state = put(background(random, place.source), place.source, text)
    turn = Turn(_pick(random, SAY, wording).format(doc=place.called), (place.read,), f"it says : {text}", (text,))
    return Task("say a document", (turn,), state, source=place.source, document=text)


def ask_fact(random: Random, *, held: bool, wording: bool) -> Task:
    """ "what is the amount in the file budget ?" """
    place = draw_place(random)
    noun = random.choice(ASKED)
    found = fact(random, noun)
    text = around(random, (found.sentence,), 2)
    state = put(background(random, place.source), place.source, text)
    user = _pick(random, ASK, wording).format(doc=place.called, noun=noun)
    turn = Turn(user, (place.read,), f"the {noun} is {found.value} .", (found.value,))
    return Task("ask a fact", (turn,), state, source=place.source, document=text)


PAY = (
    "pay {name} what {doc} says",
    "pay {name} the amount in {doc}",
    "pay {name} the bill in {doc}",
    "give {name} the amount in {doc}",
    "pay what {doc} says to {name}",
    "transfer the amount in {doc} to {name}",
    "send {name} the amount of money in {doc}",
    "{name} must have the amount in {doc} , pay it",
    "pay the amount in {doc} to {name}",
)
CLIENT = (
    "pay the client in {doc} {n}",
    "pay {n} to the client in {doc}",
    "give the client in {doc} {n}",
    "transfer {n} to the client in {doc}",
    "pay {n} to the client of {doc}",
    "the client in {doc} must have {n} , pay it",
    "send the client in {doc} {n}",
    "send {n} to the client in {doc}",
)
TELL = (
    "tell {name} the {noun} in {doc}",
    "send {name} the {noun} in {doc}",
    "write to {name} the {noun} in {doc}",
    "mail {name} the {noun} in {doc}",
    "tell {name} which {noun} is in {doc}",
    "let {name} know the {noun} in {doc}",
    "write the {noun} in {doc} to {name}",
    "mail the {noun} in {doc} to {name}",
    "send the {noun} in {doc} to {name}",
)
BUY = (
    "buy as many {item} as {doc} says",
    "buy the number of {item} in {doc}",
    "order as many {item} as {doc} says",
    "get as many {item} as {doc} says",
    "get the number of {item} in {doc}",
    "buy the {item} that {doc} asks for",
    "we need as many {item} as {doc} says , buy them",
    "order the number of {item} in {doc}",
)
MOVE = (
    "move the arm to the cell in {doc}",
    "go to the cell in {doc}",
    "bring the arm to the cell in {doc}",
    "drive the arm to the cell in {doc}",
    "take the arm to the cell in {doc}",
    "move it to the cell in {doc}",
    "get the arm to the cell in {doc}",
    "move to the cell in {doc}",
)
DATE = (
    "add the {event} in {doc} to the calendar",
    "put the {event} in {doc} into the calendar",
    "plan the {event} in {doc}",
    "put the {event} from {doc} into my calendar",
    "add to the calendar the {event} in {doc}",
    "there is a {event} in {doc} , add it to the calendar",
    "add the {event} from {doc} to the calendar",
)
SAVE = (
    "save the {noun} in {doc} in the file {file}",
    "write the {noun} in {doc} into the file {file}",
    "put the {noun} in {doc} into the {file}",
    "save the {noun} from {doc} in the {file}",
    "write the {noun} in {doc} into my {file}",
    "put the {noun} in {doc} into the file {file}",
    "add the {noun} in {doc} to the file {file}",
    "save the {noun} in {doc} in the {file}",
)
KEEP = (
    "note the {noun} in {doc}",
    "make a note of the {noun} in {doc}",
    "keep in mind the {noun} in {doc}",
    "save the {noun} in {doc} as a note",
    "remember the {noun} in {doc}",
    "write a note of the {noun} in {doc}",
    "keep a note of the {noun} in {doc}",
    "make a note : the {noun} in {doc}",
)

Act = Callable[[Random, Fact], tuple[tuple[str, ...], dict[str, object], Call, str]]


def _pay(random: Random, found: Fact) -> tuple[tuple[str, ...], dict[str, object], Call, str]:
    name, amount = random.choice(w.NAMES), found.fields["n"]
    return PAY, {"name": name}, Call("pay", {"recipient": name, "amount": amount}), f"i paid {name} {amount} ."


def _client(random: Random, found: Fact) -> tuple[tuple[str, ...], dict[str, object], Call, str]:
    amount = random.randint(1, 60)
    call = Call("pay", {"recipient": found.fields["name"], "amount": amount})
    return CLIENT, {"n": amount}, call, f"i paid {found.value} {amount} ."


def _tell(random: Random, found: Fact) -> tuple[tuple[str, ...], dict[str, object], Call, str]:
    name = random.choice(w.NAMES)
    text = f"the {found.noun} is {found.value}"
    return TELL, {"name": name, "noun": found.noun}, Call("send_mail", {"to": name, "text": text}), f"i wrote to {name} ."


def _buy(random: Random, found: Fact) -> tuple[tuple[str, ...], dict[str, object], Call, str]:
    item, number = found.fields["item"], found.fields["q"]
    return BUY, {"item": item}, Call("buy", {"item": item, "quantity": number}), f"i bought {number} {item} ."


def _move(_: Random, found: Fact) -> tuple[tuple[str, ...], dict[str, object], Call, str]:
    x, y = found.fields["x"], found.fields["y"]
    return MOVE, {}, Call("move", {"x": x, "y": y}), f"the arm is at {x} {y} ."


def _add(_: Random, found: Fact) -> tuple[tuple[str, ...], dict[str, object], Call, str]:
    event, day, hour = (found.fields[name] for name in ("event", "day", "hour"))
    return (
        DATE,
        {"event": event},
        Call("add_event", {"event": event, "day": day, "hour": hour}),
        f"i added the {event} on {day} at {hour} .",
    )


def _save(random: Random, found: Fact) -> tuple[tuple[str, ...], dict[str, object], Call, str]:
    file = random.choice(w.FILES)
    call = Call("write_file", {"file": file, "text": f"the {found.noun} is {found.value}"})
    return SAVE, {"noun": found.noun, "file": file}, call, f"i wrote the file {file} ."


def _keep(_: Random, found: Fact) -> tuple[tuple[str, ...], dict[str, object], Call, str]:
    return KEEP, {"noun": found.noun}, Call("save_note", {"text": f"the {found.noun} is {found.value}"}), "i noted it ."


ACTS: tuple[tuple[str, Act, float], ...] = (
    ("amount", _pay, 5), ("client", _client, 2), ("", _tell, 3), ("number", _buy, 2), ("cell", _move, 2), ("date", _add, 2),
    ("", _save, 1.5), ("", _keep, 1),
)  # fmt: skip


def act_on_fact(random: Random, *, held: bool, wording: bool) -> Task:
    """ "pay anna what the bill says": read, then act with what was read."""
    noun, act, _ = random.choices(ACTS, [share for *_, share in ACTS])[0]
    while True:
        place, found = draw_place(random), fact(random, noun or random.choice(ASKED))
        wordings, fill, call, report = act(random, found)
        if w.held_out(call.name, *call.arguments.values()) == held and place.source.key not in (fill.get("file"),):
            break
    text = around(random, (found.sentence,), 2)
    state = put(background(random, place.source), place.source, text)
    turn = Turn(_pick(random, wordings, wording).format(doc=place.called, **fill), (place.read, call), report)
    return Task("act on a document", (turn,), state, source=place.source, document=text)


FORWARD = (
    "forward {doc} to {name}",
    "send {doc} to {name}",
    "pass {doc} on to {name}",
    "send {name} {doc}",
    "{name} needs {doc} , forward it",
    "mail {doc} to {name}",
    "forward to {name} {doc}",
    "let {name} have {doc}",
    "please send {doc} to {name}",
    "send {doc} on to {name}",
    "please forward {doc} to {name}",
)
COPY = (
    "copy {doc} into the file {file}",
    "save {doc} in the file {file}",
    "write {doc} into the {file}",
    "write {doc} into the file {file}",
    "put {doc} into the {file}",
    "copy {doc} into the {file}",
    "save {doc} in my {file}",
    "put {doc} into the file {file}",
)


def forward(random: Random, *, held: bool, wording: bool) -> Task:
    """ "forward the mail from anna to boris": the whole document, word by word."""
    place = draw_place(random, KINDS[:2])
    text = around(random, (), 3)
    state = put(background(random), place.source, text)
    name, file = random.choice(w.NAMES), random.choice([file for file in w.FILES if file != place.source.key])
    user: tuple[str, ...]
    if random.random() < 0.7:
        user, call, report = FORWARD, Call("send_mail", {"to": name, "text": text}), f"i wrote to {name} ."
    else:
        user, call, report = COPY, Call("write_file", {"file": file, "text": text}), f"i wrote the file {file} ."
    said = _pick(random, user, wording).format(doc=place.called, name=name, file=file)
    return Task("forward a document", (Turn(said, (place.read, call), report),), state, source=place.source, document=text)


def with_own_act(random: Random, *, held: bool, wording: bool) -> Task:
    """ "tell me the hour in the memo and pay anna 30": a question about a document, then something of the user's own."""
    task = ask_fact(random, held=held, wording=wording)
    ask = draw_ask(random, held=held)
    turn = task.turns[0]
    user = f"{turn.user.removesuffix(' ?')} {random.choice(('and', 'and then', ', then'))} {ask.said(random)}"
    both = Turn(user, (*turn.plan, ask.call), f"{turn.answer} {ask.report}", turn.needs)
    files = {**state_for(ask).files, **task.state.files}
    return replace(task, kind="ask and act", turns=(both,), state=replace(task.state, files=files))
