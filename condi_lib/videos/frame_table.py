"""Which frames a video file holds, in the order they are shown, and where decoding may start.

A file stores packets in the order they are decoded; a frame's number is its place in the order
they are shown. Reading all packets, without decoding them, gives that order exactly where every
packet is one frame and carries its time. Where that is not certain, nothing is assumed: the
caller decodes and counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream
from numpy.typing import NDArray

# Formats and codecs in which a packet is a frame. Elsewhere it need not be: avi packs two frames
# of MPEG-4 into one packet, VP8 has packets that are never shown, a transport stream cuts anywhere.
ISO, MATROSKA = "mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm"
ONE_FRAME_PER_PACKET = {"h264", "hevc", "vp9", "av1"}


@dataclass(frozen=True)
class FrameTable:
    """The frames of one file, and the keyframes at which decoding may start.

    Attributes:
        pts: The time of each frame, rising, in units of the stream's time base, ``[T]``.
        key_frames: The numbers of the frames that are keyframes, rising, ``[K]``; the first is 0.
        key_stamps: Where to send the demuxer for each of them, ``[K]``.
        sure_at: The last frame on which each may depend, itself or a later one, rising, ``[T]``.
            Frames are stored in the order in which they are decoded, so what is stored after
            frame 8 and shown before it may have been predicted from it.
    """

    pts: NDArray[np.int64]
    key_frames: NDArray[np.int64]
    key_stamps: NDArray[np.int64]
    sure_at: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.pts)

    def key_before(self, frame: int) -> int:
        """Return the place in ``key_frames`` of the last keyframe shown no later than ``frame``.

        Frames that are shown before a keyframe but stored after it may need older ones, so the
        order in which frames are *shown* decides from where a frame can be decoded exactly.
        """
        return int(np.searchsorted(self.key_frames, frame, side="right")) - 1

    def lost_with(self, frame: int) -> range:
        """Return the frames that cannot be trusted if this one is damaged.

        They begin with the first that may depend on it, and end where decoding may start anew.
        """
        first = int(np.searchsorted(self.sure_at, frame))
        after = int(np.searchsorted(self.key_frames, frame, side="right"))
        end = int(self.key_frames[after]) if after < len(self.key_frames) else len(self)
        return range(min(first, frame), end)

    def frame_at(self, pts: int | None) -> int | None:
        """Return the number of the frame with this time, None if there is none."""
        if pts is None:
            return None
        frame = int(np.searchsorted(self.pts, pts))
        return frame if frame < len(self.pts) and self.pts[frame] == pts else None


class _Stamp(NamedTuple):
    """What is kept of a packet, so that memory does not grow with the file."""

    pts: int | None
    is_keyframe: bool
    is_discard: bool
    is_corrupt: bool

    @classmethod
    def of(cls, packet: Packet) -> Self:
        return cls(packet.pts, packet.is_keyframe, packet.is_discard, packet.is_corrupt)


def packets_are_frames(container: InputContainer, stream: VideoStream) -> bool:
    """Say whether format and codec store one frame per packet."""
    return (
        container.format.name in (ISO, MATROSKA)
        and stream.codec.canonical_name in ONE_FRAME_PER_PACKET
    )


def read_table(
    container: InputContainer, stream: VideoStream, first_is_key: bool = False
) -> FrameTable | None:
    """Read all packets and return the table, or None where packets do not tell the frames.

    Leaves the container at its end. A packet that an edit list hides is decoded, never shown.
    Damage may hide that the first packet is a keyframe; ``first_is_key`` takes it for one.
    """
    packets = [_Stamp.of(packet) for packet in container.demux(stream) if packet.size]
    shown = [packet for packet in packets if not packet.is_discard]
    if not _tell_the_frames(packets, shown, first_is_key):
        return None
    pts = np.array(sorted(packet.pts for packet in shown), dtype=np.int64)
    stored = np.searchsorted(pts, [packet.pts for packet in shown])  # frames as they are stored
    sure_at = np.empty(len(pts), dtype=np.int64)
    sure_at[stored] = np.maximum.accumulate(stored)
    return FrameTable(pts, *_keys(packets, pts), np.maximum.accumulate(sure_at))


def _tell_the_frames(
    packets: Sequence[_Stamp], shown: Sequence[_Stamp], first_is_key: bool
) -> bool:
    if not shown or any(p.pts is None or p.is_corrupt for p in packets):
        return False
    if len({packet.pts for packet in shown}) < len(shown):
        return False  # two packets make one frame, or nobody knows which comes first
    first = packets[0]
    # What is shown before the first keyframe cannot be decoded, and decoders drop it.
    is_key = first.is_keyframe or first_is_key
    return is_key and all(packet.pts >= first.pts for packet in shown)


def _keys(
    packets: Sequence[_Stamp], pts: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the keyframes' numbers and the stamps by which the demuxer finds their packets.

    The stamp is the time at which a keyframe is shown. mp4 lists the times of decoding, but FFmpeg
    allows for the difference; sent to the time of decoding it lands one keyframe too early.
    """
    keys = packets[:1] + [p for p in packets[1:] if p.is_keyframe and not p.is_discard]
    stamps = np.array([key.pts for key in keys], dtype=np.int64)
    frames = np.searchsorted(pts, stamps)
    frames[0] = 0
    order = np.argsort(frames, kind="stable")
    return frames[order], stamps[order]
