"""What a study's clip tables say, in tables small enough to be committed: its *findings*.

Chapters read variants of a study through them. Every interval and every paired test is computed
from them anew, video by video; clips are needed for nothing but the failure-prediction metrics,
which are kept as numbers.
Shapes: S seeds, V videos, K numbers of clips.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from condi_lib.analysis.folds import Folds
from condi_lib.analysis.novelty import novelty_rows
from condi_lib.analysis.results import (
    PLACES,
    SOFTMAX,
    WITHOUT_STUDENT,
    Sweep,
    clip_scores,
    sampler_of,
    students_of,
    sweep,
)
from condi_lib.chapters import code_hash
from condi_lib.digests import digest, essentials
from condi_lib.evaluation.failure import within_video_interval
from condi_lib.metrics import auroc, auroc_per_video, failure_prediction
from condi_lib.statistics import Interval
from condi_lib.study.config import TEACHER
from condi_lib.study.plan import study_folder
from condi_lib.study.study import FolderStore, Study

RIGHT, METRICS, HISTORY = "right.npz", "metrics.csv", "history.csv"
NOVELTY = "novelty.csv"  # only of a teacher that has not seen all classes
AUROC_TAIL = ":auroc"  # of a method's name in the first of them
TEACHER_SCORES = (SOFTMAX, "teacher_negative_entropy")
SURE = 0.9  # a teacher whose max softmax is at least this is sure of itself


@dataclass(frozen=True)
class Findings:
    """What was found out about a study or a variant.

    Attributes:
        sweeps: By split: whether each video is right, by method and number of clips.
        metrics: One row per ``split``, ``seed`` and ``method`` (a student, or a score of the
            teacher): ``accuracy`` of the method's own class predictions by clip and, averaged over
            all clips, by video (``clip_accuracy``, ``video_accuracy``); ``score_mean``,
            ``score_std`` and, the mean over videos, ``score_std_within_video``;
            ``true_positive_rate`` and ``false_positive_rate`` of "confidence > .5" (NaN for
            other scores); ``sure_when_wrong``, the share of the teacher's wrong clips on which its
            max softmax is at least ``SURE`` (NaN for other scores); ``auroc_against_test`` (clips
            of "test" against those of this split); and all of
            :func:`condi_lib.metrics.failure_prediction`.
        history: Training histories, one row per ``network``, ``seed``, ``fold`` and epoch.
        novelty: How well scores tell videos of classes that the teacher was not trained on, see
            :func:`condi_lib.analysis.novelty.novelty_rows`; empty where it was trained on all.
        video_auroc: By split and method, AUROC of the score inside each video, float32 ``[S, V]``;
            NaN where the teacher is right, or wrong, on all clips of a video.
    """

    sweeps: dict[str, Sweep]
    metrics: pd.DataFrame
    history: pd.DataFrame
    video_auroc: dict[str, dict[str, NDArray[np.float32]]] = field(default_factory=dict)
    novelty: pd.DataFrame = field(default_factory=pd.DataFrame)

    def mean(self, metric: str, split: str = "test") -> pd.Series:
        """A metric of each method, the mean over seeds, in the methods' order."""
        rows = self.metrics[self.metrics["split"] == split]
        return rows.groupby("method", sort=False)[metric].mean()

    def by_seed(self, metric: str, method: str, split: str = "test") -> NDArray[np.float64]:
        """A metric of one method for each seed, ``[S]``."""
        rows = self.metrics.query("split == @split and method == @method")
        return rows.sort_values("seed")[metric].to_numpy(float)

    def within_video_auroc(self, method: str, split: str = "test", minus: str = "") -> Interval:
        """Within-video AUROC of a score with its interval over videos, the mean over seeds.

        A seed's value is the mean over those videos of which its teacher gets some clips right
        and some wrong. All is NaN where a seed has no such video.

        Args:
            method: Whose score.
            split: Which videos.
            minus: Take the difference from this other score, paired by video.

        Raises:
            ValueError: If K is chosen on those videos: of them it is not kept.
        """
        if split not in self.video_auroc:
            known = list(self.video_auroc)
            raise ValueError(
                f"split {split!r}: of videos on which K is chosen, or of unknown ones, the "
                f"within-video AUROC is not kept; choose from {known}"
            )
        values = self.video_auroc[split][method].astype(float)
        if minus:
            values = values - self.video_auroc[split][minus]
        return within_video_interval(values)


