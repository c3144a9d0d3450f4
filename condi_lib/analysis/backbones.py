"""Pairs of a teacher and a student, side by side as in the paper's Table III.

A *pair* is a study or one of its variants. Pairs with the same teacher are judged on the same
videos by the same teacher's networks, so that their numbers can be compared video by video.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from condi_lib import paths
from condi_lib.analysis.findings import findings_of
from condi_lib.analysis.results import SOFTMAX, Sweep
from condi_lib.analysis.tables import PUBLISHED, published_accuracies
from condi_lib.analysis.trials import Trial, paired_gain_between, trial
from condi_lib.evaluation import Ranks, rank_methods
from condi_lib.evaluation.across import concordance
from condi_lib.statistics import Interval
from condi_lib.study.specs import NetworkSpec, TeacherSpec
from condi_lib.study.study import Study
from condi_lib.training.settings import TrainingSettings

TABLE_SAMPLERS = ("oracle", "random", "equidistant", SOFTMAX)  # that need no student
PAPER_METHODS = ("random", "equidistant", "bce_conf", "st_ent", "st_conf", "condi_sr")
BEST, TIED = "best", "tied"
CHOSEN, DENSE = "chosen K", "dense"
_READABLE = {
    "small_resnet3d": "ResNet",
    "small_cnn3d": "plain net",
    "r2plus1d": "R(2+1)D",
    "resnext3d": "ResNeXt",
    "shufflenetv2_3d": "ShuffleNetV2",
    "mobilenetv2_3d": "MobileNetV2",
    "resnext101": "ResNeXt-101",  # the paper's
    "r2plus1d34": "R(2+1)D-34",
    "shufflenetv2": "ShuffleNetV2",
    "mobilenetv2": "MobileNetV2",
}


@dataclass(frozen=True)
class Pair:
    """A teacher, a student, and what methods did with them.

    Attributes:
        teacher: Its name for readers.
        student: The same.
        seeds: How often both were trained.
        same_teacher: Equal for pairs whose teachers are the very same networks.
        training: How the student was trained.
        same_student: Equal for pairs whose students differ in ``training`` alone.
        trial: The methods, each student under its name in the study.
    """

    teacher: str
    student: str
    seeds: tuple[int, ...]
    same_teacher: TeacherSpec
    training: TrainingSettings
    same_student: NetworkSpec
    trial: Trial

    @property
    def name(self) -> str:
        """``teacher × student``."""
        return f"{self.teacher} × {self.student}"


@dataclass(frozen=True)
class AccuracyTable:
    """Accuracy by method, teacher and student (rows) and number of clips (columns).

    Attributes:
        accuracy: Fractions; a column per K, then ``"dense"`` and, for tables of our own,
            ``"chosen K"``: that of each row which validation videos chose.
        marks: Of the same shape: ``"best"`` of its teacher's rows in that column, the oracle apart;
            ``"tied"`` where videos do not tell a row from the best one (the interval of the paired
            difference holds 0); empty otherwise.
        chosen: The chosen K of each row; None where that is not known.
    """

    accuracy: pd.DataFrame
    marks: pd.DataFrame
    chosen: pd.Series | None = None


def readable(backbone: str) -> str:
    """A backbone's name for readers; those that are not ours keep theirs."""
    short = backbone.removesuffix("_small").removesuffix("_101").removesuffix("_34")
    return _READABLE.get(backbone, _READABLE.get(short, backbone))


def pairs_of(study: Study, group: str = "backbones") -> list[Pair]:
    """The study's own pair, then those of a group of its variants."""
    pairs = {study.name: study, **study.variants(group)}
    found = [_pair(name.replace("_", " "), pair) for name, pair in pairs.items()]
    return _with_different_names(found)


def _pair(name: str, study: Study) -> Pair:
    spec = study.spec
    networks = (readable(network.backbone) for network in (spec.teacher, spec.student))
    same = replace(spec.teacher_of(spec.seeds[0], spec.fold_names[0]), score_splits=())
    training = spec.student.training
    untrained = replace(spec.student, training=TrainingSettings())
    students = {student: student for student in study.students}
    found = trial(findings_of(study), name, students)
    return Pair(*networks, spec.seeds, same, training, untrained, found)


