"""Students of one study beside each other, and one study beside its variants.

Chapters compare what the students of a study learnt in several *regimes*: variants of the study
that share its students but not its videos or teacher. K is chosen on validation videos, for each
student and regime; differences are paired by video.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from condi_lib.analysis.findings import Findings
from condi_lib.analysis.results import SOFTMAX
from condi_lib.evaluation.failure import METRICS
from condi_lib.statistics import Interval, mean_and_range
from condi_lib.study.study import Study


def regimes_of(study: Study, group: str) -> dict[str, Study]:
    """The variants of a chapter, by name; where there are none, the study itself by its own."""
    return study.variants(group) or {study.name: study}


def regime_table(
    regimes: Mapping[str, Study], found: Mapping[str, Findings], split: str = "test"
) -> pd.DataFrame:
    """What the students of each regime start from.

    Args:
        regimes: Studies by name.
        found: Their findings, by the same names.
        split: Which videos to report on.

    Returns:
        Indexed by regime: ``train_correct`` (share of the students' training clips on which the
        teacher is right), ``test_correct`` (of the clips of ``split``), ``dense`` and ``oracle``
        at K = 1 (:class:`Interval` of the video accuracy), ``n_videos``, ``n_seeds``.
    """
    rows = {}
    for name, study in regimes.items():
        history, swept = found[name].history, found[name].sweeps[split]
        of_students = history[history["network"].isin(study.students)]
        rows[name] = {
            "train_correct": of_students["train_teacher_correct"].mean(),
            "test_correct": found[name].mean("clip_accuracy", split)[SOFTMAX],
            "dense": swept.accuracy("dense", 1),
            "oracle": swept.accuracy("oracle", 1),
            "n_videos": swept.correct["dense"].shape[1],
            "n_seeds": len(study.seeds),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def regime_titles(table: pd.DataFrame) -> dict[str, str]:
    """A title for each row of :func:`regime_table`, in two lines, for panels of figures."""
    return {
        name: f"{str(name).replace('_', ' ')}\n(teacher right on {100 * row.train_correct:.0f} % "
        "of training clips)"
        for name, row in table.iterrows()
    }


def val_split_of(study: Study, method: str) -> str:
    """The split on which a student is measured in training; a sampler's is that of all students."""
    settings = study.spec.losses.get(method)
    network = (settings and settings.student) or study.spec.student
    return network.val_split


def chosen_k(study: Study, found: Findings, method: str) -> int:
    """The K at which a student, or a sampler without one, is best on its validation videos."""
    return found.sweeps[val_split_of(study, method)].best_k(method)


