"""Turn frames upright: a camera stores them as the sensor lay, and a matrix to show them by.

The matrix takes a stored point (right, down) to where it is shown
(ISO/IEC 14496-12, 6.2.2; FFmpeg's ``AV_FRAME_DATA_DISPLAYMATRIX``).
"""

from dataclasses import dataclass

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray


@dataclass(frozen=True)
class Orientation:
    """One of the eight ways to lay down a picture: transposed first, then mirrored."""

    transpose: bool = False
    flip_rows: bool = False
    flip_columns: bool = False

    def apply(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return a view of an image ``[H, W, 3]`` as it is meant to be seen."""
        if self.transpose:
            pixels = pixels.swapaxes(0, 1)
        if self.flip_rows:
            pixels = pixels[::-1]
        return pixels[:, ::-1] if self.flip_columns else pixels

    def swap(self, pair: tuple[int, int]) -> tuple[int, int]:
        """Turn (height, width) as stored into as shown, and back."""
        return (pair[1], pair[0]) if self.transpose else pair


def orientation_of(frame: VideoFrame) -> Orientation | None:
    """Read how a frame is to be shown; None for an angle that is no quarter turn."""
    right_x, right_y, down_x, down_y = _matrix(frame)
    along, across = abs(right_x) + abs(down_y), abs(right_y) + abs(down_x)
    if min(along, across) > 0.02 * max(along, across):  # about one degree
        return None
    if across > along:
        return Orientation(True, flip_rows=right_y < 0, flip_columns=down_x < 0)
    return Orientation(False, flip_rows=down_y < 0, flip_columns=right_x < 0)


def _matrix(frame: VideoFrame) -> tuple[float, float, float, float]:
    """Return where one step right and one step down in the stored picture lead when shown."""
    try:
        stored = _small_copy(frame).side_data["DISPLAYMATRIX"]
    except KeyError:
        return 1.0, 0.0, 0.0, 1.0
    except ValueError:  # PyAV stumbles over side data that it has no name for, as phones write
        angle = np.deg2rad(-frame.rotation)  # counter-clockwise, and down is positive here
        return np.cos(angle), np.sin(angle), -np.sin(angle), np.cos(angle)
    a, b, _, c, d = np.frombuffer(bytes(stored), dtype=np.int32)[:5].astype(float).tolist()
    return a, b, c, d


def _small_copy(frame: VideoFrame) -> VideoFrame:
    """Return a frame of four pixels with the same side data.

    PyAV's frame and its side data hold each other, so that a frame that was asked for them stays in
    memory, up to 100 MB of it, until the garbage collector comes by.
    """
    size = {"width": 2, "height": 2, "format": "gray"}
    try:
        return VideoReformatter().reformat(frame, **size, interpolation=Interpolation.POINT)
    except av.error.FFmpegError:  # a format that swscale does not know; reading will say so
        return frame
