"""Reads a JSON Schema written by a stranger: keywords of the right form, references resolved, within bounds of time and memory."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from hartley.bits.json_schema.size import Size
from hartley.errors import InputError

Schema = bool | Mapping[str, Any]
TYPES = ("null", "boolean", "integer", "number", "string", "array", "object")
DEPTH = 60
VISITS = 50_000
_LONGEST = 10**12
_DIGITS = 20_000
"""Decimal digits and exponents beyond which a number is refused: 10^400 is fine, 10^10^9 would fill the memory."""

ANNOTATIONS = {"title", "description", "default", "examples", "example", "deprecated", "readOnly", "writeOnly", "strict", "name"}
ANNOTATIONS |= {"$schema", "$id", "$comment", "$anchor", "$defs", "definitions", "contentMediaType", "contentEncoding"}
_OF_TYPE = {
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    "string": ("minLength", "maxLength", "pattern", "format"),
    "array": ("items", "prefixItems", "additionalItems", "minItems", "maxItems", "uniqueItems", "contains"),
    "object": ("properties", "required", "additionalProperties", "minProperties", "maxProperties", "patternProperties"),
}


@dataclass
class Reader:
    """Resolves references within `root` and keeps count of the work done. alphabet: characters a string may hold;
    longest: how many of them where the schema does not say. unbounded: paths without a bound; upper: why a count is a bound;
    known, small: sizes and instances of references met before."""

    root: Schema
    closed: bool
    alphabet: int
    longest: int | None = None
    visits: int = 0
    written: int = 0
    active: list[str] = field(default_factory=list)
    unbounded: list[str] = field(default_factory=list)
    upper: list[str] = field(default_factory=list)
    known: dict[str, Size] = field(default_factory=dict)
    small: dict[str, frozenset[Any] | None] = field(default_factory=dict)

    def visit(self, schema: object, path: str, depth: int) -> Schema:
        """schema itself, once it is known to be one. InputError past the bounds of depth and work."""
        self.visits += 1
        if depth > DEPTH:
            raise InputError(f"schema at {path[:80]}: nested deeper than {DEPTH} levels")
        if self.visits > VISITS:
            raise InputError(f"schema: more than {VISITS} subschemas to visit (at {path[:80]}); takes a smaller one")
        if not isinstance(schema, (bool, Mapping)):
            raise InputError(f"schema at {path[:80]}: got {type(schema).__name__}, takes an object or a boolean")
        return schema

    def resolve(self, reference: object, path: str) -> Schema | None:
        """What a reference points to; None where it points outside of this document."""
        if not isinstance(reference, str):
            raise InputError(f"{path}/$ref: got {type(reference).__name__}, takes a string")
        if not reference.startswith("#"):
            return None
        found: Any = self.root
        for part in reference[1:].split("/")[1:]:
            key = part.replace("~1", "/").replace("~0", "~")
            if isinstance(found, Mapping) and key in found:
                found = found[key]
            elif isinstance(found, Sequence) and not isinstance(found, str) and key.isdigit() and len(key) < 6 and int(key) < len(found):
                found = found[int(key)]
            else:
                raise InputError(f"{path}/$ref: {reference[:80]!r} points to nothing in this schema")
        if not isinstance(found, (bool, Mapping)):
            raise InputError(f"{path}/$ref: {reference[:80]!r} points to no schema")
        return found


def types_of(schema: Mapping[str, Any], path: str, closed: bool) -> tuple[str, ...] | None:
    """The types a schema names, integer dropped beside number; None when it names none.

    Where it names none but all its keywords speak of one type, that type, if `closed`: tool schemas often leave
    "type": "object" out; read to the letter, keywords of a type hold nothing back from the others.
    """
    named = schema.get("type")
    if named is None:
        spoken = [name for name, words in _OF_TYPE.items() if any(word in schema for word in words)]
        return (spoken[0],) if closed and len(spoken) == 1 else None
    names = [named] if isinstance(named, str) else named
    if not isinstance(names, Sequence) or not names or not all(isinstance(name, str) and name in TYPES for name in names):
        raise InputError(f"{path}/type: got {str(named)[:60]!r}, takes {', '.join(TYPES)} or a list of them")
    if schema.get("nullable") is True:
        names = [*names, "null"]
    return tuple(dict.fromkeys(name for name in names if not (name == "integer" and "number" in names)))


def length(schema: Mapping[str, Any], word: str, path: str) -> int | None:
    """A bound on a length or number of entries: a whole number from 0; None when it is absent."""
    value = schema.get(word)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0 or value > _LONGEST or value != int(value):
        raise InputError(f"{path}/{word}: got {_shown(value)}, takes a whole number from 0 to 10^12")
    return int(value)


def exact(value: object, where: str) -> Fraction:
    """A number as it is written, without the error of binary fractions. InputError for what is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or (isinstance(value, float) and not math.isfinite(value)):
        raise InputError(f"{where}: got {_shown(value)}, takes a number")
    if isinstance(value, int):
        if value.bit_length() > _DIGITS * 4:
            raise InputError(f"{where}: a number of more than {_DIGITS} digits")
        return Fraction(value)
    return Fraction(repr(value))


