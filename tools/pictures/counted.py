"""Pictures of what is counted: the parts of a number, plug-in and its bias, margin, capacity, leakage, deployed bits."""

from __future__ import annotations

import numpy as np

from hartley.bits.capacity import capacity, channel_capacity
from hartley.bits.counts import information
from hartley.bits.known import binary_symmetric, symmetric, z_channel
from hartley.bits.leakage import channel_maximal_leakage, maximal_leakage
from hartley.bits.tables import binary_entropy_bits, information_of_law, joint_law
from pictures.chart import Chart, ticks


def value() -> Chart:
    """One channel at growing n: first limits alone, then a point."""
    channel = binary_symmetric(0.11)
    truth = channel.capacity_bits
    sizes = (8, 30, 100, 300, 1_000, 3_000, 10_000)
    chart = Chart(
        "A number of bits and its limits",
        "Interval and point for a binary symmetric channel at seven sample sizes; at the smallest, the point is withheld.",
        (0, len(sizes)),
        (0, 1.1),
    ).axes(
        "uses of the channel seen (n)", "bits per use", [(i + 0.5, f"{n:,}") for i, n in enumerate(sizes)], ticks([0, 0.25, 0.5, 0.75, 1])
    )
    chart.line([0, len(sizes)], [truth, truth], "gold", dash=True)
    chart.say(0.6, truth, "truth, 0.500", "gold", dy=-6, kind="small")
    generator = np.random.default_rng(3)
    for i, n in enumerate(sizes):
        bits = information(channel.drawn(n, generator))
        assert bits.low is not None and bits.high is not None
        chart.limits(i + 0.5, bits.low, bits.high, "blue" if bits.value is not None else "soft")
        if bits.value is None:
            chart.say(i + 0.5, bits.high, "withheld", "soft", "middle", dy=-7, kind="small")
        else:
            chart.dot(i + 0.5, bits.value, "blue")
    return chart


