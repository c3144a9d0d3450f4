"""Estimates with intervals as dots, in panels beside each other: students down, regimes across."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes

from condi_lib.plotting.curves import percent_axis
from condi_lib.plotting.style import INK, QUIET, MethodStyle, styles_of
from condi_lib.statistics import Interval

ROW_INCHES = 0.3
_NOTHING_BEHIND = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}


def dots_size(n_rows: int, n_panels: int) -> tuple[float, float]:
    """Width and height in inches of a figure for :func:`dot_panels`."""
    return 2.1 + 3.5 * n_panels, 1.25 + ROW_INCHES * n_rows


def dot_panels(
    axes: Sequence[Axes],
    panels: Mapping[str, Mapping[str, Interval]],
    axis_label: str,
    percent: bool = True,
    origin: float = 0.0,
) -> Sequence[Axes]:
    """Draw one row per method and one panel per regime: a dot, its interval and its number.

    A dot is filled where the interval excludes ``origin``, and hollow where it does not.

    Args:
        axes: One per panel.
        panels: By title, by method; the first method on top. A method that a panel lacks has an
            empty row there.
        axis_label: What is measured; the unit is added where ``percent``.
        percent: Whether the numbers are fractions, shown in %.
        origin: What nothing gained is: 0, or the value of no skill, as .5 for AUROC.

    Returns:
        The same ``axes``.
    """
    methods = list(dict.fromkeys(name for intervals in panels.values() for name in intervals))
    rows = dict(reversed(styles_of(methods).items()))  # the y axis points up
    for at, (title, intervals) in enumerate(panels.items()):
        ax = axes[at]
        _dots(ax, rows, intervals, percent, origin)
        ax.set_yticks(range(len(rows)), [s.label if at == 0 else "" for s in rows.values()])
        ax.set_ylim(-0.6, len(rows) - 0.4)
        ax.set_title(title)
        _quiet(ax, origin)
        if percent:
            percent_axis(ax, axis_label, "x")
        else:
            ax.set_xlabel(axis_label)
    return axes


def _dots(
    ax: Axes,
    rows: Mapping[str, MethodStyle],
    intervals: Mapping[str, Interval],
    percent: bool,
    origin: float,
) -> None:
    for y, (name, style) in enumerate(rows.items()):
        if name not in intervals:
            continue
        at = intervals[name]
        ax.hlines(y, at.low, at.high, color=style.colour, linewidth=2.4, alpha=0.55)
        face = style.colour if at.excludes(origin) else "white"
        ax.plot(at.value, y, label=style.label, marker=style.marker or "o", markersize=6.5,
                linestyle="none", markerfacecolor=face, markeredgecolor=style.colour,
                markeredgewidth=1.4, zorder=3)  # fmt: skip
        text = at.texts(".1%" if percent else ".3f")[0]
        ax.annotate(text, (1, y), xycoords=("axes fraction", "data"), xytext=(-2, 0),
                    textcoords="offset points", ha="right", va="center", fontsize=8.5,
                    color=INK, bbox=_NOTHING_BEHIND)  # fmt: skip


def _quiet(ax: Axes, origin: float) -> None:
    """A line at the origin, light rows, and room on the right for the numbers."""
    ax.axvline(origin, color=QUIET, linewidth=0.9, zorder=1)
    ax.spines["left"].set_visible(False)
    ax.grid(True, axis="both")
    ax.margins(x=0.08)
    low, high = ax.get_xlim()
    ax.set_xticks([tick for tick in ax.get_xticks() if low <= tick <= high])
    ax.set_xlim(low, high + 0.2 * (high - low))
