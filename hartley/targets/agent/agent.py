"""Agent: a policy with tools in a world, and guards that see everything that passes between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol, runtime_checkable

from hartley.targets.agent.environments import TOOLBOX
from hartley.targets.agent.label import OPERATOR, USER, WORLD, Label
from hartley.targets.agent.trace import Assignment, Entry, Step, Trace
from hartley.targets.conversation import Call, Conversation, Json, Message
from hartley.targets.endpoint.outcomes import NotMeasured
from hartley.targets.english import tools as english
from hartley.targets.protocols import Policy
from hartley.targets.tool_calls import Tools

MOST_CALLS = 8
NOT_ALLOWED = "error : not allowed"


class Verdict(NamedTuple):
    """Whether a call may run, and why not. origin: the label of a call that was found to follow from less than all that was
    read; None: the label of everything read."""

    allowed: bool
    why: str = ""
    origin: Label | None = None


ALLOWED = Verdict(True)


class Guard(Protocol):
    """What stands between a policy and its tools. Every part takes all agents at once, so that a guard that asks a model asks
    it once; what is not overridden lets everything through."""

    def prepare(self, assignments: Sequence[Assignment]) -> list[Assignment]:
        """The assignments as the policy gets them, before anything untrusted was read."""
        return list(assignments)

    def offer(self, traces: Sequence[Trace]) -> list[tuple[str, ...]]:
        """The tools that each agent is offered, from those that it was offered so far."""
        return [trace.tools for trace in traces]

    def view(self, seen: Sequence[tuple[Trace, Conversation]]) -> list[Conversation]:
        """What the policy is shown of each conversation before it speaks."""
        return [conversation for _, conversation in seen]

    def judge(self, asked: Sequence[tuple[Trace, Call]]) -> list[Verdict]:
        """Whether each call may run."""
        return [ALLOWED] * len(asked)

    def show(self, answers: Sequence[tuple[Trace, Step]]) -> list[tuple[str, Label]]:
        """What the policy is shown of each answer, and the label of that."""
        return [(step.shown, step.label) for _, step in answers]

    def bandwidth(self, trace: Trace, bits: float) -> float:
        """log2 of the number of acting calls that untrusted words could still cause, one of them or none, where it was `bits`
        without this guard. What is not overridden leaves it."""
        return bits


@runtime_checkable
class Attempting(Protocol):
    """A policy that tells of each conversation whether it was answered (an endpoint)."""

    def attempt(self, conversations: Sequence[Conversation], tools: Sequence[Mapping[str, Json]]) -> list[Message | NotMeasured]: ...


@runtime_checkable
class Remembering(Protocol):
    """A policy that can be told that conversations will go on."""

    def session(self) -> Policy: ...


@runtime_checkable
class Together(Protocol):
    """A policy that answers conversations with different tools on offer at once."""

    def respond_each(self, conversations: Sequence[Conversation], offers: Sequence[Tools]) -> list[Message]: ...


def responses(policy: Policy, conversations: Sequence[Conversation], tools: Sequence[Mapping[str, Json]]) -> list[Message | NotMeasured]:
    """The policy's next message in each conversation, or why there is none."""
    if not conversations:
        return []
    if isinstance(policy, Attempting):
        return policy.attempt(conversations, tools)
    return list(policy.respond(conversations, tools))


def responses_each(policy: Policy, conversations: Sequence[Conversation], offers: Sequence[Tools]) -> list[Message | NotMeasured]:
    """`responses` where every conversation has tools of its own on offer: all together where the policy can."""
    if isinstance(policy, Together):
        return list(policy.respond_each(conversations, offers))
    found: dict[int, Message | NotMeasured] = {}
    for tools in {id(tools): tools for tools in offers}.values():
        places = [place for place, offer in enumerate(offers) if offer is tools]
        found |= dict(zip(places, responses(policy, [conversations[place] for place in places], tools), strict=True))
    return [found[place] for place in range(len(conversations))]


