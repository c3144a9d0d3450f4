"""Studies of published data sets, in miniature: from official files to the mean over folds."""

import json
import re
from dataclasses import replace
from pathlib import Path

import miniatures
import numpy as np
import pandas as pd
import pytest
import torch
from tiny_study import tiny, write_params

from condi_lib.analysis import export_reference
from condi_lib.analysis.results import clip_scores, sweep
from condi_lib.analysis.tables import best_k_table, state_denominator, video_counts
from condi_lib.paths import reference_dir
from condi_lib.study import ensure, open_study, read_study
from condi_lib.study.datasets import JOURNAL, open_dataset, read_videos
from condi_lib.study.specs import DatasetSpec, OfficialSource, run_folder, run_name
from condi_lib.study.study import FolderStore, Study
from condi_lib.videos import scan as scan_module
from condi_lib.videos.catalog import CatalogError
from condi_lib.videos.decode import check_every_frame, read_frames

FOLDS = {"fold 1": 1, "fold 2": 2, "fold 3": 3}


def fields_of(source, **changes):
    """A tiny study of a data set; clips of 4 frames, 16 px of the 24 x 16 that the files have."""
    fields = {"dataset.pantomime": ..., "dataset.official": source, "dataset.resize": "cover"}
    fields |= {"teacher.train_splits": ["train"], "teacher.training.epochs": 1}
    fields |= {"student.training.epochs": 1, "losses": {"condi_sr": {}}}
    return tiny(**(fields | changes))


def spec_of(source, **changes):
    return DatasetSpec(
        official=OfficialSource(**{**source, **changes}), clip_frames=4, size_px=(16, 16)
    )


# The whole study


def test_a_whole_study_of_ucf101_by_folds(root):
    """Teacher, student, scores of three folds; their mean, computed once more from the tables."""
    source = {**miniatures.ucf101(root), "val_fraction": 0.2}
    write_params(root, fields_of(source, folds=FOLDS))
    study = open_study("tiny")
    found = sweep(study, methods=("dense", "oracle", "condi_sr"))
    per_fold = []
    for number, fold in enumerate(FOLDS, start=1):
        table = study.table("condi_sr", 0, "test", fold)
        groups = {int(re.search(r"_g(\d+)_", name)[1]) for name in table.clips["video_id"]}
        assert groups == {2 * number - 1, 2 * number}
        probs = table.teacher_logits.softmax(-1).view(8, 2, 2)  # 8 videos of 2 clips, 2 classes
        best = torch.tensor(table.clips["confidence"].to_numpy().reshape(8, 2).argmax(1))
        label = torch.tensor(table.clips["label"].to_numpy().reshape(8, 2)[:, 0])
        dense = (probs.mean(1).argmax(-1) == label).double().mean()
        kept = (probs[torch.arange(8), best].argmax(-1) == label).double().mean()
        per_fold.append((float(dense), float(kept)))
    dense, kept = np.array(per_fold).T
    assert found.accuracy("dense", 1).value == pytest.approx(dense.mean())
    assert found.accuracy("condi_sr", 1).value == pytest.approx(kept.mean())
    assert found.by_fold("condi_sr", 1) == pytest.approx(kept)
    assert found.accuracy("condi_sr", 2) == found.accuracy("dense", 1)
    assert best_k_table(sweep(study, "val"), found, ["condi_sr"]).loc["condi_sr", "K"] in (1, 2)
    assert len(clip_scores(study)) == 3 * 16  # no video is tested twice
    assert state_denominator(study) == "Results on 24 of 24 listed test videos (all 3 folds)."
    assert study.frames("Archery/v_Archery_g01_c01.avi", 12).shape == (8, 12, 12, 3)

    export_reference("tiny", reference_dir())
    exported = Study(study.spec, FolderStore(reference_dir()), "tiny")
    assert sweep(exported, methods=("dense",)).accuracy("dense", 1).value == pytest.approx(
        dense.mean()
    )
    (root / "ucfTrainTestlist" / "classInd.txt").unlink()
    again = read_study(reference_dir() / "study.yaml")  # needs no lists
    assert again.dataset == study.spec.dataset


# Data sets


def test_networks_see_the_centre_of_the_frames(root):
    spec = replace(spec_of(miniatures.ucf101(root)), resize="cover")
    dataset = open_dataset(spec, ensure(spec))
    record = dataset.clips.catalog.records[5]
    whole = read_frames(record.path)
    assert whole.shape == (8, 16, 24, 3)
    batch = next(dataset.clips.batches([[10, 11]])).numpy()  # 2 clips a video
    assert np.array_equal(batch.reshape(8, 16, 16, 3), whole[:, :, 4:20])
    stretched = run_name(replace(spec, resize="stretch"))
    assert stretched != run_name(spec)


