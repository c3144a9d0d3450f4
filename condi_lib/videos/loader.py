"""Clips as tensors: decode them as they are asked for, or once into a file for small sets.

A :class:`ClipSet` numbers all clips of a catalog, video after video. It knows where each is, not
its pixels: those come in batches, from worker processes that decode (large sets) or from a cache
file that every process maps (small sets). Memory holds some batches, never a dataset; what grows
with the number of clips is 8 bytes each where a caller asks for their numbers or labels.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from condi_lib.videos.batches import ClipDecoder, DecodeJob, Decoder, Size, decode_batches
from condi_lib.videos.catalog import Catalog
from condi_lib.videos.clips import ClipGrid
from condi_lib.videos.listening import SoundDecoder
from condi_lib.videos.log_mel import LogMel


@dataclass(frozen=True, eq=False)
class ClipSet:
    """All clips of a catalog's videos, numbered video by video in the catalog's order.

    Attributes:
        catalog: The videos.
        grid: How a video is cut into clips.
        size_px: Height and width of every frame.
        n_frames: Frames of each video, int64 ``[V]``.
        cache: File made by :func:`cache_clips`, or None to decode.
        resize: How frames come to that size, ``"stretch"`` or ``"cover"``: see ``VideoReader``.
        sound: The clips as they are heard: each is then one grey frame, the patch of its sound.

    Raises:
        ValueError: If frame counts are not those of the catalog, or the cache holds other clips.
    """

    catalog: Catalog
    grid: ClipGrid
    size_px: Size
    n_frames: NDArray[np.int64]
    cache: Path | None = None
    resize: str = "stretch"
    sound: LogMel | None = None
    _first_clip: NDArray[np.int64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if len(self.n_frames) != len(self.catalog):
            raise ValueError(
                f"{len(self.catalog)} videos but {len(self.n_frames)} frame counts; "
                "scan the same catalog"
            )
        per_video = [self.grid.n_clips(int(n)) for n in self.n_frames]
        object.__setattr__(self, "_first_clip", np.concatenate([[0], np.cumsum(per_video)]))
        if self.cache is not None:
            _open_cache(self)  # a cache of other clips fails here, not in the middle of training

    def __len__(self) -> int:
        return int(self._first_clip[-1])

    @property
    def shape(self) -> tuple[int, int, int, int, int]:
        """``[R, T, H, W, 3]``: what all clips would be as one array."""
        if self.sound is not None:
            return (len(self), 1, *self.sound.shape, 3)
        return (len(self), self.grid.sampled_frames, *self.size_px, 3)

    @property
    def first_clip(self) -> NDArray[np.int64]:
        """Number of the first clip of each video, ``[V]``."""
        return self._first_clip[:-1]

    @property
    def n_clips(self) -> NDArray[np.int64]:
        """Number of clips of each video, ``[V]``."""
        return np.diff(self._first_clip)

    @property
    def labels(self) -> NDArray[np.int64]:
        """Class of every clip, ``[R]``."""
        per_video = np.fromiter((record.label for record in self.catalog), np.int64)
        return np.repeat(per_video, self.n_clips)

    def video_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Number of the video, from 0, that each of the given clips belongs to."""
        return np.searchsorted(self._first_clip, rows, side="right") - 1

    def table(self, rows: NDArray[np.int64] | None = None) -> pd.DataFrame:
        """One row per clip: ``video_id, clip_index, start_frame, label, split``.

        Args:
            rows: Numbers of the clips; None: all, which is a large table for a large set.
        """
        rows = np.arange(len(self)) if rows is None else rows
        video = self.video_of(rows)
        clip_index = rows - self._first_clip[video]
        records = [self.catalog.records[v] for v in video]
        columns = {
            "video_id": [record.video_id for record in records],
            "clip_index": clip_index,
            "start_frame": clip_index * self.grid.clip_frames,
            "label": np.array([record.label for record in records], np.int64),
            "split": [record.split for record in records],
        }
        return pd.DataFrame(columns)

    def rows(self, splits: Sequence[str]) -> NDArray[np.int64]:
        """Numbers of the clips whose videos are in the given splits, ascending."""
        known = set(self.catalog.split_names)
        if unknown := set(splits) - known:
            raise ValueError(f"no split {sorted(unknown)}; the catalog has {sorted(known)}")
        chosen = np.array([record.split in splits for record in self.catalog])
        return np.flatnonzero(np.repeat(chosen, self.n_clips))

    def __getitem__(self, row: int) -> Tensor:
        """One clip, uint8 ``[T, H, W, 3]``."""
        return next(self.batches([[row]]))[0]

    def _jobs(self, rows: Sequence[int]) -> list[DecodeJob]:
        """What decoding a batch takes, video by video: each file is opened once."""
        rows = np.asarray(rows, np.int64)
        video = self.video_of(rows)
        order = np.argsort(video, kind="stable")
        jobs = []
        for places in np.split(order, np.flatnonzero(np.diff(video[order])) + 1):
            number = int(video[places[0]])
            clip_indices = (rows[places] - self._first_clip[number]).tolist()
            path, n_frames = str(self.catalog.records[number].path), int(self.n_frames[number])
            jobs.append(DecodeJob(path, n_frames, clip_indices, places.tolist()))
        return jobs

    def batches(
        self, rows: Iterable[Sequence[int]], workers: int = 0, pin_memory: bool = False
    ) -> Iterator[Tensor]:
        """Yield a batch of clips for each list of clip numbers; no random number is drawn.

        Args:
            rows: Clip numbers of each batch; read as batches are needed, so it may be a generator.
            workers: Processes that decode; 0 decodes here. A cached set needs none.
            pin_memory: As in :func:`condi_lib.videos.batches.decode_batches`.

        Yields:
            uint8 ``[B, T, H, W, 3]``, in the order asked for.
        """
        if self.cache is not None:
            pixels = _open_cache(self)
            for batch in rows:
                yield torch.from_numpy(pixels[np.asarray(batch)])
            return
        decoder: Decoder = ClipDecoder(self.grid, self.size_px, self.resize)
        if self.sound is not None:
            decoder = SoundDecoder(self.grid, self.sound)
        yield from decode_batches(decoder, map(self._jobs, rows), workers, pin_memory)


