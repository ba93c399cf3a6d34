"""The arguments of a call, held against the JSON Schema of the tool: what fits is taken, words become what the schema asks for.

The schema decides by `jsonschema` (every keyword of its draft: anyOf, oneOf, allOf, type as a list, enum, const, $ref into the
schema itself). Before that, values that came as words are read as the numbers, truths, lists and times that must stand there.
Nothing is fetched: a reference out of the schema makes the call malformed.
"""

from __future__ import annotations

import ast
import datetime
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NoReturn, cast

from hartley.targets.conversation import Call, Json

Tools = Sequence[Mapping[str, Json]]
Schema = Mapping[str, Any]

_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
_TRUTHS = {"true": True, "false": False}
_NOTHING = ("null", "none", "")
_DEEPEST = 12
"""Schemas within schemas that are followed while words are read; the validator follows all."""
_SHOWN = 80
_LONGEST_LITERAL = 20_000


class MalformedCallError(ValueError):
    """What a policy wrote is no call of an offered tool; the message says why."""


def offered(tools: Tools) -> dict[str, Schema]:
    """The functions on offer by their names."""
    functions = [cast(Schema, tool.get("function", tool)) for tool in tools]
    return {str(function.get("name")): function for function in functions}


def unwrapped(arguments: Any) -> Mapping[str, Json]:
    """A call's arguments as an object: from JSON text, also where that was written as text once more; nothing for nothing.

    Raises MalformedCallError for anything else.
    """
    for _ in range(3):
        if not isinstance(arguments, str):
            break
        try:
            arguments = json.loads(arguments, strict=False, parse_constant=not_finite) if arguments.strip() else {}
        except (ValueError, RecursionError):
            arguments = _literal(arguments)
    if arguments is None:
        return {}
    if not isinstance(arguments, dict):
        raise MalformedCallError("its arguments are not an object")
    return arguments


def _literal(text: str) -> Any:
    """A dictionary as Python writes one, which some servers send. Raises MalformedCallError for anything else."""
    try:
        found = ast.literal_eval(text.strip()) if text.lstrip().startswith("{") and len(text) <= _LONGEST_LITERAL else None
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        found = None
    if not isinstance(found, dict) or not all(isinstance(key, str) for key in found):
        raise MalformedCallError("its arguments are not valid JSON")
    return found


def not_finite(constant: str) -> NoReturn:
    """Raises ValueError: JSON has no NaN and no infinities."""
    raise ValueError(constant)


def typed_call(name: str, arguments: Mapping[str, Json], tools: Tools) -> Call:
    """A call whose arguments are as the tool's schema asks. Raises MalformedCallError for any other.

    An argument that the schema does not name is refused, unless the schema says `additionalProperties`.
    """
    functions = offered(tools)
    if name not in functions:
        raise MalformedCallError(f"there is no tool {_shown(name)}")
    root: Schema = functions[name].get("parameters") or {}
    parameters = _resolved(root, root)
    kinds = parameters.get("properties") or {}
    if missing := [key for key in parameters.get("required") or () if key not in arguments]:
        raise MalformedCallError(f"{name} lacks the argument {missing[0]!r}")
    open_to_more = (
        parameters.keys() & {"patternProperties", "anyOf", "oneOf", "allOf"} or parameters.get("additionalProperties", False) is not False
    )
    if not open_to_more and (surplus := [key for key in arguments if key not in kinds]):
        raise MalformedCallError(f"{name} has no argument {_shown(surplus[0])}")
    found = {key: _fitted(value, kinds.get(key, {}), root, f"{name}'s {key}", 0) for key, value in arguments.items()}
    _validate(name, found, root)
    return Call(name, found)


def _fitted(value: Json, kind: Any, root: Schema, what: str, depth: int) -> Json:
    """A value as its schema asks for it; words are read as numbers, truths, times, lists where they must be."""
    kind = _resolved(kind, root)
    if not isinstance(kind, Mapping) or depth > _DEEPEST:
        return value
    for part in kind.get("allOf") or ():
        value = _fitted(value, part, root, what, depth + 1)
    rest = {key: item for key, item in kind.items() if key not in ("anyOf", "oneOf", "allOf")}
    branches = [{**rest, **_resolved(part, root)} for word in ("anyOf", "oneOf") for part in kind.get(word) or () if part is not True]
    if isinstance(kind.get("type"), list):
        branches = [{**branch, "type": name} for branch in branches or [rest] for name in kind["type"]]
    if branches:
        return _first(value, branches, root, what, depth)
    name = kind.get("type") or ("object" if "properties" in kind else "array" if "items" in kind else "")
    read = _TYPES.get(str(name))
    result = value if read is None else read(value, kind, what)
    if isinstance(result, list):
        first = kind.get("prefixItems") or []
        kinds = [*first, *[kind.get("items") or {}] * (len(result) - len(first))]
        result = [_fitted(item, one, root, what, depth + 1) for item, one in zip(result, kinds, strict=False)]
    if isinstance(result, dict):
        inner = kind.get("properties") or {}
        result = {key: _fitted(item, inner.get(key, {}), root, f"{what}.{key}", depth + 1) for key, item in result.items()}
    return _one_of(result, value, kind, what)


def _one_of(result: Json, value: Json, kind: Schema, what: str) -> Json:
    """The one of the schema's listed values that is meant; words may stand for numbers and truths."""
    listed = kind.get("enum", [kind["const"]] if "const" in kind else None)
    if listed is None or result in listed:
        return result
    same = [item for item in listed if isinstance(value, str) and json.dumps(item).strip('"') == value]
    if not same:
        raise MalformedCallError(f"{what} is {_shown(value)}; accepted: {', '.join(map(str, listed[:12]))}")
    return cast(Json, same[0])


