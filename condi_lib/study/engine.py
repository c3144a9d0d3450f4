"""The workflow engine: its command line, and how it ends with all jobs, wherever they run."""

import contextlib
import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from condi_lib import paths

_SLURM_RUN = re.compile(r"SLURM run ID: (\S+)")
_SLURM_FAILURE = re.compile(
    r"SLURM-job '(?P<job>\w+)' failed, SLURM status is: '(?P<status>\w+)'.*\n"
    r" +jobid: .*\n +output: (?P<stamp>.*)\n +log: (?P<log>.*) \(check"
)


def engine_command(
    plan: Path, cores: int = 2, profile: str | None = None, gpus: int = 0
) -> list[str]:
    """The command that computes a plan.

    Args:
        plan: What :func:`condi_lib.study.plan.write_plan` has written, in the study's folder.
        cores: Cores of this machine to use, where no profile is given.
        profile: As in :func:`find_profile`; it says how many jobs run at once, and where.
        gpus: GPUs that each training job of this machine takes; such jobs take turns.
    """
    resources = []
    if profile is None:
        resources = ["--cores", str(cores), *(["--resources", f"gpus={gpus}"] if gpus else [])]
    return [
        *(sys.executable, "-m", "snakemake", "--snakefile", str(paths.snakefile())),
        *("--directory", str(plan.parent), "--config", f"plan={plan}"),
        # The study's own lock keeps others out, and the stamps' names say what has changed.
        *("--rerun-incomplete", "--nolock", "--rerun-triggers", "input"),
        # Snakemake would put profiles/default above any other profile.
        *("--workflow-profile", "none", "--profile", str(find_profile(profile or "default"))),
        *resources,
    ]


def find_profile(name: str) -> Path:
    """The folder of a workflow profile, absolute.

    Args:
        name: A path, absolute or from the current folder, from the project's root or from the
            checkout; or the name of a folder in ``workflow/profiles``.

    Raises:
        ValueError: If there is no such folder with a ``config.yaml``; lists the places looked at.
    """
    workflow = paths.snakefile().parent
    starts = (Path.cwd(), paths.project_root(), workflow.parent, workflow / "profiles")
    tried = list(dict.fromkeys((start / Path(name).expanduser()).resolve() for start in starts))
    for folder in tried:
        if (folder / "config.yaml").is_file():
            return folder
    places = ", ".join(map(str, tried))
    raise ValueError(f"no workflow profile {name!r} with a config.yaml: looked at {places}")


@dataclass(frozen=True)
class ClusterFailure:
    """What a cluster says about a job that failed: the last time, if it was tried again.

    Attributes:
        job_id: Its number on the cluster.
        status: ``TIMEOUT``, ``OUT_OF_MEMORY``, ``CANCELLED``, ``NODE_FAIL``, ``FAILED``, ...
        log: Where the cluster keeps its output.
    """

    job_id: str
    status: str
    log: Path


def cluster_failures(log: Path) -> dict[str, ClusterFailure]:
    """The failures that the engine's log tells of, by the stamp that the job should have left."""
    found = _SLURM_FAILURE.finditer(log.read_text(errors="replace"))
    return {f["stamp"]: ClusterFailure(f["job"], f["status"], Path(f["log"])) for f in found}


def slurm_run(log: Path) -> str | None:
    """The name that all jobs have which the engine has given to SLURM; None if it gave it none."""
    found = _SLURM_RUN.search(log.read_text(errors="replace"))
    return found[1] if found else None


def stop_engine(engine: subprocess.Popen, log: Path, patience_sec: float = 10) -> None:
    """End the engine and its jobs: those in its process group, and those that a cluster has.

    A cluster's jobs are cancelled by the engine when it is interrupted (asked to terminate, it
    would wait for them) and, as it may have been killed, once more by the name that they share.

    Args:
        engine: A process started in a session of its own.
        log: File to which its output went.
        patience_sec: How long it may take to end after each signal.
    """
    run = slurm_run(log)
    if run and engine.poll() is None:
        _signal(engine, signal.SIGINT, patience_sec)
    _signal(engine, signal.SIGTERM, patience_sec)
    _signal(engine, signal.SIGKILL, None)
    if run:
        subprocess.run(["scancel", "--name", run], check=False, timeout=60)


def _signal(engine: subprocess.Popen, sign: int, patience_sec: float | None) -> None:
    with contextlib.suppress(ProcessLookupError):
        if sign == signal.SIGINT:
            engine.send_signal(sign)
        else:
            os.killpg(engine.pid, sign)
    with contextlib.suppress(subprocess.TimeoutExpired):
        engine.wait(patience_sec)
