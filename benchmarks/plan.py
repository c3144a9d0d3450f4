"""What does Kinetics-600 cost? ``python benchmarks/plan.py`` prints hours, disk and memory.

For teacher scoring and one student, computed from rates: those of this machine are measured by
other benchmarks and given here as defaults, those of a GPU are assumptions. Put in your own, such
as ``--gpus 8 --cores 64 --gpu-teacher 700``. Each line ends with its formula.
"""

import argparse
import math
import tempfile
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from condi_lib.clip_table import ClipTable, write_clip_table


@dataclass(frozen=True)
class Plan:
    """Sizes and rates, in clips unless another unit is named."""

    # Kinetics-600, Carreira et al., arXiv 1808.01340, as its lists are usually counted; part of the
    # videos is gone by now. As in kinetics600.yaml the validation list is the test set, and the
    # list of 60 000 test videos is not used.
    train_videos: int = 392_622
    test_videos: int = 30_001
    val_fraction: float = 0.02  # of the training list, to choose K on
    classes: int = 600
    frames: int = 300  # 10 s at 30 frames/s
    clip_frames: int = 16
    size_px: int = 112
    epochs: int = 60  # of the student, as in the paper
    clips_per_video: int = 1  # of each training video an epoch
    gpus: int = 4
    cores: int = 32
    gpu_teacher: float = 1000.0  # a GPU's clips/s: ASSUMED, none was available to measure
    gpu_student: float = 4000.0
    gpu_training: float = 1000.0
    decode_in_order: float = 125.0  # clips/s of a core: benchmarks/loader.py
    decode_random: float = 34.0
    float32_bytes: float = 2040.0  # a clip's row of logits on disk: bytes_per_clip() below
    float16_bytes: float = 1035.0
    teacher_params_m: float = 48.751  # 3D ResNeXt-101 and 3D ShuffleNetV2 2.0x, 600 classes
    student_params_m: float = 6.640
    process_mb: float = 1000.0  # 370 MB of its own without model and CUDA; a worker 360 MB
    worker_mb: float = 400.0

    @property
    def videos(self) -> int:
        """Videos of all splits."""
        return self.train_videos + self.test_videos

    @property
    def clips_of_video(self) -> int:
        """Clips of one video; the last one loops over its own frames."""
        return math.ceil(self.frames / self.clip_frames)

    @property
    def scored(self) -> int:
        """Clips that the teacher scores: every split."""
        return self.videos * self.clips_of_video

    @property
    def to_train(self) -> int:
        """Videos that the student learns from."""
        return round(self.train_videos * (1 - self.val_fraction))

    def trained(self, clips_per_video: int) -> int:
        """Clips that the student sees in training."""
        return self.epochs * self.to_train * clips_per_video

    @property
    def judged(self) -> int:
        """Clips that the student scores: of the videos that it does not learn from."""
        return (self.videos - self.to_train) * self.clips_of_video


def hour_lines(plan: Plan) -> list[str]:
    """Hours of each stage: GPUs and decoding work at the same time, the slower one counts."""
    stages = [
        ("teacher scores all clips", plan.scored, plan.gpu_teacher, plan.decode_in_order),
        *(
            (
                f"student, {n} clip(s) a video",
                plan.trained(n),
                plan.gpu_training,
                plan.decode_random,
            )
            for n in (plan.clips_per_video, plan.clips_of_video)
        ),
        ("the student scores val, test", plan.judged, plan.gpu_student, plan.decode_in_order),
    ]
    scan = plan.scored / (plan.cores * plan.decode_in_order) / 3600  # every frame is decoded
    lines = [
        "stage                          million clips   GPUs h   decoding h   hours",
        f"{'all videos are scanned':<30} {plan.scored / 1e6:>13.2f} {'':>8} {scan:>12.1f} "
        f"{scan:>7.1f}   {plan.scored / 1e6:.2f}M / ({plan.cores} cores x "
        f"{plan.decode_in_order:.0f}/s)",
    ]
    for name, clips, gpu_rate, core_rate in stages:
        gpu = clips / (plan.gpus * gpu_rate) / 3600
        decode = clips / (plan.cores * core_rate) / 3600
        lines.append(
            f"{name:<30} {clips / 1e6:>13.2f} {gpu:>8.1f} {decode:>12.1f} {max(gpu, decode):>7.1f}"
            f"   max({clips / 1e6:.2f}M / ({plan.gpus} GPUs x {gpu_rate:.0f}/s), "
            f"/ ({plan.cores} cores x {core_rate:.0f}/s))"
        )
    return lines


