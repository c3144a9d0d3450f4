"""Results across settings: means and trends over groups of videos, ranks, and how far they agree.

A *setting* is a pair of networks, or a kind of videos, on which the same methods are judged.
Shapes: G settings, M methods, V videos, S seeds, R resamples.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from condi_lib.resampling import draw_videos
from condi_lib.statistics import Interval, bootstrap_mean, percentile_interval

Floats = NDArray[np.float64]


def weighted_sum(
    groups: Sequence[ArrayLike],
    weights: Sequence[float],
    n_resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Return ``sum_g weights[g] · mean(groups[g])`` with its interval.

    Weights 1/G give the mean over groups, (1, -1) a difference, those of :func:`slope_weights` a
    trend. Groups are different videos: each is resampled by itself.

    Args:
        groups: One number per video of each group, ``[V]``, or per seed and video, ``[S, V]``.
        weights: One per group.
        n_resamples: See ``statistics.bootstrap_mean``.
        seed: The same.
        level: The same.

    Raises:
        ValueError: As ``bootstrap_mean``, or if there is not one weight per group.
    """
    if not len(groups) or len(groups) != len(weights):
        raise ValueError(f"need one weight per group, got {len(weights)} for {len(groups)}")
    total, resampled = 0.0, np.zeros(n_resamples)
    for at, (values, weight) in enumerate(zip(groups, weights, strict=True)):
        total += weight * bootstrap_mean(values, 1).value  # also refuses what has no mean
        per_video = np.atleast_2d(np.asarray(values, float)).mean(axis=0)
        for chunk, videos in draw_videos(per_video.size, n_resamples, [seed, at]):
            resampled[chunk] += weight * per_video[videos].mean(axis=1)
    return percentile_interval(total, resampled, level)


def slope_weights(x: ArrayLike) -> Floats:
    """Return the weights ``[G]`` with which values at ``x`` give the least-squares slope over x.

    Example: ``x = [0, 1]`` gives ``[-1, 1]``.

    Raises:
        ValueError: If there are not two different x.
    """
    x = np.asarray(x, float)
    centred = x - x.mean()
    if not np.any(centred):
        raise ValueError(f"a slope needs two different x, got {x.tolist()}")
    return centred / (centred**2).sum()


@dataclass(frozen=True)
class Ranks:
    """How methods rank in each of several settings; 1 is the most accurate.

    Attributes:
        by_setting: ``[G, M]``, equal accuracies share their mean rank.
        mean: Each method's mean rank over the settings, with its interval over videos.
        agreement: Kendall's W: 1 if all settings rank the methods alike, about 1/G if they have
            nothing in common; NaN for a single setting, or where nothing differs.
    """

    by_setting: pd.DataFrame
    mean: dict[str, Interval]
    agreement: Interval


def rank_methods(
    correct: Mapping[str, Mapping[str, ArrayLike]],
    n_resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> Ranks:
    """Rank methods by their accuracy in each setting.

    Settings may share videos, and rank methods alike because of them: video v of each setting is
    drawn together with video v of the others. A setting with fewer videos has the first ones.
    W is never negative, so resamples agree less than the videos do: its interval may lie lower.

    Args:
        correct: By setting, by method: whether each video is right, ``[V]`` or ``[S, V]``; the
            same methods in every setting.
        n_resamples: See ``statistics.bootstrap_mean``.
        seed: The same.
        level: The same.

    Raises:
        ValueError: If there is no setting, or settings differ in their methods.
    """
    methods = list(next(iter(correct.values()), ()))
    if not methods or any(set(of) != set(methods) for of in correct.values()):
        raise ValueError(f"need the same methods in every setting, got {_names(correct)}")
    per_video = [_stacked(of, methods) for of in correct.values()]
    measured = _ranks(np.stack([values.mean(axis=1) for values in per_video])[None])
    resampled = _resampled_ranks(per_video, n_resamples, seed)
    means, drawn = measured.mean(axis=1)[0], resampled.mean(axis=1)
    return Ranks(
        pd.DataFrame(measured[0], list(correct), methods),
        {
            m: percentile_interval(float(means[i]), drawn[:, i], level)
            for i, m in enumerate(methods)
        },
        percentile_interval(float(concordance(measured)[0]), concordance(resampled), level),
    )


def concordance(ranks: ArrayLike) -> Floats:
    """Return Kendall's W of ``[..., G, M]`` ranks, ``[...]``, corrected for ties.

    The spread of the methods' rank sums, as a share of the spread that full agreement would give.
    """
    ranks = np.asarray(ranks, float)
    centred = ranks - ranks.mean(axis=-1, keepdims=True)
    n_settings = ranks.shape[-2]
    spread = (centred.sum(axis=-2) ** 2).sum(axis=-1)
    most = n_settings * (centred**2).sum(axis=(-1, -2))
    defined = (most > 0) & (n_settings > 1)
    return np.divide(spread, most, out=np.full(np.shape(most), np.nan), where=defined)


def _names(correct: Mapping[str, Mapping[str, ArrayLike]]) -> dict[str, list[str]]:
    return {setting: list(of) for setting, of in correct.items()}


def _stacked(of_setting: Mapping[str, ArrayLike], methods: list[str]) -> Floats:
    """``[M, V]``, the mean over seeds."""
    rows = [np.atleast_2d(np.asarray(of_setting[m], float)).mean(axis=0) for m in methods]
    return np.stack(rows)


def _resampled_ranks(per_video: list[Floats], n_resamples: int, seed: int) -> Floats:
    """Ranks in each resample, ``[R, G, M]``."""
    n_videos = max(values.shape[1] for values in per_video)
    accuracy = np.empty((n_resamples, len(per_video), len(per_video[0])))
    for chunk, videos in draw_videos(n_videos, n_resamples, seed):
        for at, values in enumerate(per_video):
            inside = videos < values.shape[1]
            which, counts = np.where(inside, videos, 0), inside.sum(axis=1)
            for method, row in enumerate(values):
                sums = np.where(inside, row[which], 0).sum(axis=1)
                accuracy[chunk, at, method] = sums / np.maximum(counts, 1)
    return _ranks(accuracy)


def _ranks(accuracy: Floats) -> Floats:
    from scipy.stats import rankdata  # slow to import

    return rankdata(-accuracy.round(9), axis=-1)  # equal sums may round apart
