"""Policies on clip tables, against a loop over videos that walks through the clips one by one.

The loop (``answer_by_loop``) knows lists and dictionaries only: it sorts with Python's stable
``sorted``, adds probabilities clip by clip and decides for itself when to stop.
"""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from dense_views import best_by_loop, random_view, softmax

from condi_lib.clip_table import DenseView
from condi_lib.evaluation import choose_adaptive, choose_adaptive_within, decide, policies
from condi_lib.sampling import DENSE, OVERLAPS, SAMPLERS, Adaptive, Divided, Selected


def clips_of(view, video):
    """Teacher's and student's probabilities and the confidence of each clip of a video."""
    n = int(view.mask[video].sum())
    columns = (view.teacher_logits, view.student_logits, view.confidence)
    teacher, student, z = (column[video, :n].numpy() for column in columns)
    return [softmax(t) for t in teacher], [softmax(s) for s in student], z.astype(float).tolist()


def adaptive_by_loop(policy, teacher, student, z):
    """The answer and the number of clips that the teacher has seen."""
    weights = [each**policy.power for each in z]
    total, queue = sum(weights), best_by_loop(z, policy.max_clips)
    for n in range(len(queue) + 1):
        seen = set(queue[:n])
        clips = range(len(z))
        answer = sum(weights[i] / total * (teacher if i in seen else student)[i] for i in clips)
        first, second = sorted(answer, reverse=True)[:2]
        left = sum(weights[i] / total for i in queue[n:])
        if n == len(queue) or (first - second) >= policy.threshold * left:
            return answer, n


def division_by_loop(policy, teacher, student, z):
    by_teacher = set(best_by_loop(z, policy.k_clips - policy.k_student))
    surest = best_by_loop([np.sum(s * np.log(s)) for s in student], len(student))
    if policy.overlap == "next":
        surest = [clip for clip in surest if clip not in by_teacher]
    by_student = set(surest[: policy.k_student])
    answers = []
    for clip in by_teacher | by_student:
        said = [teacher[clip]] * (clip in by_teacher) + [student[clip]] * (clip in by_student)
        answers += {
            "mean": [sum(said) / len(said)], "twice": said, "teacher": said[:1], "next": said
        }[policy.overlap]  # fmt: skip
    return sum(answers) / len(answers), len(by_teacher)


def selection_by_loop(policy, teacher, student, z):
    n, sureness = len(z), [np.sum(s * np.log(s)) for s in student]
    k = n if policy.k_clips is None else min(policy.k_clips, n)
    kept = {
        "dense": lambda: range(n),
        "equidistant": lambda: [math.floor((j + 0.5) * n / k) for j in range(k)],
        "confidence": lambda: best_by_loop(z, k),
        "student_negative_entropy": lambda: best_by_loop(sureness, k),
    }[policy.sampler]()
    weights = {i: z[i] ** policy.power for i in kept}
    return sum(w * teacher[i] for i, w in weights.items()) / sum(weights.values()), len(weights)


BY_LOOP = {Adaptive: adaptive_by_loop, Divided: division_by_loop, Selected: selection_by_loop}
POLICIES = [
    DENSE,
    Selected("dense", None, power=2),
    *(Selected("confidence", k) for k in (1, 3, 99)),
    Selected("confidence", 3, power=4),
    Selected("equidistant", 3),
    Selected("equidistant", 2, power=1.5),
    Selected("student_negative_entropy", 2),
    *(Divided(k, k_s) for k, k_s in [(1, 0), (1, 1), (4, 0), (4, 2), (4, 4), (99, 3)]),
    *(Divided(k, k_s, how) for how in OVERLAPS[1:] for k, k_s in [(2, 2), (5, 3), (99, 3)]),
    *(
        Adaptive(threshold, most, power)
        for threshold, most, power in itertools.product(
            (0.0, 0.2, 0.7, 2.0, math.inf), (2, 10), (1, 8)
        )
    ),
    Adaptive(0.3, 3, 0),
]


@pytest.mark.parametrize("policy", POLICIES, ids=str)
@pytest.mark.parametrize("seed", range(3))
def test_a_policy_answers_as_the_loop_does(policy, seed):
    view = random_view(seed=seed)
    found = decide(view, policy)
    for video in range(view.n_videos):
        answer, n_teacher = BY_LOOP[type(policy)](policy, *clips_of(view, video))
        np.testing.assert_allclose(found.probs[video], answer, atol=1e-7)
        assert found.n_teacher[video] == n_teacher
        assert found.correct[video] == (answer.argmax() == view.label[video])
    skimmed = found.n_teacher if policy.ranking is None else view.n_clips.numpy()
    np.testing.assert_array_equal(found.n_student, skimmed * policy.needs_student)


