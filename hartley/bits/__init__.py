"""Measures: Evidence or plain arrays in, Bits out. Every number is in bits per use of the channel.

Needs numpy and scipy; measures that fit classifiers or clusters need scikit-learn. `hartley.bits.known` has channels whose answer is known.
"""

from hartley.bits.bandwidth import Bandwidth, schema_bandwidth, tools_bandwidth, used_bandwidth
from hartley.bits.capacities import channel_capacities
from hartley.bits.capacity import capacity, channel_capacity
from hartley.bits.certified import certified_information
from hartley.bits.conditional import conditional_information
from hartley.bits.continuous import continuous_information
from hartley.bits.contraction import chain_bound, contraction, dobrushin
from hartley.bits.counts import information
from hartley.bits.cut import cut_bound, network_cut
from hartley.bits.decomposition import decomposition, embedding_decomposition
from hartley.bits.deployed import deployed_information, misinformation
from hartley.bits.embedding import label_information
from hartley.bits.for_evidence import for_evidence
from hartley.bits.leakage import channel_maximal_leakage, maximal_leakage, secret_leakage
from hartley.bits.margin import margin
from hartley.bits.membership import advantage_bits, membership
from hartley.bits.partial.broja import broja
from hartley.bits.percolation import percolation_bound, reproduction_number
from hartley.bits.privacy import (
    approximate_ceiling_bits,
    audit_epsilon,
    gaussian_ceiling_bits,
    pure_ceiling_bits,
    two_group_epsilon,
)
from hartley.bits.rates import Rate, auc, success_rate, tpr_at_fpr
from hartley.bits.reading import channel_reading
from hartley.bits.signal import Condition, signal_and_noise
from hartley.bits.tables import cross_tabulate
from hartley.bits.value import Bits
from hartley.bits.worst_case import symmetrizable, worst_case, worst_case_capacity

__all__ = [
    "Bandwidth",
    "Bits",
    "Condition",
    "Rate",
    "advantage_bits",
    "approximate_ceiling_bits",
    "auc",
    "audit_epsilon",
    "broja",
    "capacity",
    "certified_information",
    "chain_bound",
    "channel_capacities",
    "channel_capacity",
    "channel_maximal_leakage",
    "channel_reading",
    "conditional_information",
    "continuous_information",
    "contraction",
    "cross_tabulate",
    "cut_bound",
    "decomposition",
    "deployed_information",
    "dobrushin",
    "embedding_decomposition",
    "for_evidence",
    "gaussian_ceiling_bits",
    "information",
    "label_information",
    "margin",
    "maximal_leakage",
    "membership",
    "misinformation",
    "network_cut",
    "percolation_bound",
    "pure_ceiling_bits",
    "reproduction_number",
    "schema_bandwidth",
    "secret_leakage",
    "signal_and_noise",
    "success_rate",
    "symmetrizable",
    "tools_bandwidth",
    "tpr_at_fpr",
    "two_group_epsilon",
    "used_bandwidth",
    "worst_case",
    "worst_case_capacity",
]
