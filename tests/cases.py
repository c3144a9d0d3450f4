"""Inputs at the edge, named and decided once, with what each metric makes of them by hand.

``CASES`` are scores with the value of every metric worked out on paper, ``BAD_SCORES`` inputs that
every metric refuses; ``EXTREME_LOGITS`` and ``EXTREME_CONFIDENCE`` are as sure as a network gets.
"""

import math
from dataclasses import dataclass

import numpy as np

NAN = math.nan


@dataclass(frozen=True)
class Case:
    """Scores, outcomes and the metrics they must give. NaN means: not defined."""

    confidence: tuple[float, ...]
    correct: tuple[int, ...]
    auroc: float
    aupr_error: float
    fpr_at_95_tpr: float
    aurc: float
    e_aurc: float
    augrc: float
    ece: float


CASES = {
    # the ten clips of the literature check; AUROC: 18 of 24 pairs
    "golden": Case(
        confidence=(0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1),
        correct=(1, 1, 0, 1, 1, 0, 1, 1, 0, 0),
        auroc=0.75,
        # errors are met at ranks 1, 2, 5 and 8 from the bottom
        aupr_error=(1 / 1 + 2 / 2 + 3 / 5 + 4 / 8) / 4,
        fpr_at_95_tpr=2 / 4,  # all six correct ones must be kept: threshold .3, above two errors
        aurc=(0 + 0 + 1 / 3 + 1 / 4 + 1 / 5 + 2 / 6 + 2 / 7 + 2 / 8 + 3 / 9 + 4 / 10) / 10,
        e_aurc=0.2385714286 - (1 / 7 + 2 / 8 + 3 / 9 + 4 / 10) / 10,
        augrc=((0 + 0 + 1 + 1 + 1 + 2 + 2 + 2 + 3 + 4) - 4 / 2) / 10**2,
        # each clip has a bin of its own: |correct - confidence|
        ece=(0.05 + 0.1 + 0.8 + 0.3 + 0.4 + 0.5 + 0.6 + 0.7 + 0.2 + 0.1) / 10,
    ),
    "perfect": Case(
        confidence=(0.9, 0.8, 0.7, 0.6),
        correct=(1, 1, 0, 0),
        auroc=1,
        aupr_error=1,
        fpr_at_95_tpr=0,
        aurc=(0 + 0 + 1 / 3 + 2 / 4) / 4,
        e_aurc=0,
        augrc=(0 + 0 + 1 + 2 - 2 / 2) / 16,
        ece=(0.1 + 0.2 + 0.7 + 0.6) / 4,
    ),
    "worst": Case(
        confidence=(0.9, 0.8, 0.7, 0.6),
        correct=(0, 0, 1, 1),
        auroc=0,
        aupr_error=(1 / 3 + 2 / 4) / 2,
        fpr_at_95_tpr=1,
        aurc=(1 + 1 + 2 / 3 + 2 / 4) / 4,
        e_aurc=(1 + 1 + 2 / 3 + 2 / 4) / 4 - (1 / 3 + 2 / 4) / 4,
        augrc=(1 + 2 + 2 + 2 - 2 / 2) / 16,
        ece=(0.9 + 0.8 + 0.3 + 0.4) / 4,
    ),
    # a constant says nothing: half of the pairs, risk 1/2 at every coverage
    "constant": Case(
        confidence=(0.5, 0.5, 0.5, 0.5),
        correct=(1, 0, 1, 0),
        auroc=0.5,
        aupr_error=0.5,
        fpr_at_95_tpr=1,
        aurc=0.5,
        e_aurc=0.5 - (1 / 3 + 2 / 4) / 4,
        augrc=(0.5 + 1 + 1.5 + 2 - 2 / 2) / 16,
        ece=0,
    ),
    # one error hides among three ties: on average 1/3 of it is met at each of the three ranks
    "ties": Case(
        confidence=(0.9, 0.9, 0.9, 0.4),
        correct=(0, 1, 1, 0),
        auroc=(0.5 + 0.5 + 1 + 1) / 4,
        aupr_error=0.5 * 1 + 0.5 * (2 / 4),
        fpr_at_95_tpr=1 / 2,
        aurc=(1 / 3 + 1 / 3 + 1 / 3 + 2 / 4) / 4,
        e_aurc=(1 / 3 + 1 / 3 + 1 / 3 + 2 / 4) / 4 - (1 / 3 + 2 / 4) / 4,
        augrc=(1 / 3 + 2 / 3 + 1 + 2 - 2 / 2) / 16,
        ece=(abs(2 - 2.7) + 0.4) / 4,
    ),
    "all_correct": Case(
        confidence=(0.9, 0.8, 0.7),
        correct=(1, 1, 1),
        auroc=NAN,
        aupr_error=NAN,
        fpr_at_95_tpr=NAN,
        aurc=0,
        e_aurc=0,
        augrc=0,
        ece=(0.1 + 0.2 + 0.3) / 3,
    ),
    "none_correct": Case(
        confidence=(0.9, 0.8, 0.7),
        correct=(0, 0, 0),
        auroc=NAN,
        aupr_error=1,
        fpr_at_95_tpr=NAN,
        aurc=1,
        e_aurc=0,
        augrc=0.5,
        ece=(0.9 + 0.8 + 0.7) / 3,
    ),
    "one_clip": Case(
        confidence=(1.0,),
        correct=(1,),
        auroc=NAN,
        aupr_error=NAN,
        fpr_at_95_tpr=NAN,
        aurc=0,
        e_aurc=0,
        augrc=0,
        ece=0,
    ),
}

# confidence, correct, and what the error must say
BAD_SCORES = {
    "nan": ((0.1, NAN, 0.3), (1, 0, 1), "first in row 1: nan"),
    "infinite": ((0.1, 0.2, math.inf), (1, 0, 1), "first in row 2: inf"),
    "empty": ((), (), "n >= 1"),
    "lengths_differ": ((0.1, 0.2), (1, 0, 1), r"got \[2\] and \[3\]"),
    "two_axes": (((0.1, 0.2),), ((1, 0),), r"confidence \[n\]"),
    "half_correct": ((0.1, 0.2), (1, 0.5), "True or False"),
    "unknown_outcome": ((0.1, 0.2), (1, NAN), "True or False"),
}

# four classes; every pair of rows is also used as student against teacher
EXTREME_LOGITS = {
    "uniform": (0.0, 0.0, 0.0, 0.0),
    "one_hot": (1e4, 0.0, 0.0, 0.0),
    "other_one_hot": (0.0, 1e4, 0.0, 0.0),
    "two_peaks": (1e4, 1e4, -1e4, -1e4),
    "all_high": (1e4, 1e4, 1e4, 1e4),
    "far_apart": (-1e4, 1e4, 0.0, 50.0),
}
EXTREME_CONFIDENCE = (-1e4, -50.0, 0.0, 50.0, 1e4)


def random_scores(seed: int, n: int, n_levels: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores on ``n_levels`` levels, so that many tie, and outcomes that depend on them."""
    rng = np.random.default_rng(seed)
    confidence = rng.integers(1, n_levels + 1, n) / n_levels
    return confidence, rng.random(n) < 0.2 + 0.6 * confidence