@pytest.mark.parametrize("policy", POLICIES, ids=str)
def test_nothing_is_read_that_the_teacher_has_not_looked_at(policy):
    view = random_view()
    queue = policy.queue(view, torch.Generator())
    expected = decide(view, policy)
    unseen = queue >= torch.from_numpy(expected.n_teacher).unsqueeze(1)
    lie = torch.where(
        unseen.unsqueeze(-1), 50 * torch.ones(4) * torch.arange(4), view.teacher_logits
    )
    found = decide(replace(view, teacher_logits=lie), policy)
    np.testing.assert_array_equal(found.probs, expected.probs)
    np.testing.assert_array_equal(found.n_teacher, expected.n_teacher)


@pytest.mark.parametrize("policy", POLICIES, ids=str)
def test_padding_and_the_other_videos_do_not_matter(policy):
    view = random_view()
    together = decide(view, policy)
    for video in range(view.n_videos):
        alone = decide(view.videos(video, video + 1), policy)
        np.testing.assert_allclose(alone.probs[0], together.probs[video], atol=1e-12)
        assert alone.n_teacher[0] == together.n_teacher[video]


@pytest.mark.parametrize("power", [0, 1, 8])
@pytest.mark.parametrize("most", [1, 3, 10])
def test_from_threshold_2_on_the_answer_is_that_of_all_clips_looked_at(power, most):
    view = random_view(tuple([9] * 300), seed=3)
    early = decide(view, Adaptive(2.0, most, power))
    late = decide(view, Adaptive(math.inf, most, power))
    assert (late.n_teacher == most).all() or most > 9
    np.testing.assert_array_equal(early.probs.argmax(1), late.probs.argmax(1))
    if power == 8 and most == 10:
        assert early.n_teacher.mean() < 0.8 * late.n_teacher.mean()  # yet it looks at fewer


def test_at_threshold_2_a_later_clip_can_only_draw_level():
    """Both networks are certain: the clip that is left could undo the lead, but not more."""
    first, second = torch.tensor([[100.0, 0.0], [0.0, 100.0]])
    teacher, student = torch.stack([second, first]), torch.stack([second, second])
    mask, z = torch.ones(1, 2, dtype=torch.bool), torch.tensor([[0.9, 0.9]])
    view = DenseView(["v"], torch.tensor([1]), mask, teacher[None], student[None], z)
    settled, late = decide(view, Adaptive(2.0)), decide(view, Adaptive(math.inf))
    assert settled.n_teacher[0] == 1 and settled.probs[0].argmax() == 1
    assert late.probs[0] == pytest.approx([0.5, 0.5])


def test_a_lower_threshold_never_costs_more():
    view = random_view(tuple([9] * 100))
    counts = [decide(view, Adaptive(t, 9, 4)).n_teacher for t in (0, 0.05, 0.1, 0.3, 1, 3)]
    assert (counts[0] == 0).all()
    assert all((a <= b).all() for a, b in itertools.pairwise(counts))


def test_adaptive_to_the_end_is_dense_weighted_by_confidence():
    view = random_view()
    late, dense = decide(view, Adaptive(math.inf, 99, 3)), decide(view, Selected("dense", None, 3))
    np.testing.assert_allclose(late.probs, dense.probs, atol=1e-12)


@pytest.mark.parametrize("policy", POLICIES, ids=str)
def test_probabilities_sum_to_1_as_doubles_do(policy):
    probs = decide(random_view(), policy).probs
    np.testing.assert_allclose(probs.sum(axis=1), 1, rtol=0, atol=1e-12)