def _with_different_names(pairs: list[Pair]) -> list[Pair]:
    """Where networks of one kind differ in their size, the variant's name tells them apart."""
    teachers: dict[str, list[TeacherSpec]] = {}
    for pair in pairs:
        known = teachers.setdefault(pair.teacher, [])
        if pair.same_teacher not in known:
            known.append(pair.same_teacher)
    named = [
        pair
        if teachers[pair.teacher].index(pair.same_teacher) == 0
        else replace(pair, teacher=f"{pair.teacher} ({pair.trial.name})")
        for pair in pairs
    ]
    seen: set[str] = set()
    for at, pair in enumerate(named):
        if pair.name in seen:
            named[at] = replace(pair, student=f"{pair.student} ({pair.trial.name})")
        seen.add(named[at].name)
    return [replace(pair, trial=replace(pair.trial, name=pair.name)) for pair in named]


def once_each(pairs: Iterable[Pair]) -> list[Pair]:
    """Of pairs that differ in nothing but their students' training the last one, in its place.

    So that a pair of networks counts once in a table or in ranks, with the training that a variant
    gives it to be compared with the others.
    """
    once: list[Pair] = []
    for pair in pairs:
        networks = [(known.same_teacher, known.same_student) for known in once]
        if (own := (pair.same_teacher, pair.same_student)) in networks:
            once[networks.index(own)] = pair
        else:
            once.append(pair)
    return once


def common_methods(pairs: Iterable[Pair]) -> list[str]:
    """The methods that every pair has and that read no label, in the first one's order."""
    pairs = list(pairs)
    shared = set.intersection(*(set(pair.trial.methods) for pair in pairs))
    return [m for m in pairs[0].trial.methods if m in shared and m != "oracle"]


def accuracy_table(
    pairs: Sequence[Pair], methods: Sequence[str], k_clips: Sequence[int]
) -> AccuracyTable:
    """The table in the paper's layout: method by method, every teacher and student.

    Args:
        pairs: The pairs.
        methods: Students in this order, after the samplers that need none. Pairs that lack one
            have no row of it.
        k_clips: Columns; those beyond the longest video are left out.
    """
    rows: dict[tuple[str, str, str], tuple[Sweep, Sweep, str]] = {}
    for method in (*TABLE_SAMPLERS, *(m for m in methods if m not in TABLE_SAMPLERS)):
        for pair in pairs:
            if method in pair.trial.methods and method != "dense":
                student = "" if method in TABLE_SAMPLERS else pair.student
                key = (method, pair.teacher, student)
                rows.setdefault(key, (pair.trial.val, pair.trial.test, method))
    chosen = {key: min(val.best_k(m), test.k_clips[-1]) for key, (val, test, m) in rows.items()}
    columns = [k for k in k_clips if k < min(pair.trial.n_clips for pair in pairs)]
    index = pd.MultiIndex.from_tuples(rows, names=["method", "teacher", "student"])
    parts = {k: _column(rows, dict.fromkeys(rows, k)) for k in columns}
    parts[DENSE] = _column({key: (*of[:2], "dense") for key, of in rows.items()}, None)
    parts[CHOSEN] = _column(rows, chosen)
    accuracy = pd.DataFrame({c: [a for a, _ in part] for c, part in parts.items()}, index)
    marks = pd.DataFrame({c: [mark for _, mark in part] for c, part in parts.items()}, index)
    return AccuracyTable(accuracy, marks, pd.Series(chosen, index))


def _column(
    rows: dict[tuple[str, str, str], tuple[Sweep, Sweep, str]],
    k_of: dict[tuple[str, str, str], int] | None,
) -> list[tuple[float, str]]:
    """Accuracy and mark of each row at its K; without K, as for dense, nothing is compared."""
    compared, k_of = k_of is not None, k_of or dict.fromkeys(rows, 1)
    accuracy = {key: of[1].by_seed(of[2], k_of[key]).mean() for key, of in rows.items()}
    marks = dict.fromkeys(rows, "")
    for teacher in dict.fromkeys(key[1] for key in rows if compared):
        own = [key for key in rows if key[1] == teacher and key[0] != "oracle"]
        values = np.array([accuracy[key] for key in own])
        if np.ptp(values) < 1e-9:  # all are the same, as dense is
            continue
        best = own[int(values.argmax())]
        both = {key: rows[key][1].correct[rows[key][2]] for key in own}
        merged = Sweep(both, rows[best][1].k_clips, rows[best][1].folds)
        for key in own:
            is_best = accuracy[key] >= values.max() - 1e-9
            told_apart = merged.gain(best, k_of[best], key, k_of[key]).excludes()
            marks[key] = BEST if is_best else "" if told_apart else TIED
    return [(float(accuracy[key]), marks[key]) for key in rows]


