"""Which clips are kept and how they are averaged, against an oracle that loops over videos.

The oracle (``kept_by_loop``, ``divided_by_loop``) sorts each video's clips with Python's stable
``sorted`` and averages lists. It knows nothing of masks, padding or tensors.
"""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from dense_views import COUNTS, best_by_loop, mask_of, random_view, softmax

from condi_lib.clip_table import DenseView
from condi_lib.sampling import (
    SAMPLERS,
    RankedBy,
    Sampler,
    average,
    dense_weights,
    divide_workload,
    division_weights,
    equidistant_weights,
    neighbouring_weights,
    random_weights,
    rank_clips,
    stack,
    stacked_weights,
    top_k_weights,
)


def random_case(counts=COUNTS, n_classes=4, seed=0, n_levels=None):
    """A random view; with ``n_levels`` one of many ties."""
    view = random_view(counts, n_classes, seed, torch.randn)
    if n_levels is None:
        return view
    return replace(
        view,
        teacher_logits=view.teacher_logits.round(),
        student_logits=view.student_logits.round(),
        confidence=(view.confidence * n_levels).round(),
    )


SCORES = {  # one clip at a time, in float64: (teacher logits, student logits, z, label) -> score
    "oracle": lambda t, s, z, y: softmax(t)[y],
    "teacher_max_softmax": lambda t, s, z, y: softmax(t).max(),
    "teacher_negative_entropy": lambda t, s, z, y: (softmax(t) * np.log(softmax(t))).sum(),
    "student_negative_entropy": lambda t, s, z, y: (softmax(s) * np.log(softmax(s))).sum(),
    "student_max_logit": lambda t, s, z, y: s.max(),
    "confidence": lambda t, s, z, y: z,
}


