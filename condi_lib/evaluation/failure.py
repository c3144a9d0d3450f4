"""Failure prediction with intervals: how well scores find the clips that a network gets wrong.

Videos are the independent units, so whole videos are resampled; one that is drawn twice counts
twice. All seeds meet the same resamples, and what is reported is their mean. The metrics are those
of ``condi_lib.metrics``, here of clips that count several times, many resamples at once.
Shapes: S seeds, n clips, V videos, R resamples.
"""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from condi_lib.metrics import auroc_per_video, failure_prediction
from condi_lib.resampling import count_videos
from condi_lib.statistics import Interval, bootstrap_fold_mean, percentile_interval

Floats = NDArray[np.float64]
ECE_BINS = 15
_NUMBERS_AT_ONCE = 400_000  # of an array: 3 MB
_OF_ORDER = ("auroc", "aupr_error", "fpr_at_95_tpr", "aurc", "e_aurc", "augrc")
METRICS = ("auroc", "within_video_auroc", *_OF_ORDER[1:], "ece")


def failure_intervals(
    scores: ArrayLike,
    correct: ArrayLike,
    video_id: ArrayLike,
    n_resamples: int = 400,
    seed: int = 0,
) -> dict[str, Interval]:
    """Judge a score by every metric, the mean over seeds, with intervals over videos.

    Args:
        scores: Higher where a clip is more likely classified correctly, ``[S, n]``.
        correct: Whether it is, ``[S, n]``.
        video_id: The video of each clip, ``[n]``, in any order.
        n_resamples: How often V videos are drawn with replacement; for the within-video AUROC,
            which costs next to nothing, always as often as :func:`within_video_interval` does.
        seed: The same seed gives the same resamples.

    Returns:
        By the names of :func:`condi_lib.metrics.failure_prediction`. ``ece`` is NaN where scores
        are not all in [0, 1]; an interval is NaN where a metric is undefined on more than 5 % of
        the resamples.

    Raises:
        ValueError: If shapes disagree or a score is NaN or infinite.
    """
    scores, correct = (np.atleast_2d(np.asarray(x)) for x in (scores, correct))
    whole = [
        failure_prediction(*each, video_id) for each in zip(scores, correct, strict=True)
    ]  # refuses what cannot be judged
    codes = pd.factorize(np.asarray(video_id))[0]
    resampled = {name: np.zeros(n_resamples) for name in (*_OF_ORDER, "ece")}
    for each, right in zip(scores.astype(float), correct.astype(bool), strict=True):
        for chunk, counts in count_videos(codes.max() + 1, n_resamples, seed):
            for name, values in _resampled(each, right, codes, counts).items():
                resampled[name][chunk] += values / len(scores)
    found = {
        name: percentile_interval(float(np.mean([row[name] for row in whole])), values)
        for name, values in resampled.items()
    }
    pairs = zip(scores, correct, strict=True)
    inside = np.stack([auroc_per_video(*each, codes) for each in pairs])
    found["within_video_auroc"] = within_video_interval(inside)
    return {name: found[name] for name in METRICS}


def within_video_interval(by_video: ArrayLike) -> Interval:
    """Within-video AUROC with its interval over videos, the mean over seeds.

    Args:
        by_video: AUROC inside each video, ``[S, V]``; NaN where all of its clips are right, or
            wrong. A seed's value is the mean over its other videos.

    Returns:
        All NaN where a seed has no such video, or there is one alone.
    """
    by_video = np.asarray(by_video, float)
    mixed = by_video[:, ~np.isnan(by_video).all(axis=0)].T  # [V, S]
    if len(mixed) < 2 or np.isnan(mixed).all(axis=0).any():
        return Interval(np.nan, np.nan, np.nan)
    return bootstrap_fold_mean(mixed)


def clip_mean(
    values: ArrayLike, video_id: ArrayLike, among: ArrayLike | None = None, n_resamples: int = 2000
) -> Interval:
    """Mean over clips, with its interval over videos; of bools it is a share of the clips.

    Args:
        values: One per clip, ``[n]``; of several seeds, all their clips.
        video_id: The video of each clip, ``[n]``; the same for all seeds.
        among: Which clips to take the mean over, bool ``[n]``; None: all.
        n_resamples: How often V videos are drawn with replacement.

    Returns:
        NaN where there are no such clips.
    """
    codes = pd.factorize(np.asarray(video_id))[0]
    among = np.ones(codes.size) if among is None else np.asarray(among, float)
    total = np.bincount(codes, weights=np.asarray(values, float) * among)
    size = np.bincount(codes, weights=among)
    means = np.empty(n_resamples)
    with np.errstate(invalid="ignore"):  # a resample without such clips: NaN
        for chunk, counts in count_videos(size.size, n_resamples, 0):
            means[chunk] = (counts @ total) / (counts @ size)
        return percentile_interval(float(total.sum() / size.sum()), means)


