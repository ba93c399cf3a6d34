"""Goal 9: membership conversions and ceilings against independent quadrature, and audits that never exceed the true epsilon."""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal, getcontext
from itertools import pairwise

import numpy as np

from hartley.bits.known import BinaryInputGaussian
from hartley.bits.limits import proportion_limits
from hartley.bits.membership import advantage_bits
from hartley.bits.privacy import (
    approximate_ceiling_bits,
    audit_epsilon,
    gaussian_ceiling_bits,
    gaussian_epsilon,
    pure_ceiling_bits,
    two_group_epsilon,
)
from measures_parts.line import Line

TITLE = "Membership and differential privacy"
NO_PEER = "none compared"
DELTA = 1e-5


def lines() -> Iterator[Line | str]:
    yield from conversions()
    for mu, n in ((0.5, 1000), (1.0, 1000), (2.0, 1000), (4.0, 1000), (1.0, 10_000)):
        yield audit(mu, n)
    yield response()
    yield groups()


def exact(name: str, error: float) -> Line:
    return Line("9", name, f"{error:.0e} bits", "<= 1e-9", error <= 1e-9, NO_PEER)


def conversions() -> Iterator[Line]:
    from scipy.integrate import quad
    from scipy.stats import norm

    getcontext().prec = 40

    def h(p: Decimal) -> Decimal:
        return -sum(q * q.ln() for q in (p, 1 - p) if q > 0) / Decimal(2).ln()

    def pure(epsilon: float) -> Decimal:
        return 1 - h(1 / (1 + (-Decimal(epsilon)).exp()))

    advantages = [k / 40 for k in range(41)]
    error = max(max(abs(advantage_bits(a)[0] - float(1 - h((1 + Decimal(a)) / 2))), abs(advantage_bits(a)[1] - a)) for a in advantages)
    yield exact("advantage to [1 - h((1+A)/2), A], 41 advantages, against 40 digits", float(error))
    grid = [k / 4 for k in range(81)]
    error = max(abs(pure_ceiling_bits(e) - float(pure(e))) for e in grid)
    yield exact("pure epsilon ceiling, epsilon 0 to 20, against 40 digits", error)
    shown = ", ".join(f"{e}: {pure_ceiling_bits(e):.3f}" for e in (1, 3, 8))
    right = [round(pure_ceiling_bits(e), 3) for e in (1, 3, 8)] == [0.160, 0.725, 0.996]
    yield Line("9", "pure epsilon ceiling as published (1: 0.160, 3: 0.725, 8: 0.996)", shown, "equal", right, NO_PEER)
    error = max(
        abs(approximate_ceiling_bits(e, d) - float(Decimal(d) + (1 - Decimal(d)) * pure(e))) for e in grid for d in (1e-6, 1e-2, 0.3)
    )
    yield exact("(epsilon, delta) ceiling, epsilon 0 to 20, three deltas, against 40 digits", error)

    def gaussian(mu: float) -> float:
        """Adaptive Gauss-Kronrod."""

        def loss(z: float) -> float:
            return float(norm.pdf(z) * np.logaddexp(0, -mu * (mu / 2 + z)) / np.log(2))

        return 1 - sum(quad(loss, a, b, epsabs=1e-13, limit=400)[0] for a, b in pairwise((-14, -mu / 2, 0, 14)))

    mus = (0.05, 0.5, 1.0, 2.0, 4.0, 8.0)
    yield exact(
        "mu-GDP ceiling, six mu from 0.05 to 8, against adaptive quadrature",
        max(abs(gaussian_ceiling_bits(mu) - gaussian(mu)) for mu in mus),
    )
    error = max(abs(gaussian_ceiling_bits(mu) - BinaryInputGaussian(mu / 2).truth_bits) for mu in mus)
    yield exact("mu-GDP ceiling equals the binary-input Gaussian channel by Gauss-Hermite", error)


def above(lows: list[float], truth: float) -> tuple[str, bool]:
    share = float(np.mean(np.array(lows) > truth + 1e-12))
    return f"{1 - share:.1%} (mean {np.mean(lows):.2f} of {truth:.2f})", share <= 0.05


def audit(mu: float, n: int) -> Line:
    truth, generator, lows = gaussian_epsilon(mu, DELTA), np.random.default_rng([9, int(10 * mu), n]), []
    for _ in range(200):
        member = generator.integers(0, 2, n)
        lows.append(audit_epsilon(mu * member + generator.standard_normal(n), member, delta=DELTA).low)
    reached, met = above(lows, truth)
    return Line(
        "9", f"one-run audit never above the true epsilon: 200 Gaussian mechanisms, mu {mu:g}, n {n:,}", reached, ">= 95%", met, NO_PEER
    )


def response() -> Line:
    """Randomized response is where the theorem is tight: the one case in which the limit can come out too high."""
    generator, lows = np.random.default_rng(5), []
    for _ in range(1000):
        member = generator.integers(0, 2, 1000)
        said = np.where(generator.random(1000) < math.e / (1 + math.e), member, 1 - member)
        lows.append(audit_epsilon(said, member, top=500, bottom=500).low)
    share = float(np.mean(np.array(lows) > 1.0))
    reached, _ = above(lows, 1.0)
    # the bar on a share that is 95% by design: within the reach of 1,000 runs
    met = proportion_limits(round(share * 1000), 1000)[0] <= 0.05
    return Line("9", "the same where it is tight: 1,000 runs of randomized response, epsilon 1", reached, "95% in reach", met, NO_PEER)


def groups() -> Line:
    truth, generator, lows = gaussian_epsilon(1.0, DELTA), np.random.default_rng(6), []
    for _ in range(1000):
        hits, false_hits = (int((generator.normal(shift, 1, 500) > 2.0).sum()) for shift in (1.0, 0.0))
        lows.append(two_group_epsilon(hits, 500, false_hits, 500, delta=DELTA).low)
    reached, met = above(lows, truth)
    return Line("9", "two-group audit never above the true epsilon: 1,000 Gaussian mechanisms, mu 1", reached, ">= 95%", met, NO_PEER)
