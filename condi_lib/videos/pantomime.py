"""Pantomime, the embedded benchmark: untrimmed videos whose every clip's truth is known.

A stick figure acts one of twelve everyday actions. In an untrimmed video only some clips show it:

* ``key``: the labelled action;
* ``confuser``: a look-alike action, of another class, performed with a smaller amplitude and a
  slower tempo. That is the *cue* by which one can tell that it is not the real thing;
* ``generic``: standing, walking in, an empty scene, hidden behind a board, scratching the head.

Trimmed videos hold key clips only. A spec and its seed decide everything: labels and truth are
bit-identical wherever they are drawn, and each video depends on its own index alone.
"""

import csv
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from tqdm import tqdm

from condi_lib.videos import stick_figure
from condi_lib.videos.decode import write_video
from condi_lib.videos.drawing import Actor, Occluder, Painter, background, draw_occluder

CLASSES = tuple(sorted(stick_figure.ACTIONS))
TRUTHS = ("key", "confuser", "generic")
N_BACKGROUNDS = 8
SKIN_RANGE = ((120, 236), (78, 196), (56, 168))  # darkest and lightest R, G, B
BLEND_FRAMES = 3  # the pose flows from one clip into the next
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
    """How many videos a split has, and whether they are trimmed to the labelled action."""

    n_videos: int
    trimmed: bool = False
    n_clips: int = 12


@dataclass(frozen=True)
class PantomimeSpec:
    """Everything that makes a pantomime what it is.

    Attributes:
        splits: Size and kind of each split, by name.
        key_share: Share of an untrimmed video's clips that show the labelled action.
        confuser_share: Share that shows the look-alike; the rest is generic.
        cue: Amplitude and tempo of a confuser relative to the real action: 1 leaves no cue.
        spread: Natural spread of amplitude and tempo, ± this fraction, of every performance.
        clip_frames: Frames a clip spans.
        size_px: Height and width of the square frames.
        fps: Frames per second; a cycle of an action lasts about one clip.
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

    def __post_init__(self) -> None:
        for name in ("key_share", "confuser_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be in [0, 1], got {getattr(self, name)}")
        if self.key_share + self.confuser_share > 1:
            total = self.key_share + self.confuser_share
            raise ValueError(f"key_share + confuser_share must be at most 1, got {total:g}")
        if not 0 < self.cue <= 1:
            raise ValueError(f"cue must be in (0, 1], got {self.cue}")
        if self.size_px < 16 or self.size_px % 2:
            raise ValueError(f"size_px must be even and at least 16, got {self.size_px}")


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
    """Write video ``index`` of a split; it depends on the spec's seed, the split and the index."""
    settings = spec.splits[split]
    rng = np.random.default_rng([spec.seed, *split.encode(), index])
    label = CLASSES[index % len(CLASSES)]  # balanced classes
    actor = _cast(rng)
    kinds = ["key"] * settings.n_clips if settings.trimmed else _plot(spec, settings.n_clips, rng)
    look_alike = str(rng.choice(LOOK_ALIKES[label]))
    clips = tuple(_direct(spec, kind, label, look_alike, rng) for kind in kinds)
    return VideoScript(
        file=f"{split}/{index:05d}_{label}.mp4",
        split=split,
        label=label,
        actor=actor,
        background=int(rng.integers(N_BACKGROUNDS)),
        mirrored=bool(rng.integers(2)),
        clips=clips,
        noise_seed=int(rng.integers(2**31)),
    )


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
    shares = [spec.key_share, spec.confuser_share, 1 - spec.key_share - spec.confuser_share]
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


def draw(video: VideoScript, spec: PantomimeSpec, size_px: int | None = None) -> NDArray[np.uint8]:
    """Draw a scripted video.

    Args:
        video: From :func:`script`.
        spec: The spec it was written with.
        size_px: Frame size, default the spec's; the same scene at any size.

    Returns:
        RGB frames, uint8 ``[T, size_px, size_px, 3]``.
    """
    size = size_px or spec.size_px
    render_px = 2 * size if size < 100 else size  # small frames are drawn larger, then averaged
    scene = background(video.background, render_px)
    painted = Painter(video.actor, scene).draw(_choreograph(video, spec))
    board = _board(video.actor)
    frames = np.empty((len(video.clips) * spec.clip_frames, size, size, 3), np.uint8)
    for t, canvas in enumerate(painted):
        action = video.clips[t // spec.clip_frames].action
        if action == "empty":
            canvas = scene.copy()
        if action == "hidden":
            draw_occluder(canvas, board)
        if render_px != size:
            canvas = cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA)
        frames[t] = canvas
    return np.ascontiguousarray(frames[:, :, ::-1]) if video.mirrored else frames


