"""Open a video file, or say exactly why it is no usable video.

FFmpeg is lenient: it opens a song with a cover picture as a video of one frame, follows a playlist
to other files, and reads a file that was cut short as a shorter video. Here each of these is an
error that names file and cause. So is what would block or exhaust the machine: a pipe, a device, a
picture without bounds, thousands of streams.
"""

import os
import stat
from pathlib import Path
from typing import BinaryIO

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

ISO_PARTS = {b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"free", b"skip", b"wide", b"pnot"}
EBML_HEAD, EBML_SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
MISSING, UNREADABLE = "does not exist", "cannot be read"
# Files that hold a video themselves. FFmpeg's other formats are games, sounds, pictures (whose name
# it takes for a pattern), text (which it renders), lists, which would send it anywhere, and streams
# without a container, in which it gathers bytes without bounds until it finds a frame's end.
FORMATS = (
    "mov,mp4,matroska,webm,avi,mpegts,mpeg,flv,live_flv,asf,ogg,gif,apng,ivf,mxf,gxf,nut,rm,wtv,dv"
)
MOST_PIXELS = 8192 * 4320  # of a frame, 8K film; decoders hold up to a dozen frames
MOST_STREAMS = 200  # FFmpeg opens a decoder for each
LIMITS = {
    # Only from the disk, since a playlist that calls itself .mp4 could send it anywhere.
    "protocol_whitelist": "file",
    "format_whitelist": FORMATS,
    "max_streams": str(MOST_STREAMS),
    "max_pixels": str(MOST_PIXELS),
}
PATIENCE_SEC = 60.0  # for opening, and for each packet: a file of 10^12 zeros would take hours


class VideoError(ValueError):
    """A file that cannot be used as a video.

    Attributes:
        path: The file.
        cause: What is wrong with it, ``"has one frame"``.
        advice: What to do about it.
    """

    def __init__(self, path: str | Path, cause: str, advice: str) -> None:
        super().__init__(path, cause, advice)  # as ``args``, so that it survives pickling
        self.path = Path(path)
        self.cause = cause
        self.advice = advice

    def __str__(self) -> str:
        return f"{self.path}: {self.cause}; {self.advice}"


def open_video(
    path: Path, patience_sec: float = PATIENCE_SEC
) -> tuple[InputContainer, VideoStream]:
    """Open a file and choose its first moving-picture stream, decoded by one thread.

    Args:
        path: The file.
        patience_sec: How long FFmpeg may take to open it, and for each packet.

    Raises:
        VideoError: If the file is missing, no regular file, empty, cut short, no video, only audio,
            or its frames are too large.
    """
    _check_file(path)
    try:
        container = av.open(
            str(path.absolute()),  # absolute, since FFmpeg takes "concat:a" for an instruction
            options=LIMITS,
            metadata_errors="replace",
            timeout=patience_sec,
        )
    except (av.error.FFmpegError, OSError) as error:
        cause = f"is not a video that FFmpeg can read ({reason_of(error)})"
        if isinstance(error, av.error.ArgumentError):  # what it says of a format not in the list
            cause = "is not a video, but perhaps a picture, sound, text, playlist or bare stream"
        raise VideoError(path, cause, "replace or remove it") from error
    try:
        return container, _choose_stream(path, container)
    except VideoError:
        container.close()
        raise


def reason_of(error: Exception) -> str:
    """Say in words what FFmpeg, or whoever watches over it, answered."""
    if isinstance(error, av.error.ArgumentError):
        return f"invalid, or frames of more than {MOST_PIXELS} px"
    if isinstance(error, av.error.ExitError):
        return "FFmpeg found nothing in it in good time"
    if isinstance(error, av.error.MemoryError):
        return f"it asks for too much memory or has more than {MOST_STREAMS} streams"
    return getattr(error, "strerror", None) or str(error)


def _choose_stream(path: Path, container: InputContainer) -> VideoStream:
    pictures = [s for s in container.streams.video if s.codec_context is not None]
    moving = [s for s in pictures if not s.disposition & Disposition.attached_pic]
    if not moving:
        what = "has only audio" if container.streams.audio else "has no video stream"
        if container.streams.video and not pictures:
            what = "has a video stream whose codec FFmpeg does not know"
        raise VideoError(path, what, "replace or remove it")
    decoder = moving[0].codec_context
    if decoder.width * decoder.height > MOST_PIXELS:
        cause = f"has frames of {decoder.width} x {decoder.height} px, more than {MOST_PIXELS} px"
        raise VideoError(path, cause, "re-encode it smaller or leave it out")
    decoder.options = {"max_pixels": LIMITS["max_pixels"]}  # a stream may change its size
    decoder.thread_count = 1  # workers are processes; threads gain little here
    return moving[0]


