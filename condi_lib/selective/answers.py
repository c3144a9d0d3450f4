"""From what happens to many videos to their answers, in the order of the list."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from condi_lib.selective.decoding import THE_LIST, Event, Facts, Video
from condi_lib.selective.open_video import OpenVideo
from condi_lib.selective.pipeline import Pipeline
from condi_lib.selective.prediction import Prediction
from condi_lib.videos.decode import VideoError

Answer = Prediction | VideoError


class Answers:
    """Follows the videos of a list; holds those that are begun and not yet answered.

    Args:
        pipeline: What shows clips to the networks.
        conclude: Makes the answer of a video that the pipeline is done with.
    """

    def __init__(
        self, pipeline: Pipeline, conclude: Callable[[OpenVideo, Facts], Prediction]
    ) -> None:
        self._pipeline, self._conclude = pipeline, conclude
        self._names: dict[int, str] = {}
        self._open: dict[int, OpenVideo] = {}
        self._ready: dict[int, Answer] = {}
        self._turn = 0

    def of(self, videos: Iterable[Video]) -> Iterator[Video]:
        """Yield the videos as they are needed, and remember what they are called."""
        for number, video in enumerate(videos):
            is_file = isinstance(video, str | Path)
            self._names[number] = str(video) if is_file else f"frames {number}"
            yield video

    def take(self, event: Event) -> None:
        """Let an event take its course.

        Raises:
            BaseException: What went wrong that is no fault of a file.
        """
        number = event.number
        if event.error is not None:
            self._give_up(number, event.error)
            return
        if number not in self._open:
            self._open[number] = self._pipeline.open(self._names.pop(number))
        video = self._open[number]
        if event.end is not None:
            self._pipeline.end(video, event.end)
        else:
            self._pipeline.arrive(video, event.clip, event.pixels)
        self._pipeline.work()
        self._collect()

    def flush(self) -> None:
        """Run the networks on all that is left: nothing more will come."""
        self._pipeline.work(flush=True)
        self._collect()

    def in_order(self) -> Iterator[Answer]:
        """Yield the answers whose turn it is."""
        while self._turn in self._ready:
            yield self._ready.pop(self._turn)
            self._turn += 1

    def _give_up(self, number: int, error: BaseException) -> None:
        if number == THE_LIST or not isinstance(error, VideoError):
            raise error
        self._names.pop(number, None)
        if (video := self._open.pop(number, None)) is not None:
            self._pipeline.drop(video)
        self._ready[number] = error

    def _collect(self) -> None:
        for video, facts in self._pipeline.answered():
            number = next(number for number, each in self._open.items() if each is video)
            del self._open[number]
            self._ready[number] = self._conclude(video, facts)
