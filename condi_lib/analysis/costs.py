"""What the networks of a study cost: counted, not measured, and without training them."""

import pandas as pd

from condi_lib.cost import macs, parameters
from condi_lib.models import Student, build_backbone
from condi_lib.study.config import TEACHER
from condi_lib.study.specs import StudentSpec, TeacherSpec
from condi_lib.study.study import Study
from condi_lib.videos.screenplay import CLASSES


def network_costs(study: Study) -> pd.DataFrame:
    """Parameters and multiply-accumulates of each network.

    Returns:
        Indexed by network, the teacher first: ``parameters``, and ``macs`` of one clip.
    """
    spec = study.spec
    seed, fold = spec.seeds[0], spec.fold_names[0]
    # Of the embedded benchmark the classes are known before its videos are drawn.
    n_classes = len(CLASSES if spec.dataset.pantomime is not None else study.classes)
    networks: dict[str, TeacherSpec | StudentSpec] = {TEACHER: spec.teacher_of(seed, fold)}
    networks |= {name: spec.student_of(name, seed, fold) for name in study.students}
    rows = {name: _costs(network, n_classes) for name, network in networks.items()}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["parameters", "macs"])


def _costs(spec: TeacherSpec | StudentSpec, n_classes: int) -> tuple[int, int]:
    model = build_backbone(spec.network.backbone, n_classes, **spec.network.options)
    if isinstance(spec, StudentSpec) and spec.has_confidence:
        model = Student(model)
    dataset = spec.teacher.dataset if isinstance(spec, StudentSpec) else spec.dataset
    n_frames = 1 if spec.network.sound is not None else dataset.sampled_frames
    crop_px = spec.preprocess.crop_px
    return parameters(model), macs(model, (3, n_frames, crop_px, crop_px))
