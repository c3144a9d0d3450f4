"""Ways set beside one another at equal cost: measured time or multiply-accumulates."""

from collections.abc import Sequence

import pandas as pd

from condi_lib.analysis.divisions import DivisionSurface
from condi_lib.analysis.savings import apart, mean_times, saved, saved_by_file
from condi_lib.analysis.stopwatch import TEST
from condi_lib.analysis.ways import DIVISION, Judged, Name, Way, dense_way, top_k_ways
from condi_lib.evaluation import best_within, pareto_front
from condi_lib.statistics import bootstrap_mean
from condi_lib.study.study import Study


def timed_methods(study: Study, times: pd.DataFrame) -> list[Way]:
    """Dense, and every method at the K at which it was timed on test videos."""
    settings = times[times["videos"] == TEST].groupby("family", sort=False)["setting"].unique()
    ways = [dense_way(study)]
    for name in (*study.students, "equidistant", "random"):
        ways += top_k_ways(study, name, [int(k) for k in settings.get(name, [])])
    return ways


def with_times(judged: Judged, times: pd.DataFrame, cost: str = "ms") -> pd.DataFrame:
    """What ways are worth and what they take: the judged rows with measured columns.

    Only ways that were judged and timed are in it.

    Args:
        judged: What clip tables say of them.
        times: Measured times.
        cost: The column by which the front is found.

    Returns:
        Indexed by ``family, setting``: the columns of :meth:`Judged.rows` and of ``mean_times``,
        ``cost``, a copy of the one asked for, and ``on_front``: no other way costs as little and
        is as accurate.
    """
    measured = mean_times(times).drop(columns="teacher_clips")
    rows = judged.rows().join(measured, how="inner")
    front = pareto_front(rows[cost], rows["video_accuracy"])
    return rows.assign(cost=rows[cost], on_front=front)


def best_at_equal_cost(
    val: Judged, test: Judged, times: pd.DataFrame, base: Sequence[Name], families: Sequence[str]
) -> pd.DataFrame:
    """What is best within the cost of some ways: of other families, and of the ways' own.

    The own family is not held to the way that sets the limit, where a cheaper one is better.

    Args:
        val: Judged on validation videos, which choose.
        test: Judged on the videos to report.
        times: Measured times, what a way costs.
        base: The ways that set the limits.
        families: From which to choose.

    Returns:
        One row per base way and family: ``base`` and ``limit``, its cost; ``own``, the best setting
        of its own family within it; ``family``, ``chosen`` (a setting, None where all cost more),
        its ``cost``; ``apart``, what it takes minus the limit (:class:`Interval` over timed files),
        and ``gain`` over ``own`` (:class:`Interval` on test videos, paired by video; both None).
    """
    rows, cost = [], mean_times(times)["ms"]
    accuracy = pd.Series(
        {name: val.accuracy_of(name) for name in cost.index if name in val.correct}
    )

    def best(family: str, limit: float) -> Name | None:
        mine = accuracy[[name for name in accuracy.index if name[0] == family]]
        at = best_within(cost[mine.index], mine, limit) if len(mine) else None
        return None if at is None else mine.index[at]

    for name in base:
        own = best(name[0], cost[name]) or name
        for family in families:
            chosen = best(family, cost[name])
            rows.append(
                {
                    "base": f"{name[0]} {name[1]}".strip(),
                    "limit": cost[name],
                    "own": own[1],
                    "family": family,
                    "chosen": None if chosen is None else chosen[1],
                    "cost": None if chosen is None else cost[chosen],
                    "apart": None if chosen is None else apart(times, chosen, name),
                    "gain": None if chosen is None else test.gain(chosen, own),
                }
            )
    return pd.DataFrame(rows)


def division_savings(
    surface: DivisionSurface, times: pd.DataFrame, student: str, k_clips: Sequence[int]
) -> pd.DataFrame:
    """What division loses in accuracy and saves in time, as the paper's Table V tells it.

    Args:
        surface: Of the videos to report.
        times: Measured times.
        student: Whose divisions.
        k_clips: Which K.

    Returns:
        Indexed by ``k_clips`` and ``k_student``, of the divisions that were timed: ``accuracy``,
        its ``change`` against K_s = 0, the share of dense's time ``saved``, and ``saved_more`` than
        with K_s = 0 (all :class:`Interval`).
    """
    timed = set(times.loc[times["family"] == DIVISION, "setting"])
    rows = {}
    for k in k_clips:
        alone, changes = saved_by_file(times, (student, f"{k}")), surface.changes(k)
        for s in range(1, k + 1):
            if (name := f"{k - s}+{s}") in timed:
                divided = (DIVISION, name)
                more = bootstrap_mean(saved_by_file(times, divided) - alone)
                found = changes.loc[s, ["accuracy", "change"]]
                rows[k, s] = (*found, saved(times, divided), more)
    columns = ["accuracy", "change", "saved", "saved_more"]
    table = pd.DataFrame.from_dict(rows, "index", columns=columns)
    return table.set_index(pd.MultiIndex.from_tuples(rows, names=["k_clips", "k_student"]))
