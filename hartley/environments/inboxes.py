"""Inboxes: a society in random pairs whose members take up the most urgent of their mails and send on what they make of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from random import Random

import numpy as np

from hartley.environments.message_chains import ChainOutcome, MessageChains
from hartley.environments.office import PAYLOADS, Office
from hartley.evidence import NONE
from hartley.targets.protocols import TextEmbedder
from hartley.targets.society.members import Exchange, Members, Memory

INBOX = 3
"""Mails that a member keeps; the most urgent one is taken up, which a similarity decides."""


def members(
    relays: MessageChains, office: Office, infected: str, sources: int, agents: int, finder: Finder, random: Random
) -> Members[str]:
    """So many agents of an office with clean mails, the first `sources` of them with an infected one as their newest. Every member is run
    on every mail that it takes up."""
    told = [office.clean(fact, 0) for fact in range(INBOX + 1)]
    inboxes = [random.sample(told, INBOX) for _ in range(agents)]
    for inbox in inboxes[:sources]:
        inbox[-1] = infected

    def hear(texts: Sequence[str]) -> list[ChainOutcome]:
        return relays.hear([(office, text) for text in texts])

    hear([text for inbox in inboxes for text in inbox])
    memories: list[Memory[str]] = [Memory(agent, deque(inbox, maxlen=INBOX)) for agent, inbox in enumerate(inboxes)]

    def meet(
        speakers: Sequence[Memory[str]], listeners: Sequence[Memory[str]], number: int, rng: np.random.Generator
    ) -> list[Exchange[str] | None]:
        """Each speaker takes up one of its mails; what it sends lies in the listener's inbox."""
        mails = [finder(list(speaker.album)) for speaker in speakers]
        heard = hear(mails)
        sent = [one.sent for one in heard if one.sent is not None]
        readings = dict(zip(sent, hear(sent), strict=True))
        exchanges: list[Exchange[str] | None] = []
        for mail, one in zip(mails, heard, strict=True):
            after = None if one.sent is None else readings[one.sent]
            failed = one.error or (after is not None and after.error)
            answers = after is not None and bool(after.done)
            exchanges.append(None if failed else Exchange(mail, mail, one.sent or "", one.sent, bool(one.done), answers))
        return exchanges

    return Members(memories, meet, lambda text: min(hear([text])[0].done, default=NONE), payloads=len(PAYLOADS))


class Finder:
    """Which mail of an inbox is most urgent: most similar to words that ask for something to be done; of equals the newest."""

    def __init__(self, embedder: TextEmbedder, urgent: str) -> None:
        self._embed = embedder.embed_text
        self._asked = self._embed([urgent])[0]
        self._known: dict[str, float] = {}

    def __call__(self, inbox: list[str]) -> str:
        new = [mail for mail in inbox if mail not in self._known]
        if new:
            self._known |= dict(zip(new, (self._embed(new) @ self._asked).tolist(), strict=True))
        return max(reversed(inbox), key=self._known.__getitem__)
