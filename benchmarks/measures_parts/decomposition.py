"""Goal 8: BROJA, certified, beside dit; and the known answers of the system-level readings."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from types import ModuleType

import numpy as np

from hartley.bits.bandwidth import schema_bandwidth
from hartley.bits.contraction import contraction, dobrushin
from hartley.bits.decomposition import decomposition
from hartley.bits.known import symmetric
from hartley.bits.partial.broja import Atoms, broja
from hartley.bits.percolation import percolation_bound
from hartley.bits.worst_case import worst_case_capacity
from measures_parts.line import Line, cpu_seconds, peer

TITLE = "Decomposition (E7) and the system-level readings: goal 8, known answers, coverage"
PEER_SECONDS = 20
COVERAGE_SEEDS = 60
Law = np.ndarray


def gate(rule, targets: int) -> Law:
    return np.eye(targets)[np.array([[rule(x, y) for y in (0, 1)] for x in (0, 1)])] / 4


def large_laws() -> dict[str, Law]:
    generator = np.random.default_rng(0)
    rows, columns = (generator.dirichlet(np.full(20, 0.3), 5) for _ in range(2))
    return {
        "random": generator.dirichlet(np.ones(2000)).reshape(20, 20, 5),
        "sparse": generator.dirichlet(np.full(2000, 0.05)).reshape(20, 20, 5),
        "two looks at one target": np.einsum("sx,sy->xys", rows, columns) / 5,
        "maximum of two (zeros)": np.eye(5)[np.maximum.outer(np.arange(20) // 4, np.arange(20) // 4)] / 400,
        "sum modulo 5 (zeros)": np.eye(5)[np.add.outer(np.arange(20), np.arange(20)) % 5] / 400,
    }


def peer_terms(law: Law, answer) -> None:
    """dit's terms and CPU seconds, in a process of its own so that it can be stopped."""
    import dit
    from dit.pid import PID_BROJA

    where = np.argwhere(law > 0)
    start = time.process_time()
    found = PID_BROJA(dit.Distribution([tuple(map(str, one)) for one in where], [law[tuple(one)] for one in where]), [[0], [1]], [2])
    terms = [float(found[node]) for node in (((0,),), ((1,),), ((0,), (1,)), ((0, 1),))]
    answer.put((terms, time.process_time() - start))


def beside(law: Law, module: ModuleType | None, why: str) -> str:
    if module is None:
        return why
    answer = multiprocessing.Queue()
    process = multiprocessing.Process(target=peer_terms, args=(law, answer), daemon=True)
    process.start()
    try:
        terms, seconds = answer.get(timeout=PEER_SECONDS)
    except Exception:  # the queue's own Empty, or a peer that died: either way it gave no answer
        process.kill()
        return f"dit: no answer in {PEER_SECONDS} s"
    finally:
        process.join(1)
    return f"dit: {terms[0]:.4f} {terms[1]:.4f} {terms[2]:.4f} {terms[3]:.4f} in {seconds:.2f} s"


def shown(a: Atoms) -> str:
    return f"{a.unique_1:.3f} {a.unique_2:.3f} {a.redundant:.3f} {a.synergistic:.3f}"


def goal_8(module: ModuleType | None, why: str) -> Iterator[Line]:
    for name, law in large_laws().items():
        seconds, gap = cpu_seconds(lambda law=law: broja(law), 3), broja(law).gap_bits
        reached = f"{seconds:.3f} s, gap {max(gap, 0):.0e}"
        # one large law is enough to see whether the peer answers at all
        yield Line(
            "8",
            f"20x20x5 {name}: CPU s to a gap of 1e-3 bits",
            reached,
            "0.5 s",
            seconds <= 0.5 and gap <= 1e-3,
            beside(law, module, why) if name == "random" else "-",
        )
    copied = np.zeros((2, 2, 2))
    copied[0, 0, 0] = copied[1, 1, 1] = 0.5
    gates = {
        "AND": (gate(lambda x, y: x & y, 2), (0, 0, 0.75 * np.log2(4 / 3), 0.5)),
        "XOR": (gate(lambda x, y: x ^ y, 2), (0, 0, 0, 1)),
        "COPY": (gate(lambda x, y: 2 * x + y, 4), (1, 1, 0, 0)),
        "UNQ": (gate(lambda x, y: x, 2), (1, 0, 0, 0)),
        "RDN": (copied, (0, 0, 1, 0)),
    }
    for name, (law, truth) in gates.items():
        found = broja(law, 1e-7)
        error = max(abs(a - b) for a, b in zip((found.unique_1, found.unique_2, found.redundant, found.synergistic), truth, strict=True))
        yield Line(
            "8",
            f"{name}: unique, unique, redundant, synergistic",
            f"{shown(found)}, err {error:.0e}",
            "1e-6",
            error <= 1e-6,
            beside(law, module, why),
        )
    law = (
        np.array(
            [[[22, 49, 22], [1, 12, 42], [26, 58, 0]], [[37, 10, 15], [127, 58, 157], [72, 93, 6]], [[13, 10, 47], [51, 5, 16], [44, 3, 4]]]
        )
        / 1000
    )
    found = broja(law, 1e-7)
    yield Line(
        "8",
        "3x3x3, no closed form: certified by the gap alone",
        f"{shown(found)}, gap {found.gap_bits:.0e}",
        "1e-6",
        found.gap_bits <= 1e-6,
        beside(law, module, why),
    )


