"""Time and peak memory of evaluating all samplers at all K on a large clip table.

20 000 videos x 18 clips x 400 classes, logits of teacher and student in float32: 1.15 GB. The goal
is at most 10 s and at most twice the table's memory on two cores.
Run: python benchmarks/evaluation.py
"""

import resource
import time

import numpy as np
import pandas as pd
import torch

from condi_lib.clip_table import ClipTable
from condi_lib.evaluation import correct_over_k
from condi_lib.sampling import SAMPLERS

N_VIDEOS, N_CLIPS, N_CLASSES = 20_000, 18, 400
GOAL_SEC, GOAL_MEMORY = 10, 2


def synthetic_table(seed: int = 0) -> ClipTable:
    """Return a table of normal logits in which the true class leads a little."""
    generator = torch.Generator().manual_seed(seed)
    n_rows = N_VIDEOS * N_CLIPS
    label = torch.randint(N_CLASSES, (N_VIDEOS,), generator=generator).repeat_interleave(N_CLIPS)
    teacher, student = (torch.randn(n_rows, N_CLASSES, generator=generator) for _ in range(2))
    for logits, lead in ((teacher, 2.0), (student, 1.0)):
        logits[torch.arange(n_rows), label] += lead
    clip_index = np.tile(np.arange(N_CLIPS), N_VIDEOS)
    clips = pd.DataFrame(
        {
            "video_id": np.repeat([f"{v:05d}.mp4" for v in range(N_VIDEOS)], N_CLIPS),
            "clip_index": clip_index,
            "start_frame": 16 * clip_index,
            "label": label.numpy(),
            "split": "test",
            "confidence": torch.randn(n_rows, generator=generator).numpy(),
        }
    )
    return ClipTable(clips, tuple(f"class {c}" for c in range(N_CLASSES)), teacher, student)


def peak_bytes() -> int:
    """Return the most memory this process has held so far (maximum resident set)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    """Measure once and print time, memory and accuracies."""
    start_bytes = peak_bytes()
    table = synthetic_table()
    table_bytes = 2 * table.teacher_logits.nbytes
    before, cpu = time.perf_counter(), time.process_time()
    correct = correct_over_k(table, list(SAMPLERS), range(1, N_CLIPS + 1))
    wall_sec, cpu_sec = time.perf_counter() - before, time.process_time() - cpu
    memory = (peak_bytes() - start_bytes) / table_bytes
    print(f"{N_VIDEOS} videos x {N_CLIPS} clips x {N_CLASSES} classes, {table_bytes / 1e9:.2f} GB,")
    print(f"{len(SAMPLERS)} samplers (10 random draws), K = 1 to {N_CLIPS}:")
    print(f"  {wall_sec:.1f} s (CPU {cpu_sec:.1f} s, {torch.get_num_threads()} threads), ", end="")
    print(f"goal {GOAL_SEC} s: {'met' if wall_sec <= GOAL_SEC else 'MISSED'}")
    print(f"  peak memory {memory:.2f} x the table, table included, ", end="")
    print(f"goal {GOAL_MEMORY}: {'met' if memory <= GOAL_MEMORY else 'MISSED'}")
    for name in SAMPLERS:
        shares = correct[name].mean(axis=0)
        print(f"  {name:26s} K = 1 {shares[0]:6.1%}   K = {N_CLIPS} {shares[-1]:6.1%}")


if __name__ == "__main__":
    main()
