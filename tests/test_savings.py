"""What measured times say: from tables whose times follow known lines."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from random_study import write_study

from condi_lib.analysis.lengths import by_length, growth, saved_by_length, time_by_length
from condi_lib.analysis.savings import (
    apart,
    break_even_k,
    break_even_macs,
    clip_ratio,
    division_times,
    mean_times,
    noise,
    pooled,
    published_at_equal_time,
    published_divisions,
    published_times,
    saved,
    savings_rows,
    time_of_votes,
)

SKIM, TEACHER, DENSE = 1.0, 2.0, 2.5  # ms per clip: skimmed, seen by the teacher, all by it


def row(videos, video, n_clips, family, setting, ms):
    return {
        "videos": videos, "video": video, "n_clips": n_clips, "family": family,
        "setting": setting, "seed": 0, "ms": ms, "cpu_ms": 1.5 * ms, "decode_ms": 1.0,
        "student_ms": 2.0, "teacher_ms": 3.0, "teacher_clips": 1,
    }  # fmt: skip


def rows_of_length(videos, video, n, k_clips, factor=1.0):
    yield row(videos, video, n, "dense", "", factor * DENSE * n)
    for k in k_clips:
        yield row(videos, video, n, "condi_sr", f"{k}", factor * (5 + SKIM * n + TEACHER * k))
    yield row(videos, video, n, "division", "0+1", factor * (5 + SKIM * n))
    yield row(videos, video, n, "division", "1+2", factor * (5 + SKIM * n + TEACHER))
    yield row(videos, video, n, "equidistant", "1", factor * (3 + TEACHER))


@pytest.fixture
def times():
    """Two test files of 12 clips, one twice as slow as the other, and videos made to lengths."""
    table = [*rows_of_length("test", "a", 12, range(1, 13))]
    table += rows_of_length("test", "b", 12, range(1, 13), factor=2)
    for n in (3, 6, 12, 24):
        table += rows_of_length("made", f"{n}", n, (1, 2, n))
    return pd.DataFrame(table)


def test_means_are_over_test_files(times):
    mean = mean_times(times)
    assert mean.loc[("dense", ""), "ms"] == pytest.approx(1.5 * 30)
    assert mean.loc[("condi_sr", "4"), "ms"] == pytest.approx(1.5 * 25)
    assert mean.loc[("condi_sr", "4"), "ms_low"] == pytest.approx(25)
    assert mean.loc[("condi_sr", "4"), "ms_high"] == pytest.approx(50)
    assert mean.loc[("condi_sr", "4"), "cpu_ms"] == pytest.approx(2.25 * 25)
    assert mean.index[0] == ("dense", "")  # in the order of measuring


def test_a_saving_is_relative_to_dense_on_the_same_file(times):
    found = saved(times, ("condi_sr", "4"))  # 25 of 30 ms on one file, 50 of 60 on the other
    assert (found.value, found.low, found.high) == pytest.approx((1 / 6,) * 3)
    assert saved(times, ("condi_sr", "12"), "cpu_ms").value == pytest.approx(1 - 41 / 30)
    shuffled = times.sample(frac=1, random_state=0)
    assert saved(shuffled, ("condi_sr", "4")).value == pytest.approx(1 / 6)


def test_what_was_not_timed_is_told(times):
    with pytest.raises(ValueError, match=r"condi_sr 13 was not timed; .* \['1', '2', '3'"):
        saved(times, ("condi_sr", "13"))


def test_break_even_is_the_last_k_before_dense_is_as_fast(times):
    found = break_even_k(times, "condi_sr")  # 17 + 2 K < 30 on either file
    assert (found.value, found.low, found.high) == (6, 6, 6)
    assert break_even_k(times, "condi_sr", "cpu_ms").value == 6
    slow = times["family"] == "condi_sr"
    assert break_even_k(times.assign(ms=times["ms"].where(~slow, 1000)), "condi_sr").value == 0
    assert break_even_k(times.assign(ms=times["ms"].where(~slow, 1)), "condi_sr").value == 12


def test_the_interval_of_break_even_is_over_files(times):
    """Dense takes 24 ms on file a, not 30: K = 3 pays there, 6 on b; a quarter draws only one."""
    dense = (times["family"] == "dense") & (times["video"] == "a")
    found = break_even_k(times.assign(ms=times["ms"].where(~dense, 24)), "condi_sr")
    assert (found.value, found.low, found.high) == (5, 3, 6)  # 25.5 + 3 K < 42
    alone = times[times["video"] != "b"]
    assert break_even_k(alone, "condi_sr").value == 6
    assert np.isnan(break_even_k(alone, "condi_sr").low)


def test_one_bad_moment_does_not_decide_where_it_breaks_even(times):
    bad = (times["family"] == "condi_sr") & (times["setting"] == "6")
    assert break_even_k(times.assign(ms=times["ms"].where(~bad, 49)), "condi_sr").value in (5, 6)


@pytest.mark.parametrize(
    ("n_clips", "teacher", "student", "expected"),
    [(12, 10, 1, 10), (12, 10, 5, 5), (12, 10, 10, 0), (10, 10, 1, 8), (1, 10, 1, 0)],
)
def test_break_even_of_arithmetic(n_clips, teacher, student, expected):
    """K t + N s < N t, so K < N (1 - s / t): 10.8, 6 (not reached), 0, 9 (not reached), .9."""
    assert break_even_macs(n_clips, teacher, student) == expected


def test_time_over_k_at_each_length(times):
    found = by_length(times, "condi_sr")
    assert list(found.index) == [3, 6, 12, 24]
    assert found.map(lambda each: np.isnan(each.low)).all(axis=None)  # one file of each length
    table = found.map(lambda each: each.value)
    np.testing.assert_allclose(table["dense"], 2.5 * table.index)
    np.testing.assert_allclose(table["skim"], 5 + SKIM * table.index)
    np.testing.assert_allclose(table["per_clip"], TEACHER)
    # 5 + N + 2 K < 2.5 N: K < .75 N - 2.5 = -.25, 2, 6.5, 15.5
    assert table["break_even"].tolist() == [0, 1, 6, 15]


@pytest.mark.parametrize(
    ("name", "fixed", "per_clip"),
    [
        (("dense", ""), 0, DENSE),
        (("condi_sr", "1"), 5 + TEACHER, SKIM),
        (("equidistant", "1"), 3 + TEACHER, 0),
    ],
)
def test_growth_is_a_line_over_lengths(times, name, fixed, per_clip):
    """All files lie on one line, so any resample of them gives it, unless it has one length."""
    found = growth(times, name)
    for interval, expected in zip(found, (fixed, per_clip), strict=True):
        numbers = (interval.value, interval.low, interval.high)
        assert numbers == pytest.approx((expected,) * 3, abs=1e-9)


def test_growth_has_no_interval_where_resamples_have_one_length(times):
    two = times[(times["videos"] == "test") | times["n_clips"].isin([3, 6])]
    fixed, per_clip = growth(two, ("dense", ""))
    assert (fixed.value, per_clip.value) == pytest.approx((0, DENSE), abs=1e-9)
    assert np.isnan(per_clip.low)


@pytest.fixture
def lengths():
    """Of 6 and of 12 clips two files each, dense 10 ms; the method saves what is written."""
    saving = {6: (0.1, 0.3), 12: (0.4, 0.8)}
    return pd.DataFrame([
        row("made", f"{n}-{at}", n, family, setting, ms)
        for n, shares in saving.items()
        for at, share in enumerate(shares)
        for family, setting, ms in (("dense", "", 10.0), ("condi_sr", "1", 10 * (1 - share)))
    ])  # fmt: skip


def test_what_is_saved_at_each_length(lengths):
    """Of two files a quarter of the resamples holds only the one, a quarter only the other."""
    found = saved_by_length(lengths, ("condi_sr", "1"))
    assert [(each.value, each.low, each.high) for each in found["saved"]] == [
        pytest.approx((0.2, 0.1, 0.3)), pytest.approx((0.6, 0.4, 0.8))
    ]  # fmt: skip
    assert found.loc[6, "more"] is None
    more = found.loc[12, "more"]  # files of two lengths are drawn apart: from .4 - .3 to .8 - .1
    assert (more.value, more.low, more.high) == pytest.approx((0.4, 0.1, 0.7))


def test_time_at_each_length(lengths):
    rows = time_by_length(lengths, ("condi_sr", "1"))
    expected = [[6, 8, 7, 9], [12, 4, 2, 6]]
    np.testing.assert_allclose(rows[["n_clips", "value", "low", "high"]], expected)


def test_divisions_as_a_table(times):
    table = division_times(times, "condi_sr")
    assert list(table.columns) == [1, 3]  # K at which something was divided
    assert list(table.index) == [0, 1, 2]
    assert table.loc[0, 3] == pytest.approx(1.5 * (17 + 6))
    assert table.loc[1, 1] == pytest.approx(1.5 * 17)
    assert table.loc[2, 3] == pytest.approx(1.5 * 19)
    assert np.isnan(table.loc[1, 3])


def test_votes_take_nothing_where_every_clip_is_skimmed(times):
    table = time_of_votes(times, "condi_sr")
    assert list(table.index) == [1]
    alone, with_votes, more = table.loc[1]
    assert alone == with_votes
    assert (alone.value, alone.low, alone.high) == pytest.approx((1.5 * 19, 19, 38))
    assert (more.value, more.low, more.high) == (0, 0, 0)


def test_votes_are_the_mean_over_the_divisions_of_so_many_teacher_clips(times):
    other = times[times["setting"] == "1+2"].assign(setting="1+4", ms=lambda rows: rows["ms"] + 8)
    table = time_of_votes(pd.concat([times, other]), "condi_sr")
    more = table.loc[1, "more"]  # paired by file: 4 ms on either
    assert (more.value, more.low, more.high) == pytest.approx((4, 4, 4))


def test_ways_are_set_apart_on_the_same_files(times):
    found = apart(times, ("condi_sr", "4"), ("dense", ""))  # 25 - 30 ms, 50 - 60 ms
    assert (found.value, found.low, found.high) == pytest.approx((-7.5, -10, -5))


def test_the_ratio_of_clips_is_that_of_the_networks_own_times(times):
    part = times["video"].map({"a": 1.0, "b": 3.0})
    found = clip_ratio(times.assign(teacher_ms=part))  # student: 2 ms on either file
    assert (found.value, found.low, found.high) == pytest.approx((1, 0.5, 1.5))


# Students of one network


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Its students condi_sr, plain and saliency are one network."""
    return write_study(tmp_path_factory.mktemp("tables"))