def findings_of(study: Study) -> Findings:
    """What was found out about a study: read where it is kept, else computed from clip tables.

    What is computed from runs is kept in the study's folder, so that chapters share it.
    """
    if isinstance(study.store, FolderStore):
        kept = study.store.folder
        return read_findings(kept) if (kept / RIGHT).exists() else compute_findings(study)
    runs = essentials(study.spec) | {"name": "", "variants": {}, "chapters": [], "parameters": {}}
    folder = study_folder(study.name) / "findings" / digest([runs, code_hash(results_only=True)])
    if not (folder / RIGHT).exists():
        write_findings(compute_findings(study), folder)
    return read_findings(folder)


def compute_findings(study: Study) -> Findings:
    """Evaluate every method on every split that is judged, and collect the histories."""
    splits = study.spec.reported_splits
    sweeps = {split: sweep(study, split, methods_of(study, split)) for split in splits}
    clips = {split: clip_scores(study, split) for split in splits}
    rows = [row for split in splits for row in _metric_rows(study, split, clips)]
    history = pd.concat(_histories(study), ignore_index=True)
    reported = [split for split in splits if split not in study.spec.choosing_splits]
    aurocs = {split: _video_aurocs(study, split, clips[split]) for split in reported}
    novelty = novelty_rows(study) if study.spec.teacher.classes else pd.DataFrame()
    return Findings(sweeps, pd.DataFrame(rows), history, aurocs, novelty)


def methods_of(study: Study, split: str) -> tuple[str, ...]:
    """All methods of a split; where clips are single frames, also samplers of places."""
    places = PLACES if study.spec.dataset.sampled_frames == 1 else ()
    return (*WITHOUT_STUDENT, *places, *students_of(study, split))


def _metric_rows(
    study: Study, split: str, clips: Mapping[str, pd.DataFrame]
) -> Iterator[dict[str, float | str]]:
    """One row per seed and method."""
    students = students_of(study, split)
    for seed, part in clips[split].groupby("seed"):
        test = clips["test"][clips["test"]["seed"] == seed]
        own = {name: own_accuracy(study, name, seed, split) for name in (*students, TEACHER)}
        for method in (*students, *TEACHER_SCORES):
            row = {"split": split, "seed": seed, "method": method}
            row |= own.get(method, own[TEACHER])
            is_confidence = method in students and sampler_of(study, method) == "confidence"
            row |= _spread(part, method, is_confidence)
            row |= failure_prediction(part[method], part["correct"], part["video_id"])
            if split != "test" and method in test:
                both = np.concatenate([test[method], part[method]])
                row["auroc_against_test"] = auroc(both, np.arange(len(both)) < len(test))
            yield row


def _video_aurocs(study: Study, split: str, clips: pd.DataFrame) -> dict[str, NDArray[np.float32]]:
    """AUROC inside each video of each score, ``[S, V]``."""
    parts = [clips[clips["seed"] == seed] for seed in study.seeds]
    aurocs = {
        method: [auroc_per_video(p[method], p["correct"], p["video_id"]) for p in parts]
        for method in (*students_of(study, split), *TEACHER_SCORES)
    }
    return {method: np.stack(values).astype(np.float32) for method, values in aurocs.items()}


def own_accuracy(study: Study, network: str, seed: int, split: str) -> dict[str, float]:
    """Accuracy of a network's own class predictions, by clip and by video (mean over clips).

    Args:
        study: The study.
        network: A student, or ``"teacher"``.
        seed: Which of its trainings.
        split: Which videos; those of all folds together.
    """
    clips, videos = [], []
    for fold in study.spec.fold_names:
        table = study.store.table(network, seed, fold, [split])
        logits = table.teacher_logits if network == TEACHER else table.student_logits
        probs = logits.softmax(dim=1).numpy()
        label, video = table.clips["label"].to_numpy(), table.clips["video_id"]
        clips.append(probs.argmax(axis=1) == label)
        means = pd.DataFrame(probs).groupby(video.to_numpy(), sort=False).mean().to_numpy()
        first = table.clips.groupby(video, sort=False)["label"].first().to_numpy()
        videos.append(means.argmax(axis=1) == first)
    return {
        "clip_accuracy": float(np.concatenate(clips).mean()),
        "video_accuracy": float(np.concatenate(videos).mean()),
    }


