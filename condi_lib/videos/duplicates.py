"""Videos that are there more than once: the same content, or one group in two splits.

The same recording in training and test makes a result too good, silently.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from tqdm import tqdm

from condi_lib.videos.records import VideoRecord
from condi_lib.videos.workers import map_in_processes

Records = tuple[VideoRecord, ...]
_READ_BYTES = 1 << 20


def file_sizes(
    records: Iterable[VideoRecord], workers: int = 0, progress: bool = False
) -> dict[str, int]:
    """Bytes of each video's file, by video id; a file that is not there is left out."""
    records = tuple(records)
    paths = [record.path for record in records]
    sizes = map_in_processes(_size, paths, workers, 512)
    bar = tqdm(sizes, total=len(paths), desc="sizes", unit="video", disable=not progress)
    return {r.video_id: size for r, size in zip(records, bar, strict=True) if size is not None}


def same_content(
    records: Iterable[VideoRecord],
    sizes: Mapping[str, int],
    workers: int = 0,
    progress: bool = False,
) -> list[Records]:
    """Videos whose files agree byte for byte.

    Only files of one size are read. The same video encoded anew is not found.

    Args:
        records: The videos, each file named once.
        sizes: From :func:`file_sizes`.
        workers: Processes that read.
        progress: Show a progress bar.

    Returns:
        Groups of two or more, in the order of their first video.
    """
    by_size = _grouped((sizes[r.video_id], r) for r in records if r.video_id in sizes)
    suspects = [record for group in by_size for record in group]
    hashes = map_in_processes(_hash, [record.path for record in suspects], workers, 8)
    bar = tqdm(hashes, total=len(suspects), desc="equal?", unit="video", disable=not progress)
    place = {record.video_id: number for number, record in enumerate(suspects)}
    found = _grouped(zip(bar, suspects, strict=True))
    return sorted(found, key=lambda group: place[group[0].video_id])


def same_name(records: Iterable[VideoRecord]) -> list[Records]:
    """Videos whose files have one name, in different folders."""
    return _grouped((record.path.name, record) for record in records)


def divided_groups(records: Iterable[VideoRecord]) -> list[Records]:
    """The videos of groups (of Kinetics: one YouTube video) that are in more than one split."""
    groups = _grouped((record.group, record) for record in records if record.group)
    return [group for group in groups if len({record.split for record in group}) > 1]


def _grouped(pairs: Iterable[tuple[object, VideoRecord]]) -> list[Records]:
    """Records that share a key, where two or more do."""
    groups = defaultdict(list)
    for key, record in pairs:
        groups[key].append(record)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _hash(path: Path) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        while block := file.read(_READ_BYTES):
            digest.update(block)
    return digest.digest()
