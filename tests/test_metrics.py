"""Failure-prediction metrics against paper, pencil and brute force."""

import itertools
import math

import numpy as np
import pytest
from cases import BAD_SCORES, CASES, random_scores
from sklearn.metrics import roc_auc_score

from condi_lib import metrics
from condi_lib.metrics import (
    augrc,
    aurc,
    auroc,
    auroc_per_video,
    e_aurc,
    ece,
    failure_prediction,
    fpr_at_95_tpr,
    risk_coverage,
    video_accuracy,
    within_video_auroc,
)

SCORE_METRICS = ["auroc", "aupr_error", "fpr_at_95_tpr", "aurc", "e_aurc", "augrc", "ece"]


@pytest.mark.parametrize("name", SCORE_METRICS)
@pytest.mark.parametrize("case", CASES)
def test_metric_equals_the_value_by_hand(case, name):
    inputs = CASES[case]
    value = getattr(metrics, name)(inputs.confidence, inputs.correct)
    assert value == pytest.approx(getattr(inputs, name), abs=1e-9, nan_ok=True)


def test_published_goldens():
    golden = CASES["golden"]
    scores = golden.confidence, golden.correct
    assert auroc(*scores) == 0.75
    assert aurc(*scores) == pytest.approx(0.238571, abs=5e-7)
    assert augrc(*scores) == pytest.approx(0.14)


def test_the_risk_at_each_coverage_is_the_share_of_errors_among_those_kept():
    coverage, risk = risk_coverage([0.9, 0.8, 0.7, 0.6], [True, False, True, False])
    assert coverage.tolist() == [0.25, 0.5, 0.75, 1]
    assert risk == pytest.approx([0, 1 / 2, 1 / 3, 2 / 4])
    _, tied = risk_coverage([0.5, 0.5], [True, False])
    assert tied.tolist() == [0.5, 0.5]


def test_other_conventions_of_the_area_are_what_the_docstrings_say():
    """The named alternatives, recomputed: trapezoids over coverage [1/n, 1], and over [0, 1]."""
    errors = np.cumsum(1 - np.array(CASES["golden"].correct))
    risks = errors / np.arange(1, 11)
    assert np.trapezoid(risks) / 9 == pytest.approx(0.242857, abs=5e-7)
    assert np.trapezoid(risks) / 10 == pytest.approx(0.218571, abs=5e-7)
    assert np.trapezoid(errors / 10) / 9 == pytest.approx(0.155556, abs=5e-7)


@pytest.mark.parametrize("name", SCORE_METRICS)
@pytest.mark.parametrize("bad", BAD_SCORES)
def test_bad_scores_are_refused(bad, name):
    confidence, correct, message = BAD_SCORES[bad]
    with pytest.raises(ValueError, match=message):
        getattr(metrics, name)(confidence, correct)


@pytest.mark.parametrize("name", SCORE_METRICS)
def test_row_order_does_not_matter_even_with_ties(name):
    confidence, correct = random_scores(seed=1, n=60, n_levels=5)
    value = getattr(metrics, name)(confidence, correct)
    shuffled = np.random.default_rng(2).permutation(60)
    assert getattr(metrics, name)(confidence[shuffled], correct[shuffled]) == pytest.approx(value)


@pytest.mark.parametrize("name", [name for name in SCORE_METRICS if name != "ece"])
def test_only_the_order_of_scores_counts(name):
    confidence, correct = random_scores(seed=3, n=60, n_levels=20)
    value = getattr(metrics, name)(confidence, correct)
    stretched = 1e6 * np.exp(5 * confidence) - 1e7
    assert getattr(metrics, name)(stretched, correct) == value


@pytest.mark.parametrize("seed", range(5))
def test_auroc_counts_pairs(seed):
    confidence, correct = random_scores(seed, n=40, n_levels=8)
    pairs = itertools.product(confidence[correct], confidence[~correct])
    wins = [1.0 if right > wrong else 0.5 if right == wrong else 0.0 for right, wrong in pairs]
    assert auroc(confidence, correct) == pytest.approx(np.mean(wins))
    assert auroc(confidence, correct) == pytest.approx(roc_auc_score(correct, confidence))
    assert auroc(-confidence, correct) == pytest.approx(1 - np.mean(wins))


def test_aurc_of_ties_is_the_mean_over_all_their_orders():
    confidence = [0.9, 0.5, 0.5, 0.5, 0.5, 0.1, 0.1]
    correct = np.array([1, 0, 1, 1, 0, 0, 1], dtype=bool)
    areas = []
    for first, second in itertools.product(
        itertools.permutations([1, 2, 3, 4]), itertools.permutations([5, 6])
    ):
        errors = np.cumsum(~correct[[0, *first, *second]])
        areas.append(np.mean(errors / np.arange(1, 8)))
    assert aurc(confidence, correct) == pytest.approx(np.mean(areas))


@pytest.mark.parametrize("seed", range(5))
def test_augrc_has_the_closed_form_of_its_paper(seed):
    confidence, correct = random_scores(seed, n=50, n_levels=6)
    risk = np.mean(~correct)
    closed_form = (1 - auroc(confidence, correct)) * risk * (1 - risk) + risk**2 / 2
    assert augrc(confidence, correct) == pytest.approx(closed_form)


@pytest.mark.parametrize("seed", range(5))
def test_excess_area_is_least_for_the_oracle(seed):
    confidence, correct = random_scores(seed, n=50, n_levels=6)
    assert e_aurc(correct, correct) == pytest.approx(0, abs=1e-12)
    assert 0 <= e_aurc(confidence, correct) <= e_aurc(~correct, correct)