@pytest.fixture
def measured(times):
    """Three students at K = 1 on two files; condi_sr alone at other K and on made videos."""
    ms = {"plain": (20.0, 42.0), "saliency": (24.0, 28.0)}  # condi_sr: 19, 38
    others = [
        row("test", video, 12, name, "1", value)
        for name, values in ms.items()
        for video, value in zip("ab", values, strict=True)
    ]
    return pd.concat([times, pd.DataFrame(others)], ignore_index=True).assign(fold="")


def test_students_of_one_network_take_the_same_time(study, measured):
    both = pooled(study, measured).set_index(["videos", "family", "setting", "video"])
    for name in ("condi_sr", "plain", "saliency"):
        assert both.loc[("test", name, "1", "a"), "ms"] == pytest.approx((19 + 20 + 24) / 3)
        assert both.loc[("test", name, "1", "b"), "ms"] == pytest.approx((38 + 42 + 28) / 3)
        assert both.loc[("test", name, "1", "b"), "cpu_ms"] == pytest.approx(1.5 * 36)
    found = saved(pooled(study, measured), ("condi_sr", "1"))
    assert found.value == pytest.approx(1 - (21 / 30 + 36 / 60) / 2)


def test_all_else_is_as_measured(study, measured):
    changed = pooled(study, measured)["ms"] != measured["ms"]
    at_one = (measured["videos"] == "test") & (measured["setting"] == "1")
    students = measured["family"].isin(["condi_sr", "plain", "saliency"])
    assert changed.tolist() == (at_one & students).tolist()


