"""Questions about records: calendar, balance, shop, database, inbox and the memory of notes; and acts with what they say."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from hartley.targets.conversation import Call
from hartley.targets.reference.agent import words as w
from hartley.targets.reference.agent.tasks import Task, Turn
from hartley.targets.reference.agent.world import State

TELL = (
    "tell {name} {what}",
    "write to {name} {what}",
    "send {name} {what}",
    "let {name} know {what}",
    "write {name} {what}",
    "send a mail to {name} with {what}",
    "give {name} {what} in a mail",
    "mail {name} {what}",
)


def _task(
    random: Random,
    wording: bool,
    questions: tuple[str, ...],
    what: str,
    plan: Call,
    value: str,
    answer: str,
    state: State,
    tell: float = 0.3,
) -> Task:
    """A question about a record, or (share `tell`) the order to tell somebody."""
    if what and random.random() < tell:
        name = random.choice(w.NAMES)
        text = answer.removesuffix(" .").replace("you have", "i have")
        said = (TELL[-1] if wording else random.choice(TELL[:-1])).format(name=name, what=what)
        return Task("tell a record", (Turn(said, (plan, Call("send_mail", {"to": name, "text": text})), f"i wrote to {name} ."),), state)
    question = questions[-1] if wording else random.choice(questions[:-1])
    return Task("ask a record", (Turn(question, (plan,), answer, (value,)),), state)


def calendar(random: Random, *, held: bool, wording: bool) -> Task:
    """ "when is the dinner on monday ?" and "what is on monday ?" """
    event, day, hour = random.choice(w.EVENTS), random.choice(w.DAYS), random.choice(w.HOURS)
    others = [other for other in random.sample(w.EVENTS, 3) if other != event][: random.randint(0, 2)]
    events = [(event, day, hour), *((other, day, random.choice(w.HOURS)) for other in others)]
    random.shuffle(events)
    state = State(events=tuple(events))
    look = Call("list_events", {"day": day})
    if random.random() < 0.4:
        listed = " ; ".join(f"{name} at {at}" for name, _, at in events)
        questions = (
            f"what is on {day} ?",
            f"what do i have on {day} ?",
            f"show me {day}",
            f"what is planned for {day} ?",
            f"say what is on {day}",
            f"tell me what i have on {day}",
            f"give me {day}",
            f"look into the calendar for {day}",
            f"tell me what is on {day}",
        )
        return _task(random, wording, questions, "", look, listed, f"on {day} : {listed} .", state)
    times = (
        f"when is the {event} on {day} ?",
        f"what is the hour of the {event} on {day} ?",
        f"tell me when the {event} on {day} is",
        f"when on {day} is the {event} ?",
        f"which hour has the {event} on {day} ?",
        f"what hour is the {event} on {day} ?",
        f"at what hour on {day} is the {event} ?",
        f"at what hour is the {event} on {day} ?",
    )
    return _task(random, wording, times, f"the hour of the {event} on {day}", look, hour, f"the {event} is at {hour} .", state)


def balance(random: Random, *, held: bool, wording: bool) -> Task:
    """ "how much money do i have ?" """
    money = random.randint(1, 100)
    questions = (
        "how much money do i have ?",
        "what is my balance ?",
        "tell me my balance",
        "how much is left ?",
        "how much do i have ?",
        "tell me how much is left",
        "say how much money there is",
        "give me my balance",
        "how much money is there ?",
        "tell me how much money i have",
    )
    return _task(random, wording, questions, "my balance", Call("balance"), str(money), f"you have {money} .", State(money=money))


def price(random: Random, *, held: bool, wording: bool) -> Task:
    """ "what does the lamp cost ?" and "pay anna the price of the lamp"."""
    while True:
        item, cost, name = random.choice(w.ITEMS), random.randint(1, 100), random.choice(w.NAMES)
        if w.held_out("price", item, cost) == held:
            break
    look, state = Call("search_shop", {"item": item}), State(prices={item: cost})
    if random.random() < 0.25:
        wordings = (
            "pay {name} the price of the {item}",
            "pay {name} what the {item} costs",
            "transfer to {name} the price of the {item}",
            "pay the price of the {item} to {name}",
            "send {name} the price of the {item}",
            "give {name} what the {item} costs",
            "give {name} the price of the {item}",
        )
        said = (wordings[-1] if wording else random.choice(wordings[:-1])).format(name=name, item=item)
        plan = (look, Call("pay", {"recipient": name, "amount": cost}))
        return Task("pay a price", (Turn(said, plan, f"i paid {name} {cost} ."),), state)
    questions = (
        f"what does the {item} cost ?",
        f"how much is the {item} ?",
        f"what is the price of the {item} ?",
        f"tell me what the {item} costs",
        f"give me the price of the {item}",
        f"how much do they want for the {item} ?",
        f"how much money does a {item} cost ?",
        f"what must i pay for the {item} ?",
        f"say what the {item} costs",
        f"how much does the {item} cost ?",
    )
    return _task(random, wording, questions, f"the price of the {item}", look, str(cost), f"the {item} costs {cost} .", state)


def inbox(random: Random, *, held: bool, wording: bool) -> Task:
    """ "who wrote to me ?" """
    senders = random.sample(w.NAMES, random.randint(1, 4))
    listed = " and ".join(senders)
    questions = (
        "who wrote to me ?",
        "which mails do i have ?",
        "who sent me mails ?",
        "look into my inbox",
        "what is in my inbox ?",
        "tell me who wrote to me",
        "show me my mails",
        "list my mails",
        "do i have mails ?",
        "tell me which mails i have",
        "show me my inbox",
    )
    state = State(mails=dict.fromkeys(senders, "hello ."))
    return _task(random, wording, questions, "", Call("list_mail"), listed, f"mails from {listed} .", state)


def database(random: Random, *, held: bool, wording: bool) -> Task:
    """ "how many lamp did anna order ?", "what did anna order ?" and "who ordered the lamp ?" """
    while True:
        name, item, amount = random.choice(w.NAMES), random.choice(w.ITEMS), random.randint(1, 30)
        if w.held_out("orders", name, item) == held:
            break
    names, items = random.sample([n for n in w.NAMES if n != name], 2), random.sample([i for i in w.ITEMS if i != item], 2)
    rows = [(name, item, amount), *((names[i], items[i], random.randint(1, 30)) for i in range(2))]
    random.shuffle(rows)
    state = State(orders=tuple(rows))
    kind = random.randint(0, 2)
    questions: tuple[str, ...]
    if kind == 0:
        sql = f"select amount from orders where name = '{name}' and item = '{item}'"  # noqa: S608 - words of the agent
        questions = (
            f"how many {item} did {name} order ?",
            f"how many {item} has {name} ordered ?",
            f"tell me how many {item} {name} ordered",
            f"what is the number of {item} that {name} ordered ?",
            f"{name} ordered how many {item} ?",
            f"which number of {item} did {name} order ?",
            f"say how many {item} {name} ordered",
            f"what number of {item} did {name} order ?",
        )
        what, value, answer = f"how many {item} {name} ordered", str(amount), f"{name} ordered {amount} {item} ."
    elif kind == 1:
        sql = f"select item from orders where name = '{name}'"  # noqa: S608 - words of the agent
        questions = (
            f"what did {name} order ?",
            f"which item did {name} order ?",
            f"tell me what {name} ordered",
            f"what was ordered by {name} ?",
            f"which item has {name} ordered ?",
            f"say what {name} ordered",
            f"what has {name} ordered ?",
        )
        what, value, answer = f"what {name} ordered", item, f"{name} ordered the {item} ."
    else:
        sql = f"select name from orders where item = '{item}'"  # noqa: S608 - words of the agent
        questions = (
            f"who ordered the {item} ?",
            f"which client ordered the {item} ?",
            f"tell me who ordered the {item}",
            f"by whom was the {item} ordered ?",
            f"which client has ordered the {item} ?",
            f"say who ordered the {item}",
            f"who has ordered the {item} ?",
        )
        what, value, answer = f"who ordered the {item}", name, f"{name} ordered the {item} ."
    return _task(random, wording, questions, what, Call("query", {"sql": sql}), value, answer, state)


RELATIONS = (
    ("where does {name} live ?", "where {name} lives", "{name} lives", "{name} lives in {value}", w.PLACES),
    ("where does {name} work ?", "where {name} works", "{name} works", "{name} works in {value}", w.PLACES),
    ("what does {name} like ?", "what {name} likes", "{name} likes", "{name} likes {value}", w.FOODS),
    ("which animal does {name} have ?", "which animal {name} has", "{name} has", "{name} has a {value}", w.ANIMALS),
    ("what is {name} ?", "what {name} is", "{name} is", "{name} is a {value}", w.ROLES_OF_PEOPLE),
    ("when does {name} come ?", "when {name} comes", "{name} comes", "{name} comes on {value}", w.DAYS),
)  # fmt: skip
UNKNOWN = "i do not know ."


def relations(random: Random, held: bool, count: int) -> tuple[str, str, str, str, tuple[str, ...]]:
    """(question, the same as a part of a sentence, query, the sentence that answers it, other sentences)."""
    while True:
        question, what, query, sentence, values = random.choice(RELATIONS)
        name, value = random.choice(w.NAMES), random.choice(values)
        if w.held_out("relation", name, value) == held:
            break
    others: list[str] = []
    while len(others) < count:
        *_, other, kinds = random.choice(RELATIONS)
        who = name if random.random() < 0.3 and other != sentence else random.choice([n for n in w.NAMES if n != name])
        others.append(other.format(name=who, value=random.choice(kinds)))
    return (
        question.format(name=name),
        what.format(name=name),
        query.format(name=name),
        sentence.format(name=name, value=value),
        tuple(others),
    )


def notes(random: Random, *, held: bool, wording: bool) -> Task:
    """ "where does anna live ?", looked up in the notes, which may not say."""
    question, what, query, sentence, others = relations(random, held, random.randint(0, 5))
    known = random.random() < 0.85
    stored = [*others, *([sentence] if known else [])]
    random.shuffle(stored)
    answer = f"{sentence} ." if known else UNKNOWN
    state = State(notes=tuple(f"{line} ." for line in stored))
    questions = (
        question,
        f"look into my notes : {question}",
        f"what do my notes say : {question}",
        f"what is in my notes : {question}",
        f"look it up in my notes : {question}",
        f"find it in my notes : {question}",
        f"{question} look into my notes",
        f"from my notes : {question}",
        f"search my notes : {question}",
    )
    task = _task(
        random,
        wording,
        questions,
        what if known else "",
        Call("search_notes", {"query": query}),
        sentence if known else UNKNOWN,
        answer,
        state,
    )
    return replace(task, kind="ask the notes" if task.kind == "ask a record" else task.kind)
