"""What measured times say: how much skipping clips saves, and from how many clips on it does not.

Times are those of :func:`condi_lib.analysis.times.times_of`, as measured or :func:`pooled`.
Intervals are bootstrapped over the timed files; a saving is relative to dense on the same file.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from condi_lib import paths
from condi_lib.analysis.stopwatch import TEST
from condi_lib.analysis.ways import DIVISION, Name
from condi_lib.resampling import count_videos
from condi_lib.statistics import Interval, bootstrap_mean, percentile_interval
from condi_lib.study.study import Study

ROUNDING = 1e-9  # of a fitted line
RESAMPLES = 2000
PARTS = ("ms", "cpu_ms", "decode_ms", "student_ms", "teacher_ms")


def pooled(study: Study, times: pd.DataFrame) -> pd.DataFrame:
    """Measured times in which students of one network share their mean, file by file, K by K.

    What it takes to skim a video and show the teacher K clips depends on the student's network, not
    on the loss that it was trained with; between such students times differ by chance. Read one by
    one, the quickest of several measurements would pass for a method's merit.

    Args:
        study: Whose students.
        times: As measured.

    Returns:
        The same table; of the students' own settings ``PARTS`` are means over those students of the
        same network that were timed at this K. All else (dense, what needs no student, divisions,
        adaptive stopping) is as measured.
    """
    networks = times["family"].map({name: _network(study, name) for name in study.students})
    keys = [networks, *(times[key] for key in ("videos", "video", "seed", "fold", "setting"))]
    measured = times[[part for part in PARTS if part in times]]
    return times.assign(**measured.groupby(keys).transform("mean").fillna(measured))


def _network(study: Study, name: str) -> str:
    """What a student's time depends on: its network and what that is given to see."""
    spec = study.spec.student_of(name, study.seeds[0], study.spec.fold_names[0])
    network = spec.network
    return repr((network.backbone, sorted(network.options.items()), network.sound, spec.preprocess))


def noise(study: Study, times: pd.DataFrame, method: str, column: str = "ms") -> pd.DataFrame:
    """How far measurements of one thing lie apart: students of one network, at each K.

    Args:
        study: Whose students.
        times: As measured, not pooled.
        method: The student whose network it is.
        column: See :func:`saved`.

    Returns:
        Indexed by ``k_clips``, those at which several students were timed: ``students``, how many;
        milliseconds between the largest and the smallest of their means over test files (``range``)
        and ``sd`` of these means; ``by_chance``, the ``sd`` to expect if the students' times differ
        on each file by chance alone.
    """
    alike = [name for name in study.students if _network(study, name) == _network(study, method)]
    timed = times[(times["videos"] == TEST) & times["family"].isin(alike)]
    rows = {}
    for setting, part in timed.groupby("setting"):
        ms = part.pivot_table(column, ["seed", "video"], "family").to_numpy()  # [files, students]
        n_files, n = ms.shape
        if n > 1:
            mean = ms.mean(axis=0)
            rest = ms - mean - ms.mean(axis=1, keepdims=True) + ms.mean()
            per_file = (rest**2).sum() / ((n_files - 1) * (n - 1))
            by_chance = np.sqrt(per_file / n_files)
            rows[int(setting)] = (n, np.ptp(mean), mean.std(ddof=1), by_chance)
    columns = ["students", "range", "sd", "by_chance"]
    table = pd.DataFrame.from_dict(rows, "index", columns=columns)
    return table.rename_axis("k_clips").sort_index()


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


def apart(times: pd.DataFrame, name: Name, over: Name, column: str = "ms") -> Interval:
    """Milliseconds of one way minus those of another, mean over test files, paired by file."""
    test = times[times["videos"] == TEST]
    return bootstrap_mean(_of(test, name)[column] - _of(test, over)[column])


def clip_ratio(times: pd.DataFrame) -> Interval:
    """How many times as long the teacher computes on a test video's clips as its student does."""
    test = times[times["videos"] == TEST]
    teacher, student = _of(test, ("dense", ""))["teacher_ms"], _of(test, (DIVISION, "0+1"))
    both = np.stack([teacher, student["student_ms"]])
    means = np.column_stack([both.mean(axis=1), both @ resamples(both.shape[1])])
    ratio = means[0] / means[1]
    return percentile_interval(float(ratio[0]), ratio[1:])


