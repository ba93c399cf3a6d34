"""Bandwidth: counts by hand, a brute-force validator over a small universe as twin, hostile schemas, and the entropy of use."""

import itertools
import json
import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hartley.bits.bandwidth import UNICODE, schema_bandwidth, tools_bandwidth, used_bandwidth
from hartley.bits.entropy import entropy_of_counts
from hartley.bits.json_schema.size import arrangements, of, powers
from hartley.errors import InputError

YES_NO = {"type": "boolean"}
DIGIT = {"type": "integer", "minimum": 0, "maximum": 9}


def thing(required=None, **properties):
    return {"type": "object", "properties": properties, "required": list(properties) if required is None else required}


@pytest.mark.parametrize(
    ("schema", "count"),
    [
        ({"enum": ["a", "b", "c", "a"]}, 3),
        ({"enum": [1, 1.0, True, "1"]}, 3),
        ({"const": {"a": [1, 2]}}, 1),
        ({"type": "string", "enum": ["a", 1, None]}, 1),
        ({"type": "null"}, 1),
        (YES_NO, 2),
        (DIGIT, 10),
        ({"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 9}, 8),
        ({"type": "integer", "minimum": 0, "exclusiveMinimum": True, "maximum": 9}, 9),
        ({"type": "integer", "minimum": 0.5, "maximum": 9.5}, 9),
        ({"type": "integer", "minimum": -7, "maximum": 7, "multipleOf": 3}, 5),
        ({"type": "integer", "minimum": 0, "maximum": 10, "multipleOf": 1.5}, 4),
        ({"type": "number", "minimum": 0, "maximum": 1, "multipleOf": 0.1}, 11),
        ({"type": "number", "minimum": 3, "maximum": 3}, 1),
        ({"type": "integer", "minimum": 5, "maximum": 4}, 0),
        ({"type": "integer", "minimum": 0, "maximum": 10**400}, 10**400 + 1),
        ({"type": "number", "minimum": 0, "maximum": 1e308, "multipleOf": 1e-300}, 10**608 + 1),
        ({"type": "string", "maxLength": 3}, sum(UNICODE**k for k in range(4))),
        ({"type": "string", "minLength": 2, "maxLength": 2}, UNICODE**2),
        ({"type": "string", "maxLength": 0}, 1),
        ({"type": "string", "format": "date"}, 3_652_425),
        ({"type": "string", "format": "ipv4"}, 2**32),
        ({"type": "array", "items": DIGIT, "maxItems": 2}, 111),
        ({"type": "array", "items": DIGIT, "minItems": 2, "maxItems": 2, "uniqueItems": True}, 90),
        ({"type": "array", "items": {"enum": list("abc")}, "uniqueItems": True}, 16),
        ({"type": "array", "prefixItems": [DIGIT, YES_NO], "items": False}, 1 + 10 + 20),
        ({"type": "array", "prefixItems": [DIGIT], "items": YES_NO, "minItems": 1, "maxItems": 3}, 10 * 7),
        ({"type": "array", "items": [DIGIT, YES_NO], "additionalItems": False, "minItems": 2}, 20),
        ({"type": "array", "items": False}, 1),
        ({"type": "array", "maxItems": 0}, 1),
        (thing(a=DIGIT, b=YES_NO), 20),
        (thing(["a"], a=DIGIT, b=YES_NO), 30),
        (thing([], a=DIGIT, b=YES_NO), 33),
        ({**thing([], a=DIGIT, b=YES_NO), "minProperties": 1}, 32),
        ({**thing([], a=DIGIT, b=YES_NO), "maxProperties": 1}, 13),
        (thing(a=thing(b=thing(["c"], c=YES_NO, d=YES_NO))), 6),
        ({"properties": {"a": YES_NO}}, 3),
        ({**thing(a=YES_NO), "additionalProperties": False, "required": ["a", "zzz"]}, 0),
        ({"type": ["boolean", "null"]}, 3),
        ({"type": "boolean", "nullable": True}, 3),
        ({"anyOf": [DIGIT, {"type": "null"}]}, 11),
        ({"anyOf": [DIGIT, {"type": "integer", "minimum": 5, "maximum": 14}]}, 15),
        ({"oneOf": [DIGIT, {"type": "integer", "minimum": 5, "maximum": 14}]}, 10),
        ({"anyOf": [{"type": "string", "maxLength": 1}, {"type": "null"}]}, UNICODE + 2),
        ({"allOf": [thing(["a"], a=DIGIT), thing(["b"], b=YES_NO)]}, 20),
        ({"allOf": [DIGIT, {"minimum": 3}]}, 7),
        ({**thing([], a=YES_NO, b=YES_NO), "anyOf": [{"required": ["a"]}, {"required": ["b"]}]}, 8),
        ({**thing([], a=YES_NO, b=YES_NO), "oneOf": [{"required": ["a"]}, {"required": ["b"]}]}, 4),
        ({"$defs": {"d": DIGIT}, **thing(a={"$ref": "#/$defs/d"}, b={"$ref": "#/$defs/d", "description": "again"})}, 100),
        ({"$defs": {"d/~": DIGIT}, "$ref": "#/$defs/d~1~0"}, 10),
        ({"oneOf": [thing(k={"const": i}, t={"type": "string", "maxLength": 1}) for i in range(3)]}, 3 * (UNICODE + 1)),
        (False, 0),
    ],
)
def test_counts_by_hand(schema, count):
    found = schema_bandwidth(schema)
    assert found.exact and found.actions == count and found.unbounded == ()
    if count:
        assert count.bit_length() - 1 <= found.bits <= count.bit_length()
        assert count > 10**300 or found.bits == pytest.approx(math.log2(count), abs=1e-12)
    assert schema_bandwidth(json.loads(json.dumps(schema))) == found
    assert "\n" not in str(found)


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ({"type": "string"}, "#"),
        ({"type": "integer", "minimum": 0}, "#"),
        ({"type": "number", "minimum": 0, "maximum": 1}, "#"),
        (thing(a=DIGIT, body={"type": "string"}), "#/body"),
        ({"type": "array", "items": DIGIT}, "#"),
        ({"type": "array", "maxItems": 2}, "#/items"),
        ({}, "#"),
        (True, "#"),
        ({**thing(a=DIGIT), "additionalProperties": True}, "#"),
        ({**thing(a=DIGIT), "required": ["b"]}, "#/b"),
        ({"$defs": {"n": thing([], v=DIGIT, next={"$ref": "#/$defs/n"})}, "$ref": "#/$defs/n"}, "recursive"),
        ({"$ref": "https://example.org/schema"}, "another document"),
        ({"$ref": "#"}, "recursive"),
        ({"type": "string", "pattern": "^a*$"}, "#"),
    ],
)
def test_what_nothing_bounds_is_named(schema, path):
    found = schema_bandwidth(schema)
    assert found.bits is None and found.actions is None and any(path in one for one in found.unbounded)
    assert str(found).startswith("bandwidth: unbounded (no bound on ")


