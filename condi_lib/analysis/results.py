"""What a study found: accuracy over K of every method, and how well each score finds failures.

A *method* is a way of choosing clips: the samplers that need no student, and each student by the
score that its loss makes it good at. Seeds are stacked, folds laid end to end, so that an array is
``[S, V, K]`` whatever the study. Folds by group test every video once, and results are means over
all videos; official folds may overlap, and results are means over the folds.
Shapes: S seeds, V videos, K numbers of clips.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from condi_lib.analysis.folds import Folds, mean_interval
from condi_lib.confidence import max_softmax, negative_entropy, true_class_probability
from condi_lib.evaluation import accuracy_rows, best_k, correct_over_k, failure_intervals
from condi_lib.losses import LOSSES
from condi_lib.sampling import SAMPLERS
from condi_lib.statistics import (
    Interval,
    bootstrap_difference,
    paired_permutation_test,
)
from condi_lib.study.study import Study

WITHOUT_STUDENT = (
    "random",
    "equidistant",
    "dense",
    "oracle",
    "teacher_max_softmax",
    "teacher_negative_entropy",
)
SOFTMAX = "teacher_max_softmax"
PLACES = ("first", "middle", "last")  # samplers of neighbouring clips, baselines for frames
_SAMPLER_OF_SCORE = {
    "confidence": "confidence",
    "negative_entropy": "student_negative_entropy",
    "max_logit": "student_max_logit",
}
T = TypeVar("T")


@dataclass(frozen=True)
class Sweep:
    """Whether each video is right, by method and number of clips.

    Attributes:
        correct: By method, float32 ``[S, V, K]``; random samplers hold shares of draws.
        k_clips: The numbers of clips, 1 to that of the longest video.
        folds: Where the V videos are those of official folds: which is which.
    """

    correct: dict[str, NDArray[np.float32]]
    k_clips: list[int]
    folds: Folds | None = None

    def accuracy(self, method: str, k: int) -> Interval:
        """Video accuracy with its interval over videos, the mean over seeds."""
        return mean_interval(self._at(method, k), self.folds)

    def gain(self, method: str, k: int, over: str = "dense", over_k: int = 1) -> Interval:
        """Accuracy of ``method`` at k minus that of ``over``, paired by video."""
        a, b = self._at(method, k), self._at(over, over_k)
        if self.folds is not None:
            return self.folds.interval(a.mean(axis=0, dtype=float) - b.mean(axis=0, dtype=float))
        return bootstrap_difference(a, b)

    def p_value(self, method: str, k: int, over: str, over_k: int) -> float:
        """Of the hypothesis that both are equally good: signs of videos flipped at random."""
        a, b = self._at(method, k), self._at(over, over_k)
        if self.folds is not None:
            a, b = self.folds.by_video(a), self.folds.by_video(b)
        return paired_permutation_test(a, b)

    def best_k(self, method: str) -> int:
        """The K of highest accuracy; call it on validation videos and use it on test videos."""
        correct = self.correct[method]
        if self.folds is not None:
            correct = self.folds.means(correct.swapaxes(1, 2)).swapaxes(1, 2)  # [S, F, K]
        return best_k(correct, self.k_clips)

    def rows(self) -> pd.DataFrame:
        """Tidy rows: ``sampler, k_clips, video_accuracy, low, high, n_videos, n_seeds``."""
        if self.folds is None:
            return accuracy_rows(self.correct, self.k_clips)
        rows = accuracy_rows(self.correct, self.k_clips, mean=self.folds.interval)
        return rows.assign(n_videos=self.folds.n_videos)

    def by_seed(self, method: str, k: int) -> NDArray[np.float64]:
        """Video accuracy of each seed, ``[S]``."""
        correct = self._at(method, k)
        if self.folds is not None:
            return self.folds.means(correct).mean(axis=1)
        return correct.mean(axis=1, dtype=float)

    def by_fold(self, method: str, k: int) -> NDArray[np.float64]:
        """Video accuracy of each official fold, the mean over seeds, ``[F]``."""
        if self.folds is None:
            raise ValueError("the study has no official folds")
        return self.folds.means(self._at(method, k)).mean(axis=0)

    def _at(self, method: str, k: int) -> NDArray[np.float32]:
        return self.correct[method][:, :, self.k_clips.index(k)]


def sampler_of(study: Study, method: str) -> str:
    """The sampler of a student: that of the score its loss trains, or of ``"student/sampler"``.

    Raises:
        ValueError: If the study has no such student, or there is no such sampler.
    """
    student, _, sampler = method.partition("/")
    if student not in study.spec.losses:
        known = [*WITHOUT_STUDENT, *study.students]
        raise ValueError(f"the study has no method {student!r}; choose from {known}")
    if sampler and sampler not in SAMPLERS:
        raise ValueError(f"{method!r}: there is no such sampler; choose from {list(SAMPLERS)}")
    loss = study.spec.losses[student].loss_of(student)
    return sampler or _SAMPLER_OF_SCORE[LOSSES[loss].score]


def students_of(study: Study, split: str) -> list[str]:
    """The students that score a split."""
    return [name for name in study.students if split in study.spec.splits_of(name)]


def sweep(
    study: Study, split: str = "test", methods: tuple[str, ...] = (), random_draws: int = 10
) -> Sweep:
    """Evaluate methods at every K on one split.

    Args:
        study: Where the clip tables come from.
        split: ``"test"``, or ``"val"`` to choose K on.
        methods: Names of samplers that need no student, of students, and ``"student/sampler"`` for
            a student by another score than the one its loss trains; empty: all samplers that
            need none, and all students that score the split.
        random_draws: Draws of the random sampler, averaged.
    """
    wanted = methods or (*WITHOUT_STUDENT, *students_of(study, split))
    k_clips = list(range(1, longest_video(study, split) + 1))
    samplers = {name: sampler_of(study, name) for name in wanted if name not in SAMPLERS}
    without = [name for name in wanted if name in SAMPLERS]

    def of_teacher(seed: int, fold: str) -> dict[str, NDArray]:
        teacher = study.teacher_table(seed, split, fold)
        correct = correct_over_k(teacher, without, k_clips, seed, random_draws)
        for method, sampler in samplers.items():
            table = study.table(method.partition("/")[0], seed, split, fold, teacher)
            found = correct_over_k(table, [sampler], k_clips, seed, random_draws)
            correct[method] = found[sampler]
        return correct

    correct = stack_runs(study, of_teacher)
    return Sweep({name: correct[name] for name in wanted}, k_clips, folds_of(study, split))


def folds_of(study: Study, split: str) -> Folds | None:
    """Which video and fold each place of a split's arrays is, where that matters."""
    if not study.spec.has_official_folds:
        return None
    seed, names = study.seeds[0], study.spec.fold_names
    tables = (study.teacher_table(seed, split, fold) for fold in names)
    return Folds.of([table.clips["video_id"].unique() for table in tables])


