"""A video clip by clip as HTML: a line of time, and a tile for each clip that can be chosen.

The same for a video of a clip table and for one of the reader's own: rows are those of
``SplitAnswers.clips`` or of ``Prediction.clips``; what a table lacks is left out.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from condi_lib.explore.charts import RIGHT, WRONG, colour_of, nothing, readable
from condi_lib.explore.svg import FAINT, QUIET, box, escaped, line, picture, share, tag, words
from condi_lib.plotting.style import TRUTH_COLOURS
from condi_lib.plotting.timeline import STUDENT, TEACHER

TILES = 24  # on one page of a long video
TIME = 840  # width of the time line
DASHES = {"confuser": "7 3", "generic": "2 3"}
BORDERS = {"key": "solid", "confuser": "dashed", "generic": "dotted"}
STYLE = """
.condi-explorer .widget-html-content {line-height: 1.45}
.condi-explorer p {margin: 4px 0}
.condi-strip {display: grid; grid-template-columns: repeat(auto-fill, minmax(124px, 1fr)); gap: 6px}
.condi-tile {font: 12px/1.35 var(--jp-ui-font-family, sans-serif); padding: 3px; text-align: left;
  color: var(--jp-ui-font-color1, #212121); background: var(--jp-layout-color2, #eee);
  border: 1px solid transparent; border-radius: 4px; cursor: pointer; min-width: 0;
  display: flex; flex-direction: column; justify-content: flex-start; align-items: stretch}
.condi-tile img, .condi-tile .condi-lost {display: block; width: 100%; box-sizing: border-box;
  border: 3px solid transparent; min-height: 40px}
.condi-tile .condi-lost {padding: 8px 2px; text-align: center}
.condi-tile div {white-space: nowrap; overflow: hidden; text-overflow: ellipsis}
.condi-tile[aria-pressed=true] {border-color: var(--jp-ui-font-color1, #212121)}
.condi-tab {float: right; color: #fff; padding: 0 4px; border-radius: 3px; font-weight: bold}
.condi-bar {display: inline-block; width: 38%; height: 7px; vertical-align: middle;
  background: var(--jp-border-color1, #bdbdbd); margin-right: 4px}
.condi-bar i {display: block; height: 100%}
.condi-quiet {color: var(--jp-ui-font-color2, #616161)}
.condi-tile .condi-quiet {color: inherit}
[data-key]:focus-visible {outline: 3px solid #0072B2; outline-offset: 1px}
"""


def kept_by(clip: Mapping[str, object]) -> list[str]:
    """Whose prediction of a clip counts in the answer: ``teacher``, ``student``, both or none."""
    return [name for name in ("teacher", "student") if clip.get(f"{name}_weight", 0) > 0]


def filmstrip(
    clips: pd.DataFrame,
    pictures: Mapping[int, str],
    score_name: str,
    chosen: int | None = None,
    first: int = 0,
) -> str:
    """Return the tiles of a page of clips; each can be chosen as ``clip-7``, by its row's label.

    Args:
        clips: One row per clip.
        pictures: By the row's label, an address of the clip's picture; those without one say so.
        score_name: What ranks the clips (column ``score``).
        chosen: The row that is marked.
        first: With which the page begins.
    """
    shown = clips.iloc[first : first + TILES]
    tiles = [
        _tile(row, clip, pictures.get(row), score_name, row == chosen)
        for row, clip in shown.to_dict("index").items()
    ]
    return tag("div", *tiles, class_="condi-strip", role="group", aria_label="clips")


def _tile(
    row: int, clip: Mapping[str, object], source: str | None, score_name: str, chosen: bool
) -> str:
    truth = clip.get("truth")
    frame = f"border: 3px {BORDERS.get(truth, 'solid')} {TRUTH_COLOURS.get(truth, 'transparent')}"
    image = tag("div", "no picture", class_="condi-lost", style=frame)
    if source is not None:
        image = f'<img src="{escaped(source)}" alt="" style="{frame}">'
    lines = [_head(clip), image]
    if isinstance(truth, str):
        lines.append(tag("div", tag("b", escaped(truth))))
    lines += [_said(clip, name) for name in ("teacher", "student")]
    lines.append(_score(clip.get("score"), score_name))
    return tag(
        "button", *lines, class_="condi-tile", data_key=f"clip-{row}", type="button",
        aria_pressed=str(chosen).lower(), aria_label=told(clip, score_name),
    )  # fmt: skip


def _head(clip: Mapping[str, object]) -> str:
    kept = kept_by(clip)
    tabs = [
        tag("span", name, class_="condi-tab", style=f"background: {colour}")
        for name, colour in (("student", "#A84300"), ("teacher", TEACHER))
        if name in kept
    ]
    return tag("div", *tabs, tag("span", str(clip["clip_index"] + 1), class_="condi-quiet"))


def _said(clip: Mapping[str, object], network: str) -> str:
    """A network's top class and its probability, the teacher's with its mark."""
    name = clip.get(f"{network}_class")
    if not isinstance(name, str):
        return ""
    mark = _mark(clip) if network == "teacher" else ""
    text = f"{mark}{100 * clip[f'{network}_prob']:.0f} % {readable(name)}"
    quiet = tag("span", f"{network[0].upper()} ", class_="condi-quiet")
    return tag("div", quiet, escaped(text), title=f"{network}: {text}")


def _mark(clip: Mapping[str, object]) -> str:
    if "teacher_right" not in clip:
        return ""
    return f"{RIGHT} " if clip["teacher_right"] else f"{WRONG} "


def _score(value: object, name: str) -> str:
    if value is None or not np.isfinite(value):
        return ""
    fill = tag("i", style=f"width: {100 * value:.0f}%; background: {colour_of('condi_sr')}")
    bar = tag("span", fill, class_="condi-bar") if 0 <= value <= 1 else ""
    return tag("div", bar, f"{value:.2f}", title=f"{name} = {value:.4f}")


def told(clip: Mapping[str, object], score_name: str) -> str:
    """A clip in words, for readers of screens."""
    parts = [f"clip {clip['clip_index'] + 1}"]
    parts += [str(clip["truth"])] if isinstance(clip.get("truth"), str) else []
    parts += [f"used by {' and '.join(kept)}"] if (kept := kept_by(clip)) else ["not used"]
    for network in ("teacher", "student"):
        if isinstance(clip.get(f"{network}_class"), str):
            probability = f"{100 * clip[f'{network}_prob']:.0f} %"
            parts.append(f"{network}: {readable(clip[f'{network}_class'], 40)} {probability}")
    if (value := clip.get("score")) is not None and np.isfinite(value):
        parts.append(f"{score_name} {value:.2f}")
    return ", ".join(parts)


def key_to_strip(clips: pd.DataFrame, score_name: str) -> str:
    """What tiles mean, in a line."""
    parts = ["T: teacher's top class", f"bar and number: {score_name}"]
    if "student_class" in clips:
        parts.insert(1, "S: student's")
    if "teacher_right" in clips:
        parts.insert(0, f"{RIGHT} {WRONG}: teacher right or wrong")
    if "truth" in clips:
        parts.append("frame: key ━, confuser ╍, generic ┈")
    parts.append("click a clip to play it")
    return tag("p", escaped("; ".join(parts)), class_="condi-quiet", style="margin: 4px 0")


def timeline(
    clips: pd.DataFrame, clip_frames: int, fps: float | None, score_name: str, across: int = TIME
) -> str:
    """Draw the score over the video's time, what clips show, and whose predictions count.

    Args:
        clips: One row per clip of the video.
        clip_frames: Frames that a clip spans.
        fps: Frames per second; None: time is told in frames.
        score_name: Of the column ``score``.
        across: Width of the picture; texts keep their size.
    """
    if not len(clips):
        return nothing("the video has no clips")
    left, width = 70, across - 90
    each, n = width / len(clips), len(clips)
    values = clips["score"].to_numpy(float)
    heights = _heights(values)
    parts = [words(left - 6, y, name, text_anchor="end", fill=QUIET)
             for y, name in ((22, "used by"), (62, score_name))]  # fmt: skip
    for place, clip in enumerate(clips.to_dict("records")):
        x = left + place * each
        parts += _used(x, each, kept_by(clip))
        parts.append(box(x + 0.06 * each, 80 - heights[place], 0.88 * each, heights[place],
                         fill=colour_of("condi_sr"), fill_opacity=0.9))  # fmt: skip
        parts += _truth(x, each, clip.get("truth"))
    parts.append(line(left, 80, left + width, 80, stroke=FAINT))
    if "truth" in clips:
        parts.append(words(left - 6, 94, "shows", text_anchor="end", fill=QUIET))
    for place in range(0, n + 1, max(1, -(-n * 64 // across))):
        frame = place * clip_frames
        text = f"{frame / fps:.3g} s" if fps else f"{frame}"
        parts.append(words(left + place * each, 118, text, fill=QUIET, text_anchor="middle"))
    used = {name: int((clips.get(f"{name}_weight", pd.Series([0])) > 0).sum())
            for name in ("teacher", "student")}  # fmt: skip
    label = f"{n} clips over time; used: {used['teacher']} by teacher, {used['student']} by student"
    return picture(across, 124, label, *parts)


def _heights(values: np.ndarray) -> np.ndarray:
    """Heights of bars: of the whole range for a share, else from the least to the greatest."""
    known = values[np.isfinite(values)]
    if not len(known):
        return np.zeros(len(values))
    low, high = float(known.min()), float(known.max())
    if low >= 0 and high <= 1:
        return 44 * np.nan_to_num(values)
    return np.nan_to_num(4 + 40 * (values - low) / ((high - low) or 1.0))


def _used(x: float, width: float, kept: list[str]) -> list[str]:
    """Blocks of the networks whose prediction counts, named by letter; the teacher's above."""
    parts = []
    for name, y, colour in (("teacher", 4, TEACHER), ("student", 17, STUDENT)):
        if name in kept:
            parts.append(box(x + 1, y, width - 2, 12, fill=colour))
            if width > 12:
                parts.append(words(x + width / 2, y + 10, name[0].upper(), text_anchor="middle",
                                   fill="#fff", font_size=10, font_weight="bold"))  # fmt: skip
    return parts


def _truth(x: float, width: float, truth: object) -> list[str]:
    if not isinstance(truth, str):
        return []
    colour = TRUTH_COLOURS.get(truth, "#808080")
    dash = DASHES.get(truth)
    band = line(x + 1, 86, x + width - 1, 86, stroke=colour, stroke_width=4, stroke_dasharray=dash)
    name = truth if width > 48 else truth[0] if width > 9 else ""
    return [band, words(x + width / 2, 99, name, text_anchor="middle", font_size=11)]


def clip_card(
    clip: Mapping[str, object], picture: str | None, clip_frames: int, fps: float | None,
    score_name: str,
) -> str:  # fmt: skip
    """Return one clip in motion, large, and what is known of it in words."""
    first = clip["start_frame"]
    span = f"frames {first} to {first + clip_frames - 1}"
    span += f", {first / fps:.1f} s to {(first + clip_frames) / fps:.1f} s" if fps else ""
    alt = told(clip, score_name)
    size = "width: 200px; max-width: 100%; border-radius: 4px"
    image = tag("p", "no picture") if picture is None else ""
    if picture is not None:
        image = f'<img src="{escaped(picture)}" alt="{escaped(alt)}" style="{size}">'
    said = "".join(tag("li", escaped(part)) for part in alt.split(", ")[1:])
    title = tag("b", f"Clip {clip['clip_index'] + 1}")
    return f"{image}<p>{title}: {span}</p>" + tag("ul", said, style="margin: 0; padding-left: 18px")


def headline(probs: np.ndarray, classes: Sequence[str], label: int, dense: np.ndarray) -> str:
    """Return a video's answer in words: right or wrong, and what dense says instead."""
    answer, whole = int(probs.argmax()), int(dense.argmax())
    mark = f"{RIGHT} right" if answer == label else f"{WRONG} wrong"
    text = f"{mark}: {readable(classes[answer], 40)}, {share(float(probs[answer]))}"
    truth = "" if answer == label else f" (true class: {readable(classes[label], 40)})"
    other = f"{RIGHT if whole == label else WRONG} {readable(classes[whole], 40)}"
    beside = f"dense says {other}, {share(float(dense[whole]))}"
    return tag(
        "div", tag("b", escaped(text), class_="condi-answer", style="font-size: 16px"),
        escaped(truth), tag("div", escaped(beside), class_="condi-quiet"),
        role="status", style="line-height: 1.5",
    )  # fmt: skip