@pytest.mark.parametrize(
    ("schema", "most", "words"),
    [
        ({"type": "string", "maxLength": 1, "pattern": "^[a-z]$"}, UNICODE + 1, "pattern"),
        ({"type": "string", "maxLength": 1, "format": "email"}, UNICODE + 1, "format"),
        ({**DIGIT, "not": {"const": 3}}, 10, "not"),
        ({"anyOf": [{"type": "string", "maxLength": 1}, {"type": "string", "maxLength": 2}]}, None, "overlap"),
        ({"allOf": [DIGIT, {"type": "integer", "maximum": 3}, {"not": {"const": 1}}, {"not": {"const": 2}}]}, 10, "not merged"),
    ],
)
def test_upper_bounds_are_marked(schema, most, words):
    found = schema_bandwidth(schema)
    assert not found.exact and words in found.why and "at most" in str(found)
    assert most is None or found.actions == most


def test_the_alphabet_and_the_longest_string_can_be_stated():
    assert schema_bandwidth({"type": "string", "minLength": 4, "maxLength": 4}, alphabet=50_000).bits == pytest.approx(
        4 * math.log2(50_000)
    )
    assert schema_bandwidth({"type": "string"}, alphabet=2, longest=3).actions == 15
    assert schema_bandwidth(thing(a=DIGIT), closed=False).bits is None
    assert schema_bandwidth({**thing(a=DIGIT), "additionalProperties": False}, closed=False).actions == 10
    assert schema_bandwidth({"minimum": 0, "maximum": 3}, closed=False).bits is None


