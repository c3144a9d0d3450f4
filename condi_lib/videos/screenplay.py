"""What happens in the videos of the embedded benchmark: every clip, and the truth about it.

A stick figure acts one of twelve everyday actions. In an untrimmed video only some clips show it:

* ``key``: the labelled action;
* ``confuser``: a look-alike action, of another class, performed with a smaller amplitude and a
  slower tempo. That is the *cue* by which one can tell that it is not the real thing;
* ``generic``: standing, walking in, an empty scene, hidden behind a board, scratching the head.

Trimmed videos hold key clips only. A spec and its seed decide everything: labels and truth are
bit-identical wherever they are drawn, and each video depends on its own index alone.
"""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.random import Generator

from condi_lib.videos import stick_figure
from condi_lib.videos.drawing import Actor

CLASSES = tuple(sorted(stick_figure.ACTIONS))
TRUTHS = ("key", "confuser", "generic")
N_BACKGROUNDS = 8
SKIN_RANGE = ((120, 236), (78, 196), (56, 168))  # darkest and lightest R, G, B
# Symmetric, and each action is the look-alike of exactly two others: how often an action is a
# confuser says nothing about which action it is.
LOOK_ALIKES = {
    "bend": ("squat", "kick"),
    "box": ("clap", "wave_one"),
    "clap": ("box", "wave_both"),
    "jump": ("squat", "jumping_jack"),
    "jumping_jack": ("jump", "side_step"),
    "kick": ("bend", "run"),
    "run": ("kick", "walk"),
    "side_step": ("jumping_jack", "walk"),
    "squat": ("bend", "jump"),
    "walk": ("run", "side_step"),
    "wave_both": ("clap", "wave_one"),
    "wave_one": ("wave_both", "box"),
}
GENERIC = ("stand", "walk_in", "empty", "hidden", "scratch_head")


