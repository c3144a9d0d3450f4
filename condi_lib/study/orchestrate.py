"""Run a whole study: the workflow engine computes the jobs, this shows how far they are."""

import re
import shlex
import shutil
import subprocess
import textwrap
import time
from pathlib import Path

from condi_lib import paths
from condi_lib.chapters import check_parameters
from condi_lib.distributed import join_world
from condi_lib.locks import alone
from condi_lib.study.engine import cluster_failures, engine_command, stop_engine
from condi_lib.study.ensure import ensure, forget
from condi_lib.study.params import read_study
from condi_lib.study.plan import Job, JobSize, find_job, plan, study_folder, write_plan
from condi_lib.study.progress import clock, watch

SHARED_FOLDER_SEC = 60  # until this machine sees what another one wrote to a shared folder
# To the end, or to what torchrun adds; srun's and slurmstepd's messages are lines.
_MESSAGE = re.compile(
    r"^(?:error: .*?(?=^[EIW]\d{4} |\Z)|(?:srun|slurmstepd): error: [^\n]*)",
    re.DOTALL | re.MULTILINE,
)


class StudyError(RuntimeError):
    """A study could not be finished."""


def run_job(source: str, name: str, workers: int = 2, students: int = 1) -> None:
    """Run one job of a study and leave its stamp (what the workflow engine calls).

    For a data set, a teacher or students: all processes that torchrun launches call it.

    Args:
        source: Name or path of a params file.
        name: The job's name.
        workers: Processes that draw or decode videos; a single one is this one.
        students: How many students each job of the plan trains.

    Raises:
        StudyError: If it is a chapter; says how to run that.
    """
    job, world = find_job(source, name, students), join_world()
    if not job.specs:
        raise StudyError(f"{name} is a chapter, run by: {shlex.join(job.command(source))}")
    for spec in job.specs:
        ensure(spec, workers if workers > 1 else 0, progress=True)
    if world.leads:
        job.stamp.parent.mkdir(parents=True, exist_ok=True)
        job.stamp.touch()
    world.leave()


def run_study(
    source: str,
    cores: int = 2,
    fresh: bool = False,
    profile: str | None = None,
    size: JobSize | None = None,
) -> None:
    """Compute everything of a study that is missing: runs, then chapters.

    Args:
        source: Name or path of a params file.
        cores: Cores to use.
        fresh: Delete the study's runs, videos and notebooks first.
        profile: Name or folder of a workflow profile (a cluster), instead of this machine's cores.
        size: What each job may use.

    Raises:
        StudyError: If a job fails; ends with the end of its log.
        ChapterError: If a chapter has no parameter that the params file gives it.
    """
    name = read_study(source).name
    folder, size = study_folder(name), size or JobSize()
    command = engine_command(folder / "plan.json", cores, profile, size.gpus)
    start = time.monotonic()
    with alone(folder, f"study {name} is being run by another process; waiting for it") as lock:
        if fresh:
            _forget(plan(source), folder)
        jobs = plan(source, size)
        for job in jobs:
            if job.parameters:  # a misspelt name is found now, not when its chapter's turn comes
                check_parameters(job.notebook, job.parameters)
            job.mark()
        if all(job.is_done for job in jobs):
            print(f"study {name}: nothing to do, all {len(jobs)} jobs are done")
        else:
            _compute(source, jobs, folder, command, lock)
            print(f"study {name}: complete after {clock(time.monotonic() - start)}")
    print(f"  notebooks: {folder / 'notebooks'}\n  figures:   {paths.figures_dir() / name}")


def _forget(jobs: list[Job], folder: Path) -> None:
    for job in jobs:
        for spec in job.specs:
            forget(spec)
    shutil.rmtree(folder, ignore_errors=True)


def _compute(source: str, jobs: list[Job], folder: Path, command: list[str], lock: int) -> None:
    """Let the engine compute what is missing, and show how far it is."""
    logs = folder / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    for job in jobs:
        if not job.is_done:
            job.log.unlink(missing_ok=True)
    write_plan(jobs, source, folder / "plan.json")
    workflow_log = logs / "workflow.log"
    with workflow_log.open("w") as log:
        # The engine holds the lock, too: if this process is killed, the engine goes on, and
        # whoever runs the study next waits for it.
        engine = subprocess.Popen(
            command, stdout=log, stderr=log, start_new_session=True, pass_fds=[lock]
        )
        try:
            watch(jobs, lambda: engine.poll() is not None)
        finally:  # neither Ctrl-C nor a killed engine may leave trainings that nobody watches
            stop_engine(engine, workflow_log)
    patience_sec = SHARED_FOLDER_SEC if engine.returncode == 0 else 0
    if missing := _missing(jobs, patience_sec):
        raise StudyError(_report(missing, workflow_log))


def _missing(jobs: list[Job], patience_sec: float) -> list[Job]:
    """Jobs that are not done, also after waiting for what other machines have written."""
    start = time.monotonic()
    while missing := [job for job in jobs if not job.is_done]:
        if time.monotonic() - start >= patience_sec:
            break
        time.sleep(1)
    return missing


def _report(missing: list[Job], workflow_log: Path) -> str:
    """Name what failed and why; the rest only waited for it."""
    on_cluster, shown = cluster_failures(workflow_log), []
    for job in missing:
        failure = on_cluster.get(str(job.stamp))
        why = f" ({failure.status}, SLURM job {failure.job_id})" if failure else ""
        log = failure.log if failure and not job.log.exists() else job.log
        if log.exists():
            shown.append(f"{job.name} failed{why}; the end of {log}:\n{_end(log)}")
    if not shown:
        return f"the workflow failed; the end of {workflow_log}:\n{_end(workflow_log)}"
    waiting = len(missing) - len(shown)
    rest = f"{waiting} other jobs wait for that; " if waiting else ""
    return "\n".join([*shown, f"{rest}what is done is kept."])


def _end(log: Path, n_lines: int = 15) -> str:
    """The error message at the end of a log, or its last lines."""
    text = log.read_text(errors="replace").replace("\r", "\n").strip()
    message = _MESSAGE.search(text)
    if message:
        return textwrap.indent(message[0].strip(), "    ")
    lines = text.splitlines()[-n_lines:]
    if not any("rror" in line for line in lines):
        lines.append("(it ended without an error message: was it killed, for lack of memory?)")
    return textwrap.indent("\n".join(lines), "    ")
