"""Policies: how a video's clips are shared between teacher and student, and when to stop.

A policy is asked in three steps, on clip tables and in real inference alike, so that both give the
same answer: which clips the teacher is to look at and in which order (``queue``), after each look
whether the answer is settled (``is_settled``), and with which weights the predictions of both
networks then become one (``weights``). It never reads what the teacher says of a clip that the
teacher has not looked at yet.
Shapes: V videos, N clips of the longest one, C classes.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from condi_lib.clip_table import DenseView
from condi_lib.sampling.division import check_division, division_weights
from condi_lib.sampling.samplers import SAMPLERS, RankedBy, Sampler
from condi_lib.sampling.weights import average, confidence_weights, rank_clips


class Policy(ABC):
    """How a video becomes one prediction; frozen, so that equal ones are equal."""

    stops_early = False  # whether it may settle before the teacher has seen the whole queue
    is_random = False

    @property
    @abstractmethod
    def needs_student(self) -> bool:
        """Whether the student must see all clips first."""

    @property
    @abstractmethod
    def needs_confidence(self) -> bool:
        """Whether that student must have a confidence head."""

    @property
    @abstractmethod
    def most_clips(self) -> int | None:
        """The most clips of one video that the teacher may see; None: all."""

    @property
    @abstractmethod
    def ranking(self) -> Sampler | None:
        """The sampler by whose score clips are ranked; None: places are known without one."""

    @abstractmethod
    def queue(self, view: DenseView, generator: torch.Generator) -> Tensor:
        """Return each clip's place in the teacher's queue, from 0; N: it is never looked at.

        Args:
            view: Videos with the student's output; of the teacher's nothing is read.
            generator: Source of random choices.

        Returns:
            int64 ``[V, N]``.
        """

    def is_settled(self, view: DenseView, queue: Tensor, n_seen: Tensor) -> Tensor:
        """Return whether a video's answer stands once the teacher has seen ``n_seen`` clips.

        Args:
            view: Videos with the student's output, and the teacher's where it has looked.
            queue: From :meth:`queue`.
            n_seen: How far the teacher has come in the queue, ``[V]``.

        Returns:
            bool ``[V]``.
        """
        return n_seen >= queue_length(queue)

    @abstractmethod
    def weights(self, view: DenseView, queue: Tensor, n_seen: Tensor) -> tuple[Tensor, Tensor]:
        """Return the weights of the teacher's and of the student's clip predictions.

        Together they sum to 1 in each video; the teacher's are 0 where it has not looked.

        Returns:
            Two of ``[V, N]``; arguments as in :meth:`is_settled`.
        """

    def probabilities(self, view: DenseView, queue: Tensor, n_seen: Tensor) -> Tensor:
        """Return video-level probabilities ``[V, C]``; arguments as in :meth:`is_settled`."""
        teacher, student = self.weights(view, queue, n_seen)
        parts = ((teacher, view.teacher_logits), (student, view.student_logits))
        used = [_weighted(shares, logits) for shares, logits in parts if bool(shares.any())]
        return torch.stack(used).sum(dim=0)


@dataclass(frozen=True)
class Selected(Policy):
    """The teacher classifies the clips that a sampler keeps; its predictions are averaged.

    Attributes:
        sampler: A key of ``SAMPLERS`` that needs no teacher and no label.
        k_clips: How many clips are kept; None, with sampler ``"dense"``: all.
        power: Clips are averaged with weights ``z̃ ** power``; 0 is the plain mean.

    Raises:
        ValueError: If the sampler is unknown or asks for what only the teacher knows; if
            ``k_clips`` does not go with it; if ``power`` is negative.
    """

    sampler: str = "confidence"
    k_clips: int | None = 5
    power: float = 0.0

    def __post_init__(self) -> None:
        check_sampler(self.sampler)
        check_power(self.power)
        if (self.k_clips is None) != (self.sampler == "dense"):
            raise ValueError(
                f"sampler {self.sampler!r} with k_clips {self.k_clips}: all clips are 'dense' with "
                "k_clips None, any other sampler needs a number"
            )
        if self.k_clips is not None and self.k_clips < 1:
            raise ValueError(f"k_clips must be at least 1, got {self.k_clips}")

    @property
    def is_random(self) -> bool:
        """Whether the clips are drawn."""
        return SAMPLERS[self.sampler].is_random

    @property
    def needs_student(self) -> bool:
        """Whether the student must see all clips first."""
        return self.power > 0 or SAMPLERS[self.sampler].costs == "student"

    @property
    def needs_confidence(self) -> bool:
        """Whether that student must have a confidence head."""
        return self.power > 0 or self.sampler == "confidence"

    @property
    def most_clips(self) -> int | None:
        """``k_clips``."""
        return self.k_clips

    @property
    def ranking(self) -> Sampler | None:
        """The sampler if it ranks."""
        return ranking_of(self.sampler)

    def queue(self, view: DenseView, generator: torch.Generator) -> Tensor:
        """See :meth:`Policy.queue`; kept clips in the order of the video."""
        weights = SAMPLERS[self.sampler].weights(view, [self.k_clips or 1], generator)[:, 0]
        kept = weights > 0
        return (kept.cumsum(dim=1) - 1).masked_fill(~kept, kept.shape[1])

    def weights(self, view: DenseView, queue: Tensor, n_seen: Tensor) -> tuple[Tensor, Tensor]:
        """See :meth:`Policy.weights`."""
        shares = confidence_weights(view.confidence, seen_by_teacher(queue, n_seen), self.power)
        return shares, torch.zeros_like(shares)

    def __str__(self) -> str:
        weighted = f", weighted by confidence ** {self.power:g}" if self.power else ""
        if self.k_clips is None:
            return f"dense (all clips){weighted}"
        how = "best by " if ranking_of(self.sampler) else ""
        return f"{self.k_clips} clips, {how}{SAMPLERS[self.sampler].label}{weighted}"


@dataclass(frozen=True)
class Divided(Policy):
    """Workload division: teacher and student classify some clips each (thesis Fig. 3.3).

    The student classifies the ``k_student`` clips of its lowest class entropy, the teacher the
    ``k_clips − k_student`` of highest confidence; a clip on both lists counts once, by the mean.

    Attributes:
        k_clips: Clips on both lists together, K = K_t + K_s.
        k_student: Clips on the student's list, K_s.
        overlap: What becomes of a clip on both lists: see ``sampling.OVERLAPS``.

    Raises:
        ValueError: If not 0 <= k_student <= k_clips >= 1, or ``overlap`` is unknown.
    """

    k_clips: int
    k_student: int
    overlap: str = "mean"
    needs_student = True
    needs_confidence = True

    def __post_init__(self) -> None:
        check_division(self.k_clips, self.k_student, self.overlap)

    @property
    def most_clips(self) -> int:
        """K_t."""
        return self.k_clips - self.k_student

    @property
    def ranking(self) -> Sampler:
        """The learned confidence."""
        return SAMPLERS["confidence"]

    def queue(self, view: DenseView, generator: torch.Generator) -> Tensor:
        """See :meth:`Policy.queue`."""
        return queue_of_best(self.ranking, view, self.most_clips)

    def weights(self, view: DenseView, queue: Tensor, n_seen: Tensor) -> tuple[Tensor, Tensor]:
        """See :meth:`Policy.weights`."""
        return division_weights(
            self.ranking.weights.score(view),
            SAMPLERS["student_negative_entropy"].weights.score(view),
            view.mask,
            self.k_clips,
            self.k_student,
            self.overlap,
        )

    def __str__(self) -> str:
        told = f"{self.most_clips} clips by the teacher, {self.k_student} by the student"
        return told if self.overlap == "mean" else f"{told}, overlap: {self.overlap}"


def queue_length(queue: Tensor) -> Tensor:
    """Return how many clips each video's queue holds, ``[V]``."""
    return (queue < queue.shape[1]).sum(dim=1)


