"""Quarantine: untrusted text is read by a policy without tools, and only typed values of it cross to the one that acts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hartley.defenses.system.safeguard import Safeguard
from hartley.defenses.system.twin import MASK
from hartley.targets.agent.agent import Agent, Guard, responses
from hartley.targets.agent.label import Label
from hartley.targets.agent.trace import Step, Trace
from hartley.targets.conversation import Message
from hartley.targets.protocols import Policy

DAYS = "monday|tuesday|wednesday|thursday|friday|saturday|sunday"
HOUR = r"(?:[01]?\d|2[0-3]):[0-5]\d"
SCHEMA: Mapping[str, str] = {
    "amount": r"\d{1,3}",
    "number": r"\d{1,3}",
    "hour": HOUR,
    "day": DAYS,
    "cell": r"\d \d",
    "date": rf"(?:{DAYS}) at {HOUR}",
    "place": r"[a-z]{2,12}",
    "client": r"[a-z]{2,12}",
}
"""The values that may cross, by their name, each with the pattern that all of it must match."""
ASKED = "documents : {text} question : what is the {noun} ?"
SAID = re.compile(r"the (?P<noun>[a-z]+) is (?P<value>.+?)(?: \.|\.)?$")


@dataclass(frozen=True)
class Value:
    """One typed value. noun: a key of SCHEMA."""

    noun: str
    value: str

    def __str__(self) -> str:
        return f"the {self.noun} is {self.value}"


class Quarantine(Guard):
    """The privileged policy never sees untrusted words. Which values are asked for follows from the user's own words: the nouns
    of SCHEMA that occur in them. A value that does not match its pattern does not cross, so an instruction cannot; a lie can."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy

    def show(self, answers: Sequence[tuple[Trace, Step]]) -> list[tuple[str, Label]]:
        wanted = [
            (place, noun)
            for place, (trace, step) in enumerate(answers)
            if not step.label.trusted
            for noun in SCHEMA
            if noun in " ".join(trace.assignment.users).split()
        ]
        questions = [(Message("user", ASKED.format(text=answers[place][1].shown, noun=noun)),) for place, noun in wanted]
        found: dict[int, list[str]] = {}
        for (place, noun), message in zip(wanted, responses(self.policy, questions, ()), strict=True):
            value = typed(noun, message.text) if isinstance(message, Message) else None
            if value is not None:
                found.setdefault(place, []).append(str(value))
        return [
            (step.shown if step.label.trusted else " . ".join(found.get(place, [MASK])) + (" ." if place in found else ""), step.label)
            for place, (_, step) in enumerate(answers)
        ]


def typed(noun: str, said: str) -> Value | None:
    """The value in "the NOUN is VALUE ." where VALUE is of NOUN's type; None for anything else."""
    match = SAID.match(" ".join(said.lower().split()))
    if match is None or match["noun"] != noun or re.fullmatch(SCHEMA[noun], match["value"]) is None:
        return None
    return Value(noun, match["value"])


def guarded(agent: Agent) -> Agent:
    """The agent behind a quarantine; the same policy, without tools, is the one that reads."""
    return agent.guarded(Quarantine(agent.policy))


DEFENSE = Safeguard("quarantine", agent=guarded)