def student_table(
    study: Study, found: Findings, base: str = "condi_sr", split: str = "test"
) -> pd.DataFrame:
    """Each student at the K that validation videos chose, and how well it finds failures.

    Args:
        study: The study.
        found: Its findings.
        base: The student from which the others' differences are taken.
        split: Which videos to report on.

    Returns:
        Indexed by student, in order: ``K``; ``accuracy``, ``over_dense`` and ``over_base``
        (:class:`Interval`; differences are paired by video, each at its own K); ``auroc`` within
        videos and ``auroc_over_base`` (:class:`Interval`); ``clip_accuracy`` of the student's own
        classes (:func:`seed_range`); ``std_of_seeds`` of the accuracy (NaN for one seed).

    Raises:
        ValueError: If the study has no student ``base``.
    """
    if base not in study.students:
        raise ValueError(f"the study has no student {base!r}; it has {list(study.students)}")
    swept, k_base = found.sweeps[split], chosen_k(study, found, base)
    rows = {}
    for student in study.students:
        k = chosen_k(study, found, student)
        by_seed = swept.by_seed(student, k)
        rows[student] = {
            "K": k,
            "accuracy": swept.accuracy(student, k),
            "over_dense": swept.gain(student, k),
            "over_base": swept.gain(student, k, base, k_base),
            "auroc": found.within_video_auroc(student, split),
            "auroc_over_base": found.within_video_auroc(student, split, minus=base),
            "clip_accuracy": seed_range(found, "clip_accuracy", student, split),
            "std_of_seeds": by_seed.std(ddof=1) if len(by_seed) > 1 else np.nan,
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def failure_table(
    found: Findings, methods: Sequence[str], base: str = "condi_sr", split: str = "test"
) -> pd.DataFrame:
    """How well scores find the clips that the teacher gets wrong.

    Args:
        found: Findings of a study.
        methods: Students, or scores of the teacher; those that the study lacks are left out.
        base: The score from which the others' differences are taken.
        split: Which videos to report on.

    Returns:
        Indexed by method: ``within_video_auroc`` and ``over_base``, its difference
        (:class:`Interval` over videos); then the metrics over all clips that
        :mod:`condi_lib.metrics` has, ``auroc`` to ``ece`` (:func:`seed_range`: findings keep of
        these one number per seed).
    """
    rows = {
        method: {
            "within_video_auroc": found.within_video_auroc(method, split),
            "over_base": found.within_video_auroc(method, split, minus=base),
        }
        | {
            metric: seed_range(found, metric, method, split)
            for metric in METRICS
            if metric != "within_video_auroc"
        }
        for method in methods
        if method in found.video_auroc[split]
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def seed_range(found: Findings, metric: str, method: str, split: str = "test") -> Interval:
    """A metric's mean over seeds, from that of the lowest seed to that of the highest.

    It says how far trainings differ; it is no confidence interval.
    """
    return mean_and_range(found.by_seed(metric, method, split))


def seed_difference(
    found: Findings, metric: str, method: str, minus: str, split: str = "test"
) -> Interval:
    """A metric of one method minus that of another, seed by seed, as :func:`seed_range`."""
    return mean_and_range(
        found.by_seed(metric, method, split) - found.by_seed(metric, minus, split)
    )


def epochs_of(found: Findings, network: str, column: str, relative: bool = False) -> pd.DataFrame:
    """A column of a network's training history over its epochs, the mean over seeds.

    Args:
        found: Findings of a study.
        network: A student, or ``"teacher"``.
        column: Of the history.
        relative: Each seed's values as shares of that of its first epoch.

    Returns:
        ``epoch, mean, low, high``: the last two are those of the lowest and the highest seed. No
        rows where it was not measured, such as z̃ of a student without a confidence head.

    Raises:
        ValueError: If no history has the column.
    """
    if column not in found.history:
        raise ValueError(f"no history has {column!r}; there are {sorted(found.history)}")
    rows = found.history[found.history["network"] == network].dropna(subset=column)
    by_seed = rows.pivot_table(column, "epoch", "seed")  # the mean over folds
    if relative:
        by_seed = by_seed / by_seed.iloc[0]
    values = {"mean": by_seed.mean(axis=1), "low": by_seed.min(axis=1), "high": by_seed.max(axis=1)}
    return pd.DataFrame(values).rename_axis("epoch").reset_index()


def gains_at(
    found: Findings,
    methods: Sequence[str],
    k: int,
    over: Sequence[str] = ("random", "equidistant"),
    split: str = "test",
) -> pd.DataFrame:
    """Methods at one K, the same for all, against samplers that look at nothing.

    Args:
        found: Findings of a study.
        methods: Students or samplers; those that the study lacks are left out.
        k: Clips kept.
        over: What each method is compared with.
        split: Which videos to report on.

    Returns:
        Indexed by method: ``accuracy``, then ``over_...`` for each of ``over``
        (:class:`Interval`, paired by video).
    """
    swept = found.sweeps[split]
    rows = {
        method: {"accuracy": swept.accuracy(method, k)}
        | {f"over_{other}": swept.gain(method, k, other, k) for other in over}
        for method in methods
        if method in swept.correct
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def in_words(difference: Interval, digits: int = 1) -> str:
    """A difference of accuracies in points, and whether its interval excludes 0.

    A bound that would be rounded to 0 is given one more digit: it decides what is called apart.

    Example: ``+2.1 points [+0.4, +3.9], better`` or ``-0.3 points [-1.9, +1.1], not told apart``.
    """
    points = Interval(
        *(100 * value for value in (difference.value, difference.low, difference.high))
    )
    if any(bound and abs(bound) < 0.5 / 10**digits for bound in (points.low, points.high)):
        digits += 1
    shown = format(points, f"+.{digits}f").replace(" [", " points [")
    if not difference.excludes(0):
        return f"{shown}, not told apart"
    return f"{shown}, {'better' if difference.value > 0 else 'worse'}"