def test_students_of_other_networks_are_not_pooled(study, measured):
    """The same table, but one student skims with a network of twice the width."""
    spec = study.spec
    wider = dataclasses.replace(spec.student, options={**spec.student.options, "width": 4})
    wide = dataclasses.replace(spec.losses["plain"], student=wider)
    spec = dataclasses.replace(spec, losses=spec.losses | {"plain": wide})
    both = pooled(dataclasses.replace(study, spec=spec), measured)
    mean = both[both["videos"] == "test"].set_index(["family", "setting", "video"])["ms"]
    assert mean["plain", "1", "a"] == 20
    assert mean["condi_sr", "1", "a"] == mean["saliency", "1", "a"] == pytest.approx(21.5)
    assert noise(study, measured, "condi_sr")["students"].tolist() == [3]
    other = dataclasses.replace(study, spec=spec)
    assert noise(other, measured, "condi_sr")["students"].tolist() == [2]
    assert noise(other, measured, "plain").empty


def test_noise_between_students_of_one_network(study, measured):
    """Means over files 28.5, 31, 26; what is left on a file beside them, by hand: ±2, ±3.5, ±5.5.

    File means are 21 and 36, so ±7.5 of the mean 28.5: 19 is 28.5 - 7.5 - 2, 20 is 31 - 7.5 - 3.5,
    24 is 26 - 7.5 + 5.5. Sum of squares 2 (4 + 12.25 + 30.25) = 93 over (2 - 1) (3 - 1), two files.
    """
    table = noise(study, measured, "condi_sr")
    assert list(table.index) == [1]
    students, spread, sd, by_chance = table.loc[1]
    assert (students, spread, sd) == pytest.approx((3, 5, 2.5))
    assert by_chance == pytest.approx(np.sqrt(93 / 2 / 2))


