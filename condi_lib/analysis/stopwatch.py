"""The stopwatch: what ways of classifying take on real files, decoding included.

All ways classify a file in turns, in a new order each round, with one thread that computes and one
that decodes; medians over rounds count.
"""

import gc
import os
import platform
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from condi_lib.analysis.ways import Name, Pair, Way, pairs_of
from condi_lib.distributed import pick_device
from condi_lib.sampling import DENSE
from condi_lib.selective import Prediction, SelectiveClassifier
from condi_lib.study.datasets import videos_root
from condi_lib.study.ensure import ensure
from condi_lib.study.study import Study
from condi_lib.training import WEIGHTS
from condi_lib.videos.decode import read_frames, write_video
from condi_lib.videos.pantomime import PantomimeSplit, write_pantomime

BATCH_SIZE = 8
TEST, MADE = "test", "made"  # whose times: test videos', or those of videos of chosen lengths


@dataclass(frozen=True)
class TimedVideo:
    """A file to classify.

    Attributes:
        path: The file.
        name: What it is called in the table.
        pair: Seed and fold of the networks that classify it.
        kind: ``TEST`` or ``MADE``.
    """

    path: Path
    name: str
    pair: Pair
    kind: str


@dataclass(frozen=True)
class Took:
    """One classification of one file: by the clock, processor time of all threads, the answer."""

    ms: float
    cpu_ms: float
    answer: Prediction


def test_files(study: Study, n_files: int) -> Iterator[TimedVideo]:
    """Test videos, evenly spread; the pairs of networks take turns."""
    pairs = pairs_of(study)
    for at in range(n_files):
        seed, fold = pairs[at % len(pairs)]
        videos = study.videos(fold).query("split == @TEST")["video_id"].tolist()
        name = videos[int((at + 0.5) / n_files * len(videos))]
        yield TimedVideo(videos_root(study.spec.dataset) / name, name, (seed, fold), TEST)


def made_files(study: Study, n_clips: int, folder: Path, n_files: int) -> Iterator[TimedVideo]:
    """Videos of so many clips: drawn anew, or a test video's frames again and again.

    Args:
        study: Whose pantomime, or whose videos.
        n_clips: Clips of each.
        folder: Where they are written.
        n_files: How many.
    """
    pantomime, pairs = study.spec.dataset.pantomime, pairs_of(study)
    split = f"{n_clips}_clips"
    if pantomime is not None:
        drawn = replace(pantomime, splits={split: PantomimeSplit(n_files, n_clips=n_clips)})
        write_pantomime(drawn, folder / split)
        paths = sorted((folder / split / split).glob("*.mp4"))
    else:
        paths = [
            _repeat(video.path, n_clips * study.spec.dataset.clip_frames, folder / f"{split}-{at}")
            for at, video in enumerate(test_files(study, n_files))
        ]
    for at, path in enumerate(paths):
        yield TimedVideo(path, f"{split}/{path.name}", pairs[at % len(pairs)], MADE)


def _repeat(video: Path, n_frames: int, target: Path) -> Path:
    """Write a video's frames, again and again, as an mp4 file of so many frames."""
    frames = read_frames(video)
    height, width = (size - size % 2 for size in frames.shape[1:3])
    repeated = islice(cycle(frames[:, :height, :width]), n_frames)
    return write_video(target.with_suffix(".mp4"), repeated)


def time_in_turns(
    classifiers: Sequence[SelectiveClassifier], video: Path, rounds: int, seed: int = 0
) -> list[list[Took]]:
    """Let classifiers classify one file in turns, in another order each round.

    Args:
        classifiers: What is compared.
        video: The file.
        rounds: How often each one classifies it.
        seed: Of the orders.

    Returns:
        For each classifier what each round took.
    """
    took: list[list[Took]] = [[] for _ in classifiers]
    rng = np.random.default_rng(seed)
    gc.collect()  # not in the middle of what is timed
    for _ in range(rounds):
        for at in rng.permutation(len(classifiers)):
            clock, processor = time.perf_counter(), time.process_time()
            answer = classifiers[at].predict(video)
            spent = time.perf_counter() - clock, time.process_time() - processor
            took[at].append(Took(1000 * spent[0], 1000 * spent[1], answer))
    return took


def timed_rows(study: Study, ways: Sequence[Way], video: TimedVideo, rounds: int) -> pd.DataFrame:
    """One row per way: what it takes for one file; see ``times.times_of``."""
    classifiers = classifiers_of(study, video.pair, ways)
    time_in_turns([*classifiers.values()][:1], video.path, 1)  # the file is read from memory then
    took = time_in_turns([*classifiers.values()], video.path, rounds)
    rows = [_row(name, each) for name, each in zip(classifiers, took, strict=True)]
    seed, fold = video.pair
    about = {"videos": video.kind, "video": video.name, "seed": seed, "fold": fold}
    return pd.DataFrame(rows).assign(**about, rounds=rounds)


def classifiers_of(
    study: Study, pair: Pair, ways: Sequence[Way]
) -> dict[Name, SelectiveClassifier]:
    """A classifier for each way; those of one student share its networks, which are warm.

    Args:
        study: Whose networks; they are trained if need be.
        pair: Of which seed and fold.
        ways: What is to be done.
    """
    teacher = ensure(study.spec.teacher_of(*pair), progress=True) / WEIGHTS
    loaded = {}
    for name in dict.fromkeys(way.student for way in ways):
        student = study.spec.student_of(name, *pair) if name else None
        weights = ensure(student, progress=True) / WEIGHTS if student else None
        settings = {"batch_size": BATCH_SIZE, "workers": 1}
        loaded[name] = SelectiveClassifier.load(teacher, weights, DENSE, **settings)
        loaded[name].warm_up()
    return {way.name: loaded[way.student].with_policy(way.policies[pair]) for way in ways}


def _row(name: Name, took: Sequence[Took]) -> dict[str, str | float]:
    low, ms, high = np.percentile([each.ms for each in took], [25, 50, 75])
    answer = took[0].answer
    row = {"n_clips": len(answer.clips), "family": name[0], "setting": name[1]}
    row |= {"teacher_clips": answer.n_teacher, "student_clips": answer.n_student}
    row |= {"ms": ms, "ms_low": low, "ms_high": high}
    row["cpu_ms"] = np.median([each.cpu_ms for each in took])
    for part in ("decode", "student", "teacher"):
        row[f"{part}_ms"] = 1000 * np.median([each.answer.seconds[part] for each in took])
    return row


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute with one thread, as long as this lasts."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def machine() -> str:
    """What times depend on: the GPU if it is used, the processor and its number of cores."""
    processor, info = platform.machine(), Path("/proc/cpuinfo")
    if info.exists():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        processor = names[0].partition(":")[2].strip() if names else processor
    text = f"{processor}, {os.cpu_count()} cores"
    device = pick_device()
    return text if device.type == "cpu" else f"{torch.cuda.get_device_name(device)}; {text}"
