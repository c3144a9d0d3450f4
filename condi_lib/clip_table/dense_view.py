"""The dense view: clip-table rows as padded ``[V, N, C]`` tensors with a mask.

Shapes: R clips (rows), V videos, N clips of the longest video, C classes.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from torch import Tensor


@dataclass(frozen=True, eq=False)
class DenseView:
    """Videos as padded tensors on the CPU; padding is False in ``mask`` and 0 elsewhere.

    Attributes:
        video_id: Name of each video, V of them.
        label: True class, int64 ``[V]``.
        mask: True where the video has such a clip, bool ``[V, N]``.
        teacher_logits: ``[V, N, C]`` or None.
        student_logits: ``[V, N, C]`` or None.
        confidence: The student's learned confidence, higher = more likely that the teacher is
            right, ``[V, N]`` or None.
        truth: What each clip really shows (text), numpy ``[V, N]`` or None; padding is ``""``.
    """

    video_id: list[str]
    label: Tensor
    mask: Tensor
    teacher_logits: Tensor | None = None
    student_logits: Tensor | None = None
    confidence: Tensor | None = None
    truth: np.ndarray | None = None

    @property
    def n_videos(self) -> int:
        """Return V."""
        return len(self.label)

    @property
    def n_clips(self) -> Tensor:
        """Return the number of clips of each video, int64 ``[V]``."""
        return self.mask.sum(dim=1)

    def videos(self, first: int, last: int | None = None) -> "DenseView":
        """Return videos ``first`` to ``last`` (excluded; None: all the rest), without a copy.

        They are padded to the longest of *these* videos, as ``ClipTable.dense`` would do.
        """
        mask = self.mask[first:last]
        width = int(mask.any(dim=0).nonzero().max()) + 1

        def cut(values: Tensor | np.ndarray | None) -> Tensor | np.ndarray | None:
            return None if values is None else values[first:last, :width]

        return DenseView(
            video_id=self.video_id[first:last],
            label=self.label[first:last],
            mask=mask[:, :width],
            teacher_logits=cut(self.teacher_logits),
            student_logits=cut(self.student_logits),
            confidence=cut(self.confidence),
            truth=cut(self.truth),
        )


def fold(values: Tensor, mask: Tensor) -> Tensor:
    """Return rows ``[R, ...]`` as videos ``[V, N, ...]``: a view if nothing needs padding."""
    shape = (*mask.shape, *values.shape[1:])
    if len(values) == mask.numel():
        return values.reshape(shape)
    padded = values.new_zeros(shape)
    padded[mask] = values
    return padded


def fold_text(values: pd.Series, mask: np.ndarray) -> np.ndarray:
    """Return texts ``[R]`` as an object array ``[V, N]``, padded with ``""``."""
    padded = np.full(mask.shape, "", dtype=object)
    padded[mask] = values.to_numpy(dtype=object)
    return padded
