"""What a study has to compute, as jobs with needs: the nodes of the workflow's graph."""

import json
import shlex
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

from condi_lib import paths
from condi_lib.digests import digest
from condi_lib.study.chapters import chapter_notebooks, code_hash, notebook_hash
from condi_lib.study.config import StudySpec
from condi_lib.study.ensure import is_done
from condi_lib.study.params import params_path, read_study
from condi_lib.study.specs import KINDS, Spec, run_name

MAX_RESTARTS = 3  # of a job by torchrun
LAST_CHAPTER = "verdicts"  # which reads everything


@dataclass(frozen=True)
class JobSize:
    """What each job that makes a run may use; no run's digest depends on it.

    Attributes:
        cores: Cores of a job, for arithmetic and for decoding; 0: two, a student one.
        gpus: GPUs that a training job asks a cluster for, or takes of this machine.
        processes: Processes of a training job, started by torchrun; 0: one for each GPU.

    Raises:
        ValueError: If a number is negative, or there are fewer processes than GPUs.
    """

    cores: int = 0
    gpus: int = 0
    processes: int = 0

    def __post_init__(self) -> None:
        if min(self.cores, self.gpus, self.processes) < 0:
            raise ValueError(f"cores, gpus and processes must not be negative, got {self}")
        if 0 < self.processes < self.gpus:
            raise ValueError(
                f"{self.processes} processes cannot use {self.gpus} GPUs: each process uses one"
            )

    @property
    def n_processes(self) -> int:
        """Processes of a training job."""
        return self.processes or max(1, self.gpus)


@dataclass(frozen=True)
class Job:
    """One process of a study.

    Attributes:
        name: What it is called, also on the command line: ``condi_sr-seed0``.
        stamp: File by which the workflow engine knows that it is done.
        needs: Stamps of the jobs that come first.
        log: Where its output goes.
        threads: How many cores it uses.
        gpus: How many GPUs it uses.
        processes: Processes that share its work; more than one are started by torchrun.
        weight: About how long it takes beside the others (seconds on two cores, embedded study).
        spec: The run to compute, or
        notebook: the chapter to execute, and
        output: the executed notebook.
    """

    name: str
    stamp: Path
    log: Path
    needs: tuple[Path, ...] = ()
    threads: int = 1
    gpus: int = 0
    processes: int = 1
    weight: float = 1.0
    spec: Spec | None = field(default=None, repr=False)
    notebook: Path | None = None
    output: Path | None = None

    @property
    def kind(self) -> str:
        """``dataset``, ``teacher``, ``student`` or ``chapter``; names its rule of the workflow."""
        return "chapter" if self.spec is None else KINDS[type(self.spec)]

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do; a run tells by itself, also one of another study."""
        if self.spec is not None:
            return is_done(self.spec)
        return self.stamp.exists() and self.output.exists()

    def mark(self) -> None:
        """Let the stamp say what is true."""
        if not self.is_done:
            self.stamp.unlink(missing_ok=True)
        elif not self.stamp.exists():
            self.stamp.parent.mkdir(parents=True, exist_ok=True)
            self.stamp.touch()

    def command(self, source: str) -> list[str]:
        """The command that runs this job, in whatever folder."""
        study = params_path(source) if source.endswith(".yaml") else source
        task = ["-m", "condi_lib", "job", str(study), self.name]
        return [*_launcher(self.processes), *task]


def _launcher(n_processes: int) -> list[str]:
    """Python, or torchrun where several processes share a job.

    A killed process makes torchrun start all of them anew, from the last checkpoint. Half of
    these restarts hang where the agents share the workers' TCP store (pytorch issue 135712).
    """
    if n_processes == 1:
        return [sys.executable]
    return [
        *("env", "TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1"),
        *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
        *("--nproc-per-node", str(n_processes), "--max-restarts", str(MAX_RESTARTS)),
    ]


def study_folder(name: str) -> Path:
    """Where a study's executed notebooks, logs and workflow state are."""
    return paths.runs_dir() / "studies" / name


def plan(source: str, size: JobSize | None = None) -> list[Job]:
    """All jobs of a study and its variants, each after those that it needs.

    A run that several of them share is one job.

    Args:
        source: Name or path of a params file.
        size: What each job may use.
    """
    study, size = read_study(source), size or JobSize()
    runs: dict[str, Job] = {}  # by the run's name
    of_group: dict[str, list[Job]] = {"": _run_jobs(study, "", study.name, size, runs)}
    for group, variants in study.variants.items():
        jobs = [_run_jobs(v, f"{group}.{n}-", study.name, size, runs) for n, v in variants.items()]
        of_group[group] = [job for each in jobs for job in each]
    everything = list(runs.values())
    chapters = [
        _chapter_job(notebook, study, _needed_by(notebook, of_group, everything))
        for notebook in chapter_notebooks(study.chapters)
    ]
    return everything + chapters