def test_savings_by_every_way_of_counting(times):
    names = [("dense", ""), *[("condi_sr", f"{k}") for k in range(1, 13)]]
    mmacs = pd.Series(range(13, 0, -1), pd.MultiIndex.from_tuples(names), dtype=float)
    rows = savings_rows(times, "condi_sr", mmacs).set_index(["cost", "k_clips"])
    assert rows.loc[("ms", 4), "saved"] == rows.loc[("cpu_ms", 4), "saved"] == pytest.approx(1 / 6)
    assert rows.loc[("macs", 4), "saved"] == pytest.approx(1 - 9 / 13)
    assert np.isnan(rows.loc[("macs", 4), "low"])


# What was published


def test_published_savings():
    """Table IV: UCF-101 1.24 of 3.7 s at K = 1; thesis table 4.6: 3.1 of 2.9 s at K = 7."""
    paper = published_times("ucf101")
    assert paper.loc[("condi_sr", 1), "saved"] == pytest.approx(1 - 1.24 / 3.7)
    assert paper.loc[("condi_sr", 5), "accuracy"] == pytest.approx(0.9128)
    assert paper.loc[("dense", 0), "saved"] == 0
    thesis = published_times("ucf101", "thesis table 4.6")
    assert thesis.loc[("condi_sr", 7), "saved"] == pytest.approx(1 - 3.1 / 2.9)
    assert thesis.loc[("condi_sr", 7), "saved"] < 0


def test_published_divisions():
    """Table V: Kinetics-600, K = 7, K_s = 4: 69.51 % in 2.6 s against 71.5 % in 3.05 s."""
    table = published_divisions()
    row = table.loc[("kinetics-600", 7, 4)]
    assert row["lost"] == pytest.approx(0.0199)
    assert row["saved"] == pytest.approx(1 - 2.6 / 5.3)
    assert row["saved_more"] == pytest.approx((3.05 - 2.6) / 5.3)
    assert (table.xs(0, level="k_student")["lost"] == 0).all()


def test_published_divisions_beside_top_k_at_equal_time():
    """2.17 s lie between K = 3 (1.89 s, 67.30 %) and K = 5 (2.28 s, 69.37 %)."""
    table = published_at_equal_time()
    assert len(table) == 6
    expected = 0.6730 + (2.17 - 1.89) / (2.28 - 1.89) * (0.6937 - 0.6730)
    row = table.loc[("kinetics-600", 7, 7)]
    assert row["top_k_accuracy"] == pytest.approx(expected)
    assert row["gain"] == pytest.approx(0.6689 - expected)
    ucf = table.loc[("ucf101", 5, 3)]  # 1.96 s, between K = 3 (1.9) and K = 5 (2.31)
    assert ucf["top_k_accuracy"] == pytest.approx(0.9012 + 0.06 / 0.41 * (0.9128 - 0.9012))
