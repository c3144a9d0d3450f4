"""How sure a result is: intervals by resampling videos, and paired tests over videos or seeds.

Videos are the independent units; clips of one video are not. So videos are resampled, never clips,
and two methods are compared on the same videos. Seeds (rows of ``[S, V]``) are averaged first: the
interval then says how far the result would move with other *videos* for these trained networks;
``paired_t_over_seeds`` says how far it would move with other training runs.

Shapes: V videos, S seeds, n clips.
"""

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from condi_lib.resampling import chunks_of, count_videos, draw_videos

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """An estimate with its confidence interval, as fractions.

    Formats all three numbers alike: ``f"{interval:.1%}"`` (also ``str``) gives
    ``62.8 % [60.1, 65.4]``, ``f"{interval:+.2f}"`` gives ``+0.03 [-0.01, +0.06]``.
    """

    value: float
    low: float
    high: float

    def texts(self, spec: str = ".1%") -> tuple[str, str, str]:
        """Estimate and both ends as text, by a number's format; ``%`` scales and adds no sign.

        The same digits as in ``f"{interval:{spec}}"``, for tables and figures that set them apart.
        """
        percent = spec.endswith("%")
        number = spec[:-1] + "f" if percent else spec
        # A tie such as 1.25 may lie a last digit beside it, on one machine above, on another below.
        numbers = (round(100 * x if percent else x, 10) for x in (self.value, self.low, self.high))
        value, low, high = (_plain(x, number) for x in numbers)
        return value, low, high

    def __format__(self, spec: str) -> str:
        value, low, high = self.texts(spec or ".1%")
        unit = " %" if not spec or spec.endswith("%") else ""
        return f"{value}{unit} [{low}, {high}]"

    def __str__(self) -> str:
        return format(self)

    def excludes(self, number: float = 0.0) -> bool:
        """Whether ``number`` lies outside; False where the interval is not defined (NaN)."""
        return number < self.low or number > self.high


class PairedTest(NamedTuple):
    """A mean difference with its interval, and the two-sided p-value of no difference."""

    difference: Interval
    p_value: float


def mean_and_range(values: ArrayLike) -> Interval:
    """The mean of a few values, from the smallest to the largest; all NaN where there is none.

    It says how far trainings or settings differ; it is no confidence interval.
    """
    values = np.asarray(values, dtype=float)
    if not values.size:
        return Interval(math.nan, math.nan, math.nan)
    return Interval(float(values.mean()), float(values.min()), float(values.max()))


def bootstrap_mean(
    values: ArrayLike, n_resamples: int = 2000, seed: int = 0, level: float = 0.95
) -> Interval:
    """Return the mean over videos with its percentile bootstrap interval.

    Example: ``bootstrap_mean(correct)`` of one bool per video is the video accuracy.

    Args:
        values: One number per video, ``[V]``, or per seed and video, ``[S, V]``.
        n_resamples: How often V videos are drawn with replacement.
        seed: The same seed gives the same interval.
        level: The share of such intervals that should contain the truth.

    Raises:
        ValueError: If there are fewer than 2 videos or a value is NaN or infinite.
    """
    per_video = _per_video(values, "values")
    return bootstrap_means(per_video[:, None], n_resamples, seed, level)[0]


def bootstrap_means(
    values: ArrayLike, n_resamples: int = 2000, seed: int = 0, level: float = 0.95
) -> list[Interval]:
    """Return what ``bootstrap_mean`` says of each of M columns, ``[V, M]``, in one go.

    Raises:
        ValueError: As ``bootstrap_mean``.
    """
    values = np.asarray(values, dtype=float)
    for column in values.T:
        _per_video(column, "values")
    means = np.empty((n_resamples, values.shape[1]))
    for chunk, counts in count_videos(len(values), n_resamples, seed):
        means[chunk] = counts @ values / len(values)
    columns = zip(values.T, means.T, strict=True)
    return [percentile_interval(float(own.mean()), drawn, level) for own, drawn in columns]


def bootstrap_difference(
    a: ArrayLike, b: ArrayLike, n_resamples: int = 2000, seed: int = 0, level: float = 0.95
) -> Interval:
    """Return the mean of ``a - b`` over videos with its interval, paired by video.

    Both are ``[V]`` or ``[S, V]`` over the same videos in the same order; the numbers of seeds may
    differ. Pairing removes what makes a video hard for both, so this is the interval to quote for
    a comparison, not the overlap of two separate ones.

    Raises:
        ValueError: As ``bootstrap_mean``, or if the numbers of videos differ.
    """
    return bootstrap_mean(_paired_by_video(a, b), n_resamples, seed, level)


