"""The narrow waist: what a table of evidence takes, what it refuses, and that it comes back equal."""

import io
import json
import pickle
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hartley.evidence import ARMS, NONE, Evidence, EvidenceError

GOOD = {
    "channel": "image",
    "kind": "write",
    "intent_alphabet": ("zero", "one", "two"),
    "adversary_alphabet": ("zero", "one"),
    "outcome_alphabet": ("zero", "one", "two"),
    "arm": np.array([0, 0, 1, 1]),
    "trial": np.array([0, 1, 0, 1]),
    "intent": np.array([0, 2, 0, 2]),
    "adversary": np.array([NONE, NONE, 1, 0]),
    "outcome": np.array([0, 2, 1, NONE]),
    "success": np.array([NONE, NONE, 1, 0]),
}
FULL = GOOD | {
    "score": np.array([0.1, -2.0, 3.5, 0.0]),
    "log2_q": np.array([-0.1, 0.0, -9.0, -1.0]),
    "embedding": np.arange(8.0).reshape(4, 2),
    "costs": {"queries": np.array([0.0, 0.0, 20.0, np.nan]), "linf_pixel": np.array([0, 0, 0.03, 0.03])},
    "intent_prior": np.array([0.25, 0.25, 0.5]),
}

WRONG = [
    ({"kind": "steal"}, "kind: got 'steal', takes one of jam, write, read"),
    ({"channel": 3}, "channel: got 3"),
    ({"intent_alphabet": ("zero", "zero", "two")}, "intent_alphabet: the same symbol stands twice"),
    ({"outcome_alphabet": "abc"}, "outcome_alphabet: got 'abc', takes a sequence"),
    ({"adversary_alphabet": None}, "adversary_alphabet: got None"),
    ({"arm": np.array([0, 0, 1, 5])}, "column arm, row 3"),
    ({"arm": np.array([[0, 0, 1, 1]])}, "column arm: must be one-dimensional"),
    ({"arm": np.array([-1, 0, 1, 1])}, "column arm, row 0"),
    ({"trial": np.array([0, 1, 0])}, "column trial: shape (3,), needs (4,)"),
    ({"trial": np.array([0, 0, 0, 1])}, "column trial, row 1: trial 0 stands twice in arm clean"),
    ({"trial": np.array([0, -1, 0, 1])}, "column trial, row 1"),
    ({"trial": np.array([0.0, 1e300, 0, 1])}, "column trial, row 1"),
    ({"intent": np.array([0, 3, 0, 2])}, "column intent, row 1"),
    ({"intent": np.array([0, 2, -2, 2])}, "column intent, row 2"),
    ({"intent": np.array([0, 0.5, 0, 2])}, "column intent, row 1: got np.float64(0.5), takes whole numbers"),
    ({"intent": np.array([0, np.nan, 0, 2])}, "column intent, row 1"),
    ({"intent": np.array(["0", "1", "0", "1"])}, "column intent: got <U1, takes numbers"),
    ({"intent": np.array([0, None, 0, 1], dtype=object)}, "column intent: got object"),
    ({"intent": np.array([0, 1j, 0, 1])}, "column intent: got complex128"),
    ({"intent": None}, "column intent: got object"),
    ({"intent": [[0], [0, 1]]}, "column intent: not an array"),
    ({"adversary": np.array([NONE, NONE, 2, 0])}, "column adversary, row 2"),
    ({"outcome": np.array([0, 2, 1, 9])}, "column outcome, row 3"),
    ({"success": np.array([NONE, NONE, 2, 0])}, "column success, row 2"),
    ({"score": np.array([0.0, np.inf, 0, 0])}, "column score, row 1"),
    ({"score": np.zeros(3)}, "column score: shape (3,)"),
    ({"log2_q": np.array([-1.0, 0.5, -1, -1])}, "column log2_q, row 1: got np.float64(0.5)"),
    ({"log2_q": np.array([-1.0, -1, -np.inf, -1])}, "column log2_q, row 2"),
    ({"embedding": np.zeros(4)}, "column embedding: shape (4,), needs (4, d)"),
    ({"embedding": np.zeros((3, 2))}, "column embedding: shape (3, 2)"),
    ({"embedding": np.array([[0, 0], [0, np.nan], [0, 0], [0, 0]])}, "column embedding, row 1: not finite"),
    ({"embedding": np.array([[0, 0], [0, 0], [0, 1e300], [0, 0]])}, "column embedding, row 2: not finite"),
    ({"embedding": np.array([["a"]] * 4)}, "column embedding: got <U1"),
    ({"costs": {"queries": np.zeros(3)}}, "cost queries: shape (3,)"),
    ({"costs": {"queries": np.array([0, 0, np.inf, 0])}}, "cost queries, row 2: infinite"),
    ({"costs": {"no unit!": np.zeros(4)}}, "cost 'no unit!'"),
    ({"costs": {"queries": np.array(["a"] * 4)}}, "cost queries: got <U1"),
    ({"intent_prior": np.array([0.5, 0.5])}, "intent_prior: needs 3 probabilities"),
    ({"intent_prior": np.array([0.5, 0.6, -0.1])}, "intent_prior: needs 3 probabilities"),
    ({"intent_prior": np.array([0.5, 0.6, np.nan])}, "intent_prior: needs 3 probabilities"),
    ({"intent_prior": np.array([0.5, 0.5, 0.0])}, "column intent, row 1: got 2, whose intent_prior is 0"),
]


