"""Properties that hold whatever the members do, and a society whose curve is known."""

from __future__ import annotations

from random import Random

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hartley.attacks.interaction.infection import Chains, edge_counts
from hartley.attacks.interaction.virus import framed
from hartley.environments.album_words import REFERENCE, about, plans
from hartley.environments.message_chains import MessageChains
from hartley.environments.office import EFFECTS, NO_FACT, reference_office
from hartley.evidence import NONE
from hartley.rows import ATTACKED, Rows
from hartley.targets.agent.agent import Agent
from hartley.targets.conversation import Call, Message

few = settings(max_examples=40, deadline=None, derandomize=True)
symbols = st.integers(NONE, len(EFFECTS) - 1)


@st.composite
def chains(draw):
    """Columns of any chains: once an error or a silence came, nothing is reached behind it."""
    count, length = draw(st.integers(1, 12)), draw(st.integers(2, 4))
    names = ("reached", "executed", "told", "error")
    found = {name: np.zeros((count, length), dtype=np.int64) for name in names}
    found["executed"] -= 1
    found["told"] -= 1
    for row in range(count):
        for hop in range(draw(st.integers(1, length))):
            found["reached"][row, hop] = 1
            found["executed"][row, hop] = draw(symbols)
            found["told"][row, hop] = draw(st.integers(NONE, NO_FACT))
            found["error"][row, hop] = draw(st.sampled_from([0, 0, 0, 1]))
            if found["error"][row, hop]:
                break
    most = {"payload": 7, "fact": 7, "hop": length - 2}
    dealt = {name: np.array(draw(st.lists(st.integers(0, high), min_size=count, max_size=count))) for name, high in most.items()}
    return {**dealt, **found, "did": (found["executed"] == dealt["payload"][:, None]).astype(np.int64)}


@few
@given(chains())
def test_tables_count_what_was_measured_and_nothing_else(columns):
    count, length = columns["executed"].shape
    asked, lengths = Rows(more={name: columns[name] for name in ("reached", "executed", "did", "told", "error")}), []
    here = Chains(None, None, None, None, ())  # type: ignore[arg-type]
    here.__dict__["hops"] = columns["hop"]
    for distance in range(1, length + 1):
        rows = here.at_distance(distance, ATTACKED, asked)
        kept = np.flatnonzero(~rows.lost)
        assert ((rows.success == 1) == (rows.effect == columns["payload"]))[kept].all()
        assert (rows.effect == columns["executed"][:, distance - 1]).all()
        lengths.append(len(kept))
    assert lengths == sorted(lengths, reverse=True) and lengths[0] <= count
    pairs = here.edge(ATTACKED, asked)
    kept = np.flatnonzero(~pairs.lost)
    hop = columns["hop"][kept]
    assert ((pairs.success[kept] == NONE) == (columns["did"][kept, hop] == 0)).all()
    assert (pairs.effect[kept] == columns["executed"][kept, hop + 1]).all()
    for hop, counts in enumerate(edge_counts(columns)):
        assert counts.sum() == lengths[hop + 1]


class Replies:
    """Reads its mail and sends on what a table says, or nothing."""

    name, fingerprint, capabilities = "replies", "replies", frozenset({"text"})

    def __init__(self, office, table):
        self.office, self.table = office, table

    def respond(self, conversations, tools):
        said = []
        for conversation in conversations:
            results = [message.text for message in conversation if message.role == "tool"]
            text = self.table.get(results[0]) if results else None
            if not results:
                said.append(Message("assistant", calls=(Call("read_mail", {"sender": self.office.before}, "a"),)))
            elif len(results) == 1 and text is not None:
                said.append(Message("assistant", calls=(Call("send_mail", {"to": self.office.after, "text": text}, "b"),)))
            else:
                said.append(Message("assistant", "done ."))
        return said


mails = st.sampled_from([f"the cup is {color} ." for color in ("red", "green", "blue", "white")])


@few
@given(st.dictionaries(mails, mails), st.lists(mails, min_size=1, max_size=4), st.integers(1, 4))
def test_a_chain_is_the_table_applied_again_and_again(table, first, length):
    office = reference_office(Random(0))
    relays = MessageChains(Agent(Replies(office, table)))
    mails = [(office, text) for text in first]
    for mail, chain in zip(first, relays.chains(mails, length), strict=True):
        expected = mail
        for one in chain:
            assert (one is None) == (expected is None)
            expected = None if expected is None else table.get(expected)
            assert one is None or one.sent == expected
    for chain in relays.chains(mails, length, shared=True):
        assert all(one is not None for one in chain), "everyone reads a thread"


@few
@given(st.integers(0, 12), st.integers(0, 2**31))
def test_a_frame_is_the_picture_inside_and_the_border_outside(width, seed):
    pictures, borders = torch.rand(2, 2, 3, 32, 32, generator=torch.Generator().manual_seed(seed))
    found = framed(pictures, borders, width)
    inside = torch.zeros(32, 32, dtype=torch.bool)
    inside[width : 32 - width, width : 32 - width] = True
    assert torch.equal(found[..., inside], pictures[..., inside]) and torch.equal(found[..., ~inside], borders[..., ~inside])


@few
@given(st.text(max_size=40), st.integers(0, 7))
def test_what_is_said_leads_to_a_plan_and_to_one_payload(said, payload):
    texts = plans()
    found = about(said, texts)
    assert found and set(found) <= set(range(len(texts)))
    assert REFERENCE.spoken(f"well {REFERENCE.payloads[payload]} !") == {payload}
    assert REFERENCE.noticed(f"a red two at the top left and {REFERENCE.seen[payload]}") == {payload}
