"""From a decoded frame to pixels: upright, in RGB, at the size that was asked for.

All resizing is swscale's bilinear filter, which averages when it shrinks, on the way from the
file's colours to RGB. Pixels count as square. Where a frame is to *cover* a size, its edges are cut
after that, equally on both sides.
"""

from pathlib import Path

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from condi_lib.videos.container import MOST_PIXELS, VideoError, reason_of
from condi_lib.videos.orientation import Orientation, orientation_of

Size = tuple[int, int]  # height, width
RESIZE = ("stretch", "cover")


class FrameScaler:
    """Turns the frames of one video into pixels.

    Attributes:
        height_px: Height of the pixels.
        width_px: Width of the pixels.
    """

    def __init__(
        self,
        path: Path,
        first: VideoFrame,
        short_side_px: int | None = None,
        size_px: Size | None = None,
        resize: str = "stretch",
    ) -> None:
        """Take size and orientation from a frame.

        Args:
            path: The video, for errors.
            first: One of its frames.
            short_side_px: As in ``VideoReader``.
            size_px: As in ``VideoReader``.
            resize: As in ``VideoReader``.

        Raises:
            ValueError: If sizes are impossible: see ``check_sizes``.
            VideoError: If the frame is to be shown at an angle that is no quarter turn, or is too
                elongated to be brought to the size.
        """
        check_sizes(short_side_px, size_px, resize)
        self._path = path
        self._orientation = orientation_in(path, first)
        shown = self._orientation.swap((first.height, first.width))
        self._scaled = _scaled_size(shown, short_side_px, size_px, resize)
        if size_px != self._scaled and self._scaled[0] * self._scaled[1] > MOST_PIXELS:
            cause = f"is {shown[1]} x {shown[0]} px, too elongated to keep its proportion"
            raise VideoError(path, cause, "stretch it or leave it out")
        self.height_px, self.width_px = size_px or self._scaled
        self._reformatter = VideoReformatter()

    def pixels(self, frame: VideoFrame) -> NDArray[np.uint8]:
        """Return a frame as uint8 RGB ``[H, W, 3]``.

        Raises:
            VideoError: If swscale cannot convert it.
        """
        height, width = self._orientation.swap(self._scaled)
        try:
            rgb = self._reformatter.reformat(
                frame,
                width=width,
                height=height,
                format="rgb24",
                interpolation=Interpolation.BILINEAR,
                threads=1,
            )
        except av.error.FFmpegError as error:
            cause = f"has frames that cannot be turned into RGB ({reason_of(error)})"
            raise VideoError(self._path, cause, "re-encode it or leave it out") from error
        upright = self._orientation.apply(rgb.to_ndarray())
        top, left = (
            _margin(self._scaled[0], self.height_px),
            _margin(self._scaled[1], self.width_px),
        )
        return upright[top : top + self.height_px, left : left + self.width_px]


def orientation_in(path: Path, frame: VideoFrame) -> Orientation:
    """Read how the frames of a video are to be shown.

    Raises:
        VideoError: If that is at an angle that is no quarter turn.
    """
    orientation = orientation_of(frame)
    if orientation is None:
        raise VideoError(
            path,
            f"is to be shown rotated by {frame.rotation} degrees, no quarter turn",
            "re-encode it upright",
        )
    return orientation


def check_sizes(short_side_px: int | None, size_px: Size | None, resize: str) -> None:
    """Refuse sizes to which no frame can be brought.

    Raises:
        ValueError: If both sizes are given, one is not positive, or ``resize`` is unknown or given
            without ``size_px``.
    """
    if short_side_px is not None and size_px is not None:
        raise ValueError("give short_side_px or size_px, not both")
    sizes = [short_side_px] if short_side_px is not None else list(size_px or [])
    if any(size < 1 for size in sizes):
        raise ValueError(f"sizes must be at least 1 px, got {sizes}")
    if resize not in RESIZE or (resize == "cover" and size_px is None):
        raise ValueError(f"resize must be one of {RESIZE} and goes with size_px, got {resize!r}")


def _scaled_size(shown: Size, short_side_px: int | None, size_px: Size | None, resize: str) -> Size:
    """Return height and width to resize to, before any edge is cut, given those shown."""
    height, width = shown
    if size_px is not None and resize == "stretch":
        return size_px
    if size_px is not None:
        return _covering_size(shown, size_px)
    if short_side_px is None:
        return shown
    if height <= width:
        return short_side_px, short_side_px * width // height
    return short_side_px * height // width, short_side_px


def _covering_size(shown: Size, size_px: Size) -> Size:
    """The smallest size of the same proportion that covers ``size_px``, rounded down."""
    (height, width), (target_height, target_width) = shown, size_px
    if target_height * width >= target_width * height:  # the height decides
        return target_height, target_height * width // height
    return target_width * height // width, target_width


def _margin(scaled: int, kept: int) -> int:
    """What is cut at the near side, rounded as torchvision's ``CenterCrop`` does."""
    return round((scaled - kept) / 2)
