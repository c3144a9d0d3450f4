"""Decode a stream, and notice frames that are lost without an error.

Decoders drop a frame whose head they cannot read, and demuxers pass over what they cannot find. In
a file with a table the gap shows. In a transport stream it does not, but there each packet carries
the time at which its frame is shown, and a decoder gives out frames in the order of these times.
"""

from collections.abc import Iterator
from contextlib import suppress

import av
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

TIMED_FORMATS, TIMED_CODECS = {"mpegts", "mpeg", "flv", "live_flv"}, {"h264", "hevc"}


class LostFrame(Exception):
    """A frame that should come next does not."""


def decode(container: InputContainer, stream: VideoStream, has_table: bool) -> Iterator[VideoFrame]:
    """Yield the frames from where the container stands, as they are shown.

    Args:
        container: An opened file.
        stream: Its pictures.
        has_table: Whether the caller knows the frames. If so, it is given also those that precede
            damage and were not yet shown; else their numbers would be uncertain.

    Raises:
        FFmpegError: Where the file is damaged.
        LostFrame: If, without a table, a frame is missing.
    """
    if has_table:
        yield from _with_the_rest(container, stream)
    elif container.format.name in TIMED_FORMATS and stream.codec.canonical_name in TIMED_CODECS:
        yield from _without_gaps(container, stream)
    else:
        yield from container.decode(stream)


def _with_the_rest(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    try:
        yield from container.decode(stream)
    except av.error.FFmpegError:
        with suppress(av.error.FFmpegError):
            yield from stream.codec_context.decode(None)
        raise


def _without_gaps(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    """A gap is a packet's time between those of two frames that come one after the other.

    Before the first frame there may be packets that lack their keyframe. Halves of interlaced
    frames come in packets of their own, so these are not watched, and neither are frames that are
    stored out of order but timed in order, as careless programs copy them from avi files.
    """
    pending: set[int] = set()
    last, latest, is_timed = None, None, False
    for packet in container.demux(stream):
        if packet.is_corrupt:
            raise LostFrame("a part of the stream is missing")
        if packet.pts is not None:
            pending.add(packet.pts)
            is_timed |= latest is not None and packet.pts < latest
            latest = packet.pts
        for frame in packet.decode():
            is_timed |= not stream.codec_context.has_b_frames
            in_order = is_timed and None not in (last, frame.pts) and not frame.interlaced_frame
            if in_order and any(last < time < frame.pts for time in pending):
                raise LostFrame("a frame is missing")
            pending.discard(frame.pts)
            last = frame.pts
            yield frame
