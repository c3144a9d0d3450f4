"""Params files are read strictly, and everything that makes a run what it is names the run."""

import hashlib
import re
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from tiny_study import tiny, write_params

from condi_lib.study import open_study
from condi_lib.study.params import read_fields, read_study
from condi_lib.study.specs import CatalogSource, DatasetSpec, NetworkSpec, digest, run_name
from condi_lib.videos.preprocess import Preprocess

PARAMS = Path(__file__).resolve().parents[1] / "notebooks" / "params"
CATALOG = {"path": "data/labels.csv", "group_column": "person"}
GROUPS = {"teacher_train": ["1"], "train": ["2"], "val": ["3"], "test": ["4"]}

MISTAKES = {
    "unknown field": ({"seed": [0]}, r"study: has no field \['seed'\]; it has .*'seeds'"),
    "unknown field below": (
        {"dataset.pantomime.splits.val.videos": 3},
        r"study\.dataset\.pantomime\.splits\['val'\]: has no field \['videos'\]",
    ),
    "missing field": ({"teacher": ...}, r"study\.teacher: is missing"),
    "missing field below": ({"preprocess.crop_px": ...}, r"study\.preprocess\.crop_px: is missing"),
    "a text for a number": ({"seeds": ["0"]}, r"study\.seeds\[0\]: must be int, not '0'"),
    "a fraction for a count": (
        {"teacher.training.epochs": 2.5},
        r"study\.teacher\.training\.epochs: must be int, not 2\.5",
    ),
    "yes for a number": ({"seeds": [True]}, r"study\.seeds\[0\]: must be int, not True"),
    "a number for a switch": ({"dataset.cache": 1}, r"study\.dataset\.cache: must be bool, not 1"),
    "YAML's idea of 1e-3": (
        {"student.training.lr": "1e-3"},
        r"study\.student\.training\.lr: must be float, not '1e-3'; YAML .* write 1\.0e-3",
    ),
    "a text for a list": (
        {"student.train_splits": "train"},
        r"study\.student\.train_splits: must be a list, not 'train'",
    ),
    "a list too long": (
        {"dataset.size_px": [16, 16, 3]},
        r"study\.dataset\.size_px: must be a list of 2, not \[16, 16, 3\]",
    ),
    "a list for a mapping": ({"losses": ["condi_sr"]}, r"study\.losses: must be a mapping"),
    "a number for a record": ({"teacher": 3}, r"study\.teacher: must be a mapping"),
    "out of range": (
        {"dataset.pantomime.cue": 2.0},
        r"study\.dataset\.pantomime: cue must be in \(0, 1\], got 2\.0",
    ),
    "no data set": ({"dataset.pantomime": ...}, r"study\.dataset: give exactly one of"),
    "two data sets": ({"dataset.catalog": CATALOG}, r"study\.dataset: give exactly one of"),
    "clips that truth does not fit": (
        {"dataset.clip_frames": 8},
        r"study\.dataset: clip_frames is 8, but pantomime\.clip_frames is 4",
    ),
    "unknown backbone": (
        {"teacher.backbone": "r2d2"},
        r"study\.teacher: no backbone is called 'r2d2'; choose from .*small_cnn3d",
    ),
    "unknown option": (
        {"student.options": {"widht": 2}},
        r"study\.student: backbone 'small_cnn3d' has no option \['widht'\]; it takes .*width",
    ),
    "unknown loss": ({"losses": {"condi": {}}}, r"losses\['condi'\]: unknown loss.*condi_sr"),
    "unknown hyperparameter": (
        {"losses": {"condi_sr": {"hyperparameters": {"lambda": 1.5}}}},
        r"losses\['condi_sr'\]: .*lambda.*confidence_weight",
    ),
    "a student named as a sampler": (
        {"losses": {"oracle": {"loss": "condi_sr"}}},
        r"losses: 'oracle' cannot name a student",
    ),
    "a student named as the teacher": (
        {"losses": {"teacher": {"loss": "condi_sr"}}},
        r"losses: 'teacher' cannot name a student",
    ),
    "a student that cannot name a file": (
        {"losses": {"a/b": {"loss": "condi_sr"}}},
        r"losses: 'a/b' cannot name a student",
    ),
    "a study that cannot name a folder": ({"name": "../x"}, r"name: .*'\.\./x'"),
    "the name of the committed results": ({"name": "reference"}, r"name: .*'reference'"),
    "no seed": ({"seeds": []}, r"seeds: need one or more"),
    "a seed twice": ({"seeds": [1, 1]}, r"seeds: need .* different.* got \[1, 1\]"),
    "a seed that would be ignored": (
        {"teacher.training.seed": 3},
        r"study\.teacher: training\.seed would not be used",
    ),
    "no training and nothing to use": (
        {"teacher.training.epochs": 0},
        r"study\.teacher: training\.epochs is 0, so `weights` must be given",
    ),
    "weights that are not there": (
        {"student.weights": "data/weights/w.pth"},
        r"study\.student\.weights: /.*/data/weights/w\.pth does not exist; put the weights there",
    ),
    "a crop of one's own larger than frames": (
        {"teacher.preprocess": {"crop_px": 18}},
        r"teacher\.preprocess\.crop_px: 18 is larger than dataset\.size_px \[16, 16\]",
    ),
    "channels in no known order": (
        {"teacher.preprocess": {"crop_px": 16, "channel_order": "BGR"}},
        r"study\.teacher\.preprocess: channel_order must be \"rgb\" or \"bgr\", got 'BGR'",
    ),
    "a crop larger than frames": (
        {"preprocess.crop_px": 17},
        r"preprocess\.crop_px: 17 is larger than dataset\.size_px \[16, 16\]",
    ),
    "unknown split": (
        {"student.train_splits": ["trian"]},
        r"dataset: has no split \['trian'\]; it has .*'train'",
    ),
    "folds of a pantomime": ({"folds": {"one": GROUPS}}, r"folds: need .*dataset\.catalog"),
}


