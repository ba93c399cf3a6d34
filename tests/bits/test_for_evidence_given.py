"""What each measure is given of a table, row by row and by hand: measures here keep what they get and compute nothing."""

from __future__ import annotations

import importlib
from types import SimpleNamespace

import numpy as np
import pytest

from hartley.bits.clustered import one_row_of_each
from hartley.bits.for_evidence import for_evidence
from hartley.bits.trust import GATE
from hartley.bits.value import Bits
from hartley.evidence import ARMS, NONE, Evidence

MODULE = importlib.import_module("hartley.bits.for_evidence")
KINDS = {
    "information": None,
    "capacity": "capacity_bits",
    "membership": None,
    "conditional_information": None,
    "margin": "margin_bits",
    "sent_bits": "sent_bits",
    "deployed_information": "deployed_bits",
    "misinformation": "misinformation_bits",
    "maximal_leakage": "maximal_leakage_bits",
    "certified_information": "certified_bits",
}
WORDS = {
    "no intent": "no intent in this arm: the user asked for nothing that could be lost",
    "no symbol": "no adversary symbol in this arm",
    "jam": "a jam has no adversary symbol: it takes from the user and writes nothing",
    "jam margin": "a jam has no adversary symbol to set against the user's bits",
    "no clean": "no clean arm to compare with",
}


@pytest.fixture
def given(monkeypatch):
    """name of a measure to the (arguments, keywords) of its calls, which give numbers that say nothing."""
    calls = {}

    def keep(name, answer):
        def measure(*arguments, **keywords):
            calls.setdefault(name, []).append((arguments, keywords))
            return answer(keywords)

        monkeypatch.setattr(MODULE, name, measure)

    for name, kind in KINDS.items():
        keep(name, lambda keywords, kind=kind: Bits.unmeasured(kind or keywords["kind"], "a fake"))
    keep(
        "channel_reading",
        lambda _: SimpleNamespace(**{name: Bits.unmeasured(f"{name}_bits", "a fake") for name in ("mixture", "c_g", "alignment_loss")}),
    )
    keep("signal_and_noise", lambda _: (Bits.unmeasured("signal_loss_bits", "a fake"), Bits.unmeasured("noise_gain_bits", "a fake")))
    return calls


def table(arm="attacked", kind="write", **changes):
    """Six rows; rows 2 and 5 without an intent, 1 and 5 without an adversary's symbol, row 3 without an answer."""
    columns = {
        "intent": [0, 1, NONE, 0, 2, NONE],
        "adversary": [1, NONE, 1, 3, 1, NONE],
        "outcome": [0, 1, 2, NONE, 0, 1],
        "success": [NONE] * 6,
        "cluster": [5, 5, 6, 6, 7, 8],
    } | changes
    rows = len(columns["intent"])
    return Evidence(
        channel="x",
        kind=kind,
        intent_alphabet=("a", "b", "c", "d"),
        adversary_alphabet=columns.pop("adversary_alphabet", ("p", "q", "r", "s")),
        outcome_alphabet=("a", "b", "c"),
        arm=np.full(rows, ARMS.index(arm)),
        trial=np.arange(rows),
        **columns,
    )


def matches(found, wanted):
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        same = np.array_equal(found[name], value) if isinstance(value, list) else found[name] == value
        assert same, (name, found[name], value)


def kinds(found):
    return [(arm, bits.kind) for arm, bits in found]


def why(found, kind):
    return next(bits.why for _, bits in found if bits.kind == kind)


def test_the_user_s_bits_are_of_rows_with_an_intent_and_no_answer_is_a_symbol(given):
    for_evidence(table(intent_prior=[0.5, 0.25, 0.25, 0.0]))
    ((_, one), _) = given["information"]
    wanted = {"x": [0, 1, 0, 2], "y": [0, 1, 3, 0], "inputs": 3, "outcomes": 4, "prior": [0.5, 0.25, 0.25], "cluster": [5, 5, 6, 7]}
    matches(one, wanted | {"kind": "utility_bits"})
    given.clear()
    for_evidence(table(outcome=[0, 1, 2, 1, 0, 1], cluster=None))
    matches(
        given["information"][0][1],
        {"x": [0, 1, 0, 2], "y": [0, 1, 1, 0], "inputs": 3, "outcomes": 3, "cluster": None, "kind": "utility_bits"},
    )


