"""The instances of a small JSON Schema, one by one: how overlapping alternatives are counted without counting twice."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

from hartley.bits.json_schema.merge import COMBINED, alternatives
from hartley.bits.json_schema.schema import ANNOTATIONS, Reader, Schema, bounds, children, exact, length, listed, names, types_of
from hartley.errors import InputError

LIMIT = 4_096
"""A schema with more instances than this is not written out."""
_DEEPEST = 40
_WRITTEN = 200_000
"""Instances written out for one schema in all; then alternatives are counted by a bound."""
_KNOWN = {"type", "nullable", "enum", "const", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
_KNOWN |= {"minLength", "maxLength", "items", "minItems", "maxItems", "uniqueItems", "properties", "required", "additionalProperties"}
Instances = frozenset[Hashable]


class UncountedError(Exception):
    """The schema has a keyword that this module does not judge, or too many instances."""


def canonical(value: object, path: str, depth: int = 0) -> tuple[Any, ...]:
    """A JSON value such that equal values are equal: 1 and 1.0 are, 1 and true are not, the order of names is nothing."""
    if depth > _DEEPEST:
        raise InputError(f"{path[:80]}: a value nested deeper than {_DEEPEST} levels")
    if value is None:
        return ("null",)
    if isinstance(value, bool):
        return ("boolean", value)
    if isinstance(value, (int, float)):
        return ("number", exact(value, path))
    if isinstance(value, str):
        return ("string", value)
    if isinstance(value, Mapping):
        return ("object", frozenset((str(name), canonical(one, path, depth + 1)) for name, one in value.items()))
    if isinstance(value, Sequence):
        return ("array", tuple(canonical(one, path, depth + 1) for one in value))
    raise InputError(f"{path[:80]}: got {type(value).__name__}, takes a JSON value")


def finite(reader: Reader, schema: Schema, path: str, depth: int = 0) -> Instances | None:
    """All instances of the schema; None where there are more than LIMIT or a keyword cannot be judged here."""
    try:
        return _instances(reader, schema, path, depth)
    except UncountedError:
        return None


def _instances(reader: Reader, schema: Schema, path: str, depth: int) -> Instances:
    reader.visit(schema, path, depth)
    if isinstance(schema, bool):
        if schema:
            raise UncountedError
        return frozenset()
    if any(word in schema for word in COMBINED):
        return _combined(reader, schema, path, depth)
    if any(word not in _KNOWN for word in schema if word not in ANNOTATIONS):
        raise UncountedError
    if "enum" in schema or "const" in schema:
        return frozenset(one for one in _written(schema, path) if _accepts(reader, schema, one, path, depth))
    types = types_of(schema, path, reader.closed)
    if types is None:
        raise UncountedError
    return _small(frozenset(one for name in types for one in _OF_TYPE[name](reader, schema, path, depth)))


def _combined(reader: Reader, schema: Mapping[str, Any], path: str, depth: int) -> Instances:
    reference = schema.get("$ref")
    alone = isinstance(reference, str) and not schema.keys() - {"$ref"} - ANNOTATIONS
    if alone and reference in reader.small:
        known = reader.small[str(reference)]
        if known is None:
            raise UncountedError
        return known
    choice = alternatives(reader, schema, path, depth)
    if choice is None:
        raise UncountedError
    word, branches = choice
    reader.active += [] if reference is None else [reference]
    if alone:
        reader.small[str(reference)] = None
    try:
        sets = [_instances(reader, branch, path, depth + 1) for branch in branches]
    finally:
        if reference is not None:
            reader.active.pop()
    every: Instances = frozenset(one for each in sets for one in each)
    found = _small(frozenset(one for one in every if word != "oneOf" or sum(one in each for each in sets) == 1))
    if alone:
        reader.small[str(reference)] = found
    return found


def _small(found: Instances) -> Instances:
    if len(found) > LIMIT:
        raise UncountedError
    return found


def _written(schema: Mapping[str, Any], path: str) -> set[tuple[Any, ...]]:
    """What enum and const both allow."""
    sets = []
    if "enum" in schema:
        sets.append({canonical(one, f"{path}/enum") for one in listed(schema, "enum", path, empty=True)})
    if "const" in schema:
        sets.append({canonical(schema["const"], f"{path}/const")})
    return set.intersection(*sets)


def _accepts(reader: Reader, schema: Mapping[str, Any], value: tuple[Any, ...], path: str, depth: int) -> bool:
    """Whether a value of enum or const passes the keywords beside it."""
    rest = {word: one for word, one in schema.items() if word not in ("enum", "const") and word not in ANNOTATIONS}
    kind = value[0]
    if not rest:
        return True
    types = types_of(rest, path, False)
    whole = kind == "number" and value[1].denominator == 1
    if types is not None and kind not in types and not (whole and "integer" in types):
        return False
    if kind == "number":
        return _within(value[1], rest, path)
    if kind == "string":
        least, most = length(rest, "minLength", path) or 0, length(rest, "maxLength", path)
        return least <= len(value[1]) and (most is None or len(value[1]) <= most)
    if kind in ("array", "object") and rest.keys() - {"type", "nullable"}:
        return value in _instances(reader, rest, path, depth + 1)
    return True


def _within(number: Fraction, schema: Mapping[str, Any], path: str) -> bool:
    least, above, most, below, step = bounds(schema, path)
    if least is not None and (number < least or (above and number == least)):
        return False
    if most is not None and (number > most or (below and number == most)):
        return False
    return step is None or (number / step).denominator == 1


def number_range(schema: Mapping[str, Any], path: str, integer: bool) -> tuple[int, int, Fraction] | None:
    """(first, last, step): the instances are step times the whole numbers from first to last; None where there is no bound
    or no step. last < first: none."""
    least, above, most, below, step = bounds(schema, path)
    if integer:
        # whole multiples of p / q in lowest terms are the multiples of p
        step = Fraction(1) if step is None else Fraction(step.numerator)
    if least is not None and most is not None and (least > most or (least == most and (above or below))):
        return 0, -1, Fraction(1)
    if step is None and least is not None and least == most:
        return (0, 0, Fraction(1)) if least == 0 else (1, 1, least)
    if step is None or least is None or most is None:
        return None
    first, last = math.ceil(least / step), math.floor(most / step)
    return first + (above and first * step == least), last - (below and last * step == most), step


def _numbers(reader: Reader, schema: Mapping[str, Any], path: str, integer: bool) -> Iterator[Hashable]:
    span = number_range(schema, path, integer)
    if span is None or span[1] - span[0] >= LIMIT:
        raise UncountedError
    reader.written += max(0, span[1] - span[0] + 1)
    if reader.written > _WRITTEN:
        raise UncountedError
    for k in range(span[0], span[1] + 1):
        yield ("number", k * span[2])


def _strings(reader: Reader, schema: Mapping[str, Any], path: str, depth: int) -> Iterator[Hashable]:
    if length(schema, "maxLength", path) != 0:
        raise UncountedError
    if not length(schema, "minLength", path):
        yield ("string", "")


def _arrays(reader: Reader, schema: Mapping[str, Any], path: str, depth: int) -> Iterator[Hashable]:
    least, most = length(schema, "minItems", path) or 0, length(schema, "maxItems", path)
    items = sorted(_instances(reader, schema.get("items", True), f"{path}/items", depth + 1), key=repr) if most != 0 else []
    if not items:
        most = 0
    if schema.get("uniqueItems") is True:
        most = len(items) if most is None else min(most, len(items))
    if most is None or most > LIMIT or (len(items) > 1 and most * math.log2(len(items)) > 2 * math.log2(LIMIT)):
        raise UncountedError
    made = 0
    for size in range(least, most + 1):
        ordered = itertools.permutations(items, size) if schema.get("uniqueItems") is True else itertools.product(items, repeat=size)
        for one in ordered:
            made += 1
            reader.written += 1
            if made > LIMIT or reader.written > _WRITTEN:
                raise UncountedError
            yield ("array", one)


def _objects(reader: Reader, schema: Mapping[str, Any], path: str, depth: int) -> Iterator[Hashable]:
    properties, required = children(schema, "properties", path), names(schema, "required", path)
    others = schema.get("additionalProperties")
    if (others is None and not reader.closed) or others not in (None, False):
        raise UncountedError
    if not set(required) <= set(properties):
        if others is None:
            raise UncountedError
        return
    made, choices = 1, []
    for name, part in properties.items():
        found: list[tuple[Any, ...]] = [((name, one),) for one in _instances(reader, part, f"{path}/{name}", depth + 1)]
        choices.append(found if name in required else [(), *found])
        made *= len(choices[-1])
        if made > LIMIT:
            raise UncountedError
    reader.written += made
    if reader.written > _WRITTEN:
        raise UncountedError
    for chosen in itertools.product(*choices):
        yield ("object", frozenset(itertools.chain(*chosen)))


_OF_TYPE: dict[str, Callable[[Reader, Mapping[str, Any], str, int], Iterable[Hashable]]] = {
    "null": lambda reader, schema, path, depth: [("null",)],
    "boolean": lambda reader, schema, path, depth: [("boolean", False), ("boolean", True)],
    "integer": lambda reader, schema, path, depth: _numbers(reader, schema, path, True),
    "number": lambda reader, schema, path, depth: _numbers(reader, schema, path, False),
    "string": _strings,
    "array": _arrays,
    "object": _objects,
}