@pytest.mark.parametrize(("change", "words"), WRONG, ids=[words for _, words in WRONG])
def test_a_malformed_table_is_refused_by_column_and_row(change, words):
    assert len(Evidence(**FULL)) == 4
    with pytest.raises(EvidenceError) as caught:
        Evidence(**(FULL | change))
    assert words in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("columns", [GOOD, FULL], ids=["required only", "all columns"])
def test_saved_and_loaded_it_is_equal_and_so_are_its_bytes(columns, tmp_path):
    table = Evidence(**columns)
    path = tmp_path / "e.npz"
    path.write_bytes(table.to_bytes())
    back = Evidence.load(path)
    assert back == table
    assert back.to_bytes() == table.to_bytes() == Evidence(**columns).to_bytes()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 30), st.integers(1, 5), st.integers(0, 1000), st.text(max_size=8))
def test_any_table_comes_back_equal(rows, symbols, seed, channel):
    generator = np.random.default_rng(seed)
    names = tuple(f"s{i}" for i in range(symbols))
    table = Evidence(
        channel, "jam", names, (), names, generator.integers(0, len(ARMS), rows), np.arange(rows), generator.integers(-1, symbols, rows),
        np.full(rows, NONE), generator.integers(-1, symbols, rows), generator.integers(-1, 2, rows), score=generator.normal(size=rows),
        embedding=generator.normal(size=(rows, 3)), costs={"queries": np.where(generator.random(rows) < 0.5, np.nan, 1.0)},
    )  # fmt: skip
    assert Evidence.from_arrays(table.to_arrays()) == table
    shuffled = table.rows(generator.permutation(rows))
    assert len(shuffled) == rows and all(shuffled.of(arm) == table.of(arm) for arm in table.arms)


def test_nothing_in_the_archive_is_an_object():
    with zipfile.ZipFile(io.BytesIO(Evidence(**FULL).to_bytes())) as archive:
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert all(array.dtype.kind in "biuf" for array in Evidence(**FULL).to_arrays().values())


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("it was unpickled",))


UNFINISHED = b"{'descr': '|u1', 'fortran_order': False, 'shape': (3, \n"
"""The header of an array, cut off between two brackets."""


