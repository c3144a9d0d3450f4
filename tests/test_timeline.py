"""A prediction over time: the right clips at the right times, nothing told by colour alone."""

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgba
from predictions import prediction

from condi_lib import plotting
from condi_lib.plotting.timeline import (
    MOST_BARS,
    MOST_MARKERS,
    MOST_THUMBNAILS,
    STUDENT,
    TEACHER,
    TIMELINE_INCHES,
)
from condi_lib.sampling import DENSE, Divided, Selected

pytestmark = pytest.mark.usefixtures("house_style")


def frame(level, height=60, width=80):
    return np.full((height, width, 3), level, np.uint8)


def thumbnails(n_clips, damaged=(), **shape):
    shown = plotting.thumbnail_clips(n_clips)
    return {clip: None if clip in damaged else frame(clip % 256, **shape) for clip in shown}


def drawn(made, pictures=None):
    """The four axes of a drawn prediction."""
    figure = plt.figure(figsize=TIMELINE_INCHES)
    pictures = thumbnails(len(made.clips)) if pictures is None else pictures
    assert plotting.prediction_timeline(figure, made, pictures) is figure
    return figure.axes


def texts(ax):
    return [text.get_text() for text in ax.texts]


def line(ax, label):
    return next(each for each in ax.get_lines() if each.get_label().startswith(label))


def spans(ax, gid):
    """From when to when the patches of a kind reach."""
    boxes = [patch.get_window_extent().transformed(ax.transData.inverted()) for patch in ax.patches
             if patch.get_gid() == gid]  # fmt: skip
    return [(round(float(box.x0), 6), round(float(box.x1), 6)) for box in boxes]


@pytest.mark.parametrize("n_clips", [1, 3, MOST_THUMBNAILS])
def test_a_short_video_shows_every_clip(n_clips):
    assert plotting.thumbnail_clips(n_clips) == list(range(n_clips))


@pytest.mark.parametrize("n_clips", [19, 24, 112, 6750])
def test_of_a_long_video_the_middles_of_equal_parts_are_shown(n_clips):
    shown = plotting.thumbnail_clips(n_clips)
    assert len(set(shown)) == MOST_THUMBNAILS
    part = n_clips / MOST_THUMBNAILS
    assert all(abs(clip + 0.5 - (i + 0.5) * part) <= 0.5 for i, clip in enumerate(shown))
    assert shown[0] + shown[-1] in (n_clips - 1, n_clips)  # as far from the end as from the start


def test_bars_of_confidence_stand_where_their_clips_do():
    made = prediction(4, teacher=[3], last_frames=8)
    _, _, ranks, _ = drawn(made)
    bars = sorted(ranks.patches, key=lambda bar: bar.get_x())
    assert [bar.get_height() for bar in bars] == pytest.approx([0.2, 0.4, 0.6, 0.8])
    centres = [bar.get_x() + bar.get_width() / 2 for bar in bars]
    assert centres == pytest.approx([0.32, 0.96, 1.6, (1.92 + 56 / 25) / 2])
    assert ranks.get_ylim() == (0, 1)
    assert ranks.get_ylabel() == "z̃"


def test_what_counts_is_told_by_a_lane_and_a_hatch_as_well_as_by_colour():
    made = prediction(6, teacher=[1, 4], student=[0, 4], policy=Divided(4, 2))
    pictures, lanes, ranks, _ = drawn(made)
    assert [label.get_text() for label in lanes.get_yticklabels()] == ["student", "teacher"]
    centres = {name: [(a + b) / 2 / 0.64 for a, b in spans(lanes, name)]
               for name in ("teacher", "student")}  # fmt: skip
    assert centres["teacher"] == pytest.approx([1.5, 4.5])
    assert centres["student"] == pytest.approx([0.5, 4.5])
    by_place = {int(bar.get_x() / 0.64): bar for bar in ranks.patches}
    assert [by_place[clip].get_hatch() for clip in range(6)] == ["////"] + [None] * 5
    assert by_place[1].get_facecolor() == by_place[4].get_facecolor() == to_rgba(TEACHER)
    assert by_place[0].get_edgecolor() == to_rgba(STUDENT)
    outlines = [p.get_gid() for p in pictures.patches]
    assert outlines == [
        "outline student", "outline teacher", "outline neither",
        "outline neither", "outline teacher", "outline neither",
    ]  # fmt: skip
    assert pictures.patches[0].get_linestyle() != pictures.patches[1].get_linestyle()


