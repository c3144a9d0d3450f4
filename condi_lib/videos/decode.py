"""From a video file to frames: exact, by number, upright, and resized on the way.

Frame ``i`` is the ``i``-th frame that decoding the whole file would show, whether one reads all
frames or a single clip, wherever the keyframes lie. What cannot be read exactly is an error that
names the file and the cause; a blank or repeated frame is never returned in its place.

All resizing is swscale's bilinear filter, which averages when it shrinks, on the way from the
file's colours to RGB. Pixels count as square. Where a frame is to *cover* a size, its edges are cut
after that, equally on both sides.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from condi_lib.videos.container import VideoError
from condi_lib.videos.cursor import FrameCursor
from condi_lib.videos.encode import write_video
from condi_lib.videos.orientation import Orientation, orientation_of

__all__ = [
    "VideoError",
    "VideoInfo",
    "VideoReader",
    "check_every_frame",
    "probe",
    "read_frames",
    "write_video",
]


Size = tuple[int, int]  # height, width
RESIZE = ("stretch", "cover")


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What a video file holds.

    Attributes:
        path: The file.
        n_frames: How many frames decode.
        width_px: Width as shown, after rotation.
        height_px: Height as shown, after rotation.
        fps: Frames per second, the mean over the video.
        duration_sec: How long all frames are shown, the last as long as the mean one.
        codec: FFmpeg's name of the compression, ``"h264"``.
    """

    path: Path
    n_frames: int
    width_px: int
    height_px: int
    fps: float
    duration_sec: float
    codec: str


def probe(path: str | Path) -> VideoInfo:
    """Say what a file holds, exactly, without decoding more than that takes.

    For h264, hevc, vp9 and av1 in mp4, mov, mkv and webm this reads the packets and decodes one
    frame; anything else is decoded once, since its packets do not tell its frames. Damage inside
    a packet shows only when it is decoded; then reading raises, it never returns fewer frames.

    Raises:
        VideoError: If the file is missing, empty, truncated or no video, or it has only audio,
            one frame or no duration.
    """
    with FrameCursor(Path(path)) as cursor:
        return _info(cursor)


def check_every_frame(path: str | Path) -> VideoInfo:
    """Decode a whole file, which finds damage that ``probe`` cannot see, and say what it holds.

    Raises:
        VideoError: As ``probe``, and if a frame is damaged.
    """
    with FrameCursor(Path(path)) as cursor:
        _times(cursor)
        return _info(cursor)


def _info(cursor: FrameCursor) -> VideoInfo:
    path = cursor.path
    n_frames, frame_sec = _length(cursor)
    if n_frames == 1:
        raise VideoError(path, "has one frame", "it is a picture; leave it out")
    if frame_sec <= 0:
        raise VideoError(path, "has zero duration", "re-encode it or leave it out")
    height, width = _upright(cursor).swap((cursor.first.height, cursor.first.width))
    return VideoInfo(
        path=path,
        n_frames=n_frames,
        width_px=width,
        height_px=height,
        fps=1 / frame_sec,
        duration_sec=n_frames * frame_sec,
        codec=cursor.stream.codec.canonical_name,
    )


def _length(cursor: FrameCursor) -> tuple[int, float]:
    """Return the number of frames, and the mean time that one is shown, in seconds.

    Without a table the file is decoded. Where the frames' times do not rise (avi counts packets)
    the rate that the file states stands in for them.
    """
    times = _times(cursor) if cursor.table is None else cursor.table.pts.tolist()
    n_frames = len(times)
    if n_frames > 1 and len(set(times)) == 1 and times[0] is not None:
        return n_frames, 0.0
    if n_frames > 1 and None not in times and all(a < b for a, b in pairwise(times)):
        return n_frames, float((times[-1] - times[0]) / (n_frames - 1) * cursor.stream.time_base)
    rate = cursor.stream.average_rate
    return n_frames, 1 / float(rate) if rate else 0.0


def _times(cursor: FrameCursor) -> list[int | None]:
    times: list[int | None] = []
    while (frame := cursor.frame(len(times))) is not None:
        times.append(frame.pts)
    return times


def _upright(cursor: FrameCursor) -> Orientation:
    orientation = orientation_of(cursor.first)
    if orientation is None:
        raise VideoError(
            cursor.path,
            f"is to be shown rotated by {cursor.first.rotation} degrees, no quarter turn",
            "re-encode it upright",
        )
    return orientation


class VideoReader:
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
        _check_sizes(short_side_px, size_px, resize)
        self.path = Path(path)
        self._cursor = FrameCursor(self.path)
        try:
            self._info = _info(self._cursor) if self._cursor.table is not None else None
            self._orientation = _upright(self._cursor)
        except VideoError:
            self.close()
            raise
        first = self._cursor.first
        shown = self._orientation.swap((first.height, first.width))
        self._scaled = _scaled_size(shown, short_side_px, size_px, resize)
        self.height_px, self.width_px = size_px or self._scaled
        self._reformatter = VideoReformatter()

    def close(self) -> None:
        """Close the file."""
        self._cursor.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

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
            frames[row] = self._pixels(frame)
        in_order = len(places) == len(wanted) and bool((places == np.arange(len(places))).all())
        return frames if in_order else frames[places]

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        """Yield every frame in order, ``[H, W, 3]``."""
        number = 0
        while (frame := self._cursor.frame(number)) is not None:
            yield self._pixels(frame)
            number += 1

    def _pixels(self, frame: VideoFrame) -> NDArray[np.uint8]:
        height, width = self._orientation.swap(self._scaled)
        rgb = self._reformatter.reformat(
            frame,
            width=width,
            height=height,
            format="rgb24",
            interpolation=Interpolation.BILINEAR,
            threads=1,
        )
        upright = self._orientation.apply(rgb.to_ndarray())
        top, left = (
            _margin(self._scaled[0], self.height_px),
            _margin(self._scaled[1], self.width_px),
        )
        return upright[top : top + self.height_px, left : left + self.width_px]


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


def _check_sizes(short_side_px: int | None, size_px: Size | None, resize: str) -> None:
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
