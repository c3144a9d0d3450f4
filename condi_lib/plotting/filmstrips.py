"""Videos on paper: frames in a row, a video clip by clip, and a sheet of actions.

Everything is placed in units of one thumbnail, and text is sized in them too, so that nothing
overlaps at any figure size; ``strip_size`` and ``sheet_size`` give sizes at which it is legible.
``ax`` in, the same ``ax`` out.
"""

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch, Rectangle
from numpy.typing import NDArray

from condi_lib.plotting.style import INK, METHODS, QUIET, TRUTH_COLOURS, TRUTH_LINES, text_colour

Frames = NDArray[np.uint8]

CELL_INCHES = 0.84
GAP = 0.10  # between thumbnails
LINE = 0.175  # height of a line of text
TEXT = 0.12  # size of text
SMALLEST = 0.8  # to which text shrinks before it is cut
GUTTER = 0.62  # left of a clip strip, for the names of its lines
NAME = 0.27  # above a strip of a sheet
RIGHT, WRONG = "✓", "✗"


def strip_size(n_clips: int, n_frames: int = 1, per_row: int = 12) -> tuple[float, float]:
    """Width and height in inches at which ``clip_strip`` is legible."""
    columns, rows = min(n_clips, per_row), math.ceil(n_clips / per_row)
    return CELL_INCHES * (columns + GUTTER), CELL_INCHES * rows * _block_height(n_frames)


def sheet_size(n_actions: int, n_shown: int = 6, columns: int = 2) -> tuple[float, float]:
    """Width and height in inches at which ``action_sheet`` is legible."""
    rows = math.ceil(n_actions / columns)
    return CELL_INCHES * (columns * (n_shown + 0.4) - 0.4), CELL_INCHES * rows * (1 + NAME + GAP)


def filmstrip(ax: Axes, frames: Frames, n_shown: int = 8, title: str = "") -> Axes:
    """Draw evenly spaced frames of a video in a row, the frame's number below each.

    Args:
        ax: Where to draw.
        frames: uint8 ``[T, H, W, 3]``.
        n_shown: How many; all where there are fewer.
        title: Written above.

    Returns:
        The same ``ax``.
    """
    chosen = _evenly(len(frames), n_shown)
    _prepare(ax, len(chosen) - GAP, _aspect(frames) + LINE)
    scale = _points_per_unit(ax)
    for column, t in enumerate(chosen):
        bottom = _picture(ax, frames[t], column, 0.0)
        number = f"frame {t}" if column == 0 else str(t)
        _write(ax, column + (1 - GAP) / 2, bottom + LINE / 2, number, scale, color=QUIET)
    ax.set_title(title)
    return ax


def action_sheet(
    ax: Axes, videos: Mapping[str, Frames], n_shown: int = 6, columns: int = 2
) -> Axes:
    """Draw several frames of each action, its name above them.

    Args:
        ax: Where to draw.
        videos: By name, uint8 ``[T, H, W, 3]``; all frames of one shape.
        n_shown: Frames of each.
        columns: How many actions stand side by side; they are read down the columns.

    Returns:
        The same ``ax``.
    """
    rows = math.ceil(len(videos) / columns)
    height = _aspect(next(iter(videos.values()))) + NAME + GAP
    width = n_shown + 0.4
    _prepare(ax, columns * width - 0.4 - GAP, rows * height)
    scale = _points_per_unit(ax)
    for at, (name, frames) in enumerate(videos.items()):
        left, top = at // rows * width, at % rows * height
        label = name.replace("_", " ")
        _write(ax, left, top + 0.6 * NAME, label, 1.25 * scale, ha="left", weight="bold")
        for column, t in enumerate(_evenly(len(frames), n_shown)):
            _picture(ax, frames[t], left + column, top + NAME)
    return ax


