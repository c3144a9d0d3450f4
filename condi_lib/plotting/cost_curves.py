"""Accuracy over what it costs: families of settings, and the front that no other setting beats.

Each function takes ``ax`` and returns the same ``ax``; it draws the numbers it is given.
"""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes

from condi_lib.plotting.curves import ON_TOP, percent_axis
from condi_lib.plotting.style import QUIET, MethodStyle, styles_of

FRONT = "#D9D9D9"


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
            joined in the order given; ``setting`` is written beside its point, empty: nothing.
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
        if interval_of is None or family in interval_of:
            _intervals(ax, members, looks[family])
        _family(ax, members, looks[family])
    ax.set_xlabel(cost_label)
    percent_axis(ax, "video accuracy")
    ax.legend(loc=legend)
    return ax


def _front(ax: Axes, rows: pd.DataFrame) -> None:
    """A wide step behind the points: what can be had for at most so much."""
    best = rows.sort_values(["cost", "video_accuracy"])
    ax.step(
        best["cost"], best["video_accuracy"], where="post", color=FRONT, linewidth=7,
        solid_joinstyle="round", label="_front", zorder=1.2,
    )  # fmt: skip


def _intervals(ax: Axes, rows: pd.DataFrame, style: MethodStyle) -> None:
    ax.vlines(
        rows["cost"], rows["low"], rows["high"], color=style.colour, linewidth=0.9, alpha=0.35,
        zorder=ON_TOP - 1,
    )  # fmt: skip


def _family(ax: Axes, rows: pd.DataFrame, style: MethodStyle) -> None:
    cost, accuracy = rows["cost"], rows["video_accuracy"]
    ax.plot(cost, accuracy, label=style.label, zorder=ON_TOP, **style.line())
    beside = {"xytext": (5, 0), "ha": "left", "va": "center"}
    below = {"xytext": (0, -6), "ha": "center", "va": "top"}
    where = below if style.linestyle else beside  # points that are not joined have room there
    for x, y, setting in zip(cost, accuracy, rows["setting"], strict=True):
        if setting:
            ax.annotate(setting, (x, y), textcoords="offset points", fontsize=7, color=QUIET,
                        zorder=ON_TOP + 1, **where)  # fmt: skip


def time_over_k(
    ax: Axes, rows: pd.DataFrame, styles: Mapping[str, MethodStyle], lines: Mapping[str, float]
) -> Axes:
    """Draw the measured time of a video over the clips that the teacher sees, beside its limit.

    Args:
        ax: Where to draw.
        rows: One per setting: ``family, teacher_clips, sec, low, high`` (seconds per video), and
            ``limit``, the seconds that multiply-accumulates alone would allow.
        styles: Looks of the families, in the order of the legend.
        lines: Seconds of what does not depend on K, by name.

    Returns:
        The same ``ax``.
    """
    for family, look in styles.items():
        members = rows[rows["family"] == family].sort_values("teacher_clips")
        below, above = members["sec"] - members["low"], members["high"] - members["sec"]
        ax.errorbar(
            members["teacher_clips"], members["sec"], [below, above], capsize=2, elinewidth=0.9,
            label=look.label, zorder=ON_TOP, **look.line(),
        )  # fmt: skip
    limits = rows.drop_duplicates("teacher_clips").sort_values("teacher_clips")
    ax.plot(
        limits["teacher_clips"], limits["limit"], color=QUIET, linestyle=(0, (1, 1.5)),
        label="what multiply-accumulates alone allow",
    )  # fmt: skip
    for name, sec in lines.items():
        ax.axhline(sec, color=QUIET, linewidth=1)
        ax.annotate(
            f"{name}: {sec:.2f} s", (1, sec), xycoords=("axes fraction", "data"), xytext=(-3, 3),
            textcoords="offset points", ha="right", va="bottom", color=QUIET, fontsize="small",
        )  # fmt: skip
    highest = max([*lines.values(), rows["high"].max()])
    room = 1.35 * highest  # above everything, for the legend
    ax.set(xlabel="clips seen by the teacher", ylabel="seconds per video", ylim=(0, room))
    ax.legend(loc="upper left", ncols=2)
    return ax