def bounds(schema: Mapping[str, Any], path: str) -> tuple[Fraction | None, bool, Fraction | None, bool, Fraction | None]:
    """(least, whether it is left out, most, whether it is left out, multipleOf) of a number; both ways to write exclusive bounds."""
    found: dict[str, tuple[Fraction | None, bool]] = {}
    for side, sign in (("Minimum", 1), ("Maximum", -1)):
        plain = schema.get(side.lower())
        limit, out = (None, False) if plain is None else (exact(plain, f"{path}/{side.lower()}"), False)
        exclusive = schema.get("exclusive" + side)
        if isinstance(exclusive, bool):
            out = exclusive and limit is not None
        elif exclusive is not None:
            strict = exact(exclusive, f"{path}/exclusive{side}")
            if limit is None or sign * (strict - limit) >= 0:
                limit, out = strict, True
        found[side] = limit, out
    step = None if schema.get("multipleOf") is None else exact(schema["multipleOf"], f"{path}/multipleOf")
    if step is not None and step <= 0:
        raise InputError(f"{path}/multipleOf: got {_shown(schema['multipleOf'])}, takes a number above 0")
    return *found["Minimum"], *found["Maximum"], step


def names(schema: Mapping[str, Any], word: str, path: str) -> tuple[str, ...]:
    """A list of different property names; empty when it is absent."""
    value = schema.get(word, ())
    if isinstance(value, str) or not isinstance(value, Sequence) or not all(isinstance(name, str) for name in value):
        raise InputError(f"{path}/{word}: got {_shown(value)}, takes a list of names")
    return tuple(dict.fromkeys(value))


def children(schema: Mapping[str, Any], word: str, path: str) -> Mapping[str, Any]:
    """A mapping of names to schemas; empty when it is absent."""
    value = schema.get(word, {})
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise InputError(f"{path}/{word}: got {_shown(value)}, takes an object of schemas")
    return value


def listed(schema: Mapping[str, Any], word: str, path: str, *, empty: bool = False) -> Sequence[Any]:
    """A list; InputError when it is none, or empty where that is not allowed."""
    value = schema[word]
    if isinstance(value, (str, Mapping)) or not isinstance(value, Sequence) or not (value or empty):
        raise InputError(f"{path}/{word}: got {_shown(value)}, takes a list{'' if empty else ' of at least one'}")
    return value


def _shown(value: object) -> str:
    if isinstance(value, int) and value.bit_length() > 300:
        return "a very long number"
    return repr(value)[:60] if isinstance(value, (int, float, str, bool, type(None))) else type(value).__name__
