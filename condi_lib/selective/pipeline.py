"""The work between clips and answers: full batches for both networks, across videos.

Clips wait for the student, those that a policy chose wait for the teacher; a network runs when a
batch is full, or when nothing more will come. What waits is bounded, see
:meth:`SelectiveClassifier.clips_in_memory`.
"""

from collections import deque
from collections.abc import Iterator
from itertools import groupby

from torch import Tensor

from condi_lib.sampling import Policy
from condi_lib.selective.decoding import Facts
from condi_lib.selective.networks import Runner
from condi_lib.selective.open_video import OpenVideo

Waiting = tuple[OpenVideo, int, Tensor]


class Pipeline:
    """Shows clips to two networks until every video that has ended is answered.

    Args:
        teacher: Runs on chosen clips.
        student: Runs first; None where the policy needs none.
        policy: Which clips are chosen.
        batch_size: Clips per forward pass.
    """

    def __init__(
        self,
        teacher: Runner,
        student: Runner | None,
        policy: Policy,
        batch_size: int,
    ) -> None:
        self.teacher, self.student, self.policy = teacher, student, policy
        self.batch_size = batch_size
        self._for_student: deque[Waiting] = deque()
        self._for_teacher: deque[Waiting] = deque()
        self._ended: dict[OpenVideo, Facts] = {}

    def open(self, name: str) -> OpenVideo:
        """Begin a video."""
        return OpenVideo(name, self.policy, self.teacher.n_classes)

    def arrive(self, video: OpenVideo, clip: int, pixels: Tensor | None) -> None:
        """Take a clip, uint8 ``[T, H, W, 3]``; None: it is damaged."""
        video.arrive(clip, damaged=pixels is None)
        if pixels is None:
            return
        if self.policy.needs_student:
            self._for_student.append((video, clip, pixels))
        if not video.ranks:
            video.asked.add(clip)
            self._for_teacher.append((video, clip, pixels))

    def end(self, video: OpenVideo, facts: Facts) -> None:
        """Note that all clips of a video have come in."""
        video.n_clips = facts.n_clips
        self._ended[video] = facts
        self.ask(video)

    def drop(self, video: OpenVideo) -> None:
        """Forget a video that turned out to be unreadable."""
        for waiting in (self._for_student, self._for_teacher):
            kept = [each for each in waiting if each[0] is not video]
            waiting.clear()
            waiting.extend(kept)

    def work(self, flush: bool = False) -> None:
        """Run the networks on all full batches; with ``flush`` on what is left as well."""
        while len(self._for_student) >= (1 if flush else self.batch_size):
            self._run_student()
        while len(self._for_teacher) >= (1 if flush else self.batch_size):
            self._run_teacher()

    def answered(self) -> Iterator[tuple[OpenVideo, Facts]]:
        """Yield the ended videos whose answer is known, and forget them."""
        for video in [video for video in self._ended if self._is_answered(video)]:
            yield video, self._ended.pop(video)

    def ask(self, video: OpenVideo) -> None:
        """Let the teacher see what the policy wants next, once the student has seen all clips."""
        if not video.ranks or not self._is_skimmed(video):
            return
        clips = video.wanted()
        video.asked.update(clips)
        self._for_teacher.extend((video, clip, video.pixels[clip]) for clip in clips)

    def settle(self, video: OpenVideo) -> None:
        """Show the teacher all that the policy wants of a video so far, which may still go on."""
        self.ask(video)
        while self._for_teacher:
            self._run_teacher()
            self.ask(video)

    def _is_skimmed(self, video: OpenVideo) -> bool:
        return not self.policy.needs_student or len(video.student) == len(video.arrived)

    def _is_answered(self, video: OpenVideo) -> bool:
        return self._is_skimmed(video) and video.asked <= video.teacher.clips

    def _take(self, waiting: deque[Waiting]) -> list[Waiting]:
        return [waiting.popleft() for _ in range(min(self.batch_size, len(waiting)))]

    def _run_student(self) -> None:
        batch = self._take(self._for_student)
        pixels = [each[2] for each in batch]
        logits, z, seconds = self.student(pixels)
        first = 0
        for video, group in groupby(batch, key=lambda each: each[0]):
            clips = [clip for _, clip, _ in group]
            part = slice(first, first := first + len(clips))
            video.spend("student", seconds * len(clips) / len(batch))
            video.hear_student(clips, pixels[part], logits[part], None if z is None else z[part])
            if video in self._ended:
                self.ask(video)

    def _run_teacher(self) -> None:
        batch = self._take(self._for_teacher)
        logits, _, seconds = self.teacher([each[2] for each in batch])
        for (video, clip, _), said in zip(batch, logits, strict=True):
            video.spend("teacher", seconds / len(batch))
            video.hear_teacher(clip, said)
        for video in dict.fromkeys(each[0] for each in batch):
            if video in self._ended:
                self.ask(video)
