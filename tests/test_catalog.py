"""Catalogs: what is read, how it is divided, and that every fault is named with file and line."""

from collections import Counter
from pathlib import Path

import pytest
from video_files import mux_sound, numbered_frames

from condi_lib.videos.catalog import (
    BadVideo,
    Catalog,
    CatalogError,
    VideoRecord,
    assign_splits,
    assign_splits_by_group,
    read_catalog_csv,
    read_catalog_folders,
    scan,
)
from condi_lib.videos.decode import probe, write_video


def write_csv(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "labels.csv"
    path.write_bytes(text.encode(encoding))
    return path


def catalog_of(counts: dict[str, int], groups: int = 0) -> Catalog:
    """A catalog of videos that need not exist: so many of each class, dealt out to groups."""
    root = Path("videos")
    classes = tuple(counts)
    ids = [(f"{name}/{i}.mp4", name) for name, count in counts.items() for i in range(count)]
    records = tuple(
        VideoRecord(video_id, root / video_id, classes.index(name), group=f"g{n % groups}")
        if groups
        else VideoRecord(video_id, root / video_id, classes.index(name))
        for n, (video_id, name) in enumerate(ids)
    )
    return Catalog(root, classes, records)


# ------------------------------------------------------------------------------------------- csv


def test_a_csv_file(tmp_path):
    path = write_csv(
        tmp_path,
        "file,label,split,person\n"
        "b/2.mp4,wave,train,ann\n"
        "\n"
        '"a, or b/1.mp4", clap ,val,bob\n'
        "./b//3.mp4,wave,train,ann\n",
    )
    catalog = read_catalog_csv(path, group_column="person")
    assert catalog.classes == ("clap", "wave")
    assert [record.video_id for record in catalog] == ["b/2.mp4", "a, or b/1.mp4", "b/3.mp4"]
    assert [record.path for record in catalog] == [
        tmp_path / "b/2.mp4", tmp_path / "a, or b/1.mp4", tmp_path / "b/3.mp4",
    ]  # fmt: skip
    assert [record.label for record in catalog] == [1, 0, 1]
    assert [record.group for record in catalog] == ["ann", "bob", "ann"]
    assert [record.line for record in catalog] == [2, 4, 5]
    assert catalog.split_names == ("train", "val")
    assert [record.video_id for record in catalog.split("train")] == ["b/2.mp4", "b/3.mp4"]
    assert catalog.split("val").classes == ("clap", "wave")
    assert catalog.class_counts() == {"clap": 1, "wave": 2}
    assert len(catalog) == 3


def test_without_a_split_column_no_split_is_assigned(tmp_path):
    catalog = read_catalog_csv(write_csv(tmp_path, "file,label\na.mp4,clap\n"))
    assert [record.split for record in catalog] == [""]


def test_another_root_other_columns_and_classes_in_their_order(tmp_path):
    path = write_csv(tmp_path, "class,number,file\nwave,1,a.mp4\nclap,2,b.mp4\n")
    catalog = read_catalog_csv(path, tmp_path / "videos", ["wave", "clap", "bow"], "class")
    assert catalog.classes == ("wave", "clap", "bow")
    assert [record.label for record in catalog] == [0, 1]
    assert next(iter(catalog)).path == tmp_path / "videos" / "a.mp4"
    assert catalog.class_counts() == {"wave": 1, "clap": 1, "bow": 0}


def test_numbers_as_labels_are_in_the_order_of_their_values(tmp_path):
    rows = "".join(f"{n}.mp4,{n}\n" for n in (10, 9, 0, 2))
    catalog = read_catalog_csv(write_csv(tmp_path, "file,label\n" + rows))
    assert catalog.classes == ("0", "2", "9", "10")
    assert [record.label for record in catalog] == [3, 2, 0, 1]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_marks_and_line_ends_of_other_systems_are_understood(tmp_path, encoding, newline):
    text = newline.join(["file,label", "grüße/a.mp4,Grüßen", "b.mp4,Winken", ""])
    catalog = read_catalog_csv(write_csv(tmp_path, text, encoding))
    assert catalog.classes == ("Grüßen", "Winken")
    assert [record.video_id for record in catalog] == ["grüße/a.mp4", "b.mp4"]


GOOD = "file,label\na.mp4,clap\n"
FAULTS = {
    "utf-16": ("utf-16", GOOD, 1, "is UTF-16 or no text; save it as UTF-8"),
    "utf-16 without mark": ("utf-16-le", GOOD, 1, "is UTF-16 or no text"),
    "latin-1": ("latin-1", GOOD + "b.mp4,Grüße\n", 3, "byte 0xfc is not UTF-8"),
    "no label column": ("utf-8", "file,class\na.mp4,clap\n", 1, "no column 'label': it has file, "),
    "semicolons": ("utf-8", "file;label\na.mp4;clap\n", 1, "separate columns by commas"),
    "no header": ("utf-8", "a.mp4,clap\n", 1, "no column 'file': it has a.mp4, clap"),
    "empty file": ("utf-8", "", 1, "no column 'file': it is empty"),
    "label column twice": ("utf-8", "file,label,label\n", 1, "column 'label' occurs twice"),
    "too few fields": ("utf-8", GOOD + "b.mp4\n", 3, "has 1 fields, the header 2"),
    "too many fields": ("utf-8", GOOD + "b, c.mp4,clap\n", 3, "has 3 fields, the header 2"),
    "open quote": ("utf-8", GOOD + '"b.mp4,clap\n', 3, "check its quotes"),
    "blank file": ("utf-8", GOOD + "\n,clap\n", 4, "the field for file is blank"),
    "blank label": ("utf-8", GOOD + "b.mp4, \n", 3, "the field for label is blank"),
    "blank split": (
        "utf-8",
        "file,label,split\na.mp4,clap,train\nb.mp4,clap,\n",
        3,
        "the field for split is blank",
    ),
    "duplicate": ("utf-8", GOOD + "./a.mp4,clap\n", 3, "a.mp4 is listed in line 2 already"),
    "absolute": ("utf-8", GOOD + "/home/a.mp4,clap\n", 3, "/home/a.mp4 may lie outside"),
    "outside": ("utf-8", GOOD + "b/../../a.mp4,clap\n", 3, "b/../../a.mp4 may lie outside"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults_in_a_csv_file_name_file_and_line(tmp_path, name):
    encoding, text, line, message = FAULTS[name]
    path = write_csv(tmp_path, text, encoding)
    with pytest.raises(CatalogError) as caught:
        read_catalog_csv(path)
    assert str(caught.value).startswith(f"{path}, line {line}: ")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("label", "hint"), [("clpa", "did you mean 'clap'?"), ("fly", "the classes are clap, wave")]
)
def test_an_unknown_label_is_an_error_with_a_hint(tmp_path, label, hint):
    path = write_csv(tmp_path, f"file,label\na.mp4,clap\nb.mp4,{label}\n")
    with pytest.raises(CatalogError) as caught:
        read_catalog_csv(path, classes=["clap", "wave"])
    assert str(caught.value) == f"{path}, line 3: unknown label {label!r}; {hint}"


def test_all_faulty_lines_are_reported_at_once(tmp_path):
    path = write_csv(tmp_path, "file,label\n,clap\na.mp4,clap\n/b.mp4,clap\na.mp4,clap\nc.mp4,\n")
    with pytest.raises(CatalogError) as caught:
        read_catalog_csv(path)
    lines = str(caught.value).splitlines()
    assert [line.split(":")[0] for line in lines] == [f"{path}, line {n}" for n in (2, 4, 5, 6)]


def test_a_line_number_counts_lines_of_the_file_not_rows(tmp_path):
    path = write_csv(tmp_path, 'file,label,note\na.mp4,clap,"two\nlines"\nb.mp4,,\n')
    with pytest.raises(CatalogError, match=r"labels\.csv, line 4: the field for label is blank"):
        read_catalog_csv(path)


def test_no_file_no_videos(tmp_path):
    with pytest.raises(CatalogError, match=r"labels\.csv: cannot be read \(No such file"):
        read_catalog_csv(tmp_path / "labels.csv")
    with pytest.raises(CatalogError, match=r"labels\.csv: lists no videos"):
        read_catalog_csv(write_csv(tmp_path, "file,label\n"))


# --------------------------------------------------------------------------------------- folders


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_a_folder_for_each_class(tmp_path):
    touch(tmp_path, "wave/2.mp4", "wave/10.mp4", "clap/x/1.AVI", ".cache/a.mp4", "wave/.b.mp4")
    catalog = read_catalog_folders(tmp_path)
    assert catalog.classes == ("clap", "wave")
    ids = ["clap/x/1.AVI", "wave/10.mp4", "wave/2.mp4"]
    assert [record.video_id for record in catalog] == ids
    assert [record.label for record in catalog] == [0, 1, 1]
    assert catalog.split_names == ("",)


def test_a_folder_for_each_split(tmp_path):
    touch(tmp_path, "train/wave/1.mp4", "train/clap/1.mp4", "validation/wave/2.mp4")
    catalog = read_catalog_folders(tmp_path)
    assert catalog.classes == ("clap", "wave")
    assert [(record.video_id, record.split) for record in catalog] == [
        ("train/clap/1.mp4", "train"),
        ("train/wave/1.mp4", "train"),
        ("validation/wave/2.mp4", "val"),
    ]


def test_a_class_may_be_called_like_a_split_beside_others(tmp_path):
    touch(tmp_path, "train/1.mp4", "ship/1.mp4")  # vehicles
    assert read_catalog_folders(tmp_path).classes == ("ship", "train")


@pytest.mark.parametrize(
    ("files", "classes", "message"),
    [
        ([], None, "has no folders; make one for each class"),
        (["a.mp4", "wave/1.mp4"], None, "a.mp4: is not in the folder of a class"),
        (["wave/1.mp4", "wave/notes.txt"], None, "notes.txt: is no video by its suffix"),
        (["wave/1.mp4", "fly/1.mp4"], ["wave"], "fly: unknown class; the classes are wave"),
        (["wave/1.mp4", "fly/.keep"], None, "no videos of class fly"),
        (["wave/1.mp4"], ["wave", "clap"], "no videos of class clap"),
    ],
)
def test_faults_in_folders_are_named(tmp_path, files, classes, message):
    touch(tmp_path, *files)
    with pytest.raises(CatalogError, match=message):
        read_catalog_folders(tmp_path, classes)


def test_a_missing_root_is_named(tmp_path):
    with pytest.raises(CatalogError, match="videos: is not a folder"):
        read_catalog_folders(tmp_path / "videos")


# --------------------------------------------------------------------------------------- records


def test_a_catalog_refuses_what_contradicts_itself():
    root = Path("videos")
    record = VideoRecord("a.mp4", root / "a.mp4", 0)
    with pytest.raises(CatalogError, match=r"video listed twice: a\.mp4"):
        Catalog(root, ("clap",), (record, record))
    with pytest.raises(CatalogError, match="class listed twice: clap"):
        Catalog(root, ("clap", "clap"), (record,))
    with pytest.raises(CatalogError, match=r"a\.mp4: label 1, but there are 1 classes"):
        Catalog(root, ("clap",), (VideoRecord("a.mp4", root / "a.mp4", 1),))


def test_a_split_that_does_not_exist_is_refused():
    with pytest.raises(CatalogError, match=r"no split 'val', only ''"):
        catalog_of({"clap": 2}).split("val")


# ---------------------------------------------------------------------------------------- splits

FRACTIONS = {"train": 0.7, "val": 0.15, "test": 0.15}


def split_of(catalog: Catalog) -> dict[str, str]:
    return {record.video_id: record.split for record in catalog}


def test_every_split_has_its_share_of_every_class():
    catalog = assign_splits(catalog_of({"clap": 100, "wave": 40, "bow": 20}), FRACTIONS, seed=0)
    assert catalog.split("train").class_counts() == {"clap": 70, "wave": 28, "bow": 14}
    assert catalog.split("val").class_counts() == {"clap": 15, "wave": 6, "bow": 3}
    assert catalog.split("test").class_counts() == {"clap": 15, "wave": 6, "bow": 3}


def test_many_tiny_classes_still_fill_every_split():
    """Of 3 videos, .15 is less than one; what rounding owes a split is paid in later classes."""
    catalog = assign_splits(catalog_of({f"c{n:02}": 3 for n in range(40)}), FRACTIONS, seed=0)
    assert Counter(split_of(catalog).values()) == {"train": 84, "val": 18, "test": 18}


def test_a_division_depends_on_seed_and_videos_and_on_nothing_else():
    catalog = catalog_of({"clap": 30, "wave": 30})
    turned = Catalog(catalog.root, catalog.classes, catalog.records[::-1])
    first = split_of(assign_splits(catalog, FRACTIONS, seed=0))
    assert split_of(assign_splits(turned, FRACTIONS, seed=0)) == first
    assert split_of(assign_splits(catalog, FRACTIONS, seed=1)) != first
    again = assign_splits(catalog, FRACTIONS, seed=0)
    assert [record.video_id for record in again] == [record.video_id for record in catalog]


@pytest.mark.parametrize("seed", range(5))
def test_groups_never_straddle_splits(seed):
    catalog = catalog_of({"clap": 90, "wave": 60}, groups=20)
    divided = assign_splits(catalog, FRACTIONS, seed=seed, by_group=True)
    for group in {record.group for record in catalog}:
        assert len({record.split for record in divided if record.group == group}) == 1
    for name, fraction in FRACTIONS.items():  # 20 groups of 7 or 8 videos: within one group
        assert abs(len(divided.split(name)) - 150 * fraction) <= 8
        assert min(divided.split(name).class_counts().values()) > 0


@pytest.mark.parametrize(
    "fractions", [{"train": 0.7, "test": 0.2}, {"train": 1.2, "test": -0.2}, {"": 1.0}, {}]
)
def test_impossible_fractions_are_refused(fractions):
    with pytest.raises(ValueError, match="fractions must be positive, named and sum to 1"):
        assign_splits(catalog_of({"clap": 10}), fractions, seed=0)


def test_a_split_without_videos_is_refused():
    with pytest.raises(CatalogError, match="split 'val' gets none of the 2 videos"):
        assign_splits(catalog_of({"clap": 2}), FRACTIONS, seed=0)
    with pytest.raises(CatalogError, match=r"gets none of the 40 videos; .* more groups"):
        assign_splits(catalog_of({"clap": 40}, groups=2), FRACTIONS, seed=0, by_group=True)


def test_groups_by_name():
    catalog = catalog_of({"clap": 6, "wave": 6}, groups=3)
    divided = assign_splits_by_group(catalog, {"train": ["g0", "g2"], "test": ["g1"]})
    expected = {"g0": "train", "g1": "test", "g2": "train"}
    assert [record.split for record in divided] == [expected[record.group] for record in catalog]


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ({"train": ["g0"], "test": ["g1"]}, "group in no split: g2"),
        ({"train": ["g0", "g2"], "test": ["g1", "g2"]}, "group in more than one split: g2"),
        ({"train": ["g0", "g1"], "test": ["g2", "h", "k"]}, "group not in the catalog: h, k"),
        ({"train": ["g0", "g1", "g2"], "test": []}, "split 'test' gets none"),
    ],
)
def test_lists_of_groups_that_do_not_fit_are_refused(groups, message):
    with pytest.raises(CatalogError, match=message):
        assign_splits_by_group(catalog_of({"clap": 6}, groups=3), groups)


