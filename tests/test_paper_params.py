"""The params files of the published data sets: they say what the paper says, and miniatures run.

Each miniature is laid out below ``data/videos`` as data/README.md asks for, and read by the
committed file itself.
"""

import re
import shutil
from pathlib import Path

import miniatures
import pytest

from condi_lib.study import ensure, read_study
from condi_lib.study.datasets import open_dataset, read_videos

PARAMS = Path(__file__).resolve().parents[1] / "notebooks" / "params"
MINIATURES = {
    "ucf101": miniatures.ucf101,
    "hmdb51": miniatures.hmdb51,
    "kinetics400": miniatures.kinetics,
    "kinetics600": miniatures.kinetics,
    "kinetics700": miniatures.kinetics,
    "something_something_v2": miniatures.something_something_v2,
}
NAMES = [*MINIATURES, "ucf101_thesis", "kinetics600_thesis", "something_something_v2_thesis"]


@pytest.fixture
def project(root):
    """A project with the committed params files, and files that stand for published weights."""
    shutil.copytree(PARAMS, root / "notebooks" / "params")
    weights = root / "data" / "weights"
    weights.mkdir(parents=True)
    for name in ("kinetics_resnext_101_RGB_16_best", "kinetics_shufflenetv2_2.0x_RGB_16_best"):
        (weights / f"{name}.pth").write_bytes(name.encode())
    for name in ("r2p1d34_K_200ep", "kinetics_mobilenetv2_1.0x_RGB_16_best"):
        (weights / f"{name}.pth").write_bytes(name.encode())
    return root


def lay_out(project, name, videos=True):
    """Write the miniature where the params file looks for it."""
    data_set = re.sub("_(thesis|mobilenetv2|r2plus1d)$", "", name)
    folder = project / "data" / "videos" / data_set
    MINIATURES[data_set](folder, videos=videos)
    if data_set.startswith("kinetics"):  # its videos are below the folder itself
        for path in (folder / "videos").iterdir():
            path.rename(folder / path.name)


def rates(training, epochs):
    """Learning rates of the backbone and of the confidence head, epoch by epoch."""
    schedule, head = training.schedule, training.confidence_schedule
    return (
        [training.lr * schedule.factor(e, epochs, e) for e in range(epochs)],
        [training.confidence_lr * head.factor(e, epochs, e) for e in range(epochs)],
    )