@pytest.mark.parametrize(("changes", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_names_the_file_and_the_field(changes, message, root):
    path = write_params(root, tiny(**changes))
    with pytest.raises(ValueError, match=rf"^{re.escape(str(path))}: .*{message}"):
        read_study("tiny")
    with pytest.raises(ValueError, match=message):  # the same as a mapping, as in a notebook
        read_study(tiny(**changes))


def test_all_mistakes_are_told_at_once():
    fields = tiny(**{"seeds": 0, "teacher.backbone": 5, "student.training.epochs": "two"})
    with pytest.raises(ValueError) as caught:
        read_study(fields)
    for field in ("study.seeds", "study.teacher.backbone", "study.student.training.epochs"):
        assert field in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("study: {name: [", "not valid YAML"),
        ("- study", "needs one key `study`"),
        ("study:\n", "needs one key `study`"),
        ("name: tiny\n", "needs one key `study`"),
        ("study: {name: tiny}\nseeds: [1]\n", r"\['seeds'\] beside `study` would be ignored"),
        ("study:\n  name: a\n  name: b\n", r"not valid YAML: 'name' is given twice[\s\S]*line 2"),
        (b"study: {name: \xe9t\xe9}\n", "not valid YAML"),
    ],
)
def test_a_file_that_is_no_params_file_is_refused(text, message, tmp_path):
    path = tmp_path / "broken.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError, match=rf"^{re.escape(str(path))}: {message}"):
        read_study(path)


def test_a_file_that_is_not_there_is_told_with_those_that_are(root):
    write_params(root, tiny(), "ours")
    with pytest.raises(ValueError, match=r"theirs\.yaml: no such params file; .*\['ours'\]"):
        read_study("theirs")


def test_a_file_extends_another_field_by_field(root):
    write_params(root, tiny(), "base")
    changes = {"name": "more", "seeds": [4, 5], "teacher": {"training": {"epochs": 7}}}
    write_params(root, {"extends": "base", **changes}, "more")
    more, base = read_study("more"), read_study("base")
    assert (more.name, more.seeds, more.teacher.training.epochs) == ("more", (4, 5), 7)
    training = replace(more.teacher.training, epochs=base.teacher.training.epochs)
    teacher = replace(more.teacher, training=training)
    assert replace(more, name=base.name, seeds=base.seeds, teacher=teacher) == base


def test_null_takes_a_field_out(root):
    losses = {"condi_sr": {}, "st_ent": {}, "naive": {}}
    write_params(root, tiny(losses=losses), "base")
    write_params(root, {"extends": "base", "losses": {"st_ent": None}}, "fewer")
    assert list(read_study("fewer").losses) == ["condi_sr", "naive"]


def test_null_takes_out_what_a_file_further_below_has(root):
    write_params(root, tiny(losses={"condi_sr": {}, "st_ent": {}}), "base")
    write_params(root, {"extends": "base", "losses": {"st_ent": None}}, "fewer")
    write_params(root, {"extends": "fewer", "seeds": [7]}, "top")
    assert list(read_study("top").losses) == ["condi_sr"]
    again = {"extends": "fewer", "losses": {"st_ent": {"hyperparameters": {"temperature": 2.0}}}}
    assert list(read_study(again).losses) == ["condi_sr", "st_ent"]


