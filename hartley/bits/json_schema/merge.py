"""Two JSON Schemas that must both hold, written as one where that can be done without changing what they accept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hartley.bits.json_schema.schema import ANNOTATIONS, Reader, Schema, children, exact, length, listed, names

COMBINED = ("$ref", "allOf", "anyOf", "oneOf")
_LOWER = ("minLength", "minItems", "minProperties")
_UPPER = ("maxLength", "maxItems", "maxProperties")


def plain(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The keywords that hold something back, without references and combinations."""
    return {word: value for word, value in schema.items() if word not in ANNOTATIONS and word not in COMBINED}


def merged(one: Schema, two: Schema, path: str) -> Schema | None:
    """One schema for both; None where their keywords do not simply combine."""
    if isinstance(one, bool) or isinstance(two, bool):
        if one is True or two is True:
            return two if one is True else one
        return False
    a, b = ({word: value for word, value in side.items() if word not in ANNOTATIONS} for side in (one, two))
    if any(word in a and word in b for word in COMBINED) or not (_closes(a, b, path) and _closes(b, a, path)):
        return None
    found = {**a, **b}
    for word in a.keys() & b.keys():
        joined = _joined(word, a, b, path)
        if joined is None:
            return None
        found[word] = joined
    return False if found.get("type") == [] else found


def _joined(word: str, a: dict[str, Any], b: dict[str, Any], path: str) -> Any:
    """The value of a keyword that both sides have; None where there is none."""
    if a[word] == b[word] and type(a[word]) is type(b[word]):
        return a[word]
    if word == "type":
        left, right = ([side[word]] if isinstance(side[word], str) else list(side[word]) for side in (a, b))
        both = [name for name in left if name in right]
        return [*both, *(["integer"] if "integer" in left + right and "number" in left + right and "integer" not in both else [])]
    if word == "required":
        return list(dict.fromkeys([*names(a, word, path), *names(b, word, path)]))
    if word == "properties":
        left_ones, right_ones = children(a, word, path), children(b, word, path)
        together = {**left_ones, **right_ones}
        for name in left_ones.keys() & right_ones.keys():
            one = merged(left_ones[name], right_ones[name], path) if _schemas(left_ones[name], right_ones[name]) else None
            if one is None:
                return None
            together[name] = one
        return together
    if word in _LOWER or word in _UPPER:
        pair = length(a, word, path), length(b, word, path)
        return (max if word in _LOWER else min)(value for value in pair if value is not None)
    if word in ("minimum", "maximum") and not any(isinstance(side.get("exclusive" + word.title()), bool) for side in (a, b)):
        choose = max if word == "minimum" else min
        return choose((a[word], b[word]), key=lambda value: exact(value, f"{path}/{word}"))
    return None


def _schemas(*values: object) -> bool:
    return all(isinstance(value, (bool, Mapping)) for value in values)


def _closes(a: dict[str, Any], b: dict[str, Any], path: str) -> bool:
    """Whether what `a` says of other properties and items still says the same beside b's."""
    words = ("additionalProperties", "unevaluatedProperties", "patternProperties")
    if any(word in a for word in words) and not children(b, "properties", path).keys() <= children(a, "properties", path).keys():
        return False
    return not ("items" in a and "prefixItems" in b and "prefixItems" not in a)


def alternatives(reader: Reader, schema: Mapping[str, Any], path: str, depth: int) -> tuple[str, list[Schema]] | None:
    """("anyOf" or "oneOf", its branches with the keywords beside them merged in), references and allOf merged first.

    ("one", [schema]) where there is nothing to choose from; None where the parts do not simply merge, or recur.
    """
    base: Schema | None = plain(schema)
    parts: list[tuple[Any, str]] = []
    if "$ref" in schema:
        if schema["$ref"] in reader.active:
            return None
        parts.append((reader.resolve(schema["$ref"], path), f"{path}/$ref"))
    if "allOf" in schema:
        parts += [(part, f"{path}/allOf/{i}") for i, part in enumerate(listed(schema, "allOf", path))]
    for part, where in parts:
        if base is None or part is None:
            return None
        base = merged(base, reader.visit(part, where, depth + 1), path)
    if base is None or isinstance(base, bool):
        return None if base is None else ("one", [base])
    choice = [word for word in ("anyOf", "oneOf") if word in schema or word in base]
    if len(choice) > 1 or any(word in schema and word in base for word in choice):
        return None
    if not choice:
        return ("one", [base])
    word = choice[0]
    branches = listed(schema if word in schema else base, word, path)
    own = {key: value for key, value in base.items() if key != word}
    found = [merged(own, reader.visit(branch, f"{path}/{word}/{i}", depth + 1), path) for i, branch in enumerate(branches)]
    return None if any(one is None for one in found) else (word, [one for one in found if one is not None])
