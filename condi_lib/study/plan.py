"""What a study has to compute, as jobs with needs: the nodes of the workflow's graph."""

import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from condi_lib import paths
from condi_lib.chapters import chapter_notebooks, code_hash, notebook_hash
from condi_lib.digests import digest
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
        students: Students that a job trains at most, one after another: each job takes seconds to
            start, which tells where a student takes no longer.

    Raises:
        ValueError: If a number is negative, or there are fewer processes than GPUs, or no students.
    """

    cores: int = 0
    gpus: int = 0
    processes: int = 0
    students: int = 1

    def __post_init__(self) -> None:
        if self.students < 1:
            raise ValueError(f"students must be at least 1, got {self.students}")
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
        specs: The run to compute, or those of several students of one teacher.
        students: As in :class:`JobSize`: by it the command finds the job again.
        notebook: The chapter to execute, where there are no runs,
        parameters: what it is given besides the study, and
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
    specs: tuple[Spec, ...] = field(default=(), repr=False)
    students: int = 1
    notebook: Path | None = None
    parameters: dict[str, Any] = field(default_factory=dict, repr=False)
    output: Path | None = None

    @property
    def kind(self) -> str:
        """``dataset``, ``teacher``, ``student`` or ``chapter``; names its rule of the workflow."""
        return KINDS[type(self.specs[0])] if self.specs else "chapter"

    @property
    def n_done(self) -> int:
        """How many of its runs are complete: they tell by themselves, whoever computed them."""
        return sum(map(is_done, self.specs))

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do."""
        if self.specs:
            return self.n_done == len(self.specs)
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
        study = str(params_path(source) if source.endswith(".yaml") else source)
        if self.notebook:
            given = json.dumps({**self.parameters, "study": study})
            files = map(str, (self.notebook, self.output, self.stamp))
            return [sys.executable, "-m", "condi_lib", "chapter", *files, "--parameters", given]
        task = ["-m", "condi_lib", "job", study, self.name]
        together = ["--students", str(self.students)] if self.students > 1 else []
        return [*_launcher(self.processes), *task, *together]


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
    of_group: dict[str, dict[str, Job]] = {"": _run_jobs(study, "", study.name, size, runs)}
    for group, variants in study.variants.items():
        of_group[group] = {}
        for name, variant in variants.items():
            of_group[group] |= _run_jobs(variant, f"{group}.{name}-", study.name, size, runs)
    chapter_notebooks(tuple(study.parameters))  # each is for a chapter that there is
    chapters = [
        _chapter_job(notebook, study, _needed_by(notebook, of_group, runs))
        for notebook in chapter_notebooks(study.chapters)
    ]
    return [*_distinct(runs), *chapters]


def _distinct(runs: dict[str, Job]) -> list[Job]:
    return list({job.name: job for job in runs.values()}.values())


def _needed_by(
    notebook: Path, of_group: dict[str, dict[str, Job]], runs: dict[str, Job]
) -> dict[str, Job]:
    """The runs that a chapter reads: the study's own and its variants; the last chapter, all."""
    if notebook.name.endswith(f"{LAST_CHAPTER}.ipynb"):
        return runs
    group = notebook.stem.partition("_")[2]
    return of_group[""] | of_group.get(group, {})


def _run_jobs(
    study: StudySpec, prefix: str, name: str, size: JobSize, runs: dict[str, Job]
) -> dict[str, Job]:
    """The runs of one study or variant, each with its job; new ones are added to ``runs``."""
    mine: dict[str, Job] = {}

    def add(names: Sequence[str], tail: str, specs: Sequence[Spec], *needs: Path) -> Job:
        new = [i for i, spec in enumerate(specs) if run_name(spec) not in runs]
        if new:
            label = names[new[0]] + (f"+{len(new) - 1}" if len(new) > 1 else "")
            own = tuple({run_name(specs[i]): specs[i] for i in new}.values())
            job = _run_job(f"{prefix}{label}{tail}", own, needs, name, size)
            runs.update({run_name(spec): job for spec in own})
        mine.update({run_name(spec): runs[run_name(spec)] for spec in specs})
        return runs[run_name(specs[-1])]

    for fold in study.fold_names:
        tail = f"-{fold.replace(' ', '_')}" if fold else ""
        dataset = add(["dataset"], tail, [study.dataset_of(fold)])
        for seed in study.seeds:
            suffix = f"{tail}-seed{seed}"
            teacher = add(["teacher"], suffix, [study.teacher_of(seed, fold)], dataset.stamp)
            losses = list(study.losses)
            for names in (
                losses[i : i + size.students] for i in range(0, len(losses), size.students)
            ):
                students = [study.student_of(loss, seed, fold) for loss in names]
                add(names, suffix, students, teacher.stamp)
    return mine


_WEIGHTS = {"dataset": 60.0, "teacher": 120.0, "student": 75.0}


def _run_job(
    name: str, specs: tuple[Spec, ...], needs: tuple[Path, ...], study: str, size: JobSize
) -> Job:
    kind = KINDS[type(specs[0])]
    runs = digest(sorted(run_name(spec) for spec in specs))
    processes = 1 if kind == "dataset" else size.n_processes
    # The data set is drawn by two processes; the teacher waits for nobody, students run in pairs.
    threads = size.cores or (1 if kind == "student" else 2)
    return Job(
        name=name,
        # A stamp of the study's own: the workflow engine deletes outputs before a job and after a
        # failed one, which must touch neither the run nor another study that shares it.
        stamp=study_folder(study) / "stamps" / f"{name}-{runs}",
        log=study_folder(study) / "logs" / f"{name}.log",
        needs=needs,
        threads=max(threads, processes),
        gpus=0 if kind == "dataset" else size.gpus,
        processes=processes,
        weight=_WEIGHTS[kind] * len(specs),
        specs=specs,
        students=size.students if kind == "student" else 1,
    )


def _chapter_job(notebook: Path, study: StudySpec, runs: dict[str, Job]) -> Job:
    # Not which job computes a run: however students are put together, the chapter is the same.
    state = {
        "notebook": notebook_hash(notebook),
        "code": code_hash(),
        "study": asdict(study),
        "runs": sorted(runs),
    }
    folder = study_folder(study.name)
    given = [own for prefix, own in study.parameters.items() if notebook.name.startswith(prefix)]
    return Job(
        name=notebook.stem,
        stamp=folder / "stamps" / f"{notebook.stem}-{digest(state)}",
        log=folder / "logs" / f"{notebook.stem}.log",
        needs=tuple(job.stamp for job in _distinct(runs)),
        weight=20.0,
        notebook=notebook,
        parameters={name: value for own in given for name, value in own.items()},
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


def find_job(source: str, name: str, students: int = 1) -> Job:
    """The job called ``name``, of a plan with so many students for a job.

    Raises:
        ValueError: If the study has no such job; lists those it has.
    """
    jobs = {job.name: job for job in plan(source, JobSize(students=students))}
    if name not in jobs:
        raise ValueError(f"study {source!r} has no job {name!r}; it has {sorted(jobs)}")
    return jobs[name]
