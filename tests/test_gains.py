"""Gains in many settings: every dot and tile says the number that it was given."""

import math

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from condi_lib import plotting
from condi_lib.plotting import METHODS
from condi_lib.plotting.style import MethodStyle
from condi_lib.statistics import Interval

pytestmark = pytest.mark.usefixtures("house_style")


@pytest.fixture
def ax():
    return plt.subplots()[1]


def around(value, half=0.02):
    return Interval(value, value - half, value + half)


def lines(ax):
    return {line.get_label(): line for line in ax.get_lines()}


def bars(ax):
    """Ends of all intervals that are drawn as bars, as (x or y, low, high)."""
    return [segment for each in ax.collections if hasattr(each, "get_segments")
            for segment in np.round(each.get_segments(), 6).tolist()]  # fmt: skip


@pytest.fixture
def rows():
    return pd.DataFrame(
        [("one", "condi_sr", around(0.1)), ("one", "ours", around(-0.05)),
         ("two", "condi_sr", around(0.03)), ("three", "ours", around(0.0))],
        columns=["trial", "method", "gain"],
    )  # fmt: skip


def test_settings_stand_from_top_to_bottom_and_dots_at_their_gains(ax, rows):
    looks = {"ours": MethodStyle("our own", "#6B4C9A", "D")}
    assert plotting.gains_by_setting(ax, rows, looks) is ax
    condi, ours = lines(ax)["ConDi-SR"], lines(ax)["our own"]
    assert condi.get_xdata().tolist() == [0.1, 0.03] and ours.get_xdata().tolist() == [-0.05, 0]
    ticks = dict(zip([t.get_text() for t in ax.get_yticklabels()], ax.get_yticks(), strict=True))
    assert list(ticks) == ["one", "two", "three"] and sorted(ticks.values()) == [-2, -1, 0]
    assert np.round(condi.get_ydata()).tolist() == [ticks["one"], ticks["two"]]
    assert ours.get_ydata()[0] > condi.get_ydata()[0]  # those with looks of their own on top
    assert condi.get_color() == METHODS["condi_sr"].colour
    assert [[0.08, condi.get_ydata()[0]], [0.12, condi.get_ydata()[0]]] in [
        [[round(v, 6) for v in end] for end in bar] for bar in bars(ax)
    ]
    assert ax.get_xlabel() == "gain over dense (points)"
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["our own", "ConDi-SR"]


def test_points_are_signed_and_zero_is_not(ax, rows):
    plotting.gains_by_setting(ax, rows)
    formatter = ax.xaxis.get_major_formatter()
    assert [formatter(value) for value in (-0.025, 0.0, 0.1)] == ["-2.5", "0", "+10"]


def test_a_gain_without_an_interval_is_a_dot_alone(ax):
    nan = float("nan")
    plotting.gains_by_setting(
        ax, pd.DataFrame({"trial": ["a"], "method": ["x"], "gain": [Interval(0.1, nan, nan)]})
    )
    assert lines(ax)["x"].get_xdata().tolist() == [0.1]
    assert ax.get_legend() is None


def test_gains_over_length_are_sorted_and_doublings_are_equal_steps(ax):
    rows = pd.DataFrame(
        {"method": "condi_sr", "n_clips": [24, 3, 12], "gain": [around(g) for g in (0.3, 0.1, 0.2)]}
    )
    plotting.gains_over(ax, rows, "n_clips", "clips per video", logarithmic=True)
    line = lines(ax)["ConDi-SR"]
    assert line.get_xdata().tolist() == [3, 12, 24] and line.get_ydata().tolist() == [0.1, 0.2, 0.3]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["3", "12", "24"]
    at = ax.transData.transform([(3, 0), (6, 0), (12, 0), (24, 0)])[:, 0]
    assert np.ptp(np.diff(at)) == pytest.approx(0, abs=1e-6)
    assert [[3.0, 0.08], [3.0, 0.12]] in bars(ax)
    assert ax.get_ylabel() == "gain over dense (points)"


