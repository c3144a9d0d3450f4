"""A study as the notebooks see it: clip tables and histories by student, seed and fold.

``open_study("embedded")`` computes what is missing; ``open_study("reference")`` reads the
committed tables of the full study and never computes. Nothing else differs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray

from condi_lib import paths
from condi_lib.clip_table import ClipTable, merge_student, read_clip_table, write_clip_table
from condi_lib.study.config import REFERENCE, TEACHER, StudySpec
from condi_lib.study.datasets import read_videos, videos_root
from condi_lib.study.ensure import ensure
from condi_lib.study.networks import SCORES
from condi_lib.study.params import read_fields, read_study
from condi_lib.study.specs import digest
from condi_lib.videos.decode import read_frames
from condi_lib.videos.pantomime import draw, script


class Store(Protocol):
    """Where a study's results come from. ``name`` is a student's or ``"teacher"``."""

    def table(self, name: str, seed: int, fold: str, splits: Sequence[str] | None) -> ClipTable:
        """The columns that this network scored, of the clips of some splits (None: of all)."""

    def history(self, name: str, seed: int, fold: str) -> pd.DataFrame:
        """The network's training history."""

    def videos(self, fold: str) -> pd.DataFrame:
        """The data set's usable videos."""

    def left_out(self, fold: str) -> pd.DataFrame:
        """The data set's other videos."""


@dataclass(frozen=True)
class RunStore:
    """Results of runs in ``data/runs``; a missing one is computed when it is asked for."""

    spec: StudySpec

    def _run(self, name: str, seed: int, fold: str) -> Path:
        is_teacher = name == TEACHER
        spec = self.spec
        run = spec.teacher_of(seed, fold) if is_teacher else spec.student_of(name, seed, fold)
        return ensure(run, progress=True)

    def table(self, name: str, seed: int, fold: str, splits: Sequence[str] | None) -> ClipTable:
        """The columns that this network scored, of the clips of some splits (None: of all)."""
        return read_clip_table(self._run(name, seed, fold) / SCORES, splits)

    def history(self, name: str, seed: int, fold: str) -> pd.DataFrame:
        """The network's training history."""
        return pd.read_csv(self._run(name, seed, fold) / "history.csv")

    def videos(self, fold: str) -> pd.DataFrame:
        """The data set's usable videos."""
        return read_videos(ensure(self.spec.dataset_of(fold), progress=True) / "videos.csv")

    def left_out(self, fold: str) -> pd.DataFrame:
        """The data set's other videos."""
        return read_videos(ensure(self.spec.dataset_of(fold), progress=True) / "left_out.csv")


@dataclass(frozen=True)
class FolderStore:
    """Results exported to a folder by :func:`export_reference`."""

    folder: Path

    def _path(self, name: str) -> Path:
        path = self.folder / name
        if not path.exists():
            raise FileNotFoundError(f"{path}: not in the committed reference; run `make reference`")
        return path

    def table(self, name: str, seed: int, fold: str, splits: Sequence[str] | None) -> ClipTable:
        """The columns that this network scored, of the clips of some splits (None: of all)."""
        return read_clip_table(self._path(f"{_stem(name, seed, fold)}.parquet"), splits)

    def history(self, name: str, seed: int, fold: str) -> pd.DataFrame:
        """The network's training history."""
        return pd.read_csv(self._path(f"{_stem(name, seed, fold)}.csv"))

    def videos(self, fold: str) -> pd.DataFrame:
        """The data set's usable videos."""
        return read_videos(self._path(f"videos{_tail(fold)}.csv"))

    def left_out(self, fold: str) -> pd.DataFrame:
        """The data set's other videos; a folder without the file has all videos."""
        path = self.folder / f"left_out{_tail(fold)}.csv"
        if path.exists():
            return read_videos(path)
        return pd.DataFrame(columns=["file", "split", "kind", "cause"])


def _tail(fold: str) -> str:
    return f"-{fold.replace(' ', '_')}" if fold else ""


def _stem(name: str, seed: int, fold: str) -> str:
    return f"{name}{_tail(fold)}-seed{seed}"


