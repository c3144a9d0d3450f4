"""How well a score tells what a network knows from what it does not: over clips or over videos.

AUROC and FPR@95TPR with intervals. Videos are the independent units, so they are resampled, those
that are known and those that are not apart; a video that is drawn twice counts twice. All seeds and
scores meet the same resamples, so that differences are paired.
Shapes: S seeds, n items (clips, or whole videos), R resamples.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from condi_lib.statistics import Interval, percentile_interval

Floats = NDArray[np.float64]
_NUMBERS_AT_ONCE = 4_000_000


@dataclass(frozen=True, eq=False)
class Detection:
    """What a score detects.

    Attributes:
        auroc: Probability that something known scores higher than something unknown.
        fpr_at_95_tpr: Share of the unknown above the threshold that 95 % of the known pass.
        resampled: Both on every resample, ``[R, 2]``.
    """

    auroc: Interval
    fpr_at_95_tpr: Interval
    resampled: Floats

    def minus(self, other: "Detection") -> tuple[Interval, Interval]:
        """Both metrics, less those of another score on the same resamples."""
        differences = self.resampled - other.resampled
        pairs = ((self.auroc, other.auroc), (self.fpr_at_95_tpr, other.fpr_at_95_tpr))
        return tuple(
            percentile_interval(ours.value - theirs.value, differences[:, column])
            for column, (ours, theirs) in enumerate(pairs)
        )


def detect(
    scores: ArrayLike,
    known: ArrayLike,
    video_id: ArrayLike,
    n_resamples: int = 1000,
    seed: int = 0,
) -> Detection:
    """Judge a score, the mean over seeds.

    Args:
        scores: Higher where something is more likely known, ``[S, n]``.
        known: Whether it is, ``[n]``; the same for all items of a video.
        video_id: The video of each item, ``[n]``.
        n_resamples: How often videos are drawn with replacement.
        seed: The same seed gives the same resamples.

    Raises:
        ValueError: If shapes disagree, a score is NaN, a video is half known, or there are fewer
            than two videos that are known, or that are not.
    """
    scores, known = np.atleast_2d(np.asarray(scores, float)), np.asarray(known, bool)
    codes = pd.factorize(np.asarray(video_id))[0]
    _check(scores, known, codes)
    values = np.mean([_metrics(row, known, np.ones((1, known.size)))[0] for row in scores], axis=0)
    resampled = np.empty((n_resamples, 2))
    rng = np.random.default_rng(seed)
    step = max(1, _NUMBERS_AT_ONCE // known.size)
    for start in range(0, n_resamples, step):
        chunk = slice(start, min(start + step, n_resamples))
        weights = _draw(known, codes, chunk.stop - start, rng)
        resampled[chunk] = np.mean([_metrics(row, known, weights) for row in scores], axis=0)
    auroc, fpr = (percentile_interval(values[i], resampled[:, i]) for i in range(2))
    return Detection(auroc, fpr, resampled)


def _check(scores: Floats, known: NDArray[np.bool_], codes: NDArray[np.intp]) -> None:
    if scores.shape[1:] != known.shape or codes.shape != known.shape:
        shapes = [list(x.shape) for x in (scores, known, codes)]
        raise ValueError(f"need scores [S, n], known [n] and video_id [n], got {shapes}")
    if np.isnan(scores).any():
        raise ValueError(f"{int(np.isnan(scores).sum())} scores are NaN; find out why")
    videos = pd.Series(known).groupby(codes).agg(["min", "max"])
    if (videos["min"] != videos["max"]).any():
        raise ValueError("a video is known in one item and unknown in another; give one answer")
    counts = int(videos["min"].sum()), int((~videos["min"].astype(bool)).sum())
    if min(counts) < 2:
        raise ValueError(f"need two known and two unknown videos or more, got {counts}")


def _draw(
    known: NDArray[np.bool_], codes: NDArray[np.intp], n: int, rng: np.random.Generator
) -> Floats:
    """How often each item is drawn, ``[n_resamples, n]``."""
    counts = np.zeros((n, codes.max() + 1))
    for group in (known, ~known):
        videos = np.unique(codes[group])
        counts[:, videos] = rng.multinomial(videos.size, np.full(videos.size, 1 / videos.size), n)
    return counts[:, codes]


def _metrics(score: Floats, known: NDArray[np.bool_], weights: Floats) -> Floats:
    """AUROC and FPR@95TPR of weighted items, ``[R, 2]``; ties as in ``condi_lib.metrics``."""
    order = np.argsort(-score, kind="stable")
    first = np.flatnonzero(np.diff(score[order], prepend=np.inf))  # of each distinct score
    positive = np.add.reduceat((weights * known)[:, order], first, axis=1)
    negative = np.add.reduceat((weights * ~known)[:, order], first, axis=1)
    kept, passed = positive.cumsum(axis=1), negative.cumsum(axis=1)
    n_known, n_unknown = kept[:, -1], passed[:, -1]
    below = n_unknown[:, None] - passed + negative / 2
    auroc = (positive * below).sum(axis=1) / (n_known * n_unknown)
    threshold = (100 * kept >= 95 * n_known[:, None] - 1e-6).argmax(axis=1)
    fpr = np.take_along_axis(passed, threshold[:, None], axis=1)[:, 0] / n_unknown
    return np.stack([auroc, fpr], axis=1)
