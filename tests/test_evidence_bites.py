"""Evidence by its edges: the words of every refusal, optional columns in every operation, order, equality, and the bytes of an archive."""

from __future__ import annotations

import io
import json
import warnings
import zipfile

import numpy as np
import pytest

from hartley.evidence import NONE, Evidence, EvidenceError


def columns(**changes):
    """Two trials in each of two arms, with every column that there is."""
    given = {
        "channel": "image",
        "kind": "write",
        "intent_alphabet": ("a", "b"),
        "adversary_alphabet": ("c", "d"),
        "outcome_alphabet": ("a", "b", "x"),
        "arm": [0, 0, 1, 1],
        "trial": [0, 1, 0, 1],
        "intent": [0, 1, 0, 1],
        "adversary": [NONE, NONE, 1, 0],
        "outcome": [0, 1, 2, NONE],
        "success": [NONE, 0, 1, 0],
        "score": [0.5, -1.0, 2.0, 0.0],
        "log2_q": [-1.0, 0.0, -2.0, -3.0],
        "embedding": np.arange(8.0).reshape(4, 2),
        "costs": {"queries": [1, 2, 3, np.nan]},
        "intent_prior": [0.25, 0.75],
        "effect": [NONE, 1, 0, 1],
        "effect_alphabet": ("e", "f"),
        "cluster": [7, 7, 7, 9],
    }
    return given | changes


def refusal(**changes):
    with pytest.raises(EvidenceError) as caught:
        Evidence(**columns(**changes))
    return str(caught.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kind": "steal"}, "kind: got 'steal', takes one of jam, write, read"),
        ({"channel": 3}, "channel: got 3, takes a name"),
        ({"intent_alphabet": "ab"}, "intent_alphabet: got 'ab', takes a sequence of symbols"),
        ({"effect_alphabet": {"e", "f"} - {"f"}}, "effect_alphabet: got {'e'}, takes a sequence of symbols"),
        ({"outcome_alphabet": ("a", "a", "x")}, "outcome_alphabet: the same symbol stands twice"),
        ({"effect_alphabet": ("1", 1)}, "effect_alphabet: the same symbol stands twice"),
        ({"arm": [[0, 0, 1, 1]]}, "column arm: must be one-dimensional"),
        ({"arm": [0, 0, 1, 5]}, "column arm, row 3: got np.int64(5), takes whole numbers from 0 to 4"),
        ({"trial": [0, 1, 0, -1]}, "column trial, row 3: got np.int64(-1), takes whole numbers from 0 to 9007199254740992"),
        ({"trial": [0, 1, 1, 1]}, "column trial, row 3: trial 1 stands twice in arm attacked"),
        ({"trial": [0, 1, 0]}, "column trial: shape (3,), needs (4,) like column arm"),
        ({"intent": [0, 2, 0, 1]}, "column intent, row 1: got np.int64(2), takes whole numbers from -1 to 1"),
        ({"adversary": [NONE, NONE, 2, 0]}, "column adversary, row 2: got np.int64(2), takes whole numbers from -1 to 1"),
        ({"outcome": [0, 1, 3, 0]}, "column outcome, row 2: got np.int64(3), takes whole numbers from -1 to 2"),
        ({"success": [NONE, 0, 2, 0]}, "column success, row 2: got np.int64(2), takes whole numbers from -1 to 1"),
        ({"success": [-2, 0, 1, 0]}, "column success, row 0: got np.int64(-2), takes whole numbers from -1 to 1"),
        ({"effect": [2, 1, 0, 1]}, "column effect, row 0: got np.int64(2), takes whole numbers from -1 to 1"),
        ({"effect": None}, "effect_alphabet: given without a column effect"),
        ({"cluster": [0, 1, -1, 0]}, "column cluster, row 2: got np.int64(-1), takes whole numbers from 0 to 9007199254740992"),
        ({"score": [0.0, np.inf, 0, 0]}, "column score, row 1: got np.float64(inf), takes finite numbers"),
        ({"log2_q": [-1.0, 0.5, -1, -1]}, "column log2_q, row 1: got np.float64(0.5), takes finite numbers from -inf to 1e-09"),
        ({"embedding": np.zeros((3, 2))}, "column embedding: shape (3, 2), needs (4, d)"),
        ({"embedding": np.zeros(4)}, "column embedding: shape (4,), needs (4, d)"),
        ({"embedding": [[0, 0], [0, 0], [0, np.nan], [np.nan, 0]]}, "column embedding, row 2: not finite"),
        ({"embedding": [["a"]] * 4}, "column embedding: got <U1, takes numbers"),
        ({"costs": {"no unit!": [0] * 4}}, "cost 'no unit!': a cost's name is an identifier with its unit, like queries or linf_pixel"),
        ({"costs": {"queries": [0] * 3}}, "cost queries: shape (3,), needs (4,)"),
        ({"costs": {"queries": [0, np.inf, -np.inf, 0]}}, "cost queries, row 1: infinite"),
        ({"costs": {"queries": ["a"] * 4}}, "cost queries: got <U1, takes numbers"),
        ({"intent_prior": [1.0]}, "intent_prior: needs 2 probabilities that sum to 1, got shape (1,), sum 1"),
        ({"intent_prior": [0.5, 0.6]}, "intent_prior: needs 2 probabilities that sum to 1, got shape (2,), sum 1.1"),
        ({"intent_prior": [1.5, -0.5]}, "intent_prior: needs 2 probabilities that sum to 1, got shape (2,), sum 1"),
        ({"intent_prior": [1.0, 0.0]}, "column intent, row 1: got 1, whose intent_prior is 0"),
        ({"intent_prior": ["a", "b"]}, "intent_prior: got <U1, takes numbers"),
    ],
)
def test_every_refusal_says_where_what_and_what_is_taken(changes, words):
    assert refusal(**changes) == words


