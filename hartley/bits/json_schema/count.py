"""Counts the instances of a JSON Schema without writing them out."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from hartley.bits.json_schema.finite import finite, number_range
from hartley.bits.json_schema.merge import COMBINED, alternatives, plain
from hartley.bits.json_schema.schema import ANNOTATIONS, Reader, Schema, children, length, listed, names, types_of
from hartley.bits.json_schema.size import NONE, ONE, UNBOUNDED, Size, arrangements, of, powers, product, total

_NOT_COUNTED = {"pattern", "not", "if", "then", "else", "contains", "minContains", "maxContains", "propertyNames"}
_NOT_COUNTED |= {"dependentRequired", "dependentSchemas", "dependencies", "unevaluatedItems"}
_FORMATS = {"date": (10, 10, 25 * 146_097), "ipv4": (7, 15, 2**32), "uuid": (36, 36, 22**32)}
"""Shortest, longest, how many: days of the years 0000 to 9999 (25 cycles of 400); hexadecimal digits in either case."""


def sized(reader: Reader, schema: object, path: str, depth: int = 0) -> Size:
    """How many instances the schema has; paths without a bound and reasons for bounds go to the reader."""
    checked = reader.visit(schema, path, depth)
    if isinstance(checked, bool):
        return _endless(reader, path) if checked else NONE
    if any(word in checked for word in COMBINED):
        return _combined(reader, checked, path, depth)
    ignored = sorted(word for word in checked if word in _NOT_COUNTED)
    if ignored:
        rest = {word: value for word, value in checked.items() if word not in _NOT_COUNTED}
        reader.upper.append(f"{path}: {', '.join(ignored)} not counted")
        return sized(reader, rest, path, depth + 1).at_most()
    if "enum" in checked or "const" in checked:
        return _written_out(reader, checked, path, depth)
    types = types_of(checked, path, reader.closed)
    if types is None:
        return _endless(reader, path)
    return total([_BY_TYPE[name](reader, checked, path, depth) for name in types])


def _endless(reader: Reader, path: str) -> Size:
    reader.unbounded.append(path)
    return UNBOUNDED


def _written_out(reader: Reader, schema: Mapping[str, Any], path: str, depth: int) -> Size:
    """enum and const: the different values that pass the keywords beside them."""
    small = finite(reader, schema, path, depth)
    if small is not None:
        return of(len(small))
    alone = {word: schema[word] for word in ("enum", "const") if word in schema}
    values = finite(reader, alone, path, depth)
    if values is not None and not schema.keys() - alone.keys() - ANNOTATIONS:
        return of(len(values))
    reader.upper.append(f"{path}: keywords beside enum not counted")
    return of(len(values) if values is not None else len(listed(schema, "enum", path))).at_most()


def _combined(reader: Reader, schema: Mapping[str, Any], path: str, depth: int) -> Size:
    """References and combinations: merged where that is simple, written out where small, else bounded from above."""
    reference = schema.get("$ref")
    if reference is not None:
        if reference in reader.active:
            reader.unbounded.append(f"{path} (recursive)")
            return UNBOUNDED
        if reader.resolve(reference, path) is None:
            reader.unbounded.append(f"{path} (another document)")
            return UNBOUNDED
        key = str(reference)
        alone = not (schema.keys() - {"$ref"} - ANNOTATIONS)
        if alone and key in reader.known:
            return reader.known[key]
        choice = alternatives(reader, schema, path, depth)
        reader.active.append(key)
        try:
            found = _chosen(reader, schema, choice, path, depth)
        finally:
            reader.active.pop()
        if alone:
            reader.known[key] = found
        return found
    return _chosen(reader, schema, alternatives(reader, schema, path, depth), path, depth)


def _chosen(reader: Reader, schema: Mapping[str, Any], choice: tuple[str, list[Schema]] | None, path: str, depth: int) -> Size:
    if choice is None:
        return _bounded_above(reader, schema, path, depth)
    word, branches = choice
    if word == "one":
        return sized(reader, branches[0], path, depth + 1)
    small = finite(reader, {word: branches}, path, depth)
    if small is not None:
        return of(len(small))
    sizes = [sized(reader, branch, f"{path}/{word}/{i}", depth + 1) for i, branch in enumerate(branches)]
    found = total(sizes)
    if found.unbounded or _apart(reader, branches, path, depth):
        return found
    reader.upper.append(f"{path}: alternatives that overlap are counted twice")
    return found.at_most()


def _bounded_above(reader: Reader, schema: Mapping[str, Any], path: str, depth: int) -> Size:
    """The smallest of the parts that must all hold: none of them lets more through than it has."""
    reader.upper.append(f"{path}: parts that must all hold are not merged")
    mark = len(reader.unbounded)
    parts: list[Size] = []
    if plain(schema):
        parts.append(sized(reader, plain(schema), path, depth + 1))
    if "$ref" in schema:
        parts.append(sized(reader, reader.resolve(schema["$ref"], path), f"{path}/$ref", depth + 1))
    for i, part in enumerate(listed(schema, "allOf", path) if "allOf" in schema else ()):
        parts.append(sized(reader, part, f"{path}/allOf/{i}", depth + 1))
    for word in [word for word in ("anyOf", "oneOf") if word in schema]:
        branches = enumerate(listed(schema, word, path))
        parts += [total([sized(reader, one, f"{path}/{word}/{i}", depth + 1) for i, one in branches])]
    best = min(parts, key=lambda part: part.log2)
    if not best.unbounded:
        del reader.unbounded[mark:]
    return best.at_most()


def _apart(reader: Reader, branches: list[Schema], path: str, depth: int) -> bool:
    """Whether no value can pass two of the branches, as far as types, small branches and fixed properties tell."""
    seen = [_marks(reader, branch, path, depth) for branch in branches if branch is not False]
    return all(_disjoint(a, b) for a, b in combinations(seen, 2))


@dataclass(frozen=True)
class _Marks:
    """What tells a branch from others: its types (None: any), its instances where few, those of its required properties."""

    types: frozenset[str] | None
    small: frozenset[Hashable] | None
    fixed: Mapping[str, frozenset[Hashable]]


def _marks(reader: Reader, branch: Schema, path: str, depth: int) -> _Marks:
    if isinstance(branch, bool):
        return _Marks(None, None, {})
    named = types_of(branch, path, reader.closed)
    types = None if named is None else frozenset("number" if name == "integer" else name for name in named)
    properties = children(branch, "properties", path)
    fixed = {name: finite(reader, properties[name], path, depth) for name in names(branch, "required", path) if name in properties}
    return _Marks(types, finite(reader, branch, path, depth), {name: one for name, one in fixed.items() if one is not None})


def _disjoint(a: _Marks, b: _Marks) -> bool:
    if a.small is not None and b.small is not None:
        return not a.small & b.small
    if a.types is None or b.types is None:
        return False
    shared = a.types & b.types
    return not shared or (shared == {"object"} and any(not a.fixed[name] & b.fixed[name] for name in a.fixed.keys() & b.fixed.keys()))


def _number(reader: Reader, schema: Mapping[str, Any], path: str, depth: int, integer: bool) -> Size:
    span = number_range(schema, path, integer)
    return _endless(reader, path) if span is None else of(span[1] - span[0] + 1)


def _string(reader: Reader, schema: Mapping[str, Any], path: str, depth: int) -> Size:
    least, most = length(schema, "minLength", path) or 0, length(schema, "maxLength", path)
    form = schema.get("format")
    known = _FORMATS.get(form) if isinstance(form, str) else None
    if known is not None:
        shortest, longest, count = known
        if (most is not None and most < shortest) or least > longest:
            return NONE
        whole = least <= shortest and (most is None or most >= longest)
        if not whole:
            reader.upper.append(f"{path}: lengths beside format not counted")
        return of(count) if whole else of(count).at_most()
    if most is None:
        most = reader.longest
    if most is None:
        return _endless(reader, path)
    found = powers(of(reader.alphabet), least, most)
    if form is None:
        return found
    reader.upper.append(f"{path}: format not counted")
    return found.at_most()


def _array(reader: Reader, schema: Mapping[str, Any], path: str, depth: int) -> Size:
    least, most = length(schema, "minItems", path) or 0, length(schema, "maxItems", path)
    items, word = schema.get("items", True), "prefixItems"
    if isinstance(items, list):
        # before 2020-12 a list under items was what prefixItems is now
        schema, items = {**schema, word: items}, schema.get("additionalItems", True)
    first = listed(schema, word, path, empty=True) if word in schema else ()
    different = schema.get("uniqueItems") is True
    if most == 0:
        return ONE if least == 0 else NONE
    starts = [sized(reader, one, f"{path}/{word}/{i}", depth + 1) for i, one in enumerate(first[: most or len(first)])]
    full = most is not None and most <= len(starts)
    one = NONE if full else sized(reader, items, f"{path}/items", depth + 1)
    if not starts and different:
        found = arrangements(one, least, most)
    else:
        shorter = [product(starts[:size]) for size in range(least, len(starts)) if most is None or size <= most]
        rest = powers(one, max(0, least - len(starts)), None if most is None else most - len(starts))
        if one.none:
            rest = ONE if least <= len(starts) and (most is None or most >= len(starts)) else NONE
        found = total([*shorter, product([*starts, rest])])
        if different:
            reader.upper.append(f"{path}: uniqueItems not counted beside prefixItems")
            found = found.at_most()
    if found.unbounded and not one.unbounded:
        reader.unbounded.append(path)
    if not found.exact and one.exact and different and not starts:
        reader.upper.append(f"{path}: different items counted by a bound")
    return found


def _object(reader: Reader, schema: Mapping[str, Any], path: str, depth: int) -> Size:
    properties, required = children(schema, "properties", path), names(schema, "required", path)
    others = schema.get("additionalProperties", schema.get("unevaluatedProperties"))
    least, most = length(schema, "minProperties", path) or 0, length(schema, "maxProperties", path)
    unnamed = [name for name in required if name not in properties]
    sizes = {name: sized(reader, part, f"{path}/{name}", depth + 1) for name, part in properties.items()}
    shut = others is False or (others is None and reader.closed)
    if "patternProperties" in schema or not shut or (unnamed and others is None):
        return _endless(reader, f"{path} (other properties)" if not unnamed else f"{path}/{unnamed[0]} (required, not described)")
    if unnamed:
        return NONE
    if not least and most is None:
        return product([size if name in required else total([size, ONE]) for name, size in sizes.items()])
    # ways[k]: instances of the properties so far with k of them present
    ways = [ONE]
    for name, size in sizes.items():
        absent = NONE if name in required else ONE
        longer = [*ways, NONE]
        ways = [total([product([longer[k], absent]), product([ways[k - 1], size]) if k else NONE]) for k in range(len(longer))]
    return total(ways[least : len(ways) if most is None else most + 1])


_BY_TYPE = {
    "null": lambda reader, schema, path, depth: ONE,
    "boolean": lambda reader, schema, path, depth: of(2),
    "integer": lambda reader, schema, path, depth: _number(reader, schema, path, depth, True),
    "number": lambda reader, schema, path, depth: _number(reader, schema, path, depth, False),
    "string": _string,
    "array": _array,
    "object": _object,
}
