"""Failure prediction over resampled videos, against the metrics of clips that are repeated."""

import numpy as np
import pytest

from condi_lib.evaluation import clip_mean, failure_intervals
from condi_lib.evaluation.failure import METRICS, _resampled, within_video_interval
from condi_lib.metrics import auroc_per_video, failure_prediction
from condi_lib.statistics import Interval, bootstrap_mean


def random_clips(n_videos=15, seed=0):
    """Clips of videos of 1 to 5, in random order, some scores tied."""
    rng = np.random.default_rng(seed)
    video = rng.permutation(np.repeat(np.arange(n_videos), rng.integers(1, 6, n_videos)))
    correct = rng.random(video.size) < 0.6
    score = np.round(1 / (1 + np.exp(-rng.normal(1.0 * correct))), 1)
    return score, correct, np.unique(video, return_inverse=True)[1]


@pytest.mark.parametrize("seed", range(6))
def test_a_video_drawn_twice_is_two_videos(seed):
    """Second computation: ``condi_lib.metrics`` of clips as often as their video is drawn."""
    score, correct, video = random_clips(seed=seed)
    video = np.unique(video, return_index=True)[1].argsort().argsort()[video]  # as they appear
    counts = np.random.default_rng(seed).integers(0, 4, (8, video.max() + 1)).astype(float)
    counts[0] = 1
    found = _resampled(score, correct, video, counts)
    assert set(found) == {*METRICS} - {"within_video_auroc"}
    for at, times in enumerate(counts.astype(int)):
        rows = np.repeat(np.arange(video.size), times[video])
        copy = np.concatenate([np.arange(n) for n in times[video]])
        by_hand = failure_prediction(score[rows], correct[rows], 100 * video[rows] + copy)
        for name in found:
            assert found[name][at] == pytest.approx(by_hand[name], rel=1e-12), name


def test_only_the_order_of_scores_counts_and_never_the_names_of_videos():
    score, correct, video = random_clips(40)
    found = failure_intervals(score, correct, video, 50)
    names = np.array([f"video {v}" for v in video])
    other = failure_intervals(score**3 - 7, correct, names, 50)
    assert {n: i for n, i in found.items() if n != "ece"} == {
        n: i for n, i in other.items() if n != "ece"
    }


def test_the_golden_clips_and_their_mean_with_a_perfect_score():
    score = [0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1]
    correct = np.array([1, 1, 0, 1, 1, 0, 1, 1, 0, 0], bool)
    one = failure_intervals(score, correct, np.arange(10))
    assert one["auroc"].value == pytest.approx(0.75)
    assert one["aurc"].value == pytest.approx(0.238571, abs=5e-7)
    assert one["augrc"].value == pytest.approx(0.14)
    perfect = failure_intervals(correct.astype(float), correct, np.arange(10))
    assert perfect["auroc"] == Interval(1, 1, 1) and perfect["ece"] == Interval(0, 0, 0)
    both = failure_intervals([score, correct], [correct, correct], np.arange(10))
    assert both["auroc"].value == pytest.approx((0.75 + 1) / 2)
    width = both["auroc"].high - both["auroc"].low
    assert width == pytest.approx((one["auroc"].high - one["auroc"].low) / 2)


def test_the_within_video_auroc_is_a_mean_over_mixed_videos_of_each_seed():
    score, correct, video = random_clips(30)
    found = failure_intervals([score, -score], [correct, correct], video)["within_video_auroc"]
    inside = auroc_per_video(score, correct, video)
    assert found.value == pytest.approx(0.5) and found.low == found.value == found.high
    one = failure_intervals(score, correct, video, 5)["within_video_auroc"]
    assert one == within_video_interval(inside[None])
    mixed = inside[~np.isnan(inside)]
    assert one == bootstrap_mean(mixed)
    assert np.isnan(within_video_interval([[0.5, np.nan]]).value)  # one mixed video


def test_what_is_undefined_has_no_interval():
    score, correct, video = random_clips()
    found = failure_intervals(score, np.ones_like(correct), video, 50)
    assert all(np.isnan(found[name].low) for name in ("auroc", "aupr_error", "fpr_at_95_tpr"))
    assert found["aurc"] == found["e_aurc"] == found["augrc"] == Interval(0, 0, 0)
    logits = failure_intervals(score + 1, correct, video, 50)
    assert np.isnan(logits["ece"].value) and np.isnan(logits["ece"].low)
    with pytest.raises(ValueError, match="NaN or infinite"):
        failure_intervals(np.full(video.size, np.nan), correct, video)


def test_the_interval_of_the_auroc_is_about_as_wide_as_the_formula_says():
    """Of two normal distributions; Hanley and McNeil (1982) give the standard error of an AUROC."""
    rng = np.random.default_rng(0)
    correct = np.repeat([True, False], 200)
    found = failure_intervals(rng.normal(1.0 * correct), correct, np.arange(400), 2000)["auroc"]
    a = found.value
    q1, q2 = a / (2 - a), 2 * a * a / (1 + a)
    error = np.sqrt((a * (1 - a) + 199 * (q1 - a * a) + 199 * (q2 - a * a)) / 200**2)
    assert (found.high - found.low) == pytest.approx(2 * 1.96 * error, rel=0.12)


def test_a_mean_over_clips_resamples_videos():
    rng = np.random.default_rng(0)
    by_video = rng.random((30, 4)) < rng.random((30, 1))
    video = np.repeat(np.arange(30), 4)
    assert clip_mean(by_video.ravel(), video) == bootstrap_mean(by_video.mean(axis=1))
    seeds = np.tile(by_video.ravel(), 3), np.tile(video, 3)
    assert clip_mean(*seeds) == clip_mean(by_video.ravel(), video)  # no more videos than before


def test_a_mean_among_some_clips_is_that_of_these():
    video, values = np.array([0, 0, 1, 1, 2]), np.array([1.0, 5.0, 2.0, 7.0, 3.0])
    among = np.array([True, False, True, True, False])
    found = clip_mean(values, video, among)
    assert found.value == pytest.approx((1 + 2 + 7) / 3)
    # Videos 0 and 1 have 1 and 2 + 7; in 1 of 27 resamples there is neither.
    assert (found.low, found.high) == pytest.approx((1.0, 4.5))
    assert np.isnan(clip_mean(values, video, np.zeros(5, bool)).value)