def test_videos_without_group_are_refused():
    for divide in (
        lambda catalog: assign_splits_by_group(catalog, {"train": ["g0"]}),
        lambda catalog: assign_splits(catalog, FRACTIONS, seed=0, by_group=True),
    ):
        with pytest.raises(CatalogError, match=r"0\.mp4: has no group; .*group_column"):
            divide(catalog_of({"clap": 3}))


# ------------------------------------------------------------------------------------------ scan


@pytest.fixture
def mixed(tmp_path) -> Catalog:
    """Two good files among five."""
    write_video(tmp_path / "good.mp4", numbered_frames(20))
    write_video(tmp_path / "also good.mp4", numbered_frames(5))
    write_video(tmp_path / "picture.mp4", numbered_frames(1))
    mux_sound(tmp_path / "sound.mp4")
    names = ["sound", "good", "missing", "also good", "picture"]
    rows = "".join(f"{name}.mp4,clap\n" for name in names)
    return read_catalog_csv(write_csv(tmp_path, "file,label\n" + rows))


@pytest.mark.parametrize("workers", [0, 2])
def test_a_scan_names_all_bad_files_at_once(mixed, workers):
    with pytest.raises(CatalogError) as caught:
        scan(mixed, workers=workers)
    first, *bad, advice = str(caught.value).splitlines()
    assert first == "3 of 5 videos cannot be used: 1 missing, 1 corrupt, 1 too short:"
    for text, (line, name, cause) in zip(
        bad,
        [(2, "sound", "has only audio"), (4, "missing", "does not exist"), (6, "picture", "has")],
        strict=True,
    ):
        assert text.startswith(f"  {mixed.source}, line {line}: {mixed.root / name}.mp4: {cause}")
    assert "skip_bad=True" in advice


