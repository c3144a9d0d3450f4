"""Walk through the frames of one video file by their numbers.

Decoding runs forward. It jumps only where a keyframe lies between here and the wanted frame,
since a jump anywhere else decodes the same frames again. Every frame's number is checked against
the table of the file, so that a jump can be slow but not wrong.
"""

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import av
from av.video.frame import VideoFrame

from condi_lib.videos.container import VideoError, open_video
from condi_lib.videos.frame_table import FrameTable, packets_are_frames, read_table

LEAVE_OUT = "re-encode it or leave it out"


class FrameCursor:
    """The decoder of one file, standing between two frames.

    Attributes:
        path: The file.
        stream: Its video stream.
        table: Its frames, or None where only decoding can tell them.
        first: Frame 0, which tells size and orientation.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.table: FrameTable | None = None
        self._may_jump = True
        self._open()
        try:
            if packets_are_frames(self._container, self.stream):
                self.table = self._read_table()
            self.first = self.frame(0)
            if self.first is None:
                raise VideoError(path, "holds no frames", "replace or remove it")
            if self.first.interlaced_frame:
                self.table = None  # a packet may be half a frame
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        self._container, self.stream = open_video(self.path)
        self._frames: Iterator[VideoFrame] = self._container.decode(self.stream)
        self._next = 0  # the number of the frame that the decoder gives next
        self._held: VideoFrame | None = None  # the frame that it gave last

    def _read_table(self) -> FrameTable | None:
        try:
            table = read_table(self._container, self.stream)
        except av.error.FFmpegError as error:
            raise VideoError(self.path, f"is damaged ({error.strerror})", LEAVE_OUT) from error
        if table is None:
            self._reopen()
        else:
            self._next = len(table)  # all packets are read, so the container is at its end
        return table

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def frame(self, number: int) -> VideoFrame | None:
        """Return a frame as the decoder gives it; None just after the last one.

        Raises:
            VideoError: If the frame, or one that must be decoded before it, is damaged, or the
                file decodes to other frames than its packets promise.
        """
        if number == self._next - 1 and self._held is not None:
            return self._held
        if self._worth_a_jump(number):
            self._jump(number)
        elif number < self._next:
            self._reopen()
        while self._next <= number and self._step():
            pass
        return self._held if self._next == number + 1 else None

    def _worth_a_jump(self, number: int) -> bool:
        if self.table is None or not self._may_jump:
            return False
        key_frame = self.table.key_frames[self.table.key_before(number)]
        return number < self._next or key_frame > self._next

    def _jump(self, number: int) -> None:
        """Go to a frame by way of the last keyframe before it, or else by way of the start.

        Some keyframes only claim to be one, and some demuxers land elsewhere. Both show in the
        first frames after the jump; then the file is decoded from its start, which also tells
        where it is damaged if it is.
        """
        key = self.table.key_before(number)
        self._container.seek(int(self.table.key_stamps[key]), stream=self.stream)
        self._frames, self._held = self._container.decode(self.stream), None
        try:
            for frame in self._frames:
                here = self.table.frame_at(frame.pts)
                if here is None or here > number:
                    self._may_jump = False  # do not try this file again
                    break
                if here >= self.table.key_frames[key] and frame.is_corrupt:
                    break
                if here == number:
                    self._held, self._next = frame, number + 1
                    return
        except av.error.FFmpegError:
            pass
        self._reopen()

    def _step(self) -> bool:
        """Decode the next frame; False at the end of the file."""
        try:
            frame = next(self._frames, None)
        except av.error.FFmpegError as error:
            raise self._damage(f"is damaged at frame {self._next} ({error.strerror})") from error
        if frame is None:
            if self.table is not None and self._next < len(self.table):
                raise self._damage(
                    f"promises {len(self.table)} frames, of which {self._next} decode"
                )
            return False
        if frame.is_corrupt:
            raise self._damage(f"is damaged at frame {self._next}")
        if self.table is not None and self.table.frame_at(frame.pts) != self._next:
            raise self._damage(f"decodes to other frames than it lists, from frame {self._next}")
        self._held, self._next = frame, self._next + 1
        return True

    def _damage(self, cause: str) -> VideoError:
        """Make the error, and start over, so that another attempt meets the same error."""
        self._reopen()
        return VideoError(self.path, cause, LEAVE_OUT)

    def _reopen(self) -> None:
        self._container.close()
        self._open()