def test_a_variant_still_takes_out_a_field_of_the_study_where_another_file_adds_to_it(root):
    student = {"val_split": "", "training": {"epochs": 1}}
    fields = {"dataset": {"pantomime": {"splits": {"val": None}}}, "student": student}
    variants = {"a": {"b": fields}}
    write_params(root, tiny(variants=variants), "base")
    more = {"a": {"b": {"dataset": {"pantomime": {"splits": {"test": {"n_videos": 5}}}}}}}
    write_params(root, {"extends": "base", "variants": more}, "top")
    below, above = read_study("base"), read_study("top").variants["a"]["b"]
    assert "val" in below.dataset.pantomime.splits
    assert set(below.dataset.pantomime.splits) - set(above.dataset.pantomime.splits) == {"val"}
    assert above.dataset.pantomime.splits["test"].n_videos == 5


def test_files_may_extend_files_beside_them_wherever_they_are(root, tmp_path):
    write_params(root, tiny(), "base")
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "a.yaml").write_text("study: {extends: base, seeds: [1, 2]}")
    (folder / "b.yaml").write_text("study: {extends: a.yaml, name: b}")
    study = read_study(folder / "b.yaml")
    assert (study.name, study.seeds) == ("b", (1, 2))
    assert read_study({"extends": str(folder / "b.yaml"), "seeds": [3]}).seeds == (3,)


def test_files_that_extend_one_another_are_refused(root):
    write_params(root, {"extends": "b"}, "a")
    write_params(root, {"extends": "a"}, "b")
    with pytest.raises(ValueError, match=r"a\.yaml: extends itself, by way of .*b\.yaml"):
        read_study("a")


