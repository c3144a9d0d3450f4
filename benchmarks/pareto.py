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
import torch
from numpy.typing import NDArray
from policy_settings import (
    ADAPTIVE,
    DIVISION,
    FIXED,
    WEIGHTED,
    Setting,
    judge,
    read_tables,
)
from student_sizes import FULL, LOSS, MARGIN, SIZES, sized

from condi_lib import plotting
from condi_lib.evaluation import best_within, pareto_front
from condi_lib.plotting.style import METHODS, MethodStyle
from condi_lib.selective import SelectiveClassifier
from condi_lib.statistics import Interval, bootstrap_difference, bootstrap_mean
from condi_lib.study import StudySpec, read_study
from condi_lib.study.datasets import videos_root
from condi_lib.study.specs import run_folder
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
    ADAPTIVE: MethodStyle("adaptive", "#6B4C9A", "D"),
    DIVISION: MethodStyle("division: K_t + K_s clips", "#44AA99", "s", ""),
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


class Stopwatch:
    """Classifies the same video files with every setting, in turns.

    Args:
        studies: By the student's size.
        n_videos: Test videos, evenly spread, for each seed.
        batch_size: Clips per forward pass.
    """

    def __init__(self, studies: dict[str, Study], n_videos: int, batch_size: int) -> None:
        self.studies, self.batch_size = studies, batch_size
        spec = studies[FULL].spec
        videos = studies[FULL].videos().query("split == 'test'")["video_id"]
        places = np.linspace(0, len(videos) - 1, n_videos).round().astype(int)
        self.files = [videos_root(spec.dataset) / videos.iloc[place] for place in places]

    def classifiers(self, settings: Sequence[Setting]) -> list[list[SelectiveClassifier]]:
        """For each setting one for each seed, from the weights that its runs left."""
        loaded = {
            size: [self._load(study.spec, seed) for seed in study.seeds]
            for size, study in self.studies.items()
        }
        return [
            [
                networks.with_policy(policy)
                for networks, policy in zip(loaded[setting.size], setting.policies, strict=True)
            ]
            for setting in settings
        ]

    def _load(self, study: StudySpec, seed: int) -> SelectiveClassifier:
        runs = study.teacher_of(seed), study.student_of(LOSS, seed)
        files = [run_folder(run) / "weights.safetensors" for run in runs]
        return SelectiveClassifier.load(*files, batch_size=self.batch_size)

    def measure(self, settings: Sequence[Setting], rounds: int) -> pd.DataFrame:
        """Return milliseconds per video, a row for each setting.

        ``ms``: one video at a time, ``ms_cpu``: processor time of all its threads; ``ms_many``:
        many videos at once. Of each file, or of all at once, the median over rounds counts, then
        the mean over files and seeds; ``ms_low`` and ``ms_high`` are quartiles over rounds.
        """
        runners = self.classifiers(settings)
        self._alone(runners, self.files[:1])  # warms up
        alone = np.stack([self._alone(runners, self.files) for _ in range(rounds)])
        many = np.stack([self._many(runners) for _ in range(rounds)])
        per_file = np.median(alone, axis=0).mean(axis=2)
        low, high = np.percentile(alone[..., 0].mean(axis=2), [25, 75], axis=0)
        columns = {"ms": per_file[:, 0], "ms_low": low, "ms_high": high}
        columns |= {"ms_cpu": per_file[:, 1], "ms_many": np.median(many, axis=0)}
        return pd.DataFrame(columns)

    def _alone(
        self, runners: Sequence[Sequence[SelectiveClassifier]], files: Sequence[Path]
    ) -> NDArray[np.float64]:
        """Milliseconds by the clock and of the processor, ``[settings, 2, seeds x files]``."""
        found: list[list[tuple[float, float]]] = [[] for _ in runners]
        for file in files:
            for at, classifiers in enumerate(runners):
                for classifier in classifiers:
                    clock, processor = time.perf_counter(), time.process_time()
                    classifier.predict(file)
                    spent = (time.perf_counter() - clock, time.process_time() - processor)
                    found[at].append(spent)
        return 1000 * np.array(found).swapaxes(1, 2)

    def _many(self, runners: Sequence[Sequence[SelectiveClassifier]]) -> NDArray[np.float64]:
        """Milliseconds per video, ``[settings]``."""
        found = []
        for classifiers in runners:
            start = time.perf_counter()
            n_answers = sum(len(list(each.predict_many(self.files))) for each in classifiers)
            found.append(1000 * (time.perf_counter() - start) / n_answers)
        return np.array(found)