def size_line(name: str, unit: str, count: float, unit_bytes: float, formula: str) -> str:
    """One line of disk or memory: ``count`` things of ``unit_bytes`` each."""
    size = count * unit_bytes / {"GB": 1e9, "TB": 1e12}[unit]
    return f"{name:<30} {size:>13.2f} {unit}   {formula}"


def disk_lines(plan: Plan) -> list[str]:
    """Disk, beside the videos themselves."""
    wide, half, mapped = plan.float32_bytes, plan.float16_bytes, 4 * plan.classes
    cached = plan.clip_frames * plan.size_px**2 * 3
    teacher, student = 1e6 * plan.teacher_params_m, 1e6 * plan.student_params_m

    def clips(name: str, unit: str, count: int, unit_bytes: float, formula: str) -> str:
        return size_line(name, unit, count, unit_bytes, f"{count / 1e6:.2f}M clips x {formula}")

    return [
        clips("teacher's logits, float32", "GB", plan.scored, wide, f"{wide:.0f} B"),
        clips("  the same as float16", "GB", plan.scored, half, f"{half:.0f} B"),
        clips(
            "logits mapped in training", "GB", plan.scored, mapped, f"4 B x {plan.classes} classes"
        ),
        clips("student's logits, float32", "GB", plan.judged, wide, f"{wide:.0f} B"),
        size_line("teacher's weights", "GB", teacher, 4, f"{plan.teacher_params_m}M x 4 B"),
        size_line(
            *("student's weights, checkpoint", "GB", student, 12),
            f"{plan.student_params_m}M x 4 B x (1 + 2, with momentum)",
        ),
        clips(
            *("(a cache of all clips)", "TB", plan.scored, cached),
            f"{plan.clip_frames} frames x {plan.size_px}^2 px x 3 B",
        ),
    ]


def memory_lines(plan: Plan) -> list[str]:
    """Memory of a machine; no term grows with the number of videos."""
    workers = plan.cores // plan.gpus
    process_mb = plan.process_mb + workers * plan.worker_mb
    formula = (
        f"{plan.gpus} x ({plan.process_mb:.0f} MB + {workers} workers x {plan.worker_mb:.0f} MB)"
    )
    return [size_line("memory of all processes", "GB", plan.gpus, 1e6 * process_mb, formula)]


def report(plan: Plan) -> str:
    """The whole page."""
    videos = f"{plan.train_videos:,} + {plan.test_videos:,}"
    return "\n".join(
        [
            f"Kinetics-600: {videos} videos x {plan.clips_of_video} clips "
            f"({plan.frames} frames / {plan.clip_frames}, rounded up)",
            f"ASSUMED, not measured: a GPU's clips/s: teacher {plan.gpu_teacher:.0f}, "
            f"student {plan.gpu_student:.0f}, training the student {plan.gpu_training:.0f}",
            f"measured: a core decodes {plan.decode_in_order:.0f} clips/s in order, "
            f"{plan.decode_random:.0f} at random",
            f"student: {plan.epochs} epochs of {plan.to_train:,} videos",
            "",
            *hour_lines(plan),
            "",
            *disk_lines(plan),
            *memory_lines(plan),
        ]
    )


def bytes_per_clip(classes: int, dtype: str, n_clips: int = 2048) -> float:
    """Bytes of a clip's row in a written table of normal logits, names of videos included."""
    video = np.repeat(np.arange(n_clips // 16), 16)
    clips = pd.DataFrame(
        {
            "video_id": [f"class {v % classes}/{v:011d}_000001_000011.mp4" for v in video],
            "clip_index": np.tile(np.arange(16), n_clips // 16),
            "start_frame": 16 * np.tile(np.arange(16), n_clips // 16),
            "label": video % classes,
            "split": "train",
        }
    )
    logits = torch.randn(n_clips, classes, generator=torch.Generator().manual_seed(0))
    table = ClipTable(clips, tuple(f"class {c}" for c in range(classes)), logits, None)
    with tempfile.TemporaryDirectory() as folder:
        write_clip_table(table, Path(folder) / "part.parquet", dtype)
        return (Path(folder) / "part.parquet").stat().st_size / n_clips


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for field in fields(Plan):
        name = f"--{field.name.replace('_', '-')}"
        parser.add_argument(name, type=field.type, default=field.default)
    print(report(Plan(**vars(parser.parse_args()))))


if __name__ == "__main__":
    main()
