"""All divisions at once, against each one by itself, and what must hold of any division."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from dense_views import best_by_loop, random_view, softmax

from condi_lib.evaluation import decide, divide_every_way, division
from condi_lib.sampling import OVERLAPS, Divided, Selected, division_weights


def pairs(longest):
    """Lengths of the teacher's and of the student's list, without the one that means nothing."""
    return [(t, s) for t in range(longest + 1) for s in range(longest + 1) if t + s]


@pytest.mark.parametrize("seed", range(4))
def test_each_division_is_what_the_policy_answers(seed):
    view = random_view(seed=seed)
    found = divide_every_way(view)
    assert found.correct.shape == (6, 8, 8)
    for t, s in pairs(7):
        expected = decide(view, Divided(t + s, s)).correct
        np.testing.assert_array_equal(found.correct[:, t, s], expected, err_msg=f"{t} + {s}")


def test_clips_on_both_lists_are_those_of_two_sorted_lists():
    view = random_view()
    found = divide_every_way(view)
    for video, n in enumerate(view.n_clips.tolist()):
        probs = [softmax(logits) for logits in view.student_logits[video, :n].numpy()]
        first = best_by_loop(view.confidence[video, :n].tolist(), n)
        second = best_by_loop([np.sum(p * np.log(p)) for p in probs], n)
        for t, s in pairs(7):
            assert found.n_both[video, t, s] == len({*first[:t]} & {*second[:s]})


def test_the_edges_are_the_teacher_alone_and_the_student_alone():
    """K_s = 0 keeps K clips by confidence; K_s = K is the student as if it were its own teacher."""
    view = random_view((9,) * 50)
    found = divide_every_way(view)
    itself = dataclasses.replace(view, teacher_logits=view.student_logits)
    for k in range(1, 10):
        teacher = decide(view, Selected("confidence", k)).correct
        student = decide(itself, Selected("student_negative_entropy", k)).correct
        np.testing.assert_array_equal(found.correct[:, k, 0], teacher)
        np.testing.assert_array_equal(found.correct[:, 0, k], student)
    assert (found.n_both[:, 0] == 0).all()
    assert (found.n_both[:, :, 0] == 0).all()
    assert (found.n_both[:, 9, 9] == 9).all()


def test_a_student_that_says_the_same_changes_nothing_where_the_lists_agree():
    view = random_view((6,) * 40)
    surest = torch.special.entr(view.teacher_logits.softmax(-1)).sum(-1)
    twins = dataclasses.replace(view, student_logits=view.teacher_logits, confidence=-surest)
    found = divide_every_way(twins)
    for k in range(1, 7):
        np.testing.assert_array_equal(found.correct[:, k, k], found.correct[:, k, 0])


def test_how_many_videos_are_taken_at_once_does_not_matter(monkeypatch):
    view = random_view((3, 7, 1, 5) * 5)
    together = divide_every_way(view)
    monkeypatch.setattr(division, "NUMBERS_AT_ONCE", 1)
    alone = divide_every_way(view)
    np.testing.assert_array_equal(alone.correct, together.correct)
    np.testing.assert_array_equal(alone.n_both, together.n_both)


def test_what_is_missing_is_said():
    view = random_view()
    with pytest.raises(ValueError, match="logits of both networks"):
        divide_every_way(dataclasses.replace(view, student_logits=None))
    with pytest.raises(ValueError, match="confidence"):
        divide_every_way(dataclasses.replace(view, confidence=None))


# What becomes of a clip on both lists


def hand_made():
    """One video: clip 0 is on both lists of one clip each, clip 1 is second on both."""
    mask = torch.ones(1, 3, dtype=torch.bool)
    return torch.tensor([[0.9, 0.5, 0.1]]), torch.tensor([[-0.1, -0.2, -0.3]]), mask


BY_HAND = {  # K_t = 1, K_s = 2: the teacher has clip 0, the student 0 and 1
    "mean": ([1 / 4, 0, 0], [1 / 4, 1 / 2, 0]),
    "twice": ([1 / 3, 0, 0], [1 / 3, 1 / 3, 0]),
    "teacher": ([1 / 2, 0, 0], [0, 1 / 2, 0]),
    "next": ([1 / 3, 0, 0], [0, 1 / 3, 1 / 3]),
}


@pytest.mark.parametrize("overlap", OVERLAPS)
def test_overlap_by_hand(overlap):
    shares = division_weights(*hand_made(), 3, 2, overlap)
    for share, expected in zip(shares, BY_HAND[overlap], strict=True):
        assert share[0].tolist() == pytest.approx(expected)


@pytest.mark.parametrize("overlap", OVERLAPS)
def test_weights_sum_to_one_and_keep_to_the_video(overlap):
    view = random_view()
    sureness = torch.rand(view.mask.shape).masked_fill(~view.mask, math.nan)
    for t, s in pairs(8):
        shares = division_weights(view.confidence, sureness, view.mask, t + s, s, overlap)
        assert torch.stack(shares).sum(dim=(0, 2)).allclose(torch.ones(6).double())
        assert not (torch.stack(shares) > 0)[:, ~view.mask].any()


def test_an_unknown_overlap_is_refused():
    with pytest.raises(ValueError, match=r"overlap must be one of \('mean', .*got 'sum'"):
        Divided(3, 1, "sum")
    assert str(Divided(3, 1, "next")).endswith("1 by the student, overlap: next")
