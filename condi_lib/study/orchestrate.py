"""Run a whole study: the workflow engine computes the jobs, this shows how far they are."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from condi_lib import paths
from condi_lib.study.chapters import run_chapter
from condi_lib.study.config import read_study
from condi_lib.study.datasets import pantomime_folder
from condi_lib.study.ensure import ensure, run_folder
from condi_lib.study.plan import Job, find_job, plan, study_folder, write_plan
from condi_lib.study.specs import DatasetSpec

_PERCENT = re.compile(r"(\d+)%\|")


class StudyError(RuntimeError):
    """A study could not be finished."""


def run_job(source: str, name: str, workers: int = 2) -> None:
    """Run one job of a study and leave its stamp (what the workflow engine calls)."""
    job = find_job(source, name)
    if job.notebook is not None:
        output = study_folder(read_study(source).name) / "notebooks" / job.notebook.name
        run_chapter(job.notebook, {"study": source}, output)
    else:
        ensure(job.spec, workers, progress=True)
    job.stamp.parent.mkdir(parents=True, exist_ok=True)
    job.stamp.touch()


def run_study(source: str, cores: int = 2, fresh: bool = False, profile: str | None = None) -> None:
    """Compute everything of a study that is missing: runs, then chapters.

    Args:
        source: Name or path of a params file.
        cores: Cores to use.
        fresh: Delete the study's runs, videos and notebooks first.
        profile: Folder of a workflow profile (a cluster), instead of this machine's cores.

    Raises:
        StudyError: If a job fails; ends with the end of its log.
    """
    name = read_study(source).name
    folder = study_folder(name)
    folder.mkdir(parents=True, exist_ok=True)
    with _alone_with(folder / ".lock", name):
        if fresh:
            _forget(plan(source), folder)
        jobs = plan(source)
        for job in jobs:
            if not job.is_done:
                job.stamp.unlink(missing_ok=True)  # of a run that was deleted by hand
        start = time.monotonic()
        if all(job.is_done for job in jobs):
            print(f"study {name}: nothing to do, all {len(jobs)} jobs are done")
        else:
            _compute(source, jobs, folder, cores, profile)
        print(f"study {name}: complete after {_clock(time.monotonic() - start)}")
        print(f"  notebooks: {folder / 'notebooks'}\n  figures:   {paths.figures_dir() / name}")


@contextlib.contextmanager
def _alone_with(lock_path: Path, name: str) -> Iterator[None]:
    """Wait for another process that runs the same study; a killed one leaves no lock behind."""
    lock = FileLock(lock_path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print(f"study {name} is being run by another process; waiting for it", flush=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _forget(jobs: list[Job], folder: Path) -> None:
    for job in jobs:
        if job.spec is not None:
            shutil.rmtree(run_folder(job.spec), ignore_errors=True)
        if isinstance(job.spec, DatasetSpec) and job.spec.pantomime is not None:
            shutil.rmtree(pantomime_folder(job.spec.pantomime), ignore_errors=True)
    for part in ("stamps", "notebooks", "logs"):
        shutil.rmtree(folder / part, ignore_errors=True)


def _compute(source: str, jobs: list[Job], folder: Path, cores: int, profile: str | None) -> None:
    for job in jobs:
        job.log.parent.mkdir(parents=True, exist_ok=True)
        if not job.is_done:
            job.log.unlink(missing_ok=True)
    log, graph = folder / "logs" / "workflow.log", folder / "plan.json"
    write_plan(jobs, source, graph)
    command = [
        *(sys.executable, "-m", "snakemake", "--snakefile"),
        str(paths.project_root() / "workflow" / "Snakefile"),
        *("--directory", str(folder), "--config", f"plan={graph}"),
        *("--rerun-incomplete", "--nolock", "--keep-going", "--rerun-triggers", "input"),
        *(("--profile", profile) if profile else ("--cores", str(cores))),
    ]
    with log.open("w") as output:
        engine = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            _watch(engine, jobs)
        except BaseException:  # Ctrl-C must not leave trainings behind that nobody watches
            with contextlib.suppress(ProcessLookupError):
                os.killpg(engine.pid, signal.SIGTERM)
            engine.wait()
            raise
    missing = [job for job in jobs if not job.is_done]
    if engine.returncode or missing:
        raise StudyError(_report(missing, log))


def _report(missing: list[Job], workflow_log: Path) -> str:
    """Name what failed, with the end of its log; the rest only waited for it."""
    failed = [job for job in missing if job.log.exists()]
    if not failed:
        return f"the workflow failed; the end of {workflow_log}:\n{_tail(workflow_log)}"
    shown = [f"{job.name} failed; the end of {job.log}:\n{_tail(job.log)}" for job in failed]
    waiting = len(missing) - len(failed)
    return "\n".join([*shown, f"{waiting} other jobs wait for it; what is done is kept."])


def _tail(path: Path, n_lines: int = 15) -> str:
    lines = path.read_text(errors="replace").replace("\r", "\n").strip().splitlines()
    return "\n".join(f"    {line}" for line in lines[-n_lines:])


def _watch(engine: subprocess.Popen, jobs: list[Job]) -> None:
    """Show progress until the engine ends: one line that changes, or one a half minute in a log."""
    start, shown, is_terminal = time.monotonic(), "", sys.stdout.isatty()
    start_weight = _finished_weight(jobs)
    last = -1e9
    while True:
        ended = engine.poll() is not None
        elapsed = time.monotonic() - start
        line = _status(jobs, elapsed, start_weight)
        if is_terminal:
            print("\r\x1b[K" + line[: shutil.get_terminal_size().columns - 1], end="", flush=True)
        elif ended or elapsed - last >= 30 or _n_done(jobs) != shown:
            print(line, flush=True)
            last, shown = elapsed, _n_done(jobs)
        if ended:
            if is_terminal:
                print()
            return
        time.sleep(0.5)


def _n_done(jobs: list[Job]) -> str:
    return f"{sum(job.is_done for job in jobs)}/{len(jobs)}"


def _status(jobs: list[Job], elapsed: float, start_weight: float) -> str:
    running = [job for job in jobs if not job.is_done and job.log.exists()]
    names = ", ".join(f"{job.name} {100 * _share(job):.0f} %" for job in running) or "starting"
    gained = _finished_weight(jobs) - start_weight
    left = sum(job.weight for job in jobs) - _finished_weight(jobs)
    remaining = f", about {_clock(left * elapsed / gained)} left" if gained > 5 else ""
    return f"{_clock(elapsed)}  {_n_done(jobs)} done  {names}{remaining}"


def _finished_weight(jobs: list[Job]) -> float:
    """Of what is done; a data set counts when complete, it shows several bars one by one."""
    return sum(
        job.weight * (1.0 if job.is_done else _share(job))
        for job in jobs
        if job.is_done or not isinstance(job.spec, DatasetSpec)
    )


def _share(job: Job) -> float:
    """How much of a running job is done, read off the last progress bar in its log."""
    try:
        with job.log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 400))
            found = _PERCENT.findall(file.read().decode(errors="replace"))
    except FileNotFoundError:
        return 0.0
    return int(found[-1]) / 100 if found else 0.0


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
