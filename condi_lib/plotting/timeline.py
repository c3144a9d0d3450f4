"""One video's prediction over time: what it shows, who was asked where, z̃, and what they said.

Four panels share the time axis: thumbnails; a lane for the teacher and one for the student, filled
where their predictions count; z̃ (or whatever ranked the clips); and the probability of the video's
answer, clip by clip. Nothing is told by colour alone, and long videos get lines instead of bars.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator, MultipleLocator
from numpy.typing import NDArray

from condi_lib.plotting.curves import percent_axis
from condi_lib.plotting.prediction_text import headline, looks_told, readable, time_told
from condi_lib.plotting.style import INK, QUIET
from condi_lib.selective import Prediction

Thumbnails = Mapping[int, NDArray[np.uint8] | None]
Box = tuple[float, float, float, float]  # left, right, bottom, top

TIMELINE_INCHES = (10.2, 5.8)
MOST_THUMBNAILS = 18
MOST_BARS = 150  # more clips than that become a line
BAR_GAP = 0.14  # between bars, of a clip's width
MOST_MARKERS = 300

TEACHER, STUDENT, NEITHER, DAMAGED = "#0072B2", "#D55E00", "#C9C9C9", "#8F8F8F"
_FILL = {
    "teacher": {"facecolor": TEACHER, "edgecolor": TEACHER},
    "student": {"facecolor": (STUDENT, 0.5), "edgecolor": STUDENT, "hatch": "////"},
    "neither": {"facecolor": NEITHER, "edgecolor": NEITHER},
}
_OUTLINE = {
    "teacher": {"edgecolor": TEACHER, "linewidth": 2.4},
    "student": {"edgecolor": STUDENT, "linewidth": 1.6, "linestyle": (0, (2, 1))},
    "neither": {"edgecolor": NEITHER, "linewidth": 0.8},
}
_TALLEST_INCHES, _NUMBER_INCHES, _LANES_INCHES = 1.0, 0.2, 0.42
_ENTROPY, _LOGIT = "student_negative_entropy", "student_max_logit"
_RANKED_BY = {_ENTROPY: "minus the student's entropy (nats)", _LOGIT: "the student's largest logit"}
_SMALL = {"fontsize": 9, "fontweight": "normal", "pad": 4, "parse_math": False}


class _Scale(NamedTuple):
    """Where clips begin and end, ``[N]`` each, and what that is measured in."""

    start: NDArray[np.float64]
    end: NDArray[np.float64]
    label: str

    @property
    def centre(self) -> NDArray[np.float64]:
        return (self.start + self.end) / 2


def thumbnail_clips(n_clips: int, most: int = MOST_THUMBNAILS) -> list[int]:
    """Return which clips to show: all, or the middle ones of ``most`` equal parts of the video."""
    shown = min(n_clips, most)
    return ((np.arange(shown) + 0.5) * n_clips / max(shown, 1)).astype(int).tolist()


def prediction_timeline(figure: Figure, prediction: Prediction, thumbnails: Thumbnails) -> Figure:
    """Draw a video's prediction along its time.

    Blue is where the teacher's prediction counts, hatched orange where only the student's does,
    grey where neither; clips with damaged frames are crossed out. The lowest panel is the
    probability of the video's answer: a line for the student, diamonds for the teacher, dashed the
    whole video's. Time is in seconds, or in frames where the frame rate is not known.

    Args:
        figure: Where to draw, empty; legible at ``TIMELINE_INCHES``.
        prediction: What to draw.
        thumbnails: By the number of the clip, uint8 ``[H, W, 3]``, or None where the frame is
            damaged; ``thumbnail_clips`` says of which clips.

    Returns:
        The same ``figure``.

    Raises:
        ValueError: If a thumbnail is of a clip that the video does not have.
    """
    n_clips = len(prediction.clips)
    if strangers := sorted(set(thumbnails) - set(range(n_clips))):
        raise ValueError(f"thumbnails of clips {strangers}, but the video has {n_clips} clips")
    scale, used = _scale(prediction), _used(prediction)
    pictures, lanes, ranks, trace = _panels(figure, thumbnails)
    _lanes(lanes, prediction, scale)
    _ranks(ranks, prediction, scale, used)
    _trace(trace, prediction, scale)
    for ax in (ranks, trace):
        _cross_out_damage(ax, prediction, scale)
    _time_axis(trace, scale)
    pictures.set_axis_off()
    told = f"{looks_told(prediction)}\n{time_told(prediction)}"
    pictures.set_title(told, fontsize=8.5, fontweight="normal", linespacing=1.4)
    title = figure.suptitle(headline(prediction), ha="left", parse_math=False)
    figure.draw_without_rendering()  # the layout decides how large the axes are
    title.set_x(pictures.get_position().x0)
    _thumbnails(pictures, thumbnails, used)
    return figure


def _panels(figure: Figure, thumbnails: Thumbnails) -> list[Axes]:
    """Four axes above each other; the first as high as thumbnails of a slot's width need."""
    slot = 0.9 * figure.get_figwidth() / max(len(thumbnails), 1)
    pictures = _NUMBER_INCHES + min(_TALLEST_INCHES, 0.9 * slot * _height_over_width(thumbnails))
    titles = 2.0  # inches of all that stands between and around the axes
    rest = max(figure.get_figheight() - pictures - _LANES_INCHES - titles, 1.0)
    heights = [pictures, _LANES_INCHES, 0.4 * rest, 0.6 * rest]
    axes = figure.subplots(4, 1, sharex=True, height_ratios=heights)
    figure.align_ylabels(axes[2:])
    return list(axes)


