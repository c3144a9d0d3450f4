"""Official lists: the real ones counted, miniature ones read, contradictory ones refused."""

import json
import os
import re
import shutil
from collections import Counter
from pathlib import Path

import miniatures
import pytest

from condi_lib.videos.catalog import CatalogError, assign_splits, scan
from condi_lib.videos.official import OFFICIAL, read_official
from condi_lib.videos.official.kinetics import list_files

LISTS = (
    Path(os.environ.get("CONDI_REAL_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
    / "lists"
)


def real(folder):
    if not (LISTS / folder).is_dir():
        pytest.skip(f"no real lists in {LISTS}; name their parent folder by CONDI_REAL_DATA")
    return LISTS / folder


def read(source, fold=1):
    return read_official(source["name"], source["root"], source["lists"], fold)


def splits_of(catalog, attribute="video_id"):
    return {
        split: {getattr(r, attribute) for r in catalog if r.split == split}
        for split in ("train", "test")
    }


# The real lists

UCF_COUNTS = {1: (9537, 3783), 2: (9586, 3734), 3: (9624, 3696)}


@pytest.mark.parametrize("fold", UCF_COUNTS)
def test_the_real_ucf101(tmp_path, fold):
    catalog = read_official("ucf101", tmp_path, real("ucf101_splits"), fold)
    counts = Counter(record.split for record in catalog)
    assert (counts["train"], counts["test"]) == UCF_COUNTS[fold]
    assert len(catalog) == 13320 and len(catalog.classes) == 101
    assert catalog.classes[0] == "ApplyEyeMakeup" and catalog.classes[100] == "YoYo"
    groups = splits_of(catalog, "group")
    assert not groups["train"] & groups["test"]
    per_class = Counter(group.rpartition("_")[0] for group in groups["train"] | groups["test"])
    assert set(per_class.values()) == {25}
    tested = {int(group.rpartition("_g")[2]) for group in groups["test"]}
    assert tested == set(range(7 * fold - 6, 7 * fold + 1))  # so no two folds test one video
    for record in catalog:
        assert record.video_id.startswith(catalog.classes[record.label] + "/")


def test_a_validation_share_of_the_real_ucf101_divides_no_group(tmp_path):
    train = read_official("ucf101", tmp_path, real("ucf101_splits")).split("train")
    divided = assign_splits(train, {"train": 0.9, "val": 0.1}, seed=0, by_group=True)
    val = [record for record in divided if record.split == "val"]
    assert 0.09 < len(val) / len(train) < 0.11  # 2 of the 18 groups of a class
    assert {record.label for record in val} == set(range(101))
    assert not {r.group for r in val} & {r.group for r in divided if r.split == "train"}


@pytest.mark.parametrize("fold", [1, 2, 3])
def test_the_real_hmdb51(tmp_path, fold):
    catalog = read_official("hmdb51", tmp_path, real("hmdb51_splits"), fold)
    assert len(catalog.classes) == 51 and list(catalog.classes) == sorted(catalog.classes)
    for split, count in (("train", 70), ("test", 30)):
        assert set(catalog.split(split).class_counts().values()) == {count}
    videos, films = splits_of(catalog), splits_of(catalog, "group")
    assert not videos["train"] & videos["test"]
    assert not films["train"] & films["test"]
    assert all(f.count("/") == 1 and ".avi" not in f for f in films["train"] | films["test"])


def test_the_real_hmdb51_folds_share_videos(tmp_path):
    lists = real("hmdb51_splits")
    files = OFFICIAL["hmdb51"].list_files(lists)
    listed = {(f.name.partition("_test_")[0], line.split()[0])
              for f in files for line in f.read_text().splitlines()}  # fmt: skip
    assert len(files) == 153 and len(listed) == 6766
    tests = [splits_of(read_official("hmdb51", tmp_path, lists, f))["test"] for f in (1, 2, 3)]
    assert sum(map(len, tests)) == 4590 and len(set.union(*tests)) == 4243


@pytest.mark.parametrize(("name", "version"), [("k400", 400), ("k600", 600), ("k700", 700)])
def test_kinetics_classes_are_numbered_as_published_weights_number_them(tmp_path, name, version):
    """Read from csv files made of the real class names, in disorder."""
    names = (real("label_maps") / f"kinetics_label_map_{name}.txt").read_text().splitlines()
    assert len(names) == version
    rows = [(label, miniatures.youtube_id(i), 0, 10) for i, label in enumerate(reversed(names))]
    (tmp_path / "videos").mkdir()
    for split in ("train", "val"):
        ids = [(label, video[:-1] + split[0], *times) for label, video, *times in rows]
        miniatures.write_kinetics_csv(tmp_path / f"kinetics-{version}_{split}.csv", ids, split)
    catalog = read_official("kinetics", tmp_path / "videos", tmp_path)
    assert list(catalog.classes) == names


def test_something_something_classes_are_numbered_as_labels_json_says(tmp_path):
    names = (real("label_maps") / "sthv2_label_map.txt").read_text().splitlines()
    (tmp_path / "labels.json").write_text(json.dumps({n: str(i) for i, n in enumerate(names)}))
    for name, first in (("train", 0), ("validation", 1000)):
        entries = [{"id": str(first + i), "template": re.sub("something", "[something]", label)}
                   for i, label in enumerate(names)]  # fmt: skip
        (tmp_path / f"{name}.json").write_text(json.dumps(entries))
    catalog = read_official("something_something_v2", tmp_path, tmp_path)
    assert list(catalog.classes) == names and len(names) == 174
    assert [r.label for r in catalog.split("test")] == list(range(174))


# Miniatures


def test_ucf101_in_miniature(tmp_path):
    source = miniatures.ucf101(tmp_path)
    for fold in (1, 2, 3):
        catalog = read(source, fold)
        assert [len(catalog.split(s)) for s in ("train", "test")] == [24, 8]
        report = scan(catalog)
        assert {info.n_frames for info in report.infos.values()} == {miniatures.N_FRAMES}
    assert catalog.classes == ("Archery", "HandstandPushups")
    odd = "HandstandPushups/v_HandStandPushups_g05_c02.avi"
    record = next(r for r in catalog if r.video_id == odd)
    assert (record.label, record.split, record.group) == (1, "test", "HandstandPushups_g05")


def test_hmdb51_in_miniature(tmp_path):
    source = miniatures.hmdb51(tmp_path)
    sizes = []
    for fold in (1, 2, 3):
        catalog = read(source, fold)
        sizes.append([len(catalog.split(split)) for split in ("train", "test")])
        assert not scan(catalog).left_out  # whatever characters are in the names
    assert sizes == [[12, 8], [12, 8], [16, 4]]
    assert catalog.classes == ("brush_hair", "sword")
    groups = {record.group for record in catalog}
    assert groups == {f"{n}/{f}" for n, films in miniatures.HMDB_FILMS.items() for f in films[:5]}


LAYOUTS = {
    "split and class": "{split}/{label}/{stem}.mp4",
    "flat": "{stem}.mp4",
    "split": "{split}/{stem}.mp4",
    "class": "{label}/{stem}.mp4",
    "ids": "{id}.mp4",
    "ids by class": "{split}/{label}/{id}.mp4",
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_kinetics_in_miniature_in_every_layout(tmp_path, layout):
    catalog = read(miniatures.kinetics(tmp_path, layout))
    assert catalog.classes == miniatures.KINETICS_CLASSES
    assert [len(catalog.split(s)) for s in ("train", "test")] == [24, 9]
    report = scan(catalog, skip_bad=True)
    assert [(bad.split, bad.kind) for bad in report.left_out] == [
        ("train", "missing"), ("train", "corrupt"), ("test", "missing"), ("test", "corrupt")
    ]  # fmt: skip
    rows = miniatures.kinetics_rows()
    stem = "{}_{:06d}_{:06d}".format(*rows["train"][0][1:])
    assert report.left_out[0].video_id == f"train/hugging (not baby)/{stem}.mp4"
    for record, row in zip(catalog, rows["train"] + rows["val"], strict=True):
        assert row[1] in record.video_id and record.group == row[1]
        assert catalog.classes[record.label] == row[0]


@pytest.mark.parametrize(
    ("train", "val", "quoted", "column"),
    [
        ("train.csv", "validate.csv", True, ("train", "validate")),
        ("kinetics-600_train.csv", "kinetics-600_val.csv", False, ("train", "val")),
        ("train.csv", "validation.csv", False, ("", "")),
    ],
)
def test_kinetics_lists_under_all_their_names(tmp_path, train, val, quoted, column):
    source = miniatures.kinetics(tmp_path)
    expected = read(source)
    lists, rows = tmp_path / "annotations", miniatures.kinetics_rows()
    for name in ("train.csv", "val.csv"):
        (lists / name).unlink()
    for name, split, value in zip((train, val), ("train", "val"), column, strict=True):
        miniatures.write_kinetics_csv(lists / name, rows[split], value, quoted)
    assert [path.name for path in list_files(lists)] == [train, val]
    assert read(source) == expected


def test_something_something_in_miniature(tmp_path):
    source = miniatures.something_something_v2(tmp_path)
    catalog = read(source)
    assert [len(catalog.split(s)) for s in ("train", "test")] == [30, 6]
    report = scan(catalog)
    assert {info.codec for info in report.infos.values()} == {"vp8", "vp9"}
    first = catalog.records[0]
    assert (first.video_id, first.label) == ("101.webm", 0)
    assert catalog.classes[0] == "Holding something next to something"
    lists = Path(source["lists"])
    for name in ("labels", "train", "validation"):  # their names in the first release
        (lists / f"{name}.json").rename(lists / f"something-something-v2-{name}.json")
    assert read(source) == catalog


def test_a_replacement_counts_instead_of_what_it_replaces(tmp_path):
    source = miniatures.kinetics(tmp_path, "{split}/{stem}.mp4")
    bad = next(b for b in scan(read(source), skip_bad=True).left_out if b.kind == "corrupt")
    good = miniatures.write_noise(
        tmp_path / "videos" / "replacement_for_corrupted_k400" / bad.path.name, (1, 2)
    )
    report = scan(read(source), skip_bad=True)
    assert len(report.left_out) == 3
    assert report.infos[good.relative_to(tmp_path / "videos").as_posix()].path == good


# Contradictions


def edit(path, old, new):
    content = path.read_bytes()
    assert old.encode() in content
    path.write_bytes(content.replace(old.encode(), new.encode(), 1))


UCF_FAULTS = {
    "a class twice": ("classInd.txt", "2 Hand", "3 Hand", r"classInd\.txt, line 2: expected '2 "),
    "a wrong number": ("trainlist01.txt", "c01.avi 1", "c01.avi 2",
                       r"trainlist01\.txt, line 1: says class number '2', .*Archery the number 1"),
    "no number": ("trainlist01.txt", "c01.avi 1", "c01.avi", r"line 1: says class number ''"),
    "an unknown class": ("testlist01.txt", "Archery/v_Archery", "Bowling/v_Bowling",
                         r"testlist01\.txt, line 1: class 'Bowling' is not in classInd\.txt"),
    "another name": ("testlist01.txt", "Archery/v_Archery_g01_c01", "Archery/v_Zumba_g01_c01",
                     r"line 1: 'Archery/v_Zumba_g01_c01\.avi' is not Class/v_Class_g01_c01\.avi"),
    "no video": ("testlist01.txt", "_c01.avi", "_c01.txt", r"line 1: .* is not Class/v_Class"),
    "a video twice": ("testlist01.txt", "g01_c02", "g01_c01",
                      r"line 2: .*g01_c01\.avi is listed in .*testlist01\.txt, line 1 already"),
    "a divided group": ("testlist01.txt", "g01_c02", "g03_c09",
                        r"line 2: group Archery_g03 is in the training list too"),
}  # fmt: skip


@pytest.mark.parametrize(("name", "old", "new", "message"), UCF_FAULTS.values(), ids=UCF_FAULTS)
def test_ucf101_lists_that_contradict_are_refused(tmp_path, name, old, new, message):
    source = miniatures.ucf101(tmp_path, videos=False)
    edit(Path(source["lists"]) / name, old, new)
    with pytest.raises(CatalogError, match=message):
        read(source)


HMDB_FAULTS = {
    "a code": ("2 \n", "3 \n", r"sword_test_split1\.txt, line 1: expected 'NAME\.avi CODE' with"),
    "no code": (".avi 2 \n", ".avi\n", r"line 1: expected 'NAME\.avi CODE'"),
    "a video twice": ("fr_goo_1.avi 2", "fr_goo_0.avi 2", r"lacks prelinger_LetsBeGo1953.*_goo_1"),
    "another video": ("prelinger_LetsBe", "prelinger_LetsSee", r"lacks prelinger_LetsBeGo1953"),
    "a divided film": ("np1_fr_goo_0.avi 2", "np1_fr_goo_0.avi 1",
                       r"line 2: 'prelinger_LetsBeGo1953' is in both train and test"),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "message"), HMDB_FAULTS.values(), ids=HMDB_FAULTS)
def test_hmdb51_lists_that_contradict_are_refused(tmp_path, old, new, message):
    source = miniatures.hmdb51(tmp_path, videos=False)
    edit(Path(source["lists"]) / "sword_test_split1.txt", old, new)
    with pytest.raises(CatalogError, match=message):
        read(source)


FIRST, SECOND = miniatures.kinetics_rows()["train"][:2]
KINETICS_FAULTS = {
    "an id spoilt by a spreadsheet": (FIRST[1], "#NAME?", r"train\.csv, line 2: needs .* 11 char"),
    "times": (",1,11,", ",11,1,", r"line 2: needs .*time_start < time_end"),
    "no time": (",1,11,", ",1,?,", r"line 2: time_start and time_end must be seconds"),
    "no label": ("hugging (not baby)", "", r"line 2: needs a label"),
    "another split": (",11,train", ",11,test", r"line 2: belongs to split 'test'; take the file"),
    "a column": ("youtube_id", "youtube-id", r"line 1: no column 'youtube_id'"),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "message"), KINETICS_FAULTS.values(), ids=KINETICS_FAULTS)
def test_kinetics_lists_that_contradict_are_refused(tmp_path, old, new, message):
    source = miniatures.kinetics(tmp_path, videos=False)
    edit(tmp_path / "annotations" / "train.csv", old, new)
    with pytest.raises(CatalogError, match=message):
        read(source)


def test_a_line_that_a_kinetics_list_repeats_adds_nothing(tmp_path):
    source = miniatures.kinetics(tmp_path, videos=False)
    expected = read(source).records
    path = tmp_path / "annotations" / "train.csv"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines, lines[1]]))
    assert read(source).records == expected


