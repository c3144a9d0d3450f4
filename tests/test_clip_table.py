"""A clip table is checked when it is made, survives the disk, and unfolds into padded tensors.

The second reader, which every test of ``dense()`` is held against, is plain: pandas' own Parquet
reader, ``groupby`` and loops. ``make_table(counts)`` has one video per count, with as many clips.
"""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from condi_lib.clip_table import (
    ClipTable,
    ClipTableError,
    clip_table_parts,
    merge_student,
    read_clip_table,
    write_clip_table,
)

CLASSES = ("bend", "box", "clap")


def make_clips(counts):
    return pd.DataFrame(
        [
            {
                "video_id": f"v{video}.mp4",
                "clip_index": clip,
                "start_frame": 16 * clip,
                "label": video % 3,
                "split": "test" if video % 2 else "train",
                "truth": "key" if clip == 0 else "generic",
                "confidence": np.float32(video + clip / 10),
            }
            for video, count in enumerate(counts)
            for clip in range(count)
        ]
    )


def make_table(counts=(2, 3, 1), seed=0):
    rng = np.random.default_rng(seed)
    teacher, student = rng.normal(size=(2, sum(counts), 3)).astype(np.float32)
    return ClipTable(make_clips(counts), CLASSES, teacher, student)


def assert_same(one, other):
    pd.testing.assert_frame_equal(one.clips, other.clips)
    assert one.classes == other.classes
    for name in ("teacher_logits", "student_logits"):
        assert torch.equal(getattr(one, name), getattr(other, name))


# --- what a table refuses ---------------------------------------------------------------------


def spoil(column, row, value):
    clips = make_clips((2, 3, 1))
    clips[column] = clips[column].astype(object)
    clips.loc[row, column] = value
    return clips.infer_objects()


BAD_CLIPS = {
    "duplicate": (spoil("clip_index", 3, 0), 3, "clip_index", "'v1.mp4' has twice clip 0"),
    "gap": (spoil("clip_index", 4, 5), 4, "clip_index", "'v1.mp4' has no clip 2"),
    "first missing": (spoil("clip_index", 5, 1), 5, "clip_index", "'v2.mp4' has no clip 0"),
    "negative clip": (spoil("clip_index", 2, -1), 2, "clip_index", "-1 must be 0 or more"),
    "negative frame": (spoil("start_frame", 2, -16), 2, "start_frame", "-16 must be 0 or more"),
    "unknown label": (spoil("label", 5, 3), 5, "label", r"3 must be in \[0, 2\]"),
    "negative label": (spoil("label", 1, -1), 1, "label", "-1 must be"),
    "two labels": (spoil("label", 4, 0), 4, "label", "0 here but 1 for clip 0 of video 'v1.mp4'"),
    "two splits": (spoil("split", 1, "val"), 1, "split", "val here but train for clip 0"),
    "split not text": (spoil("split", 2, None), 2, "split", "need text, got"),
    "video not text": (spoil("video_id", 4, 7), 4, "video_id", "need text, got 7"),
    "NaN score": (spoil("confidence", 3, np.nan), 3, "confidence", "nan is not a finite score"),
    "infinite score": (spoil("confidence", 0, np.inf), 0, "confidence", "inf is not a finite"),
    "label a fraction": (spoil("label", 0, 0.5), None, "label", "whole numbers"),
    "label unknown": (spoil("label", 0, None), None, "label", "whole numbers"),
    "score not a number": (
        make_clips((2,)).assign(confidence=True),
        None,
        "confidence",
        "floating-point",
    ),
    "no split": (make_clips((2,)).drop(columns="split"), None, "split", "missing"),
    "typing error": (make_clips((2,)).assign(confidenc=1.0), None, "confidenc", "unknown column"),
    "empty": (make_clips((2,)).iloc[:0], None, None, "no clips"),
}


@pytest.mark.parametrize("case", BAD_CLIPS)
def test_a_broken_rule_names_row_and_field(case):
    clips, row, field, message = BAD_CLIPS[case]
    with pytest.raises(ClipTableError, match=message) as caught:
        ClipTable(clips, CLASSES)
    assert (caught.value.row, caught.value.field) == (row, field)
    if row is not None:
        assert str(caught.value).startswith(f"row {row}, field {field}: ")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("field", ["teacher_logits", "student_logits"])
