"""The answer to one video: what it shows, which clips said so, and what that took."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from condi_lib.sampling import Policy
from condi_lib.selective.decoding import Facts
from condi_lib.selective.logits import LogitsByClip
from condi_lib.selective.open_video import OpenVideo

DIGITS = 6  # of numbers in JSON


@dataclass(frozen=True, eq=False)
class Prediction:
    """What selective inference says of one video.

    Attributes:
        video: The file, as it was named.
        classes: Class names, in the order of ``probs``.
        probs: Video-level probabilities, float64 ``[C]``.
        clips: One row per clip, in order: ``clip_index, start_frame, start_sec`` (NaN where the
            rate is unknown); ``confidence`` (z̃, the probability that the teacher is right; NaN
            without a student) and ``score`` (by which clips are ranked; NaN where none is);
            ``student_class, student_prob, teacher_class, teacher_prob`` (top class and its
            probability; None and NaN where that network did not look); ``student_weight,
            teacher_weight`` (in the answer; they sum to 1 over the video);
            ``answer_student_prob, answer_teacher_prob`` (what each says of the video's answer);
            ``damaged`` (it could not be shown to a network).
        policy: How clips were shared between the networks.
        n_frames: Frames of the video; None where damage hides the end.
        damaged_frames: Frames that could not be used, with those that refer to them.
        fps: Frames per second; None if unknown.
        seconds: ``total`` from the first look into the file to the answer; in it ``decode`` (the
            decoder's work, which runs beside the networks), ``student``, ``teacher`` (their share
            of the batches that this video was part of).
        n_teacher: Clips on which the teacher ran.
        n_student: Clips on which the student ran.
        dense_sec: What it would have taken to show the teacher every clip: its measured time per
            clip, and decoding; None as long as the teacher has not run.
        gmacs: Billions of multiply-accumulates that were spent; NaN where a network's cannot be
            counted.
        dense_gmacs: And those of the teacher on all clips.
        stopped_at_frame: Where damage ended the reading, what lies behind is unknown; else None.
    """

    video: str
    classes: tuple[str, ...]
    probs: NDArray[np.float64]
    clips: pd.DataFrame
    policy: Policy
    n_frames: int | None
    damaged_frames: int
    fps: float | None
    seconds: dict[str, float]
    n_teacher: int
    n_student: int
    dense_sec: float | None
    gmacs: float
    dense_gmacs: float
    stopped_at_frame: int | None = None

    @property
    def label(self) -> str:
        """The most probable class; of equal ones the first."""
        return self.classes[int(self.probs.argmax())]

    def top(self, k: int = 5) -> list[tuple[str, float]]:
        """Return the ``k`` most probable classes with their probabilities, best first."""
        best = np.argsort(-self.probs, kind="stable")[:k]
        return [(self.classes[i], float(self.probs[i])) for i in best]

    def as_dict(self, k: int = 5) -> dict[str, Any]:
        """Return plain values for JSON: numbers rounded, NaN as None.

        Args:
            k: How many of the most probable classes.
        """
        return {
            "video": self.video,
            "label": self.label,
            "top": [{"class": name, "prob": _plain(prob)} for name, prob in self.top(k)],
            "policy": str(self.policy),
            "n_clips": len(self.clips),
            "n_teacher": self.n_teacher,
            "n_student": self.n_student,
            "n_frames": self.n_frames,
            "damaged_frames": self.damaged_frames,
            "stopped_at_frame": self.stopped_at_frame,
            "fps": _plain(self.fps),
            "seconds": {name: _plain(value) for name, value in self.seconds.items()},
            "dense_sec": _plain(self.dense_sec),
            "gmacs": _plain(self.gmacs),
            "dense_gmacs": _plain(self.dense_gmacs),
            "clips": [
                {name: _plain(value) for name, value in row.items()}
                for row in self.clips.to_dict("records")
            ],
        }


@dataclass(frozen=True)
class Rates:
    """What a clip costs each network.

    Attributes:
        teacher_gmacs: Billions of multiply-accumulates; NaN if they cannot be counted.
        student_gmacs: The same.
        teacher_sec: Measured so far; None before the teacher has run.
    """

    teacher_gmacs: float
    student_gmacs: float
    teacher_sec: float | None


def conclude(
    video: OpenVideo, facts: Facts, classes: tuple[str, ...], clip_frames: int, rates: Rates
) -> Prediction:
    """Make the answer of a video that both networks have seen as far as its policy wants.

    Args:
        video: What was said of it.
        facts: What its file said.
        classes: Class names.
        clip_frames: Frames that a clip spans.
        rates: What a clip costs.
    """
    view, queue = video.view(), video.queue()
    n_seen = torch.tensor([video.progress()[1]])
    probs = video.policy.probabilities(view, queue, n_seen)[0].double().numpy()
    weights = [share[0].numpy() for share in video.policy.weights(view, queue, n_seen)]
    n_teacher, n_student = len(video.teacher), len(video.student)
    seconds = {"total": time.perf_counter() - facts.started, "decode": facts.decode_sec}
    seconds |= {name: video.seconds.get(name, 0.0) for name in ("student", "teacher")}
    student_gmacs = rates.student_gmacs * n_student if n_student else 0.0
    dense_sec = rates.teacher_sec
    return Prediction(
        video=video.name,
        classes=classes,
        probs=probs,
        clips=_clip_rows(video, facts.fps, clip_frames, classes, int(probs.argmax()), weights),
        policy=video.policy,
        n_frames=facts.n_frames,
        damaged_frames=facts.damaged_frames,
        fps=facts.fps,
        seconds=seconds,
        n_teacher=n_teacher,
        n_student=n_student,
        dense_sec=None if dense_sec is None else dense_sec * video.n_clips + facts.decode_sec,
        gmacs=rates.teacher_gmacs * n_teacher + student_gmacs,
        dense_gmacs=rates.teacher_gmacs * video.n_clips,
        stopped_at_frame=facts.stopped_at_frame,
    )


def _clip_rows(
    video: OpenVideo,
    fps: float | None,
    clip_frames: int,
    classes: tuple[str, ...],
    answer: int,
    weights: Sequence[NDArray[np.float64]],
) -> pd.DataFrame:
    index = np.arange(video.n_clips)
    start = index * clip_frames
    columns: dict[str, Any] = {
        "clip_index": index,
        "start_frame": start,
        "start_sec": start / fps if fps else np.full(len(index), np.nan),
        "confidence": [video.confidence.get(clip, math.nan) for clip in index.tolist()],
        "score": [video.score.get(clip, math.nan) for clip in index.tolist()],
    }
    for name, said in (("student", video.student), ("teacher", video.teacher)):
        columns |= _said(name, said, video.n_clips, classes, answer)
    columns |= {"teacher_weight": weights[0], "student_weight": weights[1]}
    columns["damaged"] = [clip in video.damaged for clip in index.tolist()]
    return pd.DataFrame(columns)


def _said(
    name: str, said: LogitsByClip, n_clips: int, classes: tuple[str, ...], answer: int
) -> dict[str, Any]:
    """A network's top class, its probability, and that of the answer, by clip."""
    clips = sorted(said.clips)
    probs = said.of(clips).double().softmax(dim=1).numpy()
    top = np.full(n_clips, None, dtype=object)
    prob, of_answer = np.full((2, n_clips), np.nan)
    if clips:
        top[clips] = [classes[best] for best in probs.argmax(axis=1)]
        prob[clips], of_answer[clips] = probs.max(axis=1), probs[:, answer]
    return {f"{name}_class": top, f"{name}_prob": prob, f"answer_{name}_prob": of_answer}


def _plain(value: Any) -> Any:
    """A value as JSON knows it."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return round(value, DIGITS) if math.isfinite(value) else None
    return value
