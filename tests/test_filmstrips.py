"""Filmstrips: the right frames, everything told by more than colour, no text over another."""

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from condi_lib import plotting
from condi_lib.plotting import TRUTH_COLOURS, strip_size

pytestmark = pytest.mark.usefixtures("house_style")


def frames(n, height=24, width=24):
    """Frame t is grey of level t."""
    return np.broadcast_to(np.arange(n, dtype=np.uint8)[:, None, None, None], (n, height, width, 3))


def clips(n=4):
    return pd.DataFrame({
        "truth": (["key", "confuser", "generic"] * n)[:n],
        "predicted": (["jumping_jack", "a_very_long_name_of_an_action", "walk"] * n)[:n],
        "probability": np.linspace(0.5, 1, n),
        "correct": [i % 2 == 0 for i in range(n)],
        "confidence": np.linspace(0, 1, n),
        "kept": [i == 1 for i in range(n)],
    })  # fmt: skip


def shown(ax):
    """The grey levels of the pictures, in order of drawing."""
    return [int(image.get_array()[0, 0, 0]) for image in ax.images]


def texts(ax):
    return [text.get_text() for text in ax.texts]


def strip(table, thumbnails=None, per_row=12):
    stack = frames(len(table)) if thumbnails is None else thumbnails
    size = strip_size(len(table), 1 if stack.ndim == 4 else stack.shape[1], per_row)
    ax = plt.subplots(figsize=size)[1]
    return plotting.clip_strip(ax, stack, table, per_row=per_row)


def test_a_filmstrip_shows_first_last_and_evenly_between():
    ax = plt.subplots()[1]
    assert plotting.filmstrip(ax, frames(16), n_shown=4, title="walk") is ax
    assert shown(ax) == [0, 5, 10, 15]
    assert texts(ax) == ["frame 0", "5", "10", "15"]
    assert ax.get_title(loc="left") == "walk"


def test_a_short_video_is_shown_whole():
    ax = plotting.filmstrip(plt.subplots()[1], frames(3), n_shown=8)
    assert shown(ax) == [0, 1, 2]


def test_pictures_keep_their_shape():
    ax = plotting.filmstrip(plt.subplots()[1], frames(2, height=20, width=40))
    left, right, bottom, top = ax.images[0].get_extent()
    assert (bottom - top) / (right - left) == pytest.approx(0.5)


def test_a_sheet_names_every_action_and_reads_down_its_columns():
    videos = {f"act_{i}": frames(8) for i in range(5)}
    ax = plotting.action_sheet(plt.subplots()[1], videos, n_shown=2, columns=2)
    assert texts(ax) == [f"act {i}" for i in range(5)]
    assert shown(ax) == [0, 7] * 5
    x, y = zip(*(text.get_position() for text in ax.texts), strict=True)
    assert x[0] == x[1] == x[2] < x[3] == x[4]
    assert y[0] == y[3] < y[1] == y[4] < y[2]


def test_a_clip_strip_tells_everything_in_words_too():
    written = texts(strip(clips()))
    assert written.count("confuser") == 1
    assert written.count("key") == 2
    assert {"jumping jack", "walk"} <= set(written)
    assert "2 kept" in written
    assert {"1", "3", "4"} <= set(written)
    assert {"✓ 50 %", "✗ 67 %", "✓ 83 %", "✗ 100 %"} <= set(written)
    assert {".00", ".33", ".67", "1.00"} <= set(written)
    assert [name for name in ("truth", "teacher", "p", "z̃") if name in written] == [
        "truth", "teacher", "p", "z̃"
    ]  # fmt: skip


def test_a_name_longer_than_its_cell_is_cut():
    (cut,) = (text for text in texts(strip(clips(2))) if text.endswith("…"))
    assert cut.startswith("a very long")


def test_frames_have_the_colour_of_the_truth_and_a_line_of_its_own():
    ax = strip(clips(3))
    for truth in TRUTH_COLOURS:
        outline = [patch for patch in ax.patches if patch.get_gid() == f"truth {truth}"][-1]
        assert outline.get_edgecolor() == plt.matplotlib.colors.to_rgba(TRUTH_COLOURS[truth])
    assert len({p.get_linestyle() for p in ax.patches if p.get_gid() == "truth key"}) == 1
    assert len([patch for patch in ax.patches if patch.get_gid() == "kept"]) == 1


def test_confidence_outside_0_to_1_is_a_number_without_a_bar():
    table = clips(2).assign(confidence=[-1.25, -0.5])
    ax = strip(table)
    assert "-1.25" in texts(ax)
    assert [patch for patch in ax.patches if patch.get_gid() == "confidence"] == []


def test_only_the_columns_given_are_drawn():
    ax = strip(clips()[["confidence"]])
    assert texts(ax).count("z̃") == 1
    assert not {"truth", "teacher", "p"} & set(texts(ax))


def test_stacked_frames_stand_below_one_another():
    stack = np.stack([frames(2), frames(2) + 10, frames(2) + 20], axis=1)
    ax = strip(clips(2), stack)
    assert shown(ax) == [0, 10, 20, 1, 11, 21]
    tops = [image.get_extent()[3] for image in ax.images[:3]]
    assert tops == sorted(tops)


@pytest.mark.parametrize(("n", "per_row"), [(3, 12), (12, 12), (18, 12), (7, 3)])
def test_no_text_overlaps_another_and_all_stay_inside(n, per_row):
    ax = strip(clips(n), per_row=per_row)
    ax.figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in ax.texts]
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))
    assert min(box.y0 for box in boxes) >= ax.bbox.y0 - 1
    smallest = min(text.get_fontsize() for text in ax.texts)
    assert smallest > 5


def test_as_many_clips_as_thumbnails_are_needed():
    with pytest.raises(ValueError, match="3 thumbnails but 2 clips"):
        plotting.clip_strip(plt.subplots()[1], frames(3), clips(2))