def test_logits_that_are_not_finite_are_refused(field, value):
    logits = np.zeros((6, 3), np.float32)
    logits[4, 1] = value
    with pytest.raises(ClipTableError, match="NaN or infinite") as caught:
        ClipTable(make_clips((2, 3, 1)), CLASSES, **{field: logits})
    assert (caught.value.row, caught.value.field) == (4, field)


def test_opposite_infinities_and_huge_finite_logits_are_told_apart():
    huge = np.full((2, 3), 3e38, np.float32)  # finite, but its sum is not
    assert ClipTable(make_clips((2,)), CLASSES, huge).teacher_logits.isfinite().all()
    huge[1] = [np.inf, 0, -np.inf]
    with pytest.raises(ClipTableError, match="row 1, field teacher_logits"):
        ClipTable(make_clips((2,)), CLASSES, huge)


@pytest.mark.parametrize(
    "logits", [np.zeros((2, 4)), np.zeros((3, 3)), np.zeros(6), np.zeros((2, 3), int)]
)
def test_logits_of_another_shape_or_kind_are_refused(logits):
    with pytest.raises(ClipTableError, match=r"need floating point \[clips, classes\] \[2, 3\]"):
        ClipTable(make_clips((2,)), CLASSES, logits)


@pytest.mark.parametrize("classes", [(), ("bend", "bend", "box"), "bend"])
def test_class_names_must_differ(classes):
    with pytest.raises(ClipTableError, match="field classes"):
        ClipTable(make_clips((2,)), classes)


# --- what a table holds -----------------------------------------------------------------------


def test_shuffled_rows_are_sorted_by_first_appearance_then_clip():
    table = make_table()
    order = [5, 3, 1, 4, 0, 2]  # v2, v1 (clips 1, 2, 0), v0 (clips 1, 0)
    shuffled = ClipTable(
        table.clips.iloc[order], CLASSES, table.teacher_logits[order], table.student_logits[order]
    )
    ids = shuffled.clips["video_id"].tolist()
    assert ids == ["v2.mp4", "v1.mp4", "v1.mp4", "v1.mp4", "v0.mp4", "v0.mp4"]
    assert shuffled.clips["clip_index"].tolist() == [0, 0, 1, 2, 0, 1]
    assert torch.equal(shuffled.teacher_logits, table.teacher_logits[[5, 2, 3, 4, 0, 1]])
    assert torch.equal(shuffled.student_logits, table.student_logits[[5, 2, 3, 4, 0, 1]])


def test_logits_are_float32_and_shared_where_they_already_are():
    logits = torch.randn(2, 3)
    assert ClipTable(make_clips((2,)), CLASSES, logits).teacher_logits.data_ptr() == (
        logits.data_ptr()
    )
    half = ClipTable(make_clips((2,)), CLASSES, logits.half(), logits.double().numpy())
    assert half.teacher_logits.dtype == half.student_logits.dtype == torch.float32
    assert torch.equal(half.student_logits, logits)


def test_a_read_only_array_is_copied_not_warned_about():
    logits = np.zeros((2, 3), np.float32)
    logits.flags.writeable = False
    assert ClipTable(make_clips((2,)), CLASSES, logits).teacher_logits.tolist() == [[0] * 3] * 2


def test_counts_and_splits():
    table = make_table((2, 3, 1))
    assert (len(table), table.n_videos, table.first_rows.tolist()) == (6, 3, [0, 2, 5, 6])
    assert table.split_names == ("train", "test")
    assert table.split("test").clips["video_id"].unique().tolist() == ["v1.mp4"]
    assert torch.equal(table.split("train").student_logits, table.student_logits[[0, 1, 5]])
    assert table.split("test").teacher_logits.data_ptr() == table.teacher_logits[2].data_ptr()
    with pytest.raises(ClipTableError, match=r"split 'val'; choose from \['train', 'test'\]"):
        table.split("val")


# --- the dense view ---------------------------------------------------------------------------


def second_reader(path):
    """Yield (video, rows of that video) from the file with nothing but pandas."""
    yield from pd.read_parquet(path).groupby("video_id", sort=False)


