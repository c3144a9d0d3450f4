"""Gather frames that come one by one into clips."""

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from condi_lib.videos.clips import ClipGrid

Pixels = NDArray[np.uint8]  # of a clip [T, H, W, 3] or a frame [H, W, 3]
NumberedClip = tuple[int, Pixels | None]  # clip index, and pixels unless a frame is damaged


class ClipCutter:
    """Gathers frames that come one by one, front to back, into clips; holds one clip at a time."""

    def __init__(
        self,
        grid: ClipGrid,
        n_frames: int | None = None,
        wanted: Collection[int] | None = None,
    ) -> None:
        """Begin before frame 0.

        Args:
            grid: How to cut.
            n_frames: How many frames will come; None if nobody knows.
            wanted: Clips of which pixels are gathered; None for all.
        """
        self._grid, self._n_frames, self._wanted = grid, n_frames, wanted
        self._index = -1
        self._begin_clip()

    def _begin_clip(self) -> None:
        self._index += 1
        self._start = self._index * self._grid.clip_frames
        self._n_seen = 0
        self._pixels: dict[int, Pixels | None] = {}  # frame -> its pixels, None if damaged
        self._reads = self._numbers_read()

    def _numbers_read(self) -> set[int]:
        """The frames that the clip reads; each might be, as long as a short clip may loop."""
        if self._wanted is not None and self._index not in self._wanted:
            return set()
        if self._n_frames is None:
            return set(range(self._start, self._start + self._grid.clip_frames))
        if self._start >= self._n_frames:
            return set()
        return set(self._grid.frame_indices(self._n_frames, self._index).tolist())

    @property
    def reads_next(self) -> bool:
        """Whether the pixels of the next frame may be needed."""
        return self._start + self._n_seen in self._reads

    def add(self, pixels: Pixels | None, damaged: bool = False) -> NumberedClip | None:
        """Take the next frame.

        Args:
            pixels: The frame, uint8 ``[H, W, 3]``; None where it is damaged or not ``reads_next``.
            damaged: Whether the frame is damaged.

        Returns:
            The clip that this frame completes: index and pixels, None if one it reads is damaged.
        """
        if self.reads_next:
            self._pixels[self._start + self._n_seen] = None if damaged else pixels
        self._n_seen += 1
        return self.finish() if self._n_seen == self._grid.clip_frames else None

    def finish(self) -> NumberedClip | None:
        """Complete the last, short clip; None if no frame is left over."""
        if not self._n_seen:
            return None
        index, frames = self._index, self._pixels
        numbers = self._grid.frame_indices(self._start + self._n_seen, index).tolist()
        self._begin_clip()
        found = [frames.get(number) for number in numbers]
        return index, None if any(frame is None for frame in found) else np.stack(found)
