"""Walk through the frames of one video file by their numbers.

Decoding runs forward. It jumps only where a keyframe lies between here and the wanted frame,
since a jump anywhere else decodes the same frames again. Every frame's number is checked against
the table of the file, so that a jump can be slow but not wrong.

A frame is given out only when all that it may be predicted from is decoded and intact: a decoder
conceals what it cannot read, and what refers to that looks well and is wrong. A few frames are
therefore decoded ahead, as many as the file stores out of order.
"""

from collections import deque
from collections.abc import Iterator
from pathlib import Path

import av
from av.video.frame import PictureType, VideoFrame

from condi_lib.videos.closing import ClosesOnExit
from condi_lib.videos.container import PATIENCE_SEC, VideoError, open_video, reason_of
from condi_lib.videos.frame_table import FrameTable, packets_are_frames, read_table
from condi_lib.videos.watch import LostFrame, decode

LEAVE_OUT = "re-encode it or leave it out"
MOST_OUT_OF_ORDER = 16  # frames, in H.264 and HEVC; others allow less


class DamageError(VideoError):
    """Damage within a video that opened well: some of its frames cannot be used."""


class FrameCursor(ClosesOnExit):
    """The decoder of one file, standing between two frames.

    Attributes:
        path: The file.
        stream: Its video stream.
        table: Its frames, or None where only decoding can tell them.
        first: Frame 0, which tells size and orientation; with ``past_damage`` the first intact one.
    """

    def __init__(
        self, path: Path, past_damage: bool = False, patience_sec: float = PATIENCE_SEC
    ) -> None:
        """Open a file.

        Args:
            path: The file.
            past_damage: Open also a file whose first frames are damaged, if its table tells where
                decoding may start again.
            patience_sec: How long FFmpeg may take to open it, and for each packet.

        Raises:
            VideoError: If the file is no usable video, or its first frame damaged.
        """
        self.path, self._patience_sec = path, patience_sec
        self.table: FrameTable | None = None
        self._lost: dict[int, tuple[range, str]] = {}  # frame -> what is lost with it, and why
        self._may_jump = True
        self._open()
        try:
            if packets_are_frames(self._container, self.stream):
                self.table = self._read_table()
            self.first = self._first_intact() if past_damage else self.frame(0)
            if self.first is None:
                raise VideoError(path, "holds no frames", "replace or remove it")
            if self.first.interlaced_frame:
                self.table = None  # a packet may be half a frame
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        self._container, self.stream = open_video(self.path, self._patience_sec)
        self._frames: Iterator[VideoFrame] = self._decode()
        self._next = 0  # the number of the frame that the decoder gives next
        self._held: deque[VideoFrame] = deque()  # the frames before that which may be asked for

    def _read_table(self, first_is_key: bool = False) -> FrameTable | None:
        try:
            table = read_table(self._container, self.stream, first_is_key)
        except av.error.FFmpegError as error:
            raise VideoError(self.path, f"is damaged ({reason_of(error)})", LEAVE_OUT) from error
        if table is None:
            self._reopen()
        else:
            self._next = len(table)  # all packets are read, so the container is at its end
        return table

    def _first_intact(self) -> VideoFrame | None:
        try:
            return self.frame(0)
        except DamageError:
            if self.table is None and packets_are_frames(self._container, self.stream):
                self.table = self._read_table(first_is_key=True)  # as it was before the damage
        number = 0
        while True:
            try:
                return self.frame(number)
            except DamageError:
                lost = self.lost_with(number)
                if lost is None or lost.stop == len(self.table):
                    raise
                number = lost.stop

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    @property
    def n_lost(self) -> int:
        """How many frames cannot be used, by all damage that reading has met so far."""
        return len(self._lost)

    def lost_with(self, number: int) -> range | None:
        """Return the frames that are lost together with one for which ``frame`` raised.

        Without a table nobody knows how far damage reaches; then this is None.
        """
        return self._lost[number][0] if number in self._lost else None

    def frame(self, number: int) -> VideoFrame | None:
        """Return a frame as the decoder gives it; None just after the last one.

        Raises:
            DamageError: If the frame, or one that it may depend on, is damaged, or the file decodes
                to other frames than its packets promise.
        """
        if number in self._lost:
            raise DamageError(self.path, self._lost[number][1], LEAVE_OUT)
        try:
            if number < self._first_held or self._worth_a_jump(number):
                self._go_near(number)
            while not self._is_sure(number) and self._step(number):
                pass
        except DamageError as error:
            self._lose(number, error.cause)
            raise
        return self._held[number - self._first_held] if number < self._next else None

    @property
    def _first_held(self) -> int:
        return self._next - len(self._held)

    def _is_sure(self, number: int) -> bool:
        """Say whether all that a frame may depend on has been decoded."""
        if number >= self._next:
            return False
        if self.table is not None:
            return number >= len(self.table) or self.table.sure_at[number] < self._next
        if self._held[number - self._first_held].pict_type not in (PictureType.B, PictureType.BI):
            return True
        ahead = self._next - 1 - number
        # Such a frame lies between those that it is predicted from.
        return ahead >= MOST_OUT_OF_ORDER or (
            ahead > 0 and self._held[-1].pict_type not in (PictureType.B, PictureType.BI)
        )

    def _worth_a_jump(self, number: int) -> bool:
        if self.table is None or not self._may_jump:
            return False
        key_frame = self.table.key_frames[self.table.key_before(number)]
        return number < self._first_held or key_frame > self._next

    def _go_near(self, number: int) -> None:
        """Stand just after a frame, by way of the last keyframe before it, or else near the start.

        Some keyframes only claim to be one, and some demuxers land elsewhere. Both show in the
        first frames after the jump; then the file is decoded from its start, which also tells
        where it is damaged if it is. If there is damage already known on the way from the start,
        nothing can make up for the failed jump.
        """
        astray = False
        if self._worth_a_jump(number):
            reached, astray = self._jump(number)
            if reached > number:
                return
            self._refuse_the_way_from_the_start(number, reached)
        else:
            self._refuse_the_way_from_the_start(number, number)
        self._reopen()
        while astray and self._next <= number and self._step(number):
            pass
        self._may_jump &= not astray  # the frame is intact; do not try this file again

    def _refuse_the_way_from_the_start(self, number: int, reached: int) -> None:
        if min(self._lost, default=number) < number:
            raise self._damage(reached, f"is damaged at frame {reached}")

    def _jump(self, number: int) -> tuple[int, bool]:
        """Decode from the last keyframe up to a frame.

        Returns:
            The number of the next frame, larger than ``number`` if all went well, and whether
            other frames came than those that should follow that keyframe.
        """
        key = self.table.key_before(number)
        start = reached = int(self.table.key_frames[key])
        self._held.clear()
        try:
            self._container.seek(int(self.table.key_stamps[key]), stream=self.stream)
            self._frames = self._decode()
            for frame in self._frames:
                here = self.table.frame_at(frame.pts)
                if here is None or here > number:
                    return reached, True
                if here >= start and frame.is_corrupt:
                    break
                if here == number:
                    self._held.append(frame)
                    self._next = number + 1
                    return self._next, False
                reached = max(reached, here + 1)
        except av.error.FFmpegError:
            pass
        return reached, False

    def _decode(self) -> Iterator[VideoFrame]:
        return decode(self._container, self.stream, has_table=self.table is not None)

    def _step(self, number: int) -> bool:
        """Decode the next frame on the way to one; False at the end of the file."""
        try:
            frame = next(self._frames, None)
        except (av.error.FFmpegError, LostFrame) as error:
            cause = f"is damaged at frame {self._next} ({reason_of(error)})"
            raise self._damage(self._next, cause) from error
        if frame is None:
            if self.table is not None and self._next < len(self.table):
                cause = f"promises {len(self.table)} frames, of which {self._next} decode"
                raise self._damage(self._next, cause)
            return False
        if frame.is_corrupt:
            raise self._damage(self._next, f"is damaged at frame {self._next}")
        if self.table is not None and self.table.frame_at(frame.pts) != self._next:
            cause = f"decodes to other frames than it lists, from frame {self._next}"
            raise self._damage(self._next, cause)
        self._held.append(frame)
        self._next += 1
        while self._held and self._first_held < number:
            self._held.popleft()
        return True

    def _damage(self, number: int, cause: str) -> DamageError:
        """Make the error, and see to it that another attempt meets the same error."""
        error = DamageError(self.path, cause, LEAVE_OUT)
        if self.table is None:
            self._reopen()
        else:
            self._lose(number, cause)
            self._held.clear()
            self._frames, self._next = iter(()), len(self.table)  # from here on by a jump only
        return error

    def _lose(self, number: int, cause: str) -> None:
        if self.table is not None and number < len(self.table) and number not in self._lost:
            lost = self.table.lost_with(number)
            self._lost.update(dict.fromkeys(lost, (lost, cause)))

    def _reopen(self) -> None:
        self._container.close()
        self._open()