def ranks_of(pairs: Sequence[Pair], methods: Sequence[str], k: int | None = None) -> Ranks:
    """Rank methods by accuracy in each pair.

    Args:
        pairs: The pairs.
        methods: Those to rank; each pair must have them.
        k: At this number of clips; None: each method at the K that validation videos chose.
    """

    def right(pair: Pair, method: str) -> NDArray[np.float32]:
        test, at = pair.trial.test, k or pair.trial.k(method)
        correct = test.correct[method][:, :, test.k_clips.index(at)]
        return correct if test.folds is None else test.folds.by_video(correct)

    return rank_methods({pair.name: {m: right(pair, m) for m in methods} for pair in pairs})


def contrasts(pairs: Sequence[Pair], method: str) -> pd.DataFrame:
    """Differences of a method's gain over dense between pairs that share a network.

    Only pairs that are judged on the same videos are compared.

    Returns:
        One row for each two pairs: ``shared`` (the network both have), ``more`` and ``less`` (the
        others) and ``difference`` (:class:`Interval`, paired by video).
    """
    rows = []
    for less, more in combinations([p for p in pairs if method in p.trial.methods], 2):
        if less.same_teacher.dataset != more.same_teacher.dataset:
            continue
        if less.same_teacher == more.same_teacher:
            names = (more.teacher, more.student, less.student)
        elif less.student == more.student:
            names = (more.student, more.teacher, less.teacher)
        else:
            continue
        rows.append((*names, paired_gain_between(more.trial, less.trial, method)))
    return pd.DataFrame(rows, columns=["shared", "more", "less", "difference"])


def published_table() -> AccuracyTable:
    """The paper's Table III, all of its data sets; what is best is marked as it stands there."""
    table = pd.read_csv(paths.paper_dir() / "paper_table3.csv").fillna({"student": ""})
    accuracy = table.set_index(["method", "teacher", "student"]) / 100
    judged = accuracy[accuracy.index.get_level_values("method") != "oracle"]
    best = judged.groupby(level="teacher").transform("max")
    compared = best.columns[~best.columns.str.endswith("dense")]
    marks = pd.DataFrame("", accuracy.index, accuracy.columns)
    for column in compared:
        where = best.index[accuracy.loc[best.index, column] == best[column]]
        marks.loc[where, column] = BEST
    return AccuracyTable(accuracy, marks)


def published_cells() -> Iterator[tuple[str, pd.DataFrame]]:
    """Each teacher, student and data set of that table, whose methods can be ranked.

    Yields:
        Its name, and accuracies as fractions: a row per method of ``PAPER_METHODS``, a column per
        K, the last one ``"dense"``.
    """
    table = pd.read_csv(paths.paper_dir() / "paper_table3.csv")
    both = table.query("method == 'condi_sr'")
    for teacher, student in zip(both["teacher"], both["student"], strict=True):
        tidy = published_accuracies(teacher, student)
        for dataset, part in tidy.groupby("dataset", sort=False):
            wide = part.pivot(index="method", columns="k", values="accuracy")
            wide = wide.loc[list(PAPER_METHODS), [*wide.columns.drop(0), 0]]
            cell = f"{PUBLISHED[dataset]}: {readable(teacher)} × {readable(student)}"
            yield cell, wide.rename(columns={0: DENSE})


def published_ranks(first_column: bool = False) -> Ranks:
    """Ranks of the methods in each teacher, student and data set of the paper; no intervals.

    Args:
        first_column: At K = 1; else each method at its best K, which the paper chose on the very
            numbers that it reports.
    """
    accuracy = {
        name: cells.iloc[:, 0] if first_column else cells.drop(columns=DENSE).max(axis=1)
        for name, cells in published_cells()
    }
    ranks = pd.DataFrame(accuracy).T.rank(axis=1, ascending=False)
    agreement = float(concordance(ranks.to_numpy()))
    return Ranks(
        ranks,
        {method: Interval(mean, np.nan, np.nan) for method, mean in ranks.mean().items()},
        Interval(agreement, np.nan, np.nan),
    )


def published_gains(method: str = "condi_sr") -> pd.Series:
    """What a method gains over dense at its best K in each cell of the paper, as fractions."""
    cells = {name: cells.loc[method] for name, cells in published_cells()}
    return pd.Series({name: row.drop(DENSE).max() - row[DENSE] for name, row in cells.items()})