def test_an_impossible_intent_is_no_input_and_one_that_never_came_is(given):
    """A prior says which intents there can be, and without one those that came."""
    for_evidence(table(intent=[0, 3, 0, 3, 0, 3], intent_prior=[0.5, 0.0, 0.25, 0.25]))
    matches(
        given["information"][0][1],
        {"x": [0, 2, 0, 2, 0, 2], "y": [0, 1, 2, 3, 0, 1], "inputs": 3, "outcomes": 4, "prior": [0.5, 0.25, 0.25],
         "cluster": [5, 5, 6, 6, 7, 8], "kind": "utility_bits"},
    )  # fmt: skip
    for_evidence(table(intent=[0, 3, 0, 3, 0, 3]))
    assert given["information"][2][1]["inputs"] == 2 and given["information"][2][1]["x"].tolist() == [0, 1, 0, 1, 0, 1]


def test_the_adversary_s_bits_are_of_all_rows_and_nothing_written_is_a_symbol(given):
    for_evidence(table())
    wanted = {"x": [0, 2, 0, 1, 0, 2], "y": [0, 1, 2, 3, 0, 1], "inputs": 3, "outcomes": 4, "cluster": [5, 5, 6, 6, 7, 8]}
    matches(given["information"][1][1], wanted | {"kind": "adversary_bits"})
    matches(given["capacity"][0][1], wanted)
    given.clear()
    for_evidence(table(effect=[0, 1, 0, 1, 0, NONE], effect_alphabet=("e", "f")))
    wanted |= {"y": [0, 1, 0, 1, 0, 2], "outcomes": 3}
    matches(given["information"][1][1], wanted | {"kind": "adversary_bits"})
    matches(given["capacity"][0][1], wanted)
    assert given["information"][0][1]["y"].tolist() == [0, 1, 3, 0], "the user's bits are of the outcome"


@pytest.mark.parametrize(("arm", "attacked"), [(arm, "attacked" in arm or "adaptive" in arm) for arm in ARMS])
def test_capacity_is_measured_where_an_adversary_acts(arm, attacked, given):
    found = for_evidence(table(arm))
    expected = ["utility_bits", "adversary_bits", "margin_bits", "sent_bits"] + ["capacity_bits"] * attacked
    assert kinds(found) == [(arm, kind) for kind in expected] and ("capacity" in given) is attacked


def test_the_margin_is_of_the_two_and_what_was_sent_is_of_the_intents(given):
    found = for_evidence(table(intent_prior=[0.25] * 4))
    (((utility, adversary), _),) = given["margin"]
    assert [utility, adversary] == [bits for _, bits in found[:2]] and (utility.kind, adversary.kind) == ("utility_bits", "adversary_bits")
    (((intent, prior), _),) = given["sent_bits"]
    assert intent.tolist() == [0, 1, 0, 2] and prior.tolist() == [0.25] * 4
    given.clear()
    for_evidence(table())
    assert given["sent_bits"][0][0][1] is None


def test_what_is_missing_is_not_measured_and_says_so(given):
    nobody = for_evidence(table(adversary=[NONE] * 6, embedding=np.ones((6, 2))))
    assert why(nobody, "adversary_bits") == why(nobody, "capacity_bits") == WORDS["no symbol"] and "capacity" not in given
    assert why(nobody, "signal_loss_bits") == why(nobody, "noise_gain_bits") == WORDS["no clean"]
    silent = for_evidence(table(intent=[NONE] * 6, embedding=np.ones((6, 2)), log2_q=-np.ones(6)))
    assert why(silent, "utility_bits") == WORDS["no intent"]
    assert kinds(silent) == [("attacked", kind) for kind in ("utility_bits", "adversary_bits", "margin_bits", "capacity_bits")]
    jam = for_evidence(table(kind="jam", adversary=[NONE] * 6))
    assert (why(jam, "adversary_bits"), why(jam, "margin_bits")) == (WORDS["jam"], WORDS["jam margin"])
    assert kinds(jam) == [("attacked", kind) for kind in ("utility_bits", "adversary_bits", "margin_bits", "sent_bits")]
    assert {bits.n for found in (nobody, silent, jam) for _, bits in found if bits.why in WORDS.values()} == {6}


