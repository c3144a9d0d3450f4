"""What a study has to compute, as jobs with needs: the nodes of the workflow's graph."""

import json
import re
import shlex
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

from condi_lib import paths
from condi_lib.study.chapters import chapter_notebooks, code_hash, notebook_hash
from condi_lib.study.config import StudySpec, read_study
from condi_lib.study.ensure import is_done, run_folder
from condi_lib.study.specs import Spec, digest, run_name


@dataclass(frozen=True)
class Job:
    """One process of a study.

    Attributes:
        name: What it is called, also on the command line: ``condi_sr-seed0``.
        stamp: File that exists when it is done.
        needs: Stamps of the jobs that come first.
        log: Where its output goes.
        threads: How many cores it uses.
        weight: About how long it takes beside the others (seconds on two cores, embedded study).
        spec: The run to compute, or
        notebook: the chapter to execute.
    """

    name: str
    stamp: Path
    log: Path
    needs: tuple[Path, ...] = ()
    threads: int = 1
    weight: float = 1.0
    spec: Spec | None = field(default=None, repr=False)
    notebook: Path | None = None

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do."""
        return self.stamp.exists() and (self.spec is None or is_done(self.spec))

    def command(self, study: str) -> list[str]:
        """The command that runs this job."""
        return [sys.executable, "-m", "condi_lib", "job", study, self.name]


def study_folder(name: str) -> Path:
    """Where a study's executed notebooks, logs and workflow state are."""
    return paths.runs_dir() / "studies" / name


def plan(source: str) -> list[Job]:
    """All jobs of a study, each after those that it needs.

    Args:
        source: Name or path of a params file.
    """
    study = read_study(source)
    jobs: dict[str, Job] = {}
    for fold in study.fold_names:
        tail = f"-{fold.replace(' ', '_')}" if fold else ""
        dataset = _run_job(f"dataset{tail}", study.dataset_of(fold), (), study)
        jobs[dataset.name] = dataset
        for seed in study.seeds:
            suffix = f"{tail}-seed{seed}"
            teacher_spec = study.teacher_of(seed, fold)
            teacher = _run_job(f"teacher{suffix}", teacher_spec, (dataset.stamp,), study)
            jobs[teacher.name] = teacher
            for loss in study.losses:
                spec = study.student_of(loss, seed, fold)
                student = _run_job(f"{loss}{suffix}", spec, (teacher.stamp,), study)
                jobs[student.name] = student
    runs = list(jobs.values())
    chapters = chapter_notebooks(study.chapters)
    return runs + [_chapter_job(notebook, source, study, runs) for notebook in chapters]


_WEIGHTS = {"dataset": 60.0, "teacher": 120.0, "student": 75.0}


def _run_job(name: str, spec: Spec, needs: tuple[Path, ...], study: StudySpec) -> Job:
    kind = run_name(spec).partition("-")[0]
    return Job(
        name=name,
        # A stamp of its own: the workflow engine deletes outputs of failed jobs, and would take
        # the run's checkpoint-protecting `done.json` with it.
        stamp=run_folder(spec) / "stamp",
        log=study_folder(study.name) / "logs" / f"{name}.log",
        needs=needs,
        # The data set is drawn by two processes; the teacher waits for nobody, students run in
        # pairs.
        threads=1 if kind == "student" else 2,
        weight=_WEIGHTS[kind],
        spec=spec,
    )


def _chapter_job(notebook: Path, source: str, study: StudySpec, runs: list[Job]) -> Job:
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
    )


def write_plan(jobs: list[Job], study: str, path: Path) -> None:
    """Write the jobs as JSON for the workflow engine, which then need not import the library."""
    rows = [
        {
            "name": re.sub(r"\W", "_", job.name),
            "stamp": str(job.stamp),
            "needs": [str(stamp) for stamp in job.needs],
            "log": str(job.log),
            "threads": job.threads,
            "command": shlex.join(job.command(study)),
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