def test_what_is_taken_and_how_it_is_kept():
    table = Evidence(**columns(intent_alphabet=["a", "b"], log2_q=[1e-9, 0, -1, -2]))
    assert table.intent_alphabet == ("a", "b") and table.log2_q[0] == 1e-9 and Evidence(**columns(success=[-1, 0, 1, -1])).success[3] == -1
    kinds = {
        "arm": np.int8,
        "trial": np.int64,
        "intent": np.int32,
        "adversary": np.int32,
        "outcome": np.int32,
        "success": np.int8,
        "effect": np.int32,
        "cluster": np.int64,
        "score": np.float64,
        "log2_q": np.float64,
        "embedding": np.float32,
        "intent_prior": np.float64,
    }
    assert {name: getattr(table, name).dtype.type for name in kinds} == kinds and table.costs["queries"].dtype == np.float64
    assert not any(getattr(table, name).flags.writeable for name in kinds) and not table.costs["queries"].flags.writeable
    assert Evidence(**columns(trial=[0, 2**53, 0, 1])).trial[1] == 2**53 and len(table) == 4
    certain = columns(intent_prior=[1.0, 0.0], intent=[0, NONE, 0, NONE])
    assert Evidence(**certain).intent.tolist() == [0, NONE, 0, NONE], "no intent is no impossible intent"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert refusal(embedding=[[0, 0], [1e300, 0], [0, 0], [0, 0]]) == "column embedding, row 1: not finite"
    assert sorted(Evidence(**columns(costs={"b": [1] * 4, "a": [2] * 4})).costs) == ["a", "b"]


def test_units_are_clusters_and_without_them_trials():
    assert Evidence(**columns()).units.tolist() == [7, 7, 7, 9]
    assert Evidence(**columns(cluster=None)).units.tolist() == [0, 1, 0, 1]


def test_the_adversary_s_receiver_sees_effects_where_there_are_any():
    seen, alphabet = Evidence(**columns()).received
    assert (seen.tolist(), alphabet) == ([NONE, 1, 0, 1], ("e", "f"))
    seen, alphabet = Evidence(**columns(effect=None, effect_alphabet=())).received
    assert (seen.tolist(), alphabet) == ([0, 1, 2, NONE], ("a", "b", "x"))


OPTIONAL = ("score", "log2_q", "embedding", "effect", "cluster")


def test_rows_and_arms_take_every_column_along():
    table = Evidence(**columns())
    part = table.rows(np.array([3, 0]))
    assert part.trial.tolist() == [1, 0] and part.cluster.tolist() == [9, 7] and part.effect.tolist() == [1, NONE]
    assert part.score.tolist() == [0.0, 0.5] and part.embedding.tolist() == [[6, 7], [0, 1]] and part.log2_q.tolist() == [-3.0, -1.0]
    assert np.array_equal(part.costs["queries"], [np.nan, 1], equal_nan=True) and part.intent_prior.tolist() == [0.25, 0.75]
    assert (part.effect_alphabet, part.kind, part.channel) == (("e", "f"), "write", "image")
    assert table.arms == ("clean", "attacked")
    shuffled = table.rows(np.array([3, 1, 2, 0]))
    assert all(shuffled.of(arm) == table.of(arm) for arm in table.arms) and table.of("attacked").trial.tolist() == [0, 1]
    with pytest.raises(KeyError, match="no rows in arm 'defended'; this evidence has clean, attacked\""):
        table.of("defended")
    with pytest.raises(KeyError, match="no rows in arm 'clean'; this evidence has none\""):
        table.rows(np.arange(0)).of("clean")
    for name in OPTIONAL:
        without = columns(**{name: None} | ({"effect_alphabet": ()} if name == "effect" else {}))
        assert getattr(Evidence(**without).rows(np.array([0])), name) is None
    whole = Evidence(**columns(effect=None, effect_alphabet=()))
    assert whole.rows(np.arange(4)) == whole


