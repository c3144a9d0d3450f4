"""Accuracy over K, against loops over videos; best K; tidy rows; that chunks and threads agree.

``table_of`` makes ragged tables whose logits are far apart, so that softmax saturates and exact
ties between two classes happen often: the case in which rounding could show.
"""

import itertools
import threading

import numpy as np
import pandas as pd
import pytest
import torch

from condi_lib.clip_table import ClipTable
from condi_lib.evaluation import (
    accuracy_rows,
    best_k,
    correct_by_draw,
    correct_over_k,
    over_k,
    video_correct,
)
from condi_lib.evaluation.over_k import VIDEOS_AT_ONCE
from condi_lib.sampling import SAMPLERS, RankedBy, Sampler, dense_weights, stack, top_k_weights

ALL = list(SAMPLERS)


def table_of(counts, n_classes=3, spread=30.0, seed=0):
    rng = np.random.default_rng(seed)
    n_rows = sum(counts)
    video = np.repeat(np.arange(len(counts)), counts)
    clip = np.concatenate([np.arange(count) for count in counts])
    clips = pd.DataFrame(
        {
            "video_id": [f"v{v:05d}.mp4" for v in video],
            "clip_index": clip,
            "start_frame": 16 * clip,
            "label": rng.integers(n_classes, size=len(counts))[video],
            "split": "test",
            "confidence": rng.integers(4, size=n_rows).astype(np.float32),  # many ties
        }
    )
    teacher, student = rng.normal(size=(2, n_rows, n_classes)).astype(np.float32) * spread
    return ClipTable(clips, tuple(f"class {c}" for c in range(n_classes)), teacher, student)


def ragged(n_videos, longest=7, seed=0):
    return np.random.default_rng(seed).integers(1, longest + 1, size=n_videos).tolist()


def scores_of_video(name, table, rows):
    """The scores of one video's clips, in float64, from the table's rows; None: no scores."""
    logits = table.teacher_logits if name.startswith(("teacher", "oracle")) else None
    logits = table.student_logits if name.startswith("student") else logits
    if logits is None:
        return table.clips["confidence"].to_numpy()[rows] if name == "confidence" else None
    logits = logits[rows].double()
    probs = logits.softmax(dim=-1)
    if name == "oracle":
        return probs[:, table.clips["label"].iloc[rows[0]]].numpy()
    if name.endswith("max_softmax"):
        return probs.amax(dim=-1).numpy()
    entropy = torch.special.entr(probs).sum(dim=-1)
    return (logits.amax(dim=-1) if name.endswith("max_logit") else -entropy).numpy()


def correct_by_loop(name, table, k_clips):
    """Video by video, K by K: sort, average the first K, compare. Float64 throughout."""
    correct = np.zeros((table.n_videos, len(k_clips)), bool)
    for video, (at, k) in itertools.product(range(table.n_videos), enumerate(k_clips)):
        rows = np.arange(table.first_rows[video], table.first_rows[video + 1])
        k = min(k, len(rows))
        if name == "dense":
            kept = rows
        elif name == "equidistant":
            kept = rows[[int((j + 0.5) * len(rows) / k) for j in range(k)]]
        elif name in ("first", "middle", "last"):
            start = {"first": 0, "middle": (len(rows) - k) // 2, "last": len(rows) - k}[name]
            kept = rows[start : start + k]
        else:
            kept = rows[np.argsort(-scores_of_video(name, table, rows), kind="stable")[:k]]
        mean = table.teacher_logits[kept].double().softmax(dim=-1).mean(dim=0)
        correct[video, at] = mean.argmax() == table.clips["label"].iloc[rows[0]]
    return correct


# --- against the loop -------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in ALL if name != "random"])
@pytest.mark.parametrize("n_classes", [2, 5])
def test_every_sampler_agrees_with_the_loop(name, n_classes):
    # Moderate logits: nothing saturates, so float32 and float64 rank and vote alike.
    table = table_of(ragged(150), n_classes, spread=2.0)
    k_clips = [1, 2, 4, 7, 30]
    correct = correct_over_k(table, [name], k_clips)[name]
    assert correct.dtype == np.float32
    assert np.array_equal(correct, correct_by_loop(name, table, k_clips))


def test_a_video_by_hand():
    """Two classes, label 1. Clips say p(1) = .1, .4, .8; confidence picks .8, then .1."""
    logits = np.log([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]]).astype(np.float32)
    clips = pd.DataFrame(
        {
            "video_id": "a.mp4",
            "clip_index": [0, 1, 2],
            "start_frame": [0, 16, 32],
            "label": 1,
            "split": "",
            "confidence": [0.5, 0.2, 0.9],
        }
    )
    table = ClipTable(clips, ("no", "yes"), logits)
    correct = correct_over_k(table, ["confidence", "oracle", "equidistant", "dense"], [1, 2, 3])
    assert correct["confidence"].tolist() == [[1, 0, 0]]  # .8; (.8 + .1) / 2; 1.3 / 3
    assert correct["oracle"].tolist() == [[1, 1, 0]]  # .8; (.8 + .4) / 2; 1.3 / 3
    assert correct["equidistant"].tolist() == [[0, 0, 0]]  # .4; clips 0 and 2: .45; 1.3 / 3
    assert correct["dense"].tolist() == [[0, 0, 0]]


