"""for_evidence: which measures come out of which evidence, and that they are right, repeatable and quick."""

import subprocess
import sys

import numpy as np
import pytest

from hartley.bits.for_evidence import for_evidence
from hartley.evidence import ARMS, NONE, Evidence

DIGITS = tuple("0123456789")
PRIOR = np.full(10, 0.1)


def arm(name, kind="write", n=400, hit=0.0, keep=1.0, seed=0, d=64, **changes):
    """Each trial answers the target with chance `hit`, else the truth with chance `keep`, else anything."""
    generator = np.random.default_rng([seed, ARMS.index(name)])
    intent, adversary = np.arange(n) % 10, generator.integers(0, 10, n)
    coin = generator.random(n)
    outcome = np.where(coin < hit, adversary, np.where(coin < hit + keep * (1 - hit), intent, generator.integers(0, 10, n)))
    centers = np.random.default_rng(5).normal(size=(10, d))
    z = centers[outcome] + 0.8 * generator.normal(size=(n, d))
    columns = {
        "success": (outcome == adversary).astype(int),
        "log2_q": np.where(outcome == intent, -0.05, -8.0) - 0.01 * generator.random(n),
        "embedding": (z / np.linalg.norm(z, axis=1, keepdims=True)).astype(np.float32),
        "intent_prior": PRIOR,
    }
    if kind == "jam":
        adversary = np.full(n, NONE)
    symbols = {"intent": intent, "adversary": adversary, "outcome": outcome}
    return Evidence("image", kind, DIGITS, DIGITS, DIGITS, np.full(n, ARMS.index(name)), np.arange(n), **(symbols | columns | changes))


def write():
    return Evidence.concat(
        [arm("clean"), arm("attacked", hit=0.97, keep=0.3), arm("defended", keep=0.97), arm("defended_attacked", hit=0.2)]
    )


def by(found, name, kind):
    one = [bits for where, bits in found if (where, bits.kind) == (name, kind)]
    assert len(one) == 1, (name, kind, len(one))
    return one[0]


def test_a_write_gets_every_measure():
    found = for_evidence(write())
    common = ["utility_bits", "adversary_bits", "margin_bits", "sent_bits", "deployed_bits", "misinformation_bits"]
    kinds = {name: [bits.kind for where, bits in found if where == name] for name in ("clean", "attacked", "defended", "defended_attacked")}
    carried = ["embedding_bits", "certified_bits", "c_g_bits", "alignment_loss_bits"]
    changes = ["signal_loss_bits", "noise_gain_bits"]
    assert kinds["clean"] == [*common, *carried]
    assert kinds["attacked"] == kinds["defended_attacked"] == [*common, "capacity_bits", *carried, *changes]
    assert kinds["defended"] == [*common, *carried, *changes]
    assert [where for where, _ in found] == sorted((where for where, _ in found), key=ARMS.index)


def test_a_write_reads_as_what_it_is():
    found = for_evidence(write())
    assert by(found, "clean", "utility_bits").value == pytest.approx(np.log2(10), abs=1e-6)
    assert "no channel detected" in by(found, "clean", "adversary_bits").why
    assert by(found, "clean", "margin_bits").low > 2
    assert by(found, "attacked", "utility_bits").high < 0.5
    assert by(found, "attacked", "adversary_bits").low > 2.5
    assert by(found, "attacked", "margin_bits").high < -2
    assert by(found, "attacked", "capacity_bits").low > 2.5
    assert by(found, "attacked", "deployed_bits").high < 0 < by(found, "attacked", "misinformation_bits").low
    assert by(found, "clean", "misinformation_bits").value == 0
    assert by(found, "attacked", "signal_loss_bits").low > 1
    assert by(found, "defended", "signal_loss_bits").high < 1 and "uncapped" in by(found, "defended", "signal_loss_bits").estimator


def test_the_embedding_says_what_it_carries():
    found = for_evidence(write())
    for name, bar in (("clean", 3.0), ("defended", 2.7)):
        assert by(found, name, "embedding_bits").low > bar
        assert by(found, name, "certified_bits").low > bar
    assert by(found, "attacked", "certified_bits").low < 0.2
    assert by(found, "attacked", "alignment_loss_bits").high < 0.5


def test_what_is_written_whatever_the_user_meant_is_counted_where_the_trials_allow():
    few = arm("attacked", hit=0.9)
    assert "adversary_given_user_bits" not in {bits.kind for _, bits in for_evidence(few)}
    generator = np.random.default_rng(0)
    intent, adversary = generator.integers(0, 2, (2, 400))
    columns = {"intent": intent, "adversary": adversary, "outcome": intent ^ adversary, "success": np.zeros(400), "intent_prior": None}
    found = for_evidence(arm("attacked", **columns))
    assert by(found, "attacked", "adversary_bits").value == 0
    assert by(found, "attacked", "adversary_given_user_bits").value == pytest.approx(1.0, abs=0.01)


