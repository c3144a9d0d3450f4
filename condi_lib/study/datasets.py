"""Data sets of a study: make the videos or read your catalog, scan it, cache its clips."""

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from condi_lib import paths
from condi_lib.digests import digest, essentials
from condi_lib.locks import alone
from condi_lib.study.specs import CatalogSource, DatasetSpec, OfficialSource, run_folder
from condi_lib.videos.catalog import (
    Catalog,
    CatalogError,
    ScanReport,
    VideoRecord,
    assign_splits,
    assign_splits_by_group,
    read_catalog_csv,
    read_catalog_folders,
    survey,
)
from condi_lib.videos.clips import ClipGrid
from condi_lib.videos.loader import ClipSet, cache_clips
from condi_lib.videos.log_mel import LogMel
from condi_lib.videos.official import OFFICIAL, read_official
from condi_lib.videos.pantomime import CLASSES, PantomimeSpec, write_pantomime
from condi_lib.videos.sound import has_sound

JOURNAL = "scan.jsonl"
VIDEO_FIELDS = ("n_frames", "width_px", "height_px", "fps", "duration_sec", "codec")


@dataclass(frozen=True)
class Dataset:
    """A data set that is ready to use.

    Attributes:
        clips: All its clips.
        truth_csv: Table of what each scene shows, where that is known.
        clips_per_scene: How many clips each of them is cut into.
        videos: One row per usable video: ``video_id, label, split`` and what its file holds.
        left_out: Videos that are listed but not usable: ``file, split, kind, cause``; the kind is
            ``missing``, ``corrupt`` or ``too_short``.
    """

    clips: ClipSet
    truth_csv: Path | None
    videos: pd.DataFrame
    left_out: pd.DataFrame
    clips_per_scene: int = 1

    def truth(self, splits: tuple[str, ...]) -> pd.DataFrame | None:
        """``video_id, clip_index, truth, action`` of the splits' clips; None where not known."""
        if self.truth_csv is None:
            return None
        table = pd.read_csv(self.truth_csv).rename(columns={"file": "video_id"})
        wanted = {record.video_id for record in self.clips.catalog if record.split in splits}
        table = table[table["video_id"].isin(wanted)]
        clips = table.loc[table.index.repeat(self.clips_per_scene)].reset_index(drop=True)
        part = np.arange(len(clips)) % self.clips_per_scene
        return clips.assign(clip_index=clips["clip_index"] * self.clips_per_scene + part)


def pantomime_folder(spec: PantomimeSpec) -> Path:
    """Where the videos of a pantomime are, or will be; shared by all that cut them differently."""
    return paths.videos_dir() / f"pantomime-{digest(essentials(spec))}"


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


def videos_root(spec: DatasetSpec) -> Path:
    """The folder that all videos of a data set lie in."""
    if spec.pantomime is not None:
        return pantomime_folder(spec.pantomime)
    if spec.official is not None:
        return paths.project_root() / spec.official.root
    path = paths.project_root() / spec.catalog.path
    return path if path.is_dir() else path.parent


def read_catalog(spec: DatasetSpec) -> Catalog:
    """The videos of a data set with their labels and splits; those of a pantomime must exist."""
    if spec.pantomime is not None:
        return read_catalog_csv(pantomime_folder(spec.pantomime) / "labels.csv", classes=CLASSES)
    if spec.official is not None:
        return _read_official(spec.official)
    source = spec.catalog
    path = paths.project_root() / source.path
    if path.is_dir():
        catalog = read_catalog_folders(path)
    else:
        catalog = read_catalog_csv(
            path, label_column=source.label_column, group_column=source.group_column
        )
    return _divide(catalog, source)


def _read_official(source: OfficialSource) -> Catalog:
    """The official division, with shares of the training list taken for other splits."""
    root = paths.project_root()
    catalog = read_official(source.name, root / source.root, root / source.lists, source.fold)
    if len(source.fractions) == 1:
        return catalog
    by_group = OFFICIAL[source.name].by_group
    train = assign_splits(catalog.split("train"), source.fractions, source.seed, by_group=by_group)
    return replace(catalog, records=train.records + catalog.split("test").records)


def _divide(catalog: Catalog, source: CatalogSource) -> Catalog:
    if source.groups is not None:
        return assign_splits_by_group(catalog, source.groups)
    if source.fractions is not None:
        by_group = source.group_column is not None
        return assign_splits(catalog, source.fractions, source.seed, by_group=by_group)
    return catalog


