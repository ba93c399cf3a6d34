"""Goal 6: Blahut-Arimoto with its certificate beside dit and qif; information from thin counts beside infomeasure."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable, Iterator

import numpy as np

from hartley.bits.capacities import channel_capacities
from hartley.bits.capacity import channel_capacity
from hartley.bits.counts import information, jackknife_bits
from hartley.bits.known import symmetric
from hartley.bits.leakage import channel_maximal_leakage
from measures_parts.line import Line, cpu_seconds, peer

TITLE = "Capacity and counts"
TOL_BITS = 1e-6
CAP_SECONDS = 45.0
"""A peer's call is stopped here, and the ratio is then a lower limit."""


def random_channel(size: int) -> np.ndarray:
    """Rows uniform over the simplex: the hard case, where most inputs are barely worth using."""
    return np.random.default_rng(size).dirichlet(np.ones(size), size)


def capped(call: Callable[[], object]) -> tuple[object, float, bool]:
    """(result or None, CPU seconds, whether it was stopped at CAP_SECONDS); one call."""

    def stop(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, CAP_SECONDS)
    start = time.process_time()
    try:
        return call(), time.process_time() - start, False
    except TimeoutError:
        return None, time.process_time() - start, True
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        signal.signal(signal.SIGPROF, before)


def lines() -> Iterator[Line | str]:
    dit, why_not = peer("dit.algorithms.channelcapacity")
    for size, bar in ((100, 25), (1000, 80)):
        yield one_channel(size, bar, dit, why_not)
    yield batch(dit, why_not)
    yield from qif_lines()
    yield from thin_counts()


def one_channel(size: int, bar: int, dit: object, why_not: str) -> Line:
    matrix = random_channel(size)
    value, gap, _ = channel_capacity(matrix, TOL_BITS)
    seconds = cpu_seconds(lambda: channel_capacity(matrix, TOL_BITS))
    what = f"{size}x{size} random channel, certified to {gap:.0e} bits: times faster than dit"
    if dit is None:
        return Line("6", what, f"{seconds:.4f} s", f">= {bar}x", None, why_not)
    result, theirs, stopped = capped(lambda: dit.channel_capacity(matrix))
    ratio = f"{'> ' if stopped else ''}{theirs / seconds:.0f}x ({seconds:.4f} s)"
    theirs_say = "stopped" if stopped else f"{(value - result[0]) * 1e6:.1f}e-6 bits short, no certificate"
    return Line("6", what, ratio, f">= {bar}x", theirs / seconds >= bar, f"dit {theirs:.2f} s, {theirs_say}")


def batch(dit: object, why_not: str) -> Line:
    channels = np.random.default_rng(0).dirichlet(np.ones(10), (1000, 10))
    _, gaps = channel_capacities(channels, TOL_BITS)
    seconds = cpu_seconds(lambda: channel_capacities(channels, TOL_BITS))
    note = why_not
    if dit is not None:
        _, theirs, _ = capped(lambda: [dit.channel_capacity(one) for one in channels[:200]])
        note = f"dit one by one {5 * theirs:.1f} s (from 200)"
    met = bool(seconds <= 2 and gaps.max() <= TOL_BITS)
    return Line("6", f"1,000 random 10x10 channels, all gaps <= {gaps.max():.0e} bits", f"{seconds:.3f} s", "<= 2 s", met, note)


def qif_lines() -> Iterator[Line]:
    qif, why_not = peer("qif")
    if qif is None:
        yield Line("6", "100x100 random channel", "-", "-", None, why_not)
        return
    matrix = random_channel(100)
    value, gap, _ = channel_capacity(matrix, 1e-9)
    seconds = cpu_seconds(lambda: channel_capacity(matrix, 1e-9))
    start = time.process_time()
    theirs = float(qif.measure.shannon.add_capacity(matrix)[0])
    spent = time.process_time() - start
    agree = -1e-8 <= theirs - value <= gap + 1e-8
    yield Line(
        "6",
        "100x100 random channel to 1e-9 bits: equal to qif",
        f"{abs(theirs - value):.0e} bits, {seconds:.4f} s",
        "<= 1e-8",
        agree,
        f"qif {spent:.2f} s",
    )
    worst = max(
        abs(np.log2(qif.measure.bayes_vuln.mult_capacity(one)) - channel_maximal_leakage(one))
        for one in (random_channel(k) for k in (3, 20, 100))
    )
    yield Line(
        "6",
        "maximal leakage of three random channels: equal to qif",
        f"{worst:.0e} bits",
        "<= 1e-9",
        bool(worst <= 1e-9),
        "qif, the same value",
    )


def thin_counts() -> Iterator[Line]:
    """Root mean square error of the point, and what is said where there are too few trials for one."""
    infomeasure, why_not = peer("infomeasure")
    logging.getLogger("infomeasure").setLevel(logging.ERROR)
    names = ("discrete", "miller_madow", "grassberger", "chao_shen", "chao_wang_jost")
    for per_input in (10, 50, 300):
        channel, generator = symmetric(10, 0.3), np.random.default_rng(per_input)
        errors, given, held = {name: [] for name in ("jackknife", *names)}, 0, 0
        for _ in range(20):
            counts = channel.balanced(10 * per_input, generator)
            errors["jackknife"].append(jackknife_bits(counts, channel.uniform) - channel.capacity_bits)
            found = information(counts, prior=channel.uniform, permutations=199)
            given += found.value is not None
            held += found.low <= channel.capacity_bits <= found.high
            if infomeasure is not None:
                x, y = (np.repeat(index.ravel(), counts.ravel()) for index in np.indices(counts.shape))
                for name in names:
                    errors[name].append(float(infomeasure.mutual_information(x, y, approach=name, base=2)) - channel.capacity_bits)
        rms = {name: float(np.sqrt(np.mean(np.square(some)))) for name, some in errors.items() if some}
        reached = f"rms {rms.pop('jackknife'):.3f}; given {given}/20"
        note = "infomeasure: " + ", ".join(f"{name} {value:.2f}" for name, value in rms.items()) if rms else why_not
        what = f"10-ary symmetric, truth {channel.capacity_bits:.2f}, {per_input} trials an input; interval holds {held}/20"
        yield Line("-", what, reached, "-", None, note)
