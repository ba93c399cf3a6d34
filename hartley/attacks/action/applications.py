"""Saying: threats in which the user in person is the adversary, and the application's own words are the stake."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random

import numpy as np

from hartley.attacks.action.attack_set import Wording, best
from hartley.attacks.action.injection import FEWEST_PILOTS, FEWEST_TRIALS, MODEL_TRIALS, PILOTS
from hartley.attacks.case import Flag, Refused, SystemCase
from hartley.attacks.competence import ASKED, Competence
from hartley.attacks.engine.dealing import dealt_pairs
from hartley.attacks.engine.progress import in_parts
from hartley.attacks.exhibit import Exhibit, Line, Span
from hartley.evidence import ARMS, NONE, Evidence
from hartley.targets.agent.agent import responses
from hartley.targets.answers import OTHER, SEVERAL
from hartley.targets.conversation import Conversation, Message
from hartley.targets.protocols import Policy

NOTHING_TO_GUARD = "the user alone speaks here: there is no tool to list, no answer of a tool to mark or to keep apart"


@dataclass(frozen=True)
class Application:
    """One trial's application. system: the operator's words. user: an ordinary user's words. intent: what they should get, and
    symbol: what the adversary wants, both as places in the threat's alphabets."""

    system: str
    user: str
    intent: int
    symbol: int

    def asked(self, user: str) -> Conversation:
        """The application with a user's words."""
        return (Message("system", self.system), Message("user", user))


@dataclass(frozen=True)
class Speech:
    """A threat by words alone.

    channel, kind   of its evidence ("write" or "read").
    intents, symbols   the alphabets; what the user gets and what the adversary gets are read from the same answer.
    draw            an application whose intent and symbol are given.
    wordings        the attack set; hostile fills one for an application.
    got, gained     which intent, and which symbol, an answer amounts to, as `heard` gives it. They see the answer alone.
    served          whether the user is still there to be served in the attacked arm.
    """

    channel: str
    kind: str
    intents: tuple[str, ...]
    symbols: tuple[str, ...]
    draw: Callable[[Random, int, int], Application]
    wordings: tuple[Wording, ...]
    hostile: Callable[[Application, Wording, Random], str]
    got: Callable[[str], int]
    gained: Callable[[str], int]
    served: bool


BEFORE = ("clean", "defended")
"""Arms without an adversary."""
Reader = Callable[[Sequence[Conversation]], Sequence[str | None]]
"""How the adversary gets an answer out of each conversation; None where there was none."""


