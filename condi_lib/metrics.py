"""How well a confidence score predicts where the teacher is right (failure prediction).

A metric takes ``confidence`` ``[n]`` (higher = more likely correct) and ``correct`` ``[n]`` (bool:
was the clip classified correctly) and returns a float. What all metrics share:

- Only the order of the scores counts (except for ``ece``), and never the order of the rows: among
  equal scores the area metrics take the expectation over every order of the tied clips.
- A metric that is not defined is NaN, not an error: AUROC and FPR@95TPR need both kinds of clip,
  AUPR-error needs an error. ``failure_prediction`` says how many of each there are.
- A NaN or infinite score, an empty input or a shape that disagrees is a ``ValueError``.

Coverage is the share of clips that is kept, the most confident first; the risk at a coverage is
the share of errors among them.
"""

import math

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def auroc(confidence: ArrayLike, correct: ArrayLike) -> float:
    """Return the probability that a correct clip outscores a wrong one, ties counting one half.

    1 is perfect, 0.5 is uninformative, 0 is perfectly inverted; NaN without both kinds. Equal to
    scikit-learn's ``roc_auc_score`` at a fraction of its time, which a bootstrap pays 2000 times.
    """
    return float(auroc_per_video(confidence, correct, np.zeros(np.shape(confidence)))[0])


def aupr_error(confidence: ArrayLike, correct: ArrayLike) -> float:
    """Return the average precision of finding the *errors* among the least confident clips.

    1 is perfect; the share of errors is uninformative; NaN if there is no error. Average
    precision is the step-wise sum, without interpolation.
    """
    from sklearn.metrics import average_precision_score  # 1 s to import, at every job's start

    confidence, correct = _checked(confidence, correct)
    if correct.all():
        return math.nan
    return float(average_precision_score(~correct, -confidence))


