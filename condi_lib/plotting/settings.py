"""What a setting does: results over its values, and training histories by value."""

from collections.abc import Mapping
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from condi_lib.plotting.curves import percent_axis
from condi_lib.plotting.line_labels import label_lines
from condi_lib.plotting.style import INK, METHODS, QUIET

# What readers call a setting.
NAMES = {
    "temperature": "temperature τ",
    "confidence_weight": "weight λ of the confidence loss",
    "positive_weight": "μ on clips the teacher gets right",
    "negative_weight": "μ on clips the teacher gets wrong",
    "training.lr": "learning rate",
    "training.schedule": "schedule of the learning rate",
    "training.confidence_schedule": "schedule of the confidence head",
    "detach": "gradient through p̂ cut",
}
SYMBOLS = {"temperature": "τ", "confidence_weight": "λ", "positive_weight": "μ",
           "negative_weight": "μ", "training.lr": "rate"}  # fmt: skip

# Regimes: colour, marker, filled and line, so that grey tells them apart too.
_REGIMES = ((INK, "o", True, "-"), ("#7A68A6", "s", False, (0, (4, 1.6))),
            ("#B07AA1", "^", True, (0, (1, 1.2))))  # fmt: skip
_APART = 0.09  # of the axis: tick labels that come closer than this would touch


def setting_name(field: str) -> str:
    """What readers call a setting."""
    return NAMES.get(field, field.rpartition(".")[2].replace("_", " "))


def setting_text(field: str, value: Any) -> str:
    """A value of a setting in a few characters, such as ``μ = 1.5``."""
    shown = f"{value:g}" if isinstance(value, int | float) else str(value)
    return f"{SYMBOLS.get(field, setting_name(field))} = {shown}"


def results_over_setting(
    ax: Axes,
    regimes: Mapping[str, pd.DataFrame],
    column: str,
    field: str,
    label: str = "",
    percent: bool = True,
    origin: float | None = None,
) -> Axes:
    """Draw a result over the values of one setting, on a logarithmic axis, a line per regime.

    The default value is marked by a line.

    Args:
        ax: Where to draw.
        regimes: By the regime's name: rows with ``value``, ``is_default`` and :class:`Interval`
            in ``column``. A regime without rows is left out.
        column: What is drawn.
        field: Which setting.
        label: Of the vertical axis; empty: it has that of a panel further left.
        percent: Whether the results are fractions, shown in %.
        origin: Where a line says that nothing is gained, such as 0.

    Returns:
        The same ``ax``.
    """
    values = sorted({value for rows in regimes.values() for value in rows["value"]})
    defaults = {v for rows in regimes.values() for v in rows.loc[rows["is_default"], "value"]}
    if origin is not None:
        ax.axhline(origin, color=QUIET, linewidth=0.9, zorder=1)
    for default in defaults:
        ax.axvline(default, color=METHODS["condi_sr"].colour, linewidth=5, alpha=0.18, zorder=0.5)
    span = np.log(max(values) / min(values)) if values else 0.0
    for at, (name, rows) in enumerate(regimes.items()):
        if len(rows):
            shift = np.exp(0.012 * span * (2 * at - len(regimes) + 1))  # bars beside each other
            _regime(ax, rows, rows[column], at, str(name), shift)
    _log_ticks(ax, values, defaults)
    ax.set_xlabel(setting_name(field))
    _vertical_axis(ax, label, percent)
    return ax


def _regime(
    ax: Axes, rows: pd.DataFrame, results: pd.Series, at: int, name: str, shift: float
) -> None:
    colour, marker, filled, line = _REGIMES[at % len(_REGIMES)]
    x = rows["value"].to_numpy(float) * shift
    ax.vlines(x, [r.low for r in results], [r.high for r in results], color=colour, alpha=0.6,
              linewidth=1.3)  # fmt: skip
    ax.plot(x, [r.value for r in results], label=name.replace("_", " "), color=colour,
            marker=marker, linestyle=line, markersize=5, linewidth=1.4, zorder=3,
            markerfacecolor=colour if filled else "white", markeredgecolor=colour)  # fmt: skip


def _vertical_axis(ax: Axes, label: str, percent: bool) -> None:
    if percent:
        percent_axis(ax, label)
    if not (percent and label):
        ax.set_ylabel(label)


def _log_ticks(ax: Axes, values: list[float], defaults: set[float]) -> None:
    """Ticks at the values; the default's label first, then those that have room beside it."""
    ax.set_xscale("log")
    if not values:
        return
    low, high = np.log(min(values)), np.log(max(values))
    margin = 0.12 * (high - low) or 1.0
    ax.set_xlim(np.exp(low - margin), np.exp(high + margin))
    labelled: list[float] = []
    for value in sorted(values, key=lambda v: (v not in defaults, v)):
        gaps = [abs(np.log(value / other)) for other in labelled]
        if min(gaps, default=np.inf) > _APART * (high - low + 2 * margin):
            labelled.append(value)
    texts = [f"{value:g}".lstrip("0") if value in labelled else "" for value in values]
    ax.set_xticks(values, texts)
    ax.xaxis.set_minor_locator(NullLocator())


def curves_by_value(
    ax: Axes,
    curves: Mapping[str, pd.DataFrame],
    default: str = "",
    label: str = "",
    percent: bool = False,
    logarithmic: bool = False,
) -> Axes:
    """Draw how something changed over training, a line per value of a setting.

    From low values to high ones colours go from dark to light; the default has a colour of its own
    and a thicker line. Bands reach from the lowest seed to the highest.

    Args:
        ax: Where to draw.
        curves: By the value's text, in order: ``epoch, mean, low, high``; those without rows are
            left out.
        default: Whose line is the default's.
        label: Of the vertical axis.
        percent: Whether what is drawn are fractions, shown in %.
        logarithmic: Whether equal steps of the vertical axis are equal ratios.

    Returns:
        The same ``ax``.
    """
    drawn = {text: rows for text, rows in curves.items() if len(rows)}
    shades = matplotlib.colormaps["viridis"](np.linspace(0.0, 0.82, max(len(drawn), 2)))
    for (text, rows), shade in zip(drawn.items(), shades, strict=False):
        colour = METHODS["condi_sr"].colour if text == default else shade
        width = 2.6 if text == default else 1.5
        ax.fill_between(rows["epoch"], rows["low"], rows["high"], color=colour, alpha=0.12,
                        linewidth=0)  # fmt: skip
        ax.plot(rows["epoch"], rows["mean"], color=colour, linewidth=width, label=text,
                marker="o", markersize=3.5, zorder=3 if text == default else 2)  # fmt: skip
    ax.set_xlabel("epoch")
    ax.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    if logarithmic:
        ax.set_yscale("log")
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.yaxis.set_minor_locator(NullLocator())
    _vertical_axis(ax, label, percent)
    return label_lines(ax, "right")
