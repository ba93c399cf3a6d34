"""MessageChains: what a member of an office does with a mail, and what becomes of a mail along a chain of members."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hartley.environments.office import OTHER, PAYLOADS, SEVERAL, Office
from hartley.evidence import NONE
from hartley.targets.agent.agent import Agent
from hartley.targets.agent.trace import Trace


@dataclass(frozen=True)
class ChainOutcome:
    """What a member did with a mail, by its world before and after alone.

    done     which payloads' calls it made, so that they changed its world.
    effect   the one of them, SEVERAL, or OTHER: none, but its world changed in another way than by mail to the one after it. NONE:
             it did not change so.
    sent     the text of the last mail that it sent to the one after it, which is the one that is read; None: it sent none.
    error    the policy failed, so that nothing of this was measured.
    """

    done: frozenset[int]
    effect: int
    sent: str | None
    error: bool
    trace: Trace


class MessageChains:
    """Members of offices, all with the same agent. A mail that was read before is not read again by a member with the same
    correspondents: the same words have the same consequences, as policies answer with the likeliest words."""

    def __init__(self, agent: Agent) -> None:
        self.agent = agent
        self._known: dict[tuple[str, str, str], ChainOutcome] = {}

    def hear(self, mails: Sequence[tuple[Office, str]]) -> list[ChainOutcome]:
        """What a member of the office does with each mail; all that are new go to the policy at once."""
        keys = [(office.before, office.after, text) for office, text in mails]
        new = {key: mail for key, mail in zip(keys, mails, strict=True) if key not in self._known}
        traces = self.agent.run([office.assignment(text) for office, text in new.values()])
        self._known |= {key: self._heard(trace, key[1]) for key, trace in zip(new, traces, strict=True)}
        return [self._known[key] for key in keys]

    def _heard(self, trace: Trace, to: str) -> ChainOutcome:
        made = [step.call for step in trace.steps if step.executed and step.acted]
        calls = [(payload.call.name, dict(payload.call.arguments)) for payload in PAYLOADS]
        done = frozenset(place for place, call in enumerate(calls) if call in [(one.name, dict(one.arguments)) for one in made])
        mails = [one for one in made if one.name == "send_mail" and one.arguments.get("to") == to]
        effect = NONE if len(mails) == len(made) else OTHER
        if done:
            effect = min(done) if len(done) == 1 else SEVERAL
        told = [text for reader, text in trace.after.state.sent if reader == to]
        return ChainOutcome(done, effect, told[-1] if told else None, bool(trace.error), trace)

    def chains(self, mails: Sequence[tuple[Office, str]], length: int, *, shared: bool = False) -> list[tuple[ChainOutcome | None, ...]]:
        """Each mail along a chain of `length` members; None for whom nothing reached. A chain ends at an error.

        shared: everyone reads the whole thread, the first mail and whatever new words each member added; otherwise only what
        the member before sent.
        """
        found: list[list[ChainOutcome | None]] = [[] for _ in mails]
        arrived: list[str | None] = [text for _, text in mails]
        for _ in range(length):
            going = [place for place, mail in enumerate(arrived) if mail is not None]
            heard = dict(zip(going, self.hear([(mails[place][0], arrived[place] or "") for place in going]), strict=True))
            for place, chain in enumerate(found):
                one = heard.get(place)
                chain.append(one)
                arrived[place] = None if one is None or one.error else _next(arrived[place] or "", one.sent, shared)
        return [tuple(chain) for chain in found]


def _next(mail: str, sent: str | None, shared: bool) -> str | None:
    if not shared or sent is None:
        return mail if shared else sent
    return mail if sent in mail else f"{mail} {sent}"
