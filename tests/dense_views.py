"""Dense views of random clips, and the little mathematics of loops that check what is done to them.

The loops know lists and float64 only: no masks, no padding, no tensors.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from condi_lib.clip_table import DenseView

COUNTS = (5, 1, 7, 7, 2, 4)  # ragged: clips of each video


def mask_of(counts: Sequence[int]) -> torch.Tensor:
    """True where a video has such a clip, ``[V, N]``."""
    return torch.arange(max(counts)) < torch.tensor(counts).unsqueeze(1)


def random_view(
    counts: Sequence[int] = COUNTS,
    n_classes: int = 4,
    seed: int = 0,
    confidence: Callable[..., torch.Tensor] = torch.rand,
) -> DenseView:
    """Random logits and confidences; the padding of the latter is NaN, which must never be read."""
    generator = torch.Generator().manual_seed(seed)
    mask = mask_of(counts)
    logits = 3 * torch.randn(2, *mask.shape, n_classes, generator=generator)
    scores = confidence(mask.shape, generator=generator)
    return DenseView(
        video_id=[f"v{v}" for v in range(len(counts))],
        label=torch.randint(n_classes, (len(counts),), generator=generator),
        mask=mask,
        teacher_logits=logits[0].masked_fill(~mask.unsqueeze(-1), 0),
        student_logits=logits[1].masked_fill(~mask.unsqueeze(-1), 0),
        confidence=scores.masked_fill(~mask, math.nan),
    )


def softmax(logits: NDArray) -> NDArray[np.float64]:
    """The softmax of one clip."""
    exp = np.exp(np.asarray(logits, np.float64) - np.max(logits))
    return exp / exp.sum()


def best_by_loop(scores: Sequence[float], k: int) -> list[int]:
    """The positions of the k highest scores; of equal ones the earlier."""
    return sorted(range(len(scores)), key=lambda n: -scores[n])[:k]
