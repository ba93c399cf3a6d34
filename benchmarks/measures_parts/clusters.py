"""Do limits over clusters hold the truth? Coverage beside that of row-level limits, and alarms where there is no channel."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hartley.bits.counts import information
from hartley.bits.known import symmetric
from hartley.bits.limits import proportion_limits
from hartley.bits.rates import success_rate
from hartley.bits.tables import Counts
from measures_parts.line import Line

TITLE = "Coverage of 95% limits over clusters (at least 92% each, row-level limits beside them)"
SEEDS = 300
CLUSTERS, CORRELATIONS = (8, 20, 100), (0.0, 0.02, 0.2)
BAR, ALARMS = 0.92, 0.01
PERMUTATIONS = 199
PLANS = {"x the same in a cluster": False, "x varies in a cluster": True}


def columns(generator: np.random.Generator, clusters: int, size: int, law: np.ndarray, icc: float, within: bool) -> tuple[Counts, Counts]:
    """x and y (clusters * size): each cluster draws its own channel, Dirichlet around `law` at this intra-class correlation."""
    inputs = len(law)
    if within:
        x = generator.permuted(np.tile(np.arange(size) % inputs, (clusters, 1)), axis=1)
    else:
        x = np.repeat(generator.permutation(np.arange(clusters) % inputs)[:, None], size, axis=1)
    own = np.tile(law, (clusters, 1, 1))
    if icc > 0:
        own = np.stack([generator.dirichlet(np.maximum(row * (1 - icc) / icc, 1e-3), clusters) for row in law], axis=1)
    steps = own[np.arange(clusters)[:, None], x].cumsum(2)
    y = (generator.random((clusters, size, 1)) > steps).sum(2)
    return x.ravel().astype(np.int64), np.minimum(y, law.shape[1] - 1).ravel().astype(np.int64)


def lines() -> Iterator[Line | str]:
    yield f"each at intra-class correlations 0, .02 and .2, {SEEDS} seeds; last column: the same without the cluster column"
    yield from shares()
    yield from bits()


def shares() -> Iterator[Line]:
    for share in (0.1, 0.5):
        for clusters in CLUSTERS:
            unit = np.repeat(np.arange(clusters), 20)
            held, rows = np.zeros(3), np.zeros(3)
            for place, icc in enumerate(CORRELATIONS):
                for seed in range(SEEDS):
                    generator = np.random.default_rng([11, clusters, place, seed])
                    own = np.full(clusters, share)
                    if icc > 0:
                        own = generator.beta(share * (1 - icc) / icc, (1 - share) * (1 - icc) / icc, clusters)
                    hits = (generator.random(len(unit)) < own[unit]).astype(int)
                    for found, cluster in ((held, unit), (rows, None)):
                        rate = success_rate("share", "clean", hits, headline=True, cluster=cluster)
                        assert rate is not None
                        found[place] += rate.low <= share <= rate.high
            yield _line(f"share {share:g}, {clusters} clusters of 20", held, rows)


def bits() -> Iterator[Line]:
    for inputs, size, right in ((2, 20, 0.75), (4, 24, 0.775), (4, 24, 0.0)):
        channel = symmetric(inputs, 1 - right if right else 1 - 1 / inputs)
        for plan, within in PLANS.items():
            for clusters in CLUSTERS:
                held, rows, alarms, false = np.zeros(3), np.zeros(3), np.zeros(3), np.zeros(3)
                unit = np.repeat(np.arange(clusters), size)
                for place, icc in enumerate(CORRELATIONS):
                    for seed in range(SEEDS):
                        generator = np.random.default_rng([12, inputs, clusters, place, seed])
                        x, y = columns(generator, clusters, size, channel.matrix, icc, within)
                        for found, low, cluster in ((held, alarms, unit), (rows, false, None)):
                            one = information(
                                x, y, prior=channel.uniform, inputs=inputs, outcomes=inputs, cluster=cluster, permutations=PERMUTATIONS
                            )
                            assert one.low is not None and one.high is not None
                            found[place] += one.low - 1e-9 <= channel.capacity_bits <= one.high + 1e-9
                            low[place] += one.low > 0
                what = f"information {channel.capacity_bits:.2f} of {np.log2(inputs):.0f} bits, {plan}, {clusters} clusters of {size}"
                yield _line(what, held, rows)
                if not right:
                    reach = max(proportion_limits(float(one), SEEDS)[0] for one in alarms)
                    rest = "rows: " + _percent(false)
                    yield Line("2", "the same: low above 0", _percent(alarms), "<= 1% in reach", reach <= ALARMS, rest)


def _line(what: str, held: np.ndarray, rows: np.ndarray) -> Line:
    return Line("2", what, _percent(held), f">= {100 * BAR:.0f}% each", bool(held.min() >= BAR * SEEDS), "rows: " + _percent(rows))


def _percent(counts: np.ndarray) -> str:
    return " / ".join(f"{100 * count / SEEDS:.1f}" for count in counts) + "%"
