"""Selection weights: which clips of a video are kept, and how they become one prediction.

Every way of choosing is a tensor of *selection weights* ``[V, K, N]``: row k says with which
weight each clip enters the average when ``k_clips[k]`` clips are kept. A row sums to 1, padded
clips weigh 0, and a video with fewer clips keeps all it has, so that every method meets dense
averaging, with the very same weights, at K = N.
Shapes: V videos, N clips of the longest one, K numbers of clips, C classes. ``mask [V, N]`` is
True where a clip exists. Every confidence is higher where a clip is to be preferred.
"""

from collections.abc import Sequence

import torch
from torch import Tensor


def rank_clips(confidence: Tensor, mask: Tensor) -> Tensor:
    """Return each clip's place in its video: 0 is the most confident, padding comes last.

    Ties keep the earlier clip in front.

    Args:
        confidence: One score per clip, ``[V, N]``; padding may hold anything.
        mask: ``[V, N]``.

    Returns:
        Ranks 0 … N − 1, int64 ``[V, N]``.

    Raises:
        ValueError: If shapes disagree or the score of a clip is NaN.
    """
    if confidence.ndim != 2 or confidence.shape != mask.shape:
        shapes = f"{list(confidence.shape)} and {list(mask.shape)}"
        raise ValueError(f"need confidence [V, N] and mask [V, N], got {shapes}")
    if (lost := confidence.isnan() & mask).any():  # a sort would put NaN first
        video, clip = lost.nonzero()[0].tolist()
        problem = f"confidence of clip {clip} of video {video} is NaN ({int(lost.sum())} in all)"
        raise ValueError(f"{problem}; find out why its network gave none")
    best_first = confidence.masked_fill(~mask, 0).argsort(dim=1, descending=True, stable=True)
    padding = ~mask.gather(1, best_first)  # moved to the end even behind clips of score -inf
    order = best_first.gather(1, padding.to(torch.int8).argsort(dim=1, stable=True))
    places = torch.arange(mask.shape[1]).expand(order.shape)
    return torch.empty_like(order).scatter_(1, order, places)


def top_k_weights(confidence: Tensor, mask: Tensor, k_clips: Sequence[int]) -> Tensor:
    """Return weights ``[V, K, N]`` that average the ``k_clips[k]`` most confident clips.

    Example: confidence ``[[.2, .9, .5]]`` with ``k_clips=[1, 2]`` gives ``[[[0, 1, 0],
    [0, .5, .5]]]``.

    Raises:
        ValueError: As ``rank_clips``; if a K is below 1 or a video has no clips.
    """
    return _weights_of_first(rank_clips(confidence, mask), mask, k_clips)


def random_weights(mask: Tensor, k_clips: Sequence[int], generator: torch.Generator) -> Tensor:
    """Return weights ``[V, K, N]`` of one draw without replacement per video.

    The clips of a smaller K are among those of a larger one, so a single draw serves all K.
    """
    shuffled = torch.rand(mask.shape, generator=generator, dtype=torch.float64)
    return top_k_weights(shuffled, mask, k_clips)


