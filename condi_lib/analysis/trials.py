"""Trials: methods judged under one condition, their K chosen on that condition's validation videos.

A chapter that compares conditions makes one trial of each, and asks all of them the same. K, and
everything else that is chosen, comes from ``val``; ``test`` is only reported.
Shapes: S seeds, V videos, K numbers of clips.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from condi_lib.analysis.conditions import Condition, val_of
from condi_lib.analysis.findings import Findings
from condi_lib.analysis.results import WITHOUT_STUDENT, Sweep
from condi_lib.evaluation import slope_weights, weighted_sum
from condi_lib.statistics import Interval, bootstrap_mean

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Trial:
    """What methods did under one condition.

    Attributes:
        name: Says which condition, for readers.
        val: Sweep of the validation videos, which only chooses.
        test: Sweep of the videos that are reported.
        measured: Rows of ``Findings.metrics`` of both, with ``split`` ``"val"`` or ``"test"``.
    """

    name: str
    val: Sweep
    test: Sweep
    measured: pd.DataFrame

    @property
    def methods(self) -> list[str]:
        """What was judged."""
        return list(self.test.correct)

    @property
    def n_clips(self) -> int:
        """Clips of the longest video."""
        return self.test.k_clips[-1]

    def k(self, method: str) -> int:
        """The K that validation videos chose."""
        return min(self.val.best_k(method), self.n_clips)

    def accuracy(self, method: str) -> Interval:
        """Video accuracy at that K, with its interval over videos."""
        return self.test.accuracy(method, self.k(method))

    def gain(self, method: str, over: str = "dense") -> Interval:
        """Accuracy minus that of another method, each at its K, paired by video."""
        return self.test.gain(method, self.k(method), over, self.k(over))

    def by_video(self, method: str) -> Floats:
        """How often each video is right at that K, the mean over seeds, ``[V]``."""
        right = self.test.correct[method][:, :, self.test.k_clips.index(self.k(method))]
        right = right.mean(axis=0, dtype=float)
        return right if self.test.folds is None else self.test.folds.by_video(right)

    def gain_by_video(self, method: str, over: str = "dense") -> Floats:
        """The gain of each video, ``[V]``; their mean is the gain."""
        return self.by_video(method) - self.by_video(over)

    def mean(self, metric: str, method: str, split: str = "test") -> float:
        """A metric of ``Findings.metrics``, the mean over seeds; NaN where it was not measured."""
        rows = self.measured[
            (self.measured["split"] == split) & (self.measured["method"] == method)
        ]
        return float(rows[metric].mean()) if metric in rows else np.nan


def trial(
    found: Findings,
    name: str,
    students: Mapping[str, str],
    test: str = "test",
) -> Trial:
    """Judge samplers and some students on one split.

    Args:
        found: What was found out about a study.
        name: Of the trial.
        students: Which students: by name in the study, the name of the method they stand for.
        test: The split to report; K is chosen on its ``val…``.

    Raises:
        ValueError: If the study was not judged on one of the two splits.
    """
    parts = {"val": val_of(test), "test": test}
    if missing := sorted(set(parts.values()) - set(found.sweeps)):
        raise ValueError(f"nothing was found out about {missing}; there is {list(found.sweeps)}")
    wanted = {name: name for name in WITHOUT_STUDENT} | dict(students)
    sweeps = {role: _renamed(found.sweeps[split], wanted) for role, split in parts.items()}
    rows = [
        found.metrics[found.metrics["split"] == split].assign(split=role)
        for role, split in parts.items()
    ]
    measured = pd.concat(rows, ignore_index=True)
    measured["method"] = measured["method"].map(wanted)
    return Trial(name, sweeps["val"], sweeps["test"], measured.dropna(subset="method"))


def trial_of(found: Findings, condition: Condition, name: str = "") -> Trial:
    """Judge a condition's student, under the name of its loss; see :func:`trial`."""
    students = {condition.student: condition.method}
    return trial(found, name or condition.student, students, condition.test)


def gain_rows(trials: Sequence[Trial], methods: Sequence[str] = ()) -> pd.DataFrame:
    """What each method gains over dense in each trial.

    Args:
        trials: The trials.
        methods: Which methods; empty: all of each trial but dense. What a trial lacks is left out.

    Returns:
        One row per trial and method, in order: ``trial``, ``method``, ``k``, ``n_clips``, ``dense``
        and ``gain`` (:class:`Interval`, paired by video).
    """
    rows = [
        {
            "trial": each.name,
            "method": method,
            "k": each.k(method),
            "n_clips": each.n_clips,
            "dense": each.accuracy("dense"),
            "gain": each.gain(method),
        }
        for each in trials
        for method in methods or [m for m in each.methods if m != "dense"]
        if method in each.methods
    ]
    return pd.DataFrame(rows, columns=["trial", "method", "k", "n_clips", "dense", "gain"])