def _height_over_width(thumbnails: Thumbnails) -> float:
    frames = (frame for frame in thumbnails.values() if frame is not None)
    return next((frame.shape[0] / frame.shape[1] for frame in frames), 9 / 16)


def _scale(prediction: Prediction) -> _Scale:
    """Clips in seconds where all their times are known, else in frames."""
    clips, n_frames = prediction.clips, prediction.n_frames
    seconds = clips["start_sec"].to_numpy(float)
    timed = bool(prediction.fps) and bool(np.isfinite(seconds).all())
    start = seconds if timed else clips["start_frame"].to_numpy(float)
    last = start[-1] + (np.median(np.diff(start)) if len(start) > 1 else 1.0)
    if n_frames is not None:
        stop = start[0] + n_frames / prediction.fps if timed else float(n_frames)
        last = stop if stop > start[-1] else last
    return _Scale(start, np.append(start[1:], last), "time (s)" if timed else "frame")


def _used(prediction: Prediction) -> NDArray[np.str_]:
    """Whose prediction of each clip counts, ``[N]``; the teacher's where both do."""
    teacher = prediction.clips["teacher_weight"].to_numpy(float) > 0
    student = prediction.clips["student_weight"].to_numpy(float) > 0
    return np.where(teacher, "teacher", np.where(student, "student", "neither"))


def _lanes(ax: Axes, prediction: Prediction, scale: _Scale) -> None:
    names = ("student", "teacher")
    for y, name in enumerate(names):
        chosen = prediction.clips[f"{name}_weight"].to_numpy(float) > 0
        few = len(chosen) <= MOST_BARS
        pieces = [(clip, clip) for clip in np.flatnonzero(chosen)] if few else _runs(chosen)
        for first, last in pieces:
            left, right = scale.start[first], scale.end[last]
            gap = BAR_GAP / 2 * (right - left) if few else 0.0
            ax.add_patch(Rectangle((left + gap, y - 0.36), right - left - 2 * gap, 0.72,
                                   linewidth=0.9, gid=name, **_FILL[name]))  # fmt: skip
    ax.set_ylim(-0.5, len(names) - 0.5)
    ax.set_yticks(range(len(names)), names)
    ax.set_title("whose predictions count", **_SMALL)
    ax.spines[["left", "bottom"]].set_visible(False)
    ax.grid(False)
    ax.tick_params(axis="x", bottom=False)