@dataclass(frozen=True)
class PantomimeSplit:
    """How many videos a split has, what they show, and what is said of them.

    Attributes:
        n_videos: Videos; the classes take turns.
        trimmed: Show the labelled action only.
        n_clips: Clips of each video.
        key_share: Of this split's videos; None: as the spec says, also for the next two.
        confuser_share: The same.
        cue: The same.
        classes: The labelled actions, if not all of them; look-alikes may be others.
        label_noise: Share of the videos that are listed under a wrong class, drawn at random.
    """

    n_videos: int
    trimmed: bool = False
    n_clips: int = 12
    key_share: float | None = None
    confuser_share: float | None = None
    cue: float | None = None
    classes: tuple[str, ...] = CLASSES
    label_noise: float = 0.0

    def __post_init__(self) -> None:
        for name in ("n_videos", "n_clips"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not 0 <= self.label_noise <= 1:
            raise ValueError(f"label_noise must be in [0, 1], got {self.label_noise}")
        known = set(CLASSES)
        if not self.classes or len({*self.classes} & known) < len(self.classes):
            raise ValueError(f"classes must be some of {list(CLASSES)}, got {list(self.classes)}")


@dataclass(frozen=True)
class PantomimeSpec:
    """Everything that makes a pantomime what it is.

    Attributes:
        splits: Size and kind of each split, by name; the name is that of a folder.
        key_share: Share of an untrimmed video's clips that show the labelled action; each video
            has at least one.
        confuser_share: Share that shows the look-alike; the rest is generic.
        cue: Amplitude and tempo of a confuser relative to the real action: 1 leaves no cue.
        spread: Natural spread of amplitude and tempo, ± this fraction, of every performance.
        clip_frames: Frames a clip spans.
        size_px: Height and width of the square frames.
        fps: Frames per second; a cycle of an action lasts about one clip.
        sound: Whether the files also have a sound track; the pictures are the same.
        seed: Decides every video of every split.
    """

    splits: dict[str, PantomimeSplit] = field(default_factory=dict)
    key_share: float = 0.35
    confuser_share: float = 0.35
    cue: float = 0.9
    spread: float = 0.25
    clip_frames: int = 16
    size_px: int = 48
    fps: int = 16
    seed: int = 0
    sound: bool = False

    def __post_init__(self) -> None:
        check_knobs(self.key_share, self.confuser_share, self.cue)
        if not 0 <= self.spread < 1:
            raise ValueError(f"spread must be in [0, 1), got {self.spread}")
        if self.size_px < 16 or self.size_px % 2:
            raise ValueError(f"size_px must be even and at least 16, got {self.size_px}")
        for name, least in (("clip_frames", 1), ("fps", 1), ("seed", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")
        for name in self.splits:
            if not name or name.startswith(".") or "/" in name:
                raise ValueError(f"split {name!r} cannot be the name of a folder; rename it")
            try:
                check_knobs(*(getattr(self.of(name), knob) for knob in KNOBS))
            except ValueError as error:
                raise ValueError(f"splits[{name!r}]: {error}") from error

    def of(self, split: str) -> "PantomimeSpec":
        """The spec with the knobs of one split."""
        own = {knob: getattr(self.splits[split], knob) for knob in KNOBS}
        own = {knob: value for knob, value in own.items() if value is not None}
        return replace(self, splits={}, **own) if own else self


KNOBS = ("key_share", "confuser_share", "cue")


def check_knobs(key_share: float, confuser_share: float, cue: float) -> None:
    """Refuse shares that are none, or exceed the whole, and a cue outside (0, 1]."""
    for name, share in {"key_share": key_share, "confuser_share": confuser_share}.items():
        if not 0 <= share <= 1:
            raise ValueError(f"{name} must be in [0, 1], got {share}")
    if (total := key_share + confuser_share) > 1 + 1e-9:
        raise ValueError(f"key_share + confuser_share must be at most 1, got {total:g}")
    if not 0 < cue <= 1:
        raise ValueError(f"cue must be in (0, 1], got {cue}")


@dataclass(frozen=True)
class ClipTruth:
    """What one clip shows: its kind, the action performed, and how."""

    truth: str  # key, confuser or generic
    action: str  # a class, or one of GENERIC
    amplitude: float
    tempo: float


@dataclass(frozen=True)
class VideoScript:
    """One video before it is drawn."""

    file: str
    split: str
    label: str
    actor: Actor
    background: int
    mirrored: bool
    clips: tuple[ClipTruth, ...]
    noise_seed: int


def script(spec: PantomimeSpec, split: str, index: int) -> VideoScript:
    """Write video ``index`` of a split.

    It depends on the spec's knobs and seed, the split's name and the index, not on what other
    videos or splits there are.
    """
    settings, spec = spec.splits[split], spec.of(split)
    rng = np.random.default_rng([spec.seed, *split.encode(), index])
    label = video_label(settings, index)
    actor = _cast(rng)
    kinds = ["key"] * settings.n_clips if settings.trimmed else _plot(spec, settings.n_clips, rng)
    look_alike = str(rng.choice(LOOK_ALIKES[label]))
    clips = tuple(_direct(spec, kind, label, look_alike, rng) for kind in kinds)
    return VideoScript(
        file=video_file(split, settings, index),
        split=split,
        label=label,
        actor=actor,
        background=int(rng.integers(N_BACKGROUNDS)),
        mirrored=bool(rng.integers(2)),
        clips=clips,
        noise_seed=int(rng.integers(2**31)),
    )


def video_label(settings: PantomimeSplit, index: int) -> str:
    """The labelled action of video ``index`` of a split."""
    return settings.classes[index % len(settings.classes)]  # balanced classes


def listed_label(spec: PantomimeSpec, split: str, index: int) -> str:
    """The class under which a video is listed: that of its action, but for the label noise."""
    settings = spec.splits[split]
    label = video_label(settings, index)
    rng = np.random.default_rng([spec.seed, *split.encode(), index, 1])
    if rng.uniform() >= settings.label_noise:
        return label
    return str(rng.choice([other for other in CLASSES if other != label]))


def video_file(split: str, settings: PantomimeSplit, index: int) -> str:
    """Where video ``index`` of a split lies below the benchmark's folder."""
    return f"{split}/{index:05d}_{video_label(settings, index)}.mp4"


def _cast(rng: Generator) -> Actor:
    """Choose an actor: clothes, build and place."""

    def colour(low: int, high: int) -> tuple[int, int, int]:
        return tuple(int(c) for c in rng.integers(low, high, 3))  # type: ignore[return-value]

    tone = rng.uniform(0, 1)
    skin = tuple(int(a + (b - a) * tone) for a, b in SKIN_RANGE)
    return Actor(
        skin=skin,
        shirt=colour(40, 190),
        trousers=colour(25, 125),
        hair=colour(20, 90),
        height=rng.uniform(0.6, 0.74),
        x=rng.uniform(0.42, 0.58),
        ground=rng.uniform(0.86, 0.93),
        facing=int(rng.choice((-1, 1))),
    )


def _plot(spec: PantomimeSpec, n_clips: int, rng: Generator) -> list[str]:
    """Order the kinds of clips; at least one is key, and generic ones gather at the ends."""
    rest = max(0.0, 1 - spec.key_share - spec.confuser_share)  # .9 and .1 leave -3e-17
    shares = [spec.key_share, spec.confuser_share, rest]
    kinds = rng.choice(TRUTHS, size=n_clips, p=shares)
    if "key" not in kinds:
        kinds[rng.integers(n_clips)] = "key"
    # People walk in, act and leave: positions of generic clips come from a U-shaped law.
    when = np.where(kinds == "generic", rng.beta(0.6, 0.6, n_clips), rng.uniform(0, 1, n_clips))
    return [str(kind) for kind in kinds[np.argsort(when, kind="stable")]]


def _direct(
    spec: PantomimeSpec, kind: str, label: str, look_alike: str, rng: Generator
) -> ClipTruth:
    """Decide how one clip is performed."""
    low, high = 1 - spec.spread, 1 + spec.spread
    amplitude, tempo = rng.uniform(low, high), rng.uniform(low, high)
    generic = str(rng.choice(GENERIC))
    if kind == "key":
        return ClipTruth(kind, label, amplitude, tempo)
    if kind == "confuser":
        return ClipTruth(kind, look_alike, amplitude * spec.cue, tempo * spec.cue)
    return ClipTruth(kind, generic, amplitude, tempo)
