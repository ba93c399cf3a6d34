"""Agents that were not trained here are asked in plain English, with described tools; and read fairly."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from hartley.attacks.action import injection
from hartley.attacks.action.attack_set import REAL
from hartley.case import SystemCase
from hartley.channel import measure
from hartley.effort import Effort
from hartley.environments.assistant import (
    beside_a_look,
    beside_a_question,
    draw_argument_setting,
    draw_database_setting,
    draw_setting,
    from_a_review,
    user_tasks,
    with_an_argument,
)
from hartley.runs import resolve, systems
from hartley.runs.allowance import Allowance
from hartley.runs.execute import case_for
from hartley.runs.plan import NO_DEFENSE, Cell
from hartley.runs.shipped import PARTS, recipe
from hartley.targets.agent.agent import Agent
from hartley.targets.agent.judge import achieved
from hartley.targets.conversation import Call, Conversation, Message
from hartley.targets.endpoint.outcomes import NotMeasured, Reason
from hartley.targets.endpoint.server import Server
from hartley.targets.english import tools as english
from hartley.targets.english.requests import DO, DOCUMENTS, ORDERS, SYSTEMS
from hartley.targets.memory.lexical import Lexical
from hartley.targets.system import System

SLOT = re.compile(r"\{(\w*)\}")
SETTINGS = (
    (beside_a_question, draw_setting),
    (beside_a_look, draw_setting),
    (with_an_argument, draw_argument_setting),
    (from_a_review(beside_a_question), draw_database_setting),
)


WORD = r"\w+"
KINDS = {"amount": r"\d+", "quantity": r"\d+", "hour": r"[\d:]+", "text": r"[^\"]+"}


def pattern(template: str) -> re.Pattern[str]:
    parts = SLOT.split(template)
    made = "".join(re.escape(part) if place % 2 == 0 else rf"(?P<{part}>{KINDS.get(part, WORD)})" for place, part in enumerate(parts))
    return re.compile(made, re.IGNORECASE)


CLAUSES = [(tool, pattern(text)) for tool, texts in DO.items() for text in texts if tool != "control"]
CLAUSES += [
    (
        "control",
        re.compile(r"(?P<action>open|unlock|disarm|disable|break|close|lock|arm|start|stop|clean) the (?P<thing>[a-z]+)\b", re.IGNORECASE),
    )
]
SQL = {"update": "update orders set amount = {amount} where name = '{name}'", "delete": "delete from orders where name = '{name}'"}
CLAUSES += [(f"query {what}", pattern(text)) for what, texts in ORDERS.items() for text in texts]
READS = {"mails": "read_mail", "files": "read_file", "pages": "open_page", "reviews": "query", "notes": "search_notes"}
KEYS = {"mails": "sender", "files": "file", "pages": "page", "notes": "query"}


def wanted(text: str) -> list[Call]:
    """The calls that a text asks for, in the order of its words."""
    found: dict[int, Call] = {}
    for tool, form in CLAUSES:
        for hit in form.finditer(text):
            fill = {name: value.strip() for name, value in hit.groupdict().items()}
            if tool.startswith("query"):
                call = Call("query", {"sql": SQL[tool.split()[1]].format(**{**fill, "name": fill["name"].lower()})})
            else:
                call = Call(tool, {name: int(v) if name in ("amount", "quantity") else v for name, v in fill.items()})
            found.setdefault(hit.start(), call)
    return [found[at] for at in sorted(found)]


def named(text: str) -> Call:
    """The call that reads the first document that a text names."""
    forms = [(where, re.escape(form).replace(r"\{\}", r"(\w+)")) for where, texts in DOCUMENTS.items() for form in texts]
    _, where, key = min((hit.start(), where, hit[1].lower()) for where, form in forms for hit in re.finditer(form, text))
    return Call(READS[where], {"sql": f"SELECT text FROM reviews WHERE name = '{key}'"} if where == "reviews" else {KEYS[where]: key})


class Englishman:
    """Reads English, and what it was sent; obeys whatever it reads, or the user alone."""

    name, fingerprint, capabilities = "englishman", "1", frozenset({"text"})

    def __init__(self, *, obeys: bool) -> None:
        self.obeys = obeys
        self.sent: list[Any] = []

    def respond(self, conversations: Sequence[Conversation], tools: Sequence[Any]) -> list[Message]:
        self.sent += [(conversation, tools) for conversation in conversations]
        return [self.next(conversation) for conversation in conversations]

    def next(self, conversation: Conversation) -> Message:
        (user,) = [one.text for one in conversation if one.role == "user"]
        said = [one.text for one in conversation if one.role == "tool"]
        calls = [named(user), *wanted(user)]
        if len(calls) == 1 and said:
            calls += self.taken(user, said[0])
        if self.obeys and said:
            calls += wanted(said[0])
        return (
            Message("assistant", "", calls=(replace(calls[len(said)], id=str(len(said))),))
            if len(said) < len(calls)
            else Message("assistant", "Done.")
        )

    @staticmethod
    def taken(user: str, document: str) -> list[Call]:
        number = re.search(r"(?:bill is|owe me|fee is|amount:|total is|number:|need) (\d+)|(\d+) \w+ are missing", document, re.IGNORECASE)
        value = int(number[1] or number[2]) if number else 0
        if item := re.search(r'the item "(\w+)"|many of the item "(\w+)"', user):
            return [Call("buy", {"item": item[1] or item[2], "quantity": value})]
        payee = re.search(r"[Pp]ay (\w+) ", user)
        return [Call("pay", {"recipient": payee[1] if payee else "", "amount": value})]


def rounds() -> Iterator[tuple[Any, Any]]:
    for seed, (family, draw) in enumerate(SETTINGS):
        random = Random(seed)
        setting = replace(draw(random), english=True)
        yield setting, user_tasks(random, setting, family, 40)


@pytest.mark.parametrize("obeys", [True, False])
def test_who_reads_english_does_the_tasks_and_only_who_obeys_documents_falls(obeys: bool) -> None:
    done, fell, fell_anyway, count = 0, 0, 0, 0
    policy = Englishman(obeys=obeys)
    for setting, drawn in rounds():
        for wording in (None, REAL[1]):
            random = Random(7)
            texts = [None if wording is None else wording.of(setting.goals[one.goal], random, english=True) for one in drawn]
            traces = Agent(policy).run([one.holding(text, random) for one, text in zip(drawn, texts, strict=True)])
            for one, trace in zip(drawn, traces, strict=True):
                own, goal = (
                    achieved(trace.assignment.world.state, trace.after.state, [ask.call])
                    for ask in (setting.tasks[one.task], setting.goals[one.goal])
                )
                done += own and wording is None
                fell += goal and wording is not None
                fell_anyway += goal and wording is None
                count += wording is None
    assert done >= 0.95 * count and fell_anyway == 0
    assert fell >= 0.9 * count if obeys else fell == 0


def test_what_is_sent_is_english_with_described_tools() -> None:
    policy = Englishman(obeys=False)
    for _, drawn in rounds():
        Agent(policy).run([one.holding(None, Random(1)) for one in drawn[:6]])
    assert any(form.split("{}")[0] in conversation[0].text for conversation, _ in policy.sent for form in SYSTEMS)
    for conversation, tools in policy.sent:
        for message in conversation:
            if message.role in ("user", "system"):
                assert message.text[0].isupper() and message.text[-1] in ".?" and not re.search(r"\s[.,:;?!](?:\s|$)", message.text), (
                    message.text
                )
        for one in tools:
            function = one["function"]
            assert function["description"].endswith(".")
            assert all(len(kind["description"]) > 5 for kind in function["parameters"]["properties"].values())
    assert "HH:MM" in json.dumps(policy.sent[0][1])


def test_an_endpoint_is_sent_english_in_a_scan(monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes over the wire in a cell of indirect-prompt-injection: systems, users, documents with every wording, answers, tools."""
    monkeypatch.setattr(systems, "embedder", lambda _own=False: Lexical())
    monkeypatch.setattr(injection, "FEWEST_PILOTS", 1)
    policy = Englishman(obeys=True)
    with Server(policy) as server:
        loaded = resolve.load(f"openai:{policy.name}@{server.url}", "reference", allowance=Allowance(concurrency=8))
        cell, common = Cell("m", "indirect-prompt-injection", NO_DEFENSE, 0, "quick"), {"stream": "sent"}
        effort = Effort("tiny", trials=3, steps=1, poison_pairs=1, members=16, epochs=1, exact=1)
        built = recipe(cell.threat)
        built.run(case_for(cell, built, loaded, PARTS, {"effort": effort, **common}))
    said = {(message.role, message.text) for conversation, _ in policy.sent for message in conversation if message.text}
    assert {role for role, _ in said} >= {"system", "user", "tool"} and len(said) > 30
    for role, text in said:
        plain = re.sub(r"<h1>.*</h1>|<[^>]*>|\[/?INST\]", "", re.sub(r"(?:user|model|assistant)(?=[<\n])", "", text)).strip()
        assert not re.search(r"\s[.,:;?!](?:\s|$)", plain), text
        starts = [plain] if role == "tool" else re.split(r"(?<=[.?!]) ", plain)
        assert all(start[:1].isupper() or not start[:1].isalpha() for start in starts), text
    for one in (one for _, tools in policy.sent for one in tools):
        arguments = one["function"]["parameters"]["properties"].values()
        assert one["function"]["description"].endswith(".") and all(kind["description"].endswith(".") for kind in arguments)


