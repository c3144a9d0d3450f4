"""Maps: a table of numbers as coloured cells with the numbers in them."""

from typing import Literal

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Normalize, to_hex
from matplotlib.patches import Rectangle

from condi_lib.plotting.style import text_on

# Light to dark in one hue, so that grey and every kind of colour blindness keep the order.
_HUES = {"good": "Blues", "cost": "Oranges"}
_DARKEST = 0.85  # of the colour map: numbers stay legible


def heat_map(
    ax: Axes,
    table: pd.DataFrame,
    row_label: str,
    column_label: str,
    number: str = "{:.0f}",
    kind: Literal["good", "cost"] = "good",
    scale: float = 1.0,
    size: float = 7.5,
) -> Axes:
    """Draw a table as a map; the first row lies at the bottom.

    Args:
        ax: Where to draw.
        table: Index and columns name rows and columns; cells that are NaN stay empty.
        row_label: Names the vertical axis.
        column_label: Names the horizontal axis.
        number: How a cell's number is written.
        kind: Blue for what one wants much of, orange for what it costs.
        scale: What numbers are multiplied with to be written: 100 for per cent.
        size: Of the numbers, in points.

    Returns:
        The same ``ax``.

    Raises:
        ValueError: If all cells are NaN.
    """
    values = table.to_numpy(float)
    if not np.isfinite(values).any():
        raise ValueError("all cells of the table are NaN; there is nothing to draw")
    norm = Normalize(np.nanmin(values), np.nanmax(values) + 1e-12)
    colours = colormaps[_HUES[kind]]
    for y, x in np.argwhere(np.isfinite(values)):
        colour = colours(0.08 + (_DARKEST - 0.08) * float(norm(values[y, x])))
        ax.add_patch(_cell(x, y, colour))
        ax.text(x, y, number.format(scale * values[y, x]), ha="center", va="center", fontsize=size,
                color=text_on(colour[:3]))  # fmt: skip
    ax.set_xlim(-0.5, values.shape[1] - 0.5)
    ax.set_ylim(-0.5, values.shape[0] - 0.5)
    ax.set_xticks(range(values.shape[1]), [str(name) for name in table.columns])
    ax.set_yticks(range(values.shape[0]), [str(name) for name in table.index])
    ax.set(xlabel=column_label, ylabel=row_label)
    ax.grid(False)
    ax.spines[["left", "bottom"]].set_visible(False)
    ax.tick_params(length=0)
    return ax


def _cell(x: int, y: int, colour: tuple[float, ...]) -> Rectangle:
    return Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=to_hex(colour), edgecolor="white")
