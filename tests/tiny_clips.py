"""A tiny data set of real files: bright and dark videos, cut into clips, cached."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from condi_lib.losses import build_objective
from condi_lib.models import Student, build_backbone
from condi_lib.training import TrainingData
from condi_lib.videos.catalog import Catalog, VideoRecord
from condi_lib.videos.clips import ClipGrid
from condi_lib.videos.decode import write_video
from condi_lib.videos.loader import ClipSet, cache_clips
from condi_lib.videos.preprocess import Preprocess

CLASSES = ("bright", "dark")
LOSSLESS = {"crf": "0", "preset": "ultrafast"}
FULL_FRAME = Preprocess(16, mean=(0.5,) * 3, std=(0.25,) * 3, flip=False)


def write_videos(
    folder: Path, n_frames: list[int], size_px: int = 16
) -> tuple[Catalog, NDArray[np.int64]]:
    """Write noise around a bright or dark grey; videos 0, 2, ... are bright, the last two "val"."""
    rng = np.random.default_rng(0)
    records = []
    for index, count in enumerate(n_frames):
        label = index % 2
        path = folder / f"{index}_{CLASSES[label]}.mp4"
        grey = (150, 100)[label] + rng.normal(0, 20, (count, size_px, size_px, 1))
        frames = np.repeat(np.clip(grey, 0, 255).astype(np.uint8), 3, axis=3)
        write_video(path, frames, options=LOSSLESS)
        split = "val" if index >= len(n_frames) - 2 else "train"
        records.append(VideoRecord(path.name, path, label, split))
    return Catalog(folder, CLASSES, tuple(records)), np.array(n_frames)


def cached_clips(folder: Path, n_videos: int = 10) -> ClipSet:
    """Videos of 3 clips of 4 frames, 16 px, and their cache; found again if they exist."""
    grid, size_px, cache = ClipGrid(4), (16, 16), folder / "clips.npy"
    if not cache.exists():
        catalog, n_frames = write_videos(folder, [12] * n_videos)
        cache_clips(ClipSet(catalog, grid, size_px, n_frames), cache)
    names = sorted(folder.glob("*.mp4"))
    records = tuple(
        VideoRecord(p.name, p, i % 2, "val" if i >= n_videos - 2 else "train")
        for i, p in enumerate(names)
    )
    return ClipSet(Catalog(folder, CLASSES, records), grid, size_px, np.full(n_videos, 12), cache)


def training_data(clips: ClipSet, teacher: bool = True, **options) -> TrainingData:
    """Two thirds of the clips, at random, are those that the teacher is right about."""
    labels = torch.tensor(clips.table()["label"].to_numpy())
    rng = torch.Generator().manual_seed(1)
    right = torch.rand(len(clips), generator=rng) < 0.67
    says = torch.where(right, labels, 1 - labels)
    logits = 2.0 * torch.nn.functional.one_hot(says, 2) + torch.rand(len(clips), 2, generator=rng)
    fields = {
        "rows": clips.rows(["train"]),
        "preprocess": Preprocess(12, mean=(0.5,) * 3, std=(0.25,) * 3, brightness=0.1),
        "val_rows": clips.rows(["val"]),
        "teacher_logits": logits if teacher else None,
    }
    return TrainingData(clips=clips, labels=labels, **(fields | options))


class FrameByFrame(torch.nn.Module):
    """The mean over frames of what a 2D convolution sees in each, as some transformers begin."""

    def __init__(self, n_classes: int = 2) -> None:
        super().__init__()
        self.frame = torch.nn.Conv2d(3, 4, 3)
        self.time = torch.nn.Conv3d(4, 4, (2, 1, 1))
        self.fc = torch.nn.Linear(4, n_classes)

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        """Logits ``[B, C]``."""
        frames = self.frame(clips.transpose(1, 2).flatten(0, 1)).unflatten(0, (len(clips), -1))
        return self.fc(self.time(frames.transpose(1, 2)).mean(dim=(2, 3, 4)))


def network(loss: str = "classification", seed: int = 0) -> torch.nn.Module:
    """A small network, with a confidence head where the loss trains one."""
    backbone = build_backbone("small_cnn3d", 2, seed, width=2)
    if not build_objective(loss).has_confidence:
        return backbone
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed + 1)
        return Student(backbone)