@pytest.mark.parametrize("counts", [(2, 3, 1), (4,), (1, 1), (3, 3, 3), (1, 7, 2, 7)])
def test_dense_agrees_with_the_second_reader(tmp_path, counts):
    write_clip_table(make_table(counts), tmp_path / "clips.parquet")
    view = read_clip_table(tmp_path / "clips.parquet").dense()
    assert view.mask.shape == (len(counts), max(counts))
    assert view.n_clips.tolist() == list(counts)
    for v, (name, rows) in enumerate(second_reader(tmp_path / "clips.parquet")):
        n = len(rows)
        assert (view.video_id[v], view.label[v].item()) == (name, rows["label"].iloc[0])
        assert view.mask[v].tolist() == [True] * n + [False] * (max(counts) - n)
        assert view.confidence[v, :n].tolist() == rows["confidence"].tolist()
        assert view.truth[v, :n].tolist() == rows["truth"].tolist()
        for field in ("teacher_logits", "student_logits"):
            padded = getattr(view, field)[v]
            assert np.array_equal(padded[:n], np.stack(rows[field].to_list()))
            assert not padded[n:].any()
        assert not view.confidence[v, n:].any() and (view.truth[v, n:] == "").all()


def test_dense_shares_memory_where_nothing_is_padded():
    table = make_table((3, 3))
    assert table.dense().teacher_logits.data_ptr() == table.teacher_logits.data_ptr()
    assert table.dense(1).teacher_logits.data_ptr() == table.teacher_logits[3].data_ptr()


def test_a_range_of_videos_is_the_same_slice_of_either_source():
    table = make_table((3, 1, 2, 2))
    from_table, from_view = table.dense(1, 3), table.dense().videos(1, 3)
    assert from_table.video_id == from_view.video_id == ["v1.mp4", "v2.mp4"]
    assert from_table.mask.shape == (2, 2)  # padded to the longest of these two only
    for name in ("label", "mask", "teacher_logits", "student_logits", "confidence"):
        assert torch.equal(getattr(from_table, name), getattr(from_view, name))
    assert (from_table.truth == from_view.truth).all()
    for first, last in ((1, 1), (2, 1), (-1, 2), (0, 5)):
        with pytest.raises(IndexError, match=r"not within the table's \[0, 4\)"):
            table.dense(first, last)


def test_what_the_table_lacks_is_none_in_the_view():
    bare = ClipTable(make_clips((2,)).drop(columns=["truth", "confidence"]), CLASSES)
    view = bare.dense()
    missing = (view.teacher_logits, view.student_logits, view.confidence, view.truth)
    assert missing == (None,) * 4


# --- on disk ----------------------------------------------------------------------------------


def test_float32_reads_back_bit_for_bit(tmp_path):
    table = make_table((2, 3, 1))
    write_clip_table(table, tmp_path / "new" / "clips.parquet")
    assert_same(read_clip_table(tmp_path / "new" / "clips.parquet"), table)


def test_float16_reads_back_to_the_documented_precision(tmp_path):
    table = make_table((40, 60))
    table.teacher_logits[0] = torch.tensor([65504.0, 1e-7, -3e-8])
    write_clip_table(table, tmp_path / "clips.parquet", "float16")
    column = pq.read_schema(tmp_path / "clips.parquet").field("teacher_logits").type
    assert column == pa.list_(pa.float16(), 3)
    back = read_clip_table(tmp_path / "clips.parquet")
    assert back.teacher_logits.dtype == torch.float32
    error = (back.teacher_logits - table.teacher_logits).abs()
    assert (error <= (table.teacher_logits.abs() * 2**-11).clamp(min=3e-8)).all()
    write_clip_table(back, tmp_path / "again.parquet", "float16")  # rounding twice changes nothing
    assert_same(read_clip_table(tmp_path / "again.parquet"), back)


def test_a_logit_too_large_for_float16_is_refused_and_the_old_file_kept(tmp_path):
    table, path = make_table((2,)), tmp_path / "clips.parquet"
    write_clip_table(table, path)
    before = path.read_bytes()
    table.student_logits[1, 2] = -70000.0
    with pytest.raises(ClipTableError, match=r"row 1, field student_logits: .*70000.*float32"):
        write_clip_table(table, path, "float16")
    with pytest.raises(ValueError, match="'bfloat16'"):
        write_clip_table(table, path, "bfloat16")
    assert path.read_bytes() == before


