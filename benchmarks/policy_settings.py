"""The settings that ``pareto.py`` compares, and what clip tables say of them: nothing runs here.

Whatever is chosen (thresholds, powers) is chosen on validation videos, for each seed anew.
Shapes: S seeds, V test videos.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from student_sizes import LOSS, build_student, clip_shape

from condi_lib.clip_table import DenseView
from condi_lib.cost import macs
from condi_lib.evaluation import choose_adaptive, decide
from condi_lib.models import build_backbone
from condi_lib.sampling import DENSE, Divided, Policy, Selected
from condi_lib.study.study import Study

FIXED, WEIGHTED, ADAPTIVE, DIVISION = "K clips by z̃", "K clips, weighted", "adaptive", "division"
BUDGETS = (0, 0.25, 0.5, 1, 2)  # teacher clips per video
POWERS = (2.0, 4.0, 8.0, 16.0, 32.0)  # towards infinity only the first clip counts, as with K = 1
DIVISIONS = ((2, 1), (3, 1), (5, 1), (5, 3), (7, 1), (7, 4))  # K and K_s
WEIGHTED_K = (2, 3, 5, 8, 12)
FREE_K = (1, 3, 5, 8)  # of samplers that need no student
DRAWS = 10
MOST_K = 12


@dataclass(frozen=True, eq=False)
class Setting:
    """One way to classify videos: a student's size, and a policy for each seed.

    Attributes:
        size: A key of ``SIZES``.
        family: Kind of policy.
        name: What tells it apart within its family.
        policies: One per seed: what is chosen on validation videos may differ.
        correct: Whether each test video is right, ``[S, V]``; the share of draws if random.
        val_accuracy: On validation videos, mean over seeds.
        n_teacher: Clips that the teacher sees, mean over test videos and seeds.
        mmacs: Millions of multiply-accumulates per test video.
    """

    size: str
    family: str
    name: str
    policies: tuple[Policy, ...]
    correct: NDArray[np.float64]
    val_accuracy: float
    n_teacher: float
    mmacs: float


@dataclass(frozen=True, eq=False)
class Tables:
    """The clips of one student size, for each seed, and what a clip costs (in MACs)."""

    validation: list[DenseView]
    test: list[DenseView]
    teacher_macs: int
    student_macs: int


def read_tables(study: Study) -> Tables:
    """Read, or first compute, what the networks say of validation and test videos."""
    spec, n_classes = study.spec, len(study.classes)
    views = [
        [study.table(LOSS, seed, split).dense() for seed in study.seeds]
        for split in (spec.student.val_split, "test")
    ]
    teacher = build_backbone(spec.teacher.backbone, n_classes, **spec.teacher.options)
    student = build_student(spec, n_classes)
    return Tables(*views, *(macs(network, clip_shape(spec)) for network in (teacher, student)))


def families(tables: Tables, every: bool) -> Iterator[tuple[str, str, tuple[Policy, ...]]]:
    """Family, name and policies of all settings of a student; of a smaller one fewer."""
    val = tables.validation
    for k in range(1, MOST_K + 1 if every else 2):
        yield FIXED, f"{k}", (Selected("confidence", k),) * len(val)
    if every:
        for k in WEIGHTED_K:
            weighted = [Selected("confidence", k, power) for power in POWERS]
            yield WEIGHTED, f"{k}", tuple(most_accurate(weighted, view) for view in val)
        for k, k_student in DIVISIONS:
            yield DIVISION, f"{k - k_student}+{k_student}", (Divided(k, k_student),) * len(val)
    seen = set()
    for budget in BUDGETS:
        chosen = tuple(choose_adaptive(view, budget=budget, powers=POWERS) for view in val)
        if chosen not in seen:  # more may be allowed than is worth spending
            seen.add(chosen)
            yield ADAPTIVE, f"at most {budget:g}", chosen
    if every:
        for sampler, k in product(("equidistant", "random"), FREE_K):
            yield sampler, f"{k}", (Selected(sampler, k),) * len(val)
        yield "dense", "", (DENSE,) * len(val)


def most_accurate(policies: Sequence[Policy], view: DenseView) -> Policy:
    """The policy of highest accuracy on validation videos; of equal ones the first."""
    return max(policies, key=lambda policy: decide(view, policy).correct.mean())


def judge(size: str, tables: Tables, every: bool) -> Iterator[Setting]:
    """Accuracy and multiply-accumulates of all settings of one student."""
    for family, name, policies in families(tables, every):
        by_seed = list(zip(policies, tables.test, strict=True))
        draws = [
            [decide(view, policy, draw) for policy, view in by_seed]
            for draw in range(DRAWS if policies[0].is_random else 1)
        ]
        correct = np.mean([[found.correct for found in draw] for draw in draws], axis=0)
        n_teacher = float(np.mean([found.n_teacher for found in draws[0]]))
        n_student = float(np.mean([found.n_student for found in draws[0]]))
        cost = n_teacher * tables.teacher_macs + n_student * tables.student_macs
        on_val = [
            decide(view, policy).correct.mean()
            for policy, view in zip(policies, tables.validation, strict=True)
        ]
        accuracy = float(np.mean(on_val))
        yield Setting(size, family, name, policies, correct, accuracy, n_teacher, cost / 1e6)
