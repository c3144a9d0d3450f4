"""Predictions made to order, without a network."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from condi_lib.sampling import Policy, Selected
from condi_lib.selective import Prediction

CLASSES = ("bend", "jumping_jack", "walk")


def prediction(
    n_clips: int,
    teacher: Sequence[int],
    student: Sequence[int] = (),
    damaged: Sequence[int] = (),
    fps: float | None = 25.0,
    last_frames: int = 16,
    with_student: bool = True,
    policy: Policy | None = None,
    **fields: object,
) -> Prediction:
    """A video of clips of 16 frames; the answer is ``jumping_jack`` with .72.

    Args:
        n_clips: N. z̃ of clip i is ``(i + 1) / (N + 1)``.
        teacher: Clips whose prediction by the teacher counts.
        student: Those by the student.
        damaged: Those that could not be shown to a network.
        fps: Frames per second.
        last_frames: Of the last clip.
        with_student: Whether the student ran.
        policy: Default: the best clips by z̃.
        fields: Of the prediction, to set otherwise.
    """
    number = np.arange(n_clips)
    shown = ~np.isin(number, damaged)
    looked = np.isin(number, teacher)
    heard = shown & with_student
    z = np.where(heard, (number + 1) / (n_clips + 1), np.nan)
    share = 1 / max(len(teacher) + len(student), 1)
    clips = pd.DataFrame({
        "clip_index": number,
        "start_frame": 16 * number,
        "start_sec": 16 * number / fps if fps else np.full(n_clips, np.nan),
        "confidence": z,
        "score": z,
        "student_class": np.where(heard, "walk", None),
        "student_prob": np.where(heard, 0.6, np.nan),
        "teacher_class": np.where(looked, "jumping_jack", None),
        "teacher_prob": np.where(looked, 0.9, np.nan),
        "student_weight": share * np.isin(number, student),
        "teacher_weight": share * looked,
        "answer_student_prob": np.where(heard, 0.5 * z, np.nan),
        "answer_teacher_prob": np.where(looked, 0.9, np.nan),
        "damaged": ~shown,
    })  # fmt: skip
    made = {
        "video": "videos/jump_12.mp4",
        "classes": CLASSES,
        "probs": np.array([0.1, 0.72, 0.18]),
        "clips": clips,
        "policy": policy or Selected("confidence", max(len(teacher), 1)),
        "n_frames": 16 * (n_clips - 1) + last_frames,
        "damaged_frames": 16 * len(damaged),
        "fps": fps,
        "seconds": {"total": 9.0, "decode": 0.05, "student": 0.08, "teacher": 0.17},
        "n_teacher": int(looked.sum()),
        "n_student": int(heard.sum()),
        "dense_sec": 0.5,
        "gmacs": 1.2,
        "dense_gmacs": 2.0,
    }
    return Prediction(**(made | fields))
