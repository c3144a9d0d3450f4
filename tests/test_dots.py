"""Dots with intervals, results over settings: what they say and where, never their pixels."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from condi_lib.plotting import (
    METHODS,
    curves_by_value,
    dot_panels,
    dots_size,
    results_over_setting,
    setting_name,
    setting_text,
)
from condi_lib.statistics import Interval

pytestmark = pytest.mark.usefixtures("house_style")


@pytest.fixture
def ax():
    return plt.subplots()[1]


def drawn(ax):
    """The dots of a panel by label."""
    return {x.get_label(): x for x in ax.get_lines() if x.get_label()[:1] != "_"}


def test_dots_stand_at_their_values_in_the_methods_order():
    axes = plt.subplots(1, 2, figsize=dots_size(2, 2))[1]
    gain = {"condi_sr": Interval(0.05, 0.02, 0.08), "naive": Interval(-0.01, -0.03, 0.01)}
    assert dot_panels(axes, {"here": gain, "there": {"naive": gain["naive"]}}, "gain") is axes
    dots = drawn(axes[0])
    assert [dots[m].get_xydata().tolist() for m in ("ConDi-SR", "naive loss")] == [
        [[0.05, 1]], [[-0.01, 0]]
    ]  # fmt: skip
    assert [t.get_text() for t in axes[0].get_yticklabels()] == ["naive loss", "ConDi-SR"]
    assert [t.get_text() for t in axes[1].get_yticklabels()] == ["", ""]  # named once
    assert [t.get_text() for t in axes[0].texts] == ["-1.0", "5.0"]
    bars = [segment[:, 0].tolist() for c in axes[0].collections for segment in c.get_segments()]
    assert bars == [[-0.03, 0.01], [0.02, 0.08]]
    assert list(drawn(axes[1])) == ["naive loss"]  # and an empty row
    assert axes[1].get_ylim() == axes[0].get_ylim()
    assert [each.get_title("left") for each in axes] == ["here", "there"]
    assert axes[0].get_xlabel() == "gain (%)"


def test_a_dot_is_hollow_where_its_interval_holds_the_origin(ax):
    intervals = {"naive": Interval(0.55, 0.51, 0.6), "st_ent": Interval(0.52, 0.48, 0.56)}
    dot_panels([ax], {"": intervals}, "AUROC", percent=False, origin=0.5)
    dots = drawn(ax)
    assert to_hex(dots["naive loss"].get_markerfacecolor()) == METHODS["naive"].colour.lower()
    assert dots["ST-Ent"].get_markerfacecolor() == "white"
    assert [t.get_text() for t in ax.texts] == ["0.520", "0.550"]
    assert ax.get_xlabel() == "AUROC"


def test_a_number_is_rounded_as_in_print_and_zero_has_no_sign(ax):
    dot_panels([ax], {"": {"naive": Interval(-0.0001, -0.01, 0.01)}}, "gain")
    assert [t.get_text() for t in ax.texts] == ["0.0"]


def test_numbers_have_room_beside_the_intervals(ax):
    dot_panels([ax], {"": {"naive": Interval(0.5, 0.1, 0.9)}}, "accuracy")
    ax.figure.draw_without_rendering()
    left_of_number = ax.texts[0].get_window_extent().x0
    assert ax.transData.transform((0.9, 0))[0] < left_of_number


def rows(*values, default=None):
    """Rows of a sweep whose results are the values themselves, give or take 1."""
    return pd.DataFrame(
        {
            "value": values,
            "is_default": [value == default for value in values],
            "result": [Interval(v, v - 1, v + 1) for v in values],
        }
    )


def test_results_over_a_setting_lie_on_a_logarithmic_axis_a_line_per_regime(ax):
    regimes = {"default": rows(0.5, 1.0, 4.0, default=1.0), "paper_like": rows(1.0, 2.0)}
    found = results_over_setting(ax, regimes, "result", "temperature", "gain", origin=0)
    assert found is ax and ax.get_xscale() == "log"
    lines = drawn(ax)
    assert list(lines) == ["default", "paper like"]
    assert lines["default"].get_ydata().tolist() == [0.5, 1.0, 4.0]
    np.testing.assert_allclose(lines["default"].get_xdata(), [0.5, 1, 4], rtol=0.03)
    assert lines["default"].get_xdata()[1] < lines["paper like"].get_xdata()[0]  # not over it
    assert ax.get_xticks().tolist() == [0.5, 1, 2, 4]
    assert [t.get_text() for t in ax.get_xticklabels()] == [".5", "1", "2", "4"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("temperature τ", "gain (%)")
    (stripe,) = [x for x in ax.get_lines() if x.get_linewidth() == 5]
    assert set(stripe.get_xdata()) == {1.0}
    low, high = ax.get_xlim()
    assert low < 0.49 and high > 4.1


def test_values_that_would_touch_are_not_labelled_but_the_default_is(ax):
    regimes = {"": rows(0.5, 0.9, 1.0, 2.0, 5.0, 20.0, default=0.9)}
    results_over_setting(ax, regimes, "result", "temperature", percent=False)
    assert [t.get_text() for t in ax.get_xticklabels()] == [".5", ".9", "", "2", "5", "20"]
    assert ax.get_ylabel() == ""


def test_a_regime_that_does_not_vary_the_setting_is_left_out(ax):
    results_over_setting(ax, {"a": rows(1.0, 2.0), "b": rows()}, "result", "other", "x", False)
    assert list(drawn(ax)) == ["a"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("other", "x")


def epochs(*values):
    mean = np.array(values)
    return pd.DataFrame({"epoch": range(1, len(mean) + 1), "mean": mean, "low": mean - 0.1,
                         "high": mean + 0.1})  # fmt: skip


def test_curves_go_from_dark_to_light_and_the_default_stands_out(ax):
    curves = {"μ = 1": epochs(0.2, 0.3), "μ = 1.5": epochs(0.4, 0.5), "μ = 4": epochs(0.6, 0.9)}
    assert curves_by_value(ax, curves, "μ = 1.5", "false-positive rate", percent=True) is ax
    lines = drawn(ax)
    assert lines["μ = 4"].get_ydata().tolist() == [0.6, 0.9]
    assert to_hex(lines["μ = 1.5"].get_color()) == METHODS["condi_sr"].colour.lower()
    assert lines["μ = 1.5"].get_linewidth() > lines["μ = 4"].get_linewidth()
    assert sum(lines["μ = 1"].get_color()[:3]) < sum(lines["μ = 4"].get_color()[:3])
    ax.get_figure(root=True).draw_without_rendering()
    assert {t.get_text() for t in ax.texts} == set(curves)
    assert len(ax.collections) == 3  # from the lowest seed to the highest
    assert ax.get_ylabel() == "false-positive rate (%)"


def test_a_share_that_falls_and_soars_is_drawn_by_ratios(ax):
    curves_by_value(
        ax, {"a": epochs(1.0, 0.1), "b": epochs(1.0, 7.0)}, percent=True, logarithmic=True
    )
    ax.get_figure(root=True).draw_without_rendering()
    low, one, high = ax.transData.transform([(0, 0.5), (0, 1), (0, 2)])[:, 1]
    assert high - one == pytest.approx(one - low)
    shown = {tick.get_text() for tick in ax.get_yticklabels()}
    assert {"10", "20", "50", "100", "200", "500"} <= shown


def test_what_was_not_measured_has_no_curve(ax):
    empty = epochs().astype(float)
    curves_by_value(ax, {"a": epochs(1.0, 2.0), "b": empty}, label="loss")
    assert list(drawn(ax)) == ["a"] and ax.get_ylabel() == "loss"


def test_settings_have_names_for_readers():
    assert setting_name("training.lr") == "learning rate"
    assert setting_name("training.clip_norm") == "clip norm"
    assert setting_text("positive_weight", 1.5) == "μ = 1.5"
    assert setting_text("training.clip_norm", 2.0) == "clip norm = 2"
