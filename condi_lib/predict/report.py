"""Say what was predicted: for people, as a line of JSON, and as a picture."""

import json
import warnings
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from condi_lib.plotting import prediction_timeline, thumbnail_clips, use_style
from condi_lib.plotting.prediction_text import readable, time_told
from condi_lib.plotting.timeline import TIMELINE_INCHES
from condi_lib.predict.files import save_picture
from condi_lib.selective import Prediction
from condi_lib.videos.clip_stream import ClipStream
from condi_lib.videos.clips import ClipGrid
from condi_lib.videos.cursor import FrameCursor
from condi_lib.videos.decode import VideoError
from condi_lib.videos.orientation import orientation_of

MOST_ROWS = 20
SHORT_SIDE_PX, LONGEST_PX = 160, 320  # of thumbnails


def json_line(prediction: Prediction, top: int = 5) -> str:
    """One line of strict JSON: see :meth:`Prediction.as_dict`."""
    return json.dumps(prediction.as_dict(top), allow_nan=False)


def error_line(video: str, error: VideoError) -> str:
    """One line of JSON with ``video`` and ``error``, where there is no prediction."""
    return json.dumps({"video": video, "error": str(error)})


def report(prediction: Prediction, top: int = 5) -> str:
    """The prediction for people: classes, which clips count and why, time, damage."""
    best = [f"{_percent(prob):>9}  {readable(name)}" for name, prob in prediction.top(top)]
    lines = [prediction.video, *best, *_clips_told(prediction), f"time: {time_told(prediction)}"]
    if np.isfinite(prediction.gmacs) and prediction.dense_gmacs:  # else they cannot be counted
        share = _percent(prediction.gmacs / prediction.dense_gmacs)
        lines.append(f"arithmetic: {prediction.gmacs:.3g} GMAC, {share} of dense")
    if prediction.damaged_frames:
        left_out, end = prediction.clips["damaged"].sum(), prediction.stopped_at_frame
        lost = "" if end is None else f"; everything from frame {end} on is lost"
        lines.append(
            f"damaged: {prediction.damaged_frames} frames, {left_out} clips left out{lost}"
        )
    return "\n".join(lines)


def _clips_told(prediction: Prediction) -> list[str]:
    """How clips were chosen, and a table of those that count, by falling weight."""
    clips = prediction.clips
    counted = clips.assign(
        weight=clips["teacher_weight"] + clips["student_weight"],
        rank=clips["score"].rank(ascending=False, method="first"),
    )
    counted = counted[counted["weight"] > 0].sort_values("weight", ascending=False, kind="stable")
    saw = f"the teacher saw {prediction.n_teacher} of {len(clips)}"
    saw += f", the student {prediction.n_student}" if prediction.n_student else ""
    lines = [f"clips: {prediction.policy}; {saw}", _head(prediction)]
    lines += [_row(clip) for _, clip in counted.head(MOST_ROWS).iterrows()]
    if rest := counted["weight"].iloc[MOST_ROWS:].tolist():
        lines.append(f"{'':>6}and {len(rest)} more, {_percent(sum(rest))} of the weight together")
    return lines


def _head(prediction: Prediction) -> str:
    ranking = prediction.policy.ranking
    # z̃ is two characters, of which one takes no room.
    score = f"{'z̃':>9}" if ranking is None or ranking.name == "confidence" else f"{'score':>8}"
    says = f"{'teacher':<28}student (in brackets: not counted)"
    return f"{'clip':>6}{'from':>10}{score}{'rank':>6}{'weight':>9}  {says}"


def _row(clip: pd.Series) -> str:
    known = np.isfinite(clip["start_sec"])
    start = f"{clip['start_sec']:.2f} s" if known else f"frame {clip['start_frame']}"
    score = clip["score"] if np.isfinite(clip["score"]) else clip["confidence"]
    rank = f"{clip['rank']:.0f}" if np.isfinite(clip["rank"]) else ""
    says = [_says(clip, name) for name in ("teacher", "student")]
    return (
        f"{clip['clip_index']:>6}{start:>10}{_number(score):>8}{rank:>6}"
        f"{_percent(clip['weight']):>9}  {says[0]:<28}{says[1]}"
    ).rstrip()


def _says(clip: pd.Series, network: str) -> str:
    """A network's top class of a clip; in brackets where it does not count."""
    if not isinstance(clip[f"{network}_class"], str):
        return ""
    told = f"{readable(clip[f'{network}_class'])} {100 * clip[f'{network}_prob']:.0f} %"
    return told if clip[f"{network}_weight"] > 0 else f"({told})"


def _number(value: float) -> str:
    return f"{value:.3f}" if np.isfinite(value) else ""


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def save_timeline(prediction: Prediction, video: Path, picture: Path) -> None:
    """Draw a prediction over time, with thumbnails from the video's file."""
    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # of a file's name, shown as an empty box
        use_style()
        figure = Figure(TIMELINE_INCHES)
        prediction_timeline(figure, prediction, read_thumbnails(video, prediction))
        save_picture(figure, picture)


def read_thumbnails(video: Path, prediction: Prediction) -> dict[int, NDArray[np.uint8] | None]:
    """Return the middle frame of some clips, by the clip's number; None where it is damaged."""
    starts = prediction.clips["start_frame"].to_numpy()
    ends = np.append(starts[1:], prediction.n_frames or starts[-1] + 1)
    chosen = thumbnail_clips(len(starts))
    middle = ((starts + ends - 1) // 2)[chosen].tolist()
    with ClipStream(video, ClipGrid(1), _thumbnail_size(video)) as stream:  # clips of one frame
        frames = stream.read(middle)
    return {c: f if f is None else f[0] for c, f in zip(chosen, frames, strict=True)}


def _thumbnail_size(video: Path) -> tuple[int, int]:
    with FrameCursor(video, past_damage=True) as cursor:
        first = cursor.first
    height, width = orientation_of(first).swap((first.height, first.width))
    scale = min(SHORT_SIDE_PX / min(height, width), LONGEST_PX / max(height, width))
    return max(round(scale * height), 1), max(round(scale * width), 1)
