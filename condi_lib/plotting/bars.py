"""Estimates with intervals, distributions and shares; ``ax`` in, the same ``ax`` out."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from condi_lib.plotting.curves import percent_axis
from condi_lib.plotting.style import (
    INK,
    OUTCOME_COLOURS,
    OUTCOME_LINES,
    QUIET,
    TRUTH_COLOURS,
    TRUTH_LINES,
    styles_of,
)
from condi_lib.statistics import Interval

HEADROOM = 1.15  # of the height, for a legend above what is drawn
# From good to bad: each darker than the last, so that grey tells them apart too; then its text.
_OUTCOMES = (("#D3E5F2", INK), ("#F2B77F", INK), ("#B5430A", "white"), ("#3D1A4F", "white"))


def bars_with_intervals(
    ax: Axes,
    intervals: Mapping[str, Interval],
    axis_label: str,
    percent: bool = True,
    origin: float = 0.0,
    names: bool = True,
) -> Axes:
    """Draw one horizontal bar per method with its interval and its number.

    Args:
        ax: Where to draw.
        intervals: By method, first on top.
        axis_label: What is measured; the unit is added where ``percent``.
        percent: Whether the numbers are fractions, shown in %.
        origin: Where bars begin: 0, or the value of no skill, as .5 for AUROC.
        names: Write the methods' names at the axis.

    Returns:
        The same ``ax``.
    """
    rows = list(reversed(styles_of(intervals).items()))  # the y axis points up
    digits = ".1%" if percent else ".3f"
    for y, (name, style) in enumerate(rows):
        at = intervals[name]
        ax.barh(y, at.value - origin, left=origin, height=0.62, color=style.colour, alpha=0.85,
                label=style.label)  # fmt: skip
        ax.hlines(y, at.low, at.high, color=INK, linewidth=1.4)
        ax.plot([at.low, at.high], [y, y], linestyle="none", marker="|", color=INK, markersize=6)
        ax.annotate(at.texts(digits)[0], (max(at.high, origin), y), xytext=(5, 0),
                    textcoords="offset points", va="center", fontsize=8.5, color=INK)  # fmt: skip
    ax.set_yticks(range(len(rows)), [style.label if names else "" for _, style in rows])
    ax.set_ylim(-0.6, len(rows) - 0.4)
    ax.spines["left"].set_visible(False)
    ax.axvline(origin, color=QUIET, linewidth=0.9)
    ax.grid(True, axis="x")
    ax.grid(False, axis="y")
    ax.margins(x=0.15)
    if percent:
        return percent_axis(ax, axis_label, "x")
    ax.set_xlabel(axis_label)
    return ax


def bar_panels(
    axes: Sequence[Axes],
    metrics: Mapping[str, Mapping[str, Interval]],
    percent: bool = True,
    origins: Mapping[str, float] | None = None,
) -> Sequence[Axes]:
    """Draw method × metric: one panel of bars per metric, the names at the first panel only.

    Args:
        axes: As many as metrics.
        metrics: By metric, by method; the same methods in each.
        percent: Whether all numbers are fractions, shown in %.
        origins: Where a metric's bars begin, if not at 0.

    Returns:
        The same ``axes``.
    """
    for at, (metric, intervals) in enumerate(metrics.items()):
        origin = (origins or {}).get(metric, 0.0)
        bars_with_intervals(axes[at], intervals, metric, percent, origin, names=at == 0)
    return axes


def histogram_by_truth(
    ax: Axes, values: ArrayLike, truth: ArrayLike, value_label: str, bins: int | ArrayLike = 25
) -> Axes:
    """Draw how a score is distributed over the clips of each truth.

    Each truth's bars sum to 100 %, however rare it is. Lines differ as well as colours.

    Args:
        ax: Where to draw.
        values: One per clip, ``[n]``.
        truth: ``key``, ``confuser`` or ``generic``, or, where that is not known, ``right`` or
            ``wrong`` (the teacher), ``[n]``.
        value_label: Names the horizontal axis, with its unit.
        bins: Their number or edges, common to all truths.

    Returns:
        The same ``ax``.
    """
    values, truth = np.asarray(values, float), np.asarray(truth)
    edges = np.histogram_bin_edges(values, bins)
    lines = TRUTH_LINES | OUTCOME_LINES
    for kind, colour in (TRUTH_COLOURS | OUTCOME_COLOURS).items():
        chosen = values[truth == kind]
        if not chosen.size:
            continue
        weights = np.full(chosen.size, 1 / chosen.size)
        common = {"bins": edges, "weights": weights, "histtype": "stepfilled"}
        ax.hist(chosen, facecolor=(colour, 0.16), edgecolor=colour, linewidth=1.8,
                linestyle=lines[kind], label=f"{kind} clips", **common)  # fmt: skip
    ax.set_xlim(edges[0], edges[-1])
    ax.set_ylim(0, ax.dataLim.ymax * HEADROOM)
    ax.set_xlabel(value_label)
    _legend_on_top(ax, len(TRUTH_COLOURS))
    return percent_axis(ax, "share of clips of that kind")


def stacked_shares(ax: Axes, shares: pd.DataFrame, axis_label: str) -> Axes:
    """Draw each row of a table of shares as one horizontal bar in parts.

    Args:
        ax: Where to draw.
        shares: One bar per row (index: its name), one part per column; fractions.
        axis_label: Names the horizontal axis; the unit is added.

    Returns:
        The same ``ax``.
    """
    y = np.arange(len(shares))[::-1]
    left = np.zeros(len(shares))
    for column, (colour, ink) in zip(shares, _OUTCOMES, strict=False):
        width = shares[column].to_numpy(float)
        ax.barh(y, width, left=left, height=0.66, color=colour, edgecolor="white", linewidth=0.8,
                label=str(column))  # fmt: skip
        for at, value, start in zip(y, width, left, strict=True):
            if value >= 0.045:
                ax.text(start + value / 2, at, f"{100 * value:.0f}", ha="center", va="center",
                        fontsize=8.5, color=ink)  # fmt: skip
        left = left + width
    ax.set_yticks(y, [str(name) for name in shares.index])
    ax.set_ylim(-0.6, (len(shares) - 0.4) * HEADROOM)
    ax.set_xlim(0, max(1.0, float(left.max())))
    ax.spines["left"].set_visible(False)
    ax.grid(False)
    _legend_on_top(ax, len(shares.columns))
    return percent_axis(ax, axis_label, "x")


def _legend_on_top(ax: Axes, n_columns: int) -> None:
    """One row inside the axes, over the room that ``HEADROOM`` leaves."""
    ax.legend(loc="upper left", ncols=n_columns, handlelength=1.6, columnspacing=1.4,
              borderaxespad=0.4, borderpad=0)  # fmt: skip