def test_shares_of_the_training_list_divide_no_group_and_leave_the_test_list(root):
    source = miniatures.ucf101(root)
    spec = spec_of(source, fold=2, val_fraction=1 / 6, teacher_fraction=1 / 3)
    videos = read_videos(ensure(spec) / "videos.csv")
    assert videos.groupby(["split", "label"]).size().to_dict() == {
        ("teacher_train", 0): 4, ("teacher_train", 1): 4, ("train", 0): 6, ("train", 1): 6,
        ("val", 0): 2, ("val", 1): 2, ("test", 0): 4, ("test", 1): 4,
    }  # fmt: skip
    group = videos["video_id"].str.replace(r"_c\d+\.avi", "", regex=True)
    assert videos.groupby(group)["split"].nunique().max() == 1
    tested = videos.loc[videos["split"] == "test", "video_id"]
    listed = (root / "ucfTrainTestlist" / "testlist02.txt").read_text().split()
    assert tested.tolist() == listed
    assert spec.split_names == ("train", "teacher_train", "val", "test")


def test_something_something_is_divided_nine_to_one_by_class(root):
    spec = spec_of(miniatures.something_something_v2(root))
    folder = ensure(spec)
    videos = read_videos(folder / "videos.csv")
    counts = videos.groupby(["split", "label"]).size()
    assert counts["train"].tolist() == [9] * 3 and counts["val"].tolist() == [1] * 3
    assert counts["test"].tolist() == [2] * 3  # the validation list
    assert set(videos["codec"]) == {"vp8", "vp9"} and set(videos["n_frames"]) == {8}
    dataset = open_dataset(spec, folder)
    assert dataset.clips.catalog.classes[2] == "Pushing something from left to right"
    assert len(dataset.clips) == 36 * 2


def test_what_kinetics_lost_is_listed_and_the_denominator_stated(root):
    source = {**miniatures.kinetics(root, "{split}/{stem}.mp4"), "skip_bad": True}
    write_params(root, fields_of({**source, "val_fraction": 0.25, "min_frames": 3}))
    study = open_study("tiny")
    counts = video_counts(study)
    assert counts[["listed", "usable"]].sum().tolist() == [33, 29]
    assert counts.loc["test"].to_dict() == {
        "listed": 9, "usable": 7, "missing": 1, "corrupt": 1, "too_short": 0
    }  # fmt: skip
    assert counts.drop("test")[["missing", "corrupt"]].sum().tolist() == [1, 1]
    assert state_denominator(study) == (
        "Results on 7 of 9 listed test videos: 1 missing, 1 corrupt."
    )
    lost = study.left_out()
    assert lost["kind"].tolist() == ["missing", "corrupt"] * 2
    assert lost["cause"].str.len().gt(5).all() and lost["file"].str.endswith(".mp4").all()
    labels = study.videos().groupby("split")["label"].nunique()
    assert labels.to_dict() == {"train": 3, "val": 3, "test": 3}


def test_bad_videos_stop_a_study_that_did_not_allow_it_and_are_all_listed(root):
    spec = spec_of(miniatures.kinetics(root))
    with pytest.raises(
        CatalogError, match=r"4 of 33 videos cannot .* 2 missing, 2 corrupt"
    ) as info:
        ensure(spec)
    listed = run_folder(spec) / "left_out.csv"
    assert "skip_bad: true" in str(info.value) and str(listed) in str(info.value)
    assert len(pd.read_csv(listed)) == 4


def test_a_split_of_which_nothing_is_left_stops_a_study(root):
    source = miniatures.kinetics(root, "{split}/{stem}.mp4")
    for path in (root / "videos" / "val").iterdir():
        path.unlink()
    with pytest.raises(CatalogError, match=r"of split \['test'\] not one video can be used"):
        ensure(spec_of(source, skip_bad=True))


