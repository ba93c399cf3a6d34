"""Channels, distributions and tasks whose answer is known: each a sampler with its truth. For tests and benchmarks."""

from hartley.bits.known.concepts import GaussianConcepts
from hartley.bits.known.continuous import (
    AdditiveUniform,
    BinaryInputGaussian,
    GaussianPair,
    GaussianVector,
    StudentVector,
    dense_gaussian,
    sparse_gaussian,
    student_identity,
)
from hartley.bits.known.discrete import Channel, binary_erasure, binary_symmetric, noisy_typewriter, symmetric, z_channel
from hartley.bits.known.mixture import GaussianMixture
from hartley.bits.known.pairing import same_class_pairing
from hartley.bits.known.task import Task
from hartley.bits.known.tasks import FIRST_LIST, SECOND_LIST, TASKS

__all__ = [
    "FIRST_LIST",
    "SECOND_LIST",
    "TASKS",
    "AdditiveUniform",
    "BinaryInputGaussian",
    "Channel",
    "GaussianConcepts",
    "GaussianMixture",
    "GaussianPair",
    "GaussianVector",
    "StudentVector",
    "Task",
    "binary_erasure",
    "binary_symmetric",
    "dense_gaussian",
    "noisy_typewriter",
    "same_class_pairing",
    "sparse_gaussian",
    "student_identity",
    "symmetric",
    "z_channel",
]
