"""Official folds laid end to end: which video and which fold each place of an array is.

Data sets with official folds are reported as the mean over the folds. Folds may test different
numbers of videos, and some videos more than once (HMDB-51), so neither is this the mean over all
places, nor are the places independent.
Shapes: V places (videos of fold 1, then of fold 2, ...), U different videos, F folds, S seeds.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from condi_lib.statistics import Interval, bootstrap_fold_mean, bootstrap_mean


@dataclass(frozen=True, eq=False)
class Folds:
    """Which video and which fold each place is.

    Attributes:
        video: Number of the video, from 0, int64 ``[V]``.
        fold: Number of the fold, from 0, int64 ``[V]``.
    """

    video: NDArray[np.int64]
    fold: NDArray[np.int64]

    @classmethod
    def of(cls, video_ids: Sequence[Sequence[str]]) -> "Folds":
        """From the ids of the videos of each fold, in order."""
        lengths = [len(ids) for ids in video_ids]
        video = pd.factorize(np.concatenate([np.asarray(ids, object) for ids in video_ids]))[0]
        return cls(video.astype(np.int64), np.repeat(np.arange(len(lengths)), lengths))

    @property
    def n_videos(self) -> int:
        """How many different videos there are."""
        return int(self.video.max()) + 1

    def means(self, values: NDArray) -> NDArray[np.float64]:
        """Mean over the videos of each fold: ``[..., V]`` to ``[..., F]``."""
        parts = [values[..., self.fold == f] for f in range(int(self.fold.max()) + 1)]
        return np.stack([part.mean(axis=-1, dtype=float) for part in parts], axis=-1)

    def interval(
        self, values: NDArray, n_resamples: int = 2000, seed: int = 0, level: float = 0.95
    ) -> Interval:
        """Mean over folds with its interval; ``[V]`` or ``[S, V]``, seeds are averaged first."""
        values = np.atleast_2d(values).mean(axis=0, dtype=float)
        table = np.full((self.n_videos, int(self.fold.max()) + 1), np.nan)
        table[self.video, self.fold] = values
        return bootstrap_fold_mean(table, n_resamples, seed, level)

    def by_video(self, values: NDArray) -> NDArray[np.float64]:
        """What each video adds to the mean over folds, times U: ``[..., V]`` to ``[..., U]``.

        Its mean over videos is the mean over folds.
        """
        weight = 1 / np.bincount(self.fold)[self.fold] / (int(self.fold.max()) + 1)
        added = np.zeros((*values.shape[:-1], self.n_videos))
        np.add.at(added, (..., self.video), values * weight)
        return added * self.n_videos


def mean_interval(values: NDArray, folds: Folds | None = None) -> Interval:
    """Mean over videos with its interval; over folds where these are official.

    Args:
        values: ``[V]`` or ``[S, V]``; seeds are averaged first.
        folds: Which video and fold each place is; None: places are videos.
    """
    return bootstrap_mean(values) if folds is None else folds.interval(values)


def mean_value(values: NDArray, folds: Folds | None = None) -> float:
    """The mean of :func:`mean_interval` without its interval, which takes no time."""
    return float(values.mean() if folds is None else folds.means(values).mean())


def paired_interval(a: NDArray, b: NDArray, folds: Folds | None = None) -> Interval:
    """Mean of ``a - b`` with its interval, paired by video; see :func:`mean_interval`."""
    difference = np.atleast_2d(a).mean(axis=0, dtype=float) - np.atleast_2d(b).mean(
        axis=0, dtype=float
    )
    return mean_interval(difference, folds)
