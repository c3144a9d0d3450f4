"""A rule of thumb: will skipping clips gain on my videos? Predicted before it is paid for.

Quantities that a labelled validation set gives are turned into a predicted gain over dense by one
straight line, ``gain = a + b · quantity``. Which quantity, and the line, come from some settings;
how far to trust it comes from others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from condi_lib import paths
from condi_lib.analysis.conditions import Condition, cells, conditions_of
from condi_lib.analysis.findings import findings_of
from condi_lib.analysis.results import SOFTMAX
from condi_lib.analysis.trials import Trial, trial_of
from condi_lib.statistics import Interval, mean_and_range
from condi_lib.study.config import REFERENCE
from condi_lib.study.study import Study, open_study

GROUP, CONDITIONS = "when_does_it_help", "conditions"
ORACLE = "oracle"
BEFORE = {
    "constant": "nothing: the mean gain of the settings that were fitted",
    "dense_accuracy": "video accuracy of dense averaging",
    "clip_accuracy": "share of clips that the teacher gets right",
    "oracle_gap": "oracle at K = 1 minus dense",
    "sure_when_wrong": "share of the teacher's wrong clips of which it is sure",
    "teacher_auroc": "within-video AUROC of the teacher's max softmax",
    "softmax_gain": "gain of the teacher's max softmax, at its best K",
}
AFTER = {
    "student_auroc": "within-video AUROC of the student's score",
    "gap_times_skill": "oracle gap × (2 · within-video AUROC of the student's score − 1)",
    "validation_gain": "the student's gain itself, at its best K",
}
FEWEST = 3  # settings that a line is fitted to


@dataclass(frozen=True)
class Rule:
    """``gain = intercept + slope · quantity``.

    Attributes:
        quantity: A key of ``BEFORE`` (needs the teacher alone) or ``AFTER`` (needs the student).
        intercept: In fractions.
        slope: Per unit of the quantity; 0 for the constant.
        left_out_error: Mean absolute error on settings left out of the fit one by one.
    """

    quantity: str
    intercept: float
    slope: float
    left_out_error: float

    def predict(self, quantities: pd.DataFrame) -> NDArray[np.float64]:
        """Predicted gains, as fractions, of rows of :func:`quantities`."""
        return self.intercept + self.slope * quantities[self.quantity].to_numpy(float)

    def threshold(self, worth: float) -> float:
        """The quantity at which the predicted gain is ``worth``; NaN for a constant."""
        return (worth - self.intercept) / self.slope if self.slope else np.nan

    def __str__(self) -> str:
        """All in percent: ``gain = -2.1 + 0.30 × oracle_gap``."""
        text = f"gain = {100 * self.intercept:.1f}"
        if self.quantity == "constant":
            return text
        return f"{text} {'-' if self.slope < 0 else '+'} {abs(self.slope):.2f} × {self.quantity}"


def kinds_of_videos(study: Study) -> dict[Condition, Trial]:
    """Trials on many kinds of videos, to learn a rule from and to test it on.

    They are those of the study's variant ``when_does_it_help.conditions``; a study without one, on
    videos of your own say, borrows those of the committed reference. Nothing where neither is.
    """
    own = study.variants(GROUP).get(CONDITIONS)
    if own is None and (paths.reference_dir() / "study.yaml").exists():
        own = open_study(REFERENCE).variants(GROUP).get(CONDITIONS)
    if own is None:
        return {}
    found, known = findings_of(own), cells(conditions_of(own.spec))
    return {c: trial_of(found, c, f"cue {c.cue:g}, {c.mix}") for c in known}


def quantities(trials: Sequence[Trial], method: str) -> pd.DataFrame:
    """What validation videos say of each trial, and what the method then gained on test videos.

    Returns:
        One row per trial, indexed by its name: a column for each of ``BEFORE`` and ``AFTER``
        (fractions) and ``gain`` (:class:`Interval`, on test videos at the K that validation videos
        chose).
    """
    rows = {each.name: _of_trial(each, method) for each in trials}
    columns = [*BEFORE, *AFTER, "gain"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def _of_trial(trial: Trial, method: str) -> dict[str, float | Interval]:
    val = trial.val

    def accuracy(name: str, k: int | None = None) -> float:
        return float(val.by_seed(name, val.best_k(name) if k is None else k).mean())

    dense, gap = accuracy("dense"), accuracy(ORACLE, 1) - accuracy("dense")
    skill = trial.mean("within_video_auroc", method, "val")
    return {
        "constant": 1.0,
        "dense_accuracy": dense,
        "clip_accuracy": trial.mean("clip_accuracy", SOFTMAX, "val"),
        "oracle_gap": gap,
        "sure_when_wrong": trial.mean("sure_when_wrong", SOFTMAX, "val"),
        "teacher_auroc": trial.mean("within_video_auroc", SOFTMAX, "val"),
        "softmax_gain": accuracy(SOFTMAX) - dense,
        "student_auroc": skill,
        "gap_times_skill": gap * (2 * skill - 1),
        "validation_gain": accuracy(method) - dense,
        "gain": trial.gain(method),
    }


def fit_rules(table: pd.DataFrame, names: Mapping[str, str]) -> list[Rule]:
    """A line for each quantity, the smallest left-out error first.

    Args:
        table: From :func:`quantities`; the settings to learn from.
        names: Which quantities: ``BEFORE`` or ``AFTER``. One that is not known of some setting is
            left out.

    Returns:
        Nothing where there are fewer than ``FEWEST`` settings.
    """
    if len(table) < FEWEST:
        return []
    gain = _values(table["gain"])
    known = [name for name in names if table[name].notna().all()]
    rules = [_fit(name, table[name].to_numpy(float), gain) for name in known]
    return sorted(rules, key=lambda rule: rule.left_out_error)


def judge(rule: Rule, table: pd.DataFrame, worth: float) -> dict[str, Interval | float | int]:
    """How well a rule predicts settings that it was not fitted to.

    Args:
        rule: The rule.
        table: From :func:`quantities`.
        worth: The gain from which on one would skip clips; a fraction.

    Returns:
        ``n`` settings; ``error``, the mean absolute one, from that of the setting with the least to
        that with the largest (:class:`Interval`; a range, no confidence interval), and ``bias``,
        the mean of predicted minus measured; ``inside``, how many predictions lie in the measured
        interval; ``agree``, how many fall on the same side of ``worth`` as what was measured;
        ``clear`` and ``agree_clear``, how many measured intervals exclude ``worth``, and of these
        how many agree.
    """
    predicted, gain = rule.predict(table), _values(table["gain"])
    error = np.abs(predicted - gain)
    intervals = list(table["gain"])
    agree = (predicted > worth) == (gain > worth)
    clear = np.array([interval.excludes(worth) for interval in intervals], bool)
    inside = [i.low <= p <= i.high for i, p in zip(intervals, predicted, strict=True)]
    return {
        "n": len(table),
        "error": mean_and_range(error),
        "bias": float((predicted - gain).mean()) if len(table) else np.nan,
        "inside": sum(inside),
        "agree": int(agree.sum()),
        "clear": int(clear.sum()),
        "agree_clear": int(agree[clear].sum()),
    }


def verdict(rule: Rule, table: pd.DataFrame, worth: float) -> str:
    """What :func:`judge` says, in a sentence."""
    judged = judge(rule, table, worth)
    return (
        f"off by {_ranging(judged['error'], 'points ')}, bias "
        f"{100 * judged['bias']:+.1f}; right about "
        f"{100 * worth:g} points in {judged['agree']} of {judged['n']}, where the measurement is "
        f"clear in {judged['agree_clear']} of {judged['clear']}"
    )


def rule_table(
    rules: Sequence[Rule], tables: Mapping[str, pd.DataFrame], worth: float
) -> pd.DataFrame:
    """Every rule's errors, on the settings it was fitted to (left out one by one) and on others.

    Returns:
        Indexed by quantity: ``rule`` (in percent); ``left out`` (mean absolute error, in points);
        and for each of ``tables`` its ``error`` in points, with its range over settings, and how
        many ``agree``, as ``3 of 4``.
    """
    rows = {}
    for rule in rules:
        row = {"rule": str(rule), "left out": round(100 * rule.left_out_error, 2)}
        for name, table in tables.items():
            judged = judge(rule, table, worth)
            row[f"{name}: error"] = _ranging(judged["error"])
            row[f"{name}: agree"] = f"{judged['agree']} of {judged['n']}"
        rows[rule.quantity] = row
    return pd.DataFrame.from_dict(rows, orient="index")


def _ranging(error: Interval, unit: str = "") -> str:
    """A mean error in points with its range, as ``4.6 (0.3 to 11.5)``."""
    mean, least, most = error.texts()
    return f"{mean} {unit}({least} to {most})"


def _fit(name: str, x: NDArray[np.float64], gain: NDArray[np.float64]) -> Rule:
    kept = ~np.eye(len(x), dtype=bool)
    lines = [_line(x[rows], gain[rows]) for rows in kept]
    left_out = [abs(a + b * at - y) for (a, b), at, y in zip(lines, x, gain, strict=True)]
    return Rule(name, *_line(x, gain), float(np.mean(left_out)))


def _line(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float]:
    """Least squares; level where all x are the same."""
    centred = x - x.mean()
    spread = (centred**2).sum()
    slope = float(centred @ y / spread) if spread > 1e-12 else 0.0
    return float(y.mean() - slope * x.mean()), slope


def _values(intervals: ArrayLike) -> NDArray[np.float64]:
    return np.array([interval.value for interval in intervals], float)