def fpr_at_95_tpr(confidence: ArrayLike, correct: ArrayLike) -> float:
    """Return the share of wrong clips kept by the threshold that keeps 95 % of the correct ones.

    The threshold is the highest score that keeps at least 95 %; clips that tie with it are kept.
    0 is perfect, about 0.95 is uninformative, 1 is worst; NaN without both kinds.
    """
    confidence, correct = _checked(confidence, correct)
    right = np.sort(confidence[correct])[::-1]
    if correct.all() or right.size == 0:
        return math.nan
    n_kept = -(-95 * right.size // 100)  # ceil without rounding error
    return float(np.mean(confidence[~correct] >= right[n_kept - 1]))


def aurc(confidence: ArrayLike, correct: ArrayLike) -> float:
    """Return the area under the risk-coverage curve: the mean of the n prefix risks.

    ``1/n · sum_i (errors among the i most confident) / i``. Lower is better; the share of errors
    is uninformative. Other conventions differ by O(1/n): on the ten clips of the tests this is
    .238571, torch-uncertainty's trapezoids over [1/n, 1] give .242857, fd-shifts' .218571.
    """
    return float(_risks(*_checked(confidence, correct)).mean())


def risk_coverage(confidence: ArrayLike, correct: ArrayLike) -> tuple[Floats, Floats]:
    """Return coverage and risk where the i most confident clips are kept, i = 1 … n, ``[n]`` each.

    ``aurc`` is the mean of these risks.
    """
    confidence, correct = _checked(confidence, correct)
    return np.arange(1, correct.size + 1) / correct.size, _risks(confidence, correct)


def e_aurc(confidence: ArrayLike, correct: ArrayLike) -> float:
    """Return the excess AURC: AURC minus that of a perfect score with as many errors.

    0 is perfect (Geifman et al. 2019), same convention as ``aurc``.
    """
    confidence, correct = _checked(confidence, correct)
    perfect = _risks(correct.astype(float), correct).mean()
    return float(_risks(confidence, correct).mean() - perfect)


def augrc(confidence: ArrayLike, correct: ArrayLike) -> float:
    """Return the area under the *generalised* risk-coverage curve (Traub et al. 2024).

    Generalised risk is the share of *all* clips that are both kept and wrong; the area is taken by
    trapezoids over coverage [0, 1], so that with e the share of errors it equals
    ``(1 - AUROC) e (1 - e) + e² / 2``. Lower is better. On the ten clips of the tests this is .14;
    torch-uncertainty starts at coverage 1/n and rescales: .155556.
    """
    confidence, correct = _checked(confidence, correct)
    errors = np.cumsum(_expected_errors(confidence, correct))
    return float((errors.sum() - errors[-1] / 2) / correct.size**2)


def ece(probability: ArrayLike, correct: ArrayLike, n_bins: int = 15) -> float:
    """Return the expected calibration error: ``sum_bins (n_b / n) |accuracy_b - mean score_b|``.

    Equal-width bins (0, 1/15], (1/15, 2/15], … as in Guo et al. 2017; a score of 0 joins the first.

    Raises:
        ValueError: If a score is outside [0, 1], as an entropy or a logit would be.
    """
    probability, correct = _checked(probability, correct)
    if n_bins < 1:
        raise ValueError(f"n_bins must be at least 1, got {n_bins}")
    if probability.min() < 0 or probability.max() > 1:
        span = f"[{probability.min():.3g}, {probability.max():.3g}]"
        raise ValueError(f"ece needs probabilities in [0, 1], got scores in {span}")
    edges = np.linspace(0, 1, n_bins + 1)
    bins = np.searchsorted(edges[1:-1], probability, side="left")
    gaps = np.bincount(bins, weights=correct - probability, minlength=n_bins)
    return float(np.abs(gaps).sum() / correct.size)


def auroc_per_video(confidence: ArrayLike, correct: ArrayLike, video_id: ArrayLike) -> Floats:
    """Return the AUROC inside each video, ``[V]``, in order of first appearance.

    NaN for a video whose clips are all correct or all wrong. It is the Mann-Whitney statistic,
    from mid-ranks: ``(sum of the correct clips' ranks - m(m + 1)/2) / (m · n)`` for m correct and
    n wrong clips.
    """
    confidence, correct = _checked(confidence, correct)
    video = _video_codes(video_id, correct.size)
    order = np.lexsort((confidence, video))
    confidence, correct, video = confidence[order], correct[order], video[order]
    starts_video = np.append(True, video[1:] != video[:-1])
    first_tied = np.flatnonzero(starts_video | np.append(True, np.diff(confidence) != 0))
    n_tied = np.diff(first_tied, append=correct.size)
    rank = np.repeat(first_tied + (n_tied + 1) / 2, n_tied)  # 1-based, over all videos
    rank -= np.flatnonzero(starts_video)[video]  # 1-based, within the video
    n_right = np.bincount(video, weights=correct)
    n_wrong = np.bincount(video) - n_right
    wins = np.bincount(video, weights=rank * correct) - n_right * (n_right + 1) / 2
    pairs = n_right * n_wrong
    return np.divide(wins, pairs, out=np.full(pairs.shape, np.nan), where=pairs > 0)


def within_video_auroc(confidence: ArrayLike, correct: ArrayLike, video_id: ArrayLike) -> float:
    """Return the mean AUROC over the videos that have both correct and wrong clips.

    A sampler ranks inside a video; a global AUROC may come from telling videos apart, which helps
    no sampler. Each such video counts once, however many clips it has; NaN if there is none.
    """
    per_video = auroc_per_video(confidence, correct, video_id)
    mixed = per_video[~np.isnan(per_video)]
    return float(mixed.mean()) if mixed.size else math.nan


def failure_prediction(
    confidence: ArrayLike, correct: ArrayLike, video_id: ArrayLike
) -> dict[str, float]:
    """Return every metric of this module by name, and the numbers that they rest on.

    ``ece`` is NaN where the scores are not all in [0, 1]. ``n_mixed_videos`` is how many videos
    ``within_video_auroc`` is the mean of.
    """
    scores, right = _checked(confidence, correct)
    per_video = auroc_per_video(scores, right, video_id)
    is_probability = scores.min() >= 0 and scores.max() <= 1
    return {
        "n_clips": right.size,
        "n_errors": int((~right).sum()),
        "n_videos": per_video.size,
        "n_mixed_videos": int((~np.isnan(per_video)).sum()),
        "auroc": auroc(scores, right),
        "within_video_auroc": within_video_auroc(scores, right, video_id),
        "aupr_error": aupr_error(scores, right),
        "fpr_at_95_tpr": fpr_at_95_tpr(scores, right),
        "aurc": aurc(scores, right),
        "e_aurc": e_aurc(scores, right),
        "augrc": augrc(scores, right),
        "ece": ece(scores, right) if is_probability else math.nan,
    }


def video_accuracy(probs: ArrayLike, label: ArrayLike) -> float:
    """Return the share of videos whose most probable class is the label; ties take the first class.

    Args:
        probs: Video-level class probabilities, ``[V, C]``.
        label: True classes, ``[V]``.

    Raises:
        ValueError: If shapes disagree, there is no video or a probability is NaN.
    """
    probs, label = np.asarray(probs), np.asarray(label)
    if probs.ndim != 2 or probs.size == 0 or label.shape != probs.shape[:1]:
        shapes = f"{list(probs.shape)} and {list(label.shape)}"
        raise ValueError(f"need probs [V, C] and label [V] with V, C >= 1, got {shapes}")
    if np.isnan(probs).any():
        video = int(np.isnan(probs).any(axis=1).argmax())
        raise ValueError(f"probs of video {video} has a NaN: remove it where it arises")
    return float(np.mean(probs.argmax(axis=1) == label))


def _checked(confidence: ArrayLike, correct: ArrayLike) -> tuple[Floats, Bools]:
    confidence, correct = np.asarray(confidence, dtype=float), np.asarray(correct)
    if confidence.ndim != 1 or confidence.size == 0 or confidence.shape != correct.shape:
        shapes = f"{list(confidence.shape)} and {list(correct.shape)}"
        raise ValueError(f"need confidence [n] and correct [n] with n >= 1, got {shapes}")
    bad = ~np.isfinite(confidence)
    if bad.any():
        row = int(bad.argmax())
        raise ValueError(
            f"{int(bad.sum())} of {bad.size} confidences are NaN or infinite, the first in row "
            f"{row}: {confidence[row]}; they cannot be ranked"
        )
    if correct.dtype != bool and not np.isin(correct, (0, 1)).all():
        raise ValueError("correct must be True or False (or 1 and 0) for every clip")
    return confidence, correct.astype(bool)


def _video_codes(video_id: ArrayLike, n_clips: int) -> NDArray[np.intp]:
    video_id = np.asarray(video_id)
    if video_id.shape != (n_clips,):
        raise ValueError(f"video_id must be [{n_clips}], got {list(video_id.shape)}")
    codes = pd.factorize(video_id)[0]
    if codes.min() < 0:
        raise ValueError(f"video_id is missing (None or NaN) in row {int(codes.argmin())}")
    return codes


def _expected_errors(confidence: Floats, correct: Bools) -> Floats:
    """The chance of an error at each rank, most confident first, when ties are in random order."""
    _, group = np.unique(-confidence, return_inverse=True)
    group_risk = np.bincount(group, weights=~correct) / np.bincount(group)
    return group_risk[np.sort(group)]


def _risks(confidence: Floats, correct: Bools) -> Floats:
    """The expected share of errors among the i most confident clips, i = 1 … n."""
    n_kept = np.arange(1, correct.size + 1)
    return np.cumsum(_expected_errors(confidence, correct)) / n_kept
