"""Run a network over all clips of a set and keep what it says: clips in, clip table out.

Scoring streams: a part (some videos) is decoded, scored and written by atomic rename before the
next begins. Parts that exist are skipped, so a killed run carries on and no clip is scored twice.
Under torchrun the parts are shared out; which clips make a part does not depend on who scores it.
Memory holds one part, whatever the number of videos.
"""

from collections.abc import Iterator
from contextlib import closing, nullcontext
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from condi_lib.clip_table import ClipTable, write_clip_table
from condi_lib.distributed import join_world, pick_device
from condi_lib.models.layout import lay_out
from condi_lib.models.one_dnn import quick_for_one
from condi_lib.models.optimize import OptimizedModel
from condi_lib.models.student import StudentOutput
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
) -> Path:
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
        device: As in :func:`condi_lib.distributed.pick_device`.
        workers: Processes that decode where clips are not cached; as many for each process.
        progress: Show a progress bar.

    Returns:
        ``folder``, when all parts are there, also those that other processes scored:
        ``read_clip_table`` reads them.

    Raises:
        ValueError: If there are no clips or not all of a video, ``folder`` holds parts of other
            clips, or the model's output is not ``[B, C]`` for C classes.
    """
    world, target = join_world(), pick_device(device)
    parts = _parts(clips, rows, clips_per_part)
    missing = world.agree(lambda: _missing(folder, parts, clips, rows))
    numbers = missing[world.rank :: world.size]
    own = {_path(folder, number): rows[parts[number]] for number in numbers}
    model = lay_out(model.to(target)).eval()
    batches = (batch for part in own.values() for batch in _batches(part, batch_size))
    n_clips, show = sum(map(len, own.values())), progress and world.leads
    with (
        closing(clips.batches(batches, workers, target.type == "cuda")) as pixels,
        tqdm(total=n_clips, desc=f"scoring ({role})", unit="clip", disable=not show) as bar,
    ):
        for path, part in own.items():
            table, outputs = _with_truth(clips.table(part), truth), []
            for batch in islice(pixels, -(-len(part) // batch_size)):
                ready = preprocess(batch.to(target, non_blocking=True))
                outputs.append(forward_clips(model, ready, len(clips.catalog.classes)))
                bar.update(len(batch))
            write_clip_table(_as_table(table, outputs, clips.catalog.classes, role), path)
    world.wait()
    return folder


def _path(folder: Path, number: int) -> Path:
    return folder / f"part-{number:05d}.parquet"


def _parts(clips: ClipSet, rows: NDArray[np.int64], clips_per_part: int) -> list[slice]:
    """Slices of ``rows``: whole videos with about ``clips_per_part`` clips each."""
    if not len(rows):
        raise ValueError("no clips to score: the chosen splits have no videos")
    video = clips.video_of(rows)
    starts = np.flatnonzero(np.append(True, video[1:] != video[:-1]))
    counts = np.diff(starts, append=len(rows))
    if (np.diff(rows) <= 0).any() or not np.array_equal(counts, clips.n_clips[video[starts]]):
        raise ValueError(
            "rows must be ascending and hold every clip of their videos: use ClipSet.rows"
        )
    parts, first = [], 0
    for end in (starts + counts).tolist():
        if end - first >= clips_per_part or end == len(rows):
            parts.append(slice(first, end))
            first = end
    return parts


def _missing(
    folder: Path, parts: list[slice], clips: ClipSet, rows: NDArray[np.int64]
) -> list[int]:
    """Numbers of the parts that are not there yet.

    Those that are must be ours; whether the same model made them cannot be known.
    """
    ours = {_path(folder, number): part for number, part in enumerate(parts)}
    found, keys = set(folder.glob("part-*.parquet")), ["video_id", "clip_index"]
    for path in sorted(found):
        expected = clips.table(rows[ours[path]])[keys].to_numpy() if path in ours else None
        there = pd.read_parquet(path, columns=keys).to_numpy()
        if expected is None or not np.array_equal(there, expected):
            raise ValueError(
                f"{path}: holds other clips than this scoring would put there; delete the folder "
                "or score into another one"
            )
    return [number for number, path in enumerate(ours) if path not in found]


def _batches(rows: NDArray[np.int64], size: int) -> Iterator[NDArray[np.int64]]:
    return (rows[i : i + size] for i in range(0, len(rows), size))


def _with_truth(table: pd.DataFrame, truth: pd.DataFrame | None) -> pd.DataFrame:
    if truth is None:
        return table
    keys = ["video_id", "clip_index"]
    joined = table.merge(truth[[*keys, "truth"]], on=keys, how="left", validate="one_to_one")
    if joined["truth"].isna().any():
        first = joined[joined["truth"].isna()].iloc[0]
        raise ValueError(
            f"the truth table has no row for clip {first['clip_index']} of {first['video_id']}"
        )
    return joined


@torch.inference_mode()
def forward_clips(model: nn.Module, inputs: Tensor, n_classes: int) -> tuple[Tensor, Tensor | None]:
    """Return what a network says of clips, on the CPU in fp32; on CUDA it runs in mixed precision.

    Args:
        model: From clips to logits ``[B, C]`` or a ``StudentOutput``; on the clips' device.
        inputs: Preprocessed clips ``[B, 3, T, H, W]``.
        n_classes: C.

    Returns:
        Class logits ``[B, C]``, and z̃ in ``[0, 1]``, ``[B]``, or None from a network without.

    Raises:
        ValueError: If the output is not ``[B, C]``.
    """
    # An optimised model knows its own way; what is compiled must not see another mode.
    quick = nullcontext() if isinstance(model, OptimizedModel) else quick_for_one(inputs)
    with quick, torch.autocast(inputs.device.type, enabled=inputs.device.type == "cuda"):
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
