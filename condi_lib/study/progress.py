"""Show how far a study is: what is done, what runs, how long is left."""

import os
import re
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

from condi_lib.study.plan import Job

LOOK_EVERY_SEC = 0.5
LINE_EVERY_SEC = 30.0  # in a log, where lines cannot change
_PERCENT = re.compile(r"(\d+)%\|")


def watch(jobs: list[Job], has_ended: Callable[[], bool]) -> None:
    """Show progress until ``has_ended()``: one line that changes, or now and then one in a log."""
    start, last, shown = time.monotonic(), -LINE_EVERY_SEC, -1
    weight_before = finished_weight(jobs, done_of(jobs))
    is_terminal = sys.stdout.isatty()
    ended = False
    while not ended:
        ended = has_ended()
        elapsed, done = time.monotonic() - start, done_of(jobs)
        line = status(jobs, done, elapsed, weight_before)
        if is_terminal:
            width = shutil.get_terminal_size().columns - 1
            print("\r\x1b[K" + line[:width], end="\n" if ended else "", flush=True)
        elif len(done) != shown or elapsed - last >= LINE_EVERY_SEC:
            print(line, flush=True)
            last, shown = elapsed, len(done)
        if not ended:
            time.sleep(LOOK_EVERY_SEC)


def done_of(jobs: list[Job]) -> set[str]:
    """Names of the jobs that are done."""
    return {job.name for job in jobs if job.is_done}


def status(jobs: list[Job], done: set[str], elapsed_sec: float, weight_before: float) -> str:
    """One line: time, jobs done, those that run, time left.

    Args:
        jobs: All jobs of the study.
        done: Names of those that are done.
        elapsed_sec: Since the study was started.
        weight_before: :func:`finished_weight` at that moment.
    """
    running = [job for job in jobs if job.name not in done and job.log.exists()]
    names = ", ".join(f"{job.name} {100 * _share(job):.0f} %" for job in running)
    finished = finished_weight(jobs, done)
    left, gained = sum(job.weight for job in jobs) - finished, finished - weight_before
    remaining = f", about {clock(left * elapsed_sec / gained)} left" if gained > 5 else ""
    at = f"{clock(elapsed_sec)}  {len(done)}/{len(jobs)} done"
    return f"{at}  {names or 'starting'}{remaining}" if len(done) < len(jobs) else at


def finished_weight(jobs: list[Job], done: set[str]) -> float:
    """Weight of what is done, with the shares of what runs.

    A data set counts when it is complete: it shows several bars, one after another.
    """
    return sum(
        job.weight if job.name in done else job.weight * _share(job)
        for job in jobs
        if job.name in done or job.kind != "dataset"
    )


def _share(job: Job) -> float:
    """How much of a running job is done: complete runs, and what the last bar in its log says."""
    n_runs = max(1, len(job.specs))
    return min((job.n_done + _share_of_run(job.log)) / n_runs, 1.0)


def _share_of_run(log: Path) -> float:
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 400))
            end = file.read().decode(errors="replace")
    except FileNotFoundError:
        return 0.0
    found = _PERCENT.findall(end)
    share = int(found[-1]) / 100 if found else 0.0
    return 0.9 + 0.1 * share if "scoring (" in end else 0.9 * share  # training comes first


def clock(seconds: float) -> str:
    """Minutes and seconds, ``7:05``."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
