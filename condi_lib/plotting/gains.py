"""Gains over dense averaging in many settings, with their intervals; ``ax`` in, ``ax`` out.

Gains are differences of accuracies, given as fractions and shown in points (of percent).
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import TwoSlopeNorm
from matplotlib.ticker import FuncFormatter, NullFormatter
from numpy.typing import ArrayLike

from condi_lib.plotting.line_labels import label_lines
from condi_lib.plotting.style import INK, QUIET, MethodStyle, styles_of, text_on
from condi_lib.statistics import Interval

# How one calibrated temperature is used (condi_lib.analysis.calibration); methods keep colours.
CALIBRATION_LOOKS = {
    "as it is": MethodStyle("as it is", INK, "o"),
    "ranked by it": MethodStyle("ranked by it", "#44AA99", "<"),
    "averaged with it": MethodStyle("averaged with it", "#6B4C9A", "H"),
    "both": MethodStyle("both", "#7F5F2A", ">"),
}

_SPREAD = 0.72  # of the room between two settings
_MAP_COLOURS = "RdBu"  # red: loses, blue: gains; colour-blind readers can tell them apart


def gains_by_setting(
    ax: Axes,
    rows: pd.DataFrame,
    looks: Mapping[str, MethodStyle] | None = None,
    axis_label: str = "gain over dense",
    setting: str = "trial",
) -> Axes:
    """Draw a dot with its interval for every method in every setting, settings from top to bottom.

    Args:
        ax: Where to draw.
        rows: ``trial``, ``method``, ``gain`` (:class:`Interval`, fractions), in order.
        looks: How methods look that are not the study's own; these come first, in this order.
        axis_label: What is gained; the unit is added.
        setting: The column that names settings.

    Returns:
        The same ``ax``.
    """
    settings, looks = list(dict.fromkeys(rows[setting])), looks or {}
    there = list(dict.fromkeys(rows["method"]))
    methods = [*(m for m in looks if m in there), *(m for m in there if m not in looks)]
    styles = styles_of(methods) | dict(looks)
    offset = _offsets(len(methods))
    for at, method in enumerate(methods):
        part, style = rows[rows["method"] == method], styles[method]
        y = np.array([-settings.index(name) for name in part[setting]]) - offset[at]
        _dots(ax, part["gain"], y, style)
    ax.axvline(0, color=QUIET, linewidth=0.9)
    for between in range(1, len(settings)):
        ax.axhline(0.5 - between, color="#E6E6E6", linewidth=0.8)
    ax.set_yticks([-at for at in range(len(settings))], settings)
    ax.set_ylim(0.5 - max(len(settings), 1), 0.5)
    ax.spines["left"].set_visible(False)
    ax.grid(True, axis="x")
    ax.grid(False, axis="y")
    if len(methods) > 1:
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=min(len(methods), 4))
    return _points_axis(ax, axis_label, "x")


def gains_over(
    ax: Axes, rows: pd.DataFrame, x: str, x_label: str, logarithmic: bool = False
) -> Axes:
    """Draw gains over a number, one line per method, with intervals; names beside the lines.

    Args:
        ax: Where to draw.
        rows: ``method``, ``gain`` (:class:`Interval`, fractions) and the column ``x``.
        x: Which column is the horizontal axis.
        x_label: Its name, with its unit.
        logarithmic: Show doublings of x as equal steps.

    Returns:
        The same ``ax``.
    """
    for method, style in styles_of(rows["method"]).items():
        part = rows[rows["method"] == method].sort_values(x)
        at = part[x].to_numpy(float)
        value, low, high = _numbers(part["gain"])
        ax.plot(at, value, label=style.label, zorder=2.5, **style.line())
        ax.fill_between(at, low, high, color=style.colour, alpha=0.13, linewidth=0)
        ax.vlines(at, low, high, color=style.colour, linewidth=1.0, alpha=0.7)
    ax.axhline(0, color=QUIET, linewidth=0.9)
    if logarithmic:
        ax.set_xscale("log")
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.minorticks_off()
    ticks = sorted(set(rows[x]))
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.set_xlabel(x_label)
    return label_lines(_points_axis(ax, "gain over dense"), "right")


def gain_map(ax: Axes, gains: pd.DataFrame, limit: float, column_label: str = "") -> Axes:
    """Draw a table of gains as coloured tiles with their numbers; what is not there stays empty.

    A number in bold has an interval without 0.

    Args:
        ax: Where to draw.
        gains: :class:`Interval` (fractions) or None; a row and a column per condition.
        limit: The gain of the deepest colour; larger ones have it as well.
        column_label: Names the horizontal axis.

    Returns:
        The same ``ax``.
    """
    found = gains.map(lambda gain: gain is not None and not pd.isna(getattr(gain, "value", np.nan)))
    values = gains.where(found).map(lambda g: getattr(g, "value", np.nan)).to_numpy(float)
    norm = TwoSlopeNorm(0, -limit, limit)
    edges = (np.arange(n + 1) - 0.5 for n in reversed(values.shape))
    clipped = np.clip(values, -limit, limit)
    mesh = ax.pcolormesh(*edges, clipped, cmap=_MAP_COLOURS, norm=norm, edgecolors="white",
                         linewidth=2.5)  # fmt: skip
    ax.invert_yaxis()
    for row, column in zip(*np.nonzero(found.to_numpy()), strict=True):
        colour = text_on(mesh.cmap(norm(clipped[row, column])))
        _tile(ax, gains.iat[row, column], row, column, colour)
    ax.set_xticks(range(gains.shape[1]), [str(name) for name in gains.columns])
    ax.set_yticks(range(gains.shape[0]), [str(name) for name in gains.index])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.grid(False)
    ax.set_xlabel(column_label)
    return ax


def mean_ranks(ax: Axes, by_setting: pd.DataFrame, means: Mapping[str, Interval]) -> Axes:
    """Draw each method's mean rank with its interval over the ranks it has in each setting.

    Args:
        ax: Where to draw.
        by_setting: A row per setting, a column per method; 1 is the best.
        means: By method, in any order: drawn best first.

    Returns:
        The same ``ax``.
    """
    order = sorted(means, key=lambda method: means[method].value)
    for y, (method, style) in enumerate(styles_of(order).items()):
        ranks, counts = np.unique(by_setting[method], return_counts=True)
        ax.scatter(ranks, np.full(len(ranks), y), s=20 + 25 * counts, color=style.colour,
                   alpha=0.25, linewidth=0)  # fmt: skip
        _dots(ax, [means[method]], np.array([y]), style)
    ax.set_yticks(range(len(order)), [style.label for style in styles_of(order).values()])
    ax.set_ylim(len(order) - 0.4, -0.6)
    ax.set_xlim(0.6, len(order) + 0.4)
    ax.set_xticks(range(1, len(order) + 1))
    ax.spines["left"].set_visible(False)
    ax.grid(True, axis="x")
    ax.grid(False, axis="y")
    ax.set_xlabel("rank by video accuracy (1: best)")
    return ax


def predicted_and_measured(
    ax: Axes, groups: Mapping[str, tuple[ArrayLike, Sequence[Interval]]]
) -> Axes:
    """Draw measured gains with intervals over predicted ones; the diagonal is a perfect rule.

    Args:
        ax: Where to draw.
        groups: By name: predictions ``[n]`` and measurements, ``n`` intervals; fractions.

    Returns:
        The same ``ax``.
    """
    looks = zip(("#737373", "#D55E00", "#0072B2", "#009E73"), "odsP", strict=True)
    for (name, (predicted, measured)), (colour, marker) in zip(groups.items(), looks, strict=False):
        value, low, high = _numbers(measured)
        at = np.asarray(predicted, float)
        ax.vlines(at, low, high, color=colour, linewidth=1.0, alpha=0.7)
        ax.plot(at, value, linestyle="none", marker=marker, color=colour, markersize=6.5,
                markeredgecolor="white", markeredgewidth=0.6, label=name)  # fmt: skip
    ends = [*ax.get_xlim(), *ax.get_ylim()]
    ax.axline((0, 0), slope=1, color=QUIET, linewidth=1, linestyle=(0, (4, 3)))
    ax.axhline(0, color=QUIET, linewidth=0.7)
    ax.axvline(0, color=QUIET, linewidth=0.7)
    ax.set(xlim=(min(ends), max(ends)), ylim=(min(ends), max(ends)), aspect="equal")
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(groups))
    _points_axis(ax, "predicted gain over dense", "x")
    return _points_axis(ax, "measured gain over dense")


def _tile(ax: Axes, gain: Interval, row: int, column: int, colour: str) -> None:
    weight = "bold" if gain.excludes() else "normal"
    (value, *_), (_, low, high) = gain.texts("+.1%"), gain.texts(".1%")
    ax.text(column, row - 0.1, value, ha="center", va="center", fontsize=10, color=colour,
            fontweight=weight)  # fmt: skip
    ax.text(column, row + 0.24, f"[{low}, {high}]", ha="center", va="center", fontsize=7.2,
            color=colour)  # fmt: skip


def _dots(ax: Axes, gains: Sequence[Interval], y: ArrayLike, style: MethodStyle) -> None:
    value, low, high = _numbers(gains)
    ax.hlines(y, low, high, color=style.colour, linewidth=1.6)
    look = style.line() | {"linestyle": "none"}
    if not style.marker:  # a bar across the line
        look |= {"marker": "|", "markersize": 10, "markeredgecolor": style.colour,
                 "markeredgewidth": 2.2}  # fmt: skip
    ax.plot(value, y, label=style.label, zorder=3, **look)


def _offsets(n: int) -> ArrayLike:
    """Where the n methods of a setting stand around its middle, first on top."""
    return (np.arange(n) - (n - 1) / 2) * _SPREAD / max(n, 1)


def _numbers(gains: Sequence[Interval]) -> tuple[ArrayLike, ArrayLike, ArrayLike]:
    gains = list(gains)
    return tuple(np.array([getattr(g, part) for g in gains]) for part in ("value", "low", "high"))


def _points_axis(ax: Axes, label: str, axis: str = "y") -> Axes:
    which = ax.yaxis if axis == "y" else ax.xaxis
    which.set_major_formatter(FuncFormatter(lambda gain, _: f"{100 * gain:+.6g}" if gain else "0"))
    which.set_label_text(f"{label} (points)")
    return ax