def speech_channel(case: SystemCase, speech: Speech, read: Reader | None = None) -> Evidence:
    """Clean and attacked, and the defended arms behind a safeguard of the user's words; any other has nothing to act on here.

    read  None: what the policy says. The clean arm's users are always answered in words, and behind a safeguard
          there is nothing else.
    """
    guard = None if case.defense is None else case.defense.words
    if case.defense is not None and guard is None:
        raise Refused(f"{case.defense.id}: {NOTHING_TO_GUARD}")
    trials = case.effort.trials_for(1 / MODEL_TRIALS, fewest=FEWEST_TRIALS)
    drawn = _applications(case.random("applications"), speech, trials)
    pilots = _applications(case.random("pilots"), speech, max(FEWEST_PILOTS, trials // PILOTS))

    plain = partial(_said, case.target.policy)
    attack = read or plain

    def users(chosen: Sequence[Application], wording: Wording, purpose: str) -> list[str]:
        random = case.random(purpose, wording.name)
        return [speech.hostile(application, wording, random) for application in chosen]

    def successes(reader: Reader, wording: Wording) -> int:
        answers = reader(_asked(pilots, users(pilots, wording, "pilot")))
        return sum(text is not None and speech.gained(text) == one.symbol for one, text in zip(pilots, answers, strict=True))

    chosen, ordinary = best(speech.wordings, partial(successes, attack)), [one.user for one in drawn]
    parts, arms = [], [("clean", ordinary, plain), ("attacked", users(drawn, chosen, "trials"), attack)]
    if guard is not None and read is None:  # a safeguard gives out words alone
        guarded = partial(_said, guard(case.target.policy))
        aware = best(speech.wordings, partial(successes, guarded), chosen)
        arms += [("defended", ordinary, guarded), ("defended_attacked", users(drawn, chosen, "trials"), guarded)]
        arms += [("defended_adaptive", users(drawn, aware, "trials"), guarded)]
    for arm, said, reader in arms:
        parts.append(_table(case, speech, arm, drawn, said, in_parts(case, arm, reader, _asked(drawn, said))))
    return Evidence.concat(parts)


def _applications(random: Random, speech: Speech, count: int) -> list[Application]:
    """Intents and symbols dealt independently of each other; each application is a unit of its own."""
    return [speech.draw(random, *pair) for pair in dealt_pairs(random, count, len(speech.intents), len(speech.symbols))]


def _asked(drawn: Sequence[Application], users: Sequence[str]) -> list[Conversation]:
    return [one.asked(user) for one, user in zip(drawn, users, strict=True)]


def _said(policy: Policy, conversations: Sequence[Conversation]) -> list[str | None]:
    return [message.text if isinstance(message, Message) else None for message in responses(policy, conversations, ())]


def _table(
    case: SystemCase, speech: Speech, arm: str, drawn: Sequence[Application], users: Sequence[str], answers: Sequence[str | None]
) -> Evidence:
    rows = [place for place, text in enumerate(answers) if text is not None]
    if len(rows) < len(drawn):
        lost = f"{len(drawn) - len(rows)} of {len(drawn)} trials were not measured: the policy gave no answer"
        case.flags.append(Flag(speech.channel, arm, "trials lost", lost))
    texts = [answers[place] or "" for place in rows]
    got, gained = _columns([speech.got(text) for text in texts], [speech.gained(text) for text in texts])
    symbol = np.array([drawn[place].symbol for place in rows], dtype=np.int32)
    intent = np.array([drawn[place].intent if arm in BEFORE or speech.served else NONE for place in rows], dtype=np.int32)
    for wanted in (1, 0):
        for place in np.flatnonzero((gained == symbol) == wanted)[:1].tolist():
            case.exhibits.append(_exhibit(speech, arm, drawn[rows[place]], users[rows[place]], texts[place]))
    return Evidence(
        channel=speech.channel,
        kind=speech.kind,
        intent_alphabet=speech.intents,
        adversary_alphabet=speech.symbols,
        outcome_alphabet=(*speech.intents, SEVERAL, OTHER),
        effect_alphabet=(*speech.symbols, SEVERAL, OTHER),
        arm=np.full(len(rows), ARMS.index(arm), dtype=np.int8),
        trial=np.array(rows, dtype=np.int64),
        intent=intent,
        adversary=symbol,
        outcome=got,
        effect=gained,
        success=(gained == symbol).astype(np.int8),
        costs={"queries": np.ones(len(rows))},
        intent_prior=np.full(len(speech.intents), 1 / len(speech.intents)),
    )


def _columns(*columns: Sequence[int]) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.int32]], ...]:
    return tuple(np.array(column, dtype=np.int32) for column in columns)


def _exhibit(speech: Speech, arm: str, one: Application, user: str, said: str) -> Exhibit:
    hostile = arm not in BEFORE
    lines = (
        Line("system", (Span(one.system, True),)),
        Line("user", (Span(user, not hostile, hostile),)),
        Line("assistant", (Span(said, not hostile),)),
    )
    symbol = speech.symbols[one.symbol] if hostile else None
    return Exhibit(speech.channel, arm, speech.intents[one.intent], symbol, said, said, transcript=lines)


def clean_answers(speech: Speech, kind: str, case: SystemCase) -> Competence:
    """What an ordinary user asks of the application."""
    random = case.random("competence")
    pairs = dealt_pairs(random, ASKED, len(speech.intents), len(speech.symbols))
    drawn = [speech.draw(random, *pair) for pair in pairs]
    said = responses(case.target.policy, [one.asked(one.user) for one in drawn], ())
    told = [(one, message.text) for one, message in zip(drawn, said, strict=True) if isinstance(message, Message)]
    return Competence(kind, ASKED, len(told), sum(speech.got(text) == one.intent for one, text in told))