def _runs(chosen: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and last of each run of neighbours that are chosen."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], chosen.astype(np.int8), [0]])))
    return [(int(first), int(after) - 1) for first, after in edges.reshape(-1, 2)]


def _ranks(ax: Axes, prediction: Prediction, scale: _Scale, used: NDArray[np.str_]) -> None:
    """Draw what ranked the clips, or z̃ where nothing did and the student gives it."""
    values = prediction.clips["score"].to_numpy(float)
    ranking = prediction.policy.ranking
    name = None if ranking is None else _RANKED_BY.get(ranking.name)
    if name is None or not np.isfinite(values).any():
        values, name = prediction.clips["confidence"].to_numpy(float), None
    known = values[np.isfinite(values)]
    if not len(known):
        ax.text(0.5, 0.5, "no student ran: clips have no z̃", transform=ax.transAxes, ha="center",
                va="center", color=QUIET, backgroundcolor="white", zorder=3)  # fmt: skip
        ax.set_yticks([])
        return
    low, high = (0.0, 1.0) if name is None else _with_margin(known)
    draw = _bars if len(values) <= MOST_BARS else _steps
    draw(ax, values, low, scale, used)
    ax.set_ylim(low, high)
    ax.set_ylabel("z̃" if name is None else "score")
    told = "z̃, the student's confidence that the teacher is right" if name is None else name
    ax.set_title(told, **_SMALL)


def _with_margin(values: NDArray[np.float64]) -> tuple[float, float]:
    margin = 0.1 * (float(np.ptp(values)) or 1.0)
    return float(values.min()) - margin, float(values.max()) + margin


def _bars(
    ax: Axes, values: NDArray[np.float64], low: float, scale: _Scale, used: NDArray[np.str_]
) -> None:
    width = (1 - BAR_GAP) * (scale.end - scale.start)
    for name, fill in _FILL.items():
        here = used == name
        ax.bar(scale.centre[here], (values - low)[here], width[here], bottom=low, linewidth=0,
               label=name, **fill)  # fmt: skip


def _steps(
    ax: Axes, values: NDArray[np.float64], low: float, scale: _Scale, used: NDArray[np.str_]
) -> None:
    edges = np.append(scale.start, scale.end[-1])
    ax.stairs(values, edges, baseline=low, fill=True, color=NEITHER, label="all clips")
    kept = used == "teacher"
    if kept.sum() <= MOST_MARKERS:
        ax.plot(scale.centre[kept], values[kept], linestyle="none", marker="D", markersize=4,
                color=TEACHER, label="teacher", clip_on=False)  # fmt: skip


def _trace(ax: Axes, prediction: Prediction, scale: _Scale) -> None:
    answer, probability = prediction.top(1)[0]
    _student_line(ax, prediction.clips["answer_student_prob"].to_numpy(float), scale)
    _teacher_marks(ax, prediction.clips["answer_teacher_prob"].to_numpy(float), scale)
    ax.axhline(probability, color=INK, linewidth=1.0, linestyle=(0, (4, 2)), zorder=1.5,
               label=f"whole video: {100 * probability:.0f} %")  # fmt: skip
    ax.set_ylim(-0.03, 1.03)
    percent_axis(ax, "probability")
    ax.set_title(f"probability of “{readable(answer)}”, clip by clip", **_SMALL)
    ax.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3, borderaxespad=0.2, borderpad=0)


def _student_line(ax: Axes, values: NDArray[np.float64], scale: _Scale) -> None:
    if not np.isfinite(values).any():
        return
    few = len(values) <= MOST_BARS
    width, alpha, marker = (1.5, 1.0, "o") if few else (0.5, 0.7, "")
    ax.plot(scale.centre, values, color=STUDENT, linewidth=width, alpha=alpha, marker=marker,
            markersize=3.5, label="student")  # fmt: skip