def gain_grid(trials: Mapping[Condition, Trial], method: str) -> pd.DataFrame:
    """A method's gain over dense as a map: a row per mix of clips, a column per strength of cue.

    Args:
        trials: By condition; of several with the same knobs the last one counts.
        method: Which.

    Returns:
        :class:`Interval`, or None where there is no trial; rows ordered by the shares of key clips
        and confusers, columns by the cue.
    """
    mixes = {c.mix: (c.key_share, c.confuser_share) for c in trials}
    rows, columns = (
        sorted(mixes, key=mixes.get),
        [f"{cue:g}" for cue in sorted({c.cue for c in trials})],
    )
    grid = pd.DataFrame(None, index=rows, columns=columns, dtype=object)
    for condition, each in trials.items():
        grid.at[condition.mix, _level(condition, "cue")] = each.gain(method)
    return grid.astype(object).where(grid.notna(), None)


def largest_gain(grids: Sequence[pd.DataFrame], least: float = 0.01) -> float:
    """The largest gain or loss on some maps, and not less than ``least``: a common scale."""
    found = [abs(gain.value) for grid in grids for gain in grid.to_numpy().ravel() if gain]
    return max([*found, least])


def complete_lines(trials: Mapping[Condition, Trial], knob: str) -> dict[str, list[Trial]]:
    """Trials by the level of one knob, so that the levels differ in it alone.

    Each level kept has the same levels of the other knob. Of a map with gaps this is the largest
    full rectangle that leaves out the levels tried with the fewest others.

    Args:
        trials: By condition, as for :func:`gain_grid`.
        knob: ``"cue"`` or ``"mix"``.
    """
    other = {"cue": "mix", "mix": "cue"}[knob]
    found: dict[str, dict[str, Trial]] = {}
    for condition, each in trials.items():
        at, beside = (_level(condition, name) for name in (knob, other))
        found.setdefault(at, {})[beside] = each
    fullest = sorted(found, key=lambda level: -len(found[level]))
    kept: list[str] = []
    common: list[str] = []
    for n in range(1, len(fullest) + 1):
        shared = [o for o in found[fullest[0]] if all(o in found[lv] for lv in fullest[:n])]
        if n * len(shared) > len(kept) * len(common):
            kept, common = fullest[:n], shared
    order = {_level(c, knob): c.cue if knob == "cue" else c.knobs[:2] for c in trials}
    return {level: [found[level][o] for o in common] for level in sorted(kept, key=order.get)}


def _level(condition: Condition, knob: str) -> str:
    return condition.mix if knob == "mix" else f"{condition.cue:g}"


def mean_gain(trials: Sequence[Trial], method: str, over: str = "dense") -> Interval:
    """The mean over trials on different videos of a method's gain, with its interval."""
    gains = [each.gain_by_video(method, over) for each in trials]
    return weighted_sum(gains, [1 / len(trials)] * len(trials))


def gain_between(more: Sequence[Trial], less: Sequence[Trial], method: str) -> Interval:
    """The mean gain over dense in some trials minus that in others, all on different videos."""
    weights = [1 / len(more)] * len(more) + [-1 / len(less)] * len(less)
    return weighted_sum([each.gain_by_video(method) for each in (*more, *less)], weights)


def paired_gain_between(more: Trial, less: Trial, method: str, over: str = "dense") -> Interval:
    """The gain in one trial minus that in another one on the same videos, in the same order.

    Args:
        more: One trial.
        less: The other.
        method: Whose gain.
        over: Over which other method; empty: the accuracies themselves are compared.
    """
    a, b = (t.gain_by_video(method, over) if over else t.by_video(method) for t in (more, less))
    if a.shape != b.shape:
        raise ValueError(
            f"{more.name!r} has {a.size} videos, {less.name!r} {b.size}: not the same ones"
        )
    return bootstrap_mean(a - b)


def gain_slope(trials: Sequence[Trial], x: Sequence[float], method: str) -> Interval:
    """The least-squares slope of a method's gain over x, with its interval over videos.

    Args:
        trials: Two or more, on different videos.
        x: One number per trial; log2 of the number of clips gives the gain per doubling.
        method: Which.
    """
    return weighted_sum([each.gain_by_video(method) for each in trials], list(slope_weights(x)))


def _renamed(swept: Sweep, wanted: Mapping[str, str]) -> Sweep:
    correct = {new: swept.correct[old] for old, new in wanted.items() if old in swept.correct}
    return Sweep(correct, swept.k_clips, swept.folds)