def _of(times: pd.DataFrame, name: Name) -> pd.DataFrame:
    """A way's rows, by seed and file, in the order of files."""
    family = times[times["family"] == name[0]]
    rows = family[family["setting"] == name[1]].set_index(["seed", "video"])
    if rows.empty:
        known = list(dict.fromkeys(family["setting"]))
        raise ValueError(f"{name[0]} {name[1]} was not timed; timed settings: {known}")
    return rows.sort_index(level="video")


def break_even_k(times: pd.DataFrame, family: str, column: str = "ms") -> Interval:
    """The most clips at which a method still takes less than dense, on test videos.

    A line is fitted to the mean times over K, so that one K that was timed at a bad moment does
    not decide. 0: no K pays.

    Args:
        times: Measured times.
        family: The method.
        column: See :func:`saved`.
    """
    return lines_over_k(times[times["videos"] == TEST], family, column)["break_even"]


def lines_over_k(rows: pd.DataFrame, family: str, column: str = "ms") -> dict[str, Interval]:
    """A method's time as a line over K, and where that crosses dense.

    Args:
        rows: Measured times of files of one length.
        family: The method.
        column: See :func:`saved`.

    Returns:
        Milliseconds ``dense``; of the line, ``skim`` (at K = 0) and ``per_clip`` (of the teacher);
        ``break_even``, the largest whole K timed at which the line is below dense, 0 if there is
        none. Intervals are NaN where one file was timed.
    """
    kept = rows[rows["family"] == family].assign(k=lambda part: part["setting"].astype(int))
    by_k = kept.pivot_table(column, "k", ["seed", "video"])  # a column per file
    dense = rows[rows["family"] == "dense"].groupby(["seed", "video"])[column].mean()
    per_clip, skim = np.polyfit(by_k.index, by_k, 1)
    by_file = np.stack([dense[by_k.columns], skim, per_clip])  # the line of means is the mean line
    means = np.column_stack([by_file.mean(axis=1), by_file @ resamples(by_k.shape[1])])
    found = np.vstack([means, _largest_below(*means, most=by_k.index.max())])
    names = ("dense", "skim", "per_clip", "break_even")
    return {
        name: percentile_interval(float(first), rest)
        for name, (first, *rest) in zip(names, found, strict=True)
    }


def resamples(n_files: int, seed: int = 0) -> NDArray[np.float64]:
    """Weights of files in each resample, ``[n_files, RESAMPLES]``; NaN where there is one file."""
    if n_files < 2:
        return np.full((n_files, RESAMPLES), np.nan)
    counts = [drawn for _, drawn in count_videos(n_files, RESAMPLES, seed)]
    return np.concatenate(counts).T / n_files


def _largest_below(
    limit: NDArray[np.float64], start: NDArray[np.float64], slope: NDArray[np.float64], most: int
) -> NDArray[np.float64]:
    """The largest whole K up to ``most`` with ``start + slope K < limit``; 0: none; all ``[n]``."""
    k = np.arange(1, most + 1)[:, None]
    largest = np.where(start + slope * k < limit * (1 - ROUNDING), k, 0).max(axis=0)
    return np.where(np.isnan(limit), np.nan, largest)


def break_even_macs(n_clips: int, teacher_macs: int, student_macs: int) -> int:
    """The most clips at which skimming and K clips by the teacher multiply less than dense does."""
    worth_it = [
        k for k in range(n_clips + 1) if k * teacher_macs + n_clips * student_macs
        < n_clips * teacher_macs
    ]  # fmt: skip
    return max(worth_it, default=0)


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
        (K_s = 0), ``with_votes``, the mean over the K_s that were timed, and ``more``, their
        difference on the same files (:class:`Interval`).
    """
    test = times[times["videos"] == TEST]
    divisions = test.loc[test["family"] == DIVISION, "setting"].unique()
    alone_at = set(test.loc[test["family"] == student, "setting"])
    rows = {}
    for t in sorted({t for t, _ in (name.split("+") for name in divisions)} & alone_at, key=int):
        votes = [_of(test, (DIVISION, name)) for name in divisions if name.startswith(f"{t}+")]
        with_votes = sum(part[column] for part in votes) / len(votes)
        alone = _of(test, (student, t))[column]
        rows[int(t)] = [bootstrap_mean(ms) for ms in (alone, with_votes, with_votes - alone)]
    columns = ["alone", "with_votes", "more"]
    return pd.DataFrame.from_dict(rows, "index", columns=columns).rename_axis("k_teacher")


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
