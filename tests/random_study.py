"""A study that was never trained: random tables of two seeds and two folds, with ragged videos.

It is kept as an exported study is. Oracles in the tests read its arrays, not the library's code.
"""

import functools
import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from tiny_study import tiny

from condi_lib.clip_table import ClipTable, DenseView, write_clip_table
from condi_lib.study import Study, read_study
from condi_lib.study.study import FolderStore

SEEDS, FOLDS, SPLITS = (3, 8), ("one", "fold two"), ("val", "test")
LOSSES = {"condi_sr": {}, "plain": {"loss": "st_ent"}, "saliency": {"loss": "scsampler_ranking"}}
N_CLASSES, N_VIDEOS, LONGEST = 3, 9, 5


def clips_of(fold: str) -> pd.DataFrame:
    """Clips of a fold's videos: 9 to validate and 9 to test, of 1 to 5 clips."""
    rng = np.random.default_rng(FOLDS.index(fold))
    rows = []
    for split, video in itertools.product(SPLITS, range(N_VIDEOS)):
        label, video_id = int(rng.integers(N_CLASSES)), f"{fold}/{split}{video}.mp4"
        for clip in range(int(rng.integers(1, LONGEST + 1))):
            rows.append((video_id, clip, 16 * clip, label, split, "key"))
    columns = ["video_id", "clip_index", "start_frame", "label", "split", "truth"]
    return pd.DataFrame(rows, columns=columns)


@functools.cache
def random_table(name: str, seed: int, fold: str) -> ClipTable:
    """What a network would have scored."""
    clips = clips_of(fold)
    rng = np.random.default_rng([seed, FOLDS.index(fold), *name.encode()])
    logits = rng.normal(0, 2, (len(clips), N_CLASSES)).astype(np.float32)
    role = "teacher_logits" if name == "teacher" else "student_logits"
    if name == "condi_sr":
        clips["confidence"] = rng.uniform(size=len(clips)).astype(np.float32)
    classes = tuple(f"class {c}" for c in range(N_CLASSES))
    return ClipTable(clips, classes, **{role: torch.from_numpy(logits)})


def write_study(folder: Path) -> Study:
    """Write the tables and open the study."""
    for name, seed, fold in itertools.product(("teacher", *LOSSES), SEEDS, FOLDS):
        path = folder / f"{name}-{fold.replace(' ', '_')}-seed{seed}.parquet"
        write_clip_table(random_table(name, seed, fold), path)
    splits = {split: [split] for split in ("teacher_train", "train", "val", "test")}
    source = {"path": "labels.csv", "group_column": "person", "content": "0"}
    fields = tiny(
        **{
            "dataset.pantomime": ...,
            "dataset.catalog": source,
            "folds": dict.fromkeys(FOLDS, splits),
            "seeds": list(SEEDS),
            "losses": LOSSES,
        }
    )
    return Study(read_study(fields), FolderStore(folder), "tiny")


def views(study: Study, student: str, split: str = "test") -> dict[tuple[int, str], DenseView]:
    """The videos of a split, by seed and fold."""
    return {
        (seed, fold): study.table(student, seed, split, fold).dense()
        for seed, fold in itertools.product(SEEDS, FOLDS)
    }