def _teacher_marks(ax: Axes, values: NDArray[np.float64], scale: _Scale) -> None:
    looked = np.isfinite(values)
    if looked.sum() > MOST_MARKERS:
        ax.plot(scale.centre, values, color=TEACHER, linewidth=0.6, linestyle=(0, (3, 1)),
                label="teacher")  # fmt: skip
    elif looked.any():
        ax.plot(scale.centre[looked], values[looked], color=TEACHER, linestyle="none", marker="D",
                markersize=6.5 if looked.sum() <= 40 else 4, markeredgecolor="white",
                markeredgewidth=0.5, label="teacher", zorder=3, clip_on=False)  # fmt: skip


def _cross_out_damage(ax: Axes, prediction: Prediction, scale: _Scale) -> None:
    for first, last in _runs(prediction.clips["damaged"].to_numpy(bool)):
        ax.axvspan(scale.start[first], scale.end[last], facecolor="none", edgecolor=DAMAGED,
                   hatch="xxx", linewidth=0, gid="damaged", zorder=2.5)  # fmt: skip


def _time_axis(ax: Axes, scale: _Scale) -> None:
    """Ticks at round numbers; of seconds that are many, at whole minutes."""
    first, last = float(scale.start[0]), float(scale.end[-1])
    ax.set_xlim(first, last)
    ax.set_xlabel(scale.label)
    in_frames, most_ticks = scale.label == "frame", 12
    ax.xaxis.set_major_locator(MaxNLocator(most_ticks, steps=[1, 2, 5, 10], integer=in_frames))
    if not in_frames and last - first > 300:
        steps = (60 * minutes for minutes in (1, 2, 5, 10, 20, 30, 60, 120, 240, 720))
        step = next((s for s in steps if last - first <= most_ticks * s), None)
        if step:
            ax.xaxis.set_major_locator(MultipleLocator(step))


def _thumbnails(ax: Axes, thumbnails: Thumbnails, used: NDArray[np.str_]) -> None:
    """Place pictures over equal parts of the video, each with its clip's number below."""
    ax.set(ylim=(0, 1), autoscale_on=False)
    width, height = ax.bbox.size / ax.get_figure(root=True).dpi
    left, right = ax.get_xlim()
    shape, unit = _height_over_width(thumbnails), (right - left) / width  # x per inch
    slot = width / max(len(thumbnails), 1)
    tall = min(height - _NUMBER_INCHES, 0.9 * slot * shape)
    for place, (clip, frame) in enumerate(sorted(thumbnails.items())):
        middle, half = left + (place + 0.5) * slot * unit, tall / shape * unit / 2
        box = (middle - half, middle + half, 1 - tall / height, 1.0)
        _picture(ax, frame, box)
        _outline(ax, box, used[clip])
        ax.text(middle, box[2] - 0.04 / height, f"clip {clip}" if place == 0 else str(clip),
                ha="center", va="top", fontsize=7.5, color=QUIET)  # fmt: skip


def _picture(ax: Axes, frame: NDArray[np.uint8] | None, box: Box) -> None:
    left, right, bottom, top = box
    if frame is not None:
        ax.imshow(frame, extent=box, aspect="auto", interpolation="lanczos")
        return
    ax.add_patch(Rectangle((left, bottom), right - left, top - bottom, facecolor="#DDDDDD",
                           linewidth=0, gid="damaged"))  # fmt: skip
    ax.text((left + right) / 2, (bottom + top) / 2, "damaged", ha="center", va="center",
            fontsize=6.5, color=INK)  # fmt: skip


def _outline(ax: Axes, box: Box, used: str) -> None:
    left, right, bottom, top = box
    ax.add_patch(Rectangle((left, bottom), right - left, top - bottom, fill=False, clip_on=False,
                           gid=f"outline {used}", zorder=3, **_OUTLINE[used]))  # fmt: skip
