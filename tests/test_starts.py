"""Networks that start from weights: heads that fit are kept, and what does not fit is refused."""

import re
from dataclasses import replace

import pandas as pd
import pytest
import torch
import yaml
from tiny_study import tiny

from condi_lib.clip_table import read_clip_table
from condi_lib.models import ClassesDiffer, Student, build_backbone, load_weights
from condi_lib.models.weights import Recipe, network_metadata
from condi_lib.models.weights.layouts import efficient_recipe, resnets_recipe
from condi_lib.study import ensure, read_study
from condi_lib.study.params import read_fields
from condi_lib.study.specs import run_folder
from condi_lib.study.starts import build_network, check_pixels
from condi_lib.training import save_weights
from condi_lib.videos.preprocess import Preprocess

CLASSES = ("run", "walk", "jump")
SETTINGS = {"backbone": "small_cnn3d", "options": {"width": 2}}


@pytest.fixture
def student_file(root):
    """A student's weights, as a run leaves them."""
    model = Student(build_backbone("small_cnn3d", 3, seed=7, width=2))
    about = network_metadata("small_cnn3d", {"width": 2}, CLASSES, Recipe(Preprocess(16)))
    save_weights(model, root / "w.safetensors", about=about)
    return model


def student_of(**changes):
    fields = {"student.weights": "w.safetensors"} | changes
    return read_study(tiny(**fields)).student_of("condi_sr", 0)


def assert_equal(model, expected, names):
    ours, theirs = model.state_dict(), expected.state_dict()
    for name in names:
        assert torch.equal(ours[name], theirs[name]), name


def trunk_of(model):
    return [name for name in model.state_dict() if "trunk" in name]


def test_the_same_classes_keep_both_heads(student_file):
    model = build_network(student_of(), CLASSES)
    assert_equal(model, student_file, model.state_dict())


def test_outputs_follow_the_data_sets_order(student_file):
    model = build_network(student_of(), ("jump", "run", "walk"))
    head, published = model.backbone.fc, student_file.backbone.fc
    assert torch.equal(head.weight, published.weight[[2, 0, 1]])
    assert torch.equal(head.bias, published.bias[[2, 0, 1]])
    rest = [*trunk_of(model), "confidence_head.weight", "confidence_head.bias"]
    assert_equal(model, student_file, rest)


@pytest.mark.parametrize("classes", [("run", "walk", "swim"), ("run", "walk"), tuple("abcd")])
def test_other_classes_make_both_heads_new(classes, student_file):
    spec = student_of()
    model, again = (build_network(spec, classes) for _ in range(2))
    assert_equal(model, student_file, trunk_of(model))
    assert_equal(model, again, model.state_dict())
    assert len(model.backbone.fc.weight) == len(classes)
    n_kept = min(3, len(classes))
    assert not torch.equal(
        model.backbone.fc.weight[:n_kept], student_file.backbone.fc.weight[:n_kept]
    )
    fresh = replace(spec, network=replace(spec.network, weights=None, weights_content=""))
    heads = ["confidence_head.weight", "confidence_head.bias"]
    assert_equal(model, build_network(fresh, classes), heads)
    assert not torch.equal(model.confidence_head.weight, student_file.confidence_head.weight)


def test_classes_in_an_unknown_order_make_both_heads_new_where_something_is_trained(root):
    published = build_backbone("small_cnn3d", 3, seed=7, width=2)
    torch.save(published.state_dict(), root / "w.pth")
    model = build_network(student_of(**{"student.weights": "w.pth"}), CLASSES)
    assert_equal(model.backbone, published, trunk_of(published))
    assert not torch.equal(model.backbone.fc.weight, published.fc.weight)
    with pytest.raises(ClassesDiffer, match="order its 3 classes stand is not known"):
        build_network(
            student_of(**{"student.weights": "w.pth", "student.training": {"epochs": 0}}), CLASSES
        )


def test_a_loss_without_confidence_takes_the_backbone_alone(student_file):
    study = read_study(tiny(**{"student.weights": "w.safetensors", "losses": {"st_ent": {}}}))
    model = build_network(study.student_of("st_ent", 0), CLASSES)
    assert_equal(model, student_file.backbone, model.state_dict())


UNTRAINED = {"student.training.epochs": 0}
MISFITS = {
    "other classes": (UNTRAINED, ("run", "walk", "swim"), "has other classes than the data set: "),
    "another number": (UNTRAINED, ("run", "walk"), "has 3 classes, the data set 2; "),
    "another backbone": (
        {"student.backbone": "small_resnet3d", "student.options": {}},
        CLASSES,
        "holds small_cnn3d (trained here), but the network is to be small_resnet3d; choose ",
    ),
    "another width": (
        {"student.options": {"width": 3}},
        CLASSES,
        "21 are misshaped (trunk.0.weight is [2, 3, 1, 3, 3], not [3, 3, 1, 3, 3], ",
    ),
    "another preprocessing": (
        UNTRAINED | {"student.preprocess": {"crop_px": 16, "channel_order": "bgr"}},
        CLASSES,
        "was trained on rgb pixels with mean [0.485, 0.456, 0.406] and std [0.229, 0.224, 0.225], "
        "the study has bgr, ",
    ),
}