def clip_strip(
    ax: Axes,
    thumbnails: Frames,
    clips: pd.DataFrame,
    per_row: int = 12,
    confidence_name: str = "z̃",
) -> Axes:
    """Draw a video clip by clip: what each shows, what the teacher says, and which are kept.

    The frame's colour and line tell key, confuser and generic clips apart, which are named below
    as well; ✓ and ✗ before the probability say whether the teacher is right; a dark tab above
    marks the clips kept.

    Args:
        ax: Where to draw; ``strip_size`` gives the figure's size.
        thumbnails: One frame of each clip, uint8 ``[N, H, W, 3]``, or several, stacked from top
            to bottom, ``[N, S, H, W, 3]``.
        clips: One row per clip, in order. Any of ``truth``; ``predicted`` (the teacher's top class
            by name), ``probability`` (of it; ``correct`` adds its mark); ``confidence``; ``kept``.
        per_row: Clips in a row; a longer video continues below.
        confidence_name: What to call ``confidence``. In ``[0, 1]`` it gets a bar as well.

    Returns:
        The same ``ax``.

    Raises:
        ValueError: If there are not as many rows as thumbnails.
    """
    if len(thumbnails) != len(clips):
        raise ValueError(f"{len(thumbnails)} thumbnails but {len(clips)} clips: need one of each")
    stacks = thumbnails if thumbnails.ndim == 5 else thumbnails[:, None]
    picture = stacks.shape[1] * _aspect(stacks[0])
    block = picture + _block_height(0)
    n_rows = math.ceil(len(clips) / per_row)
    _prepare(ax, min(len(clips), per_row) + GUTTER - GAP, n_rows * block - 0.1)
    scale = _points_per_unit(ax)
    lines = _lines(clips, confidence_name)
    for at, (_, clip) in enumerate(clips.iterrows()):
        left, top = GUTTER + at % per_row, at // per_row * block
        if at % per_row == 0:
            for line, name in enumerate(lines):
                y = top + LINE + picture + (line + 0.72) * LINE
                _write(ax, GUTTER - 0.1, y, name, scale, ha="right", color=QUIET)
        _one_clip(ax, stacks[at], clip, left, top, scale, at + 1, lines)
    return ax


def _block_height(n_frames: int) -> float:
    """Height of a row of square thumbnails with its lines of text."""
    return LINE + n_frames + 4 * LINE + 0.2


def _lines(clips: pd.DataFrame, confidence_name: str) -> list[str]:
    """Names of the lines of text below the thumbnails."""
    names = ["truth"] if "truth" in clips else []
    names += ["teacher"] if "predicted" in clips else []
    names += ["p"] if "probability" in clips else []
    return names + ([confidence_name] if "confidence" in clips else [])


def _one_clip(
    ax: Axes, stack: Frames, clip: pd.Series, left: float, top: float, scale: float,
    number: int, lines: list[str],
) -> None:  # fmt: skip
    kept, centre = bool(clip.get("kept", False)), left + (1 - GAP) / 2
    if kept:
        _tab(ax, left, top)
    _write(ax, centre, top + 0.48 * LINE, f"{number} kept" if kept else str(number), scale,
           color="white" if kept else QUIET, weight="bold" if kept else "normal")  # fmt: skip
    bottom = top + LINE
    for frame in stack:
        bottom = _picture(ax, frame, left, bottom, gap=0.0)
    if clip.get("truth") in TRUTH_COLOURS:
        _truth_frame(ax, clip["truth"], left, top + LINE, bottom, scale)
    mark, colour = _verdict(clip)
    for line, name in enumerate(lines):
        y = bottom + (line + 0.72) * LINE
        if name == "truth":
            shade = text_colour(TRUTH_COLOURS.get(clip["truth"], INK))
            _write(ax, centre, y, str(clip["truth"]), scale, color=shade, weight="bold")
        elif name == "teacher":
            _fitted(ax, centre, y, str(clip["predicted"]).replace("_", " "), scale, colour)
        elif name == "p":
            _write(ax, centre, y, f"{mark}{100 * clip['probability']:.0f} %", scale, color=colour)
        else:
            _confidence(ax, clip["confidence"], left, y, scale)


