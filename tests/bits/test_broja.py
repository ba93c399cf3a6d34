"""BROJA: gates with known terms, a brute-force grid and alternating projections as twins, certificates, properties."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hartley.bits.partial.broja import broja, union_information
from hartley.bits.tables import entropy_bits, information_of_law
from hartley.errors import InputError

RAIL = 0.75 * math.log2(4 / 3)
"""Redundancy of AND: 3/4 log2(4/3) = 0.3113."""


def gate(rule, symbols=2, targets=None):
    """Law (symbols, symbols, targets) of two even independent sources and target = rule(x, y)."""
    table = [[rule(x, y) for y in range(symbols)] for x in range(symbols)]
    targets = targets or max(map(max, table)) + 1
    return np.eye(targets)[np.array(table)] / symbols**2


def redundant_copy():
    law = np.zeros((2, 2, 2))
    law[0, 0, 0] = law[1, 1, 1] = 0.5
    return law


def random_law(seed, shape, spread):
    return np.random.default_rng(seed).dirichlet(np.full(math.prod(shape), spread)).reshape(shape)


@pytest.mark.parametrize(
    ("law", "expected"),
    [
        (gate(lambda x, y: x & y), (0.0, 0.0, RAIL, 0.5)),
        (gate(lambda x, y: x | y), (0.0, 0.0, RAIL, 0.5)),
        (gate(lambda x, y: x ^ y), (0.0, 0.0, 0.0, 1.0)),
        (gate(lambda x, y: 2 * x + y), (1.0, 1.0, 0.0, 0.0)),
        (gate(lambda x, y: x), (1.0, 0.0, 0.0, 0.0)),
        (gate(lambda x, y: y), (0.0, 1.0, 0.0, 0.0)),
        (redundant_copy(), (0.0, 0.0, 1.0, 0.0)),
        # the sum of two bits: known answer of the measure's first paper
        (gate(lambda x, y: x + y), (0.0, 0.0, 0.5, 1.0)),
    ],
    ids=["and", "or", "xor", "copy", "first", "second", "redundant", "sum"],
)
def test_gates(law, expected):
    found = broja(law, 1e-7)
    assert found.gap_bits + 1e-12 >= 0 and found.gap_bits <= 1e-7
    assert (found.unique_1, found.unique_2, found.redundant, found.synergistic) == pytest.approx(expected, abs=2e-7)


@pytest.mark.parametrize(
    ("law", "stored"),
    [
        (
            [[[0.074, 0.107], [0.059, 0.093]], [[0.022, 0.352], [0.001, 0.292]]],
            (0.15512029620293585, 0.0, 0.0019875787446552995, 0.014096996772266362),
        ),
        (
            [
                [[0.037, 0.019], [0.034, 0.02], [0.057, 0.068]],
                [[0.12, 0.014], [0.2, 0.047], [0.022, 0.056]],
                [[0.005, 0.004], [0.078, 0.049], [0.14, 0.03]],
            ],
            (0.003445237328300873, 0.00757182559157154, 0.018658011481568263, 0.08213254908075962),
        ),
    ],
)
def test_agrees_with_what_dit_printed(law, stored):
    """dit 2.3, PID_BROJA: run once and stored."""
    found = broja(np.array(law), 1e-8)
    assert (found.unique_1, found.unique_2, found.redundant, found.synergistic) == pytest.approx(stored, abs=1e-5)


def slow_grid(law, points=4001):
    """2 x 2 x 2: given the target, one number fixes the law of both sources with its margins; a fine grid over both."""
    label = law.sum((0, 1))
    families = []
    for s in range(2):
        a, b = law[1, :, s].sum() / label[s], law[:, 1, s].sum() / label[s]
        t = np.linspace(max(0, a + b - 1), min(a, b), points)
        families.append(label[s] * np.stack([1 - a - b + t, b - t, a - t, t]).clip(0))
    best = np.inf
    for i in range(0, points, 40):
        pair = families[0][:, i, None] + families[1]
        conditional = 0.0
        for q in (np.repeat(families[0][:, i, None], points, 1), families[1]):
            conditional = conditional - (q * np.log2(np.where(q > 0, q / np.where(pair > 0, pair, 1), 1))).sum(0)
        best = min(best, entropy_bits(label) - conditional.max())
    return best


@pytest.mark.parametrize("seed", range(6))
def test_equals_a_grid_over_all_laws_with_the_same_pairs(seed):
    law = random_law(seed, (2, 2, 2), 0.7)
    found = broja(law, 1e-8)
    union = found.unique_1 + found.unique_2 + found.redundant
    assert union == pytest.approx(slow_grid(law), abs=2e-3)
    assert union <= slow_grid(law) + 1e-8


def slow_alternation(law, rounds=150):
    """Alternating I-projections by loops: each p(.,.|s) is scaled to its margins from the mixture, then mixed anew."""
    k1, k2, o = law.shape
    mixture = np.full((k1, k2), 1.0)
    for _ in range(rounds):
        parts = []
        for s in range(o):
            q = mixture.copy()
            for _ in range(40):
                for x in range(k1):
                    row = q[x].sum()
                    q[x] = q[x] * (law[x, :, s].sum() / row) if row > 0 else 0.0
                for y in range(k2):
                    column = q[:, y].sum()
                    q[:, y] = q[:, y] * (law[:, y, s].sum() / column) if column > 0 else 0.0
            parts.append(q)
        mixture = sum(parts)
    return information_of_law(np.stack(parts, 2).reshape(-1, o))


@pytest.mark.parametrize(("seed", "shape"), [(0, (2, 3, 2)), (1, (3, 2, 3)), (2, (3, 3, 2))])
def test_equals_alternating_projections(seed, shape):
    law = random_law(seed, shape, 1.0)
    found = broja(law, 1e-8)
    assert found.unique_1 + found.unique_2 + found.redundant == pytest.approx(slow_alternation(law), abs=2e-4)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.integers(0, 10_000), st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 4)), st.sampled_from([0.02, 0.2, 1.0, 5.0]))
def test_both_certificates_are_what_they_claim(seed, shape, spread):
    law = random_law(seed, shape, spread)
    first, second = law.sum(1).T, law.sum(0).T
    union = union_information(first[None], second[None], 1e-6)
    assert union.upper[0] - union.lower[0] <= 1e-6
    least = union.least[0]
    assert (least >= 0).all()
    assert least.sum(2) == pytest.approx(first, abs=1e-12) and least.sum(1) == pytest.approx(second, abs=1e-12)
    assert information_of_law(least.reshape(shape[2], -1)) == pytest.approx(union.upper[0], abs=1e-9)
    u, v = union.decoder_1[0], union.decoder_2[0]
    for x, y in itertools.product(range(shape[0]), range(shape[1])):
        assert sum(2.0 ** (u[s, x] + v[s, y]) for s in range(shape[2])) <= 1 + 1e-9
    reached = sum(
        law[x, y, s] * (u[s, x] + v[s, y]) for x in range(shape[0]) for y in range(shape[1]) for s in range(shape[2]) if law[x, y, s] > 0
    )
    assert reached + entropy_bits(law.sum((0, 1))) == pytest.approx(union.lower[0], abs=1e-9)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.integers(0, 10_000), st.tuples(st.integers(2, 5), st.integers(2, 5), st.integers(2, 4)), st.sampled_from([0.1, 1.0]))
def test_properties(seed, shape, spread):
    generator = np.random.default_rng(seed)
    law = random_law(seed, shape, spread)
    a = broja(law, 1e-7)
    # the chain: terms add up to the three informations, none is negative
    assert min(a.unique_1, a.unique_2, a.redundant, a.synergistic) >= -1e-12
    assert a.unique_1 + a.redundant == pytest.approx(information_of_law(law.sum(1)), abs=1e-9)
    assert a.unique_2 + a.redundant == pytest.approx(information_of_law(law.sum(0)), abs=1e-9)
    assert a.unique_1 + a.unique_2 + a.redundant + a.synergistic == pytest.approx(information_of_law(law.reshape(-1, shape[2])), abs=1e-9)
    # swapping the sources swaps the unique terms; relabeling changes nothing
    b = broja(law.transpose(1, 0, 2), 1e-7)
    assert (b.unique_1, b.unique_2, b.redundant) == pytest.approx((a.unique_2, a.unique_1, a.redundant), abs=3e-7)
    order = [generator.permutation(k) for k in shape]
    c = broja(law[np.ix_(*order)], 1e-7)
    assert (c.unique_1, c.redundant, c.synergistic) == pytest.approx((a.unique_1, a.redundant, a.synergistic), abs=3e-7)
    # processing a source cannot add to what it holds alone
    worn = np.einsum("xys,xz->zys", law, generator.dirichlet(np.ones(shape[0]), shape[0]))
    assert broja(worn, 1e-7).unique_1 <= a.unique_1 + 3e-7
    # unique and redundant bits see the pair laws alone
    alike = np.einsum("xs,ys,s->xys", law.sum(1), law.sum(0), 1 / np.maximum(law.sum((0, 1)), 1e-300))
    assert broja(alike / alike.sum(), 1e-7).unique_1 == pytest.approx(a.unique_1, abs=3e-7)


def test_independent_copies_add_up():
    one, two = gate(lambda x, y: x & y), random_law(3, (2, 2, 2), 1.0)
    both = np.einsum("xys,abt->xaybst", one, two).reshape(4, 4, 4)
    first, second, joint = broja(one, 1e-8), broja(two, 1e-8), broja(both, 1e-8)
    for name in ("unique_1", "unique_2", "redundant", "synergistic"):
        assert getattr(joint, name) == pytest.approx(getattr(first, name) + getattr(second, name), abs=1e-6)


@pytest.mark.parametrize("kind", ["random", "sparse", "maximum", "alike"])
def test_goal_8_certifies_20_by_20_by_5(kind):
    generator = np.random.default_rng(5)
    rows, columns = generator.dirichlet(np.full(20, 0.3), 5), generator.dirichlet(np.full(20, 0.3), 5)
    law = {
        "random": random_law(0, (20, 20, 5), 1.0),
        "sparse": random_law(0, (20, 20, 5), 0.05),
        "maximum": np.eye(5)[np.maximum.outer(np.arange(20) // 4, np.arange(20) // 4)] / 400,
        "alike": np.einsum("sx,sy->xys", rows, columns) / 5,
    }[kind]
    assert 0 <= broja(law).gap_bits <= 1e-3


def test_extreme_probabilities_are_certified():
    for seed in range(12):
        generator = np.random.default_rng(seed)
        law = np.einsum("s,sx,sy->xys", *(generator.dirichlet(np.full(k, 0.02), size) for k, size in ((4, None), (5, 4), (3, 4))))
        assert broja(law / law.sum(), 1e-6).gap_bits <= 1e-6


def test_many_laws_at_once_equal_one_at_a_time():
    laws = [random_law(seed, (3, 4, 3), 0.3) for seed in range(5)]
    together = union_information(np.array([law.sum(1).T for law in laws]), np.array([law.sum(0).T for law in laws]), 1e-8)
    for i, law in enumerate(laws):
        alone = broja(law, 1e-8)
        assert together.upper[i] == pytest.approx(alone.unique_1 + alone.unique_2 + alone.redundant, abs=3e-8)


@pytest.mark.parametrize(
    ("law", "words"),
    [
        (np.ones((2, 2)) / 4, "shape (2, 2)"),
        (np.ones((2, 2, 2)), "sum 8"),
        (np.full((1, 1, 2), np.nan), "smallest nan"),
        (np.array([[[1.5, -0.5]]]), "smallest -0.5"),
        (np.ones((200, 200, 11)) / 440_000, "takes up to 4000"),
        ([[["a"]]], "numbers"),
    ],
)
def test_what_is_no_law_is_refused(law, words):
    with pytest.raises(InputError) as caught:
        broja(law)
    assert words in str(caught.value)


def test_a_certificate_out_of_reach_is_an_error():
    with pytest.raises(ArithmeticError, match="gap"):
        broja(random_law(0, (3, 3, 3), 1.0), -1.0)
