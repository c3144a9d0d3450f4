"""Accuracy against measured time: does adaptive inference beat every fixed K at equal cost?

``python benchmarks/pareto.py`` judges, on the test videos of the embedded benchmark, every way of
sharing a video's clips between teacher and student, and students of several sizes. Accuracy comes
from the clip tables; thresholds, powers and which setting to compare were chosen on validation
videos. Time is measured: each setting classifies the same files, decoding included, all settings in
turns in one run, video by video (``predict``) and many at once (``predict_many``). What must be
trained for it (see ``student_sizes.py``) is found again. A figure is drawn, too.
"""

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from policy_settings import ADAPTIVE, DIVISION, FIXED, WEIGHTED, ways_to_compare
from student_sizes import FULL, MARGIN, SIZES, sized

from condi_lib import plotting
from condi_lib.analysis.stopwatch import classifiers_of, machine, one_thread, time_in_turns
from condi_lib.analysis.ways import Way, judge
from condi_lib.evaluation import best_within, pareto_front
from condi_lib.plotting.style import METHODS, MethodStyle
from condi_lib.selective import SelectiveClassifier
from condi_lib.statistics import Interval, bootstrap_difference
from condi_lib.study import read_study
from condi_lib.study.datasets import videos_root
from condi_lib.study.study import Study

COSTS = {
    "ms": "ms",
    "ms_cpu": "ms of processor",
    "ms_many": "ms of many",
    "mmacs": "MMACs",
}
FEW = ("1", "2", "3")  # of the fixed K, in the second panel
LOOKS = {
    FIXED: replace(METHODS["condi_sr"], label="K clips of highest z̃"),
    WEIGHTED: MethodStyle("K clips, weighted by a power of z̃", "#7F5F2A", "v"),
    ADAPTIVE: replace(METHODS["adaptive"], linestyle="-"),
    DIVISION: METHODS["division"],
    "random": METHODS["random"],
    "equidistant": METHODS["equidistant"],
    "dense": replace(METHODS["dense"], marker="8"),
}
LOOKS |= {  # adaptive, with students of other sizes
    name: MethodStyle(f"adaptive, {name}", colour, marker)
    for name, colour, marker in zip(
        [name for name in SIZES if name != FULL],
        ("#111111", "#CC6677", "#DDAA33", "#88CCEE", "#117733", "#44AA99", "#999933"),
        "^s<>vXp",
        strict=True,
    )
}


def judged_rows(
    studies: dict[str, Study], ways: dict[str, list[Way]]
) -> tuple[pd.DataFrame, list[NDArray[np.float64]]]:
    """One row per student's size and way, and whether each test video is right, ``[S, V]``."""
    parts, correct = [], []
    for size, study in studies.items():
        val, test = (judge(study, ways[size], split) for split in ("val", "test"))
        rows = test.rows().reset_index().assign(size=size)
        names = list(test.correct)
        parts.append(rows.assign(val_accuracy=[val.accuracy_of(name) for name in names]))
        correct += [test.correct[name] for name in names]
    return pd.concat(parts, ignore_index=True), correct


def measure(
    studies: dict[str, Study], ways: dict[str, list[Way]], n_videos: int, rounds: int
) -> pd.DataFrame:
    """Milliseconds per video, a row for each size and way.

    ``ms``: one video at a time, ``ms_cpu``: processor time of all its threads; ``ms_many``: many
    videos at once. Of each file, or of all at once, the median over rounds counts, then the mean
    over files and seeds; ``ms_low`` and ``ms_high`` are quartiles over rounds.

    Args:
        studies: By the student's size.
        ways: The same.
        n_videos: Test videos, evenly spread, for each seed.
        rounds: How often each is classified.
    """
    base = studies[FULL]
    videos = base.videos().query("split == 'test'")["video_id"]
    places = np.linspace(0, len(videos) - 1, n_videos).round().astype(int)
    files = [videos_root(base.spec.dataset) / videos.iloc[place] for place in places]
    alone, many = [], []
    for seed in base.seeds:
        runners = [
            runner
            for size, study in studies.items()
            for runner in classifiers_of(study, (seed, ""), ways[size]).values()
        ]
        for file in files:
            took = time_in_turns(runners, file, rounds)
            alone.append([[(each.ms, each.cpu_ms) for each in mine] for mine in took])
        many.append([_many(runner, files, rounds) for runner in runners])
    clock, processor = np.moveaxis(np.array(alone), -1, 0)  # [seeds x files, ways, rounds]
    low, high = np.percentile(clock.mean(axis=0), [25, 75], axis=1)
    columns = {"ms": np.median(clock, axis=2).mean(axis=0), "ms_low": low, "ms_high": high}
    columns["ms_cpu"] = np.median(processor, axis=2).mean(axis=0)
    columns["ms_many"] = np.mean(many, axis=0)
    return pd.DataFrame(columns)


def _many(runner: SelectiveClassifier, files: Sequence[Path], rounds: int) -> float:
    """Median milliseconds per video of all of them together."""
    found = []
    for _ in range(rounds):
        start = time.perf_counter()
        n_answers = len(list(runner.predict_many(files)))
        found.append(1000 * (time.perf_counter() - start) / n_answers)
    return float(np.median(found))


def table_lines(rows: pd.DataFrame) -> Iterator[str]:
    """The table, for people; ``*`` marks what no other setting beats at that cost."""
    yield (
        f"{'student':25s} {'policy':18s} {'':12s} teacher "
        + "".join(f"{name:>14s} " for name in COSTS.values())
        + "  accuracy"
    )
    fronts = {cost: pareto_front(rows[cost], rows["video_accuracy"]) for cost in COSTS}
    for at, row in rows.iterrows():
        costs = "".join(f"{row[cost]:13.2f}{' *'[int(fronts[cost][at])]} " for cost in COSTS)
        accuracy = Interval(row["video_accuracy"], row["low"], row["high"])
        yield (
            f"{row['size']:25s} {row['family']:18s} {row['setting']:12s} "
            f"{row['teacher_clips']:7.2f} {costs}  {accuracy}"
        )


