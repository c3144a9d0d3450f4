"""Look into every file of a catalog before anything is trained on it, and report all bad ones.

Made for hundreds of thousands of files: processes share them, and with a journal a scan that was
killed goes on where it was.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from tqdm import tqdm

from condi_lib.videos.container import MISSING
from condi_lib.videos.decode import VideoError, VideoInfo, check_every_frame, probe
from condi_lib.videos.journal import Finding, Journal, Stamp, stamp_of
from condi_lib.videos.records import Catalog, CatalogError
from condi_lib.videos.workers import map_in_processes

KINDS = ("missing", "corrupt", "too_short")
_FEW_FRAMES = re.compile(r"has (one|\d+) frames?\b")
_SHOWN = 100  # of many thousands of bad files, an error lists so many


@dataclass(frozen=True, slots=True)
class BadVideo:
    """A file that cannot be used: where, which line of the CSV lists it, and why.

    Attributes:
        path: The file.
        line: Line of the catalog's CSV; None without one.
        cause: What is wrong.
        video_id: As in the catalog.
        split: As in the catalog.
        advice: What to do about it.
    """

    path: Path
    line: int | None
    cause: str
    video_id: str = field(default="", compare=False)
    split: str = field(default="", compare=False)
    advice: str = field(default="", compare=False)

    @property
    def kind(self) -> str:
        """``"missing"``, ``"corrupt"`` or ``"too_short"``."""
        if self.cause == MISSING:
            return "missing"
        return "too_short" if _FEW_FRAMES.match(self.cause) else "corrupt"


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

    def refuse_bad(self, hint: str = "pass skip_bad=True") -> None:
        """Raise if a file is bad.

        Args:
            hint: How to go on without the bad files.

        Raises:
            CatalogError: Listing them, and how many there are of each kind.
        """
        if self.left_out:
            raise CatalogError(_describe(self, hint))


def scan(
    catalog: Catalog,
    workers: int = 0,
    skip_bad: bool = False,
    progress: bool = False,
    every_frame: bool = False,
) -> ScanReport:
    """Look into every file of a catalog, and refuse bad ones.

    Args:
        catalog: The videos.
        workers: See :func:`survey`.
        skip_bad: Leave bad files out and list them in the report, rather than raise.
        progress: See :func:`survey`.
        every_frame: See :func:`survey`.

    Returns:
        The usable videos, what they hold, and what was left out.

    Raises:
        CatalogError: If files are bad, listing them; with ``skip_bad``, if all are.
    """
    report = survey(catalog, workers, progress, every_frame)
    if not skip_bad or not report.infos:
        report.refuse_bad()
    return report


def survey(
    catalog: Catalog,
    workers: int = 0,
    progress: bool = False,
    every_frame: bool = False,
    journal: Path | None = None,
    min_frames: int = 2,
) -> ScanReport:
    """Look into every file of a catalog, and say what is there, however bad.

    Args:
        catalog: The videos.
        workers: Processes that share the work; 0 stays in this one. They are started afresh, so
            a script must call this below ``if __name__ == "__main__":``.
        progress: Show a progress bar.
        every_frame: Decode all frames, which also finds damage inside a file, and takes longer.
        journal: File in which findings are kept as they come. A survey with the same journal looks
            only into files that it has not seen, or not as they are now. The caller deletes it.
        min_frames: Videos with fewer frames are bad.

    Returns:
        The usable videos, what they hold, and the bad ones.
    """
    infos: dict[str, VideoInfo] = {}
    left_out: list[BadVideo] = []
    findings = _look_at_all(catalog, workers, every_frame, journal)
    bar = tqdm(findings, total=len(catalog), desc="scan", unit="video", disable=not progress)
    for record, found in zip(catalog, bar, strict=True):
        if isinstance(found, VideoInfo) and found.n_frames < min_frames:
            cause = f"has {found.n_frames} frames, fewer than {min_frames}"
            found = VideoError(record.path, cause, "leave it out")
        if isinstance(found, VideoError):
            what = (found.cause, record.video_id, record.split, found.advice)
            left_out.append(BadVideo(record.path, record.line, *what))
        else:
            infos[record.video_id] = found
    usable = tuple(record for record in catalog if record.video_id in infos)
    return ScanReport(replace(catalog, records=usable), infos, tuple(left_out))


def _look_at_all(
    catalog: Catalog, workers: int, every_frame: bool, journal_path: Path | None
) -> Iterator[Finding]:
    """What each file holds, in order; from the journal where a file is as it was then."""
    with ExitStack() as stack:
        journal = None
        if journal_path is not None:
            journal = stack.enter_context(Journal(journal_path, every_frame))
        jobs = [(r.path, journal.stamp(r.video_id) if journal else None) for r in catalog]
        chunk = max(1, min(32, len(jobs) // max(1, 4 * workers)))
        looked = map_in_processes(partial(_look, every_frame=every_frame), jobs, workers, chunk)
        for record, (stamp, found) in zip(catalog, looked, strict=True):
            if found is None:
                found = journal.recall(record.video_id, record.path)
            else:
                if isinstance(found, VideoInfo):  # a worker's copy of the path is one too many
                    found = replace(found, path=record.path)
                if journal is not None:
                    journal.add(record.video_id, stamp, found)
            yield found


def _look(job: tuple[Path, Stamp | None], every_frame: bool) -> tuple[Stamp | None, Finding | None]:
    """A file's stamp and what it holds; None for what is known of a file with that stamp."""
    path, known = job
    stamp = stamp_of(path)
    if known is not None and stamp == known:
        return stamp, None
    try:
        return stamp, check_every_frame(path) if every_frame else probe(path)
    except VideoError as error:
        return stamp, error


def _describe(report: ScanReport, hint: str) -> str:
    catalog, bad = report.catalog, report.left_out
    n_listed = len(catalog) + len(bad)
    kinds = Counter(video.kind for video in bad)
    counts = ", ".join(f"{kinds[kind]} {kind.replace('_', ' ')}" for kind in KINDS if kinds[kind])
    lines = [f"{len(bad)} of {n_listed} videos cannot be used: {counts}:"]
    for video in bad[:_SHOWN]:
        listed = catalog.source is not None and video.line is not None
        place = f"{catalog.source}, line {video.line}: " if listed else ""
        lines.append(f"  {place}{video.path}: {video.cause}; {video.advice}")
    if len(bad) > _SHOWN:
        lines.append(f"  and {len(bad) - _SHOWN} more")
    if len(catalog):
        lines.append(f"mend or remove them, or {hint} to go on without them")
    return "\n".join(lines)
