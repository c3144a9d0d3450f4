"""Frames to a video file: how the embedded benchmark and the tests make real videos."""

import os
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

# Small files that look clean, at a speed that does not hold up the study.
DEFAULT_OPTIONS: Mapping[str, Mapping[str, str]] = {
    "libx264": {"preset": "superfast", "crf": "18"},
}


SOUND_BITS_PER_SEC = 40_000
SOUND_OPTIONS: Mapping[str, Mapping[str, str]] = {
    "aac": {"aac_coder": "fast"}
}  # much quicker than the default


@dataclass(frozen=True, eq=False)
class SoundTrack:
    """What is heard with the frames, from the first one on.

    Attributes:
        samples: float32 ``[n]`` in [-1, 1], one channel.
        rate_hz: Samples per second.
        codec: An FFmpeg encoder: ``"aac"``, or ``"flac"`` and ``"alac"``, which lose nothing.

    Raises:
        ValueError: If the samples are not finite numbers in one row.
    """

    samples: NDArray[np.float32]
    rate_hz: int = 16000
    codec: str = "aac"

    def __post_init__(self) -> None:
        if self.samples.ndim != 1 or not np.isfinite(self.samples).all():
            raise ValueError(f"need finite samples [n], got shape {list(self.samples.shape)}")


def write_video(
    path: str | Path,
    frames: Iterable[NDArray[np.uint8]],
    fps: float | Fraction = 30,
    codec: str = "libx264",
    options: Mapping[str, str] | None = None,
    pixel_format: str = "yuv420p",
    sound: SoundTrack | None = None,
) -> Path:
    """Encode frames as a video file, whose kind the suffix decides (``.mp4``, ``.mkv``, ...).

    The file appears under its name only once it is complete, so that nobody reads half a video.
    One encoder thread: the same frames give the same bytes on a machine with more cores.

    Args:
        path: The file to write; its folder must exist. A file already there is replaced.
        frames: RGB images ``[T, H, W, 3]``, uint8, or any iterable of ``[H, W, 3]``.
        fps: Frames per second.
        codec: An FFmpeg encoder, ``"libx264"``, ``"libx265"``, ``"libvpx-vp9"``, ...
        options: The encoder's own options, ``{"crf": "18", "g": "30"}``; they replace
            ``DEFAULT_OPTIONS[codec]``.
        pixel_format: How colours are stored. ``"yuv420p"``, which every player shows, needs even
            heights and widths; ``"yuv444p"`` takes odd ones.
        sound: What is heard; None: nothing.

    Returns:
        ``path``.

    Raises:
        ValueError: If there are no frames, they differ in shape or dtype, or the encoder refuses.
    """
    path = Path(path)
    unfinished = path.with_name(
        f".{path.stem}.{os.getpid()}-{threading.get_ident()}.part{path.suffix}"
    )
    try:
        _encode(
            unfinished,
            frames,
            Fraction(fps).limit_denominator(1001),
            codec,
            DEFAULT_OPTIONS.get(codec, {}) if options is None else options,
            pixel_format,
            sound,
        )
        unfinished.replace(path)
    except (ValueError, av.error.FFmpegError) as error:
        raise ValueError(f"{path}: cannot be written with {codec}: {error}") from error
    finally:
        unfinished.unlink(missing_ok=True)
    return path


def _encode(
    path: Path,
    frames: Iterable[NDArray[np.uint8]],
    fps: Fraction,
    codec: str,
    options: Mapping[str, str],
    pixel_format: str,
    sound: SoundTrack | None,
) -> None:
    to_stored_colours = VideoReformatter()
    stream, shape, track = None, None, None
    with av.open(path, "w") as container:
        for index, pixels in enumerate(frames):
            shape = shape or _checked_shape(pixels, pixel_format)
            if pixels.shape != shape or pixels.dtype != np.uint8:
                raise ValueError(
                    f"frame {index} is {pixels.dtype} {list(pixels.shape)}, "
                    f"frame 0 uint8 {list(shape)}; all frames of a video must agree"
                )
            if stream is None:
                stream = container.add_stream(codec, rate=fps, options=dict(options))
                _describe(stream, shape, pixel_format)
                track = None if sound is None else _Track(container, sound)
            frame = to_stored_colours.reformat(
                VideoFrame.from_numpy_buffer(np.ascontiguousarray(pixels), format="rgb24"),
                format=pixel_format,
                dst_colorspace=Colorspace.ITU601,
                dst_color_range=_colour_range(pixel_format),
                threads=1,
            )
            container.mux(stream.encode(frame))
            if track is not None:
                track.add_until((index + 1) / fps)
        if stream is None:
            raise ValueError("there are no frames; a video needs at least one")
        container.mux(stream.encode())
        if track is not None:
            track.finish()


class _Track:
    """The sound of a file that is being written, a bit behind each frame."""

    def __init__(self, container: OutputContainer, sound: SoundTrack) -> None:
        self._container, self._sound = container, sound
        options = dict(SOUND_OPTIONS.get(sound.codec, {}))
        stream = container.add_stream(
            sound.codec, rate=sound.rate_hz, layout="mono", options=options
        )
        stream.codec_context.thread_count = 1
        stream.bit_rate = SOUND_BITS_PER_SEC
        self._stream: AudioStream = stream
        self._n_added = 0

    def add_until(self, seconds: Fraction) -> None:
        """Encode what is heard up to a time."""
        self._add(round(seconds * self._sound.rate_hz))

    def finish(self) -> None:
        """Encode the rest."""
        self._add(len(self._sound.samples))
        self._container.mux(self._stream.encode())

    def _add(self, end: int) -> None:
        samples = self._sound.samples[self._n_added : end]
        if len(samples):
            frame = AudioFrame.from_ndarray(
                np.ascontiguousarray(samples, np.float32)[None], format="flt", layout="mono"
            )
            frame.rate, frame.pts = self._sound.rate_hz, self._n_added
            frame.time_base = Fraction(1, self._sound.rate_hz)
            self._container.mux(self._stream.encode(frame))
            self._n_added += len(samples)


def _checked_shape(pixels: NDArray[np.uint8], pixel_format: str) -> tuple[int, ...]:
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        raise ValueError(
            f"frame 0 is {pixels.dtype} {list(pixels.shape)}; need RGB, uint8 [H, W, 3]"
        )
    height, width = pixels.shape[:2]
    if "420" in pixel_format and (height % 2 or width % 2):
        raise ValueError(
            f"frames are {height} x {width} px and {pixel_format} stores colours for 2 x 2 px; "
            'crop to even sizes or pass pixel_format="yuv444p"'
        )
    return pixels.shape


def _describe(stream: VideoStream, shape: tuple[int, ...], pixel_format: str) -> None:
    """Say in the file what the numbers mean, or players guess the colours from the size."""
    stream.height, stream.width = shape[:2]
    stream.pix_fmt = pixel_format
    stream.codec_context.thread_count = 1
    stream.codec_context.colorspace = Colorspace.ITU601 + 1  # FFmpeg's number for SMPTE 170M
    stream.codec_context.color_range = _colour_range(pixel_format)


def _colour_range(pixel_format: str) -> ColorRange:
    return ColorRange.JPEG if pixel_format.startswith("yuvj") else ColorRange.MPEG