def test_joining_keeps_what_is_in_all_and_refuses_what_is_in_some():
    table = Evidence(**columns())
    clean, attacked = table.of("clean"), table.of("attacked")
    assert Evidence.concat([clean, attacked]) == table and Evidence.concat((table,)) == table
    assert Evidence.concat([clean, attacked]).intent_prior.tolist() == [0.25, 0.75]
    third = Evidence(**columns(arm=[2, 2, 2, 2], trial=[0, 1, 2, 3]))
    assert len(Evidence.concat([clean, attacked, third])) == 8
    for name in OPTIONAL:
        without = columns(**{name: None} | ({"effect_alphabet": ()} if name == "effect" else {}))
        bare = Evidence(**without)
        words = (
            "concat: the tables differ in channel, kind, alphabets or prior"
            if name == "effect"
            else f"column {name}: given in some of the tables only"
        )
        for parts in ([clean, bare.of("attacked")], [bare.of("clean"), attacked]):
            with pytest.raises(EvidenceError) as caught:
                Evidence.concat(parts)
            assert str(caught.value) == words
        assert getattr(Evidence.concat([bare.of("clean"), bare.of("attacked")]), name) is None
    with pytest.raises(EvidenceError, match=r"^concat: no tables, takes at least one$"):
        Evidence.concat([])
    differing = {
        "channel": "x",
        "kind": "read",
        "intent_alphabet": ("a", "z"),
        "adversary_alphabet": ("c", "z"),
        "outcome_alphabet": ("a", "b", "z"),
        "effect_alphabet": ("e", "z"),
        "intent_prior": [0.5, 0.5],
    }
    for name, other in differing.items():
        with pytest.raises(EvidenceError, match=r"^concat: the tables differ in channel, kind, alphabets or prior$"):
            Evidence.concat([clean, Evidence(**columns(**{name: other})).of("attacked")])
        with pytest.raises(EvidenceError, match="differ"):
            Evidence.concat([clean, attacked, Evidence(**columns(**{name: other}, arm=[2] * 4, trial=[0, 1, 2, 3]))])
    one = Evidence(**columns(costs={"queries": [1] * 4})).of("clean")
    two = Evidence(**columns(costs={"linf_pixel": [2] * 4})).of("attacked")
    costs = Evidence.concat([one, two]).costs
    assert np.array_equal(costs["queries"], [1, 1, np.nan, np.nan], equal_nan=True)
    assert np.array_equal(costs["linf_pixel"], [np.nan, np.nan, 2, 2], equal_nan=True)


def test_equality_sees_every_column_and_every_part_of_the_header():
    table = Evidence(**columns())
    assert table == Evidence(**columns())
    changed = {
        "channel": "x",
        "kind": "read",
        "intent_alphabet": ("a", "z"),
        "adversary_alphabet": ("c", "z"),
        "outcome_alphabet": ("a", "b", "z"),
        "effect_alphabet": ("e", "z"),
        "arm": [0, 0, 2, 2],
        "trial": [0, 1, 0, 2],
        "intent": [0, 1, 1, 1],
        "adversary": [NONE, 0, 1, 0],
        "outcome": [0, 1, 2, 2],
        "success": [NONE, 0, 1, 1],
        "score": [0.5, -1.0, 2.0, 0.1],
        "log2_q": None,
        "embedding": np.ones((4, 2)),
        "costs": {"queries": [1, 2, 3, 4]},
        "intent_prior": [0.5, 0.5],
        "effect": [0, 1, 0, 1],
        "cluster": [7, 7, 7, 8],
    }
    assert set(changed) == set(columns())
    assert all(table != Evidence(**columns(**{name: value})) for name, value in changed.items())
    assert table != 3 and table.__eq__(3) is NotImplemented


