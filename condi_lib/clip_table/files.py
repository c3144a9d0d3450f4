"""Clip tables as Parquet files: the layout on disk, written atomically, read in pieces.

One column per field; each logits column is a fixed-size list of C numbers, float32 or float16.
The class names lie in the schema's metadata as JSON under ``condi_classes``.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal
from uuid import uuid4

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from condi_lib.clip_table.checks import LOGITS_COLUMNS, ClipTableError
from condi_lib.clip_table.table import ClipTable

_CLASSES_KEY = b"condi_classes"
_TEXT_COLUMNS = ("video_id", "split", "truth")
_ROWS_AT_ONCE = 8192  # per row group and per step of reading, to bound the memory beside the table


def write_clip_table(
    table: ClipTable, path: str | Path, logits_dtype: Literal["float32", "float16"] = "float32"
) -> None:
    """Write a clip table as one Parquet file, complete or not at all (temporary file, rename).

    Args:
        table: The table.
        path: The file; its folder is made if need be, an older file is replaced.
        logits_dtype: ``float32`` reads back bit for bit. ``float16`` halves the file and rounds
            each logit by at most 2⁻¹¹ (.05 %) of itself, or 3e-8 near 0.

    Raises:
        ClipTableError: If a logit does not fit into float16 (beyond ±65504).
        ValueError: If ``logits_dtype`` is neither of the two.
    """
    if logits_dtype not in ("float32", "float16"):
        raise ValueError(f"logits_dtype must be 'float32' or 'float16', got {logits_dtype!r}")
    path = Path(path)
    columns = {name: pa.array(table.clips[name]) for name in table.clips}
    for name in LOGITS_COLUMNS:
        if (logits := getattr(table, name)) is not None:
            columns[name] = _logits_column(logits.numpy(), logits_dtype, name, path)
    metadata = {_CLASSES_KEY: json.dumps(table.classes)}
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{uuid4().hex[:8]}.part")
    try:
        pq.write_table(
            pa.table(columns).replace_schema_metadata(metadata),
            temporary,
            row_group_size=_ROWS_AT_ONCE,
            compression="zstd",
            use_dictionary=[name for name in _TEXT_COLUMNS if name in columns],
            use_byte_stream_split=[f"{x}.list.element" for x in LOGITS_COLUMNS if x in columns],
        )
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def read_clip_table(path: str | Path, splits: Sequence[str] | None = None) -> ClipTable:
    """Read a clip table from one file, or from every ``part-*.parquet`` in and below a folder.

    Parts are joined in the order of their paths; the clips of a video may lie in several.

    Args:
        path: The file or folder.
        splits: Read the clips of these splits alone, into memory for them alone; None: all.

    Raises:
        ClipTableError: If there is no such file, it is no clip table, the parts do not fit
            together, a split has no clips, or the rows break a rule of ``ClipTable``; names file,
            row and field.
    """
    files = _files(Path(path))
    schema = _common_schema(files)
    wanted = [_wanted_rows(file, splits) for file in files]
    classes = json.loads(schema.metadata[_CLASSES_KEY])
    ends = np.cumsum([len(rows) for rows in wanted])
    logits = {
        name: np.empty((ends[-1], len(classes)), np.float32)
        for name in LOGITS_COLUMNS
        if name in schema.names
    }
    frames: list[pd.DataFrame] = []
    for file, rows, end in zip(files, wanted, ends, strict=True):
        frames += _read_file(file, rows, int(end) - len(rows), logits)
    _refuse_missing(splits, frames, Path(path))
    try:
        return ClipTable(pd.concat(frames, ignore_index=True), classes, **logits)
    except ClipTableError as error:  # say where the row is on disk
        at = 0 if error.row is None else int(np.searchsorted(ends, error.row, side="right"))
        row = None if error.row is None else int(wanted[at][error.row - ends[at]])  # from its end
        where = Path(path) if row is None else files[at]
        raise ClipTableError(error.problem, field=error.field, row=row, path=where) from None


def clip_table_parts(folder: str | Path) -> Iterator[ClipTable]:
    """Read the parts of a folder one after another: memory for one of them, whatever their number.

    Each must hold whole videos, as scoring writes them.

    Raises:
        ClipTableError: As :func:`read_clip_table`.
    """
    files = _files(Path(folder))
    _common_schema(files)
    yield from map(read_clip_table, files)


def _wanted_rows(file: Path, splits: Sequence[str] | None) -> NDArray[np.int64]:
    """The rows of a file whose clips are in the given splits, ascending."""
    with pq.ParquetFile(file) as parquet:
        if splits is None:
            return np.arange(parquet.metadata.num_rows)
        _refuse_no_split(parquet.schema_arrow, file)
        column = parquet.read(columns=["split"])["split"]
        return np.flatnonzero(pc.is_in(column, pa.array(splits, pa.string())).to_numpy())


def _refuse_no_split(schema: pa.Schema, file: Path) -> None:
    if "split" not in schema.names:
        raise ClipTableError("the column is missing; add it", field="split", path=file)


def _refuse_missing(splits: Sequence[str] | None, frames: list[pd.DataFrame], path: Path) -> None:
    found = {split for frame in frames for split in frame["split"].unique()}
    if missing := sorted(set(splits or ()) - found):
        problem = f"no clips of split {missing}; score their videos"
        raise ClipTableError(problem, field="split", path=path)
    if not frames:
        raise ClipTableError("no clips in it; score the videos", path=path)


def _logits_column(logits: np.ndarray, dtype: str, field: str, path: Path) -> pa.Array:
    if dtype == "float16":
        largest = np.maximum(logits.max(axis=1), -logits.min(axis=1))
        if (largest > np.finfo(np.float16).max).any():
            row = int(largest.argmax())
            problem = f"a logit of size {largest[row]:.6g} does not fit float16; write float32"
            raise ClipTableError(problem, field=field, row=row, path=path)
        logits = logits.astype(np.float16)
    return pa.FixedSizeListArray.from_arrays(pa.array(logits.reshape(-1)), logits.shape[1])


def _files(path: Path) -> list[Path]:
    files = sorted(path.rglob("part-*.parquet")) if path.is_dir() else [path]
    if not files:
        raise ClipTableError("the folder has no part-*.parquet; score the videos", path=path)
    if not path.exists():
        raise ClipTableError("no such file; score the videos or correct the path", path=path)
    return files


def _common_schema(files: list[Path]) -> pa.Schema:
    """Return the schema that all files share."""
    schemas = []
    for file in files:
        try:
            head = pq.read_metadata(file)
        except (pa.ArrowInvalid, OSError) as error:
            problem = f"not a readable Parquet file ({error}); write it again"
            raise ClipTableError(problem, path=file) from error
        schemas.append(_checked_schema(head.schema.to_arrow_schema(), file))
        first = schemas[0]
        if first.names != schemas[-1].names or first.metadata != schemas[-1].metadata:
            problem = f"other columns or classes than {files[0].name}; score all parts alike"
            raise ClipTableError(problem, path=file)
    return schemas[0]


def _checked_schema(schema: pa.Schema, file: Path) -> pa.Schema:
    if _CLASSES_KEY not in (schema.metadata or {}):
        problem = f"no {_CLASSES_KEY.decode()!r} in the metadata; use write_clip_table"
        raise ClipTableError(problem, path=file)
    n_classes = len(json.loads(schema.metadata[_CLASSES_KEY]))
    for name in LOGITS_COLUMNS:
        if name in schema.names:
            column = schema.field(name).type
            if not pa.types.is_fixed_size_list(column) or column.list_size != n_classes:
                problem = f"need fixed_size_list[{n_classes}], one per class, got {column}"
                raise ClipTableError(f"{problem}; write it again", field=name, path=file)
    return schema


def _read_file(
    file: Path, wanted: NDArray[np.int64], start: int, logits: dict[str, np.ndarray]
) -> Iterator[pd.DataFrame]:
    """Yield the wanted rows' columns piece by piece; put their logits at row ``start`` onwards."""
    if not len(wanted):
        return
    row = 0  # of the file
    with pq.ParquetFile(file) as parquet:
        for batch in parquet.iter_batches(_ROWS_AT_ONCE):
            kept = wanted[(wanted >= row) & (wanted < row + len(batch))] - row
            for name, filled in logits.items():
                column = batch.column(name)
                if column.null_count or column.flatten().null_count:
                    problem = f"a missing value in rows {row} to {row + len(batch) - 1}"
                    raise ClipTableError(f"{problem}; score again", field=name, path=file)
                values = column.flatten().to_numpy().reshape(len(batch), -1)
                filled[start:][: len(kept)] = values if len(kept) == len(batch) else values[kept]
            yield batch.drop_columns(list(logits)).take(pa.array(kept)).to_pandas()
            row, start = row + len(batch), start + len(kept)