def test_a_kinetics_video_of_two_classes_is_refused(tmp_path):
    source = miniatures.kinetics(tmp_path, videos=False)
    path = tmp_path / "annotations" / "train.csv"
    part = [str(field) for field in FIRST[1:]]
    path.write_text(path.read_text() + ",".join(["zumba", *part, "train"]) + "\n")
    (Path(source["root"]) / f"{part[0]}_{int(part[1]):06d}_{int(part[2]):06d}.mp4").touch()
    with pytest.raises(CatalogError, match=r"\.mp4 is listed in .*train\.csv, line 2 already"):
        read(source)


def test_validation_of_another_version_of_kinetics_is_refused(tmp_path):
    source = miniatures.kinetics(tmp_path, videos=False)
    edit(tmp_path / "annotations" / "val.csv", "zumba", "yoga")
    with pytest.raises(CatalogError, match=r"val\.csv, line 8: class 'yoga' is not in the train"):
        read(source)


def test_two_versions_of_kinetics_in_one_folder_are_refused(tmp_path):
    source = miniatures.kinetics(tmp_path, videos=False)
    lists = tmp_path / "annotations"
    shutil.copy(lists / "val.csv", lists / "kinetics-700_val.csv")
    with pytest.raises(CatalogError, match=r"it has kinetics-700_val\.csv and val\.csv; give each"):
        read(source)