def verdict_lines(
    correct: Sequence[NDArray], rows: pd.DataFrame, cost: str, sizes: Sequence[str]
) -> Iterator[str]:
    """For each fixed K the best adaptive setting of at most its cost, and the difference.

    And the cheapest one that is as accurate: both chosen by accuracy on validation videos.

    Args:
        correct: Whether each test video is right, ``[S, V]``, by row.
        rows: All settings and what they cost.
        cost: Column of the cost.
        sizes: Students that the adaptive settings may have; the fixed K have the full one.
    """
    adaptive = rows[(rows["family"] == ADAPTIVE) & rows["size"].isin(sizes)]
    fixed = rows[(rows["family"] == FIXED) & (rows["size"] == FULL)]
    for at, row in fixed.iterrows():
        best = best_within(adaptive[cost], adaptive["val_accuracy"], row[cost])
        if best is None:
            yield f"  K = {row['setting']:>2s} ({row[cost]:.1f}): every adaptive setting costs more"
            continue
        chosen = adaptive.index[best]
        gain = bootstrap_difference(correct[chosen], correct[at])
        yield (
            f"  K = {row['setting']:>2s} ({row[cost]:.1f}, {row['video_accuracy']:.1%}): "
            f"{named(rows.loc[chosen], cost)}, {gain:+.1%}: {verdict(gain)}"
        )
        as_good = adaptive[adaptive["val_accuracy"] >= row["val_accuracy"]]
        if len(as_good) and (cheapest := as_good[cost].idxmin()) != chosen:
            gain = bootstrap_difference(correct[cheapest], correct[at])
            yield (
                f"{'':14s}cheapest that is as good on validation videos: "
                f"{named(rows.loc[cheapest], cost)}, {gain:+.1%}: {verdict(gain)}"
            )


def verdict(gain: Interval) -> str:
    """What a difference in accuracy says."""
    if gain.low > 0:
        return "beats it"
    if gain.high < 0:
        return "loses"
    return "equal" if gain.low > -MARGIN and gain.high < MARGIN else "undecided"


def named(row: pd.Series, cost: str) -> str:
    """A setting and its cost."""
    return f"{row['size']}, at most {row['setting']} ({row[cost]:.1f})"


def figure(rows: pd.DataFrame) -> plt.Figure:
    """Two panels: all policies with the study's own student; adaptive with every student."""
    fig, (left, right) = plt.subplots(1, 2, figsize=(13, 5.4))
    rows = rows.assign(cost=rows["ms"])
    rows.loc[rows["family"].isin([ADAPTIVE, WEIGHTED]), "setting"] = ""
    own = rows["size"] == FULL
    few = own & (rows["family"] == FIXED) & rows["setting"].isin(FEW)
    by_size = rows[(rows["family"] == ADAPTIVE) | few]
    by_size = by_size.assign(family=by_size["family"].where(own, by_size["size"]))
    xlabel = "ms per video, decoding included"
    plotting.accuracy_over_cost(left, _with_front(rows[own]), xlabel, LOOKS)
    shown = [FIXED, ADAPTIVE]  # the others' intervals are as wide, and would hide the points
    plotting.accuracy_over_cost(right, _with_front(by_size), xlabel, LOOKS, interval_of=shown)
    left.set_title("One student, every policy")
    right.set_title("Adaptive, with students of other sizes")
    return fig


def _with_front(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(on_front=pareto_front(rows["cost"], rows["video_accuracy"]))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--study", default="embedded", help="`full` has five seeds")
    parser.add_argument("--sizes", nargs="*", choices=[*SIZES], default=[*SIZES])
    parser.add_argument(
        "--videos", type=int, default=24, help="timed with each setting, over all seeds"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path, help="FILE.csv")
    return parser.parse_args()


def main() -> None:
    """Judge, measure, print the table and the verdict, draw."""
    chosen = parse()
    base = read_study(chosen.study)
    studies = {name: sized(base, SIZES[name]) for name in dict.fromkeys([FULL, *chosen.sizes])}
    ways = {size: ways_to_compare(study, size == FULL) for size, study in studies.items()}
    judged, correct = judged_rows(studies, ways)
    n_videos = -(-chosen.videos // len(base.seeds))
    with one_thread():
        times = measure(studies, ways, n_videos, chosen.rounds)
    rows = pd.concat([judged, times], axis=1)
    if chosen.output:
        rows.to_csv(chosen.output, index=False)
    print(f"study {base.name}, {len(base.seeds)} seed(s), {correct[0].shape[1]} test videos")
    print(f"timed: {n_videos} files per seed, {chosen.rounds} rounds, medians; ", end="")
    print(f"one thread computes, one decodes; {machine()}; * is on the front")
    print(*table_lines(rows), sep="\n")
    for cost, sizes in (("ms", [FULL]), ("ms", studies), ("ms_cpu", [FULL]), ("mmacs", studies)):
        whose = "the same student" if len(sizes) == 1 else "a student of any size"
        print(f"\nadaptive with {whose} against K clips at no higher cost ({COSTS[cost]}):")
        print(*verdict_lines(correct, rows, cost, list(sizes)), sep="\n")
    plotting.use_style()
    parameters = {"videos": chosen.videos, "rounds": chosen.rounds, "sizes": [*studies]}
    fig = figure(rows)
    print(plotting.save_figure(fig, "pareto", "benchmarks", parameters, studies[FULL].provenance))


if __name__ == "__main__":
    main()
