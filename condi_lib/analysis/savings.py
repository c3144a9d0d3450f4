"""What measured times say: how much skipping clips saves, and from how many clips on it does not.

Times are those of :func:`condi_lib.analysis.times.times_of`. Intervals are bootstrapped over the
timed files; a saving is relative to dense on the same file.
"""

import numpy as np
import pandas as pd

from condi_lib import paths
from condi_lib.analysis.stopwatch import MADE, TEST
from condi_lib.analysis.ways import DIVISION, Name
from condi_lib.statistics import Interval, bootstrap_mean

ROUNDING = 1e-9  # of a fitted line
PARTS = ("ms", "cpu_ms", "decode_ms", "student_ms", "teacher_ms")


def mean_times(times: pd.DataFrame) -> pd.DataFrame:
    """What each way takes for a test video.

    Returns:
        Indexed by ``family, setting`` in the order of measuring: the means over files of ``ms``
        (and its interval over files, ``ms_low, ms_high``), ``cpu_ms, decode_ms, student_ms,
        teacher_ms``, ``teacher_clips``.
    """
    timed = times[times["videos"] == TEST].groupby(["family", "setting"], sort=False)
    found = timed[[*PARTS, "teacher_clips"]].mean()
    intervals = [bootstrap_mean(group["ms"]) for _, group in timed]
    return found.assign(
        ms_low=[each.low for each in intervals], ms_high=[each.high for each in intervals]
    )


def saved(times: pd.DataFrame, name: Name, column: str = "ms") -> Interval:
    """The share of a test video's time that a way saves against dense, mean over files.

    Args:
        times: Measured times.
        name: Family and setting.
        column: ``"ms"`` by the clock, ``"cpu_ms"`` of the processor.

    Raises:
        ValueError: If that way was not timed; lists the family's settings.
    """
    return bootstrap_mean(saved_by_file(times, name, column))


def saved_by_file(times: pd.DataFrame, name: Name, column: str = "ms") -> pd.Series:
    """The same of each file: indexed by ``seed`` (whose networks classified it) and ``video``."""
    test = times[times["videos"] == TEST]
    return 1 - _of(test, name)[column] / _of(test, ("dense", ""))[column]


def _of(times: pd.DataFrame, name: Name) -> pd.DataFrame:
    """A way's rows, by seed and file, in the order of files."""
    family = times[times["family"] == name[0]]
    rows = family[family["setting"] == name[1]].set_index(["seed", "video"])
    if rows.empty:
        known = list(dict.fromkeys(family["setting"]))
        raise ValueError(f"{name[0]} {name[1]} was not timed; timed settings: {known}")
    return rows.sort_index(level="video")


def break_even_k(times: pd.DataFrame, family: str, column: str = "ms") -> int:
    """The most clips at which a method still takes less than dense, on test videos.

    A line is fitted to the mean times over K, so that one K that was timed at a bad moment does
    not decide. 0: no K pays.

    Args:
        times: Measured times.
        family: The method.
        column: See :func:`saved`.
    """
    mean = times[times["videos"] == TEST].groupby(["family", "setting"])[column].mean()
    by_k = mean[family].rename(int)
    slope, start = np.polyfit(by_k.index, by_k, 1)
    return _largest_below(start, slope, mean["dense", ""], by_k.index.max())


def break_even_macs(n_clips: int, teacher_macs: int, student_macs: int) -> int:
    """The most clips at which skimming and K clips by the teacher multiply less than dense does."""
    worth_it = [
        k for k in range(n_clips + 1) if k * teacher_macs + n_clips * student_macs
        < n_clips * teacher_macs
    ]  # fmt: skip
    return max(worth_it, default=0)


def by_length(times: pd.DataFrame, family: str, column: str = "ms") -> pd.DataFrame:
    """How time grows with the number of clips, from the videos that were made for it.

    Over K at one length, time is close to a line; where that crosses dense, skimming stops to pay.

    Args:
        times: Measured times.
        family: The method whose K are compared with dense.
        column: See :func:`saved`.

    Returns:
        Indexed by ``n_clips``: milliseconds ``dense``; of the line, ``skim`` (at K = 0) and
        ``per_clip`` (of the teacher); ``break_even``, the largest whole K, at most the number of
        clips, at which the line is below dense; ``break_even_share`` of the clips.
    """
    rows = {}
    for n_clips, part in times[times["videos"] == MADE].groupby("n_clips"):
        curve = part[part["family"] == family]
        slope, start = np.polyfit(curve["setting"].astype(int), curve[column], 1)
        dense = part.loc[part["family"] == "dense", column].mean()
        k = _largest_below(start, slope, dense, int(n_clips))
        rows[n_clips] = (dense, start, slope, k, k / n_clips)
    columns = ["dense", "skim", "per_clip", "break_even", "break_even_share"]
    return pd.DataFrame.from_dict(rows, "index", columns=columns).rename_axis("n_clips")


def _largest_below(start: float, slope: float, limit: float, most: int) -> int:
    """The largest whole K up to ``most`` with ``start + slope K < limit``; 0 if there is none."""
    below = [k for k in range(1, most + 1) if start + slope * k < limit * (1 - ROUNDING)]
    return max(below, default=0)


def growth(times: pd.DataFrame, name: Name, column: str = "ms") -> tuple[float, float]:
    """Milliseconds of any video, and of each of its clips: a line over made videos' lengths."""
    rows = _of(times[times["videos"] == MADE], name)
    per_clip, fixed = np.polyfit(rows["n_clips"], rows[column], 1)
    return float(fixed), float(per_clip)


