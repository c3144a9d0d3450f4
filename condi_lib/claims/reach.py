"""Claims about where the gain holds and what it costs: time, division, other networks and videos.

Each function takes a regime and gives the comparisons that its claim is judged by; ``Untestable``
says what is missing.
"""

import math
import re
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from condi_lib.analysis.backbones import readable
from condi_lib.analysis.findings import SURE
from condi_lib.analysis.savings import pooled, saved_by_file
from condi_lib.analysis.times import times_of
from condi_lib.analysis.ways import DIVISION
from condi_lib.claims.accuracy import DENSE, Comparisons, compare, label_of
from condi_lib.claims.evidence import Comparison, Regime, Untestable
from condi_lib.claims.rules import FAR, LARGER, NO_LARGER, Effect, more_than
from condi_lib.evaluation import divide_every_way
from condi_lib.statistics import Interval, bootstrap_mean
from condi_lib.study import Study

HALF = 0.5
DIVIDED_K = 5  # of the paper's table V, UCF-101
K_STUDENT = (0, 1, 3, 5)
TIMED_SHARE = 3  # of them by the student where time is measured
WORTH_IT = 0.3


def top_k_saves_time(regime: Regime) -> Comparisons:
    """Claim 13: ConDi-SR saves more than 30 % of dense's time, division over 5 points more.

    Times are by the clock, on real files; shares of what dense takes for the same file, with
    intervals over files; students of one network take the same time, so theirs is the mean over
    these students. *Saves*: at the K that validation videos choose. *Division*: of 5 clips the
    student classifies 3, against its top 5 by the teacher; that costs less than 2 points.
    """
    student, k = regime.best(regime.student("condi_sr"))
    try:
        times = pooled(regime.study, times_of(regime.study, student))
    except FileNotFoundError as error:
        raise Untestable("no times are measured in the reference") from error
    total = min(DIVIDED_K, regime.most_clips)
    by_student = min(TIMED_SHARE, total - 1)
    divided = f"{total - by_student}+{by_student}"
    saved = {way: _saved(times, *way) for way in ((student, f"{k}"), (student, f"{total}"))}
    further = _saved(times, DIVISION, divided) - saved[student, f"{total}"]
    correct = _divided(regime, student)
    price = regime.effect_of(correct[:, :, total, 0], correct[:, :, total - by_student, by_student])
    label = f"K = {total}, K_s = {by_student}"
    return [
        Comparison(
            "saving",
            f"time saved by {label_of((student, k))}",
            _over_files(saved[student, f"{k}"]),
            more_than(WORTH_IT, "%"),
        ),
        Comparison(
            "further saving", f"{label}: further time saved", _over_files(further), more_than(FAR)
        ),
        Comparison("price", f"{label}: accuracy lost", price, NO_LARGER),
    ]


def _saved(times: pd.DataFrame, family: str, setting: str) -> pd.Series:
    """The share of dense's time that a way saves, by seed and file."""
    try:
        return saved_by_file(times, (family, setting))
    except ValueError as error:
        raise Untestable(str(error)) from error


def _over_files(saved: pd.Series) -> Effect:
    by_seed = saved.groupby("seed").mean()
    return Effect(bootstrap_mean(saved), tuple(by_seed), "files")


def max_softmax_is_poor(regime: Regime) -> Comparisons:
    """Claim 14: the teacher is sure of most of its errors, and ConDi-SR ranks clips better.

    *Sure*: on more than half of the clips that it gets wrong its largest probability is at least
    .9. *Better*: ConDi-SR minus the teacher's max softmax, each at the K that validation videos
    choose, is above 0, though max softmax needs the teacher on all clips. The interval of *sure* is
    over seeds: another training changes that share by more than other videos would.
    """
    student = regime.student("condi_sr")
    ranked = compare(
        regime, "ranking", regime.best(student), regime.best("teacher_max_softmax"), LARGER
    )
    label = f"wrong clips with max softmax of at least {SURE:g}"
    sure = Effect.over_seeds(regime.metric("sure_when_wrong", "teacher_max_softmax"))
    return [Comparison("sure", label, sure, more_than(HALF, "%")), ranked]


def holds_across_networks(regime: Regime) -> Comparisons:
    """Claim 15: with each teacher and student, ConDi-SR at the K chosen for it is above dense."""
    cells = regime.study.variants("backbones")
    if not cells:
        raise Untestable("there is one teacher and one student (no variants `backbones`)")
    own, found = _pair(regime.study), []
    for name, variant in cells.items():
        cell = Regime.of(variant, regime.name)
        gap = cell.gap(cell.best(cell.student("condi_sr")), DENSE)
        pair = _pair(variant)
        label = f"{pair} ({name.replace('_', ' ')})" if pair == own else pair
        found.append(Comparison(name, f"gain with {label}", gap, LARGER))
    return found


def _pair(study: Study) -> str:
    return f"{readable(study.spec.teacher.backbone)} × {readable(study.spec.student.backbone)}"


