"""Does decoding feed the accelerator? ``python benchmarks/loader.py`` prints clips per second.

On ten seconds of 340 x 256 px video made here, h264 as in Kinetics, cut into clips of 16 frames at
112 px: the loader by number of worker processes, all clips of a video in order (scoring) or random
clips (training), decoded or read from the cache; then the paper's student and teacher on this
processor; and how many workers a GPU of 1 000 clips per second would need.
"""

import argparse
import math
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from decode import N_FRAMES, moving_scene
from numpy.typing import NDArray
from torch import nn

from condi_lib.models import build_backbone
from condi_lib.videos.catalog import Catalog, VideoRecord
from condi_lib.videos.clips import ClipGrid
from condi_lib.videos.decode import write_video
from condi_lib.videos.loader import ClipSet, cache_clips
from condi_lib.videos.preprocess import Preprocess

GPU_CLIPS_PER_SEC = 1000
BUSY_LOAD = 0.5  # processes that ran or waited to run, over the last minute
NETWORKS = ("shufflenetv2_3d", "resnext3d_101")
N_CLASSES = 600


def make_clips(folder: Path, n_videos: int, size_px: int, gop: int = 250) -> ClipSet:
    """A set of ``n_videos`` files; all hold the same video with a keyframe every ``gop`` frames."""
    first = folder / "0.mp4"
    write_video(first, moving_scene(), options={"preset": "medium", "crf": "23", "g": str(gop)})
    files = [first, *(folder / f"{number}.mp4" for number in range(1, n_videos))]
    for file in files[1:]:
        shutil.copyfile(first, file)
    records = tuple(VideoRecord(file.name, file, 0, "test") for file in files)
    frames = np.full(n_videos, N_FRAMES, np.int64)
    return ClipSet(Catalog(folder, ("one",), records), ClipGrid(), (size_px, size_px), frames)


def batches(rows: NDArray[np.int64], size: int) -> list[NDArray[np.int64]]:
    """Clip numbers, ``size`` of them at a time."""
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def loader_rate(clips: ClipSet, rows: NDArray[np.int64], size: int, workers: int) -> float:
    """Clips per second by the clock, counted from the first batch, when all workers are up."""
    pixels: Iterator[torch.Tensor] = iter(clips.batches(batches(rows, size), workers))
    n_clips = -len(next(pixels))
    start = time.perf_counter()
    n_clips = sum(len(batch) for batch in pixels)
    return n_clips / (time.perf_counter() - start)


def core_rate(clips: ClipSet, rows: NDArray[np.int64], size: int) -> float:
    """Clips per second of processor time, in this process: what one undisturbed core decodes."""
    start = time.process_time()
    n_clips = sum(len(batch) for batch in clips.batches(batches(rows, size)))
    return n_clips / (time.process_time() - start)


def network_rates(name: str, clips: torch.Tensor, repeats: int) -> tuple[float, float]:
    """Clips per second of processor time: forward in eval mode, and whole training steps."""
    model = build_backbone(name, N_CLASSES).to(memory_format=torch.channels_last_3d)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4, momentum=0.9)
    labels = torch.zeros(len(clips), dtype=torch.int64)

    @torch.inference_mode()
    def forward() -> None:
        model(clips)

    def step() -> None:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(clips), labels).backward()
        optimizer.step()

    model.eval()
    forward_sec = best_sec(forward, repeats)
    model.train()
    return len(clips) / forward_sec, len(clips) / best_sec(step, repeats)


def best_sec(work: Callable[[], None], repeats: int) -> float:
    """Processor time of the quickest of some runs, after one to warm up."""
    times = []
    for _ in range(1 + repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times[1:])


def print_machine() -> None:
    """Say how many cores there are and whether others use them."""
    load = os.getloadavg()[0]
    state = "busy: rates by the clock are too low" if load > BUSY_LOAD else "quiet"
    print(f"{os.cpu_count()} cores, load {load:.1f} before the start ({state})")


def print_loader(clips: ClipSet, cached: ClipSet, workers: list[int], size: int) -> None:
    """Table of the loader, and how many workers a GPU needs."""
    scoring = np.arange(len(clips))
    training = np.random.default_rng(0).permutation(len(clips))[: len(clips) // 2]  # slower
    kinds = {"scoring, in order": scoring, "training, random": training}
    print(f"\nclips/s                {'per core':>10}", end="")
    print("".join(f"{n:>4} workers" for n in workers) + f"{'cached':>9}", end="")
    print(f"   workers for {GPU_CLIPS_PER_SEC} clips/s")
    for kind, rows in kinds.items():
        core = core_rate(clips, rows, size)
        by_workers = [loader_rate(clips, rows, size, n) for n in workers]
        from_cache = loader_rate(cached, rows, size, 0)
        needed = math.ceil(GPU_CLIPS_PER_SEC / core)
        print(f"{kind:<22} {core:>10.0f}", end="")
        print("".join(f"{rate:>12.0f}" for rate in by_workers) + f"{from_cache:>9.0f}{needed:>25}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--videos", type=int, default=12)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--size-px", type=int, default=112)
    parser.add_argument("--gop", type=int, default=250, help="frames from keyframe to keyframe")
    parser.add_argument("--network-batch", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=1)
    chosen = parser.parse_args()
    print_machine()
    torch.set_num_threads(1)  # processor time of one thread is time per core
    with tempfile.TemporaryDirectory() as folder:
        clips = make_clips(Path(folder), chosen.videos, chosen.size_px, chosen.gop)
        print(
            f"{len(clips)} clips of 16 frames at {chosen.size_px} px from {chosen.videos} videos",
            end="",
        )
        print(f" with a keyframe every {chosen.gop} frames")
        cache_clips(clips, Path(folder) / "clips.npy")
        cached = replace(clips, cache=Path(folder) / "clips.npy")
        print_loader(clips, cached, chosen.workers, chosen.batch)
        pixels = next(iter(cached.batches([np.arange(chosen.network_batch)])))
    ready = Preprocess(crop_px=chosen.size_px)(pixels)
    print(f"\nclips/s per core, fp32, batch {chosen.network_batch}   scoring   training step")
    for name in NETWORKS:
        forward, step = network_rates(name, ready, chosen.repeats)
        print(f"{name:<33} {forward:>9.2f} {step:>15.2f}")


if __name__ == "__main__":
    main()
