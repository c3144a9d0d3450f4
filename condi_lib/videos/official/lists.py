"""Official list files, line by line; whatever contradicts is told with its place, all at once."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from condi_lib.videos.records import CatalogError, VideoRecord

SHOWN_FAULTS = 20


class Faults:
    """Collects what is wrong with a data set's files, to be told together.

    Example:
        >>> faults = Faults()
        >>> faults.add("classInd.txt, line 3: is blank")
        >>> faults.refuse()
        Traceback (most recent call last):
        condi_lib.videos.records.CatalogError: classInd.txt, line 3: is blank
    """

    def __init__(self) -> None:
        self._found: list[str] = []

    def add(self, fault: str) -> None:
        """Note one fault: place, what is wrong, what to do."""
        self._found.append(fault)

    def refuse(self) -> None:
        """Raise all faults, the first of them in words; none: do nothing.

        Raises:
            CatalogError: If there are any.
        """
        if not self._found:
            return
        more = len(self._found) - SHOWN_FAULTS
        tail = [f"and {more} more faults like these"] if more > 0 else []
        raise CatalogError("\n".join([*self._found[:SHOWN_FAULTS], *tail]))


class Listing:
    """Collects the videos of one list after the other, and finds those listed twice.

    Attributes:
        records: The videos so far.
        faults: Where contradictions go.
    """

    def __init__(self, root: Path, faults: Faults) -> None:
        self.records: list[VideoRecord] = []
        self.faults = faults
        self._root = root
        self._place: dict[str, str] = {}

    def add(self, place: str, video_id: str, label: int, split: str, group: str = "") -> None:
        """Add a video.

        Args:
            place: File and line, for errors.
            video_id: Path below the root.
            label: Index into the classes.
            split: ``"train"`` or ``"test"``.
            group: What must not be divided.
        """
        earlier = self._place.setdefault(video_id, place)
        if earlier != place:
            self.faults.add(
                f"{place}: {video_id} is listed in {earlier} already; download both files again"
            )
            return
        path = self._root / PurePosixPath(video_id)
        self.records.append(VideoRecord(video_id, path, label, split, group))


def need_folder(root: Path, what: str) -> None:
    """Refuse a root that is not there, rather than report each of its videos as missing.

    Raises:
        CatalogError: Naming it and ``what`` it should hold.
    """
    if not root.is_dir():
        raise CatalogError(f"{root}: is not a folder; it should hold {what}")


def need_files(lists: Path, names: list[str]) -> list[Path]:
    """The files with these names, all of which must be there.

    Raises:
        CatalogError: Naming those that are not.
    """
    missing = [name for name in names if not (lists / name).is_file()]
    if missing:
        raise CatalogError(
            f"{lists}: lacks {', '.join(missing)}; put the official files there, unpacked, "
            "under their own names"
        )
    return [lists / name for name in names]


def read_lines(path: Path) -> Iterator[tuple[str, str]]:
    """Yield every line that is not blank, as its place (``file, line n``) and its text.

    Space around a line, and the carriage return that some official files carry, do not count.

    Raises:
        CatalogError: If the file cannot be read or is not UTF-8.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise CatalogError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise CatalogError(f"{path}: is not UTF-8 text; download it again") from error
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield f"{path}, line {number}", line.strip()