def seen_by_teacher(queue: Tensor, n_seen: Tensor) -> Tensor:
    """Return at which clips the teacher has looked, bool ``[V, N]``."""
    return queue < n_seen.unsqueeze(1)


def queue_of_best(ranking: Sampler, view: DenseView, most: int) -> Tensor:
    """Return places ``[V, N]`` by falling score; from ``most`` on clips are never reached."""
    rank = rank_clips(ranking.weights.score(view), view.mask)
    return rank.masked_fill((rank >= most) | ~view.mask, rank.shape[1])


def _weighted(shares: Tensor, logits: Tensor | None) -> Tensor:
    if logits is None:
        raise ValueError("the policy needs the logits of both networks; one is missing")
    return average(logits.double().softmax(dim=-1), shares.unsqueeze(1)).squeeze(1)


def ranking_of(sampler: str) -> Sampler | None:
    """Return the sampler of this name if it ranks clips by a score, else None."""
    return SAMPLERS[sampler] if isinstance(SAMPLERS[sampler].weights, RankedBy) else None


def check_sampler(name: str) -> None:
    """Raise a ValueError unless it is a sampler that needs no teacher and no label."""
    affordable = [key for key, each in SAMPLERS.items() if each.costs in ("nothing", "student")]
    if name not in affordable:
        why = "needs the teacher on all clips, or the label" if name in SAMPLERS else "is unknown"
        raise ValueError(f"sampler {name!r} {why}; choose from {affordable}")


def check_power(power: float) -> None:
    """Raise a ValueError unless ``power`` is a number of at least 0."""
    if not power >= 0:
        raise ValueError(f"power must be at least 0, got {power}")


DENSE = Selected("dense", None)
