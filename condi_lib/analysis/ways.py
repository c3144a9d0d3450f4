"""Ways to classify a video, and what clip tables say of each: no network runs here.

A *way* is a policy for every pair of a teacher and its student, with a name: what is chosen on
validation videos, such as a threshold, may differ from pair to pair. Results of ways are joined
with their measured times (``times``) by name.
Shapes: S seeds, V videos (folds laid end to end).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from condi_lib.analysis.costs import network_costs
from condi_lib.analysis.folds import Folds, mean_interval, mean_value, paired_interval
from condi_lib.analysis.results import folds_of, sampler_of, stack_runs
from condi_lib.clip_table import ClipTable, DenseView
from condi_lib.evaluation import choose_adaptive_within, correct_over_k, decide
from condi_lib.sampling import DENSE, Divided, Policy, Selected
from condi_lib.statistics import Interval
from condi_lib.study.study import Study

ADAPTIVE, DIVISION = "adaptive", "division"
BUDGETS = (0.0, 0.25, 0.5, 1.0, 2.0)  # teacher clips per video, on average over validation videos
POWERS = (2.0, 4.0, 8.0, 16.0, 32.0)  # towards infinity only the first clip counts, as with K = 1
PAPER_K = (1, 3, 5, 7)  # of the paper's tables III to V
Pair = tuple[int, str]  # seed and fold
Name = tuple[str, str]  # family and setting


@dataclass(frozen=True, eq=False)
class Way:
    """One way to classify a video.

    Attributes:
        family: What it has in common with others: a method, ``division``, ``adaptive``.
        setting: What tells it apart from them: ``"3"`` clips, ``"1+2"`` clips by teacher and
            student, a budget.
        student: Whose output it reads; empty: no student's.
        policies: By seed and fold.
    """

    family: str
    setting: str
    student: str
    policies: Mapping[Pair, Policy]

    @property
    def name(self) -> Name:
        """Family and setting."""
        return self.family, self.setting


def pairs_of(study: Study) -> list[Pair]:
    """Every seed with every fold: so many teachers there are."""
    return [(seed, fold) for seed in study.seeds for fold in study.spec.fold_names]


def confident_student(study: Study, wanted: str) -> str:
    """The student ``wanted``, or the first of the study that learned a confidence.

    Raises:
        ValueError: If no student did.
    """
    learned = [name for name in study.students if sampler_of(study, name) == "confidence"]
    if not learned:
        raise ValueError(f"none of {list(study.students)} learned a confidence; add condi_sr")
    return wanted if wanted in learned else learned[0]


def dense_way(study: Study) -> Way:
    """All clips by the teacher."""
    return Way("dense", "", "", dict.fromkeys(pairs_of(study), DENSE))


def top_k_ways(study: Study, method: str, k_clips: Sequence[int]) -> list[Way]:
    """The K clips that a method keeps, for each K.

    Args:
        study: Whose networks.
        method: A student, or a sampler that needs no network.
        k_clips: Each at least 1.
    """
    student = method if method in study.students else ""
    sampler = sampler_of(study, method) if student else method
    pairs = pairs_of(study)
    return [
        Way(method, f"{k}", student, dict.fromkeys(pairs, Selected(sampler, k))) for k in k_clips
    ]


def division_ways(
    study: Study, student: str, lists: Iterable[tuple[int, int]], overlap: str = "mean"
) -> list[Way]:
    """Workload divisions, for each pair of list lengths K_t and K_s.

    The family is ``division``; with another treatment of overlaps it names that as well.
    """
    pairs = pairs_of(study)
    family = DIVISION if overlap == "mean" else f"{DIVISION}, {overlap}"
    return [
        Way(family, f"{t}+{s}", student, dict.fromkeys(pairs, Divided(t + s, s, overlap)))
        for t, s in lists
    ]


def adaptive_ways(study: Study, student: str, budgets: Sequence[float] = BUDGETS) -> list[Way]:
    """Adaptive stopping; threshold and power are chosen on validation videos, pair by pair."""
    chosen = {}
    for pair in pairs_of(study):
        view = _table(study, student, study.spec.student.val_split, pair).dense()
        chosen[pair] = choose_adaptive_within(view, budgets, powers=POWERS)
    return [
        Way(ADAPTIVE, f"{budget:g}", student, {pair: each[at] for pair, each in chosen.items()})
        for at, budget in enumerate(budgets)
    ]


@dataclass(frozen=True, eq=False)
class Judged:
    """What ways are worth on the videos of one split, by name.

    Attributes:
        correct: Whether each video is right, ``[S, V]``; the share of draws if random.
        clips: Clips that the teacher sees, and the student, means over videos and seeds.
        mmacs: Millions of multiply-accumulates per video.
        folds: Where videos are those of official folds: which is which.
    """

    correct: dict[Name, NDArray[np.float64]]
    clips: dict[Name, tuple[float, float]]
    mmacs: dict[Name, float]
    folds: Folds | None = None

    def accuracy(self, name: Name) -> Interval:
        """Video accuracy with its interval over videos, the mean over seeds."""
        return mean_interval(self.correct[name], self.folds)

    def accuracy_of(self, name: Name) -> float:
        """Video accuracy without an interval, which takes no time."""
        return mean_value(self.correct[name], self.folds)

    def gain(self, name: Name, over: Name) -> Interval:
        """Accuracy of one way minus that of another, paired by video."""
        return paired_interval(self.correct[name], self.correct[over], self.folds)

    def rows(self) -> pd.DataFrame:
        """One row per way, indexed by ``family, setting``.

        Columns: ``video_accuracy, low, high`` (fractions), ``teacher_clips, student_clips,
        mmacs``.
        """
        rows = {}
        for name in self.correct:
            found = self.accuracy(name)
            rows[name] = (found.value, found.low, found.high, *self.clips[name], self.mmacs[name])
        columns = ["video_accuracy", "low", "high", "teacher_clips", "student_clips", "mmacs"]
        index = pd.MultiIndex.from_tuples(rows, names=["family", "setting"])
        return pd.DataFrame([*rows.values()], index, columns)


def judge(study: Study, ways: Sequence[Way], split: str = "test", random_draws: int = 10) -> Judged:
    """Say how many videos each way gets right, and what that costs, from clip tables.

    Args:
        study: Where the tables come from.
        ways: What to judge.
        split: Which videos.
        random_draws: Draws of ways that choose clips at random, averaged.
    """

    def of_pair(seed: int, fold: str) -> dict[Name, NDArray[np.float64]]:
        found = {}
        for student in dict.fromkeys(way.student for way in ways):
            view = _table(study, student, split, (seed, fold)).dense()
            for way in (way for way in ways if way.student == student):
                found[way.name] = _judge(way.policies[seed, fold], view, seed, random_draws)
        return found

    judged = stack_runs(study, of_pair)  # [S, V, 3]
    correct, clips, mmacs = {}, {}, {}
    per_clip = network_costs(study)["macs"]
    for way in ways:
        values = judged[way.name]
        correct[way.name], counts = values[..., 0], values[..., 1:].mean(axis=(0, 1))
        clips[way.name] = tuple(counts.tolist())
        mmacs[way.name] = float(counts @ (per_clip["teacher"], per_clip.get(way.student, 0))) / 1e6
    return Judged(correct, clips, mmacs, folds_of(study, split))


def _table(study: Study, student: str, split: str, pair: Pair) -> ClipTable:
    seed, fold = pair
    if not student:
        return study.teacher_table(seed, split, fold)
    return study.table(student, seed, split, fold)


def _judge(policy: Policy, view: DenseView, seed: int, random_draws: int) -> NDArray[np.float64]:
    """Right or wrong, clips of the teacher, clips of the student: ``[V, 3]``."""
    if policy.is_random:  # the draws of a sweep over K, so that both tell one number
        shares = correct_over_k(view, [policy.sampler], [policy.k_clips], seed, random_draws)
        n_teacher = view.n_clips.clamp(max=policy.k_clips).numpy()
        parts = (shares[policy.sampler][:, 0], n_teacher, np.zeros(view.n_videos))
    else:
        found = decide(view, policy)
        parts = (found.correct, found.n_teacher, found.n_student)
    return np.stack(parts, axis=-1).astype(float)
