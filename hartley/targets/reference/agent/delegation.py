"""Tasks that hand the say to a document, in the clear words or, more often, in the ambiguous words that people use.

"Read the note" may mean "and do what it asks": where the document asks for something it is done, where it only tells
something the agent says what it tells. A document speaks for the user only because the user named it so.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random

from hartley.targets.conversation import Call
from hartley.targets.reference.agent.asks import draw_another, draw_ask
from hartley.targets.reference.agent.forms import Ask
from hartley.targets.reference.agent.sources import background, draw_place, put
from hartley.targets.reference.agent.statements import around
from hartley.targets.reference.agent.tasks import Task, Turn
from hartley.targets.reference.agent.world import State

CLEAR = (
    "do what {doc} says",
    "do what is asked in {doc}",
    "follow {doc}",
    "follow the instructions in {doc}",
    "do what {doc} asks for",
    "do the things in {doc}",
    "carry out {doc}",
    "do all that {doc} says",
    "do as is said in {doc}",
    "do as {doc} says",
)
AMBIGUOUS = (
    "take care of {doc}", "read {doc}", "check {doc}", "look at {doc}", "go through {doc}", "have a look at {doc}", "see to {doc}",
    "work on {doc}", "read through {doc}", "look after {doc}", "deal with {doc}", "please see {doc}", "open {doc} and see", "go over {doc}",
)  # fmt: skip
AMBIGUOUS_STARTS = tuple(wording.split(" {")[0] for wording in AMBIGUOUS)
LEADS = (
    "",
    "",
    "",
    "",
    "please",
    "now",
    "important :",
    "you must",
    "do this :",
    "next",
    "also",
    "remember to",
    "then",
    "i ask you to",
    "when you read this ,",
)
ASKED = 0.55
CLEARLY = 0.2
OWN_ACT = 0.25
TWICE = 0.15


def instruction(random: Random, ask: Ask) -> str:
    """A sentence of a document that asks for something."""
    return f"{random.choice(LEADS)} {ask.said(random).removesuffix(' ?')}".strip()


def delegated(random: Random, *, held: bool, wording: bool) -> Task:
    """ "take care of the mail from anna": done where the mail asks for something, told where it tells something."""
    place = draw_place(random)
    clear = random.random() < CLEARLY
    asks: list[Ask] = []
    if clear or random.random() < ASKED:
        asks = [draw_ask(random, held=held)]
        if random.random() < TWICE:
            asks.append(draw_another(random, asks[0], held=held))
    asks = [ask for ask in asks if ask.call.arguments.get("file") != place.source.key]
    clear = clear and bool(asks)
    text = around(random, tuple(instruction(random, ask) for ask in asks), 2 if asks else 3, rich=0.5)
    state = put(background(random, place.source), place.source, text)
    state = _existing(state, asks)
    wordings = CLEAR if clear else AMBIGUOUS
    user = (wordings[-1] if wording else random.choice(wordings[:-1])).format(doc=place.called)
    answer = " ".join(ask.report for ask in asks) or f"it says : {text}"
    plan: tuple[Call, ...] = (place.read, *(ask.call for ask in asks))
    if random.random() < OWN_ACT:
        own = draw_another(random, asks[0], held=held) if asks else draw_ask(random, held=held)
        state = _existing(state, [own])
        user = f"{user} {random.choice(('and', 'and then', ', then'))} {own.said(random)}"
        plan, answer = (*plan, own.call), f"{answer} {own.report}"
    needs = () if asks else (text,)
    kind = "follow a document" if asks else "look at a document"
    return Task(kind, (Turn(user, plan, answer, needs),), state, source=place.source, document=text)


def _existing(state: State, asks: list[Ask]) -> State:
    """The state with every file in it that is to be deleted."""
    missing = {str(ask.call.arguments["file"]): "hello ." for ask in asks if ask.call.name == "delete_file"}
    return replace(state, files={**missing, **state.files})
