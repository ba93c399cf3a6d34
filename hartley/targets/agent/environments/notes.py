"""Notes: what an agent remembers, found again by the words that a note shares with a query."""

from __future__ import annotations

from dataclasses import replace

from hartley.targets.agent.state import State
from hartley.targets.agent.tool import Answer, tool

PASSAGES = 3


def search_notes(state: State, query: str) -> Answer:
    """search the notes"""
    wanted = set(query.split())
    ranked = sorted(range(len(state.notes)), key=lambda i: (-len(wanted & set(state.notes[i].split())), i))[:PASSAGES]
    said = " ".join(f"{place + 1} : {state.notes[i]}" for place, i in enumerate(ranked)) or "nothing"
    return Answer(state, said, reads=tuple(("notes", state.notes[i]) for i in ranked))


def save_note(state: State, text: str) -> Answer:
    """make a note"""
    return Answer(replace(state, notes=(*state.notes, text)), "done", writes=(("notes", text),))


TOOLS = (tool(search_notes), tool(save_note, privileged=True))
