"""The surface of workload divisions over a study, against each division by itself."""

from dataclasses import replace

import numpy as np
import pytest
from random_study import FOLDS, LONGEST, SEEDS, views, write_study

from condi_lib.analysis.divisions import (
    BY_CONFIDENCE,
    BY_ENTROPY,
    DivisionSurface,
    division_surface,
    overlap_effect,
    student_alone,
    votes_at_equal_cost,
)
from condi_lib.analysis.folds import Folds
from condi_lib.evaluation import decide
from condi_lib.sampling import Divided, Selected


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return write_study(tmp_path_factory.mktemp("tables"))


@pytest.fixture(scope="module")
def surface(study):
    return division_surface(study, "condi_sr")


def correct_of(study, policy, split="test", swap=False):
    """By seed and video, fold after fold."""
    found = {}
    for pair, view in views(study, "condi_sr", split).items():
        seen = replace(view, teacher_logits=view.student_logits) if swap else view
        found[pair] = decide(seen, policy).correct.astype(float)
    return np.stack([np.concatenate([found[s, f] for f in FOLDS]) for s in SEEDS])


def test_every_cell_is_the_division_itself(surface, study):
    assert surface.longest == LONGEST
    table = surface.table()
    for k in range(1, LONGEST + 1):
        for s in range(k + 1):
            right = correct_of(study, Divided(k, s))
            assert surface.accuracy(k, s).value == pytest.approx(right.mean())
            assert table.loc[s, k] == pytest.approx(right.mean())
    assert table.isna().sum().sum() == LONGEST * (LONGEST - 1) / 2  # K_s > K
    with pytest.raises(ValueError, match="K = 2 and K_s = 3"):
        surface.accuracy(2, 3)


def test_changes_are_against_the_teacher_alone(surface, study):
    table = surface.changes(3)
    alone = correct_of(study, Divided(3, 0))
    for s in range(4):
        change = table.loc[s, "change"]
        assert change.value == pytest.approx((correct_of(study, Divided(3, s)) - alone).mean())
        assert table.loc[s, "overlap"] == pytest.approx(surface.n_both[:, :, 3 - s, s].mean())
    assert table.loc[0, "change"].high == 0
    steps = [table.loc[s, "accuracy"].value for s in range(4)]
    assert surface.falls(3) == (steps == sorted(set(steps), reverse=True))


def hand_made(accuracies):
    """A surface with given accuracies of (K_t, K_s), of 20 videos and one seed."""
    n = max(max(cell) for cell in accuracies)
    correct = np.zeros((1, 20, n + 1, n + 1), bool)
    for (t, s), accuracy in accuracies.items():
        correct[0, : round(20 * accuracy), t, s] = True
    return DivisionSurface(correct, np.zeros(correct.shape, np.int16))


def test_a_fall_is_a_fall_at_every_step():
    assert hand_made({(2, 0): 0.8, (1, 1): 0.6, (0, 2): 0.3}).falls(2)
    assert not hand_made({(2, 0): 0.8, (1, 1): 0.9, (0, 2): 0.3}).falls(2)
    assert not hand_made({(2, 0): 0.8, (1, 1): 0.8, (0, 2): 0.3}).falls(2)


def test_votes_are_chosen_on_validation_videos_and_told_on_the_others():
    cells = {(1, 0): 0.5, (1, 1): 0.7, (1, 2): 0.6, (2, 0): 0.4, (2, 1): 0.4, (0, 1): 0.3}
    val = hand_made(cells)
    result = hand_made(cells | {(1, 1): 0.4})
    table = votes_at_equal_cost(val, result)
    assert table["k_student"].tolist() == [1, 0]  # of equal ones the smallest
    assert table.loc[1, "gain"].value == pytest.approx(-0.1)
    assert table.loc[2, "accuracy"].value == pytest.approx(0.4)
    assert val.best_addition(0) == 1  # somebody must look at a clip


def test_accuracy_over_teacher_clips_beside_some_votes(surface):
    rows = surface.votes_rows(2)
    assert rows["k_clips"].tolist() == [1, 2, 3, 4, 5]
    assert rows["video_accuracy"].iloc[2] == surface.accuracy(5, 2).value


def test_the_student_alone_is_its_own_teacher(study):
    alone = student_alone(study, "condi_sr")
    samplers = {BY_CONFIDENCE: "confidence", BY_ENTROPY: "student_negative_entropy"}
    for method, sampler in samplers.items():
        for k in range(1, LONGEST + 1):
            expected = correct_of(study, Selected(sampler, k), swap=True)
            np.testing.assert_array_equal(alone.correct[method][:, :, k - 1], expected)
    by_entropy = correct_of(study, Divided(3, 3))
    np.testing.assert_array_equal(alone.correct[BY_ENTROPY][:, :, 2], by_entropy)


def test_what_other_treatments_of_an_overlap_change(study, surface):
    table = overlap_effect(study, "condi_sr", [(2, 1), (1, 3)])
    assert list(table.index) == ["2+1", "1+3"]
    for name, (t, s) in {"2+1": (2, 1), "1+3": (1, 3)}.items():
        mean = correct_of(study, Divided(t + s, s))
        assert table.loc[name, "overlap"] == (surface.n_both[:, :, t, s] > 0).mean()
        for how in ("twice", "teacher", "next"):
            change = (correct_of(study, Divided(t + s, s, how)) - mean).mean()
            assert table.loc[name, how].value == pytest.approx(change)


def test_a_list_longer_than_all_videos_is_cut_to_them():
    surface = hand_made({(2, 0): 0.8, (2, 1): 0.6, (2, 2): 0.3})
    assert surface.accuracy_of(5, 1) == 0.6  # as 2 + 1
    assert surface.accuracy_of(9, 4) == 0.3


def test_official_folds_are_averaged():
    """Three places: two of fold 0, one of fold 1; the mean is over folds, not over places."""
    correct = np.zeros((1, 3, 2, 2), bool)
    correct[0, :, 1, 0] = [True, False, True]
    folds = Folds(np.array([0, 1, 0]), np.array([0, 0, 1]))
    surface = DivisionSurface(correct, np.zeros(correct.shape, np.int16), folds)
    assert surface.accuracy(1, 0).value == surface.accuracy_of(1, 0) == 0.75
    assert surface.gain((1, 0), (1, 1)).value == 0.75
