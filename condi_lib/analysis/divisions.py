"""Workload division over a study: the surface over K and K_s, overlaps, and the student alone.

Shapes: S seeds, V videos (folds laid end to end), N clips of the longest one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from condi_lib.analysis.folds import Folds, mean_interval, mean_value, paired_interval
from condi_lib.analysis.results import Sweep, folds_of, longest_video, stack_runs
from condi_lib.analysis.ways import DIVISION, division_ways, judge
from condi_lib.evaluation import correct_over_k, divide_every_way
from condi_lib.sampling import OVERLAPS
from condi_lib.statistics import Interval
from condi_lib.study.study import Study

BY_CONFIDENCE, BY_ENTROPY = "student_by_confidence", "student_by_entropy"


@dataclass(frozen=True, eq=False)
class DivisionSurface:
    """Whether each video is right with every division of K clips.

    A list that is longer than a video is cut to it.

    Attributes:
        correct: By K_t and K_s, each from 0 to N, bool ``[S, V, N + 1, N + 1]``.
        n_both: Clips on both lists, int16, of the same shape.
        folds: Where videos are those of official folds: which is which.
    """

    correct: NDArray[np.bool_]
    n_both: NDArray[np.int16]
    folds: Folds | None = None

    @property
    def longest(self) -> int:
        """N."""
        return self.correct.shape[-1] - 1

    def accuracy(self, k_clips: int, k_student: int) -> Interval:
        """Video accuracy of a division, the mean over seeds."""
        return mean_interval(self._at(k_clips, k_student), self.folds)

    def gain(self, division: tuple[int, int], over: tuple[int, int]) -> Interval:
        """Accuracy of one division (K, K_s) minus that of another, paired by video."""
        return paired_interval(self._at(*division), self._at(*over), self.folds)

    def table(self) -> pd.DataFrame:
        """Video accuracies: a row per K_s, a column per K; NaN where K_s > K."""
        return self._table(self.accuracy_of)

    def overlap_table(self) -> pd.DataFrame:
        """Share of videos in which a clip is on both lists: rows and columns as in the table."""
        return self._table(lambda k, s: float((self.n_both[:, :, k - s, s] > 0).mean()))

    def accuracy_of(self, k_clips: int, k_student: int) -> float:
        """Video accuracy without an interval, which takes no time."""
        return mean_value(self._at(k_clips, k_student), self.folds)

    def changes(self, k_clips: int) -> pd.DataFrame:
        """What happens at one K as the student takes over more clips.

        Returns:
            Indexed by ``k_student``, 0 to K: ``accuracy``, and ``change`` against K_s = 0
            (both :class:`Interval`); ``overlap``, the mean number of clips on both lists.
        """
        rows = {
            s: (
                self.accuracy(k_clips, s),
                self.gain((k_clips, s), (k_clips, 0)),
                float(self.n_both[:, :, k_clips - s, s].mean()),
            )
            for s in range(k_clips + 1)
        }
        columns = ["accuracy", "change", "overlap"]
        return pd.DataFrame.from_dict(rows, "index", columns=columns).rename_axis("k_student")

    def votes_rows(self, k_student: int) -> pd.DataFrame:
        """Accuracy over the teacher's clips beside so many votes of the student.

        Returns:
            One row per K_t from 1 to N: ``k_clips`` (K_t), ``video_accuracy, low, high``.
        """
        rows = []
        for t in range(1, self.longest + 1):
            found = self.accuracy(t + k_student, k_student)
            rows.append((t, found.value, found.low, found.high))
        return pd.DataFrame(rows, columns=["k_clips", "video_accuracy", "low", "high"])

    def falls(self, k_clips: int) -> bool:
        """Whether accuracy falls at every step from K_s = 0 to K (claim 18)."""
        values = [self.accuracy_of(k_clips, s) for s in range(k_clips + 1)]
        return all(after < before for before, after in pairwise(values))

    def best_addition(self, k_teacher: int) -> int:
        """K_s of highest accuracy beside ``k_teacher`` teacher clips, of equal ones the smallest.

        Call it on validation videos. Where the teacher has no clip, K_s is at least 1.
        """
        first = 0 if k_teacher else 1
        accuracies = [
            round(self.accuracy_of(k_teacher + s, s), 9) for s in range(first, self.longest + 1)
        ]
        return first + int(np.argmax(accuracies))

    def _at(self, k_clips: int, k_student: int) -> NDArray[np.bool_]:
        if not 0 <= k_student <= k_clips or k_clips < 1:
            raise ValueError(f"need 0 <= K_s <= K >= 1, got K = {k_clips} and K_s = {k_student}")
        k_teacher, k_student = (min(k, self.longest) for k in (k_clips - k_student, k_student))
        return self.correct[:, :, k_teacher, k_student]

    def _table(self, value: Callable[[int, int], float]) -> pd.DataFrame:
        k_clips = range(1, self.longest + 1)
        rows = {s: [value(k, s) if s <= k else np.nan for k in k_clips] for s in (0, *k_clips)}
        table = pd.DataFrame.from_dict(rows, "index", columns=list(k_clips))
        return table.rename_axis(index="k_student", columns="k_clips")


def division_surface(study: Study, student: str, split: str = "test") -> DivisionSurface:
    """Judge every division of the clips between teacher and student, from clip tables.

    Args:
        study: Where the tables come from.
        student: One with a learned confidence.
        split: Which videos.
    """
    longest = longest_video(study, split)

    def divide(seed: int, fold: str) -> dict[str, NDArray]:
        found = divide_every_way(study.table(student, seed, split, fold), longest)
        return {"correct": found.correct, "n_both": found.n_both}

    return DivisionSurface(**stack_runs(study, divide), folds=folds_of(study, split))


def student_alone(study: Study, student: str, split: str = "test") -> Sweep:
    """Evaluate the student without its teacher, on the K clips that one of its scores prefers.

    Returns:
        Methods ``student_by_confidence``, ranked by z̃, and ``student_by_entropy``, ranked as in
        workload division: its K_s = K.
    """
    k_clips = list(range(1, longest_video(study, split) + 1))
    rankings = {"confidence": BY_CONFIDENCE, "student_negative_entropy": BY_ENTROPY}

    def alone(seed: int, fold: str) -> dict[str, NDArray]:
        view = study.table(student, seed, split, fold).dense()
        itself = replace(view, teacher_logits=view.student_logits)
        right = correct_over_k(itself, list(rankings), k_clips)
        return {name: right[ranking] for ranking, name in rankings.items()}

    return Sweep(stack_runs(study, alone), k_clips, folds_of(study, split))


def votes_at_equal_cost(val: DivisionSurface, result: DivisionSurface) -> pd.DataFrame:
    """What the student's votes add to K_t clips of the teacher, which cost the same without them.

    Args:
        val: Of validation videos, on which K_s is chosen for each K_t.
        result: Of the videos to report.

    Returns:
        Indexed by ``k_teacher``, 1 to N: ``k_student``, ``accuracy``, and ``gain`` over K_s = 0
        (both :class:`Interval`, the latter paired by video).
    """
    rows = {}
    for t in range(1, result.longest + 1):
        s = val.best_addition(t)
        rows[t] = (s, result.accuracy(t + s, s), result.gain((t + s, s), (t, 0)))
    columns = ["k_student", "accuracy", "gain"]
    return pd.DataFrame.from_dict(rows, "index", columns=columns).rename_axis("k_teacher")


def overlap_effect(
    study: Study, student: str, lists: Sequence[tuple[int, int]], split: str = "test"
) -> pd.DataFrame:
    """What other treatments of a clip on both lists would change.

    Args:
        study: Where the tables come from.
        student: One with a learned confidence.
        lists: K_t and K_s of the divisions.
        split: Which videos.

    Returns:
        Indexed by division (``"4+3"``): ``overlap``, the share of videos with such a clip, and for
        each treatment of ``sampling.OVERLAPS`` but the mean its accuracy minus that of the mean
        (:class:`Interval`, paired by video).
    """
    ways = [way for how in OVERLAPS for way in division_ways(study, student, lists, how)]
    judged = judge(study, ways, split)
    shared = division_surface(study, student, split).n_both > 0
    rows = {}
    for t, s in lists:
        name = f"{t}+{s}"
        rows[name] = {"overlap": float(shared[:, :, t, s].mean())} | {
            how: judged.gain((f"{DIVISION}, {how}", name), (DIVISION, name)) for how in OVERLAPS[1:]
        }
    return pd.DataFrame.from_dict(rows, "index").rename_axis("division")
