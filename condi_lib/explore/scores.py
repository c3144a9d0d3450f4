"""How well one score tells the clips that the teacher gets right: what the data set view shows.

Nothing here depends on K, so each score is looked at once and kept.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from condi_lib.explore.split import SplitAnswers
from condi_lib.metrics import auroc, ece, risk_coverage
from condi_lib.plotting.style import TRUTH_COLOURS

BINS, GROUPS = 20, 10
MOST_POINTS = 200  # of a curve


@dataclass(frozen=True, eq=False)
class ScoreReport:
    """One score of all clips, beside what they show.

    Attributes:
        values: The score, higher = more likely correct, ``[R]``.
        right: Whether the teacher is right, ``[R]``.
        kind: ``key``, ``confuser`` or ``generic``, or where that is not known ``right`` or
            ``wrong``, ``[R]``.
    """

    values: NDArray[np.float64]
    right: NDArray[np.bool_]
    kind: NDArray[np.str_]

    @cached_property
    def is_probability(self) -> bool:
        """Whether all scores are in ``[0, 1]``, so that they can be honest."""
        return bool(self.values.min() >= 0 and self.values.max() <= 1)

    @cached_property
    def edges(self) -> NDArray[np.float64]:
        """Edges of the histogram's bins; the last bin has both of its edges."""
        limits = (0.0, 1.0) if self.is_probability else None
        return np.histogram_bin_edges(self.values, BINS, limits)

    @cached_property
    def bin(self) -> NDArray[np.int64]:
        """The histogram's bin of each clip, ``[R]``."""
        return np.searchsorted(self.edges[1:-1], self.values, side="right")

    @cached_property
    def histogram(self) -> pd.DataFrame:
        """How many clips of each kind (columns) are in each bin (rows)."""
        kinds = list(dict.fromkeys(self.kind))
        order = [k for k in (*TRUTH_COLOURS, "right", "wrong") if k in kinds]
        counts = {k: np.bincount(self.bin[self.kind == k], minlength=BINS) for k in order}
        return pd.DataFrame(counts)

    @cached_property
    def reliability(self) -> pd.DataFrame:
        """How often the teacher is right at each level of the score.

        ``score`` and ``accuracy`` (means) and ``share`` of clips; of equally wide bins for a
        probability, else of ten equally large groups.
        """
        if self.is_probability:
            group = np.minimum((self.values * GROUPS).astype(int), GROUPS - 1)
        else:
            cuts = np.quantile(self.values, np.arange(1, GROUPS) / GROUPS)
            group = np.searchsorted(cuts, self.values, side="right")
        n = np.bincount(group, minlength=GROUPS)
        used = n > 0
        sums = (np.bincount(group, weights=w, minlength=GROUPS) for w in (self.values, self.right))
        score, accuracy = (each[used] / n[used] for each in sums)
        return pd.DataFrame({"score": score, "accuracy": accuracy, "share": n[used] / n.sum()})

    @cached_property
    def risk_curve(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Coverage and risk at so many points at most that a picture can show them."""
        coverage, risk = risk_coverage(self.values, self.right)
        n = len(coverage)
        shown = np.unique(np.linspace(0, n - 1, min(n, MOST_POINTS)).astype(int))
        return coverage[shown], risk[shown]

    @cached_property
    def numbers(self) -> dict[str, float]:
        """``auroc``, ``accuracy`` of the teacher's clips, and ``ece`` of a probability."""
        found = {"auroc": auroc(self.values, self.right), "accuracy": float(self.right.mean())}
        return found | ({"ece": ece(self.values, self.right)} if self.is_probability else {})

    def prepare(self) -> None:
        """Compute all of it now."""
        _ = self.histogram, self.reliability, self.risk_curve, self.numbers

    def clips_in(self, number: int, kind: str | None = None) -> NDArray[np.int64]:
        """Return the clips (rows of the table) in a bin, highest score first.

        Args:
            number: Of the bin, from 0.
            kind: Only clips of this kind.
        """
        chosen = self.bin == number
        rows = np.flatnonzero(chosen if kind is None else chosen & (self.kind == kind))
        return rows[np.argsort(-self.values[rows], kind="stable")]


class ScoreReports:
    """A report on each score of a split, made when it is first asked for."""

    def __init__(self, split: SplitAnswers) -> None:
        right = split.teacher_right()
        kind = kinds_of(split, right)

        @lru_cache
        def report(score: str) -> ScoreReport:
            return ScoreReport(split.score_by_clip(score).astype(float), right, kind)

        self.of = report


def kinds_of(split: SplitAnswers, right: NDArray[np.bool_]) -> NDArray[np.str_]:
    """What each clip shows, where that is known, else whether the teacher is right on it."""
    truth = split.table.clips.get("truth")
    if truth is not None and set(truth.unique()) <= set(TRUTH_COLOURS):
        return truth.to_numpy(str)
    return np.where(right, "right", "wrong")
