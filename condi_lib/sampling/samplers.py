"""The samplers by name: what each looks at, what that costs, and how it is called on axes.

A new one is a function of a dense view that returns its selection weights or its scores, and one
line in ``SAMPLERS``. Shapes: V videos, N clips of the longest one, K numbers of clips.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from condi_lib.clip_table import DenseView
from condi_lib.confidence import (
    max_logit,
    max_softmax,
    negative_entropy,
    true_class_probability,
)
from condi_lib.sampling.weights import (
    dense_weights,
    equidistant_weights,
    neighbouring_weights,
    random_weights,
    top_k_weights,
)

Cost = Literal["nothing", "student", "teacher", "label"]


@dataclass(frozen=True)
class Sampler:
    """A named way of choosing clips.

    Attributes:
        name: Its key in results.
        label: Its name on axes.
        costs: What must be known of *all* clips before choosing, besides which clips there are:
            ``nothing``, the ``student``'s output, a full ``teacher`` pass, or the ``label``, which
            makes it an upper bound and no method.
        weights: ``weights(view, k_clips, generator)`` returns the selection weights ``[V, K, N]``.
        is_random: Whether it uses the generator, so that several draws are to be averaged.
    """

    name: str
    label: str
    costs: Cost
    weights: Callable[[DenseView, Sequence[int], torch.Generator], Tensor]
    is_random: bool = False


@dataclass(frozen=True)
class RankedBy:
    """The ``weights`` of a sampler that keeps the clips of highest ``score(view) [V, N]``."""

    score: Callable[[DenseView], Tensor]

    def __call__(
        self, view: DenseView, k_clips: Sequence[int], generator: torch.Generator
    ) -> Tensor:
        """Return selection weights ``[V, K, N]``."""
        return top_k_weights(self.score(view), view.mask, k_clips)


def stack(first: Sampler, n_kept: int, second: Sampler) -> Sampler:
    """Return the sampler in which ``first`` keeps ``n_kept`` clips and ``second`` picks from them.

    For a K beyond ``n_kept`` it is ``first`` alone, so dense is met at K = N. For samplers that
    rank it is ``stacked_weights``.
    """

    def weights(view: DenseView, k_clips: Sequence[int], generator: torch.Generator) -> Tensor:
        passed = first.weights(view, [n_kept], generator)[:, 0] > 0
        picked = second.weights(replace(view, mask=passed), k_clips, generator)
        others = first.weights(view, k_clips, generator)
        return torch.where(torch.tensor(list(k_clips)).reshape(-1, 1) <= n_kept, picked, others)

    order: tuple[Cost, ...] = ("nothing", "student", "teacher", "label")
    return Sampler(
        name=f"{first.name}_{n_kept}_{second.name}",
        label=f"{first.label} ({n_kept}), {second.label}",
        costs=max(first.costs, second.costs, key=order.index),
        weights=weights,
        is_random=first.is_random or second.is_random,
    )


def _random(view: DenseView, k_clips: Sequence[int], generator: torch.Generator) -> Tensor:
    return random_weights(view.mask, k_clips, generator)


def _equidistant(view: DenseView, k_clips: Sequence[int], generator: torch.Generator) -> Tensor:
    return equidistant_weights(view.mask, k_clips)


@dataclass(frozen=True)
class SideBySide:
    """The ``weights`` of a sampler that keeps neighbouring clips, as ``neighbouring_weights``."""

    halves: int

    def __call__(
        self, view: DenseView, k_clips: Sequence[int], generator: torch.Generator
    ) -> Tensor:
        """Return selection weights ``[V, K, N]``."""
        return neighbouring_weights(view.mask, k_clips, self.halves)


def _dense(view: DenseView, k_clips: Sequence[int], generator: torch.Generator) -> Tensor:
    return dense_weights(view.mask).expand(-1, len(k_clips), -1)


def _oracle(view: DenseView) -> Tensor:
    return true_class_probability(_needed(view, "teacher_logits"), view.label.unsqueeze(1))


def _teacher_max_softmax(view: DenseView) -> Tensor:
    return max_softmax(_needed(view, "teacher_logits"))


def _teacher_entropy(view: DenseView) -> Tensor:
    return negative_entropy(_needed(view, "teacher_logits"))


def _student_entropy(view: DenseView) -> Tensor:
    return negative_entropy(_needed(view, "student_logits"))


def _student_max_logit(view: DenseView) -> Tensor:
    return max_logit(_needed(view, "student_logits"))


def _confidence(view: DenseView) -> Tensor:
    return _needed(view, "confidence")


def _needed(view: DenseView, field: str) -> Tensor:
    if (values := getattr(view, field)) is None:
        cure = "score the videos with the teacher" if "teacher" in field else "merge a student's"
        raise ValueError(f"the clip table has no {field}; {cure}")
    return values


_ALL = (
    Sampler("random", "random", "nothing", _random, is_random=True),
    Sampler("equidistant", "equidistant", "nothing", _equidistant),
    Sampler("first", "first K", "nothing", SideBySide(0)),
    Sampler("middle", "middle K", "nothing", SideBySide(1)),
    Sampler("last", "last K", "nothing", SideBySide(2)),
    Sampler("dense", "dense", "nothing", _dense),
    Sampler("oracle", "oracle", "label", RankedBy(_oracle)),
    Sampler("teacher_max_softmax", "teacher softmax", "teacher", RankedBy(_teacher_max_softmax)),
    Sampler("teacher_negative_entropy", "teacher entropy", "teacher", RankedBy(_teacher_entropy)),
    Sampler("student_negative_entropy", "student entropy", "student", RankedBy(_student_entropy)),
    Sampler("student_max_logit", "SCSampler saliency", "student", RankedBy(_student_max_logit)),
    Sampler("confidence", "confidence", "student", RankedBy(_confidence)),
)
SAMPLERS: Mapping[str, Sampler] = {sampler.name: sampler for sampler in _ALL}