def _first(value: Json, branches: Sequence[Schema], root: Schema, what: str, depth: int) -> Json:
    """By the first of several schemas that takes the value as it is, else by the first that takes it at all."""
    taken: list[Json] = []
    why: list[MalformedCallError] = []
    for branch in branches:
        try:
            found = _fitted(value, branch, root, what, depth + 1)
        except MalformedCallError as error:
            why.append(error)
            continue
        if type(found) is type(value) and found == value:
            return found
        taken.append(found)
    if taken:
        return taken[0]
    kinds = ", ".join(dict.fromkeys(str(branch.get("type", "another form")) for branch in branches))
    raise why[0] if len(branches) == 1 else MalformedCallError(f"{what} is {_shown(value)}, which is none of: {kinds}")


def _resolved(kind: Any, root: Schema) -> Any:
    """The schema that a reference into the same document points at, with what stands beside the reference."""
    for _ in range(_DEEPEST):
        if not isinstance(kind, Mapping) or not isinstance(kind.get("$ref"), str):
            return kind
        place: Any = root
        for step in kind["$ref"].removeprefix("#").split("/")[1:]:
            place = place.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(place, Mapping) else None
        if not isinstance(place, Mapping):
            return {}
        kind = {**place, **{key: item for key, item in kind.items() if key != "$ref"}}
    return {}


def _validate(name: str, arguments: Mapping[str, Json], root: Schema) -> None:
    """Raises MalformedCallError where the schema as a whole does not take the arguments."""
    from jsonschema.exceptions import SchemaError

    try:
        error = next(_validator(json.dumps(root, sort_keys=True)).iter_errors(dict(arguments)), None)
    except SchemaError:
        return  # the tool's own fault; what was read by its plain types stands
    except Exception as failure:  # a reference to nothing, a schema without end: no library of ours says which
        raise MalformedCallError(f"{name}'s schema cannot be followed ({type(failure).__name__})") from None
    if error is not None:
        where = ".".join(map(str, error.absolute_path))
        raise MalformedCallError(f"{name}'s {where or 'arguments'}: {_shown(error.message, quoted=False)}")


@lru_cache(256)
def _validator(text: str) -> Any:
    """The validator of a schema; formats and remote references are left out. Raises SchemaError."""
    from jsonschema.validators import Draft202012Validator, validator_for
    from referencing.jsonschema import EMPTY_REGISTRY

    schema = json.loads(text)
    kind = validator_for(schema, default=Draft202012Validator)
    kind.check_schema(schema)
    return kind(schema, registry=EMPTY_REGISTRY)


def _shown(value: object, *, quoted: bool = True) -> str:
    text = repr(value) if quoted else str(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _text(value: Json, kind: Schema, what: str) -> Json:
    if not isinstance(value, str) or (not value and kind.get("minLength", 0) > 0):
        raise MalformedCallError(f"{what} is {_shown(value)}, which is no text")
    parse = _FORMATS.get(str(kind.get("format", "")))
    if parse is not None:
        try:
            parse(value)
        except ValueError:
            raise MalformedCallError(f"{what} is {_shown(value)}, which is no {kind['format']}") from None
    return value


def _number(value: Json, kind: Schema, what: str) -> Json:
    if isinstance(value, str):
        try:
            value = int(value) if _WHOLE.fullmatch(value) else float(value)
        except ValueError:
            raise MalformedCallError(f"{what} is {_shown(value)}, which is no number") from None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise MalformedCallError(f"{what} is {_shown(value)}, which is no number")
    if value < kind.get("minimum", value) or value > kind.get("maximum", value):
        raise MalformedCallError(f"{what} is {_shown(value)}, out of its range")
    return value


def _integer(value: Json, kind: Schema, what: str) -> Json:
    number = _number(value, kind, what)
    if isinstance(number, float) and number.is_integer():
        return int(number)
    if not isinstance(number, int):
        raise MalformedCallError(f"{what} is {_shown(value)}, which is no whole number")
    return number


def _boolean(value: Json, kind: Schema, what: str) -> Json:
    found = _TRUTHS.get(value.lower()) if isinstance(value, str) else value
    if not isinstance(found, bool):
        raise MalformedCallError(f"{what} is {_shown(value)}; accepted: true, false")
    return found


def _null(value: Json, kind: Schema, what: str) -> Json:
    if value is not None and not (isinstance(value, str) and value.lower() in _NOTHING):
        raise MalformedCallError(f"{what} is {_shown(value)}, which is not null")
    return None


def _list(value: Json, kind: Schema, what: str) -> Json:
    if isinstance(value, str):
        written = _written(value)
        value = written if isinstance(written, list) else [part.strip() for part in value.split(",")]
    if not isinstance(value, list):
        raise MalformedCallError(f"{what} is {_shown(value)}, which is no list")
    return value


def _object(value: Json, kind: Schema, what: str) -> Json:
    found = _written(value) if isinstance(value, str) else value
    if not isinstance(found, dict):
        raise MalformedCallError(f"{what} is {_shown(value)}, which is no object")
    return found


def _written(text: str) -> Any:
    """The JSON list or object that a text is; None where it is none."""
    try:
        return json.loads(text) if text.lstrip()[:1] in ("[", "{") else None
    except (ValueError, RecursionError):
        return None


_TYPES: Mapping[str, Callable[[Json, Schema, str], Json]] = {
    "string": _text,
    "number": _number,
    "integer": _integer,
    "boolean": _boolean,
    "null": _null,
    "array": _list,
    "object": _object,
}
_FORMATS: Mapping[str, Callable[[str], object]] = {
    "time": datetime.time.fromisoformat,
    "date": datetime.date.fromisoformat,
    "date-time": datetime.datetime.fromisoformat,
}
