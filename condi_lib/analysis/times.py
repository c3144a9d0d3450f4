"""The table of measured times of a study: measured when first asked for, then read.

Clip tables say what a way of classifying would answer, not how long it takes; so times are a result
table of their own. They are kept beside the study's runs; those of the reference are committed with
it.
"""

import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from condi_lib.analysis.results import longest_video
from condi_lib.analysis.stopwatch import (
    MADE,
    TEST,
    classifiers_of,
    machine,
    made_files,
    one_thread,
    test_files,
    time_in_turns,
    timed_rows,
)
from condi_lib.analysis.ways import (
    PAPER_K,
    Way,
    adaptive_ways,
    dense_way,
    division_ways,
    pairs_of,
    top_k_ways,
)
from condi_lib.digests import digest
from condi_lib.locks import alone
from condi_lib.study.plan import study_folder
from condi_lib.study.specs import run_name
from condi_lib.study.study import FolderStore, Study

TIMES = "times.csv"
VERSION = 1  # raise it when times measured by older code should not be read any more
LENGTHS = (3, 6, 12, 24, 48)  # clips of the videos that are made to see how time grows
LIVE_SEC, REFERENCE_SEC = 30.0, 600.0  # about how long measuring may take


class _Effort(NamedTuple):
    """How thoroughly times are measured."""

    files: int  # test files at most
    made: int  # files of each length that are made
    rounds: int  # in each of which every way classifies the file once


GLANCE_SEC = 5.0  # measuring no longer only shows that it can be done
EFFORTS = {  # by the longest time that they are for
    GLANCE_SEC: _Effort(files=2, made=1, rounds=1),
    LIVE_SEC: _Effort(files=4, made=1, rounds=3),
    np.inf: _Effort(files=12, made=3, rounds=5),
}


def times_of(study: Study, method: str = "condi_sr", budget_sec: float = LIVE_SEC) -> pd.DataFrame:
    """The study's measured times: read, or measured now.

    Args:
        study: The study; the reference's times are read only.
        method: The student of the divisions, of adaptive stopping and of other lengths.
        budget_sec: About how long measuring may take; each way is timed a few times at least.

    Returns:
        One row per way and file: ``videos`` (``test``, or ``made`` to a length), ``video, n_clips,
        seed, fold``, ``family, setting``, ``teacher_clips, student_clips``; medians over
        ``rounds``: ``ms`` by the clock with its quartiles ``ms_low, ms_high``, ``cpu_ms``, and in
        it ``decode_ms, student_ms, teacher_ms``; ``threads`` that compute, and the ``machine``.

    Raises:
        FileNotFoundError: If the reference has no times.
        ValueError: If they are of another student.
    """
    if isinstance(study.store, FolderStore):
        path = study.store.folder / TIMES
        if not path.exists():
            raise FileNotFoundError(f"{path}: not in the committed reference; run `make reference`")
        return _checked(_read(path), path, method)
    runs = [run_name(study.spec.teacher_of(*pair)) for pair in pairs_of(study)]
    runs += [
        run_name(study.spec.student_of(n, *p)) for p in pairs_of(study) for n in study.students
    ]
    key = digest({"runs": runs, "method": method, "version": VERSION})
    path = study_folder(study.name) / f"times-{key}.csv"
    with alone(path, "waiting for another process that measures times"):
        if not path.exists():
            _write(measure_times(study, method, budget_sec), path)
    return _read(path)


