"""Sweeps of settings are found in the spec, whatever the students are called."""

import numpy as np
import pandas as pd
import pytest
from tiny_study import tiny

from condi_lib.analysis import Findings
from condi_lib.analysis.results import Sweep
from condi_lib.analysis.settings import by_setting, setting_sweeps, settings_of, sweep_rows
from condi_lib.statistics import bootstrap_difference
from condi_lib.study import Study, read_study
from condi_lib.study.study import FolderStore
from condi_lib.training import Schedule

DECAY = {"kind": "decay", "gamma": 0.2, "every": 1}


def condi(student=None, **hyperparameters):
    given = {"loss": "condi_sr", "hyperparameters": hyperparameters}
    return given | ({"student": student} if student else {})


def study_of(tmp_path, **losses):
    return Study(read_study(tiny(losses=losses)), FolderStore(tmp_path), "tiny")


def test_settings_are_whole_also_where_nothing_is_given(tmp_path):
    study = study_of(
        tmp_path, condi_sr={}, other=condi({"training": {"lr": 0.01}}, temperature=2.0)
    )
    base, other = settings_of(study, "condi_sr"), settings_of(study, "other")
    assert base["temperature"] == 0.9 and base["training.lr"] == 0.08
    assert base["options.width"] == 2 and base["training.schedule"] == Schedule()
    assert {n for n in base if base[n] != other[n]} == {"temperature", "training.lr"}


def test_one_sweep_for_each_setting_with_the_default_among_its_values(tmp_path):
    study = study_of(
        tmp_path,
        hot=condi(temperature=20.0),
        condi_sr={},
        cold=condi(temperature=0.5),
        slow=condi({"training": {"lr": 0.01}}),
        naive={"hyperparameters": {"temperature": 1.0}},  # another loss
        both=condi({"training": {"lr": 0.02}}, temperature=3.0),  # differs in two settings
    )
    temperature, rate = setting_sweeps(study)
    assert temperature.field == "temperature"
    assert list(temperature.students.items()) == [(0.5, "cold"), (0.9, "condi_sr"), (20, "hot")]
    assert temperature.reference == "condi_sr" and temperature.apart == {}
    assert (rate.field, rate.students) == ("training.lr", {0.01: "slow", 0.08: "condi_sr"})


def test_a_sweep_that_leaves_out_the_base_student_says_what_sets_it_apart(tmp_path):
    study = study_of(
        tmp_path,
        condi_sr={},
        plain=condi(positive_weight=1.0),
        wrong_4=condi(positive_weight=1.0, negative_weight=4.0),
    )
    right, wrong = setting_sweeps(study)
    assert (right.field, right.students) == ("positive_weight", {1: "plain", 1.5: "condi_sr"})
    assert (wrong.field, wrong.students) == ("negative_weight", {1: "plain", 4: "wrong_4"})
    assert (right.apart, wrong.apart) == ({}, {"positive_weight": 1.0})
    assert (right.reference, wrong.reference) == ("condi_sr", "plain")


def test_schedules_are_settings_without_numbers_and_pair_up_in_both_ways(tmp_path):
    decay = {"training": {"schedule": {**DECAY, "gamma": 0.8}}}
    both = {"training": decay["training"] | {"confidence_schedule": DECAY}}
    study = study_of(
        tmp_path,
        fast=condi({"training": {"confidence_schedule": DECAY}}),
        paper=condi(both),
        condi_sr={},
        shared=condi(decay),
    )
    sweeps = setting_sweeps(study)
    assert not any(sweep.is_numeric for sweep in sweeps)
    pairs = {(s.field, frozenset(s.students.values())): s for s in sweeps}
    assert set(pairs) == {
        ("training.schedule", frozenset({"condi_sr", "shared"})),
        ("training.schedule", frozenset({"fast", "paper"})),
        ("training.confidence_schedule", frozenset({"condi_sr", "fast"})),
        ("training.confidence_schedule", frozenset({"shared", "paper"})),
    }
    of_paper = pairs["training.confidence_schedule", frozenset({"shared", "paper"})]
    assert of_paper.reference == "shared"  # its confidence branch decays as by default
    assert list(of_paper.apart) == ["training.schedule"]


