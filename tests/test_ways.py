"""Ways of classifying from clip tables: each as its policy decides, and what it costs."""

import numpy as np
import pandas as pd
import pytest
from random_study import FOLDS, LOSSES, N_CLASSES, SEEDS, views, write_study

from condi_lib.analysis.costs import network_costs
from condi_lib.analysis.frontier import best_at_equal_cost, timed_methods, with_times
from condi_lib.analysis.results import sweep
from condi_lib.analysis.ways import (
    POWERS,
    adaptive_ways,
    confident_student,
    dense_way,
    division_ways,
    judge,
    pairs_of,
    top_k_ways,
)
from condi_lib.cost import macs
from condi_lib.evaluation import choose_adaptive, decide
from condi_lib.models import Student, build_backbone
from condi_lib.sampling import DENSE, Divided, Selected


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return write_study(tmp_path_factory.mktemp("tables"))


@pytest.fixture(scope="module")
def ways(study):
    return [
        dense_way(study),
        *top_k_ways(study, "condi_sr", (1, 3)),
        *top_k_ways(study, "plain", (2,)),
        *top_k_ways(study, "saliency", (2,)),
        *top_k_ways(study, "equidistant", (2,)),
        *top_k_ways(study, "random", (1, 2)),
        *division_ways(study, "condi_sr", [(1, 2), (0, 3)]),
        *division_ways(study, "condi_sr", [(1, 2)], "next"),
        *adaptive_ways(study, "condi_sr", (0.0, 1.0)),
    ]


@pytest.fixture(scope="module")
def judged(study, ways):
    return judge(study, ways)


POLICIES = {
    ("dense", ""): DENSE,
    ("condi_sr", "1"): Selected("confidence", 1),
    ("condi_sr", "3"): Selected("confidence", 3),
    ("plain", "2"): Selected("student_negative_entropy", 2),
    ("saliency", "2"): Selected("student_max_logit", 2),
    ("equidistant", "2"): Selected("equidistant", 2),
    ("division", "1+2"): Divided(3, 2),
    ("division", "0+3"): Divided(3, 3),
    ("division, next", "1+2"): Divided(3, 2, "next"),
}


def decided(study, way, policy):
    """Every seed's decisions on the videos of both folds, fold after fold."""
    student = way if way in LOSSES else "condi_sr"
    return [[decide(views(study, student)[seed, fold], policy) for fold in FOLDS] for seed in SEEDS]


def test_every_way_has_one_name_and_a_policy_for_each_pair(ways, judged, study):
    assert len(judged.correct) == len(ways)
    assert pairs_of(study) == [(3, "one"), (3, "fold two"), (8, "one"), (8, "fold two")]
    for way in ways:
        assert list(way.policies) == pairs_of(study)


@pytest.mark.parametrize("name", POLICIES, ids=" ".join)
def test_a_way_is_judged_as_its_policy_decides(name, judged, study):
    by_seed = decided(study, name[0], POLICIES[name])
    right = np.stack([np.concatenate([d.correct for d in folds]) for folds in by_seed])
    np.testing.assert_array_equal(judged.correct[name], right)
    assert judged.accuracy(name).value == pytest.approx(right.mean())
    assert judged.accuracy_of(name) == pytest.approx(right.mean())
    for at, column in enumerate(("n_teacher", "n_student")):
        counts = np.concatenate([getattr(d, column) for folds in by_seed for d in folds])
        assert judged.clips[name][at] == pytest.approx(counts.mean())


def test_a_gain_is_paired_by_video(judged):
    a, b = (judged.correct[name].mean(axis=0) for name in (("condi_sr", "1"), ("dense", "")))
    gain = judged.gain(("condi_sr", "1"), ("dense", ""))
    assert gain.value == pytest.approx((a - b).mean())
    assert judged.gain(("dense", ""), ("dense", "")).high == 0


def test_random_ways_are_those_of_a_sweep(judged, study):
    swept = sweep(study, "test", ("random",))
    for k in (1, 2):
        expected = swept.correct["random"][:, :, swept.k_clips.index(k)]
        np.testing.assert_array_equal(judged.correct["random", f"{k}"], expected)
    n_clips = np.concatenate([views(study, "condi_sr")[SEEDS[0], f].n_clips for f in FOLDS])
    assert judged.clips["random", "2"] == (pytest.approx(np.minimum(n_clips, 2).mean()), 0)


def test_adaptive_stopping_is_chosen_pair_by_pair_on_validation_videos(ways, study):
    val = views(study, "condi_sr", "val")
    for budget in (0.0, 1.0):
        (way,) = [w for w in ways if w.name == ("adaptive", f"{budget:g}")]
        chosen = {pair: choose_adaptive(v, budget, powers=POWERS) for pair, v in val.items()}
        assert way.policies == chosen
    assert len(set(way.policies.values())) > 1  # or the test would not tell pairs apart