def make_dataset(spec: DatasetSpec, folder: Path, workers: int, progress: bool) -> None:
    """Write what a data set needs into ``folder``: frame counts, the list of bad files, a cache.

    A scan that was killed goes on where it was.

    Raises:
        CatalogError: If files are bad, unless the source says ``skip_bad``; all of them are then
            listed in ``left_out.csv``.
    """
    if spec.pantomime is not None:
        _draw(spec.pantomime, workers, progress)
    source = spec.official or spec.catalog
    names = ("min_frames", "every_frame") if spec.official is not None else ()
    report = survey(
        read_catalog(spec),
        workers=workers,
        progress=progress,
        journal=folder / JOURNAL,
        **{name: getattr(source, name) for name in names},
    )
    _write(folder / "left_out.csv", _left_out_table(report))
    if source is None or not source.skip_bad or not report.infos:
        report.refuse_bad(f"give skip_bad: true (all are listed in {folder / 'left_out.csv'})")
    _refuse_empty_splits(spec, report)
    _write(folder / "videos.csv", _video_table(report))
    (folder / "classes.json").write_text(json.dumps(report.catalog.classes), encoding="utf-8")
    if spec.cache:
        dataset = _assemble(spec, folder, cached=False)
        cache_clips(dataset.clips, folder / "clips.npy", workers, progress)
    (folder / JOURNAL).unlink()


def _refuse_empty_splits(spec: DatasetSpec, report: ScanReport) -> None:
    usable = set(report.catalog.split_names)
    listed = usable | {video.split for video in report.left_out}
    if empty := sorted(listed - usable):
        raise CatalogError(
            f"{videos_root(spec)}: of split {empty} not one video can be used; is the folder right?"
        )


def _left_out_table(report: ScanReport) -> pd.DataFrame:
    """One row per video that cannot be used."""
    rows = [(bad.video_id, bad.split, bad.kind, bad.cause) for bad in report.left_out]
    return pd.DataFrame(rows, columns=["file", "split", "kind", "cause"])


def _video_table(report: ScanReport) -> pd.DataFrame:
    """One row per usable video: what its file holds, its label and split."""
    records = list(report.catalog)
    infos = [report.infos[record.video_id] for record in records]
    columns = {
        "video_id": [record.video_id for record in records],
        "label": [record.label for record in records],
        "split": [record.split for record in records],
        **{name: [getattr(info, name) for info in infos] for name in VIDEO_FIELDS},
    }
    return pd.DataFrame(columns)


def read_videos(path: Path) -> pd.DataFrame:
    """Read a table of videos or of those left out; a class or file called ``NA`` stays so."""
    texts = dict.fromkeys(("video_id", "file", "split", "kind", "cause", "codec"), str)
    return pd.read_csv(path, dtype=texts, keep_default_na=False)


def _write(path: Path, table: pd.DataFrame) -> None:
    part = path.with_name(path.name + ".part")
    table.to_csv(part, index=False)
    part.replace(path)


def open_dataset(spec: DatasetSpec, folder: Path) -> Dataset:
    """Open a data set that :func:`make_dataset` has made."""
    return _assemble(spec, folder, cached=spec.cache)


def listen(
    dataset: Dataset, spec: DatasetSpec, look: LogMel, workers: int = 0, progress: bool = False
) -> Dataset:
    """The data set as it is heard: the same clips, each of them the patch of its sound.

    Where pixels are cached, so are patches, beside them, by the first network that listens.

    Args:
        dataset: The data set as it is seen.
        spec: Its spec.
        look: How sound becomes patches.
        workers: Processes that decode.
        progress: Show a progress bar.

    Raises:
        ValueError: If not one video has sound.
    """
    clips = replace(dataset.clips, sound=look, cache=None)
    if not any(has_sound(record.path) for record in clips.catalog):
        raise ValueError(
            f"{videos_root(spec)}: none of the {len(clips.catalog)} videos has sound, so no "
            "network can listen to them; leave out `sound` of the network, or draw a pantomime "
            "with `sound: true`"
        )
    if spec.cache:
        path = run_folder(spec) / f"sound-{digest(essentials(look))}.npy"
        with alone(path, f"waiting for another process that writes {path.name}"):
            if not path.exists():
                cache_clips(clips, path, workers, progress)
        clips = replace(clips, cache=path)
    return replace(dataset, clips=clips)


def _assemble(spec: DatasetSpec, folder: Path, cached: bool) -> Dataset:
    """From the run's own tables: official lists need not be read, nor folders walked, again."""
    videos = read_videos(folder / "videos.csv")
    classes = json.loads((folder / "classes.json").read_text(encoding="utf-8"))
    clips = ClipSet(
        catalog=_catalog_of(videos, tuple(classes), videos_root(spec)),
        grid=ClipGrid(spec.clip_frames, spec.stride),
        size_px=tuple(spec.size_px),
        n_frames=videos["n_frames"].to_numpy(np.int64),
        cache=folder / "clips.npy" if cached else None,
        resize=spec.resize,
    )
    pantomime = spec.pantomime
    left_out = read_videos(folder / "left_out.csv")
    if pantomime is None:
        return Dataset(clips, None, videos, left_out)
    clips_per_scene = pantomime.clip_frames // spec.clip_frames
    truth = pantomime_folder(pantomime) / "truth.csv"
    return Dataset(clips, truth, videos, left_out, clips_per_scene)


def _catalog_of(videos: pd.DataFrame, classes: tuple[str, ...], root: Path) -> Catalog:
    columns = (videos[name].tolist() for name in ("video_id", "label", "split"))
    records = (
        VideoRecord(video_id, root / video_id, label, split)
        for video_id, label, split in zip(*columns, strict=True)
    )
    return Catalog(root, classes, tuple(records))