def test_students_of_equal_settings_count_once_and_switches_are_no_numbers(tmp_path):
    study = study_of(
        tmp_path,
        again=condi(temperature=0.9),
        condi_sr={},
        detached=condi(detach=True),
    )
    (switch,) = setting_sweeps(study)
    assert (switch.field, switch.is_numeric) == ("detach", False)
    assert switch.students == {False: "condi_sr", True: "detached"}


def test_regimes_are_put_together_by_setting(tmp_path):
    plain, wrong = condi(positive_weight=1.0), condi(positive_weight=1.0, negative_weight=4.0)
    one = study_of(tmp_path, condi_sr={}, hot=condi(temperature=2.0), plain=plain, wrong=wrong)
    other = study_of(tmp_path, condi_sr={}, cold=condi(temperature=0.5), cut=condi(detach=True))
    sweeps = {"one": setting_sweeps(one), "other": setting_sweeps(other)}
    numeric = by_setting(sweeps)
    regimes = {field: list(of_regimes) for field, of_regimes in numeric.items()}
    assert regimes == {
        "temperature": ["one", "other"], "positive_weight": ["one"], "negative_weight": ["one"]
    }  # fmt: skip
    assert list(numeric["temperature"]["other"].students) == [0.5, 0.9]
    switches = by_setting(sweeps, numeric=False)
    assert {field: list(of) for field, of in switches.items()} == {"detach": ["other"]}


def test_nothing_varies_or_nothing_to_vary(tmp_path):
    study = study_of(tmp_path, condi_sr={}, st_ent={})
    assert setting_sweeps(study) == []
    with pytest.raises(ValueError, match="no student 'naive'; it has \\['condi_sr', 'st_ent'\\]"):
        setting_sweeps(study, base="naive")


def test_rows_of_a_sweep_are_those_of_its_students(tmp_path):
    study = study_of(tmp_path, hot=condi(temperature=20.0), condi_sr={})
    rng = np.random.default_rng(0)
    names = ("dense", "condi_sr", "hot")
    right = {split: rng.integers(2, size=(3, 1, 30, 3)) for split in ("val", "test")}
    sweeps = {
        split: Sweep(dict(zip(names, drawn.astype(np.float32), strict=True)), [1, 2, 3])
        for split, drawn in right.items()
    }
    measured = ["score_std", "score_std_within_video", "true_positive_rate"]
    measured += ["false_positive_rate", "clip_accuracy"]
    metrics = pd.DataFrame(rng.uniform(size=(2, 5)), columns=measured)
    metrics = metrics.assign(split="test", seed=0, method=["condi_sr", "hot"])
    inside = {n: rng.uniform(size=(1, 30)).astype(np.float32) for n in ("condi_sr", "hot")}
    found = Findings(sweeps, metrics, pd.DataFrame(), {"test": inside})
    (sweep,) = setting_sweeps(study)
    rows = sweep_rows(study, found, sweep)
    assert list(rows["value"]) == [0.9, 20.0]
    assert list(rows["is_default"]) == [True, False]
    hot = rows.set_index("student").loc["hot"]
    accuracy = {n: sweeps["val"].correct[n][0].mean(axis=0) for n in names}
    assert hot["K"] == 1 + accuracy["hot"].argmax()
    assert hot["val_accuracy"] == pytest.approx(accuracy["hot"].max())
    at = {n: sweeps["test"].correct[n][0][:, accuracy[n].argmax()] for n in ("condi_sr", "hot")}
    assert hot["over_default"] == bootstrap_difference(at["hot"], at["condi_sr"])
    assert hot["accuracy"].value == pytest.approx(at["hot"].mean())
    assert hot["false_positive_rate"].value == metrics["false_positive_rate"][1]
    assert hot["auroc"].value == pytest.approx(inside["hot"].mean())
