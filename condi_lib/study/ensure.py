"""``ensure(spec)``: the run of a spec, computed once, found again by whoever needs it.

A run's folder appears under its digest; ``done.json`` is written last and makes it complete. A
lock lets one process compute while others wait for it; a killed run leaves its checkpoint and
parts behind, and the next ``ensure`` goes on from there.
"""

import json
import platform
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from filelock import FileLock, Timeout

from condi_lib import __version__, paths
from condi_lib.clip_table import ClipTable, read_clip_table
from condi_lib.losses import build_objective
from condi_lib.models import Student, build_backbone
from condi_lib.scoring import score_clips
from condi_lib.study.datasets import Dataset, make_dataset, open_dataset
from condi_lib.study.specs import (
    DatasetSpec,
    NetworkSpec,
    Spec,
    StudentSpec,
    TeacherSpec,
    describe,
    run_name,
)
from condi_lib.training import TrainingData, load_weights, train
from condi_lib.videos.preprocess import Preprocess

DONE = "done.json"


def run_folder(spec: Spec) -> Path:
    """Where the run of ``spec`` is, or will be."""
    return paths.runs_dir() / run_name(spec)


def is_done(spec: Spec) -> bool:
    """Whether the run is complete."""
    return (run_folder(spec) / DONE).exists()


def ensure(spec: Spec, workers: int = 0, progress: bool = False) -> Path:
    """Return the folder of the spec's complete run; compute what is missing, also what it needs.

    Args:
        spec: What to compute.
        workers: Processes that draw or decode videos.
        progress: Show progress bars.
    """
    folder = run_folder(spec)
    if is_done(spec):
        return folder
    for needed in getattr(spec, "needs", ()):
        ensure(needed, workers, progress)
    folder.mkdir(parents=True, exist_ok=True)
    with _alone_in(folder, progress):
        if not is_done(spec):  # another process may have finished it while this one waited
            start = time.monotonic()
            _write_json(folder / "spec.json", describe(spec))
            _COMPUTE[type(spec)](spec, folder, workers, progress)
            _write_json(folder / DONE, _circumstances(time.monotonic() - start))
    return folder


def _alone_in(folder: Path, progress: bool) -> FileLock:
    """A lock on the folder, which the operating system drops with the process that holds it."""
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        if progress:
            print(f"waiting for another process that computes {folder.name}", flush=True)
        lock.acquire()
    lock.release()
    return lock


def _circumstances(seconds: float) -> dict[str, Any]:
    return {
        "seconds": round(seconds, 2),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "condi_lib": __version__,
    }


def _write_json(path: Path, value: Any) -> None:
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    part.replace(path)


def _compute_dataset(spec: DatasetSpec, folder: Path, workers: int, progress: bool) -> None:
    make_dataset(spec, folder, workers, progress)


def _compute_teacher(spec: TeacherSpec, folder: Path, workers: int, progress: bool) -> None:
    dataset = open_dataset(spec.dataset, run_folder(spec.dataset))
    model = _build(spec.network, dataset, spec.seed, confidence=False)
    data = _training_data(spec.network, dataset, spec.preprocess, None)
    settings = replace(spec.network.training, seed=spec.seed)
    objective = build_objective("classification")
    train(model, objective, data, settings, folder, workers=workers, progress=progress)
    _score(model, dataset, spec.preprocess, spec.score_splits, folder, "teacher", workers, progress)


def _compute_student(spec: StudentSpec, folder: Path, workers: int, progress: bool) -> None:
    dataset = open_dataset(spec.teacher.dataset, run_folder(spec.teacher.dataset))
    model = _build(spec.network, dataset, spec.seed, spec.has_confidence)
    preprocess = spec.teacher.preprocess
    logits = _logits_by_row(dataset, teacher_table(spec.teacher))
    data = _training_data(spec.network, dataset, preprocess, logits)
    settings = replace(spec.network.training, seed=spec.seed)
    objective = build_objective(spec.loss, **spec.hyperparameters)
    train(model, objective, data, settings, folder, workers=workers, progress=progress)
    _score(model, dataset, preprocess, spec.score_splits, folder, "student", workers, progress)


_COMPUTE: dict[type, Callable[..., None]] = {
    DatasetSpec: _compute_dataset,
    TeacherSpec: _compute_teacher,
    StudentSpec: _compute_student,
}


def _build(network: NetworkSpec, dataset: Dataset, seed: int, confidence: bool) -> torch.nn.Module:
    n_classes = len(dataset.clips.catalog.classes)
    model = build_backbone(network.backbone, n_classes, seed, **network.options)
    if network.weights is not None:
        model = load_weights(model, paths.project_root() / network.weights)
    if not confidence:
        return model
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed + 1)
        return Student(model)


def _training_data(
    network: NetworkSpec,
    dataset: Dataset,
    preprocess: Preprocess,
    teacher_logits: torch.Tensor | None,
) -> TrainingData:
    val_rows = dataset.clips.rows([network.val_split]) if network.val_split else np.empty(0, int)
    if len(val_rows) > network.val_clips:
        spread = np.linspace(0, len(val_rows) - 1, network.val_clips)
        val_rows = val_rows[spread.round().astype(int)]
    return TrainingData(
        clips=dataset.clips,
        rows=dataset.clips.rows(network.train_splits),
        labels=torch.tensor(dataset.clips.table()["label"].to_numpy()),
        preprocess=preprocess,
        teacher_logits=teacher_logits,
        val_rows=val_rows,
    )


def _logits_by_row(dataset: Dataset, table: ClipTable) -> torch.Tensor:
    """The teacher's logits at every clip's number, ``[R, C]``; NaN where it was not scored."""
    keys = ["video_id", "clip_index"]
    numbers = dataset.clips.table()[keys].reset_index(names="row")
    rows = table.clips[keys].merge(numbers, on=keys, how="left", validate="one_to_one")["row"]
    logits = torch.full((len(dataset.clips), len(table.classes)), float("nan"))
    logits[torch.from_numpy(rows.to_numpy(np.int64, copy=True))] = table.teacher_logits
    return logits


def _score(
    model: torch.nn.Module,
    dataset: Dataset,
    preprocess: Preprocess,
    splits: tuple[str, ...],
    folder: Path,
    role: str,
    workers: int,
    progress: bool,
) -> None:
    rows = dataset.clips.rows(splits)
    score_clips(
        model,
        dataset.clips,
        rows,
        preprocess,
        folder / "scores",
        role,
        truth=dataset.truth(splits),
        workers=workers,
        progress=progress,
    )


def teacher_table(spec: TeacherSpec) -> ClipTable:
    """The stored clip table of a teacher's complete run."""
    return read_clip_table(run_folder(spec) / "scores")


def student_table(spec: StudentSpec) -> ClipTable:
    """The stored clip table of a student's complete run (student columns only)."""
    return read_clip_table(run_folder(spec) / "scores")


def read_history(spec: TeacherSpec | StudentSpec) -> pd.DataFrame:
    """The training history of a complete run, one row per epoch."""
    return pd.read_csv(run_folder(spec) / "history.csv")
