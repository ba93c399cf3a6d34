"""Fits: known chances are found again within their limits, R0 and its threshold, and mean fields in closed form."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hartley.errors import InputError
from hartley.targets.society.contagion import Contagion
from hartley.targets.society.fit import Share, fit, forgetting_curve, mean_field, measured_contagion, measured_registers, rates
from hartley.targets.society.meeting import AllEdges, RandomPairs
from hartley.targets.society.registers import Registers
from hartley.targets.society.spreading import by_round, spread, total
from hartley.targets.society.topologies import ring, small_world


def paired(agents, edge, gamma, sources, rounds, seed=0):
    return spread(Contagion(agents, np.arange(sources), edge, gamma), RandomPairs(agents), rounds, np.random.default_rng(seed))


def test_registers_give_back_the_chances_they_were_made_with():
    society = Registers(20_000, np.arange(400), 0.8, asks=0.3, answers=0.6, arrival=0.7)
    run = spread(society, RandomPairs(20_000), 25, np.random.default_rng(0))
    found = rates(total(run.events))
    for share, truth in ((found.retrieval, 0.8), (found.asks, 0.3), (found.answers, 0.6), (found.arrival, 0.7), (found.transmission, 0.56)):
        assert share.limits[0] <= truth <= share.limits[1] and share.limits[1] - share.limits[0] < 0.02
    again = measured_registers(by_round([run]), 100, [0])
    assert again.arrival == pytest.approx(0.7, abs=0.01)
    assert again.retrieval == pytest.approx([0.8] * 25, abs=0.08) and again.retrieval[-5:] == pytest.approx([0.8] * 5, abs=0.015)
    assert (again.asks, again.answers) == pytest.approx((0.3, 0.6), abs=0.01)


def test_limits_cover_as_often_as_they_say():
    misses = 0
    for seed in range(150):
        found = rates(total(paired(60, 0.6, 0.2, 10, 6, seed).events))
        misses += not found.transmission.limits[0] <= 0.6 <= found.transmission.limits[1]
        misses += not found.recovery.limits[0] <= 0.2 <= found.recovery.limits[1]
    # 300 intervals at 95% or better: more than 27 misses has a chance below 1 in 1000
    assert misses <= 27


def test_fit_of_a_pairing_finds_r0_and_the_curve():
    run = paired(40_000, 0.8, 0.1, 800, 40)
    found = fit(run, RandomPairs(40_000).radius())
    assert found.reproduction.low < 4.0 < found.reproduction.high and found.contained is False
    assert found.gap < 0.02
    assert found.curve[-1] == pytest.approx(1 - 2 * 0.1 / 0.8, abs=0.01)
    assert (found.low <= found.predicted + 1e-12).all() and (found.predicted <= found.high + 1e-12).all()


def test_the_threshold_is_twice_the_recovery():
    dying, undecided = fit(paired(20_000, 0.4, 0.5, 2000, 30), 0.5), fit(paired(60, 0.5, 0.25, 20, 3), 0.5)
    assert dying.contained is True and dying.curve[-1] < 0.01
    assert undecided.contained is None
    never = fit(paired(200, 0.5, 0.0, 20, 3), 0.5)
    assert never.reproduction.value is None and never.reproduction.high is None


def test_on_a_graph_r0_counts_its_eigenvalue():
    graph = small_world(400, 6, 0.2, np.random.default_rng(0))
    run = spread(Contagion(400, np.arange(20), 0.1, 0.3), AllEdges(graph), 30, np.random.default_rng(1))
    found = fit(run, AllEdges(graph).radius())
    radius = np.linalg.eigvalsh(graph.matrix().toarray())[-1]
    assert found.reproduction.radius == pytest.approx(radius, rel=1e-4)
    assert found.reproduction.low < 0.1 * radius / 0.3 < found.reproduction.high


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.floats(0.001, 1), st.floats(0, 1), st.floats(0.01, 1))
def test_mean_field_dies_out_below_the_threshold_and_settles_above(start, beta, gamma):
    curve = mean_field(start, beta, gamma, 4000)
    if beta <= 2 * gamma:
        assert (np.diff(curve) <= 0).all() and curve[-1] <= 2.01 / max(gamma, beta / 2) / 4000 + 1e-9
    elif beta / 2 - gamma > 0.01:
        assert curve[-1] == pytest.approx(1 - 2 * gamma / beta, abs=1e-6)
    assert ((curve >= 0) & (curve <= 1)).all()


def test_mean_field_without_recovery_is_the_logistic_map():
    curve = mean_field(0.25, 1.0, 0.0, 2)
    assert curve.tolist() == pytest.approx([0.25, 0.34375, 0.34375 + 0.34375 * 0.65625 / 2])
    assert mean_field(1 / 1024, 0.9, 0.0, 1)[1] * 1024 == pytest.approx(1.45, abs=0.001)


def test_forgetting_curves_grow_only_above_one_in_places():
    assert forgetting_curve(0.3, 0.0, 9, places=1)[:3].tolist() == pytest.approx([0.3, 0.15, 0.075])
    assert forgetting_curve(0.01, 0.24, 3000, places=4)[-1] < 1e-3 < forgetting_curve(0.01, 0.3, 3000, places=4)[-1]


def test_measured_societies_follow_the_run_they_were_measured_on():
    graph = ring(200)
    full = spread(Contagion(200, [0, 50, 100], 0.6, 0.05), AllEdges(graph), 40, np.random.default_rng(0))
    quick = measured_contagion(total(full.events), 200, [0, 50, 100])
    again = [
        spread(measured_contagion(total(full.events), 200, [0, 50, 100]), AllEdges(graph), 40, np.random.default_rng(s)) for s in range(60)
    ]
    low, high = np.quantile([run.carriers for run in again], [0.01, 0.99], axis=0)
    assert ((low <= full.carriers) & (full.carriers <= high)).mean() > 0.9
    assert quick.recovery == pytest.approx(0.05, abs=0.01)


def test_a_measured_channel_keeps_what_it_does_to_each_payload():
    channel = np.array([[0.7, 0.1, 0.2], [0.0, 0.5, 0.5]])
    counts = total(
        [
            one
            for payload in (0, 1)
            for one in spread(
                Contagion(3000, [0], channel, 0.0, payload=payload, payloads=2), RandomPairs(3000), 18, np.random.default_rng(payload)
            ).events
        ]
    )
    society = measured_contagion(counts, 10, [0], payload=1, channel=True)
    assert society.payloads == 2
    assert counts.passed / counts.passed.sum(1, keepdims=True) == pytest.approx(channel, abs=0.05)


def test_rounds_add_up_over_runs():
    runs = [paired(40, 0.5, 0.1, 5, 4, seed) for seed in range(3)]
    rounds = by_round(runs)
    assert [one.exposed for one in rounds] == [sum(run.events[t].exposed for run in runs) for t in range(4)]
    assert total(rounds).infected == sum(total(run.events).infected for run in runs)
    # a round in which no carrier spoke takes the retrieval of all
    quiet = total(spread(Registers(4, [0], 1.0, places=1, clearing=1.0), RandomPairs(4), 9, np.random.default_rng(0)).events[-1:])
    assert quiet.talking == 0
    rate = rounds[0].brought_up + rounds[1].brought_up, rounds[0].talking + rounds[1].talking
    assert measured_registers([*rounds[:2], quiet], 4, [0]).retrieval[2] == pytest.approx(rate[0] / rate[1])
    for bad in ([], [runs[0], paired(40, 0.5, 0.1, 5, 3)]):
        with pytest.raises(InputError, match="runs: of"):
            by_round(bad)


def test_shares_without_trials_are_not_measured():
    assert Share(0, 0).value is None and Share(0, 0).limits == (0.0, 1.0) and str(Share(0, 0)) == "not measured (0 of 0)"
    assert str(Share(3, 6, None)) == "0.500, no limits (3 of 6)", "0 and 1 for want of limits are not printed as if measured"
    assert str(Share(3, 4)).startswith("0.750 [0.19")
    quiet = spread(Registers(4, [0], 0.0, places=1), RandomPairs(4), 0, np.random.default_rng(0))
    with pytest.raises(InputError, match="no carrier met"):
        fit(spread(Contagion(4, np.arange(4), 1.0, 0.0), RandomPairs(4), 2, np.random.default_rng(0)), 0.5)
    with pytest.raises(InputError, match="events: none"):
        total(quiet.events)
    silent = total(spread(Contagion(2, [0, 1], 1.0, 1.0), RandomPairs(2), 2, np.random.default_rng(0)).events[1:])
    with pytest.raises(InputError, match="no carrier ever spoke"):
        measured_registers([silent], 4, [0])
    with pytest.raises(InputError, match="nothing is known of the edge"):
        measured_contagion(silent, 4, [0])


def test_limits_over_runs_know_that_runs_differ():
    """Each run has a chance of its own, as each has a picture of its own; their mean is .5."""
    rng = np.random.default_rng(0)
    over_runs, over_meetings = 0, 0
    for seed in range(60):
        runs = [total(paired(40, edge, 0.2, 6, 3, [seed, place]).events) for place, edge in enumerate(rng.uniform(0.1, 0.9, 12))]
        one, all_alike = (rates(total(runs), each).transmission.limits for each in (runs, None))
        over_runs += one[0] <= 0.5 <= one[1]
        over_meetings += all_alike[0] <= 0.5 <= all_alike[1]
    # 60 at 95%: fewer than 51 has a chance below 1 in 1000
    assert over_runs >= 51 > over_meetings


def test_one_run_does_not_tell_how_others_would_differ():
    run = paired(200, 0.6, 0.2, 20, 5)
    alone, exact = fit(run, 0.5, [total(run.events)]), fit(run, 0.5)
    assert alone.rates.transmission.limits == (0.0, 1.0) and alone.rates.transmission.value == exact.rates.transmission.value
    assert alone.reproduction.value == pytest.approx(exact.reproduction.value) and alone.reproduction.low is None is alone.contained
    assert exact.rates.transmission.limits[0] > 0 and exact.reproduction.low is not None
