"""The clip table: one row per clip of every video, with what both networks said about it.

Everything after scoring is a pure function of clip tables, so the teacher never runs twice.
A row per clip makes videos of different lengths natural; ``dense()`` gives padded tensors.
Shapes: R clips (rows), V videos, N clips of the longest video, C classes.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from condi_lib.clip_table.checks import (
    LOGITS_COLUMNS,
    OPTIONAL_COLUMNS,
    ClipTableError,
    checked_classes,
    checked_clips,
    checked_logits,
    clip_order,
    matching_rows,
    refuse_difference,
)
from condi_lib.clip_table.dense_view import DenseView, fold, fold_text


@dataclass(frozen=True, eq=False)
class ClipTable:
    """Clips, classes and logits, checked when made and sorted by video, then clip.

    Videos keep the order of their first appearance. Logits may be given as tensors or numpy
    arrays of any floating type; they are held as contiguous float32 CPU tensors, without a copy
    where they already are and the rows are in order.

    Attributes:
        clips: One row per clip: ``video_id`` (text), ``clip_index`` (0 … N_v − 1, no gaps),
            ``start_frame`` (in video frames), ``label`` (index into ``classes``), ``split``
            (text); optionally ``truth`` (text) and ``confidence`` (float32, finite,
            higher = more likely that the teacher is right). No other columns.
        classes: Class names, C of them.
        teacher_logits: float32 ``[R, C]``, finite, or None.
        student_logits: float32 ``[R, C]``, finite, or None.

    Raises:
        ClipTableError: If a rule above is broken, naming the first offending row and field.
    """

    clips: pd.DataFrame
    classes: tuple[str, ...]
    teacher_logits: Tensor | None = None
    student_logits: Tensor | None = None

    def __post_init__(self) -> None:
        classes = checked_classes(self.classes)
        clips = checked_clips(self.clips, len(classes))
        order = clip_order(clips)
        in_order = bool((order[1:] > order[:-1]).all())
        _set(self, clips=clips if in_order else clips.iloc[order].reset_index(drop=True))
        _set(self, classes=classes)
        for name in LOGITS_COLUMNS:
            if (given := getattr(self, name)) is not None:
                logits = checked_logits(given, (len(clips), len(classes)), name)
                _set(self, **{name: logits if in_order else logits[torch.from_numpy(order)]})

    def __len__(self) -> int:
        """Return the number of clips R."""
        return len(self.clips)

    @cached_property
    def first_rows(self) -> np.ndarray:
        """Return the first row of each video and, last, R: int64 ``[V + 1]``."""
        first = np.flatnonzero(self.clips["clip_index"].to_numpy() == 0)
        return np.append(first, len(self))

    @property
    def n_videos(self) -> int:
        """Return the number of videos V."""
        return len(self.first_rows) - 1

    @property
    def split_names(self) -> tuple[str, ...]:
        """Return the splits in order of first appearance."""
        return tuple(self.clips["split"].unique())

    def split(self, name: str) -> "ClipTable":
        """Return the videos of one split; logits are views where its rows are adjacent.

        Raises:
            ClipTableError: If no video is in that split.
        """
        rows = np.flatnonzero(self.clips["split"].to_numpy() == name)
        if not len(rows):
            problem = f"no video is in split {name!r}; choose from {list(self.split_names)}"
            raise ClipTableError(problem, field="split")
        return self._take(rows)

    def _take(self, rows: np.ndarray) -> "ClipTable":
        adjacent = rows[-1] - rows[0] + 1 == len(rows)
        index = slice(rows[0], rows[-1] + 1) if adjacent else torch.from_numpy(rows)
        teacher, student = (
            None if x is None else x[index] for x in (self.teacher_logits, self.student_logits)
        )
        return ClipTable(self.clips.iloc[rows], self.classes, teacher, student)

    def dense(self, first_video: int = 0, last_video: int | None = None) -> DenseView:
        """Return videos ``first_video`` to ``last_video`` (excluded) as padded tensors.

        Args:
            first_video: Index of the first video of the view.
            last_video: Index behind the last one; None takes all the rest.

        Returns:
            The dense view. Where all its videos have N clips its logits share the table's
            memory; otherwise they are copies padded to the longest of *these* videos.

        Raises:
            IndexError: If there are no such videos.
        """
        last_video = self.n_videos if last_video is None else last_video
        if not 0 <= first_video < last_video <= self.n_videos:
            wanted = f"[{first_video}, {last_video})"
            raise IndexError(f"videos {wanted} are not within the table's [0, {self.n_videos})")
        bounds = self.first_rows[first_video : last_video + 1]
        clips = self.clips.iloc[bounds[0] : bounds[-1]]
        counts = torch.from_numpy(np.diff(bounds))
        mask = torch.arange(int(counts.max())) < counts.unsqueeze(1)
        teacher, student = (
            None if logits is None else fold(logits[bounds[0] : bounds[-1]], mask)
            for logits in (self.teacher_logits, self.student_logits)
        )
        confidence, truth = clips.get("confidence"), clips.get("truth")
        heads = clips.iloc[bounds[:-1] - bounds[0]]
        return DenseView(
            video_id=heads["video_id"].tolist(),
            label=_tensor(heads["label"]),
            mask=mask,
            teacher_logits=teacher,
            student_logits=student,
            confidence=None if confidence is None else fold(_tensor(confidence), mask),
            truth=None if truth is None else fold_text(truth, mask.numpy()),
        )


def merge_student(teacher: ClipTable, student: ClipTable) -> ClipTable:
    """Return the teacher's table with the student's logits and confidence beside it.

    Clips are matched by (video, clip), so the two tables may list their videos in any order.

    Args:
        teacher: A table; its rows, order and logits are kept.
        student: A table of exactly the same clips, classes, labels, splits and start frames.

    Raises:
        ClipTableError: If the two differ, naming the first video and clip that does.
    """
    if teacher.classes != student.classes:
        raise ClipTableError("teacher and student have different classes; score them alike")
    rows = matching_rows(teacher.clips, student.clips)
    aligned = student.clips.iloc[rows].reset_index(drop=True)
    for name in ("start_frame", "label", "split"):
        refuse_difference(teacher.clips, aligned, name)
    new = {name: aligned[name] for name in OPTIONAL_COLUMNS if name in aligned}
    if "truth" in teacher.clips and "truth" in new:
        refuse_difference(teacher.clips, aligned, "truth")
    logits = student.student_logits
    if logits is not None and (rows[1:] < rows[:-1]).any():
        logits = logits[torch.from_numpy(rows)]
    clips = teacher.clips.drop(columns="confidence", errors="ignore")  # of an earlier student
    return replace(teacher, clips=clips.assign(**new), student_logits=logits)


def _tensor(column: pd.Series) -> Tensor:
    return torch.from_numpy(column.to_numpy(copy=True))  # pandas' own memory is read-only


def _set(table: ClipTable, **values: Any) -> None:
    for name, value in values.items():
        object.__setattr__(table, name, value)  # the table is frozen once it is made
