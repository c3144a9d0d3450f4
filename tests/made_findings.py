"""A study of which only findings exist, made so that what is true of it is known.

Each method gets a share of the videos right at each K: the first ones, so that the methods differ
on as few videos as they must, or, where a share is negative, the last ones. 200 videos, 6 clips.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from tiny_study import tiny

from condi_lib.analysis import Findings
from condi_lib.analysis.findings import write_findings
from condi_lib.analysis.results import Sweep
from condi_lib.clip_table import ClipTable, write_clip_table
from condi_lib.study import Study, read_study
from condi_lib.study.study import FolderStore

N_VIDEOS, N_CLIPS = 200, 6
SEEDS = (0, 1, 2, 3, 4)
Curve = Sequence[float]


@dataclass(frozen=True)
class Truth:
    """What a made study, or one of its variants, would find.

    Attributes:
        curves: Video accuracy of each method at K = 1 … N; negative: of the last videos.
        losses: Its students, as in a params file.
        metrics: By student and metric one number per seed, or one for all.
        falls: By student, L_KD in the first and in the last epoch.
        seeds: Its seeds.
        by_seed: By method, what each seed's accuracy has more than the curve.
        other_splits: By split, curves of further splits.
    """

    curves: Mapping[str, Curve]
    losses: Mapping[str, Any]
    metrics: Mapping[str, Mapping[str, float | Sequence[float]]] = field(default_factory=dict)
    falls: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    seeds: tuple[int, ...] = SEEDS
    by_seed: Mapping[str, Sequence[float]] = field(default_factory=dict)
    other_splits: Mapping[str, Mapping[str, Curve]] = field(default_factory=dict)

    def but(self, **curves: Curve) -> "Truth":
        """The same with other curves of some methods."""
        return replace(self, curves={**self.curves, **curves})

    def found(self) -> Findings:
        """What was found out about it."""
        splits = {"val": self.curves, "test": self.curves, **self.other_splits}
        sweeps = {split: self._sweep(curves) for split, curves in splits.items()}
        aurocs = {
            name: np.stack([np.full(N_VIDEOS, value) for value in self._per_seed(metrics)])
            for name, metrics in self.metrics.items()
            if "within_video_auroc" in metrics
        }
        return Findings(sweeps, self._metrics(), self._history(), {"test": aurocs})

    def _sweep(self, curves: Mapping[str, Curve]) -> Sweep:
        correct = {name: self._correct(name, curve) for name, curve in curves.items()}
        n_clips = len(next(iter(curves.values())))
        return Sweep(correct, list(range(1, n_clips + 1)))

    def _correct(self, name: str, curve: Curve) -> NDArray[np.float32]:
        more = self.by_seed.get(name, [0.0] * len(self.seeds))
        place = np.arange(N_VIDEOS)[:, None]
        n_right = np.round(N_VIDEOS * np.asarray(curve)[None, None] + 0.0)
        shift = np.round(N_VIDEOS * np.asarray(more))[: len(self.seeds), None, None]
        first, last = place < n_right + shift, place >= N_VIDEOS + n_right
        return np.where(n_right >= 0, first, last).astype(np.float32)

    def _per_seed(self, metrics: Mapping[str, Any], name: str = "within_video_auroc") -> NDArray:
        return np.broadcast_to(np.asarray(metrics[name], float), (5,))[: len(self.seeds)]

    def _metrics(self) -> pd.DataFrame:
        rows = [
            {"split": "test", "seed": seed, "method": name}
            | {metric: self._per_seed(metrics, metric)[at] for metric in metrics}
            for at, seed in enumerate(self.seeds)
            for name, metrics in {"none": {"score_std": 0.0}, **self.metrics}.items()
        ]
        return pd.DataFrame(rows)

    def _history(self) -> pd.DataFrame:
        rows = [
            {"network": name, "seed": seed, "fold": "", "epoch": epoch, "train_distillation": loss}
            for name, (first, last) in {"none": (1.0, 1.0), **self.falls}.items()
            for seed in self.seeds
            for epoch, loss in enumerate(np.linspace(first, last, 4), start=1)
        ]
        return pd.DataFrame(rows)


def made_study(
    folder: Path, truth: Truth, variants: Mapping[str, Mapping[str, Truth]] | None = None
) -> Study:
    """A study in a folder, with its variants; there are no clip tables yet."""
    spec = read_study(study_fields(truth, variants))
    write_findings(truth.found(), folder)
    for group, named in (variants or {}).items():
        for name, each in named.items():
            write_findings(each.found(), folder / group / name)
    return Study(spec, FolderStore(folder), "made")


def study_fields(
    truth: Truth, variants: Mapping[str, Mapping[str, Truth]] | None = None
) -> dict[str, Any]:
    """The fields of such a study, as in a params file."""
    given = {
        group: {name: _fields(each) for name, each in named.items()}
        for group, named in (variants or {}).items()
    }
    return tiny(variants=given, **_fields(truth))


def _fields(truth: Truth) -> dict[str, Any]:
    return {"losses": copy.deepcopy(dict(truth.losses)), "seeds": list(truth.seeds)}


def add_clips(
    study: Study,
    teacher_right: float,
    student_right: float,
    sure: float = 0.99,
    student_sure: float = 0.6,
    student: str = "condi_sr",
    n_videos: int = 60,
) -> None:
    """Write clip tables: a network is right on all clips of the first videos, wrong on the others.

    Validation videos are like test videos.

    Args:
        study: In whose folder; for each of its seeds.
        teacher_right: The share of videos that the teacher gets right.
        student_right: The same of the student.
        sure: The teacher's largest probability on each clip.
        student_sure: The student's; from .8 on it outvotes a teacher of .99 in 3 of 5 clips.
        student: Its name.
        n_videos: How many there are.
    """
    clips = pd.DataFrame({
        "video_id": np.repeat([f"v{v:03d}" for v in range(n_videos)], N_CLIPS),
        "clip_index": np.tile(np.arange(N_CLIPS), n_videos),
        "start_frame": np.tile(16 * np.arange(N_CLIPS), n_videos),
        "label": 0,
    })  # fmt: skip
    video = np.arange(n_videos * N_CLIPS) // N_CLIPS
    teacher = _logits(video < round(teacher_right * n_videos), sure)
    scored = _logits(video < round(student_right * n_videos), student_sure)
    confidence = np.tile(np.linspace(0.9, 0.1, N_CLIPS), n_videos)
    places = [clips.assign(split=s, video_id=f"{s}/" + clips["video_id"]) for s in ("val", "test")]
    clips, confidence = pd.concat(places, ignore_index=True), np.tile(confidence, 2)
    teacher, scored = teacher.repeat(2, 1), scored.repeat(2, 1)
    for seed in study.seeds:
        tables = {
            "teacher": ClipTable(clips, ("a", "b", "c"), teacher),
            student: ClipTable(
                clips.assign(confidence=confidence), ("a", "b", "c"), student_logits=scored
            ),
        }
        for name, table in tables.items():
            write_clip_table(table, study.store.folder / f"{name}-seed{seed}.parquet")


def add_times(study: Study, shares: Mapping[str, float], student: str = "condi_sr") -> None:
    """Write a table of times: two files for each seed, of which dense takes 10 and 20 ms.

    Args:
        study: In whose folder.
        shares: Of dense's time, by setting: clips kept by the student, or ``"2+3"`` divided.
        student: Its name.
    """
    rows = [
        {"videos": "test", "video": f"{seed}/{dense}", "seed": seed, "fold": ""}
        | {"family": family, "setting": setting, "ms": dense * share}
        for seed in study.seeds
        for dense in (10, 20)
        for family, setting, share in [
            ("dense", "", 1.0),
            *(("division" if "+" in name else student, name, x) for name, x in shares.items()),
        ]
    ]
    made = {**rows[0], "videos": "made", "family": student, "setting": "1"}
    pd.DataFrame([*rows, made]).to_csv(study.store.folder / "times.csv", index=False)


def _logits(right: NDArray[np.bool_], largest: float) -> torch.Tensor:
    """Class 0 of three has the probability ``largest`` where a clip is right, else class 1 has."""
    probs = np.full((len(right), 3), (1 - largest) / 2)
    probs[np.arange(len(right)), np.where(right, 0, 1)] = largest
    return torch.from_numpy(np.log(probs)).float()