def test_the_head_s_bits_are_of_rows_with_an_intent(given):
    q = [-1.0, -2.0, -3.0, 1e-10, -5.0, -6.0]
    found = for_evidence(table(log2_q=q, intent_prior=[0.5, 0.25, 0.125, 0.125]))
    assert kinds(found)[4:6] == [("attacked", "deployed_bits"), ("attacked", "misinformation_bits")]
    for name in ("deployed_information", "misinformation"):
        (((own, prior), keywords),) = given[name]
        assert own.tolist() == [-1.0, -2.0, 0.0, -5.0] and prior.tolist() == [-1.0, -2.0, -1.0, -3.0]
        matches(keywords, {"cluster": [5, 5, 6, 7]})
    given.clear()
    for_evidence(table(log2_q=q, cluster=None))
    ((_, prior), keywords) = given["deployed_information"][0]
    assert prior.tolist() == [-1.0, -2.0, -1.0, -2.0] and keywords == {"cluster": None}, "without a law their shares stand for it"


def secrets(arm="attacked", **changes):
    return table(arm, "read", adversary_alphabet=("no", "yes"), **({"adversary": [0, 1, NONE, 1, 0, 1]} | changes))


def test_a_secret_of_two_with_a_score_is_membership(given):
    found = for_evidence(secrets(score=np.arange(6.0)))
    (((score, member), keywords),) = given["membership"]
    assert score.tolist() == [0, 1, 3, 4, 5] and member.tolist() == [0, 1, 1, 0, 1]
    matches(keywords, {"cluster": [5, 5, 6, 7, 8], "kind": "adversary_bits"})
    assert kinds(found) == [("attacked", kind) for kind in ("utility_bits", "adversary_bits", "margin_bits", "sent_bits")]
    for changed in (
        secrets(),
        table(kind="read", score=np.arange(6.0)),
        table(adversary_alphabet=("no", "yes"), adversary=[0] * 6, score=np.arange(6.0)),
    ):
        for_evidence(changed)
    assert len(given["membership"]) == 1, "without a score, of more symbols than two, or written, it is no membership"


def test_a_secret_read_otherwise_has_capacity_and_leakage_in_every_arm(given):
    for arm in ("clean", "attacked", "defended"):
        assert [kind for _, kind in kinds(for_evidence(secrets(arm, cluster=None)))][3:] == [
            "sent_bits",
            "capacity_bits",
            "maximal_leakage_bits",
        ]
    ((counts,), keywords) = given["maximal_leakage"][0]
    assert keywords == {"inputs": 3}, "no, yes, and no secret"
    for_evidence(secrets(cluster=None, adversary=[0, 1, 0, 1, 0, 1]))
    assert given["maximal_leakage"][-1][1] == {"inputs": 2}
    # rows: no, yes, no secret; columns: three outcomes and no answer
    assert counts.tolist() == [[2, 0, 0, 0], [0, 2, 0, 1], [0, 0, 1, 0]]
    none = for_evidence(secrets(adversary=[NONE] * 6))
    assert [kind for _, kind in kinds(none)] == ["utility_bits", "adversary_bits", "margin_bits", "sent_bits"]


@pytest.mark.parametrize(
    ("per_cell", "per_input", "measured"), [(1, 1, True), (2, 1, False), (1.5, 1, True), (1, 2, False), (1, 1.5, False)]
)
def test_what_is_written_given_the_user_needs_rows_for_every_cell_and_every_input(per_cell, per_input, measured, given, monkeypatch):
    """Six rows in four cells of (symbol, outcome, intent); of the four pairs of symbol and intent the rarest has one row."""
    monkeypatch.setattr(MODULE, "TRIALS_PER_CELL", per_cell)
    monkeypatch.setattr(MODULE, "TRIALS_PER_INPUT", per_input)
    columns = {
        "intent": [0, 0, 0, 0, 1, 1, NONE, 1], "adversary": [0, 0, 1, 1, 0, 1, 0, NONE], "outcome": [0, 0, 1, 1, 0, 2, 2, 2],
        "success": [0] * 8, "cluster": [1, 1, 2, 2, 3, 3, 4, 5],
    }  # fmt: skip
    found = for_evidence(table(**columns))
    assert ("adversary_given_user_bits" in {bits.kind for _, bits in found}) is measured
    if measured:
        (((a, y, u), keywords),) = given["conditional_information"]
        assert (a.tolist(), y.tolist(), u.tolist()) == ([0, 0, 1, 1, 0, 1], [0, 0, 1, 1, 0, 2], [0, 0, 0, 0, 1, 1])
        matches(keywords, {"cluster": [1, 1, 2, 2, 3, 3], "kind": "adversary_given_user_bits"})
    effects = table(**columns, effect=[1] * 8, effect_alphabet=("e", "f"))
    for_evidence(effects)
    assert given["conditional_information"][-1][0][1].tolist() == [1] * 6 if measured else "conditional_information" not in given
    alone = for_evidence(table(**(columns | {"adversary": [NONE] * 8})))
    assert "adversary_given_user_bits" not in {bits.kind for _, bits in alone}
    assert "adversary_given_user_bits" not in {bits.kind for _, bits in for_evidence(table("defended", **columns))}


