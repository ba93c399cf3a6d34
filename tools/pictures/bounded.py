"""Pictures of bounds: membership, privacy, bandwidth, contraction, spread, decomposition, the worst case."""

from __future__ import annotations

import numpy as np

from hartley.bits.bandwidth import schema_bandwidth, used_bandwidth
from hartley.bits.contraction import chain_bound, dobrushin
from hartley.bits.decomposition import Decomposition, decomposition
from hartley.bits.known import binary_symmetric
from hartley.bits.membership import advantage_bits, membership
from hartley.bits.privacy import gaussian_ceiling_bits, pure_ceiling_bits
from hartley.bits.tables import information_of_law
from hartley.bits.worst_case import worst_case_capacity
from pictures.chart import Chart, ticks


def members() -> Chart:
    """What an advantage says about the bits: a lens, and a measured attack inside it."""
    advantages = np.linspace(0, 1, 81)
    low, high = np.transpose([advantage_bits(float(a)) for a in advantages])
    chart = Chart(
        "Membership: from advantage to bits",
        "Lower and upper limit of the bits about membership over the attack's advantage, with one measured attack.",
        (0, 1),
        (0, 1),
    ).axes("advantage: TPR less FPR", "bits about membership", ticks([0, 0.25, 0.5, 0.75, 1]), ticks([0, 0.25, 0.5, 0.75, 1]))
    chart.band(advantages, low, high, "red").line(advantages, low, "red").line(advantages, high, "red")
    generator = np.random.default_rng(0)
    member = np.arange(800) % 2
    bits = membership(generator.standard_normal(800) + 1.8 * member, member)
    assert bits.low is not None and bits.high is not None and bits.value is not None
    at = bits.checks["advantage"]
    chart.limits(at, bits.low, bits.high, "blue").dot(at, bits.value, "blue")
    chart.say(at, bits.high, "a measured attack,", "blue", "end", dx=-10, dy=-2).say(
        at, bits.high, "400 members", "blue", "end", dx=-10, dy=14
    )
    chart.say(0.8, 0.8, "at most A", "red", "end", dx=-6, dy=-12)
    return chart.say(0.66, 0.14, "at least 1 \u2212 h((1 + A)/2)", "red")


def privacy() -> Chart:
    """Ceilings of differentially private releases."""
    budgets = np.linspace(0, 8, 81)
    pure = [pure_ceiling_bits(float(e)) for e in budgets]
    gaussian = [gaussian_ceiling_bits(float(m)) for m in budgets]
    chart = Chart(
        "What a private release can leak at most",
        "Ceilings on the bits about one record's membership over the privacy budget, pure and Gaussian.",
        (0, 8),
        (0, 1),
    ).axes("privacy budget: epsilon, or mu", "bits about membership", ticks(range(0, 9)), ticks([0, 0.25, 0.5, 0.75, 1]))
    chart.line(budgets, gaussian, "green").line(budgets, pure, "blue")
    for epsilon in (1.0, 3.0):
        chart.dot(epsilon, pure_ceiling_bits(epsilon), "blue")
    chart.say(1, pure[10], "epsilon 1: 0.160", "blue", dx=10, dy=8).say(3, pure[30], "epsilon 3: 0.725", "blue", dx=10, dy=10)
    return chart.say(3.5, 0.9, "mu-GDP", "green", "end").say(4.6, 0.8, "epsilon-DP", "blue")


def decomposed() -> Chart:
    """The four textbook pairs of sources, measured."""
    first, second = np.random.default_rng(1).integers(0, 2, (2, 3_000))
    pairs = {
        "AND": (first, second, first & second),
        "XOR": (first, second, first ^ second),
        "both hear it": (first, first, first),
        "only the first": (first, second, first),
    }
    chart = Chart(
        "Unique, redundant and synergistic bits",
        "Four textbook pairs of sources, each decomposed from 3,000 trials; terms that do not beat their shuffled null have no bar.",
        (0, 4),
        (0, 1.15),
    ).axes("", "bits about the target", [(i + 0.24, name) for i, name in enumerate(pairs)], ticks([0, 0.25, 0.5, 0.75, 1]))
    colors = {"unique_1": "blue", "unique_2": "gold", "redundant": "green", "synergistic": "red"}
    for i, (a, b, target) in enumerate(pairs.values()):
        counts = np.zeros((2, 2, 2), dtype=np.int64)
        np.add.at(counts, (a, b, target), 1)
        base = 0.0
        for name, bits in _terms(decomposition(counts)):
            if bits:
                chart.box((i + 0.1, i + 0.38), (base, base + bits), colors[name])
                chart.say(i + 0.42, base + bits / 2, name.split("_")[0], colors[name], dy=-2, kind="small")
                chart.say(i + 0.42, base + bits / 2, f"{bits:.2f}", colors[name], dy=13, kind="small")
                base += bits
    return chart


def _terms(terms: Decomposition) -> list[tuple[str, float]]:
    return [(bits.kind.removesuffix("_bits"), bits.value or 0.0) for bits in terms]


