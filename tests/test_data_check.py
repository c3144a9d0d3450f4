"""``data check``: every kind of problem is planted in a miniature and found, rightly counted."""

import shutil
import sys
from pathlib import Path

import miniatures
import pandas as pd
import pytest
from miniatures import write_noise
from tiny_study import tiny, write_params

from condi_lib.__main__ import main
from condi_lib.study import read_study
from condi_lib.study.data_check import check_data, datasets_to_check
from condi_lib.study.data_report import MEANING, report_lines


def check(where, *arguments, **options):
    return check_data(datasets_to_check(str(where), *arguments), **options)


def run(monkeypatch, capsys, *arguments):
    """Exit status and output of ``python -m condi_lib data check ...``."""
    monkeypatch.setattr(sys, "argv", ["condi_lib", "data", "check", *map(str, arguments)])
    try:
        main()
        status = 0
    except SystemExit as error:
        status = error.code
    return status, capsys.readouterr().out


def problems_of(found, kind):
    chosen = found.problems[found.problems["kind"] == kind]
    return [tuple(row) for row in chosen[["split", "file"]].itertuples(index=False)]


@pytest.fixture
def kinetics(root):
    source = miniatures.kinetics(root, "{split}/{stem}.mp4")
    return source, Path(source["root"])


def check_kinetics(source, **options):
    return check(source["root"], "kinetics", source["lists"], **options)


def test_all_that_is_wrong_with_a_data_set_is_found(kinetics):
    source, folder = kinetics
    rows = miniatures.kinetics_rows()
    stems = {s: [f"{v}_{a:06d}_{b:06d}.mp4" for _, v, a, b in rows[s]] for s in rows}
    write_noise(folder / "train" / stems["train"][2], (9,), n_frames=1)  # a picture
    shutil.copy(folder / "train" / stems["train"][3], folder / "val" / stems["val"][4])
    for stem in stems["val"][3:6]:  # nothing is left of the second class to test
        if stem != stems["val"][4]:
            (folder / "val" / stem).unlink()
    write_noise(folder / "train" / stems["train"][5], (7,), n_frames=3)
    found = check_kinetics(source, clip_frames=4)
    assert found.counts.loc[("", "train")].to_dict() == {
        "listed": 24, "usable": 21, "missing": 1, "corrupt": 1, "too_short": 1, "loops": 1,
        "classes": 3, "empty": 0, "least": 5, "median": 8, "most": 8,
    }  # fmt: skip
    assert found.counts.loc[("", "test")].to_dict() == {
        "listed": 9, "usable": 5, "missing": 3, "corrupt": 1, "too_short": 0, "loops": 0,
        "classes": 3, "empty": 0, "least": 1, "median": 1, "most": 3,
    }  # fmt: skip
    assert problems_of(found, "too_short") == [("train", f"train/{stems['train'][2]}")]
    assert problems_of(found, "shorter_than_a_clip") == [("train", f"train/{stems['train'][5]}")]
    assert problems_of(found, "same_content") == [("train and test", f"val/{stems['val'][4]}")]
    assert len(problems_of(found, "missing")) == 4 and len(problems_of(found, "corrupt")) == 2
    assert len(found.problems) == 9
    assert len(found.files) == 26 and found.is_usable
    on_disk = [(folder / name).stat().st_size for name in found.files["video_id"]]
    assert found.files["n_bytes"].tolist() == on_disk


def test_a_class_without_a_usable_video_is_found(kinetics):
    source, folder = kinetics
    for label, video, start, end in miniatures.kinetics_rows()["val"]:
        if label == "zumba":
            (folder / "val" / f"{video}_{start:06d}_{end:06d}.mp4").unlink()
    found = check_kinetics(source)
    assert found.counts.loc[("", "test"), ["empty", "least"]].tolist() == [1, 0]
    empty = found.problems.query("kind == 'class_without_videos'")
    assert empty["detail"].tolist() == ["zumba: nothing usable"]


def test_a_youtube_video_in_two_splits_and_a_name_twice_are_found(root):
    """Two parts of one video, one trained on, one tested; and two splits with the same name."""
    source = miniatures.kinetics(root, "{split}/{label}/{id}.mp4")
    rows = miniatures.kinetics_rows()
    shared = rows["train"][10]
    rows["val"][4] = (rows["val"][4][0], shared[1], 900, 910)
    miniatures.write_kinetics_csv(root / "annotations" / "val.csv", rows["val"], "val")
    path = root / "videos" / "val" / rows["val"][4][0] / f"{shared[1]}.mp4"
    write_noise(path, (5,))
    found = check_kinetics(source)
    below = path.relative_to(root / "videos").as_posix()
    assert problems_of(found, "group_in_two_splits") == [("train and test", below)]
    assert problems_of(found, "same_name") == [("train and test", below)]
    assert shared[1] in found.problems.query("kind == 'group_in_two_splits'")["detail"].item()