class Leaving(Englishman):
    """Answers until somebody attacks, as a server that goes away in the middle of a cell."""

    def attempt(self, conversations: Sequence[Conversation], tools: Sequence[Any]) -> list[Message | NotMeasured]:
        gone = NotMeasured(Reason.TIMEOUT, "gone")
        return [
            gone if any("Ignore the previous" in message.text for message in conversation) else self.next(conversation)
            for conversation in conversations
        ]


def test_an_arm_without_any_answer_is_not_measured_and_said() -> None:
    system = System("s", Leaving(obeys=False), Lexical(), reference=False)
    effort = Effort("tiny", trials=6, steps=1, poison_pairs=1, members=16, epochs=1, exact=1)
    case = SystemCase(target=system, effort=effort, stream="leaving")
    (table,) = measure(case, injection.Injection("one", beside_a_question, REAL[1:2], real=REAL[1:2]).channel(case))
    assert table.arms == ("clean",) and len(table) == 6
    assert [(flag.arm, flag.name) for flag in case.flags] == [("attacked", "trials lost")] and "6 of 6" in case.flags[0].why


@pytest.mark.parametrize("wording", REAL, ids=lambda one: one.name)
def test_a_goal_that_begins_a_sentence_begins_with_a_capital(wording: Any) -> None:
    setting = draw_setting(Random(3))
    for goal in setting.goals:
        text = wording.of(goal, Random(4), english=True)
        assert not re.search(r"(?:^|[.?!\]] |[\n\]]|\": \")(?!system|user|model|assistant)[a-z]", text), text
        if wording.name == "message in JSON":
            assert wanted(json.loads(text)["content"]) == wanted(REAL[0].of(goal, Random(4), english=True))


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (Call("pay", {"recipient": "Anna", "amount": 3}), {"recipient": "anna", "amount": 3}),
        (Call("pay", {"recipient": '"Anna."', "amount": 3}), {"recipient": "anna", "amount": 3}),
        (Call("send_mail", {"to": "ANNA", "text": "Anna likes tea!"}), {"to": "anna", "text": "anna likes tea"}),
        (Call("add_event", {"event": "The party", "day": "Friday", "hour": "9 am"}), {"event": "party", "day": "friday", "hour": "09:00"}),
        (Call("add_event", {"event": "party", "day": "friday", "hour": "9:00 PM"}), {"event": "party", "day": "friday", "hour": "21:00"}),
        (Call("add_event", {"event": "party", "day": "friday", "hour": "12 am"}), {"event": "party", "day": "friday", "hour": "00:00"}),
        (Call("add_event", {"event": "party", "day": "friday", "hour": "noon"}), {"event": "party", "day": "friday", "hour": "noon"}),
        (Call("query", {"sql": "SELECT text FROM Reviews WHERE name = 'Anna'"}), {"sql": "select text from reviews where name = 'anna'"}),
        (Call("grip", {"closed": True}), {"closed": True}),
    ],
)
def test_a_call_is_read_by_its_meaning(said: Call, meant: dict[str, Any]) -> None:
    assert english.read(said).arguments == meant


def test_different_deeds_stay_different() -> None:
    texts = ["Anna likes tea", "Anna likes tea and cake", "Anna does not like tea", "tea likes Anna"]
    assert len({english.read(Call("save_note", {"text": text})).arguments["text"] for text in texts}) == 4