def test_a_secret_of_several_symbols_leaks_in_three_readings():
    generator = np.random.default_rng(1)
    secret = np.arange(600) % 4
    seen = np.where(generator.random(600) < 0.8, secret, generator.integers(0, 4, 600))
    none, names = np.full(600, NONE), tuple("abcd")
    found = for_evidence(Evidence("probe", "read", (), names, names, np.ones(600), np.arange(600), none, secret, seen, np.zeros(600)))
    information, capacity, maximal = (by(found, "attacked", f"{kind}_bits") for kind in ("adversary", "capacity", "maximal_leakage"))
    assert 1.0 < information.value <= capacity.value + 0.01 < maximal.high
    assert maximal.low <= np.log2(4 * 0.85) <= maximal.high


def test_a_jam_has_no_adversary_symbol():
    found = for_evidence(Evidence.concat([arm("clean", "jam"), arm("attacked", "jam", keep=0.2)]))
    for name in ("clean", "attacked"):
        for kind in ("adversary_bits", "margin_bits"):
            assert by(found, name, kind).low is None and "a jam has no adversary symbol" in by(found, name, kind).why
    assert by(found, "attacked", "utility_bits").high < by(found, "clean", "utility_bits").low
    assert "capacity_bits" not in {bits.kind for _, bits in found}


def membership_evidence(shift, n=500):
    generator = np.random.default_rng(1)
    member = np.arange(n) % 2
    score = generator.normal(size=n) + shift * member
    none = np.full(n, NONE)
    guess = (score > shift / 2).astype(int)
    return Evidence("score", "read", (), ("non-member", "member"), ("non-member", "member"), np.ones(n), np.arange(n), none, member, guess,
                    (guess == member).astype(int), score=score)  # fmt: skip


def test_a_read_gets_the_membership_bracket():
    found = for_evidence(membership_evidence(2.0))
    adversary = by(found, "attacked", "adversary_bits")
    assert 0 < adversary.low < adversary.value < adversary.high and "advantage" in adversary.checks
    assert "no intent" in by(found, "attacked", "utility_bits").why
    assert by(found, "attacked", "margin_bits").low is None
    assert len(found) == 3


def test_a_read_without_a_score_is_counted():
    e = membership_evidence(2.0)
    bare = Evidence(
        e.channel, e.kind, (), e.adversary_alphabet, e.outcome_alphabet, e.arm, e.trial, e.intent, e.adversary, e.outcome, e.success
    )
    assert "plug-in bracket" in by(for_evidence(bare), "attacked", "adversary_bits").estimator


def test_a_backdoor_is_a_write_of_its_trigger():
    """Half of the trials carry the trigger; with it the answer is 7."""
    clean = arm("clean")
    attacked = arm("attacked")
    trigger = np.arange(400) // 10 % 2
    outcome = np.where(trigger == 1, 7, attacked.intent)
    columns = {"adversary": trigger, "outcome": outcome, "success": np.where(trigger == 1, 1, NONE)}
    parts = [
        Evidence("image", "write", DIGITS, ("no trigger", "trigger"), DIGITS, one.arm, one.trial, one.intent,
                 c["adversary"], c["outcome"], c["success"], log2_q=one.log2_q, embedding=one.embedding, intent_prior=PRIOR)
        for one, c in ((clean, columns | {"outcome": clean.outcome, "success": np.full(400, NONE)}), (attacked, columns))
    ]  # fmt: skip
    found = for_evidence(Evidence.concat(parts))
    # A is 1 bit; 7 is also said rightly in a tenth of the trials without trigger
    truth = 1 - 0.55 * (-(10 / 11) * np.log2(10 / 11) - (1 / 11) * np.log2(1 / 11))
    adversary = by(found, "attacked", "adversary_bits")
    assert adversary.low <= truth <= adversary.high and adversary.value == pytest.approx(truth, abs=0.02)
    assert by(found, "clean", "adversary_bits").low == 0


