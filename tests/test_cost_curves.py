"""Accuracy over cost: every setting is drawn where it belongs, and the front is what is said."""

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from condi_lib import plotting
from condi_lib.evaluation import pareto_front
from condi_lib.plotting.style import METHODS, MethodStyle

pytestmark = pytest.mark.usefixtures("house_style")


@pytest.fixture
def rows():
    """K = 3, 1, 2 in this order, and a policy that is not joined; ± 10 points."""
    table = pd.DataFrame(
        [
            ("condi_sr", "3", 30.0, 0.6),
            ("condi_sr", "1", 10.0, 0.5),
            ("condi_sr", "2", 20.0, 0.7),
            ("ours", "2+1", 20.0, 0.6),
            ("ours", "", 5.0, 0.3),
        ],
        columns=["family", "setting", "cost", "video_accuracy"],
    )
    front = pareto_front(table["cost"], table["video_accuracy"])
    accuracy = table["video_accuracy"]
    return table.assign(on_front=front, low=accuracy - 0.1, high=accuracy + 0.1)


LOOKS = {"ours": MethodStyle("our own", "#6B4C9A", "D", "")}


def drawn(ax, rows, **options):
    assert plotting.accuracy_over_cost(ax, rows, "ms per video", LOOKS, **options) is ax
    return {line.get_label(): line for line in ax.get_lines()}


def test_families_are_joined_in_their_own_order_in_their_own_colours(rows):
    ax = plt.subplots()[1]
    lines = drawn(ax, rows)
    assert list(zip(*lines["ConDi-SR"].get_data(), strict=True)) == [
        (30, 0.6), (10, 0.5), (20, 0.7)
    ]  # fmt: skip
    assert lines["ConDi-SR"].get_color() == METHODS["condi_sr"].colour
    assert lines["our own"].get_linestyle() == "None"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "beaten by none (front)",
        "ConDi-SR",
        "our own",
    ]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("ms per video", "video accuracy (%)")


def test_the_front_goes_through_the_settings_that_nothing_beats(rows):
    front = drawn(plt.subplots()[1], rows)["beaten by none (front)"]
    assert list(zip(*front.get_data(), strict=True)) == [(5, 0.3), (10, 0.5), (20, 0.7)]
    assert front.get_drawstyle() == "steps-post"  # more is not to be had for less


@pytest.mark.parametrize(
    ("interval_of", "place"), [(None, "above the interval"), (["ours"], "below the point")]
)
def test_settings_stand_above_intervals_below_points_and_beside_those_not_joined(
    rows, interval_of, place
):
    ax = plt.subplots()[1]
    drawn(ax, rows, interval_of=interval_of)
    ax.figure.draw_without_rendering()
    points = rows[rows["setting"] != ""].set_index("setting")
    places = {}
    for text in ax.texts:
        box, row = text.get_window_extent(), points.loc[text.get_text()]
        ys = (row["high"], row["video_accuracy"])
        (x, top), (_, y) = (ax.transData.transform((row["cost"], at)) for at in ys)
        found = {"above the interval": box.y0 > top, "below the point": box.y1 < y}
        found |= {"beside the point": box.x0 > x}
        places[text.get_text()] = [name for name, holds in found.items() if holds]
    joined = {setting: [place] for setting in ("3", "1", "2")}
    assert places == joined | {"2+1": ["beside the point"]}


def test_intervals_of_some_families_only(rows):
    every, one = (plt.subplots()[1] for _ in range(2))
    drawn(every, rows)
    drawn(one, rows, interval_of=["ours"])
    assert [len(bars.get_segments()) for bars in every.collections] == [3, 2]
    (bars,) = one.collections
    spans = [segment[:, 1].tolist() for segment in bars.get_segments()]
    assert spans == [pytest.approx([0.5, 0.7]), pytest.approx([0.2, 0.4])]


def test_there_is_always_a_front(rows):
    with pytest.raises(ValueError, match="no setting is on the front; see"):
        plotting.accuracy_over_cost(plt.subplots()[1], rows.assign(on_front=False), "ms", LOOKS)


