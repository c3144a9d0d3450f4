"""The sound of a video file: one channel, at one rate, in time with its pictures."""

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer
from numpy.typing import NDArray

from condi_lib.videos.container import VideoError, open_video, reason_of
from condi_lib.videos.cursor import FrameCursor
from condi_lib.videos.info import info_of

JITTER_SEC = 0.005  # containers round times, mkv to milliseconds; a longer gap is a real one
Samples = NDArray[np.float32]


def has_sound(path: str | Path) -> bool:
    """Whether a video file has a sound track that FFmpeg can decode.

    Raises:
        VideoError: If it is no usable video file.
    """
    container, _ = open_video(Path(path))
    with container:
        return _track(container) is not None


def read_sound(path: str | Path, rate_hz: int = 16000, start_sec: float = 0.0) -> Samples | None:
    """Decode a file's sound: the mean of all channels, resampled.

    Gaps in the track are silent. What comes before ``start_sec`` is left out; a track that begins
    after it begins with silence. A second takes 4 bytes times the rate of memory.

    Args:
        path: A video file.
        rate_hz: Samples per second that are returned.
        start_sec: Time of the first sample on the file's own clock; see :func:`frame_times`.

    Returns:
        float32 ``[n]``, 1 is full scale; None if the file has no sound.

    Raises:
        VideoError: If it is no usable video file, or its sound is damaged.
    """
    path = Path(path)
    container, _ = open_video(path)
    with container:
        track = _track(container)
        if track is None:
            return None
        try:
            pieces = list(_pieces(container, track, rate_hz))
        except av.error.FFmpegError as error:
            cause = f"has a damaged sound track ({reason_of(error)})"
            raise VideoError(path, cause, "replace it, or remove its sound") from error
    return _joined(pieces, round(start_sec * rate_hz), round(JITTER_SEC * rate_hz))


def _track(container: InputContainer) -> AudioStream | None:
    known = (stream for stream in container.streams.audio if stream.codec_context is not None)
    return next(known, None)


def _pieces(
    container: InputContainer, track: AudioStream, rate_hz: int
) -> Iterator[tuple[int, Samples]]:
    """Place and samples of each decoded piece."""
    resampler = AudioResampler(format="fltp", rate=rate_hz)
    track.codec_context.thread_count = 1
    for frame in container.decode(track):
        yield from map(_piece, resampler.resample(frame))
    yield from map(_piece, resampler.resample(None))


def _piece(frame: AudioFrame) -> tuple[int, Samples]:
    place = 0 if frame.pts is None else round(frame.pts * frame.time_base * frame.sample_rate)
    # FFmpeg's own mix is a weighted sum, louder than the loudest channel.
    return place, frame.to_ndarray().mean(axis=0)


def _joined(pieces: list[tuple[int, Samples]], start: int, jitter: int) -> Samples:
    """Lay the pieces side by side, as long as their places say so to within the jitter."""
    end, placed = 0, []
    for place, samples in pieces:
        if not placed or abs(place - end) > jitter:
            end = place
        placed.append((end - start, samples))
        end += len(samples)
    track = np.zeros(max([0, *(place + len(samples) for place, samples in placed)]), np.float32)
    for place, samples in placed:
        audible = samples[max(0, -place) :]
        track[max(0, place) : max(0, place) + len(audible)] = audible
    return track


def frame_times(path: str | Path) -> NDArray[np.float64]:
    """When each frame of a video is shown, in seconds on the file's own clock, ``[T]``.

    Exact where the file's packets tell its frames; elsewhere they are evenly spread.

    Raises:
        VideoError: If it is no usable video file.
    """
    with FrameCursor(Path(path)) as cursor:
        unit = cursor.stream.time_base
        if cursor.table is not None:
            return cursor.table.pts * float(unit)
        first = cursor.first.pts
        info = info_of(cursor)
    start = 0.0 if first is None else float(first * unit)
    return start + np.arange(info.n_frames) / info.fps