def test_arithmetic_is_counted_from_the_networks(judged, study):
    shape = (3, 4, 16, 16)  # the tiny study's clips
    backbone = build_backbone("small_cnn3d", N_CLASSES, width=2)
    teacher, student = macs(backbone, shape), macs(Student(backbone), shape)
    assert network_costs(study)["macs"].to_dict() == {
        "teacher": teacher, "condi_sr": student, "plain": teacher, "saliency": teacher
    }  # fmt: skip
    n_clips = judged.clips["dense", ""][0]
    assert judged.mmacs["dense", ""] == pytest.approx(n_clips * teacher / 1e6)
    expected = judged.clips["division", "1+2"][0] * teacher + n_clips * student
    assert judged.mmacs["division", "1+2"] == pytest.approx(expected / 1e6)
    assert judged.mmacs["equidistant", "2"] == pytest.approx(judged.mmacs["random", "2"])


def test_rows_hold_all_of_it(judged):
    rows = judged.rows()
    row = rows.loc[("condi_sr", "3")]
    assert row["video_accuracy"] == judged.accuracy_of(("condi_sr", "3"))
    assert (row["teacher_clips"], row["student_clips"]) == judged.clips["condi_sr", "3"]
    assert rows.index.names == ["family", "setting"]


def test_the_student_that_shares_the_work_has_a_confidence(study):
    assert confident_student(study, "condi_sr") == "condi_sr"
    assert confident_student(study, "plain") == "condi_sr"
    spec = study.spec.__class__(
        **{**vars(study.spec), "losses": {"plain": study.spec.losses["plain"]}}
    )
    without = study.__class__(spec, study.store, "without")
    with pytest.raises(ValueError, match=r"none of \['plain'\] learned a confidence"):
        confident_student(without, "condi_sr")


# At equal cost


def times_table(milliseconds):
    """Measured times of two files, ± 1 ms."""
    rows = [
        {"videos": "test", "video": f"{at}", "seed": 0, "family": family, "setting": setting,
         "ms": ms + sign, "cpu_ms": 2 * ms, "decode_ms": 1.0, "student_ms": 1.0, "teacher_ms": 1.0,
         "teacher_clips": 1}
        for (family, setting), ms in milliseconds.items()
        for at, sign in enumerate((-1, 1))
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_only_what_is_judged_and_timed_is_set_side_by_side(judged):
    times = times_table({("dense", ""): 9.0, ("condi_sr", "1"): 5.0, ("condi_sr", "2"): 6.0})
    both = with_times(judged, times)
    assert list(both.index) == [("dense", ""), ("condi_sr", "1")]
    assert both["ms"].tolist() == both["cost"].tolist() == [9, 5]
    better = both["video_accuracy"].iloc[0] > both["video_accuracy"].iloc[1]
    assert both["on_front"].tolist() == [better, True]
    assert with_times(judged, times, "cpu_ms")["cost"].tolist() == [18, 10]


def test_methods_are_judged_at_the_k_at_which_they_were_timed(study):
    times = times_table({("dense", ""): 9.0, ("condi_sr", "3"): 5.0, ("equidistant", "1"): 6.0,
                         ("division", "1+1"): 2.0})  # fmt: skip
    names = [way.name for way in timed_methods(study, times)]
    assert names == [("dense", ""), ("condi_sr", "3"), ("equidistant", "1")]


def test_the_best_at_no_more_cost_is_chosen_on_validation_videos(judged, study, ways):
    val = judge(study, ways, "val")
    names = list(judged.correct)
    cost = {name: float(at) for at, name in enumerate(names)}
    base = [("dense", ""), ("equidistant", "2"), ("adaptive", "1")]
    times = times_table(cost)
    table = best_at_equal_cost(val, judged, times, base, ["division", "condi_sr"])
    assert table["chosen"].isna().tolist() == [True, True, True, False, False, False]
    for _, row in table.dropna().iterrows():
        limit = row["limit"]
        mine = {n: val.accuracy_of(n) for n in names if n[0] == row["family"] and cost[n] <= limit}
        best = max(mine, key=lambda name: (mine[name], -cost[name]))
        assert (row["chosen"], row["cost"]) == (best[1], cost[best])
        apart = row["apart"]  # either file is as much slower in all ways
        assert (apart.value, apart.low, apart.high) == pytest.approx((row["cost"] - limit,) * 3)
        way = next(n for n in base if f"{n[0]} {n[1]}".strip() == row["base"])
        own = {n: val.accuracy_of(n) for n in names if n[0] == way[0] and cost[n] <= limit}
        rival = max(own, key=lambda name: (own[name], -cost[name]))
        assert row["own"] == rival[1] and row["gain"] == judged.gain(best, rival)
