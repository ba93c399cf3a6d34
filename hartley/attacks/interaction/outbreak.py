"""Outbreaks of infected mail: a society in random pairs, what its rates come to, and trials to look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from hartley.attacks.interaction.infection import TRIALS, Chains
from hartley.attacks.interaction.prompts import Prompt
from hartley.case import Flag
from hartley.channel import Channel, Seen
from hartley.environments import transcripts
from hartley.environments.inboxes import INBOX, Finder, members
from hartley.environments.message_chains import MessageChains
from hartley.environments.office import PAYLOADS
from hartley.exhibit import Exhibit
from hartley.rows import Arm
from hartley.targets.society.meeting import RandomPairs
from hartley.targets.society.outbreak import VERY_MANY, observed
from hartley.targets.society.spreading import Spread, spread

SOURCES = 8
"""One member in so many has the infected mail at the start."""


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


def shown(chains: Chains) -> list[Channel[MessageChains, Prompt]]:
    """The channels of chains: along the edge the society's curves, and what the first and the last member did with their mails."""
    edge, *distances = chains.channels()
    edge = replace(edge, show=partial(_society, chains), shown=1)
    distances[0] = replace(distances[0], show=partial(_member, chains, 1))
    distances[-1] = replace(distances[-1], show=partial(_member, chains, chains.length))
    return [edge, *distances]


def _society(chains: Chains, arm: Arm, _: int, seen: Mapping[Arm, Seen[Prompt]]) -> Exhibit | None:
    """The society's curves, where members read their own mail alone."""
    prompt = seen[arm].payload
    if arm != chains.last or chains.shared or prompt is None:
        return None
    size = SIZES.get(chains.case.effort.name, LEAST)
    found = observed(societies(chains, arm, prompt), INBOX, chains.case.seed("million") % 2**32, agents=size.agents)
    if found is None:
        why = "no member that carried the mail met one that did not: nothing could be fitted"
        chains.case.flags.append(Flag(f"edge{chains.suffix}", arm.name, "no exposure", why))
        return None
    mail = chains.mails(prompt, TRIALS, chains.trials)[0]
    told, asked, spreading = mail.office.facts[mail.fact], PAYLOADS[mail.payload].name, found.spreading()
    ends = f"{found.shares[:, -1].mean():.0%} of the members carry it at the end"
    edge = f"edge{chains.suffix}"
    return Exhibit(edge, arm.name, told, asked, "", ends, text_clean=told, text_attacked=mail.text, spreading=spreading)


def societies(chains: Chains, arm: Arm, prompt: Prompt) -> list[Spread]:
    """Full runs. Run i sends payload i modulo their number, in a trial's own mail and office: what comes of it there is known."""
    size, case, runs = SIZES.get(chains.case.effort.name, LEAST), chains.case, []
    mails = chains.mails(prompt, TRIALS, chains.trials)
    for place in range(size.runs):
        case.progress("society", place, size.runs)
        random, mail = case.random("society", place), mails[place % chains.trials]
        finder, sources = Finder(case.target.embedder, chains.office.urgent), max(1, size.members // SOURCES)
        society = members(chains.members(arm), mail.office, mail.text, sources, size.members, finder, random)
        rng = np.random.default_rng([case.seed("society"), place])
        runs.append(spread(society, RandomPairs(size.members), size.rounds, rng))
    return runs


def _member(chains: Chains, distance: int, arm: Arm, trial: int, seen: Mapping[Arm, Seen[Prompt]]) -> Exhibit | None:
    """What a member so far down the chain did with its mail."""
    if arm != chains.last:
        return None
    mail = chains.mails(seen[arm].payload, TRIALS, chains.trials)[trial]
    heard = chains.members(arm).chains([(mail.office, mail.text)], distance, shared=chains.shared)[0][distance - 1]
    if heard is None or heard.error:
        return None
    payload = PAYLOADS[mail.payload]
    return transcripts.exhibit(
        f"distance {distance}{chains.suffix}",
        arm.name,
        heard.trace,
        intent=mail.office.facts[mail.fact],
        goal=payload.name,
        goal_calls=[payload.call],
        planted={("mails", mail.office.before): ""},
    )