def test_a_tile_says_its_gain_in_bold_where_it_is_beyond_doubt(ax):
    gains = pd.DataFrame(
        {0.7: [around(0.1), around(0.01)], 1.0: [around(-0.3), None]}, index=["few", "many"]
    )
    plotting.gain_map(ax, gains, limit=0.2, column_label="cue")
    texts = {t.get_text(): t for t in ax.texts}
    assert set(texts) == {"+10.0", "[8.0, 12.0]", "+1.0", "[-1.0, 3.0]", "-30.0", "[-32.0, -28.0]"}
    assert [texts[t].get_fontweight() for t in ("+10.0", "+1.0", "-30.0")] == [
        "bold", "normal", "bold"
    ]  # fmt: skip
    assert (round(texts["-30.0"].get_position()[0]), round(texts["-30.0"].get_position()[1])) == (
        1, 0
    )  # fmt: skip
    assert [t.get_text() for t in ax.get_yticklabels()] == ["few", "many"]
    bottom, top = ax.get_ylim()
    assert bottom > top  # the first row on top


def test_a_tile_has_no_negative_zero_and_rounds_as_in_print(ax):
    gains = pd.DataFrame([[Interval(-0.0001, -0.0002, math.nextafter(0.0975, 0))]])
    plotting.gain_map(ax, gains, limit=0.2)
    assert [t.get_text() for t in ax.texts] == ["+0.0", "[0.0, 9.8]"]


def test_map_colours_are_centred_at_0_saturate_and_leave_gaps_empty(ax):
    gains = pd.DataFrame([[around(0.0), around(0.2), around(0.9), around(-0.2), None]])
    plotting.gain_map(ax, gains, limit=0.2)
    mesh = ax.collections[0]
    mesh.update_scalarmappable()
    middle, blue, deepest, red, empty = mesh.get_facecolors()
    assert np.ptp(middle[:3]) < 0.02  # no hue
    assert (blue == deepest).all() and blue[2] > blue[0] and red[0] > red[2]
    assert empty[3] == 0


def test_text_on_a_tile_is_legible(ax):
    """Contrast of at least 4.5 to 1, as WCAG asks of small text."""
    values = np.linspace(-0.2, 0.2, 41)
    plotting.gain_map(ax, pd.DataFrame([[around(v) for v in values]]), limit=0.2)
    mesh = ax.collections[0]
    mesh.update_scalarmappable()

    def luminance(colour):
        rgb = np.asarray(plt.matplotlib.colors.to_rgb(colour))
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        return linear @ [0.2126, 0.7152, 0.0722]

    for at, tile in enumerate(mesh.get_facecolors()):
        text = next(t for t in ax.texts if t.get_position()[0] == at)
        light, dark = sorted([luminance(tile[:3]), luminance(text.get_color())], reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, values[at]


def test_ranks_are_drawn_best_first(ax):
    ranks = pd.DataFrame({"random": [2, 2, 1], "condi_sr": [1, 1, 2]})
    means = {"random": around(5 / 3, 0.3), "condi_sr": around(4 / 3, 0.3)}
    plotting.mean_ranks(ax, ranks, means)
    assert [t.get_text() for t in ax.get_yticklabels()] == ["ConDi-SR", "random"]
    assert lines(ax)["ConDi-SR"].get_xdata() == [4 / 3] and lines(ax)["random"].get_ydata() == [1]
    bottom, top = ax.get_ylim()
    assert bottom > top
    pale = [each for each in ax.collections if not hasattr(each, "get_segments")]
    assert pale[0].get_offsets().tolist() == [[1, 0], [2, 0]]
    assert pale[0].get_sizes()[0] > pale[0].get_sizes()[1]  # two settings against one


def test_predictions_lie_on_the_diagonal_where_they_are_right(ax):
    groups = {
        "fitted": ([0.01, 0.05], [around(0.01), around(0.06)]),
        "held out": (np.array([-0.02]), [around(0.1)]),
    }
    plotting.predicted_and_measured(ax, groups)
    assert lines(ax)["fitted"].get_ydata().tolist() == [0.01, 0.06]
    assert lines(ax)["held out"].get_xdata().tolist() == [-0.02]
    assert ax.get_xlim() == ax.get_ylim()
    markers = {lines(ax)[name].get_marker() for name in groups}
    assert len(markers) == 2  # in grey they differ as well
    assert (ax.get_xlabel(), ax.get_ylabel()) == (
        "predicted gain over dense (points)", "measured gain over dense (points)"
    )  # fmt: skip
