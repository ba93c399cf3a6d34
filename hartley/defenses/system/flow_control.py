"""Flow control: a call that changes something runs only if it follows from trusted words alone."""

from __future__ import annotations

import math
from collections.abc import Sequence

from hartley.defenses.system.safeguard import Safeguard
from hartley.defenses.system.twin import as_twin, same, twins
from hartley.targets.agent.agent import ALLOWED, Agent, Guard, Verdict
from hartley.targets.agent.label import USER
from hartley.targets.agent.trace import Trace
from hartley.targets.conversation import Call, Conversation
from hartley.targets.protocols import Policy

ID = "flow-control"
PLANNED = "flow-control: acting calls of the twin"
MISLED = "flow-control: a call was refused"


class FlowControl(Guard):
    """Labels everything that the policy reads; judges every call that would change the world by where it comes from.

    A call is allowed where all that was read is trusted. Elsewhere it is allowed if the policy's twin, which is shown nothing that
    is untrusted, makes the same call with the same arguments: then nobody who writes untrusted words has a say in it, and what it
    writes stays trusted. Each call of the twin allows one. Calls that only read always run: they carry nothing out, and what they
    bring is labeled. Labels travel through answers, files, notes and mails: what was written under untrusted words is untrusted.
    A refused call shows that untrusted words lead the policy: from there on it is shown what its twin would know, so that the
    user's own task goes on.
    """

    def __init__(self, policy: Policy) -> None:
        self.policy = policy

    def view(self, seen: Sequence[tuple[Trace, Conversation]]) -> list[Conversation]:
        return [as_twin(trace) if MISLED in trace.notes else conversation for trace, conversation in seen]

    def judge(self, asked: Sequence[tuple[Trace, Call]]) -> list[Verdict]:
        suspect = [(trace, call) for trace, call in asked if trace.after.acts(call) and not trace.context.trusted]
        without = list({id(trace): trace for trace, _ in suspect if ID not in trace.notes}.values())
        for trace, twin in zip(without, twins(self.policy, [trace.assignment for trace in without]), strict=True):
            trace.notes[ID] = list(twin.calls)
            trace.notes[PLANNED] = len({str(call) for call in twin.calls if trace.assignment.world.acts(call)})
        judged = {id(call): self._verdict(trace, call) for trace, call in suspect}
        return [judged.get(id(call), ALLOWED) for _, call in asked]

    def bandwidth(self, trace: Trace, bits: float) -> float:
        """The calls of the twin's plan, which untrusted words may bring about or not."""
        return min(bits, math.log2(1 + trace.notes.get(PLANNED, 0)))

    def _verdict(self, trace: Trace, call: Call) -> Verdict:
        left: list[Call] = trace.notes[ID]
        for made in left:
            if same(made, call):
                left.remove(made)
                return Verdict(True, origin=USER)
        trace.notes[MISLED] = True
        return Verdict(False, reason(trace, call))


def reason(trace: Trace, call: Call) -> str:
    """Why a call is refused: what it was asked for after, and which of its arguments no trusted words hold."""
    trusted = {word for entry in trace.entries if entry.label.trusted for word in entry.message.text.split()}
    strange = [name for name, value in call.arguments.items() if not set(str(value).split()) <= trusted]
    read = ", ".join(sorted(source for source in trace.context.sources if ":" in source))
    which = f"; no trusted words hold its {' or '.join(strange)}" if strange else ""
    return f"asked for after reading what others wrote ({read}), and not asked for without it{which}"


def guarded(agent: Agent) -> Agent:
    """The agent under flow control."""
    return agent.guarded(FlowControl(agent.policy))


DEFENSE = Safeguard(ID, agent=guarded)
