"""From a video file to frames: exact, by number, upright, and resized on the way.

Frame ``i`` is the ``i``-th frame that decoding the whole file would show, whether one reads all
frames or a single clip, wherever the keyframes lie. What cannot be read exactly is an error that
names the file and the cause; a blank or repeated frame is never returned in its place.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from condi_lib.videos.closing import ClosesOnExit
from condi_lib.videos.container import VideoError
from condi_lib.videos.cursor import FrameCursor
from condi_lib.videos.encode import write_video
from condi_lib.videos.info import VideoInfo, check_every_frame, info_of, probe
from condi_lib.videos.scaler import RESIZE, FrameScaler, Size, check_sizes

__all__ = [
    "RESIZE",
    "Size",
    "VideoError",
    "VideoInfo",
    "VideoReader",
    "check_every_frame",
    "probe",
    "read_frames",
    "write_video",
]


class VideoReader(ClosesOnExit):
    """Reads chosen frames of one video file; a context manager.

    Frames come as uint8 RGB ``[T, H, W, 3]``, upright, at the size of the file unless one is
    asked for. One decoder thread, so that worker processes do not fight over cores.

    Example:
        >>> with VideoReader("clap.mp4", short_side_px=112) as reader:  # doctest: +SKIP
        ...     clip = reader.read(range(32, 48))
    """

    def __init__(
        self,
        path: str | Path,
        short_side_px: int | None = None,
        size_px: Size | None = None,
        resize: str = "stretch",
    ) -> None:
        """Open a file.

        Args:
            path: The video file.
            short_side_px: Resize so that the shorter side has this length and the longer one
                keeps the proportion, rounded down as torchvision's ``Resize`` does.
            size_px: Height and width of the frames that are returned.
            resize: How they come to ``size_px``: ``"stretch"`` whatever the proportion, or
                ``"cover"``: keep the proportion, scale until the frame covers the size, and cut
                what stands out at its centre, as torchvision's ``Resize`` and ``CenterCrop`` do.

        Raises:
            ValueError: If both sizes are given, one is not positive, or ``resize`` is unknown or
                given without ``size_px``.
            VideoError: As ``probe``.
        """
        check_sizes(short_side_px, size_px, resize)
        self.path = Path(path)
        self._cursor = FrameCursor(self.path)
        try:
            self._info = info_of(self._cursor) if self._cursor.table is not None else None
            first = self._cursor.first
            self._scaler = FrameScaler(self.path, first, short_side_px, size_px, resize)
        except VideoError:
            self.close()
            raise
        self.height_px, self.width_px = self._scaler.height_px, self._scaler.width_px

    def close(self) -> None:
        """Close the file."""
        self._cursor.close()

    @property
    def info(self) -> VideoInfo:
        """What the file holds; its size is the file's, not the one asked for."""
        if self._info is None:  # only decoding tells, and most callers need not know
            self._info = probe(self.path)
        return self._info

    @property
    def counted_frames(self) -> int | None:
        """How many frames the file holds, where that is known without decoding all of it."""
        return None if self._info is None else self._info.n_frames

    def read(self, indices: Sequence[int] | NDArray[np.integer]) -> NDArray[np.uint8]:
        """Decode the frames with these numbers, in this order; repeats are decoded once.

        Args:
            indices: Frame numbers from 0, ``[T]``.

        Returns:
            Frames, uint8 ``[T, H, W, 3]``.

        Raises:
            TypeError: If the indices are not whole numbers in one row.
            IndexError: If a number is negative or beyond the last frame.
            VideoError: If a frame on the way is damaged.
        """
        asked = np.asarray(indices)
        if asked.ndim != 1 or (asked.size and not np.issubdtype(asked.dtype, np.integer)):
            raise TypeError(f"indices must be whole numbers [T], got {asked.dtype} {asked.shape}")
        wanted, places = np.unique(asked.astype(np.int64), return_inverse=True)
        if len(wanted) and wanted[0] < 0:
            raise IndexError(f"{self.path}: frame {wanted[0]} asked for; frames count from 0")
        frames = np.empty((len(wanted), self.height_px, self.width_px, 3), dtype=np.uint8)
        for row, number in enumerate(wanted.tolist()):
            frame = None
            if self._info is None or number < self._info.n_frames:
                frame = self._cursor.frame(number)
            if frame is None:
                raise IndexError(
                    f"{self.path}: frame {number} asked for; it has {self.info.n_frames} frames"
                )
            frames[row] = self._scaler.pixels(frame)
        in_order = len(places) == len(wanted) and bool((places == np.arange(len(places))).all())
        return frames if in_order else frames[places]

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        """Yield every frame in order, ``[H, W, 3]``."""
        number = 0
        while (frame := self._cursor.frame(number)) is not None:
            yield self._scaler.pixels(frame)
            number += 1


def read_frames(
    path: str | Path,
    indices: Sequence[int] | NDArray[np.integer] | None = None,
    short_side_px: int | None = None,
    size_px: Size | None = None,
    resize: str = "stretch",
) -> NDArray[np.uint8]:
    """Decode a file's frames, all of them unless some are named: see ``VideoReader``.

    Returns:
        Frames, uint8 ``[T, H, W, 3]``.
    """
    with VideoReader(path, short_side_px, size_px, resize) as reader:
        return np.stack(list(reader)) if indices is None else reader.read(indices)