def bandwidth() -> Chart:
    """What a tool's arguments allow beside what benign calls use."""
    rooms = [f"room {i}" for i in range(8)]
    fields = {
        "room (enum of 8)": {"enum": rooms},
        "level (0 to 100)": {"type": "integer", "minimum": 0, "maximum": 100},
        "mute (boolean)": {"type": "boolean"},
    }
    generator = np.random.default_rng(0)
    room = generator.choice(8, 3_000, p=[0.4, 0.3, 0.1, 0.05, 0.05, 0.05, 0.03, 0.02])
    level = generator.choice([20, 40, 50, 60], 3_000, p=[0.2, 0.3, 0.4, 0.1])
    mute = (generator.random(3_000) < 0.05).astype(int)
    whole = schema_bandwidth({"type": "object", "properties": fields, "required": list(fields)})
    rows = [
        (name, schema_bandwidth(part).bits, used_bandwidth(c)) for (name, part), c in zip(fields.items(), (room, level, mute), strict=True)
    ]
    rows.append(("the whole call", whole.bits, used_bandwidth((room * 101 + level) * 2 + mute)))
    chart = Chart(
        "Bandwidth of a tool",
        "Bits per call that each argument of a tool allows, beside the bits that benign calls use.",
        (0, 12),
        (0, len(rows)),
        left=150,
    ).axes("bits per call", "", ticks([0, 2, 4, 6, 8, 10, 12]), [(len(rows) - i - 0.5, name) for i, (name, _, _) in enumerate(rows)])
    for i, (_, allowed, used) in enumerate(rows):
        at = len(rows) - i - 0.5
        assert allowed is not None and used.value is not None
        chart.box((0, allowed), (at + 0.04, at + 0.32), "red").box((0, used.value), (at - 0.32, at - 0.04), "blue")
        chart.say(allowed, at + 0.18, f"{allowed:.2f}", "red", dx=6, dy=4, kind="small")
        chart.say(used.value, at - 0.18, f"{used.value:.2f}", "blue", dx=6, dy=4, kind="small")
    return chart.say(11.9, 2.9, "allowed by the schema", "red", "end").say(11.9, 2.9, "used by benign calls", "blue", "end", dy=18)


def spread() -> Chart:
    """One bit handed on along a chain of agents: what is left, and what the edges' contraction allows."""
    hops = np.arange(9)
    chart = Chart(
        "A bit along a chain of agents",
        "Bits left of one bit after some hops through agents that err on 5 or 20 percent, with the contraction bound above each.",
        (0, 8.2),
        (0, 1.05),
    ).axes("hops from agent to agent", "bits about the source", ticks(range(9)), ticks([0, 0.25, 0.5, 0.75, 1]))
    for row, (error, color) in enumerate(((0.05, "blue"), (0.2, "red"))):
        edge = binary_symmetric(error).matrix
        eta = dobrushin(edge)
        bound = [chain_bound([eta] * int(k), 1.0) for k in hops]
        left = [information_of_law(np.linalg.matrix_power(edge, int(k)) / 2) for k in hops]
        chart.line(hops, bound, color, dash=True).line(hops, left, color)
        for k, bits in zip(hops, left, strict=True):
            chart.dot(float(k), bits, color, 3.5)
        chart.say(8.1, 0.97, f"agents err on {error:.0%}: contraction {eta:.1f}", color, "end", dy=18 * row)
    chart.say(8.1, 0.97, "dashed: bound; dots: what is left", "soft", "end", dy=36)
    return chart


def worst() -> Chart:
    """An attack that may flip or not, input by input: each state alone, and the worst mix of both."""
    flips = np.linspace(0.02, 1, 50)
    clean = binary_symmetric(0.02)
    single = [min(clean.capacity_bits, binary_symmetric(float(p)).capacity_bits) for p in flips]
    mixed = [worst_case_capacity(np.stack([clean.matrix, binary_symmetric(float(p)).matrix])) for p in flips]
    first = float(next(p for p, one in zip(flips, mixed, strict=True) if one.symmetrizability.symmetrizable))
    chart = Chart(
        "The worst case over an attack set",
        "Capacity over the flip rate of an attack: the worst single state recovers, the worst mix falls to zero and stays there.",
        (0, 1),
        (0, 1),
    ).axes(
        "how often the attack flips the bit when it acts", "bits per use", ticks([0, 0.25, 0.5, 0.75, 1]), ticks([0, 0.25, 0.5, 0.75, 1])
    )
    chart.box((first, 1), (0, 1), "red", "band").line(flips, single, "blue", dash=True)
    chart.line(flips, [one.random_code_bits for one in mixed], "red")
    chart.say(0.88, 0.5, "each state by itself", "blue", "end").say(0.2, 0.32, "the attacker mixes states", "red", dx=8)
    return chart.say((first + 1) / 2, 0.9, "symmetrizable: no fixed code", "ink", "middle", kind="small")


DRAWINGS = {
    "bandwidth": bandwidth,
    "worst-case": worst,
    "spread": spread,
    "membership": members,
    "privacy": privacy,
    "decomposition": decomposed,
}
