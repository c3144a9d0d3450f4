"""Two files of weights that are to work together on the same decoded frames."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from condi_lib.models import PretrainedWeights, Student, load_weights
from condi_lib.selective.networks import ClipNetwork
from condi_lib.videos.clips import ClipGrid
from condi_lib.videos.decode import Size


@dataclass(frozen=True)
class LoadedNetworks:
    """Two networks and the frames that serve both.

    Attributes:
        teacher: The teacher.
        student: The student, if there is one.
        classes: Class names; ``class 0``, … where nobody knows them.
        grid: How videos are cut, as the teacher was trained.
        size_px: The larger of both networks' frames.
        resize: How frames come to that size.
    """

    teacher: ClipNetwork
    student: ClipNetwork | None
    classes: tuple[str, ...]
    grid: ClipGrid
    size_px: Size
    resize: str


def load_networks(
    teacher_file: Path, student_file: Path | None = None, classes: Sequence[str] | None = None
) -> LoadedNetworks:
    """Read a teacher and a student from files that tell how they were trained.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: As :meth:`SelectiveClassifier.load`.
    """
    teacher = _known(load_weights(teacher_file, classes=classes))
    student = None if student_file is None else _known(load_weights(student_file))
    names = teacher.classes or tuple(f"class {i}" for i in range(teacher.num_classes))
    grid = ClipGrid(teacher.clip_frames, teacher.recipe.stride)
    size_px, resize = teacher.size_px, teacher.recipe.resize
    student_network, every = None, 1
    if student is not None:
        every = _check_pair(teacher, student)
        size_px = _larger(teacher, student)
        model = _student_model(student, teacher)
        student_network = ClipNetwork(model, student.preprocess, every, student.size_px)
    model = ClipNetwork(teacher.build(), teacher.preprocess, 1, teacher.size_px)
    return LoadedNetworks(model, student_network, names, grid, size_px, resize)


def _known(weights: PretrainedWeights) -> PretrainedWeights:
    if weights.preprocess is None:
        doubt = f" ({weights.recipe.doubt})" if weights.recipe.doubt else ""
        raise ValueError(
            f"{weights.path}: it is not known how it was trained{doubt}, so not what to show it; "
            "build a ClipNetwork yourself, with its preprocessing"
        )
    if weights.recipe.sound is not None:
        raise ValueError(
            f"{weights.path}: listens to clips, and selective inference shows frames only; score "
            "the videos in a study, and share clips by `evaluation.decide` on its clip tables"
        )
    return weights


def _check_pair(teacher: PretrainedWeights, student: PretrainedWeights) -> int:
    """Return every how many of the teacher's frames the student reads."""
    ours, theirs = student.recipe, teacher.recipe
    every, left = divmod(ours.stride, theirs.stride)
    if ours.clip_frames != theirs.clip_frames or left:
        raise ValueError(
            f"{student.path}: skims clips of {ours.clip_frames} frames, every {ours.stride}; the "
            f"teacher {teacher.path} sees {theirs.clip_frames}, every {theirs.stride}. Clips must "
            "span as many frames, and the student may read every so many of the teacher's"
        )
    if ours.resize != theirs.resize:
        raise ValueError(
            f"{student.path}: was trained on frames that are resized by {ours.resize!r}, the "
            f"teacher {teacher.path} by {theirs.resize!r}; train them on the same frames"
        )
    return every


def _larger(teacher: PretrainedWeights, student: PretrainedWeights) -> Size:
    sizes = teacher.size_px, student.size_px
    larger = max(sizes, key=lambda size: (min(size), max(size)))
    if any(small > large for size in sizes for small, large in zip(size, larger, strict=True)):
        raise ValueError(
            f"{student.path}: sees frames of {student.size_px} px, the teacher {teacher.path} of "
            f"{teacher.size_px}; neither holds the other, train them on frames of one shape"
        )
    if student.recipe.resize == "cover":
        _check_proportion(teacher, student)
    return larger


def _check_proportion(teacher: PretrainedWeights, student: PretrainedWeights) -> None:
    """Frames that are cut to another proportion show another part of the video."""
    (height, width), (own_height, own_width) = teacher.size_px, student.size_px
    if abs(height * own_width - own_height * width) > max(height, own_height):  # rounded to pixels
        raise ValueError(
            f"{student.path}: sees frames cut to {student.size_px} px, the teacher {teacher.path} "
            f"to {teacher.size_px}; train them on frames of one proportion"
        )


def _student_model(student: PretrainedWeights, teacher: PretrainedWeights) -> nn.Module:
    """The student with its outputs in the teacher's order, and its confidence head if any."""
    if teacher.classes is not None and student.classes is not None:
        model = student.build(classes=teacher.classes)
    elif teacher.num_classes == student.num_classes:
        model = student.build()
    else:
        raise ValueError(
            f"{student.path}: has {student.num_classes} classes, the teacher {teacher.path} "
            f"{teacher.num_classes}"
        )
    if not student.confidence_head:
        return model
    both = Student(model)
    both.confidence_head.load_state_dict(student.confidence_head)
    return both