@pytest.mark.parametrize(("changes", "classes", "message"), MISFITS.values(), ids=MISFITS)
def test_what_does_not_fit_is_refused(changes, classes, message, student_file, root):
    spec = student_of(**changes)
    named = re.escape(f"{root / 'w.safetensors'}: ")
    with pytest.raises(ValueError, match=rf"^{named}.*{re.escape(message)}") as caught:
        build_network(spec, classes)
    assert isinstance(caught.value, ClassesDiffer) == (classes != CLASSES)


def test_what_an_error_says_of_the_preprocessing_is_right(student_file):
    """The line that it says to write makes it go away."""
    pixels = {"crop_px": 12, "mean": [0.1, 0.2, 0.3], "channel_order": "bgr"}
    with pytest.raises(ValueError, match="epochs 0 give") as caught:
        build_network(student_of(**UNTRAINED, **{"student.preprocess": pixels}), CLASSES)
    written = yaml.safe_load(re.search(r"`preprocess: (.*)`", str(caught.value))[1])
    assert written["crop_px"] == 12
    build_network(student_of(**UNTRAINED, **{"student.preprocess": written}), CLASSES)


@pytest.mark.parametrize(
    ("name", "recipe"),
    [
        ("kinetics600", efficient_recipe(600, "resnext", None)),
        ("kinetics700", resnets_recipe(700, "resnet2p1d-34", None)),
    ],
)
def test_committed_studies_show_published_teachers_what_they_were_trained_on(name, recipe):
    fields = read_fields(name)
    fields["dataset"]["official"]["content"] = fields["teacher"]["weights_content"] = "0"
    study = read_study(fields)
    teacher, dataset = study.teacher_of(0), study.dataset
    assert teacher.network.training.epochs == 0
    check_pixels("weights", recipe.preprocess, teacher.preprocess)
    assert teacher.preprocess.crop_px == recipe.preprocess.crop_px
    clips = (dataset.clip_frames, dataset.stride, dataset.size_px, dataset.resize)
    assert clips == (recipe.clip_frames, recipe.stride, recipe.size_px, recipe.resize)


def test_fine_tuning_may_change_the_preprocessing(student_file):
    spec = student_of(**{"student.preprocess": {"crop_px": 16, "channel_order": "bgr"}})
    build_network(spec, CLASSES)


def test_nothing_trains_a_confidence_head_that_is_missing(student_file, root):
    about = network_metadata("small_cnn3d", {"width": 2}, CLASSES, Recipe(Preprocess(16)))
    save_weights(student_file.backbone, root / "w.safetensors", about=about)
    with pytest.raises(
        ValueError, match=r"w\.safetensors: has no confidence head .*'condi_sr' nee"
    ):
        build_network(student_of(**UNTRAINED), CLASSES)


def test_weights_that_change_after_the_study_was_read_are_refused(student_file, root):
    spec = student_of()
    (root / "w.safetensors.classes.txt").write_text("walk\nrun\njump\n")
    with pytest.raises(ValueError, match=r"w\.safetensors: has changed since the study was read"):
        build_network(spec, CLASSES)


def test_runs_can_be_used_as_they_are_and_score_the_same(root):
    """Train a teacher and a student; another study uses their weights with epochs 0."""
    trained = read_study(tiny()).student_of("condi_sr", 0)
    ensure(trained)
    weights = {
        "teacher": run_folder(trained.teacher) / "weights.safetensors",
        "student": run_folder(trained) / "weights.safetensors",
    }
    changes = {f"{role}.weights": str(path.relative_to(root)) for role, path in weights.items()}
    changes |= {f"{role}.training": {"epochs": 0} for role in weights}
    reused = read_study(tiny(**changes)).student_of("condi_sr", 0)
    ensure(reused)
    assert len(pd.read_csv(run_folder(reused) / "history.csv")) == 0
    for before, after, role in [
        (trained.teacher, reused.teacher, "teacher"),
        (trained, reused, "student"),
    ]:
        tables = [read_clip_table(run_folder(spec) / "scores") for spec in (before, after)]
        assert run_folder(before) != run_folder(after)
        pd.testing.assert_frame_equal(tables[0].clips, tables[1].clips)
        logits = [getattr(table, f"{role}_logits") for table in tables]
        assert torch.equal(*logits)
    described = load_weights(weights["teacher"])
    assert (described.backbone, described.options) == ("small_cnn3d", {"width": 2})
    assert described.preprocess == Preprocess(16) and described.classes == tables[0].classes
    assert (described.clip_frames, described.recipe.resize) == (4, "stretch")