def arrays(**changes):
    kept = Evidence(**columns()).to_arrays()
    for name, value in changes.items():
        if value is None:
            del kept[name]
        else:
            kept[name] = np.frombuffer(value, np.uint8) if isinstance(value, bytes) else value
    return kept


def test_arrays_are_named_and_read_back():
    kept = arrays()
    assert set(kept) == {
        "header",
        "arm",
        "trial",
        "intent",
        "adversary",
        "outcome",
        "success",
        "score",
        "log2_q",
        "embedding",
        "effect",
        "cluster",
        "intent_prior",
        "cost.queries",
    }
    header = json.loads(bytes(kept["header"]))
    assert list(header) == sorted(header) and header == {
        "schema": 1,
        "channel": "image",
        "kind": "write",
        "intent_alphabet": ["a", "b"],
        "adversary_alphabet": ["c", "d"],
        "outcome_alphabet": ["a", "b", "x"],
        "effect_alphabet": ["e", "f"],
    }
    assert kept["header"].dtype == np.uint8 and Evidence.from_arrays(kept) == Evidence(**columns())
    assert Evidence.from_arrays(arrays(header=np.frombuffer(bytes(kept["header"]), np.uint8).astype(np.int64))) == Evidence(**columns())
    plain = Evidence(**columns(effect=None, effect_alphabet=(), intent_prior=None, cluster=None, costs={})).to_arrays()
    assert not {"effect", "cluster", "intent_prior", "cost.queries"} & set(plain) and b"effect_alphabet" not in bytes(plain["header"])


KNOWN = "adversary, arm, cluster, effect, embedding, header, intent, intent_prior, log2_q, outcome, score, success, trial"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"header": None}, "column header: missing"),
        ({"intent": None}, "column intent: missing"),
        ({"success": None}, "column success: missing"),
        ({"surprise": np.zeros(4)}, f"column surprise: unknown; this table takes {KNOWN} and cost.NAME"),
        ({"zebra": np.zeros(4), "ape": np.zeros(4)}, f"column ape: unknown; this table takes {KNOWN} and cost.NAME"),
        ({"header": b"{"}, "column header: not JSON (Expecting property name enclosed in double quotes: line 1 column 2 (char 1))"),
        ({"header": b"[1]"}, "column header: needs schema 1"),
        ({"header": b"{}"}, "column header: needs schema 1"),
        ({"header": b'{"schema": 2}'}, "column header: needs schema 1"),
        ({"cost.queries": np.zeros(2)}, "cost queries: shape (2,), needs (4,)"),
    ],
)
def test_arrays_that_are_no_table_are_refused_by_name(changes, words):
    with pytest.raises(EvidenceError) as caught:
        Evidence.from_arrays(arrays(**changes))
    assert str(caught.value) == words


def test_a_header_that_names_something_else_is_refused():
    with pytest.raises(EvidenceError, match=r"^column header: .*color"):
        Evidence.from_arrays(arrays(header=b'{"schema": 1, "color": "red"}'))
    listed = json.loads(bytes(arrays()["header"])) | {"channel": ["image"]}
    with pytest.raises(EvidenceError, match=r"^channel: got \('image',\), takes a name$"):
        Evidence.from_arrays(arrays(header=json.dumps(listed).encode()))


def test_an_archive_is_the_same_bytes_for_equal_tables_and_is_read_without_pickle(tmp_path):
    table = Evidence(**columns(score=np.zeros(4), embedding=np.zeros((4, 500))))
    raw = table.to_bytes()
    assert raw == Evidence(**columns(score=np.zeros(4), embedding=np.zeros((4, 500)))).to_bytes()
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        infos = archive.infolist()
    assert [info.filename for info in infos] == [f"{name}.npy" for name in table.to_arrays()]
    assert {info.compress_type for info in infos} == {zipfile.ZIP_DEFLATED} and len(raw) < 4 * 500 * 4
    path = tmp_path / "e.npz"
    path.write_bytes(raw)
    assert Evidence.load(path) == table
    np.save(tmp_path / "single.npy", np.zeros(3))
    with pytest.raises(EvidenceError, match=r"single.npy: not an evidence archive \(a single array\)$"):
        Evidence.load(tmp_path / "single.npy")
    path.write_bytes(raw[:-30])
    with pytest.raises(EvidenceError, match=r"e.npz: not an evidence archive \(.+\)$"):
        Evidence.load(path)
    np.savez(path, header=np.zeros(1, np.uint8))
    with pytest.raises(EvidenceError, match=r"^column header: not JSON"):
        Evidence.load(path)
    with pytest.raises(OSError, match="nowhere"):
        Evidence.load(tmp_path / "nowhere.npz")
