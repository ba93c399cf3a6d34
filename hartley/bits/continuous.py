"""Information between two continuous variables (E4): a portfolio of estimates, and the guard that decides what may be said."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from hartley.bits.limits import Z
from hartley.bits.neighbors.ksg import ksg_bits
from hartley.bits.portfolio.critic import best_low_bits
from hartley.bits.portfolio.dependence import dependence_p
from hartley.bits.portfolio.gathered import AGREE_BITS, CLOSE_BITS, Portfolio, examined
from hartley.bits.portfolio.rows import Sides, checked_sides
from hartley.bits.tables import Floats
from hartley.bits.trust import GATE, below_low, drifts, first, forms_disagree, not_detected
from hartley.bits.value import Bits

FEWEST_ROWS = 40
SATURATION = 0.8
_NO_HIGH = "between numbers no test limits from above what it does not see"
ESTIMATOR = "portfolio: copula, neighbors on what goes together, cells; cross-fitted critic below"


def continuous_information(x: ArrayLike, y: ArrayLike, *, kind: str = "information_bits", seed: int = 0) -> Bits:
    """I(X; Y) in bits from n paired rows x (n, dx) or (n,) and y (n, dy) or (n,) of continuous numbers.

    A permutation test decides first whether there is any dependence. Then five estimates are made (an elliptical copula,
    Gaussian or Student-t by held-out likelihood; KSG on all columns where there are at most four, on the straight
    canonical pairs where there are more, on curved ones; a table of cells), and up to three lower bounds on rows that were
    left out. Estimates may share what they miss, so each kind of point must answer for itself: a copula must pass tests of
    its form, and another estimate or bound agree within 0.1 bit; neighbors must resolve what they see; cells must leave
    nothing over. The point is given when nothing speaks against it, no estimate says more, and it has settled with the
    sample size; otherwise it is None, and `low` says how much there is at least. With 500 rows in many columns the tests
    can miss a fifth of a bit, and a point's own standard error is up to 0.07 bits.

    low   one-sided 97.5% limit from rows left out; it holds without a model. high: with the point only, and only as good as
          what supports it; None otherwise, since without a model there is no upper limit.
    seed  fixes permutations, halves and the coins that break ties.
    checks  every estimate and bound, `point_bits` (what would have been printed), rows_used.

    Of more than 20,000 rows 20,000 are used, drawn at random. Raises InputError for text, NaN, unequal lengths, constant
    columns and discrete ones (`information` measures those), naming column and row.
    """
    sides = checked_sides(x, y, seed=seed)
    n = len(sides.x)
    estimator = ESTIMATOR if n == sides.rows else f"{ESTIMATOR}; on {n:,} of {sides.rows:,} rows"
    if n < FEWEST_ROWS:
        return Bits.unmeasured(kind, f"{n} rows, needs {FEWEST_ROWS}", n)
    p = dependence_p(sides.x, sides.y, seed=seed)
    checks = {"permutation_p": p, "rows_used": float(n)}
    if p > GATE:
        return Bits(None, 0.0, None, n, estimator, kind, False, f"{not_detected(p, None)}; {_NO_HIGH}", checks)
    found = examined(sides.x, sides.y, seed=seed)
    name, point = chosen(found)
    bounds = list(found.bounds.values())
    low = best_low_bits(bounds)
    error = max(bounds, key=lambda bound: bound.bits).error_bits
    checks |= _figures(found, point)
    why, half = _why_withheld(sides, found, name, low, error), point
    if not why and n >= 2 * FEWEST_ROWS:
        half = found.on_fewer_rows(name, sides.x, sides.y, seed=seed)
        checks["half_sample_bits"] = half
        why = drifts(point, half, error)
    if why:
        return Bits(None, low, None, n, estimator, kind, False, why, checks)
    value = max(point, 0.0)
    high = max(bits for bits in found.points.values() if bits <= point + AGREE_BITS) + Z * error
    if name != "copula":
        # a copula that is confirmed on rows left out aims at all of I; the others may all miss the same part of it, and
        # what twice the rows have added, twice the rows may add again
        high += AGREE_BITS + max(0.0, point - half)
    return Bits(value, min(low, value), max(high, value), n, estimator, kind, True, "", checks)


def chosen(found: Portfolio) -> tuple[str, float]:
    """Which estimate is the point: cells that leave nothing over, else a copula or neighbors that nothing speaks against.

    Each only where no other says clearly more; where there is none, the largest, which is then withheld.
    """
    points = found.points
    name = max(points, key=lambda key: points[key])
    certified = max(bound.bits for bound in found.bounds.values())
    if found.exhausted and points["cells"] >= max(points[name], certified) - CLOSE_BITS:
        return "cells", points["cells"]
    for sound in ("copula", "knn", "reduced"):
        if sound in points and sound not in found.doubts and not found.clearly_more(sound):
            return sound, points[sound]
    return name, points[name]


def _figures(found: Portfolio, point: float) -> dict[str, float]:
    figures = {f"{name}_bits": bits for name, bits in {**found.points, **found.refuted}.items()}
    figures |= {f"{name}_bound_bits": bound.bits for name, bound in found.bounds.items()}
    figures["point_bits"] = max(point, 0.0)
    if np.isfinite(found.nu):
        figures["degrees_of_freedom"] = found.nu
    return figures


def _why_withheld(sides: Sides, found: Portfolio, name: str, low: float, error: float) -> str:
    """The first rule that fails, in plain words; "" when all hold."""
    point = found.points[name]
    quick = first(
        [
            _saturated(len(sides.x), point, low, found),
            below_low(point, low),
            _unsupported(found, name, point, low, error),
            sides.narrowed,
        ]
    )
    if quick or name != "knn":
        return quick
    return forms_disagree({"rank": point, "whitened": ksg_bits(_standard(sides.x), _standard(sides.y))})


def _standard(x: Floats) -> Floats:
    """x (n, d) without correlation between columns, each of variance 1."""
    centered = x - x.mean(0)
    values, vectors = np.linalg.eigh(centered.T @ centered / len(x))
    return np.asarray(centered @ vectors / np.sqrt(np.maximum(values, 1e-12 * values.max())))


def _unsupported(found: Portfolio, name: str, point: float, low: float, error: float) -> str:
    """Nothing may speak against the point, no other estimate may say more, and one must agree with a copula.

    Estimates that agree are no proof: what their coordinates have in common, all may miss.
    """
    if low <= 0 and (name != "copula" or point <= error):
        return f"unmodeled dependence, at least {low:.3f} bits: the permutation test finds it, but no bound on rows left out does"
    if name == "cells" and found.exhausted:
        return ""
    others = [bits for key, bits in found.points.items() if key != name] + [bound.bits for bound in found.bounds.values()]
    higher = found.clearly_more(name)
    agreed = name != "copula" or any(abs(bits - point) <= AGREE_BITS for bits in others)
    if name not in found.doubts and agreed and not higher:
        return ""
    said = ", ".join(f"{key} {bits:.3f}" for key, bits in sorted({**found.points, **found.refuted}.items()))
    if higher or not agreed:
        return f"unmodeled dependence, at least {low:.3f} bits: the estimates do not agree ({said} bits)"
    return f"unmodeled dependence, at least {low:.3f} bits: against {name}, {point:.3f} bits, speaks: {found.doubts[name]} ({said} bits)"


def _saturated(n: int, point: float, low: float, found: Portfolio) -> str:
    """Near the logarithm of the number of rows no estimate can tell how much there is."""
    most = SATURATION * float(np.log2(n // 2))
    if max([point, *(bound.bits for bound in found.bounds.values())]) <= most:
        return ""
    return f"saturated, at least {low:.3f} bits: beyond {most:.3f} bits {n} rows no longer tell how much there is"
