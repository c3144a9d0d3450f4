"""What claims are judged by: the findings of a study and of its variants, as effects.

A *regime* is a study or a variant of it in which students and teacher met one kind of data: the
study's own (``default``), or that in which the teacher is right on nearly all clips that the
students learn from, as in the paper (``paper-like``).
Shapes: S seeds, V videos, K numbers of clips.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from condi_lib.analysis import Findings, findings_of
from condi_lib.analysis.results import Sweep
from condi_lib.claims.rules import Effect, Rule
from condi_lib.losses import LOSSES
from condi_lib.study import Study
from condi_lib.study.study import FolderStore

DEFAULT, PAPER_LIKE = "default", "paper-like"
At = tuple[str, int]  # a method at a number of clips

# Of methods; those of students of a chapter are for readers only, and another name does as well.
LABELS = {
    "condi_sr": "ConDi-SR",
    "st_ent": "ST-Ent",
    "st_conf": "ST-Conf",
    "bce_conf": "BCE-Conf",
    "naive": "naive",
    "teacher_max_softmax": "max softmax",
    "tau_1": "τ = 1",
    "paper_schedule": "faster decay",
    "paper_schedule_shared": "one decay",
    "confidence_decays": "z̃ decays",
    "without_modified_teacher": "naive with β = 0",
}


class Untestable(Exception):
    """A study has no data for a claim; says what is missing."""


@dataclass(frozen=True)
class Comparison:
    """One effect beside the rule that a claim sets for it.

    Attributes:
        key: Short name, by which the paper's own effect is found.
        label: What is compared, for readers.
        effect: What this study found.
        rule: What the claim says of it.
        decides: Whether the verdict depends on it; else it is told beside the others.
    """

    key: str
    label: str
    effect: Effect
    rule: Rule
    decides: bool = True

    @property
    def outcome(self) -> str:
        """What the rule says of the effect."""
        return self.rule.outcome(self.effect)

    @property
    def over_seeds(self) -> "Comparison":
        """The same with a t-interval over seeds: for other trainings, not for other videos."""
        return replace(self, effect=Effect.over_seeds(self.effect.by_seed))


@dataclass(frozen=True)
class Regime:
    """A study or variant with its findings.

    Attributes:
        name: ``"default"`` or ``"paper-like"``.
        study: The study, whose variants some claims are about.
        findings: What was found out about it.
    """

    name: str
    study: Study
    findings: Findings

    @classmethod
    def of(cls, study: Study, name: str = DEFAULT) -> "Regime":
        """Open a study or variant: its findings are read, or computed from its runs.

        Raises:
            Untestable: If they are not in the committed reference.
        """
        try:
            return cls(name, study, findings_of(study))
        except FileNotFoundError as error:
            if isinstance(study.store, FolderStore):
                raise Untestable(f"{study.spec.name}: not in the committed reference") from error
            raise

    @cached_property
    def test(self) -> Sweep:
        """Whether test videos are right, by method and K."""
        return self.sweep("test")

    @cached_property
    def val(self) -> Sweep:
        """The same of the validation videos, on which K is chosen."""
        return self.sweep(self.val_split)

    @property
    def val_split(self) -> str:
        """Which videos those are."""
        split = self.study.spec.student.val_split
        if not split:
            raise Untestable("there are no validation videos to choose on")
        return split

    def sweep(self, split: str) -> Sweep:
        """Whether the videos of a split are right, by method and K."""
        if split not in self.findings.sweeps:
            raise Untestable(f"split {split!r} is not scored")
        return self.findings.sweeps[split]

    @property
    def most_clips(self) -> int:
        """N, the number of clips of the longest test video."""
        return self.test.k_clips[-1]

    def student(self, loss: str, **hyperparameters: float | bool) -> str:
        """The student trained by a loss with these hyperparameters, the others at their defaults.

        Raises:
            Untestable: If there is none.
        """
        wanted = LOSSES[loss].defaults | hyperparameters
        for name, settings in self._trained_by(loss).items():
            if settings == wanted:
                return name
        given = ", ".join(f"{key} {value:g}" for key, value in hyperparameters.items())
        label = LABELS.get(loss, loss)
        raise Untestable(f"no student is trained by {label}{' with ' if given else ''}{given}")

    def named(self, student: str) -> str:
        """The student of this name, whose network or training differs from the others'."""
        if student not in self.study.spec.losses:
            raise Untestable(f"there is no student {student!r}")
        return student

    def settings(self, loss: str, hyperparameter: str, **others: float | bool) -> list[float]:
        """The values of one hyperparameter for which there is a student, in rising order.

        Args:
            loss: Its loss.
            hyperparameter: Which.
            others: What the other hyperparameters must be; those not given are at their defaults.
        """
        found = set()
        for given in self._trained_by(loss).values():
            wanted = LOSSES[loss].defaults | others | {hyperparameter: given[hyperparameter]}
            found |= {float(given[hyperparameter])} if given == wanted else set()
        return sorted(found)

    def _trained_by(self, loss: str) -> dict[str, dict[str, float | bool]]:
        """All hyperparameters of the students of a loss, but those of networks of their own."""
        return {
            name: LOSSES[loss].defaults | settings.hyperparameters
            for name, settings in self.study.spec.losses.items()
            if settings.loss_of(name) == loss and settings.student is None
        }

    def best(self, method: str) -> At:
        """A method at the K that validation videos choose; N where test videos are shorter."""
        return method, min(self.val.best_k(self._known(method)), self.most_clips)

    def best_between(self, method: str) -> At:
        """The same among all K but 1 and N."""
        k_clips = [k for k in self.val.k_clips if k < self.most_clips]
        if len(k_clips) < 2:
            raise Untestable("videos of fewer than 3 clips have no K between 1 and N")
        inner = {method: self.val.correct[self._known(method)][:, :, 1 : len(k_clips)]}
        return method, Sweep(inner, k_clips[1:], self.val.folds).best_k(method)

    def gap(self, a: At, b: At, split: str = "test") -> Effect:
        """Video accuracy of one method at a K minus that of another, paired by video."""
        sweep = self.sweep(split)
        for method, k in (a, b):
            if method not in sweep.correct or k not in sweep.k_clips:
                raise Untestable(f"{LABELS.get(method, method)} at K = {k} is not evaluated")
        by_seed = sweep.by_seed(*a) - sweep.by_seed(*b)
        return Effect(sweep.gain(*a, *b), tuple(by_seed.tolist()))

    def effect_of(self, a: ArrayLike, b: ArrayLike) -> Effect:
        """The mean of ``a - b``, each one number per seed and test video, ``[S, V]``."""
        both = {name: np.asarray(x, np.float32)[:, :, None] for name, x in (("a", a), ("b", b))}
        sweep = Sweep(both, [1], self.test.folds)
        by_seed = sweep.by_seed("a", 1) - sweep.by_seed("b", 1)
        return Effect(sweep.gain("a", 1, "b", 1), tuple(by_seed.tolist()))

    def metric(self, name: str, student: str) -> NDArray[np.float64]:
        """A metric of the findings for each seed, ``[S]``."""
        values = self.findings.by_seed(name, student)
        if not len(values) or not np.isfinite(values).all():
            raise Untestable(f"{name} of {LABELS.get(student, student)} is not known")
        return values

    def fall(self, student: str, column: str) -> NDArray[np.float64]:
        """By how much a loss falls from the first epoch to the last, as a share of it, ``[S]``."""
        history = self.findings.history
        rows = history[history["network"] == student]
        if column not in rows or rows[column].isna().any() or rows["epoch"].max() < 2:
            raise Untestable(f"the course of {column} of {student} is not known")
        course = rows.groupby(["seed", "epoch"])[column].mean().unstack()
        return (1 - course.iloc[:, -1] / course.iloc[:, 0]).to_numpy(float)

    def _known(self, method: str) -> str:
        if method not in self.val.correct:
            raise Untestable(f"{LABELS.get(method, method)} is not evaluated")
        return method
