"""Say what a video file holds: how many frames, how large, how fast."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from condi_lib.videos.container import VideoError
from condi_lib.videos.cursor import FrameCursor
from condi_lib.videos.scaler import orientation_in

__all__ = ["VideoInfo", "check_every_frame", "info_of", "probe"]


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
        return info_of(cursor)


def check_every_frame(path: str | Path) -> VideoInfo:
    """Decode a whole file, which finds damage that ``probe`` cannot see, and say what it holds.

    Raises:
        VideoError: As ``probe``, and if a frame is damaged.
    """
    with FrameCursor(Path(path)) as cursor:
        _times(cursor)
        return info_of(cursor)


def info_of(cursor: FrameCursor) -> VideoInfo:
    """Say what an opened file holds; without a table of its frames this decodes it.

    Raises:
        VideoError: As ``probe``.
    """
    path = cursor.path
    n_frames, frame_sec = _length(cursor)
    if n_frames == 1:
        raise VideoError(path, "has one frame", "it is a picture; leave it out")
    if frame_sec <= 0:
        raise VideoError(path, "has zero duration", "re-encode it or leave it out")
    height, width = orientation_in(path, cursor.first).swap(
        (cursor.first.height, cursor.first.width)
    )
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
