"""Look into every file of a catalog before anything is trained on it, and report all bad ones."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from tqdm import tqdm

from condi_lib.videos.decode import VideoError, VideoInfo, check_every_frame, probe
from condi_lib.videos.records import Catalog, CatalogError
from condi_lib.videos.workers import map_in_processes


@dataclass(frozen=True)
class BadVideo:
    """A file that cannot be used: where, which line of the CSV lists it, and why."""

    path: Path
    line: int | None
    cause: str


@dataclass(frozen=True)
class ScanReport:
    """What a catalog's files hold.

    Attributes:
        catalog: The usable videos, in the catalog's order.
        infos: Video id -> what its file holds, in the same order.
        left_out: The files that cannot be used, in the catalog's order.
    """

    catalog: Catalog
    infos: Mapping[str, VideoInfo]
    left_out: tuple[BadVideo, ...]


def scan(
    catalog: Catalog,
    workers: int = 0,
    skip_bad: bool = False,
    progress: bool = False,
    every_frame: bool = False,
) -> ScanReport:
    """Probe every file of a catalog.

    Args:
        catalog: The videos.
        workers: Processes that share the work; 0 stays in this one. They are started afresh, so
            a script must call this below ``if __name__ == "__main__":``.
        skip_bad: Leave bad files out and list them in the report, rather than raise.
        progress: Show a progress bar.
        every_frame: Decode all frames, which also finds damage inside a file, and takes longer.

    Returns:
        The usable videos, what they hold, and what was left out.

    Raises:
        CatalogError: If files are bad, listing all of them; with ``skip_bad``, if all are.
    """
    paths = [record.path for record in catalog]
    infos: dict[str, VideoInfo] = {}
    bad: list[VideoError] = []
    left_out: list[BadVideo] = []
    bar = tqdm(total=len(paths), desc="scan", unit="video", disable=not progress)
    with bar:
        for record, result in zip(catalog, _look_at_all(paths, workers, every_frame), strict=True):
            bar.update()
            if isinstance(result, VideoError):
                bad.append(result)
                left_out.append(BadVideo(record.path, record.line, result.cause))
            else:
                infos[record.video_id] = result
    if bad and (not skip_bad or not infos):
        raise CatalogError(_describe(catalog, bad, left_out))
    usable = tuple(record for record in catalog if record.video_id in infos)
    return ScanReport(replace(catalog, records=usable), infos, tuple(left_out))


def _look_at_all(
    paths: list[Path], workers: int, every_frame: bool
) -> Iterator[VideoInfo | VideoError]:
    chunk = max(1, min(32, len(paths) // max(1, 4 * workers)))
    yield from map_in_processes(partial(_look, every_frame=every_frame), paths, workers, chunk)


def _look(path: Path, every_frame: bool) -> VideoInfo | VideoError:
    try:
        return check_every_frame(path) if every_frame else probe(path)
    except VideoError as error:
        return error


def _describe(catalog: Catalog, bad: list[VideoError], left_out: list[BadVideo]) -> str:
    lines = [f"{len(bad)} of {len(catalog)} videos cannot be used:"]
    for error, video in zip(bad, left_out, strict=True):
        listed = catalog.source is not None and video.line is not None
        lines.append(f"  {catalog.source}, line {video.line}: {error}" if listed else f"  {error}")
    if len(bad) < len(catalog):
        lines.append("mend or remove them, or pass skip_bad=True to go on without them")
    return "\n".join(lines)