def test_counts_too_long_to_write_out_keep_their_bits():
    long = schema_bandwidth({"type": "string", "minLength": 10**6, "maxLength": 10**6}, alphabet=2)
    assert long.bits == 10**6 and long.actions is None and long.exact
    upto = schema_bandwidth({"type": "string", "maxLength": 10**9}, alphabet=2)
    assert upto.bits == pytest.approx(10**9 + 1) and upto.exact and "write out" in upto.why
    deck = {"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 10**5}, "uniqueItems": True}
    assert schema_bandwidth(deck).bits >= (math.lgamma(10**5 + 1) + 1) / math.log(2) - 1e-6


SCALARS = [None, False, True, -1, 0, 1, 2, 3, "", "a", "b", "aa", "ab", "ba", "bb"]
UNIVERSE = [
    *SCALARS,
    *(list(items) for size in range(3) for items in itertools.product(SCALARS, repeat=size)),
    *(
        dict(zip(names, values, strict=True))
        for names in ([], ["x"], ["y"], ["x", "y"])
        for values in itertools.product(SCALARS, repeat=len(names))
    ),
]
KINDS = {"null": type(None), "boolean": bool, "integer": int, "string": str, "array": list, "object": dict}


def same(a, b):
    return json.dumps(a, sort_keys=True) == json.dumps(b, sort_keys=True)


def slow_valid(schema, value):
    """The keywords one by one, as the specification words them; objects closed."""
    if isinstance(schema, bool):
        return schema
    if "anyOf" in schema:
        return any(slow_valid(one, value) for one in schema["anyOf"])
    if "oneOf" in schema:
        return sum(slow_valid(one, value) for one in schema["oneOf"]) == 1
    if "enum" in schema and not any(same(one, value) for one in schema["enum"]):
        return False
    types = schema.get("type", list(KINDS))
    types = [types] if isinstance(types, str) else types
    if not any(isinstance(value, KINDS[one]) and (one != "integer" or not isinstance(value, bool)) for one in types):
        return False
    if isinstance(value, int) and not isinstance(value, bool):
        return schema.get("minimum", -9) <= value <= schema.get("maximum", 9) and value % schema.get("multipleOf", 1) == 0
    if isinstance(value, str):
        return schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", 9)
    if isinstance(value, list):
        unique = not schema.get("uniqueItems") or len({json.dumps(one, sort_keys=True) for one in value}) == len(value)
        sized = schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", 9)
        return unique and sized and all(slow_valid(schema["items"], one) for one in value)
    if isinstance(value, dict) and "properties" in schema:
        named = set(value) <= set(schema["properties"]) and set(schema.get("required", ())) <= set(value)
        return named and all(slow_valid(schema["properties"][name], one) for name, one in value.items())
    return True


INTEGERS = st.builds(
    lambda a, b, m: {"type": "integer", "minimum": a, "maximum": b, "multipleOf": m},
    st.integers(-1, 3),
    st.integers(-1, 3),
    st.integers(1, 3),
)
STRINGS = st.builds(lambda a, b: {"type": "string", "minLength": a, "maxLength": b}, st.integers(0, 2), st.integers(0, 2))
FLAT = st.one_of(
    INTEGERS,
    STRINGS,
    st.just({"type": "boolean"}),
    st.just({"type": ["null", "boolean"]}),
    st.just(False),
    st.lists(st.sampled_from(SCALARS), min_size=1, max_size=4).map(lambda values: {"enum": values}),
    st.lists(st.sampled_from(SCALARS), min_size=1, max_size=4).map(lambda values: {"enum": values, "type": ["string", "integer"]}),
)
CHOICES = st.builds(lambda word, parts: {word: parts}, st.sampled_from(["anyOf", "oneOf"]), st.lists(FLAT, min_size=1, max_size=3))
SCALAR = st.one_of(FLAT, CHOICES)
LISTS = st.builds(
    lambda item, a, b, u: {"type": "array", "items": item, "minItems": a, "maxItems": b, "uniqueItems": u},
    SCALAR,
    st.integers(0, 2),
    st.integers(0, 2),
    st.booleans(),
)
OBJECTS = st.builds(
    lambda x, y, required: {"type": "object", "properties": {"x": x, "y": y}, "required": required},
    SCALAR,
    SCALAR,
    st.sampled_from([[], ["x"], ["y"], ["x", "y"]]),
)
TOP = st.one_of(
    SCALAR,
    LISTS,
    OBJECTS,
    st.builds(
        lambda word, parts: {word: parts},
        st.sampled_from(["anyOf", "oneOf"]),
        st.lists(st.one_of(FLAT, LISTS, OBJECTS), min_size=1, max_size=3),
    ),
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(TOP)
def test_equals_brute_force_over_a_small_universe(schema):
    found = schema_bandwidth(schema, alphabet=2)
    slow = sum(slow_valid(schema, value) for value in UNIVERSE)
    assert found.bits is not None
    if found.exact:
        assert found.actions == slow
    else:
        assert found.actions >= slow and found.why


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, 6), st.integers(0, 5), st.integers(0, 5))
def test_sequences_equal_adding_one_by_one(base, least, most):
    assert powers(of(base), least, most).number == sum(base**k for k in range(least, most + 1))
    assert arrangements(of(base), least, most).number == sum(math.perm(base, k) for k in range(least, most + 1))