def equidistant_weights(mask: Tensor, k_clips: Sequence[int]) -> Tensor:
    """Return weights ``[V, K, N]`` of clips ``floor((j + ½) N_v / K)``, j = 0 … K − 1.

    These are the middles of K equal stretches of the video; K = 1 is its middle clip.
    """
    n_kept = clips_kept(mask, k_clips)
    n_clips = mask.sum(dim=1).reshape(-1, 1, 1)
    position = (mask.cumsum(dim=1) - 1).unsqueeze(1)

    def chosen_before(end: Tensor) -> Tensor:
        # floor((j + ½) N / K) < end  <=>  j < end K / N − ½: as many j as its ceiling, exactly
        return -((n_clips - 2 * end * n_kept) // (2 * n_clips))

    kept = chosen_before(position + 1) > chosen_before(position)
    return (kept & mask.unsqueeze(1)) / n_kept


def neighbouring_weights(mask: Tensor, k_clips: Sequence[int], halves: int) -> Tensor:
    """Return weights ``[V, K, N]`` of K clips side by side.

    Args:
        mask: ``[V, N]``.
        k_clips: Numbers of clips.
        halves: Where they stand: 0 at the video's beginning, 1 in its middle (of two equally
            central places the earlier), 2 at its end.
    """
    n_kept = clips_kept(mask, k_clips)
    start = (mask.sum(dim=1).reshape(-1, 1, 1) - n_kept) * halves // 2
    position = (mask.cumsum(dim=1) - 1).unsqueeze(1)
    kept = (position >= start) & (position < start + n_kept)
    return (kept & mask.unsqueeze(1)) / n_kept


def dense_weights(mask: Tensor) -> Tensor:
    """Return weights ``[V, 1, N]`` that average all clips of each video."""
    return mask.unsqueeze(1) / clips_kept(mask, [mask.shape[1]])


def stacked_weights(
    first_confidence: Tensor,
    n_kept: int,
    second_confidence: Tensor,
    mask: Tensor,
    k_clips: Sequence[int],
) -> Tensor:
    """Return weights ``[V, K, N]`` of two samplers in a row: one narrows, the next picks.

    The ``n_kept`` clips of highest ``first_confidence`` are ranked by ``second_confidence``. For a
    K beyond ``n_kept`` the others follow in the first one's order, so dense is met at K = N. The
    second score is read, and must not be NaN, only where a clip passed the first.

    Args:
        first_confidence: ``[V, N]``. Any sampler's weights at K = ``n_kept`` serve as well.
        n_kept: Clips that pass the first sampler, at least 1.
        second_confidence: ``[V, N]``.
        mask: ``[V, N]``.
        k_clips: Numbers of clips that are kept in the end.
    """
    if n_kept < 1:
        raise ValueError(f"n_kept must be at least 1, got {n_kept}")
    rank = rank_clips(first_confidence, mask)
    passed = (rank < n_kept) & mask
    rank = torch.where(passed, rank_clips(second_confidence, passed), rank)
    return _weights_of_first(rank, mask, k_clips)


def confidence_weights(confidence: Tensor | None, among: Tensor, power: float) -> Tensor:
    """Return weights ``[V, N]`` proportional to ``confidence ** power``, summing to 1 in a video.

    Confidences are divided by the video's highest first, so that no power underflows. Where all
    are 0 they count alike.

    Args:
        confidence: In ``[0, 1]``, ``[V, N]``; with power 0 it is not read.
        among: Clips that may have weight, bool ``[V, N]``; at least one in each video.
        power: At least 0; 0 gives equal weights.

    Raises:
        ValueError: If there are no confidences, or one is NaN or not in ``[0, 1]``.
    """
    if power == 0:
        return among / among.sum(dim=1, keepdim=True).double()
    if confidence is None:
        raise ValueError("weights by confidence need a student with a confidence head")
    kept = confidence.double().masked_fill(~among, 0)
    if not bool(((kept >= 0) & (kept <= 1)).all()):
        raise ValueError("weights by confidence need confidences in [0, 1], and none that is NaN")
    highest = kept.amax(dim=1, keepdim=True)
    powers = torch.where(highest > 0, kept / highest, 1.0).pow(power) * among
    return powers / powers.sum(dim=1, keepdim=True)


def average(probs: Tensor, weights: Tensor) -> Tensor:
    """Return the video-level probabilities ``[V, K, C]`` of clip-level ``probs [V, N, C]``."""
    return weights.to(probs.dtype) @ probs


def clips_kept(mask: Tensor, k_clips: Sequence[int]) -> Tensor:
    """Return how many clips each video keeps for each K, ``min(K, N_v)``, int64 ``[V, K, 1]``."""
    if not len(k_clips) or min(k_clips) < 1:
        raise ValueError(f"k_clips must name numbers of clips of at least 1, got {list(k_clips)}")
    n_clips = mask.sum(dim=1)
    if not n_clips.all():
        raise ValueError(f"video {int(n_clips.argmin())} has no clips; leave it out")
    wanted = torch.tensor(list(k_clips))
    return torch.minimum(wanted, n_clips.unsqueeze(1)).unsqueeze(-1)


def _weights_of_first(rank: Tensor, mask: Tensor, k_clips: Sequence[int]) -> Tensor:
    n_kept = clips_kept(mask, k_clips)
    return (rank.unsqueeze(1) < n_kept) / n_kept  # padding ranks behind all that are kept
