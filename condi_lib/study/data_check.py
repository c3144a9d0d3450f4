"""Check a data set before hours are spent on it: what is usable, missing, damaged, there twice."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from condi_lib import paths
from condi_lib.digests import digest
from condi_lib.study.datasets import read_catalog
from condi_lib.study.params import read_study
from condi_lib.study.specs import CatalogSource, DatasetSpec, OfficialSource
from condi_lib.videos.catalog import Catalog, ScanReport, VideoRecord, survey
from condi_lib.videos.duplicates import divided_groups, file_sizes, same_content, same_name
from condi_lib.videos.official import OFFICIAL
from condi_lib.videos.scan import KINDS

PROBLEM_COLUMNS = ["kind", "split", "file", "detail"]


@dataclass(frozen=True, eq=False)
class DataCheck:
    """What a check found.

    Attributes:
        root: Folder of the videos.
        counts: Indexed by fold and split: ``listed, usable, missing, corrupt, too_short, loops``
            (usable, but shorter than one clip), ``classes, empty`` (classes without a usable
            video), ``least, median, most`` (usable videos a class).
        files: One row per usable video: ``video_id, n_bytes, n_frames, width_px, height_px, fps,
            duration_sec, codec``.
        problems: One row per video or class with a problem: ``kind, split, file, detail``.
    """

    root: Path
    counts: pd.DataFrame
    files: pd.DataFrame
    problems: pd.DataFrame

    @property
    def is_usable(self) -> bool:
        """Whether every split has at least one usable video."""
        return bool((self.counts["usable"] > 0).all())


def datasets_to_check(
    where: str, official: str | None = None, lists: str | None = None
) -> dict[str, DatasetSpec]:
    """The data sets that a command names, by fold (all of them where there are several).

    Args:
        where: A params file, by name or path; or a folder of videos or the CSV that lists them.
        official: Name of the published data set whose videos the folder holds.
        lists: Folder of its official files; default: the folder of the videos.

    Raises:
        ValueError: If there is nothing by that name, or options do not fit it.
    """
    path = Path(where).expanduser().resolve()
    if official is not None:
        OfficialSource(official, str(path), "")  # refuses an unknown name
        lists_path = Path(lists).expanduser().resolve() if lists else path
        folds = range(1, OFFICIAL[official].n_folds + 1)
        sources = [OfficialSource(official, str(path), str(lists_path), f, 0.0) for f in folds]
        names = [f"fold {fold}" if len(folds) > 1 else "" for fold in folds]
        return {n: DatasetSpec(official=s) for n, s in zip(names, sources, strict=True)}
    if lists is not None:
        raise ValueError(f"lists {lists}: of which data set? Give --dataset, of {list(OFFICIAL)}")
    if path.is_dir() or path.suffix == ".csv":
        return {"": DatasetSpec(catalog=CatalogSource(str(path)))}
    study = read_study(where, with_weights=False)
    return {fold: study.dataset_of(fold) for fold in study.fold_names}


def check_data(
    datasets: dict[str, DatasetSpec],
    workers: int = 0,
    every_frame: bool = False,
    clip_frames: int | None = None,
    fresh: bool = False,
    progress: bool = False,
) -> DataCheck:
    """Look into every file of a data set, once for all its folds.

    Args:
        datasets: From :func:`datasets_to_check`.
        workers: Processes that share the work.
        every_frame: Decode everything, which also finds damage inside files.
        clip_frames: Frames of one clip; None: as the data sets say.
        fresh: Forget what an earlier check found in files that have not changed since.
        progress: Show progress bars.
    """
    catalogs = {fold: read_catalog(spec) for fold, spec in datasets.items()}
    first = next(iter(datasets.values()))
    clip_frames = clip_frames or first.clip_frames
    union = _union(list(catalogs.values()))
    journal = _journal(union.root, every_frame)
    if fresh:
        journal.unlink(missing_ok=True)
    min_frames = first.official.min_frames if first.official is not None else 2
    report = survey(union, workers, progress, every_frame, journal, min_frames)
    sizes = file_sizes(report.catalog, workers, progress)
    twins = same_content(report.catalog, sizes, workers, progress)
    short = {name for name, info in report.infos.items() if info.n_frames < clip_frames}
    problems = [*_bad(report), *_short(report, short, clip_frames), *_twins(twins)]
    problems += [*_names(union), *_divided(catalogs), *_empty(catalogs, report)]
    return DataCheck(
        root=union.root,
        counts=_counts(catalogs, report, short),
        files=_files(report, sizes),
        problems=pd.DataFrame(problems, columns=PROBLEM_COLUMNS),
    )


def _union(catalogs: Sequence[Catalog]) -> Catalog:
    """All videos of all folds, each once, as its first fold has it."""
    records: dict[str, VideoRecord] = {}
    for catalog in catalogs:
        for record in catalog:
            records.setdefault(record.video_id, record)
    return Catalog(catalogs[0].root, catalogs[0].classes, tuple(records.values()))


def _journal(root: Path, every_frame: bool) -> Path:
    path = paths.runs_dir() / "data_checks" / f"{digest([str(root), every_frame])}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


Problem = tuple[str, str, str, str]


def _bad(report: ScanReport) -> Iterator[Problem]:
    for video in report.left_out:
        yield video.kind, video.split, video.video_id, f"{video.cause}; {video.advice}"


def _short(report: ScanReport, short: set[str], clip_frames: int) -> Iterator[Problem]:
    for record in report.catalog:
        if record.video_id in short:
            n_frames = report.infos[record.video_id].n_frames
            detail = f"has {n_frames} frames, a clip {clip_frames}: its only clip loops"
            yield "shorter_than_a_clip", record.split, record.video_id, detail


def _twins(groups: list[tuple[VideoRecord, ...]]) -> Iterator[Problem]:
    for first, *others in groups:
        for other in others:
            split = _both(first, other)
            yield "same_content", split, other.video_id, f"the same file as {first.video_id}"


def _names(catalog: Catalog) -> Iterator[Problem]:
    for first, *others in same_name(catalog):
        for other in others:
            detail = f"the same name as {first.video_id}"
            yield "same_name", _both(first, other), other.video_id, detail


def _divided(catalogs: dict[str, Catalog]) -> Iterator[Problem]:
    for fold, catalog in catalogs.items():
        where = f" ({fold})" if fold else ""
        for first, *others in divided_groups(catalog):
            other = next(record for record in others if record.split != first.split)
            detail = f"{first.group}: in {first.split} is {first.video_id}{where}"
            yield "group_in_two_splits", _both(first, other), other.video_id, detail


def _both(one: VideoRecord, other: VideoRecord) -> str:
    return " and ".join(dict.fromkeys((one.split, other.split)))


def _empty(catalogs: dict[str, Catalog], report: ScanReport) -> Iterator[Problem]:
    for fold, catalog in catalogs.items():
        for split in catalog.split_names:
            for name, count in _class_counts(catalog, split, report).items():
                if count == 0:
                    where = f" of {fold}" if fold else ""
                    yield "class_without_videos", split, "", f"{name}: nothing usable{where}"


def _class_counts(catalog: Catalog, split: str, report: ScanReport) -> dict[str, int]:
    """Usable videos of each class."""
    counts = dict.fromkeys(catalog.classes, 0)
    for record in catalog:
        if record.split == split and record.video_id in report.infos:
            counts[catalog.classes[record.label]] += 1
    return counts


def _counts(catalogs: dict[str, Catalog], report: ScanReport, short: set[str]) -> pd.DataFrame:
    kind = {video.video_id: video.kind for video in report.left_out}
    rows = {}
    for fold, catalog in catalogs.items():
        for split in catalog.split_names:
            ids = [record.video_id for record in catalog if record.split == split]
            bad = [kind[name] for name in ids if name in kind]
            per_class = np.array(list(_class_counts(catalog, split, report).values()))
            rows[fold, split] = {
                "listed": len(ids),
                "usable": len(ids) - len(bad),
                **{each: bad.count(each) for each in KINDS},
                "loops": sum(name in short for name in ids),
                "classes": len(per_class),
                "empty": int((per_class == 0).sum()),
                "least": int(per_class.min()),
                "median": float(np.median(per_class)),
                "most": int(per_class.max()),
            }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(["fold", "split"])


def _files(report: ScanReport, sizes: dict[str, int]) -> pd.DataFrame:
    infos = report.infos
    columns = ("n_frames", "width_px", "height_px", "fps", "duration_sec", "codec")
    table = {"video_id": list(infos), "n_bytes": [sizes.get(name, 0) for name in infos]}
    table |= {name: [getattr(info, name) for info in infos.values()] for name in columns}
    return pd.DataFrame(table)
