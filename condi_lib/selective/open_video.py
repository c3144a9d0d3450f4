"""What has been said of one video so far, and what the policy wants to know next.

It holds pixels only of clips that the teacher may still be shown: as clips come in, those that a
better one has pushed out of the teacher's queue are forgotten, since no later clip can bring them
back. What the networks said of a clip is kept; that is small.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from condi_lib.clip_table import DenseView
from condi_lib.sampling import Policy, queue_length
from condi_lib.selective.logits import LogitsByClip


@dataclass(eq=False)
class OpenVideo:
    """One video between its first clip and its answer.

    Attributes:
        name: The file, for results and messages.
        policy: How clips are shared.
        n_classes: C.
        n_clips: Clips so far, damaged ones and those that nobody looks at included.
        arrived: Those that can be shown to a network.
        damaged: Those that cannot.
        pixels: Those that the teacher may want to see later.
        student: Class logits ``[C]`` by clip.
        confidence: z̃ by clip.
        score: What clips are ranked by, where they are.
        asked: Clips that the teacher has been asked about.
        teacher: Its class logits ``[C]`` by clip.
        seconds: Time spent on this video, by what.
    """

    name: str
    policy: Policy
    n_classes: int
    n_clips: int = 0
    arrived: set[int] = field(default_factory=set)
    damaged: set[int] = field(default_factory=set)
    pixels: dict[int, Tensor] = field(default_factory=dict)
    confidence: dict[int, float] = field(default_factory=dict)
    score: dict[int, float] = field(default_factory=dict)
    asked: set[int] = field(default_factory=set)
    seconds: dict[str, float] = field(default_factory=dict)
    _unsettled: int = 0  # with fewer clips than that it is not settled

    @property
    def ranks(self) -> bool:
        """Whether the student decides which clips the teacher sees.

        Otherwise every clip that comes in is one that the teacher sees.
        """
        return self.policy.ranking is not None

    def __post_init__(self) -> None:
        self.student, self.teacher = (LogitsByClip(self.n_classes) for _ in range(2))

    def spend(self, what: str, seconds: float) -> None:
        """Add to the time that was spent."""
        self.seconds[what] = self.seconds.get(what, 0.0) + seconds

    def arrive(self, clip: int, damaged: bool = False) -> None:
        """Note that a clip has come in."""
        self._unsettled = 0
        self.n_clips = max(self.n_clips, clip + 1)
        (self.damaged if damaged else self.arrived).add(clip)

    def hear_student(
        self, clips: Sequence[int], pixels: Sequence[Tensor], logits: Tensor, z: Tensor | None
    ) -> None:
        """Note what the student said of some clips, and keep the pixels of the best.

        Args:
            clips: Their numbers.
            pixels: Of each, uint8 ``[T, H, W, 3]``.
            logits: ``[b, C]``.
            z: ``[b]``, or None from a student without a confidence head.

        Raises:
            ValueError: If a logit is NaN or infinite, or a score is NaN: ranking would put that
                clip first.
        """
        self._refuse_no_numbers("student", clips, logits)
        self.student.put(clips, logits)
        if z is not None:
            self.confidence.update(zip(clips, z.tolist(), strict=True))
        if not self.ranks:
            return
        scores = self.policy.ranking.weights.score(self._view(clips))[0].tolist()
        self.score.update(zip(clips, scores, strict=True))
        if lost := [clip for clip, score in zip(clips, scores, strict=True) if score != score]:
            raise ValueError(
                f"{self.name}: the student's score of clip {lost[0]} is NaN; find out why"
            )
        self.pixels.update(zip(clips, pixels, strict=True))
        best = sorted(self.pixels, key=lambda clip: (-self.score[clip], clip))
        for clip in best[self.policy.most_clips :]:
            del self.pixels[clip]

    def hear_teacher(self, clip: int, logits: Tensor) -> None:
        """Note what the teacher said of a clip, ``[C]``.

        Raises:
            ValueError: If a logit is NaN or infinite: the video's answer would be.
        """
        self._refuse_no_numbers("teacher", [clip], logits.unsqueeze(0))
        self.teacher.put([clip], logits.unsqueeze(0))

    def _refuse_no_numbers(self, network: str, clips: Sequence[int], logits: Tensor) -> None:
        """As clip tables do."""
        if lost := (~logits.isfinite().all(dim=1)).nonzero().flatten().tolist():
            raise ValueError(
                f"{self.name}: the {network} gave NaN or infinite logits for clip {clips[lost[0]]};"
                " find out why"
            )

    def wanted(self) -> list[int]:
        """Return the clips that the teacher is to see next, of those that it was not asked about.

        Call it when all clips so far have been shown to the student.
        """
        order, n_seen, settled = self.progress()
        if self.policy.stops_early:
            order = [] if settled else order[n_seen : n_seen + 1]
        return [clip for clip in order if clip not in self.asked]

    def progress(self) -> tuple[list[int], int, bool]:
        """Return the teacher's queue, how many clips at its head the answer rests on, if settled.

        These are the fewest that settle it, of those that the teacher has seen: the answer does
        not depend on what the teacher was shown before better clips came in.
        """
        queue = self.queue()
        order = queue[0].argsort(stable=True)[: int(queue_length(queue))].tolist()
        known = next((i for i, clip in enumerate(order) if clip not in self.teacher), len(order))
        if not self.policy.stops_early:
            return order, known, known == len(order)
        view = self.view()
        for n_seen in range(self._unsettled, known + 1):
            if bool(self.policy.is_settled(view, queue, torch.tensor([n_seen]))[0]):
                return order, n_seen, True
            self._unsettled = n_seen + 1
        return order, known, False

    def queue(self) -> Tensor:
        """The teacher's queue over the clips so far, ``[1, N]``; see ``Policy.queue``."""
        if self.ranks:
            return self.policy.queue(self.view(), torch.Generator())
        queue = torch.full((1, self.n_clips), self.n_clips)
        queue[0, sorted(self.arrived)] = torch.arange(len(self.arrived))
        return queue

    def view(self) -> DenseView:
        """The video so far as a clip table shows a video; clips that did not arrive are padding."""
        return self._view(range(self.n_clips))

    def _view(self, clips: Sequence[int]) -> DenseView:
        confidence = torch.tensor([[self.confidence.get(clip, 0.0) for clip in clips]])
        return DenseView(
            video_id=[self.name],
            label=torch.zeros(1, dtype=torch.int64),
            mask=torch.tensor([[clip in self.arrived for clip in clips]]),
            teacher_logits=self.teacher.of(clips).unsqueeze(0),
            student_logits=self.student.of(clips).unsqueeze(0) if self.student.clips else None,
            confidence=confidence if self.confidence else None,
        )