@pytest.mark.parametrize("path", sorted(PARAMS.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_committed_params_can_be_read(path):
    fields = read_fields(path)
    for kind in {"catalog", "official"} & set(fields["dataset"]):
        fields["dataset"][kind]["content"] = "0"  # real videos are not in a clone
    for role in ("teacher", "student"):  # nor are weights
        fields[role] |= {"weights_content": "0"} if "weights" in fields[role] else {}
    study = read_study(fields)
    assert study.name == path.stem
    runs = product(study.losses, study.seeds, study.fold_names)
    specs = [study.student_of(*run) for run in runs]
    assert len({run_name(spec) for spec in specs}) == len(specs)


def test_without_your_videos_reading_says_what_to_put_where(root):
    path = write_params(root, tiny(**{"dataset.pantomime": ..., "dataset.catalog": CATALOG}))
    wanted = root / "data" / "labels.csv"
    message = f"{path}: study.dataset.catalog.path: {wanted} does not exist; put your videos and"
    with pytest.raises(ValueError, match=re.escape(message)):
        open_study("tiny")


def test_folds_use_known_groups_and_splits():
    source = {**CATALOG, "content": "0"}
    fields = tiny(**{"dataset.pantomime": ..., "dataset.catalog": source})
    assert read_study({**fields, "folds": {"one": GROUPS}}).fold_names == ("one",)
    with pytest.raises(ValueError, match=r"folds\['one'\]: has no split \['val'\]"):
        read_study({**fields, "folds": {"one": {k: GROUPS[k] for k in GROUPS if k != "val"}}})
    with pytest.raises(ValueError, match=r"folds: a fold names files .*'a/b'"):
        read_study({**fields, "folds": {"a/b": GROUPS}})


def test_changed_labels_or_files_are_another_data_set(root):
    fields = tiny(**{"dataset.pantomime": ..., "dataset.catalog": {"path": "videos.csv"}})
    names = []
    for text in ("file,label\na.mp4,x\n", "file,label\na.mp4,y\n", "file,label\na.mp4,x\n"):
        (root / "videos.csv").write_text(text)
        names.append(run_name(read_study(fields).dataset))
    assert names[0] == names[2] != names[1]

    fields["dataset"]["catalog"] = {"path": "folder"}
    (root / "folder" / "x").mkdir(parents=True)
    names = []
    for content in (b"1", b"22", b"1"):
        (root / "folder" / "x" / "a.mp4").write_bytes(content)
        names.append(run_name(read_study(fields).dataset))
    assert names[0] == names[2] != names[1]


def test_a_given_fingerprint_needs_no_videos(root):
    (root / "videos.csv").write_text("file,label\n")
    fields = tiny(**{"dataset.pantomime": ..., "dataset.catalog": {"path": "videos.csv"}})
    before = read_study(fields)
    fields["dataset"]["catalog"]["content"] = hashlib.sha256(b"file,label\n").hexdigest()
    (root / "videos.csv").unlink()
    assert read_study(fields) == before


def test_changed_weights_are_another_run(root):
    fields = tiny(**{"teacher.weights": "w.pth"})
    names, file, classes = [], root / "w.pth", root / "w.pth.classes.txt"
    for content, listed in ((b"1", ""), (b"2", ""), (b"1", "a\nb\n"), (b"1", "b\na\n"), (b"1", "")):
        file.write_bytes(content)
        classes.unlink(missing_ok=True)
        if listed:
            classes.write_text(listed)
        names.append(run_name(read_study(fields).teacher_of(0)))
    assert names[0] == names[4] and len(set(names)) == 4
    fields["teacher"]["weights_content"] = read_study(fields).teacher.weights_content
    file.unlink()
    assert run_name(read_study(fields).teacher_of(0)) == names[0]  # readable without the file


def test_networks_may_have_a_preprocessing_of_their_own():
    bgr = {"crop_px": 12, "channel_order": "bgr"}
    study, same = read_study(tiny(**{"teacher.preprocess": bgr})), read_study(tiny())
    student = study.student_of("condi_sr", 0)
    assert student.teacher.preprocess == Preprocess(12, channel_order="bgr")
    assert student.preprocess == study.preprocess == Preprocess(16)
    assert run_name(student.teacher) != run_name(same.teacher_of(0))
    written_out = read_study(tiny(**{"teacher.preprocess": {"crop_px": 16}}))
    assert run_name(written_out.teacher_of(0)) == run_name(same.teacher_of(0))


def test_a_digest_depends_on_every_field_and_on_nothing_else():
    study = read_study(tiny())
    spec = study.student_of("condi_sr", 0)
    assert read_study(dict(reversed(tiny().items()))).student_of("condi_sr", 0) == spec
    renamed = tiny(**{"name": "other", "seeds": [0, 1], "losses": {"mine": {"loss": "condi_sr"}}})
    assert run_name(read_study(renamed).student_of("mine", 0)) == run_name(spec)
    changes = {
        "dataset.pantomime.cue": 0.5,
        "dataset.pantomime.splits.test.n_videos": 24,
        "dataset.cache": False,
        "preprocess.flip": False,
        "teacher.options": {"width": 3},
        "teacher.training.lr": 0.01,
        "student.training.schedule": {"kind": "constant"},
        "student.val_clips": 7,
        "student.preprocess": {"crop_px": 15},
        "losses": {"condi_sr": {"hyperparameters": {"temperature": 2.0}}},
    }
    studies = [read_study(tiny(**{field: value})) for field, value in changes.items()]
    names = {run_name(changed.student_of("condi_sr", 0)) for changed in studies}
    names |= {run_name(spec), run_name(study.student_of("condi_sr", 1))}
    assert len(names) == len(changes) + 2


def test_losses_do_not_change_the_teacher():
    study = read_study(tiny(losses={"condi_sr": {}, "st_ent": {}}))
    for name in study.losses:
        assert study.student_of(name, 0).teacher == study.teacher_of(0)


def test_a_digest_is_that_of_the_canonical_json():
    canonical = b'{"b": "x", "a": [1, 2.5, null]}'
    assert digest({"b": "x", "a": (1, 2.5, None)}) == hashlib.sha256(canonical).hexdigest()[:12]


def test_the_order_of_splits_numbers_the_clips_and_so_names_the_run():
    splits = dict(reversed(tiny()["dataset"]["pantomime"]["splits"].items()))
    study, other = read_study(tiny()), read_study(tiny(**{"dataset.pantomime.splits": splits}))
    assert run_name(study.dataset) != run_name(other.dataset)


def test_a_student_needs_its_teachers_scores_on_all_its_clips():
    student = read_study(tiny()).student_of("condi_sr", 0)
    teacher = replace(student.teacher, score_splits=("val", "test"))
    with pytest.raises(ValueError, match=r"the teacher must score \['train'\]"):
        replace(student, teacher=teacher)


def test_specs_made_in_code_are_checked_too():
    with pytest.raises(ValueError, match="exactly one"):
        DatasetSpec()
    with pytest.raises(ValueError, match="no backbone"):
        NetworkSpec("r2d2")
    assert DatasetSpec(catalog=CatalogSource("x.csv")).split_names is None