def _resampled(
    score: Floats, correct: NDArray[np.bool_], codes: NDArray[np.intp], counts: Floats
) -> dict[str, Floats]:
    """The metrics over all clips of one seed whose videos count ``[R, V]`` times, ``[R]`` each."""
    order = np.argsort(-score, kind="stable")
    first = np.flatnonzero(np.diff(score[order], prepend=np.inf))  # of each distinct score
    found = np.empty((len(counts), len(_OF_ORDER)))
    step = max(1, _NUMBERS_AT_ONCE // score.size)
    for start in range(0, len(counts), step):
        clips = counts[start : start + step, codes[order]]
        wrong = clips * ~correct[order]
        if first.size < order.size:
            clips, wrong = (np.add.reduceat(x, first, axis=1) for x in (clips, wrong))
        found[start : start + step] = of_order(clips, wrong)
    columns = dict(zip(_OF_ORDER, found.T, strict=True))
    return columns | {"ece": _ece(score, correct, codes, counts)}


def of_order(clips: ArrayLike, wrong: ArrayLike) -> Floats:
    """The metrics that only look at the order of scores, of clips in groups of equal score.

    Args:
        clips: How many clips each group has, whole numbers ``[R, G]``, the highest score first.
        wrong: How many of them are classified wrongly, ``[R, G]``.

    Returns:
        ``[R, 6]``: AUROC, AUPR-error, FPR@95TPR, AURC, E-AURC, AUGRC; NaN where undefined.
    """
    clips, wrong = np.asarray(clips, float), np.asarray(wrong, float)
    kept, kept_wrong = clips.cumsum(axis=1), wrong.cumsum(axis=1)
    n, n_wrong = kept[:, -1], kept_wrong[:, -1]
    n_right = n - n_wrong
    enough = (kept - kept_wrong >= 0.95 * n_right[:, None] - 1e-6).argmax(axis=1)  # the threshold
    passed = np.take_along_axis(kept_wrong, enough[:, None], axis=1)[:, 0]
    some = np.flatnonzero(wrong.any(axis=0))  # other groups add nothing to sums over errors
    clips, wrong, kept, kept_wrong = (
        x.take(some, axis=1) for x in (clips, wrong, kept, kept_wrong)
    )
    above = kept - kept_wrong - (clips - wrong) / 2  # right clips, those of the group by half
    caught = n_wrong[:, None] - kept_wrong + wrong  # errors from this score down
    precision = caught / np.maximum(n[:, None] - kept + clips, 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        auroc = (wrong * above).sum(axis=1) / (n_right * n_wrong)
        aupr = (wrong * precision).sum(axis=1) / n_wrong
        fpr = np.where(n_right > 0, passed / n_wrong, np.nan)
    harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, n.max() + 1))])
    aurc = _summed_risks(clips, wrong, kept, harmonic[n.astype(np.intp)], harmonic) / n
    steps = (harmonic[x.astype(np.intp)] for x in (n, n_right))
    least = (n_wrong - n_right * np.subtract(*steps)) / n  # right clips first
    share = n_wrong / n
    augrc = np.nan_to_num(1 - auroc) * share * (1 - share) + share**2 / 2
    return np.stack([auroc, aupr, fpr, aurc, aurc - least, augrc], axis=1)


def _summed_risks(
    clips: Floats, wrong: Floats, kept: Floats, of_all: Floats, harmonic: Floats
) -> Floats:
    """The sum of all prefix risks, ``[R]``; clips of one group are in random order.

    An error at place j counts in every prefix from there on, 1/j + ... + 1/n = H(n) - H(j - 1)
    with harmonic numbers; in a group of m clips after i others its place is any of i + 1 ... i + m.
    """
    before = np.concatenate([[0.0], harmonic.cumsum()])  # the sum of H(0) ... H(j - 1)
    ends = kept.astype(np.intp)
    places = before[ends] - before[ends - clips.astype(np.intp)]
    rate = wrong / np.maximum(clips, 1)
    return wrong.sum(axis=1) * of_all - (rate * places).sum(axis=1)


def _ece(
    score: Floats, correct: NDArray[np.bool_], codes: NDArray[np.intp], counts: Floats
) -> Floats:
    """Expected calibration error, ``[R]``; bins as in :func:`condi_lib.metrics.ece`."""
    if score.min() < 0 or score.max() > 1:
        return np.full(len(counts), np.nan)
    edges = np.linspace(0, 1, ECE_BINS + 1)
    places = codes * ECE_BINS + np.searchsorted(edges[1:-1], score, side="left")
    sums = np.bincount(places, weights=correct - score, minlength=counts.shape[1] * ECE_BINS)
    gaps = counts @ sums.reshape(-1, ECE_BINS)
    return np.abs(gaps).sum(axis=1) / (counts @ np.bincount(codes))
