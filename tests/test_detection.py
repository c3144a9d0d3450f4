"""Known or novel: metrics over resampled videos, scores per clip and video, and a whole study."""

import numpy as np
import pandas as pd
import pytest
import torch
from tiny_study import tiny, write_params

from condi_lib.analysis import findings_of
from condi_lib.analysis.findings import read_findings, write_findings
from condi_lib.analysis.novelty import LEVELS, at_level, intervals_at, novelty_rows, novelty_scores
from condi_lib.clip_table import read_clip_table
from condi_lib.confidence import energy, max_logit
from condi_lib.evaluation import detect
from condi_lib.evaluation.detection import _metrics
from condi_lib.metrics import auroc, fpr_at_95_tpr
from condi_lib.study import ensure, networks, open_study, read_study
from condi_lib.videos.screenplay import LOOK_ALIKES

# --- metrics ----------------------------------------------------------------------------------


def random_items(n_videos=12, seed=0):
    """Items of videos of 1 to 4, some scores tied."""
    rng = np.random.default_rng(seed)
    video = np.repeat(np.arange(n_videos), rng.integers(1, 5, n_videos))
    known = video % 3 > 0
    return np.round(rng.normal(known, 1.0), 1), known, video


@pytest.mark.parametrize("seed", range(5))
def test_weighted_items_are_items_repeated(seed):
    """Second computation: the metrics of ``condi_lib.metrics`` on items as often as they count."""
    score, known, _ = random_items(20, seed)
    weights = np.random.default_rng(seed).integers(0, 4, (6, len(score)))
    for row, found in zip(weights, _metrics(score, known, weights), strict=True):
        repeated, truth = np.repeat(score, row), np.repeat(known, row)
        np.testing.assert_allclose(
            found, [auroc(repeated, truth), fpr_at_95_tpr(repeated, truth)], rtol=1e-12
        )


def test_a_perfect_score_a_useless_one_and_the_mean_over_seeds():
    known, video = np.repeat([True, False], 20), np.arange(40)
    found = [detect(s, known, video) for s in (known, 1.0 - known, np.zeros(40))]
    assert [(d.auroc.value, d.fpr_at_95_tpr.value) for d in found] == [(1, 0), (0, 1), (0.5, 1)]
    assert all(d.auroc.low == d.auroc.value == d.auroc.high for d in found)
    both = detect(np.stack([known, np.zeros(40)]), known, video)
    assert (both.auroc.value, both.fpr_at_95_tpr.value) == (0.75, 0.5)


def test_an_interval_is_about_as_wide_as_the_formula_says():
    """Of two normal distributions; Hanley and McNeil (1982) give the standard error of an AUROC."""
    rng = np.random.default_rng(0)
    known = np.repeat([True, False], 200)
    score = rng.normal(1.0 * known, 1.0)
    interval = detect(score, known, np.arange(400)).auroc
    a = interval.value
    q1, q2 = a / (2 - a), 2 * a * a / (1 + a)
    error = np.sqrt((a * (1 - a) + 199 * (q1 - a * a) + 199 * (q2 - a * a)) / 200**2)
    assert (interval.high - interval.low) == pytest.approx(2 * 1.96 * error, rel=0.12)


def test_clips_of_one_video_do_not_make_an_interval_narrower():
    score, known, video = (
        np.random.default_rng(1).normal(size=60),
        np.arange(60) % 2 > 0,
        np.arange(60),
    )
    once = detect(score, known, video)
    tenfold = detect(np.repeat(score, 10), np.repeat(known, 10), np.repeat(video, 10))
    assert tenfold.auroc == once.auroc
    np.testing.assert_allclose(tenfold.resampled[:, 0], once.resampled[:, 0])


def test_differences_are_paired():
    score, known, video = random_items(30)
    one, shifted = detect(score, known, video), detect(score + 7, known, video)
    assert [(d.value, d.low, d.high) for d in one.minus(shifted)] == [(0, 0, 0)] * 2
    other = detect(-score, known, video)
    gain, _ = one.minus(other)
    assert gain.value == pytest.approx(one.auroc.value - other.auroc.value) and gain.excludes()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"known": [True, True, True, False]}, r"two known and two unknown .* got \(3, 1\)"),
        ({"scores": [1, np.nan, 2, 3]}, "1 scores are NaN"),
        ({"video_id": ["a", "b", "b", "d"]}, "known in one item and unknown in another"),
        ({"scores": [1, 2, 3]}, r"need scores \[S, n\]"),
    ],
)
def test_what_cannot_be_judged_is_refused(change, message):
    items = {"scores": [4, 3, 2, 1], "known": [True, True, False, False], "video_id": list("abcd")}
    with pytest.raises(ValueError, match=message):
        detect(**items | change)


def test_energy_is_the_log_of_summed_exponentials():
    logits = torch.tensor([[0.0, 0.0], [3.0, 1.0], [1000.0, 0.0]])
    torch.testing.assert_close(energy(logits)[:2], torch.exp(logits[:2]).sum(dim=1).log())
    assert energy(logits)[2] == 1000
    assert (energy(logits) >= max_logit(logits)).all()


