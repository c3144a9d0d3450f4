"""What measured times say: from tables whose times follow known lines."""

import numpy as np
import pandas as pd
import pytest

from condi_lib.analysis.savings import (
    break_even_k,
    break_even_macs,
    by_length,
    division_times,
    growth,
    mean_times,
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
    assert break_even_k(times, "condi_sr") == 6  # 17 + 2 K < 30
    assert break_even_k(times, "condi_sr", "cpu_ms") == 6
    slow = times["family"] == "condi_sr"
    assert break_even_k(times.assign(ms=times["ms"].where(~slow, 1000)), "condi_sr") == 0
    assert break_even_k(times.assign(ms=times["ms"].where(~slow, 1)), "condi_sr") == 12


def test_one_bad_moment_does_not_decide_where_it_breaks_even(times):
    bad = (times["family"] == "condi_sr") & (times["setting"] == "6")
    assert break_even_k(times.assign(ms=times["ms"].where(~bad, 49)), "condi_sr") in (5, 6)


@pytest.mark.parametrize(
    ("n_clips", "teacher", "student", "expected"),
    [(12, 10, 1, 10), (12, 10, 5, 5), (12, 10, 10, 0), (10, 10, 1, 8), (1, 10, 1, 0)],
)
def test_break_even_of_arithmetic(n_clips, teacher, student, expected):
    """K t + N s < N t, so K < N (1 - s / t): 10.8, 6 (not reached), 0, 9 (not reached), .9."""
    assert break_even_macs(n_clips, teacher, student) == expected


def test_time_over_k_at_each_length(times):
    table = by_length(times, "condi_sr")
    assert list(table.index) == [3, 6, 12, 24]
    np.testing.assert_allclose(table["dense"], 2.5 * table.index)
    np.testing.assert_allclose(table["skim"], 5 + SKIM * table.index)
    np.testing.assert_allclose(table["per_clip"], TEACHER)
    # 5 + N + 2 K < 2.5 N: K < .75 N - 2.5 = -.25, 2, 6.5, 15.5
    assert table["break_even"].tolist() == [0, 1, 6, 15]
    assert table.loc[24, "break_even_share"] == 15 / 24


def test_growth_is_a_line_over_lengths(times):
    assert growth(times, ("dense", "")) == pytest.approx((0, DENSE), abs=1e-9)
    assert growth(times, ("condi_sr", "1")) == pytest.approx((5 + TEACHER, SKIM))
    assert growth(times, ("equidistant", "1")) == pytest.approx((3 + TEACHER, 0), abs=1e-9)


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
    assert table.loc[1, "alone"] == table.loc[1, "with_votes"] == pytest.approx(1.5 * 19)


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