def test_by_hand():
    """Two clips, z̃ = .8 and .4, power 1: weights 2/3 and 1/3."""
    logits = torch.tensor([[[0.9, 0.1], [0.2, 0.8]], [[0.6, 0.4], [0.3, 0.7]]]).log()
    mask, z = torch.ones(1, 2, dtype=torch.bool), torch.tensor([[0.8, 0.4]])
    view = DenseView(["v"], torch.tensor([0]), mask, logits[:1], logits[1:], z)
    # by the student: 2/3 (.6, .4) + 1/3 (.3, .7) = (.5, .5): the lead is 0
    assert decide(view, Adaptive(0.0, 2, 1)).probs[0] == pytest.approx([0.5, 0.5])
    # one look: 2/3 (.9, .1) + 1/3 (.3, .7) = (.7, .3); the lead .4 is 1.2 times the 1/3 left
    one = decide(view, Adaptive(1.19, 2, 1))
    assert one.probs[0] == pytest.approx([0.7, 0.3]) and one.n_teacher[0] == 1
    two = decide(view, Adaptive(1.21, 2, 1))
    assert two.probs[0] == pytest.approx([2 / 3, 1 / 3]) and two.n_teacher[0] == 2
    # power 8: the second clip weighs (1/2) ** 8
    weighted = decide(view, Selected("dense", None, 8)).probs[0, 0]
    assert weighted == pytest.approx((0.9 + 0.2 / 256) / (1 + 1 / 256))


def test_random_clips_depend_on_seed_and_place_alone():
    view = random_view(tuple([9] * 40))
    policy = Selected("random", 3)
    first, again, other = (decide(view, policy, seed).probs for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any(axis=1).mean() > 0.9
    shorter = decide(view.videos(0, 7), policy, 0).probs
    np.testing.assert_array_equal(first[:7], shorter)


def test_tiny_confidences_neither_underflow_nor_count():
    view = random_view()
    tiny = decide(replace(view, confidence=view.confidence * 1e-30), Adaptive(math.inf, 9, 8))
    np.testing.assert_allclose(tiny.probs, decide(view, Adaptive(math.inf, 9, 8)).probs, atol=1e-6)
    zero = decide(replace(view, confidence=view.confidence * 0), Selected("dense", None, 8))
    np.testing.assert_allclose(zero.probs, decide(view, DENSE).probs, atol=1e-12)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Selected("oracle", 3), "needs the teacher on all clips, or the label"),
        (lambda: Selected("teacher_max_softmax", 3), "needs the teacher on all clips"),
        (lambda: Selected("astrology", 3), "is unknown; choose from"),
        (lambda: Selected("confidence", None), "any other sampler needs a number"),
        (lambda: Selected("dense", 5), "all clips are 'dense' with k_clips None"),
        (lambda: Selected("confidence", 0), "k_clips must be at least 1"),
        (lambda: Selected("confidence", 1, -1.0), "power must be at least 0"),
        (lambda: Selected("confidence", 1, math.nan), "power must be at least 0"),
        (lambda: Divided(3, 4), "need 0 <= k_student <= k_clips"),
        (lambda: Divided(0, 0), "need 0 <= k_student <= k_clips"),
        (lambda: Adaptive(-0.1), "threshold must be at least 0"),
        (lambda: Adaptive(math.nan), "threshold must be at least 0"),
        (lambda: Adaptive(1, 0), "max_clips must be at least 1"),
        (lambda: Adaptive(1, sampler="equidistant"), "does not rank clips"),
    ],
)
def test_impossible_policies_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("bad", [1.5, -0.2, math.nan])
def test_weights_need_confidences_that_are_shares(bad):
    view = random_view()
    view.confidence[2, 3] = bad
    with pytest.raises(ValueError, match=r"confidences in \[0, 1\]"):
        decide(view, Selected("dense", None, 2))


def test_what_is_missing_is_said():
    view = replace(random_view(), confidence=None)
    with pytest.raises(ValueError, match="student with a confidence head"):
        decide(view, Selected("dense", None, 2))
    with pytest.raises(ValueError, match="logits of both networks"):
        decide(replace(view, teacher_logits=None), DENSE)
    entropy = Adaptive(0.5, 3, power=0, sampler="student_negative_entropy")
    assert decide(view, entropy).probs.sum(axis=1) == pytest.approx(np.ones(view.n_videos))


# --- choosing the threshold ---------------------------------------------------------------------


