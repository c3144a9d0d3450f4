"""Real videos beside the embedded benchmark: one small table of numbers, with its control.

What chapters 01, 02, 05 and 06 find on a data set that may not be committed, as tidy rows. K is
chosen on validation videos throughout; intervals are over videos.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from condi_lib import paths
from condi_lib.analysis.controls import size_and_length_hits
from condi_lib.analysis.divisions import division_surface, votes_at_equal_cost
from condi_lib.analysis.findings import SURE
from condi_lib.analysis.results import SOFTMAX, clip_scores, sweep
from condi_lib.analysis.savings import break_even_k, mean_times, saved
from condi_lib.analysis.tables import best_k_table
from condi_lib.analysis.times import times_of
from condi_lib.analysis.ways import PAPER_K, adaptive_ways, confident_student, judge, top_k_ways
from condi_lib.statistics import Interval, bootstrap_mean
from condi_lib.study.study import Study

FILE = "real_videos.csv"
COLUMNS = ["chapter", "quantity", "method", "setting", "value", "low", "high"]
Row = tuple[str, str, str, str, float, float, float]


def export_real_videos(study: Study, folder: Path, method: str = "condi_sr") -> pd.DataFrame:
    """Compute the table and write ``real_videos.csv``.

    Args:
        study: A study of real videos; what is missing is computed.
        folder: Where to write; made if missing.
        method: The student to look into.

    Returns:
        One row per number: ``study``, ``chapter`` (``"control"``, ``"01"``, …), ``quantity``,
        ``method``, ``setting`` (K, K_t+K_s, a budget), ``value, low, high`` (fractions, but
        ``milliseconds`` and ``break-even K``; NaN where there is no interval), ``n_videos``,
        ``n_seeds``.
    """
    method = confident_student(study, method)
    parts = (_control(study), _oracle(study), _students(study), _division(study, method))
    rows = [row for part in (*parts, _efficiency(study, method)) for row in part]
    table = pd.DataFrame(rows, columns=COLUMNS).round(5)
    n_videos = len(size_and_length_hits(study)[0])
    table = table.assign(n_videos=n_videos, n_seeds=len(study.seeds))
    table.insert(0, "study", study.name)
    folder.mkdir(parents=True, exist_ok=True)
    table.to_csv(folder / FILE, index=False)
    return table


def read_real_videos() -> pd.DataFrame:
    """The committed table; see :func:`export_real_videos`."""
    text = {"chapter": str, "setting": str, "method": str}
    return pd.read_csv(paths.reference_dir() / FILE, dtype=text, keep_default_na=False,
                       na_values={name: [""] for name in ("value", "low", "high")})  # fmt: skip


def _row(chapter: str, quantity: str, method: str, setting: object, found: Interval) -> Row:
    return chapter, quantity, method, f"{setting}", found.value, found.low, found.high


def _plain(chapter: str, quantity: str, method: str, setting: object, value: float) -> Row:
    return chapter, quantity, method, f"{setting}", value, np.nan, np.nan


def _control(study: Study) -> Iterator[Row]:
    hits, labels = size_and_length_hits(study)
    yield _row("control", "video accuracy", "size and length of the file", "", bootstrap_mean(hits))
    chance = float(np.bincount(labels).max() / len(labels))
    yield _plain("control", "video accuracy", "most frequent class", "", chance)


def _oracle(study: Study) -> Iterator[Row]:
    result = sweep(study, "test", ("dense", "oracle", "random", "equidistant"))
    yield _row("01", "video accuracy", "dense", "", result.accuracy("dense", 1))
    for name in ("oracle", "random", "equidistant"):
        yield _row("01", "video accuracy", name, 1, result.accuracy(name, 1))
        yield _row("01", "over dense", name, 1, result.gain(name, 1))
    scores = clip_scores(study, "test")
    wrong = ~scores["correct"]
    yield _row("01", "wrong clips", "teacher", "", _by_video(scores, wrong))
    sure = scores[wrong]
    share = (sure[SOFTMAX] >= SURE).mean()
    yield _plain("01", "sure ones among wrong clips", "teacher", SURE, float(share))


def _by_video(scores: pd.DataFrame, what: pd.Series) -> Interval:
    """Share of clips, its interval by resampling videos; all have weight by their clips."""
    per_video = what.groupby(scores["video_id"]).agg(["sum", "count"])
    weight = per_video["count"] / per_video["count"].mean()
    return bootstrap_mean(per_video["sum"] / per_video["count"] * weight)


def _students(study: Study) -> Iterator[Row]:
    val, test = (sweep(study, split) for split in ("val", "test"))
    table = best_k_table(val, test, [*study.students, SOFTMAX])
    for name, row in table.iterrows():
        yield _row("02", "video accuracy", name, row["K"], row["accuracy"])
        yield _row("02", "over dense", name, row["K"], row["over_dense"])


def _division(study: Study, method: str) -> Iterator[Row]:
    val, result = (division_surface(study, method, split) for split in ("val", "test"))
    for k in (k for k in PAPER_K[2:] if k <= result.longest):
        for s, row in result.changes(k).iterrows():
            setting = f"{k - s}+{s}"
            yield _row("05", "video accuracy", "division", setting, row["accuracy"])
            if s:
                yield _row("05", "over K_s = 0", "division", setting, row["change"])
    for t, row in votes_at_equal_cost(val, result).iterrows():
        setting = f"{t}+{row['k_student']}"
        yield _row("05", "votes at equal cost", "division", setting, row["gain"])
    k = sweep(study, "val", (method,)).best_k(method)
    ways = [*top_k_ways(study, method, [k]), *adaptive_ways(study, method)]
    judged = judge(study, ways)
    for name in list(judged.correct)[1:]:
        yield _row("05", "video accuracy", *name, judged.accuracy(name))
        yield _row("05", f"over K = {k} by {method}", *name, judged.gain(name, (method, f"{k}")))


def _efficiency(study: Study, method: str) -> Iterator[Row]:
    times = times_of(study, method)
    mean = mean_times(times)
    names = [("dense", ""), ("division", "0+1"), *[(method, f"{k}") for k in PAPER_K]]
    for name in (name for name in names if name in mean.index):
        row = mean.loc[name]
        yield (*("06", "milliseconds", *name), row["ms"], row["ms_low"], row["ms_high"])
        if name[0] != "dense":
            yield _row("06", "time saved", *name, saved(times, name))
    for column, what in (("ms", "by the clock"), ("cpu_ms", "by processor time")):
        k = break_even_k(times, method, column)
        yield _plain("06", f"break-even K {what}", method, "", k.value)


def describe(table: pd.DataFrame) -> Iterator[str]:
    """Say the main results and the control in sentences, a line each."""

    def find(chapter: str, quantity: str, method: str) -> pd.Series:
        query = "chapter == @chapter and quantity == @quantity and method == @method"
        return table.query(query).iloc[0]

    def told(row: pd.Series, spec: str = ".1%") -> str:
        interval = Interval(row["value"], row["low"], row["high"])
        return f"{interval:{spec}}"

    first = table.iloc[0]
    yield f"{first['study']}: {first['n_videos']} real videos, {first['n_seeds']} seed(s)"
    control = find("control", "video accuracy", "size and length of the file")
    chance = find("control", "video accuracy", "most frequent class")["value"]
    yield f"control, size and length of the file alone: {told(control)} (chance {chance:.1%})"
    oracle, gain = (find("01", what, "oracle") for what in ("video accuracy", "over dense"))
    dense = told(find("01", "video accuracy", "dense"))
    yield f"dense {dense}, oracle at K = 1 {told(oracle)}, over dense {told(gain, '+.1%')}"
    wrong, sure = (
        find("01", what, "teacher") for what in ("wrong clips", "sure ones among wrong clips")
    )
    yield (
        f"the teacher gets {told(wrong)} of the clips wrong; of these "
        f"it is sure (max softmax of at least {sure['setting']}) on {sure['value']:.1%}"
    )
    gains = table.query("chapter == '02' and quantity == 'over dense'")
    for _, row in gains.iterrows():
        yield f"{row['method']} at K = {row['setting']}, over dense: {told(row, '+.1%')}"


def with_intervals(table: pd.DataFrame) -> pd.DataFrame:
    """The rows for people: each number with its interval as one text.

    Returns:
        Indexed by ``chapter, quantity, method, setting``: ``found``.
    """
    plain = table["quantity"].str.startswith(("milliseconds", "break-even"))
    texts = []
    for is_plain, (_, row) in zip(plain, table.iterrows(), strict=True):
        found = Interval(row["value"], row["low"], row["high"])
        text = format(found, ".1f" if is_plain else ".1%")
        texts.append(text.partition(" [nan")[0])
    index = pd.MultiIndex.from_frame(table[["chapter", "quantity", "method", "setting"]])
    return pd.DataFrame({"found": texts}, index)
