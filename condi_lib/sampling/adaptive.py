"""Adaptive inference: the teacher looks at clips one by one until the answer is settled.

Shapes: V videos, N clips of the longest one, C classes.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from condi_lib.clip_table import DenseView
from condi_lib.sampling.policies import (
    Policy,
    check_power,
    check_sampler,
    queue_of_best,
    ranking_of,
    seen_by_teacher,
)
from condi_lib.sampling.samplers import SAMPLERS, Sampler
from condi_lib.sampling.weights import confidence_weights


@dataclass(frozen=True)
class Adaptive(Policy):
    """The teacher looks at clips, most promising first, until the answer is settled.

    All clips count, with weights ``w = z̃ ** power``: by the teacher's prediction where it has
    looked, by the student's elsewhere, which has been paid for. The answer is settled when the
    leading class is ahead of the next by ``threshold`` times the weight that the teacher has not
    looked at but might. Replacing the student's prediction of a clip by the teacher's can cost the
    leader at most ``2 w``, so from 2 on no later clip could put another class ahead: the answer is
    that of looking at all ``max_clips`` clips, up to ties. At 0 the student answers alone.

    Attributes:
        threshold: At least 0; see :func:`condi_lib.evaluation.choose_adaptive`.
        max_clips: The most clips that the teacher looks at in one video.
        power: How much more a confident clip counts.
        sampler: Whose score orders the clips.

    Raises:
        ValueError: If a field is out of range, or the sampler does not rank by the student.
    """

    threshold: float
    max_clips: int = 10
    power: float = 8.0
    sampler: str = "confidence"
    needs_student = True
    stops_early = True

    def __post_init__(self) -> None:
        check_sampler(self.sampler)
        check_power(self.power)
        if ranking_of(self.sampler) is None:
            raise ValueError(f"sampler {self.sampler!r} does not rank clips; take one that does")
        if not self.threshold >= 0:
            raise ValueError(f"threshold must be at least 0, got {self.threshold}")
        if self.max_clips < 1:
            raise ValueError(f"max_clips must be at least 1, got {self.max_clips}")

    @property
    def needs_confidence(self) -> bool:
        """Whether the student must have a confidence head."""
        return self.power > 0 or self.sampler == "confidence"

    @property
    def most_clips(self) -> int:
        """``max_clips``."""
        return self.max_clips

    @property
    def ranking(self) -> Sampler:
        """The sampler."""
        return SAMPLERS[self.sampler]

    def queue(self, view: DenseView, generator: torch.Generator) -> Tensor:
        """See :meth:`Policy.queue`."""
        return queue_of_best(self.ranking, view, self.max_clips)

    def is_settled(self, view: DenseView, queue: Tensor, n_seen: Tensor) -> Tensor:
        """See :meth:`Policy.is_settled`."""
        return self.certainty(view, queue, n_seen) >= self.threshold

    def certainty(self, view: DenseView, queue: Tensor, n_seen: Tensor) -> Tensor:
        """Return the leader's lead in units of the weight not looked at, ``[V]``; inf at the end.

        Arguments as in :meth:`Policy.is_settled`.
        """
        waiting = (queue >= n_seen.unsqueeze(1)) & (queue < queue.shape[1])
        shares = confidence_weights(view.confidence, view.mask, self.power)
        open_share = (shares * waiting).sum(dim=1)
        lead = _lead(self.probabilities(view, queue, n_seen))
        return torch.where(waiting.any(dim=1) & (open_share > 0), lead / open_share, torch.inf)

    def weights(self, view: DenseView, queue: Tensor, n_seen: Tensor) -> tuple[Tensor, Tensor]:
        """See :meth:`Policy.weights`."""
        shares = confidence_weights(view.confidence, view.mask, self.power)
        seen = seen_by_teacher(queue, n_seen)
        return shares * seen, shares * ~seen

    def __str__(self) -> str:
        most = f"at most {self.max_clips} clips, best by {self.ranking.label}"
        weighted = f", weighted by confidence ** {self.power:g}" if self.power else ""
        return f"adaptive, threshold {self.threshold:.3g}, {most}{weighted}"


def _lead(probs: Tensor) -> Tensor:
    """By how much the best class leads the next, ``[V]``; a single class leads by all it has."""
    best = probs.double().topk(min(2, probs.shape[1]), dim=1).values
    return best[:, 0] - best[:, 1:].sum(dim=1)
