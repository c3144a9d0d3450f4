"""Conditions read from specs, and what methods gained under them: planted effects come back."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from tiny_study import tiny

from condi_lib.analysis import Findings
from condi_lib.analysis.conditions import (
    cells,
    conditions_of,
    lengths,
    students_trained_otherwise,
    val_of,
)
from condi_lib.analysis.findings import write_findings
from condi_lib.analysis.results import WITHOUT_STUDENT, Sweep
from condi_lib.analysis.teachers import describe_teacher, teacher_rows, teacher_trials
from condi_lib.analysis.trials import (
    complete_lines,
    gain_between,
    gain_grid,
    gain_rows,
    gain_slope,
    largest_gain,
    mean_gain,
    paired_gain_between,
    trial,
    trial_of,
)
from condi_lib.evaluation import slope_weights
from condi_lib.study import Study, read_study
from condi_lib.study.study import FolderStore

# Names that mislead on purpose: what counts is what the spec says of each split.
OWN = {"key_share": 0.2, "confuser_share": 0.6, "cue": 0.7}
SPLITS = {
    "train_easy": {"n_videos": 12, "n_clips": 2, **OWN},
    "val_easy": {"n_videos": 12, "n_clips": 2, **OWN},
    "test_easy": {"n_videos": 12, "n_clips": 3, **OWN},
    "train_wrong": {"n_videos": 12, "n_clips": 2, "label_noise": 0.3},
    "train_half": {"n_videos": 6, "n_clips": 2},
    "val_n2": {"n_videos": 12, "n_clips": 9},
    "test_n2": {"n_videos": 12, "n_clips": 9},
}


def student(name, score=("val", "test"), **changes):
    return {name: {"loss": "condi_sr", "score_splits": list(score), "student": changes}}


def spec(**splits):
    given = tiny(losses={"condi_sr": {}})
    given["dataset"]["pantomime"]["splits"]["val"]["n_clips"] = 3
    given["dataset"]["pantomime"]["splits"] |= SPLITS | splits
    given["dataset"]["pantomime"]["splits"]["val_easy"]["n_clips"] = 3
    given["also_score"] = ["val_n2", "test_n2"]
    own = {"train_splits": ["train_easy"], "val_split": "val_easy"}
    given["losses"] |= student("cell_held_out_x", ("val_easy", "test_easy"), **own)
    given["losses"] |= student("noisy", train_splits=["train_wrong"])
    given["losses"] |= student("mixed", train_splits=["train", "train_wrong"])
    given["losses"] |= student("fewer", train_splits=["train_half"])
    given["losses"] |= student("blind", options={"pool": 4})
    given["losses"] |= student("slow", training={"lr": 0.001})
    return read_study(given)


def test_conditions_are_read_from_the_splits():
    conditions = conditions_of(spec())
    by_place = {(c.student, c.test): c for c in conditions}
    assert len(conditions) == 8
    own = by_place["cell_held_out_x", "test_easy"]
    assert own.knobs == (0.2, 0.6, 0.7) and (own.val, own.method) == ("val_easy", "condi_sr")
    assert own.mix == "key 20 %, confusers 60 %"
    assert own.is_held_out and not by_place["noisy", "test"].is_held_out
    assert by_place["condi_sr", "test"].knobs == (0.35, 0.35, 0.9)  # the study's own
    assert by_place["condi_sr", "test_n2"].n_clips == 9
    assert by_place["mixed", "test"].label_noise == pytest.approx(0.15)  # half of 24 videos
    assert by_place["mixed", "test"].n_train_videos == 24


def test_students_are_grouped_by_what_differs_not_by_name():
    conditions = conditions_of(spec())
    assert [c.student for c in cells(conditions)] == ["condi_sr", "cell_held_out_x"]
    assert [(c.student, c.n_clips) for c in lengths(conditions)] == [
        ("condi_sr", 3), ("condi_sr", 9)
    ]  # fmt: skip
    others = students_trained_otherwise(conditions)
    assert {c.student: c.difference(conditions[0]) for c in others} == {
        "condi_sr": "",
        "noisy": "30 % wrong labels",
        "mixed": "15 % wrong labels, 24 of 12 videos",
        "fewer": "6 of 12 videos",
        "blind": "1/4 of the resolution",
        "slow": "another loss, network or training",
    }


def test_own_videos_have_no_known_conditions():
    given = tiny()
    given["dataset"] = {
        "catalog": {"path": "x.csv", "content": "0", "fractions": {"train": 1.0}},
        "clip_frames": 4,
        "size_px": [16, 16],
    }
    given["dataset"]["catalog"]["fractions"] = {
        "train": 0.4, "teacher_train": 0.2, "val": 0.2, "test": 0.2
    }  # fmt: skip
    assert conditions_of(read_study(given)) == []
    assert cells([]) == lengths([]) == students_trained_otherwise([]) == []


def test_k_is_never_chosen_on_videos_of_another_kind():
    assert (val_of("test"), val_of("test_n3")) == ("val", "val_n3")
    with pytest.raises(ValueError, match="called test"):
        val_of("hard")
    longer = {"test_easy": {"n_videos": 12, "n_clips": 4, **OWN}}
    with pytest.raises(ValueError, match="'test_easy' is chosen on 'val_easy', but it meets other"):
        conditions_of(spec(**longer))


# Trials of planted results


def planted(seed, dense, gain, k, n_videos=120, n_clips=4):
    """At ``k`` the student is right where dense is, and on a further share ``gain``."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(n_videos) / n_videos
    right = np.repeat((order < dense)[None, :, None], n_clips, axis=2).astype(np.float32)
    student = right.copy()
    student[:, :, k - 1] = (order < dense + gain)[None]
    return Sweep({"dense": right, "mine": student}, list(range(1, n_clips + 1)))