@settings(max_examples=30, deadline=None, derandomize=True)
@given(SCALAR, SCALAR)
def test_bits_add_up_over_required_properties_and_restricting_never_adds(one, two):
    a, b = schema_bandwidth(one, alphabet=2), schema_bandwidth(two, alphabet=2)
    both = schema_bandwidth(thing(x=one, y=two), alphabet=2)
    assert both.actions == a.actions * b.actions
    assert both.actions <= schema_bandwidth(thing(["x"], x=one, y=two), alphabet=2).actions


def nested(levels):
    schema = DIGIT
    for _ in range(levels):
        schema = thing(a=schema)
    return schema


def shared(levels, leaf):
    defs = {f"d{i}": thing(a={"$ref": f"#/$defs/d{i + 1}"}, b={"$ref": f"#/$defs/d{i + 1}"}) for i in range(levels)}
    return {"$defs": {**defs, f"d{levels}": leaf}, "$ref": "#/$defs/d0"}


def branching(levels):
    defs = {f"d{i}": {"anyOf": [{"$ref": f"#/$defs/d{i + 1}"}, {"$ref": f"#/$defs/d{i + 1}"}]} for i in range(levels)}
    return {"$defs": {**defs, f"d{levels}": {"const": 1}}, "$ref": "#/$defs/d0"}


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        (nested(3000), "nested deeper"),
        ({"type": "integer", "minimum": 0, "maximum": 10**100_000}, "digits"),
        ({"type": "integer", "minimum": 0, "maximum": float("inf")}, "maximum"),
        ({"type": "integer", "minimum": float("nan")}, "minimum"),
        ({"type": "string", "maxLength": 10**400}, "maxLength"),
        ({"type": "string", "maxLength": -1}, "maxLength"),
        ({"type": "string", "maxLength": "9"}, "maxLength"),
        ({"type": "strnig"}, "type"),
        ({"type": []}, "type"),
        ({"type": 7}, "type"),
        ({"enum": "abc"}, "enum"),
        ({"enum": [{1, 2}]}, "takes a JSON value"),
        ({"type": "object", "properties": [1]}, "properties"),
        ({"type": "object", "properties": {"a": 5}}, "#/a"),
        ({"type": "object", "required": "a"}, "required"),
        ({"type": "integer", "minimum": 0, "maximum": 9, "multipleOf": 0}, "multipleOf"),
        ({"anyOf": []}, "anyOf"),
        ({"anyOf": {"a": 1}}, "anyOf"),
        ({"$ref": 5}, "$ref"),
        ({"$ref": "#/nowhere"}, "points to nothing"),
        ({"$ref": "#/$defs/a", "$defs": {"a": 3}}, "points to no schema"),
        ([1], "takes an object"),
        ("x", "takes an object"),
    ],
)
def test_hostile_schemas_end_in_one_clear_line(schema, words):
    start = time.process_time()
    with pytest.raises(InputError) as caught:
        schema_bandwidth(schema)
    assert words in str(caught.value) and "\n" not in str(caught.value) and len(str(caught.value)) < 300
    assert time.process_time() - start < 20  # bounded work, whatever the machine


def test_sharing_does_not_blow_up():
    assert schema_bandwidth(shared(16, YES_NO)).bits == 2**16
    assert schema_bandwidth(shared(20, {"type": "string"})).bits is None
    assert schema_bandwidth(branching(20)).actions == 1
    wide = schema_bandwidth({"anyOf": [{"type": "integer", "minimum": i, "maximum": i + 4000} for i in range(300)]})
    assert not wide.exact and wide.actions == 300 * 4001 and "overlap" in wide.why
    branches = [thing(k={"const": i}, t={"type": "string", "maxLength": 1}) for i in range(300)]
    assert schema_bandwidth({"oneOf": branches}).actions == 300 * (UNICODE + 1)
    many = {"type": "object", "properties": {f"p{i}": {"type": "string", "maxLength": 10**9} for i in range(2000)}}
    assert schema_bandwidth(many).bits == pytest.approx(2000 * 10**9 * math.log2(UNICODE), rel=1e-6)


