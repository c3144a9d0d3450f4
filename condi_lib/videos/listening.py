"""Clips as they are heard: a decoder that gives patches of sound in the place of frames."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from condi_lib.videos.batches import DecodeJob
from condi_lib.videos.clips import ClipGrid
from condi_lib.videos.container import VideoError
from condi_lib.videos.log_mel import LogMel
from condi_lib.videos.sound import frame_times, read_sound


@dataclass(frozen=True)
class SoundDecoder:
    """Decodes jobs: the patch of each clip, as a clip of one grey frame.

    Of a file without sound all patches are black, as those of silence.

    Attributes:
        grid: How a video is cut into clips.
        look: How their sound becomes patches.
    """

    grid: ClipGrid
    look: LogMel

    def decode(self, jobs: Sequence[DecodeJob]) -> Tensor:
        """One batch, uint8 ``[B, 1, mels, steps, 3]``, the three channels alike.

        Raises:
            VideoError: If a file is damaged, or no longer has its number of frames.
        """
        n_clips = sum(len(job.places) for job in jobs)
        patches = torch.empty((n_clips, *self.look.shape), dtype=torch.uint8)
        for job in jobs:
            patches[job.places] = self._patches(job)
        return patches[:, None, :, :, None].expand(-1, -1, -1, -1, 3).contiguous()

    def _patches(self, job: DecodeJob) -> Tensor:
        frame_sec = frame_times(job.path)
        if len(frame_sec) != job.n_frames:
            raise VideoError(
                job.path,
                f"has {len(frame_sec)} frames but had {job.n_frames} when it was scanned",
                "scan the catalog again",
            )
        samples = read_sound(job.path, self.look.rate_hz, start_sec=float(frame_sec[0]))
        times = [self.look.patch_times(self.grid, frame_sec, i) for i in job.clip_indices]
        return torch.from_numpy(self.look.patches(samples, np.stack(times) - frame_sec[0]))
