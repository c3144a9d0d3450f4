"""The verdicts as one picture: every claim's effects with intervals, beside what the claim needs.

A forest plot. Shape and colour both say the outcome; a band shows where the claim would hold, so
that an interval inside the band is a claim reproduced; hollow marks are the authors' own effects.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from condi_lib.claims import (
    NOT_REPRODUCED,
    REPRODUCED,
    SYMBOLS,
    UNDECIDED,
    UNTESTABLE,
    Comparison,
    Verdict,
)
from condi_lib.claims.judge import in_points
from condi_lib.plotting.style import INK, QUIET

# Dark enough for text; blue, vermillion and grey differ for colour-blind readers too.
OUTCOME_COLOURS = {
    REPRODUCED: "#0072B2",
    NOT_REPRODUCED: "#C44E00",
    UNDECIDED: "#6E6E6E",
    UNTESTABLE: "#9A9A9A",
}
OUTCOME_MARKERS = {REPRODUCED: "o", NOT_REPRODUCED: "X", UNDECIDED: "D", UNTESTABLE: ""}
HOLDS = "#DCEAF4"
OPAQUE = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
LIMITS = (-0.2, 0.56)
LINE_IN = 0.2  # height of a line
HEADER, LINE, GAP = 1.2, 1.0, 0.5  # in lines
TITLES, TEXTS = -292, -276  # columns, in points from the axes' left edge
EFFECTS, SEEDS, BESIDE = 10, 118, 190  # and from their right edge
PALE = 0.55
ABOVE, BELOW = 0.24, -0.36  # where the authors' and the other regime's marks stand, in lines


@dataclass(frozen=True)
class _Line:
    """One line of the picture: a claim's title, or one comparison of it."""

    y: float
    verdict: Verdict
    comparison: Comparison | None = None
    is_title: bool = False


def forest_height(verdicts: Sequence[Verdict]) -> float:
    """The height in inches that ``forest`` needs for its lines, axis and legend."""
    return LINE_IN * -min(line.y for line in _lines(verdicts)) + 1.3


def forest(ax: Axes, verdicts: Sequence[Verdict]) -> Axes:
    """Draw every deciding comparison of every claim, in points.

    The regime that decides is drawn large, the other one small and pale below it. What lies
    outside the axis, a mark or an end of its interval, is an arrow; the number stands at the right.

    Args:
        ax: Where to draw, in a figure 11 inches wide and of ``forest_height``.
        verdicts: The claims in their order.

    Returns:
        The same ``ax``.
    """
    lines = list(_lines(verdicts))
    for line in lines:
        if line.is_title:
            _title(ax, line)
        elif line.comparison is None:
            _write(ax, TEXTS, line.y, line.verdict.reason, color=QUIET, style="italic")
        else:
            _comparison(ax, line, line.comparison)
    ax.axvline(0, color=QUIET, linewidth=0.9, zorder=1.5)
    low, high = (100 * limit for limit in LIMITS)
    ax.set(xlim=(low, high), ylim=(min(line.y for line in lines) - 1, 0.6))
    ax.set_xticks(np.arange(-20, 51, 10))
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.grid(True, axis="x")
    ax.set_xlabel("effect in points: hundredths of an accuracy, rate or share")
    return _legend(ax)


def _lines(verdicts: Sequence[Verdict]) -> Iterator[_Line]:
    y = 0.0
    for verdict in verdicts:
        y -= HEADER
        yield _Line(y, verdict, is_title=True)
        for comparison in verdict.judgement.deciding or (None,):
            y -= LINE
            yield _Line(y, verdict, comparison)
        y -= GAP


def _title(ax: Axes, line: _Line) -> None:
    verdict, outcome = line.verdict, line.verdict.outcome
    _write(ax, TITLES, line.y, f"{verdict.claim.number}", size=8.5, weight="bold", ha="right")
    title = verdict.claim.title
    _write(ax, TEXTS, line.y, title, size=8.5, weight="bold", bbox=OPAQUE)
    word = f"{SYMBOLS[outcome]} {outcome}"
    _write(ax, EFFECTS, line.y, word, color=OUTCOME_COLOURS[outcome], size=8.5, weight="bold")
    told = [f"{name} {SYMBOLS[found.outcome]}" for name, found in verdict.beside.items()]
    _write(ax, BESIDE, line.y, ", ".join(told), color=QUIET, ha="right")


