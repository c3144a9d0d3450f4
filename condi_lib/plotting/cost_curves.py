"""Accuracy over what it costs: families of settings, and the front that no other setting beats.

Each function takes ``ax`` and returns the same ``ax``; it draws the numbers it is given.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke

from condi_lib.plotting.curves import ON_TOP, percent_axis
from condi_lib.plotting.line_labels import label_lines
from condi_lib.plotting.style import METHODS, QUIET, MethodStyle, styles_of

FRONT = "#D9D9D9"
HALO = (withStroke(linewidth=2, foreground="white"),)  # numbers can be read on lines


def accuracy_over_cost(
    ax: Axes,
    rows: pd.DataFrame,
    cost_label: str,
    styles: Mapping[str, MethodStyle] | None = None,
    interval_of: Sequence[str] | None = None,
    legend: str = "lower right",
) -> Axes:
    """Draw the video accuracy of settings over their cost, a line per family.

    Args:
        ax: Where to draw.
        rows: One per setting: ``family, setting, cost, video_accuracy, low, high`` (fractions) and
            ``on_front``. Families are drawn in the order in which they appear, their settings
            joined in the order given; ``setting`` is written at its point, empty: nothing: above
            its interval where that is shown, else below, and beside points that are not joined.
        cost_label: What ``cost`` is, with its unit.
        styles: Looks of families that are no methods of the study.
        interval_of: Whose intervals are shown; None: every family's.
        legend: Where the families are named; they lie too close together for names at their ends.

    Returns:
        The same ``ax``.

    Raises:
        ValueError: If no setting is on the front: something beats every one of them.
    """
    if not rows["on_front"].any():
        raise ValueError("no setting is on the front; see condi_lib.evaluation.pareto_front")
    _front(ax, rows[rows["on_front"]])
    families = list(dict.fromkeys(rows["family"]))
    looks = styles_of(families) | dict(styles or {})
    for family in families:
        members = rows[rows["family"] == family]
        with_intervals = interval_of is None or family in interval_of
        if with_intervals:
            _intervals(ax, members, looks[family])
        _family(ax, members, looks[family], with_intervals)
    ax.set_xlabel(cost_label)
    percent_axis(ax, "video accuracy")
    ax.legend(loc=legend)
    return ax


def marked_dense() -> dict[str, MethodStyle]:
    """Dense as a point: over its cost it is no level line."""
    return {"dense": replace(METHODS["dense"], marker="8")}


def _front(ax: Axes, rows: pd.DataFrame) -> None:
    """A wide step behind the points: what can be had for at most so much."""
    best = rows.sort_values(["cost", "video_accuracy"])
    ax.step(
        best["cost"], best["video_accuracy"], where="post", color=FRONT, linewidth=7,
        solid_joinstyle="round", label="beaten by none (front)", zorder=1.2,
    )  # fmt: skip


def _intervals(ax: Axes, rows: pd.DataFrame, style: MethodStyle) -> None:
    ax.vlines(
        rows["cost"], rows["low"], rows["high"], color=style.colour, linewidth=0.9, alpha=0.35,
        zorder=ON_TOP - 1,
    )  # fmt: skip


def _family(ax: Axes, rows: pd.DataFrame, style: MethodStyle, with_intervals: bool) -> None:
    cost, accuracy = rows["cost"], rows["video_accuracy"]
    ax.plot(cost, accuracy, label=style.label, zorder=ON_TOP, **style.line())
    where, at = {"xytext": (0, -6), "ha": "center", "va": "top"}, accuracy
    if not style.linestyle:  # points that are not joined have room beside them
        where = {"xytext": (5, 0), "ha": "left", "va": "center"}
    elif with_intervals:  # elsewhere the bar, or the curve, would run through the number
        where, at = {"xytext": (0, 2), "ha": "center", "va": "bottom"}, rows["high"]
    for x, y, setting in zip(cost, at, rows["setting"], strict=True):
        if setting:
            ax.annotate(setting, (x, y), textcoords="offset points", fontsize=7, color=QUIET,
                        zorder=ON_TOP + 1, path_effects=HALO, **where)  # fmt: skip


def time_over_k(
    ax: Axes,
    rows: pd.DataFrame,
    styles: Mapping[str, MethodStyle],
    lines: Mapping[str, float],
    unit: str = "s",
) -> Axes:
    """Draw the measured time of a video over the clips that the teacher sees, beside its limit.

    Args:
        ax: Where to draw.
        rows: One per setting: ``family, teacher_clips, time, low, high``, and ``limit``, the time
            that multiply-accumulates alone would allow (of the first family in the table).
        styles: Looks of the families, in the order of the legend.
        lines: Times of what does not depend on K, by name.
        unit: Of all times: ``"s"`` or ``"ms"``.

    Returns:
        The same ``ax``.
    """
    for family, look in styles.items():
        members = rows[rows["family"] == family].sort_values("teacher_clips")
        below, above = members["time"] - members["low"], members["high"] - members["time"]
        ax.errorbar(
            members["teacher_clips"], members["time"], [below, above], capsize=2, elinewidth=0.9,
            label=look.label, zorder=ON_TOP, **look.line(),
        )  # fmt: skip
    limits = rows.drop_duplicates("teacher_clips").sort_values("teacher_clips")
    ax.plot(
        limits["teacher_clips"], limits["limit"], color=QUIET, linestyle=(0, (1, 1.5)),
        label="what multiply-accumulates alone allow",
    )  # fmt: skip
    digits = ".2f" if unit == "s" else ".0f"
    for name, value in lines.items():
        ax.axhline(value, color=QUIET, linewidth=1)
        ax.annotate(
            f"{name}: {value:{digits}} {unit}", (0, value), xycoords=("axes fraction", "data"),
            xytext=(3, 3), textcoords="offset points", ha="left", va="bottom", color=QUIET,
            fontsize="small",
        )  # fmt: skip
    highest = max([*lines.values(), rows["high"].max()])
    room = 1.35 * highest  # above everything, for the legend
    words = {"s": "seconds", "ms": "milliseconds"}[unit]
    ax.set(xlabel="clips seen by the teacher", ylabel=f"{words} per video", ylim=(0, room))
    ax.legend(loc="upper left", ncols=2)
    return ax


# What a saving is counted in: its name for readers, colour, marker and line.
_SAVED = {
    "macs": ("multiply-accumulates", "#0072B2", "", (0, (1, 1.5))),
    "ms": ("time by the clock", "#D55E00", "o", "-"),
    "cpu_ms": ("processor time", "#7F5F2A", "s", "-"),
}


def savings_over_k(ax: Axes, rows: pd.DataFrame, published: pd.DataFrame | None = None) -> Axes:
    """Draw the share of dense's cost that K clips save; below 0 they cost more than dense.

    Args:
        ax: Where to draw.
        rows: ``cost`` (``"ms"``, ``"cpu_ms"`` or ``"macs"``), ``k_clips, saved, low, high``;
            fractions, NaN where there is no interval.
        published: ``name, k_clips, saved``: the paper's, drawn thin with hollow markers.

    Returns:
        The same ``ax``.
    """
    for cost, (label, colour, marker, line) in _SAVED.items():
        part = rows[rows["cost"] == cost].sort_values("k_clips")
        if len(part):
            ax.plot(part["k_clips"], part["saved"], label=label, color=colour, marker=marker,
                    linestyle=line, zorder=ON_TOP)  # fmt: skip
            ax.fill_between(part["k_clips"], part["low"], part["high"], color=colour, alpha=0.14,
                            linewidth=0)  # fmt: skip
    if published is not None:
        for (name, part), marker in zip(published.groupby("name", sort=False), "^D", strict=False):
            ax.plot(part["k_clips"], part["saved"], label=name, color=QUIET, linewidth=1.0,
                    linestyle=(0, (2, 1.2)), marker=marker, markerfacecolor="white")  # fmt: skip
    ax.axhline(0, color=QUIET, linewidth=1)
    ax.set_xlabel("clips given to the teacher, K")
    percent_axis(ax, "saved against dense")
    return label_lines(ax, "right")


def curves_over_clips(
    ax: Axes, rows: pd.DataFrame, value_label: str, styles: Mapping[str, MethodStyle]
) -> Axes:
    """Draw numbers over the length of a video, a line per name.

    Args:
        ax: Where to draw.
        rows: ``name, n_clips, value, low, high``.
        value_label: Names the vertical axis, with its unit.
        styles: Look of each name; lines are drawn in this order.

    Returns:
        The same ``ax``.
    """
    for name, look in styles.items():
        curve = rows[rows["name"] == name].sort_values("n_clips")
        ax.plot(curve["n_clips"], curve["value"], label=look.label, **look.line())
        ax.vlines(curve["n_clips"], curve["low"], curve["high"], color=look.colour, alpha=0.6)
    ax.set(xlabel="clips of the video, N", ylabel=value_label)
    ax.set_xticks(sorted(set(rows["n_clips"])))
    ax.set_ylim(bottom=0)
    return label_lines(ax, "right")
