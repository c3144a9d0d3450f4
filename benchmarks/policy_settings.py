"""The ways of classifying that ``pareto.py`` compares; nothing runs here.

Whatever is chosen (thresholds, powers) is chosen on validation videos, for each seed anew.
"""

from collections.abc import Sequence

from student_sizes import LOSS

from condi_lib.analysis.ways import (
    ADAPTIVE,
    BUDGETS,
    DIVISION,
    POWERS,
    Way,
    adaptive_ways,
    dense_way,
    division_ways,
    pairs_of,
    top_k_ways,
)
from condi_lib.clip_table import DenseView
from condi_lib.evaluation import decide
from condi_lib.sampling import Policy, Selected
from condi_lib.study.study import Study

__all__ = ["ADAPTIVE", "BUDGETS", "DIVISION", "FIXED", "WEIGHTED", "ways_to_compare"]

FIXED, WEIGHTED = LOSS, "K clips, weighted"
DIVISIONS = ((1, 1), (2, 1), (4, 1), (2, 3), (6, 1), (3, 4))  # K_t and K_s
WEIGHTED_K = (2, 3, 5, 8, 12)
FREE_K = (1, 3, 5, 8)  # of samplers that need no student
MOST_K = 12


def ways_to_compare(study: Study, every: bool) -> list[Way]:
    """All ways of a student; of one that is not the study's own fewer."""
    ways = top_k_ways(study, FIXED, range(1, MOST_K + 1 if every else 2))
    if every:
        ways += weighted_ways(study) + division_ways(study, LOSS, DIVISIONS)
    seen: list[dict] = []
    for way in adaptive_ways(study, LOSS):
        if way.policies not in seen:  # more may be allowed than is worth spending
            seen.append(way.policies)
            ways.append(way)
    if every:
        for sampler in ("equidistant", "random"):
            ways += top_k_ways(study, sampler, FREE_K)
        ways.append(dense_way(study))
    return ways


def weighted_ways(study: Study) -> list[Way]:
    """K clips of highest z̃, averaged with weights z̃ ** power."""
    views = {
        (seed, fold): study.table(LOSS, seed, study.spec.student.val_split, fold).dense()
        for seed, fold in pairs_of(study)
    }
    return [
        Way(
            WEIGHTED,
            f"{k}",
            LOSS,
            {
                pair: most_accurate([Selected("confidence", k, power) for power in POWERS], view)
                for pair, view in views.items()
            },
        )
        for k in WEIGHTED_K
    ]


def most_accurate(policies: Sequence[Policy], view: DenseView) -> Policy:
    """The policy of highest accuracy on validation videos; of equal ones the first."""
    return max(policies, key=lambda policy: decide(view, policy).correct.mean())