def _board(actor: Actor) -> Occluder:
    return Occluder(
        actor.x - 0.26, actor.ground - actor.height * 0.86, actor.x + 0.26, (124, 110, 96)
    )


def _choreograph(video: VideoScript, spec: PantomimeSpec) -> NDArray[np.float64]:
    """Joint positions ``[T, J, 2]`` of the whole video, blended where one clip meets the next."""
    rng = np.random.default_rng(video.noise_seed)
    pieces = [_perform(clip, video.label, spec.clip_frames, rng) for clip in video.clips]
    for before, after in pairwise(pieces):
        for t in range(min(BLEND_FRAMES, spec.clip_frames)):
            weight = (t + 1) / (BLEND_FRAMES + 1)
            after[t] = (1 - weight) * before[-1] + weight * after[t]
    return np.concatenate(pieces)


def _perform(clip: ClipTruth, label: str, n_frames: int, rng: Generator) -> NDArray[np.float64]:
    """Joint positions of one clip; the phase at which it starts is random."""
    start = rng.uniform(0, 2 * np.pi)
    phase = start + 2 * np.pi * clip.tempo * np.arange(n_frames) / n_frames
    if clip.action == "walk_in":
        joints = stick_figure.move("walk", phase, 0.9 * clip.amplitude)
        joints[..., 0] += np.linspace(-0.75, 0.0, n_frames)[:, None]
        return joints
    action = {"hidden": label, "empty": "stand"}.get(clip.action, clip.action)
    return stick_figure.move(action, phase, clip.amplitude)


def scripts(spec: PantomimeSpec) -> Iterator[VideoScript]:
    """All videos of a spec, split by split."""
    for split, settings in spec.splits.items():
        for index in range(settings.n_videos):
            yield script(spec, split, index)


def write_pantomime(
    spec: PantomimeSpec, root: Path, workers: int = 0, progress: bool = False
) -> None:
    """Write the benchmark: ``<split>/<index>_<label>.mp4``, ``labels.csv``, ``truth.csv``.

    Files that exist are kept (each is written under another name and renamed), so a killed run
    carries on; the two tables come last and mark the set as complete.

    Args:
        spec: What to draw.
        root: Folder to write to; made if missing.
        workers: Processes that draw and encode; 0 draws in this one.
        progress: Show a progress bar.
    """
    for split in spec.splits:
        (root / split).mkdir(parents=True, exist_ok=True)
    videos = list(scripts(spec))
    missing = [video for video in videos if not (root / video.file).exists()]
    with tqdm(total=len(missing), desc="videos", unit="video", disable=not progress) as bar:
        for _ in _map(_write_one, [(video, spec, root) for video in missing], workers):
            bar.update()
    _write_csv(root / "truth.csv", ("file", "clip_index", "truth", "action"), _truth_rows(videos))
    rows = ((video.file, video.label, video.split) for video in videos)
    _write_csv(root / "labels.csv", ("file", "label", "split"), rows)


def _map(function: Callable, jobs: list, workers: int) -> Iterator:
    if workers < 2:
        yield from map(function, jobs)
        return
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        yield from pool.map(function, jobs, chunksize=8)


def _write_one(job: tuple[VideoScript, PantomimeSpec, Path]) -> None:
    video, spec, root = job
    cv2.setNumThreads(1)
    # One keyframe a second or so: a clip can be reached without decoding the whole video.
    options = {"crf": "20", "preset": "ultrafast", "g": str(spec.clip_frames), "threads": "1"}
    write_video(root / video.file, draw(video, spec), fps=spec.fps, options=options)


def _truth_rows(videos: list[VideoScript]) -> Iterator[tuple[str, int, str, str]]:
    for video in videos:
        for clip_index, clip in enumerate(video.clips):
            yield video.file, clip_index, clip.truth, clip.action


def _write_csv(path: Path, header: tuple[str, ...], rows: Iterator[tuple]) -> None:
    part = path.with_name(path.name + ".part")
    with part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
    part.replace(path)
