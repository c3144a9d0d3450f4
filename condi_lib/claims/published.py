"""The paper's and the thesis' own numbers, as effects like ours: from ``data/paper/*.csv``.

Every function gives effects by the key of the comparison that they stand beside, and in it by data
set; fractions.
"""

from functools import cache
from itertools import pairwise

import pandas as pd

from condi_lib import paths
from condi_lib.analysis.tables import PUBLISHED, published_accuracies

Effects = dict[str, dict[str, float]]

MIDDLE_K = {"kinetics": 7, "ucf101": 5, "ssv2": 3}  # of table III, neither 1 nor all
DENSE = ("dense", 0)
BEST = 0  # of a student: the K of table III at which it is best
CELLS = {
    "resnext_shufflenetv2": ("resnext101", "shufflenetv2"),
    "resnext_mobilenetv2": ("resnext101", "mobilenetv2"),
    "r2plus1d_shufflenetv2": ("r2plus1d34", "shufflenetv2"),
    "r2plus1d_mobilenetv2": ("r2plus1d34", "mobilenetv2"),
}


@cache
def table3(teacher: str = "resnext101", student: str = "shufflenetv2") -> pd.Series:
    """Video accuracies of the paper's table III, by ``method, dataset, k``; dense has K = 0."""
    rows = published_accuracies(teacher, student)
    rows.loc[rows["k"] == 0, "method"] = "dense"
    keys = ["method", "dataset", "k"]
    return rows.drop_duplicates(keys).set_index(keys)["accuracy"].sort_index()


def gaps(a: str, b: str, a_k: int | None = 1, b_k: int | None = 1, **cell: str) -> dict[str, float]:
    """Table III: one method minus another, by data set.

    Args:
        a: A method of the table.
        b: Another one, or ``"dense"``.
        a_k: Its K; ``BEST``: at which it is best; None: the middle one of the data set.
        b_k: The same of the other method.
        cell: ``teacher`` and ``student``.
    """
    table = table3(**cell)
    return {
        label: round(_at(table, a, dataset, a_k) - _at(table, b, dataset, b_k), 6)
        for dataset, label in PUBLISHED.items()
    }


def _at(table: pd.Series, method: str, dataset: str, k: int | None) -> float:
    if method == "dense":
        return float(table[method, dataset, 0])
    if k == BEST:
        return float(table[method, dataset].max())
    return float(table[method, dataset, MIDDLE_K[dataset] if k is None else k])


def oracle_falls() -> Effects:
    """From K = 1 to the table's middle K, and from there to dense."""
    return {
        "first half": gaps("oracle", "oracle", 1, None),
        "second half": gaps("oracle", "dense", None),
    }


def elbow() -> Effects:
    """ConDi-SR at its best K over K = 1, and over all clips."""
    return {
        "over one": gaps("condi_sr", "condi_sr", BEST, 1),
        "over all": gaps("condi_sr", "dense", BEST),
    }


def order_at_one_clip() -> Effects:
    """Each sampler of claim 5 minus the next one, at K = 1."""
    order = ("condi_sr", "st_ent", "equidistant", "random")
    return {a: gaps(a, b) for a, b in pairwise(order)}


def cells() -> Effects:
    """The gain of ConDi-SR over dense at its best K, of each teacher with each student."""
    return {
        name: gaps("condi_sr", "dense", BEST, teacher=teacher, student=student)
        for name, (teacher, student) in CELLS.items()
    }


def longer_videos() -> Effects:
    """The gain on Kinetics (10 s) minus that on UCF-101 (7 s): over dense, and over equidistant."""
    over = {
        "dense": gaps("condi_sr", "dense", BEST),
        "equidistant": gaps("condi_sr", "equidistant"),
    }
    where = "Kinetics - UCF-101"
    return {key: {where: each["Kinetics"] - each["UCF-101"]} for key, each in over.items()}


def naive_loss() -> Effects:
    """Thesis table 4.8 (UCF-101): naive minus random, K = 1; ConDi-SR minus naive, best K."""
    table = pd.read_csv(paths.paper_dir() / "thesis_table48_loss.csv").set_index("k")
    at_one = table.loc[1, "naive"] - table.loc[1, "random"]
    at_best = table["condi_sr"].max() - table["naive"].max()
    return {
        "naive": {"UCF-101": round(float(at_one) / 100, 6)},
        "accuracy": {"UCF-101": round(float(at_best) / 100, 6)},
    }


def times() -> Effects:
    """Paper tables IV and V: the share of dense's time that is saved, and what division adds.

    At K = 5 of UCF-101 and 7 of Kinetics-600, where ConDi-SR is best; of which the student
    classifies 3 and 4.
    """
    table = pd.read_csv(paths.paper_dir() / "paper_table4_time.csv")
    table = table[table["source"] == "paper table IV"].set_index(["dataset", "method", "k"])
    seconds, divided = table["seconds_per_video"], _divisions()
    effects: Effects = {"saving": {}, "further saving": {}, "price": {}}
    for dataset, (label, k, k_student) in _DIVIDED.items():
        dense = float(seconds[dataset, "dense", "all"])
        effects["saving"][label] = 1 - float(seconds[dataset, "condi_sr", str(k)]) / dense
        by_student = divided.loc[dataset].loc[0] - divided.loc[dataset].loc[k_student]
        effects["further saving"][label] = float(by_student["seconds_per_video"]) / dense
        effects["price"][label] = float(by_student["accuracy"]) / 100
    return effects


def division() -> Effects:
    """Paper table V: accuracy at K_s = 0 minus that at K_s = K, and the largest rise of a step."""
    effects: Effects = {"fall": {}, "rise": {}}
    for dataset, (label, _, _) in _DIVIDED.items():
        accuracy = _divisions().loc[dataset]["accuracy"] / 100
        effects["fall"][label] = float(accuracy.iloc[0] - accuracy.iloc[-1])
        effects["rise"][label] = float(accuracy.diff().max())
    return effects


_DIVIDED = {"ucf101": ("UCF-101", 5, 3), "kinetics-600": ("Kinetics", 7, 4)}


def _divisions() -> pd.DataFrame:
    table = pd.read_csv(paths.paper_dir() / "paper_table5_division.csv")
    return table.set_index(["dataset", "k_student"]).sort_index()
