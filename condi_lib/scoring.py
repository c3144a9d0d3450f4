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
        folder: Where the parts go; made if missing.
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
        ValueError: If there are no clips, or the model's output is not ``[B, C]`` for C classes.
    """
    if not len(rows):
        raise ValueError("no clips to score: the chosen splits have no videos")
    target = pick_device(device)
    model = model.to(target, memory_format=torch.channels_last_3d).eval()
    table = _with_truth(clips.table().iloc[rows], truth)
    folder.mkdir(parents=True, exist_ok=True)
    bar = tqdm(total=len(rows), desc=f"scoring ({role})", unit="clip", disable=not progress)
    with bar:
        for number, part in enumerate(_parts(table["video_id"].to_numpy(), clips_per_part)):
            path = folder / f"part-{number:05d}.parquet"
            if not path.exists():
                batches = _batches(rows[part], batch_size)
                pixels = clips.batches(batches, workers)
                outputs = [
                    _forward(model, preprocess(batch).to(target), len(clips.catalog.classes))
                    for batch in pixels
                ]
                scored = _as_table(table.iloc[part], outputs, clips.catalog.classes, role)
                write_clip_table(scored, path)
            bar.update(part.stop - part.start)
    return read_clip_table(folder)


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
