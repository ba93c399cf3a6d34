"""Spoken: threats in which the user in person is the adversary, and the application's own words are the stake."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from hartley.attacks.action.attack_set import Wording
from hartley.attacks.action.injection import FEWEST_PILOTS, FEWEST_TRIALS, MODEL_TRIALS, PILOTS
from hartley.case import SystemCase, wrapper
from hartley.channel import Channel, Seen, choose
from hartley.environments.applications import Application, Applications
from hartley.environments.progress import in_parts
from hartley.evidence import NONE
from hartley.exhibit import Exhibit, Line, Span
from hartley.rows import ATTACKED, CLEAN, EVERY, Arm, Rows, Sent, Symbols
from hartley.targets.agent.agent import responses
from hartley.targets.answers import OTHER, SEVERAL
from hartley.targets.conversation import Conversation, Message
from hartley.targets.protocols import Policy

Reader = Callable[[Policy, Sequence[Conversation]], Sequence[str | None]]
"""How the adversary gets an answer out of each conversation; None where there was none."""


def said(policy: Policy, conversations: Sequence[Conversation]) -> list[str | None]:
    """What the policy says."""
    return [message.text if isinstance(message, Message) else None for message in responses(policy, conversations, ())]


@dataclass(frozen=True)
class Speech:
    """A threat by words alone.

    name, kind   of its channel ("write" or "read").
    wordings     the attack set; hostile fills one for an application.
    served       whether the user is still there to be served in the attacked arm.
    read         the adversary's. Where it is not what the policy says, there is nothing to read behind a safeguard, which gives out
                 words alone; the clean arm's users are always answered in words.
    """

    name: str
    kind: str
    world: Applications
    wordings: tuple[Wording, ...]
    hostile: Callable[[Application, Wording], str]
    served: bool
    read: Reader = said

    def channel(self, case: SystemCase) -> Channel[Policy, Wording]:
        """U is what an ordinary user should get, A what the adversary wants; Y and the effect are read from one answer."""
        world, trials = self.world, case.effort.trials_for(1 / MODEL_TRIALS, fewest=FEWEST_TRIALS)
        drawn = world.drawn(case.random("applications"), trials)
        pilots = world.drawn(case.random("pilots"), max(FEWEST_PILOTS, trials // PILOTS))

        def users(chosen: Sequence[Application], wording: Wording | None) -> list[str]:
            return [one.user if wording is None else self.hostile(one, wording) for one in chosen]

        def asked(chosen: Sequence[Application], wording: Wording | None) -> list[Conversation]:
            return [one.asked(user) for one, user in zip(chosen, users(chosen, wording), strict=True)]

        def subject(arm: Arm) -> Policy:
            policy = case.target.policy
            guarded: Policy = wrapper(case.defense, "words")(policy) if case.defense is not None and arm.defended else policy
            return guarded

        def choice(arm: Arm, policy: Policy, known: Wording | None) -> Wording:
            def gained(wording: Wording) -> list[int]:
                answers = zip(pilots, self.read(policy, asked(pilots, wording)), strict=True)
                return [sum(text is not None and world.gained(text) == one.symbol for one, text in answers)]

            return choose(case, arm, self.name, self.wordings, gained, known)[0]

        def ask(arm: Arm, policy: Policy, wording: Wording | None) -> Rows:
            read = self.read if arm.attacked else said
            answers = in_parts(case, f"{self.name}, {arm.name}", partial(read, policy), asked(drawn, wording))
            return Rows(
                outcome=[world.got(text or "") for text in answers],
                effect=[world.gained(text or "") for text in answers],
                intent=None if self.served or not arm.attacked else np.full(len(drawn), NONE),
                lost=[text is None for text in answers],
                said=tuple(answers),
                costs={"queries": np.ones(len(drawn))},
            )

        def show(arm: Arm, trial: int, seen: Mapping[Arm, Seen[Wording]]) -> Exhibit:
            one, answer = drawn[trial], seen[arm].rows.said[trial]
            (user,) = users([one], seen[arm].payload)
            system, words = Line("system", (Span(one.system, True),)), Line("user", (Span(user, not arm.attacked, arm.attacked),))
            symbol = world.symbols[one.symbol] if arm.attacked else None
            lines = (system, words, Line("assistant", (Span(answer, not arm.attacked),)))
            return Exhibit(self.name, arm.name, world.intents[one.intent], symbol, answer, answer, transcript=lines)

        behind = (SEVERAL, OTHER)
        prior = np.full(len(world.intents), 1 / len(world.intents))
        symbols = Symbols(world.intents, world.symbols, (*world.intents, *behind), (*world.symbols, *behind), prior)
        sent = Sent([one.intent for one in drawn], [one.symbol for one in drawn])
        arms = EVERY if self.read is said else (CLEAN, ATTACKED)
        return Channel(self.name, self.kind, symbols, sent, subject, ask, choice, show=show, arms=arms)
