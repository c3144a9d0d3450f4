"""Batches of clips from video files, decoded here or by worker processes.

A worker never sees the catalog. It is sent jobs, a few clips of one file each, so that its memory
holds some batches whatever the number of videos. The list of batches is read as they are needed.
"""

import atexit
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from condi_lib.videos.clips import ClipGrid
from condi_lib.videos.decode import Size, VideoError, VideoReader


class DecodeJob(NamedTuple):
    """Clips of one file, and where in the batch they belong.

    Attributes:
        path: The file.
        n_frames: Frames that it had when it was scanned.
        clip_indices: Clips to read, each from 0.
        places: The place of each in the batch.
    """

    path: str
    n_frames: int
    clip_indices: list[int]
    places: list[int]


class Decoder(Protocol):
    """How files become clips; it is sent to worker processes."""

    def decode(self, jobs: Sequence[DecodeJob]) -> Tensor:
        """One batch, uint8 ``[B, T, H, W, 3]``."""


@dataclass(frozen=True)
class ClipDecoder:
    """Decodes jobs.

    Attributes:
        grid: How a video is cut into clips.
        size_px: Height and width of every frame.
        resize: How frames come to that size: see ``VideoReader``.
    """

    grid: ClipGrid
    size_px: Size
    resize: str = "stretch"

    def decode(self, jobs: Sequence[DecodeJob]) -> Tensor:
        """One batch, uint8 ``[B, T, H, W, 3]``.

        Raises:
            VideoError: If a file is damaged, or no longer has its number of frames.
        """
        n_clips = sum(len(job.places) for job in jobs)
        batch = torch.empty(
            (n_clips, self.grid.sampled_frames, *self.size_px, 3), dtype=torch.uint8
        )
        for job in jobs:
            batch[job.places] = self._clips(job)
        return batch

    def _clips(self, job: DecodeJob) -> Tensor:
        wanted = [self.grid.frame_indices(job.n_frames, index) for index in job.clip_indices]
        with VideoReader(job.path, size_px=self.size_px, resize=self.resize) as reader:
            # Of avi files only decoding tells; then a frame that is gone is an error of `read`.
            if reader.counted_frames not in (None, job.n_frames):
                raise VideoError(
                    reader.path,
                    f"has {reader.info.n_frames} frames but had {job.n_frames} when it was scanned",
                    "scan the catalog again",
                )
            frames = torch.from_numpy(reader.read(np.concatenate(wanted)))
        return frames.view(len(wanted), -1, *frames.shape[1:])


@dataclass(frozen=True)
class _InWorker(Dataset):
    """What a worker process is told once. It hands errors back: raised, they lose their message."""

    decoder: Decoder

    def __getitems__(self, jobs: Sequence[DecodeJob]) -> Tensor | VideoError:
        try:
            return self.decoder.decode(jobs)
        except VideoError as error:
            return error


def decode_batches(
    decoder: Decoder,
    batches: Iterable[Sequence[DecodeJob]],
    workers: int = 0,
    pin_memory: bool = False,
) -> Iterator[Tensor]:
    """Yield the clips of each batch, in order; no random number is drawn.

    Args:
        decoder: How files become clips.
        batches: The jobs of each batch; read ahead of need by at most two batches per worker.
        workers: Processes that decode, each with one thread; 0 decodes here. They live as long as
            this iterator, so one call for many batches is cheaper than many calls.
        pin_memory: Put batches into page-locked memory, from which CUDA copies while it computes.

    Yields:
        uint8 ``[B, T, H, W, 3]``.

    Raises:
        VideoError: As ``decoder.decode``, wherever it decodes.
    """
    if not workers:
        yield from map(decoder.decode, batches)
        return
    decoded = DataLoader(
        _InWorker(decoder),
        batch_sampler=batches,
        num_workers=workers,
        collate_fn=_as_it_is,
        pin_memory=pin_memory,
        prefetch_factor=2,
        # Forking a process in which torch runs threads may leave a lock held for ever.
        multiprocessing_context="spawn",
        generator=torch.Generator(),  # it seeds its workers, by default from the global one
        worker_init_fn=_leave_at_once,
    )
    for batch in decoded:
        if isinstance(batch, VideoError):
            raise batch
        yield batch


def _leave_at_once(worker: int) -> None:
    """Let a worker that is done end without C++ destructors, which now and then abort it.

    Its results are on their way by then; an abort would be reported as a failure of decoding.
    """
    atexit.register(os._exit, 0)


def _as_it_is(batch: Tensor | VideoError) -> Tensor | VideoError:
    return batch
