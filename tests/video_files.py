"""Video files made to order: every frame carries its own number, readable after any encoding."""

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

N_BITS = (2, 5)  # cells of a frame, rows and columns; each shows one bit of its number
N_FRAMES = 100  # of the files in KINDS
H264 = {"preset": "veryfast", "sc_threshold": "0"}
UNEVEN_TIMES = np.cumsum(np.random.default_rng(7).integers(1, 6, N_FRAMES)).tolist()

# name of the file -> how to make it; the muxer goes by the suffix
KINDS = {
    **{
        f"h264_g{gop}_b{b_frames}.{suffix}": {
            "options": {**H264, "g": str(gop), "bf": str(b_frames)}
        }
        for gop in (16, 30, 250)
        for b_frames in (0, 3)
        for suffix in ("mp4", "mkv")
    },
    "open_gop.mp4": {"options": {"x264-params": "open-gop=1:keyint=16:bframes=3:scenecut=0"}},
    "intra_refresh.mkv": {"options": {"x264-params": "intra-refresh=1:keyint=30:bframes=0"}},
    "interlaced.mp4": {"options": {"g": "16", "x264-params": "tff=1"}},
    "hevc.mp4": {
        "codec": "libx265",
        "options": {"x265-params": "log-level=none:keyint=16:bframes=4:open-gop=1"},
    },
    "hevc.mkv": {"codec": "libx265", "options": {"x265-params": "log-level=none:keyint=16"}},
    "vp9.webm": {"codec": "libvpx-vp9", "options": {"g": "30", "lag-in-frames": "16"}},
    "vp8.webm": {"codec": "libvpx", "options": {"g": "30", "auto-alt-ref": "1"}},
    "av1.mp4": {"codec": "libsvtav1", "options": {"g": "30", "preset": "12"}},
    "av1.mkv": {"codec": "libsvtav1", "options": {"g": "30", "preset": "12"}},
    "mpeg4.avi": {"codec": "mpeg4", "options": {"g": "16", "bf": "2", "qscale": "3"}},
    "h264.avi": {"options": {"g": "16", "bf": "2"}},
    "mjpeg.avi": {"codec": "mjpeg", "options": {"qscale": "3"}, "pixel_format": "yuvj420p"},
    "lossless.mkv": {"codec": "ffv1", "pixel_format": "bgr0"},
    "transport.ts": {"options": {"g": "16", "bf": "2"}},
    "flash.flv": {"options": {"g": "16", "bf": "2"}},
    "fragments.mp4": {
        "options": {"g": "16"},
        "muxer_options": {"movflags": "frag_keyframe+empty_moov"},
    },
    "index_first.mp4": {"options": {"g": "16"}, "muxer_options": {"movflags": "faststart"}},
    "late_start.mp4": {"options": {"g": "16"}, "times": range(100, 100 + N_FRAMES)},
    "late_start.mkv": {"options": {"g": "16"}, "times": range(100, 100 + N_FRAMES)},
    "uneven.mp4": {"times": UNEVEN_TIMES, "time_base": Fraction(1, 90)},
    "uneven.mkv": {"times": UNEVEN_TIMES, "time_base": Fraction(1, 90)},
    "with_sound.mp4": {"audio_sec": N_FRAMES / 30},
    "longer_sound.mkv": {"audio_sec": 5},
    "ten_bit.mp4": {"pixel_format": "yuv420p10le"},
    "grey.mp4": {"pixel_format": "gray"},
    "full_range.mp4": {"pixel_format": "yuvj420p"},
}


def numbered_frames(
    n_frames: int, height: int = 48, width: int = 80, first: int = 0
) -> NDArray[np.uint8]:
    """Frames ``[T, H, W, 3]`` that show their numbers in black and white cells.

    A texture moves over them, so that encoders have motion to predict and no two frames agree.
    """
    numbers = np.arange(first, first + n_frames)
    bits = numbers[:, None] >> np.arange(N_BITS[0] * N_BITS[1]) & 1
    cells = (45 + 165 * bits).reshape(n_frames, *N_BITS)
    rows = np.arange(height) * N_BITS[0] // height
    columns = np.arange(width) * N_BITS[1] // width
    y, x = np.mgrid[:height, :width]
    texture = 25 * np.sin((x + 3 * numbers[:, None, None]) / 7) * np.cos(y / 5)
    grey = cells[:, rows][:, :, columns] + texture
    tint = np.array([1.0, 0.95, 0.9])
    return np.clip(grey[..., None] * tint, 0, 255).astype(np.uint8)


