"""Variants of a study, and what is kept of them: the same numbers as from their clip tables."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from tiny_study import N_VIDEOS, tiny, write_params

from condi_lib.analysis import export_reference, findings_of
from condi_lib.analysis.findings import (
    Findings,
    compute_findings,
    own_accuracy,
    read_findings,
    write_findings,
)
from condi_lib.analysis.results import clip_scores, sweep
from condi_lib.clip_table import read_clip_table
from condi_lib.metrics import auroc, auroc_per_video
from condi_lib.models import load_weights
from condi_lib.paths import reference_dir
from condi_lib.scoring import forward_clips
from condi_lib.statistics import bootstrap_difference
from condi_lib.study import ensure, open_study, read_study
from condi_lib.study.config import StudySpec
from condi_lib.study.datasets import open_dataset
from condi_lib.study.networks import cross_fit_part
from condi_lib.study.plan import plan
from condi_lib.study.specs import run_folder, run_name

HARD = {"dataset": {"pantomime": {"splits": {"hard": {"n_videos": 12, "n_clips": 3, "cue": 1.0}}}}}
VARIANTS = {
    "sweeps": {
        "slow": {"losses": {"slow": {"loss": "condi_sr", "student": {"training": {"lr": 0.001}}}}},
        "hard": {
            "extends": "sweeps.slow",
            "also_score": ["hard"],
            "seeds": [0, 1],
            "losses": {"condi_sr": {}, "plain": {"loss": "st_ent"}},
            **HARD,
        },
    },
    "backbones": {"wider": {"teacher": {"options": {"width": 3}}}},
}


def fields(**variants):
    return tiny(variants=variants or VARIANTS)


def test_a_variant_takes_over_what_it_does_not_give_anew():
    study = read_study(fields())
    slow, hard = study.variants["sweeps"].values()
    wider = study.variants["backbones"]["wider"]
    assert slow.name == "tiny.sweeps.slow"
    assert list(slow.losses) == ["slow"]  # losses are given anew, or taken over
    assert list(wider.losses) == ["condi_sr"]
    assert slow.losses["slow"].student.training.lr == 0.001
    assert slow.losses["slow"].student.training.epochs == study.student.training.epochs
    assert list(hard.losses) == ["condi_sr", "plain"] and hard.seeds == (0, 1)
    assert hard.reported_splits == ("val", "test", "hard")
    assert not any(isinstance(v, StudySpec) and v.variants for v in study.all_variants)


def test_a_variant_may_extend_several_of_which_later_ones_win():
    lists = {"fast": {"student": {"training": {"lr": 0.1, "epochs": 1}}, "losses": {"naive": {}}}}
    both = {"extends": ["sweeps.slow", "lists.fast"], "student": {"training": {"lr": 0.2}}}
    study = read_study(fields(**VARIANTS, lists=lists, mixed={"both": both}))
    mixed = study.variants["mixed"]["both"]
    assert list(mixed.losses) == ["naive"]
    assert (mixed.student.training.lr, mixed.student.training.epochs) == (0.2, 1)


def test_only_what_differs_makes_another_run():
    study = read_study(fields())
    slow, hard = study.variants["sweeps"].values()
    wider = study.variants["backbones"]["wider"]
    assert run_name(slow.teacher_of(0)) == run_name(study.teacher_of(0))
    assert run_name(slow.student_of("slow", 0)) != run_name(study.student_of("condi_sr", 0))
    assert run_name(hard.dataset) != run_name(study.dataset) == run_name(wider.dataset)


@pytest.mark.parametrize(
    ("variants", "message"),
    [
        ({"sweeps": ["a"]}, "study.variants: must be a mapping of mappings"),
        (
            {"sweeps": {"a": {"extends": "sweeps.b"}}},
            r"sweeps.a: extends 'sweeps.b', which is none",
        ),
        ({"a": {"b": {"extends": ["a.c"]}, "c": {"extends": "a.b"}}}, "a.b: extends itself"),
        ({"sweeps": {"a": {"extends": "sweeps.a"}}}, "sweeps.a: extends itself"),
        ({"sweeps": {"a": {"seeds": "x"}}}, r"variants.sweeps.a: study\.seeds: must be a list"),
        ({"sweeps": {"a": {"losses": {"b": {"student": {"lr": 1}}}}}}, "has no field \\['lr'\\]"),
    ],
)
def test_a_wrong_variant_is_refused_by_name(variants, message):
    with pytest.raises(ValueError, match=message):
        read_study(tiny(variants=variants))


def test_variants_become_jobs_once_and_chapters_wait_for_their_own(root):
    path = write_params(root, fields())
    for number, chapter in {"03": "sweeps", "04": "other", "05": "verdicts"}.items():
        notebook = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        (root / "notebooks" / f"{number}_{chapter}.ipynb").write_text(json.dumps(notebook))
    jobs = {job.name: job for job in plan(str(path))}
    runs = [run_name(spec) for job in jobs.values() for spec in job.specs]
    assert len(runs) == len(set(runs))
    base = {"dataset", "teacher-seed0", "condi_sr-seed0"}
    mine = {"sweeps.slow-slow-seed0", "sweeps.hard-dataset", "sweeps.hard-teacher-seed0"}
    mine |= {"sweeps.hard-teacher-seed1"}
    mine |= {f"sweeps.hard-{loss}-seed{s}" for loss in ("condi_sr", "plain") for s in (0, 1)}
    others = {"backbones.wider-teacher-seed0", "backbones.wider-condi_sr-seed0"}
    assert {name for name, job in jobs.items() if job.specs} == base | mine | others
    needs = {
        job.name[3:]: {j.name for j in jobs.values() if j.stamp in job.needs}
        for job in jobs.values()
        if not job.specs
    }
    assert needs == {"sweeps": base | mine, "other": base, "verdicts": base | mine | others}


@pytest.fixture(scope="module")
def computed(tmp_path_factory):
    """A project in which a tiny study with variants was computed and exported."""
    root = tmp_path_factory.mktemp("variants")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONDI_ROOT", str(root))
        write_params(root, fields(sweeps=VARIANTS["sweeps"]))
        export_reference("tiny", reference_dir())
    return root


@pytest.fixture
def project(computed, monkeypatch):
    monkeypatch.setenv("CONDI_ROOT", str(computed))
    return computed


def test_findings_hold_what_clip_tables_say(project):
    study = open_study("tiny").variants("sweeps")["hard"]
    found = compute_findings(study)
    for split in ("val", "test", "hard"):
        expected = sweep(study, split).correct
        assert list(found.sweeps[split].correct) == list(expected)
        for method, values in expected.items():
            np.testing.assert_array_equal(found.sweeps[split].correct[method], values)
    row = found.metrics.query("split == 'hard' and seed == 1 and method == 'condi_sr'").iloc[0]
    tables = {s: study.table("condi_sr", 1, s) for s in ("test", "hard")}
    clips = tables["hard"].clips
    confidence = clips["confidence"].to_numpy()
    wrong = tables["hard"].teacher_logits.argmax(1).numpy() != clips["label"].to_numpy()
    assert row["score_mean"] == pytest.approx(confidence.mean(), abs=1e-6)
    assert row["false_positive_rate"] == pytest.approx((confidence[wrong] > 0.5).mean())
    softmax = tables["hard"].teacher_logits.softmax(1).amax(1).numpy()
    of_teacher = found.metrics.query("seed == 1 and method == 'teacher_max_softmax'")
    sure = of_teacher.set_index("split")["sure_when_wrong"]
    assert list(sure.index) == ["val", "test", "hard"]  # K and rules are chosen on the first
    assert sure["hard"] == pytest.approx((softmax[wrong] >= 0.9).mean())
    assert np.isnan(row["sure_when_wrong"])
    within = [part.std(ddof=0) for _, part in clips.groupby("video_id")["confidence"]]
    assert row["score_std_within_video"] == pytest.approx(np.mean(within), abs=1e-6)
    both = np.concatenate([tables["test"].clips["confidence"], confidence])
    is_test = np.arange(len(both)) < len(both) - len(confidence)
    assert row["auroc_against_test"] == pytest.approx(auroc(both, is_test))
    logits = tables["hard"].student_logits
    right = logits.argmax(1).numpy() == clips["label"].to_numpy()
    assert row["clip_accuracy"] == right.mean()
    probs = logits.softmax(1).numpy().reshape(N_VIDEOS, 3, -1).mean(axis=1)
    assert row["video_accuracy"] == (probs.argmax(1) == clips["label"].to_numpy()[::3]).mean()
    teacher = own_accuracy(study, "teacher", 1, "hard")
    assert teacher["clip_accuracy"] == pytest.approx((~wrong).mean())
    assert set(found.history["network"]) == {"teacher", "condi_sr", "plain"}


def test_aurocs_inside_videos_are_those_of_the_clip_tables(project):
    study = open_study("tiny").variants("sweeps")["hard"]
    found = compute_findings(study)
    for method in ("condi_sr", "plain", "teacher_max_softmax"):
        for at, part in enumerate(clip_scores(study, "hard").groupby("seed")):
            clips = part[1]
            expected = auroc_per_video(clips[method], clips["correct"], clips["video_id"])
            np.testing.assert_allclose(found.video_auroc["hard"][method][at], expected, rtol=1e-6)


def test_auroc_inside_videos_is_the_mean_over_seeds_and_is_paired_by_video():
    nan = np.nan
    a = np.array([[1.0, 0.5, nan, nan], [1.0, nan, 0.0, nan]], np.float32)
    b = np.array([[0.0, 0.5, nan, nan], [0.5, nan, 0.0, nan]], np.float32)
    videos = {"test": {"a": a, "b": b, "never": np.full_like(a, nan)}}
    videos["test"]["one seed only"] = np.array([a[0], np.full(4, nan)], np.float32)
    found = Findings({}, pd.DataFrame(), pd.DataFrame(), videos)
    assert found.within_video_auroc("a").value == (0.75 + 0.5) / 2
    difference = found.within_video_auroc("a", minus="b")
    assert difference.value == (0.5 + 0.25) / 2
    itself = found.within_video_auroc("a", minus="a")
    assert itself.value == 0
    for method in ("never", "one seed only"):
        nothing = found.within_video_auroc(method)
        assert np.isnan([nothing.value, nothing.low, nothing.high]).all()
    with pytest.raises(
        ValueError, match=r"split 'val': of videos on which K is chosen.* \['test'\]"
    ):
        found.within_video_auroc("a", "val")


def test_where_all_videos_are_mixed_their_aurocs_are_simply_averaged():
    a, b = np.random.default_rng(0).uniform(size=(2, 3, 40)).astype(np.float32)
    found = Findings({}, pd.DataFrame(), pd.DataFrame(), {"test": {"a": a, "b": b}})
    expected = bootstrap_difference(a, b)
    difference = found.within_video_auroc("a", minus="b")
    for name in ("value", "low", "high"):
        assert getattr(difference, name) == pytest.approx(getattr(expected, name))


def test_findings_survive_being_written_and_are_read_back_from_the_reference(project, tmp_path):
    computed = {n: findings_of(s) for n, s in open_study("tiny").variants("sweeps").items()}
    reference = {n: findings_of(s) for n, s in open_study("reference").variants("sweeps").items()}
    assert list(reference) == ["slow", "hard"]
    write_findings(computed["hard"], tmp_path / "again")
    for other in (reference["hard"], read_findings(tmp_path / "again")):
        assert other.sweeps.keys() == computed["hard"].sweeps.keys()
        for split, swept in computed["hard"].sweeps.items():
            for method, values in swept.correct.items():
                np.testing.assert_array_equal(other.sweeps[split].correct[method], values)
            for method, values in computed["hard"].video_auroc.get(split, {}).items():
                np.testing.assert_array_equal(other.video_auroc[split][method], values)
        assert other.video_auroc.keys() == {"test", "hard"}
        pd.testing.assert_frame_equal(other.metrics, computed["hard"].metrics)
        pd.testing.assert_frame_equal(other.history, computed["hard"].history)
    reference["slow"].sweeps["test"].gain("slow", 1)  # intervals can be computed from it


def test_the_reference_of_a_variant_holds_no_clip_tables(project):
    files = {p.name for p in (reference_dir() / "sweeps" / "hard").iterdir()}
    assert files == {"right.npz", "metrics.csv", "history.csv"}
    variant = open_study("reference").variants("sweeps")["hard"]
    with pytest.raises(FileNotFoundError, match="not in the committed reference"):
        variant.teacher_table(0)
    assert open_study("reference").variants("backbones") == {}


def test_the_reference_keeps_what_its_own_rounded_tables_say(project):
    study = open_study("reference")
    kept, anew = findings_of(study), compute_findings(study)
    for split, swept in anew.sweeps.items():
        for method, values in swept.correct.items():
            np.testing.assert_array_equal(kept.sweeps[split].correct[method], values)
    columns = ["auroc", "score_std", "video_accuracy"]
    np.testing.assert_allclose(kept.metrics[columns], anew.metrics[columns], rtol=1e-5)


# A teacher that judges its own training clips by networks that have not seen them


def test_cross_fitting_parts_share_the_videos_out_by_class(project):
    dataset = read_study("tiny").dataset
    clips = open_dataset(dataset, run_folder(dataset)).clips
    parts = [cross_fit_part(clips, ["train"], 3, part) for part in range(3)]
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), clips.rows(["train"]))
    videos = [set(clips.video_of(part)) for part in parts]
    assert not videos[0] & videos[1] | videos[1] & videos[2] | videos[0] & videos[2]
    assert {len(part) for part in videos} == {N_VIDEOS // 3}
    with pytest.raises(ValueError, match="12 videos cannot be divided into 13 parts"):
        cross_fit_part(clips, ["train"], 13, 1)


def test_a_cross_fitted_teacher_has_not_seen_what_it_judges(root):
    splits = {"train": {"n_videos": 24, "n_clips": 2}}
    given = tiny(cross_fit=2, losses={"condi_sr": {}})
    given["dataset"]["pantomime"]["splits"] |= splits
    given["teacher"] |= {"train_splits": ["train"]}
    study = read_study(given)
    spec = study.teacher_of(0)
    folder = ensure(spec)
    clips = open_dataset(spec.dataset, run_folder(spec.dataset)).clips
    table = read_clip_table(folder / "scores", ["train"])
    asked = clips.table(clips.rows(["train"]))
    for part in range(2):
        unseen = cross_fit_part(clips, ["train"], 2, part)
        place = folder / "scores" / f"cross_fit_{part}"
        model = load_weights(place / "weights.safetensors").build().eval()
        pixels = next(clips.batches([unseen]))
        logits, _ = forward_clips(model, spec.preprocess(pixels), 12)
        ours = table.clips.reset_index().merge(clips.table(unseen), on=["video_id", "clip_index"])
        np.testing.assert_allclose(table.teacher_logits[ours["index"]], logits, atol=1e-4)
        history = pd.read_csv(place / "history.csv")
        assert len(history) == study.teacher.training.epochs
    assert len(table.clips) == len(asked)
    main = load_weights(folder / "weights.safetensors").build().eval()
    rows = clips.rows(["test"])
    logits, _ = forward_clips(main, spec.preprocess(next(clips.batches([rows]))), 12)
    test = read_clip_table(folder / "scores", ["test"])
    np.testing.assert_allclose(test.teacher_logits, logits, atol=1e-4)
    ensure(study.student_of("condi_sr", 0))  # its student finds every clip's teacher logits
    with pytest.raises(ValueError, match="cross_fit must be 0 \\(none\\) or at least 2, got 1"):
        read_study(tiny(cross_fit=1)).teacher_of(0)


def test_a_killed_cross_fit_is_taken_up_again(root):
    given = tiny(cross_fit=2)
    given["dataset"]["pantomime"]["splits"]["train"] = {"n_videos": 24, "n_clips": 2}
    given["teacher"] |= {"train_splits": ["train"]}
    spec = read_study(given).teacher_of(0)
    folder = ensure(spec)
    before = (folder / "scores" / "cross_fit_0" / "weights.safetensors").stat().st_mtime_ns
    (folder / "done.json").unlink()
    shutil.rmtree(folder / "scores" / "cross_fit_1")
    ensure(spec)
    after = (folder / "scores" / "cross_fit_0" / "weights.safetensors").stat().st_mtime_ns
    assert before == after
    assert (folder / "scores" / "cross_fit_1" / "part-00000.parquet").exists()