def test_a_video_in_two_places_is_refused(tmp_path):
    source = miniatures.kinetics(tmp_path, "{split}/{stem}.mp4")
    stem = "{}_{:06d}_{:06d}".format(*SECOND[1:])
    shutil.copytree(tmp_path / "videos" / "train", tmp_path / "videos" / "old")
    assert len(read(source)) == 33  # those in the folder of their split count
    (tmp_path / "videos" / "train").rename(tmp_path / "videos" / "new")
    with pytest.raises(CatalogError, match=rf"holds it as new/{stem}.mp4 and as old/{stem}.mp4"):
        read(source)


def test_a_name_that_fits_two_parts_of_a_video_is_refused(tmp_path):
    """Kinetics-600 lists five videos twice, with other times and labels."""
    source = miniatures.kinetics(tmp_path, "{id}.mp4")
    edit(tmp_path / "annotations" / "train.csv", f"zumba,{youtube('zumba')}", f"zumba,{SECOND[1]}")
    message = (
        rf"line 3: .*{SECOND[1]}\.mp4 may be this or another listed part.* name it {SECOND[1]}_"
    )
    with pytest.raises(CatalogError, match=message):
        read(source)
    zumba = tmp_path / "videos" / "zumba" / f"{SECOND[1]}.mp4"
    zumba.parent.mkdir()
    other = tmp_path / "videos" / "hugging_(not_baby)" / f"{SECOND[1]}.mp4"
    other.parent.mkdir()
    shutil.copy(tmp_path / "videos" / f"{SECOND[1]}.mp4", zumba)
    (tmp_path / "videos" / f"{SECOND[1]}.mp4").rename(other)
    by_id = [r.video_id for r in read(source) if r.group == SECOND[1]]
    assert by_id == [f"hugging_(not_baby)/{SECOND[1]}.mp4", f"zumba/{SECOND[1]}.mp4"]


