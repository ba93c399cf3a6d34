"""Files: texts by name."""

from __future__ import annotations

from dataclasses import replace

from hartley.targets.agent.state import State
from hartley.targets.agent.tool import Answer, tool


def read_file(state: State, file: str) -> Answer:
    """read a file"""
    return Answer(state, state.files[file], reads=(("files", file),))


def write_file(state: State, file: str, text: str) -> Answer:
    """write a file"""
    return Answer(replace(state, files={**state.files, file: text}), "done", writes=(("files", file),))


def delete_file(state: State, file: str) -> Answer:
    """remove a file"""
    state.files[file]
    return Answer(replace(state, files={name: text for name, text in state.files.items() if name != file}), "done")


TOOLS = (tool(read_file), tool(write_file, privileged=True), tool(delete_file, privileged=True))