def test_none_is_a_symbol_of_its_own():
    """No answer is an answer: refusing exactly the odd digits tells one bit. No adversary beside one: nothing written."""
    silent = np.where(np.arange(400) % 10 % 2 == 1, NONE, 0)
    found = for_evidence(arm("attacked", outcome=silent, success=np.zeros(400)))
    assert by(found, "attacked", "utility_bits").value == pytest.approx(1.0, abs=1e-6)
    written = np.where(np.arange(400) // 10 % 2 == 1, 7, NONE)
    found = for_evidence(arm("attacked", adversary=written, outcome=np.where(written == 7, 7, 3), success=np.zeros(400)))
    assert by(found, "attacked", "adversary_bits").value == pytest.approx(1.0, abs=1e-3)


def test_what_cannot_be_measured_says_so():
    nobody = arm("attacked", adversary=np.full(400, NONE))
    assert "no adversary symbol" in by(for_evidence(nobody), "attacked", "adversary_bits").why
    assert "no adversary symbol" in by(for_evidence(nobody), "attacked", "capacity_bits").why
    assert "no clean arm" in by(for_evidence(nobody), "attacked", "signal_loss_bits").why
    same = arm("attacked", adversary=np.full(400, 3))
    assert "one input symbol" in by(for_evidence(same), "attacked", "adversary_bits").why
    bare = arm("attacked", log2_q=None, embedding=None)
    assert [bits.kind for _, bits in for_evidence(bare)] == ["utility_bits", "adversary_bits", "margin_bits", "sent_bits", "capacity_bits"]


def test_an_arm_of_one_row_and_a_table_of_none():
    table = write()
    for size in (1, 2, 3):
        for where, bits in for_evidence(table.rows(np.arange(size))):
            assert where == "clean"
            assert bits.value is None or bits.kind in ("sent_bits", "deployed_bits", "misinformation_bits")
    assert for_evidence(table.rows(np.arange(0))) == ()


def test_the_order_of_rows_changes_nothing_and_the_bytes_neither():
    table = write()
    shuffled = table.rows(np.random.default_rng(0).permutation(len(table)))
    assert for_evidence(shuffled) == for_evidence(table)


def society(cluster, kind="write", n=400, **changes):
    """Where the adversary's symbol is the same throughout a cluster and three outcomes in four are the cluster's own."""
    generator = np.random.default_rng(0)
    a = np.asarray(cluster) % 2
    outcome = np.where(generator.random(n) < 0.25, np.arange(n) // 2 % 2, generator.integers(0, 2, 400)[np.asarray(cluster) % 400])
    binary = ("no", "yes")
    columns = {"intent": np.arange(n) // 2 % 2, "adversary": a, "outcome": outcome, "success": (a == outcome).astype(int)}
    return Evidence("edge", kind, binary, binary, binary, np.ones(n), np.arange(n), cluster=cluster,
                    log2_q=np.where(outcome == 1, -0.2, -3.0), **(columns | changes))  # fmt: skip


def test_clusters_are_behind_every_number():
    g = np.arange(400) // 20
    found = for_evidence(society(g))
    measured = [bits for _, bits in found if bits.low is not None and bits.kind != "sent_bits"]
    kinds = {"utility_bits", "adversary_bits", "margin_bits", "deployed_bits", "misinformation_bits", "adversary_given_user_bits"}
    assert kinds | {"capacity_bits"} == {bits.kind for bits in measured}
    assert all(bits.clusters == 20 and bits.design_effect >= 1 for bits in measured)


def test_what_societies_have_in_common_is_not_the_adversarys():
    """Eight ways of answering, each with its symbol: rows say that something is written, societies do not."""
    alarms = rows = 0
    for seed in range(30):
        table = society(np.arange(400) // 40, outcome=np.random.default_rng(seed).integers(0, 2, 10)[np.arange(400) // 40])
        bare = Evidence.from_arrays({name: column for name, column in table.to_arrays().items() if name != "cluster"})
        alarms += by(for_evidence(table), "attacked", "adversary_bits").low > 0
        rows += by(for_evidence(bare), "attacked", "adversary_bits").low > 0
    assert alarms <= 1
    assert rows >= 5


def test_one_society_is_not_measured():
    for where, bits in for_evidence(society(np.zeros(400, dtype=int), adversary=np.arange(400) % 2)):
        if bits.kind == "sent_bits":
            continue
        assert where == "attacked" and (bits.value, bits.low, bits.high, bits.clusters) == (None, None, None, 1), bits.kind
        assert "how much others would differ cannot be told" in bits.why


def test_a_cluster_each_gives_the_bytes_of_no_cluster():
    table = society(np.random.default_rng(1).permutation(400))
    bare = Evidence.from_arrays({name: column for name, column in table.to_arrays().items() if name != "cluster"})
    assert [bits.to_json() for _, bits in for_evidence(table)] == [bits.to_json() for _, bits in for_evidence(bare)]


def test_a_read_in_clusters_leaks_over_clusters():
    g = np.arange(400) // 10
    found = for_evidence(society(g, kind="read", outcome=np.arange(400) % 2, adversary=np.arange(400) % 2))
    for kind in ("adversary_bits", "capacity_bits", "maximal_leakage_bits", "adversary_given_user_bits"):
        one = by(found, "attacked", kind)
        assert one.clusters == 40 and one.low > 0.5 and one.high == pytest.approx(1.0)


def test_embeddings_take_one_row_of_each_cluster():
    table = arm("clean", n=400, d=8)
    clustered = Evidence.concat([Evidence(**{**vars(table), "cluster": np.arange(400) // 2})])
    assert by(for_evidence(clustered), "clean", "certified_bits").n == 200
    assert by(for_evidence(table), "clean", "certified_bits").n == 400


def test_what_was_sent_is_beside_what_came_through():
    found = for_evidence(arm("attacked", embedding=None))
    assert by(found, "attacked", "sent_bits").value == pytest.approx(np.log2(10))
    half = arm("attacked", embedding=None, intent=np.arange(400) % 5, outcome=np.arange(400) % 5)
    assert by(for_evidence(half), "attacked", "sent_bits").value == pytest.approx(np.log2(5))


def test_importing_the_measures_is_light():
    code = "import sys, hartley.bits; print([m for m in ('torch', 'sklearn', 'scipy.stats', 'transformers') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
