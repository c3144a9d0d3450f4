"""Frames to a video file: how the embedded benchmark and the tests make real videos."""

import os
import threading
from collections.abc import Iterable, Mapping
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

# Small files that look clean, at a speed that does not hold up the study.
DEFAULT_OPTIONS: Mapping[str, Mapping[str, str]] = {
    "libx264": {"preset": "superfast", "crf": "18"},
}


def write_video(
    path: str | Path,
    frames: Iterable[NDArray[np.uint8]],
    fps: float | Fraction = 30,
    codec: str = "libx264",
    options: Mapping[str, str] | None = None,
    pixel_format: str = "yuv420p",
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
) -> None:
    to_stored_colours = VideoReformatter()
    stream, shape = None, None
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
            frame = to_stored_colours.reformat(
                VideoFrame.from_numpy_buffer(np.ascontiguousarray(pixels), format="rgb24"),
                format=pixel_format,
                dst_colorspace=Colorspace.ITU601,
                dst_color_range=_colour_range(pixel_format),
                threads=1,
            )
            container.mux(stream.encode(frame))
        if stream is None:
            raise ValueError("there are no frames; a video needs at least one")
        container.mux(stream.encode())


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
