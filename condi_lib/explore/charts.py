"""Numbers as pictures for the explorer's pages: SVG text, nothing else. Nothing here computes.

Nothing is told by colour alone: classes are named, curves have names and strokes, kinds of clips
have patterns. What can be chosen carries ``data-key`` and can be reached by keyboard.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from condi_lib.explore.svg import (
    FAINT,
    INK,
    PAPER,
    QUIET,
    Plane,
    box,
    escaped,
    line,
    number_ticks,
    percent_ticks,
    picture,
    share,
    tag,
    words,
)
from condi_lib.plotting.style import METHODS, OUTCOME_COLOURS, TRUTH_COLOURS
from condi_lib.plotting.timeline import TEACHER

WIDTH, HEIGHT = 440, 270
BARS = 360  # width of the bar chart, which has less room
PLANE = (44, 30, 380, 185)
RIGHT, WRONG = "✓", "✗"
ROW, NAMES = 24, 128  # of the bar chart: height of a bar, room for names
LONGEST_NAME = 18
PATTERNS = {"key": "", "confuser": "lines", "generic": "dots", "right": "", "wrong": "lines"}


def readable(name: str, longest: int = LONGEST_NAME) -> str:
    """A class name without underscores, cut where it is long."""
    name = name.replace("_", " ")
    return name if len(name) <= longest else f"{name[: longest - 1]}…"


def colour_of(method: str) -> str:
    """The colour of a method in all chapters, or ink where it would be lost on a dark page."""
    return INK if method in ("oracle", "dense") else METHODS[method].colour


def top_classes(probs: NDArray, label: int | None, n_shown: int = 5) -> list[int]:
    """The most probable classes, best first; the true one is there in any case, at the end."""
    best = np.argsort(-probs, kind="stable")[:n_shown].tolist()
    return best if label is None or label in best else [*best[:-1], label]


def bar_chart(
    probs: NDArray, classes: Sequence[str], label: int | None = None, n_shown: int = 5
) -> str:
    """Draw the most probable classes; the answer says whether it is right, the true class is named.

    Args:
        probs: ``[C]``.
        classes: Names.
        label: The true class; None where it is not known.
        n_shown: How many.
    """
    rows, told = [], []
    shown = top_classes(probs, label, n_shown)
    for place, c in enumerate(shown):
        y, p = 4 + place * ROW, float(probs[c])
        mark = "" if place or label is None else f"{RIGHT} " if c == label else f"{WRONG} "
        is_true = c == label
        name = f"{mark}{readable(classes[c])}"
        weight = "bold" if is_true else "normal"
        width = (BARS - NAMES - 136) * p
        rows.append(words(NAMES - 6, y + 16, name, text_anchor="end", font_weight=weight))
        edge = {"stroke": INK, "stroke_width": 1.5} if is_true else {}
        rows.append(box(NAMES, y + 3, width, ROW - 7, fill=TEACHER, fill_opacity=0.85, **edge))
        tail = f"{share(p)}{', true class' if is_true else ''}"
        rows.append(words(NAMES + width + 6, y + 16, tail, font_weight=weight))
        told.append(f"{mark}{classes[c]} {tail}")
    rows.append(line(NAMES, 2, NAMES, 4 + len(shown) * ROW, stroke=QUIET))
    height = 8 + len(shown) * ROW
    label = f"most probable classes: {'; '.join(told)}"
    return picture(BARS, height, label, *rows, style=f"max-width: {1.25 * BARS:g}px")


def accuracy_chart(
    accuracy: NDArray, dense: float, now: tuple[int, float], method: str, name: str
) -> str:
    """Draw video accuracy over K, the level of dense, and where the controls stand.

    Args:
        accuracy: At K = 1 … N, fractions.
        dense: That of all clips.
        now: K and accuracy of the present setting, which a division puts beside the curve.
        method: Whose colour.
        name: Of the curve.
    """
    n, (k, height) = len(accuracy), now
    values = [*accuracy, dense, height]
    low, high = min(values), max(values)
    margin = max(0.15 * (high - low), 0.01)
    limits = (max(0.0, low - margin), min(1.0, high + margin))
    plane = Plane(*PLANE, x_limits=(0.6, n + 0.4), y_limits=limits)
    step = -(-n // 15)
    parts = [
        plane.axes({k: str(k) for k in range(1, n + 1, step)}, percent_ticks(*limits),
                   "clips, K", f"video accuracy (%): {name}"),
        plane.curve((0.6, n + 0.4), (dense, dense), stroke=QUIET, stroke_dasharray="8 3 2 3"),
        words(plane.left + 5, plane.y(dense) + 15, f"dense {share(dense)}", fill=QUIET,
              paint_order="stroke", stroke=PAPER, stroke_width=3),
        plane.curve(range(1, n + 1), accuracy, stroke=colour_of(method)),
        line(plane.x(k), plane.top, plane.x(k), plane.top + plane.height, stroke=INK,
             stroke_dasharray="2 3"),
        tag("circle", cx=plane.x(k), cy=plane.y(height), r=6, fill=PAPER, stroke=colour_of(method),
            stroke_width=3),
        _beside(plane, k, height, f"K = {k}: {share(height)}"),
    ]  # fmt: skip
    label = f"video accuracy over K, {name}: {share(height)} at K = {k}, dense {share(dense)}"
    return picture(WIDTH, HEIGHT, label, *parts)


def _beside(plane: Plane, x: float, y: float, text: str) -> str:
    """Text beside a point, on the side where there is room."""
    on_left = plane.x(x) > plane.left + 0.65 * plane.width
    at, anchor = (plane.x(x) - 11, "end") if on_left else (plane.x(x) + 11, "start")
    below = plane.y(y) < plane.top + 20
    halo = {"paint_order": "stroke", "stroke": PAPER, "stroke_width": 3, "font_weight": "bold"}
    return words(at, plane.y(y) + (18 if below else -8), text, text_anchor=anchor, **halo)


def reliability_chart(
    rows: pd.DataFrame, is_probability: bool, method: str, name: str, numbers: dict[str, float]
) -> str:
    """Draw how often the teacher is right at each level of a score; larger dots are more clips.

    Args:
        rows: ``score``, ``accuracy``, ``share`` of each bin.
        is_probability: Whether the score claims to be that frequency: then the diagonal is shown.
        method: Whose colour.
        name: Of the score.
        numbers: ``auroc``, and ``ece`` of a probability.
    """
    low, high = float(rows["score"].min()), float(rows["score"].max())
    limits = (0.0, 1.0) if is_probability else (low, high if high > low else low + 1)
    plane = Plane(*PLANE, x_limits=limits)
    told = f"AUROC {numbers['auroc']:.3f}"
    told += f", ECE {share(numbers['ece'])}" if "ece" in numbers else ", no probability: no ECE"
    ticks = percent_ticks(0, 1) if is_probability else number_ticks(*limits)
    unit = " (%)" if is_probability else ", ten equal groups of clips"
    parts = [plane.axes(ticks, percent_ticks(0, 1), f"{name}{unit}",
                        f"clips that the teacher gets right (%); {told}")]  # fmt: skip
    if is_probability:
        parts.append(plane.curve((0, 1), (0, 1), stroke=QUIET, stroke_dasharray="4 3"))
    parts.append(plane.curve(rows["score"], rows["accuracy"], stroke=colour_of(method)))
    for score, accuracy, part in rows.itertuples(index=False):
        parts.append(tag("circle", cx=plane.x(score), cy=plane.y(accuracy), r=3 + 9 * part**0.5,
                         fill=colour_of(method), fill_opacity=0.8, stroke=PAPER))  # fmt: skip
    return picture(WIDTH, HEIGHT, f"calibration of {name}: {told}", *parts)


def risk_chart(coverage: NDArray, risk: NDArray, method: str, name: str) -> str:
    """Draw the share of errors among the clips that a score keeps, over the share it keeps."""
    high = max(0.05, float(risk.max()) * 1.05)
    plane = Plane(*PLANE, y_limits=(0.0, min(1.0, high)))
    parts = [
        plane.axes(percent_ticks(0, 1), percent_ticks(*plane.y_limits),
                   f"coverage: share of clips kept by {name} (%)", "risk: share of them wrong (%)"),
        plane.curve((0, 1), (risk[-1], risk[-1]), stroke=QUIET, stroke_dasharray="4 3"),
        words(plane.left + plane.width, plane.y(risk[-1]) - 5, f"all clips {share(risk[-1])}",
              text_anchor="end", fill=QUIET),
        plane.curve(coverage, risk, stroke=colour_of(method)),
    ]  # fmt: skip
    half = float(np.interp(0.5, coverage, risk))
    label = f"risk over coverage of {name}: {share(half)} wrong among the better half of the clips"
    return picture(WIDTH, HEIGHT, label, *parts)


def histogram_chart(
    counts: pd.DataFrame, edges: NDArray, name: str, chosen: int | None = None
) -> str:
    """Draw how many clips of each kind have which score; each bin can be chosen as ``bin-3``.

    Args:
        counts: By bin (rows) and kind of clip (columns).
        edges: Of the bins.
        name: Of the score.
        chosen: The bin that is marked.
    """
    most = max(int(counts.sum(axis=1).max()), 1)
    limits = (float(edges[0]), float(edges[-1]))
    plane = Plane(*PLANE, x_limits=limits, y_limits=(0.0, 1.05 * most))
    bins = [_bin(plane, number, edges, row, chosen) for number, row in counts.iterrows()]
    axes = plane.axes(number_ticks(*limits), number_ticks(0, most, 5), name, "clips")
    total = ", ".join(f"{n} {kind}" for kind, n in counts.sum().items())
    parts = [_patterns(counts), axes, *bins, _legend(counts)]
    return picture(WIDTH, HEIGHT, f"histogram of {name}: {total} clips", *parts)


def _bin(plane: Plane, number: int, edges: NDArray, row: pd.Series, chosen: int | None) -> str:
    left, right = plane.x(edges[number]), plane.x(edges[number + 1])
    parts, below = [], 0
    for kind, n in row.items():
        top = plane.y(below + n)
        parts.append(box(left + 1, top, right - left - 2, plane.y(below) - top,
                         fill=f"url(#condi-{kind})", stroke=_kind_colour(kind)))  # fmt: skip
        below += n
    edge = {"stroke": INK, "stroke_width": 2} if number == chosen else {"stroke": "none"}
    whole = box(left, plane.top, right - left, plane.height, fill="transparent", **edge)
    told = ", ".join(f"{n} {kind}" for kind, n in row.items())
    span = f"{edges[number]:.3g} to {edges[number + 1]:.3g}: {told} clips"
    key = {"data_key": f"bin-{number}", "tabindex": 0, "role": "button", "aria_label": span}
    return tag("g", tag("title", escaped(span)), *parts, whole, **key,
               aria_pressed=str(number == chosen).lower())  # fmt: skip


def _kind_colour(kind: str) -> str:
    return (TRUTH_COLOURS | OUTCOME_COLOURS)[kind]


def _patterns(counts: pd.DataFrame) -> str:
    """Fills that can be told apart without colours."""
    return tag("defs", *(_pattern(kind) for kind in counts))


def _pattern(kind: str) -> str:
    colour = _kind_colour(kind)
    ground = box(0, 0, 6, 6, fill=colour, fill_opacity=0.85 if not PATTERNS[kind] else 0.35)
    drawn = {
        "": "",
        "lines": tag("path", d="M-1,7 L7,-1", stroke=colour, stroke_width=1.6),
        "dots": tag("circle", cx=3, cy=3, r=1.1, fill=colour),
    }[PATTERNS[kind]]
    size = {"width": 6, "height": 6, "patternUnits": "userSpaceOnUse"}
    return tag("pattern", ground, drawn, id=f"condi-{kind}", **size)


def _legend(counts: pd.DataFrame) -> str:
    parts, x = [], WIDTH - 16 - 96 * counts.shape[1]
    for kind in counts:
        parts.append(box(x, 8, 14, 12, fill=f"url(#condi-{kind})", stroke=_kind_colour(kind)))
        parts.append(words(x + 19, 18, kind))
        x += 96
    return "".join(parts)


def nothing(text: str) -> str:
    """Say in a chart's place why there is none."""
    return tag(
        "p", escaped(text), style=f"color: {QUIET}; border: 1px dashed {FAINT}; padding: 8px"
    )
