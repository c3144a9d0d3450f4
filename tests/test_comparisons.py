"""Students beside each other, against numbers that can be counted on one's fingers."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from tiny_study import tiny

from condi_lib.analysis import Findings
from condi_lib.analysis.comparisons import (
    chosen_k,
    epochs_of,
    failure_table,
    gains_at,
    in_words,
    regime_table,
    regime_titles,
    regimes_of,
    seed_difference,
    seed_range,
    student_table,
)
from condi_lib.analysis.results import Sweep
from condi_lib.statistics import Interval, bootstrap_difference
from condi_lib.study import Study, read_study
from condi_lib.study.study import FolderStore

N_SEEDS, N_VIDEOS = 2, 40


def study_of(tmp_path, **changes):
    return Study(read_study(tiny(**changes)), FolderStore(tmp_path), "tiny")


@pytest.fixture
def study(tmp_path):
    return study_of(tmp_path, losses={"condi_sr": {}, "naive": {}}, seeds=[0, 1])


def right(*shares):
    """A method that gets so many of 40 videos right at K = 1, 2, ..., the same for both seeds."""
    columns = [np.arange(N_VIDEOS) < share * N_VIDEOS for share in shares]
    return np.stack([np.stack(columns, axis=1)] * N_SEEDS).astype(np.float32)


@pytest.fixture
def found():
    """Validation prefers K = 2 for naive and K = 1 for ConDi-SR; the test the other way round."""
    samplers = {"dense": right(0.5, 0.5), "oracle": right(0.9, 0.8), "random": right(0.3, 0.4)}
    val = Sweep(samplers | {"condi_sr": right(0.7, 0.6), "naive": right(0.6, 0.7)}, [1, 2])
    test = Sweep(samplers | {"condi_sr": right(0.6, 0.8), "naive": right(0.9, 0.55)}, [1, 2])
    rng = np.random.default_rng(0)
    inside = {n: rng.uniform(size=(2, N_VIDEOS)).astype(np.float32) for n in ("condi_sr", "naive")}
    metrics = [
        {"split": "test", "seed": seed, "method": name, "clip_accuracy": base + 0.1 * seed}
        for name, base in {"condi_sr": 0.3, "naive": 0.5, "teacher_max_softmax": 0.7}.items()
        for seed in (1, 0)
    ]
    history = [
        {"network": n, "seed": seed, "fold": "", "epoch": e, "train_teacher_correct": correct,
         "val_loss": (3 - e) * (1 + seed), "val_auroc": np.nan if n == "teacher" else 0.5}
        for n, correct in {"teacher": np.nan, "condi_sr": 0.25, "naive": 0.25}.items()
        for seed in (0, 1) for e in (1, 2)
    ]  # fmt: skip
    sweeps = {"val": val, "test": test}
    return Findings(sweeps, pd.DataFrame(metrics), pd.DataFrame(history), {"test": inside})


def test_regimes_are_the_variants_or_the_study_itself(tmp_path, study):
    assert regimes_of(study, "loss_ablation") == {"tiny": study}
    variants = {"loss_ablation": {"a": {"seeds": [3]}, "b": {}}}
    regimes = regimes_of(study_of(tmp_path, variants=variants), "loss_ablation")
    assert list(regimes) == ["a", "b"]
    assert regimes["a"].seeds == (3,)


def test_regime_table_says_what_students_start_from(study, found):
    table = regime_table({"new_data": study}, {"new_data": found})
    row = table.loc["new_data"]
    assert row["train_correct"] == 0.25  # the teacher's own history knows of no teacher
    assert row["test_correct"] == pytest.approx(0.75)
    assert (row["dense"].value, row["oracle"].value) == pytest.approx((0.5, 0.9))
    assert (row["n_videos"], row["n_seeds"]) == (N_VIDEOS, N_SEEDS)
    title = "new data\n(teacher right on 25 % of training clips)"
    assert regime_titles(table) == {"new_data": title}


def test_k_is_chosen_on_validation_videos(study, found):
    assert chosen_k(study, found, "condi_sr") == 1
    assert chosen_k(study, found, "naive") == 2
    assert chosen_k(study, found, "random") == 2


def test_student_table_reports_each_student_at_its_chosen_k(study, found):
    table = student_table(study, found)
    test = found.sweeps["test"].correct
    assert list(table.index) == ["condi_sr", "naive"]
    assert list(table["K"]) == [1, 2]
    assert table.loc["naive", "accuracy"].value == pytest.approx(0.55)
    assert table.loc["naive", "over_dense"].value == pytest.approx(0.05)
    expected = bootstrap_difference(test["naive"][:, :, 1], test["condi_sr"][:, :, 0])
    assert table.loc["naive", "over_base"] == expected
    assert expected.value == pytest.approx(-0.05)
    zero = table.loc["condi_sr", "over_base"]
    assert (zero.value, zero.low, zero.high) == (0, 0, 0)
    inside = {n: v.mean(dtype=float) for n, v in found.video_auroc["test"].items()}
    assert table.loc["naive", "auroc"].value == pytest.approx(inside["naive"])
    gain = inside["naive"] - inside["condi_sr"]
    assert table.loc["naive", "auroc_over_base"].value == pytest.approx(gain)
    own = table.loc["condi_sr", "clip_accuracy"]
    assert (own.value, own.low, own.high) == pytest.approx((0.35, 0.3, 0.4))
    with pytest.raises(ValueError, match="no student 'st_ent'; it has \\['condi_sr', 'naive'\\]"):
        student_table(study, found, base="st_ent")


def test_failure_table_sets_scores_beside_each_other(found):
    assert failure_table(found, ["st_ent"]).empty
    others = ("auroc", "aupr_error", "fpr_at_95_tpr", "aurc", "e_aurc", "augrc", "ece")
    metrics = found.metrics.assign(**{m: found.metrics["clip_accuracy"] for m in others})
    table = failure_table(replace(found, metrics=metrics), ["naive", "st_ent", "condi_sr"])
    assert list(table.index) == ["naive", "condi_sr"]
    assert list(table) == ["within_video_auroc", "over_base", *others]
    inside = {n: v.mean(dtype=float) for n, v in found.video_auroc["test"].items()}
    assert table.loc["naive", "within_video_auroc"].value == pytest.approx(inside["naive"])
    difference = table.loc["naive", "over_base"]
    assert difference.value == pytest.approx(inside["naive"] - inside["condi_sr"])
    assert difference.low < difference.value < difference.high
    aurc = table.loc["naive", "aurc"]
    assert (aurc.value, aurc.low, aurc.high) == pytest.approx((0.55, 0.5, 0.6))


def test_a_students_own_validation_split_chooses_its_k(tmp_path, found):
    fields = tiny(losses={"condi_sr": {}, "naive": {"student": {"val_split": "hard"}}})
    fields["dataset"]["pantomime"]["splits"]["hard"] = {"n_videos": 12, "n_clips": 2}
    study = Study(read_study(fields), FolderStore(tmp_path), "tiny")
    found.sweeps["hard"] = Sweep({"naive": right(0.6, 0.5)}, [1, 2])
    assert chosen_k(study, found, "naive") == 1
    assert chosen_k(study, found, "condi_sr") == 1


def test_the_range_of_seeds_is_that_of_the_lowest_and_the_highest(found):
    at = seed_range(found, "clip_accuracy", "naive")
    assert (at.value, at.low, at.high) == pytest.approx((0.55, 0.5, 0.6))
    paired = seed_difference(found, "clip_accuracy", "naive", "condi_sr")
    assert (paired.value, paired.low, paired.high) == pytest.approx((0.2, 0.2, 0.2))


def test_epochs_are_averaged_over_seeds_and_may_be_shares_of_the_first(found):
    epochs = epochs_of(found, "naive", "val_loss")
    assert epochs.to_dict("list") == {
        "epoch": [1, 2], "mean": [3, 1.5], "low": [2, 1], "high": [4, 2]
    }  # fmt: skip
    relative = epochs_of(found, "naive", "val_loss", relative=True)
    assert relative[["mean", "low", "high"]].to_numpy().tolist() == [[1] * 3, [0.5] * 3]
    assert epochs_of(found, "teacher", "val_auroc").empty
    with pytest.raises(ValueError, match="no history has 'val_los'; there are"):
        epochs_of(found, "naive", "val_los")


def test_folds_are_averaged_before_seeds(found):
    history = found.history.query("network == 'naive' and epoch == 1")
    other = history.assign(fold="other", val_loss=history["val_loss"] + 1)
    both = Findings({}, pd.DataFrame(), pd.concat([history, other]))
    assert epochs_of(both, "naive", "val_loss")[["mean", "low", "high"]].to_numpy().tolist() == [
        [3.5, 2.5, 4.5]
    ]


def test_gains_at_one_k_leave_out_what_the_study_lacks(found):
    table = gains_at(found, ["naive", "st_conf", "dense"], 1, over=["random"])
    assert list(table.index) == ["naive", "dense"]
    assert list(table.columns) == ["accuracy", "over_random"]
    assert table.loc["naive", "over_random"].value == pytest.approx(0.6)
    assert table.loc["dense", "over_random"].value == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("interval", "words"),
    [
        ((0.021, 0.004, 0.039), "+2.1 points [+0.4, +3.9], better"),
        ((-0.003, -0.019, 0.011), "-0.3 points [-1.9, +1.1], not told apart"),
        ((-0.1, -0.12, -0.08), "-10.0 points [-12.0, -8.0], worse"),
        ((0.0, 0.0, 0.0), "+0.0 points [+0.0, +0.0], not told apart"),
        ((0.1, np.nan, np.nan), "+10.0 points [+nan, +nan], not told apart"),
        ((-0.005, -0.0094, -0.0002), "-0.50 points [-0.94, -0.02], worse"),
        ((-0.004, -0.008, 0.0004), "-0.40 points [-0.80, +0.04], not told apart"),
    ],
)
def test_a_difference_is_called_one_only_if_its_interval_excludes_0(interval, words):
    assert in_words(Interval(*interval)) == words