def as_rows(settings: Sequence[Setting], times: pd.DataFrame) -> pd.DataFrame:
    """One row per setting: what it is, its accuracy with interval, and what it costs."""
    rows = []
    for setting in settings:
        accuracy = bootstrap_mean(setting.correct)
        rows.append(
            {
                "size": setting.size,
                "family": setting.family,
                "setting": setting.name,
                "teacher_clips": setting.n_teacher,
                "mmacs": setting.mmacs,
                "val_accuracy": setting.val_accuracy,
                "video_accuracy": accuracy.value,
                "low": accuracy.low,
                "high": accuracy.high,
            }
        )
    return pd.concat([pd.DataFrame(rows), times], axis=1)


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
    settings: Sequence[Setting], rows: pd.DataFrame, cost: str, sizes: Sequence[str]
) -> Iterator[str]:
    """For each fixed K the best adaptive setting of at most its cost, and the difference.

    And the cheapest one that is as accurate: both chosen by accuracy on validation videos.

    Args:
        settings: All settings.
        rows: What they cost.
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
        gain = bootstrap_difference(settings[chosen].correct, settings[at].correct)
        yield (
            f"  K = {row['setting']:>2s} ({row[cost]:.1f}, {row['video_accuracy']:.1%}): "
            f"{named(rows.loc[chosen], cost)}, {gain:+.1%}: {verdict(gain)}"
        )
        as_good = adaptive[adaptive["val_accuracy"] >= row["val_accuracy"]]
        if len(as_good) and (cheapest := as_good[cost].idxmin()) != chosen:
            gain = bootstrap_difference(settings[cheapest].correct, settings[at].correct)
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
    return f"{row['size']}, {row['setting']} ({row[cost]:.1f})"


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
    parser.add_argument("--study", default="embedded", help="`full` has three seeds")
    parser.add_argument("--sizes", nargs="*", choices=[*SIZES], default=[*SIZES])
    parser.add_argument(
        "--videos", type=int, default=24, help="timed with each setting, over all seeds"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=8, help="clips per forward pass")
    parser.add_argument("--output", type=Path, help="FILE.csv")
    return parser.parse_args()


def main() -> None:
    """Judge, measure, print the table and the verdict, draw."""
    chosen = parse()
    base = read_study(chosen.study)
    studies = {name: sized(base, SIZES[name]) for name in dict.fromkeys([FULL, *chosen.sizes])}
    settings = [
        setting
        for size, study in studies.items()
        for setting in judge(size, read_tables(study), every=size == FULL)
    ]
    watch = Stopwatch(studies, -(-chosen.videos // len(base.seeds)), chosen.batch_size)
    rows = as_rows(settings, watch.measure(settings, chosen.rounds))
    if chosen.output:
        rows.to_csv(chosen.output, index=False)
    n_videos = settings[0].correct.shape[1]
    print(f"study {base.name}, {len(base.seeds)} seed(s), {n_videos} test videos")
    print(f"timed: {len(watch.files)} files per seed, {chosen.rounds} rounds, medians; ", end="")
    print(f"{torch.get_num_threads()} thread(s) compute, one decodes; * is on the front")
    print(*table_lines(rows), sep="\n")
    for cost, sizes in (("ms", [FULL]), ("ms", studies), ("ms_cpu", [FULL]), ("mmacs", studies)):
        whose = "the same student" if len(sizes) == 1 else "a student of any size"
        print(f"\nadaptive with {whose} against K clips at no higher cost ({COSTS[cost]}):")
        print(*verdict_lines(settings, rows, cost, list(sizes)), sep="\n")
    plotting.use_style()
    parameters = {"videos": chosen.videos, "rounds": chosen.rounds, "sizes": [*studies]}
    fig = figure(rows)
    print(plotting.save_figure(fig, "pareto", "benchmarks", parameters, studies[FULL].provenance))


if __name__ == "__main__":
    main()
