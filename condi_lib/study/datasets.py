"""Data sets of a study: make the videos or read your catalog, scan it, cache its clips."""

import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from condi_lib import paths
from condi_lib.study.locks import alone
from condi_lib.study.specs import CatalogSource, DatasetSpec, digest
from condi_lib.videos.catalog import (
    Catalog,
    ScanReport,
    assign_splits,
    assign_splits_by_group,
    read_catalog_csv,
    read_catalog_folders,
    scan,
)
from condi_lib.videos.clips import ClipGrid
from condi_lib.videos.loader import ClipSet, cache_clips
from condi_lib.videos.pantomime import CLASSES, PantomimeSpec, write_pantomime

VIDEO_FIELDS = ("n_frames", "width_px", "height_px", "fps", "duration_sec", "codec")


@dataclass(frozen=True)
class Dataset:
    """A data set that is ready to use.

    Attributes:
        clips: All its clips.
        truth_csv: Table of what each clip shows, where that is known.
        videos: One row per usable video: ``video_id, label, split`` and what its file holds.
        left_out: Bad files that were skipped: ``file, cause``.
    """

    clips: ClipSet
    truth_csv: Path | None
    videos: pd.DataFrame
    left_out: pd.DataFrame

    def truth(self, splits: tuple[str, ...]) -> pd.DataFrame | None:
        """``video_id, clip_index, truth, action`` of the splits' clips; None where not known."""
        if self.truth_csv is None:
            return None
        table = pd.read_csv(self.truth_csv).rename(columns={"file": "video_id"})
        wanted = {record.video_id for record in self.clips.catalog if record.split in splits}
        return table[table["video_id"].isin(wanted)]


def pantomime_folder(spec: PantomimeSpec) -> Path:
    """Where the videos of a pantomime are, or will be; shared by all that cut them differently."""
    return paths.videos_dir() / f"pantomime-{digest(asdict(spec))}"


def videos_exist(spec: DatasetSpec) -> bool:
    """Whether the videos of a pantomime were drawn; your own are looked at when they are scanned.

    ``labels.csv`` is written when all of them are there.
    """
    return spec.pantomime is None or (pantomime_folder(spec.pantomime) / "labels.csv").exists()


def _draw(spec: PantomimeSpec, workers: int, progress: bool) -> None:
    """Draw the videos, unless another data set that cuts them differently has done so."""
    root = pantomime_folder(spec)
    with alone(root, f"waiting for another process that draws {root.name}"):
        if not (root / "labels.csv").exists():
            for part in root.rglob("*.part*"):  # of a killed process
                part.unlink()
            write_pantomime(spec, root, workers, progress)


def delete_videos(spec: DatasetSpec) -> None:
    """Delete the videos of a pantomime; never your own."""
    if spec.pantomime is not None:
        root = pantomime_folder(spec.pantomime)
        with alone(root):
            shutil.rmtree(root, ignore_errors=True)


def read_catalog(spec: DatasetSpec) -> Catalog:
    """The videos of a data set with their labels and splits; those of a pantomime must exist."""
    if spec.pantomime is not None:
        return read_catalog_csv(pantomime_folder(spec.pantomime) / "labels.csv", classes=CLASSES)
    source = spec.catalog
    path = paths.project_root() / source.path
    if path.is_dir():
        catalog = read_catalog_folders(path)
    else:
        catalog = read_catalog_csv(
            path, label_column=source.label_column, group_column=source.group_column
        )
    return _divide(catalog, source)


def _divide(catalog: Catalog, source: CatalogSource) -> Catalog:
    if source.groups is not None:
        return assign_splits_by_group(catalog, source.groups)
    if source.fractions is not None:
        by_group = source.group_column is not None
        return assign_splits(catalog, source.fractions, source.seed, by_group=by_group)
    return catalog


def make_dataset(spec: DatasetSpec, folder: Path, workers: int, progress: bool) -> None:
    """Write what a data set needs into ``folder``: frame counts, the list of bad files, a cache.

    Raises:
        CatalogError: If files are bad, naming all of them, unless the source says ``skip_bad``.
    """
    if spec.pantomime is not None:
        _draw(spec.pantomime, workers, progress)
    skip_bad = spec.catalog is not None and spec.catalog.skip_bad
    report = scan(read_catalog(spec), workers=workers, skip_bad=skip_bad, progress=progress)
    left_out = [(_relative(bad.path, report.catalog.root), bad.cause) for bad in report.left_out]
    _write(folder / "videos.csv", _video_table(report))
    _write(folder / "left_out.csv", pd.DataFrame(left_out, columns=["file", "cause"]))
    if spec.cache:
        dataset = _assemble(spec, folder, cached=False)
        cache_clips(dataset.clips, folder / "clips.npy", workers, progress)


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()


def _video_table(report: ScanReport) -> pd.DataFrame:
    """One row per usable video: what its file holds, its label and split."""
    rows = [
        {
            "video_id": record.video_id,
            "label": record.label,
            "split": record.split,
            **{name: getattr(report.infos[record.video_id], name) for name in VIDEO_FIELDS},
        }
        for record in report.catalog
    ]
    return pd.DataFrame(rows)


def _write(path: Path, table: pd.DataFrame) -> None:
    part = path.with_name(path.name + ".part")
    table.to_csv(part, index=False)
    part.replace(path)


def open_dataset(spec: DatasetSpec, folder: Path) -> Dataset:
    """Open a data set that :func:`make_dataset` has made."""
    return _assemble(spec, folder, cached=spec.cache)


def _assemble(spec: DatasetSpec, folder: Path, cached: bool) -> Dataset:
    videos = pd.read_csv(folder / "videos.csv")
    frames = dict(zip(videos["video_id"], videos["n_frames"], strict=True))
    catalog = read_catalog(spec)
    usable = tuple(record for record in catalog if record.video_id in frames)
    clips = ClipSet(
        catalog=replace(catalog, records=usable),
        grid=ClipGrid(spec.clip_frames, spec.stride),
        size_px=tuple(spec.size_px),
        n_frames=np.array([frames[record.video_id] for record in usable], np.int64),
        cache=folder / "clips.npy" if cached else None,
    )
    pantomime = spec.pantomime
    truth = None if pantomime is None else pantomime_folder(pantomime) / "truth.csv"
    return Dataset(clips, truth, videos, pd.read_csv(folder / "left_out.csv"))
