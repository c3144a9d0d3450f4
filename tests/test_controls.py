"""What a data set gives away besides the action: planted leaks are found, and nothing else."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import torch
from tiny_study import tiny

from condi_lib.analysis.controls import (
    CONTENTS,
    accuracy_by_content,
    clip_contents,
    size_and_length_accuracy,
)
from condi_lib.clip_table import ClipTable, write_clip_table
from condi_lib.study import Study, read_study
from condi_lib.study.study import FolderStore
from condi_lib.videos.pantomime import CLASSES, PantomimeSpec, PantomimeSplit, write_pantomime

N_CLIPS, SEEDS = 9, (0, 1)
SPEC = PantomimeSpec(
    size_px=16, clip_frames=4, splits={"test": PantomimeSplit(n_videos=24, n_clips=N_CLIPS)}
)
ACTIONS = {*CLASSES, "hidden"}


def study_of_videos(folder, tables):
    """A study whose folds have these tables of videos."""
    splits = {split: [split] for split in ("teacher_train", "train", "val", "test")}
    source = {"path": "labels.csv", "group_column": "person", "content": "0"}
    folds = [f"fold {number}" for number in range(len(tables))]
    for fold, table in zip(folds, tables, strict=True):
        table.to_csv(folder / f"videos-{fold.replace(' ', '_')}.csv", index=False)
    fields = {"dataset.pantomime": ..., "dataset.catalog": source}
    fields["folds"] = dict.fromkeys(folds, splits)
    return Study(read_study(tiny(**fields)), FolderStore(folder), "tiny")


def videos(n_frames, label, test):
    size = {"width_px": 320, "height_px": 240}
    split = np.where(test, "test", "train")
    return pd.DataFrame({"n_frames": n_frames, "label": label, "split": split, **size})


def test_files_that_betray_their_class_are_found_out(tmp_path):
    label = np.arange(60) % 3
    tables = [videos(100 + 50 * label, label, np.arange(60) // 30 == fold) for fold in (0, 1)]
    accuracy, chance = size_and_length_accuracy(study_of_videos(tmp_path, tables))
    assert (accuracy, chance) == (1.0, pytest.approx(1 / 3))


def test_equal_files_leave_nothing_but_chance(tmp_path):
    label = np.repeat([0, 0, 0, 1, 2], 12)  # three fifths are of class 0
    test = np.arange(60) % 2 == 0
    study = study_of_videos(tmp_path, [videos(100, label, test)])
    assert size_and_length_accuracy(study) == (pytest.approx(0.6), pytest.approx(0.6))


@pytest.fixture(scope="module")
def truth(tmp_path_factory):
    """The actions of the clips, by video, as they are written beside the videos."""
    root = tmp_path_factory.mktemp("pantomime")
    write_pantomime(SPEC, root)
    return pd.read_csv(root / "truth.csv")


@pytest.fixture(scope="module")
def contents():
    return clip_contents(SPEC, "test")


def test_contents_are_those_of_the_written_truth(truth, contents):
    assert (contents["video_id"] == truth["file"]).all()
    assert (contents["clip_index"] == truth["clip_index"]).all()
    shown = contents["content"].set_axis([truth["truth"], truth["action"]])
    assert set(shown["key"]) == {"the action"} and set(shown["confuser"]) == {"a look-alike"}
    generic = shown["generic"]
    assert set(generic["empty"]) == {"an empty scene"}
    assert set(generic["hidden"]) == {"the action behind a board"}
    assert set(generic.drop(["empty", "hidden"])) == {
        "no action, none before",
        "no action, one before",
    }


def test_a_clip_without_action_is_told_by_the_one_before(truth, contents):
    n_after = {False: 0, True: 0}
    for _, video in truth.assign(content=contents["content"]).groupby("file"):
        for before, clip in pairwise([None, *video.itertuples()]):
            if clip.action in ("stand", "walk_in", "scratch_head"):
                after = before is not None and before.action in ACTIONS
                assert clip.content == f"no action, {'one' if after else 'none'} before"
                n_after[after] += 1
    assert min(n_after.values()) > 10


def study_of_clips(folder, contents, right):
    """A study of the benchmark whose networks are right where they are told to be.

    Args:
        right: By network, per seed, the contents on which it is right.
    """
    label = contents["video_id"].str.extract(r"_(\w+)\.mp4")[0].map(CLASSES.index).to_numpy()
    clips = contents[["video_id", "clip_index"]].assign(
        label=label, split="test", start_frame=SPEC.clip_frames * contents["clip_index"]
    )
    clips["truth"] = "key"  # is not looked at
    for network, by_seed in right.items():
        role = "teacher_logits" if network == "teacher" else "student_logits"
        for seed, where in zip(SEEDS, by_seed, strict=True):
            hit = contents["content"].isin(where).to_numpy()
            predicted = np.where(hit, label, (label + 1) % len(CLASSES))
            logits = torch.eye(len(CLASSES))[predicted]
            shuffled = np.random.default_rng(seed).permutation(len(clips))
            table = ClipTable(clips.iloc[shuffled], tuple(CLASSES), **{role: logits[shuffled]})
            write_clip_table(table, folder / f"{network}-seed{seed}.parquet")
    splits = {"n_videos": 24, "n_clips": N_CLIPS}
    fields = tiny(**{"dataset.pantomime.splits.test": splits, "seeds": list(SEEDS)})
    fields["losses"] = {"naive": {}}
    return Study(read_study(fields), FolderStore(folder), "tiny")


def test_networks_are_right_on_what_they_have_learnt(tmp_path, contents):
    hidden, after = "the action behind a board", "no action, one before"
    right = {"teacher": [["the action"]] * 2, "naive": [["the action", hidden, after], [hidden]]}
    study = study_of_clips(tmp_path, contents, right)
    rows = accuracy_by_content(study, ("teacher", "naive", "not there"))
    assert list(rows.index) == list(CONTENTS) and list(rows) == ["clips", "teacher", "naive"]
    assert rows["clips"].to_dict() == contents["content"].value_counts().to_dict()
    for content, row in rows.iterrows():
        assert row["teacher"].value == row["teacher"].low == (content == "the action")
        expected = {hidden: 1.0, after: 0.5, "the action": 0.5}.get(content, 0.0)
        assert row["naive"].value == row["naive"].high == expected  # the same in all videos


def test_only_the_benchmark_s_own_clips_have_a_known_content(tmp_path):
    study = Study(read_study(tiny(**{"dataset.clip_frames": 2})), FolderStore(tmp_path), "tiny")
    with pytest.raises(ValueError, match=r"study tiny: .* set dataset\.clip_frames to pantomime's"):
        accuracy_by_content(study)
