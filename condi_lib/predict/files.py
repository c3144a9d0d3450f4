"""Write results so that no file is ever half there, whenever the command is stopped."""

import contextlib
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from matplotlib.figure import Figure

PICTURES = (".png", ".pdf", ".svg")
LINES = (".jsonl", ".json", ".ndjson", ".txt")  # `--output *.mp4` must not overwrite a video


def check_target(path: Path, suffixes: tuple[str, ...] = ()) -> None:
    """Raise an error now if a file could not be written later.

    Raises:
        FileNotFoundError: If its folder does not exist.
        ValueError: If it is something other than a file, or its name has none of the suffixes.
    """
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path}: there is no folder {path.parent}; make it first")
    if path.exists() and not path.is_file():  # renaming onto it would replace the thing itself
        raise ValueError(f"{path}: is no ordinary file; name another one")
    if suffixes and path.suffix.lower() not in suffixes:
        raise ValueError(f"{path}: must end in one of {', '.join(suffixes)}")


def part_of(path: Path) -> Path:
    """Under which name a file is written until it is whole."""
    return path.with_name(f".{path.name}.{os.getpid()}.part")


def save_picture(figure: Figure, path: Path) -> None:
    """Write a figure in the format that the file's name says; it appears whole or not at all."""
    part = part_of(path)
    try:
        figure.savefig(part, format=path.suffix[1:].lower())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def picture_paths(path: Path, videos: list[str]) -> list[Path]:
    """Return where each video's picture goes: ``path``, or with several videos ``out-NAME.png``.

    Of videos that share a name, the second gets ``-2`` after it, and so on.
    """
    if len(videos) == 1:
        return [path]
    taken: set[str] = set()
    found = []
    for video in videos:
        name, again = Path(video).stem, 2
        while name.lower() in taken:  # some file systems do not tell A from a
            name, again = f"{Path(video).stem}-{again}", again + 1
        taken.add(name.lower())
        found.append(path.with_name(f"{path.stem}-{name}{path.suffix}"))
    return found


class LineFile:
    """A file of lines that gets its name when the last one is written; a context manager.

    If it is left by an error or Ctrl-C, the lines that are whole get the name all the same, and
    nothing is touched where there are none.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.part = path, part_of(path)

    def __enter__(self) -> Self:
        self._file, self._whole = self.part.open("wb"), 0
        return self

    def write(self, line: str) -> None:
        """Add a line."""
        self._file.write(f"{line}\n".encode())
        self._file.flush()
        self._whole = self._file.tell()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            with contextlib.suppress(OSError):  # of a full disk, which write() has reported
                self._file.close()
            if self._whole:
                os.truncate(self.part, self._whole)
                self.part.replace(self.path)
        finally:
            self.part.unlink(missing_ok=True)
