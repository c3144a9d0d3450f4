"""A rule of thumb: planted lines come back, and its errors on other settings are counted right."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from tiny_study import tiny

from condi_lib import paths
from condi_lib.analysis import Findings, rule
from condi_lib.analysis.findings import write_findings
from condi_lib.analysis.results import Sweep
from condi_lib.analysis.trials import Trial
from condi_lib.statistics import Interval
from condi_lib.study import Study, open_study, read_study
from condi_lib.study.study import FolderStore


def table(x, gain, width=0.01, **others):
    gain = [Interval(g, g - width, g + width) for g in gain]
    return pd.DataFrame({"constant": 1.0, "oracle_gap": x, "gain": gain} | others)


X = np.array([0.1, 0.2, 0.4, 0.5])


def test_a_planted_line_comes_back_and_beats_the_rest():
    noise = np.array([0.3, -0.1, 0.2, 0.0])
    names = dict.fromkeys(("constant", "dense_accuracy", "oracle_gap"), "")
    rules = rule.fit_rules(table(X, 0.02 + 0.3 * X, dense_accuracy=noise), names)
    best = rules[0]
    assert (best.quantity, len(rules)) == ("oracle_gap", 3)
    assert (best.intercept, best.slope) == pytest.approx((0.02, 0.3))
    assert best.left_out_error == pytest.approx(0, abs=1e-12)
    assert str(best) == "gain = 2.0 + 0.30 × oracle_gap"
    assert best.threshold(0.05) == pytest.approx(0.1)
    falling = rule.Rule("dense_accuracy", 0.5, -0.25, 0.0)
    assert str(falling) == "gain = 50.0 - 0.25 × dense_accuracy"


def test_the_constant_predicts_the_mean_of_the_others_when_left_out():
    gain = np.array([0.0, 0.1, 0.2, 0.5])
    found = rule.fit_rules(table(X, gain), {"constant": ""})[0]
    others = (gain.sum() - gain) / 3
    assert found.left_out_error == pytest.approx(np.abs(others - gain).mean())
    assert found.predict(table(X, gain)) == pytest.approx([0.2] * 4)
    assert str(found) == "gain = 20.0" and np.isnan(found.threshold(0.1))


def test_left_out_errors_are_those_of_numpy_fits():
    gain = np.array([0.05, 0.02, 0.2, 0.1])
    found = rule.fit_rules(table(X, gain), {"oracle_gap": ""})[0]
    errors = []
    for out in range(4):
        kept = np.arange(4) != out
        slope, intercept = np.polyfit(X[kept], gain[kept], 1)
        errors.append(abs(intercept + slope * X[out] - gain[out]))
    assert found.left_out_error == pytest.approx(np.mean(errors))


def test_what_is_not_known_everywhere_is_no_candidate_and_two_settings_are_too_few():
    found = table(X, X, student_auroc=[0.6, np.nan, 0.7, 0.8])
    assert [r.quantity for r in rule.fit_rules(found, {"student_auroc": "", "oracle_gap": ""})] == [
        "oracle_gap"
    ]
    assert rule.fit_rules(found.iloc[:2], rule.BEFORE) == []


def test_errors_and_agreement_on_other_settings():
    line = rule.Rule("oracle_gap", 0.0, 0.1, 0.0)
    held_out = table([0.1, 0.3, 0.5], [0.02, 0.035, 0.01], 0.012)  # predicted .01, .03, .05
    judged = rule.judge(line, held_out, worth=0.02)
    assert judged["n"] == 3
    error = judged["error"]
    assert error.value == pytest.approx((0.01 + 0.005 + 0.04) / 3)
    assert (error.low, error.high) == pytest.approx((0.005, 0.04))
    assert judged["bias"] == pytest.approx((-0.01 - 0.005 + 0.04) / 3)
    assert judged["inside"] == 2
    assert judged["agree"] == 2  # no, yes, and a yes that should have been a no
    assert (judged["clear"], judged["agree_clear"]) == (1, 1)  # only [.023, .047] excludes .02
    assert rule.verdict(line, held_out, 0.02) == (
        "off by 1.8 points (0.5 to 4.0), bias +0.8; right about 2 points in 2 of 3, where the "
        "measurement is clear in 1 of 1"
    )
    rows = rule.rule_table([line], {"held out": held_out}, 0.02)
    assert rows.loc["oracle_gap", "held out: agree"] == "2 of 3"
    assert rows.loc["oracle_gap", "held out: error"] == "1.8 (0.5 to 4.0)"


def test_quantities_are_measured_on_validation_videos_alone():
    order = np.arange(10) / 10

    def sweep(dense, oracle, mine, softmax):
        shares = {"dense": dense, "oracle": oracle, "mine": mine, "teacher_max_softmax": softmax}
        correct = {
            m: (order[:, None] < np.array(s))[None].astype(np.float32) for m, s in shares.items()
        }
        return Sweep(correct, [1, 2])

    val = sweep((0.4, 0.4), (0.9, 0.6), (0.5, 0.7), (0.3, 0.5))
    test = sweep((0.5, 0.5), (1.0, 1.0), (0.9, 0.6), (0.9, 0.9))
    rows = [("val", "mine", 0.75, 0.3, np.nan), ("test", "mine", 0.99, 0.9, np.nan),
            ("val", "teacher_max_softmax", 0.6, 0.35, 0.8)]  # fmt: skip
    columns = ["split", "method", "within_video_auroc", "clip_accuracy", "sure_when_wrong"]
    trial = Trial("a", val, test, pd.DataFrame(rows, columns=columns))
    found = rule.quantities([trial], "mine").loc["a"]
    expected = {
        "constant": 1, "dense_accuracy": 0.4, "clip_accuracy": 0.35, "oracle_gap": 0.5,
        "sure_when_wrong": 0.8, "teacher_auroc": 0.6, "softmax_gain": 0.1, "student_auroc": 0.75,
        "gap_times_skill": 0.25, "validation_gain": 0.3,
    }  # fmt: skip
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    assert list(expected) == [*rule.BEFORE, *rule.AFTER]
    assert found["gain"].value == pytest.approx(0.1)  # at K = 2, which validation videos chose
    assert rule.quantities([], "mine").empty


# Where kinds of videos come from


@pytest.fixture
def lender(root):
    """A reference whose variant holds two kinds of videos, one of them held out."""
    own = {"n_videos": 12, "n_clips": 3, "cue": 0.7, "key_share": 0.2}
    splits = {f"{split}_x": own for split in ("train", "val", "test")}
    splits |= {split: {"n_videos": 12, "n_clips": 3} for split in ("train", "val", "test")}
    student = {"train_splits": ["train_x"], "val_split": "val_x"}
    cell = {"loss": "condi_sr", "student": student, "score_splits": ["val_x", "test_x"]}
    conditions = {
        "dataset": {"pantomime": {"splits": splits}},
        "losses": {"condi_sr": {}, "cell_held_out_x": cell},
    }
    fields = tiny(variants={"when_does_it_help": {"conditions": conditions}})
    folder = paths.reference_dir()
    rng = np.random.default_rng(0)
    sweeps = {
        split: Sweep(
            {m: rng.integers(0, 2, (1, 12, 3)).astype(np.float32) for m in ("dense", student)},
            [1, 2, 3],
        )
        for split, student in (
            ("val", "condi_sr"), ("test", "condi_sr"),
            ("val_x", "cell_held_out_x"), ("test_x", "cell_held_out_x"),
        )
    }  # fmt: skip
    empty = pd.DataFrame(columns=["split", "method"])
    write_findings(Findings(sweeps, empty, empty), folder / "when_does_it_help" / "conditions")
    (folder / "study.yaml").write_text(yaml.safe_dump({"study": fields}, sort_keys=False))
    return sweeps


def test_a_study_without_kinds_of_videos_borrows_those_of_the_reference(lender):
    own = rule.kinds_of_videos(open_study("reference"))
    borrowed = rule.kinds_of_videos(Study(read_study(tiny()), FolderStore(Path()), "tiny"))
    for kinds in (own, borrowed):
        assert [each.name for each in kinds.values()] == [
            "cue 0.9, key 35 %, confusers 35 %", "cue 0.7, key 20 %, confusers 35 %"
        ]  # fmt: skip
        assert [condition.is_held_out for condition in kinds] == [False, True]
        held_out = list(kinds.values())[1]
        right = lender["test_x"].correct["cell_held_out_x"]
        np.testing.assert_array_equal(held_out.test.correct["condi_sr"], right)


def test_without_a_reference_there_is_nothing_to_borrow(root):
    study = Study(read_study(tiny()), FolderStore(Path()), "tiny")
    assert rule.kinds_of_videos(study) == {}
