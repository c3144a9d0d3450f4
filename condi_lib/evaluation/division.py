"""Workload division at every pair of list lengths at once, from a clip table.

The answer of a division is a sum over the teacher's list, plus one over the student's, minus half
of what both say of the clips on both lists: so all pairs of lengths come from three sums per video.
Shapes: V videos, N clips of the longest one, C classes; T = S = N + 1 list lengths, from 0.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from condi_lib.clip_table import ClipTable, DenseView
from condi_lib.evaluation.over_k import VIDEOS_AT_ONCE
from condi_lib.sampling import SAMPLERS, rank_clips

NUMBERS_AT_ONCE = 4_000_000  # so that videos of hundreds of clips need 100 MB at most


@dataclass(frozen=True, eq=False)
class Divisions:
    """What every workload division says of each video.

    Both lists are cut to the video, as in :class:`condi_lib.sampling.Divided`. Place ``[v, t, s]``
    is of the division of which the teacher's list has t clips and the student's s: K = t + s.
    Place ``[v, 0, 0]`` means nothing: no clip is looked at.

    Attributes:
        correct: Whether the most probable class is the label, bool ``[V, T, S]``.
        n_both: Clips on both lists, int16 ``[V, T, S]``.
    """

    correct: NDArray[np.bool_]
    n_both: NDArray[np.int16]


def divide_every_way(source: ClipTable | DenseView, longest: int | None = None) -> Divisions:
    """Return what each division ``Divided(t + s, s)`` with t, s = 0 … N answers on every video.

    Each answer is that of ``decide``, up to rounding where two classes tie.

    Args:
        source: A table or a dense view with logits of both networks and the learned confidence.
        longest: N; None: that of the longest video.

    Raises:
        ValueError: If logits of either network are missing, or a score is missing or NaN.
    """
    longest = _longest(source) if longest is None else longest
    part = source.dense if isinstance(source, ClipTable) else source.videos
    step = max(1, min(VIDEOS_AT_ONCE, NUMBERS_AT_ONCE // (longest + 1) ** 3))
    correct, n_both = [], []
    for first in range(0, source.n_videos, step):
        view = part(first, min(first + step, source.n_videos))
        answered, both = _divide(view, longest)
        correct.append((answered == view.label.reshape(-1, 1, 1)).numpy())
        n_both.append(both.numpy().astype(np.int16))
    return Divisions(np.concatenate(correct), np.concatenate(n_both))


def _longest(source: ClipTable | DenseView) -> int:
    if isinstance(source, ClipTable):
        return int(source.clips["clip_index"].max()) + 1
    return int(source.n_clips.max())


def _divide(view: DenseView, longest: int) -> tuple[Tensor, Tensor]:
    """Predicted class and number of clips on both lists, ``[V, T, S]``."""
    if view.teacher_logits is None or view.student_logits is None:
        raise ValueError("divisions need the logits of both networks; one is missing")
    teacher, student = (
        logits.double().softmax(dim=-1) for logits in (view.teacher_logits, view.student_logits)
    )
    on_first = _on_list("confidence", view, longest)
    on_second = _on_list("student_negative_entropy", view, longest)
    shared = torch.einsum("vtn,vsn,vnc->vtsc", on_first, on_second, (teacher + student) / 2)
    total = (on_first @ teacher).unsqueeze(2) + (on_second @ student).unsqueeze(1) - shared
    both = torch.einsum("vtn,vsn->vts", on_first, on_second)
    return total.argmax(dim=-1), both


def _on_list(sampler: str, view: DenseView, longest: int) -> Tensor:
    """1 where a clip is among the first t of a ranking, float64 ``[V, T, N]``."""
    rank = rank_clips(SAMPLERS[sampler].weights.score(view), view.mask)
    lengths = torch.arange(longest + 1).reshape(1, -1, 1)
    return ((rank.unsqueeze(1) < lengths) & view.mask.unsqueeze(1)).double()
