"""Used bandwidth: the entropy of what an agent did in a task, beside what its tools would let it do (audit 10)."""

import numpy as np
import pytest

from hartley.attacks.action import injection
from hartley.attacks.action.p2sql import p2sql
from hartley.case import SystemCase
from hartley.effort import Effort
from hartley.targets import load
from hartley.targets.agent import bandwidth
from hartley.targets.agent.label import Label
from hartley.targets.agent.state import State
from hartley.targets.agent.trace import Assignment, Step, Trace
from hartley.targets.agent.world import World
from hartley.targets.conversation import Call
from hartley.targets.memory.lexical import Lexical
from hartley.targets.protocols import Policy
from hartley.targets.system import System


def trace(*calls: tuple[Call, bool]) -> Trace:
    world = World(State())
    made = Trace(Assignment(("x",), world, ()), world, ())
    made.steps = [Step(call, True, "", (), acted, Label(True), Label(True), "", "") for call, acted in calls]
    return made


PAY, MAIL, READ = (Call(name, {"to": "anna"}) for name in ("pay", "send_mail", "read_mail"))


def test_what_was_done_is_the_calls_that_changed_the_world() -> None:
    same = [trace((PAY, True)), trace((READ, False), (PAY, True)), trace((PAY, True), (READ, False))]
    assert len({bandwidth.deeds(one) for one in same}) == 1
    others = [trace(), trace((READ, False)), trace((MAIL, True)), trace((PAY, True), (MAIL, True)), trace((MAIL, True), (PAY, True))]
    assert len({bandwidth.deeds(one) for one in (*same, *others)}) == 5
    assert bandwidth.deeds(trace((Call("pay", {"a": 1, "b": 2}), True))) == bandwidth.deeds(trace((Call("pay", {"b": 2, "a": 1}), True)))


def test_audit_10_an_attack_that_adds_calls_raises_it_and_one_that_substitutes_does_not() -> None:
    generator = np.random.default_rng(0)
    task, goal = generator.integers(0, 4, (2, 800))
    read = {}
    for name, done in {"clean": task, "added": 4 * task + goal, "substituted": goal + 100}.items():
        found = bandwidth.used([3.0] * 800, [1] * 800, done.tolist())
        read[name] = next(bits for bits in found if bits.kind == "used_bandwidth_bits")
    for name, truth in {"clean": 2, "added": 4, "substituted": 2}.items():
        assert read[name].low <= truth <= read[name].high and read[name].value == pytest.approx(truth, abs=0.05)
    assert read["added"].low > read["clean"].high


def test_audit_10_every_arm_of_an_agents_channel_says_what_it_uses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(injection, "FEWEST_TRIALS", 16)
    monkeypatch.setattr(injection, "FEWEST_PILOTS", 2)
    policy = load("reference:agent")
    assert isinstance(policy, Policy)
    effort = Effort("quick", trials=1, steps=1, poison_pairs=1, members=1, epochs=1)
    case = SystemCase(target=System("reference:agent", policy, Lexical()), effort=effort, stream="used")
    tables = p2sql(case)
    used = {(channel, arm): bits for channel, arm, bits in case.measures if bits.kind == "used_bandwidth_bits"}
    assert set(used) == {(table.channel, arm) for table in tables for arm in table.arms}
    for (channel, arm), bits in used.items():
        room = next(b for c, a, b in case.measures if (c, a, b.kind) == (channel, arm, "bandwidth_bits"))
        assert bits.n == 16 and bits.low is not None and 0 <= bits.low < room.low