def bootstrap_fold_mean(
    values: ArrayLike, n_resamples: int = 2000, seed: int = 0, level: float = 0.95
) -> Interval:
    """Return the mean over folds of each fold's mean over its videos, with its interval.

    For folds that test different numbers of videos, or some videos more than once. Whole videos
    are resampled, with what every fold says of them, so that a video in two folds does not count
    as two; each resample gives every fold a mean over the draws that it contains. With one fold
    this is ``bootstrap_mean``, to the last digit.

    Args:
        values: One number per video and fold, ``[V, F]``; NaN where the fold does not test the
            video.
        n_resamples: How often V videos are drawn with replacement.
        seed: The same seed gives the same interval.
        level: The share of such intervals that should contain the truth.

    Raises:
        ValueError: If there are fewer than 2 videos, a fold has none, or a video is in no fold.
    """
    values = np.asarray(values, dtype=float)
    if values.ndim != 2 or len(values) < 2 or np.isinf(values).any():
        raise ValueError(f"values must be finite, [V, F] with V >= 2, got {list(values.shape)}")
    inside = ~np.isnan(values)
    for axis, what in ((0, "fold"), (1, "video")):
        if not (filled := inside.any(axis=axis)).all():
            raise ValueError(f"{what} {int(filled.argmin())} has no value")
    filled = np.where(inside, values, 0)
    means = np.empty(n_resamples)
    for chunk, counts in count_videos(len(values), n_resamples, seed):
        with np.errstate(invalid="ignore"):  # a fold that a resample misses: NaN, left out below
            means[chunk] = (counts @ filled / (counts @ inside)).mean(axis=1)
    return percentile_interval(float(np.nanmean(values, axis=0).mean()), means, level)


