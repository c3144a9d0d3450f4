"""Which clips of a video are kept, and how their predictions become one.

``weights`` makes selection weights, ``division`` shares clips between two networks, ``samplers``
names the ways of choosing.
"""

from condi_lib.sampling.division import divide_workload, division_weights
from condi_lib.sampling.samplers import SAMPLERS, Sampler, ranked_by, stack
from condi_lib.sampling.weights import (
    average,
    dense_weights,
    equidistant_weights,
    random_weights,
    rank_clips,
    stacked_weights,
    top_k_weights,
)

__all__ = [
    "SAMPLERS",
    "Sampler",
    "average",
    "dense_weights",
    "divide_workload",
    "division_weights",
    "equidistant_weights",
    "random_weights",
    "rank_clips",
    "ranked_by",
    "stack",
    "stacked_weights",
    "top_k_weights",
]