def test_folds_are_counted_each_and_looked_into_once(root):
    source = miniatures.hmdb51(root)
    found = check(source["root"], "hmdb51", source["lists"], clip_frames=4)
    assert len(found.files) == 20 and found.problems.empty
    counts = found.counts[["listed", "usable", "classes", "least", "most"]]
    assert counts.loc[("fold 3", "train")].tolist() == [16, 16, 2, 8, 8]
    assert counts.loc[("fold 1", "test")].tolist() == [8, 8, 2, 4, 4]


def test_a_params_file_says_what_to_check(root):
    source = {**miniatures.ucf101(root), "val_fraction": 0.25}
    fields = {"dataset.pantomime": ..., "dataset.official": source, "dataset.clip_frames": 9}
    fields |= {"teacher.train_splits": ["train"], "folds": {"fold 1": 1, "fold 3": 3}}
    write_params(root, tiny(**fields))
    found = check("tiny")
    assert found.counts["listed"].to_dict() == {
        ("fold 1", "train"): 20, ("fold 1", "val"): 4, ("fold 1", "test"): 8,
        ("fold 3", "train"): 20, ("fold 3", "val"): 4, ("fold 3", "test"): 8,
    }  # fmt: skip
    assert set(found.problems["kind"]) == {"shorter_than_a_clip"} and len(found.problems) == 32


def test_data_can_be_checked_before_weights_are_there(root):
    fields = {"dataset.pantomime": ..., "dataset.official": miniatures.ucf101(root)}
    fields |= {"teacher.weights": "data/weights/later.pth", "folds": {"fold 1": 1}}
    write_params(root, tiny(**fields | {"teacher.train_splits": ["train"]}))
    assert check("tiny").is_usable
    with pytest.raises(ValueError, match=r"study\.teacher\.weights: .*later\.pth does not exist"):
        read_study("tiny")


def test_your_own_folder_or_table_can_be_checked(root):
    for label in ("a", "b"):
        for number in range(2):
            write_noise(root / "mine" / label / f"{number}.mp4", (*label.encode(), number))
    (root / "mine.csv").write_text("file,label\nmine/a/0.mp4,x\nmine/b/7.mp4,y\n")
    folder = check(root / "mine", clip_frames=8)
    assert set(folder.problems["kind"]) == {"same_name"} and len(folder.problems) == 2
    table = check(root / "mine.csv", clip_frames=8)
    assert table.counts["usable"].tolist() == [1]
    assert table.problems["kind"].tolist() == ["missing", "class_without_videos"]


def test_the_command_prints_and_ends_as_it_found(root, monkeypatch, capsys):
    source = miniatures.ucf101(root)
    ucf = (source["root"], "--dataset", "ucf101", "--lists", source["lists"], "--workers", 0)
    assert run(monkeypatch, capsys, *ucf, "--clip-frames", 8, "--strict")[0] == 0
    status, output = run(monkeypatch, capsys, *ucf, "--output", root / "problems.csv")
    assert status == 0
    assert "fold 2  test       8       8        0" in output
    assert "32 shorter than a clip: usable: the only clip loops" in output
    assert "pixels   24 x 16 (32)" in output and "codec    mpeg4 (32)" in output
    assert len(pd.read_csv(root / "problems.csv")) == 32
    assert run(monkeypatch, capsys, *ucf, "--strict")[0] == 1
    shutil.rmtree(root / "UCF-101")
    (root / "UCF-101").mkdir()
    status, output = run(monkeypatch, capsys, *ucf)
    assert status == 1 and "no usable file" in output and "32 missing: listed, but not" in output


def test_a_mistake_ends_in_one_readable_line(root, monkeypatch, capsys):
    assert run(monkeypatch, capsys, root / "nowhere.yaml")[0].startswith("error: ")
    message = run(monkeypatch, capsys, root, "--lists", root)[0]
    assert message.startswith(f"error: lists {root}: of which data set? Give --dataset, of ['ucf1")
    assert "choose from" in run(monkeypatch, capsys, root, "--dataset", "ucf")[0]
    assert "lacks classInd.txt" in run(monkeypatch, capsys, root, "--dataset", "ucf101")[0]


def test_every_kind_of_problem_has_its_words(root):
    source = miniatures.ucf101(root)
    found = check(source["root"], "ucf101", source["lists"])
    rows = [(kind, "train", f"{kind}.mp4", "why") for kind in MEANING for _ in range(3)]
    found = type(found)(found.root, found.counts, found.files, found.problems.iloc[:0])
    assert list(report_lines(found))[-1] == "no problems"
    table = pd.DataFrame(rows, columns=["kind", "split", "file", "detail"])
    lines = list(report_lines(type(found)(found.root, found.counts, found.files, table)))
    assert f"{len(rows)} problems" in lines
    for kind, meaning in MEANING.items():
        at = lines.index(f"  3 {kind.replace('_', ' ')}: {meaning}")
        assert lines[at + 1] == f"    {kind}.mp4: why" and lines[at + 3] == "    and 1 more"
