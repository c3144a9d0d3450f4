"""Names written beside the curves they name, none over another, instead of a crowded legend."""

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import LayoutEngine, PlaceHolderLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.text import Annotation
from numpy.typing import ArrayLike, NDArray

from condi_lib.plotting.style import text_colour

_GID = "line-label"
LEADER_POINTS = 11
LONGEST_LINE = 25  # characters


def label_lines(ax: Axes, side: str = "auto", font_size: float = 8.5) -> Axes:
    """Let the label of each labelled line of ``ax`` be written beside the line's end.

    Where names fit depends on the figure's layout, so they are written when it is next laid out
    (drawn or saved), for all axes at once, and name whatever has been drawn until then. Lines whose
    label begins with ``_`` are left out. Called again later, new names replace the old ones.

    Args:
        ax: Axes with lines.
        side: ``"right"`` of the last point, ``"left"`` of the first one, or ``"auto"``: where names
            need to move less, but level lines on the right. Curves over K all meet in their last
            point, so theirs go to the left.
        font_size: In points.

    Returns:
        The same ``ax``.
    """
    figure = ax.get_figure(root=True)
    engine = figure.get_layout_engine()
    if not isinstance(engine, _NamingLayout):
        engine = _NamingLayout(engine)
        figure.set_layout_engine(engine)
    engine.asked[ax] = (side, font_size)
    return ax


class _NamingLayout(LayoutEngine):
    """A figure's layout, and then the names of curves, for which it makes room."""

    def __init__(self, layout: LayoutEngine | None) -> None:
        super().__init__()
        self._layout = layout or PlaceHolderLayoutEngine(True, True)
        self._adjust_compatible = self._layout.adjust_compatible
        self._colorbar_gridspec = self._layout.colorbar_gridspec
        self.asked: dict[Axes, tuple[str, float]] = {}

    def set(self, **settings: Any) -> None:
        self._layout.set(**settings)

    def get(self) -> dict[str, Any]:
        return self._layout.get()

    def execute(self, fig: Figure) -> None:
        self._layout.execute(fig)
        asked, self.asked = self.asked, {}
        if asked := {ax: how for ax, how in asked.items() if ax.get_figure(root=True) is fig}:
            self._name(fig, asked)
            self._layout.execute(fig)

    def _name(self, fig: Figure, asked: dict[Axes, tuple[str, float]]) -> None:
        sides = {ax: _sides(ax, side, size) for ax, (side, size) in asked.items()}
        for ax, lines in sides.items():
            if lines["right"]:
                _write_all(ax, lines["right"], "right", asked[ax][1])
        left = [ax for ax, lines in sides.items() if lines["left"]]
        if left and any(lines["right"] for lines in sides.values()):
            self._layout.execute(fig)  # names on the right take width from the axes
        for ax in left:
            _write_all(ax, sides[ax]["left"], "left", asked[ax][1])


def _sides(ax: Axes, side: str, font_size: float) -> dict[str, list[Line2D]]:
    """On which side of ``ax`` the name of which line is written; earlier names go."""
    for old in [text for text in ax.texts if text.get_gid() == _GID]:
        old.remove()
    lines = [line for line in ax.get_lines() if line.get_label()[:1] != "_" and _points(line).size]
    if side == "auto" and lines:
        moves = {s: _displacement(ax, lines, s, font_size) for s in ("right", "left")}
        if moves["left"] < moves["right"]:
            level = [line for line in lines if _is_level(line)]
            return {"right": level, "left": [line for line in lines if line not in level]}
    return {"right": [], "left": []} | {"right" if side == "auto" else side: lines}


def spread(positions: ArrayLike, heights: ArrayLike, low: float, high: float) -> NDArray:
    """Move positions as little as possible (least squares) until none overlaps another.

    Args:
        positions: Wanted centres, ``[n]``.
        heights: What each takes up, centred on its position, ``[n]``.
        low: Nothing reaches below; given up from above where there is too little room.
        high: Nothing reaches above.

    Returns:
        The centres, ``[n]``, in the order given. Of equal positions the first one is highest.
    """
    from scipy.optimize import isotonic_regression  # a quarter of a second to import

    wanted, heights = np.asarray(positions, float), np.asarray(heights, float)
    order = np.lexsort((-np.arange(len(wanted)), wanted))
    size = heights[order]
    offset = np.concatenate([[0.0], np.cumsum((size[1:] + size[:-1]) / 2)])
    bottom = low + size[0] / 2
    top = max(bottom, high - size[-1] / 2 - offset[-1])
    placed = np.empty_like(wanted)
    rising = isotonic_regression(wanted[order] - offset).x
    placed[order] = offset + np.clip(rising, bottom, top)
    return placed


