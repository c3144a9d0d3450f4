"""Train the teachers and students of a study, and run them over its clips."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from condi_lib.clip_table import ClipTable, read_clip_table
from condi_lib.losses import Objective, build_objective
from condi_lib.models.weights import Recipe, network_metadata
from condi_lib.scoring import score_clips
from condi_lib.study.datasets import Dataset, open_dataset
from condi_lib.study.specs import (
    KINDS,
    DatasetSpec,
    NetworkSpec,
    StudentSpec,
    TeacherSpec,
    run_folder,
)
from condi_lib.study.starts import build_network
from condi_lib.training import HISTORY, WEIGHTS, TrainingData, save_weights, train

SCORES = "scores"


def compute_network(
    spec: TeacherSpec | StudentSpec, folder: Path, workers: int, progress: bool
) -> None:
    """Train a network and score the clips of its ``score_splits``, going on where a run stopped.

    Leaves ``weights.safetensors``, ``history.csv`` and ``scores/part-*.parquet`` in ``folder``. The
    weights tell their network, classes and preprocessing, so that other studies can start from
    them; the history has no rows where nothing is trained.

    Raises:
        ValueError: If a student's teacher has not scored all clips that it trains on, or the
            weights to start from do not fit.
    """
    teacher = spec.teacher if isinstance(spec, StudentSpec) else spec
    dataset = open_dataset(teacher.dataset, run_folder(teacher.dataset))
    classes = dataset.clips.catalog.classes
    model, about = build_network(spec, classes), _about(spec, teacher.dataset, classes)
    if spec.network.training.epochs:
        data = _training_data(spec, teacher, dataset)
        settings = replace(spec.network.training, seed=spec.seed)
        objective = _objective(spec)
        train(model, objective, data, settings, folder, "auto", workers, progress, about)
    else:
        save_weights(model, folder / WEIGHTS, about=about)
        (folder / HISTORY).write_text("epoch\n", encoding="utf-8")
    score_clips(
        model,
        dataset.clips,
        dataset.clips.rows(spec.score_splits),
        spec.preprocess,
        folder / SCORES,
        role=KINDS[type(spec)],
        truth=dataset.truth(spec.score_splits),
        workers=workers,
        progress=progress,
    )


def _about(
    spec: TeacherSpec | StudentSpec, dataset: DatasetSpec, classes: Sequence[str]
) -> dict[str, Any]:
    """What the run's weights say of themselves."""
    size_px = tuple(dataset.size_px)
    grid = (dataset.clip_frames, dataset.stride)
    recipe = Recipe(spec.preprocess, *grid, size_px, dataset.resize)
    return network_metadata(spec.network.backbone, spec.network.options, classes, recipe)


def _objective(spec: TeacherSpec | StudentSpec) -> Objective:
    if isinstance(spec, TeacherSpec):
        return build_objective("classification")
    return build_objective(spec.loss, **spec.hyperparameters)


def _training_data(
    spec: TeacherSpec | StudentSpec, teacher: TeacherSpec, dataset: Dataset
) -> TrainingData:
    rows = dataset.clips.rows(spec.network.train_splits)
    val_rows = _val_rows(spec.network, dataset)
    logits = None
    if isinstance(spec, StudentSpec):
        logits = logits_by_row(dataset, read_clip_table(run_folder(teacher) / SCORES))
    labels = torch.tensor(dataset.clips.table()["label"].to_numpy())
    return TrainingData(dataset.clips, rows, labels, spec.preprocess, logits, val_rows)


def _val_rows(network: NetworkSpec, dataset: Dataset) -> NDArray[np.int64]:
    """Clips on which every epoch is measured: at most ``val_clips``, evenly spread."""
    if not network.val_split:
        return np.empty(0, np.int64)
    rows = dataset.clips.rows([network.val_split])
    if len(rows) <= network.val_clips:
        return rows
    return rows[np.linspace(0, len(rows) - 1, network.val_clips).round().astype(int)]


def logits_by_row(dataset: Dataset, table: ClipTable) -> Tensor:
    """The teacher's logits at every clip's number, float32 ``[R, C]``; NaN where not scored.

    Raises:
        ValueError: If the table has a clip that the data set lacks.
    """
    keys = ["video_id", "clip_index"]
    numbers = dataset.clips.table()[keys].reset_index(names="row")
    joined = table.clips[keys].merge(numbers, on=keys, how="left", validate="one_to_one")
    if (unknown := joined["row"].isna()).any():
        video_id, clip_index = joined.loc[unknown, keys].iloc[0]
        raise ValueError(f"the teacher scored clip {clip_index} of {video_id}, which is not there")
    logits = torch.full((len(dataset.clips), len(table.classes)), float("nan"))
    logits[torch.from_numpy(joined["row"].to_numpy(np.int64, copy=True))] = table.teacher_logits
    return logits
