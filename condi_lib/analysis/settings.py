"""Sweeps of settings: which students of a study differ in one setting alone, and what it does.

What varies is read from the spec, never from the students' names: any params file whose students
share a loss and differ in its hyperparameters, or in how they are trained, holds sweeps.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import pandas as pd

from condi_lib.analysis.comparisons import chosen_k, seed_range, val_split_of
from condi_lib.analysis.findings import Findings
from condi_lib.losses import build_objective
from condi_lib.study.study import Study
from condi_lib.training import Schedule

RATES = ("true_positive_rate", "false_positive_rate")
SPREADS = ("score_std", "score_std_within_video")


@dataclass(frozen=True)
class SettingSweep:
    """Students that differ in one setting alone.

    Attributes:
        field: The setting: a hyperparameter of the loss, or a path such as ``training.lr``.
        students: By the setting's value: ascending, or, where values are no numbers, as listed.
        reference: The student with the default value, that of the study's base student; the first
            one where none has it.
        apart: What else they all have otherwise than the base student; empty: nothing, so that it
            is the reference itself.
    """

    field: str
    students: dict[Any, str]
    reference: str
    apart: dict[str, Any]

    @property
    def is_numeric(self) -> bool:
        """Whether the values are numbers, which an axis can show."""
        return all(isinstance(v, int | float) and not isinstance(v, bool) for v in self.students)

    def _ascending(self) -> "SettingSweep":
        return replace(self, students=dict(sorted(self.students.items())))


def settings_of(study: Study, student: str) -> dict[str, Hashable]:
    """Everything that makes a student what it is: ``loss``, hyperparameters, then its network.

    Hyperparameters that are not given have their defaults; a schedule is one value.
    """
    listed = study.spec.losses[student]
    loss = listed.loss_of(student)
    hyperparameters = build_objective(loss, **listed.hyperparameters).hyperparameters
    network = _flat(listed.student or study.spec.student)
    return {"loss": loss, **hyperparameters, **network}


def _flat(value: Any, path: str = "") -> dict[str, Hashable]:
    """A record's fields by path, those of the records and mappings in it too."""
    if isinstance(value, Schedule) or not (is_dataclass(value) or isinstance(value, dict)):
        return {path: value}
    pairs = (
        value
        if isinstance(value, dict)
        else {f.name: getattr(value, f.name) for f in fields(value)}
    )
    flat: dict[str, Hashable] = {}
    for name, inner in pairs.items():
        flat |= _flat(inner, f"{path}.{name}" if path else str(name))
    return flat


def setting_sweeps(study: Study, base: str = "condi_sr") -> list[SettingSweep]:
    """Find all sets of two or more students that differ in one setting alone.

    Args:
        study: The study; students of other losses than ``base`` has are passed over.
        base: The student with the settings that count as default.

    Returns:
        In the order of the settings; of one setting the sweep that holds ``base`` first. Two
        students of the same settings are one: the first of them, or ``base``.

    Raises:
        ValueError: If the study has no student ``base``.
    """
    if base not in study.students:
        raise ValueError(f"the study has no student {base!r}; it has {list(study.students)}")
    default = settings_of(study, base)
    order = (base, *(student for student in study.students if student != base))
    settings = {student: settings_of(study, student) for student in order}
    alike = {s: own for s, own in settings.items() if own["loss"] == default["loss"]}
    names = list(dict.fromkeys(name for own in alike.values() for name in own))
    return [sweep for field in names for sweep in _sweeps_of(field, names, alike, default)]


def _sweeps_of(
    field: str,
    names: list[str],
    settings: Mapping[str, dict[str, Hashable]],
    default: dict[str, Hashable],
) -> list[SettingSweep]:
    """The sweeps of one setting."""
    groups: dict[tuple, dict[Any, str]] = {}
    for student, own in settings.items():
        others = tuple(own.get(name) for name in names if name != field)
        groups.setdefault(others, {}).setdefault(own.get(field), student)
    sweeps = []
    for students in groups.values():
        if len(students) < 2:
            continue
        own = settings[next(iter(students.values()))]
        apart = {n: own.get(n) for n in names if n != field and own.get(n) != default.get(n)}
        reference = students.get(default.get(field), next(iter(students.values())))
        sweep = SettingSweep(field, students, reference, apart)
        sweeps.append(sweep._ascending() if sweep.is_numeric else sweep)
    return sweeps


def by_setting(
    sweeps: Mapping[str, Sequence[SettingSweep]], numeric: bool = True
) -> dict[str, dict[str, SettingSweep]]:
    """Of each setting the first sweep of each regime that varies it: by setting, by regime.

    Args:
        sweeps: By regime, what :func:`setting_sweeps` finds.
        numeric: Settings whose values are numbers, or the others.
    """
    found: dict[str, dict[str, SettingSweep]] = {}
    for regime, of_regime in sweeps.items():
        for sweep in of_regime:
            if sweep.is_numeric == numeric:
                found.setdefault(sweep.field, {}).setdefault(regime, sweep)
    return found


def sweep_rows(
    study: Study, found: Findings, sweep: SettingSweep, split: str = "test"
) -> pd.DataFrame:
    """What a setting does: one row per value.

    Args:
        study: The study.
        found: Its findings.
        sweep: Of :func:`setting_sweeps`.
        split: Which videos to report on.

    Returns:
        In the sweep's order: ``value, student, is_default``; ``K`` and ``val_accuracy`` there (on
        the validation videos that chose it: to choose a value by); ``accuracy``, ``over_dense``,
        ``over_default`` and ``auroc`` within videos (:class:`Interval`; differences are paired by
        video, each student at its own K);
        spread of the confidence (``score_std``, ``score_std_within_video``) and its
        ``true_positive_rate`` and ``false_positive_rate`` at .5, and ``clip_accuracy`` of the
        student's own classes (:func:`seed_range`).
    """
    swept, of_default = found.sweeps[split], chosen_k(study, found, sweep.reference)
    rows = []
    for value, student in sweep.students.items():
        k = chosen_k(study, found, student)
        row = {"value": value, "student": student, "is_default": student == sweep.reference, "K": k}
        val = found.sweeps[val_split_of(study, student)]
        row["val_accuracy"] = float(val.by_seed(student, k).mean())
        row["accuracy"] = swept.accuracy(student, k)
        row["over_dense"] = swept.gain(student, k)
        row["over_default"] = swept.gain(student, k, sweep.reference, of_default)
        row["auroc"] = found.within_video_auroc(student, split)
        metrics = (*SPREADS, *RATES, "clip_accuracy")
        rows.append(row | {name: seed_range(found, name, student, split) for name in metrics})
    return pd.DataFrame(rows)
