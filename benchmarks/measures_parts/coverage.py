"""Do the 95% intervals hold the truth? Coverage over 200 seeds a row, the share withheld and the mean width, in bits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from hartley.bits.capacity import capacity
from hartley.bits.continuous import continuous_information
from hartley.bits.counts import information
from hartley.bits.embedding import label_information
from hartley.bits.known import (
    BinaryInputGaussian,
    Channel,
    GaussianPair,
    binary_erasure,
    binary_symmetric,
    noisy_typewriter,
    symmetric,
    z_channel,
)
from hartley.bits.leakage import channel_maximal_leakage, maximal_leakage
from hartley.bits.limits import proportion_limits
from hartley.bits.value import Bits
from measures_parts.line import Line

TITLE = "Coverage of the 95% intervals (93 to 99% each; a bracket may hold more often, never less)"
SEEDS = 200
PERMUTATIONS, FEWEST = 199, 99
"""Each makes a test at exactly 1%, 2 in 200 or 1 in 100; the measures' own 1,999 make the verdict repeat under another seed, not
its level. FEWEST where there is a channel to be found and the gate decides next to nothing."""
BAR, FALSE_ALARMS = 0.93, 0.01

Draw = Callable[[int, np.random.Generator], Bits]


@dataclass(frozen=True)
class Coverage:
    """Over SEEDS samples of one size: intervals that hold the truth, points withheld, intervals without an upper limit, the mean
    width in bits of the others, intervals that exclude zero."""

    held: int
    withheld: int
    open_above: int
    width_bits: float
    alarms: int

    @property
    def share(self) -> float:
        return self.held / SEEDS


def coverage(draw: Draw, n: int, truth: float, key: int) -> Coverage:
    found = [draw(n, np.random.default_rng([key, n, seed])) for seed in range(SEEDS)]
    ends = [(0.0 if one.low is None else one.low, np.inf if one.high is None else one.high) for one in found]
    return Coverage(
        sum(low - 1e-9 <= truth <= high + 1e-9 for low, high in ends),
        sum(one.value is None for one in found),
        sum(np.isinf(high) for _, high in ends),
        float(np.mean([high - low for low, high in ends if np.isfinite(high)] or [np.nan])),
        sum(low > 0 for low, _ in ends),
    )


def row(goal: str, what: str, sizes: Sequence[int], draw: Draw, truth: float, key: int) -> tuple[Line, list[Coverage]]:
    found = [coverage(draw, n, truth, key) for n in sizes]
    shares = " / ".join(f"{100 * one.share:.1f}" for one in found)
    rest = "withheld " + " / ".join(f"{100 * one.withheld / SEEDS:.0f}%" for one in found)
    rest += "; mean width " + " / ".join(f"{one.width_bits:.2f}" for one in found) + " bits"
    if any(one.open_above for one in found):
        rest += "; no upper limit " + " / ".join(f"{100 * one.open_above / SEEDS:.0f}%" for one in found)
    return Line(goal, what, f"{shares}%", f">= {100 * BAR:.0f}% each", min(one.share for one in found) >= BAR, rest), found


def lines() -> Iterator[Line | str]:
    yield "coverage, then share of points withheld and mean width, each at the three or four sizes named; 200 seeds each"
    yield from from_counts()
    yield from from_samples()
    yield from of_capacity()


def discrete() -> list[tuple[Channel, tuple[int, int, int]]]:
    small = (40, 200, 2000)
    return [
        (binary_symmetric(0.11), small),
        (binary_erasure(0.3), small),
        (z_channel(0.3), small),
        (symmetric(10, 0.3), (100, 500, 5000)),
        (BinaryInputGaussian(1.0).quantized(6), small),
    ]


def from_counts() -> Iterator[Line]:
    for channel, sizes in discrete():
        truth = channel.information_bits(channel.uniform)

        def drawn(n: int, generator: np.random.Generator, channel: Channel = channel) -> Bits:
            return information(channel.drawn(n, generator), permutations=FEWEST)

        def balanced(n: int, generator: np.random.Generator, channel: Channel = channel) -> Bits:
            return information(channel.balanced(n, generator), prior=channel.uniform, permutations=FEWEST)

        def leaked(n: int, generator: np.random.Generator, channel: Channel = channel) -> Bits:
            return maximal_leakage(channel.balanced(n, generator), permutations=FEWEST)

        at = "/".join(f"{n:,}" for n in sizes)
        yield row("cover", f"information, {channel.name}, n {at}", sizes, drawn, truth, 1)[0]
        yield row("cover", f"information, inputs' law known, {channel.name}, n {at}", sizes, balanced, truth, 2)[0]
        yield row("cover", f"maximal leakage, {channel.name}, n {at}", sizes, leaked, channel_maximal_leakage(channel.matrix), 3)[0]


def from_samples() -> Iterator[Line]:
    sizes = (60, 300, 2000)
    at = "/".join(f"{n:,}" for n in sizes)
    for amplitude in (0.5, 1.0):
        awgn = BinaryInputGaussian(amplitude)

        def labeled(n: int, generator: np.random.Generator, awgn: BinaryInputGaussian = awgn) -> Bits:
            x, y = awgn.sample(n, generator)
            return label_information(y[:, None], x)

        what = f"embedding to label, binary-input Gaussian at {amplitude:g}, n {at}"
        yield row("cover", what, sizes, labeled, awgn.truth_bits, 4)[0]
    for rho in (0.3, 0.75):
        pair = GaussianPair(rho)

        def paired(n: int, generator: np.random.Generator, pair: GaussianPair = pair) -> Bits:
            return continuous_information(*pair.sample(n, generator))

        yield row("cover", f"continuous, Gaussian pair at {rho:g}, n {at}", sizes, paired, pair.truth_bits, 5)[0]


def of_capacity() -> Iterator[Line]:
    """Goal 5."""
    per_input = (10, 30, 100, 300)
    for inputs in (2, 10, 30):
        channels = [
            ("zero", symmetric(inputs, 1 - 1 / inputs)),
            ("middling", symmetric(inputs, 0.11 if inputs == 2 else 0.4)),
            ("high", symmetric(inputs, 0.02)),
            ("high, shared outcomes" if inputs > 2 else "lopsided", noisy_typewriter(inputs) if inputs > 2 else z_channel(0.5)),
        ]
        alarms = 0
        for level, channel in channels:
            draws = PERMUTATIONS if level == "zero" else FEWEST

            def measured(n: int, generator: np.random.Generator, channel: Channel = channel, draws: int = draws) -> Bits:
                return capacity(channel.balanced(n * channel.inputs, generator), permutations=draws)

            what = f"capacity, {inputs} inputs, {level} ({channel.capacity_bits:.2f} bits), 10/30/100/300 trials an input"
            line, found = row("5", what, per_input, measured, channel.capacity_bits, 6)
            alarms += sum(one.alarms for one in found) if level == "zero" else 0
            yield line
        tests = SEEDS * len(per_input)
        low, high = proportion_limits(alarms, tests)
        reached = f"{100 * alarms / tests:.2f}% ({100 * low:.2f} to {100 * high:.2f}%)"
        yield Line("5", f"capacity, {inputs} inputs, zero: false alarms of {tests} tables", reached, "<= 1% in reach", low <= FALSE_ALARMS)
