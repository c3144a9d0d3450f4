"""Scoring: a clip table of what the model says, in parts that a killed run finds again."""

import os
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from tiny_clips import FULL_FRAME, FrameByFrame, cached_clips, network, write_videos

from condi_lib.clip_table import ClipTable, read_clip_table
from condi_lib.scoring import score_clips
from condi_lib.videos.clips import ClipGrid
from condi_lib.videos.loader import ClipSet

PREPROCESS = replace(FULL_FRAME, crop_px=12, flip=True, brightness=0.3)  # never at test time


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Videos of 3, 1, 2, 4, 1 and 2 clips."""
    catalog, n_frames = write_videos(tmp_path_factory.mktemp("videos"), [11, 3, 8, 13, 4, 7])
    return ClipSet(catalog, ClipGrid(4), (16, 16), n_frames)


def score(*arguments, **options) -> ClipTable:
    """The table of all parts."""
    return read_clip_table(score_clips(*arguments, **options))


def by_hand(model, clips, rows):
    """The model applied to all clips at once."""
    pixels = next(clips.batches([rows]))[:, :, 2:14, 2:14].movedim(-1, 1).float() / 255
    with torch.no_grad():
        return model.eval()((pixels - 0.5) / 0.25)


def test_a_network_with_2d_convolutions_is_scored(clips, tmp_path):
    rows, model = clips.rows(["train"]), FrameByFrame()
    found = score(model, clips, rows, PREPROCESS, tmp_path, "teacher").teacher_logits
    torch.testing.assert_close(found, by_hand(model, clips, rows), rtol=1e-4, atol=1e-5)


def test_teacher_s_logits_are_the_model_s(clips, tmp_path):
    rows, model = clips.rows(["train"]), network()
    table = score(model, clips, rows, PREPROCESS, tmp_path, "teacher", batch_size=4)
    torch.testing.assert_close(table.teacher_logits, by_hand(model, clips, rows))
    assert table.student_logits is None and "confidence" not in table.clips
    expected = clips.table().iloc[rows].reset_index(drop=True)
    pd.testing.assert_frame_equal(table.clips[expected.columns], expected, check_dtype=False)
    assert table.classes == clips.catalog.classes


def test_student_s_confidence_is_a_sigmoid(clips, tmp_path):
    rows, model = clips.rows(["val", "train"]), network("condi_sr")
    table = score(model, clips, rows, PREPROCESS, tmp_path, "student")
    output = by_hand(model, clips, rows)
    torch.testing.assert_close(table.student_logits, output.class_logits)
    expected = 1 / (1 + np.exp(-output.confidence_logit.numpy()))
    np.testing.assert_allclose(table.clips["confidence"], expected, rtol=1e-5)
    assert table.teacher_logits is None


@pytest.mark.parametrize(
    ("clips_per_part", "videos"),
    [(1, [1, 1, 1, 1, 1, 1]), (4, [2, 2, 2]), (5, [3, 2, 1]), (6, [3, 3]), (99, [6])],
)
def test_parts_hold_whole_videos_in_order(clips, tmp_path, clips_per_part, videos):
    rows = clips.rows(["train", "val"])
    options = {"clips_per_part": clips_per_part, "batch_size": 3}
    table = score(network(), clips, rows, PREPROCESS, tmp_path, "teacher", **options)
    parts = [read_clip_table(path) for path in sorted(tmp_path.iterdir())]
    assert [part.n_videos for part in parts] == videos
    stored = [video for part in parts for video in part.clips["video_id"]]
    assert stored == table.clips["video_id"].tolist()
    torch.testing.assert_close(table.teacher_logits, by_hand(network(), clips, rows))


class Counting(torch.nn.Module):
    """Counts the clips it sees and may be killed after some batches."""

    def __init__(self, stop_after: int = 1000) -> None:
        super().__init__()
        self.model, self.stop_after, self.batches = network(), stop_after, []

    def forward(self, clips):
        if len(self.batches) == self.stop_after:
            raise KeyboardInterrupt
        self.batches.append(len(clips))
        return self.model(clips)


def test_killed_run_goes_on_and_scores_no_part_twice(clips, tmp_path):
    rows = clips.rows(["train", "val"])

    def score_in_parts(model, folder):
        return score(
            model, clips, rows, PREPROCESS, folder, "teacher", clips_per_part=4, batch_size=2
        )

    whole = score_in_parts(network(), tmp_path / "whole")
    folder = tmp_path / "killed"
    killed = Counting(stop_after=3)  # parts of 4, 6 and 3 clips: in the middle of the second
    with pytest.raises(KeyboardInterrupt):
        score_in_parts(killed, folder)
    assert os.listdir(folder) == ["part-00000.parquet"]  # noqa: PTH208
    written = (folder / "part-00000.parquet").stat().st_mtime_ns
    again = Counting()
    table = score_in_parts(again, folder)
    assert sum(again.batches) == 9
    assert (folder / "part-00000.parquet").stat().st_mtime_ns == written
    torch.testing.assert_close(table.teacher_logits, whole.teacher_logits, rtol=0, atol=0)
    third = Counting()
    score_in_parts(third, folder)
    assert third.batches == []


def test_parts_of_other_clips_are_refused(clips, tmp_path):
    rows = clips.rows(["train"])
    score_clips(network(), clips, rows, PREPROCESS, tmp_path, "teacher", clips_per_part=4)
    with pytest.raises(ValueError, match=r"part-00000\.parquet: holds other clips.*delete"):
        score_clips(network(), clips, clips.rows(["val"]), PREPROCESS, tmp_path, "teacher")
    with pytest.raises(ValueError, match=r"part-00000\.parquet: holds other clips"):
        score_clips(network(), clips, rows, PREPROCESS, tmp_path, "teacher", clips_per_part=99)
    few = rows[:4]  # the first two videos: the first part is right, the second too many
    with pytest.raises(ValueError, match=r"part-00001\.parquet: holds other clips"):
        score_clips(network(), clips, few, PREPROCESS, tmp_path, "teacher", clips_per_part=4)


def truth_of(clips) -> pd.DataFrame:
    table = clips.table()[["video_id", "clip_index"]]
    kinds = np.array(["key", "confuser", "generic"])
    return table.assign(truth=kinds[np.arange(len(table)) % 3]).sample(frac=1, random_state=0)


def test_truth_is_joined_by_video_and_clip(clips, tmp_path):
    rows = clips.rows(["val"])
    options = {"truth": truth_of(clips)}
    table = score(network(), clips, rows, PREPROCESS, tmp_path, "teacher", **options)
    expected = ["key", "confuser", "generic"] * 5
    assert table.clips["truth"].tolist() == [expected[row] for row in rows]


def test_missing_truth_is_named(clips, tmp_path):
    truth = truth_of(clips)
    gone = (truth["video_id"] == "2_bright.mp4") & (truth["clip_index"] == 1)
    with pytest.raises(ValueError, match=r"no row for clip 1 of 2_bright\.mp4"):
        score_clips(
            network(), clips, clips.rows(["train"]), PREPROCESS, tmp_path, "teacher", truth[~gone]
        )


def test_wrong_head_is_named(clips, tmp_path):
    class Wide(torch.nn.Module):
        def forward(self, x):
            return x.new_zeros(len(x), 5)

    with pytest.raises(ValueError, match=r"gave \[10, 5\] for 10 clips and 2 classes"):
        score_clips(Wide(), clips, clips.rows(["train"]), PREPROCESS, tmp_path, "teacher")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("rows", [[0, 1], [1, 2, 3], [3, 0, 1, 2]])
def test_parts_of_videos_are_refused(clips, tmp_path, rows):
    with pytest.raises(ValueError, match="ascending and hold every clip of their videos"):
        score_clips(network(), clips, np.array(rows), PREPROCESS, tmp_path, "teacher")


def test_nothing_to_score_is_refused(clips, tmp_path):
    with pytest.raises(ValueError, match="no clips to score"):
        score_clips(network(), clips, np.empty(0, np.int64), PREPROCESS, tmp_path, "teacher")


def test_cached_and_decoded_clips_score_alike(tmp_path):
    cached = cached_clips(tmp_path, n_videos=4)
    decoded = replace(cached, cache=None)
    rows = cached.rows(["train"])
    tables = [
        score(network(), source, rows, PREPROCESS, tmp_path / name, "teacher")
        for name, source in (("cached", cached), ("decoded", decoded))
    ]
    assert torch.equal(tables[0].teacher_logits, tables[1].teacher_logits)
