"""Outbreaks of infected mail: a society in random pairs, what its rates come to, bounds down the chain, and trials to look at."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hartley.attacks.case import Flag
from hartley.attacks.interaction.infection import TRIALS, Cell, Columns, Mode, edge_counts
from hartley.bits.contraction import contraction
from hartley.bits.percolation import percolation_bound
from hartley.environments import transcripts
from hartley.environments.message_chains import ChainOutcome, MessageChains
from hartley.environments.office import PAYLOADS, Prompt
from hartley.evidence import NONE
from hartley.exhibit import Exhibit
from hartley.targets.society.meeting import RandomPairs
from hartley.targets.society.members import Exchange, Members, Memory
from hartley.targets.society.outbreak import VERY_MANY, Outbreak, observed
from hartley.targets.society.spreading import Spread, spread

INBOX = 3
"""Mails that a member keeps; the most urgent one is taken up, which a similarity decides."""
SOURCES = 8
"""One member in so many has the infected mail at the start."""
PERMUTATIONS = 199


@dataclass(frozen=True)
class Size:
    """Members, rounds and runs of a society, and the agents of the large one."""

    members: int
    rounds: int
    runs: int
    agents: int


SIZES: Mapping[str, Size] = {"quick": Size(16, 8, 4, VERY_MANY), "standard": Size(64, 16, 4, VERY_MANY), "full": Size(64, 32, 8, VERY_MANY)}
LEAST = Size(16, 6, 1, 4_096)
"""An effort of another name."""


def show(cell: Cell, mode: Mode, arm: str, relays: MessageChains, prompt: Prompt, arms: Mapping[str, Columns]) -> None:
    """Leaves transcripts of the arm, the bounds on what its chains can carry, and, where members read their own mail alone, the
    society's curves."""
    columns = arms[arm]
    _transcripts(cell, mode, arm, relays, prompt, columns)
    _bounds(cell, mode, arm, columns)
    if mode.shared:
        return
    runs = societies(cell, relays, prompt)
    size = SIZES.get(cell.case.effort.name, LEAST)
    found = observed(runs, INBOX, cell.case.seed("million") % 2**32, agents=size.agents)
    if found is None:
        why = "no member that carried the mail met one that did not: nothing could be fitted"
        cell.case.flags.append(Flag(mode.channel("edge"), arm, "no exposure", why))
        return
    cell.case.exhibits.append(_society(cell, mode, arm, prompt, found))


def _society(cell: Cell, mode: Mode, arm: str, prompt: Prompt, found: Outbreak) -> Exhibit:
    mail = cell.mails(prompt, TRIALS, cell.trials)[0]
    told, asked = mail.office.facts[mail.fact], PAYLOADS[mail.payload].name
    ends = f"{found.shares[:, -1].mean():.0%} of the members carry it at the end"
    return Exhibit(mode.channel("edge"), arm, told, asked, "", ends, text_clean=told, text_attacked=mail.text, spreading=found.spreading())


def societies(cell: Cell, relays: MessageChains, prompt: Prompt) -> list[Spread]:
    """Full runs: every member is run on every mail that it takes up. Run i sends payload i modulo their number."""
    size = SIZES.get(cell.case.effort.name, LEAST)
    runs = []
    for place in range(size.runs):
        cell.case.progress("society", place, size.runs)
        rng = np.random.default_rng([cell.case.seed("society"), place])
        runs.append(spread(_members(cell, relays, prompt, place, size), RandomPairs(size.members), size.rounds, rng))
    return runs


def _members(cell: Cell, relays: MessageChains, prompt: Prompt, place: int, size: Size) -> Members[str]:
    random = cell.case.random("society", place)
    # a trial's own mail and office: what comes of it there is known
    mail = cell.mails(prompt, TRIALS, cell.trials)[place % cell.trials]
    office, sources = mail.office, max(1, size.members // SOURCES)
    told = [office.clean(fact, 0) for fact in range(INBOX + 1)]
    inboxes = [random.sample(told, INBOX) for _ in range(size.members)]
    for inbox in inboxes[:sources]:
        inbox[-1] = mail.text

    def hear(texts: Sequence[str]) -> list[ChainOutcome]:
        return relays.hear([(office, text) for text in texts])

    hear([text for inbox in inboxes for text in inbox])
    memories: list[Memory[str]] = [Memory(agent, deque(inbox, maxlen=INBOX)) for agent, inbox in enumerate(inboxes)]
    finder = _Finder(cell)

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


class _Finder:
    """Which mail of an inbox is most urgent: most similar to words that ask for something to be done; of equals the newest."""

    def __init__(self, cell: Cell) -> None:
        self._embed = cell.case.target.embedder.embed_text
        self._asked = self._embed([cell.office.urgent])[0]
        self._known: dict[str, float] = {}

    def __call__(self, inbox: list[str]) -> str:
        new = [mail for mail in inbox if mail not in self._known]
        if new:
            self._known |= dict(zip(new, (self._embed(new) @ self._asked).tolist(), strict=True))
        return max(reversed(inbox), key=self._known.__getitem__)


def _bounds(cell: Cell, mode: Mode, arm: str, columns: Columns) -> None:
    """Down a chain at most the product of its edges' contractions is left of the payload's bits. An edge is counted by what members
    do. A mail may carry more than its reader does, so that somebody farther on does what nobody before did: a flag says so."""
    if mode.shared:
        return
    entropy = float(np.log2(len(PAYLOADS)))
    seed = cell.case.seed("contraction") % 2**32
    counts = edge_counts(columns)
    shares = [contraction(one, permutations=PERMUTATIONS, seed=seed).high if one.sum() else 1.0 for one in counts]
    for hop in range(1, len(shares) + 1):
        edges = [(place, place + 1) for place in range(hop)]
        bound = percolation_bound(edges, shares[:hop], 0, hop, entropy, directed=True)
        cell.case.measure(mode.channel(f"distance {hop + 1}"), arm, bound)
        skipped = (columns["did"][:, hop] == 1) & (columns["executed"][:, hop - 1] == NONE)
        if skipped.any():
            why = f"{int(skipped.sum())} members did what the payload asks for, and the one before had not: bounds count what members do"
            cell.case.flags.append(Flag(mode.channel(f"distance {hop + 1}"), arm, "mail carries more than members do", why))


def _transcripts(cell: Cell, mode: Mode, arm: str, relays: MessageChains, prompt: Prompt, columns: Columns) -> None:
    """The farthest member of the table that did what the payload asks for, and a first one that did not."""
    mails = cell.mails(prompt, TRIALS, cell.trials)
    done = columns["did"] == 1
    reached = columns["reached"] == 1
    chosen: list[tuple[int, int]] = []
    if done.any():
        hop = int(np.flatnonzero(done.any(0))[-1])
        chosen.append((int(np.flatnonzero(done[:, hop])[0]), hop))
    missed = np.argwhere(reached & ~done)
    chosen += [(int(row), int(hop)) for row, hop in missed[:1]]
    for row, hop in chosen:
        mail = mails[row]
        heard = relays.chains([(mail.office, mail.text)], hop + 1, shared=mode.shared)[0][hop]
        if heard is not None and not heard.error:
            cell.case.exhibits.append(
                transcripts.exhibit(
                    mode.channel(f"distance {hop + 1}"),
                    arm,
                    heard.trace,
                    intent=mail.office.facts[mail.fact],
                    goal=PAYLOADS[mail.payload].name,
                    goal_calls=[PAYLOADS[mail.payload].call],
                    planted={("mails", mail.office.before): ""},
                )
            )