def found(gain, dense=0.5, k_val=2, n_clips=4, seed=0):
    """Test videos would prefer K = 3; validation videos choose K = 2."""
    test = planted(seed, dense, gain, 2, n_clips=n_clips)
    test.correct["mine"][:, :, 2] = 1
    val = planted(seed + 1, dense, gain, k_val, n_clips=n_clips)
    metrics = pd.DataFrame(
        [("val", 0, "mine", 0.6), ("test", 0, "mine", 0.7), ("test", 1, "mine", 0.8),
         ("test", 0, "dense", 0.1), ("other", 0, "mine", 0.0)],
        columns=["split", "seed", "method", "auroc"],
    )  # fmt: skip
    return Findings({"val": val, "test": test}, metrics, pd.DataFrame())


def of(gain, name="a", **options):
    return trial(found(gain, **options), name, {"mine": "condi_sr"})


def test_k_comes_from_validation_videos_and_the_planted_gain_comes_back():
    result = of(0.25)
    assert result.k("condi_sr") == 2
    assert result.gain("condi_sr").value == pytest.approx(0.25)
    assert result.accuracy("condi_sr").value == pytest.approx(0.75)
    assert result.gain_by_video("condi_sr").mean() == pytest.approx(0.25)
    assert result.methods == ["dense", "condi_sr"] and result.n_clips == 4
    assert result.mean("auroc", "condi_sr") == pytest.approx(0.75)  # over two seeds
    assert result.mean("auroc", "condi_sr", "val") == 0.6
    assert np.isnan(result.mean("ece", "condi_sr"))


def test_gain_rows_name_trials_and_methods_in_order():
    rows = gain_rows([of(0.25), of(0.1, "b", n_clips=6)])
    assert rows[["trial", "method", "k", "n_clips"]].to_numpy().tolist() == [
        ["a", "condi_sr", 2, 4], ["b", "condi_sr", 2, 6]
    ]  # fmt: skip
    assert [g.value for g in rows["gain"]] == pytest.approx([0.25, 0.1])
    assert gain_rows([]).empty and list(gain_rows([], ["x"])) == list(rows)


