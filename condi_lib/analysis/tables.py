"""Tables that chapters print: videos, methods at their best K, comparisons, the paper's numbers."""

import re

import numpy as np
import pandas as pd

from condi_lib import paths
from condi_lib.analysis.results import Sweep
from condi_lib.study.study import Study
from condi_lib.videos.scan import KINDS

PUBLISHED = {"kinetics": "Kinetics", "ucf101": "UCF-101", "ssv2": "SSv2"}  # the paper's data sets


def video_counts(study: Study) -> pd.DataFrame:
    """How many listed videos could be used: the denominator of every accuracy.

    Returns:
        Indexed by split (by fold and split where there are folds), in order: ``listed, usable``,
        then those left out, ``missing, corrupt, too_short``.
    """
    parts = {}
    for fold in study.spec.fold_names:
        usable = study.videos(fold)["split"].value_counts(sort=False)
        left_out = study.left_out(fold)
        bad = pd.crosstab(left_out["split"], left_out["kind"])
        bad = bad.reindex(index=usable.index, columns=list(KINDS), fill_value=0)
        counts = bad.assign(usable=usable, listed=usable + bad.sum(axis=1))
        parts[fold] = counts[["listed", "usable", *KINDS]].astype(int).rename_axis("split")
    return pd.concat(parts, names=["fold"]) if study.spec.folds else parts[""]


def state_denominator(study: Study, split: str = "test") -> str:
    """Say in a sentence on how many of the listed videos of a split results are computed.

    Example: ``Results on 28311 of 29093 listed test videos: 700 missing, 82 corrupt.``
    """
    counts = video_counts(study)
    if study.spec.folds:
        counts = counts.groupby("split", sort=False).sum()
    row = counts.loc[split]
    bad = [f"{row[kind]} {kind.replace('_', ' ')}" for kind in KINDS if row[kind]]
    why = f": {', '.join(bad)}" if bad else ""
    folds = f" (all {len(study.spec.folds)} folds)" if study.spec.folds else ""
    return f"Results on {row['usable']} of {row['listed']} listed {split} videos{folds}{why}."


def best_k_table(val: Sweep, test: Sweep, methods: list[str]) -> pd.DataFrame:
    """Each method at the K that validation videos chose: one row per method.

    Args:
        val: Sweep of the validation split, which only chooses K.
        test: Sweep of the split to report.
        methods: Which, in this order.

    Returns:
        Indexed by method: ``K``; ``accuracy`` and ``over_dense`` (:class:`Interval`, paired by
        video); ``std_of_seeds`` (of the accuracy, NaN for one seed).
    """
    rows = {}
    for method in methods:
        k = val.best_k(method)
        by_seed = test.by_seed(method, k)
        rows[method] = {
            "K": k,
            "accuracy": test.accuracy(method, k),
            "over_dense": test.gain(method, k),
            "std_of_seeds": by_seed.std(ddof=1) if len(by_seed) > 1 else np.nan,
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def comparison_table(
    test: Sweep, chosen: dict[str, int], method: str, others: list[str]
) -> pd.DataFrame:
    """``method`` minus each other one, each at its chosen K.

    Returns:
        Indexed by the other method: ``difference`` (:class:`Interval`, paired by video) and
        ``p_value`` of a sign-flip permutation test over videos.
    """
    rows = {
        other: {
            "difference": test.gain(method, chosen[method], other, chosen[other]),
            "p_value": test.p_value(method, chosen[method], other, chosen[other]),
        }
        for other in others
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def published_accuracies(
    teacher: str = "resnext101", student: str = "shufflenetv2"
) -> pd.DataFrame:
    """Video accuracies of the paper's Table III for one teacher and student, as fractions.

    Returns:
        Tidy: ``method, dataset`` (``ucf101``, ``ssv2``, ``kinetics``), ``k`` (0 for dense) and
        ``accuracy``.
    """
    table = pd.read_csv(paths.paper_dir() / "paper_table3.csv")
    table = table[(table["teacher"] == teacher) & table["student"].isin([student, np.nan])]
    tidy = table.melt(["method", "teacher", "student"], value_name="accuracy").dropna(
        subset="accuracy"
    )
    parts = tidy["variable"].map(lambda name: re.fullmatch(r"(\w+?)_(?:k(\d+)|dense)", name))
    return pd.DataFrame(
        {
            "method": tidy["method"],
            "dataset": [match[1] for match in parts],
            "k": [int(match[2] or 0) for match in parts],
            "accuracy": tidy["accuracy"] / 100,
        }
    ).reset_index(drop=True)


def published_loss_ablation() -> pd.DataFrame:
    """Video accuracies of the thesis' Table 4.8 (UCF-101, ResNeXt-101), as fractions.

    Returns:
        Tidy: ``method`` (``condi_sr``, ``naive``, ``random``), ``k`` and ``accuracy``.
    """
    table = pd.read_csv(paths.paper_dir() / "thesis_table48_loss.csv")
    tidy = table.melt("k", ["condi_sr", "naive", "random"], "method", "accuracy")
    return tidy[["method", "k", "accuracy"]].assign(accuracy=tidy["accuracy"] / 100)
