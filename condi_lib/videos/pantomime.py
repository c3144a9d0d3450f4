"""Pantomime, the embedded benchmark: draw its videos and write them as real mp4 files.

``screenplay`` decides what happens in each; here it is acted, drawn and encoded.
"""

import csv
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TextIO

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from condi_lib.digests import essentials
from condi_lib.videos import stick_figure
from condi_lib.videos.drawing import Actor, Occluder, Painter, background, draw_occluder
from condi_lib.videos.encode import SoundTrack, write_video
from condi_lib.videos.screenplay import (
    CLASSES,
    GENERIC,
    LOOK_ALIKES,
    TRUTHS,
    ClipTruth,
    PantomimeSpec,
    PantomimeSplit,
    VideoScript,
    listed_label,
    script,
    video_file,
)
from condi_lib.videos.soundtrack import soundtrack
from condi_lib.videos.workers import map_in_processes

__all__ = [
    "CLASSES", "GENERIC", "LOOK_ALIKES", "TRUTHS", "ClipTruth", "PantomimeSpec", "PantomimeSplit",
    "VideoScript", "draw", "script", "starting_phases", "write_pantomime",
]  # fmt: skip

BLEND_FRAMES = 3  # the pose flows from one clip into the next


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
    actions = [clip.action for clip in video.clips for _ in range(spec.clip_frames)]
    on_stage = np.array([action != "empty" for action in actions])
    painted = Painter(video.actor, scene).draw(_choreograph(video, spec)[on_stage])
    board = _board(video.actor)
    frames = np.empty((len(actions), size, size, 3), np.uint8)
    for frame, action in zip(frames, actions, strict=True):
        canvas = scene if action == "empty" else next(painted)
        if action == "hidden":
            draw_occluder(canvas, board)
        if render_px != size:
            canvas = cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA)
        frame[:] = canvas[:, ::-1] if video.mirrored else canvas
    return frames


def _board(actor: Actor) -> Occluder:
    return Occluder(
        actor.x - 0.26, actor.ground - actor.height * 0.86, actor.x + 0.26, (124, 110, 96)
    )


def _choreograph(video: VideoScript, spec: PantomimeSpec) -> NDArray[np.float64]:
    """Joint positions ``[T, J, 2]`` of the whole video, blended where one clip meets the next."""
    acts = zip(video.clips, starting_phases(video), strict=True)
    poses = [_act(clip, video.label, spec.clip_frames, start) for clip, start in acts]
    whole = {name: np.concatenate([pose[name] for pose in poses]) for name in poses[0]}
    pieces = np.split(stick_figure.place(whole), len(video.clips))
    for clip, piece in zip(video.clips, pieces, strict=True):
        if clip.action == "walk_in":
            piece[..., 0] += np.linspace(-0.75, 0.0, spec.clip_frames)[:, None]
    for before, after in pairwise(pieces):
        for t in range(min(BLEND_FRAMES, spec.clip_frames)):
            weight = (t + 1) / (BLEND_FRAMES + 1)
            after[t] = (1 - weight) * before[-1] + weight * after[t]
    return np.concatenate(pieces)


def starting_phases(video: VideoScript) -> list[float]:
    """At which phase, in radians, the action of each clip begins: drawn at random."""
    rng = np.random.default_rng(video.noise_seed)
    return [rng.uniform(0, 2 * np.pi) for _ in video.clips]


def _act(
    clip: ClipTruth, label: str, n_frames: int, start: float
) -> dict[str, NDArray[np.float64]]:
    """Limb angles of one clip that begins at the phase ``start``."""
    phase = start + 2 * np.pi * clip.tempo * np.arange(n_frames) / n_frames
    if clip.action == "walk_in":
        return stick_figure.limb_angles("walk", phase, 0.9 * clip.amplitude)
    action = {"hidden": label, "empty": "stand"}.get(clip.action, clip.action)
    return stick_figure.limb_angles(action, phase, clip.amplitude)


def write_pantomime(
    spec: PantomimeSpec, root: Path, workers: int = 0, progress: bool = False
) -> None:
    """Write the benchmark: ``<split>/<index>_<label>.mp4``, ``labels.csv``, ``truth.csv``.

    Files that exist are kept (each is written under another name and renamed), so a killed run
    carries on; the two tables come last and mark the set as complete. ``spec.json`` comes first:
    the folder belongs to that spec.

    Args:
        spec: What to draw.
        root: Folder to write to; made if missing.
        workers: Processes that draw and encode; 0 draws in this one.
        progress: Show a progress bar.

    Raises:
        ValueError: If ``root`` holds the videos of another spec.
    """
    _claim(root, spec)
    for split in spec.splits:
        (root / split).mkdir(exist_ok=True)
    missing = [video for video in _numbers(spec) if not (root / _file(spec, *video)).exists()]
    write = partial(_write_one, spec, root)
    with tqdm(total=len(missing), desc="videos", unit="video", disable=not progress) as bar:
        for _ in map_in_processes(write, missing, workers):
            bar.update()
    _write_csv(root / "truth.csv", ("file", "clip_index", "truth", "action"), _truth_rows(spec))
    labels = ((_file(spec, *v), listed_label(spec, *v), v[0]) for v in _numbers(spec))
    _write_csv(root / "labels.csv", ("file", "label", "split"), labels)


def _claim(root: Path, spec: PantomimeSpec) -> None:
    """Say whose folder this is, or refuse one whose videos would not fit our truth."""
    root.mkdir(parents=True, exist_ok=True)
    path, ours = root / "spec.json", essentials(spec)
    if not path.exists():
        with _replacing(path) as file:
            file.write(json.dumps(ours, indent=1) + "\n")
    theirs = json.loads(path.read_text(encoding="utf-8"))
    if differ := [n for n in {**ours, **theirs} if theirs.get(n) != ours.get(n)]:
        raise ValueError(
            f"{root}: holds a pantomime of another spec (other {', '.join(differ)}); "
            "write to another folder or delete this one"
        )


def _numbers(spec: PantomimeSpec) -> Iterator[tuple[str, int]]:
    """Split and index of every video."""
    for split, settings in spec.splits.items():
        for index in range(settings.n_videos):
            yield split, index


def _file(spec: PantomimeSpec, split: str, index: int) -> str:
    return video_file(split, spec.splits[split], index)


def _write_one(spec: PantomimeSpec, root: Path, video: tuple[str, int]) -> None:
    cv2.setNumThreads(1)
    scripted = script(spec, *video)
    # One keyframe a second or so: a clip can be reached without decoding the whole video.
    options = {"crf": "20", "preset": "ultrafast", "g": str(spec.clip_frames), "threads": "1"}
    sound = None
    if spec.sound:
        sound = SoundTrack(soundtrack(scripted, spec, starting_phases(scripted)))
    frames = draw(scripted, spec)
    write_video(root / scripted.file, frames, fps=spec.fps, options=options, sound=sound)


def _truth_rows(spec: PantomimeSpec) -> Iterator[tuple[str, int, str, str]]:
    for video in (script(spec, *number) for number in _numbers(spec)):
        for clip_index, clip in enumerate(video.clips):
            yield video.file, clip_index, clip.truth, clip.action


def _write_csv(path: Path, header: tuple[str, ...], rows: Iterable[tuple]) -> None:
    with _replacing(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


@contextmanager
def _replacing(path: Path) -> Iterator[TextIO]:
    """A text file that appears under its name only once it is complete."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with part.open("w", newline="", encoding="utf-8") as file:
            yield file
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
