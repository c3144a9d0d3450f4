"""What the explorer's pictures say: numbers, names, places of what can be chosen, no loose HTML."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pandas as pd
import pytest

from condi_lib.explore.charts import (
    accuracy_chart,
    bar_chart,
    histogram_chart,
    reliability_chart,
    risk_chart,
    top_classes,
)
from condi_lib.explore.filmstrip import (
    TILES,
    clip_card,
    filmstrip,
    headline,
    key_to_strip,
    timeline,
)
from condi_lib.explore.svg import Plane, number_ticks, percent_ticks, tag

NASTY = 'a<b>&"c"'
CLASSES = ("bend", NASTY, "clap", "jump", "kick", "run")
PROBS = np.array([0.05, 0.5, 0.25, 0.1, 0.06, 0.04])


def parsed(picture: str) -> ET.Element:
    """The picture as XML, which it is not if a text in it was not escaped."""
    return ET.fromstring(picture)


def texts(picture: str) -> list[str]:
    return [element.text for element in parsed(picture).iter("text")]


def rects(picture: str) -> list[dict[str, str]]:
    return [element.attrib for element in parsed(picture).iter("rect")]


CLIPS = pd.DataFrame(
    {
        "clip_index": [0, 1, 2],
        "start_frame": [0, 16, 32],
        "truth": ["key", "confuser", "generic"],
        "score": [0.9, 0.25, 0.5],
        "teacher_class": ["bend", NASTY, "clap"],
        "teacher_prob": [0.8, 0.99, 0.4],
        "teacher_right": [True, False, False],
        "teacher_weight": [0.5, 0.0, 0.0],
        "student_class": ["bend", "bend", "jump"],
        "student_prob": [0.7, 0.6, 0.5],
        "student_weight": [0.0, 0.0, 0.5],
    }
)


class TestBars:
    def test_name_the_best_classes_and_mark_a_wrong_answer(self):
        said = texts(bar_chart(PROBS, CLASSES, label=2, n_shown=3))
        assert said == [f"✗ {NASTY}", "50.0 %", "clap", "25.0 %, true class", "jump", "10.0 %"]

    def test_mark_a_right_answer(self):
        assert texts(bar_chart(PROBS, CLASSES, label=1))[0] == f"✓ {NASTY}"

    def test_judge_nothing_where_the_class_is_not_known(self):
        said = " ".join(texts(bar_chart(PROBS, CLASSES)))
        assert not set("✓✗") & set(said) and "true class" not in said

    def test_show_the_true_class_however_improbable(self):
        assert top_classes(PROBS, label=5, n_shown=3) == [1, 2, 5]
        assert "4.0 %, true class" in texts(bar_chart(PROBS, CLASSES, label=5, n_shown=3))

    def test_are_as_long_as_they_are_probable(self):
        widths = [float(bar["width"]) for bar in rects(bar_chart(PROBS, CLASSES, n_shown=3))]
        assert widths[1] / widths[0] == pytest.approx(0.5, rel=1e-3)
        assert widths[2] / widths[0] == pytest.approx(0.2, rel=1e-3)


class TestCurves:
    def test_of_accuracy_mark_k_and_dense(self):
        picture = accuracy_chart(np.array([0.6, 0.55, 0.5]), 0.5, (2, 0.55), "condi_sr", "by z̃")
        assert "K = 2: 55.0 %" in texts(picture) and "dense 50.0 %" in texts(picture)
        (dot,) = parsed(picture).iter("circle")
        curve = list(parsed(picture).iter("polyline"))[-1].attrib["points"].split()
        x, y = (float(value) for value in curve[1].split(","))
        assert float(dot.attrib["cx"]) == pytest.approx(x, abs=0.1)
        assert float(dot.attrib["cy"]) == pytest.approx(y, abs=0.1)

    def test_of_calibration_show_the_diagonal_only_for_a_probability(self):
        rows = pd.DataFrame({"score": [0.2, 0.8], "accuracy": [0.3, 0.7], "share": [0.5, 0.5]})
        honest = reliability_chart(rows, True, "condi_sr", "z̃", {"auroc": 0.75, "ece": 0.1})
        other = reliability_chart(rows - 1, False, "st_ent", "−entropy", {"auroc": 0.75})
        assert len(list(parsed(honest).iter("polyline"))) == 2
        assert len(list(parsed(other).iter("polyline"))) == 1
        assert "AUROC 0.750, ECE 10.0 %" in honest and "no ECE" in other

    def test_of_risk_say_what_is_wrong_among_the_better_half(self):
        picture = risk_chart(np.array([0.5, 1.0]), np.array([0.1, 0.3]), "condi_sr", "z̃")
        assert "10.0 % wrong among the better half" in parsed(picture).attrib["aria-label"]
        assert "all clips 30.0 %" in texts(picture)


class TestHistogram:
    COUNTS = pd.DataFrame({"key": [1, 3], "confuser": [2, 0]})
    EDGES = np.array([0.0, 0.5, 1.0])

    def bins(self, chosen=None):
        picture = histogram_chart(self.COUNTS, self.EDGES, "z̃", chosen)
        return [g.attrib for g in parsed(picture).iter("g")]

    def test_has_bars_that_can_be_chosen_by_keyboard_and_say_what_they_are(self):
        first, second = self.bins()
        assert (first["data-key"], second["data-key"]) == ("bin-0", "bin-1")
        assert first["tabindex"] == "0" and first["role"] == "button"
        assert first["aria-label"] == "0 to 0.5: 1 key, 2 confuser clips"

    def test_marks_the_chosen_bar(self):
        assert [bar["aria-pressed"] for bar in self.bins(chosen=1)] == ["false", "true"]

    def test_stacks_kinds_that_differ_in_pattern(self):
        picture = histogram_chart(self.COUNTS, self.EDGES, "z̃")
        key, confuser = rects(next(ET.tostring(g, "unicode") for g in parsed(picture).iter("g")))[
            :2
        ]
        heights = [float(bar["height"]) for bar in (key, confuser)]
        assert heights[1] / heights[0] == pytest.approx(2, rel=1e-3)
        assert float(confuser["y"]) + heights[1] == pytest.approx(float(key["y"]), abs=1e-3)
        patterns = [ET.tostring(p) for p in parsed(picture).iter("pattern")]
        assert len(patterns) == 2 and b"path" in patterns[1] and b"path" not in patterns[0]


class TestFilmstrip:
    def markup(self):
        return filmstrip(CLIPS, {}, "z̃")

    def test_has_a_button_for_each_clip_that_tells_everything(self):
        first, second, third = self.markup_buttons()
        assert 'data-key="clip-0"' in first
        assert (
            "clip 1, key, used by teacher, teacher: bend 80 %, student: bend 70 %, z̃ 0.90" in first
        )
        assert "clip 2, confuser, not used" in second
        assert "used by student" in third

    def markup_buttons(self):
        return re.findall(r"<button.*?</button>", self.markup(), re.S)

    def test_shows_kept_clips_by_name_of_the_network(self):
        tabs = [re.findall(r'condi-tab"[^>]*>(\w+)<', tile) for tile in self.markup_buttons()]
        assert tabs == [["teacher"], [], ["student"]]

    def test_tells_kinds_apart_by_stroke_as_well(self):
        strokes = [re.search(r"border: 3px (\w+)", tile)[1] for tile in self.markup_buttons()]
        assert strokes == ["solid", "dashed", "dotted"]

    def test_escapes_names(self):
        assert "<b>&" not in self.markup() and "a&lt;b&gt;" in self.markup()

    def test_says_where_there_is_no_picture(self):
        assert [("no picture" in tile) for tile in self.markup_buttons()] == [True] * 3
        shown = re.findall(r"<button.*?</button>", filmstrip(CLIPS, {1: "data:1"}, "z̃"), re.S)
        assert ["no picture" in tile for tile in shown] == [True, False, True]

    def test_shows_a_page_of_a_long_video(self):
        many = pd.concat([CLIPS] * 20, ignore_index=True).assign(clip_index=range(60))
        keys = re.findall(r'data-key="clip-(\d+)"', filmstrip(many, {}, "z̃", first=30))
        assert list(map(int, keys)) == list(range(30, 30 + TILES))

    def test_leaves_out_what_is_not_known(self):
        bare = CLIPS[["clip_index", "start_frame", "teacher_class", "teacher_prob"]]
        strip = filmstrip(bare, {}, "z̃")
        assert "✓" not in strip and "confuser" not in strip and "condi-bar" not in strip
        assert "frame:" not in key_to_strip(bare, "z̃")

    def test_draws_no_bar_for_a_score_that_is_no_share(self):
        assert "condi-bar" not in filmstrip(CLIPS.assign(score=[-3.0, -1.0, 7.0]), {}, "largest")


class TestTimeline:
    def test_has_a_bar_for_each_clip_and_blocks_for_those_used(self):
        picture = timeline(CLIPS, 16, 8.0, "z̃")
        assert [t for t in texts(picture) if t in ("T", "S")] == ["T", "S"]
        assert {"0 s", "2 s", "4 s", "6 s", "key", "confuser", "generic"} <= set(texts(picture))
        bars = [r for r in rects(picture) if r.get("fill-opacity")]
        heights = [float(bar["height"]) for bar in bars]
        assert np.array(heights) / heights[0] == pytest.approx(CLIPS["score"] / 0.9, rel=1e-3)

    def test_counts_frames_where_the_rate_is_not_known(self):
        assert {"16", "48"} <= set(texts(timeline(CLIPS, 16, None, "z̃")))

    def test_shows_scores_that_are_no_shares_and_none_at_all(self):
        for score in ([-2.0, -1.0, 3.0], [np.nan] * 3, [np.nan, 0.1, 0.2], [-1.0] * 3):
            bars = [r for r in rects(timeline(CLIPS.assign(score=score), 16, None, "s"))
                    if r.get("fill-opacity")]  # fmt: skip
            assert [np.isfinite(float(bar["height"])) for bar in bars] == [True] * 3


def test_a_clip_is_told_with_its_place_in_time():
    card = clip_card(CLIPS.iloc[1].to_dict(), None, 16, 8.0, "z̃")
    assert "frames 16 to 31, 2.0 s to 4.0 s" in card and "no picture" in card
    assert "teacher: a&lt;b&gt;" in card


def test_the_answer_says_right_or_wrong_and_what_dense_says():
    other = np.array([0.9, 0.02, 0.02, 0.02, 0.02, 0.02])
    said = re.sub("<.*?>", " ", headline(PROBS, CLASSES, 0, other))
    assert "✗ wrong: a&lt;b&gt;&amp;&quot;c&quot;, 50.0 %" in said
    assert "(true class: bend)" in said and "dense says ✓ bend, 90.0 %" in said


def test_attributes_are_escaped_and_named_as_in_html():
    assert tag("g", "x", data_key='a"b', class_="c", gone=None) == (
        '<g data-key="a&quot;b" class="c">x</g>'
    )


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 1, ["0", "0.2", "0.4", "0.6", "0.8", "1"]),
        (0, 1463, ["0", "500", "1000"]),
        (-2.3, 0.1, ["-2", "-1.5", "-1", "-0.5", "0"]),
        (0.001, 0.0018, ["0.001", "0.0012", "0.0014", "0.0016", "0.0018"]),
    ],
)
def test_ticks_are_round_numbers(low, high, ticks):
    assert list(number_ticks(low, high, 6 if high < 100 else 5).values()) == ticks


def test_ticks_of_shares_are_round_percentages():
    assert list(percent_ticks(0.484, 0.656).values()) == ["50", "55", "60", "65"]
    assert list(percent_ticks(0, 1).values()) == ["0", "20", "40", "60", "80", "100"]
    assert list(percent_ticks(0.515, 0.619).values()) == ["52", "54", "56", "58", "60"]


def test_a_plane_puts_numbers_where_they_belong():
    plane = Plane(10, 20, 100, 50, (0, 2), (-1, 1))
    assert [plane.x(0), plane.x(2), plane.y(-1), plane.y(1)] == [10, 110, 70, 20]
