"""Results of a study against loops over its videos.

``folder_study`` is the random one of ``random_study``. The oracle below reads its arrays, not its
code.
"""

import itertools

import numpy as np
import pandas as pd
import pytest
from random_study import (
    FOLDS,
    LONGEST,
    LOSSES,
    N_VIDEOS,
    SEEDS,
    SPLITS,
    random_table,
    write_study,
)

from condi_lib.analysis.results import WITHOUT_STUDENT, clip_scores, failure_rows, sweep
from condi_lib.evaluation import correct_over_k
from condi_lib.metrics import failure_prediction
from condi_lib.study import Study
from condi_lib.study.study import FolderStore

DETERMINISTIC = [name for name in WITHOUT_STUDENT if name != "random"]


@pytest.fixture(scope="module")
def folder_study(tmp_path_factory):
    return write_study(tmp_path_factory.mktemp("tables"))


def softmax(logits):
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)


def minus_entropy(logits):
    probs = softmax(logits)
    return (probs * np.log(probs)).sum(axis=-1)


def scores_by_hand(method, seed, fold):
    """Score of every clip, by the method's definition; None for those that look at none."""
    if method in LOSSES:
        table = random_table(method, seed, fold)
        logits = table.student_logits.numpy().astype(float)
        if method == "condi_sr":
            return table.clips["confidence"].to_numpy()
        return minus_entropy(logits) if method == "plain" else logits.max(axis=1)
    teacher = random_table("teacher", seed, fold)
    logits = teacher.teacher_logits.numpy().astype(float)
    if method == "oracle":
        return softmax(logits)[np.arange(len(logits)), teacher.clips["label"]]
    if method == "teacher_max_softmax":
        return softmax(logits).max(axis=1)
    return minus_entropy(logits) if method == "teacher_negative_entropy" else None


def correct_by_hand(method, seed, fold, split, k):
    """Whether each video is right when ``k`` of its clips are averaged, in order of appearance."""
    teacher = random_table("teacher", seed, fold)
    clips, probs = teacher.clips, softmax(teacher.teacher_logits.numpy().astype(float))
    scores, right = scores_by_hand(method, seed, fold), []
    for video in clips.loc[clips["split"] == split, "video_id"].unique():
        rows = np.flatnonzero(clips["video_id"] == video)
        n, kept = len(rows), min(k, len(rows))
        if method == "dense":
            chosen = rows
        elif method == "equidistant":
            chosen = [rows[int((j + 0.5) * n / kept)] for j in range(kept)]
        else:
            chosen = rows[np.argsort(-scores[rows], kind="stable")[:kept]]
        right.append(probs[chosen].mean(axis=0).argmax() == clips["label"][rows[0]])
    return np.array(right)


@pytest.mark.parametrize("split", SPLITS)
def test_a_sweep_agrees_with_loops_over_videos(split, folder_study):
    found = sweep(folder_study, split)
    assert list(found.correct) == [*WITHOUT_STUDENT, *LOSSES]
    assert found.k_clips == list(range(1, LONGEST + 1))
    for method, (s, seed), k in itertools.product(
        [*DETERMINISTIC, *LOSSES], enumerate(SEEDS), found.k_clips
    ):
        expected = [correct_by_hand(method, seed, fold, split, k) for fold in FOLDS]
        actual = found.correct[method][s, :, found.k_clips.index(k)]
        assert np.array_equal(actual, np.concatenate(expected)), (method, seed, k)


def test_all_methods_meet_dense_when_all_clips_are_kept(folder_study):
    found = sweep(folder_study)
    for method, correct in found.correct.items():
        assert np.array_equal(correct[:, :, -1], found.correct["dense"][:, :, 0]), method


def test_random_draws_are_as_good_as_the_mean_over_all_subsets(folder_study):
    found = sweep(folder_study, methods=("random",), random_draws=400)
    expected = []
    for fold in FOLDS:
        teacher = random_table("teacher", SEEDS[0], fold)
        clips, probs = teacher.clips, softmax(teacher.teacher_logits.numpy().astype(float))
        for _, rows in (
            clips[clips["split"] == "test"].groupby("video_id", sort=False).groups.items()
        ):
            pairs = list(itertools.combinations(rows, min(2, len(rows))))
            right = [probs[list(p)].mean(axis=0).argmax() == clips["label"][p[0]] for p in pairs]
            expected.append(np.mean(right))
    assert found.correct["random"][0, :, 1] == pytest.approx(np.array(expected), abs=0.13)
    assert found.correct["random"][0, :, 1].mean() == pytest.approx(np.mean(expected), abs=0.03)