def test_means_differences_and_slopes_over_trials():
    trials = [of(g, str(g), seed=10 * i) for i, g in enumerate((0.0, 0.1, 0.2, 0.3))]
    assert mean_gain(trials, "condi_sr").value == pytest.approx(0.15)
    more, less = trials[2:], trials[:2]
    between = gain_between(more, less, "condi_sr")
    assert between.value == pytest.approx(0.2) and between.excludes()
    slope = gain_slope(trials, [0, 1, 2, 3], "condi_sr")
    assert slope.value == pytest.approx(0.1)
    by_hand = slope_weights([0, 1, 2, 3]) @ [0.0, 0.1, 0.2, 0.3]
    assert slope.value == pytest.approx(by_hand)


def test_trials_on_the_same_videos_are_paired():
    same = paired_gain_between(of(0.2), of(0.2), "condi_sr")
    assert (same.value, same.low, same.high) == (0, 0, 0)
    assert paired_gain_between(of(0.2), of(0.1), "condi_sr").value == pytest.approx(0.1)
    shorter = trial(
        Findings({"val": planted(0, 0.5, 0, 1, 60), "test": planted(0, 0.5, 0, 1, 60)},
                 pd.DataFrame(columns=["split", "method"]), pd.DataFrame()),
        "b", {"mine": "condi_sr"},
    )  # fmt: skip
    with pytest.raises(ValueError, match="'a' has 120 videos, 'b' 60"):
        paired_gain_between(of(0.2), shorter, "condi_sr")


def test_a_split_that_nobody_judged_is_refused():
    with pytest.raises(ValueError, match=r"nothing was found out about \['test_n3', 'val_n3'\]"):
        trial(found(0.1), "a", {"mine": "condi_sr"}, "test_n3")


def test_a_condition_is_judged_under_the_name_of_its_loss():
    condition = next(c for c in conditions_of(spec()) if c.student == "noisy")
    swept = planted(0, 0.5, 0.2, 2)
    renamed = Sweep({"noisy" if m == "mine" else m: v for m, v in swept.correct.items()},
                    swept.k_clips)  # fmt: skip
    empty = pd.DataFrame(columns=["split", "method"])
    result = trial_of(Findings({"val": renamed, "test": renamed}, empty, empty), condition)
    assert result.name == "noisy"
    assert result.methods == [
        m for m in (*WITHOUT_STUDENT, "condi_sr") if m in ("dense", "condi_sr")
    ]
    assert result.gain("condi_sr").value == pytest.approx(0.2)


# Maps


def map_of(cells):
    """Trials by condition: ``(cue, key share)`` of each and its planted gain."""
    basis = conditions_of(spec())[0]
    return {
        replace(basis, cue=cue, key_share=key, confuser_share=0.2): of(gain, f"{cue} {key}")
        for (cue, key), gain in cells.items()
    }


def test_a_map_has_a_place_for_every_cue_and_mix():
    grid = gain_grid(map_of({(1.0, 0.5): 0.1, (0.7, 0.5): 0.2, (0.7, 0.2): 0.3}), "condi_sr")
    assert list(grid.columns) == ["0.7", "1"]
    assert list(grid.index) == ["key 20 %, confusers 20 %", "key 50 %, confusers 20 %"]
    values = [[None if g is None else round(g.value, 6) for g in row] for row in grid.to_numpy()]
    assert values == [[0.3, None], [0.2, 0.1]]
    assert gain_grid({}, "condi_sr").empty
    assert largest_gain([grid]) == pytest.approx(0.3)
    assert largest_gain([gain_grid(map_of({(1.0, 0.5): 0.0}), "condi_sr")]) == 0.01


