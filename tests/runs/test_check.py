import pytest

from hartley.errors import InputError
from hartley.runs.check import MEASURES, check, parse, read_policy
from hartley.runs.folder import empty_result
from hartley.runs.plan import Cell


class Row:
    def __init__(self, name):
        self.id = name
        self.implemented = True


class Catalog:
    def threats(self):
        return [Row("sga"), Row("badclip"), Row("adversarial-illusions"), Row("ko-vlm-mia")]

    def defenses(self):
        return [Row("jpeg"), Row("alignment-filter")]


CATALOG = Catalog()


class FakeRun:
    def __init__(self, *records):
        self.records = records

    def cells(self):
        return list(self.records)

    def evidence(self, record, channel):
        raise InputError("a made-up run has no table")


def bits(arm, low, high, kind="utility_bits", value=None, why=""):
    value = low if value is None else value
    return {"arm": arm, "bits": {"kind": kind, "value": value, "low": low, "high": high, "n": 9, "why": why, "checks": {}}}


def rate(arm, high, headline=True, name="ASR"):
    return {"name": name, "arm": arm, "value": high, "low": 0.0, "high": high, "n": 9, "headline": headline, "better": "attacker"}


def record(threat, *measures, defense="none", seed=0, rates=(), channel="image", more=()):
    cell = Cell("t", threat, defense, seed, "quick")
    part = {"name": channel, "kind": "write", "measures": list(measures), "rates": list(rates)}
    return {**empty_result(cell, "k", "measured", ""), "channels": [part, *more]}


def failed(threat, defense="none", status="failed"):
    return empty_result(Cell("t", threat, defense, 0, "quick"), "k", status, "it broke")


SGA = record(
    "sga", bits("clean", 2.5, 3.0), bits("attacked", 1.0, 2.0), rates=[rate("attacked", 0.4), rate("attacked", 0.9, False, "top-5")]
)


@pytest.mark.parametrize(
    ("rule", "records", "code"),
    [
        ("utility_bits.low >= 1.0 under sga", [SGA], 0),
        ("utility_bits.low > 1.0 under sga", [SGA], 1),
        ("utility_bits.low >= 1.5 under sga", [SGA], 1),
        ("utility_bits.high <= 2 under sga", [SGA], 0),
        ("utility_bits.high < 2 under sga", [SGA], 1),
        ("utility_bits.value >= 1 under sga/image", [SGA], 0),
        ("utility_bits.value >= 1 under sga/audio", [SGA], 2),
        ("utility_bits.low >= 1 under sga/image-to-text", [record("sga", bits("attacked", 1, 2), channel="image to text")], 0),
        ("utility_bits.low >= 2.5 when clean", [SGA], 0),
        ("utility_bits.low >= 2.6 under any when clean", [SGA], 1),
        ("success.high <= 0.4 under sga", [SGA], 0),
        ("success.high <= 0.3 under sga", [SGA], 1),
        ("'top-5'.high <= 0.9 under sga", [SGA], 0),
        ("'top-5'.high <= 0.8 under sga", [SGA], 1),
        ("'top-7'.high <= 0.8 under sga", [SGA], 2),
        ("adversary_bits.high <= 1 under sga", [SGA], 2),
        ("utility_bits.low >= 1 under badclip", [SGA], 2),
        ("utility_bits.low >= 1 under any", [SGA, failed("badclip")], 2),
        ("utility_bits.low >= 5 under any", [SGA, failed("badclip")], 1),
        ("utility_bits.low >= 1 under badclip", [failed("badclip")], 2),
        ("utility_bits.low >= 1 under badclip", [failed("badclip", status="refused")], 2),
        ("utility_bits.low >= 1 under badclip", [failed("badclip", status="not run")], 2),
        # withheld is not measured, not zero
        ("utility_bits.low >= -9 under sga", [record("sga", bits("attacked", None, 2.0, value=1.0, why="too few"))], 2),
        ("utility_bits.high <= 2 under sga", [record("sga", bits("attacked", None, 2.0, value=1.0, why="too few"))], 0),
        # with a defense the worse of both arms counts
        ("utility_bits.low >= 1 under sga with jpeg", [SGA], 2),
        (
            "utility_bits.low >= 1 under sga with jpeg",
            [record("sga", bits("defended_attacked", 2, 3), bits("defended_adaptive", 0.5, 1), defense="jpeg")],
            1,
        ),
        (
            "utility_bits.low >= 1 under sga with jpeg",
            [record("sga", bits("defended_attacked", 2, 3), bits("defended_adaptive", 1, 2), defense="jpeg")],
            0,
        ),
        (
            "utility_bits.low >= 1 under sga with jpeg",
            [record("sga", bits("defended_attacked", 2, 3), bits("defended_adaptive", None, 1, value=1), defense="jpeg")],
            2,
        ),
        ("utility_bits.low >= 1 under sga with jpeg", [record("sga", bits("defended_attacked", 2, 3), defense="jpeg")], 0),
        ("utility_bits.low >= 1 under sga with jpeg when clean", [record("sga", bits("defended", 2, 3), defense="jpeg")], 0),
        # every seed and every channel counts
        ("utility_bits.low >= 1 under sga", [SGA, record("sga", bits("attacked", 0.2, 1), seed=1)], 1),
        (
            "utility_bits.low >= 1 under sga",
            [
                record(
                    "sga",
                    bits("attacked", 2, 3),
                    more=[{"name": "audio", "kind": "write", "measures": [bits("attacked", 0, 1)], "rates": []}],
                )
            ],
            1,
        ),
    ],
)
def test_table_of_rules(rule, records, code):
    result = check(FakeRun(*records), [rule], CATALOG)
    assert result.exit_code == code, str(result.verdicts[0])
    assert len(result.broken) == (code == 1) and len(result.unmeasured) == (code == 2)
    assert rule in str(result.verdicts[0])


