"""Studies whose "clips" are single frames: which frames, what they show, and that they train."""

import numpy as np
import pandas as pd
from tiny_study import tiny, write_params

from condi_lib.analysis import findings_of
from condi_lib.clip_table import read_clip_table
from condi_lib.study import ensure, open_study, read_study
from condi_lib.study.datasets import open_dataset, pantomime_folder
from condi_lib.study.specs import run_folder
from condi_lib.videos.decode import read_frames

FRAMES = {"dataset.clip_frames": 2, "dataset.stride": 2}  # every second frame of scenes of 4


def test_every_frame_is_a_clip_and_shows_what_its_scene_shows(root):
    """Second computation: whole videos decoded, truth of frame f read off scene f // 4."""
    spec = read_study(tiny(**FRAMES)).dataset_of()
    ensure(spec)
    dataset = open_dataset(spec, run_folder(spec))
    folder = pantomime_folder(spec.pantomime)
    scenes = pd.read_csv(folder / "truth.csv").set_index(["file", "clip_index"])
    truth = dataset.truth(("test",)).set_index(["video_id", "clip_index"])
    rows = dataset.clips.rows(["test"])
    table = dataset.clips.table(rows)
    assert len(truth) == len(rows) == 12 * 3 * 2
    for row, clip in zip(rows, table.itertuples(), strict=True):
        frames = read_frames(folder / clip.video_id)
        assert np.array_equal(dataset.clips[row].numpy(), frames[[clip.start_frame]])
        scene = scenes.loc[(clip.video_id, clip.start_frame // 4)]
        assert truth.loc[(clip.video_id, clip.clip_index)].equals(scene)


def test_the_whole_method_runs_on_frames(root):
    spec = read_study(tiny(**FRAMES)).student_of("condi_sr", 0)
    student = read_clip_table(ensure(spec) / "scores", ["test"])
    teacher = read_clip_table(run_folder(spec.teacher) / "scores", ["test"])
    assert student.clips["clip_index"].max() == teacher.clips["clip_index"].max() == 5
    assert student.clips["truth"].equals(teacher.clips["truth"])
    assert student.clips["confidence"].std() > 0


def test_frames_are_also_chosen_by_their_place(root):
    write_params(root, tiny(**FRAMES))
    found = findings_of(open_study("tiny"))
    clips = tiny()
    clips["name"] = "clips"
    write_params(root, clips, "clips")
    extra = {*found.sweeps["test"].correct} - {
        *findings_of(open_study("clips")).sweeps["test"].correct
    }
    assert extra == {"first", "middle", "last"}
    assert found.sweeps["test"].k_clips == [1, 2, 3, 4, 5, 6]