def test_the_class_trace_is_of_the_answer_and_has_marks_where_the_teacher_looked():
    made = prediction(4, teacher=[2, 3], damaged=[1])
    _, _, ranks, trace = drawn(made)
    assert "jumping jack" in trace.get_title(loc="left")
    assert line(trace, "student").get_ydata() == pytest.approx([0.1, np.nan, 0.3, 0.4], nan_ok=True)
    assert line(trace, "teacher").get_xdata() == pytest.approx([1.6, 2.24])
    assert line(trace, "teacher").get_ydata() == pytest.approx([0.9, 0.9])
    assert line(trace, "teacher").get_linestyle() == "None"
    assert line(trace, "whole video: 72 %").get_ydata() == pytest.approx([0.72, 0.72])
    assert {text.get_text() for text in trace.get_legend().get_texts()} == {
        "student", "teacher", "whole video: 72 %"
    }  # fmt: skip
    assert trace.get_ylabel() == "probability (%)"
    assert spans(ranks, "damaged") == spans(trace, "damaged") == [(0.64, 1.28)]


def test_time_is_in_seconds_or_else_in_frames():
    trace = drawn(prediction(3, teacher=[1], last_frames=4))[3]
    assert trace.get_xlabel() == "time (s)"
    assert trace.get_xlim() == pytest.approx((0, 36 / 25))
    trace = drawn(prediction(3, teacher=[1], fps=None, last_frames=4))[3]
    assert trace.get_xlabel() == "frame"
    assert trace.get_xlim() == (0, 36)
    trace = drawn(prediction(3, teacher=[1], fps=None, n_frames=None))[3]
    assert trace.get_xlim() == (0, 48)  # as long as the others


def test_an_hour_is_divided_at_whole_minutes():
    trace = drawn(prediction(5625, teacher=[7]))[3]
    first, last = trace.get_xlim()
    assert last == 3600
    assert [tick for tick in trace.get_xticks() if first <= tick <= last] == list(
        range(0, 3601, 300)
    )


def test_words_tell_answer_clips_and_time():
    figure = plt.figure(figsize=TIMELINE_INCHES)
    made = prediction(6, teacher=[2, 5], damaged=[0])
    plotting.prediction_timeline(figure, made, thumbnails(6, damaged=[0]))
    assert figure.get_suptitle() == "jump_12.mp4: jumping jack, 72 %"
    first, second = figure.axes[0].get_title(loc="left").split("\n")
    assert first == "teacher on 2 of 6 clips (2, 5), student on 5; 16 damaged frames (crossed out)"
    assert second == (
        "0.3 s (decoding 0.05, student 0.08, teacher 0.17); "
        "40 % less than all clips by the teacher, about 0.5 s"
    )


def test_any_name_of_a_file_is_shown():
    long = "x" * 200
    for name, shown in {f"{long}.mp4": "x" * 35 + "…" + "x" * 31 + ".mp4", "$a_1$": "$a_1$",
                        "\udcff.mp4": "?.mp4"}.items():  # fmt: skip
        figure = drawn(prediction(3, teacher=[2], video=name))[0].get_figure()
        assert figure.get_suptitle() == f"{shown}: jumping jack, 72 %"
        figure.draw_without_rendering()
        assert figure.texts[0].get_window_extent().x1 < figure.bbox.x1


def test_where_damage_ended_the_reading_is_told():
    made = prediction(6, teacher=[2], damaged=[5], stopped_at_frame=83, n_frames=None)
    first = drawn(made)[0].get_title(loc="left").split("\n")[0]
    assert first.endswith("; 16 damaged frames (crossed out), lost from frame 83 on")


@pytest.mark.parametrize(
    ("dense_sec", "end"),
    [(0.2, "50 % more than all clips by the teacher, about 0.2 s"), (None, ")")],
)
def test_time_that_was_lost_is_told_as_well(dense_sec, end):
    title = drawn(prediction(6, teacher=[2], dense_sec=dense_sec))[0].get_title(loc="left")
    assert title.endswith(end)


def test_thumbnails_keep_their_shape_and_a_damaged_one_is_a_grey_box():
    pictures = drawn(prediction(3, teacher=[1], damaged=[2]), thumbnails(3, damaged=[2]))[0]
    assert [int(image.get_array()[0, 0, 0]) for image in pictures.images] == [0, 1]
    assert texts(pictures) == ["clip 0", "1", "damaged", "2"]
    assert [p.get_gid() for p in pictures.patches].count("damaged") == 1
    for image in pictures.images:
        box = image.get_window_extent()
        assert box.height / box.width == pytest.approx(60 / 80, rel=0.02)


