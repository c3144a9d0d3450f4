"""What does skipping clips save, by the clock? Whole videos, decoding included.

``python benchmarks/selective.py --efficient-3dcnns FOLDER`` with a checkout of
okankop/Efficient-3DCNNs; without it the published code is not measured. The teacher is 3D
ResNeXt-101, the student 3D ShuffleNetV2 2.0x with a confidence head, on clips of 16 frames of
112 px, with random weights: what they answer means nothing, what they cost is real. Videos are made
here, h264 of 340 x 256 px, of 18 and 112 clips (10 and 60 seconds). All ways take turns, the median
over rounds counts.

The limit is what the multiply-accumulates of both networks alone would allow; a light network
seldom makes as many of them in a second as a heavy one, so the time that the networks themselves
take is told as well.
"""

import argparse
import math
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from backbones import N_CLASSES, N_FRAMES, SIZE_PX, calibrated, read_clips, reference
from decode import moving_scene
from torch import nn

from condi_lib import plotting
from condi_lib.models import Student
from condi_lib.plotting.style import MethodStyle
from condi_lib.sampling import DENSE, Adaptive, Divided, Policy, Selected
from condi_lib.selective import ClipNetwork, SelectiveClassifier
from condi_lib.videos.clip_stream import ClipStream
from condi_lib.videos.clips import ClipGrid
from condi_lib.videos.decode import write_video
from condi_lib.videos.preprocess import Preprocess

TEACHER, STUDENT = "resnext3d_101", "shufflenetv2_3d"
FPS, GRID, SIZE = 30, ClipGrid(N_FRAMES), (SIZE_PX, SIZE_PX)
PREPROCESS = Preprocess(SIZE_PX, mean=(0.45, 0.43, 0.39), std=(1 / 255,) * 3, channel_order="bgr")
REFERENCE = "published code, dense"
GOAL_CLIPS = 18
GOALS = (  # of so many clips: at least so many times as fast as
    ("K = 7", "dense", 2.0),
    ("K = 7", REFERENCE, 6.0),
    ("K_t = 3, K_s = 4", "dense", 3.0),
)
MOST_OVERHEAD = 0.10  # of K = 7: time outside the two networks
TOP_K, DIVISION, ADAPTIVE = "top K", "division of 7", "adaptive"
LOOKS = {
    TOP_K: MethodStyle("the K clips of highest z̃", "#D55E00", "o"),
    DIVISION: MethodStyle("7 clips divided: K by the teacher", "#44AA99", "s", "--"),
    ADAPTIVE: MethodStyle("one look after the other", "#6B4C9A", "D", ""),
}


@dataclass(frozen=True)
class Way:
    """A way to classify a video: its name and family, and a policy (None: the published code)."""

    name: str
    family: str
    policy: Policy | None


WAYS = (
    Way(REFERENCE, "", None),
    Way("dense", "", DENSE),
    *(Way(f"K = {k}", TOP_K, Selected(k_clips=k)) for k in (1, 3, 5, 7)),
    *(Way(f"K_t = {7 - k}, K_s = {k}", DIVISION, Divided(7, k)) for k in (0, 1, 4, 7)),
    # With random weights nothing says when to stop: as many looks as the embedded study takes.
    *(Way(f"adaptive, {n} looks", ADAPTIVE, Adaptive(math.inf, n)) for n in (1, 2, 4)),
)


@dataclass(frozen=True)
class Row:
    """One way on one video: medians over rounds, in milliseconds, and counts."""

    clips: int
    way: str
    family: str
    ms: float
    low: float
    high: float
    decode_ms: float
    student_ms: float
    teacher_ms: float
    teacher_clips: int
    gmacs: float

    @property
    def overhead(self) -> float:
        """Share of the time that neither network was running."""
        return 1 - (self.student_ms + self.teacher_ms) / self.ms


def make_video(folder: Path, n_clips: int) -> Path:
    """A drifting texture of ``n_clips`` clips, with a keyframe every second."""
    path = folder / f"{n_clips}.mp4"
    scene = moving_scene()
    frames = scene[np.arange(n_clips * N_FRAMES) % len(scene)]
    options = {"preset": "veryfast", "crf": "23", "g": str(FPS), "sc_threshold": "0"}
    write_video(path, frames, fps=FPS, options=options)
    return path