def youtube(label):
    """Id of the first training video of a class."""
    return next(video for name, video, *_ in miniatures.kinetics_rows()["train"] if name == label)


def change(entries, index, **fields):
    entries[index] |= fields
    return entries


SSV2_FAULTS = {
    "a label": ("train", lambda e: change(e, 0, template="Holding [something] near [something]"),
                r"train\.json, entry 1 \(id 101\): 'Holding something near something' is not in "
                r"labels\.json; did you mean 'Holding something next to something'"),
    "an id twice": ("train", lambda e: change(e, 1, id="101"),
                    r"entry 2 \(id 101\): 101\.webm is listed in .*entry 1 \(id 101\) already"),
    "trained on and tested": ("validation", lambda e: change(e, 0, id="102"),
                              r"validation\.json, entry 1 .*is listed in .*train\.json, entry 2"),
    "a number as id": ("train", lambda e: change(e, 2, id=103), r"entry 3: needs an 'id'"),
    "no entry": ("train", lambda e: [*e, "x"], r"entry 31: needs an 'id'"),
    "no list": ("train", lambda e: {}, r"train\.json: must be a list of videos"),
    "numbers with a gap": ("labels", lambda e: {n: str(2 * int(k)) for n, k in e.items()},
                           r"labels\.json: must map each label to its number"),
}  # fmt: skip


