"""Teachers that learnt otherwise: what from, how sure of themselves they are, what it leads to."""

from collections.abc import Mapping

import pandas as pd

from condi_lib.analysis.comparisons import seed_range
from condi_lib.analysis.findings import Findings, findings_of
from condi_lib.analysis.results import SOFTMAX, sampler_of
from condi_lib.analysis.trials import Trial, trial
from condi_lib.statistics import Interval, mean_and_range
from condi_lib.study.config import StudySpec
from condi_lib.study.study import Study


def describe_teacher(spec: StudySpec) -> str:
    """What a study's teacher learnt from, for readers."""
    trained = spec.teacher.train_splits
    if set(trained) & set(spec.student.train_splits):
        text = "students' own videos"
    elif spec.dataset.pantomime is None:
        text = "other videos"
    else:
        trimmed = all(spec.dataset.pantomime.splits[split].trimmed for split in trained)
        text = "trimmed videos" if trimmed else "untrimmed videos"
    return f"{text}, cross-fitted" if spec.cross_fit else text


def teacher_trials(variants: Mapping[str, Study]) -> dict[str, Trial]:
    """A trial of each variant with all its students, called after its teacher's training."""
    return {
        name: trial(
            findings_of(variant),
            describe_teacher(variant.spec),
            {student: student for student in variant.students},
        )
        for name, variant in variants.items()
    }


def teacher_rows(variants: Mapping[str, Study]) -> pd.DataFrame:
    """What the teachers are like, all the mean over seeds: one row per variant.

    Returns:
        ``teacher`` (what it learnt from); on test videos ``dense`` (:class:`Interval` over videos),
        ``clip_accuracy``, ``ece`` and ``sure_when_wrong`` (see ``Findings``); and
        ``labels_right``, the share of the students' training clips that it is said to be right on:
        how one-sided confidence labels are. All but the first two range from the lowest to the
        highest seed, see :func:`condi_lib.analysis.comparisons.seed_range`.
    """
    columns = ["teacher", "dense", "clip_accuracy", "ece", "sure_when_wrong", "labels_right"]
    rows = {name: _row(variant, findings_of(variant)) for name, variant in variants.items()}
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def _row(variant: Study, found: Findings) -> dict[str, str | Interval]:
    row: dict[str, str | Interval] = {
        "teacher": describe_teacher(variant.spec),
        "dense": found.sweeps["test"].accuracy("dense", 1),
        "labels_right": _labels_right(variant, found),
    }
    for metric in ("clip_accuracy", "ece", "sure_when_wrong"):
        row[metric] = seed_range(found, metric, SOFTMAX)
    return row


def _labels_right(variant: Study, found: Findings) -> Interval:
    """The first student with a confidence head was told of each training clip."""
    with_head = [s for s in variant.students if sampler_of(variant, s) == "confidence"]
    if not with_head or "train_teacher_correct" not in found.history:
        return mean_and_range([])
    rows = found.history[found.history["network"] == with_head[0]]
    by_run = rows.groupby(["seed", "fold"], dropna=False)["train_teacher_correct"].first()
    return mean_and_range(by_run.groupby("seed").mean())
