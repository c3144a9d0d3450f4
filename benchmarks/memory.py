"""Peak memory of every process of a study, with few and with many videos in its catalog.

Videos are hard links to a few tiny files, cut into 18 clips of one frame each, 400 classes: what a
process keeps for each video is that of a real study, what it keeps for a batch is not. A data set
is scanned (and cached), a teacher trained and run over all clips, a student trained with it.

Counted is RssAnon of /proc: memory that is a process' own. Pages of mapped files (libraries, clip
cache, the teacher's logits) are left out: the system drops them when memory is short.
Run: python benchmarks/memory.py [--videos 1000 20000] [--folder FOLDER]
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import psutil

N_FILES, N_CLIPS, N_CLASSES, SIZE_PX = 4, 18, 400, 16
JOB = "import sys, yaml; from condi_lib.study import ensure, read_study; \
study = read_study(yaml.safe_load(sys.argv[1])); \
ensure({'dataset': lambda: study.dataset, 'teacher': lambda: study.teacher_of(0), \
'student': lambda: study.student_of('condi_sr', 0)}[sys.argv[2]](), workers=1)"


def study(cache: bool) -> dict:
    """Return the fields of a study of one epoch that shows one clip of each video."""
    training = {"epochs": 1, "batch_size": 64, "clips_per_video": 1, "lr": 0.001}
    network = {"backbone": "small_cnn3d", "options": {"width": 2}, "training": training}
    return {
        "name": "memory",
        "dataset": {
            "catalog": {"path": "videos/labels.csv"},
            "clip_frames": 1,
            "size_px": [SIZE_PX, SIZE_PX],
            "cache": cache,
        },
        "preprocess": {"crop_px": SIZE_PX},
        "teacher": network,
        "student": network,
        "losses": {"condi_sr": {}},
    }


def make_project(root: Path, n_videos: int) -> None:
    """Write a catalog of ``n_videos`` links to a few files; 8 of 10 train."""
    from condi_lib.videos.decode import write_video

    folder = root / "videos"
    (root / "notebooks" / "params").mkdir(parents=True)
    (folder / "clips").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(N_FILES):
        frames = rng.integers(0, 255, (N_CLIPS, SIZE_PX, SIZE_PX, 3), np.uint8)
        write_video(folder / f"{number}.mp4", frames, options={"preset": "ultrafast"})
    lines = ["file,label,split"]
    for number in range(n_videos):
        name = f"clips/video_number_{number:06d}.mp4"  # about as long as Kinetics' names
        (folder / name).hardlink_to(folder / f"{number % N_FILES}.mp4")
        split = ("train",) * 8 + ("val", "test")
        lines.append(f"{name},class {number % N_CLASSES:03d},{split[number % 10]}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")


def anonymous_bytes(process: psutil.Process) -> int:
    """Return the memory that is the process' own."""
    try:
        status = Path(f"/proc/{process.pid}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"RssAnon:\s+(\d+) kB", status)
    return 1024 * int(found[1]) if found else 0


def arguments(process: psutil.Process) -> list[str]:
    """Return the command line of a process, empty if it has ended."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def peaks(root: Path, cache: bool, job: str) -> dict[str, int]:
    """Run a job and return the most memory of its processes, by what they do."""
    found: dict[str, int] = defaultdict(int)
    command = [sys.executable, "-c", JOB, repr(study(cache)), job]
    with subprocess.Popen(command, env=os.environ | {"CONDI_ROOT": str(root)}) as running:
        process = psutil.Process(running.pid)
        while running.poll() is None:
            trained = list((root / "data" / "runs").glob(f"{job}-*/weights.safetensors"))
            phase = "scan" if job == "dataset" else "score" if trained else "train"
            name = f"{phase} ({job})"
            found[name] = max(found[name], anonymous_bytes(process))
            for child in process.children(recursive=True):
                if command[-1] in arguments(child):  # a copy of its parent, not yet a worker
                    continue
                worker = f"{name}, worker"
                found[worker] = max(found[worker], anonymous_bytes(child))
            time.sleep(0.02)
        if running.returncode:
            sys.exit(f"{job} failed")
    return found


def measure(folder: Path, n_videos: int, cache: bool) -> dict[str, int]:
    """Compute a study afresh and return the peaks of all its processes."""
    with tempfile.TemporaryDirectory(dir=folder) as root:
        make_project(Path(root), n_videos)
        found: dict[str, int] = {}
        for job in ("dataset", "teacher", "student"):
            found |= peaks(Path(root), cache, job)
        return found


def main() -> None:
    """Measure for each number of videos, cached and not, and print the difference per video."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--videos", type=int, nargs=2, default=[1000, 20_000])
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    options = parser.parse_args()
    few, many = options.videos
    os.environ["OMP_NUM_THREADS"] = "1"
    print(f"peak RssAnon in MB with {few} and {many} videos, and the slope in bytes per video")
    for cache in (False, True):
        least, most = (measure(options.folder, n, cache) for n in (few, many))
        for name in least:
            slope = (most[name] - least[name]) / (many - few)
            kind = "cached" if cache else "decoded"
            print(
                f"{kind:8} {name:24} {least[name] / 1e6:8.1f} {most[name] / 1e6:8.1f} {slope:8.0f}"
            )


if __name__ == "__main__":
    main()