@pytest.mark.parametrize(("name", "spoil", "message"), SSV2_FAULTS.values(), ids=SSV2_FAULTS)
def test_something_something_lists_that_contradict_are_refused(tmp_path, name, spoil, message):
    source = miniatures.something_something_v2(tmp_path, videos=False)
    path = Path(source["lists"]) / f"{name}.json"
    path.write_text(json.dumps(spoil(json.loads(path.read_text()))))
    with pytest.raises(CatalogError, match=message):
        read(source)


def test_json_that_is_cut_short_is_refused(tmp_path):
    source = miniatures.something_something_v2(tmp_path, videos=False)
    path = Path(source["lists"]) / "train.json"
    path.write_text(path.read_text()[:-5])
    with pytest.raises(CatalogError, match=r"train\.json: cannot be read as JSON .*; download it"):
        read(source)


@pytest.mark.parametrize("name", OFFICIAL)
def test_what_is_not_there_is_named(tmp_path, name):
    source = getattr(miniatures, name)(tmp_path, videos=False)
    lists, root = Path(source["lists"]), Path(source["root"])
    root.rename(tmp_path / "elsewhere")
    with pytest.raises(CatalogError, match=rf"{root}: is not a folder; it should hold"):
        read(source)
    (tmp_path / "elsewhere").rename(root)
    first = OFFICIAL[name].list_files(lists)[0]
    first.unlink()
    with pytest.raises(CatalogError, match=re.escape(str(lists))):
        read(source)


def test_unknown_data_sets_and_folds_are_told_with_those_there_are(tmp_path):
    with pytest.raises(ValueError, match=r"called 'ucf'; choose from \['ucf101', 'hmdb51'"):
        read_official("ucf", tmp_path, tmp_path)
    with pytest.raises(ValueError, match="ucf101 has folds 1 to 3, got fold 4"):
        read_official("ucf101", tmp_path, tmp_path, 4)
    with pytest.raises(ValueError, match="kinetics has one official division, fold 1, got fold 0"):
        read_official("kinetics", tmp_path, tmp_path, 0)


def test_many_faults_are_told_at_once_but_not_all(tmp_path):
    source = miniatures.kinetics(tmp_path, videos=False)
    path = tmp_path / "annotations" / "train.csv"
    rows = [(row[0], "?", *row[2:]) for row in miniatures.kinetics_rows()["train"]]
    miniatures.write_kinetics_csv(path, rows, "train")
    with pytest.raises(CatalogError) as caught:
        read(source)
    lines = str(caught.value).splitlines()
    assert len(lines) == 21 and lines[-1].endswith("more faults like these")
