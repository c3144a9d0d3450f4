"""Kinetics-400, -600, -700 and -700-2020 (Kay et al. 2017 and three notes after it).

Lists: one csv per split with the columns ``label,youtube_id,time_start,time_end`` and perhaps
``split`` and ``is_cc``, as DeepMind publishes them (``train.csv``, ``validate.csv``), as CVDF does
(``train.csv``, ``val.csv``) or as the ActivityNet crawler does (``kinetics-600_val.csv``); labels
with or without quotes. The test list is not read: its labels were published late or never, and what
the literature calls accuracy on Kinetics is that on the validation list, the split ``test`` here.

Videos: files ``ID_000010_000020.mp4`` (the official start and end, in seconds) or ``ID.mp4``, of
any container, anywhere below the root: flat, by split, by class, by both. Where CVDF's folder of
replacements holds a video too, that one counts. Many listed videos are gone from YouTube; a result
on Kinetics must say how many it was computed on.
"""

import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from condi_lib.videos.catalog import VIDEO_SUFFIXES, Catalog
from condi_lib.videos.csv_rows import iterate_rows
from condi_lib.videos.official.lists import Faults, Listing, need_folder
from condi_lib.videos.records import CatalogError

_NAMES = {"train": ("train",), "test": ("val", "validate", "validation")}
_COLUMNS = {
    "label": "label",
    "youtube_id": "youtube_id",
    "start": "time_start",
    "end": "time_end",
}
_YOUTUBE_ID = re.compile(r"[\w-]{11}", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Segment:
    """One line of a csv: a video of YouTube, from second to second."""

    label: str
    youtube_id: str
    start_sec: int
    end_sec: int
    split: str
    place: str = field(compare=False)

    @property
    def stem(self) -> str:
        return f"{self.youtube_id}_{self.start_sec:06d}_{self.end_sec:06d}"


def list_files(lists: Path) -> list[Path]:
    """The csv of the training and the validation list.

    Raises:
        CatalogError: If one is missing, or two could be meant.
    """
    return [_find(lists, names) for names in _NAMES.values()]


def _find(lists: Path, names: tuple[str, ...]) -> Path:
    pattern = re.compile(rf"(?:.*[_-])?(?:{'|'.join(names)})\.csv")
    present = sorted(lists.iterdir()) if lists.is_dir() else []
    found = [path for path in present if pattern.fullmatch(path.name)]
    if len(found) != 1:
        listed = f"it has {' and '.join(path.name for path in found)}" if found else "there is none"
        wanted = " or ".join(f"{name}.csv" for name in names)
        raise CatalogError(
            f"{lists}: needs one official file {wanted} (also as kinetics-600_{names[0]}.csv), "
            f"{listed}; give each version of Kinetics a folder of its own"
        )
    return found[0]


def read(root: Path, lists: Path, fold: int = 1) -> Catalog:
    """Read the one official division; classes are sorted by name, groups are YouTube ids.

    A video that is not there gets the name ``split/label/ID_000010_000020.mp4``.

    Raises:
        CatalogError: If lists are missing, or contradict themselves or each other, or a file may
            be one of several listed videos.
    """
    need_folder(root, "the videos ID_000010_000020.mp4 or ID.mp4, in whatever folders")
    faults = Faults()
    segments: list[_Segment] = []
    for split, path in zip(_NAMES, list_files(lists), strict=True):
        segments += _read_segments(path, split, faults)
    segments = list(dict.fromkeys(segments))  # a line that is repeated adds nothing
    classes = tuple(sorted({segment.label for segment in segments if segment.split == "train"}))
    label_of = {name: label for label, name in enumerate(classes)}
    files = _Files(root, segments)
    listing = Listing(root, faults)
    for segment in segments:
        if segment.label not in label_of:
            faults.add(
                f"{segment.place}: class {segment.label!r} is not in the training list; are both "
                "files of one version of Kinetics?"
            )
            continue
        video_id = files.find(segment, faults)
        label = label_of[segment.label]
        listing.add(segment.place, video_id, label, segment.split, segment.youtube_id)
    faults.refuse()
    return Catalog(root, classes, tuple(listing.records))


def _read_segments(path: Path, split: str, faults: Faults) -> Iterator[_Segment]:
    for line, fields in iterate_rows(path, _COLUMNS):
        place = f"{path}, line {line}"
        label = fields["label"].strip('"').strip()
        try:
            start, end = _seconds(fields["start"]), _seconds(fields["end"])
        except ValueError:
            faults.add(f"{place}: time_start and time_end must be seconds, got {fields}")
            continue
        if not label or not _YOUTUBE_ID.fullmatch(fields["youtube_id"]) or not start < end:
            faults.add(
                f"{place}: needs a label, a youtube_id of 11 characters and time_start < time_end, "
                f"got {fields}; take the official file (a spreadsheet may have spoilt this one)"
            )
        elif fields.get("split", "") not in ("", *_NAMES[split]):
            faults.add(f"{place}: belongs to split {fields['split']!r}; take the file apart")
        else:
            yield _Segment(label, fields["youtube_id"], start, end, split, place)


def _seconds(text: str) -> int:
    seconds = float(text)
    if seconds != int(seconds) or seconds < 0:
        raise ValueError(text)
    return int(seconds)


class _Files:
    """The videos below a root, by the stem of their names: one walk, however many are listed."""

    def __init__(self, root: Path, segments: list[_Segment]) -> None:
        self._root = root
        self._paths: dict[str, str | list[str]] = {}
        self._times = Counter(segment.youtube_id for segment in segments)
        for folder, _, names in os.walk(root, followlinks=True):
            below = Path(folder).relative_to(root).as_posix()
            for name in sorted(names):
                stem, suffix = os.path.splitext(name)  # noqa: PTH122 - 400 000 times
                if suffix.lower() in VIDEO_SUFFIXES and not name.startswith("."):
                    self._add(stem, name if below == "." else f"{below}/{name}")

    def _add(self, stem: str, path: str) -> None:
        earlier = self._paths.setdefault(stem, path)
        if isinstance(earlier, list):
            earlier.append(path)
        elif earlier != path:
            self._paths[stem] = [earlier, path]

    def find(self, segment: _Segment, faults: Faults) -> str:
        """The path of a segment's file below the root, or the one it should have."""
        missing = f"{segment.split}/{segment.label}/{segment.stem}.mp4"
        found = self._named(segment.stem) or self._named_by_id(segment, faults)
        for fits in (_is_replacement, _is_in_split, _is_in_class):
            found = [path for path in found if fits(path, segment)] or found
        if len(found) > 1:
            faults.add(
                f"{segment.place}: {self._root} holds it as {' and as '.join(sorted(found))}; "
                "remove all but one"
            )
        return found[0] if found else missing

    def _named(self, stem: str) -> list[str]:
        found = self._paths.get(stem, [])
        return [found] if isinstance(found, str) else list(found)

    def _named_by_id(self, segment: _Segment, faults: Faults) -> list[str]:
        """Files ``ID.mp4``, which say nothing where several segments of that video are listed."""
        found = self._named(segment.youtube_id)
        if not found or self._times[segment.youtube_id] == 1:
            return found
        in_class = [path for path in found if _is_in_class(path, segment)]
        if not in_class:
            faults.add(
                f"{segment.place}: {self._root / found[0]} may be this or another listed part of "
                f"the same video; name it {segment.stem}.mp4, or put it into the folder of its "
                "class, or remove it"
            )
        return in_class


def _folders(path: str) -> tuple[str, ...]:
    return PurePosixPath(path).parts[:-1]


def _is_replacement(path: str, segment: _Segment) -> bool:
    return any(folder.startswith("replacement") for folder in _folders(path))


def _is_in_split(path: str, segment: _Segment) -> bool:
    return any(folder in _NAMES[segment.split] for folder in _folders(path))


def _is_in_class(path: str, segment: _Segment) -> bool:
    names = (segment.label, segment.label.replace(" ", "_"))
    return any(folder in names for folder in _folders(path))
