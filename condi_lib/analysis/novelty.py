"""Does a score notice what the teacher has never seen? Clips and videos of classes left out.

A study whose teacher is trained on some ``classes`` only is judged on the videos of all: those of
the others are *novel*. Every score is a confidence, higher where something is more likely known.
"""

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import Tensor

from condi_lib.analysis.results import sampler_of, students_of
from condi_lib.confidence import energy, max_logit, max_softmax, negative_entropy
from condi_lib.evaluation import Detection, detect
from condi_lib.statistics import Interval
from condi_lib.study.study import Study

OF_TEACHER: dict[str, Callable[[Tensor], Tensor]] = {
    "teacher_max_softmax": max_softmax,
    "teacher_negative_entropy": negative_entropy,
    "teacher_max_logit": max_logit,
    "teacher_energy": energy,
}
ENTROPY_OF = "{}/student_negative_entropy"
LEVELS = ("clip", "video_mean", "video_best_3", "video_max")
METRICS = ("auroc", "fpr_at_95_tpr")
KEYS = ["video_id", "clip_index"]


def novelty_scores(study: Study, seed: int, split: str = "test") -> pd.DataFrame:
    """Every clip of a split with what each score says of it.

    Returns:
        ``video_id, clip_index, known`` (whether the teacher was trained on its label's class),
        ``truth`` where known; one column for each score of ``OF_TEACHER``, for each student its
        confidence z̃ (those without one have none) and ``STUDENT/student_negative_entropy``.

    Raises:
        ValueError: If the study's teacher is trained on all classes.
    """
    if not study.spec.teacher.classes:
        raise ValueError(f"study {study.name!r}: its teacher is trained on all classes")
    fold = study.spec.fold_names[0]
    teacher = study.teacher_table(seed, split, fold)
    seen = [study.classes.index(name) for name in study.spec.teacher.classes]
    table = teacher.clips[[*KEYS, *({"truth"} & {*teacher.clips})]].copy()
    table.insert(2, "known", teacher.clips["label"].isin(seen))
    for name, score in OF_TEACHER.items():
        table[name] = score(teacher.teacher_logits).numpy()
    for student in students_of(study, split):
        scored = study.table(student, seed, split, fold, teacher)
        if sampler_of(study, student) == "confidence":
            table[student] = scored.clips["confidence"].to_numpy()
        table[ENTROPY_OF.format(student)] = negative_entropy(scored.student_logits).numpy()
    return table


def at_level(table: pd.DataFrame, level: str) -> pd.DataFrame:
    """Scores of clips or of videos.

    Args:
        table: From :func:`novelty_scores`.
        level: ``"clip"``: clips that show an action (generic ones show none that could be novel;
            all, where the truth is not known). ``"video_mean"``, ``"video_best_3"``,
            ``"video_max"``: the mean over all clips of a video, over its three highest, its
            highest.

    Returns:
        Indexed by ``video_id``: ``known`` and the scores.
    """
    scores = [name for name in table if name not in (*KEYS, "truth", "known")]
    if level == "clip":
        shown = table["truth"] != "generic" if "truth" in table else slice(None)
        return table.loc[shown].set_index("video_id")[["known", *scores]]
    n_best = {"video_mean": None, "video_best_3": 3, "video_max": 1}[level]

    def best(values: pd.Series) -> float:
        return float(np.sort(values.to_numpy(float))[::-1][:n_best].mean())

    videos = table.groupby("video_id", sort=False)
    return videos[scores].agg(best).assign(known=videos["known"].first())


def novelty_rows(study: Study, split: str = "test") -> pd.DataFrame:
    """How well each score tells known from novel, with intervals over videos.

    Returns:
        One row per ``level``, ``score`` and ``metric`` (``auroc``, ``fpr_at_95_tpr``): ``value,
        low, high``, the mean over seeds; and ``gain, gain_low, gain_high``: by how much z̃ of the
        first student that has one is above it (of an FPR, below is better).
    """
    tables = [novelty_scores(study, seed, split) for seed in study.seeds]
    return pd.DataFrame([row for level in LEVELS for row in _rows(tables, level, study)])


def intervals_at(
    rows: pd.DataFrame, level: str, metric: str = "auroc", gains: bool = False
) -> dict[str, Interval]:
    """A metric of every score at one level, from the rows of :func:`novelty_rows`.

    Args:
        rows: They.
        level: One of ``LEVELS``.
        metric: ``"auroc"`` or ``"fpr_at_95_tpr"``.
        gains: Take by how much z̃ is above each score instead.
    """
    chosen = rows[(rows["level"] == level) & (rows["metric"] == metric)].set_index("score")
    names = ["gain", "gain_low", "gain_high"] if gains else ["value", "low", "high"]
    return {score: Interval(*chosen.loc[score, names]) for score in chosen.index}


def _rows(tables: list[pd.DataFrame], level: str, study: Study) -> Iterator[dict[str, str | float]]:
    leveled = [at_level(table, level) for table in tables]
    known, video_id = leveled[0]["known"].to_numpy(), leveled[0].index.to_numpy()
    found: dict[str, Detection] = {}
    for name in leveled[0].columns.drop("known"):
        scores: NDArray[np.float64] = np.stack([each[name] for each in leveled])
        found[name] = detect(scores, known, video_id)
    ours = next((found[name] for name in study.students if name in found), None)
    for name, detection in found.items():
        gains = (None, None) if ours is None else ours.minus(detection)
        for metric, gain in zip(METRICS, gains, strict=True):
            interval = getattr(detection, metric)
            row = {"level": level, "score": name, "metric": metric, "value": interval.value}
            row |= {"low": interval.low, "high": interval.high}
            if gain is not None:
                row |= {"gain": gain.value, "gain_low": gain.low, "gain_high": gain.high}
            yield row
