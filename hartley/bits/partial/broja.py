"""BROJA (Bertschinger, Rauh, Olbrich, Jost and Ay 2014): what two sources hold about a target alone, both, or only together.

Among all laws with the pair laws of (source 1, target) and (source 2, target) the one is sought under which the two
sources together say least about the target; that least is the union information. Written as a dual it is a geometric
program: the best additive decoder log q(s|x,y) >= u_s(x) + v_s(y) that is a sub-law at every pair (x, y). A primal-dual
interior point solves it in some 20 steps where alternating I-projections take thousands, and both sides leave a
certificate: any law with those pair laws is an upper bound, any such decoder a lower one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hartley.bits.tables import Floats, entropy_bits, information_of_law
from hartley.errors import InputError

LARGEST = 4_000
"""Unknowns, outcomes x (k1 + k2), above which memory and time run away: group the symbols first."""
_STEPS = 120
_REACH = 20.0


@dataclass(frozen=True)
class Atoms:
    """The BROJA terms of a law that is known exactly, all in bits, each off by at most gap_bits.

    unique_1 + redundant = I(first; target), unique_2 + redundant = I(second; target), all four = I(both; target).
    """

    unique_1: float
    unique_2: float
    redundant: float
    synergistic: float
    gap_bits: float


@dataclass(frozen=True)
class Union:
    """Union information of b pairs of pair laws, in bits.

    upper, lower (b,): certified. decoder_1 (b, o, k1), decoder_2 (b, o, k2): log2 u_s(x) and v_s(y) whose sum is the
    log2 of a sub-law of the target at every (x, y); -inf where the pair (s, x) has no mass. Their mean under the law
    plus H(target) is `lower`. least (b, o, k1, k2): the law that reaches `upper`.
    """

    upper: Floats
    lower: Floats
    decoder_1: Floats
    decoder_2: Floats
    least: Floats


def broja(law: ArrayLike, tol_bits: float = 1e-3) -> Atoms:
    """The BROJA terms of a joint law (k1, k2, o): sources on the first two axes, the target on the last; sums to 1.

    tol_bits  the certified duality gap at which to stop; below about 1e-9 rounding takes over.
    Unique and redundant bits depend on the pair laws alone, the synergistic bits on the whole law. The two one-source
    informations are exact, so unique and redundant bits err together, by the same amount and in opposite directions.
    Raises InputError for what is no law, or for more than 4,000 unknowns o (k1 + k2); ArithmeticError when the gap
    does not reach tol_bits.
    """
    p = _checked(law)
    union = union_information(p.sum(1).T[None], p.sum(0).T[None], tol_bits)
    gap = float(union.upper[0] - union.lower[0])
    if gap > tol_bits:
        raise ArithmeticError(f"BROJA: duality gap {gap:.2e} bits, wanted {tol_bits:.2e}")
    return atoms(p, float(union.upper[0]), gap)


def atoms(law: Floats, union_bits: float, gap_bits: float) -> Atoms:
    """The four terms of law (k1, k2, o) from its union information in bits."""
    first, second = information_of_law(law.sum(1)), information_of_law(law.sum(0))
    both = information_of_law(law.reshape(-1, law.shape[2]))
    union = min(max(union_bits, first, second), both, first + second)
    return Atoms(union - second, union - first, first + second - union, both - union, gap_bits)


def _checked(law: ArrayLike) -> Floats:
    try:
        p = np.asarray(law, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"law: not a table of numbers ({error})") from None
    if p.ndim != 3 or 0 in p.shape:
        raise InputError(f"law: shape {p.shape}, takes (first source, second source, target)")
    if not np.isfinite(p).all() or (p < 0).any() or abs(p.sum() - 1) > 1e-6:
        raise InputError(f"law: takes probabilities from 0 that sum to 1, got smallest {p.min():g} and sum {p.sum():g}")
    p = p[p.sum((1, 2)) > 0][:, p.sum((0, 2)) > 0][:, :, p.sum((0, 1)) > 0]
    if p.shape[2] * (p.shape[0] + p.shape[1]) > LARGEST:
        raise InputError(f"law: shape {p.shape} makes {p.shape[2] * (p.shape[0] + p.shape[1])} unknowns, takes up to {LARGEST}")
    return np.asarray(p / p.sum(), dtype=np.float64)


def union_information(first: Floats, second: Floats, tol_bits: float) -> Union:
    """Union information of b laws at once: first (b, o, k1) and second (b, o, k2) are joint laws of target and source.

    Stops when every gap is at most tol_bits or after a fixed number of steps, whatever the gap is by then.
    """
    problem = _Problem(first, second)
    best = problem.certified()
    for step in range(_STEPS):
        if step % 2 == 0 or problem.mean_slack() < tol_bits:
            best = _better(best, problem.certified())
            if float((best.upper - best.lower).max()) <= tol_bits:
                break
        if not problem.advance():
            break
    return _better(best, problem.certified())


def _better(old: Union, new: Union) -> Union:
    """The tighter side of each, for each law."""
    up, down = new.upper < old.upper, new.lower > old.lower
    pick = down[:, None, None]
    return Union(
        np.where(up, new.upper, old.upper),
        np.where(down, new.lower, old.lower),
        np.where(pick, new.decoder_1, old.decoder_1),
        np.where(pick, new.decoder_2, old.decoder_2),
        np.where(up[:, None, None, None], new.least, old.least),
    )


def _half_log_posterior(joint: Floats) -> Floats:
    """log p(s|x) / 2, less 1/4, in nats; -inf where there is no mass. joint (b, o, k)."""
    positive = np.where(joint > 0, joint, 1.0)
    posterior = np.log(positive) - np.log(np.maximum(joint.sum(1, keepdims=True), 1e-300))
    return np.where(joint > 0, posterior / 2 - 0.25, -np.inf)


_LIFT = 1e-10


def _lifted(joint: Floats) -> Floats:
    """joint (b, o, k) with _LIFT of the law that is even over the targets and, given the target, over its support."""
    on = joint > 0
    even = on / np.maximum(on.sum(2, keepdims=True), 1) / np.maximum(on.any(2).sum(1), 1)[:, None, None]
    return np.asarray((1 - _LIFT) * joint + _LIFT * even)


def _share(wanted: Floats, there: Floats) -> Floats:
    """wanted / there, at most 1 (there is nothing to divide where it is below what is wanted)."""
    more = there > wanted
    return np.where(more, np.divide(wanted, there, out=np.ones_like(there), where=more), 1.0)


class _Problem:
    """The interior point's state for b laws: potentials u (b, o, k1), v (b, o, k2) in nats, pair law mass (b, k1, k2).

    Unknowns with no mass are switched off: their exponential is 0 and their equation is move = 0.
    """

    def __init__(self, first: Floats, second: Floats) -> None:
        self.on_1, self.on_2 = first > 0, second > 0
        self.exact_1, self.exact_2 = first, second
        self.label = first.sum(2)
        # probabilities of 1e-50 would starve the steps: the path is that of a law mixed with 1e-10 of an even one on
        # the same support, and the bounds are taken for the law itself; what is a sub-law does not depend on it
        self.first, self.second = _lifted(first), _lifted(second)
        # a constant may move from u_s to v_s: the potential of each target's likeliest y is held where it is
        self.free_2 = self.on_2 & (np.arange(second.shape[2]) != second.argmax(2)[:, :, None])
        # half of each log posterior: a sub-law everywhere by Cauchy-Schwarz
        self.u, self.v = _half_log_posterior(self.first), _half_log_posterior(self.second)
        self.mass = self.first.sum(1)[:, :, None] * self.second.sum(1)[:, None, :]
        self.possible = (self.on_1[:, :, :, None] & self.on_2[:, :, None, :]).any(1)
        self.mass = np.where(self.possible, self.mass, 0.0)
        self.level, self.decoder = self._levels(self.u, self.v)

    def _levels(self, u: Floats, v: Floats) -> tuple[Floats, Floats]:
        """g (b, k1, k2) = log sum_s exp(u + v), -1 at impossible pairs, and the decoder (b, o, k1, k2) normalized."""
        each = u[:, :, :, None] + v[:, :, None, :]
        top = each.max(1)
        top = np.where(np.isfinite(top), top, 0.0)
        weight = np.exp(each - top[:, None])
        total = weight.sum(1)
        safe = np.where(total > 0, total, 1.0)
        return np.where(self.possible, np.log(safe) + top, -1.0), weight / safe[:, None]

    def mean_slack(self) -> float:
        """The largest complementarity sum over the laws, in bits: the gap once the equations hold."""
        return float((self.mass * -self.level).sum((1, 2)).max() / np.log(2))

    def certified(self) -> Union:
        """Both bounds from where the potentials stand now."""
        top = np.where(self.possible, self.level, -np.inf).max((1, 2))
        u = (self.u - top[:, None, None]) / np.log(2)
        v = self.v / np.log(2)
        entropy = np.array([entropy_bits(row) for row in self.label])
        reached = np.where(self.on_1, self.exact_1 * np.where(self.on_1, u, 0.0), 0.0).sum((1, 2))
        reached += np.where(self.on_2, self.exact_2 * np.where(self.on_2, v, 0.0), 0.0).sum((1, 2))
        least = self._rounded(self.mass[:, None] * self.decoder)
        pair = least.sum(1, keepdims=True)
        ratio = np.divide(least, pair, out=np.ones_like(least), where=least > 0)
        return Union((least * np.log2(ratio)).sum((1, 2, 3)) + entropy, reached + entropy, u, v, least)

    def _rounded(self, q: Floats) -> Floats:
        """The law near q (b, o, k1, k2) with exactly the two pair laws (Altschuler, Weed and Rigollet 2017)."""
        rows = q.sum(3)
        q = q * _share(self.exact_1, rows)[..., None]
        columns = q.sum(2)
        q = q * _share(self.exact_2, columns)[:, :, None]
        short_1, short_2 = np.maximum(self.exact_1 - q.sum(3), 0.0), np.maximum(self.exact_2 - q.sum(2), 0.0)
        total = short_1.sum(2)[:, :, None, None]
        return np.asarray(q + np.divide(short_1[..., None] * short_2[:, :, None], total, out=np.zeros_like(q), where=total > 0))

    def advance(self) -> bool:
        """One Newton step toward the central path; False when rounding leaves no step."""
        slack = np.where(self.possible, -self.level, 1.0)
        pairs = self.possible.sum((1, 2))
        target = (0.1 * (self.mass * slack).sum((1, 2)) / pairs)[:, None, None]
        tilt = np.where(self.possible, target / slack, 0.0)
        q = self.mass[:, None] * self.decoder
        toward = tilt[:, None] * self.decoder
        wanted_1 = np.where(self.on_1, self.first - toward.sum(3), 0.0)
        wanted_2 = np.where(self.free_2, self.second - toward.sum(2), 0.0)
        curve = self.mass / slack - self.mass
        du, dv = self._solved(q, curve, wanted_1, wanted_2, np.zeros(len(q)))
        # where next to no mass holds a potential, it would run away: held to moves of about _REACH nats
        reach = np.maximum(np.abs(du).max((1, 2)), np.abs(dv).max((1, 2)))
        if not (reach <= _REACH).all():
            du, dv = self._solved(q, curve, wanted_1, wanted_2, np.where(reach <= _REACH, 0.0, 1 / _REACH))
        if not (np.isfinite(du).all() and np.isfinite(dv).all()):
            return False
        moved = np.einsum("bsxy,bsx->bxy", self.decoder, du) + np.einsum("bsxy,bsy->bxy", self.decoder, dv)
        change = np.where(self.possible, tilt - self.mass + self.mass / slack * moved, 0.0)
        room = np.where(change < 0, self.mass / np.maximum(-change, 1e-300), np.inf).min((1, 2))
        length = np.minimum(1.0, 0.95 * room)[:, None, None]
        for _ in range(40):
            u, v = self.u + length * du, self.v + length * dv
            level, decoder = self._levels(u, v)
            over: NDArray[np.bool_] = np.asarray((level > 0.05 * self.level).any((1, 2)))
            if not over.any():
                break
            length = np.where(over[:, None, None], length * 0.7, length)
        else:
            return False
        self.mass = np.maximum(self.mass + length * change, 0.0)
        self.u, self.v, self.level, self.decoder = u, v, level, decoder
        return bool(length.max() > 1e-9)

    def _solved(self, q: Floats, curve: Floats, wanted_1: Floats, wanted_2: Floats, damping: Floats) -> tuple[Floats, Floats]:
        """Newton moves (b, o, k1), (b, o, k2) of the potentials: sum over pairs of [diag(q) + curve t t'] move = wanted."""
        b, o, k1, k2 = q.shape
        size_1, size_2 = o * k1, o * k2
        t = self.decoder
        weighed = curve[:, None] * t
        system = np.zeros((b, size_1 + size_2, size_1 + size_2))
        same_1 = np.einsum("bsxy,brxy->bxsr", weighed, t, optimize=True)
        same_2 = np.einsum("bsxy,brxy->bysr", weighed, t, optimize=True)
        block_1 = system[:, :size_1, :size_1].reshape(b, o, k1, o, k1)
        block_2 = system[:, size_1:, size_1:].reshape(b, o, k2, o, k2)
        for block, same, size in ((block_1, same_1, k1), (block_2, same_2, k2)):
            at = np.arange(size)
            block[:, :, at, :, at] = same.transpose(1, 0, 2, 3)
        cross = weighed[:, :, :, None, :] * t.transpose(0, 2, 1, 3)[:, None]
        at = np.arange(o)
        cross[:, at, :, at] += q.transpose(1, 0, 2, 3)
        system[:, :size_1, :size_1] = block_1.reshape(b, size_1, size_1)
        system[:, size_1:, size_1:] = block_2.reshape(b, size_2, size_2)
        system[:, :size_1, size_1:] = cross.reshape(b, size_1, size_2)
        system[:, size_1:, :size_1] = system[:, :size_1, size_1:].transpose(0, 2, 1)
        free: NDArray[np.bool_] = np.concatenate([self.on_1.reshape(b, -1), self.free_2.reshape(b, -1)], axis=1)
        system *= free[:, :, None] & free[:, None, :]
        at = np.arange(size_1 + size_2)
        own = np.concatenate([q.sum(3).reshape(b, -1), q.sum(2).reshape(b, -1)], axis=1)
        wanted = np.concatenate([wanted_1.reshape(b, -1), wanted_2.reshape(b, -1)], axis=1)
        system[:, at, at] += np.where(free, own + damping[:, None] * np.abs(wanted) + 1e-14, 1.0)
        try:
            move = np.linalg.solve(system, wanted[..., None])[..., 0]
        except np.linalg.LinAlgError:
            return np.full((b, o, k1), np.nan), np.full((b, o, k2), np.nan)
        return move[:, :size_1].reshape(b, o, k1), move[:, size_1:].reshape(b, o, k2)