def test_broken_outweighs_not_measured():
    rules = ["utility_bits.low >= 9 under sga", "utility_bits.low >= 1 under badclip", "utility_bits.low >= 1 under sga"]
    result = check(FakeRun(SGA), rules, CATALOG)
    assert [verdict.state for verdict in result.verdicts] == ["broken", "not measured", "holds"]
    assert result.exit_code == 1
    assert str(result.broken[0]) == ("broken: utility_bits.low >= 9 under sga (sga, seed 0, image attacked: utility_bits 1 [1, 2])")


def test_a_channel_whose_kind_has_no_such_measure_does_not_stand_in_the_way():
    nothing = {"arm": "attacked", "bits": {"kind": "adversary_bits", "value": None, "low": None, "high": None, "n": 9, "why": "a jam"}}
    jam = {"name": "filter", "kind": "jam", "measures": [nothing], "rates": []}
    both = record("badclip", bits("attacked", 0.1, 0.4, "adversary_bits"), more=[jam])
    assert check(FakeRun(both), ["adversary_bits.high <= 0.5 under badclip"], CATALOG).exit_code == 0
    assert check(FakeRun(both), ["adversary_bits.high <= 0.5 under badclip/filter"], CATALOG).exit_code == 2
    alone = {**both, "channels": [jam]}
    assert check(FakeRun(alone), ["adversary_bits.high <= 0.5 under badclip"], CATALOG).exit_code == 2


WEAK = record("sga", bits("clean", 0.0, 0.2), bits("attacked", 0.0, 0.2), bits("attacked", 0.0, 0.1, "adversary_bits"))


@pytest.mark.parametrize(
    ("rule", "records", "code"),
    [
        ("adversary_bits.high <= 1 under sga", [WEAK], 2),
        ("adversary_bits.high <= 0.05 under sga", [WEAK], 1),
        (
            "adversary_bits.high <= 1 under any",
            [WEAK, record("badclip", bits("clean", 2, 3), bits("attacked", 0.0, 0.1, "adversary_bits"))],
            2,
        ),
        (
            "adversary_bits.high <= 1 under badclip",
            [WEAK, record("badclip", bits("clean", 2, 3), bits("attacked", 0.0, 0.1, "adversary_bits"))],
            0,
        ),
        # a defense on a target that is too weak without it protects nothing
        ("utility_bits.low >= 0 under sga with jpeg", [WEAK, record("sga", bits("defended_attacked", 0.0, 0.1), defense="jpeg")], 2),
    ],
)
def test_reading_1_too_weak_is_not_robust(rule, records, code):
    result = check(FakeRun(*records), [rule], CATALOG)
    assert result.exit_code == code, str(result.verdicts[0])
    assert [line.split(":")[0] for line in result.weak][:1] == ["sga, image"]


