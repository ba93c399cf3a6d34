"""What was sent: the law where the draws follow it, their shares where they do not."""

import numpy as np
import pytest

from hartley.bits.sent import sent_bits


def test_draws_that_follow_the_law_are_the_laws():
    drawn = sent_bits(np.random.default_rng(0).integers(0, 10, 200), np.full(10, 0.1))
    assert drawn.value == drawn.low == drawn.high == pytest.approx(np.log2(10)) and drawn.trusted and drawn.n == 200
    assert drawn.checks["shares_bits"] < drawn.value == drawn.checks["prior_bits"]


def test_draws_that_do_not_follow_it_have_the_entropy_of_their_shares():
    """Five and a half of ten intents used: of 2.5 bits, not of 3.32."""
    found = sent_bits(np.random.default_rng(0).choice(np.repeat(np.arange(6), [2, 2, 2, 2, 1, 1]), 300), np.full(10, 0.1))
    assert found.value == pytest.approx(2.5, abs=0.1) and found.value == found.checks["shares_bits"]
    assert sent_bits(np.arange(80) % 8).value == pytest.approx(3.0)
    assert sent_bits(np.array([1, 1]), np.array([1.0, 0.0])).value == 0.0
    assert sent_bits(np.zeros(0, dtype=int)).value is None
