"""The clip grid: how a video of T frames is cut into clips.

Clips of F frames stand side by side from the first frame on, without overlap, so that there are
``ceil(T / F)``. A last clip with fewer than F frames left loops over those it has, as in the
repository of the paper, rather than being dropped or padded with blank frames.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ClipGrid:
    """Cuts videos into clips.

    A video of 40 frames, clips of 16 frames of which every other is read:

        >>> grid = ClipGrid(clip_frames=16, stride=2)
        >>> grid.start_frames(40).tolist()
        [0, 16, 32]
        >>> grid.frame_indices(40, clip_index=2).tolist()  # frames 32 to 39, looped
        [32, 34, 36, 38, 32, 34, 36, 38]

    Attributes:
        clip_frames: Frames of the video that a clip spans, F.
        stride: Every how many of them one is read, ``1 <= stride <= clip_frames``.
    """

    clip_frames: int = 16
    stride: int = 1

    def __post_init__(self) -> None:
        if self.clip_frames < 1:
            raise ValueError(f"clip_frames must be at least 1, got {self.clip_frames}")
        if not 1 <= self.stride <= self.clip_frames:
            raise ValueError(
                f"stride must be in [1, clip_frames = {self.clip_frames}], got {self.stride}"
            )

    @property
    def sampled_frames(self) -> int:
        """Frames that are read of each clip, ``ceil(F / stride)``: the T of a model's input."""
        return -(-self.clip_frames // self.stride)

    def n_clips(self, n_frames: int) -> int:
        """Return the number of clips in a video of ``n_frames`` frames, ``ceil(T / F)``.

        Raises:
            ValueError: If ``n_frames`` is below 1.
        """
        if n_frames < 1:
            raise ValueError(f"a video needs at least one frame to be cut, got {n_frames}")
        return -(-n_frames // self.clip_frames)

    def start_frames(self, n_frames: int) -> NDArray[np.int64]:
        """Return the first frame of each clip, ``[N]``.

        Raises:
            ValueError: If ``n_frames`` is below 1.
        """
        return np.arange(self.n_clips(n_frames), dtype=np.int64) * self.clip_frames

    def frame_indices(self, n_frames: int, clip_index: int) -> NDArray[np.int64]:
        """Return the frames of the video that a clip reads, ``[sampled_frames]``.

        A last clip with R < F frames left reads the video as if those R frames were repeated.

        Args:
            n_frames: Frames in the video, T.
            clip_index: Which clip, from 0.

        Raises:
            ValueError: If ``n_frames`` is below 1 or there is no such clip.
        """
        n_clips = self.n_clips(n_frames)
        if not 0 <= clip_index < n_clips:
            raise ValueError(
                f"clip_index must be in [0, {n_clips - 1}] for {n_frames} frames in clips of "
                f"{self.clip_frames}, got {clip_index}"
            )
        start = clip_index * self.clip_frames
        left = min(self.clip_frames, n_frames - start)
        return start + np.arange(0, self.clip_frames, self.stride, dtype=np.int64) % left