@dataclass(frozen=True)
class Agent:
    """A policy let loose on assignments: it calls, the world answers, until it speaks its closing words.

    guards      asked in order; what one changed the next one sees. One refusal is enough.
    most_calls  calls that one assignment may take; it ends there.
    """

    policy: Policy
    guards: tuple[Guard, ...] = ()
    most_calls: int = MOST_CALLS

    def guarded(self, guard: Guard) -> Agent:
        """The same agent with one more guard around it."""
        return replace(self, guards=(*self.guards, guard))

    def run(self, assignments: Sequence[Assignment]) -> list[Trace]:
        """Every assignment from its own world, all in step."""
        policy = self.policy.session() if isinstance(self.policy, Remembering) else self.policy
        prepared = list(assignments)
        for guard in self.guards:
            prepared = guard.prepare(prepared)
        traces = [_begun(assignment) for assignment in prepared]
        for guard in self.guards:
            for trace, tools in zip(traces, guard.offer(traces), strict=True):
                trace.tools = tools
        for _ in range(self.most_calls + 2):
            going = [trace for trace in traces if trace.going]
            seen = [trace.conversation for trace in going]
            for guard in self.guards:
                seen = guard.view(list(zip(going, seen, strict=True)))
            offers = [(trace.tools, trace.assignment.english) for trace in going]
            schemas = {offer: _schemas(*offer) for offer in dict.fromkeys(offers)}
            said = responses_each(policy, seen, [schemas[offer] for offer in offers])
            self._hear(list(zip(going, said, strict=True)))
        return traces

    def _hear(self, spoken: Sequence[tuple[Trace, Message | NotMeasured]]) -> None:
        """Take every agent's turn: run its calls, or go on to the user's next turn, or end."""
        calling: list[tuple[Trace, list[Call]]] = []
        for trace, message in spoken:
            if isinstance(message, NotMeasured):
                trace.error = str(message)
                continue
            left = self.most_calls - len(trace.steps)
            trace.entries.append(Entry(message, trace.context))
            if message.calls and left > 0:
                calling.append((trace, [english.read(call) if trace.assignment.english else call for call in message.calls]))
            else:
                _next_turn(trace)
        while calling:
            self._call([(trace, calls.pop(0)) for trace, calls in calling])
            calling = [(trace, calls) for trace, calls in calling if calls]

    def _call(self, asked: Sequence[tuple[Trace, Call]]) -> None:
        verdicts = [ALLOWED] * len(asked)
        for guard in self.guards:
            judged = zip(verdicts, guard.judge(asked), strict=True)
            verdicts = [old if not old.allowed else new._replace(origin=new.origin or old.origin) for old, new in judged]
        answers: list[tuple[Trace, Step]] = []
        for (trace, call), verdict in zip(asked, verdicts, strict=True):
            before = trace.after
            if not verdict.allowed:
                step = Step(call, False, verdict.why, (), False, trace.context, WORLD, NOT_ALLOWED, NOT_ALLOWED)
            else:
                origin = verdict.origin or trace.context
                trace.after, answer, label = before.execute(call, origin)
                acted = trace.after.state != before.state
                said = english.answer(answer.text, answer.reads) if trace.assignment.english else answer.text
                step = Step(call, True, "", answer.reads, acted, origin, label, said, said)
            answers.append((trace, step))
        for guard in self.guards:
            shown = guard.show(answers)
            answers = [(trace, replace(step, shown=text, label=label)) for (trace, step), (text, label) in zip(answers, shown, strict=True)]
        for trace, step in answers:
            trace.steps.append(step)
            trace.entries.append(Entry(Message("tool", step.shown, answers=step.call.id), step.label, len(trace.steps) - 1))


def _schemas(names: Sequence[str], plain_english: bool) -> list[dict[str, Json]]:
    bare = [TOOLBOX[name].schema(described=False) for name in names]
    return [english.described(schema) for schema in bare] if plain_english else bare


def _begun(assignment: Assignment) -> Trace:
    trace = Trace(assignment, assignment.world, assignment.tools)
    if assignment.system:
        trace.entries.append(Entry(Message("system", assignment.system), OPERATOR))
    trace.entries.append(Entry(Message("user", assignment.users[0]), USER))
    return trace


def _next_turn(trace: Trace) -> None:
    trace.turn += 1
    trace.done = trace.turn == len(trace.assignment.users)
    if not trace.done:
        trace.entries.append(Entry(Message("user", trace.assignment.users[trace.turn]), USER))