def longest_video(study: Study, split: str) -> int:
    """Clips of a split's longest video, over all folds."""
    seed = study.seeds[0]
    tables = (study.teacher_table(seed, split, fold) for fold in study.spec.fold_names)
    return max(int(table.clips["clip_index"].max()) + 1 for table in tables)


def stack_runs(study: Study, one: Callable[[int, str], dict[T, NDArray]]) -> dict[T, NDArray]:
    """Lay a study's folds end to end and stack its seeds.

    Args:
        study: Whose.
        one: Gives arrays ``[V, ...]`` by name, for a seed and a fold.

    Returns:
        By name ``[S, V, ...]``.
    """
    by_seed = []
    for seed in study.seeds:
        folds = [one(seed, fold) for fold in study.spec.fold_names]
        by_seed.append({n: np.concatenate([fold[n] for fold in folds]) for n in folds[0]})
    return {name: np.stack([each[name] for each in by_seed]) for name in by_seed[0]}


def clip_scores(study: Study, split: str = "test") -> pd.DataFrame:
    """Every clip of every seed with what each score says of it.

    A video that several official folds test is here once, as the first of them tests it.

    Returns:
        ``seed, video_id, clip_index, label``, ``truth`` where known; ``predicted``, ``correct``
        and ``true_class_probability`` of the teacher; then one column per score, higher = more
        likely correct: ``teacher_max_softmax``, ``teacher_negative_entropy`` and each student.
    """
    frames = []
    for seed in study.seeds:
        seen: set[str] = set()
        for fold in study.spec.fold_names:
            frame = _clip_scores(study, seed, split, fold)
            frames.append(frame[~frame["video_id"].isin(seen)])
            seen |= set(frame["video_id"])
    return pd.concat(frames, ignore_index=True)


