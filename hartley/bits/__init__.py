"""Measures: Evidence or plain arrays in, Bits out. Every number is in bits per use of the channel."""

from hartley.bits.capacity import capacity, channel_capacity
from hartley.bits.counts import information
from hartley.bits.deployed import deployed_information, misinformation
from hartley.bits.for_evidence import for_evidence
from hartley.bits.margin import margin
from hartley.bits.membership import advantage_bits, membership
from hartley.bits.rates import Rate, auc, success_rate, tpr_at_fpr
from hartley.bits.signal import Condition, signal_and_noise
from hartley.bits.tables import cross_tabulate
from hartley.bits.value import Bits

__all__ = [
    "Bits",
    "Condition",
    "Rate",
    "advantage_bits",
    "auc",
    "capacity",
    "channel_capacity",
    "cross_tabulate",
    "deployed_information",
    "for_evidence",
    "information",
    "margin",
    "membership",
    "misinformation",
    "signal_and_noise",
    "success_rate",
    "tpr_at_fpr",
]
