"""Clip tables to explore: random, ragged, with or without what is optional."""

import numpy as np
import pandas as pd

from condi_lib.clip_table import ClipTable

CLASSES = ("bend", "box", "clap & <wave>", "jump")


def explored_table(
    n_videos: int = 30,
    n_clips: int = 7,
    seed: int = 0,
    student: bool = True,
    truth: bool = True,
    classes: tuple[str, ...] = CLASSES,
    ragged: bool = True,
) -> ClipTable:
    """Videos of 1 to ``n_clips`` clips whose logits lean to the label, the student's less."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, n_clips + 1, n_videos) if ragged else np.full(n_videos, n_clips)
    counts[0] = n_clips
    video = np.repeat(np.arange(n_videos), counts)
    index = np.concatenate([np.arange(n) for n in counts])
    label = rng.integers(len(classes), size=n_videos)[video]
    n_rows = len(video)
    right = np.eye(len(classes))[label]
    clips = pd.DataFrame(
        {
            "video_id": [
                f"test/{v:05d}_{classes[c]}.mp4" for v, c in zip(video, label, strict=True)
            ],
            "clip_index": index,
            "start_frame": 16 * index,
            "label": label,
            "split": "test",
        }
    )
    teacher = 2 * rng.normal(size=(n_rows, len(classes))) + 1.2 * right
    logits = None
    if student:
        logits = 2 * rng.normal(size=teacher.shape) + 0.6 * right
        clips["confidence"] = rng.uniform(size=n_rows).astype(np.float32)
    if truth:
        clips["truth"] = rng.choice(["key", "confuser", "generic"], n_rows)
    return ClipTable(clips, classes, teacher.astype(np.float32), logits)