def test_levels_of_a_knob_are_compared_on_the_same_other_levels():
    full = {(cue, key): 0.0 for cue in (1.0, 0.7) for key in (0.2, 0.35, 0.5)}
    trials = map_of(full | {(0.9, 0.35): 0.0})  # a cue that was tried with one mix only
    by_cue = complete_lines(trials, "cue")
    assert {level: [t.name for t in line] for level, line in by_cue.items()} == {
        "0.7": ["0.7 0.2", "0.7 0.35", "0.7 0.5"], "1": ["1.0 0.2", "1.0 0.35", "1.0 0.5"]
    }  # fmt: skip
    by_mix = complete_lines(trials, "mix")
    assert list(by_mix) == [f"key {k} %, confusers 20 %" for k in (20, 35, 50)]
    assert {tuple(t.name[:3] for t in line) for line in by_mix.values()} == {("1.0", "0.7")}
    one_row = complete_lines(map_of({(0.7, 0.5): 0.0, (0.9, 0.5): 0.0}), "cue")
    assert [len(line) for line in one_row.values()] == [1, 1]
    assert complete_lines({}, "mix") == {}


# Teachers


OWN_VIDEOS = {"teacher": {"train_splits": ["train"]}}
UNTRIMMED = {"dataset": {"pantomime": {"splits": {"teacher_train": {"trimmed": False}}}}}
TEACHERS = {
    "trimmed": {},
    "untrimmed": UNTRIMMED,
    "own": OWN_VIDEOS,
    "crossed": OWN_VIDEOS | {"cross_fit": 2},
}


def test_teachers_are_described_by_what_they_learnt_from(tmp_path):
    given = tiny(variants={"when": TEACHERS}, losses={"st_ent": {}, "mine": {"loss": "condi_sr"}})
    study = Study(read_study(given), FolderStore(tmp_path), "tiny")
    history = pd.DataFrame(
        [("st_ent", 0, "", 1, 0.1), ("mine", 0, "", 1, 0.9), ("mine", 0, "", 2, 0.5),
         ("mine", 1, "", 1, 0.7)],
        columns=["network", "seed", "fold", "epoch", "train_teacher_correct"],
    )  # fmt: skip
    metrics = pd.DataFrame(
        [("test", 0, "teacher_max_softmax", 0.4, 0.3, 0.8), ("val", 0, "teacher_max_softmax",
         0.0, 0.0, 0.0), ("test", 0, "mine", 0.9, 0.9, np.nan)],
        columns=["split", "seed", "method", "clip_accuracy", "ece", "sure_when_wrong"],
    )  # fmt: skip
    for name in TEACHERS:
        planted_findings = Findings(found(0.2).sweeps, metrics, history)
        write_findings(planted_findings, tmp_path / "when" / name)
    variants = study.variants("when")
    rows = teacher_rows(variants)
    assert rows["teacher"].to_dict() == {
        "trimmed": "trimmed videos",
        "untrimmed": "untrimmed videos",
        "own": "students' own videos",
        "crossed": "students' own videos, cross-fitted",
    }
    values = {name: found.value for name, found in rows.loc["own"].drop("teacher").items()}
    assert values == pytest.approx(
        {"dense": 0.5, "clip_accuracy": 0.4, "ece": 0.3, "sure_when_wrong": 0.8,
         "labels_right": (0.9 + 0.7) / 2}
    )  # fmt: skip
    right = rows.loc["own", "labels_right"]
    assert (right.low, right.high) == pytest.approx((0.7, 0.9))  # the seeds
    assert rows.loc["own", "dense"] == found(0.2).sweeps["test"].accuracy("dense", 1)
    trials = teacher_trials(variants)
    assert trials["crossed"].name == describe_teacher(variants["crossed"].spec)
    assert trials["own"].gain("mine").value == pytest.approx(0.2)
    assert teacher_rows({}).empty and teacher_trials({}) == {}