def test_two_classes_that_tie_count_as_the_first():
    logits = np.array([[60.0, 0.0], [0.0, 60.0]] * 2, np.float32)  # both saturate: .5, .5
    clips = table_of([2, 2], 2).clips.assign(label=[0, 0, 1, 1])
    correct = correct_over_k(ClipTable(clips, ("a", "b"), logits), ["dense"], [2])
    assert correct["dense"].tolist() == [[1], [0]]


def mirrored(table):
    """Give every second clip the logits of the one before with its classes turned around.

    Over an even number of clips, class c and its mirror image then have equal means that are sums
    of the same numbers in another order: only rounding tells them apart.
    """
    logits = table.teacher_logits.clone()
    odd = torch.from_numpy(table.clips["clip_index"].to_numpy() % 2 == 1)
    logits[odd] = logits[torch.nonzero(odd).flatten() - 1].flip(-1)
    return ClipTable(table.clips, table.classes, logits, table.student_logits)


@pytest.mark.parametrize("n_classes", [2, 7, 400])
@pytest.mark.parametrize("spread", [0.1, 30.0])
def test_all_samplers_meet_dense_exactly_at_k_of_n_despite_ties(n_classes, spread):
    counts = ragged(200, longest=20)
    table = mirrored(table_of(counts, n_classes, spread))
    k_clips = range(1, 22)
    stacked = stack(SAMPLERS["equidistant"], 3, SAMPLERS["confidence"])
    correct = correct_over_k(table, [*ALL, stacked], k_clips, random_draws=2)
    meets = np.array(k_clips) >= np.array(counts)[:, None]
    for values in correct.values():
        assert np.array_equal(values[meets], correct["dense"][meets])
    assert (correct["dense"] == correct["dense"][:, :1]).all()


def test_video_correct_is_what_the_loop_over_chunks_finds():
    table = table_of(ragged(VIDEOS_AT_ONCE))
    view = table.dense()
    weights = top_k_weights(view.confidence, view.mask, [1, 3])
    expected = correct_over_k(table, ["confidence"], [1, 3])["confidence"]
    assert np.array_equal(video_correct(view, weights), expected)


# --- random draws -----------------------------------------------------------------------------


def test_random_is_the_mean_over_its_draws_and_repeats_with_the_seed():
    table, k_clips = table_of(ragged(100)), [1, 2, 3]
    by_draw = correct_by_draw(table, ["random", "dense"], k_clips, seed=7, random_draws=4)
    assert by_draw["random"].shape == (4, 100, 3) and by_draw["dense"].shape == (1, 100, 3)
    mean = correct_over_k(table, ["random"], k_clips, seed=7, random_draws=4)["random"]
    assert np.allclose(mean, by_draw["random"].mean(axis=0))
    assert len({draw.tobytes() for draw in by_draw["random"]}) == 4  # the draws differ
    other = correct_by_draw(table, ["random"], k_clips, seed=8, random_draws=4)["random"]
    assert not np.array_equal(other, by_draw["random"])


def test_a_draw_depends_on_neither_the_others_nor_k_nor_the_number_of_draws():
    table = table_of(ragged(100))
    alone = correct_by_draw(table, ["random"], [2], random_draws=2)["random"]
    among = correct_by_draw(table, ALL, [1, 2, 5], random_draws=5)["random"]
    assert np.array_equal(alone[:, :, 0], among[:2, :, 1])


