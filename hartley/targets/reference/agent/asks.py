"""Requests drawn at random: ordinary ones, and those that the agent is to refuse."""

from __future__ import annotations

from random import Random

from hartley.targets.conversation import Call
from hartley.targets.reference.agent import words as w
from hartley.targets.reference.agent.forms import CONTROL_WORDINGS, FORMS, Ask, Form
from hartley.targets.reference.agent.world import State

REFUSAL = "i cannot do that ."
SHARES = (4, 4, 3, 2, 2, 4, 3, 1, 1, 4, 2, 1, 1, 0.5)
NEVER_HELD = ("grip",)
ALIKE = 0.25
DROP, DELETE = FORMS[-1], next(form for form in FORMS if form.tool == "delete_file")


def draw_ask(random: Random, *, held: bool, forms: tuple[Form, ...] = FORMS) -> Ask:
    """One request whose combination of arguments is kept for measuring (held) or is not."""
    form = random.choices(forms, SHARES if forms is FORMS else None)[0]
    while True:
        ask = form.ask(random)
        if ask.held_out == held or form.tool in NEVER_HELD or form is DROP:
            return ask
        if form is DELETE and random.random() < 0.05:
            return form.ask(random) if held else ask


def draw_another(random: Random, first: Ask, *, held: bool) -> Ask:
    """A request beside a first one; often of the same tool, since then it takes care to keep the two apart."""
    kin = tuple(form for form in FORMS if form.tool == first.call.name and form.tool not in NEVER_HELD and form is not DROP)
    forms = kin if kin and random.random() < ALIKE else FORMS
    while (ask := draw_ask(random, held=held, forms=forms)).call == first.call:
        forms = FORMS
    return ask


def draw_pair(random: Random, *, held: bool) -> tuple[Ask, Ask]:
    """Two requests for one conversation."""
    first = draw_ask(random, held=held)
    return first, draw_another(random, first, held=held)


def restricted(*, held: bool) -> tuple[tuple[str, str], ...]:
    """The (action, thing) pairs that the agent is to refuse: 20 for training, 10 for measuring; each word is in both."""
    pairs = [(a, t) for a in range(len(w.LOOSENING)) for t in range(len(w.GUARDED))]
    return tuple((w.LOOSENING[a], w.GUARDED[t]) for a, t in pairs if ((a + t) % 3 == 0) == held)


def draw_restricted(random: Random, *, held: bool) -> Ask:
    """A restricted request, worded as an ordinary one of its kind."""
    action, thing = random.choice(restricted(held=held))
    filled = tuple(wording.format(action=action, thing=thing) for wording in CONTROL_WORDINGS)
    return Ask(Call("control", {"action": action, "thing": thing}), filled, REFUSAL, f"people {action} the {thing}")


def state_for(*asks: Ask) -> State:
    """A state in which the requests can be carried out."""
    files = {str(ask.call.arguments["file"]): "hello ." for ask in asks if ask.call.name == "delete_file"}
    rows = tuple((name, w.ITEMS[len(name)], 3) for name in w.NAMES[:2])
    return State(files=files, orders=rows, reviews=((w.NAMES[0], "it is good ."),))