def test_a_video_without_one_readable_thumbnail_is_drawn():
    pictures = drawn(prediction(3, teacher=[1]), dict.fromkeys(range(3)))[0]
    assert texts(pictures).count("damaged") == 3
    assert len(pictures.images) == 0


def test_dense_needs_no_student():
    made = prediction(4, teacher=range(4), with_student=False, policy=DENSE, dense_sec=None)
    _, lanes, ranks, trace = drawn(made)
    assert spans(lanes, "student") == []
    assert texts(ranks) == ["no student ran: clips have no z̃"]
    assert {each.get_label() for each in trace.get_lines()} == {"teacher", "whole video: 72 %"}


def test_what_ranked_the_clips_is_named():
    made = prediction(4, teacher=[3], policy=Selected("student_negative_entropy", 1))
    made.clips["score"] = [-2.0, -1.5, -1.0, -0.5]
    ranks = drawn(made)[2]
    assert ranks.get_title(loc="left") == "minus the student's entropy (nats)"
    assert ranks.get_ylabel() == "score"
    tops = sorted(bar.get_y() + bar.get_height() for bar in ranks.patches)
    assert tops == pytest.approx([-2.0, -1.5, -1.0, -0.5])
    low, high = ranks.get_ylim()
    assert low < -2 < -0.5 < high


@pytest.mark.parametrize("n_clips", [MOST_BARS, MOST_BARS + 1])
def test_many_clips_are_a_line_instead_of_bars(n_clips):
    _, lanes, ranks, trace = drawn(prediction(n_clips, teacher=[3, 4, 90]))
    few = n_clips == MOST_BARS
    assert len(ranks.patches) == (n_clips if few else 1)  # one StepPatch
    assert len(spans(lanes, "teacher")) == (3 if few else 2)  # neighbours in one piece
    assert line(trace, "student").get_marker() == ("o" if few else "")
    if not few:
        values, edges, _ = ranks.patches[0].get_data()
        assert values == pytest.approx(np.arange(1, n_clips + 1) / (n_clips + 1))
        assert len(edges) == n_clips + 1
        assert line(ranks, "teacher").get_ydata() == pytest.approx(values[[3, 4, 90]])


def test_more_marks_than_can_be_told_apart_are_a_line():
    n_clips = 2 * MOST_MARKERS
    kept = range(MOST_MARKERS)
    assert line(drawn(prediction(n_clips, kept))[3], "teacher").get_linestyle() == "None"
    kept = range(MOST_MARKERS + 1)
    _, _, ranks, trace = drawn(prediction(n_clips, kept))
    assert line(trace, "teacher").get_linestyle() == "--"
    assert ranks.get_lines() == []


def test_a_thumbnail_of_no_clip_is_refused():
    with pytest.raises(ValueError, match=r"thumbnails of clips \[3\], but the video has 3 clips"):
        drawn(prediction(3, teacher=[1]), {0: frame(0), 3: frame(3)})


@pytest.mark.parametrize(
    ("n_clips", "shape"),
    [(1, (60, 80)), (3, (160, 90)), (12, (50, 50)), (18, (90, 160)), (18, (160, 90)),
     (112, (60, 80)), (6750, (60, 80))],
)  # fmt: skip
def test_no_text_stands_on_another_or_leaves_the_figure(n_clips, shape):
    damaged = [n_clips // 2] if n_clips > 1 else []
    made = prediction(n_clips, [n_clips - 1], student=range(n_clips), damaged=damaged)
    pictures = thumbnails(n_clips, height=shape[0], width=shape[1])
    axes = drawn(made, pictures)
    figure = axes[0].get_figure()
    figure.draw_without_rendering()
    written = [text for text in figure.findobj(plt.Text) if text.get_text() and text.get_visible()]
    boxes = [text.get_window_extent() for text in written if _is_shown(text, axes)]
    assert len(boxes) > 10
    for one, other in itertools.combinations(boxes, 2):
        assert not one.padded(-0.5).overlaps(other)
    assert all(box.x0 >= 0 and box.x1 <= figure.bbox.x1 for box in boxes)
    assert all(box.y0 >= 0 and box.y1 <= figure.bbox.y1 for box in boxes)


def _is_shown(text, axes):
    """Whether a text is drawn: labels of ticks outside the axes, or that are shared, are not."""
    for ax in axes:
        for axis in (ax.xaxis, ax.yaxis):
            labels = [tick.label1 for tick in axis.get_major_ticks()]
            if text in labels:
                low, high = sorted(axis.get_view_interval())
                place = axis.get_major_ticks()[labels.index(text)].get_loc()
                hidden = ax is axes[0] or not low <= place <= high
                return not hidden and (axis is ax.yaxis or ax is axes[-1])
    return True