def test_numbers_of_a_sweep(folder_study):
    found = sweep(folder_study, methods=("dense", "condi_sr"))
    correct = found.correct["condi_sr"]
    assert found.accuracy("condi_sr", 2).value == pytest.approx(correct[:, :, 1].mean())
    assert found.by_seed("condi_sr", 2) == pytest.approx(correct[:, :, 1].mean(axis=1))
    gain = found.gain("condi_sr", 2)
    assert gain.value == pytest.approx((correct[:, :, 1] - found.correct["dense"][:, :, 0]).mean())
    assert gain.low <= gain.value <= gain.high
    means = correct.mean(axis=(0, 1))
    assert found.best_k("condi_sr") == 1 + int(np.flatnonzero(means == means.max())[0])
    row = found.rows().query("sampler == 'condi_sr' and k_clips == 2").iloc[0]
    assert row["video_accuracy"] == pytest.approx(correct[:, :, 1].mean())
    assert (row["n_videos"], row["n_seeds"]) == (2 * N_VIDEOS, 2)


def test_the_best_k_is_that_of_the_split_it_is_chosen_on(folder_study):
    val, test = sweep(folder_study, "val"), sweep(folder_study, "test")
    by_hand = {}
    for k in val.k_clips:
        hits = [correct_by_hand("plain", s, f, "val", k) for s in SEEDS for f in FOLDS]
        by_hand[k] = np.mean(hits)
    assert val.best_k("plain") == max(by_hand, key=lambda k: (round(by_hand[k], 9), -k))
    methods = [*DETERMINISTIC, *LOSSES]  # or the test would not tell one split from the other
    assert any(val.best_k(method) != test.best_k(method) for method in methods)


def test_an_unknown_method_is_told_those_there_are(folder_study):
    with pytest.raises(ValueError, match=r"no method 'condi'; choose from \['random'.*'condi_sr'"):
        sweep(folder_study, methods=("dense", "condi"))


def test_a_student_may_be_ranked_by_another_score_than_its_losss(folder_study):
    found = sweep(folder_study, methods=("plain", "condi_sr/student_negative_entropy", "condi_sr"))
    assert list(found.correct) == ["plain", "condi_sr/student_negative_entropy", "condi_sr"]
    for s, seed in enumerate(SEEDS):
        for f, fold in enumerate(FOLDS):
            table = folder_study.table("condi_sr", seed, "test", fold)
            by_entropy = correct_over_k(table, ["student_negative_entropy"], found.k_clips)
            place = slice(f * N_VIDEOS, (f + 1) * N_VIDEOS)
            actual = found.correct["condi_sr/student_negative_entropy"][s, place]
            assert np.array_equal(actual, by_entropy["student_negative_entropy"])
    assert not np.array_equal(*(found.correct[m] for m in ("condi_sr", "plain")))
    with pytest.raises(ValueError, match=r"'condi_sr/margin': there is no such sampler; choose"):
        sweep(folder_study, methods=("condi_sr/margin",))


def test_every_clip_has_its_scores(folder_study):
    scores = clip_scores(folder_study)
    expected = []
    for seed, fold in itertools.product(SEEDS, FOLDS):
        teacher = random_table("teacher", seed, fold)
        logits = teacher.teacher_logits.numpy().astype(float)
        frame = teacher.clips[["video_id", "clip_index", "label", "truth"]].assign(seed=seed)
        frame["predicted"] = logits.argmax(axis=1)
        frame["correct"] = frame["predicted"] == frame["label"]
        frame["true_class_probability"] = scores_by_hand("oracle", seed, fold)
        for name in ("teacher_max_softmax", "teacher_negative_entropy", *LOSSES):
            frame[name] = scores_by_hand(name, seed, fold)
        expected.append(frame[teacher.clips["split"] == "test"])
    expected = pd.concat(expected, ignore_index=True)
    pd.testing.assert_frame_equal(scores, expected, check_dtype=False, check_like=True, rtol=1e-4)


def test_failure_metrics_are_means_over_seeds(folder_study):
    scores = clip_scores(folder_study)
    rows = failure_rows(scores, ["condi_sr", "teacher_max_softmax"])
    assert list(rows.index) == ["condi_sr", "teacher_max_softmax"]
    per_seed = []
    for seed in SEEDS:
        part = scores[scores["seed"] == seed]
        correct, video_id = part["correct"].to_numpy(), part["video_id"].to_numpy()
        confidence = part["condi_sr"].to_numpy()
        better = confidence[correct][:, None] > confidence[~correct][None]  # pairs: the AUROC
        assert failure_prediction(confidence, correct, video_id)["auroc"] == pytest.approx(
            better.mean()
        )
        per_seed.append(better.mean())
    found = rows.loc["condi_sr", "auroc"]
    assert found.value == pytest.approx(np.mean(per_seed))
    assert found.low <= found.value <= found.high


def test_a_missing_table_says_what_to_do(folder_study, tmp_path):
    empty = Study(folder_study.spec, FolderStore(tmp_path), "tiny")
    with pytest.raises(FileNotFoundError, match=r"teacher-one-seed3\.parquet: .*make reference"):
        empty.teacher_table(3, fold="one")
    with pytest.raises(FileNotFoundError, match=r"videos-fold_two\.csv: .*make reference"):
        empty.videos("fold two")


# Controls