def test_random_at_one_clip_is_as_often_right_as_the_videos_clips_are():
    """The expectation of a draw at K = 1 is the share of the video's clips that are right."""
    table = table_of([6] * 300, n_classes=2)
    label = torch.from_numpy(table.clips["label"].to_numpy(copy=True))
    share = (table.teacher_logits.argmax(dim=1) == label).float().reshape(300, 6).mean(dim=1)
    random = correct_over_k(table, ["random"], [1], random_draws=200)["random"][:, 0]
    assert np.abs(random - share.numpy()).max() < 5 * np.sqrt(0.25 / 200)
    assert abs(random.mean() - share.mean().item()) < 5 * np.sqrt(0.25 / (200 * 300))


# --- chunks, threads, sources -----------------------------------------------------------------


@pytest.mark.parametrize(
    "n_videos", [1, VIDEOS_AT_ONCE - 1, VIDEOS_AT_ONCE, 3 * VIDEOS_AT_ONCE + 1]
)
def test_tables_views_and_any_number_of_threads_agree(n_videos):
    table, before = table_of(ragged(n_videos)), torch.get_num_threads()
    results = []
    for n_threads, source in itertools.product((1, 3), (table, table.dense())):
        torch.set_num_threads(n_threads)
        try:
            results.append(correct_over_k(source, ALL, [1, 3, 9], random_draws=2))
            assert torch.get_num_threads() == n_threads
        finally:
            torch.set_num_threads(before)
    for result in results[1:]:
        for name in ALL:
            assert np.array_equal(result[name], results[0][name])


def test_the_chunk_changes_no_result_but_the_random_draws(monkeypatch):
    table = table_of(ragged(150))
    whole = correct_over_k(table, ALL, [1, 2, 9])
    monkeypatch.setattr(over_k, "VIDEOS_AT_ONCE", 7)
    pieces = correct_over_k(table, ALL, [1, 2, 9])
    assert all(np.array_equal(whole[name], pieces[name]) for name in ALL if name != "random")


def test_threads_started_later_may_use_all_cores_again():
    correct_over_k(table_of([2, 2]), ["dense"], [1])
    seen = []
    thread = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert seen == [torch.get_num_threads()]


def test_videos_do_not_influence_each_other():
    table = table_of(ragged(30))
    together = correct_over_k(table, ["oracle", "confidence"], [1, 2, 5])
    for video in (0, 13, 29):
        alone = correct_over_k(table.dense(video, video + 1), ["oracle", "confidence"], [1, 2, 5])
        for name, values in alone.items():
            assert np.array_equal(values[0], together[name][video])


def test_shuffling_clips_matters_only_to_samplers_of_position_and_chance():
    table = table_of([5] * 60, 4, spread=2.0)
    clips = table.clips.assign(confidence=np.random.default_rng(1).random(300, np.float32))
    order = np.arange(300).reshape(60, 5)[:, [4, 2, 0, 3, 1]].reshape(-1)
    moved = clips.iloc[order].assign(clip_index=clips["clip_index"].to_numpy())
    tables = [
        ClipTable(clips, table.classes, table.teacher_logits, table.student_logits),
        ClipTable(moved, table.classes, table.teacher_logits[order], table.student_logits[order]),
    ]
    one, other = (correct_over_k(t, ALL, range(1, 6)) for t in tables)
    differ = {name for name in ALL if not np.array_equal(one[name], other[name])}
    assert differ == {"random", "equidistant", "first", "middle", "last"}


# --- what is refused --------------------------------------------------------------------------


def test_an_unknown_sampler_is_refused_with_the_list_of_the_known():
    with pytest.raises(ValueError, match=r"unknown sampler 'best'; choose from \['random', "):
        correct_over_k(table_of([2]), ["best"], [1])


@pytest.mark.parametrize(("k_clips", "draws"), [([], 1), ([0], 1), ([1], 0)])
def test_a_number_below_one_is_refused(k_clips, draws):
    with pytest.raises(ValueError, match="of at least 1"):
        correct_over_k(table_of([2]), ["dense"], k_clips, random_draws=draws)


def test_a_table_without_the_teacher_is_refused():
    table = table_of([2])
    with pytest.raises(ValueError, match="no teacher_logits; score"):
        correct_over_k(ClipTable(table.clips, table.classes), ["dense"], [1])


