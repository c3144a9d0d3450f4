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
from matplotlib.colors import to_hex
from numpy.typing import NDArray
from policy_settings import (
    ADAPTIVE,
    DIVISION,
    FEW_K,
    FIXED,
    WEIGHTED,
    Setting,
    judge,
    read_tables,
)
from student_sizes import FULL, LOSS, SIZES, sized

from condi_lib import plotting
from condi_lib.evaluation import best_within, pareto_front
from condi_lib.plotting.style import METHODS, MethodStyle
from condi_lib.sampling import Policy
from condi_lib.selective import SelectiveClassifier
from condi_lib.statistics import bootstrap_difference, bootstrap_mean
from condi_lib.study import read_study
from condi_lib.study.datasets import videos_root
from condi_lib.study.specs import run_folder
from condi_lib.study.study import Study

COSTS = {"ms": "ms alone", "ms_many": "ms of many", "mmacs": "MMACs"}
LOOKS = {
    FIXED: replace(METHODS["condi_sr"], label="K clips of highest z̃"),
    WEIGHTED: MethodStyle("K clips, weighted by a power of z̃", "#7F5F2A", "v"),
    ADAPTIVE: MethodStyle("adaptive", "#6B4C9A", "D"),
    DIVISION: MethodStyle("division: K_t + K_s clips", "#44AA99", "s", ""),
    "random": METHODS["random"],
    "equidistant": METHODS["equidistant"],
    "dense": replace(METHODS["dense"], marker="8"),
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

    def classifier(self, size: str, policy: Policy, seed: int) -> SelectiveClassifier:
        """The classifier of a setting, from the weights that its runs left."""
        spec = self.studies[size].spec
        files = [
            run_folder(run) / "weights.safetensors"
            for run in (spec.teacher_of(seed), spec.student_of(LOSS, seed))
        ]
        return SelectiveClassifier.load(*files, policy, batch_size=self.batch_size)

    def measure(self, settings: Sequence[Setting], rounds: int) -> NDArray[np.float64]:
        """Milliseconds per video, ``[2, settings, rounds]``: one by one, and many at once."""
        runners = [
            [self.classifier(s.size, policy, seed) for seed, policy in self._by_seed(s)]
            for s in settings
        ]
        found = np.empty((2, len(settings), rounds + 1))  # the first one warms up
        for turn in range(rounds + 1):
            for at, classifiers in enumerate(runners):
                found[:, at, turn] = self._turn(classifiers)
        return found[:, :, 1:]

    def _by_seed(self, setting: Setting) -> Iterator[tuple[int, Policy]]:
        yield from zip(self.studies[setting.size].seeds, setting.policies, strict=True)

    def _turn(self, classifiers: Sequence[SelectiveClassifier]) -> tuple[float, float]:
        sec = [0.0, 0.0]
        for classifier in classifiers:
            start = time.perf_counter()
            for file in self.files:
                classifier.predict(file)
            middle = time.perf_counter()
            for _ in classifier.predict_many(self.files):
                pass
            sec[0] += middle - start
            sec[1] += time.perf_counter() - middle
        return tuple(1000 * each / len(self.files) / len(classifiers) for each in sec)


def as_rows(settings: Sequence[Setting], ms: NDArray[np.float64]) -> pd.DataFrame:
    """One row per setting: what it is, its accuracy with interval, and what it costs."""
    rows = []
    for setting, alone, many in zip(settings, *ms, strict=True):
        accuracy = bootstrap_mean(setting.correct)
        low, middle, high = np.percentile(alone, [25, 50, 75])
        rows.append(
            {
                "size": setting.size,
                "family": setting.family,
                "setting": setting.name,
                "teacher_clips": setting.n_teacher,
                "mmacs": setting.mmacs,
                "ms": middle,
                "ms_low": low,
                "ms_high": high,
                "ms_many": np.median(many),
                "val_accuracy": setting.val_accuracy,
                "video_accuracy": accuracy.value,
                "low": accuracy.low,
                "high": accuracy.high,
            }
        )
    table = pd.DataFrame(rows)
    for cost in COSTS:
        table[f"front_{cost}"] = pareto_front(table[cost], table["video_accuracy"])
    return table


def table_lines(rows: pd.DataFrame) -> Iterator[str]:
    """The table, for people; ``*`` marks what no other setting beats at that cost."""
    yield (
        f"{'student':25s} {'policy':18s} {'':12s} teacher   MMACs   ms alone [quartiles]   "
        "ms of many   accuracy"
    )
    for row in rows.itertuples():
        mark = {True: "*", False: " "}
        yield (
            f"{row.size:25s} {row.family:18s} {row.setting:12s} {row.teacher_clips:7.2f} "
            f"{row.mmacs:7.1f}{mark[row.front_mmacs]}  {row.ms:6.2f}{mark[row.front_ms]} "
            f"[{row.ms_low:6.2f}, {row.ms_high:6.2f}]   {row.ms_many:6.2f}{mark[row.front_ms_many]}"
            f"    {row.video_accuracy:.1%} [{row.low:.1%}, {row.high:.1%}]"
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
        verdict = "beats it" if gain.low > 0 else "loses" if gain.high < 0 else "undecided"
        yield (
            f"  K = {row['setting']:>2s} ({row[cost]:.1f}, {row['video_accuracy']:.1%}): "
            f"{named(rows.loc[chosen], cost)}, {gain:+.1%}: {verdict}"
        )
        as_good = adaptive[adaptive["val_accuracy"] >= row["val_accuracy"]]
        if len(as_good) and (cheapest := as_good[cost].idxmin()) != chosen:
            gain = bootstrap_difference(settings[cheapest].correct, settings[at].correct)
            yield f"{'':14s}as good on validation: {named(rows.loc[cheapest], cost)}, {gain:+.1%}"


def named(row: pd.Series, cost: str) -> str:
    """A setting and its cost."""
    return f"{row['size']}, {row['setting']} ({row[cost]:.1f})"


def figure(rows: pd.DataFrame) -> plt.Figure:
    """Two panels: all policies with the study's own student; adaptive with every student."""
    fig, (left, right) = plt.subplots(1, 2, figsize=(13, 5.4))
    rows = rows.assign(cost=rows["ms"])
    rows.loc[rows["family"].isin([ADAPTIVE, WEIGHTED]), "setting"] = ""
    own = rows["size"] == FULL
    few = own & (rows["family"] == FIXED) & rows["setting"].isin([f"{k + 1}" for k in range(FEW_K)])
    by_size = rows[(rows["family"] == ADAPTIVE) | few]
    by_size = by_size.assign(family=by_size["family"].where(own, by_size["size"]))
    xlabel = "ms per video, decoding included"
    plotting.accuracy_over_cost(left, _with_front(rows[own]), xlabel, LOOKS)
    looks = LOOKS | size_looks([name for name in SIZES if name in set(rows["size"])])
    shown = [FIXED, ADAPTIVE]  # the others' intervals are as wide, and would hide the points
    plotting.accuracy_over_cost(right, _with_front(by_size), xlabel, looks, interval_of=shown)
    left.set_title("One student, every policy")
    right.set_title("Adaptive, with students of other sizes")
    return fig


def _with_front(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(on_front=pareto_front(rows["cost"], rows["video_accuracy"]))


def size_looks(sizes: Sequence[str]) -> dict[str, MethodStyle]:
    """The other students, from dark to light as they are listed."""
    others = [name for name in sizes if name != FULL]
    shades = plt.get_cmap("viridis")(np.linspace(0.05, 0.9, len(others)))
    return {
        name: MethodStyle(f"adaptive, {name}", to_hex(shade), "os^vP<>Xdp"[number % 10])
        for number, (name, shade) in enumerate(zip(others, shades, strict=True))
    }


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--study", default="embedded", help="`full` has three seeds")
    parser.add_argument("--sizes", nargs="*", choices=[*SIZES], default=[*SIZES])
    parser.add_argument("--videos", type=int, default=96, help="files that are timed, in all")
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
    print(
        f"study {base.name}, {len(base.seeds)} seed(s), {settings[0].correct.shape[1]} test videos"
    )
    print(f"timed: {len(watch.files)} files per seed, {chosen.rounds} rounds, medians; ", end="")
    print(f"{torch.get_num_threads()} thread(s) compute, one decodes; * is on the front")
    print(*table_lines(rows), sep="\n")
    for cost, name in COSTS.items():
        for sizes in ([FULL], [*studies]):
            whose = "the same student" if len(sizes) == 1 else "a student of any size"
            print(f"\nadaptive with {whose} against K clips at no higher cost ({name}):")
            print(*verdict_lines(settings, rows, cost, sizes), sep="\n")
    plotting.use_style()
    parameters = {"videos": chosen.videos, "rounds": chosen.rounds, "sizes": [*studies]}
    fig = figure(rows)
    print(plotting.save_figure(fig, "pareto", "benchmarks", parameters, studies[FULL].provenance))


if __name__ == "__main__":
    main()