def vectors(rows, start=0.0):
    return (np.arange(2.0 * rows).reshape(rows, 2) + start).astype(np.float32)


def test_an_embedding_is_read_in_rows_with_an_intent_one_of_each_cluster(given):
    found = for_evidence(table("clean", embedding=vectors(6), intent_prior=[0.25] * 4))
    assert kinds(found)[-4:] == [("clean", kind) for kind in ("mixture_bits", "certified_bits", "c_g_bits", "alignment_loss_bits")]
    kept = np.array([0, 1, 3, 4])[one_row_of_each(np.array([0, 0, 1, 2]), np.array([0, 1, 0, 2]))]
    for name, rest in (("channel_reading", {"reference": None}), ("certified_information", {})):
        (((embedding, intent), keywords),) = given[name]
        assert embedding.tolist() == vectors(6)[kept].tolist() and intent.tolist() == np.array([0, 1, NONE, 0, 2, NONE])[kept].tolist()
        matches(keywords, {"prior": [0.25] * 4, **rest})
    given.clear()
    for_evidence(table("clean", embedding=vectors(6), cluster=None))
    ((embedding, intent), _) = given["channel_reading"][0]
    assert embedding.tolist() == vectors(6)[[0, 1, 3, 4]].tolist() and intent.tolist() == [0, 1, 0, 2]
    given.clear()
    for_evidence(secrets(embedding=vectors(6)))
    assert "channel_reading" not in given


def test_concepts_are_those_of_the_clean_arm_where_it_has_all_of_them(given):
    clean = table("clean", embedding=vectors(6), cluster=None, intent=[0, 1, 2, 3, 0, NONE])
    for_evidence(Evidence.concat([clean, table(embedding=vectors(6, 100), cluster=None)]))
    ((_, first), (_, second)) = given["channel_reading"]
    assert first["reference"] is None
    embedding, intent = second["reference"]
    assert intent.tolist() == [0, 1, 2, 0] and embedding.tolist() == vectors(6)[[0, 1, 2, 4]].tolist(), "of the intents of both"
    given.clear()
    fewer = table("clean", embedding=vectors(6), cluster=None, intent=[0, 1, 0, 1, 0, NONE])
    for_evidence(Evidence.concat([fewer, table(embedding=vectors(6, 100), cluster=None)]))
    assert [keywords["reference"] for _, keywords in given["channel_reading"]] == [None, None]


def test_signal_and_noise_are_of_an_arm_beside_the_clean_one(given):
    clean = table("clean", embedding=vectors(6))
    found = for_evidence(Evidence.concat([clean, table(embedding=vectors(6, 100), intent=[NONE, 1, 1, 0, 2, 2])]))
    assert kinds(found)[-2:] == [("attacked", "signal_loss_bits"), ("attacked", "noise_gain_bits")]
    (((before, after), _),) = given["signal_and_noise"]
    for condition, rows, start, intent in ((before, [0, 1, 3, 4], 0, [0, 1, 0, 2]), (after, [1, 2, 3, 4, 5], 100, [1, 1, 0, 2, 2])):
        parts = [np.asarray(part).tolist() for part in vars(condition).values()]
        assert parts[:3] == [vectors(6, start)[rows].tolist(), intent, np.array([5, 5, 6, 6, 7, 8])[rows].tolist()]
    given.clear()
    trials = Evidence.concat([table("clean", embedding=vectors(6), cluster=None), table(embedding=vectors(6), cluster=None)])
    for_evidence(trials)
    assert np.asarray(list(vars(given["signal_and_noise"][0][0][1]).values())[2]).tolist() == [0, 1, 3, 4]


