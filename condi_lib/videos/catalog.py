"""Which videos there are, what they show and to which split they belong.

A catalog is read from a CSV file or from a folder per class. Reading looks at names only; whether
the files hold usable videos is for ``scan``. This module is the door to the catalog's rooms:
``records``, ``splits`` and ``scan``.
"""

import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from condi_lib.videos.csv_rows import read_rows
from condi_lib.videos.records import Catalog, CatalogError, VideoRecord
from condi_lib.videos.scan import BadVideo, ScanReport, scan, survey
from condi_lib.videos.splits import assign_splits, assign_splits_by_group

__all__ = [
    "BadVideo",
    "Catalog",
    "CatalogError",
    "ScanReport",
    "VideoRecord",
    "assign_splits",
    "assign_splits_by_group",
    "read_catalog_csv",
    "read_catalog_folders",
    "scan",
    "survey",
]

SPLIT_FOLDERS = {
    "train": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
}
VIDEO_SUFFIXES = {
    ".3gp", ".avi", ".flv", ".gif", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ogv",
    ".ts", ".webm", ".wmv",
}  # fmt: skip


def read_catalog_csv(
    csv_path: str | Path,
    root: str | Path | None = None,
    classes: Sequence[str] | None = None,
    label_column: str = "label",
    group_column: str | None = None,
) -> Catalog:
    """Read a CSV file with a header, columns ``file``, a label and perhaps ``split``.

    UTF-8, with or without a byte order mark; separated by commas; other columns are ignored, and
    so is space around a field. Order is the file's.

    Args:
        csv_path: The file.
        root: What the ``file`` column is relative to; the folder of the CSV file if None.
        classes: The classes in order; if None those that occur, sorted, by value if all of them
            are whole numbers.
        label_column: Which column names the class.
        group_column: Which column, if any, names the group.

    Raises:
        CatalogError: If the file is missing, empty or in another encoding, a column is missing, a
            field blank, a label unknown, a video listed twice, or a path leads out of the root.
            It lists every faulty line.
    """
    csv_path = Path(csv_path)
    columns = {"file": "file", "label": label_column}
    columns |= {} if group_column is None else {"group": group_column}
    rows = read_rows(csv_path, columns)
    if classes is None:
        classes = _sorted_classes({fields["label"] for _, fields in rows if fields["label"]})
    root = csv_path.parent if root is None else Path(root)
    records: list[VideoRecord] = []
    faults: list[str] = []
    first_line: dict[str, int] = {}
    for line, fields in rows:
        try:
            record = _record(root, tuple(classes), line, fields)
            earlier = first_line.get(record.video_id)
            if earlier is not None:
                raise CatalogError(f"{record.video_id} is listed in line {earlier} already")
            first_line[record.video_id] = line
            records.append(record)
        except CatalogError as fault:
            faults.append(f"{csv_path}, line {line}: {fault}")
    if faults:
        raise CatalogError("\n".join(faults))
    if not records:
        raise CatalogError(f"{csv_path}: lists no videos; add a line for each")
    return Catalog(root, tuple(classes), tuple(records), csv_path)


def _sorted_classes(names: set[str]) -> list[str]:
    if all(name.isdecimal() for name in names):
        return sorted(names, key=lambda name: (int(name), name))  # 10 after 9
    return sorted(names)


def _record(root: Path, classes: tuple[str, ...], line: int, fields: dict[str, str]) -> VideoRecord:
    for column, value in fields.items():
        if not value:
            raise CatalogError(f"the field for {column} is blank; fill it in or remove the line")
    file = PurePosixPath(fields["file"])
    if file.is_absolute() or ".." in file.parts:
        raise CatalogError(
            f"{file} may lie outside {root}; write it relative to that folder, or set root"
        )
    label = fields["label"]
    if label not in classes:
        near = difflib.get_close_matches(label, classes, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"the classes are {', '.join(classes)}"
        raise CatalogError(f"unknown label {label!r}; {hint}")
    return VideoRecord(
        video_id=file.as_posix(),
        path=root / file,
        label=classes.index(label),
        split=fields.get("split", ""),
        group=fields.get("group", ""),
        line=line,
    )


def read_catalog_folders(root: str | Path, classes: Sequence[str] | None = None) -> Catalog:
    """Read a folder per class, ``root/class/…/video``, or ``root/split/class/…/video``.

    The second where all folders in ``root`` are called train, val (or valid, validation) or test.
    Files and folders whose names begin with a dot do not count. Order is by path.

    Args:
        root: The folder.
        classes: The classes in order; if None the folders' names, sorted.

    Raises:
        CatalogError: If the root is no folder or has none, a file lies outside the class folders
            or is no video by its suffix, a class is unknown or has no videos.
    """
    root = Path(root)
    if not root.is_dir():
        raise CatalogError(f"{root}: is not a folder; name one with a folder for each class")
    tops = _visible(root)
    by_split = bool(tops) and all(top.is_dir() and top.name in SPLIT_FOLDERS for top in tops)
    splits = [(SPLIT_FOLDERS[top.name], top) for top in tops] if by_split else [("", root)]
    folders = [(split, folder) for split, above in splits for folder in _visible(above)]
    _check_folders(root, [folder for _, folder in folders], classes)
    names = tuple(classes or _sorted_classes({folder.name for _, folder in folders}))
    records = tuple(
        VideoRecord(path.relative_to(root).as_posix(), path, names.index(folder.name), split)
        for split, folder in folders
        for path in _files_below(folder)
    )
    catalog = Catalog(root, names, records)
    empty = [name for name, count in catalog.class_counts().items() if count == 0]
    if empty:
        raise CatalogError(f"{root}: no videos of class {', '.join(empty)}")
    return catalog


def _check_folders(root: Path, folders: list[Path], classes: Sequence[str] | None) -> None:
    faults = []
    for folder in folders:
        if not folder.is_dir():
            faults.append(f"{folder}: is not in the folder of a class; move it into one, or away")
        elif classes is not None and folder.name not in classes:
            faults.append(f"{folder}: unknown class; the classes are {', '.join(classes)}")
        else:
            faults += [
                f"{path}: is no video by its suffix; move it away, or list the videos in a CSV file"
                for path in _files_below(folder)
                if path.suffix.lower() not in VIDEO_SUFFIXES
            ]
    if not folders:
        faults.append(f"{root}: has no folders; make one for each class")
    if faults:
        raise CatalogError("\n".join(faults))


def _visible(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _files_below(folder: Path) -> Iterator[Path]:
    for path in _visible(folder):
        if path.is_dir():
            yield from _files_below(path)
        else:
            yield path
