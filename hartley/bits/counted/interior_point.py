"""The input laws that maximize the information through many channels at once: a primal-dual interior point."""

from __future__ import annotations

import numpy as np

from hartley.bits.tables import Floats

_STEPS = 60


def achieving_laws(channels: Floats, negative: Floats, start: Floats, tol_bits: float) -> Floats:
    """Input laws (m, inputs) that maximize I for each of channels (m, inputs, outcomes), to about tol_bits.

    negative (m, inputs): minus the entropy of each row, in bits. start (m, inputs): where to begin.
    Newton (Wright 1997) on: D_x + slack_x = level for all x, sum of the law = 1, law_x slack_x = mu, with mu driven to 0.
    At its solution the duality gap is inputs x mu, whether or not some inputs are copies of others. The caller computes
    the gap that was reached: where rounding stops Newton early, the law so far is returned.
    """
    m, k = negative.shape
    laws = 0.9 * start / start.sum(1, keepdims=True) + 0.1 / k
    divergence = divergences(channels, negative, laws)
    level = divergence.max(1) + 0.1
    slack = level[:, None] - divergence
    left = np.arange(m)
    for _ in range(_STEPS):
        left = left[np.einsum("mx,mx->m", laws[left], slack[left]) > tol_bits]
        if not len(left):
            break
        w, law, gap = channels[left], laws[left], slack[left]
        target = 0.1 * np.einsum("mx,mx->m", law, gap)[:, None] / k
        system = np.ones((len(left), k + 1, k + 1))
        hessian = (w / np.maximum(law[:, None, :] @ w, 1e-300)) @ w.transpose(0, 2, 1) / np.log(2)
        hessian[:, np.arange(k), np.arange(k)] += gap / law
        system[:, :k, :k] = hessian
        system[:, k, k] = 0.0
        # the residual of D + slack = level, with slack eliminated through law * slack = target
        wanted = np.zeros((len(left), k + 1, 1))
        wanted[:, :k, 0] = divergence[left] - level[left, None] + target / law
        try:
            move = np.linalg.solve(system, wanted)[:, :, 0]
        except np.linalg.LinAlgError:
            break
        change = target / law - gap - gap / law * move[:, :k]
        length = np.minimum(1.0, 0.95 * np.minimum(_room(law, move[:, :k]), _room(gap, change)))[:, None]
        law = law + length * move[:, :k]
        laws[left] = law / law.sum(1, keepdims=True)
        slack[left] = gap + length * change
        level[left] += length[:, 0] * move[:, k]
        divergence[left] = divergences(w, negative[left], laws[left])
    return np.asarray(laws, dtype=np.float64)


def divergences(channels: Floats, negative: Floats, laws: Floats) -> Floats:
    """D(W_x || law W) in bits (m, inputs) for every input x of channels (m, inputs, outcomes) at laws (m, inputs)."""
    outcome = np.log2(np.maximum(laws[:, None, :] @ channels, 1e-300))
    return np.asarray(negative - (channels @ outcome.transpose(0, 2, 1))[:, :, 0], dtype=np.float64)


def _room(values: Floats, move: Floats) -> Floats:
    """The longest step (m,) along `move` that leaves each row of `values` (m, inputs) >= 0."""
    ratio = np.where(move < 0, values / np.where(move < 0, -move, 1.0), np.inf)
    return np.asarray(ratio.min(1))
