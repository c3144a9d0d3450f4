"""How fast is the embedded benchmark written? ``python benchmarks/pantomime.py`` prints videos/s.

The goal is 40 videos a second on two cores (192 frames of 48 px each). Processor time per video is
printed too: it says what an idle machine would do when this one is busy.
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path

from condi_lib.videos.pantomime import PantomimeSpec, PantomimeSplit, write_pantomime

GOAL_VIDEOS_PER_SEC = 40


def processor_sec() -> float:
    """Processor time of this process and of its children that have ended."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def measure(n_videos: int, size_px: int, workers: int) -> tuple[float, float]:
    """Wall-clock and processor seconds to write a benchmark, starting the workers included."""
    spec = PantomimeSpec(splits={"test": PantomimeSplit(n_videos)}, size_px=size_px)
    with tempfile.TemporaryDirectory() as folder:
        wall, processor = time.perf_counter(), processor_sec()
        write_pantomime(spec, Path(folder), workers)
        return time.perf_counter() - wall, processor_sec() - processor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--videos", type=int, default=480)
    parser.add_argument("--size-px", type=int, default=48)
    parser.add_argument("--workers", type=int, default=2)
    chosen = parser.parse_args()
    wall, processor = measure(chosen.videos, chosen.size_px, chosen.workers)
    print(f"{chosen.videos} videos of 192 frames, {chosen.size_px} px, {chosen.workers} processes")
    print(f"{chosen.videos / wall:.1f} videos/s (goal {GOAL_VIDEOS_PER_SEC}), ", end="")
    print(f"{1000 * processor / chosen.videos:.1f} ms of processor time per video")


if __name__ == "__main__":
    main()
