"""Pictures of clips, decoded when they are first looked at: a thumbnail, or the clip in motion.

Encoded pictures are kept up to a number of bytes, so that memory stays flat however long somebody
explores; frames are kept of none but the last video that was drawn.
"""

import base64
import io
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from condi_lib.study import Study
from condi_lib.study.datasets import videos_root
from condi_lib.videos.decode import VideoError, VideoReader

Frames = NDArray[np.uint8]
Read = Callable[[str, range], Frames]

SIDE_PX = 128
MOST_BYTES = 48_000_000
UNREADABLE = (VideoError, OSError, IndexError)
FPS = 12.0  # of a clip in motion, where the video's own rate is not known


class Pictures:
    """Pictures of a data set's clips, as addresses that need no network (``data:`` URIs).

    Attributes:
        clip_frames: Frames that a clip spans.
        fps: Frames per second; None where videos differ or nobody knows.
        most_bytes: Of the encoded pictures that are kept.
        n_bytes: Of those that are kept now.
    """

    def __init__(
        self, read: Read, clip_frames: int, fps: float | None = None, most_bytes: int = MOST_BYTES
    ) -> None:
        """Remember how frames are read.

        Args:
            read: For a video and a range of frames, those of them that exist, ``[T, H, W, 3]``.
            clip_frames: See above.
            fps: See above.
            most_bytes: See above.
        """
        self._read, self.clip_frames, self.fps, self.most_bytes = read, clip_frames, fps, most_bytes
        self._kept: OrderedDict[tuple[str, int, bool], str] = OrderedDict()
        self.n_bytes = 0
        self._lock = threading.Lock()  # pictures may be made ahead by another thread

    def thumbnail(self, video_id: str, start_frame: int) -> str:
        """Return the middle frame of the clip that begins there.

        Raises:
            VideoError: If the file cannot be used; FileNotFoundError if there is none.
        """
        return self._picture(video_id, start_frame, False)

    def animation(self, video_id: str, start_frame: int) -> str:
        """Return all frames of the clip that begins there, in motion; errors as ``thumbnail``."""
        return self._picture(video_id, start_frame, True)

    def thumbnails(self, video_id: str, start_frames: Iterable[int]) -> tuple[dict[int, str], str]:
        """Return pictures by their place, and what is wrong with those that are missing."""
        found, problem = {}, ""
        for place, start in enumerate(start_frames):
            try:
                found[place] = self.thumbnail(video_id, start)
            except UNREADABLE as error:
                problem = problem or str(error)
        return found, problem

    def moving(self, video_id: str, start_frame: int) -> str | None:
        """Return ``animation``, or None where it cannot be read."""
        try:
            return self.animation(video_id, start_frame)
        except UNREADABLE:
            return None

    def _picture(self, video_id: str, start: int, moving: bool) -> str:
        key = (video_id, start, moving)
        with self._lock:
            if key not in self._kept:
                self._keep(key, encode(self.frames(*key), self.fps or FPS))
            self._kept.move_to_end(key)
            return self._kept[key]

    def frames(self, video_id: str, start: int, moving: bool = False) -> Frames:
        """Return the middle frame of a clip, or all of them, ``[T, H, W, 3]``; not kept.

        Raises:
            VideoError: As ``thumbnail``; IndexError if the video ends before the clip begins.
        """
        middle = start + self.clip_frames // 2
        wanted = range(start, start + self.clip_frames) if moving else range(middle, middle + 1)
        frames = self._read(video_id, wanted)
        if not len(frames):  # a last clip that is shorter than half
            frames = self._read(video_id, range(start, start + 1))
        if not len(frames):
            raise IndexError(f"{video_id}: has no frame {start}")
        return frames

    def _keep(self, key: tuple[str, int, bool], picture: str) -> None:
        self._kept[key] = picture
        self.n_bytes += len(picture)
        while self.n_bytes > self.most_bytes and len(self._kept) > 1:
            self.n_bytes -= len(self._kept.popitem(last=False)[1])


def encode(frames: Frames, fps: float = FPS) -> str:
    """Return frames as a WebP picture in a ``data:`` URI, in motion if there are several."""
    images = [Image.fromarray(frame) for frame in frames]
    buffer = io.BytesIO()
    images[0].save(
        buffer, "WEBP", save_all=len(images) > 1, append_images=images[1:], quality=75, method=2,
        duration=round(1000 / fps), loop=0,
    )  # fmt: skip
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def pictures_of_files(
    folder: Path, clip_frames: int, fps: float | None = None, side_px: int = SIDE_PX
) -> Pictures:
    """Return pictures of video files in a folder; a clip is sought, never a whole video decoded.

    Args:
        folder: What the table's ``video_id`` is relative to.
        clip_frames: Frames that a clip spans.
        fps: Of all videos, where they share it.
        side_px: The shorter side of the pictures.
    """

    readers: dict[str, VideoReader] = {}  # of the last video: opening one reads its whole table

    def read(video_id: str, wanted: range) -> Frames:
        if video_id not in readers:
            while readers:
                readers.popitem()[1].close()
            readers[video_id] = VideoReader(folder / video_id, short_side_px=side_px)
        reader = readers[video_id]
        return reader.read([n for n in wanted if n < reader.info.n_frames])

    return Pictures(read, clip_frames, fps)


def pictures_of_study(study: Study) -> Pictures:
    """Return pictures of a study's videos; those of a pantomime are drawn anew, without files."""
    dataset = study.spec.dataset
    if dataset.pantomime is None:
        return pictures_of_files(videos_root(dataset), dataset.clip_frames)

    @lru_cache(maxsize=1)
    def drawn(video_id: str) -> Frames:
        return study.frames(video_id, SIDE_PX)

    def read(video_id: str, wanted: range) -> Frames:
        return drawn(video_id)[wanted.start : wanted.stop]

    return Pictures(read, dataset.clip_frames, dataset.pantomime.fps)