def _spread(part: pd.DataFrame, method: str, is_confidence: bool) -> dict[str, float]:
    score, correct = part[method].astype(float), part["correct"].to_numpy()
    within = score.groupby(part["video_id"]).std(ddof=0).mean()
    above = (score > 0.5).to_numpy()
    wrong = score[~correct]
    is_probability = method == SOFTMAX and len(wrong)

    def share(which: NDArray[np.bool_]) -> float:
        return float(above[which].mean()) if is_confidence and which.any() else np.nan

    return {
        "score_mean": float(score.mean()),
        "score_std": float(score.std(ddof=0)),
        "score_std_within_video": float(within),
        "true_positive_rate": share(correct),
        "false_positive_rate": share(~correct),
        "sure_when_wrong": float((wrong >= SURE).mean()) if is_probability else np.nan,
    }


def _histories(study: Study) -> Iterator[pd.DataFrame]:
    for fold in study.spec.fold_names:
        for seed in study.seeds:
            for network in (TEACHER, *study.students):
                history = study.history(network, seed, fold)
                yield history.assign(network=network, seed=seed, fold=fold)


def write_findings(found: Findings, folder: Path) -> None:
    """Write findings as ``right.npz``, ``metrics.csv`` and ``history.csv``; the first one last."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, NDArray] = {}
    for split, swept in found.sweeps.items():
        for method, values in swept.correct.items():
            whole = np.isin(values, (0, 1)).all()  # but for random draws
            arrays[f"{split}/{method}"] = values.astype(bool) if whole else values
        if swept.folds is not None:
            arrays[f"{split}/:video"] = swept.folds.video
            arrays[f"{split}/:fold"] = swept.folds.fold
    for split, aurocs in found.video_auroc.items():
        arrays |= {f"{split}/{method}{AUROC_TAIL}": values for method, values in aurocs.items()}
    found.metrics.to_csv(folder / METRICS, index=False, float_format="%.6g")
    found.history.to_csv(folder / HISTORY, index=False, float_format="%.6g")
    if len(found.novelty):
        found.novelty.to_csv(folder / NOVELTY, index=False, float_format="%.6g")
    part = folder / f".{RIGHT}.part"
    with part.open("wb") as file:
        np.savez_compressed(file, **arrays)
    part.replace(folder / RIGHT)


def read_findings(folder: Path) -> Findings:
    """Read what :func:`write_findings` has written."""
    by_split: dict[str, dict[str, NDArray]] = {}
    with np.load(folder / RIGHT) as arrays:
        for name in arrays.files:
            split, _, method = name.partition("/")
            by_split.setdefault(split, {})[method] = arrays[name]
    sweeps, video_auroc = {}, {}
    for split, named in by_split.items():
        inside = [name for name in named if name.endswith(AUROC_TAIL)]
        if aurocs := {name.removesuffix(AUROC_TAIL): named.pop(name) for name in inside}:
            video_auroc[split] = aurocs
        sweeps[split] = _sweep_of(named)
    history = pd.read_csv(folder / HISTORY, keep_default_na=True)
    metrics, novelty = pd.read_csv(folder / METRICS), pd.DataFrame()
    if (folder / NOVELTY).exists():
        novelty = pd.read_csv(folder / NOVELTY)
    return Findings(sweeps, metrics, history, video_auroc, novelty)


def _sweep_of(arrays: dict[str, NDArray]) -> Sweep:
    """The sweep of one split from its arrays as they are kept."""
    video, fold = arrays.pop(":video", None), arrays.pop(":fold", None)
    correct = {method: values.astype(np.float32) for method, values in arrays.items()}
    k_clips = list(range(1, next(iter(correct.values())).shape[2] + 1))
    return Sweep(correct, k_clips, None if video is None else Folds(video, fold))
