"""The rules a clip table obeys, and the error that names the row and field that breaks one."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

INTEGER_COLUMNS = ("clip_index", "start_frame", "label")
REQUIRED_COLUMNS = ("video_id", *INTEGER_COLUMNS, "split")
OPTIONAL_COLUMNS = ("truth", "confidence")
LOGITS_COLUMNS = ("teacher_logits", "student_logits")


class ClipTableError(ValueError):
    """A clip table that breaks one of its rules.

    The message says where (file, row counted from 0, field), what is wrong and what to do.

    Attributes:
        problem: What is wrong and what to do.
        field: The column, or None.
        row: The row, counted from 0 in the given table or file, or None.
        path: The file, or None for a table in memory.
    """

    def __init__(
        self,
        problem: str,
        *,
        field: str | None = None,
        row: int | None = None,
        path: Path | None = None,
    ) -> None:
        self.problem, self.field, self.row, self.path = problem, field, row, path
        places = {"": path, "row ": row, "field ": field}
        where = ", ".join(f"{kind}{at}" for kind, at in places.items() if at is not None)
        super().__init__(f"{where}: {problem}" if where else problem)


def checked_classes(classes: Sequence[str]) -> tuple[str, ...]:
    """Return the class names as a tuple; refuse none at all, and one that is there twice."""
    if isinstance(classes, str) or not classes or len(set(classes)) < len(classes):
        problem = f"need one or more different names, got {classes!r}; correct them"
        raise ClipTableError(problem, field="classes")
    return tuple(classes)


def checked_clips(clips: pd.DataFrame, n_classes: int) -> pd.DataFrame:
    """Return the columns in their order and types, or name the first row that breaks a rule."""
    _check_names(clips.columns)
    if not len(clips):
        raise ClipTableError("the table has no clips; leave it out instead")
    columns = {}
    for name in (*REQUIRED_COLUMNS, *OPTIONAL_COLUMNS):
        if name in clips:
            column = clips[name].reset_index(drop=True)
            check = _integers if name in INTEGER_COLUMNS else _texts
            columns[name] = _finite(column) if name == "confidence" else check(column)
    limits = {"clip_index": None, "start_frame": None, "label": n_classes}
    for name, limit in limits.items():
        _refuse_outside(columns[name], limit)
    return pd.DataFrame(columns)


def _check_names(names: Sequence[str]) -> None:
    if missing := [name for name in REQUIRED_COLUMNS if name not in names]:
        raise ClipTableError("the column is missing; add it", field=missing[0])
    known = (*REQUIRED_COLUMNS, *OPTIONAL_COLUMNS)
    if unknown := [name for name in names if name not in known]:
        problem = f"unknown column; drop it or use one of {list(known)}"
        raise ClipTableError(problem, field=str(unknown[0]))
    if len(set(names)) < len(names):
        raise ClipTableError(f"a column appears twice in {list(names)}; drop one")


def _integers(column: pd.Series) -> pd.Series:
    if not pd.api.types.is_integer_dtype(column) or column.isna().any():
        problem = f"need whole numbers without gaps, got {column.dtype}; convert the column"
        raise ClipTableError(problem, field=str(column.name))
    return column.astype(np.int64)


def _texts(column: pd.Series) -> pd.Series:
    if pd.api.types.infer_dtype(column.astype(object), skipna=False) != "string":
        row = next(i for i, x in enumerate(column) if not isinstance(x, str))
        problem = f"need text, got {column.iloc[row]!r}; fill or convert the column"
        raise ClipTableError(problem, field=str(column.name), row=row)
    return column.astype("str")


def _finite(column: pd.Series) -> pd.Series:
    if not pd.api.types.is_float_dtype(column):
        problem = f"need floating-point scores, got {column.dtype}; convert the column"
        raise ClipTableError(problem, field=str(column.name))
    values = column.to_numpy(np.float32, na_value=np.nan)
    if not np.isfinite(values).all():
        row = int(np.isfinite(values).argmin())
        problem = f"{values[row]} is not a finite score; find out why the student gave it"
        raise ClipTableError(problem, field=str(column.name), row=row)
    return pd.Series(values, name=column.name)


def _refuse_outside(column: pd.Series, limit: int | None) -> None:
    values = column.to_numpy()
    outside = (values < 0) if limit is None else (values < 0) | (values >= limit)
    if outside.any():
        row = int(outside.argmax())
        allowed = "0 or more" if limit is None else f"in [0, {limit - 1}], the table's classes"
        problem = f"{values[row]} must be {allowed}; correct the row"
        raise ClipTableError(problem, field=str(column.name), row=row)


def clip_order(clips: pd.DataFrame) -> np.ndarray:
    """Return the rows by video (first appearance) and clip; refuse duplicates, gaps, mixtures."""
    video = pd.factorize(clips["video_id"])[0]
    index = clips["clip_index"].to_numpy()
    order = np.lexsort((index, video))
    video, index = video[order], index[order]
    starts = np.flatnonzero(np.diff(video, prepend=-1))
    expected = np.arange(len(order)) - starts[video]
    if (wrong := index != expected).any():
        at = int(wrong.argmax())
        row, name = int(order[at]), clips["video_id"].iloc[order[at]]
        twice = index[at] < expected[at]
        cause = f"twice clip {index[at]}" if twice else f"no clip {expected[at]}"
        cure = "remove one" if twice else "score the missing clip"
        raise ClipTableError(f"video {name!r} has {cause}; {cure}", field="clip_index", row=row)
    for field in ("label", "split"):
        values = clips[field].to_numpy()
        if (mixed := values[order] != values[order[starts]][video]).any():
            row = int(order[mixed.argmax()])
            first, name = values[order[starts[video[mixed.argmax()]]]], clips["video_id"].iloc[row]
            problem = f"{values[row]} here but {first} for clip 0 of video {name!r}"
            raise ClipTableError(f"{problem}; make all its clips agree", field=field, row=row)
    return order


def checked_logits(logits: Tensor | np.ndarray, shape: tuple[int, int], field: str) -> Tensor:
    """Return contiguous float32 CPU logits of that shape, without NaN or infinity."""
    if isinstance(logits, np.ndarray):  # torch warns about arrays that are not writable
        logits = torch.from_numpy(np.require(logits, requirements=["W"]))
    if not logits.is_floating_point() or logits.shape != shape:
        problem = f"need floating point [clips, classes] {list(shape)}, got {logits.dtype} "
        raise ClipTableError(f"{problem}{list(logits.shape)}; fix the shape", field=field)
    logits = logits.detach().to("cpu", torch.float32).contiguous()
    # A sum is finite only if no term is NaN or infinite; it needs no mask of the table's size.
    for row in torch.nonzero(~logits.sum(dim=1).isfinite()).flatten().tolist():
        if not logits[row].isfinite().all():
            problem = "NaN or infinite logits; find out why the network gave them"
            raise ClipTableError(problem, field=field, row=row)
    return logits


def matching_rows(teacher: pd.DataFrame, student: pd.DataFrame) -> np.ndarray:
    """Return for every teacher row the student row of the same clip, int64 ``[R]``.

    Raises:
        ClipTableError: If one has a clip that the other lacks, naming the first such clip.
    """
    key = ["video_id", "clip_index"]
    mine, theirs = (pd.MultiIndex.from_frame(clips[key]) for clips in (teacher, student))
    rows = theirs.get_indexer(mine)
    _refuse_unmatched(mine, rows, "student")
    _refuse_unmatched(theirs, mine.get_indexer(theirs), "teacher")
    return rows.astype(np.int64)


def _refuse_unmatched(keys: pd.MultiIndex, found: np.ndarray, lacking: str) -> None:
    if (found < 0).any():
        row = int((found < 0).argmax())
        video, clip = keys[row]
        problem = f"the {lacking}'s table lacks clip {clip} of video {video!r}"
        raise ClipTableError(f"{problem}; score the same clips with both", row=row)


def refuse_difference(teacher: pd.DataFrame, student: pd.DataFrame, field: str) -> None:
    """Raise a ClipTableError naming the first clip whose ``field`` differs in two tables."""
    mine, theirs = teacher[field].to_numpy(), student[field].to_numpy()
    if (mine != theirs).any():
        row = int((mine != theirs).argmax())
        clip = f"clip {teacher['clip_index'].iloc[row]} of video {teacher['video_id'].iloc[row]!r}"
        problem = f"{clip}: teacher {mine[row]}, student {theirs[row]}; score the same data"
        raise ClipTableError(problem, field=field, row=row)
