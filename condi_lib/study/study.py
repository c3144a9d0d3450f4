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
from numpy.typing import NDArray

from condi_lib import paths
from condi_lib.clip_table import ClipTable, merge_student, read_clip_table
from condi_lib.digests import digest
from condi_lib.study.config import REFERENCE, TEACHER, StudySpec
from condi_lib.study.datasets import read_videos, videos_root
from condi_lib.study.ensure import ensure
from condi_lib.study.networks import SCORES
from condi_lib.study.params import read_study
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

    def of_variant(self, group: str, name: str, spec: StudySpec) -> "Store":
        """Where the results of a variant come from."""


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

    def of_variant(self, group: str, name: str, spec: StudySpec) -> "RunStore":
        """The variant's runs."""
        return RunStore(spec)


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
        return read_clip_table(self._path(f"{network_stem(name, seed, fold)}.parquet"), splits)

    def history(self, name: str, seed: int, fold: str) -> pd.DataFrame:
        """The network's training history."""
        return pd.read_csv(self._path(f"{network_stem(name, seed, fold)}.csv"))

    def videos(self, fold: str) -> pd.DataFrame:
        """The data set's usable videos."""
        return read_videos(self._path(f"videos{fold_tail(fold)}.csv"))

    def left_out(self, fold: str) -> pd.DataFrame:
        """The data set's other videos; a folder without the file has all videos."""
        path = self.folder / f"left_out{fold_tail(fold)}.csv"
        if path.exists():
            return read_videos(path)
        return pd.DataFrame(columns=["file", "split", "kind", "cause"])

    def of_variant(self, group: str, name: str, spec: StudySpec) -> "FolderStore":
        """The variant's folder, which holds nothing but results."""
        return FolderStore(self.folder / group / name)


def fold_tail(fold: str) -> str:
    """What names of files end in that belong to a fold; empty where there are no folds."""
    return f"-{fold.replace(' ', '_')}" if fold else ""


def network_stem(name: str, seed: int, fold: str) -> str:
    """How the files of a network begin."""
    return f"{name}{fold_tail(fold)}-seed{seed}"


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

    def variants(self, group: str) -> "dict[str, Study]":
        """The studies that a chapter sets beside this one, by name; empty where there are none.

        Of the committed reference's variants only the results are there (``results_of``).
        """
        specs = self.spec.variants.get(group, {})
        return {
            name: Study(spec, self.store.of_variant(group, name, spec), self.name)
            for name, spec in specs.items()
        }

    def teacher_table(self, seed: int, split: str = "test", fold: str = "") -> ClipTable:
        """Clips of a split with the teacher's logits."""
        return self.store.table(TEACHER, seed, fold, [split])

    def table(
        self,
        student: str,
        seed: int,
        split: str = "test",
        fold: str = "",
        teacher: ClipTable | None = None,
    ) -> ClipTable:
        """Clips of a split with the teacher's logits and the student's logits and confidence.

        Args:
            student: Which one.
            seed: Which of its trainings.
            split: Which clips.
            fold: Of the study.
            teacher: What ``teacher_table`` says of these clips, where it was read already.
        """
        beside = self.teacher_table(seed, split, fold) if teacher is None else teacher
        return merge_student(beside, self.store.table(student, seed, fold, [split]))

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
        spec = read_study(folder / "study.yaml", with_weights=False)
        return Study(spec, FolderStore(folder), REFERENCE)
    spec = read_study(source)
    return Study(spec, RunStore(spec), spec.name)