def test_what_was_looked_into_is_not_looked_into_again(root, monkeypatch):
    """The first run stops at four bad videos; mended, only they are looked into."""
    spec = spec_of(miniatures.kinetics(root))
    seen = []

    def look(path):
        seen.append(path)
        return check_every_frame(path)

    monkeypatch.setattr(scan_module, "check_every_frame", look)
    with pytest.raises(CatalogError):
        ensure(spec)
    assert len(seen) == 33
    for name in pd.read_csv(run_folder(spec) / "left_out.csv")["file"]:
        miniatures.write_noise(root / "videos" / name, (len(name), len(seen)))
    seen.clear()
    folder = ensure(spec)
    assert len(seen) == 4
    assert not (folder / JOURNAL).exists()
    assert json.loads((folder / "classes.json").read_text()) == [*miniatures.KINETICS_CLASSES]


def test_a_finished_data_set_is_opened_without_its_lists(root):
    source = miniatures.hmdb51(root)
    spec = spec_of(source, val_fraction=0.25)
    before = open_dataset(spec, ensure(spec)).clips.catalog
    for path in Path(source["lists"]).iterdir():
        path.unlink()
    assert open_dataset(spec, ensure(spec)).clips.catalog == before


# Specs


def test_changed_lists_of_any_fold_are_another_data_set(root):
    source = miniatures.ucf101(root, videos=False)
    names = [run_name(read_study(fields_of(source)).dataset)]
    for name in ("testlist01.txt", "trainlist03.txt", "classInd.txt"):
        path = root / "ucfTrainTestlist" / name
        path.write_text(path.read_text() + "\n")
        names.append(run_name(read_study(fields_of(source)).dataset))
    assert len(set(names)) == 4
    fields = fields_of(source, folds=FOLDS)
    specs = [read_study(fields).dataset_of(fold) for fold in FOLDS]
    assert [spec.official.fold for spec in specs] == [1, 2, 3]
    assert len({run_name(spec) for spec in specs}) == 3


MISTAKES = {
    "an unknown data set": ({"name": "ucf"}, r"official: no official data set is called 'ucf'"),
    "an unknown fold": ({"fold": 4}, r"official: ucf101 has folds 1 to 3, got fold 4"),
    "a fold of a data set without": (
        {"name": "kinetics", "fold": 2}, r"kinetics has one official division, fold 1, got fold 2"
    ),
    "no share to train on": (
        {"val_fraction": 0.5, "teacher_fraction": 0.5}, r"must leave a share to train on"
    ),
    "a negative share": ({"val_fraction": -0.1}, r"must leave a share to train on"),
    "a picture as video": ({"min_frames": 1}, r"min_frames must be at least 2, got 1"),
    "no validation split": ({"val_fraction": 0.0}, r"dataset: has no split \['val'\]"),
    "an unknown field": ({"folder": "x"}, r"official: has no field \['folder'\]"),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_names_the_field(root, changes, message):
    source = miniatures.ucf101(root, videos=False)
    with pytest.raises(ValueError, match=message):
        read_study(fields_of({**source, "content": "0", **changes}))


FOLD_MISTAKES = {
    "an unknown fold": ({"one": 4}, r"folds: ucf101 has the official folds \[1, 2, 3\], got \[4\]"),
    "groups": ({"one": {"test": ["1"]}}, r"folds: ucf101 has the official folds"),
    "a fold twice": ({"one": 1, "two": 1}, r"folds: name each official fold once"),
    "a text": ({"one": "1"}, r"folds\['one'\]: must be int, not '1'"),
    "a name that cannot name a file": ({"1/2": 1}, r"folds: a fold names files"),
}


@pytest.mark.parametrize(("folds", "message"), FOLD_MISTAKES.values(), ids=FOLD_MISTAKES)
def test_mistaken_folds_are_told(root, folds, message):
    source = {**miniatures.ucf101(root, videos=False), "content": "0"}
    with pytest.raises(ValueError, match=message):
        read_study(fields_of(source, folds=folds))


def test_numbers_of_folds_need_an_official_data_set():
    source = {"path": "labels.csv", "group_column": "person", "content": "0"}
    fields = tiny(**{"dataset.pantomime": ..., "dataset.catalog": source, "folds": {"one": 1}})
    with pytest.raises(ValueError, match=r"folds: need names, and groups or the numbers of a data"):
        read_study(fields)


def test_lists_that_are_not_there_are_told_with_their_field(root):
    source = miniatures.ucf101(root, videos=False)
    (root / "ucfTrainTestlist" / "testlist02.txt").unlink()
    with pytest.raises(ValueError, match=r"official\.lists: .*lacks testlist02\.txt; put the off"):
        read_study(fields_of(source))


def test_a_resize_that_is_none_is_refused():
    with pytest.raises(ValueError, match=r"dataset: resize must be one of .*, got 'crop'"):
        read_study(tiny(**{"dataset.resize": "crop"}))
