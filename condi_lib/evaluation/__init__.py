"""What a way of choosing clips is worth, from clip tables alone: no network runs here.

``over_k`` judges samplers at every number of clips, ``policies`` whole policies: how a video is
shared between teacher and student, and when it is settled. ``division`` judges all workload
divisions at once. ``front`` says which settings are worth their cost, ``across`` what several
settings say together, ``detection`` how well a score tells the known from the unknown, ``failure``
how well it finds the clips that a network gets wrong.
"""

from condi_lib.evaluation.across import Ranks, rank_methods, slope_weights, weighted_sum
from condi_lib.evaluation.detection import Detection, detect
from condi_lib.evaluation.division import Divisions, divide_every_way
from condi_lib.evaluation.failure import clip_mean, failure_intervals
from condi_lib.evaluation.front import best_within, pareto_front
from condi_lib.evaluation.over_k import (
    accuracy_rows,
    best_k,
    correct_by_draw,
    correct_over_k,
    random_generator,
    video_correct,
)
from condi_lib.evaluation.policies import (
    Decisions,
    choose_adaptive,
    choose_adaptive_within,
    decide,
)

__all__ = [
    "Decisions",
    "Detection",
    "Divisions",
    "Ranks",
    "accuracy_rows",
    "best_k",
    "best_within",
    "choose_adaptive",
    "choose_adaptive_within",
    "clip_mean",
    "correct_by_draw",
    "correct_over_k",
    "decide",
    "detect",
    "divide_every_way",
    "failure_intervals",
    "pareto_front",
    "random_generator",
    "rank_methods",
    "slope_weights",
    "video_correct",
    "weighted_sum",
]