def test_reading_2_check_names_the_rate_without_an_attack():
    attacked, clean = rate("attacked", 0.385), rate("clean", 0.615)
    told = [
        check(FakeRun(record("sga", rates=rates)), ["success.high <= 1 under sga"], CATALOG) for rates in ([attacked, clean], [attacked])
    ]
    assert "ASR 0.385 [0, 0.385] (0.615 [0, 0.615] without an attack)" in told[0].verdicts[0].detail
    assert "(no control was measured)" in told[1].verdicts[0].detail


def test_a_measure_that_a_kind_need_not_have_is_judged_where_it_is_there():
    given = bits("attacked", 0.4, 0.9, "adversary_given_user_bits")
    read = {"name": "secret", "kind": "read", "measures": [given], "rates": []}
    both = record("badclip", bits("attacked", 0.1, 0.2, "adversary_given_user_bits"), more=[read])
    assert check(FakeRun(both), ["adversary_given_user_bits.high <= 0.5 under badclip"], CATALOG).exit_code == 1
    without = {**both, "channels": [both["channels"][0], {**read, "measures": []}]}
    assert check(FakeRun(without), ["adversary_given_user_bits.high <= 0.5 under badclip"], CATALOG).exit_code == 0


def test_what_failed_is_said():
    (verdict,) = check(FakeRun(failed("badclip")), ["success.high <= 1 under badclip"], CATALOG).unmeasured
    assert verdict.detail == "badclip, seed 0: failed: it broke"


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("utility_bits.low", "cannot read the rule"),
        ("utility_bits.low == 2 under sga", "cannot read the rule"),
        ("utility_bits.low >= two under sga", "cannot read the rule"),
        ("utility_bits.low >= 2 under sga; import os", "cannot read the rule"),
        ("utility_bits.low >= 2", "must say under which threat"),
        ("utility.low >= 2 under sga", "unknown measure .*'utility'; nearest: .*utility_bits"),
        ("utility_bits.lower >= 2 under sga", "unknown field .*'lower'; nearest: low"),
        ("utility_bits.low >= 2 under sgaa", "unknown threat .*'sgaa'; nearest: sga"),
        ("utility_bits.low >= 2 under sga with jpg", "unknown defense .*'jpg'; nearest: jpeg"),
    ],
)
def test_a_rule_that_cannot_be_read_is_one_line(rule, words):
    with pytest.raises(InputError, match=words) as caught:
        parse(rule, CATALOG)
    assert "\n" not in str(caught.value)


def test_numbers_of_a_rule():
    assert parse("margin_bits.low >= -1.5e-1 under sga", CATALOG).number == -0.15


def test_the_policy_file(tmp_path):
    path = tmp_path / "policy.toml"
    path.write_text('rules = ["utility_bits.low >= 2.0 under sga"]')
    assert read_policy(path) == ("utility_bits.low >= 2.0 under sga",)
    for text, words in [
        ('rule = ["x"]', "unknown key in the policy 'rule'; nearest: rules"),
        ("rules = []", "rules takes a list"),
        ("rules = [1]", "rules takes a list"),
        ("rules = [", "cannot be read"),
    ]:
        path.write_text(text)
        with pytest.raises(InputError, match=words):
            read_policy(path)
    with pytest.raises(InputError, match="no such policy"):
        read_policy(tmp_path / "absent.toml")


def test_what_the_measures_give_is_a_measure_that_a_rule_may_name_and_the_report_can_explain():
    import numpy as np

    from hartley.bits.for_evidence import for_evidence
    from hartley.evidence import KINDS, Evidence
    from hartley.report.words import QUANTITIES

    n, draw = 48, np.random.default_rng(0)
    intent, adversary = np.tile(np.arange(2), n), np.tile(np.repeat(np.arange(2), 2), n // 2)
    for kind in KINDS:
        table = Evidence(
            "image", kind, ("a", "b"), ("a", "b"), ("a", "b"), np.repeat([0, 1], n), np.tile(np.arange(n), 2), intent, adversary, intent,
            np.ones(2 * n), log2_q=-draw.random(2 * n), embedding=draw.normal(size=(2 * n, 2)).astype(np.float32),
        )  # fmt: skip
        kinds = {bits.kind for _, bits in for_evidence(table)}
        assert kinds <= set(MEASURES) and kinds <= set(QUANTITIES), kinds - set(MEASURES) | kinds - set(QUANTITIES)