def _clip_scores(study: Study, seed: int, split: str, fold: str) -> pd.DataFrame:
    teacher = study.teacher_table(seed, split, fold)
    keep = [c for c in ("video_id", "clip_index", "label", "truth") if c in teacher.clips]
    frame = teacher.clips[keep].assign(seed=seed)
    logits, label = teacher.teacher_logits, frame["label"].to_numpy()
    frame["predicted"] = logits.argmax(dim=1).numpy()
    frame["correct"] = frame["predicted"].to_numpy() == label
    frame["true_class_probability"] = _true_probability(logits, label)
    frame["teacher_max_softmax"] = max_softmax(logits).numpy()
    frame["teacher_negative_entropy"] = negative_entropy(logits).numpy()
    for student in students_of(study, split):
        table = study.table(student, seed, split, fold, teacher)
        if sampler_of(study, student) == "confidence":
            frame[student] = table.clips["confidence"].to_numpy()
        elif sampler_of(study, student) == "student_max_logit":
            frame[student] = table.student_logits.amax(dim=1).numpy()
        else:
            frame[student] = negative_entropy(table.student_logits).numpy()
    return frame


def _true_probability(logits: Tensor, label: NDArray[np.int64]) -> NDArray[np.float32]:
    return true_class_probability(logits, torch.tensor(label)).numpy()


def failure_rows(scores: pd.DataFrame, names: list[str], n_resamples: int = 400) -> pd.DataFrame:
    """Every failure-prediction metric of each score, the mean over seeds: one row per score.

    Args:
        scores: From :func:`clip_scores`.
        names: Its columns to judge.
        n_resamples: Of videos, behind the intervals.

    Returns:
        :class:`Interval` over videos, a column for each metric, see
        :func:`condi_lib.evaluation.failure_intervals`.
    """
    parts = [part.sort_values(["video_id", "clip_index"]) for _, part in scores.groupby("seed")]
    correct, video_id = np.stack([part["correct"] for part in parts]), parts[0]["video_id"]
    rows = {
        name: failure_intervals(
            np.stack([part[name] for part in parts]), correct, video_id, n_resamples
        )
        for name in names
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def video_clips(
    study: Study, scores: pd.DataFrame, video_id: str, seed: int, ranked_by: str, k: int
) -> tuple[NDArray[np.uint8], pd.DataFrame]:
    """One video as a filmstrip shows it: its clips' pictures and what was said of them.

    Args:
        study: Where the frames come from.
        scores: From :func:`clip_scores`.
        video_id: Which video.
        seed: Which teacher and student.
        ranked_by: Column of ``scores`` by which clips are kept.
        k: How many are kept.

    Returns:
        The middle frame of each clip, uint8 ``[N, H, W, 3]``; and one row per clip with ``truth``
        where known, ``predicted`` (class name), ``probability`` (of it), ``correct``,
        ``confidence`` (the score) and ``kept``.
    """
    rows = scores.query("video_id == @video_id and seed == @seed").sort_values("clip_index")
    frames, clip_frames = study.frames(video_id), study.spec.dataset.clip_frames
    middle = rows["clip_index"].to_numpy() * clip_frames + clip_frames // 2
    rank = (-rows[ranked_by].to_numpy()).argsort(kind="stable").argsort()
    table = pd.DataFrame(
        {
            "predicted": [study.classes[c] for c in rows["predicted"]],
            "probability": rows["teacher_max_softmax"].to_numpy(),
            "correct": rows["correct"].to_numpy(),
            "confidence": rows[ranked_by].to_numpy(),
            "kept": rank < k,
        }
    )
    if "truth" in rows:
        table.insert(0, "truth", rows["truth"].to_numpy())
    return frames[np.minimum(middle, len(frames) - 1)], table