def networks(videos: Path | None) -> tuple[nn.Module, nn.Module]:
    """Teacher and student with random weights whose logits vary from clip to clip."""
    clips, _ = read_clips(videos, 32)
    torch.manual_seed(0)
    return calibrated(TEACHER, clips), Student(calibrated(STUDENT, clips))


def classifier(
    teacher: nn.Module, student: nn.Module, chosen: argparse.Namespace
) -> SelectiveClassifier:
    """The classifier of both."""
    pair = ClipNetwork(teacher, PREPROCESS), ClipNetwork(student, PREPROCESS)
    names = [f"class {i}" for i in range(N_CLASSES)]
    settings = {"batch_size": chosen.batch_size, "decoders": chosen.decoders}
    return SelectiveClassifier(*pair, DENSE, names, GRID, SIZE, "cover", **settings)


def published(network: nn.Module, batch_size: int, device: torch.device) -> Callable[[Path], None]:
    """The published network, run eagerly on all clips, after our decoding."""
    network = network.to(device)

    def classify(path: Path) -> None:
        with ClipStream(path, GRID, SIZE, "cover") as stream:
            clips = torch.from_numpy(np.stack([pixels for _, pixels in stream]))
        with torch.inference_mode():
            parts = [PREPROCESS(part.to(device)).contiguous() for part in clips.split(batch_size)]
            torch.cat([network(part).softmax(dim=1) for part in parts]).mean(dim=0).cpu()

    return classify


def measure(
    path: Path, n_clips: int, base: SelectiveClassifier, theirs: Callable | None, rounds: int
) -> list[Row]:
    """All ways on one video, in turns."""
    ways = [way for way in WAYS if way.policy is not None or theirs is not None]
    models = {way.name: base.with_policy(way.policy) for way in ways if way.policy is not None}
    times: dict[str, list[tuple[float, ...]]] = {way.name: [] for way in ways}
    costs = dict.fromkeys(times, (n_clips, math.nan))  # of the published code nobody counts them
    for turn in range(rounds + 1):  # the first one warms up
        for way in ways:
            start = time.perf_counter()
            answer = theirs(path) if way.policy is None else models[way.name].predict(path)
            total = time.perf_counter() - start
            seconds = {} if answer is None else answer.seconds
            if answer is not None:
                costs[way.name] = (answer.n_teacher, answer.gmacs)
            if turn:
                parts = [seconds.get(name, 0.0) for name in ("decode", "student", "teacher")]
                times[way.name].append((total, *parts))
    return [_row(way, n_clips, times[way.name], *costs[way.name]) for way in ways]


def _row(way: Way, n_clips: int, times: Sequence, teacher_clips: int, gmacs: float) -> Row:
    total, *parts = ([1000 * value for value in column] for column in zip(*times, strict=True))
    low, high = np.percentile(total, [25, 75]).tolist()
    middle = [statistics.median(column) for column in (total, *parts)]
    return Row(
        n_clips, way.name, way.family, middle[0], low, high, *middle[1:], teacher_clips, gmacs
    )


def table_lines(rows: Sequence[Row]) -> Iterator[str]:
    """The rows of one video as text."""
    dense = next(row for row in rows if row.way == "dense")
    theirs = next((row for row in rows if row.way == REFERENCE), None)
    yield (
        f"{f'{rows[0].clips} clips':26s} ms/video   x dense      x published    GMACs  MACs allow"
        "   of that   overhead   decoding  student  teacher (ms)"
    )
    for row in rows:
        ratio, allowed = dense.ms / row.ms, dense.gmacs / row.gmacs
        faster = f"{theirs.ms / row.ms:15.2f} x" if theirs else f"{'-':>17s}"
        reach = f"{row.gmacs:8.1f} {allowed:10.2f} x {ratio / allowed:9.0%} {row.overhead:10.1%}"
        if row.way == REFERENCE:
            reach = " " * 43
        yield (
            f"  {row.way:24s} {row.ms:8.0f} {ratio:10.2f} x {faster} {reach} "
            f"{row.decode_ms:10.0f} {row.student_ms:8.0f} {row.teacher_ms:8.0f}"
        )