def kept_by_loop(name, view, video, k):
    """The set of clips that a sampler keeps of one video."""
    n = int(view.mask[video].sum())
    k = min(k, n)
    if name == "dense":
        return set(range(n))
    if name == "equidistant":
        return {math.floor((j + 0.5) * n / k) for j in range(k)}
    if name in ("first", "middle", "last"):
        start = {"first": 0, "middle": (n - k) // 2, "last": n - k}[name]
        return set(range(start, start + k))
    fields = (view.teacher_logits, view.student_logits, view.confidence)
    clips = zip(*(field[video, :n].numpy() for field in fields), strict=True)
    return set(best_by_loop([SCORES[name](*clip, view.label[video]) for clip in clips], k))


def weights_by_loop(kept_of, view, k_clips):
    weights = torch.zeros(view.n_videos, len(k_clips), view.mask.shape[1])
    for video, (at, k) in itertools.product(range(view.n_videos), enumerate(k_clips)):
        kept = kept_of(video, k)
        for clip in kept:
            weights[video, at, clip] = 1 / len(kept)
    return weights


def weigh(sampler, view, k_clips, seed=0):
    return sampler.weights(view, k_clips, torch.Generator().manual_seed(seed))


# --- every sampler ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["dense", "equidistant", "first", "middle", "last", *SCORES])
@pytest.mark.parametrize("seed", range(3))
def test_a_sampler_keeps_what_the_loop_keeps(name, seed):
    view = random_case(seed=seed)
    k_clips = [3, 1, 2, 7, 5, 4, 6, 99]
    expected = weights_by_loop(lambda v, k: kept_by_loop(name, view, v, k), view, k_clips)
    assert torch.equal(weigh(SAMPLERS[name], view, k_clips), expected)


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_row_averages_real_clips_and_meets_dense_exactly(name):
    view, k_clips = random_case(n_levels=2), range(1, 9)
    weights = weigh(SAMPLERS[name], view, k_clips)
    assert weights.shape == (6, 8, 7) and weights.dtype == torch.float32
    assert torch.allclose(weights.sum(dim=-1), torch.ones(6, 8), atol=1e-6)
    assert not weights[~view.mask.unsqueeze(1).expand_as(weights)].any()
    meets = torch.tensor(k_clips) >= view.n_clips.unsqueeze(1)
    dense = dense_weights(view.mask).expand_as(weights)
    assert torch.equal(weights[meets], dense[meets])
    n_kept = torch.minimum(torch.tensor(k_clips), view.n_clips.unsqueeze(1))
    if name != "dense":
        assert torch.equal((weights > 0).sum(dim=-1), n_kept)


@pytest.mark.parametrize("name", SAMPLERS)
def test_what_a_sampler_lacks_is_named(name):
    full = random_case()
    bare = DenseView(full.video_id, full.label, full.mask)
    if SAMPLERS[name].costs == "nothing":
        assert torch.equal(weigh(SAMPLERS[name], bare, [2]), weigh(SAMPLERS[name], full, [2]))
    else:
        with pytest.raises(ValueError, match=r"the clip table has no (teacher|student|confidence)"):
            weigh(SAMPLERS[name], bare, [2])


@pytest.mark.parametrize("name", [name for name in SAMPLERS if SAMPLERS[name].costs != "nothing"])
def test_shuffling_the_clips_of_a_video_shuffles_what_is_kept(name):
    view = random_case((6, 6, 6, 6))
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    fields = ("teacher_logits", "student_logits", "confidence")
    shuffled = {field: getattr(view, field)[:, order] for field in fields}
    moved = DenseView(view.video_id, view.label, view.mask, **shuffled)
    k_clips = range(1, 7)
    before, after = (weigh(SAMPLERS[name], x, k_clips) for x in (view, moved))
    assert torch.equal(before[:, :, order], after)


def test_only_the_oracle_reads_the_label():
    view = random_case((6, 6, 6, 6))
    other = DenseView(
        view.video_id,
        (view.label + 1) % 4,
        view.mask,
        view.teacher_logits,
        view.student_logits,
        view.confidence,
    )
    changed = {
        name
        for name, sampler in SAMPLERS.items()
        if not torch.equal(weigh(sampler, view, [1, 2]), weigh(sampler, other, [1, 2]))
    }
    assert changed == {"oracle"}
    assert {name for name, sampler in SAMPLERS.items() if sampler.costs == "label"} == {"oracle"}


def test_the_registry_is_keyed_by_name_and_labels_differ():
    assert all(name == sampler.name for name, sampler in SAMPLERS.items())
    assert len({sampler.label for sampler in SAMPLERS.values()}) == len(SAMPLERS)
    assert SAMPLERS["random"].is_random and not SAMPLERS["confidence"].is_random


# --- ranking ----------------------------------------------------------------------------------


def test_sixty_four_equal_scores_keep_the_earlier_clips():
    rank = rank_clips(torch.zeros(3, 64), torch.ones(3, 64, dtype=torch.bool))
    assert torch.equal(rank, torch.arange(64).expand(3, 64))
    weights = top_k_weights(torch.zeros(1, 64), torch.ones(1, 64, dtype=torch.bool), [5])
    assert weights[0, 0].nonzero().flatten().tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("n_levels", [1, 2, 5, None])
@pytest.mark.parametrize("n_clips", [1, 17, 64, 300])
def test_ranks_are_those_of_a_stable_sort(n_clips, n_levels):
    generator = torch.Generator().manual_seed(n_clips)
    scores = torch.randn(4, n_clips, generator=generator)
    scores = scores if n_levels is None else (scores * n_levels).round()
    rank = rank_clips(scores, torch.ones(4, n_clips, dtype=torch.bool))
    for video in range(4):
        order = best_by_loop(scores[video].tolist(), n_clips)
        assert rank[video][order].tolist() == list(range(n_clips))


def test_padding_ranks_last_whatever_it_holds_and_wherever_it_is():
    inf, nan = math.inf, math.nan
    scores = torch.tensor([[-inf, 9.0, 1.0, nan], [nan, -inf, inf, 2.0]])
    mask = torch.tensor([[True, False, True, False], [False, True, True, True]])
    assert rank_clips(scores, mask).tolist() == [[1, 2, 0, 3], [3, 2, 0, 1]]


def test_a_nan_score_is_refused_by_video_and_clip():
    scores = torch.zeros(3, 4)
    scores[1, 2] = scores[2, 0] = math.nan
    with pytest.raises(ValueError, match=r"clip 2 of video 1 is NaN \(2 in all\)"):
        rank_clips(scores, torch.ones(3, 4, dtype=torch.bool))


@pytest.mark.parametrize("shape", [(3, 5), (4,), (3, 4, 1)])
def test_scores_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match=r"need confidence \[V, N\] and mask"):
        rank_clips(torch.zeros(shape), torch.ones(3, 4, dtype=torch.bool))


def test_the_worked_example():
    weights = top_k_weights(torch.tensor([[0.2, 0.9, 0.5]]), mask_of([3]), [1, 2])
    assert weights.tolist() == [[[0, 1, 0], [0, 0.5, 0.5]]]