def bootstrap_metric(
    metric: Callable[..., float],
    confidence: ArrayLike,
    correct: ArrayLike,
    video_id: ArrayLike,
    n_resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Return a metric over clips with its percentile interval, by resampling whole videos.

    The metric is recomputed on every resample, in which a video drawn twice is two videos.

    Args:
        metric: ``metric(confidence, correct)``, or with a third parameter called ``video_id``,
            such as those of ``condi_lib.metrics``.
        confidence: One score per clip, ``[n]``.
        correct: Whether each clip is classified correctly, ``[n]``.
        video_id: The video of each clip, ``[n]``, in any order.
        n_resamples: How often V videos are drawn with replacement.
        seed: The same seed gives the same interval.
        level: The share of such intervals that should contain the truth.

    Returns:
        The metric on all clips and its interval. The interval is NaN where the metric is undefined
        (NaN) on more than 5 % of the resamples: too few videos have errors to say anything;
        fewer such resamples are left out.

    Raises:
        ValueError: If there are fewer than 2 videos, shapes disagree or the metric objects.
    """
    confidence, correct = np.asarray(confidence), np.asarray(correct)
    codes, start, length = _rows_by_video(video_id, confidence, correct)
    order = np.argsort(codes, kind="stable")
    takes_video = "video_id" in inspect.signature(metric).parameters

    def measure(videos: NDArray[np.intp]) -> float:
        row_of, drawn_as = _concatenated_rows(start[videos], length[videos])
        rows = order[row_of]
        return metric(confidence[rows], correct[rows], *([drawn_as] if takes_video else []))

    resampled = np.empty(n_resamples)
    for chunk, draws in draw_videos(start.size, n_resamples, seed):
        resampled[chunk] = [measure(videos) for videos in draws]
    return percentile_interval(float(measure(np.arange(start.size))), resampled, level)


def paired_permutation_test(
    a: ArrayLike, b: ArrayLike, n_resamples: int = 9999, seed: int = 0
) -> float:
    """Return the two-sided p-value of "a and b are exchangeable in every video".

    The sign of each video's difference is flipped at random and the mean difference compared. All
    flips are tried if they number at most ``n_resamples``; else that many are drawn and p is
    ``(1 + at least as extreme) / (1 + drawn)``, so never 0. Videos without a difference play no
    part; if there are no others, p is 1.

    Args:
        a: ``[V]`` or ``[S, V]``; seeds are averaged first.
        b: The same videos in the same order.
        n_resamples: How many flips are tried at most.
        seed: The same seed gives the same p-value.

    Raises:
        ValueError: As ``bootstrap_difference``.
    """
    difference = _paired_by_video(a, b)
    difference = difference[difference != 0]
    observed = abs(difference.sum()) - 1e-9 * np.abs(difference).sum()  # equal sums may round apart
    if 2**difference.size <= n_resamples:
        flips = np.arange(2**difference.size)[:, None] >> np.arange(difference.size) & 1
        return float(np.mean(np.abs((2 * flips - 1) @ difference) >= observed))
    rng = np.random.default_rng(seed)
    n_extreme = 0
    for chunk in chunks_of(n_resamples, difference.size):
        flips = rng.integers(2, size=(chunk.stop - chunk.start, difference.size), dtype=np.int8)
        n_extreme += int((np.abs((2 * flips - 1) @ difference) >= observed).sum())
    return (1 + n_extreme) / (1 + n_resamples)


def paired_t_over_seeds(a: ArrayLike, b: ArrayLike, level: float = 0.95) -> PairedTest:
    """Compare two methods over training runs that share their seeds: the paired t-test.

    Args:
        a: One result per seed, ``[S]``, such as a video accuracy.
        b: The same for the other method, seed by seed.
        level: Of the t-interval for the mean of ``a - b``.

    Returns:
        The mean difference with its interval, and p. If all differences are equal the interval has
        no width and p is 0 (1 if they are all 0).

    Raises:
        ValueError: If there are fewer than 2 seeds, shapes disagree or a result is not finite.
    """
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if a.ndim != 1 or a.shape != b.shape or a.size < 2:
        shapes = f"{list(a.shape)} and {list(b.shape)}"
        raise ValueError(f"need one result per seed, [S] and [S] with S >= 2, got {shapes}")
    if not np.isfinite(a - b).all():
        raise ValueError(f"the results of seed {int(np.isfinite(a - b).argmin())} are not finite")
    mean = float(np.mean(a - b))
    if np.allclose(a - b, mean, rtol=0, atol=1e-12):
        return PairedTest(Interval(mean, mean, mean), float(abs(mean) <= 1e-12))
    from scipy import stats  # here, as it takes a second that whoever needs no test would wait for

    test = stats.ttest_rel(a, b)
    low, high = test.confidence_interval(level)
    return PairedTest(Interval(mean, float(low), float(high)), float(test.pvalue))


def _plain(number: float, spec: str) -> str:
    """Format a number, but never as -0.0."""
    text = format(number, spec)
    return format(0.0, spec) if float(text) == 0 else text


def _per_video(values: ArrayLike, name: str) -> Floats:
    """Average over seeds; refuse what cannot be resampled."""
    values = np.asarray(values, dtype=float)
    if values.ndim not in (1, 2) or values.shape[-1] < 2 or values.shape[0] < 1:
        shape = list(values.shape)
        raise ValueError(f"{name} must be [V] or [S, V] with V >= 2 videos, got {shape}")
    finite = np.isfinite(np.atleast_2d(values)).all(axis=0)
    if not finite.all():
        raise ValueError(f"{name} of video {int(finite.argmin())} are NaN or infinite")
    return values if values.ndim == 1 else values.mean(axis=0)


def _paired_by_video(a: ArrayLike, b: ArrayLike) -> Floats:
    a, b = _per_video(a, "values of a"), _per_video(b, "values of b")
    if a.shape != b.shape:
        raise ValueError(f"a has {a.size} videos, b has {b.size}: give the same videos in order")
    return a - b


def percentile_interval(value: float, resampled: Floats, level: float = 0.95) -> Interval:
    """Return ``value`` with the interval that holds ``level`` of what resamples gave.

    The interval is NaN where more than 5 % of these are; fewer such ones are left out.
    """
    if not 0 < level < 1:
        raise ValueError(f"level must be in (0, 1), got {level}")
    if np.isnan(resampled).mean() > 0.05:
        return Interval(value, math.nan, math.nan)
    low, high = np.nanquantile(resampled, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value, float(low), float(high))


def _rows_by_video(
    video_id: ArrayLike, confidence: NDArray, correct: NDArray
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """The video of each row, and where each video's rows start, and how many, once sorted."""
    video_id = np.asarray(video_id)
    if not video_id.shape == confidence.shape == correct.shape or video_id.ndim != 1:
        shapes = [list(x.shape) for x in (confidence, correct, video_id)]
        raise ValueError(f"confidence, correct and video_id must all be [n], got {shapes}")
    codes = pd.factorize(video_id)[0]
    if (codes < 0).any():
        raise ValueError(f"video_id is missing (None or NaN) in row {int(codes.argmin())}")
    length = np.bincount(codes)
    if length.size < 2:
        raise ValueError(f"need at least 2 videos to resample, got {length.size}")
    return codes, np.cumsum(length) - length, length


def _concatenated_rows(
    start: NDArray[np.intp], length: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The rows of the drawn videos one after the other, and which draw each comes from."""
    end = np.cumsum(length)
    rows = np.arange(end[-1]) + np.repeat(start - (end - length), length)
    return rows, np.repeat(np.arange(length.size), length)