def _fingerprint(clips: ClipSet) -> bytes:
    """32 bytes that stand for which clips these are: videos, order, grid, size, resize, sound."""
    cut: list[object] = [clips.grid.clip_frames, clips.grid.stride]
    cut += [list(clips.size_px), clips.resize] if clips.sound is None else [asdict(clips.sound)]
    digest = hashlib.sha256(json.dumps(cut).encode())
    for record, n_frames in zip(clips.catalog, clips.n_frames, strict=True):
        digest.update(json.dumps([record.video_id, int(n_frames)]).encode())
    return digest.digest()


def _open_cache(clips: ClipSet) -> NDArray[np.uint8]:
    try:
        pixels = np.load(clips.cache, mmap_mode="r")
        with clips.cache.open("rb") as file:
            file.seek(-hashlib.sha256().digest_size, os.SEEK_END)
            fingerprint = file.read()
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{clips.cache}: not a clip cache ({error}); delete it and run again"
        ) from error
    if pixels.shape != clips.shape or pixels.dtype != np.uint8:
        raise ValueError(
            f"{clips.cache}: holds {pixels.dtype} {list(pixels.shape)}, these clips are uint8 "
            f"{list(clips.shape)}; delete it and run again"
        )
    if fingerprint != _fingerprint(clips):
        raise ValueError(
            f"{clips.cache}: holds clips of other videos, or of these in another order or cut "
            "otherwise; delete it and run again"
        )
    return pixels


def cache_clips(clips: ClipSet, path: Path, workers: int = 0, progress: bool = False) -> None:
    """Decode every clip once into one ``.npy`` file, which appears only when complete.

    It is written from front to back, video by video. One process at a time may write a cache:
    what killed ones left behind is removed.

    Args:
        clips: What to decode.
        path: File to write, ``[R, T, H, W, 3]`` uint8: ``len(clips)`` times
            ``T * H * W * 3`` bytes on disk. A fingerprint of the clips follows the pixels.
        workers: Processes that decode; 0 decodes here.
        progress: Show a progress bar.
    """
    for leftover in path.parent.glob(f"{path.name}.*.part"):
        leftover.unlink()
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    uncached = replace(clips, cache=None)
    by_video = (range(a, b) for a, b in pairwise(clips._first_clip))
    header = {"descr": "|u1", "fortran_order": False, "shape": clips.shape}
    batches = uncached.batches(by_video, workers)
    bar = tqdm(batches, total=len(clips.catalog), desc="clips", unit="video", disable=not progress)
    try:
        with part.open("xb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            for batch in bar:
                file.write(batch.numpy())
            file.write(_fingerprint(clips))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