def _points(line: Line2D) -> NDArray:
    """The line's points that have a number, ``[n, 2]``, by x."""
    points = np.column_stack([np.asarray(data, float) for data in line.get_data(orig=False)])
    points = points[np.isfinite(points).all(axis=1)]
    return points[np.argsort(points[:, 0], kind="stable")]


def _is_level(line: Line2D) -> bool:
    heights = _points(line)[:, 1]
    return len(heights) > 1 and np.ptp(heights) == 0


def _end(line: Line2D, side: str) -> NDArray:
    """The line's last or first point, or where the axes end above or below it."""
    x, y = _points(line)[-1 if side == "right" else 0]
    return np.array([x, np.clip(y, *sorted(line.axes.get_ylim()))])


def _wrapped(line: Line2D) -> str:
    label = str(line.get_label())
    if len(label) > LONGEST_LINE:  # a remark in brackets stays in one piece
        label = label.replace(" (", "\n(")
    return "\n".join(textwrap.fill(part, LONGEST_LINE) for part in label.split("\n"))


def _heights(ax: Axes, lines: Sequence[Line2D], font_size: float) -> NDArray:
    """Heights of the names in fractions of the axes'."""
    rows = np.array([_wrapped(line).count("\n") + 1 for line in lines])
    return (rows * 1.2 + 0.25) * font_size * _px_per_point(ax) / ax.bbox.height


def _fractions(ax: Axes, lines: Sequence[Line2D], side: str) -> NDArray:
    """Where the lines end, in fractions of the axes' height."""
    ends = np.array([_end(line, side) for line in lines])
    return ax.transAxes.inverted().transform(ax.transData.transform(ends))[:, 1]


def _displacement(ax: Axes, lines: Sequence[Line2D], side: str, font_size: float) -> float:
    wanted = _fractions(ax, lines, side)
    placed = spread(wanted, _heights(ax, lines, font_size), 0, 1)
    return float(np.abs(placed - wanted).sum())


def _write_all(ax: Axes, lines: Sequence[Line2D], side: str, font_size: float) -> None:
    texts = [_write(ax, line, side, font_size) for line in lines]
    if side == "left":
        _make_room_on_the_left(ax, lines, texts)
    _settle(ax, lines, texts, side)


def _write(ax: Axes, line: Line2D, side: str, font_size: float) -> Annotation:
    colour = text_colour(line.get_color())
    return ax.annotate(
        _wrapped(line),
        xy=_end(line, side),
        xytext=(0, 0),
        textcoords="offset points",
        ha="left" if side == "right" else "right",
        va="center",
        color=colour,
        fontsize=font_size,
        linespacing=1.05,
        annotation_clip=False,
        gid=_GID,
        arrowprops={
            "arrowstyle": "-",
            "color": colour,
            "lw": 0.6,
            "alpha": 0.6,
            "shrinkA": 1,
            "shrinkB": 4,
            "relpos": (0 if side == "right" else 1, 0.5),
        },
    )


def _make_room_on_the_left(ax: Axes, lines: Sequence[Line2D], texts: Sequence[Annotation]) -> None:
    """Begin the x axis further left, so that names stand inside the axes."""
    width = max(text.get_window_extent().width for text in texts)
    share = min((width + 1.6 * LEADER_POINTS * _px_per_point(ax)) / ax.bbox.width, 0.6)
    first = min(_end(line, "left")[0] for line in lines)
    last = ax.get_xlim()[1]
    ticks = [tick for tick in ax.get_xticks() if first - 1e-9 <= tick <= last]
    ax.set_xlim(first - (last - first) * share / (1 - share), last)
    ax.set_xticks(ticks)  # none where the names stand


def _settle(ax: Axes, lines: Sequence[Line2D], texts: Sequence[Annotation], side: str) -> None:
    """Put the names in one column, spread over the height."""
    heights = _heights(ax, lines, texts[0].get_fontsize())
    placed = spread(_fractions(ax, lines, side), heights, low=-0.05, high=1.02)
    ends = ax.transData.transform([_end(line, side) for line in lines])
    leader = LEADER_POINTS * _px_per_point(ax)
    column = ends[:, 0].max() + leader if side == "right" else ends[:, 0].min() - leader
    for text, end, fraction in zip(texts, ends, placed, strict=True):
        target = np.array([column, ax.transAxes.transform((0, fraction))[1]])
        text.set_position(tuple((target - end) / _px_per_point(ax)))


def _px_per_point(ax: Axes) -> float:
    return ax.get_figure(root=True).dpi / 72
