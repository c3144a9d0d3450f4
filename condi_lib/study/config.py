"""A study's params file: read strictly, turned into specs.

The file is a notebook's parameters: ``papermill 02_….ipynb out.ipynb -f notebooks/params/ucf.yaml``
passes its one key ``study``, a mapping described by :class:`StudySpec`.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cattrs
import yaml
from cattrs import transform_error

from condi_lib import paths
from condi_lib.study.specs import DatasetSpec, NetworkSpec, StudentSpec, TeacherSpec
from condi_lib.videos.preprocess import Preprocess

Groups = dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class LossSettings:
    """How one student is trained: its loss, that loss' hyperparameters.

    Attributes:
        loss: A key of ``condi_lib.losses.LOSSES``; empty: the name under which it is listed.
        hyperparameters: τ, λ, μ, … of the loss, by its function's names.
    """

    loss: str = ""
    hyperparameters: dict[str, float | bool] = field(default_factory=dict)


@dataclass(frozen=True)
class StudySpec:
    """A whole study: data, teacher, students, seeds.

    Attributes:
        name: Names its folder of figures and notebooks.
        dataset: Videos and clips.
        preprocess: Decoded clips to network input.
        teacher: The teacher's network.
        student: The network of every student.
        losses: The students, by the name under which results list them.
        seeds: One teacher, and one student per loss, for each.
        folds: Divisions by group, for cross-validation: ``{"fold 1": {"test": [...], ...}}``;
            every video should be in the test split of one fold.
        chapters: Notebooks to run, by the beginning of their names; empty: all.
    """

    name: str
    dataset: DatasetSpec
    preprocess: Preprocess
    teacher: NetworkSpec
    student: NetworkSpec
    losses: dict[str, LossSettings]
    seeds: tuple[int, ...] = (0,)
    folds: dict[str, Groups] | None = None
    chapters: tuple[str, ...] = ()

    @property
    def fold_names(self) -> tuple[str, ...]:
        """Names of the folds; one empty name where there are none."""
        return tuple(self.folds) if self.folds else ("",)

    def dataset_of(self, fold: str = "") -> DatasetSpec:
        """The data set of one fold."""
        if not self.folds:
            return self.dataset
        source = replace(self.dataset.catalog, groups=self.folds[fold])
        return replace(self.dataset, catalog=source)

    def teacher_of(self, seed: int, fold: str = "") -> TeacherSpec:
        """The teacher of a seed and fold; it scores the students' splits."""
        splits = dict.fromkeys((*self.student.train_splits, self.student.val_split, "test"))
        return TeacherSpec(
            dataset=self.dataset_of(fold),
            network=self.teacher,
            preprocess=self.preprocess,
            score_splits=tuple(name for name in splits if name),
            seed=seed,
        )

    def student_of(self, name: str, seed: int, fold: str = "") -> StudentSpec:
        """The student listed under ``name``, of a seed and fold."""
        settings = self.losses[name]
        splits = (self.student.val_split, "test") if self.student.val_split else ("test",)
        return StudentSpec(
            teacher=self.teacher_of(seed, fold),
            loss=settings.loss or name,
            network=self.student,
            score_splits=splits,
            hyperparameters=settings.hyperparameters,
            seed=seed,
        )


def params_path(name: str) -> Path:
    """The params file called ``name``."""
    return paths.notebooks_dir() / "params" / f"{name}.yaml"


def read_study(source: str | Path | Mapping[str, Any]) -> StudySpec:
    """Read a study from a params file, by name or path, or from the mapping it holds.

    ``extends: NAME`` takes over another file's fields, except those that are given anew.

    Raises:
        ValueError: If there is no such file, it is not YAML, or a field is unknown, missing or of
            the wrong kind; names the file and each field.
    """
    where = "study" if isinstance(source, Mapping) else f"{_path(source)}: study"
    return _structure(read_mapping(source), where)


def read_mapping(source: str | Path | Mapping[str, Any]) -> dict[str, Any]:
    """The study's fields as plain values, with those of the files that it extends."""
    fields = dict(source) if isinstance(source, Mapping) else _load(_path(source))
    base = fields.pop("extends", None)
    return fields if base is None else _merged(read_mapping(base), fields)


def _merged(base: dict[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in fields.items():
        both = isinstance(value, dict) and isinstance(base.get(key), dict)
        merged[key] = _merged(base[key], value) if both else value
    return merged


def _path(source: str | Path) -> Path:
    return Path(source) if str(source).endswith(".yaml") else params_path(str(source))


def _load(path: Path) -> dict[str, Any]:
    if not path.exists():
        known = sorted(p.stem for p in path.parent.glob("*.yaml"))
        raise ValueError(f"{path}: no such params file; there are {known}")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not valid YAML: {error}") from error
    if not isinstance(content, dict) or not isinstance(content.get("study"), dict):
        raise ValueError(f"{path}: needs one key `study` with the study's fields below it")
    return content["study"]


def _structure(mapping: Mapping[str, Any], where: str) -> StudySpec:
    converter = cattrs.Converter(forbid_extra_keys=True)
    for kind in (int, float, bool, str):
        converter.register_structure_hook(kind, _strict)
    converter.register_structure_hook(float | bool, _strict_number)
    converter.register_structure_hook(int | float | str, lambda value, _: value)
    try:
        study = converter.structure(dict(mapping), StudySpec)
    except cattrs.BaseValidationError as error:
        problems = "; ".join(transform_error(error, path=where))
        raise ValueError(f"{problems}. Correct the params file.") from error
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error
    return _fingerprint_catalog(study)


def _strict(value: Any, kind: type) -> Any:
    """Refuse what a silent conversion would bend: 2.5 to 2, "no" to True."""
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not kind:
        raise ValueError(f"need {kind.__name__}, got {value!r}")
    return value


def _strict_number(value: Any, _: Any) -> float | bool:
    return value if isinstance(value, bool) else _strict(value, float)


def _fingerprint_catalog(study: StudySpec) -> StudySpec:
    """Put the CSV's hash into the spec: changed labels are another data set."""
    source = study.dataset.catalog
    if source is None or source.content:
        return study
    path = paths.project_root() / source.path
    if not path.exists():
        raise ValueError(f"study.dataset.catalog.path: {path} does not exist")
    content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
    catalog = replace(source, content=content)
    return replace(study, dataset=replace(study.dataset, catalog=catalog))