def published_times(dataset: str, source: str = "paper table IV") -> pd.DataFrame:
    """The paper's seconds per video and accuracies: Table IV, or the thesis' Table 4.6.

    Args:
        dataset: ``"ucf101"`` or ``"kinetics-600"`` (in the thesis ``"kinetics"``).
        source: As in ``data/paper/paper_table4_time.csv``.

    Returns:
        Indexed by ``method`` and ``k`` (0: all clips): ``sec``, ``accuracy`` and ``saved`` against
        dense, both fractions.
    """
    table = pd.read_csv(paths.paper_dir() / "paper_table4_time.csv")
    table = table[(table["dataset"] == dataset) & (table["source"] == source)]
    k = table["k"].replace("all", "0").astype(int)
    sec = table["seconds_per_video"]
    dense = sec[table["method"] == "dense"].item()
    rows = {"sec": sec, "accuracy": table["accuracy"] / 100, "saved": 1 - sec / dense}
    return pd.DataFrame(rows).set_index([table["method"], k.rename("k")])


def published_divisions() -> pd.DataFrame:
    """The paper's Table V (thesis table 4.7): accuracy and time of workload divisions.

    Returns:
        Indexed by ``dataset``, ``k`` and ``k_student``: ``sec``, ``accuracy`` and ``saved`` as in
        :func:`published_times`; ``lost`` accuracy and further share of dense's time ``saved_more``
        against K_s = 0.
    """
    table = pd.read_csv(paths.paper_dir() / "paper_table5_division.csv")
    dense = table["dataset"].map(lambda name: published_times(name).loc[("dense", 0), "sec"])
    table = table.assign(accuracy=table["accuracy"] / 100, sec=table["seconds_per_video"])
    table["saved"] = 1 - table["sec"] / dense
    alone = table.groupby(["dataset", "k"])[["accuracy", "saved"]].transform("first")
    table["lost"] = alone["accuracy"] - table["accuracy"]
    table["saved_more"] = table["saved"] - alone["saved"]
    columns = ["sec", "accuracy", "saved", "lost", "saved_more"]
    return table.set_index(["dataset", "k", "k_student"])[columns]


def division_times(times: pd.DataFrame, student: str, column: str = "ms") -> pd.DataFrame:
    """Mean milliseconds of every division that was timed: a row per K_s, a column per K.

    K_s = 0 is the student's own top-K; NaN where a division was not timed.
    """
    mean = mean_times(times)[column]
    cells = {(0, int(k)): ms for k, ms in mean[student].items()}
    for name, ms in mean[DIVISION].items():
        k_teacher, k_student = map(int, name.split("+"))
        cells[k_student, k_teacher + k_student] = ms
    index = pd.MultiIndex.from_tuples(cells, names=["k_student", "k_clips"])
    table = pd.Series([*cells.values()], index).unstack("k_clips")
    divided = table.columns[table.drop(index=0).notna().any()]
    return table[divided]


def time_of_votes(times: pd.DataFrame, student: str, column: str = "ms") -> pd.DataFrame:
    """What the student's votes take beside the same number of teacher clips.

    Returns:
        Indexed by ``k_teacher``, those at which a division was timed: milliseconds ``alone``
        (K_s = 0) and ``with_votes``, the mean over the K_s that were timed.
    """
    mean = mean_times(times)[column]
    votes = mean[DIVISION].groupby(lambda name: int(name.split("+")[0])).mean()
    alone = mean[student].rename(int)
    table = pd.DataFrame({"alone": alone, "with_votes": votes}).dropna()
    return table.rename_axis("k_teacher")


def savings_rows(times: pd.DataFrame, family: str, mmacs: pd.Series) -> pd.DataFrame:
    """The share of dense's cost that K clips of a method save, by each way of counting it.

    Args:
        times: Measured times.
        family: The method.
        mmacs: Multiply-accumulates of a video, by ``family, setting``, dense among them.

    Returns:
        Tidy: ``cost`` (``ms``, ``cpu_ms``, ``macs``), ``k_clips, saved, low, high`` (fractions;
        multiply-accumulates have no interval: NaN).
    """
    rows = []
    for setting in mean_times(times).loc[family].index:
        name = (family, setting)
        for cost in ("ms", "cpu_ms"):
            found = saved(times, name, cost)
            rows.append((cost, int(setting), found.value, found.low, found.high))
        share = 1 - mmacs[name] / mmacs["dense", ""]
        rows.append(("macs", int(setting), share, np.nan, np.nan))
    return pd.DataFrame(rows, columns=["cost", "k_clips", "saved", "low", "high"])


def published_at_equal_time() -> pd.DataFrame:
    """The paper's divisions beside its own top-K, at the time that each division takes.

    Accuracies of top-K (Table IV) are interpolated in a straight line between its K = 1, 3, 5, 7.

    Returns:
        Indexed as :func:`published_divisions`, without K_s = 0: ``sec``, ``accuracy``,
        ``top_k_accuracy`` (fractions) and ``gain``, their difference.
    """
    rows = published_divisions().query("k_student > 0")
    by_dataset = {}
    for dataset, part in rows.groupby("dataset"):
        top_k = published_times(dataset).loc["condi_sr"].sort_values("sec")
        by_dataset[dataset] = np.interp(part["sec"], top_k["sec"], top_k["accuracy"])
    alone = np.concatenate(
        [by_dataset[name] for name in dict.fromkeys(rows.index.get_level_values(0))]
    )
    return rows[["sec", "accuracy"]].assign(top_k_accuracy=alone, gain=rows["accuracy"] - alone)
