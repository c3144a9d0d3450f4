"""Where the explorer's tables and videos come from: a study, or a clip table and a folder."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from condi_lib.clip_table import ClipTable, read_clip_table
from condi_lib.explore.pictures import Pictures, pictures_of_files, pictures_of_study
from condi_lib.study import Study
from condi_lib.study.ensure import is_done
from condi_lib.study.study import RunStore

CLIP_FRAMES = 16  # where no video of a table has two clips


@dataclass(frozen=True)
class Choice:
    """Which clips are explored.

    Attributes:
        student: Whose scores; empty: those of the table, or none.
        seed: Of the training of both networks.
        split: Which videos.
        fold: Of a study with several divisions of its data.
    """

    student: str = ""
    seed: int = 0
    split: str = "test"
    fold: str = ""


@dataclass(frozen=True)
class Source:
    """Clip tables by choice, and pictures of their videos.

    Attributes:
        name: For readers.
        options: What there is to choose from, by the fields of :class:`Choice`, the first first.
        table: Gives the table of a choice.
        pictures: Of its videos; None where there are none.
    """

    name: str
    options: dict[str, tuple]
    table: Callable[[Choice], ClipTable]
    pictures: Pictures | None

    @property
    def first(self) -> Choice:
        """The first of everything."""
        return Choice(**{name: values[0] for name, values in self.options.items()})


def source_of_study(study: Study, student: str = "") -> Source:
    """Explore a study; of one with networks of its own, the students that are computed.

    Args:
        study: Which. Where none of its students is computed yet, the first one is.
        student: The one to begin with; empty: ConDi-SR if there is one.

    Raises:
        ValueError: If the study has no such student.
    """
    if student and student not in study.students:
        raise ValueError(f"study {study.name}: no student {student!r}, only {study.students}")
    wanted = student or ("condi_sr" if "condi_sr" in study.students else study.students[0])
    fold, seed = study.spec.fold_names[0], study.seeds[0]
    others = [s for s in study.students if s != wanted and _is_there(study, s, seed, fold)]
    seeds = [s for s in study.seeds if s == seed or _is_there(study, wanted, s, fold)]
    scored = study.spec.splits_of(wanted)

    def table(choice: Choice) -> ClipTable:
        return study.table(choice.student, choice.seed, choice.split, choice.fold)

    options = {
        "student": (wanted, *others),
        "seed": tuple(seeds),
        "split": tuple(sorted(scored, key=lambda name: name != "test")),
        "fold": study.spec.fold_names,
    }
    return Source(f"study {study.name}", options, table, pictures_of_study(study))


def _is_there(study: Study, student: str, seed: int, fold: str) -> bool:
    """Whether a student's results can be read: none is trained because somebody looks at a list."""
    if not isinstance(study.store, RunStore):
        return True
    return is_done(study.spec.student_of(student, seed, fold))


def source_of_table(table: ClipTable | str | Path, videos: str | Path | None = None) -> Source:
    """Explore any clip table.

    Args:
        table: With the teacher's logits, and whatever else there is; or its file or folder.
        videos: The folder that its ``video_id`` are relative to; None: it has no pictures.

    Raises:
        FileNotFoundError: If the folder does not exist.
        ClipTableError: If the file is no clip table.
    """
    name = "clip table"
    if not isinstance(table, ClipTable):
        name, table = Path(table).name, read_clip_table(Path(table))
    pictures = None
    if videos is not None:
        if not Path(videos).is_dir():
            raise FileNotFoundError(f"{videos}: is no folder; name the one that holds the videos")
        pictures = pictures_of_files(Path(videos), clip_frames_of(table))
    options = {"student": ("",), "seed": (0,), "split": table.split_names, "fold": ("",)}
    return Source(name, options, lambda choice: table.split(choice.split), pictures)


def clip_frames_of(table: ClipTable) -> int:
    """Return how many frames lie between two clips of a video."""
    index = table.clips["clip_index"].to_numpy()
    second = np.flatnonzero(index == 1)
    if not len(second):
        return CLIP_FRAMES
    start = table.clips["start_frame"].to_numpy()
    return int(start[second[0]] - start[second[0] - 1])
