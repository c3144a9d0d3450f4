"""A run is computed once, survives kills and company, and is whole or not there."""

import fcntl
import json
import os
import shutil
import threading
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from tiny_study import N_VIDEOS, ensure_and_die, process, tiny, write_params

from condi_lib.analysis import export_reference
from condi_lib.clip_table import read_clip_table
from condi_lib.locks import alone
from condi_lib.paths import reference_dir
from condi_lib.study import CatalogSource, DatasetSpec, ensure, networks, open_study, read_study
from condi_lib.study.datasets import open_dataset, pantomime_folder
from condi_lib.study.ensure import forget, is_done
from condi_lib.study.specs import run_folder
from condi_lib.videos.catalog import CatalogError
from condi_lib.videos.decode import write_video

SPEC = read_study(tiny()).student_of("condi_sr", 0)
RUNS = (SPEC.teacher.dataset, SPEC.teacher, SPEC)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A project in which the tiny study's student was computed without any trouble."""
    root = tmp_path_factory.mktemp("finished")
    run = process(ensure_and_die, tiny(), root, "", 0, False)
    run.join()
    assert run.exitcode == 0
    return root


@pytest.fixture(autouse=True)
def one_thread():
    """As in those processes: results are the same to the bit for the same number of threads."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


@pytest.fixture
def copy(finished, root):
    """A copy of that project, to be damaged."""
    shutil.copytree(finished, root, dirs_exist_ok=True)
    return root


def results(root):
    """Everything that the study's runs hold, but for the circumstances of their computation."""
    files = [path for path in (root / "data" / "runs").rglob("*") if path.is_file()]
    kept = [path for path in files if path.suffix in (".csv", ".safetensors", ".parquet", ".npy")]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in kept}


def state(root):
    """When each file was written."""
    return {p: p.stat().st_mtime_ns for p in (root / "data").rglob("*") if p.is_file()}


def test_a_run_is_computed_with_what_it_needs_and_found_again(copy):
    before = state(copy)
    assert ensure(SPEC) == run_folder(SPEC)
    assert ensure(SPEC.teacher) == run_folder(SPEC.teacher)
    assert state(copy) == before
    assert [is_done(spec) for spec in RUNS] == [True] * 3
    kinds = {json.loads((run_folder(spec) / "spec.json").read_text())["kind"] for spec in RUNS}
    assert kinds == {"dataset", "teacher", "student"}


def test_the_tables_hold_every_clip_of_the_splits_to_judge(copy):
    table = read_clip_table(run_folder(SPEC.teacher) / "scores")
    assert table.clips.groupby("split").size().to_dict() == {
        "train": 2 * N_VIDEOS,
        "val": 2 * N_VIDEOS,
        "test": 3 * N_VIDEOS,
    }
    student = read_clip_table(run_folder(SPEC) / "scores")
    assert set(student.clips["split"]) == {"val", "test"}
    assert student.clips["confidence"].between(0, 1).all()
    assert student.clips["truth"].isin(["key", "confuser", "generic"]).all()


KILLS = [
    ("00005_*.mp4", 3, False),  # while videos are drawn
    ("labels.csv", 1, False),  # drawn, but not said so
    ("videos.csv", 1, True),  # scanned, not cached
    ("clips.npy", 1, False),
    ("done.json", 1, False),  # all of the data set but the mark
    ("checkpoint.safetensors", 2, False),  # while the teacher trains
    ("checkpoint.safetensors", 4, True),
    ("history.csv", 1, False),
    ("weights.safetensors", 1, True),  # trained, not scored
    ("part-00000.parquet", 1, True),
    ("checkpoint.safetensors", 3, True),  # the student's
    ("weights.safetensors", 1, False),
    ("part-00000.parquet", 1, False),
    ("done.json", 1, False),
]