@pytest.mark.parametrize("k_clips", [[], [0], [2, -1]])
def test_a_k_below_one_is_refused(k_clips):
    with pytest.raises(ValueError, match="at least 1"):
        top_k_weights(torch.zeros(1, 3), mask_of([3]), k_clips)
    with pytest.raises(ValueError, match="at least 1"):
        equidistant_weights(mask_of([3]), k_clips)


def test_a_video_without_clips_is_refused():
    mask = torch.tensor([[True, True], [False, False]])
    for weigh_mask in (dense_weights, lambda m: equidistant_weights(m, [1])):
        with pytest.raises(ValueError, match="video 1 has no clips"):
            weigh_mask(mask)


# --- position and chance ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n_clips", "k", "kept"),
    [
        (1, 1, [0]),
        (2, 1, [1]),
        (3, 1, [1]),
        (4, 2, [1, 3]),
        (5, 2, [1, 3]),
        (10, 3, [1, 5, 8]),
        (18, 4, [2, 6, 11, 15]),
        (3, 5, [0, 1, 2]),
    ],
)
def test_equidistant_clips_by_hand(n_clips, k, kept):
    weights = equidistant_weights(mask_of([n_clips]), [k])
    assert weights[0, 0].nonzero().flatten().tolist() == kept


def test_equidistant_agrees_with_its_formula_for_all_sizes():
    counts = range(1, 41)
    weights = equidistant_weights(mask_of(counts), counts)
    for n, k in itertools.product(counts, counts):
        kept = [((2 * j + 1) * n) // (2 * min(k, n)) for j in range(min(k, n))]
        assert weights[n - 1, k - 1].nonzero().flatten().tolist() == kept


@pytest.mark.parametrize(
    ("n_clips", "k", "middle"),
    [
        (1, 1, [0]),
        (2, 1, [0]),
        (3, 1, [1]),
        (5, 2, [1, 2]),
        (12, 4, [4, 5, 6, 7]),
        (3, 9, [0, 1, 2]),
    ],
)
def test_neighbouring_clips_by_hand(n_clips, k, middle):
    first, central, last = (
        neighbouring_weights(mask_of([n_clips, 12]), [k], halves)[0, 0].nonzero().flatten().tolist()
        for halves in range(3)
    )
    kept = min(k, n_clips)
    assert first == list(range(kept)) and last == list(range(n_clips - kept, n_clips))
    assert central == middle


def test_random_draws_are_nested_over_k_and_repeat_with_the_seed():
    draws = [
        random_weights(mask_of(COUNTS), range(1, 8), torch.Generator().manual_seed(seed))
        for seed in (0, 0, 1)
    ]
    assert torch.equal(draws[0], draws[1]) and not torch.equal(draws[0], draws[2])
    kept = draws[0] > 0
    assert (kept[:, 1:] >= kept[:, :-1]).all()


def test_random_keeps_every_clip_equally_often():
    n_videos = 30_000
    weights = random_weights(mask_of([5, 3] * n_videos), [2], torch.Generator().manual_seed(0))
    often = (weights[:, 0] > 0).float().reshape(n_videos, 2, 5).mean(dim=0)
    expected = torch.tensor([[2 / 5] * 5, [2 / 3] * 3 + [0] * 2])
    assert torch.allclose(often, expected, atol=5 * math.sqrt(0.25 / n_videos))


# --- stacks -----------------------------------------------------------------------------------


def stacked_by_loop(first, n_kept, second, k):
    """The clips that pass, by the second score; behind them the others, by the first."""
    order = best_by_loop(first, len(first))
    passed, others = sorted(order[:n_kept]), order[n_kept:]
    best = best_by_loop([second[n] for n in passed], len(passed))
    return {([passed[n] for n in best] + others)[at] for at in range(min(k, len(first)))}


@pytest.mark.parametrize("n_kept", [1, 3, 7, 9])
def test_stacked_samplers_agree_with_the_loop(n_kept):
    view, k_clips = random_case(n_levels=2, seed=3), range(1, 8)
    first = -view.student_logits[..., 0]
    weights = stacked_weights(first, n_kept, view.confidence, view.mask, k_clips)

    def kept(video, k):
        n = int(view.mask[video].sum())
        scores = (x[video, :n].tolist() for x in (first, view.confidence))
        return stacked_by_loop(next(scores), n_kept, next(scores), k)

    assert torch.equal(weights, weights_by_loop(kept, view, k_clips))


def test_a_stack_of_samplers_that_rank_is_the_stack_of_their_scores():
    view, k_clips = random_case(seed=5), range(1, 9)
    sampler = stack(SAMPLERS["student_max_logit"], 3, SAMPLERS["confidence"])
    saliency = view.student_logits.amax(dim=-1)
    expected = stacked_weights(saliency, 3, view.confidence, view.mask, k_clips)
    assert torch.equal(weigh(sampler, view, k_clips), expected)
    assert (sampler.name, sampler.costs) == ("student_max_logit_3_confidence", "student")


def test_position_may_narrow_before_confidence_picks():
    view, k_clips = random_case((7, 7, 7)), [1, 2, 3]
    sampler = stack(SAMPLERS["equidistant"], 3, SAMPLERS["confidence"])
    weights = weigh(sampler, view, k_clips)
    outside = torch.tensor([0, 2, 4, 6])  # equidistant, 3 of 7: clips 1, 3, 5
    assert not weights[:, :, outside].any()
    for video in range(3):
        best = max((1, 3, 5), key=lambda clip, v=video: view.confidence[v, clip])
        assert weights[video, 0, best] == 1
    narrow = equidistant_weights(view.mask, [3])[:, 0]
    by_weights = stacked_weights(narrow, 3, view.confidence, view.mask, k_clips)
    assert torch.equal(weights, by_weights)


def test_a_stack_needs_to_know_only_the_scores_of_what_passed():
    second = torch.tensor([[math.nan, 2.0, 1.0, math.nan]])
    first = torch.tensor([[0.0, 3.0, 4.0, 1.0]])
    weights = stacked_weights(first, 2, second, mask_of([4]), [1, 3])
    assert weights.tolist()[0][0] == [0, 1, 0, 0]
    assert (weights[0, 1] > 0).tolist() == [False, True, True, True]
    with pytest.raises(ValueError, match="n_kept must be at least 1"):
        stacked_weights(first, 0, first, mask_of([4]), [1])


def test_a_stack_costs_what_its_dearest_sampler_costs_and_draws_if_one_draws():
    random, oracle = SAMPLERS["random"], SAMPLERS["oracle"]
    sampler = stack(oracle, 4, random)
    assert (sampler.costs, sampler.is_random) == ("label", True)
    view = random_case()
    narrow = weigh(oracle, view, [4])[:, 0] > 0
    assert not (weigh(sampler, view, [2])[:, 0] > 0)[~narrow].any()


# --- averaging --------------------------------------------------------------------------------


def test_one_confident_clip_wins_alone_and_loses_to_two():
    probs = torch.tensor([[[0.9, 0.1], [0.2, 0.8], [0.1, 0.9]]])
    weights = top_k_weights(torch.tensor([[3.0, 2.0, 1.0]]), mask_of([3]), [1, 2, 3])
    expected = [[0.9, 0.1], [0.55, 0.45], [0.4, 0.6]]
    assert torch.allclose(average(probs, weights)[0], torch.tensor(expected))


def test_averaging_agrees_with_the_loop():
    view, k_clips = random_case(seed=2), [1, 3, 7]
    probs = view.teacher_logits.softmax(dim=-1)
    averaged = average(probs, weigh(SAMPLERS["confidence"], view, k_clips))
    for video, (at, k) in itertools.product(range(6), enumerate(k_clips)):
        kept = kept_by_loop("confidence", view, video, k)
        mean = np.mean([probs[video, clip].numpy() for clip in kept], axis=0)
        assert np.allclose(averaged[video, at], mean, atol=1e-6)


# --- workload division ------------------------------------------------------------------------


def golden_division(k_clips, k_student):
    """Three clips, two classes. Student's order: 0, 1, 2; teacher's: 1, 2, 0."""
    teacher = torch.tensor([[[1.0, 0.0], [0.6, 0.4], [0.2, 0.8]]])
    student = torch.tensor([[[0.4, 0.6], [0.0, 1.0], [0.5, 0.5]]])
    z, certainty = torch.tensor([[0.1, 0.9, 0.5]]), torch.tensor([[-0.1, -0.2, -0.3]])
    probs = divide_workload(teacher, student, z, certainty, mask_of([3]), k_clips, k_student)
    return probs[0].tolist()


@pytest.mark.parametrize(
    ("k_clips", "k_student", "expected"),
    [
        (2, 0, (0.6 + 0.2) / 2),  # teacher alone: clips 1, 2
        (2, 1, (0.4 + 0.6) / 2),  # student's clip 0, teacher's clip 1
        (2, 2, (0.4 + 0.0) / 2),  # student alone: clips 0, 1
        (3, 2, (0.4 + (0.0 + 0.6) / 2) / 2),  # clip 1 on both lists counts once, as its mean
        (3, 1, (0.4 + 0.6 + 0.2) / 3),  # no overlap: student 0, teacher 1, 2
        (5, 3, (0.4 + (0.0 + 0.6) / 2 + (0.5 + 0.2) / 2) / 3),  # student all, teacher 1, 2
        (6, 3, ((0.4 + 1.0) / 2 + (0.0 + 0.6) / 2 + (0.5 + 0.2) / 2) / 3),  # both all
        (9, 1, ((0.4 + 1.0) / 2 + 0.6 + 0.2) / 3),  # a list is cut to the video
    ],
)
def test_division_by_hand(k_clips, k_student, expected):
    assert golden_division(k_clips, k_student) == pytest.approx([expected, 1 - expected])


def divided_by_loop(view, video, certainty, k_clips, k_student):
    n = int(view.mask[video].sum())
    by_student = best_by_loop(certainty[video, :n].tolist(), k_student)
    by_teacher = best_by_loop(view.confidence[video, :n].tolist(), k_clips - k_student)
    clips = []
    for clip in set(by_student) | set(by_teacher):
        said = [softmax(view.student_logits[video, clip].numpy())] * (clip in by_student)
        said += [softmax(view.teacher_logits[video, clip].numpy())] * (clip in by_teacher)
        clips.append(np.mean(said, axis=0))
    return np.mean(clips, axis=0)


@pytest.mark.parametrize(
    ("k_clips", "k_student"), [(k, s) for k in (1, 2, 4, 7, 9) for s in range(k + 1)]
)
def test_division_agrees_with_the_loop(k_clips, k_student):
    view = random_case(n_levels=2, seed=k_clips)
    certainty = -torch.special.entr(view.student_logits.softmax(dim=-1)).sum(dim=-1)
    teacher, student = (x.softmax(dim=-1) for x in (view.teacher_logits, view.student_logits))
    scores = (view.confidence, certainty, view.mask)
    probs = divide_workload(teacher, student, *scores, k_clips, k_student)
    for video in range(view.n_videos):
        expected = divided_by_loop(view, video, certainty, k_clips, k_student)
        assert np.allclose(probs[video], expected, atol=1e-6)


@pytest.mark.parametrize("k_clips", [1, 3, 7])
def test_division_ends_in_the_teacher_alone_and_the_student_alone(k_clips):
    view = random_case()
    teacher, student = (x.softmax(dim=-1) for x in (view.teacher_logits, view.student_logits))
    certainty = view.student_logits[..., 0]
    scores = (view.confidence, certainty, view.mask)
    for probs, score, k_student in (
        (teacher, view.confidence, 0),
        (student, certainty, k_clips),
    ):
        alone = average(probs, top_k_weights(score, view.mask, [k_clips]))[:, 0]
        divided = divide_workload(teacher, student, *scores, k_clips, k_student)
        assert torch.allclose(divided, alone, atol=1e-7)


def test_division_weights_say_what_each_network_runs_on():
    by_teacher, by_student = division_weights(
        torch.tensor([[0.1, 0.9, 0.5]]), torch.tensor([[0.9, 0.8, 0.1]]), mask_of([3]), 3, 2
    )
    assert by_teacher.tolist() == [[0, 0.25, 0]]
    assert by_student.tolist() == [[0.5, 0.25, 0]]


@pytest.mark.parametrize(("k_clips", "k_student"), [(2, 3), (2, -1), (0, 0)])
def test_a_division_that_cannot_be_is_refused(k_clips, k_student):
    with pytest.raises(ValueError, match="need 0 <= k_student <= k_clips"):
        golden_division(k_clips, k_student)


# --- a sampler of your own --------------------------------------------------------------------


def test_a_new_sampler_is_one_function_and_one_line():
    def longest_ago(view):
        return torch.arange(view.mask.shape[1]).expand(view.mask.shape).float()

    last = Sampler("last", "last clips", "nothing", RankedBy(longest_ago))

    weights = weigh(last, random_case(), [2])[:, 0]
    kept = [row.nonzero().flatten().tolist() for row in weights]
    assert kept == [[3, 4], [0], [5, 6], [5, 6], [0, 1], [2, 3]]
