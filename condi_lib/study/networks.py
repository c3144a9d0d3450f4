"""Train the teachers and students of a study, and run them over its clips."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from condi_lib.clip_table import ClipTable, clip_table_parts
from condi_lib.distributed import join_world
from condi_lib.losses import Objective, build_objective
from condi_lib.models.weights import Recipe, network_metadata
from condi_lib.scoring import score_clips
from condi_lib.study.datasets import Dataset, listen, open_dataset
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
from condi_lib.videos.loader import ClipSet

SCORES = "scores"
LOGITS = "teacher_logits.npy"  # only while a student trains


def compute_network(
    spec: TeacherSpec | StudentSpec, folder: Path, workers: int, progress: bool
) -> None:
    """Train a network and score the clips of its ``score_splits``, going on where a run stopped.

    Leaves ``weights.safetensors``, ``history.csv`` and ``scores/part-*.parquet`` in ``folder``. The
    weights tell their network, classes and preprocessing, so that other studies can start from
    them; the history has no rows where nothing is trained. All processes that torchrun launched
    call it.

    Raises:
        ValueError: If a student's teacher has not scored all clips that it trains on, or the
            weights to start from do not fit.
    """
    teacher = spec.teacher if isinstance(spec, StudentSpec) else spec
    dataset = open_dataset(teacher.dataset, run_folder(teacher.dataset))
    if spec.network.sound is not None:
        dataset = listen(dataset, teacher.dataset, spec.network.sound, workers, progress)
    n_fits = teacher.cross_fit if spec is teacher else 0
    own = tuple(s for s in spec.score_splits if not n_fits or s not in spec.network.train_splits)

    def score(model: nn.Module, rows: NDArray[np.int64], splits: Sequence[str], to: Path) -> None:
        truth, role = dataset.truth(tuple(splits)), KINDS[type(spec)]
        given = {"truth": truth, "workers": workers, "progress": progress}
        score_clips(model, dataset.clips, rows, spec.preprocess, to, role, **given)

    if own:
        model = _fit(spec, teacher, dataset, folder, None, workers, progress)
        score(model, dataset.clips.rows(own), own, folder / SCORES)
    shared = [split for split in spec.score_splits if split not in own]
    for part in range(n_fits if shared else 0):
        # The scores of a part lie below those of the network itself, where readers look, too.
        place = folder / SCORES / f"cross_fit_{part}"
        place.mkdir(parents=True, exist_ok=True)
        unseen = cross_fit_part(dataset.clips, shared, n_fits, part)
        model = _fit(spec, teacher, dataset, place, unseen, workers, progress)
        score(model, unseen, shared, place)


def _fit(
    spec: TeacherSpec | StudentSpec,
    teacher: TeacherSpec,
    dataset: Dataset,
    folder: Path,
    without: NDArray[np.int64] | None,
    workers: int,
    progress: bool,
) -> nn.Module:
    """Train a run's network, on all its training clips or ``without`` some."""
    classes = dataset.clips.catalog.classes
    model, about = build_network(spec, classes), _about(spec, teacher.dataset, classes)
    if not spec.network.training.epochs:
        if join_world().leads:
            save_weights(model, folder / WEIGHTS, about=about)
            (folder / HISTORY).write_text("epoch\n", encoding="utf-8")
        return model
    try:
        data = _training_data(spec, teacher, dataset, folder / LOGITS)
        if without is not None:
            data = replace(data, rows=np.setdiff1d(data.rows, without))
        settings = replace(spec.network.training, seed=spec.seed)
        objective = _objective(spec)
        return train(model, objective, data, settings, folder, "auto", workers, progress, about)
    finally:
        if join_world().leads:
            (folder / LOGITS).unlink(missing_ok=True)


def cross_fit_part(
    clips: ClipSet, splits: Sequence[str], n_parts: int, part: int
) -> NDArray[np.int64]:
    """Numbers of the clips of one of ``n_parts`` parts of the splits' videos, ascending.

    The parts have whole videos, and about as many of every class: of the videos, put in the order
    of their classes, every ``n_parts``-th.

    Raises:
        ValueError: If there are fewer videos than parts.
    """
    rows = clips.rows(splits)
    video = clips.video_of(rows)
    videos = np.unique(video)
    if len(videos) < n_parts:
        raise ValueError(f"{len(videos)} videos cannot be divided into {n_parts} parts")
    labels = np.array([clips.catalog.records[v].label for v in videos])
    by_class = videos[np.argsort(labels, kind="stable")]
    return rows[np.isin(video, by_class[part::n_parts])]


