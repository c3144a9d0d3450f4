"""Rows of a CSV file with their line numbers; whatever is wrong names file and line."""

import codecs
import csv
import io
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from condi_lib.videos.records import CatalogError

UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


Row = tuple[int, dict[str, str]]


def read_rows(csv_path: Path, columns: Mapping[str, str]) -> list[Row]:
    """Return every row: see :func:`iterate_rows`."""
    return list(iterate_rows(csv_path, columns))


def iterate_rows(csv_path: Path, columns: Mapping[str, str]) -> Iterator[Row]:
    """Yield every row that is not blank, as its line and its fields stripped of space.

    Args:
        csv_path: A CSV file with a header, UTF-8, separated by commas.
        columns: Our name for a field -> the column that must hold it.

    Raises:
        CatalogError: If the file cannot be read, or lacks a column, or rows and header disagree
            in length.
    """
    lines = _numbered_rows(csv_path, _read_utf8(csv_path))
    header = [name.strip() for name in next(lines, (1, []))[1]]
    places = _places(csv_path, header, columns)
    for line, fields in lines:
        if not fields:
            continue
        if len(fields) != len(header):
            raise CatalogError(
                f"{csv_path}, line {line}: has {len(fields)} fields, the header {len(header)}; "
                'put fields that hold a comma between "quotation marks"'
            )
        yield line, {name: fields[place].strip() for name, place in places.items()}


def _read_utf8(csv_path: Path) -> str:
    try:
        content = csv_path.read_bytes()
    except OSError as error:
        raise CatalogError(f"{csv_path}: cannot be read ({error.strerror})") from error
    if content.startswith(UTF16_MARKS) or b"\0" in content:
        line = 1 if content.startswith(UTF16_MARKS) else _line_of(content, content.index(b"\0"))
        raise CatalogError(f"{csv_path}, line {line}: is UTF-16 or no text; save it as UTF-8")
    try:
        return content.decode("utf-8-sig")  # spreadsheets put a byte order mark first
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        # Without its mark, error.start counts in what follows the mark.
        start = error.start + len(content) - len(error.object)
        raise CatalogError(
            f"{csv_path}, line {_line_of(content, start)}: byte 0x{byte:02x} is not UTF-8 "
            "(written as Latin-1 or Windows-1252?); save it as UTF-8"
        ) from error


def _line_of(content: bytes, position: int) -> int:
    return content.count(b"\n", 0, position) + 1


def _numbered_rows(csv_path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each row with the line that it begins in: a quoted field may span several."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader, None)
        except csv.Error as error:
            raise CatalogError(f"{csv_path}, line {line}: {error}; check its quotes") from error
        if row is None:
            return
        yield line, row


def _places(csv_path: Path, header: list[str], columns: Mapping[str, str]) -> dict[str, int]:
    has = f"it has {', '.join(header)}" if any(header) else "it is empty"
    for column in columns.values():
        if column not in header:
            hint = "; separate columns by commas" if len(header) == 1 and any(header) else ""
            raise CatalogError(f"{csv_path}, line 1: no column {column!r}: {has}{hint}")
    twice = [name for name, times in Counter(header).items() if name and times > 1]
    if twice:
        raise CatalogError(f"{csv_path}, line 1: column {twice[0]!r} occurs twice: {has}")
    places = {name: header.index(column) for name, column in columns.items()}
    if "split" in header:
        places["split"] = header.index("split")
    return places