@pytest.mark.parametrize(
    ("shuffled", "raos", "low", "value"),
    [(0.001, 0.002, 0.5, 0.7), (GATE, GATE, 0.5, 0.7), (0.02, 0.001, 0.0, None), (0.001, 0.02, 0.0, None)],
)
def test_maximal_leakage_over_clusters_is_that_of_effective_trials(shuffled, raos, low, value, given, monkeypatch):
    """Every trial comes four times in its cluster: limits are those of a quarter of the trials, and both tests must find something."""
    asked = []

    def leakage(counts, *, inputs):
        asked.append(counts.tolist())
        assert inputs == 4, "secrets that were never tried leak as well"
        return Bits(0.7, 0.5, 1.0, int(counts.sum()), "by hand", "maximal_leakage_bits", True, "", {"own": 1.0})

    def marked(bits):
        return Bits(**{**vars(bits), "clusters": 3, "design_effect": 4.0})

    monkeypatch.setattr(MODULE, "maximal_leakage", leakage)
    monkeypatch.setattr(MODULE, "table_design", lambda cube, prior: SimpleNamespace(spread=4.0, independence_p=raos, marked=marked))
    trials_of = MODULE.trials_of

    def trials(**columns):
        real = trials_of(**columns)
        return SimpleNamespace(
            counts=real.counts,
            unit=real.unit,
            alone=real.alone,
            cube=real.cube,
            null=lambda permutations, seed: SimpleNamespace(p=shuffled),
        )

    monkeypatch.setattr(MODULE, "trials_of", trials)
    columns = {"intent": [NONE] * 13, "adversary": [0] * 8 + [1] * 4 + [2], "outcome": [0] * 8 + [1] * 5, "success": [0] * 13}
    clustered = table(kind="read", cluster=[0] * 4 + [1] * 4 + [2] * 5, **columns)
    (one,) = [bits for _, bits in for_evidence(clustered) if bits.kind == "maximal_leakage_bits"]
    # the third input has one trial: less than half an effective one, and it keeps one
    assert asked == [[[2, 0, 0], [0, 1, 0], [0, 1, 0]]]
    assert (one.value, one.low, one.high, one.n, one.trusted) == (value, low, 1.0, 13, value is not None)
    assert one.checks == {"own": 1.0, "permutation_p": max(shuffled, raos)} and (one.clusters, one.estimator) == (3, "by hand")
    assert one.why.startswith("no channel detected (permutation p = 0.020); if there is one it carries less than 1.000 bits") is (
        value is None
    )
    (alone,) = [bits for _, bits in for_evidence(table(kind="read", cluster=[4] * 13, **columns)) if bits.kind == "maximal_leakage_bits"]
    assert (alone.value, alone.high, alone.n, alone.clusters) == (None, None, 13, 1) and len(asked) == 1


def test_a_leak_that_its_own_rules_withhold_stays_withheld_over_clusters(given, monkeypatch):
    monkeypatch.setattr(
        MODULE, "maximal_leakage", lambda counts, inputs: Bits(None, 0.5, 1.0, 3, "by hand", "maximal_leakage_bits", False, "too few")
    )
    design = SimpleNamespace(spread=1.0, independence_p=0.0, marked=lambda bits: bits)
    monkeypatch.setattr(MODULE, "table_design", lambda cube, prior: design)
    generator = np.random.default_rng(0)
    secret = np.repeat(generator.integers(0, 3, 30), 4)
    columns = {"intent": [NONE] * 120, "adversary": secret, "outcome": secret, "success": [0] * 120, "cluster": np.repeat(np.arange(30), 4)}
    (one,) = [bits for _, bits in for_evidence(table(kind="read", **columns)) if bits.kind == "maximal_leakage_bits"]
    assert (one.value, one.low, one.why) == (None, 0.5, "too few")


def test_arms_come_in_their_order_and_each_is_measured_by_itself(given):
    parts = [table(arm) for arm in ("defended", "attacked", "clean")]
    found = for_evidence(Evidence.concat(parts))
    assert [arm for arm, _ in found] == ["clean"] * 4 + ["attacked"] * 5 + ["defended"] * 4
    assert len(given["information"]) == 6 and for_evidence(parts[0].rows(np.arange(0))) == ()