def goal_lines(rows: Sequence[Row]) -> Iterator[str]:
    """Whether the goals are met, and what the networks' own times would allow."""
    by_way = {row.way: row for row in rows}
    for name, base, goal in GOALS:
        if base in by_way and rows[0].clips == GOAL_CLIPS:
            ratio = by_way[base].ms / by_way[name].ms
            verdict = "met" if ratio >= goal else "MISSED"
            yield f"{name}: {ratio:.2f} x {base}, goal {goal}: {verdict}"
    seven, dense = by_way["K = 7"], by_way["dense"]
    verdict = "met" if seven.overhead <= MOST_OVERHEAD else "MISSED"
    yield f"K = 7: {seven.overhead:.1%} outside the networks, goal {MOST_OVERHEAD:.0%}: {verdict}"
    teacher, student = dense.teacher_ms / dense.clips, seven.student_ms / seven.clips
    bound = dense.clips * teacher / (7 * teacher + seven.clips * student)
    yield (
        f"a clip takes the teacher {teacher:.1f} ms and the student {student:.1f} ms: without any "
        f"overhead K = 7 would be {bound:.2f} x dense"
    )


def figure(by_video: Sequence[Sequence[Row]]) -> plt.Figure:
    """A panel per video: time over K with its limit."""
    fig, axes = plt.subplots(1, len(by_video), figsize=(6.4 * len(by_video), 4.6), squeeze=False)
    for ax, rows in zip(axes[0], by_video, strict=True):
        table = pd.DataFrame([asdict(row) for row in rows])
        table[["time", "low", "high"]] = table[["ms", "low", "high"]] / 1000
        dense = table[table["way"] == "dense"].iloc[0]
        table["limit"] = dense["time"] * table["gmacs"] / dense["gmacs"]
        fixed = table[table["family"] == ""]
        lines = dict(zip(fixed["way"], fixed["time"], strict=True))
        plotting.time_over_k(ax, table[table["family"] != ""], LOOKS, lines)
        ax.set_title(f"{rows[0].clips} clips, {rows[0].clips * N_FRAMES / FPS:.0f} s of video")
    return fig


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--efficient-3dcnns", type=Path, help="checkout of the published code")
    parser.add_argument("--clips", nargs="+", type=int, default=[18, 112], help="of each video")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=8, help="clips per forward pass")
    parser.add_argument("--decoders", type=int, default=1)
    parser.add_argument("--no-compile", action="store_true", help="do not try torch.compile")
    parser.add_argument("--videos", type=Path, help="folder of real ones, to judge agreement on")
    parser.add_argument("--output", type=Path, help="FILE.csv")
    return parser.parse_args()


def main() -> None:
    """Measure, print, draw."""
    chosen = parse()
    plotting.use_style()
    teacher, student = networks(chosen.videos)
    base = classifier(teacher, student, chosen)
    network = reference(TEACHER, {"efficient_3dcnns": chosen.efficient_3dcnns}, teacher)
    theirs = network and published(network, chosen.batch_size, base.device)
    with tempfile.TemporaryDirectory() as folder:
        paths = {n: make_video(Path(folder), n) for n in chosen.clips}
        with ClipStream(paths[min(paths)], GRID, SIZE, "cover") as stream:
            examples = torch.from_numpy(np.stack([pixels for _, pixels in stream]))
        base.optimize(examples, compiled=not chosen.no_compile)
        for line in base.modes():
            print(line)
        by_video = [measure(path, n, base, theirs, chosen.rounds) for n, path in paths.items()]
    for rows in by_video:
        print("", *table_lines(rows), *goal_lines(rows), sep="\n")
    if chosen.output:
        table = pd.DataFrame([asdict(row) for rows in by_video for row in rows])
        table.to_csv(chosen.output, index=False)
    parameters = {"clips": chosen.clips, "rounds": chosen.rounds, "batch_size": chosen.batch_size}
    print(plotting.save_figure(figure(by_video), "time_over_k", "benchmarks", parameters, {}))


if __name__ == "__main__":
    main()