@dataclass(frozen=True)
class Study:
    """A study and where its results are.

    Attributes:
        spec: What it is made of.
        store: Where results come from.
        name: Names its folder of figures.
    """

    spec: StudySpec
    store: Store
    name: str

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds; each has a teacher and one student per loss."""
        return self.spec.seeds

    @property
    def students(self) -> tuple[str, ...]:
        """Names of the students."""
        return tuple(self.spec.losses)

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, in the order of the logits."""
        fold = self.spec.fold_names[0]
        return self.store.table(TEACHER, self.seeds[0], fold, ["test"]).classes

    @property
    def provenance(self) -> dict[str, str]:
        """What figures carry with them: the digest of everything the study is made of."""
        return {"study": digest(asdict(self.spec))}

    def teacher_table(self, seed: int, split: str = "test", fold: str = "") -> ClipTable:
        """Clips of a split with the teacher's logits."""
        return self.store.table(TEACHER, seed, fold, [split])

    def table(self, student: str, seed: int, split: str = "test", fold: str = "") -> ClipTable:
        """Clips of a split with the teacher's logits and the student's logits and confidence."""
        teacher = self.teacher_table(seed, split, fold)
        return merge_student(teacher, self.store.table(student, seed, fold, [split]))

    def history(self, name: str, seed: int, fold: str = "") -> pd.DataFrame:
        """Training history of a student, or of ``"teacher"``."""
        return self.store.history(name, seed, fold)

    def videos(self, fold: str = "") -> pd.DataFrame:
        """One row per usable video: ``video_id, label, split`` and what its file holds.

        ``n_frames, width_px, height_px, fps, duration_sec, codec``.
        """
        return self.store.videos(fold)

    def left_out(self, fold: str = "") -> pd.DataFrame:
        """One row per video that is listed but not usable: ``file, split, kind, cause``."""
        return self.store.left_out(fold)

    def frames(self, video_id: str, size_px: int = 112) -> NDArray[np.uint8]:
        """All frames of a video, ``[T, H, W, 3]``: decoded, or drawn anew for a pantomime.

        A pantomime can be drawn at any size, so its figures are easy to recognise even where the
        networks saw small frames, and its files need not exist.
        """
        pantomime = self.spec.dataset.pantomime
        if pantomime is None:
            path = videos_root(self.spec.dataset) / video_id
            resize = self.spec.dataset.resize
            return read_frames(path, size_px=(size_px, size_px), resize=resize)
        split, _, name = video_id.partition("/")
        return draw(script(pantomime, split, int(name.partition("_")[0])), pantomime, size_px)


def open_study(source: str | Mapping[str, Any]) -> Study:
    """Open a study.

    Args:
        source: ``"reference"`` for the committed tables of the full study; else the name of a
            params file, or the mapping that such a file holds under ``study``.
    """
    if source == REFERENCE:
        folder = paths.reference_dir()
        return Study(read_study(folder / "study.yaml"), FolderStore(folder), REFERENCE)
    spec = read_study(source)
    return Study(spec, RunStore(spec), spec.name)


def export_reference(source: str, folder: Path) -> None:
    """Write a study's clip tables (logits as float16) and histories for :class:`FolderStore`.

    Args:
        source: Name or path of the study's params file, whose fields are kept beside the tables.
        folder: Folder to write to; made if missing.
    """
    study = open_study(source)
    folder.mkdir(parents=True, exist_ok=True)
    for fold in study.spec.fold_names:
        study.videos(fold).to_csv(folder / f"videos{_tail(fold)}.csv", index=False)
        _export_left_out(study.left_out(fold), folder / f"left_out{_tail(fold)}.csv")
        for seed in study.seeds:
            for name in (TEACHER, *study.students):
                stem = _stem(name, seed, fold)
                # Without the training clips, which no chapter needs clip by clip.
                table = study.store.table(name, seed, fold, study.spec.judged_splits)
                write_clip_table(table, folder / f"{stem}.parquet", "float16")
                study.store.history(name, seed, fold).to_csv(folder / f"{stem}.csv", index=False)
    fields = read_fields(source)
    for kind in ("catalog", "official"):  # so that it can be read without the videos
        if (videos := getattr(study.spec.dataset, kind)) is not None:
            fields["dataset"][kind]["content"] = videos.content
    for role in ("teacher", "student"):  # and without the weights that they start from
        if content := getattr(study.spec, role).weights_content:
            fields[role]["weights_content"] = content
    text = yaml.safe_dump({"study": fields}, sort_keys=False)
    (folder / "study.yaml").write_text(text, encoding="utf-8")


def _export_left_out(left_out: pd.DataFrame, path: Path) -> None:
    path.unlink(missing_ok=True)
    if len(left_out):
        left_out.to_csv(path, index=False)