@pytest.mark.parametrize("name", NAMES)
def test_settings_are_the_paper_s(project, name):
    lay_out(project, name, videos=False)
    study = read_study(name)
    assert (study.dataset.clip_frames, study.dataset.stride) == (16, 1)
    assert tuple(study.dataset.size_px) == (112, 112) and study.preprocess.crop_px == 112
    assert study.dataset.resize == "cover" and study.dataset.official.content
    condi = study.student_of("condi_sr", 0, study.fold_names[0])
    hyperparameters = condi.hyperparameters
    assert (hyperparameters["temperature"], hyperparameters["positive_weight"]) == (0.9, 1.5)
    assert hyperparameters["confidence_weight"] in (0.5, 1.5, 2.0)
    assert (study.student.backbone, study.student.options) == ("shufflenetv2_3d", {})
    from_scratch = "kinetics" in name
    assert (study.student.weights is None) == from_scratch
    training = study.student.training
    assert training.epochs == (60 if from_scratch else 50)
    assert training.lr == training.confidence_lr == (0.1 if from_scratch else 0.01)
    assert training.clips_per_video == 1
    backbone, head = rates(training, training.epochs)
    if name.endswith("_thesis"):  # / 10 every 15 epochs; / 10 every epoch
        expected = [training.lr / 10 ** (e // 15) for e in range(training.epochs)]
        assert head[:3] == pytest.approx([training.lr, training.lr / 10, training.lr / 100])
    else:  # / 1.25 every epoch; / 5 every epoch
        expected = [training.lr / 1.25**e for e in range(training.epochs)]
        assert head[:3] == pytest.approx([training.lr, training.lr / 5, training.lr / 25])
        assert head[6] < 1e-5  # what the paper's rule amounts to
    assert backbone == pytest.approx(expected)


@pytest.mark.parametrize("name", ["ucf101", "hmdb51"])
def test_data_sets_with_folds_are_reported_by_their_mean(project, name):
    lay_out(project, name, videos=False)
    study = read_study(name)
    assert study.folds == {"fold 1": 1, "fold 2": 2, "fold 3": 3} and study.has_official_folds


def test_what_differs_between_the_data_sets(project):
    for name in MINIATURES:
        lay_out(project, name, videos=False)
    studies = {name: read_study(name) for name in MINIATURES}
    assert [n for n, s in studies.items() if not s.preprocess.flip] == ["something_something_v2"]
    skipping = [name for name, study in studies.items() if study.dataset.official.skip_bad]
    assert skipping == ["kinetics400", "kinetics600", "kinetics700"]
    as_published = [n for n, s in studies.items() if s.teacher.training.epochs == 0]
    assert as_published == ["kinetics600", "kinetics700"]
    assert studies["something_something_v2"].dataset.official.val_fraction == 0.1
    assert studies["kinetics400"].teacher.weights is None
    colours = {n: s.teacher_of(0, s.fold_names[0]).preprocess for n, s in studies.items()}
    assert [n for n, p in colours.items() if p.channel_order == "rgb"] == ["kinetics700"]
    assert colours["ucf101"].mean[0] * 255 == pytest.approx(114.7748, abs=1e-3)
    assert colours["ucf101"].std[0] * 255 == pytest.approx(1)


@pytest.mark.parametrize("data_set", ["ucf101", "kinetics600", "something_something_v2"])
def test_the_paper_s_other_networks_change_nothing_else(project, data_set):
    names = [data_set, f"{data_set}_mobilenetv2"]
    names += [] if data_set == "kinetics600" else [f"{data_set}_r2plus1d"]
    lay_out(project, data_set, videos=False)
    usual, *others = (read_study(name) for name in names)
    for study in others:
        assert study.student.training == usual.student.training
        assert study.teacher.training == usual.teacher.training
        assert study.dataset == usual.dataset and study.losses == usual.losses
    assert others[0].student.backbone == "mobilenetv2_3d" and others[0].teacher == usual.teacher
    for study in others[1:]:
        assert study.teacher.backbone == "r2plus1d_34" and study.student == usual.student
        teacher = study.teacher_of(0, study.fold_names[0])
        assert teacher.preprocess.channel_order == "rgb"
        assert teacher.preprocess.flip == usual.preprocess.flip


@pytest.mark.parametrize("data_set", ["ucf101", "kinetics600", "something_something_v2"])
def test_the_chapters_variants_are_the_paper_s_pairs_of_networks(project, data_set):
    lay_out(project, data_set, videos=False)
    usual, study = read_study(data_set), read_study(f"{data_set}_chapters")
    assert len(study.variants["loss_ablation"]["default"].losses) == 12
    assert len(study.variants["sweeps"]["default"].losses) >= 17
    pairs = study.variants["backbones"]
    fold = usual.fold_names[0]
    for name, separate in {
        "mobilenetv2": "resnext101_mobilenetv2",
        "r2plus1d": "r2plus1d34_shufflenetv2",
    }.items():
        if separate not in pairs:
            assert data_set == "kinetics600"
            continue
        other = read_study(f"{data_set}_{name}")
        for loss in usual.losses:
            assert pairs[separate].student_of(loss, 0, fold) == other.student_of(loss, 0, fold)
    if data_set != "kinetics600":
        both = pairs["r2plus1d34_mobilenetv2"]
        assert both.student.backbone == "mobilenetv2_3d" and both.teacher.backbone == "r2plus1d_34"
    assert usual.teacher_of(0, fold) == study.teacher_of(0, fold)  # one teacher for all


SIZES = {
    "ucf101": {"train": 20, "val": 4, "test": 8},
    "hmdb51": {"train": 8, "val": 4, "test": 8},
    "kinetics600": {"train": 17, "val": 5, "test": 7},
    "something_something_v2": {"train": 27, "val": 3, "test": 6},
}


@pytest.mark.parametrize("name", SIZES)
def test_miniatures_are_prepared_by_the_committed_files(project, name):
    lay_out(project, name)
    share = {"hmdb51": 0.3, "kinetics600": 0.2}.get(name, 0.1)  # of so few the usual were none
    study = read_study({"extends": name, "dataset": {"official": {"val_fraction": share}}})
    spec = study.dataset_of(study.fold_names[0])
    folder = ensure(spec)
    assert read_videos(folder / "videos.csv")["split"].value_counts().to_dict() == SIZES[name]
    dataset = open_dataset(spec, folder)
    clip = next(dataset.clips.batches([[0]]))
    assert clip.shape == (1, 16, 112, 112, 3)
    assert (clip[0, 0] == clip[0, 8]).all() and (clip[0, 0] != clip[0, 1]).any()  # 8 frames, twice
    bad = read_videos(folder / "left_out.csv")
    assert len(bad) == (4 if name == "kinetics600" else 0)
