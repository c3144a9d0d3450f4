"""Tables that chapters print: methods at their best K, paired comparisons, the paper's numbers."""

import re

import numpy as np
import pandas as pd

from condi_lib import paths
from condi_lib.statistics import paired_permutation_test
from condi_lib.study.results import Sweep


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

    def at(name: str) -> np.ndarray:
        return test.correct[name][:, :, test.k_clips.index(chosen[name])]

    rows = {
        other: {
            "difference": test.gain(method, chosen[method], other, chosen[other]),
            "p_value": paired_permutation_test(at(method), at(other)),
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
