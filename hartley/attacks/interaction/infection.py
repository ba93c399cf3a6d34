"""Infection: chains of members with clean and with infected mail, as Evidence at every distance and along the edge between two."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hartley.attacks.case import Flag, Refused, SystemCase
from hartley.environments.message_chains import ChainOutcome, MessageChains
from hartley.environments.office import EFFECTS, FACTS, PAYLOADS, Mail, Office, Prompt, openings
from hartley.evidence import ARMS, NONE, Evidence
from hartley.targets.agent.agent import Agent

LENGTHS: Mapping[str, int] = {"quick": 3, "standard": 5, "full": 8}
"""Members of a chain, by effort."""
MOST_TRIALS: Mapping[str, int] = {"quick": 48, "standard": 320, "full": 640}
"""Chains of an arm: each takes a policy of tools several calls a member."""
KINDS: Mapping[str, int] = {"quick": 4}
"""Payloads and facts that are sent, where they are fewer than all, so that each is sent often enough for a point."""
PILOTS: Mapping[str, int] = {"quick": 2, "standard": 6, "full": 12}
"""Chains that go to choosing the wording: so many for each wording, and FINAL times as many for each of the best."""
FINALISTS, FINAL = 3, 6
TRIALS = "trials"
"""The purpose of mails that tables hold."""
COLUMNS = ("reached", "executed", "did", "told", "error")
UNNAMED = 2
"""Trials, chain length and pilots of an effort that has another name: as few as there can be."""

Columns = Mapping[str, NDArray[np.int64]]
"""payload, fact, hop (n,): what was let in, and after which member the edge is looked at, all dealt out; reached, executed, did, told,
error (n, length): whether a mail got there, the effect of what was done, whether the payload's call was among it, what was passed on,
whether the policy failed there."""


@dataclass(frozen=True)
class Mode:
    """What a member reads: the predecessor's mail alone, or the whole thread. name: as the channels say it."""

    name: str
    shared: bool

    def channel(self, what: str) -> str:
        """The name of a channel of this mode."""
        return f"{what}, {self.name}" if self.name else what


MODES = (Mode("", False), Mode("shared thread", True))
"""Local and global messaging (Lee and Tiwari, 2024)."""


@dataclass(frozen=True)
class Cell:
    """One cell's case, and how its offices are drawn."""

    case: SystemCase
    draw: Callable[[Random], Office]

    @cached_property
    def office(self) -> Office:
        """One of them: the adversary's wordings are the same in all."""
        return self.draw(self.case.random("office"))

    @property
    def length(self) -> int:
        """Members of a chain."""
        return LENGTHS.get(self.case.effort.name, UNNAMED)

    @property
    def trials(self) -> int:
        """Chains of an arm."""
        return self.case.effort.trials_for(most=MOST_TRIALS.get(self.case.effort.name))

    def mails(self, prompt: Prompt | None, purpose: str, count: int) -> list[Mail]:
        """First mails. The same offices, facts and fillers with and without a prompt; others for every purpose."""
        return openings(self.draw, count, self.case.random(purpose), prompt, KINDS.get(self.case.effort.name, FACTS))

    def hops(self) -> list[int]:
        """For each chain after which member the edge is looked at: dealt out, whatever was let in."""
        found = [place % (self.length - 1) for place in range(self.trials)]
        self.case.random("hops").shuffle(found)
        return found

    def tables(self, mode: Mode, arms: Mapping[str, Columns]) -> tuple[Evidence, ...]:
        """A table for the edge between two members, and one for every distance."""
        for arm, columns in arms.items():
            lost = int(columns["error"].any(1).sum())
            if lost:
                why = f"{lost} of {len(columns['error'])} chains were cut where the policy gave no answer; what lies behind is not measured"
                self.case.flags.append(Flag(mode.channel("edge"), arm, "trials lost", why))
        edges = Evidence.concat([edge(mode, arm, columns) for arm, columns in arms.items()])
        distances = range(1, self.length + 1)
        return (edges, *(Evidence.concat([at_distance(mode, d, arm, columns) for arm, columns in arms.items()]) for d in distances))


def guarded(case: SystemCase) -> Agent:
    """Every member's agent with the case's safeguard. Refused where the safeguard has nothing for agents or members."""
    assert case.defense is not None
    if case.defense.agent is not None:
        return case.defense.agent(Agent(case.target.policy))
    if case.defense.member is not None:
        return Agent(case.defense.member(case.target.policy))
    raise Refused(f"{case.defense.id} acts neither on agents nor on what members of a society hear from each other")


def chosen_prompt(cell: Cell, mode: Mode, relays: MessageChains, who: str, first: Prompt | None = None) -> Prompt:
    """The wording that infects the last member of most chains (of those that are level, most members), on chains that no table holds:
    of all on a few, then of the best on more. Of those that are level still `first`, or the one that comes first in the attack set."""
    prompts = sorted(cell.office.prompts, key=lambda prompt: prompt != first)
    count = PILOTS.get(cell.case.effort.name, UNNAMED)

    def choose() -> dict[str, Tensor]:
        cell.case.progress(f"choosing words, {who}", 0, 2)
        infected = _infected(cell, mode, relays, prompts, "pilots", count)
        best = _order(infected)[:FINALISTS]
        if infected[best[0]].sum() < count * cell.length:
            cell.case.progress(f"choosing words, {who}", 1, 2)
            infected[best] += _infected(cell, mode, relays, [prompts[place] for place in best], "finals", FINAL * count)
            best = best[_order(infected[best])]
        return {"chosen": torch.tensor(cell.office.prompts.index(prompts[best[0]]))}

    return cell.office.prompts[int(cell.case.once(f"prompt-infection/wording/{mode.name}/{who}", choose)["chosen"])]