def margin() -> Chart:
    """The user's and the attacker's bits as an attack succeeds more often."""
    k, n = 10, 2_000
    generator = np.random.default_rng(0)
    shares = np.linspace(0, 1, 41)
    user = [information_of_law(_mixed(k, s) / k) for s in shares]
    chart = Chart(
        "Utility, adversary and margin",
        "As an attack succeeds more often the user's bits fall and the attacker's rise; where they cross the margin is zero.",
        (0, 1),
        (0, 3.5),
    ).axes("share of inputs on which the attack succeeds", "bits per use", ticks([0, 0.25, 0.5, 0.75, 1]), ticks([0, 1, 2, 3]))
    chart.band(shares, np.minimum(user, user[::-1]), np.maximum(user, user[::-1]), "soft")
    chart.line(shares, user, "blue").line(shares, user[::-1], "red")
    for share in (0.1, 0.3, 0.7, 0.9):
        for side, color in ((share, "blue"), (1 - share, "red")):
            bits = information(generator.multinomial(n // k, _mixed(k, side)))
            assert bits.low is not None and bits.high is not None and bits.value is not None
            chart.limits(share, bits.low, bits.high, color).dot(share, bits.value, color)
    chart.say(0.02, 3.2, "utility: I(intent; outcome)", "blue", dx=30, dy=-8).say(
        0.98, 3.2, "adversary: I(payload; outcome)", "red", "end", dx=-30, dy=-8
    )
    chart.say(0.5, 1.0, "margin 0", "ink", "middle", dy=34, kind="small").dot(0.5, user[20], "ink", 4)
    chart.say(0.06, 1.45, "margin above 0:", "soft", kind="small").say(0.06, 1.45, "the user owns the channel", "soft", dy=15, kind="small")
    chart.say(0.94, 1.45, "margin below 0:", "soft", "end", kind="small")
    return chart.say(0.94, 1.45, "the adversary owns it", "soft", "end", dy=15, kind="small")


def _mixed(k: int, success: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """W(outcome | intent) when the outcome is an unrelated payload on a share of the inputs."""
    return (1 - success) * np.eye(k) + success / k


def plug_in() -> Chart:
    """Plug-in against the corrected point, truth zero and truth one bit."""
    chart = Chart(
        "Why the plug-in lies",
        "For a channel that carries nothing the plug-in estimate reports up to bits at small n; the corrected one does not.",
        (1.7, 4.3),
        (0, 3),
    ).axes("trials (n)", "bits per use", [(np.log10(n), f"{n:,}") for n in (100, 300, 1_000, 3_000, 10_000)], ticks([0, 1, 2, 3]))
    sizes = np.array([60, 100, 200, 300, 500, 1_000, 2_000, 4_000, 10_000, 16_000])
    at = np.log10(sizes)
    for error, truth_at in ((0.9, 0.0), (0.35, None)):
        channel = symmetric(10, error)
        truth = channel.capacity_bits if truth_at is None else truth_at
        generator = np.random.default_rng(1)
        tables = [[channel.drawn(int(n), generator) for _ in range(12)] for n in sizes]
        raw = [float(np.mean([information_of_law(joint_law(table, None)) for table in row])) for row in tables]
        chart.line([at[0], at[-1]], [truth, truth], "gold", dash=True).line(at, raw, "red")
        found = [information(row[0], permutations=399) for row in tables]
        for x, bits in zip(at, found, strict=True):
            assert bits.low is not None and bits.high is not None
            chart.limits(x, bits.low, bits.high, "blue" if bits.value is not None else "soft")
            if bits.value is not None:
                chart.dot(x, bits.value, "blue")
        chart.say(at[-1], truth, f"truth, {truth:.2f}", "gold", "end", dx=18, dy=-7 if truth else -9, kind="small")
    chart.say(2.05, 2.3, "plug-in, mean of 12 runs", "red", dx=14)
    chart.say(3.35, 2.3, "interval; point where trusted", "blue")
    return chart.say(3.35, 2.3, "grey: point withheld", "soft", dy=18)


def best_input() -> Chart:
    """Information of the Z-channel over its input law, and the capacity on top of it."""
    channel = z_channel(0.5)
    shares = np.linspace(0, 1, 101)
    bits = [channel.information_bits(np.array([1 - s, s])) for s in shares]
    best, gap, law = channel_capacity(channel.matrix)
    measured = capacity(channel.balanced(600, np.random.default_rng(2)))
    assert measured.low is not None and measured.high is not None and measured.value is not None
    chart = Chart(
        "Capacity is the best over all input laws",
        "Information of a Z-channel over the share of ones sent: a hill whose top is the capacity.",
        (0, 1),
        (0, 0.5),
    ).axes("share of ones among the inputs", "bits per use", ticks([0, 0.25, 0.5, 0.75, 1]), ticks([0, 0.1, 0.2, 0.3, 0.4, 0.5]))
    chart.line(shares, bits, "blue").line([0, 1], [best + gap] * 2, "gold", dash=True)
    chart.dot(law[1], best, "gold", 5).say(0.985, best, f"capacity {best:.3f}", "gold", "end", dy=-8)
    chart.dot(0.5, bits[50], "blue").say(0.5, bits[50], f"equal inputs {bits[50]:.3f}", "blue", "middle", dy=26)
    chart.limits(0.12, measured.low, measured.high, "red").dot(0.12, measured.value, "red")
    return chart.say(0.12, measured.value, "measured, 600 uses", "red", dx=10, dy=-22, kind="small")


def leakage() -> Chart:
    """Information, capacity and maximal leakage of one channel."""
    errors = np.linspace(0.001, 0.5, 60)
    law = np.array([0.9, 0.1])
    channels = [binary_symmetric(float(e)) for e in errors]
    info = [channel.information_bits(law) for channel in channels]
    best = [channel.capacity_bits for channel in channels]
    most = [channel_maximal_leakage(channel.matrix) for channel in channels]
    chart = Chart(
        "Information, capacity, maximal leakage",
        "Three readings of the same leak over its error rate: each bounds the one below it.",
        (0, 0.5),
        (0, 1),
    ).axes(
        "how often the observation is wrong", "bits about the secret", ticks([0, 0.1, 0.2, 0.3, 0.4, 0.5]), ticks([0, 0.25, 0.5, 0.75, 1])
    )
    chart.line(errors, most, "red").line(errors, best, "gold").line(errors, info, "blue")
    generator = np.random.default_rng(0)
    for error in (0.1, 0.3):
        bits = maximal_leakage(binary_symmetric(error).balanced(1_000, generator))
        assert bits.low is not None and bits.high is not None and bits.value is not None
        chart.limits(error, bits.low, bits.high, "red").dot(error, bits.value, "red")
    chart.say(0.2, float(np.interp(0.2, errors, most)), "maximal leakage: the best of all guessers", "red", dx=8, dy=-6)
    chart.say(0.15, float(np.interp(0.15, errors, best)), "capacity: at any law", "gold", dx=8, dy=-2)
    return chart.say(0.012, 0.05, "information: secrets 9 to 1", "blue")


def deployed() -> Chart:
    """Information stays symmetric in the flip rate; what the deployed head delivers does not."""
    flips = np.linspace(0, 1, 101)
    right, wrong = np.log2(0.98), np.log2(0.02)
    carried = [1 - binary_entropy_bits(float(f)) for f in flips]
    delivered = 1 + (1 - flips) * right + flips * wrong
    chart = Chart(
        "Carried, deployed, recoverable",
        "When labels flip, information returns to one bit while the deployed head falls to minus four and a half bits.",
        (0, 1),
        (-5, 1.5),
    ).axes("share of labels flipped", "bits per use", ticks([0, 0.25, 0.5, 0.75, 1]), ticks([-4, -3, -2, -1, 0, 1]))
    chart.band(flips, delivered, carried, "red").line(flips, carried, "blue").line(flips, delivered, "red")
    chart.line([0, 1], [0, 0], "ink", thin=True)
    chart.say(0.99, 1, "I: carried", "blue", "end", dy=-7).say(0.6, -2.2, "deployed, a head 98% sure", "red", "end", dx=-8, dy=14)
    return chart.say(0.9, -1.2, "recoverable misinformation: I less deployed", "ink", "end", kind="small")


DRAWINGS = {
    "value": value,
    "margin": margin,
    "plug-in": plug_in,
    "capacity": best_input,
    "leakage": leakage,
    "deployed": deployed,
}