def _about(
    spec: TeacherSpec | StudentSpec, dataset: DatasetSpec, classes: Sequence[str]
) -> dict[str, Any]:
    """What the run's weights say of themselves."""
    size_px = tuple(dataset.size_px)
    grid = (dataset.clip_frames, dataset.stride)
    recipe = Recipe(spec.preprocess, *grid, size_px, dataset.resize, spec.network.sound)
    return network_metadata(spec.network.backbone, spec.network.options, classes, recipe)


def _objective(spec: TeacherSpec | StudentSpec) -> Objective:
    if isinstance(spec, TeacherSpec):
        return build_objective("classification")
    return build_objective(spec.loss, **spec.hyperparameters)


def _training_data(
    spec: TeacherSpec | StudentSpec, teacher: TeacherSpec, dataset: Dataset, logits_file: Path
) -> TrainingData:
    clips, world, logits = dataset.clips, join_world(), None
    if isinstance(spec, StudentSpec):
        if world.leads:
            write_logits_by_row(clips, clip_table_parts(run_folder(teacher) / SCORES), logits_file)
        world.wait()
        # Mapped, not read; "c" because torch wants to be allowed to write, which it never does.
        logits = torch.from_numpy(np.load(logits_file, mmap_mode="c"))
    return TrainingData(
        clips=clips,
        rows=_of_classes(clips, clips.rows(spec.network.train_splits), spec.network.classes),
        labels=torch.from_numpy(clips.labels),
        preprocess=spec.preprocess,
        teacher_logits=logits,
        val_rows=_val_rows(spec.network, dataset),
    )


def _of_classes(
    clips: ClipSet, rows: NDArray[np.int64], classes: Sequence[str]
) -> NDArray[np.int64]:
    """Those of some clips whose videos are of these classes; all if none is named."""
    if not classes:
        return rows
    known = clips.catalog.classes
    if unknown := sorted(set(classes) - set(known)):
        raise ValueError(f"no class {unknown} to train on; the data set has {list(known)}")
    kept = rows[np.isin(clips.labels[rows], [known.index(name) for name in classes])]
    if not len(kept):
        raise ValueError(f"no clips to train or measure on: no video is of {sorted(classes)}")
    return kept


def _val_rows(network: NetworkSpec, dataset: Dataset) -> NDArray[np.int64]:
    """Clips on which every epoch is measured: at most ``val_clips``, evenly spread."""
    if not network.val_split:
        return np.empty(0, np.int64)
    rows = dataset.clips.rows([network.val_split])
    rows = _of_classes(dataset.clips, rows, network.classes)
    if len(rows) <= network.val_clips:
        return rows
    return rows[np.linspace(0, len(rows) - 1, network.val_clips).round().astype(int)]


def write_logits_by_row(clips: ClipSet, tables: Iterable[ClipTable], path: Path) -> None:
    """Write the teacher's logits at every clip's number as a ``.npy`` file to be memory-mapped.

    Args:
        clips: The clips, R of them.
        tables: What the teacher scored, whole videos at a time; only one is held in memory.
        path: float32 ``[R, C]``, NaN where a clip was not scored. It appears when it is complete.

    Raises:
        ValueError: If a table has a clip that the data set lacks.
    """
    part = path.with_name(path.name + ".part")
    shape = (len(clips), len(clips.catalog.classes))
    logits = np.lib.format.open_memmap(part, mode="w+", dtype=np.float32, shape=shape)
    logits[:] = np.nan
    numbers = {record.video_id: number for number, record in enumerate(clips.catalog)}
    for table in tables:
        logits[_rows_of(table, clips, numbers)] = table.teacher_logits.numpy()
    logits.flush()
    part.replace(path)


def _rows_of(table: ClipTable, clips: ClipSet, numbers: dict[str, int]) -> NDArray[np.int64]:
    """The number of each clip of a table."""
    video = table.clips["video_id"].map(numbers).fillna(-1).to_numpy(np.int64)
    index = table.clips["clip_index"].to_numpy()
    known = (video >= 0) & (index < clips.n_clips[video])
    if not known.all():
        video_id, clip_index = table.clips.loc[~known, ["video_id", "clip_index"]].iloc[0]
        raise ValueError(f"the teacher scored clip {clip_index} of {video_id}, which is not there")
    return clips.first_clip[video] + index
