"""Times are measured on real files with the study's networks, kept, and read again."""

import numpy as np
import pandas as pd
import pytest
from tiny_study import tiny, write_params
from video_files import numbered_frames

from condi_lib.__main__ import main
from condi_lib.analysis import times as times_room
from condi_lib.analysis.costs import network_costs
from condi_lib.analysis.real_videos import describe, export_real_videos, read_real_videos
from condi_lib.analysis.results import sweep
from condi_lib.analysis.stopwatch import (
    MADE,
    TEST,
    classifiers_of,
    made_files,
    test_files,
    time_in_turns,
)
from condi_lib.analysis.tables import best_k_table
from condi_lib.analysis.times import (
    describe_times,
    division_lists,
    timed_ways,
    times_of,
    ways_of_length,
)
from condi_lib.analysis.ways import dense_way, judge, top_k_ways
from condi_lib.paths import reference_dir
from condi_lib.sampling import DENSE, Selected
from condi_lib.study import Study, ensure, open_study
from condi_lib.study.study import FolderStore
from condi_lib.videos.decode import probe, write_video

test_files.__test__ = False  # pytest would take it for a test


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project with the tiny study, its networks trained; and what was timed there."""
    root = tmp_path_factory.mktemp("project")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONDI_ROOT", str(root))
        patch.setattr(times_room, "LENGTHS", (2, 5))
        write_params(root, tiny(losses={"st_ent": {}, "condi_sr": {}}))
        study = open_study("tiny")
        yield study, times_of(study, "condi_sr", budget_sec=0.1)


@pytest.fixture(autouse=True)
def few_lengths(monkeypatch):
    monkeypatch.setattr(times_room, "LENGTHS", (2, 5))


def test_every_way_is_timed_on_every_file(project):
    study, times = project
    ways = {way.name for way in timed_ways(study, "condi_sr", thorough=False)}
    test = times[times["videos"] == TEST]
    assert test["video"].nunique() == 2
    for _, part in test.groupby("video"):
        assert set(zip(part["family"], part["setting"], strict=True)) == ways
    assert {("condi_sr", "3"), ("st_ent", "3"), ("division", "2+1"), ("dense", "")} <= ways
    assert (times[["ms", "cpu_ms", "ms_low", "ms_high", "decode_ms"]] > 0).all(axis=None)
    assert (times["ms_low"] <= times["ms"]).all()
    assert (times["ms"] <= times["ms_high"]).all()
    assert set(times["threads"]) == {1}


def test_clips_are_those_of_the_policy(project):
    _, times = project
    test = times[times["videos"] == TEST].set_index(["family", "setting"])
    assert set(test["n_clips"]) == {3}
    assert set(test.loc[("dense", ""), "teacher_clips"]) == {3}
    assert set(test.loc[("dense", ""), "student_clips"]) == {0}
    assert set(test.loc[("condi_sr", "2"), "teacher_clips"]) == {2}
    assert set(test.loc[("condi_sr", "2"), "student_clips"]) == {3}
    assert set(test.loc[("division", "2+1"), "teacher_clips"]) == {2}
    assert set(test.loc[("equidistant", "1"), "student_clips"]) == {0}
    assert (test.loc[("equidistant", "1"), "teacher_ms"] > 0).all()


def test_videos_are_made_to_each_length(project):
    study, times = project
    made = times[times["videos"] == MADE]
    for n, part in made.groupby("n_clips"):
        names = {way.name for way in ways_of_length(study, "condi_sr", int(n))}
        assert set(zip(part["family"], part["setting"], strict=True)) == names
    assert set(made["n_clips"]) == {2, 5}


def test_what_was_measured_is_kept(project, monkeypatch):
    study, times = project
    monkeypatch.setattr(times_room, "measure_times", None)  # it would be called in vain
    pd.testing.assert_frame_equal(times_of(study, "condi_sr"), times)


def test_predictions_are_those_of_the_clip_tables(project):
    """And so is the arithmetic: what is timed is what was judged."""
    study, _ = project
    ways = [dense_way(study), *top_k_ways(study, "condi_sr", [1, 2])]
    judged, right = judge(study, ways), {way.name: [] for way in ways}
    classifiers = classifiers_of(study, (0, ""), ways)
    labels = study.table("condi_sr", 0).dense().label.tolist()
    for video, label in zip(test_files(study, 12), labels, strict=True):
        took = time_in_turns([*classifiers.values()], video.path, 1)
        for name, (once,) in zip(classifiers, took, strict=True):
            right[name].append(once.answer.classes[once.answer.probs.argmax()])
            assert 1000 * once.answer.gmacs == pytest.approx(judged.mmacs[name])
        for name in right:
            right[name][-1] = right[name][-1] == study.classes[label]
    for name, values in right.items():
        np.testing.assert_array_equal(judged.correct[name][0], values)
    assert network_costs(study)["macs"]["teacher"] * 3 / 1e6 == pytest.approx(
        judged.mmacs["dense", ""]
    )


def test_classifiers_of_one_student_share_its_networks(project):
    study, _ = project
    ways = [dense_way(study), *top_k_ways(study, "equidistant", [1, 2])]
    dense, first, second = classifiers_of(study, (0, ""), ways).values()
    assert first._teacher is second._teacher is dense._teacher
    assert (dense.policy, second.policy) == (DENSE, Selected("equidistant", 2))


def test_each_round_times_each_way_once(project):
    study, _ = project
    classifiers = classifiers_of(study, (0, ""), top_k_ways(study, "equidistant", [1, 2, 3]))
    (video, *_) = test_files(study, 1)
    took = time_in_turns([*classifiers.values()], video.path, 4)
    assert [[each.answer.n_teacher for each in rounds] for rounds in took] == [
        [1] * 4, [2] * 4, [3] * 4
    ]  # fmt: skip


@pytest.mark.parametrize("longest", [1, 4, 5, 12])
def test_divisions_that_are_timed(longest):
    lists = division_lists(longest)
    assert len(set(lists)) == len(lists)
    assert {t + s for t, s in lists} == {k for k in (1, 3, 5, 7) if k <= longest} | {longest}
    assert all(s >= 1 for _, s in lists)
    assert (0, longest) in lists
    if longest >= 7:
        assert {(4, 1), (2, 3), (0, 5), (6, 1), (3, 4), (0, 7)} <= set(lists)  # the paper's


def test_own_videos_are_repeated_to_a_length(tmp_path, monkeypatch):
    monkeypatch.setenv("CONDI_ROOT", str(tmp_path))
    frames = numbered_frames(6)[:, :33, :41]  # odd sizes
    for split in ("train", "val", "test"):
        write_video(tmp_path / f"{split}.mp4", frames, pixel_format="yuv444p")
    rows = [f"{split}.mp4,a,{split}" for split in ("train", "val", "test")]
    (tmp_path / "labels.csv").write_text("\n".join(["file,label,split", *rows]))
    catalog = {"dataset.pantomime": ..., "dataset.catalog": {"path": "labels.csv"}}
    study = open_study(tiny(**catalog, **{"teacher.train_splits": ["train"]}))
    ensure(study.spec.dataset_of())
    (video,) = made_files(study, 5, tmp_path, 1)
    info = probe(video.path)
    assert (info.n_frames, info.height_px, info.width_px) == (20, 32, 40)  # 5 clips of 4 frames
    assert (video.kind, video.pair) == (MADE, (0, ""))


# The reference


def test_the_reference_reads_its_own_times(project, tmp_path):
    study, times = project
    times.to_csv(tmp_path / "times.csv", index=False)
    kept = Study(study.spec, FolderStore(tmp_path), "reference")
    pd.testing.assert_frame_equal(times_of(kept, "condi_sr"), times)
    with pytest.raises(ValueError, match=r"timed with \['condi_sr'\], not 'st_ent'"):
        times_of(kept, "st_ent")
    assert describe_times(times).startswith("Times: 2 test files, once, all ways")
    empty = Study(study.spec, FolderStore(tmp_path / "none"), "reference")
    with pytest.raises(FileNotFoundError, match=r"times\.csv: .*run `make reference`"):
        times_of(empty)


def test_the_command_measures_thoroughly(project, monkeypatch, capsys):
    monkeypatch.setattr(times_room, "REFERENCE_SEC", 0.1)
    monkeypatch.setattr(times_room, "LIVE_SEC", 0.05)
    monkeypatch.setattr("sys.argv", ["condi_lib", "times", "tiny"])
    reference_dir().mkdir(parents=True)
    main()
    assert capsys.readouterr().out.startswith("Times: 2 test files")
    table = pd.read_csv(reference_dir() / "times.csv", dtype={"setting": str})
    settings = table[(table["family"] == "st_ent") & (table["videos"] == TEST)]["setting"]
    assert set(settings) == {"1", "2", "3"}  # every K; in passing the paper's only


def test_a_table_of_numbers_for_videos_that_cannot_be_committed(project):
    study, _ = project
    table = export_real_videos(study, reference_dir())
    read = read_real_videos()
    pd.testing.assert_frame_equal(read, table.round(5), check_dtype=False)
    val, test = sweep(study, "val"), sweep(study, "test")
    best = best_k_table(val, test, ["condi_sr"]).loc["condi_sr"]
    row = read.query("chapter == '02' and quantity == 'over dense' and method == 'condi_sr'")
    assert row["setting"].item() == f"{best['K']}"
    assert row["value"].item() == pytest.approx(best["over_dense"].value, abs=1e-5)
    assert row["high"].item() == pytest.approx(best["over_dense"].high, abs=1e-5)
    chance = read.query("method == 'most frequent class'")
    assert (chance["value"].item(), chance["low"].isna().item()) == (
        pytest.approx(1 / 12, abs=1e-5),
        True,
    )
    assert set(read["chapter"]) == {"control", "01", "02", "05", "06"}
    assert set(read["n_videos"]) == {12}
    lines = list(describe(read))
    assert lines[0] == "tiny: 12 real videos, 1 seed(s)"
    assert "(chance 8.3%)" in lines[1]
    sure = read.query("quantity == 'sure ones among wrong clips'").iloc[0]
    assert "(max softmax of at least 0.9)" in lines[3]
    assert lines[3].endswith(f" on {sure['value']:.1%}")
    assert ", over dense " in lines[2]