def _order(infected: NDArray[np.int64]) -> NDArray[np.int64]:
    """The rows, best first: by the last member of the chain, then by all."""
    return np.lexsort((np.arange(len(infected)), -infected.sum(1), -infected[:, -1]))


def _infected(cell: Cell, mode: Mode, relays: MessageChains, prompts: Sequence[Prompt], purpose: str, count: int) -> NDArray[np.int64]:
    """(prompts, length) in how many of `count` chains the member at each place did what the payload asks for."""
    mails = [mail for prompt in prompts for mail in cell.mails(prompt, purpose, count)]
    chains = relays.chains([(mail.office, mail.text) for mail in mails], cell.length, shared=mode.shared)
    did = [[_row(one, mail)[2] for one in chain] for mail, chain in zip(mails, chains, strict=True)]
    return np.array(did, dtype=np.int64).reshape(len(prompts), count, cell.length).sum(1)


def measured(cell: Cell, mode: Mode, arm: str, relays: MessageChains, prompt: Prompt | None) -> Columns:
    """One arm's chains. Clean and attacked ones are the same for every safeguard, and run once."""
    cell.case.progress(mode.channel(arm), 0, 1)

    def compute() -> dict[str, Tensor]:
        mails = cell.mails(prompt, TRIALS, cell.trials)
        chains = relays.chains([(mail.office, mail.text) for mail in mails], cell.length, shared=mode.shared)
        rows = [[_row(one, mail) for one in chain] for mail, chain in zip(mails, chains, strict=True)]
        inner = dict(zip(COLUMNS, torch.tensor(rows).permute(2, 0, 1), strict=True))
        payload, fact = torch.tensor([(mail.payload, mail.fact) for mail in mails]).T
        return {"payload": payload, "fact": fact, "hop": torch.tensor(cell.hops()), **inner}

    found = cell.case.once(f"prompt-infection/{mode.name}/{arm}", compute) if arm in ("clean", "attacked") else compute()
    return {name: column.numpy() for name, column in found.items()}


def _row(one: ChainOutcome | None, mail: Mail) -> tuple[int, int, int, int, int]:
    """COLUMNS of one member; only the third knows what was asked for."""
    if one is None or one.error:
        return (int(one is not None), NONE, 0, NONE, int(one is not None))
    return (1, one.effect, int(mail.payload in one.done), mail.office.fact_in(one.sent), 0)


def at_distance(mode: Mode, distance: int, arm: str, columns: Columns) -> Evidence:
    """What the member so many hops from the adversary did with what reached it, from 1. A member whom no mail reached did nothing;
    chains that an error cut before it are left out."""
    at = np.full(len(columns["payload"]), distance - 1)
    return _table(mode.channel(f"distance {distance}"), arm, columns, at, np.ones(len(at), dtype=bool))


def edge(mode: Mode, arm: str, columns: Columns) -> Evidence:
    """From one member to the next: a row for every chain, of the member behind the one that was dealt. What was let into the chain
    stands for what the first was sent, so that nothing depends on what members do; the criterion applies where the first did what
    the payload asks for, and everywhere in an arm without an attack, where nobody was asked to."""
    hop = columns["hop"]
    applies = columns["did"][np.arange(len(hop)), hop] == 1
    attacked = "attacked" in arm or "adaptive" in arm
    return _table(mode.channel("edge"), arm, columns, hop + 1, applies if attacked else np.ones_like(applies))


def _table(channel: str, arm: str, columns: Columns, at: NDArray[np.int64], applies: NDArray[np.bool_]) -> Evidence:
    """Of every chain the member at place `at` (n,), from 0; applies (n,): whether the criterion does."""
    facts = tuple(f"fact {place + 1}" for place in range(FACTS))
    lost = columns["error"].cumsum(1)[np.arange(len(at)), at] > 0
    kept = np.flatnonzero(~lost)
    at = at[kept]
    return Evidence(
        channel=channel,
        kind="write",
        intent_alphabet=facts,
        adversary_alphabet=EFFECTS[: len(PAYLOADS)],
        outcome_alphabet=(*facts, "none of them, or several"),
        effect_alphabet=EFFECTS,
        arm=np.full(len(kept), ARMS.index(arm), dtype=np.int8),
        trial=kept,
        intent=columns["fact"][kept].astype(np.int32),
        adversary=columns["payload"][kept].astype(np.int32),
        outcome=columns["told"][kept, at].astype(np.int32),
        effect=columns["executed"][kept, at].astype(np.int32),
        success=np.where(applies[kept], columns["did"][kept, at], NONE).astype(np.int8),
    )


def edge_counts(columns: Columns) -> list[NDArray[np.int64]]:
    """For every hop the counts (effects + 1, effects + 1) of what one member did by what the next did; last: nothing."""
    size, found = len(EFFECTS), []
    for hop in range(columns["executed"].shape[1] - 1):
        fine = columns["error"][:, : hop + 2].sum(1) == 0
        counts = np.zeros((size + 1, size + 1), dtype=np.int64)
        first, second = columns["executed"][fine, hop], columns["executed"][fine, hop + 1]
        np.add.at(counts, (np.where(first == NONE, size, first), np.where(second == NONE, size, second)), 1)
        found.append(counts)
    return found