def measure_times(study: Study, method: str, budget_sec: float) -> pd.DataFrame:
    """Measure the table that :func:`times_of` describes; networks are trained if need be."""
    thorough = budget_sec > LIVE_SEC
    effort = next(of for most_sec, of in EFFORTS.items() if budget_sec <= most_sec)
    ways = timed_ways(study, method, thorough)
    with one_thread(), tempfile.TemporaryDirectory() as folder:
        first, *_ = test_files(study, 1)
        start = time.perf_counter()
        time_in_turns(list(classifiers_of(study, first.pair, ways).values()), first.path, 1)
        n_passes = 0.75 * budget_sec / (time.perf_counter() - start)
        n_files = int(np.clip(n_passes // effort.rounds, 2, effort.files))
        files = test_files(study, n_files)
        rows = [timed_rows(study, ways, video, effort.rounds) for video in files]
        for n_clips in LENGTHS:
            other = ways_of_length(study, method, n_clips)
            for video in made_files(study, n_clips, Path(folder), effort.made):
                rows.append(timed_rows(study, other, video, effort.rounds))
    return pd.concat(rows, ignore_index=True).assign(threads=1, machine=machine())


def timed_ways(study: Study, method: str, thorough: bool = True) -> list[Way]:
    """The ways that are timed on test videos: methods at their K, divisions, adaptive stopping.

    Args:
        study: Whose methods.
        method: The student of divisions and of adaptive stopping.
        thorough: Every method at every K; else those but ``method`` and ``equidistant`` at the
            paper's K only.
    """
    n = longest_video(study, TEST)
    few, every = [k for k in PAPER_K if k <= n], range(1, n + 1)
    ways = [dense_way(study), *top_k_ways(study, "random", few)]
    for name in (*study.students, "equidistant"):
        all_k = thorough or name in (method, "equidistant")
        ways += top_k_ways(study, name, every if all_k else few)
    ways += division_ways(study, method, division_lists(n))
    return ways + (adaptive_ways(study, method) if study.spec.student.val_split else [])


def division_lists(longest: int) -> list[tuple[int, int]]:
    """K_t and K_s of the divisions that are timed: at the paper's K, and at all clips."""
    k_clips = dict.fromkeys([*[k for k in PAPER_K if k <= longest], longest])
    return [(k - s, s) for k in k_clips for s in sorted({1, 3, 4, 5, 7, k}) if s <= k]


def describe_times(times: pd.DataFrame) -> str:
    """Say in a sentence how times were measured, and where."""
    files = times.loc[times["videos"] == TEST, "video"].nunique()
    rounds, threads, where = times.loc[0, ["rounds", "threads", "machine"]]
    taken = "once" if rounds == 1 else f"medians of {rounds} rounds"
    return (
        f"Times: {files} test files, {taken}, all ways in turns; {threads} "
        f"thread computes, one decodes; {where}."
    )


def ways_of_length(study: Study, method: str, n_clips: int) -> list[Way]:
    """The ways that are timed on videos made to a length."""
    shares = {round(n_clips * share) for share in (0.25, 0.5, 0.75, 1)}
    k_clips = sorted({k for k in (*PAPER_K, *shares) if 1 <= k <= n_clips})
    few = [k for k in PAPER_K[:2] if k <= n_clips]
    return [
        dense_way(study),
        *top_k_ways(study, method, k_clips),
        *top_k_ways(study, "equidistant", few),
        *division_ways(study, method, [(0, 1)]),
    ]


def _checked(times: pd.DataFrame, path: Path, method: str) -> pd.DataFrame:
    timed = set(times.loc[times["videos"] == MADE, "family"])
    if method not in timed:
        known = sorted(timed - {"dense", "division", "equidistant"})
        raise ValueError(f"{path}: divisions and lengths were timed with {known}, not {method!r}")
    return times


def _read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype={"setting": str, "fold": str}, keep_default_na=False)


def _write(times: pd.DataFrame, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    times.round(3).to_csv(part, index=False)
    part.replace(path)


def export_times(study: Study, folder: Path, method: str = "condi_sr") -> pd.DataFrame:
    """Measure a study's times, thoroughly, and write ``times.csv`` for the reference.

    Args:
        study: A study whose runs are in ``data/runs``.
        folder: Where to write.
        method: See :func:`times_of`.

    Returns:
        The table.
    """
    measured = measure_times(study, method, REFERENCE_SEC)
    _write(measured, folder / TIMES)
    return measured