def read_numbers(frames: NDArray[np.uint8]) -> list[int]:
    """Read the numbers back from frames ``[T, H, W, 3]`` of any size."""
    grey = frames.astype(np.float32).mean(axis=-1)
    numbers = np.zeros(len(frames), dtype=np.int64)
    for row, band in enumerate(np.array_split(grey, N_BITS[0], axis=1)):
        for column, cell in enumerate(np.array_split(band, N_BITS[1], axis=2)):
            bit = cell.mean(axis=(1, 2)) > 120
            numbers += bit.astype(np.int64) << (row * N_BITS[1] + column)
    return numbers.tolist()


@contextlib.contextmanager
def _ordinary_priority() -> Iterator[None]:
    """Take back the real-time priority that SVT-AV1 gives a process of root, and its children.

    Tests that run beside such a process would starve.
    """
    try:
        yield
    finally:
        for thread in Path("/proc/self/task").glob("*"):
            with contextlib.suppress(OSError):  # the encoder's threads may end meanwhile
                os.sched_setscheduler(int(thread.name), os.SCHED_OTHER, os.sched_param(0))


@_ordinary_priority()
def mux_video(
    path: Path,
    frames: NDArray[np.uint8],
    codec: str = "libx264",
    options: Mapping[str, str] | None = None,
    *,
    pixel_format: str = "yuv420p",
    times: Sequence[int] | None = None,
    time_base: Fraction = Fraction(1, 30),
    muxer_options: Mapping[str, str] | None = None,
    rotation: float = 0,
    hflip: bool = False,
    audio_sec: float = 0,
) -> Path:
    """Encode frames with chosen times, rotation, sound and layout of the file.

    ``times`` are in units of ``time_base``, one a frame; None counts from 0.
    """
    times = range(len(frames)) if times is None else times
    with av.open(path, "w", options=dict(muxer_options or {})) as container:
        stream = container.add_stream(codec, rate=1 / time_base, options=dict(options or {}))
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = pixel_format
        stream.codec_context.time_base = time_base
        stream.codec_context.thread_count = 1
        if rotation or hflip:
            stream.set_display_rotation(rotation, hflip=hflip)
        sound = container.add_stream("aac", rate=16000) if audio_sec else None
        for pixels, time in zip(frames, times, strict=True):
            frame = VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            frame.pts, frame.time_base = time, time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if sound is not None:
            _mux_silence(container, sound, audio_sec)
    return path


def mux_sound(path: Path, audio_sec: float = 1) -> Path:
    """Write a file with sound and no pictures."""
    with av.open(path, "w") as container:
        _mux_silence(container, container.add_stream("aac", rate=16000), audio_sec)
    return path


def _mux_silence(container: av.container.OutputContainer, stream, audio_sec: float) -> None:
    silence = np.zeros((1, int(16000 * audio_sec)), dtype=np.float32)
    frame = av.AudioFrame.from_ndarray(silence, format="fltp", layout="mono")
    frame.sample_rate, frame.pts = 16000, 0
    container.mux(stream.encode(frame))
    container.mux(stream.encode())


def packets_of(path: Path) -> list[tuple[int, bytes, bool]]:
    """Each packet of pictures: the byte where it lies, its content, whether it is a keyframe."""
    content = path.read_bytes()
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        return [
            (content.index(bytes(packet), packet.pos), bytes(packet), packet.is_keyframe)
            for packet in packets
        ]


def spoil(source: Path, path: Path, *packets: int) -> Path:
    """Copy a file, with the second half of these packets, as they are stored, made all ones."""
    content, places = bytearray(source.read_bytes()), packets_of(source)
    for packet in packets:
        start, data, _ = places[packet]
        half = len(data) // 2
        content[start + half : start + len(data)] = b"\xff" * (len(data) - half)
    path.write_bytes(content)
    return path


def is_noticed(path: Path, n_frames: int) -> bool:
    """Say whether the decoder by itself notices that a file is damaged; some bits mean little."""
    n_intact = 0
    with av.open(str(path)) as container:
        try:
            for frame in container.decode(video=0):
                n_intact += not frame.is_corrupt
        except av.error.FFmpegError:
            return True
    return n_intact < n_frames
