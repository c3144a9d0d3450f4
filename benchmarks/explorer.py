"""How long the explorer takes to open and to answer a click, and whether its memory stays flat.

Goals: an interaction with one video in 100 ms, with a data set of 10 000 videos in 300 ms, opening
in 5 s once the kernel is up. What is measured is the kernel's work: the browser draws beside it.

    python benchmarks/explorer.py [--study embedded]
"""

import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
import psutil
import tyro

from condi_lib.clip_table import ClipTable
from condi_lib.explore import Explorer, explore
from condi_lib.explore.setting import SCORES, WAYS
from condi_lib.study import open_study

ROUNDS = 15
VIDEO, COMPARE, DATA = 0, 1, 2
FIRST_INTERACTIONS, INTERACTIONS = 50, 200


def timed(work: Callable[[], object]) -> float:
    """Milliseconds that some work takes."""
    start = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - start)


def report(what: str, times_ms: list[float]) -> None:
    """One line: median and worst."""
    print(
        f"{what:<46} median {statistics.median(times_ms):7.1f} ms   worst {max(times_ms):7.1f} ms"
    )


def made_table(n_videos: int, n_clips: int, n_classes: int) -> ClipTable:
    """A clip table of random logits, with everything that the explorer can show."""
    rng, n_rows = np.random.default_rng(0), n_videos * n_clips
    video, index = np.divmod(np.arange(n_rows), n_clips)
    label = rng.integers(n_classes, size=n_videos)[video]
    clips = pd.DataFrame({
        "video_id": [f"{v:05d}.mp4" for v in video], "clip_index": index, "start_frame": 16 * index,
        "label": label, "split": "test", "confidence": rng.random(n_rows, np.float32),
        "truth": rng.choice(["key", "confuser", "generic"], n_rows),
    })  # fmt: skip
    logits = rng.normal(size=(2, n_rows, n_classes)).astype(np.float32)
    return ClipTable(clips, tuple(map(str, range(n_classes))), *logits)


def measure_controls(explorer: Explorer, page: int, where: str) -> None:
    """Time every control on one page; each value is new, so nothing is answered from memory."""
    explorer.tab.selected_index = page
    controls, longest = explorer.controls, explorer.desk.split.longest

    def put(widget, value) -> Callable[[], None]:
        return lambda: setattr(widget, "value", value)

    ks = [2 + k % (longest - 1) for k in range(ROUNDS)]
    report(f"{where}: K", [timed(put(controls.k_clips, k)) for k in ks])
    controls.k_clips.value = longest
    shares = range(1, longest)
    report(f"{where}: K_s", [timed(put(controls.k_student, k)) for k in shares])
    controls.k_student.value = 0
    report(f"{where}: sampler", [timed(put(controls.way, way)) for way in [*WAYS, "best"]])
    scores = [*explorer.desk.split.scores, "confidence"]
    assert set(scores) <= set(SCORES)
    report(f"{where}: score", [timed(put(controls.score, score)) for score in scores])


def measure_data_set(n_classes: int) -> None:
    """Time the data set's page on 10 000 videos of 18 clips."""
    table = made_table(10_000, 18, n_classes)
    start = time.perf_counter()
    explorer = explore(table=table)
    name = f"10 000 videos × 18 clips × {n_classes} classes"
    print(f"{name}: opened, all samplers computed, in {time.perf_counter() - start:.1f} s")
    measure_controls(explorer, DATA, f"data set, {n_classes} classes")
    bins = [timed(lambda b=b: explorer.data.histogram.choose(f"bin-{b}")) for b in range(20)]
    report(f"data set, {n_classes} classes: a bar", bins)
    measure_controls(explorer, VIDEO, f"one video of these, {n_classes} classes")
    lists = ("improved", "hurt", "confidently_wrong", "all")
    times = [timed(lambda n=n: setattr(explorer.chooser.list, "value", n)) for n in lists]
    report(f"lists of videos, {n_classes} classes", times)
    assert explorer.errors == []


def memory_mb() -> float:
    """What this process holds, MB."""
    return psutil.Process().memory_info().rss / 1e6


def interact(explorer: Explorer, rng: random.Random) -> None:
    """Do something that a reader might do."""
    split, controls = explorer.desk.split, explorer.controls
    actions: list[Callable[[], object]] = [
        lambda: setattr(controls.k_clips, "value", rng.randint(1, split.longest)),
        lambda: setattr(controls.k_student, "value", rng.randint(0, controls.k_student.max)),
        lambda: setattr(controls.way, "value", rng.choice(list(WAYS))),
        lambda: explorer.chooser.choose(rng.randrange(split.n_videos)),
        lambda: explorer.video.strip.choose("clip-0"),
        lambda: setattr(explorer.tab, "selected_index", rng.randrange(3)),
    ]
    if explorer.tab.selected_index != VIDEO:
        actions.pop(4)
    rng.choice(actions)()


def measure_opening(study: str) -> None:
    """Time what a kernel does from its start to the open explorer, imports included."""
    code = (
        "import time; start = time.perf_counter()\n"
        "from condi_lib.explore import explore; from condi_lib.study import open_study\n"
        f"explore(open_study({study!r}))\n"
        "print(f'{time.perf_counter() - start:.1f} s, at work {time.process_time():.1f} s')"
    )
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    print(f"study {study}: opened by a new process in {told.stdout.strip()}")


def measure_memory(explorer: Explorer) -> None:
    """Say what 200 interactions add, after as many as fill the first page's caches."""
    rng = random.Random(0)
    for _ in range(FIRST_INTERACTIONS):
        interact(explorer, rng)
    before = memory_mb()
    for _ in range(INTERACTIONS):
        interact(explorer, rng)
    print(f"memory: {before:.0f} MB, after {INTERACTIONS} more interactions {memory_mb():.0f} MB")
    print(f"pictures kept: {explorer.desk.pictures.n_bytes / 1e6:.1f} MB")
    assert explorer.errors == []


def main(study: str = "reference") -> None:
    """Measure all of it.

    Args:
        study: Whose first table is opened; it must be computed.
    """
    measure_opening(study)
    opened = open_study(study)
    start = time.perf_counter()
    explorer = explore(opened)
    print(f"study {study}: opened in {time.perf_counter() - start:.2f} s")
    videos = range(ROUNDS)
    report("another video", [timed(lambda v=v: explorer.chooser.choose(v)) for v in videos])
    measure_controls(explorer, VIDEO, "video")
    play = [timed(lambda c=c: explorer.video.strip.choose(f"clip-{c}")) for c in range(10)]
    report("video: play a clip", play)
    measure_controls(explorer, COMPARE, "compare")
    measure_controls(explorer, DATA, "data set")
    measure_memory(explorer)
    for n_classes in (12, 400):
        measure_data_set(n_classes)


if __name__ == "__main__":
    tyro.cli(main)