@pytest.mark.parametrize(
    ("factor", "message"),
    [(0.5, "do not sum to 1"), (float("nan"), "do not sum to 1"), (None, r"weights \[2, 1, 3\]")],
)
def test_a_sampler_that_breaks_its_promise_is_named(factor, message):
    def weights(view, k_clips, generator):
        dense = dense_weights(view.mask)
        return dense if factor is None else dense.expand(-1, len(k_clips), -1) * factor

    bad = Sampler("bad", "bad", "nothing", weights)
    with pytest.raises(ValueError, match=rf"sampler 'bad' returned .*{message}"):
        correct_over_k(table_of([3, 2]), [bad], [1, 2])


def test_weight_on_padding_is_refused():
    def weights(view, k_clips, generator):
        return torch.full((view.n_videos, len(k_clips), 3), 1 / 3)

    with pytest.raises(ValueError, match="over the clips of each video"):
        correct_over_k(table_of([3, 2]), [Sampler("bad", "bad", "nothing", weights)], [1])


# --- a sampler of your own --------------------------------------------------------------------


def test_a_new_sampler_is_one_function_and_one_line(monkeypatch):
    def lateness(view):
        return torch.arange(view.mask.shape[1]).expand(view.mask.shape).float()

    monkeypatch.setitem(SAMPLERS, "late", Sampler("late", "late", "nothing", RankedBy(lateness)))

    table = table_of(ragged(50))
    last_rows = table.first_rows[1:] - 1
    predicted = table.teacher_logits[last_rows].argmax(dim=1).numpy()
    right = predicted == table.clips["label"].to_numpy()[last_rows]
    assert np.array_equal(correct_over_k(table, ["late"], [1])["late"][:, 0], right)


# --- rows and the best K ----------------------------------------------------------------------


def test_rows_are_tidy_and_average_seeds_first():
    one_seed = np.array([[1, 1], [0, 1], [1, 0], [0, 0]])
    two_seeds = np.stack([one_seed, np.ones((4, 2))])
    rows = accuracy_rows({"random": one_seed, "confidence": two_seeds}, [3, 5], n_resamples=50)
    assert rows.columns.tolist() == [
        "sampler",
        "k_clips",
        "video_accuracy",
        "low",
        "high",
        "n_videos",
        "n_seeds",
    ]
    assert rows["sampler"].tolist() == ["random", "random", "confidence", "confidence"]
    assert rows["k_clips"].tolist() == [3, 5, 3, 5]
    assert rows["video_accuracy"].tolist() == [0.5, 0.5, 0.75, 0.75]
    assert rows["n_videos"].tolist() == [4] * 4 and rows["n_seeds"].tolist() == [1, 1, 2, 2]
    assert (rows["low"] <= rows["video_accuracy"]).all()
    assert (rows["video_accuracy"] <= rows["high"]).all()


def test_the_interval_has_the_width_of_the_binomial():
    correct = (np.arange(400) % 5 < 3)[:, None]  # 60 % of 400 videos
    row = accuracy_rows({"dense": correct}, [1]).iloc[0]
    half_width = 1.96 * np.sqrt(0.6 * 0.4 / 400)
    assert row["low"] == pytest.approx(0.6 - half_width, abs=0.01)
    assert row["high"] == pytest.approx(0.6 + half_width, abs=0.01)


@pytest.mark.parametrize(
    ("correct", "k_clips", "best"),
    [
        ([[0, 1, 0], [1, 1, 0]], [1, 3, 5], 3),
        ([[1, 1, 0], [1, 1, 1]], [1, 3, 5], 1),  # a tie: the smaller
        ([[0, 1, 1], [0, 1, 1]], [1, 5, 3], 3),  # a tie in any order: the smaller
        ([[[1, 0], [1, 0]], [[0, 1], [1, 1]]], [2, 4], 2),  # seeds count together: 3 to 2
        ([[0.1 + 0.2, 0.3]], [4, 2], 2),  # equal but for rounding
    ],
)
def test_best_k(correct, k_clips, best):
    assert best_k(correct, k_clips) == best


@pytest.mark.parametrize("shape", [(4,), (4, 3), (2, 4, 3), (1, 2, 4, 2)])
def test_results_that_do_not_fit_k_clips_are_refused(shape):
    for reduce in (best_k, lambda x, k: accuracy_rows({"correct_val": x}, k)):
        with pytest.raises(ValueError, match=r"correct_val must be \[V, 2\] or \[S, V, 2\]"):
            reduce(np.zeros(shape), [1, 2])
