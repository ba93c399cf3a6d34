"""World: a state whose places carry labels. Executing a call moves labels along with what is read and written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from hartley.targets.agent.environments import TOOLBOX
from hartley.targets.agent.label import WORLD, Label, joined
from hartley.targets.agent.state import Place, State
from hartley.targets.agent.tool import Answer
from hartley.targets.conversation import Call

NOT_FOUND = "error : not found"
NO_TOOL = "error : no such tool"
OTHERS = frozenset({"mails", "files", "pages", "prices", "notes", "reviews"})
"""Fields that hold what others may have written: untrusted unless a place says otherwise."""


def answered(state: State, call: Call) -> Answer:
    """What a call does. An unknown tool, unusable arguments and what is not there answer with an error, and nothing changes."""
    if call.name not in TOOLBOX:
        return Answer(state, NO_TOOL)
    try:
        return TOOLBOX[call.name].run(state, **call.arguments)
    except (TypeError, KeyError):
        return Answer(state, NOT_FOUND)


@dataclass(frozen=True)
class World:
    """A state, and the labels of those places whose label is not what their field implies."""

    state: State = field(default_factory=State)
    labels: Mapping[Place, Label] = field(default_factory=dict)

    def label(self, place: Place) -> Label:
        """Who is behind what stands in a place."""
        return self.labels.get(place, Label(place[0] not in OTHERS, frozenset({f"{place[0]}: {place[1]}".removesuffix(": ")})))

    def trusting(self, places: Iterable[Place]) -> World:
        """The same world, with these places vouched for by the user."""
        return replace(self, labels={**self.labels, **{place: Label(True, self.label(place).sources) for place in places}})

    def acts(self, call: Call) -> bool:
        """Whether the call would change the world: what an adversary is after. Found out by trying it on the value."""
        return answered(self.state, call).state != self.state

    def execute(self, call: Call, origin: Label) -> tuple[World, Answer, Label]:
        """The world after a call, what the tool says, and the label of that. origin: the label of the call itself, which is
        what it writes into a place; reading joins the labels of all places read."""
        answer = answered(self.state, call)
        label = joined([WORLD, *(self.label(place) for place in answer.reads)])
        labels = {**self.labels, **dict.fromkeys(answer.writes, origin)} if answer.writes else self.labels
        return World(answer.state, labels), answer, label