@pytest.mark.parametrize("n_right", [1, 19, 20, 21, 60, 100])
def test_threshold_keeps_95_percent_of_the_correct_clips_and_no_more(n_right):
    """Correct clips score 1 … n; wrong ones lie half a step above each of them."""
    right = np.arange(1, n_right + 1)
    n_dropped = n_right * 5 // 100
    confidence = np.concatenate([right, right + 0.5])
    correct = np.repeat([True, False], n_right)
    assert fpr_at_95_tpr(confidence, correct) == (n_right - n_dropped) / n_right


def test_calibration_error_of_one_bin_and_of_scores_on_the_edges():
    assert ece([0.2, 0.4], [1, 0], n_bins=1) == pytest.approx(abs(0.3 - 0.5))
    # 0 joins the first bin, and with two bins .5 is the end of the first
    assert ece([0.0, 0.5], [1, 0], n_bins=2) == pytest.approx(abs(1 - 0.5) / 2)
    assert ece([0.5, 0.6], [1, 0], n_bins=2) == pytest.approx((0.5 + 0.6) / 2)


def test_calibration_error_falls_to_zero_for_calibrated_scores():
    rng = np.random.default_rng(0)
    probability = rng.random(200_000)
    assert ece(probability, rng.random(200_000) < probability) < 0.005


def test_calibration_error_refuses_scores_that_are_not_probabilities():
    with pytest.raises(ValueError, match=r"scores in \[-0.7, 0.2\]"):
        ece([-0.7, 0.2], [1, 0])
    with pytest.raises(ValueError, match="n_bins"):
        ece([0.7, 0.2], [1, 0], n_bins=0)


def test_auroc_per_video_equals_auroc_of_each_video_alone():
    confidence, correct = random_scores(seed=4, n=300, n_levels=6)
    video_id = np.random.default_rng(5).choice([f"v{i}.mp4" for i in range(40)], size=300)
    alone = [
        auroc(confidence[video_id == v], correct[video_id == v]) for v in dict.fromkeys(video_id)
    ]
    np.testing.assert_allclose(auroc_per_video(confidence, correct, video_id), alone)


def test_between_video_differences_leave_within_video_auroc_alone():
    """Video a is all high, b all low: globally 3/4, inside a video the ranking is inverted."""
    confidence = [9, 8, 2, 1]
    correct = [0, 1, 0, 0]
    video_id = ["a", "a", "b", "b"]
    assert within_video_auroc(confidence, correct, video_id) == 0  # b has no correct clip
    assert auroc(confidence, correct) == pytest.approx(2 / 3)


def test_every_mixed_video_counts_once():
    """a: 1 pair, won. b: 2 x 2 pairs, one lost. c: only errors."""
    confidence = [2, 1, 4, 2, 3, 1, 5]
    correct = [1, 0, 1, 1, 0, 0, 0]
    video_id = ["a", "a", "b", "b", "b", "b", "c"]
    np.testing.assert_allclose(auroc_per_video(confidence, correct, video_id), [1, 3 / 4, math.nan])
    assert within_video_auroc(confidence, correct, video_id) == pytest.approx((1 + 3 / 4) / 2)
    found = failure_prediction(confidence, correct, video_id)
    assert (found["n_videos"], found["n_mixed_videos"]) == (3, 2)


def test_within_video_auroc_is_undefined_without_a_mixed_video():
    assert math.isnan(within_video_auroc([1, 2, 3], [1, 1, 0], ["a", "a", "b"]))


@pytest.mark.parametrize(
    ("video_id", "message"), [(["a"], r"must be \[2\]"), (["a", None], "missing .* in row 1")]
)
def test_bad_video_ids_are_refused(video_id, message):
    with pytest.raises(ValueError, match=message):
        auroc_per_video([1, 2], [0, 1], np.array(video_id, dtype=object))


@pytest.mark.parametrize("case", CASES)
def test_failure_prediction_collects_every_metric(case):
    inputs = CASES[case]
    found = failure_prediction(inputs.confidence, inputs.correct, ["v"] * len(inputs.correct))
    expected = {name: getattr(inputs, name) for name in SCORE_METRICS}
    expected["within_video_auroc"] = inputs.auroc  # a single video
    assert {name: found[name] for name in expected} == pytest.approx(expected, nan_ok=True)
    assert (found["n_clips"], found["n_errors"]) == (len(inputs.correct), inputs.correct.count(0))


def test_failure_prediction_has_no_calibration_error_for_an_entropy():
    found = failure_prediction([-0.7, -0.1], [0, 1], ["v", "v"])
    assert math.isnan(found["ece"])
    assert found["auroc"] == 1


def test_video_accuracy():
    probs = [[0.5, 0.3, 0.2], [0.4, 0.4, 0.2], [0.1, 0.1, 0.8], [0.2, 0.7, 0.1]]
    assert video_accuracy(probs, [0, 0, 2, 0]) == 3 / 4  # the tie takes the first class
    assert video_accuracy(probs, [0, 1, 2, 0]) == 2 / 4


@pytest.mark.parametrize(
    ("probs", "label", "message"),
    [
        ([[0.5, 0.5]], [0, 1], r"got \[1, 2\] and \[2\]"),
        ([0.5, 0.5], [0], "probs"),
        (np.zeros((0, 3)), [], "V, C >= 1"),
        ([[0.5, 0.5], [math.nan, 0.5]], [0, 1], "video 1 has a NaN"),
    ],
)
def test_video_accuracy_refuses(probs, label, message):
    with pytest.raises(ValueError, match=message):
        video_accuracy(probs, label)