def hostile_files():
    raw = Evidence(**FULL).to_bytes()
    single, pickled = io.BytesIO(), io.BytesIO()
    np.save(single, np.zeros(3))
    np.savez(pickled, header=np.array([Bomb()], dtype=object))
    flipped = bytearray(raw)
    flipped[len(raw) // 2] ^= 0xFF
    locked, unfinished = bytearray(raw), io.BytesIO()
    for mark, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        locked[raw.index(mark) + flags] |= 1
    with zipfile.ZipFile(unfinished, "w") as archive:
        archive.writestr("header.npy", b"\x93NUMPY\1\0" + len(UNFINISHED).to_bytes(2, "little") + UNFINISHED)
    return {
        "empty": b"",
        "text": b"not an archive",
        "truncated": raw[: len(raw) // 2],
        "single array": single.getvalue(),
        "bare pickle": pickle.dumps(Bomb()),
        "pickled column": pickled.getvalue(),
        "flipped byte": bytes(flipped),
        "locked": bytes(locked),
        "unfinished header": unfinished.getvalue(),
    }


@pytest.mark.parametrize("name", hostile_files())
def test_a_file_that_is_no_archive_is_refused_and_never_unpickled(name, tmp_path):
    path = tmp_path / "e.npz"
    path.write_bytes(hostile_files()[name])
    with pytest.raises(EvidenceError):
        Evidence.load(path)


def header(**changes):
    arrays = Evidence(**FULL).to_arrays()
    text = json.loads(bytes(arrays["header"]))
    text |= changes
    return {k: v for k, v in text.items() if v != "drop"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"intent": None}, "column intent: missing"),
        ({"header": None}, "column header: missing"),
        ({"surprise": np.zeros(4)}, "column surprise: unknown"),
        ({"header": np.frombuffer(b"{", dtype=np.uint8)}, "column header: not JSON"),
        ({"header": np.frombuffer(b"[1]", dtype=np.uint8)}, "column header: needs schema 1"),
        ({"header": header(schema=2)}, "column header: needs schema 1"),
        ({"header": header(channel="drop")}, "column header"),
        ({"header": header(color="red")}, "column header"),
        ({"header": header(kind="steal")}, "kind: got 'steal'"),
        ({"header": header(intent_alphabet="abc")}, "intent_alphabet: got 'abc'"),
        ({"header": header(intent_alphabet=7)}, "intent_alphabet: got 7"),
        ({"cost.queries": np.zeros(2)}, "cost queries: shape (2,)"),
    ],
)
def test_arrays_that_are_no_table_are_refused(change, words):
    arrays = Evidence(**FULL).to_arrays()
    assert Evidence.from_arrays(arrays) == Evidence(**FULL)
    for name, value in change.items():
        if value is None:
            del arrays[name]
        else:
            arrays[name] = np.frombuffer(json.dumps(value).encode(), dtype=np.uint8) if isinstance(value, dict) else value
    with pytest.raises(EvidenceError) as caught:
        Evidence.from_arrays(arrays)
    assert words in str(caught.value)


def test_an_arm_comes_in_the_order_of_its_trials():
    table = Evidence(**FULL).rows(np.array([3, 2, 1, 0]))
    assert table.arms == ("clean", "attacked")
    attacked = table.of("attacked")
    assert attacked.trial.tolist() == [0, 1] and attacked.outcome.tolist() == [1, NONE] and attacked.costs["queries"][0] == 20
    assert attacked.embedding.tolist() == [[4, 5], [6, 7]]
    with pytest.raises(KeyError, match="no rows in arm 'defended'"):
        table.of("defended")


def test_tables_join_when_they_belong_together():
    table = Evidence(**FULL)
    clean, attacked = table.of("clean"), table.of("attacked")
    assert Evidence.concat([clean, attacked]) == table
    other = Evidence(**(FULL | {"channel": "audio"}))
    bare = Evidence(**(GOOD | {"intent_prior": FULL["intent_prior"]})).of("attacked")
    for parts, words in (
        ([clean, other.of("attacked")], "differ"),
        ([clean, bare], "column score"),
        ([clean, clean], "stands twice"),
        ([], "no tables"),
    ):
        with pytest.raises(EvidenceError, match=words):
            Evidence.concat(parts)


def test_a_cost_of_one_part_only_is_unknown_in_the_other():
    clean, attacked = Evidence(**GOOD).of("clean"), Evidence(**FULL).of("attacked")
    with_costs = Evidence(**(GOOD | {"costs": {"queries": np.ones(4)}})).of("attacked")
    joined = Evidence.concat([clean, with_costs])
    assert np.isnan(joined.costs["queries"][:2]).all() and (joined.costs["queries"][2:] == 1).all()
    assert attacked != with_costs and clean != "clean"


def test_what_is_measured_cannot_be_edited():
    given = np.array([0, 2, 1, NONE])
    table = Evidence(**(GOOD | {"outcome": given}))
    given[0] = 1
    assert table.outcome[0] == 0
    with pytest.raises(ValueError, match="read-only"):
        table.outcome[0] = 1
    with pytest.raises(AttributeError):
        table.kind = "jam"


def test_equality_sees_every_column():
    changes = ({"channel": "audio"}, {"outcome": np.array([0, 2, 1, 0])}, {"score": None}, {"costs": {}}, {"intent_prior": None})
    assert all(Evidence(**(FULL | change)) != Evidence(**FULL) for change in changes)
    with pytest.raises(TypeError):
        hash(Evidence(**FULL))
