"""Which clips of a video are kept, and how their predictions become one.

``weights`` makes selection weights, ``division`` shares clips between two networks, ``samplers``
names the ways of choosing. A policy (``policies``, ``adaptive``) says how a whole video is shared
between teacher and student.
"""

from condi_lib.sampling.adaptive import Adaptive
from condi_lib.sampling.division import OVERLAPS, divide_workload, division_weights
from condi_lib.sampling.policies import DENSE, Divided, Policy, Selected, queue_length
from condi_lib.sampling.samplers import SAMPLERS, RankedBy, Sampler, stack
from condi_lib.sampling.weights import (
    average,
    confidence_weights,
    dense_weights,
    equidistant_weights,
    neighbouring_weights,
    random_weights,
    rank_clips,
    stacked_weights,
    top_k_weights,
)

__all__ = [
    "DENSE",
    "OVERLAPS",
    "SAMPLERS",
    "Adaptive",
    "Divided",
    "Policy",
    "RankedBy",
    "Sampler",
    "Selected",
    "average",
    "confidence_weights",
    "dense_weights",
    "divide_workload",
    "division_weights",
    "equidistant_weights",
    "neighbouring_weights",
    "queue_length",
    "random_weights",
    "rank_clips",
    "stack",
    "stacked_weights",
    "top_k_weights",
]
