"""What was sent: the entropy of the intents, the base of every share of the possible."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from hartley.bits.tables import entropy_bits
from hartley.bits.value import Bits

_GATE = 0.01


def sent_bits(intent: ArrayLike, prior: ArrayLike | None = None) -> Bits:
    """H(U) in bits of the n intents (n,), indices, that were sent.

    prior (intents,)  the law they were drawn from, if it is known. Its entropy is given where a chi-square test (p > 0.01) finds the
                      intents drawn from it or, as in a balanced design, closer to it; else, and without a prior, that of their shares.
    No estimate: it is what was sent, so low = value = high. `checks` hold both entropies where there are both.
    """
    from scipy.special import chdtrc

    counts = np.bincount(np.asarray(intent, dtype=np.int64), minlength=0 if prior is None else len(np.asarray(prior)))
    n = int(counts.sum())
    if n == 0:
        return Bits.unmeasured("sent_bits", "nothing was sent")
    shares = counts / n
    sent, name, checks = entropy_bits(shares), "entropy of the shares that were sent", {"shares_bits": entropy_bits(shares)}
    if prior is not None:
        law = np.asarray(prior, dtype=np.float64)
        checks["prior_bits"] = entropy_bits(law)
        possible = law > 0
        distance = float(((counts - n * law)[possible] ** 2 / (n * law[possible])).sum())
        if not counts[~possible].any() and (possible.sum() < 2 or float(chdtrc(possible.sum() - 1, distance)) > _GATE):
            sent, name = entropy_bits(law), "entropy of the law that was sent"
    return Bits(sent, sent, sent, n, name, "sent_bits", True, "", checks)
