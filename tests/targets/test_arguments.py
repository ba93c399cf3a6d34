"""A call's arguments held against JSON Schema, every form that a tool may declare."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from hartley.targets.tool_calls import MalformedCallError, typed_call


def read(parameters: Any, **arguments: Any) -> Any:
    return typed_call("f", arguments, [{"type": "function", "function": {"name": "f", "parameters": parameters}}]).arguments


def of(kind: Any, **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"n": kind}, **more}


NUMBER_OR_NULL = {"anyOf": [{"type": "number"}, {"type": "null"}]}
LIST_OR_NULL = {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}], "default": None}
POINT = {"type": "object", "properties": {"x": {"type": "integer"}, "near": {"$ref": "#/$defs/point"}}, "required": ["x"]}
DEFINED = {"$defs": {"point": POINT}}

TAKEN: list[tuple[dict[str, Any], Any, Any]] = [
    (of(NUMBER_OR_NULL), 5, 5),
    (of(NUMBER_OR_NULL), None, None),
    (of(NUMBER_OR_NULL), "5.5", 5.5),
    (of(LIST_OR_NULL), ["a", "b"], ["a", "b"]),
    (of(LIST_OR_NULL), None, None),
    (of({"anyOf": [{"type": "string"}, {"type": "integer"}]}), "7", "7"),
    (of({"anyOf": [{"type": "string"}, {"type": "integer"}]}), 7, 7),
    (of({"oneOf": [{"type": "integer", "multipleOf": 3}, {"type": "integer", "multipleOf": 5}]}), 10, 10),
    (of({"type": ["integer", "null"]}), "12", 12),
    (of({"type": ["string", "null"]}), None, None),
    (of({"enum": [1, "two", None, True]}), None, None),
    (of({"enum": [1, 2]}), "2", 2),
    (of({"const": 4}), 4, 4),
    (of({}), [1, {"a": None}], [1, {"a": None}]),
    (of(True), "x", "x"),
    (of({"$ref": "#/$defs/point"}, **DEFINED), {"x": "3", "near": {"x": 4}}, {"x": 3, "near": {"x": 4}}),
    (of({"allOf": [{"$ref": "#/$defs/point"}], "description": "where"}, **DEFINED), {"x": 3}, {"x": 3}),
    (of({"type": "array", "items": {"$ref": "#/$defs/point"}}, **DEFINED), [{"x": "1"}], [{"x": 1}]),
    (of({"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}]}), ["1", "a"], [1, "a"]),
    (of({"type": "array", "items": {"type": "integer"}}), "[1, 2]", [1, 2]),
    (of({"type": "array", "items": {"type": "integer"}}), "1, 2", [1, 2]),
    (of({"type": "object", "additionalProperties": {"type": "integer"}}), '{"a": 1}', {"a": 1}),
    (of({"type": "integer"}), 5.0, 5),
    (of({"type": "boolean"}), "True", True),
    ({"$ref": "#/$defs/all", "$defs": {"all": of({"type": "integer"})}}, "5", 5),
    ({"type": "object", "additionalProperties": True}, 5, 5),
    ({"type": "object", "patternProperties": {"^n": {"type": "integer"}}}, 5, 5),
]


@pytest.mark.parametrize(("parameters", "given", "expected"), TAKEN)
def test_what_the_schema_takes_is_taken(parameters: Any, given: Any, expected: Any) -> None:
    found = read(parameters, n=given)["n"]
    assert found == expected and type(found) is type(expected)


REFUSED: list[tuple[dict[str, Any], Any, str]] = [
    (of(NUMBER_OR_NULL), "many", "none of: number, null"),
    (of(NUMBER_OR_NULL), [5], "none of: number, null"),
    (of({"type": "string"}), None, "no text"),
    (of({"type": "string"}), 5, "no text"),
    (of({"enum": ["a", "b"]}), "c", "accepted: a, b"),
    (of({"oneOf": [{"type": "integer", "multipleOf": 3}, {"type": "integer", "multipleOf": 5}]}), 15, "valid under each of"),
    (of({"$ref": "#/$defs/point"}, **DEFINED), {"near": {"x": 1}}, "'x' is a required property"),
    (of({"$ref": "#/$defs/point"}, **DEFINED), {"x": 1, "near": {"x": "a"}}, "n.near.x is 'a', which is no number"),
    (of({"type": "string", "pattern": "^a"}), "b", "does not match"),
    (of({"type": "string", "maxLength": 2}), "abc", "too long"),
    (of({"type": "array", "uniqueItems": True}), [1, 1], "non-unique"),
    (of({"type": "integer", "exclusiveMinimum": 0}), 0, "less than or equal to the minimum"),
    (of({"type": "boolean"}), 1, "accepted: true, false"),
    (of({"type": "number"}), True, "no number"),
    (of({"type": "object", "additionalProperties": False}), {"a": 1}, "Additional properties"),
    (of({"$ref": "#/$defs/nothing"}), 5, "schema cannot be followed"),
    (of({"$ref": "#/$defs/loop"}, **{"$defs": {"loop": {"$ref": "#/$defs/loop"}}}), 5, "schema cannot be followed"),
    (of({"type": "string", "not": {"const": "x" * 5_000}}), "x" * 5_000, "n: "),
    ({"type": "object", "properties": {}}, 5, "no argument 'n'"),
    ({"type": "object", "additionalProperties": {"type": "integer"}}, "a", "not of type 'integer'"),
]


@pytest.mark.parametrize(("parameters", "given", "why"), REFUSED)
def test_what_the_schema_refuses_is_named(parameters: Any, given: Any, why: str) -> None:
    with pytest.raises(MalformedCallError, match="f") as caught:
        read(parameters, n=given)
    assert why in str(caught.value) and len(str(caught.value)) < 300


def test_no_reference_out_of_a_schema_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[object] = []

    def fetched(*arguments: object, **__: object) -> None:
        opened.append(arguments)
        raise OSError("a socket was opened")

    monkeypatch.setattr(socket, "socket", fetched)
    monkeypatch.setattr(socket, "create_connection", fetched)
    with pytest.raises(MalformedCallError, match="cannot be followed"):
        read(of({"$ref": "http://127.0.0.1:9/schema.json"}), n=5)
    assert opened == []


def test_a_schema_that_is_none_leaves_what_its_types_say() -> None:
    assert read(of({"type": "nothing"}), n="5") == {"n": "5"}