def _tab(ax: Axes, left: float, top: float) -> None:
    ax.add_patch(FancyBboxPatch(
        (left + 0.02, top + 0.015), 1 - GAP - 0.04, LINE + 0.05, linewidth=0, facecolor=INK,
        boxstyle="round,pad=0,rounding_size=0.05", gid="kept", zorder=0.5,
    ))  # fmt: skip


def _truth_frame(
    ax: Axes, truth: str, left: float, top: float, bottom: float, scale: float
) -> None:
    for line, alpha in (("-", 0.3), (TRUTH_LINES[truth], 1.0)):  # the gaps of a dashed line glow
        ax.add_patch(Rectangle(
            (left, top), 1 - GAP, bottom - top, fill=False, edgecolor=TRUTH_COLOURS[truth],
            linestyle=line, linewidth=0.045 * scale, alpha=alpha, gid=f"truth {truth}", zorder=3,
        ))  # fmt: skip


def _verdict(clip: pd.Series) -> tuple[str, str]:
    """Mark and colour of a clip that the teacher gets right or wrong; neither where unknown."""
    if "correct" not in clip:
        return "", INK
    return (f"{RIGHT} ", "#2B7030") if clip["correct"] else (f"{WRONG} ", "#B5301A")


def _fitted(ax: Axes, x: float, y: float, name: str, scale: float, colour: str) -> None:
    """Write a name that may be longer than its cell: smaller, and then cut."""
    text = _write(ax, x, y, name, scale, color=colour)
    room = (1 - 0.8 * GAP) * scale * ax.get_figure(root=True).dpi / 72
    if (width := text.get_window_extent().width) > room:
        text.set_fontsize(TEXT * scale * max(room / width, SMALLEST))
    while text.get_window_extent().width > room and len(name) > 1:
        name = name[:-1].rstrip()
        text.set_text(f"{name}…")


def _confidence(ax: Axes, value: float, left: float, y: float, scale: float) -> None:
    """A number, after a bar where it is a share."""
    if not 0 <= value <= 1:
        _write(ax, left + (1 - GAP) / 2, y, f"{value:.2f}", scale)
        return
    width, height = 0.56, 0.085
    for fill, colour in ((1.0, "#E3E3E3"), (value, METHODS["condi_sr"].colour)):
        ax.add_patch(Rectangle((left, y - height / 2), width * fill, height, facecolor=colour,
                               linewidth=0, gid="confidence"))  # fmt: skip
    _write(ax, left + 1 - GAP, y, f"{value:.2f}".lstrip("0"), scale, ha="right")


def _evenly(n_frames: int, n_shown: int) -> list[int]:
    return np.linspace(0, n_frames - 1, min(n_shown, n_frames)).round().astype(int).tolist()


def _aspect(frames: Frames) -> float:
    """Height of a thumbnail whose width is that of its cell without the gap."""
    return (1 - GAP) * frames.shape[-3] / frames.shape[-2]


def _picture(ax: Axes, frame: Frames, left: float, top: float, gap: float = GAP) -> float:
    """Draw a frame and return where it ends."""
    bottom = top + _aspect(frame[None])
    ax.imshow(frame, extent=(left, left + 1 - GAP, bottom, top), interpolation="lanczos",
              aspect="equal", zorder=1)  # fmt: skip
    return bottom


def _prepare(ax: Axes, width: float, height: float) -> None:
    ax.set_axis_off()
    ax.set_aspect("equal")
    ax.set(xlim=(-0.03, width + 0.03), ylim=(height + 0.03, -0.03), autoscale_on=False)


def _points_per_unit(ax: Axes) -> float:
    """How many points a thumbnail is wide, once the layout has given the axes their place."""
    figure = ax.get_figure(root=True)
    figure.draw_without_rendering()
    ax.apply_aspect()
    (start, _), (end, _) = ax.transData.transform([(0, 0), (1, 0)])
    return (end - start) * 72 / figure.dpi


def _write(ax: Axes, x: float, y: float, text: str, scale: float, **how: object) -> object:
    look = {"ha": "center", "va": "center", "color": INK, "fontsize": TEXT * scale} | how
    return ax.text(x, y, text, **look)