def _comparison(ax: Axes, line: _Line, comparison: Comparison) -> None:
    y, verdict = line.y, line.verdict
    _write(ax, TEXTS, y, comparison.label, color="#4D4D4D")
    _write(ax, EFFECTS, y, in_points(comparison))
    _write(ax, SEEDS, y, _seeds(comparison), color=QUIET)
    _band(ax, y, comparison)
    for found in verdict.beside.values():
        for other in found.deciding:
            if other.key == comparison.key:
                _effect(ax, y + BELOW, other, pale=True)
    _effect(ax, y - 0.04, comparison)
    for effect in verdict.claim.paper().get(comparison.key, {}).values():
        ax.plot(
            100 * effect, y + ABOVE, "o", markersize=4.0, markerfacecolor="white",
            markeredgecolor=INK, markeredgewidth=0.9, zorder=4, label="_theirs",
        )  # fmt: skip


def _band(ax: Axes, y: float, comparison: Comparison) -> None:
    low, high = np.clip(comparison.rule.holds, *LIMITS)
    ax.fill_between(
        [100 * low, 100 * high],
        y - 0.48,
        y + 0.48,
        color=HOLDS,
        linewidth=0,
        zorder=1,
        label="_holds",
    )


def _effect(ax: Axes, y: float, comparison: Comparison, pale: bool = False) -> None:
    interval, outcome = comparison.effect.interval, comparison.outcome
    style = {"color": OUTCOME_COLOURS[outcome], "alpha": PALE if pale else 1.0}
    ends = np.clip([interval.low, interval.high], *LIMITS)
    if not np.isnan(ends).any():
        ax.hlines(y, *(100 * ends), linewidth=1.0 if pale else 1.7, zorder=3, **style)
        beyond = {"<": interval.low < LIMITS[0], ">": interval.high > LIMITS[1]}
        for end, arrow in zip(ends, beyond, strict=True):
            if beyond[arrow]:
                ax.plot(100 * end, y, arrow, markersize=3.0 if pale else 4.5, zorder=3.2,
                        markeredgewidth=0, clip_on=False, label="_beyond", **style)  # fmt: skip
    inside = LIMITS[0] <= interval.value <= LIMITS[1]
    marker = OUTCOME_MARKERS[outcome] if inside else (">" if interval.value > 0 else "<")
    size = {"X": 8.0, "D": 5.4}.get(marker, 6.6) * (0.65 if pale else 1)
    ax.plot(
        100 * np.clip(interval.value, *LIMITS), y, marker, markersize=size, zorder=3.5,
        markeredgecolor="white", markeredgewidth=0.5, clip_on=False, label="_here", **style,
    )  # fmt: skip


def _seeds(comparison: Comparison) -> str:
    effect = comparison.effect
    return f"{effect.seeds_in(comparison.rule.holds)} of {len(effect.by_seed)} seeds"


def _write(ax: Axes, points: float, y: float, text: str, **style: Any) -> None:
    """Text beside the axes, so many points from their left edge, or, if positive, the right one."""
    given = {"va": "center", "ha": "left", "size": 7.8, "color": INK} | style
    ax.annotate(
        text, (0 if points < 0 else 1, y), (points, 0), ax.get_yaxis_transform(), "offset points",
        annotation_clip=False, **given,
    )  # fmt: skip


def _legend(ax: Axes) -> Axes:
    handles = [
        Line2D([], [], color=OUTCOME_COLOURS[outcome], marker=OUTCOME_MARKERS[outcome],
               markersize=6, markeredgecolor="white", linewidth=1.6, label=outcome)
        for outcome in (REPRODUCED, NOT_REPRODUCED, UNDECIDED)
    ]  # fmt: skip
    handles.append(Line2D([], [], color="none", marker="o", markersize=4.5, markerfacecolor="white",
                          markeredgecolor=INK, label="the authors', one per data set"))  # fmt: skip
    handles.append(Line2D([], [], color=OUTCOME_COLOURS[UNDECIDED], alpha=PALE, marker="o",
                          markersize=4.2, markeredgecolor="white", linewidth=1.0,
                          label="the other regime"))  # fmt: skip
    handles.append(Patch(color=HOLDS, label="where the claim holds"))
    ax.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.3, 1.0), ncols=6,
              columnspacing=1.6)  # fmt: skip
    return ax