def from_counts() -> Iterator[Line]:
    clean = gate(lambda x, y: x & y, 2)
    law = clean * 0.9 + (clean.sum(2, keepdims=True) - clean) * 0.1
    exact = broja(law, 1e-7)
    truth = (exact.unique_1, exact.unique_2, exact.redundant, exact.synergistic)
    inside, errors, false = 0, [], 0
    for seed in range(COVERAGE_SEEDS):
        terms = list(decomposition(np.random.default_rng(seed).multinomial(400, law.ravel()).reshape(law.shape), seed=seed))
        inside += sum(term.low - 1e-6 <= true <= term.high + 1e-6 for term, true in zip(terms, truth, strict=True))
        errors += [abs(term.value - true) for term, true in zip(terms, truth, strict=True) if term.value is not None and true > 0]
        false += sum(term.value is not None for term, true in zip(terms, truth, strict=True) if true < 1e-6)
    share = inside / (4 * COVERAGE_SEEDS)
    yield Line(
        "3",
        f"noisy AND, 400 trials, {COVERAGE_SEEDS} seeds: terms inside their interval",
        f"{share:.1%}",
        "at least 93%",
        share >= 0.93,
        "dit, infomeasure: no interval",
    )
    yield Line(
        "-", "  the same: mean abs error of printed points; unique terms (0) printed", f"{np.mean(errors):.3f} bits; {false}", "-", None
    )


def known_answers() -> Iterator[Line]:
    adder = np.zeros((2, 2, 3))
    for s, x in np.ndindex(2, 2):
        adder[s, x, x + s] = 1
    worst = worst_case_capacity(adder)
    ok = abs(worst.random_code_bits - 0.5) <= 1e-6 and worst.deterministic_code_bits == 0
    yield Line(
        "-",
        "y = x + s: random code 1/2 bit, fixed code 0 (symmetrizable)",
        f"{worst.random_code_bits:.6f}, {worst.deterministic_code_bits:g}",
        "1/2, 0",
        ok,
        "none known",
    )
    channels = np.random.default_rng(0).dirichlet(np.full(10, 0.2), (10, 10))
    seconds = cpu_seconds(lambda: worst_case_capacity(channels), 1)
    yield Line("-", "10 attacks on 10x10: CPU s to a certified 1e-6 bits", f"{seconds:.2f} s", "-", None)
    schema = {
        "type": "object",
        "properties": {
            "to": {"enum": ["ann", "bob", "eve"]},
            "n": {"type": "integer", "minimum": 1, "maximum": 20},
            "now": {"type": "boolean"},
        },
        "required": ["to", "n"],
    }
    bits = schema_bandwidth(schema)
    yield Line(
        "-",
        "tool schema: 3 names x 20 numbers x (yes, no, left out)",
        f"{bits.bits:.6f} bits, {bits.actions}",
        "log2 180",
        bits.actions == 180,
        "none known",
    )
    found = percolation_bound([(0, 1), (0, 2), (1, 2), (1, 3), (2, 3)], 0.5, 0, 3, 1.0).high
    yield Line(
        "-", "percolation through the bridge graph at 1/2, 1 bit", f"{found:.6f} bits", "1/2", abs(found - 0.5) <= 1e-12, "none known"
    )
    channel = symmetric(10, 0.5)
    truth, inside = dobrushin(channel.matrix), 0
    for seed in range(100):
        one = contraction(channel.balanced(1000, np.random.default_rng(seed)), permutations=199)
        inside += one.low <= truth <= one.high
    yield Line(
        "3",
        "contraction of a 10-ary edge, 100 trials an input, 100 seeds: inside",
        f"{inside}%",
        "at least 93%",
        inside >= 93,
        "none known",
    )


def lines() -> Iterator[Line | str]:
    module, why = peer("dit")
    yield from goal_8(module, why)
    yield from from_counts()
    yield from known_answers()
