"""Clips come in while the networks compute: decoding in threads of its own, a bounded step ahead.

The decoder works outside Python's lock, so threads do overlap with the networks.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from queue import Empty, Full, Queue
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from condi_lib.videos.clip_stream import ClipStream, frame_clips
from condi_lib.videos.clips import ClipGrid
from condi_lib.videos.decode import Size, VideoError

Video = str | Path | Iterable[NDArray[np.uint8]]
Chooser = Callable[[int], list[int]]  # from the number of clips to those that are looked at
Result = TypeVar("Result")
THE_LIST = -1  # in place of a video's number, where the list of videos itself breaks
STOPPING_SEC = 2.0  # how long whoever stops the threads waits for them
PATIENCE_SEC = 0.1  # how long a thread waits before it asks again whether it should stop


@dataclass(frozen=True)
class Facts:
    """What is known of a video when its last clip has come in.

    Attributes:
        n_clips: Clips that it has.
        n_frames: Frames; None where damage hides the end.
        fps: Frames per second; None if unknown.
        damaged_frames: Frames that could not be used.
        stopped_at_frame: Where damage ended the reading; None if it did not.
        started: When reading began, on the clock ``time.perf_counter``.
        decode_sec: Time that decoding took.
    """

    n_clips: int
    n_frames: int | None
    fps: float | None = None
    damaged_frames: int = 0
    stopped_at_frame: int | None = None
    started: float = 0.0
    decode_sec: float = 0.0


@dataclass(frozen=True, eq=False)
class Event:
    """Something that happened to the video with this number, in the order of the list.

    Attributes:
        number: Which video; ``THE_LIST`` where the error is none of a video's.
        clip: Number of a clip that came in; None if this is no clip.
        pixels: uint8 ``[T, H, W, 3]``; None where the clip is damaged.
        end: That was all of the video.
        error: Or: it cannot be read.
    """

    number: int
    clip: int | None = None
    pixels: Tensor | None = None
    end: Facts | None = None
    error: BaseException | None = None


@dataclass(frozen=True)
class VideoSource:
    """How videos are read.

    Attributes:
        grid: How they are cut into clips.
        size_px: Height and width of decoded frames.
        resize: How frames come to that size: see ``VideoReader``.
    """

    grid: ClipGrid
    size_px: Size
    resize: str = "stretch"

    def events(self, number: int, video: Video, choose: Chooser | None) -> Iterator[Event]:
        """Yield a video's clips and its end, or an error.

        Args:
            number: Of the video.
            video: A file, or frames.
            choose: Which clips are wanted; None: all.
        """
        try:
            if isinstance(video, str | Path):
                yield from self._of_file(number, Path(video), choose)
            else:
                yield from self._of_frames(number, video, choose)
        except Exception as error:  # handed to whoever waits for the clips, who raises it
            yield Event(number, error=error)

    def _of_file(self, number: int, path: Path, choose: Chooser | None) -> Iterator[Event]:
        clock = _Clock()
        with clock.time(lambda: ClipStream(path, self.grid, self.size_px, self.resize)) as stream:
            pairs = iter(stream) if choose is None else _chosen(stream, choose)
            for clip, pixels in clock.each(pairs):
                yield Event(number, clip, _tensor(pixels))
            facts = Facts(
                stream.count_clips(),
                stream.n_frames,
                stream.fps,
                stream.damaged_frames,
                stream.stopped_at_frame,
                clock.started,
                clock.seconds,
            )
        yield Event(number, end=facts)

    def _of_frames(
        self, number: int, frames: Iterable[NDArray[np.uint8]], choose: Chooser | None
    ) -> Iterator[Event]:
        clock, wanted, counted = _Clock(), None, _Counted(frames)
        if choose is not None:
            if not hasattr(frames, "__len__"):
                raise ValueError(
                    "this policy chooses clips by their place in the video, so it must know how "
                    "many frames there are: give a file or a list of frames, or another policy"
                )
            wanted = set(choose(self.grid.n_clips(len(frames))))
        pairs = frame_clips(counted, self.grid, self.size_px, self.resize)
        for clip, pixels in clock.each(pairs):
            if wanted is None or clip in wanted:
                yield Event(number, clip, _tensor(pixels))
        facts = Facts(self.grid.n_clips(counted.n), counted.n, started=clock.started)
        yield Event(number, end=replace(facts, decode_sec=clock.seconds))


def _chosen(stream: ClipStream, choose: Chooser) -> Iterator[tuple[int, NDArray | None]]:
    clips = sorted(choose(stream.count_clips()))
    pixels = stream.read(clips)
    if all(each is None for each in pixels):
        cause = f"is damaged in each of the {len(clips)} clips that were chosen"
        raise VideoError(stream.path, cause, "choose more clips, or replace the file")
    yield from zip(clips, pixels, strict=True)


def _tensor(pixels: NDArray[np.uint8] | None) -> Tensor | None:
    return None if pixels is None else torch.from_numpy(np.ascontiguousarray(pixels))


class _Clock:
    """Adds up the time that decoding takes, without that of whoever waits for it."""

    def __init__(self) -> None:
        self.started, self.seconds = time.perf_counter(), 0.0

    def time(self, work: Callable[[], Result]) -> Result:
        """Do some work."""
        start = time.perf_counter()
        try:
            return work()
        finally:
            self.seconds += time.perf_counter() - start

    def each(self, items: Iterator[Result]) -> Iterator[Result]:
        """Yield the items."""
        end = object()
        while (item := self.time(lambda: next(items, end))) is not end:
            yield item


class _Counted:
    """Frames, counted as they go by."""

    def __init__(self, frames: Iterable[NDArray[np.uint8]]) -> None:
        self._frames, self.n = frames, 0

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        for frame in self._frames:
            self.n += 1
            yield frame


def events_of(
    videos: Iterable[Video],
    source: VideoSource,
    choosers: Callable[[int], Chooser | None],
    ahead: int,
    threads: int,
) -> Iterator[Event]:
    """Yield what happens to each of many videos; with several threads in any order between them.

    Args:
        videos: Files or frames; read as they are needed.
        source: How they are read.
        choosers: For a video's number, which clips are wanted.
        ahead: At most so many clips wait to be taken.
        threads: That decode, one video at a time each; 0 decodes here.
    """

    def events(number: int, video: Video) -> Iterator[Event]:
        return source.events(number, video, choosers(number))

    if not threads:
        for number, video in enumerate(videos):
            yield from events(number, video)
        return
    decoders = _Decoders(videos, events, ahead)
    decoders.start(threads)
    try:
        yield from decoders.events()
    finally:
        decoders.stop()


class _Decoders:
    """Threads that share a list of videos and put what happens into one queue."""

    def __init__(
        self,
        videos: Iterable[Video],
        events: Callable[[int, Video], Iterator[Event]],
        ahead: int,
    ) -> None:
        self._videos, self._read = enumerate(videos), events
        self._queue: Queue[Event | None] = Queue(max(1, ahead))
        self._stop, self._lock = threading.Event(), threading.Lock()
        self._threads: list[threading.Thread] = []

    def start(self, threads: int) -> None:
        """Start decoding."""
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def events(self) -> Iterator[Event]:
        """Yield what the threads put, until all have ended."""
        running = len(self._threads)
        while running:
            event = self._queue.get()
            running -= event is None
            if event is not None:
                yield event

    def stop(self) -> None:
        """End the threads, also in the middle of a video, and wait for that, but not for ever.

        One that waits for frames of a caller's, or looks through a long file for its end, ends
        with the next thing that it would tell.
        """
        self._stop.set()
        with suppress(Empty):
            while True:
                self._queue.get_nowait()
        latest = time.monotonic() + STOPPING_SEC
        for thread in self._threads:
            thread.join(max(0.0, latest - time.monotonic()))

    def _work(self) -> None:
        with suppress(_Stopped):
            try:
                for number, video in iter(self._next, None):
                    for event in self._read(number, video):
                        self._put(event)
            except _Stopped:
                raise
            except BaseException as error:  # or whoever waits for this thread would do so for ever
                self._put(Event(THE_LIST, error=error))
            self._put(None)

    def _next(self) -> tuple[int, Video] | None:
        with self._lock:
            return next(self._videos, None)

    def _put(self, event: Event | None) -> None:
        while not self._stop.is_set():
            with suppress(Full):
                return self._queue.put(event, timeout=PATIENCE_SEC)
        raise _Stopped


class _Stopped(Exception):
    """Nobody listens any more."""