def test_the_same_table_gives_the_same_bytes_and_leaves_nothing_else(tmp_path):
    for name in ("a", "b"):
        write_clip_table(make_table(), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_a_write_that_fails_leaves_no_half_file(tmp_path, monkeypatch):
    def fail(table, where, **options):
        where.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(pq, "write_table", fail)
    with pytest.raises(OSError, match="disk full"):
        write_clip_table(make_table(), tmp_path / "clips.parquet")
    assert list(tmp_path.iterdir()) == []


def test_parts_are_joined_by_name_even_across_a_video(tmp_path):
    table = make_table((2, 3, 1))
    write_clip_table(table, tmp_path / "whole.parquet")
    whole = pq.read_table(tmp_path / "whole.parquet")
    parts = tmp_path / "parts"
    parts.mkdir()
    for number, (first, last) in enumerate([(0, 3), (3, 4), (4, 6)]):
        pq.write_table(whole[first:last], parts / f"part-{number:05d}.parquet")
    (parts / "part-00000.parquet.0a1b2c3d.part").write_bytes(b"left by a killed writer")
    assert_same(read_clip_table(parts), table)


def test_an_error_in_a_part_names_that_file_and_its_own_row(tmp_path):
    write_clip_table(make_table((2, 3)), tmp_path / "part-0.parquet")
    rows = pq.read_table(tmp_path / "part-0.parquet")
    label = pa.array([0, 0, 1, 1, 9])
    column = rows.column_names.index("label")
    pq.write_table(rows.set_column(column, "label", label), tmp_path / "part-1.parquet")
    with pytest.raises(ClipTableError) as caught:
        read_clip_table(tmp_path)
    where = f"{tmp_path / 'part-1.parquet'}, row 4, field label: 9 must be"
    assert str(caught.value).startswith(where)


@pytest.mark.parametrize("splits", [["test"], ["train"], ["test", "train"]])
def test_reading_splits_is_reading_all_and_choosing(tmp_path, splits):
    for number, counts in enumerate([(2, 3, 1), (4,), (1, 1, 2)]):  # the second has no test
        clips = make_clips(counts)
        clips["video_id"] = f"{number}/" + clips["video_id"]
        logits = make_table(counts, seed=number)
        table = ClipTable(clips, CLASSES, logits.teacher_logits, logits.student_logits)
        write_clip_table(table, tmp_path / f"part-{number}.parquet")
    whole = read_clip_table(tmp_path)
    rows = np.flatnonzero(whole.clips["split"].isin(splits))
    logits = whole.teacher_logits[rows], whole.student_logits[rows]
    expected = ClipTable(whole.clips.iloc[rows].reset_index(drop=True), CLASSES, *logits)
    assert_same(read_clip_table(tmp_path, splits), expected)


def test_a_split_that_is_not_there_is_named(tmp_path):
    write_clip_table(make_table(), tmp_path / "part-0.parquet")
    for splits in (["train", "val"], ["val"]):
        with pytest.raises(ClipTableError, match=r"field split: no clips of split \['val'\]"):
            read_clip_table(tmp_path, splits)


def test_an_error_in_a_split_names_the_row_of_its_file(tmp_path):
    for number in (0, 1):
        table = make_table((2, 3))  # train, then test
        table.clips["video_id"] = f"{number}/" + table.clips["video_id"]
        table.clips.loc[3, "label"] = 9 if number else 1
        write_clip_table(table, tmp_path / f"part-{number}.parquet")
    with pytest.raises(ClipTableError, match=r"part-1\.parquet, row 3, field label: 9 must be"):
        read_clip_table(tmp_path, ["test"])


def test_parts_one_by_one_are_the_table(tmp_path):
    tables = [make_table((2, 3, 1)), make_table((4,), seed=1)]
    for number, table in enumerate(tables):
        write_clip_table(table, tmp_path / f"part-{number}.parquet")
    for part, table in zip(clip_table_parts(tmp_path), tables, strict=True):
        assert_same(part, table)


def test_files_that_are_no_clip_table_are_named(tmp_path):
    (tmp_path / "text.parquet").write_text("hello")
    pq.write_table(pa.table({"video_id": ["a"]}), tmp_path / "other.parquet")
    causes = {"text": "not a readable Parquet", "other": "condi_classes", "none": "no such file"}
    for name, cause in causes.items():
        with pytest.raises(ClipTableError, match=rf"{name}\.parquet: .*{cause}"):
            read_clip_table(tmp_path / f"{name}.parquet")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ClipTableError, match=r"empty: the folder has no part-\*\.parquet"):
        read_clip_table(tmp_path / "empty")