def test_time_over_k_draws_each_family_its_limit_and_the_lines():
    rows = pd.DataFrame(
        {
            "family": ["top", "top", "divided"],
            "teacher_clips": [5, 1, 3],
            "time": [2.0, 1.0, 1.5],
            "low": [1.9, 0.9, 1.5],
            "high": [2.2, 1.1, 1.6],
            "limit": [1.8, 0.5, 1.1],
        }
    )
    looks = {"top": METHODS["condi_sr"], "divided": LOOKS["ours"]}
    ax = plt.subplots()[1]
    assert plotting.time_over_k(ax, rows, looks, {"dense": 4.0}) is ax
    curve = ax.containers[0][0]  # sorted by the number of clips
    assert curve.get_xdata().tolist() == [1, 5] and curve.get_ydata().tolist() == [1.0, 2.0]
    limit = next(line for line in ax.lines if "multiply-accumulates" in str(line.get_label()))
    assert limit.get_xydata().tolist() == [[1, 0.5], [3, 1.1], [5, 1.8]]
    assert any(list(line.get_ydata()) == [4.0, 4.0] for line in ax.lines)
    assert [text.get_text() for text in ax.texts] == ["dense: 4.00 s"]
    assert ax.get_ylim()[0] == 0 and ax.get_ylim()[1] > 4
    assert ax.get_ylabel() == "seconds per video"
    later = plt.subplots()[1]
    plotting.time_over_k(later, rows, looks, {"dense": 4.0}, "ms")
    assert (later.get_ylabel(), later.texts[0].get_text()) == (
        "milliseconds per video",
        "dense: 4 ms",
    )


def test_savings_are_drawn_by_every_way_of_counting_and_beside_the_papers():
    nan = float("nan")
    rows = pd.DataFrame(
        [("ms", 2, 0.1, 0.0, 0.2), ("ms", 1, 0.3, 0.2, 0.4), ("macs", 1, 0.8, nan, nan)],
        columns=["cost", "k_clips", "saved", "low", "high"],
    )
    published = pd.DataFrame({"name": ["paper", "paper"], "k_clips": [1, 3], "saved": [0.6, 0.4]})
    ax = plt.subplots()[1]
    assert plotting.savings_over_k(ax, rows, published) is ax
    lines = {line.get_label(): line for line in ax.get_lines()}
    assert lines["time by the clock"].get_xydata().tolist() == [[1, 0.3], [2, 0.1]]
    assert lines["multiply-accumulates"].get_xydata().tolist() == [[1, 0.8]]
    assert "processor time" not in lines
    assert lines["paper"].get_markerfacecolor() == "white"
    assert (ax.get_ylabel(), ax.yaxis.get_major_formatter()(0.25)) == (
        "saved against dense (%)",
        "25",
    )


def test_curves_over_the_length_of_a_video():
    rows = pd.DataFrame({"name": ["a", "b", "a"], "n_clips": [12, 3, 3], "value": [9.0, 5.0, 4.0]})
    rows = rows.assign(low=rows["value"] - 1, high=rows["value"] + 2)
    looks = {"b": METHODS["condi_sr"], "a": plotting.marked_dense()["dense"]}
    ax = plt.subplots()[1]
    assert plotting.curves_over_clips(ax, rows, "ms per video", looks) is ax
    first, second = ax.get_lines()[:2]
    assert (first.get_label(), second.get_label()) == ("ConDi-SR", "dense (all clips)")
    assert second.get_xydata().tolist() == [[3, 4], [12, 9]]
    assert second.get_marker() == "8"  # over its cost dense is a point, not a level line
    assert ax.get_xticks().tolist() == [3, 12] and ax.get_ylim()[0] == 0
    bars = [segment.tolist() for lines in ax.collections for segment in lines.get_segments()]
    assert bars == [[[3, 4], [3, 7]], [[3, 3], [3, 6]], [[12, 8], [12, 11]]]