def learnable_view(n_videos=400, seed=0):
    """Videos in which confidence tells where the teacher is right."""
    rng = np.random.default_rng(seed)
    label = rng.integers(4, size=n_videos)
    z = rng.uniform(size=(n_videos, 6))
    right = rng.uniform(size=z.shape) < z
    said = np.where(right, label[:, None], rng.integers(4, size=z.shape))
    logits = torch.from_numpy(3.0 * np.eye(4)[said] + rng.normal(size=(*z.shape, 4))).float()
    guess = torch.from_numpy(np.eye(4)[said] + rng.normal(size=(*z.shape, 4))).float()
    mask = torch.ones(z.shape, dtype=torch.bool)
    labels, confidence = torch.from_numpy(label), torch.from_numpy(z).float()
    return DenseView([""] * n_videos, labels, mask, logits, guess, confidence)


@pytest.mark.parametrize("budget", [0, 0.5, 1, 2.5, 6])
def test_the_chosen_setting_is_the_best_that_the_budget_affords(budget):
    view = learnable_view()
    chosen = choose_adaptive(view, budget=budget, max_clips=6, powers=(1, 4))
    found = decide(view, chosen)
    assert found.n_teacher.mean() <= budget + 1e-9
    for power, threshold in itertools.product((1, 4), np.linspace(0, 2.2, 40)):
        other = decide(view, Adaptive(threshold, 6, power))
        if other.n_teacher.mean() <= budget:  # 200 thresholds are tried, this may lie between
            assert other.correct.mean() <= found.correct.mean() + 0.005


def test_the_cheapest_setting_reaches_the_target():
    view = learnable_view()
    most = decide(view, choose_adaptive(view, budget=6, max_clips=6)).correct.mean()
    cheap = choose_adaptive(view, target_accuracy=most - 0.02, max_clips=6)
    assert decide(view, cheap).correct.mean() >= most - 0.02
    best_one = choose_adaptive(view, target_accuracy=most, max_clips=6)
    assert decide(view, cheap).n_teacher.mean() < decide(view, best_one).n_teacher.mean()
    with pytest.raises(ValueError, match=f"the best is {most:.1%}"):
        choose_adaptive(view, target_accuracy=0.999, max_clips=6)


def test_more_clips_than_any_video_has_cost_nothing():
    view = learnable_view(60)
    for aim in ({"budget": 2}, {"target_accuracy": 0.5}):
        chosen = choose_adaptive(view, **aim, max_clips=10**9)
        assert chosen == replace(choose_adaptive(view, **aim, max_clips=6), max_clips=10**9)


def test_policies_that_differ_are_called_differently():
    names = [str(policy) for policy in POLICIES]
    assert len(set(names)) == len(set(POLICIES))
    told = str(Adaptive(0.5, 3, 0, "student_negative_entropy"))
    assert told == "adaptive, threshold 0.5, at most 3 clips, best by student entropy"


def test_one_aim_at_a_time():
    for aims in ({}, {"budget": 1, "target_accuracy": 0.5}):
        with pytest.raises(ValueError, match="either a budget"):
            choose_adaptive(learnable_view(10), **aims)
    with pytest.raises(ValueError, match="budget must be at least 0"):
        choose_adaptive(learnable_view(10), budget=-1)


def test_every_affordable_sampler_makes_a_policy():
    view = random_view()
    for name, sampler in SAMPLERS.items():
        if sampler.costs in ("nothing", "student") and name != "dense":
            found = decide(view, Selected(name, 2))
            np.testing.assert_array_equal(found.n_teacher, view.n_clips.clamp(max=2).numpy())


def test_many_budgets_choose_as_each_by_itself():
    view = random_view((5, 7, 3, 6) * 10, seed=2)
    budgets = (0.0, 0.5, 2.0)
    alone = [choose_adaptive(view, budget) for budget in budgets]
    assert choose_adaptive_within(view, budgets) == alone
    assert len(set(alone)) > 1  # or the test would not tell budgets apart
    with pytest.raises(ValueError, match="at least 0 clips, got -1"):
        choose_adaptive_within(view, (1, -1))


def test_how_many_videos_are_decided_at_once_does_not_matter(monkeypatch):
    """Tables of many short videos pass in large steps, long videos in small ones."""
    view = random_view((4, 2, 5) * 50, seed=1)
    together = decide(view, Adaptive(0.4, 3, 2))
    monkeypatch.setattr(policies, "NUMBERS_AT_ONCE", 0)
    apart = decide(view, Adaptive(0.4, 3, 2))
    np.testing.assert_array_equal(apart.n_teacher, together.n_teacher)
    np.testing.assert_allclose(apart.probs, together.probs, atol=1e-12)