def test_a_truncated_file_is_named(tmp_path):
    path = tmp_path / "clips.parquet"
    write_clip_table(make_table(), path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ClipTableError, match=r"clips\.parquet: not a readable Parquet"):
        read_clip_table(path)


def test_parts_scored_with_other_classes_are_refused(tmp_path):
    table = make_table((2,))
    write_clip_table(table, tmp_path / "part-0.parquet")
    other = ClipTable(table.clips, ("a", "b", "c"), table.teacher_logits, table.student_logits)
    write_clip_table(other, tmp_path / "part-1.parquet")
    with pytest.raises(ClipTableError, match=r"part-1\.parquet: other columns or classes"):
        read_clip_table(tmp_path)


@pytest.mark.parametrize(
    ("values", "size", "cause"),
    [([1.0, 2.0, None], 3, "missing value"), ([1.0, 2.0], 2, r"need fixed_size_list\[3\]")],
)
def test_logits_that_do_not_fit_the_classes_are_named(tmp_path, values, size, cause):
    path = tmp_path / "clips.parquet"
    write_clip_table(make_table((1,)), path)
    rows = pq.read_table(path)
    logits = pa.array([values], pa.list_(pa.float32(), size))
    column = rows.column_names.index("teacher_logits")
    pq.write_table(rows.set_column(column, "teacher_logits", logits), path)
    with pytest.raises(ClipTableError, match=rf"field teacher_logits: .*{cause}"):
        read_clip_table(path)


# --- merging ----------------------------------------------------------------------------------


def split_table(counts=(2, 3, 1)):
    """A teacher's table without anything of the student, and the student's without the teacher."""
    both = make_table(counts)
    teacher = ClipTable(both.clips.drop(columns="confidence"), CLASSES, both.teacher_logits)
    return teacher, ClipTable(both.clips, CLASSES, None, both.student_logits)


def take(table, order):
    logits = None if table.student_logits is None else table.student_logits[order]
    return ClipTable(table.clips.iloc[order], table.classes, None, logits)


def test_merging_puts_the_student_beside_the_teacher_in_any_order():
    teacher, student = split_table()
    for order in ([0, 1, 2, 3, 4, 5], [5, 2, 4, 3, 1, 0]):
        assert_same(merge_student(teacher, take(student, order)), make_table())


def test_merging_another_student_forgets_the_first():
    teacher, student = split_table()
    mute = ClipTable(
        student.clips.drop(columns="confidence"), CLASSES, None, teacher.teacher_logits
    )
    merged = merge_student(merge_student(teacher, student), mute)
    assert "confidence" not in merged.clips
    assert torch.equal(merged.student_logits, teacher.teacher_logits)


def test_a_student_of_other_clips_is_refused_by_name():
    teacher, student = split_table()
    fewer = take(student, [0, 1, 2, 3, 5])
    with pytest.raises(ClipTableError, match=r"student's table lacks clip 2 of video 'v1\.mp4'"):
        merge_student(teacher, fewer)
    with pytest.raises(ClipTableError, match=r"teacher's table lacks clip 0 of video 'v3.mp4'"):
        merge_student(teacher, split_table((2, 3, 1, 1))[1])


@pytest.mark.parametrize(
    ("field", "value"), [("start_frame", 17), ("label", 2), ("split", "val"), ("truth", "key")]
)
def test_a_student_that_disagrees_is_refused_by_name(field, value):
    teacher, student = split_table()
    clips = student.clips.copy()
    rows = clips["video_id"] == "v1.mp4" if field in ("label", "split") else clips.index == 3
    clips.loc[rows, field] = value
    with pytest.raises(ClipTableError, match=rf"field {field}: clip \d of video 'v1\.mp4'"):
        merge_student(teacher, ClipTable(clips, CLASSES, None, student.student_logits))


def test_a_student_of_other_classes_is_refused():
    teacher, student = split_table()
    with pytest.raises(ClipTableError, match="different classes"):
        merge_student(teacher, ClipTable(student.clips, ("x", "y", "z")))
