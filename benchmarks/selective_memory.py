"""Does selective inference hold its memory? On an hour of video, and over 10 000 predictions.

``python benchmarks/selective_memory.py`` classifies videos of 1, 10 and 60 minutes with each policy
(small networks, but clips of 16 frames of 112 px: an hour of them is 4 GB), each in a process of
its own, and then one short file 10 000 times. Counted is RssAnon, as in ``memory.py``.
"""

import argparse
import gc
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import psutil
from memory import anonymous_bytes

from condi_lib.models import Student, build_backbone
from condi_lib.sampling import DENSE, Adaptive, Divided, Policy, Selected
from condi_lib.selective import ClipNetwork, SelectiveClassifier
from condi_lib.videos.clips import ClipGrid
from condi_lib.videos.decode import write_video
from condi_lib.videos.preprocess import Preprocess

MB = 1e6
FPS, SIZE_PX, CLIP_FRAMES, N_CLASSES = 30, 112, 16, 12
POLICIES: dict[str, Policy] = {
    "dense": DENSE,
    "K = 5": Selected(k_clips=5),
    "K_t = 5, K_s = 3": Divided(8, 3),
    "adaptive": Adaptive(0.2),
    "dense, weighted": Selected("dense", None, power=4),
}


def make_minute(path: Path) -> None:
    """A minute of noise that drifts, in h264 with a keyframe every second."""
    rng = np.random.default_rng(0)
    scene = rng.integers(0, 256, (SIZE_PX, 4 * SIZE_PX, 3), np.uint8)
    places = np.arange(60 * FPS) % (3 * SIZE_PX)
    frames = np.stack([scene[:, place : place + SIZE_PX] for place in places])
    options = {"preset": "ultrafast", "crf": "30", "g": str(FPS), "bf": "0"}
    write_video(path, frames, fps=FPS, options=options)


def repeated(minute: Path, path: Path, minutes: int) -> Path:
    """The same minute so many times in a row, copied packet by packet."""
    with av.open(str(minute)) as source, av.open(str(path), "w") as target:
        stream = source.streams.video[0]
        copy = target.add_stream_from_template(stream)
        length = int(60 / stream.time_base)
        packets = [packet for packet in source.demux(stream) if packet.size]
        stamps = [(packet.pts, packet.dts) for packet in packets]
        for number in range(minutes):
            for packet, (pts, dts) in zip(packets, stamps, strict=True):
                packet.stream, packet.time_base = copy, Fraction(stream.time_base)
                packet.pts, packet.dts = pts + number * length, dts + number * length
                target.mux(packet)
    return path


def classifier(
    policy: Policy, size_px: int = SIZE_PX, clip_frames: int = CLIP_FRAMES
) -> SelectiveClassifier:
    """Small networks with random weights."""
    pixels = Preprocess(size_px)
    teacher, student = (build_backbone("small_cnn3d", N_CLASSES, s, width=2) for s in (0, 1))
    pair = ClipNetwork(teacher, pixels), ClipNetwork(Student(student), pixels)
    names = [f"class {i}" for i in range(N_CLASSES)]
    grid, size = ClipGrid(clip_frames), (size_px, size_px)
    return SelectiveClassifier(*pair, policy, names, grid, size)


def watch(work: Callable[[], object]) -> tuple[float, float]:
    """Do some work; return its seconds, and the most memory while it was done, in MB."""
    process, done, most = psutil.Process(), threading.Event(), [0]

    def look() -> None:
        while not done.wait(0.02):
            most[0] = max(most[0], anonymous_bytes(process))

    thread = threading.Thread(target=look)
    thread.start()
    start = time.perf_counter()
    work()
    seconds = time.perf_counter() - start
    done.set()
    thread.join()
    return seconds, most[0] / MB


def one_video(policy: Policy, path: Path) -> None:
    """What a child process does: classify a video and tell what it took."""
    model = classifier(policy)
    model.warm_up()
    found = []
    seconds, most = watch(lambda: found.append(model.predict(path)))
    answer, clip_mb = found[0], CLIP_FRAMES * SIZE_PX**2 * 3 / MB
    bound = model.clips_in_memory * clip_mb
    print(
        f"{len(answer.clips):6d} clips {seconds:7.1f} s {most:8.0f} MB; at most "
        f"{model.clips_in_memory} clips, {bound:.0f} MB, of {len(answer.clips) * clip_mb:.0f}"
    )


def long_videos(folder: Path, minutes: list[int]) -> None:
    """Every policy on every length."""
    minute = folder / "minute.mp4"
    make_minute(minute)
    paths = [repeated(minute, folder / f"{n}.mp4", n) for n in minutes]
    for name in POLICIES:
        for n, path in zip(minutes, paths, strict=True):
            print(f"{name:18s} {n:3d} min ", end="", flush=True)
            command = [sys.executable, __file__, "--policy", name, "--video", str(path)]
            subprocess.run(command, check=True)


def many_predictions(folder: Path, n: int) -> None:
    """One short file again and again."""
    path, rng = folder / "short.mp4", np.random.default_rng(0)
    frames = rng.integers(0, 256, (24, 32, 32, 3), np.uint8)
    write_video(path, frames, options={"preset": "ultrafast"})
    model, process, start = classifier(Selected(k_clips=2), 32, 8), psutil.Process(), None
    for number in range(n + 1):
        if number % (n // 10) == 0:
            gc.collect()
            now = anonymous_bytes(process) / MB
            handles, threads = process.num_fds(), process.num_threads()
            print(f"{number:6d} predictions: {now:.1f} MB, {handles} files, {threads} threads")
            start = now if number == n // 10 else start
        model.predict(path)
    print(f"from {n // 10} to {n}: {1e3 * (now - start) / (0.9 * n):.2f} kB a prediction")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=int, nargs="+", default=[1, 10, 60])
    parser.add_argument("--predictions", type=int, default=10_000)
    parser.add_argument("--policy", choices=[*POLICIES], help=argparse.SUPPRESS)
    parser.add_argument("--video", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.policy:
        return one_video(POLICIES[chosen.policy], chosen.video)
    with tempfile.TemporaryDirectory() as folder:
        long_videos(Path(folder), chosen.minutes)
        many_predictions(Path(folder), chosen.predictions)


if __name__ == "__main__":
    main()
