"""Does a cheaper student rank clips as well? ``python benchmarks/student_sizes.py`` prints a table.

Students that see fewer frames (``every``), larger pixels (``pool``) or have another ``width`` are
trained on a study of the embedded benchmark, with ConDi-SR against the study's own teachers; what
was trained once is found again. For each: multiply-accumulates, milliseconds of a forward pass over
one video's clips, within-video AUROC of z̃ and accuracy at K clips on the test videos, with
intervals over videos, and the differences from the study's own student, paired by video.
"""

import argparse
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from condi_lib.cost import macs
from condi_lib.evaluation import correct_over_k
from condi_lib.metrics import auroc_per_video
from condi_lib.models import Student, build_backbone
from condi_lib.statistics import (
    Interval,
    bootstrap_difference,
    bootstrap_fold_mean,
    bootstrap_mean,
)
from condi_lib.study import read_study
from condi_lib.study.config import StudySpec
from condi_lib.study.study import RunStore, Study

LOSS = "condi_sr"
FULL = "as in the study"
SIZES: dict[str, dict[str, int]] = {
    FULL: {},
    "width 16": {"width": 16},
    "width 4": {"width": 4},
    "width 2": {"width": 2},
    "every 2": {"every": 2},
    "pool 2": {"pool": 2},
    "pool 2, every 2": {"pool": 2, "every": 2},
    "pool 2, every 2, width 4": {"pool": 2, "every": 2, "width": 4},
}
K_CLIPS = (1, 2, 3, 4, 5)
MARGIN = 0.01  # worse by less than this, with 95 % confidence, counts as the same


@dataclass(frozen=True, eq=False)
class Judgement:
    """What a student is worth on the test videos: S seeds, V videos, K numbers of clips.

    Attributes:
        auroc: Of z̃ within each video, ``[V, S]``; NaN where all clips are alike.
        correct: Whether the video is right, ``[S, V, K]``.
    """

    auroc: NDArray[np.float64]
    correct: NDArray[np.float32]


def sized(study: StudySpec, options: Mapping[str, Any]) -> Study:
    """The study with one student, of another size; its teachers are those of the study."""
    student = replace(study.student, options=study.student.options | dict(options))
    spec = replace(study, student=student, losses={LOSS: study.losses[LOSS]})
    return Study(spec, RunStore(spec), spec.name)


def judge(study: Study) -> Judgement:
    """Judge a student; it is trained if need be."""
    tables = [study.table(LOSS, seed) for seed in study.seeds]
    auroc = []
    for table in tables:
        label = torch.tensor(table.clips["label"].to_numpy())
        right = (table.teacher_logits.argmax(dim=1) == label).numpy()
        auroc.append(auroc_per_video(table.clips["confidence"], right, table.clips["video_id"]))
    correct = [correct_over_k(table, ["confidence"], K_CLIPS)["confidence"] for table in tables]
    return Judgement(np.stack(auroc, axis=1), np.stack(correct))


def mean_auroc(auroc: NDArray[np.float64]) -> Interval:
    """Mean over seeds of the mean over videos that have one, ``[V, S]``, interval over videos."""
    return bootstrap_fold_mean(auroc[np.isfinite(auroc).any(axis=1)])


def build_student(study: StudySpec, num_classes: int) -> Student:
    """The study's student with random weights, to count and to time."""
    network = study.student
    student = Student(build_backbone(network.backbone, num_classes, **network.options)).eval()
    return student.to(memory_format=torch.channels_last_3d)


def clip_shape(study: StudySpec) -> tuple[int, int, int, int]:
    """Shape of the clips that networks are given, ``(3, T, H, W)``."""
    frames = -(-study.dataset.clip_frames // study.dataset.stride)
    crop_px = (study.student.preprocess or study.preprocess).crop_px
    return (3, frames, crop_px, crop_px)


@torch.inference_mode()
def median_ms(networks: Sequence[nn.Module], shape: Sequence[int], rounds: int) -> list[float]:
    """Median milliseconds of each network's forward pass over a batch; in turns."""
    clips = torch.randn(*shape).contiguous(memory_format=torch.channels_last_3d)
    seconds: list[list[float]] = [[] for _ in networks]
    for turn in range(rounds + 1):
        for network, times in zip(networks, seconds, strict=True):
            start = time.perf_counter()
            network(clips)
            if turn:  # the first one warms up
                times.append(time.perf_counter() - start)
    return [1000 * statistics.median(times) for times in seconds]


def report(name: str, mmacs: float, ms: float, found: Judgement, full: Judgement) -> str:
    """One student's line, and its differences from the full one."""
    accuracy = [bootstrap_mean(found.correct[:, :, at]) for at in range(len(K_CLIPS))]
    numbers = " ".join(f"{100 * each.value:5.1f}" for each in accuracy)
    line = f"{name:26s} {mmacs:7.2f} {ms:6.2f}   {mean_auroc(found.auroc):.3f}   {numbers}"
    if found is full:
        return line
    auroc = mean_auroc(found.auroc - full.auroc)
    first = bootstrap_difference(found.correct[:, :, 0], full.correct[:, :, 0])
    same = min(auroc.low, first.low) > -MARGIN
    verdict = "the same" if same else "worse" if min(auroc.high, first.high) < 0 else "undecided"
    return f"{line}\n{'':28s}difference: AUROC {auroc:+.3f}, K = 1 {first:+.1%}: {verdict}"


def main() -> None:
    """Train what is missing, judge all, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--study", default="embedded", help="`full` has five seeds")
    parser.add_argument("--sizes", nargs="+", choices=[*SIZES], default=[*SIZES])
    parser.add_argument("--rounds", type=int, default=30, help="timed forward passes of each")
    chosen = parser.parse_args()
    base = read_study(chosen.study)
    studies = {name: sized(base, SIZES[name]) for name in dict.fromkeys([FULL, *chosen.sizes])}
    judged = {name: judge(study) for name, study in studies.items()}
    n_classes = len(studies[FULL].classes)
    n_clips = studies[FULL].table(LOSS, base.seeds[0]).dense().mask.shape[1]
    students = [build_student(study.spec, n_classes) for study in studies.values()]
    shape = clip_shape(base)
    times = median_ms(students, (n_clips, *shape), chosen.rounds)
    print(
        f"study {base.name}, {len(base.seeds)} seed(s), {torch.get_num_threads()} thread(s); ",
        end="",
    )
    print(f"milliseconds: {n_clips} clips of {shape[1]} x {shape[2]} x {shape[3]} in one batch")
    print(f"{'student':26s}  MMACs     ms   within-video AUROC     {'K =':>3s} 1 to 5, %")
    for (name, found), student, ms in zip(judged.items(), students, times, strict=True):
        print(report(name, macs(student, shape) / 1e6, ms, found, judged[FULL]), flush=True)


if __name__ == "__main__":
    main()