def test_a_run_killed_again_and_again_ends_with_the_same_results(root, finished):
    for moment in KILLS:
        killed = process(ensure_and_die, tiny(), root, *moment)
        killed.join()
        assert killed.exitcode == -9, f"was not killed at {moment}"
        assert not is_done(SPEC)
    survivor = process(ensure_and_die, tiny(), root, "", 0, False)
    survivor.join()
    assert survivor.exitcode == 0
    assert results(root) == results(finished)
    assert [p for p in (root / "data").rglob("*") if ".part" in p.name] == []


def test_a_run_killed_while_it_scored_does_not_train_again(copy):
    expected, before = results(copy), state(copy)
    (run_folder(SPEC) / "done.json").unlink()
    shutil.rmtree(run_folder(SPEC) / "scores")
    ensure(SPEC)
    assert results(copy) == expected
    weights = run_folder(SPEC) / "weights.safetensors"
    assert state(copy)[weights] == before[weights]


def test_two_processes_at_once_compute_it_once(root, finished):
    both = [process(ensure_and_die, tiny(), root, "", 0, False) for _ in range(2)]
    for each in both:
        each.join()
    assert [each.exitcode for each in both] == [0, 0]
    assert results(root) == results(finished)


DAMAGES = {
    "a part is gone": lambda folder: (folder / "scores" / "part-00000.parquet").unlink(),
    "weights are cut": lambda folder: os.truncate(folder / "weights.safetensors", 99),
    "the history is gone": lambda folder: (folder / "history.csv").unlink(),
    "the mark is cut": lambda folder: os.truncate(folder / "done.json", 20),
    "the mark is empty": lambda folder: (folder / "done.json").write_text(""),
    "the mark is of another kind": lambda folder: (folder / "done.json").write_text("[]"),
    "all is gone": shutil.rmtree,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_run_is_not_done_and_gets_repaired(damage, copy):
    expected = results(copy)
    damage(run_folder(SPEC))
    assert not is_done(SPEC)
    ensure(SPEC)
    assert is_done(SPEC)
    assert results(copy) == expected


def test_lost_videos_are_drawn_again(copy):
    folder = pantomime_folder(SPEC.teacher.dataset.pantomime)
    videos = {path.name: path.read_bytes() for path in folder.rglob("*.mp4")}
    shutil.rmtree(folder)
    assert not is_done(SPEC.teacher.dataset)
    ensure(SPEC.teacher.dataset)
    assert {path.name: path.read_bytes() for path in folder.rglob("*.mp4")} == videos


def test_half_written_files_of_a_killed_process_are_removed(copy):
    (run_folder(SPEC) / "done.json").unlink()
    left = run_folder(SPEC) / "scores" / "part-00001.parquet.123.part"
    left.write_bytes(b"half")
    ensure(SPEC)
    assert not left.exists()


def test_a_forgotten_run_is_gone_and_its_videos_too(copy):
    dataset = SPEC.teacher.dataset
    forget(dataset)
    assert not run_folder(dataset).exists()
    assert not pantomime_folder(dataset.pantomime).exists()
    assert is_done(SPEC)


def test_a_student_trains_on_the_logits_of_its_own_clips(copy, monkeypatch):
    class Caught(Exception):
        pass

    def train(model, objective, data, *args, **kwargs):
        raise Caught(data)

    monkeypatch.setattr(networks, "train", train)
    forget(SPEC)
    with pytest.raises(Caught) as caught:
        ensure(SPEC)
    data = caught.value.args[0]

    teacher = read_clip_table(run_folder(SPEC.teacher) / "scores")
    keys = zip(teacher.clips["video_id"], teacher.clips["clip_index"], strict=True)
    by_clip = dict(zip(keys, teacher.teacher_logits, strict=True))
    clips = data.clips.table()
    for row, clip in clips.iterrows():
        logits = by_clip.get((clip["video_id"], clip["clip_index"]))
        if logits is None:
            assert clip["split"] == "teacher_train"
            assert data.teacher_logits[row].isnan().all()
        else:
            assert torch.equal(data.teacher_logits[row], logits)
        assert data.labels[row] == clip["label"]
    assert set(clips["split"].iloc[data.rows]) == {"train"}
    assert set(clips["split"].iloc[data.val_rows]) == {"val"}


def test_clips_without_teacher_logits_are_refused(copy, monkeypatch):
    def incomplete(folder):
        yield read_clip_table(folder).split("val")

    monkeypatch.setattr(networks, "clip_table_parts", incomplete)
    forget(SPEC)
    message = f"{2 * N_VIDEOS} clips have no finite teacher logits, the first is clip 0 of train/"
    with pytest.raises(ValueError, match=message):
        ensure(SPEC)
    assert not is_done(SPEC)


def test_a_teacher_of_other_clips_is_refused(copy, tmp_path):
    clips = open_dataset(SPEC.teacher.dataset, run_folder(SPEC.teacher.dataset)).clips
    table = read_clip_table(run_folder(SPEC.teacher) / "scores")
    for column, change, named in (
        ("clip_index", lambda number: number + 7, r"clip 7 of train/00000_bend\.mp4"),
        ("video_id", lambda name: name + "?", r"clip 0 of train/00000_bend\.mp4\?"),
    ):
        other = deepcopy(table)
        other.clips[column] = change(table.clips[column])
        with pytest.raises(ValueError, match=f"the teacher scored {named}, which is not there"):
            networks.write_logits_by_row(clips, [other], tmp_path / "logits.npy")


@pytest.mark.parametrize(("limit", "expected"), [(24, range(24)), (5, [0, 6, 12, 17, 23])])
def test_validation_clips_are_spread_evenly(limit, expected, copy):
    dataset = open_dataset(SPEC.teacher.dataset, run_folder(SPEC.teacher.dataset))
    network = replace(SPEC.network, val_clips=limit)
    first = dataset.clips.rows(["val"])[0]
    assert (networks._val_rows(network, dataset) - first).tolist() == list(expected)


# Your own videos


@pytest.fixture
def own_videos(root):
    """16 videos of 2 classes by 8 persons, and two files that are none; ``videos/labels.csv``."""
    rng = np.random.default_rng(0)
    rows = []
    for number in range(16):
        path = root / "videos" / f"{number:02d}.mp4"
        path.parent.mkdir(exist_ok=True)
        write_video(path, rng.integers(0, 255, (8, 16, 16, 3), np.uint8))
        rows.append((path.name, "ab"[number % 2], str(number // 2)))
    for name in ("empty.mp4", "text.mp4"):
        (root / "videos" / name).write_text("" if name == "empty.mp4" else "no video")
        rows.append((name, "a", "0"))
    table = pd.DataFrame(rows, columns=["file", "class", "person"])
    table.to_csv(root / "videos" / "labels.csv", index=False)
    return table


SOURCE = CatalogSource(
    path="videos/labels.csv",
    label_column="class",
    group_column="person",
    groups={
        "teacher_train": ("0", "1", "2", "3"),
        "train": ("4", "5"),
        "val": ("6",),
        "test": ("7",),
    },
    skip_bad=True,
)


def own(source):
    return DatasetSpec(catalog=source, clip_frames=4, size_px=(16, 16))


def test_your_own_videos_divided_by_groups(own_videos):
    folder = ensure(own(SOURCE))
    videos = pd.read_csv(folder / "videos.csv").set_index("video_id")
    assert len(videos) == 16
    assert (videos["n_frames"] == 8).all()
    for _, row in own_videos.iloc[:16].iterrows():
        video = videos.loc[row["file"]]
        assert row["person"] in SOURCE.groups[video["split"]]
        assert "ab"[video["label"]] == row["class"]
    left_out = pd.read_csv(folder / "left_out.csv")
    assert left_out["file"].tolist() == ["empty.mp4", "text.mp4"]
    assert left_out["cause"].str.len().gt(0).all()


def test_your_own_videos_divided_at_random(own_videos):
    fractions = {"train": 0.5, "val": 0.25, "test": 0.25}
    source = replace(SOURCE, groups=None, group_column=None, fractions=fractions)
    videos = pd.read_csv(ensure(own(source)) / "videos.csv")
    counts = videos.groupby(["split", "label"]).size()  # of 10 a and 8 b, two a were left out
    assert counts["train"].tolist() == [5, 4]
    assert counts["test"].sum() + counts["val"].sum() == 7

    by_person = replace(source, group_column="person")
    videos = pd.read_csv(ensure(own(by_person)) / "videos.csv")
    person = own_videos.set_index("file")["person"]
    assert videos.groupby(videos["video_id"].map(person))["split"].nunique().max() == 1


def test_bad_videos_stop_a_study_unless_they_may_be_skipped(own_videos):
    spec = own(replace(SOURCE, skip_bad=False))
    with pytest.raises(CatalogError) as caught:
        ensure(spec)
    assert "empty.mp4" in str(caught.value)
    assert "text.mp4" in str(caught.value)
    assert not is_done(spec)


def test_a_study_of_your_own_videos_by_folds_and_its_export(own_videos, root):
    catalog = {"path": SOURCE.path, "label_column": "class", "group_column": "person"}
    fields = tiny(
        **{
            "dataset.pantomime": ...,
            "dataset.catalog": {**catalog, "skip_bad": True},
            "folds": {"one": {split: list(groups) for split, groups in SOURCE.groups.items()}},
            "losses": {"st_ent": {}},
        }
    )
    write_params(root, fields)
    study = open_study("tiny")
    table = study.table("st_ent", 0, "test", "one")
    assert set(table.clips["video_id"]) == {"14.mp4", "15.mp4"}
    assert "truth" not in table.clips
    assert table.teacher_logits.shape == table.student_logits.shape == (4, 2)
    assert study.frames("14.mp4", size_px=32).shape == (8, 32, 32, 3)

    export_reference("tiny", reference_dir())
    shutil.rmtree(root / "videos")  # as in a clone
    shutil.rmtree(root / "data" / "runs")
    reference = open_study("reference")
    assert reference.spec == study.spec
    kept = reference.table("st_ent", 0, "test", "one")
    pd.testing.assert_frame_equal(kept.clips, table.clips)
    assert torch.equal(kept.student_logits, table.student_logits.half().float())
    assert torch.equal(kept.teacher_logits, table.teacher_logits.half().float())
    assert set(reference.store.table("teacher", 0, "one", None).clips["split"]) == {"val", "test"}
    assert len(reference.history("st_ent", 0, "one")) == study.spec.student.training.epochs
    assert len(reference.videos("one")) == 16
    assert not (root / "data" / "runs").exists()


# Locks


def attempt(path, seconds=60):
    """Whether the lock of ``path`` can be had within some time; a busy machine needs some."""
    got = threading.Event()

    def work():
        with alone(path):
            got.set()

    threading.Thread(target=work, daemon=True).start()
    return got.wait(seconds)


def test_a_lock_lets_one_in_and_says_that_it_waits(tmp_path, capsys):
    path = tmp_path / "runs" / "run"
    order = []

    def second():
        with alone(path, "waiting for the first"):
            order.append("second")

    with alone(path):
        thread = threading.Thread(target=second)
        thread.start()
        said = ""
        while thread.is_alive() and not said:
            thread.join(0.05)
            said += capsys.readouterr().out
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
    assert said == "waiting for the first\n"


def test_a_lock_outlives_the_folder_that_it_guards(tmp_path):
    path = tmp_path / "run"
    path.mkdir()
    with alone(path):
        shutil.rmtree(path)
        path.mkdir()
        assert not attempt(path, 0.3)
    assert attempt(path)


def test_an_error_frees_the_lock(tmp_path):
    with pytest.raises(RuntimeError), alone(tmp_path / "run"):
        raise RuntimeError
    assert attempt(tmp_path / "run")


def test_whoever_inherits_a_lock_holds_it(tmp_path):
    with alone(tmp_path / "run") as lock:
        inherited = os.dup(lock)
    try:
        assert not attempt(tmp_path / "run", 0.3)
    finally:
        fcntl.flock(inherited, fcntl.LOCK_UN)
        os.close(inherited)
    assert attempt(tmp_path / "run")