# --- clips and videos -------------------------------------------------------------------------


def test_levels_by_hand():
    table = pd.DataFrame(
        {
            "video_id": list("aaaabb"),
            "clip_index": [0, 1, 2, 3, 0, 1],
            "known": [True] * 4 + [False] * 2,
            "truth": ["key", "generic", "confuser", "key", "key", "generic"],
            "z": [0.1, 0.9, 0.5, 0.3, 0.2, 0.6],
        }
    )
    assert at_level(table, "clip")["z"].tolist() == [0.1, 0.5, 0.3, 0.2]
    assert at_level(table.drop(columns="truth"), "clip")["z"].tolist() == table["z"].tolist()
    expected = {"video_mean": [0.45, 0.4], "video_best_3": [1.7 / 3, 0.4], "video_max": [0.9, 0.6]}
    for level, values in expected.items():
        videos = at_level(table, level)
        np.testing.assert_allclose(videos["z"], values)
        assert videos["known"].tolist() == [True, False] and videos.index.tolist() == ["a", "b"]


def test_arm_actions_are_look_alikes_of_each_other_alone():
    """So confusers of known videos never show them: they are truly unseen, by students too."""
    arms = {"box", "clap", "wave_both", "wave_one"}
    for action, others in LOOK_ALIKES.items():
        assert (action in arms) == all(other in arms for other in others)


# --- a study ----------------------------------------------------------------------------------

SEEN = ["bend", "jump", "jumping_jack", "kick", "run", "side_step", "squat", "walk"]
LEFT_OUT = {
    "teacher.classes": SEEN,
    "student.classes": SEEN,
    "losses": {"condi_sr": {}, "st_ent": {}},
}


def test_networks_are_trained_on_the_named_classes_alone(root, monkeypatch):
    trained = {}
    original = networks.train

    def remember(model, objective, data, *rest):
        labels = data.clips.labels
        trained[objective.name] = {
            data.clips.catalog.classes[label]
            for rows in (data.rows, data.val_rows)
            for label in labels[rows]
        }
        return original(model, objective, data, *rest)

    monkeypatch.setattr(networks, "train", remember)
    spec = read_study(tiny(**LEFT_OUT)).student_of("condi_sr", 0)
    table = read_clip_table(ensure(spec) / "scores", ["test"])
    assert trained == {"classification": set(SEEN), "condi_sr": set(SEEN)}
    assert set(table.clips["label"]) == set(range(12))  # all are scored


def test_wrong_classes_are_named(root):
    spec = read_study(tiny(**{"teacher.classes": ["bend", "fly"]})).teacher_of(0)
    with pytest.raises(ValueError, match=r"no class \['fly'\] to train on; the data set has"):
        ensure(spec)


def test_a_study_says_what_its_scores_detect_and_keeps_it(root, tmp_path):
    """By hand from the clip tables: one seed, whole videos by their mean z̃."""
    write_params(root, tiny(**LEFT_OUT))
    study = open_study("tiny")
    rows = findings_of(study).novelty.set_index(["level", "score", "metric"])
    table = study.table("condi_sr", 0, "test")
    clips = table.clips.assign(known=[table.classes[i] in SEEN for i in table.clips["label"]])
    videos = clips.groupby("video_id").agg({"confidence": "mean", "known": "first"})
    by_hand = auroc(videos["confidence"], videos["known"])
    row = rows.loc[("video_mean", "condi_sr", "auroc")]
    assert row["value"] == pytest.approx(by_hand, abs=1e-5) and row["gain"] == 0
    assert row["low"] <= row["value"] <= row["high"]
    scores = {score for _, score, _ in rows.index}
    assert "st_ent" not in scores and "st_ent/student_negative_entropy" in scores
    assert {level for level, _, _ in rows.index} == set(LEVELS)
    baseline = rows.loc[("clip", "teacher_energy", "auroc")]
    ours = rows.loc[("clip", "condi_sr", "auroc")]
    assert baseline["gain"] == pytest.approx(ours["value"] - baseline["value"], abs=1e-5)
    means = intervals_at(findings_of(study).novelty, "video_mean")
    assert means["condi_sr"].value == row["value"] and means["condi_sr"].low == row["low"]
    gains = intervals_at(findings_of(study).novelty, "clip", gains=True)
    assert gains["teacher_energy"].value == baseline["gain"]
    write_findings(findings_of(study), tmp_path)
    pd.testing.assert_frame_equal(read_findings(tmp_path).novelty, findings_of(study).novelty)


def test_a_study_of_all_classes_has_nothing_novel(root):
    write_params(root, tiny())
    study = open_study("tiny")
    assert findings_of(study).novelty.empty
    with pytest.raises(ValueError, match="its teacher is trained on all classes"):
        novelty_scores(study, 0)
    with pytest.raises(ValueError, match="its teacher is trained on all classes"):
        novelty_rows(study)
