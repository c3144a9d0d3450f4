"""The published tables load, have their published size, and say what paper and thesis say."""

import numpy as np
import pandas as pd
import pytest

from condi_lib.paths import paper_dir

SHAPES = {
    "contradictions": (47, 3),
    "paper_table1_datasets": (3, 4),
    "paper_table2_models": (4, 9),
    "paper_table3": (24, 14),
    "paper_table4_time": (44, 6),
    "paper_table5_division": (8, 5),
    "slides_cost": (5, 4),
    "slides_hrnn": (15, 12),
    "slides_skipframe": (11, 5),
    "slides_vlad": (6, 7),
    "thesis_accuracy": (6, 11),
    "thesis_oracle": (5, 6),
    "thesis_table48_loss": (4, 6),
}


def load(name: str) -> pd.DataFrame:
    return pd.read_csv(paper_dir() / f"{name}.csv")


def cell(table: pd.DataFrame, column: str, **where: object) -> float:
    """The one value of ``column`` in the one row that matches."""
    rows = table
    for key, value in where.items():
        rows = rows[rows[key] == value]
    assert len(rows) == 1, f"{len(rows)} rows for {where}"
    return rows[column].item()


def test_no_table_is_missing_or_unlisted():
    assert {path.stem for path in paper_dir().glob("*.csv")} == set(SHAPES)


def test_every_table_is_described_in_the_data_readme():
    text = (paper_dir().parent / "README.md").read_text()
    assert [name for name in SHAPES if f"`{name}.csv`" not in text] == []


@pytest.mark.parametrize("name", SHAPES)
def test_table_has_its_published_size(name):
    table = load(name)
    assert table.shape == SHAPES[name]
    assert not table.duplicated().any()


def test_headline_numbers():
    """As printed in the Tables III, IV and V and the thesis' Tables 1.2, 4.3 and 4.8."""
    condi = {"method": "condi_sr", "teacher": "resnext101", "student": "shufflenetv2"}
    assert cell(load("paper_table3"), "kinetics_k7", **condi) == 71.25
    timed = {"source": "paper table IV", "dataset": "kinetics-600", "k": "7", "method": "condi_sr"}
    assert cell(load("paper_table4_time"), "accuracy", **timed) == 71.47
    assert cell(load("paper_table4_time"), "seconds_per_video", **timed) == 3.05
    division = load("paper_table5_division")
    assert cell(division, "accuracy", dataset="ucf101", k_student=3) == 90.105
    assert cell(load("thesis_oracle"), "accuracy", strategy="oracle", k="1") == 81.27
    thesis = {"dataset": "kinetics", "teacher": "resnext101"}
    assert cell(load("thesis_accuracy"), "condi_sr", **thesis) == 72.1
    assert cell(load("thesis_table48_loss"), "naive", k=1) == 85.8


def test_the_oracle_falls_as_it_keeps_more_clips_down_to_dense():
    table = load("thesis_oracle")
    oracle = table[table.strategy == "oracle"].astype({"k": int}).sort_values("k")
    dense = cell(table, "accuracy", strategy="dense")
    assert (np.diff([*oracle.accuracy, dense]) < 0).all()


def test_dense_accuracy_depends_on_the_teacher_alone():
    """All clips are kept, so no method and no student can change it."""
    table = load("paper_table3")
    for column in ("ucf101_dense", "ssv2_dense", "kinetics_dense"):
        assert (table.groupby("teacher")[column].nunique() == 1).all(), column


def test_paper_and_thesis_are_kept_apart_where_they_disagree():
    dense = {"source": "paper table IV", "dataset": "ucf101", "method": "dense"}
    table = load("paper_table4_time")
    assert cell(table, "seconds_per_video", **dense) == 3.7
    assert cell(table, "seconds_per_video", **dense | {"source": "thesis table 4.6"}) == 2.9


def test_accuracies_are_per_cent_and_the_slides_scores_are_fractions():
    table3 = load("paper_table3").drop(columns=["method", "teacher", "student"])
    assert table3.stack().dropna().between(20, 100).all()
    for name in ("slides_hrnn", "slides_skipframe"):
        scores = load(name).filter(regex="gap$|map$")
        assert scores.stack().dropna().between(0, 1).all()
