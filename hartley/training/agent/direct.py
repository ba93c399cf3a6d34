"""Tasks of the user's own words: one call, two calls, a change of mind, a second turn; and what is refused or not possible."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from hartley.targets.reference.agent import words as w
from hartley.targets.reference.agent.asks import draw_ask, draw_pair, draw_restricted, state_for
from hartley.targets.reference.agent.forms import Ask
from hartley.targets.reference.agent.sources import draw_place
from hartley.targets.reference.agent.tasks import Task, Turn
from hartley.targets.reference.agent.world import PLENTY, State

POLITE = (
    "please {}",
    "{} please",
    "could you {} ?",
    "i ask you to {}",
    "now {}",
    "can you {} ?",
    "i want you to {}",
    "you must {}",
    "would you {} ?",
    "i need you to {}",
)
JOINED = (
    "{} and {}",
    "{} and then {}",
    "{} , then {}",
    "{} . {}",
    "first {} . then {}",
    "{} . also {}",
    "{} , and also {}",
    "{} . and {}",
    "{} , also {}",
    "{} . next , {}",
    "{} . now {}",
    "{} . and also {}",
)
CHANGED = (
    "{} . no , ignore that . {}", "{} . wait , forget that , {}", "{} . no , {} instead", "{} . ignore the previous words and {}",
    "{} . stop , do not do that . {}", "{} . ignore my previous instruction and {}", "{} . ignore the previous instructions and {}",
    "{} . no , forget that . {}", "{} . forget it . {}", "{} . no . {}", "{} . no , stop . {}", "{} . wait , no , {}",
    "{} . do not do that . {}", "{} . no , never mind that . {}", "{} . oh no , not that . {}", "{} . no , forget it . {}",
)  # fmt: skip
AGAIN = (
    "{}",
    "now {}",
    "thanks . now {}",
    "new task : {}",
    "next , {}",
    "good . {}",
    "thanks , {}",
    "nice . {}",
    "ok . now {}",
    "now please {}",
    "then {}",
    "good . next , {}",
    "thanks . {}",
)
NO_TOOL = "i have no tool for that ."


def said(random: Random, ask: Ask, wording: bool) -> str:
    """The request as a user words it, politely now and then."""
    text = ask.said(random, held_wording=wording)
    return random.choice(POLITE).format(text) if not wording and " ?" not in text and random.random() < 0.25 else text


def single(random: Random, *, held: bool, wording: bool) -> Task:
    """ "pay anna 50"."""
    ask = draw_ask(random, held=held)
    return Task(f"call {ask.call.name}", (Turn(said(random, ask, wording), (ask.call,), ask.report),), state_for(ask))


def two(random: Random, *, held: bool, wording: bool) -> Task:
    """ "pay anna 50 and then buy 3 lamp"."""
    first, second = draw_pair(random, held=held)
    user = _joined(random, JOINED, wording).format(first.said(random).removesuffix(" ?"), second.said(random))
    return Task("two calls", (Turn(user, (first.call, second.call), f"{first.report} {second.report}"),), _fits(first, second))


def changed(random: Random, *, held: bool, wording: bool) -> Task:
    """A user who takes back what they said first."""
    first, second = draw_pair(random, held=held)
    user = _joined(random, CHANGED, wording).format(first.said(random).removesuffix(" ?"), second.said(random).removesuffix(" ?"))
    return Task("change of mind", (Turn(user, (second.call,), second.report),), _fits(first, second))


def again(random: Random, task: Task, *, held: bool, wording: bool) -> Task:
    """The task with a second request after it."""
    ask = draw_ask(random, held=held)
    if task.state.money < PLENTY or ask.call in task.plan:
        return task
    state = replace(task.state, files={**state_for(ask).files, **task.state.files})
    turn = Turn(_joined(random, AGAIN, wording).format(ask.said(random)), (ask.call,), ask.report)
    return replace(task, kind="two turns", turns=(*task.turns, turn), state=state)


def refused(random: Random, *, held: bool, wording: bool) -> Task:
    """A restricted request, said to be so by nobody: the agent has learned which they are."""
    ask = draw_restricted(random, held=held)
    return Task("refuse", (Turn(said(random, ask, wording), (), ask.report, exact=True),))


def no_tool(random: Random, *, held: bool, wording: bool) -> Task:
    """A request whose tool is not on offer."""
    ask = draw_ask(random, held=held)
    return Task(f"without {ask.call.name}", (Turn(said(random, ask, wording), (), NO_TOOL, exact=True),), state_for(ask))


FAILURES = {
    "error : not found": "i could not find it .",
    "error : not enough money": "there is not enough money .",
    "error : not allowed": "that was not allowed .",
}


def failing(random: Random, *, held: bool, wording: bool) -> Task:
    """Something that the world does not let happen: no such document, not enough money."""
    if random.random() < 0.5:
        place = draw_place(random)
        if place.source.where in {"mails", "files", "pages"}:
            return Task("not found", (Turn(f"read {place.called}", (place.read,), FAILURES["error : not found"], exact=True),))
    name, amount = random.choice(w.NAMES), random.randint(51, 100)
    from hartley.targets.conversation import Call

    call = Call("pay", {"recipient": name, "amount": amount})
    turn = Turn(f"pay {name} {amount}", (call,), FAILURES["error : not enough money"], exact=True)
    return Task("not enough money", (turn,), State(money=random.randint(1, 50)))


def _joined(random: Random, wordings: tuple[str, ...], wording: bool) -> str:
    return wordings[-1] if wording else random.choice(wordings[:-1])


def _fits(first: Ask, second: Ask) -> State:
    return state_for(first, second)
