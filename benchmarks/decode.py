"""How fast are frames read? ``python benchmarks/decode.py`` prints frames per second and ratios.

Three questions, on ten seconds of 340 x 256 px video made here, h264 as in Kinetics:
how much one reused reformatter gains over PyAV's simplest loop, how much reading 5 clips out of
18 gains over reading all frames, and how long one probe takes.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from condi_lib.videos.clips import ClipGrid
from condi_lib.videos.decode import VideoReader, probe, read_frames, write_video

N_FRAMES, HEIGHT, WIDTH, SHORT_SIDE_PX = 288, 256, 340, 112
KEPT_CLIPS = (2, 5, 9, 13, 16)  # of 18, spread as a sampler spreads them


def moving_scene(seed: int = 0) -> NDArray[np.uint8]:
    """A noisy texture that drifts: about as many bits a frame as a real scene."""
    rng = np.random.default_rng(seed)
    scene = rng.integers(0, 256, (40, 60, 3), dtype=np.uint8)
    scene = cv2.resize(scene, (2 * WIDTH, 2 * HEIGHT), interpolation=cv2.INTER_CUBIC)
    frames = [scene[t // 2 : t // 2 + HEIGHT, t : t + WIDTH] for t in range(N_FRAMES)]
    noise = rng.integers(0, 12, (N_FRAMES, HEIGHT, WIDTH, 1), dtype=np.uint8)
    return np.clip(np.stack(frames).astype(np.int16) + noise, 0, 255).astype(np.uint8)


def naive(path: Path) -> NDArray[np.uint8]:
    """PyAV's simplest loop: every frame is converted in full, and resized afterwards."""
    width = SHORT_SIDE_PX * WIDTH // HEIGHT
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return np.stack([cv2.resize(frame, (width, SHORT_SIDE_PX)) for frame in frames])


def all_frames(path: Path) -> NDArray[np.uint8]:
    """Every frame through the reader."""
    return read_frames(path, short_side_px=SHORT_SIDE_PX)


def some_clips(path: Path) -> None:
    """The kept clips through the reader."""
    grid = ClipGrid(clip_frames=16)
    with VideoReader(path, short_side_px=SHORT_SIDE_PX) as reader:
        for clip_index in KEPT_CLIPS:
            reader.read(grid.frame_indices(N_FRAMES, clip_index))


def best_sec(read: Callable[[Path], object], path: Path, repeats: int) -> float:
    """The quickest of some runs: what disturbs a run only makes it slower."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        read(path)
        times.append(time.process_time() - start)
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    frames = moving_scene()
    print(f"{N_FRAMES} frames of {WIDTH} x {HEIGHT} px, read at {SHORT_SIDE_PX} px, one thread")
    print("keyframe every   naive fps   reader fps   ratio   5 of 18 clips against all   probe ms")
    with tempfile.TemporaryDirectory() as folder:
        for gop in (16, 30, 250):
            path = Path(folder) / f"{gop}.mp4"
            options = {"preset": "medium", "crf": "23", "g": str(gop), "sc_threshold": "0"}
            write_video(path, frames, options=options)
            loop, whole, clips, look = (
                best_sec(read, path, repeats) for read in (naive, all_frames, some_clips, probe)
            )
            print(
                f"{gop:>14} {N_FRAMES / loop:>11.0f} {N_FRAMES / whole:>12.0f} "
                f"{loop / whole:>7.2f} {whole / clips:>25.2f} x {1000 * look:>11.1f}"
            )


if __name__ == "__main__":
    main()