@pytest.mark.parametrize("workers", [0, 2])
def test_a_scan_that_goes_on_lists_what_it_left_out(mixed, workers):
    report = scan(mixed, workers=workers, skip_bad=True)
    assert [record.video_id for record in report.catalog] == ["good.mp4", "also good.mp4"]
    assert list(report.infos) == ["good.mp4", "also good.mp4"]
    assert report.infos["good.mp4"] == probe(mixed.root / "good.mp4")
    assert report.infos["also good.mp4"].n_frames == 5
    assert report.left_out == (
        BadVideo(mixed.root / "sound.mp4", 2, "has only audio"),
        BadVideo(mixed.root / "missing.mp4", 4, "does not exist"),
        BadVideo(mixed.root / "picture.mp4", 6, "has one frame"),
    )


def test_a_scan_without_any_usable_file_raises_even_so(tmp_path):
    catalog = read_catalog_csv(write_csv(tmp_path, "file,label\na.mp4,clap\n"))
    with pytest.raises(CatalogError, match="1 of 1 videos cannot be used"):
        scan(catalog, skip_bad=True)


def test_damage_inside_a_file_is_found_where_every_frame_is_decoded(tmp_path):
    path = write_video(tmp_path / "a.mp4", numbered_frames(60), options={"g": "20", "bf": "0"})
    content = bytearray(path.read_bytes())
    middle = content.index(b"mdat") + 2000
    content[middle : middle + 1000] = b"\xff" * 1000
    path.write_bytes(content)
    catalog = read_catalog_csv(write_csv(tmp_path, "file,label\na.mp4,clap\n"))
    assert scan(catalog).infos["a.mp4"].n_frames == 60
    with pytest.raises(CatalogError, match=r"a\.mp4: is damaged at frame \d+"):
        scan(catalog, every_frame=True)


def test_progress_is_shown_only_where_it_is_asked_for(tmp_path, capsys):
    write_video(tmp_path / "a.mp4", numbered_frames(5))
    catalog = read_catalog_csv(write_csv(tmp_path, "file,label\na.mp4,clap\n"))
    scan(catalog)
    assert capsys.readouterr().err == ""
    scan(catalog, progress=True)
    assert "1/1" in capsys.readouterr().err
