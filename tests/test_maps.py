"""A table as a map: every number stands in its own cell, darker where there is more."""

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from condi_lib import plotting

pytestmark = pytest.mark.usefixtures("house_style")
NAN = float("nan")


@pytest.fixture
def table():
    return pd.DataFrame([[0.2, 0.5], [NAN, 0.9]], index=[0, 3], columns=[1, 2])


def cells(ax):
    """Centre and colour of each cell."""
    return {
        tuple(patch.get_center()): to_rgb(patch.get_facecolor())
        for patch in ax.patches
        if patch.get_width() == 1
    }


def test_numbers_stand_in_their_cells(table):
    ax = plt.subplots()[1]
    assert plotting.heat_map(ax, table, "K_s", "K", "{:.1f}", scale=100) is ax
    written = {text.get_position(): text.get_text() for text in ax.texts}
    assert written == {(0, 0): "20.0", (1, 0): "50.0", (1, 1): "90.0"}  # the first row is below
    assert set(cells(ax)) == set(written)
    assert [text.get_text() for text in ax.get_xticklabels()] == ["1", "2"]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["0", "3"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("K", "K_s")


@pytest.mark.parametrize("kind", ["good", "cost"])
def test_more_is_darker_and_the_number_stays_legible(table, kind):
    ax = plt.subplots()[1]
    plotting.heat_map(ax, table, "", "", kind=kind)
    light = {place: sum(colour) for place, colour in cells(ax).items()}
    assert light[0, 0] > light[1, 0] > light[1, 1]
    for text in ax.texts:
        assert contrast(to_rgb(text.get_color()), cells(ax)[text.get_position()]) > 3


def contrast(a, b):
    """As WCAG 2 defines it."""

    def luminance(rgb):
        linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in rgb]
        return sum(w * v for w, v in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def test_equal_numbers_are_drawn_and_none_is_refused(table):
    ax = plt.subplots()[1]
    plotting.heat_map(ax, table * 0 + 0.5, "", "")
    assert len(set(cells(ax).values())) == 1
    with pytest.raises(ValueError, match="all cells of the table are NaN"):
        plotting.heat_map(ax, table * NAN, "", "")
