"""Specs: frozen records that say everything that makes a run what it is.

A spec's digest names the folder of its run, so equal specs share one run and any change makes a
new one; fields at their defaults do not count, so a new field leaves older runs alone. Three kinds
follow one another: a data set, a teacher trained and scored on it, a student trained and scored
against that teacher.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from condi_lib import paths
from condi_lib.digests import digest, essentials
from condi_lib.losses import LOSSES, build_objective
from condi_lib.models.zoo import check_backbone
from condi_lib.training import TrainingSettings
from condi_lib.videos.clips import ClipGrid
from condi_lib.videos.decode import RESIZE
from condi_lib.videos.log_mel import LogMel
from condi_lib.videos.official import OFFICIAL, check_fold
from condi_lib.videos.pantomime import PantomimeSpec
from condi_lib.videos.preprocess import Preprocess

SPEC_VERSION = (
    1  # raise it when the same spec would no longer give the same run, or a default changes
)


@dataclass(frozen=True)
class CatalogSource:
    """Your own videos: a CSV of files and labels, or a folder per class.

    Attributes:
        path: CSV file (``file,label[,split]``) or folder with a folder per class; relative paths
            start at the project's root.
        label_column: Column of the CSV that holds the class.
        group_column: Column whose values must not be divided between splits, such as the person.
        groups: Which groups make which split: ``{"test": ["1", "2"], ...}``.
        fractions: Or: shares of the splits, drawn at random by class (and by group if given).
        skip_bad: Leave bad files out and list them, instead of stopping.
        seed: Of the random division.
        content: SHA-256 of the CSV, or of the folder's file names and sizes; filled in when the
            study is read. A study whose ``content`` is given can be read without its videos.
    """

    path: str
    label_column: str = "label"
    group_column: str | None = None
    groups: dict[str, tuple[str, ...]] | None = None
    fractions: dict[str, float] | None = None
    skip_bad: bool = False
    seed: int = 0
    content: str = ""


@dataclass(frozen=True)
class OfficialSource:
    """A published data set, read from its official lists: splits ``train`` and ``test``.

    The shares that are taken from the training list are drawn at random by class, and never divide
    a group (UCF-101: the recordings ``g..``, HMDB-51: films, Kinetics: videos of YouTube). Paper,
    sec. IV: Something-Something V2's training list is divided .9/.1.

    Attributes:
        name: A key of :data:`condi_lib.videos.official.OFFICIAL`.
        root: Folder of the videos; relative paths start at the project's root.
        lists: Folder of the official files.
        fold: Which of the official divisions; a study's ``folds`` may name several.
        val_fraction: Share of the training list that becomes ``val``; 0: there is none.
        teacher_fraction: Share of the training list that becomes ``teacher_train``, so that a
            teacher need not have seen what its students learn confidence on; 0: there is none.
        skip_bad: Leave bad files out and list them, instead of stopping.
        min_frames: Videos with fewer frames are bad. Shorter than a clip is not: the clip loops.
        every_frame: Decode every video once before anything is computed: damage inside a file
            would otherwise stop a training in its middle.
        seed: Of the random shares.
        content: SHA-256 of the official files, of all folds; filled in when the study is read. A
            study whose ``content`` is given can be read without them.
    """

    name: str
    root: str
    lists: str
    fold: int = 1
    val_fraction: float = 0.1
    teacher_fraction: float = 0.0
    skip_bad: bool = False
    min_frames: int = 2
    every_frame: bool = True
    seed: int = 0
    content: str = ""

    def __post_init__(self) -> None:
        check_fold(self.name, self.fold)
        if self.min_frames < 2:
            raise ValueError(f"min_frames must be at least 2, got {self.min_frames}")
        shares = (self.val_fraction, self.teacher_fraction)
        if not all(0 <= share < 1 for share in shares) or sum(shares) >= 1:
            raise ValueError(
                f"val_fraction and teacher_fraction must leave a share to train on, got {shares}"
            )

    @property
    def n_folds(self) -> int:
        """How many official divisions there are."""
        return OFFICIAL[self.name].n_folds

    @property
    def fractions(self) -> dict[str, float]:
        """What the training list is divided into."""
        taken = {"teacher_train": self.teacher_fraction, "val": self.val_fraction}
        taken = {split: share for split, share in taken.items() if share}
        return {"train": 1 - sum(taken.values()), **taken}


@dataclass(frozen=True)
class DatasetSpec:
    """Videos and how they become clips.

    Attributes:
        pantomime: The embedded benchmark, or
        catalog: your own videos, or
        official: a published data set; exactly one of the three.
        clip_frames: Frames that a clip spans; of a pantomime as many as there, or an equal part:
            with 4 frames, of which every fourth is read, each "clip" is a single frame.
        stride: Every how many of them are read.
        size_px: Height and width of the frames that networks are given.
        resize: How frames come to that size: ``"stretch"`` them, or let them ``"cover"`` it,
            keeping their proportion, and cut what stands out (what published networks saw).
        cache: Keep decoded clips in one file (small sets) or decode on demand.
    """

    pantomime: PantomimeSpec | None = None
    catalog: CatalogSource | None = None
    official: OfficialSource | None = None
    clip_frames: int = 16
    stride: int = 1
    size_px: tuple[int, int] = (112, 112)
    resize: str = "stretch"
    cache: bool = True

    def __post_init__(self) -> None:
        if [self.pantomime, self.catalog, self.official].count(None) != 2:
            raise ValueError("give exactly one of `pantomime`, `catalog` and `official`")
        if self.resize not in RESIZE:
            raise ValueError(f"resize must be one of {RESIZE}, got {self.resize!r}")
        if self.pantomime is not None and self.pantomime.clip_frames % self.clip_frames:
            raise ValueError(
                f"clip_frames is {self.clip_frames}, but pantomime.clip_frames is "
                f"{self.pantomime.clip_frames}: its truth is known for such clips, or equal parts "
                "of them, only"
            )

    @property
    def sampled_frames(self) -> int:
        """Frames that are read of each clip."""
        return ClipGrid(self.clip_frames, self.stride).sampled_frames

    @property
    def needs(self) -> tuple["Spec", ...]:
        """The specs whose runs must be there first: none."""
        return ()

    @property
    def split_names(self) -> tuple[str, ...] | None:
        """Names of the splits; None where only the catalog knows them."""
        if self.pantomime is not None:
            return tuple(self.pantomime.splits)
        if self.official is not None:
            return (*self.official.fractions, "test")
        named = self.catalog.groups or self.catalog.fractions
        return None if named is None else tuple(named)


@dataclass(frozen=True)
class NetworkSpec:
    """A network, how it is trained, and on which videos.

    Attributes:
        backbone: Name as in :func:`condi_lib.models.build_backbone`.
        options: Passed to the backbone, such as ``width``; ``pool``, ``every``, ``view`` and
            ``single_frames`` let any network see larger pixels, fewer frames, the motion or single
            frames of a clip.
        train_splits: Splits to train on.
        classes: Train and measure on videos of these classes only; empty: of all.
        val_split: Split on which every epoch is measured; empty: none.
        val_clips: At most so many of its clips are used, evenly spread.
        weights: File of weights to start from, relative to the project's root: published ones, or
            those of another run (see :func:`condi_lib.models.load_weights`). The class head is
            kept where the classes are the data set's, and replaced where not; so is a confidence
            head, together with it.
        weights_content: Digest of that file and the list of classes beside it; filled in when the
            study is read. A study in which it is given can be read without the file.
        preprocess: Decoded clips to this network's input; None: as the study, or the spec of the
            run, says; of a network that listens, the whole patch, unchanged but for its scale.
        sound: It listens to the clips instead of seeing them, and is given patches of their sound.
        training: Optimiser, schedule, epochs (0: use ``weights`` as they are); its seed is that of
            the run.
    """

    backbone: str
    options: dict[str, int | float | str] = field(default_factory=dict)
    train_splits: tuple[str, ...] = ("train",)
    classes: tuple[str, ...] = ()
    val_split: str = "val"
    val_clips: int = 2000
    weights: str | None = None
    weights_content: str = ""
    preprocess: Preprocess | None = None
    sound: LogMel | None = None
    training: TrainingSettings = field(default_factory=TrainingSettings)

    def __post_init__(self) -> None:
        check_backbone(self.backbone, self.options)  # a typing error should not cost an hour
        if self.sound is not None and self.preprocess is not None and self.preprocess.flip:
            raise ValueError(
                "preprocess.flip would play sound backwards; give a network that listens "
                "`preprocess: {flip: false, ...}`"
            )
        if self.training.seed:
            raise ValueError("training.seed would not be used; give the study's `seeds`")
        if self.training.epochs == 0 and self.weights is None:
            raise ValueError("training.epochs is 0, so `weights` must be given, to use as they are")

    def preprocess_or(self, plain: Preprocess) -> Preprocess:
        """Its preprocessing: its own, or if it sees the ``plain`` one, or whole patches."""
        if self.preprocess is not None or self.sound is None:
            return self.preprocess or plain
        return Preprocess(min(self.sound.shape), (0.5,) * 3, (0.25,) * 3, flip=False)

    @property
    def used_splits(self) -> tuple[str, ...]:
        """The splits on which it is trained and measured."""
        return (*self.train_splits, *filter(None, [self.val_split]))


@dataclass(frozen=True)
class TeacherSpec:
    """A teacher: trained, then run over all clips of ``score_splits``, once.

    Attributes:
        dataset: Its videos.
        network: The network and its training.
        preprocess: Decoded clips to its input.
        score_splits: Splits whose clips it scores.
        cross_fit: What it says of the clips that it was trained on comes from so many other
            networks, each trained like it but without the videos that it is asked about; 0: from
            itself, as in the paper.
        seed: Of weights and training.
    """

    dataset: DatasetSpec
    network: NetworkSpec
    preprocess: Preprocess
    score_splits: tuple[str, ...]
    cross_fit: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.cross_fit == 1 or self.cross_fit < 0:
            raise ValueError(f"cross_fit must be 0 (none) or at least 2, got {self.cross_fit}")

    @property
    def needs(self) -> tuple["Spec", ...]:
        """The specs whose runs must be there first."""
        return (self.dataset,)


@dataclass(frozen=True)
class StudentSpec:
    """A student: trained with one loss against a teacher's stored logits, then run over clips."""

    teacher: TeacherSpec
    loss: str
    network: NetworkSpec
    preprocess: Preprocess
    score_splits: tuple[str, ...]
    hyperparameters: dict[str, float | bool] = field(default_factory=dict)
    seed: int = 0

    def __post_init__(self) -> None:
        build_objective(self.loss, **self.hyperparameters)
        wanted = {*self.network.used_splits, *self.score_splits}
        if missing := sorted(wanted - set(self.teacher.score_splits)):
            raise ValueError(f"the teacher must score {missing}, on which its student relies")

    @property
    def has_confidence(self) -> bool:
        """Whether this loss trains the confidence head."""
        return LOSSES[self.loss].score == "confidence"

    @property
    def needs(self) -> tuple["Spec", ...]:
        """The specs whose runs must be there first."""
        return (self.teacher,)


Spec = DatasetSpec | TeacherSpec | StudentSpec
KINDS = {DatasetSpec: "dataset", TeacherSpec: "teacher", StudentSpec: "student"}


def describe(spec: Spec) -> dict[str, Any]:
    """The spec as plain JSON values."""
    plain = {"kind": KINDS[type(spec)], "version": SPEC_VERSION, **asdict(spec)}
    return json.loads(json.dumps(plain))


def run_name(spec: Spec) -> str:
    """Name of the run's folder: its kind and the digest of what its spec has of its own."""
    return f"{KINDS[type(spec)]}-{digest([SPEC_VERSION, essentials(spec)])}"


def run_folder(spec: Spec) -> Path:
    """Where the run of ``spec`` is, or will be."""
    return paths.runs_dir() / run_name(spec)
