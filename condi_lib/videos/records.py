"""Videos with their labels and splits, in a fixed order: what a catalog is."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path


class CatalogError(ValueError):
    """A list of videos that contradicts itself or its files; the message names each place."""


@dataclass(frozen=True, slots=True)
class VideoRecord:
    """One video of a catalog.

    Attributes:
        video_id: The path below the catalog's root, with ``/``.
        path: The file.
        label: Index into the catalog's classes.
        split: ``"train"``, ``"val"``, ``"test"``, ...; empty where none is assigned.
        group: What must not straddle splits, a person or a scene; empty where unknown.
        line: Where the CSV file lists it, from 1; None if no file does.
    """

    video_id: str
    path: Path
    label: int
    split: str = ""
    group: str = ""
    line: int | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Catalog:
    """Videos with their labels and splits, in a fixed order.

    Attributes:
        root: The folder that all videos lie in.
        classes: Names of the classes; a record's label is a place in it.
        records: The videos.
        source: The CSV file that lists them, if one does; errors name it.

    Raises:
        CatalogError: If a class or a video occurs twice or a label has no class.
    """

    root: Path
    classes: tuple[str, ...]
    records: tuple[VideoRecord, ...]
    source: Path | None = None

    def __post_init__(self) -> None:
        for what, names in (
            ("class", self.classes),
            ("video", [record.video_id for record in self.records]),
        ):
            twice = [name for name, times in Counter(names).items() if times > 1]
            if twice:
                raise CatalogError(f"{self.root}: {what} listed twice: {', '.join(twice)}")
        for record in self.records:
            if not 0 <= record.label < len(self.classes):
                raise CatalogError(
                    f"{record.path}: label {record.label}, but there are {len(self.classes)} "
                    "classes, counted from 0"
                )

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[VideoRecord]:
        return iter(self.records)

    @property
    def split_names(self) -> tuple[str, ...]:
        """The splits that occur, in the order of their first video."""
        return tuple(dict.fromkeys(record.split for record in self.records))

    def split(self, name: str) -> "Catalog":
        """Return the videos of one split, with all classes.

        Raises:
            CatalogError: If no video belongs to it.
        """
        records = tuple(record for record in self.records if record.split == name)
        if not records:
            known = ", ".join(repr(split) for split in self.split_names)
            raise CatalogError(f"{self.source or self.root}: no split {name!r}, only {known}")
        return replace(self, records=records)

    def class_counts(self) -> dict[str, int]:
        """Return how many videos each class has, in the order of the classes."""
        counts = dict.fromkeys(self.classes, 0)
        for record in self.records:
            counts[self.classes[record.label]] += 1
        return counts
