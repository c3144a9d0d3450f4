"""Run a network over all clips of a set and keep what it says: clips in, clip table out.

Scoring streams: a part (some videos) is decoded, scored and written by atomic rename before the
next begins. Parts that exist are skipped, so a killed run carries on and no clip is scored twice.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from condi_lib.clip_table import ClipTable, read_clip_table, write_clip_table
from condi_lib.models.student import StudentOutput
from condi_lib.training import pick_device
from condi_lib.videos.loader import ClipSet
from condi_lib.videos.preprocess import Preprocess

Role = Literal["teacher", "student"]


def score_clips(
    model: nn.Module,
    clips: ClipSet,
    rows: NDArray[np.int64],
    preprocess: Preprocess,
    folder: Path,
    role: Role,
    truth: pd.DataFrame | None = None,
    clips_per_part: int = 4096,
    batch_size: int = 64,
    device: str = "auto",
    workers: int = 0,
    progress: bool = False,
) -> ClipTable:
    """Score clips and store them as ``part-*.parquet`` in ``folder``.

    Args:
        model: From clips ``[B, 3, T, H, W]`` to logits ``[B, C]``, or to a ``StudentOutput``, whose
            sigmoid confidence z̃ is stored too.
        clips: All clips of the data set.
        rows: Numbers of the clips to score, ascending; whole videos.
        preprocess: As in training; used without augmentation.
        folder: Where the parts go; made if missing. It belongs to this one model.
        role: Which column the logits go to, ``teacher_logits`` or ``student_logits``.
        truth: Optional columns ``video_id, clip_index, truth`` to store beside.
        clips_per_part: About how many clips a part holds; a video is never divided.
        batch_size: Clips per forward pass.
        device: As in :func:`condi_lib.training.pick_device`.
        workers: Processes that decode where clips are not cached.
        progress: Show a progress bar.

    Returns:
        The table of all parts, also those that were there before.

    Raises:
        ValueError: If there are no clips or not all of a video, ``folder`` holds parts of other
            clips, or the model's output is not ``[B, C]`` for C classes.
    """
    table = _with_truth(_chosen(clips.table(), rows), truth)
    parts = {
        folder / f"part-{number:05d}.parquet": part
        for number, part in enumerate(_parts(table["video_id"].to_numpy(), clips_per_part))
    }
    _check_existing(folder, parts, table)
    target = pick_device(device)
    model = model.to(target, memory_format=torch.channels_last_3d).eval()
    folder.mkdir(parents=True, exist_ok=True)
    classes = clips.catalog.classes
    bar = tqdm(total=len(rows), desc=f"scoring ({role})", unit="clip", disable=not progress)
    with bar:
        for path, part in parts.items():
            if path.exists():
                bar.update(part.stop - part.start)
                continue
            outputs = []
            for batch in clips.batches(_batches(rows[part], batch_size), workers):
                outputs.append(_forward(model, preprocess(batch.to(target)), len(classes)))
                bar.update(len(batch))
            write_clip_table(_as_table(table.iloc[part], outputs, classes, role), path)
    return read_clip_table(folder)


def _chosen(table: pd.DataFrame, rows: NDArray[np.int64]) -> pd.DataFrame:
    """The rows of the clips to score, which must be whole videos in order."""
    if not len(rows):
        raise ValueError("no clips to score: the chosen splits have no videos")
    chosen = table.iloc[rows]
    whole = table["video_id"].isin(chosen["video_id"].unique())
    if not np.array_equal(np.flatnonzero(whole), rows):
        raise ValueError(
            "rows must be ascending and hold every clip of their videos: use ClipSet.rows"
        )
    return chosen


def _check_existing(folder: Path, parts: dict[Path, slice], table: pd.DataFrame) -> None:
    """Parts that are there must be ours; whether the same model made them cannot be known."""
    for path in sorted(folder.glob("part-*.parquet")):
        keys = ["video_id", "clip_index"]
        ours = table.iloc[parts[path]][keys].to_numpy() if path in parts else None
        if ours is None or not np.array_equal(pd.read_parquet(path, columns=keys).to_numpy(), ours):
            raise ValueError(
                f"{path}: holds other clips than this scoring would put there; delete the folder "
                "or score into another one"
            )


def _with_truth(table: pd.DataFrame, truth: pd.DataFrame | None) -> pd.DataFrame:
    if truth is None:
        return table.reset_index(drop=True)
    keys = ["video_id", "clip_index"]
    joined = table.merge(truth[[*keys, "truth"]], on=keys, how="left", validate="one_to_one")
    if joined["truth"].isna().any():
        first = joined[joined["truth"].isna()].iloc[0]
        raise ValueError(
            f"the truth table has no row for clip {first['clip_index']} of {first['video_id']}"
        )
    return joined


def _parts(video_id: NDArray, clips_per_part: int) -> Iterator[slice]:
    """Slices of whole videos with about ``clips_per_part`` clips each."""
    starts = np.flatnonzero(np.append(True, video_id[1:] != video_id[:-1]))
    first = 0
    for start in [*starts[1:], len(video_id)]:
        if start - first >= clips_per_part or start == len(video_id):
            yield slice(int(first), int(start))
            first = start


def _batches(rows: NDArray[np.int64], size: int) -> list[NDArray[np.int64]]:
    return [rows[i : i + size] for i in range(0, len(rows), size)]


@torch.inference_mode()
def _forward(model: nn.Module, inputs: Tensor, n_classes: int) -> tuple[Tensor, Tensor | None]:
    with torch.autocast(inputs.device.type, enabled=inputs.device.type == "cuda"):
        output = model(inputs)
    logits, confidence = output if isinstance(output, StudentOutput) else (output, None)
    if logits.shape != (len(inputs), n_classes):
        raise ValueError(
            f"the model gave {list(logits.shape)} for {len(inputs)} clips and {n_classes} classes; "
            "give its head as many outputs as the data set has classes"
        )
    return logits.float().cpu(), None if confidence is None else confidence.float().sigmoid().cpu()


def _as_table(
    clips: pd.DataFrame,
    outputs: list[tuple[Tensor, Tensor | None]],
    classes: tuple[str, ...],
    role: Role,
) -> ClipTable:
    logits = torch.cat([output[0] for output in outputs])
    if outputs[0][1] is not None:
        clips = clips.assign(confidence=torch.cat([output[1] for output in outputs]).numpy())
    return ClipTable(clips.reset_index(drop=True), classes, **{f"{role}_logits": logits})