def _needed_by(notebook: Path, of_group: dict[str, list[Job]], everything: list[Job]) -> list[Job]:
    """The runs that a chapter reads: the study's own and its variants; the last chapter, all."""
    if notebook.name.endswith(f"{LAST_CHAPTER}.ipynb"):
        return everything
    group = notebook.stem.partition("_")[2]
    mine = [*of_group[""], *of_group.get(group, [])]
    return list({job.name: job for job in mine}.values())


def _run_jobs(
    study: StudySpec, prefix: str, name: str, size: JobSize, runs: dict[str, Job]
) -> list[Job]:
    """The jobs of one study's or variant's runs; new ones are added to ``runs``."""
    mine: list[Job] = []

    def add(job_name: str, spec: Spec, needs: tuple[Path, ...]) -> Job:
        job = runs.get(run_name(spec)) or _run_job(prefix + job_name, spec, needs, name, size)
        runs[run_name(spec)] = job
        mine.append(job)
        return job

    for fold in study.fold_names:
        tail = f"-{fold.replace(' ', '_')}" if fold else ""
        dataset = add(f"dataset{tail}", study.dataset_of(fold), ())
        for seed in study.seeds:
            suffix = f"{tail}-seed{seed}"
            teacher = add(f"teacher{suffix}", study.teacher_of(seed, fold), (dataset.stamp,))
            for loss in study.losses:
                add(f"{loss}{suffix}", study.student_of(loss, seed, fold), (teacher.stamp,))
    return mine


_WEIGHTS = {"dataset": 60.0, "teacher": 120.0, "student": 75.0}


def _run_job(name: str, spec: Spec, needs: tuple[Path, ...], study: str, size: JobSize) -> Job:
    kind = KINDS[type(spec)]
    processes = 1 if kind == "dataset" else size.n_processes
    # The data set is drawn by two processes; the teacher waits for nobody, students run in pairs.
    threads = size.cores or (1 if kind == "student" else 2)
    return Job(
        name=name,
        # A stamp of the study's own: the workflow engine deletes outputs before a job and after a
        # failed one, which must touch neither the run nor another study that shares it.
        stamp=study_folder(study) / "stamps" / f"{name}-{run_name(spec)}",
        log=study_folder(study) / "logs" / f"{name}.log",
        needs=needs,
        threads=max(threads, processes),
        gpus=0 if kind == "dataset" else size.gpus,
        processes=processes,
        weight=_WEIGHTS[kind],
        spec=spec,
    )


def _chapter_job(notebook: Path, study: StudySpec, runs: list[Job]) -> Job:
    state = {
        "notebook": notebook_hash(notebook),
        "code": code_hash(),
        "study": asdict(study),
        "runs": sorted(run_name(job.spec) for job in runs if job.spec is not None),
    }
    folder = study_folder(study.name)
    return Job(
        name=notebook.stem,
        stamp=folder / "stamps" / f"{notebook.stem}-{digest(state)}",
        log=folder / "logs" / f"{notebook.stem}.log",
        needs=tuple(job.stamp for job in runs),
        weight=20.0,
        notebook=notebook,
        output=folder / "notebooks" / notebook.name,
    )


def write_plan(jobs: list[Job], source: str, path: Path) -> None:
    """Write the jobs as JSON for the workflow engine, which then need not import the library."""
    rows = [
        {
            "kind": job.kind,
            "stamp": str(job.stamp),
            "needs": [str(stamp) for stamp in job.needs],
            "log": str(job.log),
            "threads": job.threads,
            "gpus": job.gpus,
            "gres": f"gpu:{job.gpus}" if job.gpus else "",  # as a cluster is asked for them
            "processes": job.processes,
            "command": shlex.join(job.command(source)),
        }
        for job in jobs
    ]
    path.write_text(json.dumps(rows, indent=1), encoding="utf-8")


def find_job(source: str, name: str) -> Job:
    """The job called ``name``.

    Raises:
        ValueError: If the study has no such job; lists those it has.
    """
    jobs = {job.name: job for job in plan(source)}
    if name not in jobs:
        raise ValueError(f"study {source!r} has no job {name!r}; it has {sorted(jobs)}")
    return jobs[name]
