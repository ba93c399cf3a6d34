"""Tools: typed functions of a state, with a JSON Schema from their type hints and docstrings."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

from hartley.targets.agent.state import Place, State
from hartley.targets.conversation import Json


class Answer(NamedTuple):
    """What a call did: the state after it, what the tool says, the places that it read, and those that it wrote."""

    state: State
    text: str
    reads: tuple[Place, ...] = ()
    writes: tuple[Place, ...] = ()


@dataclass(frozen=True)
class Tool:
    """A tool on offer.

    name, description   as the policy reads them: the function's name and its docstring.
    arguments           all required, each a JSON Schema.
    privileged          whether it changes the world or speaks to somebody: what an adversary is after.
    run                 the state and the arguments to an Answer. Raises KeyError where what is asked for is not there.
    """

    name: str
    description: str
    arguments: Mapping[str, Mapping[str, Json]]
    privileged: bool
    run: Callable[..., Answer]

    def schema(self, *, described: bool = True) -> dict[str, Json]:
        """The tool in the function format of OpenAI's API."""
        properties: dict[str, Json] = {name: dict(kind) for name, kind in self.arguments.items()}
        parameters: dict[str, Json] = {
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }
        function: dict[str, Json] = {"name": self.name, "description": self.description if described else "", "parameters": parameters}
        return {"type": "function", "function": function}


def tool(function: Callable[..., Answer], *, privileged: bool = False) -> Tool:
    """A tool from a function of (state, arguments): its schema comes from the type hints, its description from the docstring.

    Hints: str, int, bool, Literal of strings, and Annotated of one of these with more keywords of JSON Schema.
    Raises TypeError for another hint, an argument without one, and a function without a docstring.
    """
    text = inspect.getdoc(function)
    if not text:
        raise TypeError(f"{function.__name__}: a tool needs a docstring, which is its description")
    hints = get_type_hints(function, include_extras=True)
    names = list(inspect.signature(function).parameters)[1:]
    missing = [name for name in names if name not in hints]
    if missing:
        raise TypeError(f"{function.__name__}: no type hint for {', '.join(missing)}")
    arguments = {name: _schema(hints[name], f"{function.__name__}.{name}") for name in names}
    return Tool(function.__name__, " ".join(text.split()).removesuffix("."), arguments, privileged, function)


def _schema(hint: Any, where: str) -> dict[str, Json]:
    if get_origin(hint) is Annotated:
        inner, *more = get_args(hint)
        found = _schema(inner, where)
        for extra in more:
            found |= extra
        return found
    if get_origin(hint) is Literal:
        return {"type": "string", "enum": list(get_args(hint))}
    kinds: dict[Any, str] = {str: "string", int: "integer", bool: "boolean"}
    if hint not in kinds:
        raise TypeError(f"{where}: no JSON Schema for {hint!r}; str, int, bool, Literal and Annotated of these are accepted")
    return {"type": kinds[hint]}


Natural = Annotated[int, {"minimum": 0}]