def larger_for_longer_videos(regime: Regime) -> Comparisons:
    """Claim 16: the gain over dense is larger on the longer half of the lengths: above 0.

    The mean gain over the lengths above the middle minus that over those below it, each at the K
    that validation videos of that length choose. The videos differ, so intervals are joined (see
    :func:`of_other_videos`). Beside it: the gain over equidistant at K = 1.
    """
    variant = regime.study.variants("when_does_it_help").get("conditions")
    if variant is None:
        raise Untestable("all test videos are of one kind (no variant `conditions`)")
    lengths = Regime.of(variant, regime.name)
    found = (re.fullmatch(r"test_n(\d+)", split) for split in lengths.findings.sweeps)
    known = sorted(int(match[1]) for match in found if match)
    if len(known) < 2:
        raise Untestable("test videos are all of one length")
    short, long = known[: len(known) // 2], known[-(len(known) // 2) :]
    student = lengths.student("condi_sr")

    def over_dense(n: int) -> Effect:
        at = (student, lengths.sweep(f"val_n{n}").best_k(student))
        return lengths.gap(at, DENSE, f"test_n{n}")

    def over_equidistant(n: int) -> Effect:
        return lengths.gap((student, 1), ("equidistant", 1), f"test_n{n}")

    label = f"{_list(long)} - {_list(short)} clips a video"
    return [
        Comparison(
            key, f"gain over {key}, {label}", longer_half(gain, long, short), LARGER, decides
        )
        for key, gain, decides in (
            ("dense", over_dense, True),
            ("equidistant", over_equidistant, False),
        )
    ]


def longer_half(gain: Callable[[int], Effect], long: list[int], short: list[int]) -> Effect:
    """The mean of an effect over some lengths minus that over others; each on its own videos."""
    return of_other_videos(*(mean_of([gain(n) for n in lengths]) for lengths in (long, short)))


def _list(lengths: list[int]) -> str:
    return " and ".join(map(str, lengths))


def mean_of(effects: Sequence[Effect]) -> Effect:
    """The mean of effects that were measured on different videos, joined as of_other_videos."""
    values, lows, highs = np.array(
        [(e.interval.value, e.interval.low, e.interval.high) for e in effects]
    ).T
    mean, n = float(values.mean()), len(effects)
    below, above = (float(np.linalg.norm(values - ends)) / n for ends in (lows, highs))
    by_seed = np.mean([effect.by_seed for effect in effects], axis=0)
    return Effect(Interval(mean, mean - below, mean + above), tuple(by_seed.tolist()), "videos")


def of_other_videos(a: Effect, b: Effect) -> Effect:
    """The difference of two effects that were measured on different videos.

    The interval is joined from theirs, which need not be symmetric (Zou & Donner 2008): with l and
    u their ends, ``a - b - sqrt((a - l_a)² + (u_b - b)²)`` to ``a - b + sqrt((u_a - a)² + (b -
    l_b)²)``.
    """
    x, y = a.interval, b.interval
    difference = x.value - y.value
    below = math.hypot(x.value - x.low, y.high - y.value)
    above = math.hypot(x.high - x.value, y.value - y.low)
    by_seed = tuple(i - j for i, j in zip(a.by_seed, b.by_seed, strict=True))
    return Effect(Interval(difference, difference - below, difference + above), by_seed, a.over)


def division_falls(regime: Regime) -> Comparisons:
    """Claim 18: of K = 5 clips the student classifies K_s; accuracy falls with K_s, step by step.

    K_s = 0 minus K_s = 5 is above 0, and from one K_s to the next, where validation videos rise
    most, the rise is below the margin. That K_s = K is the student alone holds by construction.
    """
    student, n = regime.student("condi_sr"), regime.most_clips
    k = min(DIVIDED_K, n)
    shares = sorted({min(k_student, k) for k_student in K_STUDENT})
    if len(shares) < 3:
        raise Untestable("the videos have too few clips to be divided")
    on_val = _divided(regime, student, regime.val_split).mean(axis=(0, 1))
    rises = {(a, b): on_val[k - b, b] - on_val[k - a, a] for a, b in pairwise(shares)}
    before, after = max(rises, key=rises.__getitem__)
    divided = _divided(regime, student)
    correct = {k_student: divided[:, :, k - k_student, k_student] for k_student in shares}
    fall = regime.effect_of(correct[0], correct[k])
    rise = regime.effect_of(correct[after], correct[before])
    label = f"K = {k}, the student's K_s ="
    return [
        Comparison("fall", f"{label} 0 - {k}", fall, LARGER),
        Comparison("rise", f"{label} {after} - {before}: largest rise", rise, NO_LARGER),
    ]


def _divided(regime: Regime, student: str, split: str = "test") -> NDArray[np.bool_]:
    """Whether each video is right, by the lengths of both lists: ``[S, V, T, S]``."""
    study, n = regime.study, regime.most_clips
    try:
        return np.stack([
            np.concatenate([
                divide_every_way(study.table(student, seed, split, fold), n).correct
                for fold in study.spec.fold_names
            ])
            for seed in study.seeds
        ])  # fmt: skip
    except FileNotFoundError as error:
        raise Untestable("the clips of this regime are not in the reference") from error
