"""A teacher and a student from two files of weights: what fits together, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_clips import FULL_FRAME, write_videos

from condi_lib.models import Student, build_backbone
from condi_lib.models.weights import Recipe, network_metadata
from condi_lib.sampling import DENSE, Divided, Selected
from condi_lib.selective import ClipNetwork, SelectiveClassifier
from condi_lib.training import save_weights
from condi_lib.videos.clips import ClipGrid

CLASSES = ("bright", "dark", "flat")
RECIPE = Recipe(replace(FULL_FRAME, crop_px=12), 4, 1, (16, 16), "stretch")


def network(seed, width=2, n_classes=3):
    return build_backbone("small_cnn3d", n_classes, seed, width=width).eval()


def student_network(seed):
    torch.manual_seed(seed)
    return Student(network(seed)).eval()


def written(path, model, recipe=RECIPE, classes=CLASSES):
    options = {"width": 2}
    save_weights(model, path, about=network_metadata("small_cnn3d", options, classes, recipe))
    return path


@pytest.fixture
def teacher(tmp_path):
    return written(tmp_path / "teacher.safetensors", network(0))


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    catalog, _ = write_videos(tmp_path_factory.mktemp("videos"), [22, 9])
    return catalog.records[0].path


def test_files_are_read_as_they_were_trained(teacher, tmp_path, video):
    student = written(tmp_path / "student.safetensors", student_network(1))
    loaded = SelectiveClassifier.load(teacher, student, Selected(k_clips=2), device="cpu")
    by_hand = SelectiveClassifier(
        ClipNetwork(network(0), RECIPE.preprocess),
        ClipNetwork(student_network(1), RECIPE.preprocess),
        Selected(k_clips=2),
        CLASSES,
        ClipGrid(4),
        (16, 16),
        device="cpu",
    )
    found, expected = loaded.predict(video), by_hand.predict(video)
    np.testing.assert_allclose(found.probs, expected.probs, atol=1e-6)
    assert found.classes == CLASSES and found.n_teacher == 2


def test_what_is_done_where_nothing_is_said(teacher, tmp_path):
    assert SelectiveClassifier.load(teacher).policy == DENSE
    student = written(tmp_path / "student.safetensors", student_network(1))
    assert SelectiveClassifier.load(teacher, student).policy == Selected("confidence", 5)


def test_the_student_s_classes_are_put_in_the_teacher_s_order(teacher, tmp_path, video):
    same = written(tmp_path / "same.safetensors", student_network(1))
    model = student_network(1)
    with torch.no_grad():
        for tensor in (model.backbone.fc.weight, model.backbone.fc.bias):
            tensor.copy_(tensor[[2, 0, 1]])
    order = ("flat", "bright", "dark")
    other = written(tmp_path / "other.safetensors", model, classes=order)
    alone = Divided(2, 2)
    first, second = (
        SelectiveClassifier.load(teacher, s, alone).predict(video) for s in (same, other)
    )
    np.testing.assert_allclose(first.probs, second.probs, atol=1e-6)


def test_a_student_of_fewer_frames_and_pixels_reads_the_teacher_s(teacher, tmp_path, video):
    recipe = replace(RECIPE, stride=2, size_px=(8, 8), preprocess=replace(FULL_FRAME, crop_px=8))
    student = written(tmp_path / "student.safetensors", student_network(1), recipe)
    loaded = SelectiveClassifier.load(teacher, student, Selected(k_clips=1))
    assert loaded.source.size_px == (16, 16) and loaded.source.grid == ClipGrid(4)
    answer = loaded.predict(video)
    by_hand = SelectiveClassifier(
        ClipNetwork(network(0), RECIPE.preprocess),
        ClipNetwork(student_network(1), recipe.preprocess, 2, (8, 8)),
        Selected(k_clips=1),
        CLASSES,
        ClipGrid(4),
        (16, 16),
    ).predict(video)
    np.testing.assert_allclose(answer.clips["confidence"], by_hand.clips["confidence"], atol=1e-6)


def test_classes_can_be_given(teacher, video):
    named = SelectiveClassifier.load(teacher, classes=("a", "b", "c"))
    assert named.classes == ("a", "b", "c") and named.predict(video).label in "abc"
    with pytest.raises(ValueError, match="3 outputs, but the classes given are 2"):
        SelectiveClassifier.load(teacher, classes=("a", "b"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"clip_frames": 8}, "skims clips of 8 frames, every 1; the teacher .* sees 4, every 1"),
        ({"resize": "cover"}, "resized by 'cover', the teacher .* by 'stretch'"),
        ({"size_px": (24, 12)}, "neither holds the other"),
    ],
)
def test_a_student_that_does_not_fit_is_named(teacher, tmp_path, changes, message):
    recipe = replace(RECIPE, **changes)
    student = written(tmp_path / "student.safetensors", student_network(1), recipe)
    with pytest.raises(ValueError, match=r"student\.safetensors: .*" + message):
        SelectiveClassifier.load(teacher, student)


@pytest.mark.parametrize(
    ("resize", "size_px", "fits"),
    [("cover", (12, 12), False), ("cover", (12, 18), True), ("stretch", (12, 12), True)],
)
def test_frames_that_are_cut_are_of_one_proportion(tmp_path, resize, size_px, fits):
    """Else the student would be shown other parts of the video than in training, squeezed."""
    recipe = replace(RECIPE, resize=resize, size_px=(16, 24))
    teacher = written(tmp_path / "teacher.safetensors", network(0), recipe)
    smaller = replace(recipe, size_px=size_px)
    student = written(tmp_path / "student.safetensors", student_network(1), smaller)
    if fits:
        assert SelectiveClassifier.load(teacher, student).source.size_px == (16, 24)
    else:
        with pytest.raises(
            ValueError, match=r"student\.safetensors: sees frames cut to \(12, 12\)"
        ):
            SelectiveClassifier.load(teacher, student)


def test_a_student_of_a_coarser_teacher_does_not_fit(tmp_path):
    coarse = written(tmp_path / "teacher.safetensors", network(0), replace(RECIPE, stride=2))
    student = written(tmp_path / "student.safetensors", student_network(1))
    with pytest.raises(ValueError, match="may read every so many of the teacher's"):
        SelectiveClassifier.load(coarse, student)


def test_other_classes_do_not_fit(teacher, tmp_path):
    names = ("bright", "dark", "purple")
    student = written(tmp_path / "student.safetensors", student_network(1), classes=names)
    with pytest.raises(ValueError, match=r"purple|flat"):
        SelectiveClassifier.load(teacher, student)


def test_weights_that_do_not_tell_how_they_were_trained(tmp_path):
    bare = tmp_path / "bare.pth"
    torch.save(network(0, width=8).state_dict(), bare)
    with pytest.raises(ValueError, match=r"bare\.pth: it is not known how it was trained"):
        SelectiveClassifier.load(bare)


def test_what_is_no_weights_is_refused(teacher, tmp_path):
    with pytest.raises(FileNotFoundError):
        SelectiveClassifier.load(tmp_path / "missing.safetensors")
    text = tmp_path / "text.safetensors"
    text.write_text("<html>404</html>")
    with pytest.raises(ValueError, match=r"text\.safetensors"):
        SelectiveClassifier.load(teacher, text)
