"""Curves over the number of clips, over epochs and over coverage.

Each function takes ``ax`` and returns the same ``ax``; it draws the numbers it is given and
computes none. Accuracies are fractions; the axes show them in %.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import ArrayLike

from condi_lib.plotting.line_labels import label_lines
from condi_lib.plotting.style import INK, QUIET, MethodStyle, styles_of

MOST_K_TICKS = 15
ON_TOP = 3.0  # zorder of what a figure is about

# Parts of the losses and shares among a history's columns: name for readers, and colour.
_PARTS = {
    "loss": ("total", INK),
    "distillation": ("distillation", "#0072B2"),
    "confidence": ("confidence", "#D55E00"),
    "classification": ("classification", "#009E73"),
    "confidence_weight": ("λ of the confidence", QUIET),
}
_SHARES = {
    "val_clip_accuracy": ("clip accuracy of the class head", "#0072B2"),
    "val_auroc": ("AUROC of z̃", "#D55E00"),
    "val_false_positive_rate": ("false-positive rate of z̃", "#882255"),
    "val_confidence_mean": ("mean z̃ ± 1 std", "#E69F00"),
}


def percent_axis(ax: Axes, label: str, axis: str = "y") -> Axes:
    """Show the fractions of an axis in %, without a sign at each tick; the label names the unit."""
    which = ax.yaxis if axis == "y" else ax.xaxis
    which.set_major_formatter(FuncFormatter(lambda fraction, _: f"{100 * fraction:.6g}"))
    which.set_label_text(f"{label} (%)")
    return ax


def accuracy_over_k(
    ax: Axes,
    rows: pd.DataFrame,
    methods: Sequence[str] = (),
    interval_of: Sequence[str] | None = None,
    intervals: str = "band",
    chosen_k: Mapping[str, int] | None = None,
) -> Axes:
    """Draw the video accuracy of methods over the number of clips, as thesis figures 4.4 to 4.6.

    Dense, which keeps all clips, is a level line. Names stand beside the curves' ends.

    Args:
        ax: Where to draw.
        rows: ``sampler, k_clips, video_accuracy, low, high`` (fractions), as
            ``evaluation.accuracy_rows`` and ``Sweep.rows`` give them.
        methods: Which samplers, drawn in this order; empty: all in ``rows``.
        interval_of: Whose intervals are shown; None: every method's.
        intervals: ``"band"`` or ``"bar"``.
        chosen_k: A K to ring for each of some methods, say the best one on validation videos.

    Returns:
        The same ``ax``.

    Raises:
        ValueError: If a method is not in ``rows`` or ``intervals`` is neither of the two.
    """
    names = list(methods) or list(dict.fromkeys(rows["sampler"]))
    if missing := [name for name in names if name not in set(rows["sampler"])]:
        raise ValueError(f"no rows of {missing}; there are {sorted(set(rows['sampler']))}")
    for name, style in styles_of(names).items():
        curve = rows[rows["sampler"] == name].sort_values("k_clips")
        shown = intervals if interval_of is None or name in interval_of else ""
        _accuracy_curve(ax, curve, style, shown, name)
        if chosen_k and name in chosen_k:
            _ring(ax, curve[curve["k_clips"] == chosen_k[name]], style)
    _k_axis(ax)
    return label_lines(ax)


def _accuracy_curve(
    ax: Axes, curve: pd.DataFrame, style: MethodStyle, intervals: str, name: str
) -> None:
    k, accuracy = curve["k_clips"], curve["video_accuracy"]
    main = name == "condi_sr"
    zorder = ON_TOP if main else 2.0 if name != "dense" else 1.8
    ax.plot(
        k, accuracy, label=style.label, zorder=zorder, linewidth=2.4 if main else 1.5,
        **style.line(),
    )  # fmt: skip
    if intervals == "band":
        ax.fill_between(
            k, curve["low"], curve["high"], color=style.colour, alpha=0.14, linewidth=0,
            zorder=zorder - 0.5,
        )  # fmt: skip
    elif intervals == "bar":
        ax.vlines(
            k, curve["low"], curve["high"], color=style.colour, linewidth=1.0, alpha=0.7,
            zorder=zorder - 0.1,
        )  # fmt: skip
    elif intervals:
        raise ValueError(f"intervals must be 'band' or 'bar', got {intervals!r}")


def _ring(ax: Axes, row: pd.DataFrame, style: MethodStyle) -> None:
    ax.plot(
        row["k_clips"], row["video_accuracy"], label="_chosen K", linestyle="none", marker="o",
        markersize=13, markerfacecolor="none", markeredgecolor=style.colour, markeredgewidth=1.4,
        zorder=ON_TOP + 0.1,
    )  # fmt: skip


def _k_axis(ax: Axes) -> None:
    """Ticks at the K that are drawn, or at round ones among them; names for both axes."""
    drawn = sorted({float(k) for line in ax.get_lines() for k in line.get_xdata()})
    first, last = drawn[0], drawn[-1]
    margin = 0.03 * max(last - first, 1)
    ax.set_xlim(first - margin, last + margin)
    if len(drawn) > MOST_K_TICKS:
        round_ones = MaxNLocator(MOST_K_TICKS - 1, integer=True).tick_values(first, last)
        drawn = [first, *[k for k in round_ones if first < k <= last]]
    ax.set_xticks(drawn)
    ax.set_xlabel("clips given to the teacher, K")
    percent_axis(ax, "video accuracy")


def published_curve(
    ax: Axes,
    k: ArrayLike,
    accuracy: ArrayLike,
    label: str,
    method: str = "condi_sr",
) -> Axes:
    """Draw published accuracies beside ours: the method's colour, hollow markers, a thin line.

    Args:
        ax: Where to draw.
        k: Numbers of clips, ``[n]``.
        accuracy: Video accuracies as fractions, ``[n]``; NaN where none was published.
        label: Says whose numbers, with the table: they differ between thesis and paper.
        method: Whose colour and marker.

    Returns:
        The same ``ax``.

    Raises:
        ValueError: If an accuracy is above 1, that is in %.
    """
    values = np.asarray(accuracy, float)
    if np.nanmax(values) > 1:
        raise ValueError(f"accuracies must be fractions, got {np.nanmax(values):g}: divide by 100")
    style = styles_of([method])[method]
    known = np.isfinite(values)
    ax.plot(
        np.asarray(k)[known], values[known], label=label, color=style.colour, alpha=0.9,
        linestyle=(0, (2, 1.2)), linewidth=1.0, marker=style.marker or "o", markersize=5.5,
        markerfacecolor="white", markeredgecolor=style.colour, zorder=1.9,
    )  # fmt: skip
    _k_axis(ax)
    return label_lines(ax)


def published_dense(ax: Axes, accuracy: float) -> Axes:
    """Draw a published accuracy of all clips as a level line over the K of the curves there."""
    drawn = [k for line in ax.get_lines() for k in line.get_xdata()]
    style = styles_of(["dense"])["dense"]
    ax.plot([min(drawn), max(drawn)], [accuracy] * 2, label=style.label, linewidth=1.5, zorder=1.8,
            **style.line())  # fmt: skip
    return label_lines(ax)


def training_curves(axes: Sequence[Axes], history: pd.DataFrame) -> Sequence[Axes]:
    """Draw a training history on three axes: loss parts, shares, learning rates.

    Args:
        axes: Three axes.
        history: ``epoch``, ``train_*``, ``val_*``, ``lr``, ``confidence_lr``; what is absent or
            NaN throughout is left out.

    Returns:
        The same ``axes``.
    """
    loss_curves(axes[0], history)
    share_curves(axes[1], history)
    rate_curves(axes[2], history)
    return axes


def loss_curves(ax: Axes, history: pd.DataFrame) -> Axes:
    """Draw the parts of the loss over epochs: solid in training, dotted on validation clips."""
    parts = {part: style for part, style in _PARTS.items() if _has(history, f"train_{part}")}
    if len(parts) == 2:
        parts.pop("loss", None)  # it equals its only part
    for part, (label, colour) in parts.items():
        ax.plot(history["epoch"], history[f"train_{part}"], color=colour, label=label)
        if _has(history, f"val_{part}"):
            ax.plot(
                history["epoch"], history[f"val_{part}"], color=colour, label=f"_val {part}",
                linestyle=(0, (1, 1.3)), marker="o", markersize=3.5, markerfacecolor="white",
            )  # fmt: skip
    ax.set_title("loss: line training, dots validation")
    ax.set_ylabel("loss per clip (nats)")
    ax.set_ylim(bottom=0)
    return label_lines(_epoch_axis(ax), "right")


def share_curves(ax: Axes, history: pd.DataFrame) -> Axes:
    """Draw what was measured on validation clips over epochs, all of it shares from 0 to 1."""
    for column, (label, colour) in _SHARES.items():
        if _has(history, column):
            ax.plot(history["epoch"], history[column], color=colour, label=label, marker="o",
                    markersize=3.5)  # fmt: skip
    if _has(history, "val_confidence_std"):
        mean, std = history["val_confidence_mean"], history["val_confidence_std"]
        low, high = (mean - std).clip(lower=0), (mean + std).clip(upper=1)
        ax.fill_between(history["epoch"], low, high, color=_SHARES["val_confidence_mean"][1],
                        alpha=0.16, linewidth=0)  # fmt: skip
    ax.set_title("on validation clips")
    ax.set_ylim(-0.02, 1.02)
    percent_axis(ax, "share or AUROC")
    return label_lines(_epoch_axis(ax), "right")


def rate_curves(ax: Axes, history: pd.DataFrame) -> Axes:
    """Draw the learning rates of both branches over epochs, on a logarithmic axis."""
    names = {"lr": ("backbone", "#0072B2"), "confidence_lr": ("confidence head", "#D55E00")}
    present = {column: style for column, style in names.items() if _has(history, column)}
    if len(present) == 2 and np.allclose(history["lr"], history["confidence_lr"]):
        present = {"lr": ("both branches", INK)}
    for column, (label, colour) in present.items():
        ax.plot(history["epoch"], history[column], color=colour, label=label, marker="o",
                markersize=3.5)  # fmt: skip
    ax.set_yscale("log")
    ax.set_title("learning rate at the epoch's end")
    ax.set_ylabel("learning rate")
    return label_lines(_epoch_axis(ax), "right")


def _has(history: pd.DataFrame, column: str) -> bool:
    return column in history and bool(history[column].notna().any())


def _epoch_axis(ax: Axes) -> Axes:
    ax.set_xlabel("epoch")
    ax.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    return ax


def risk_coverage(ax: Axes, curves: Mapping[str, tuple[ArrayLike, ArrayLike]]) -> Axes:
    """Draw the error rate among the clips that a score keeps, over the share it keeps.

    Args:
        ax: Where to draw.
        curves: By method, coverage ``[n]`` and risk ``[n]``, both fractions.

    Returns:
        The same ``ax``.
    """
    for name, style in styles_of(curves).items():
        coverage, risk = curves[name]
        ax.plot(coverage, risk, label=style.label, markevery=0.12, **style.line())
    ax.set_xlim(0, 1.01)
    percent_axis(ax, "coverage: share of clips kept", "x")
    percent_axis(ax, "risk: share of them wrong")
    return label_lines(ax)


def reliability(ax: Axes, rows: pd.DataFrame, method: str) -> Axes:
    """Draw how often the teacher is right at each level of confidence; the diagonal is honest.

    Args:
        ax: Where to draw.
        rows: One per bin: ``confidence`` and ``accuracy`` (means), ``share`` of clips; fractions.
        method: Whose confidence.

    Returns:
        The same ``ax``.
    """
    style = styles_of([method])[method]
    ax.plot([0, 1], [0, 1], color=QUIET, linewidth=1, linestyle=(0, (4, 3)), label="_honest")
    ax.plot(rows["confidence"], rows["accuracy"], color=style.colour, linewidth=1.2,
            label=style.label)  # fmt: skip
    ax.scatter(
        rows["confidence"], rows["accuracy"], s=12 + 600 * rows["share"], color=style.colour,
        marker=style.marker or "o", edgecolor="white", linewidth=0.6, zorder=ON_TOP,
    )  # fmt: skip
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    percent_axis(ax, f"confidence, {style.label}", "x")
    return percent_axis(ax, "clips that the teacher gets right")