def test_tools_add_up_in_every_form():
    send = thing(to={"enum": ["ann", "bob"]}, urgent=YES_NO)
    read = thing(n=DIGIT)
    forms = [
        [
            {"type": "function", "function": {"name": "send", "parameters": send}},
            {"type": "function", "function": {"name": "read", "parameters": read}},
        ],
        [
            {"type": "function", "name": "send", "parameters": send, "strict": True},
            {"type": "function", "name": "read", "parameters": read},
        ],
        [{"name": "send", "input_schema": send}, {"name": "read", "inputSchema": read}],
        {"send": send, "read": read},
    ]
    for tools in forms:
        assert tools_bandwidth(tools).actions == 4 + 10 + 1
        assert tools_bandwidth(tools, no_call=False).bits == pytest.approx(math.log2(14))
    assert tools_bandwidth([]).bits == 0 and tools_bandwidth([{"name": "stop"}]).actions == 2
    free = tools_bandwidth({"send": thing(body={"type": "string"}), "read": read})
    assert free.bits is None and free.unbounded == ("send/body",)


@pytest.mark.parametrize(
    ("tools", "words"),
    [
        (5, "tools"),
        ([5], "entry 0"),
        ([{"description": "x"}], "no name"),
        ([{"name": "a"}, {"name": "a"}], "two are named"),
        ([{"name": "a", "parameters": 5}], "schema"),
    ],
)
def test_malformed_tools_are_refused(tools, words):
    with pytest.raises(InputError) as caught:
        tools_bandwidth(tools)
    assert words in str(caught.value)


def slow_jackknife_entropy(counts):
    def entropy(c):
        c = [x for x in c if x]
        return -sum(x / sum(c) * math.log2(x / sum(c)) for x in c)

    n, total = sum(counts), 0.0
    for i, c in enumerate(counts):
        for _ in range(c):
            total += entropy([*counts[:i], c - 1, *counts[i + 1 :]])
    return n * entropy(counts) - (n - 1) * total / n


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.lists(st.integers(2, 30), min_size=2, max_size=8))
def test_entropy_point_equals_its_slow_twin(counts):
    found = entropy_of_counts(counts)
    if found.value is not None:
        expected = min(max(slow_jackknife_entropy(counts), found.low), found.high)
        assert found.value == pytest.approx(expected, abs=1e-9)
    assert found.low <= found.high


@pytest.mark.parametrize(
    "law", [np.full(8, 1 / 8), np.array([0.9, 0.05, 0.03, 0.02]), np.full(200, 1 / 200), 0.5 ** np.arange(1, 12), np.array([1.0])]
)
@pytest.mark.parametrize("n", [50, 500])
def test_entropy_intervals_cover(law, n):
    law = law / law.sum()
    truth = -(law[law > 0] * np.log2(law[law > 0])).sum()
    generator = np.random.default_rng(0)
    found = [entropy_of_counts(generator.multinomial(n, law)) for _ in range(200)]
    missed = sum(not (one.low - 1e-9 <= truth and (one.high is None or truth <= one.high + 1e-9)) for one in found)
    assert missed <= 14
    points = [one.value for one in found if one.value is not None]
    assert not points or np.mean(points) == pytest.approx(truth, abs=0.1)


def test_used_bandwidth_reads_symbols_and_stays_under_the_interface():
    actions = np.random.default_rng(1).choice(["read", "send", "stop"], 400, p=[0.5, 0.25, 0.25])
    found = used_bandwidth(actions)
    assert found.kind == "used_bandwidth_bits" and found.value == pytest.approx(1.5, abs=0.1)
    assert found.value <= math.log2(3) + 0.05
    novel = used_bandwidth(np.arange(100))
    assert novel.value is None and novel.high is None and novel.low > 3 and "seen once" in novel.why
    for bad in ([], [[1]], [1.0, float("nan")]):
        with pytest.raises(InputError, match="actions"):
            used_bandwidth(bad)
    with pytest.raises(InputError, match="counts"):
        entropy_of_counts([1.5])
