"""What a study is made of: one record, turned into the specs of its runs."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from condi_lib.losses import build_objective
from condi_lib.sampling import SAMPLERS
from condi_lib.study.specs import DatasetSpec, NetworkSpec, StudentSpec, TeacherSpec
from condi_lib.videos.preprocess import Preprocess

TEACHER = "teacher"
REFERENCE = "reference"
Groups = dict[str, tuple[str, ...]]
Fold = int | Groups


@dataclass(frozen=True)
class LossSettings:
    """How one student is trained: its loss, that loss' hyperparameters, its network.

    Attributes:
        loss: A key of ``condi_lib.losses.LOSSES``; empty: the name under which it is listed.
        hyperparameters: τ, λ, μ, … of the loss, by its function's names.
        student: Its network; None: that of every student. A params file gives what differs.
        score_splits: The splits that it scores; None: all that the study is judged on.
    """

    loss: str = ""
    hyperparameters: dict[str, float | bool] = field(default_factory=dict)
    student: NetworkSpec | None = None
    score_splits: tuple[str, ...] | None = None

    def loss_of(self, name: str) -> str:
        """The loss of the student listed under ``name``."""
        return self.loss or name


@dataclass(frozen=True)
class StudySpec:
    """A whole study: data, teacher, students, seeds. Mistakes are refused here, not hours later.

    Attributes:
        name: Names its folder of figures and notebooks.
        dataset: Videos and clips.
        preprocess: Decoded clips to network input, of every network that has none of its own.
        teacher: The teacher's network.
        student: The network of every student.
        losses: The students, by the name under which results list them.
        seeds: One teacher, and one student per loss, for each.
        folds: Divisions by group, for cross-validation: ``{"fold 1": {"test": [...], ...}}``;
            every video should be in the test split of one fold, and results are over all videos.
            Or official folds by number, ``{"fold 1": 1, "fold 2": 2, ...}``: results are the mean
            over the folds, as such data sets are reported.
        also_score: Splits that all networks score besides those to choose K on and to test.
        cross_fit: See :class:`TeacherSpec`.
        chapters: Notebooks to run, by the beginning of their names; empty: all.
        parameters: What a notebook is given besides the study, by the beginning of its name:
            ``{"06": {"measure_sec": 60}}``.
        variants: Studies that chapters set beside this one, by the chapter's name without its
            number, and by their own: ``{"sweeps": {"paper_like": ...}}``. A params file gives what
            differs from this study.
    """

    name: str
    dataset: DatasetSpec
    preprocess: Preprocess
    teacher: NetworkSpec
    student: NetworkSpec
    losses: dict[str, LossSettings]
    seeds: tuple[int, ...] = (0,)
    folds: dict[str, Fold] | None = None
    also_score: tuple[str, ...] = ()
    cross_fit: int = 0
    chapters: tuple[str, ...] = ()
    parameters: dict[str, dict[str, Any]] = field(default_factory=dict)
    variants: "dict[str, dict[str, StudySpec]]" = field(default_factory=dict)

    def __post_init__(self) -> None:
        if problems := list(self._problems()):
            raise ValueError("; ".join(problems))

    def _problems(self) -> Iterator[str]:
        if not re.fullmatch(r"\w[\w.-]*", self.name) or self.name == REFERENCE:
            yield f"name: names a folder (letters, digits, _ . -), not {self.name!r}"
        if not self.seeds or len(set(self.seeds)) < len(self.seeds) or min(self.seeds) < 0:
            yield f"seeds: need one or more, different, none negative, got {list(self.seeds)}"
        crop, size = self.preprocess.crop_px, list(self.dataset.size_px)
        if crop > min(size):
            yield f"preprocess.crop_px: {crop} is larger than dataset.size_px {size}"
        for name, network in {"teacher": self.teacher, "student": self.student}.items():
            yield from _problems_of_crop(name, network, self.dataset)
        for name, settings in self.losses.items():
            yield from _problems_of_student(name, settings)
            if settings.student is not None:
                where = f"losses[{name!r}].student"
                yield from _problems_of_crop(where, settings.student, self.dataset)
        if any(variant.variants for variant in self.all_variants):
            yield "variants: a variant has no variants of its own"
        if self.folds is not None:
            yield from self._problems_of_folds()
        else:
            yield from self._problems_of_splits(self.dataset, "dataset")

    def _problems_of_folds(self) -> Iterator[str]:
        if problem := self._problem_of_kind_of_folds():
            yield f"folds: {problem}"
            return
        for fold in self.folds:
            if not re.fullmatch(r"\w[\w ]*", fold):
                yield f"folds: a fold names files (letters, digits, spaces), not {fold!r}"
            yield from self._problems_of_splits(self.dataset_of(fold), f"folds[{fold!r}]")

    def _problem_of_kind_of_folds(self) -> str | None:
        official, catalog = self.dataset.official, self.dataset.catalog
        folds = list(self.folds.values())
        if official is not None:
            known = range(1, official.n_folds + 1)
            if not folds or any(fold not in known for fold in folds):
                return f"{official.name} has the official folds {list(known)}, got {folds}"
            return "name each official fold once" if len(set(folds)) < len(folds) else None
        if not folds or any(isinstance(fold, int) for fold in folds):
            return "need names, and groups or the numbers of a dataset.official's folds"
        if catalog is None or catalog.group_column is None:
            return "need names and groups, and a dataset.catalog with its group_column"
        return None

    def _problems_of_splits(self, dataset: DatasetSpec, where: str) -> Iterator[str]:
        """Splits that networks are to use but the data set does not have, as far as known."""
        known = dataset.split_names
        used = {*self.teacher.used_splits, *self.scored_splits}
        if known is not None and (unknown := sorted(used - set(known))):
            yield f"{where}: has no split {unknown}; it has {list(known)}"

    @property
    def fold_names(self) -> tuple[str, ...]:
        """Names of the folds; one empty name where there are none."""
        return tuple(self.folds) if self.folds else ("",)

    @property
    def has_official_folds(self) -> bool:
        """Whether results are the mean over folds whose videos may overlap."""
        return bool(self.folds) and self.dataset.official is not None

    @property
    def judged_splits(self) -> tuple[str, ...]:
        """The splits that every network scores: to choose K on, and to test."""
        splits = (*filter(None, [self.student.val_split]), "test", *self.also_score)
        return tuple(dict.fromkeys(splits))

    @property
    def scored_splits(self) -> tuple[str, ...]:
        """The splits that the teacher scores: those that some student needs or is judged on."""
        networks = [self.student, *(loss.student for loss in self.losses.values() if loss.student)]
        used = [split for network in networks for split in network.used_splits]
        judged = [split for loss in self.losses.values() for split in loss.score_splits or ()]
        return tuple(dict.fromkeys([*used, "test", *self.also_score, *judged]))

    @property
    def choosing_splits(self) -> tuple[str, ...]:
        """The splits on which students are measured in training, and K is chosen."""
        networks = [self.student, *(loss.student for loss in self.losses.values() if loss.student)]
        return tuple(dict.fromkeys(filter(None, (network.val_split for network in networks))))

    @property
    def reported_splits(self) -> tuple[str, ...]:
        """All splits that some student scores."""
        return tuple(dict.fromkeys(s for name in self.losses for s in self.splits_of(name)))

    @property
    def all_variants(self) -> "list[StudySpec]":
        """The variants of every chapter."""
        return [study for group in self.variants.values() for study in group.values()]

    def splits_of(self, name: str) -> tuple[str, ...]:
        """The splits that the student listed under ``name`` scores."""
        scored = self.losses[name].score_splits
        return self.judged_splits if scored is None else scored

    def dataset_of(self, fold: str = "") -> DatasetSpec:
        """The data set of one fold."""
        if not self.folds:
            return self.dataset
        division = self.folds[fold]
        if isinstance(division, int):
            official = replace(self.dataset.official, fold=division)
            return replace(self.dataset, official=official)
        return replace(self.dataset, catalog=replace(self.dataset.catalog, groups=division))

    def teacher_of(self, seed: int, fold: str = "") -> TeacherSpec:
        """The teacher of a seed and fold; it scores the students' splits."""
        return TeacherSpec(
            dataset=self.dataset_of(fold),
            network=replace(self.teacher, preprocess=None),
            preprocess=self.teacher.preprocess_or(self.preprocess),
            score_splits=self.scored_splits,
            cross_fit=self.cross_fit,
            seed=seed,
        )

    def student_of(self, name: str, seed: int, fold: str = "") -> StudentSpec:
        """The student listed under ``name``, of a seed and fold."""
        settings = self.losses[name]
        network = settings.student or self.student
        return StudentSpec(
            teacher=self.teacher_of(seed, fold),
            loss=settings.loss_of(name),
            network=replace(network, preprocess=None),
            preprocess=network.preprocess_or(self.preprocess),
            score_splits=self.splits_of(name),
            hyperparameters=settings.hyperparameters,
            seed=seed,
        )


def _problems_of_crop(where: str, network: NetworkSpec, dataset: DatasetSpec) -> Iterator[str]:
    """A crop larger than what it is cut from: frames, or of a network that listens patches."""
    name, size = "dataset.size_px", list(dataset.size_px)
    if network.sound is not None:
        name, size = "the patches of its sound,", list(network.sound.shape)
    if network.preprocess is not None and network.preprocess.crop_px > min(size):
        crop = network.preprocess.crop_px
        yield f"{where}.preprocess.crop_px: {crop} is larger than {name} {size}"


def _problems_of_student(name: str, settings: LossSettings) -> Iterator[str]:
    if not re.fullmatch(r"\w+", name) or name in (TEACHER, *SAMPLERS):
        yield f"losses: {name!r} cannot name a student: use letters, digits, _, no sampler's name"
    try:
        build_objective(settings.loss_of(name), **settings.hyperparameters)
    except ValueError as error:
        yield f"losses[{name!r}]: {error}"