def _check_file(path: Path) -> None:
    try:
        kind = path.stat().st_mode
        if stat.S_ISDIR(kind):
            raise VideoError(path, "is a folder", "name a video file")
        if not stat.S_ISREG(kind):  # reading a pipe waits for ever, /dev/zero never ends
            cause = f"{UNREADABLE} (it is a pipe, socket or device)"
            raise VideoError(path, cause, "copy the video into a file")
        with path.open("rb") as file:
            n_bytes = os.fstat(file.fileno()).st_size
            if n_bytes == 0:
                raise VideoError(path, "is empty (0 bytes)", "download or copy it again")
            missing = _what_is_cut(file, n_bytes)
    except FileNotFoundError:
        raise VideoError(path, MISSING, "check the path, or download the file") from None
    except OSError as error:
        raise VideoError(
            path, f"{UNREADABLE} ({error.strerror})", "check the disk and the file's permissions"
        ) from error
    except (UnicodeError, ValueError) as error:
        if isinstance(error, VideoError):
            raise
        raise VideoError(path, f"is no name of a file ({error})", "check the path") from error
    if missing:
        raise VideoError(path, f"is truncated: {missing}", "download or copy it again")


def _what_is_cut(file: BinaryIO, n_bytes: int) -> str | None:
    """Say which part of a file should reach beyond its end; None for a complete file.

    The container formats write down how long each of their parts is, which tells a file that was
    cut short without reading it.
    """
    head = file.read(12)
    if head[4:8] in ISO_PARTS:
        return _cut_iso(file, n_bytes)
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return _cut_avi(file, n_bytes)
    if head[:4] == EBML_HEAD:
        return _cut_matroska(file, n_bytes)
    return None


def _beyond(part: str, end: int, n_bytes: int) -> str | None:
    if end <= n_bytes:
        return None
    return f"its '{part}' part should end at byte {end}, the file at byte {n_bytes}"


def _cut_iso(file: BinaryIO, n_bytes: int) -> str | None:
    """Walk the boxes of an mp4 or mov file (ISO/IEC 14496-12, 4.2)."""
    position, found = 0, set()
    while position + 8 <= n_bytes:
        file.seek(position)
        head = file.read(16)
        size, kind = int.from_bytes(head[:4], "big"), head[4:8]
        if size == 1:  # the size did not fit into 32 bits
            size = int.from_bytes(head[8:16], "big")
        if size == 0:  # the last box, up to the end of the file
            size = n_bytes - position
        if size < 8 or not kind.isalnum():
            break  # not a box; FFmpeg will say what it makes of it
        found.add(kind)
        cut = _beyond(kind.decode("latin-1"), position + size, n_bytes)
        if cut:
            return cut
        position += size
    return None if b"moov" in found else "it lacks its 'moov' part, the index that is written last"


def _cut_avi(file: BinaryIO, n_bytes: int) -> str | None:
    """Walk the RIFF chunks of an avi file; size 0 was left by a recorder that crashed."""
    position = 0
    while position + 8 <= n_bytes:
        file.seek(position)
        head = file.read(8)
        if head[:4] != b"RIFF":
            break
        size = int.from_bytes(head[4:8], "little")
        cut = _beyond("RIFF", position + 8 + size, n_bytes)
        if cut:
            return cut
        position += 8 + size + size % 2
    return None


def _cut_matroska(file: BinaryIO, n_bytes: int) -> str | None:
    """Compare a mkv or webm file's one Segment with the file (RFC 8794, 4 and 6)."""
    file.seek(4)
    file.seek(_ebml_size(file) or 0, os.SEEK_CUR)
    if file.read(4) != EBML_SEGMENT:
        return None
    size = _ebml_size(file)
    return None if size is None else _beyond("Segment", file.tell() + size, n_bytes)


def _ebml_size(file: BinaryIO) -> int | None:
    """Read a size of 1 to 8 bytes; None where the writer, streaming, did not know it."""
    first = int.from_bytes(file.read(1), "big")
    n_more = 8 - first.bit_length()
    value = first - (1 << first.bit_length() - 1) if first else 0
    value = (value << 8 * n_more) | int.from_bytes(file.read(n_more), "big")
    return None if value == (1 << 7 * (n_more + 1)) - 1 else value
