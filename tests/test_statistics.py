"""Intervals and tests against arithmetic on paper, scipy, and simulated truth."""

import itertools
import math
from functools import partial

import numpy as np
import pytest
import scipy.stats

from condi_lib import resampling
from condi_lib.metrics import aurc, auroc, ece, within_video_auroc
from condi_lib.statistics import (
    Interval,
    bootstrap_difference,
    bootstrap_mean,
    bootstrap_means,
    bootstrap_metric,
    mean_and_range,
    paired_permutation_test,
    paired_t_over_seeds,
)

NAN = math.nan


def binary(seed: int, shape: int | tuple[int, ...], share: float) -> np.ndarray:
    return np.random.default_rng(seed).random(shape) < share


def clips(seed: int, n_videos: int, n_clips: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores that say something, outcomes, and the video of each clip in a jumbled order."""
    rng = np.random.default_rng(seed)
    confidence = rng.normal(size=n_videos * n_clips)
    correct = confidence + rng.normal(size=confidence.size) > 0
    return confidence, correct, rng.permutation(np.repeat(np.arange(n_videos), n_clips))


# --- interval --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ("", "62.8 % [60.1, 65.4]"),
        (".1%", "62.8 % [60.1, 65.4]"),
        (".0%", "63 % [60, 65]"),
        ("+.1%", "+62.8 % [+60.1, +65.4]"),
        (".3f", "0.628 [0.601, 0.654]"),
    ],
)
def test_interval_formats_all_three_numbers_alike(spec, text):
    assert format(Interval(0.628, 0.601, 0.654), spec) == text


def test_interval_as_text():
    assert str(Interval(0.628, 0.601, 0.654)) == "62.8 % [60.1, 65.4]"
    assert f"{Interval(-0.0001, -0.02, 0.01):.1%}" == "0.0 % [-2.0, 1.0]"  # never -0.0
    assert f"{Interval(0.5, NAN, NAN)}" == "50.0 % [nan, nan]"


def test_a_tie_is_rounded_alike_on_whichever_side_rounding_errors_left_it():
    below, above = math.nextafter(0.0125, 0), math.nextafter(0.0125, 1)
    assert f"{Interval(below, 0.0125, above)}" == "1.2 % [1.2, 1.2]"


def test_the_texts_are_those_of_the_format():
    tie = Interval(-0.0001, math.nextafter(0.0975, 0), 1.0)
    assert tie.texts() == ("0.0", "9.8", "100.0") and f"{tie}" == "0.0 % [9.8, 100.0]"
    assert tie.texts("+.1%") == ("+0.0", "+9.8", "+100.0")
    assert Interval(-0.0001, 0.5, NAN).texts(".2f") == ("0.00", "0.50", "nan")


def test_interval_excludes_what_lies_outside():
    interval = Interval(0.03, 0.01, 0.05)
    assert interval.excludes(0)
    assert interval.excludes(0.051)
    assert not interval.excludes(0.01)
    assert not Interval(0.03, NAN, NAN).excludes(0)


def test_a_mean_with_the_range_of_its_values():
    assert mean_and_range([0.5, 0.25, 0.75]) == Interval(0.5, 0.25, 0.75)
    assert all(math.isnan(x) for x in vars(mean_and_range([])).values())


# --- bootstrap over videos -------------------------------------------------------------------


def test_bootstrap_of_two_videos_is_known_exactly():
    """Means 0, 1/2, 1 with probabilities 1/4, 1/2, 1/4: a 40 % interval is [1/2, 1/2]."""
    assert bootstrap_mean([0, 1]) == Interval(0.5, 0, 1)
    assert bootstrap_mean([0, 1], level=0.4) == Interval(0.5, 0.5, 0.5)


def test_bootstrap_mean_tends_to_the_normal_interval():
    values = binary(0, 2000, 0.7)
    interval = bootstrap_mean(values, n_resamples=4000)
    half_width = 1.96 * values.std() / math.sqrt(2000)
    assert interval.value == values.mean()
    assert interval.low == pytest.approx(values.mean() - half_width, abs=0.1 * half_width)
    assert interval.high == pytest.approx(values.mean() + half_width, abs=0.1 * half_width)


def test_bootstrap_mean_agrees_with_scipy():
    values = np.random.default_rng(0).exponential(size=40)
    theirs = scipy.stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method="percentile", rng=1
    ).confidence_interval
    ours = bootstrap_mean(values, n_resamples=20_000)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.01)


def test_interval_contains_the_truth_as_often_as_it_says():
    """300 simulated studies of 80 videos, 70 % correct; binomial standard deviation 1.3 %."""
    covered = [
        not bootstrap_mean(binary(seed, 80, 0.7), n_resamples=400, seed=seed).excludes(0.7)
        for seed in range(300)
    ]
    assert 0.90 <= np.mean(covered) <= 0.99


def test_seeds_are_averaged_before_videos_are_resampled():
    correct = binary(0, (3, 50), 0.6)
    assert bootstrap_mean(correct) == bootstrap_mean(correct.mean(axis=0))


def test_same_seed_same_interval_and_chunks_change_nothing(monkeypatch):
    values = np.random.default_rng(0).random(30)
    interval = bootstrap_mean(values, n_resamples=100)
    assert bootstrap_mean(values, n_resamples=100) == interval
    assert bootstrap_mean(values, n_resamples=100, seed=1) != interval
    monkeypatch.setattr(resampling, "NUMBERS_AT_ONCE", 70)
    assert bootstrap_mean(values, n_resamples=100) == interval


@pytest.mark.parametrize("at_once", [resampling.NUMBERS_AT_ONCE, 70])
def test_counts_are_those_of_the_videos_drawn(at_once, monkeypatch):
    monkeypatch.setattr(resampling, "NUMBERS_AT_ONCE", at_once)
    drawn = [row for _, videos in resampling.draw_videos(9, 20, 5) for row in videos]
    counts = [row for _, counts in resampling.count_videos(9, 20, 5) for row in counts]
    assert [[list(row).count(v) for v in range(9)] for row in drawn] == np.array(counts).tolist()


def test_intervals_of_many_columns_are_those_of_each():
    columns = np.random.default_rng(0).random((30, 4))
    each = [bootstrap_mean(column, n_resamples=100) for column in columns.T]
    for one, expected in zip(bootstrap_means(columns, n_resamples=100), each, strict=True):
        assert (one.value, one.low, one.high) == pytest.approx(
            (expected.value, expected.low, expected.high), abs=1e-12
        )
    with pytest.raises(ValueError, match="values of video 2 are NaN"):
        bootstrap_means([[0.0, 1.0], [0.0, 1.0], [1.0, NAN]])


def test_a_wider_level_gives_a_wider_interval():
    values = np.random.default_rng(0).random(30)
    narrow, wide = bootstrap_mean(values, level=0.5), bootstrap_mean(values, level=0.99)
    assert wide.low < narrow.low < narrow.value < narrow.high < wide.high


def test_difference_is_paired_by_video():
    """b is a minus .1 in every video: certain, however much videos differ."""
    a = np.random.default_rng(0).random(50)
    difference = bootstrap_difference(a, a - 0.1)
    assert difference.value == pytest.approx(0.1)
    assert (difference.low, difference.high) == pytest.approx((0.1, 0.1))
    unpaired = bootstrap_difference(a, np.roll(a, 1) - 0.1)
    assert unpaired.high - unpaired.low > 0.1


def test_difference_of_methods_with_other_numbers_of_seeds():
    a, b = binary(0, (3, 40), 0.8), binary(1, 40, 0.5)
    assert bootstrap_difference(a, b) == bootstrap_mean(a.mean(axis=0) - b)
    swapped = bootstrap_difference(b, a)
    assert swapped.value == -bootstrap_difference(a, b).value


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        ([0.5], {}, r"V >= 2 videos, got \[1\]"),
        (0.5, {}, r"got \[\]"),
        (np.zeros((0, 4)), {}, r"got \[0, 4\]"),
        (np.zeros((2, 2, 2)), {}, "values must be"),
        ([0.1, NAN, 0.2], {}, "values of video 1 are NaN"),
        ([[0.1, 0.2], [0.1, math.inf]], {}, "values of video 1"),
        ([0, 1], {"level": 95}, r"level must be in \(0, 1\)"),
        ([0, 1], {"n_resamples": 0}, "n_resamples must be at least 1"),
    ],
)
def test_bootstrap_mean_refuses(values, options, message):
    with pytest.raises(ValueError, match=message):
        bootstrap_mean(values, **options)


def test_differences_need_the_same_videos():
    for compare in (bootstrap_difference, paired_permutation_test):
        with pytest.raises(ValueError, match="a has 3 videos, b has 2"):
            compare([0, 1, 1], [0, 1])


# --- bootstrap of a metric over clips --------------------------------------------------------


def test_metric_that_is_a_mean_over_videos_has_the_interval_of_that_mean():
    """Equal numbers of clips: the mean over clips is the mean over videos of their means."""
    _, correct, video_id = clips(seed=0, n_videos=30, n_clips=4)
    first_seen = dict.fromkeys(video_id.tolist())
    per_video = [correct[video_id == video].mean() for video in first_seen]
    over_clips = bootstrap_metric(lambda _, right: right.mean(), correct, correct, video_id)
    expected = bootstrap_mean(per_video)
    np.testing.assert_allclose(
        (over_clips.value, over_clips.low, over_clips.high),
        (expected.value, expected.low, expected.high),
    )


def test_metric_is_recomputed_on_whole_videos_drawn_with_replacement():
    """Every resample, against all clips of the drawn videos, listed one by one."""
    confidence, correct, video_id = np.arange(7.0), np.ones(7, dtype=bool), list("abacbca")
    rows_of = {"a": [0, 2, 6], "b": [1, 4], "c": [3, 5]}
    possible = {
        tuple(row for video in drawn for row in rows_of[video])
        for drawn in itertools.product("abc", repeat=3)
    }
    seen = []

    def record(confidence, correct, video_id):
        assert len(confidence) == len(correct) == len(video_id)
        assert len(set(video_id)) == 3  # a video drawn twice is two videos
        seen.append(tuple(confidence.astype(int).tolist()))
        return 0.0

    bootstrap_metric(record, confidence, correct, video_id, n_resamples=300)
    assert seen[-1] == (0, 2, 6, 1, 4, 3, 5)  # all clips, for the value itself
    assert set(seen[:-1]) == possible


def test_videos_drawn_twice_count_twice_within_videos():
    """AUROC 1, 0 and 0: the mean over three draws is 0, 1/3, 2/3 or 1, never 1/2."""
    seen = set()

    def record(confidence, correct, video_id):
        seen.add(round(within_video_auroc(confidence, correct, video_id), 9))
        return 0.0

    bootstrap_metric(record, [2, 1, 2, 1, 2, 1], [1, 0, 0, 1, 0, 1], list("aabbcc"))
    assert seen == {0.0, round(1 / 3, 9), round(2 / 3, 9), 1.0}


@pytest.mark.parametrize("metric", [auroc, aurc, within_video_auroc, partial(ece, n_bins=5)])
def test_interval_of_a_metric_surrounds_its_value(metric):
    confidence, correct, video_id = clips(seed=0, n_videos=60, n_clips=6)
    probability = 1 / (1 + np.exp(-confidence))
    interval = bootstrap_metric(metric, probability, correct, video_id, n_resamples=100)
    takes_video = metric is within_video_auroc
    assert interval.value == pytest.approx(
        metric(probability, correct, *([video_id] if takes_video else []))
    )
    assert interval.low < interval.value < interval.high
    assert interval == bootstrap_metric(metric, probability, correct, video_id, n_resamples=100)


def test_interval_over_videos_is_wider_than_over_clips_where_clips_are_alike():
    """Ten copies of every clip in its video: ten times the clips, no more information."""
    confidence, correct, _ = clips(seed=0, n_videos=80, n_clips=1)
    copies = [np.repeat(x, 10) for x in (confidence, correct, np.arange(80))]
    by_video = bootstrap_metric(auroc, *copies, n_resamples=200)
    by_clip = bootstrap_metric(auroc, *copies[:2], np.arange(800), n_resamples=200)
    width, too_narrow = by_video.high - by_video.low, by_clip.high - by_clip.low
    assert width / too_narrow == pytest.approx(math.sqrt(10), rel=0.25)


def test_no_interval_where_most_resamples_have_no_errors():
    """One video of ten has errors: (9/10)^10 = 35 % of the resamples miss it."""
    confidence, correct = np.arange(20.0), np.arange(20) > 1
    interval = bootstrap_metric(auroc, confidence, correct, np.repeat(np.arange(10), 2))
    assert interval.value == 1
    assert math.isnan(interval.low)
    assert math.isnan(interval.high)


def test_bootstrap_metric_refuses():
    with pytest.raises(ValueError, match=r"must all be \[n\], got \[\[2\], \[2\], \[1\]\]"):
        bootstrap_metric(auroc, [1, 2], [0, 1], ["a"])
    with pytest.raises(ValueError, match="at least 2 videos to resample, got 1"):
        bootstrap_metric(auroc, [1, 2], [0, 1], ["a", "a"])
    with pytest.raises(ValueError, match=r"video_id is missing .* in row 1"):
        bootstrap_metric(auroc, [1, 2], [0, 1], ["a", None])
    with pytest.raises(ValueError, match="NaN or infinite"):
        bootstrap_metric(auroc, [1, NAN], [0, 1], ["a", "b"])


# --- paired tests ----------------------------------------------------------------------------


def test_permutation_test_by_hand():
    """Differences 1, 1, 1: of the 8 sign flips only +++ and --- reach |sum| = 3."""
    assert paired_permutation_test([1, 1, 1], [0, 0, 0]) == 2 / 8
    assert paired_permutation_test([0, 0, 0], [1, 1, 1]) == 2 / 8
    # 1, 1, -1: |sum| >= 1 always
    assert paired_permutation_test([1, 1, 0], [0, 0, 1]) == 1


def test_rounding_does_not_split_equal_sums():
    """Tenths are not exact in binary; 3 and 8, say, and .3 and .8 have the same p."""
    whole = np.array([-6, 6, 3, 8])
    assert paired_permutation_test(whole, [0] * 4) == 0.5
    assert paired_permutation_test(whole / 10, [0] * 4) == 0.5


def test_videos_without_a_difference_play_no_part():
    assert paired_permutation_test([1, 1, 1] + [1] * 50, [0, 0, 0] + [1] * 50) == 2 / 8
    assert paired_permutation_test([1, 0], [1, 0]) == 1


@pytest.mark.parametrize("seed", range(3))
def test_exact_permutation_test_agrees_with_scipy(seed):
    a, b = np.random.default_rng(seed).normal(size=(2, 10))
    theirs = scipy.stats.permutation_test(
        (a, b), lambda x, y: np.mean(x - y), permutation_type="samples", n_resamples=np.inf
    )
    assert paired_permutation_test(a, b) == pytest.approx(theirs.pvalue)


def test_drawn_permutation_test_agrees_with_the_sign_test():
    """Differences of size one: the sum of flips is binomial, so p is known exactly."""
    difference = np.repeat([1, -1], [38, 22])
    exact = scipy.stats.binomtest(38, 60).pvalue
    assert paired_permutation_test(difference, 0 * difference) == pytest.approx(exact, abs=0.01)
    assert paired_permutation_test(np.ones(60), np.zeros(60), n_resamples=999) == 1 / 1000


def test_permutation_test_is_right_under_no_difference():
    """p is uniform then: 5 % of 400 experiments below .05, binomial standard deviation 1.1 %."""
    p = [
        paired_permutation_test(*np.random.default_rng(s).normal(size=(2, 30)), 199, seed=s)
        for s in range(400)
    ]
    assert np.mean(np.array(p) <= 0.05) == pytest.approx(0.05, abs=0.033)
    assert np.mean(p) == pytest.approx(0.5, abs=0.06)


def test_permutation_test_averages_seeds_and_repeats_itself(monkeypatch):
    a, b = binary(0, (3, 60), 0.7), binary(1, (3, 60), 0.5)
    p = paired_permutation_test(a, b, n_resamples=500)
    assert p == paired_permutation_test(a.mean(axis=0), b.mean(axis=0), n_resamples=500)
    monkeypatch.setattr(resampling, "NUMBERS_AT_ONCE", 1000)
    assert paired_permutation_test(a, b, n_resamples=500) == p


def test_paired_t_by_hand():
    """Differences 1, 2, 3: mean 2, standard error 1/sqrt(3), t(.975, 2) = 4.302653."""
    test = paired_t_over_seeds([11, 12, 13], [10, 10, 10])
    half_width = 4.302653 / math.sqrt(3)
    assert test.difference.value == 2
    assert test.difference.low == pytest.approx(2 - half_width)
    assert test.difference.high == pytest.approx(2 + half_width)
    t = 2 * math.sqrt(3)  # two degrees of freedom: p = 1 - t / sqrt(2 + t²)
    assert test.p_value == pytest.approx(1 - t / math.sqrt(2 + t**2))


def test_paired_t_agrees_with_its_interval():
    """p is .05 exactly where the 95 % interval touches zero."""
    a = np.random.default_rng(0).normal(size=6)
    low = paired_t_over_seeds(a, np.zeros(6)).difference.low
    touching = paired_t_over_seeds(a - low, np.zeros(6))
    assert touching.difference.low == pytest.approx(0, abs=1e-12)
    assert touching.p_value == pytest.approx(0.05)
    narrower = paired_t_over_seeds(a - low, np.zeros(6), level=0.8).difference
    assert narrower.low > 0


def test_paired_t_of_equal_differences():
    assert paired_t_over_seeds([0.6, 0.7], [0.5, 0.6]).p_value == 0
    assert paired_t_over_seeds([0.6, 0.7], [0.6, 0.7]) == (Interval(0, 0, 0), 1)


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ([0.5], [0.4], r"S >= 2, got \[1\] and \[1\]"),
        ([0.5, 0.6], [0.4], "one result per seed"),
        ([0.5, NAN], [0.4, 0.5], "seed 1 are not finite"),
    ],
)
def test_paired_t_refuses(a, b, message):
    with pytest.raises(ValueError, match=message):
        paired_t_over_seeds(a, b)
