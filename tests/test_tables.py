"""Tables that chapters print, against hand-made sweeps and the published numbers."""

import numpy as np
import pytest

from condi_lib.analysis.results import Sweep
from condi_lib.analysis.tables import (
    best_k_table,
    comparison_table,
    published_accuracies,
    published_loss_ablation,
)
from condi_lib.statistics import bootstrap_difference


def sweep_of(**right_at_k: list[list[int]]) -> Sweep:
    """One seed per array; rows are videos, columns K = 1, 2, ..."""
    correct = {name: np.array([rows], np.float32) for name, rows in right_at_k.items()}
    n_k = next(iter(correct.values())).shape[2]
    return Sweep(correct, list(range(1, n_k + 1)))


VAL = sweep_of(
    a=[[1, 0], [1, 1], [1, 0]], b=[[0, 1], [0, 1], [1, 1]], dense=[[0, 0], [1, 1], [0, 0]]
)
TEST = sweep_of(
    a=[[1, 1], [0, 1], [1, 1], [0, 1]],
    b=[[0, 1], [1, 0], [1, 0], [1, 1]],
    dense=[[0, 0], [1, 1], [0, 0], [0, 0]],
)


def test_k_is_chosen_on_validation_videos_although_test_videos_prefer_another():
    table = best_k_table(VAL, TEST, ["a", "b"])
    assert dict(table["K"]) == {"a": 1, "b": 2}  # a is best at K = 2 on the test videos
    assert table.loc["a", "accuracy"].value == 2 / 4
    assert table.loc["a", "over_dense"].value == 2 / 4 - 1 / 4
    assert table.loc["b", "over_dense"].value == 2 / 4 - 1 / 4


def test_std_of_seeds_is_that_of_their_accuracies():
    two = {name: np.concatenate([x, 1 - x]) for name, x in TEST.correct.items()}  # 1/4 and 3/4 ...
    table = best_k_table(VAL, Sweep(two, [1, 2]), ["a", "dense"])
    assert table.loc["dense", "std_of_seeds"] == pytest.approx(np.std([0.25, 0.75], ddof=1))
    assert np.isnan(best_k_table(VAL, TEST, ["a"]).loc["a", "std_of_seeds"])


def test_comparison_is_paired_by_video_each_at_its_own_k():
    table = comparison_table(TEST, {"a": 2, "b": 1}, "a", ["b"])
    expected = bootstrap_difference(TEST.correct["a"][0, :, 1], TEST.correct["b"][0, :, 0])
    assert table.loc["b", "difference"] == expected
    assert table.loc["b", "p_value"] == 1.0  # a wins one video, loses none: signs + or -, p = 1


def test_published_accuracies_are_those_of_the_papers_table():
    table = published_accuracies().set_index(["method", "dataset", "k"])["accuracy"]
    assert table["condi_sr", "kinetics", 7] == pytest.approx(0.7125)
    assert table["condi_sr", "ucf101", 0] == pytest.approx(0.8908)  # dense
    assert table["oracle", "ssv2", 1] == pytest.approx(0.501)  # a row without a student
    assert table.index.is_unique
    assert set(table.index.get_level_values("dataset")) == {"ucf101", "ssv2", "kinetics"}


def test_published_accuracies_of_another_teacher_and_student():
    table = published_accuracies("r2plus1d34", "mobilenetv2").set_index(["method", "dataset", "k"])
    assert table.loc[("condi_sr", "kinetics", 12), "accuracy"] == pytest.approx(0.683)


def test_published_loss_ablation_is_the_thesis_table():
    table = published_loss_ablation().set_index(["method", "k"])["accuracy"]
    assert table["condi_sr", 1] == 0.89 and table["naive", 7] == pytest.approx(0.8965)
    assert table["random", 5] == pytest.approx(0.8953) and len(table) == 12
